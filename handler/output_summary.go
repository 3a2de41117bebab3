package main

import (
	"context"
	"io"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/logs"
	"pushback/detect/notify"
	"pushback/detect/notify/console"
	"pushback/detect/rule"
)

// nowhere is a destination that takes alerts and does nothing with them.
type nowhere struct{}

func (nowhere) Name() string                              { return "nowhere" }
func (nowhere) Notify(context.Context, alert.Alert) error { return nil }

// summaryPrinter says at the end how loud each rule was.
type summaryPrinter struct {
	w     io.Writer
	style console.Style
	json  bool
	warn  *warnings
	rules []*loudness
	byID  map[string]*loudness
}

func (p *summaryPrinter) notifier() notify.Notifier { return nowhere{} }

func (p *summaryPrinter) start(_ string, l *logs.Logs, rules []*rule.Rule, notes []string, first, last time.Time) error {
	for _, text := range notes {
		p.warn.write(text)
	}
	p.warn.reading(l.Report)
	p.byID = make(map[string]*loudness)
	for _, r := range rules {
		p.byID[r.ID] = newLoudness(r, first, last)
		p.rules = append(p.rules, p.byID[r.ID])
	}
	return nil
}

func (p *summaryPrinter) tick(r detect.Report) error {
	p.warn.ticking(r)
	for _, run := range r.Rules {
		l := p.byID[run.RuleID]
		l.add(run)
		for _, w := range run.Windows {
			if w.Err == nil {
				l.took = append(l.took, w.Duration)
			}
		}
	}
	return nil
}

func (p *summaryPrinter) tooLate(warnings []string) {
	for _, text := range warnings {
		p.warn.write(text)
	}
}

func (p *summaryPrinter) end(_ time.Duration, interrupted bool) error {
	if interrupted && p.json { // half an answer looks like a whole one
		return nil
	}
	return writeLoudness(p.w, p.style, p.rules, 0, p.json)
}
