package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
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
	// serve is where to show the alerts on a page, if anywhere, and open says to open
	// a browser there.
	serve pageAddress
	open  bool
	// summary says how loud each rule is, in place of the alerts.
	summary bool
	// details shows all of every alert in place of a table of them, and alert all
	// of the one that has this number in the table.
	details bool
	alert   alertNumber
	// verbose also names what is dropped or held back.
	verbose bool
	// full cuts nothing that is too long for the terminal.
	full bool
	// silences is a file of silences that are tried.
	silences string
}

func (o *output) flags(cmd *cobra.Command) {
	cmd.Flags().Var(&o.alert, "alert", "show all of the alert that has this number in the table")
	cmd.Flags().BoolVar(&o.details, "details", false, "show all of every alert, as they are found")
	cmd.Flags().BoolVar(&o.verbose, "verbose", false, "also name what is dropped as already reported, or held back by a rule's suppression")
	cmd.Flags().BoolVar(&o.full, "full", false, "cut nothing that is too long for the terminal")
	cmd.Flags().Var(&o.serve, "serve", "show the alerts as they come, with their cards as Teams would, on a local page at this address, such as 127.0.0.1:8080, until Ctrl-C")
	cmd.Flags().BoolVar(&o.open, "open", false, "open that page in a browser, without --serve at any free port")
	cmd.Flags().BoolVar(&o.summary, "summary", false, "instead of the alerts say how loud each rule is: alerts a day, who comes most, what is dropped, how long queries take; with --json one object per rule")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object per alert, and nothing else")
	silencesFlag(cmd, &o.silences)
}

// check finds flags that contradict each other.
func (o *output) check() error {
	alone := func(flag, other string) error {
		return usageError{fmt.Errorf("--%s and --%s are both given: expected one of them", flag, other)}
	}
	switch {
	case o.summary && o.alert > 0:
		return alone("summary", "alert")
	case o.summary && o.details:
		return alone("summary", "details")
	case o.json && o.details:
		return alone("json", "details")
	case o.alert > 0 && o.details:
		return alone("alert", "details")
	}
	return nil
}

// alertNumber is the place of an alert in the table, from 1; 0 is none.
type alertNumber int

func (n *alertNumber) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.Itoa(int(*n))
}

func (n *alertNumber) Set(text string) error {
	number, err := strconv.Atoi(text)
	if err != nil || number < 1 {
		return errors.New("expected the number of an alert in the table, from 1")
	}
	*n = alertNumber(number)
	return nil
}

func (n *alertNumber) Type() string { return "N" }

// printer writes a run as it goes: what was read, the alerts, what was
// dropped, the totals.
type printer interface {
	notifier() notify.Notifier
	start(title string, l *logs.Logs, rules []*rule.Rule, notes []string, first, last time.Time) error
	tick(detect.Report) error
	// tooLate is given what no pass found, before the end.
	tooLate(warnings []string)
	// end writes what there is to say at the end, or so far if the run was
	// interrupted.
	end(took time.Duration, interrupted bool) error
}

func (o *output) printer(stdout io.Writer, style console.Style, warn *warnings) printer {
	if o.summary {
		return &summaryPrinter{w: stdout, style: style, json: o.json, warn: warn}
	}
	if o.alert > 0 {
		p := &onePrinter{number: int(o.alert), to: console.New(stdout, style), warn: warn}
		if o.json {
			p.to = &jsonPrinter{w: stdout, warn: warn}
		}
		return p
	}
	if o.json {
		return &jsonPrinter{w: stdout, warn: warn}
	}
	p := &textPrinter{Console: console.New(stdout, style), style: style, warn: warn, verbose: o.verbose}
	if !o.details {
		p.table = &console.Overview{Full: o.full, Most: mostRows}
	}
	return p
}

// mostRows is how many alerts the table shows, the worst first: nobody reads more.
const mostRows = 100

// onePrinter shows the one alert that has a number in the table.
type onePrinter struct {
	number int
	to     notify.Notifier
	warn   *warnings
	table  console.Overview
}

func (p *onePrinter) Name() string { return "one" }

func (p *onePrinter) Notify(_ context.Context, a alert.Alert) error {
	p.table.Add(a)
	return nil
}

func (p *onePrinter) notifier() notify.Notifier { return p }

func (p *onePrinter) start(_ string, l *logs.Logs, _ []*rule.Rule, notes []string, _, _ time.Time) error {
	p.warn.starting(notes, l.Report)
	return nil
}

func (p *onePrinter) tick(r detect.Report) error {
	p.warn.ticking(r)
	return nil
}

func (p *onePrinter) tooLate(warnings []string) {
	for _, text := range warnings {
		p.warn.write(text)
	}
}

// end shows it. While alerts may still come, none has its number yet.
func (p *onePrinter) end(_ time.Duration, interrupted bool) error {
	if interrupted {
		return nil
	}
	a, ok := p.table.Alert(p.number)
	if !ok {
		return usageError{fmt.Errorf("--alert is %d: the run reports %s", p.number, count(int64(p.table.Len()), "alert"))}
	}
	return p.to.Notify(context.Background(), a)
}

// styleOf takes width and colour from the terminal, if it is one. The variables
// COLUMNS and NO_COLOR say otherwise, as everywhere.
func styleOf(w io.Writer) console.Style {
	s := console.Style{Width: columns()}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		s.Width = cmp.Or(s.Width, 100)
		return s
	}
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && s.Width == 0 {
		s.Width = width
	}
	return s
}

// columns is the width that the variable COLUMNS asks for, or 0.
func columns() int {
	n, err := strconv.Atoi(os.Getenv("COLUMNS"))
	if err != nil || n < 1 {
		return 0
	}
	return min(n, 1000)
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
	p.warn.starting(notes, l.Report)
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

func (p *jsonPrinter) end(time.Duration, bool) error { return nil }

// textPrinter writes for somebody who reads: a table of the alerts at the end, or
// without one all of each as it comes.
type textPrinter struct {
	*console.Console
	style   console.Style
	warn    *warnings
	verbose bool
	table   *console.Overview
	hours   *hours // nil if they were not counted

	windows, passes, late, rows, dropped, suppressed, held, updates int

	missed []string  // records that came too late
	at     time.Time // of the last tick

	alerts   [alert.High + 1]int
	total    int
	entities map[string]map[string]bool // type -> first identifier
}

func (p *textPrinter) notifier() notify.Notifier { return p }

// perHour takes the counts of every hour, before the run.
func (p *textPrinter) perHour(h *hours) { p.hours = h }

// Notify also counts.
func (p *textPrinter) Notify(ctx context.Context, a alert.Alert) error {
	if p.table != nil {
		p.table.Add(a)
	} else if err := p.Console.Notify(ctx, a); err != nil {
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
	facts := readFacts(l, rules)
	if p.table != nil {
		facts = readBriefly(l, rules)
	}
	facts = append(facts, "Time", text.Range(alert.Span{Start: first, End: last})+" UTC")
	if err := p.Heading(text.Safe(title)); err != nil {
		return err
	}
	if err := p.Facts(facts...); err != nil {
		return err
	}
	p.warn.starting(notes, l.Report)
	if p.table != nil {
		return nil
	}
	return p.Aside("")
}

// readFacts says what was read, table by table and rule by rule.
func readFacts(l *logs.Logs, rules []*rule.Rule) []string {
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
		frequency, period := cadence(r)
		facts = append(facts, "Rule", fmt.Sprintf("%s: every %s over %s, %s", text.Safe(strings.TrimSpace(r.Name+" "+r.Version)),
			short(frequency), short(period), r.Trigger))
	}
	return facts
}

// cadence is how often a rule runs, and over what time.
func cadence(r *rule.Rule) (frequency, period time.Duration) {
	if r.Kind == rule.NRT {
		nrt := detect.DefaultConfig().NRTFrequency
		return nrt, nrt
	}
	return r.QueryFrequency, r.QueryPeriod
}

// mostRulesNamed is how many rules the heading names.
const mostRulesNamed = 5

// readBriefly says it in a few lines.
func readBriefly(l *logs.Logs, rules []*rule.Rule) []string {
	var names []string
	for _, r := range rules[:min(len(rules), mostRulesNamed)] {
		frequency, period := cadence(r)
		names = append(names, fmt.Sprintf("%s (every %s over %s)", text.Safe(strings.TrimSpace(r.Name+" "+r.Version)), short(frequency), short(period)))
	}
	if more := len(rules) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	label := "Rules"
	if len(rules) == 1 {
		label = "Rule"
	}
	records, bad := int64(0), int64(0)
	var tables []string
	for _, t := range l.Report.Tables {
		records, bad = records+t.Records, bad+t.Bad
		if t.Records > 0 {
			tables = append(tables, text.Safe(t.Name))
		}
	}
	read := count(records, "record") + " of " + someOf(tables)
	if len(tables) == 0 {
		read = "no records"
	}
	if bad > 0 {
		read += ", " + count(bad, "bad record") + " left out"
	}
	return []string{label, strings.Join(names, ", "), "Logs", read}
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
	p.at = r.Time
	if !p.verbose {
		return nil
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

func (p *textPrinter) end(took time.Duration, interrupted bool) error {
	if p.table != nil {
		if err := errors.Join(p.perHourChart(), p.Overview(p.table)); err != nil {
			return err
		}
	}
	heading := "Totals"
	if interrupted {
		heading = "Totals so far: interrupted"
		if !p.at.IsZero() {
			heading += " at " + text.Minute(p.at) + " of the run"
		}
	}
	if err := p.Heading(heading); err != nil {
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
		of := "updates of earlier ones"
		if p.updates == 1 {
			of = "an update of an earlier one"
		}
		reported += fmt.Sprintf(", %d of them %s", p.updates, of)
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
	facts = append(facts,
		"Ran", fmt.Sprintf("%s, %s of which %d late, %s in all, in %s",
			count(int64(p.windows), "window"), count(int64(p.passes), "pass"), p.late, count(int64(p.rows), "row"), took.Round(time.Millisecond)))
	if p.table != nil && p.total > 0 {
		facts = append(facts, "More", "--alert N shows all of an alert, --details all of them, --open their cards in a browser")
	}
	return p.Facts(facts...)
}
