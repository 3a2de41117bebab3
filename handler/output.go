package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/logs"
	"pushback/detect/notify"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// output is how demo and replay say what they found.
type output struct {
	json bool
	// serve is where to show the cards when the run is over, if anywhere, and
	// open says to open a browser there.
	serve pageAddress
	open  bool
	// summary says how loud each rule is, in place of the alerts.
	summary bool
	// silences is a file of silences that are tried.
	silences string
}

func (o *output) flags(cmd *cobra.Command) {
	cmd.Flags().Var(&o.serve, "serve", "after the run, show the cards as Teams would, on a local page at this address, such as 127.0.0.1:8080")
	cmd.Flags().BoolVar(&o.open, "open", false, "after the run, show the cards in a browser")
	cmd.Flags().BoolVar(&o.summary, "summary", false, "instead of the alerts say how loud each rule is: alerts a day, who comes most, what is dropped, how long queries take; with --json one object per rule")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object per alert, and nothing else")
	silencesFlag(cmd, &o.silences)
}

// printer writes a run as it goes: what was read, the alerts, what was
// dropped, the totals.
type printer interface {
	notifier() notify.Notifier
	start(title string, l *logs.Logs, rules []*rule.Rule, notes []string, first, last time.Time) error
	tick(detect.Report) error
	// tooLate is given what no pass found, before the end.
	tooLate(warnings []string)
	end(took time.Duration) error
}

func (o *output) printer(stdout io.Writer, style console.Style, stderr io.Writer) printer {
	warn := &warnings{w: stderr}
	if o.summary {
		return &summaryPrinter{w: stdout, style: style, json: o.json, warn: warn}
	}
	if o.json {
		return &jsonPrinter{w: stdout, warn: warn}
	}
	return &textPrinter{Console: console.New(stdout, style), warn: warn}
}

// styleOf takes width and colour from the terminal, if it is one. The variable
// NO_COLOR turns colours off, as everywhere.
func styleOf(w io.Writer) console.Style {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return console.Style{Width: 100}
	}
	s := console.Style{Color: os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = width
	}
	return s
}

// jsonPrinter writes the alerts as JSON, one a line.
type jsonPrinter struct {
	w    io.Writer
	warn *warnings
}

func (p *jsonPrinter) Name() string { return "json" }

func (p *jsonPrinter) Notify(_ context.Context, a alert.Alert) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("alert %s: %w", a.ID, err)
	}
	_, err = p.w.Write(append(escaped(text), '\n'))
	return err
}

func (p *jsonPrinter) notifier() notify.Notifier { return p }

func (p *jsonPrinter) start(_ string, l *logs.Logs, _ []*rule.Rule, notes []string, _, _ time.Time) error {
	for _, text := range notes {
		p.warn.write(text)
	}
	p.warn.reading(l.Report)
	return nil
}

func (p *jsonPrinter) tick(r detect.Report) error {
	p.warn.ticking(r)
	return nil
}

func (p *jsonPrinter) tooLate(warnings []string) {
	for _, text := range warnings {
		p.warn.write(text)
	}
}

func (p *jsonPrinter) end(time.Duration) error { return nil }

// textPrinter writes for somebody who reads.
type textPrinter struct {
	*console.Console
	warn *warnings

	windows, passes, late, rows, dropped, suppressed, held, updates int

	missed []string // records that came too late

	alerts   [alert.High + 1]int
	total    int
	entities map[string]map[string]bool // type -> first identifier
}

func (p *textPrinter) notifier() notify.Notifier { return p }

// Notify also counts.
func (p *textPrinter) Notify(ctx context.Context, a alert.Alert) error {
	if err := p.Console.Notify(ctx, a); err != nil {
		return err
	}
	p.total++
	p.alerts[a.Severity]++
	if a.Updates != nil {
		p.updates++
	}
	if p.entities == nil {
		p.entities = make(map[string]map[string]bool)
	}
	for _, e := range a.Entities {
		if len(e.Fields) == 0 {
			continue
		}
		if p.entities[e.Type] == nil {
			p.entities[e.Type] = make(map[string]bool)
		}
		p.entities[e.Type][e.Fields[0].Value] = true
	}
	return nil
}

func (p *textPrinter) start(title string, l *logs.Logs, rules []*rule.Rule, notes []string, first, last time.Time) error {
	var facts []string
	for _, t := range l.Report.Tables {
		records := count(t.Records, "record")
		if !t.First.IsZero() {
			records += ", " + text.Range(alert.Span{Start: t.First, End: t.Last})
		}
		if t.Bad > 0 {
			records += ", " + count(t.Bad, "bad record") + " left out"
		}
		facts = append(facts, text.Safe(t.Name), records)
	}
	for _, r := range rules {
		frequency, period := r.QueryFrequency, r.QueryPeriod
		if r.Kind == rule.NRT {
			frequency = detect.DefaultConfig().NRTFrequency
			period = frequency
		}
		facts = append(facts, "Rule", fmt.Sprintf("%s: every %s over %s, %s", text.Safe(strings.TrimSpace(r.Name+" "+r.Version)),
			short(frequency), short(period), r.Trigger))
	}
	facts = append(facts, "Time", text.Range(alert.Span{Start: first, End: last})+" UTC")
	if err := p.Heading(text.Safe(title)); err != nil {
		return err
	}
	if err := p.Facts(facts...); err != nil {
		return err
	}
	for _, text := range notes {
		p.warn.write(text)
	}
	p.warn.reading(l.Report)
	return p.Aside("")
}

// mostDropped is how many activities a tick names of those that it dropped, and
// of those that it held back.
const mostDropped = 5

func (p *textPrinter) tick(r detect.Report) error {
	p.warn.ticking(r)
	var dropped, suppressed []detect.Dropped
	var moreDropped, moreSuppressed int
	for _, run := range r.Rules {
		p.held += run.UpdatesHeldBack
		for _, s := range run.Silenced() { // which are said by themselves
			p.held -= len(s.Alerts)
		}
		for _, w := range run.Windows {
			p.passes++
			if w.Pass == 0 {
				p.windows++
			} else {
				p.late++
			}
			p.rows += w.Rows
			p.dropped += len(w.Dropped) + w.MoreDropped
			p.suppressed += len(w.Suppressed) + w.MoreSuppressed
			moreDropped, moreSuppressed = moreDropped+w.MoreDropped, moreSuppressed+w.MoreSuppressed
			p.held += w.HeldBack
			dropped, suppressed = append(dropped, w.Dropped...), append(suppressed, w.Suppressed...)
		}
	}
	return errors.Join(p.listed(r.Time, "dropped, already reported: ", dropped, moreDropped), p.listed(r.Time, "held back by the rule's suppression: ", suppressed, moreSuppressed))
}

// listed names activities of which no alert is sent, and how many more there are.
func (p *textPrinter) listed(at time.Time, why string, activities []detect.Dropped, more int) error {
	var texts []string
	for _, a := range activities {
		if text := droppedText(a); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	if more += max(0, len(texts)-mostDropped); more > 0 {
		texts = append(texts[:min(len(texts), mostDropped)], fmt.Sprintf("and %d more", more))
	}
	return p.Aside(at.Format("2006-01-02 15:04") + "  " + why + strings.Join(texts, "; "))
}

// droppedText names an activity by what identifies it: by its first and last
// value, such as a user and an address, of many.
func droppedText(d detect.Dropped) string {
	var parts []string
	for _, f := range d.Identity {
		if f.Value != "" {
			parts = append(parts, text.Safe(text.Item(f.Value)))
		}
	}
	if len(parts) > 2 {
		parts = []string{parts[0], parts[len(parts)-1]}
	}
	if d.Span.Known() {
		parts = append(parts, text.Range(d.Span))
	}
	return strings.Join(parts, ", ")
}

func (p *textPrinter) tooLate(warnings []string) { p.missed = warnings }

func (p *textPrinter) end(took time.Duration) error {
	if err := p.Heading("Totals"); err != nil {
		return err
	}
	var severities, entities []string
	for s := alert.High; s >= alert.Informational; s-- {
		if n := p.alerts[s]; n > 0 {
			severities = append(severities, fmt.Sprintf("%d %s", n, s))
		}
	}
	for _, t := range []struct{ entity, noun string }{{"Account", "account"}, {"IP", "address"}, {"Host", "host"}} {
		if n := len(p.entities[t.entity]); n > 0 {
			entities = append(entities, count(int64(n), t.noun))
		}
	}
	reported := count(int64(p.total), "alert")
	if p.updates > 0 {
		reported += fmt.Sprintf(", %s of earlier ones", count(int64(p.updates), "update"))
	}
	if len(severities) > 0 {
		reported += " (" + strings.Join(severities, ", ") + ")"
	}
	if len(entities) > 0 {
		reported += ", about " + strings.Join(entities, ", ")
	}
	facts := []string{"Reported", reported, "Dropped", count(int64(p.dropped), "row") + " already reported"}
	if p.suppressed > 0 {
		facts = append(facts, "Held back", count(int64(p.suppressed), "row")+" by suppression")
	}
	if p.held > 0 {
		facts = append(facts, "Not sent", count(int64(p.held), "alert")+" below the least severity or the risk cutoff")
	}
	for _, missed := range p.missed {
		facts = append(facts, "Too late", text.Safe(missed))
	}
	return p.Facts(append(facts,
		"Ran", fmt.Sprintf("%s, %d passes of which %d late, %s in all, in %s",
			count(int64(p.windows), "window"), p.passes, p.late, count(int64(p.rows), "row"), took.Round(time.Millisecond)))...)
}
