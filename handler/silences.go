package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/silence"
)

// silencesFile is a file of silences, and what they held back.
type silencesFile struct {
	list     []silence.Silence
	set      *silence.Set
	warnings []string
	held     []detect.Silenced // by id
}

func silencesFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "silences", "", "file of silences to try: say what each would have held back, and which alerts")
}

// readSilences reads a file of silences for rules.
func readSilences(path string, rules []*rule.Rule) (*silencesFile, error) {
	list, problems := silence.Load(path, silenceWords(rules))
	f := &silencesFile{list: list}
	for _, p := range problems {
		if p.Warning {
			f.warnings = append(f.warnings, strings.Replace(p.String(), "warning: ", "", 1))
		}
	}
	if err := silence.Errors(problems); err != nil {
		return nil, err
	}
	f.set = silence.New(list, silenceRules(rules))
	return f, nil
}

// readTriedSilences reads the file of silences of the flag --silences.
func readTriedSilences(path string, rules []*rule.Rule) (*silencesFile, error) {
	if err := checkFile("silences", path, "a file of silences"); err != nil {
		return nil, err
	}
	return readSilences(path, rules)
}

// silenceWords are the names that silences can use.
func silenceWords(rules []*rule.Rule) silence.Words {
	w := silence.Words{EntityType: rule.EntityType, Rules: silenceRules(rules)}
	for _, r := range rules {
		w.Findings = append(w.Findings, r.FindingKinds()...)
	}
	return w
}

// silenceRules are rules by the names that silences may call them: those that run, and
// those that ship.
func silenceRules(rules []*rule.Rule) []silence.Rule {
	shipped := map[string]string{}
	var list []silence.Rule
	for i, r := range rule.Shipped() {
		shipped[strings.ToLower(r.ID)] = rule.ShippedNames()[i]
		list = append(list, silence.Rule{ID: r.ID, Name: r.Name, Shipped: rule.ShippedNames()[i]})
	}
	for _, r := range rules {
		list = append(list, silence.Rule{ID: r.ID, Name: r.Name, Shipped: shipped[strings.ToLower(r.ID)], Runs: !r.Disabled})
	}
	return list
}

// use has a detector hold back what the silences cover. Without a file it does
// nothing.
func (f *silencesFile) use(config *detect.Config, rules []*rule.Rule) {
	if f != nil {
		config.Silences, config.RuleNames = f.set, silenceRules(rules)
	}
}

// add notes what was held back in a tick.
func (f *silencesFile) add(r detect.Report) {
	if f == nil {
		return
	}
	for _, s := range r.Silenced() {
		f.note(s.ID, s.Alerts...)
	}
}

func (f *silencesFile) note(id string, alerts ...alert.Alert) {
	i, found := slices.BinarySearchFunc(f.held, id, func(s detect.Silenced, id string) int { return cmp.Compare(s.ID, id) })
	if !found {
		f.held = slices.Insert(f.held, i, detect.Silenced{ID: id})
	}
	f.held[i].Alerts = append(f.held[i].Alerts, alerts...)
}

// judge notes which alerts that were reported the silences would have held back, and
// counts them by silence.
func (f *silencesFile) judge(alerts []alert.Alert, rules []*rule.Rule) map[string]int {
	if f == nil {
		return nil
	}
	counts := map[string]int{}
	for _, a := range alerts {
		var of *rule.Rule
		for _, r := range rules {
			if r.ID == a.RuleID {
				of = r
			}
		}
		if by, _ := detect.WouldSilence(f.set, a, of); by != nil {
			counts[by.ID]++
			f.note(by.ID, a)
		}
	}
	return counts
}

// mostShownSilenced is how many alerts of a silence are listed.
const mostShownSilenced = 50

// write says what each silence would have held back.
func (f *silencesFile) write(w io.Writer, style console.Style) error {
	if err := console.New(w, style).Heading("Silences"); err != nil {
		return err
	}
	if len(f.list) == 0 {
		_, err := fmt.Fprintln(w, "the file has no silences")
		return err
	}
	for i := range f.list {
		if err := writeSilenced(w, &f.list[i], f.of(f.list[i].ID), "would have held back"); err != nil {
			return err
		}
	}
	return nil
}

// of returns what a silence held back.
func (f *silencesFile) of(id string) []alert.Alert {
	for _, s := range f.held {
		if s.ID == id {
			return s.Alerts
		}
	}
	return nil
}

// writeSilenced lists the alerts that a silence held back, or would have.
func writeSilenced(w io.Writer, s *silence.Silence, alerts []alert.Alert, verb string) error {
	lines := []string{fmt.Sprintf("%s %s %s", s.ID, verb, alertCount(len(alerts)))}
	alerts = slices.Clone(alerts)
	slices.SortStableFunc(alerts, func(a, b alert.Alert) int { return silencedAt(a).Compare(silencedAt(b)) })
	var when []string
	widest := 0
	for _, a := range alerts[:min(len(alerts), mostShownSilenced)] {
		at := silencedAt(a).UTC().Format("2006-01-02 15:04")
		if a.Span.Known() {
			at = text.Range(a.Span)
		}
		when, widest = append(when, at), max(widest, text.Width(at))
	}
	for i, at := range when {
		a := alerts[i]
		lines = append(lines, fmt.Sprintf("  %s%s  %-13s  %s  (%s)", at, strings.Repeat(" ", widest-text.Width(at)), a.Severity, text.Cut(a.Title, 120), a.ID))
	}
	if more := len(alerts) - len(when); more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	for _, line := range lines {
		if _, err := fmt.Fprintln(w, text.Safe(line)); err != nil {
			return err
		}
	}
	return nil
}

func alertCount(n int) string {
	if n == 0 {
		return "nothing"
	}
	return count(int64(n), "alert")
}

// silencedAt is when what an alert reports began, as far as that is known.
func silencedAt(a alert.Alert) time.Time {
	if a.Span.Known() {
		return a.Span.Start
	}
	return a.Created
}

// triedSilences prints a run, and what silences would have held back of it.
type triedSilences struct {
	printer
	file          *silencesFile
	w             io.Writer
	style         console.Style
	json, summary bool
}

func (p *triedSilences) tick(r detect.Report) error {
	p.file.add(r)
	if p.json && !p.summary {
		for _, s := range r.Silenced() {
			for _, a := range s.Alerts { // which say by what they are held back
				line, err := json.Marshal(a)
				if err != nil {
					return err
				}
				if _, err := p.w.Write(append(escaped(line), '\n')); err != nil {
					return err
				}
			}
		}
	}
	if of, ok := p.printer.(*summaryPrinter); ok {
		for _, run := range r.Rules {
			l := of.byID[run.RuleID]
			for _, s := range run.Silenced() {
				if l.tried == nil {
					l.tried = map[string]int{}
				}
				l.tried[s.ID] += len(s.Alerts)
			}
		}
	}
	return p.printer.tick(r)
}

func (p *triedSilences) end(took time.Duration, interrupted bool) error {
	if err := p.printer.end(took, interrupted); err != nil || p.json {
		return err
	}
	return p.file.write(p.w, p.style)
}
