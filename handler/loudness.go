package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// What the service answers at most, by which a rule is measured.
const (
	mostServiceRows = 500_000
	// mostSentinelAlerts is how many alerts a run of a rule has in Sentinel.
	mostSentinelAlerts = 150
)

// loudness is how loud a rule is over some days: what it reports, what it drops, and
// what it costs.
type loudness struct {
	rule *rule.Rule
	span time.Duration  // that was looked at
	days []string       // all dates of it
	of   map[string]int // alerts by day

	alerts, updates, held, storm int
	severities                   [alert.High + 1]int
	raised, lowered              int // by their context
	who                          map[string]int
	dropped, suppressed          int
	windows, rows                int
	mostRows, mostAlerts         int // of a window
	took                         []time.Duration
	failed                       int            // windows
	tried                        map[string]int // alerts that silences would hold back, by their ids
	err                          error
}

func newLoudness(r *rule.Rule, first, last time.Time) *loudness {
	l := &loudness{rule: r, span: last.Sub(first), of: map[string]int{}, who: map[string]int{}}
	for day := first.UTC().Truncate(24 * time.Hour); day.Before(last); day = day.Add(24 * time.Hour) {
		l.days = append(l.days, day.Format(time.DateOnly))
	}
	return l
}

// add adds what a tick did for the rule.
func (l *loudness) add(run detect.RuleRun) {
	t := run.Totals()
	l.updates, l.held, l.storm = l.updates+t.Updates, l.held+t.HeldBack, l.storm+t.Storm
	l.dropped, l.suppressed, l.rows = l.dropped+t.Dropped, l.suppressed+t.Suppressed, l.rows+t.Rows
	for _, w := range run.Windows {
		if w.Err != nil {
			l.failed++
			l.err = w.Err
			continue
		}
		if w.Pass == 0 {
			l.windows++
		}
		l.mostRows, l.mostAlerts = max(l.mostRows, w.Rows), max(l.mostAlerts, len(w.Alerts), w.Storm)
		for _, a := range w.Alerts {
			l.alert(a)
		}
	}
	if run.Err != nil {
		l.err = run.Err
	}
}

func (l *loudness) alert(a alert.Alert) {
	l.alerts++
	l.of[a.Window.End.Add(-alert.Resolution).UTC().Format(time.DateOnly)]++
	l.severities[a.Severity]++
	if a.Context != nil && len(a.Context.Steps) > 0 {
		switch {
		case a.Severity > a.Context.RuleSeverity:
			l.raised++
		case a.Severity < a.Context.RuleSeverity:
			l.lowered++
		}
	}
	for _, name := range whoIn(a) {
		l.who[name]++
	}
}

// whoIn returns who an alert is about, each once: its accounts, else its hosts, else
// its addresses, else whatever else it names.
func whoIn(a alert.Alert) []string {
	byType := map[string][]string{}
	var first string
	for _, e := range a.Entities {
		if len(e.Fields) == 0 {
			continue
		}
		name := e.Fields[0].Value
		if id, upn := e.Account(); upn != "" {
			name = upn
		} else if id != "" {
			name = id
		}
		if first == "" {
			first = e.Type
		}
		if !slices.Contains(byType[e.Type], name) {
			byType[e.Type] = append(byType[e.Type], name)
		}
	}
	for _, typ := range []string{"Account", "Host", "IP", first} {
		if names := byType[typ]; len(names) > 0 {
			return names
		}
	}
	return nil
}

// mostWho is how many identities a summary names.
const mostWho = 5

// loudest returns the identities that come most, with their number.
func (l *loudness) loudest() []identityCount {
	var list []identityCount
	for name, n := range l.who {
		list = append(list, identityCount{name, n})
	}
	slices.SortStableFunc(list, func(a, b identityCount) int {
		return cmp.Or(b.Alerts-a.Alerts, strings.Compare(a.Identity, b.Identity))
	})
	return list[:min(len(list), mostWho)]
}

type identityCount struct {
	Identity string `json:"identity"`
	Alerts   int    `json:"alerts"`
}

type dayCount struct {
	Day    string `json:"day"`
	Alerts int    `json:"alerts"`
}

// loudnessJSON is a summary as --json prints it.
type loudnessJSON struct {
	Rule       string          `json:"rule"`
	Name       string          `json:"name"`
	File       string          `json:"file"`
	Alerts     int             `json:"alerts"`
	PerDay     float64         `json:"perDay"`
	Days       []dayCount      `json:"days"`
	Severities map[string]int  `json:"severities"`
	Raised     int             `json:"raised"`
	Lowered    int             `json:"lowered"`
	Identities []identityCount `json:"identities"`
	Updates    int             `json:"updates"`
	Dropped    int             `json:"dropped"`
	Suppressed int             `json:"suppressed"`
	HeldBack   int             `json:"heldBack"`
	Storm      int             `json:"storm"`
	Windows    int             `json:"windows"`
	Failed     int             `json:"failed"`
	Rows       int             `json:"rows"`
	MostRows   int             `json:"mostRows"`
	MostAlerts int             `json:"mostAlerts"`
	Queries    int             `json:"queries"`
	MedianMS   int64           `json:"medianMs"`
	LongestMS  int64           `json:"longestMs"`
	Silenced   map[string]int  `json:"silenced,omitempty"`
	Error      string          `json:"error,omitempty"`
}

func (l *loudness) json() loudnessJSON {
	out := loudnessJSON{
		Rule: l.rule.ID, Name: l.rule.Name, File: l.rule.File, Alerts: l.alerts, PerDay: l.perDay(), Days: []dayCount{}, Severities: map[string]int{},
		Raised: l.raised, Lowered: l.lowered, Identities: append([]identityCount{}, l.loudest()...), Updates: l.updates, Dropped: l.dropped, Suppressed: l.suppressed,
		HeldBack: l.held, Storm: l.storm, Windows: l.windows, Failed: l.failed, Rows: l.rows, MostRows: l.mostRows, MostAlerts: l.mostAlerts,
		Queries: len(l.took), MedianMS: l.median().Milliseconds(), LongestMS: l.longest().Milliseconds(), Silenced: l.tried, Error: errorText(l.err),
	}
	for _, day := range l.days {
		out.Days = append(out.Days, dayCount{day, l.of[day]})
	}
	for s, n := range l.severities {
		out.Severities[alert.Severity(s).String()] = n
	}
	return out
}

// perDay is how many alerts a day there are, to two digits. Less than a day counts as
// one.
func (l *loudness) perDay() float64 {
	return math.Round(100*float64(l.alerts)/max(l.span.Hours()/24, 1)) / 100
}

// rate says how many alerts a day there are in how many days.
func (l *loudness) rate() string {
	digits := 1
	if l.alerts > 0 && l.perDay() < 0.1 {
		digits = 2
	}
	return fmt.Sprintf("%s, %.*f a day", count(int64(math.Ceil(max(l.span.Hours()/24, 1))), "day"), digits, l.perDay())
}

func (l *loudness) median() time.Duration {
	if len(l.took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l.took))
	return sorted[len(sorted)/2]
}

func (l *loudness) longest() time.Duration {
	if len(l.took) == 0 {
		return 0
	}
	return slices.Max(l.took)
}

// chart draws the alerts of each day by one character.
func (l *loudness) chart() string {
	values := make([]int, len(l.days))
	for i, day := range l.days {
		values[i] = l.of[day]
	}
	return console.Sparkline(values, 1)
}

// write shows the summary. Queries that may take timeout are measured by it.
func (l *loudness) write(c *console.Console, timeout time.Duration) error {
	if err := c.Heading(text.Safe(l.rule.Name)); err != nil {
		return err
	}
	worst, most := "", 0
	for _, day := range l.days {
		if l.of[day] > most {
			worst, most = day, l.of[day]
		}
	}
	days := count(int64(l.alerts), "alert") + " in " + l.rate()
	if l.alerts > 0 {
		days += fmt.Sprintf(", at most %d (%s)", most, worst)
	}
	facts := []string{"Alerts", l.chart() + "  " + days}
	if l.alerts > 0 {
		var split []string
		for s := alert.High; s >= alert.Informational; s-- {
			if n := l.severities[s]; n > 0 {
				split = append(split, fmt.Sprintf("%d %s", n, s))
			}
		}
		severity := strings.Join(split, ", ") + "; the rule says " + l.rule.Severity.String()
		if l.raised+l.lowered > 0 {
			severity += fmt.Sprintf(", and context raised %d and lowered %d", l.raised, l.lowered)
		}
		facts = append(facts, "Severity", severity)
	}
	if loudest := l.loudest(); len(loudest) > 0 {
		names := make([]string, len(loudest))
		for i, who := range loudest {
			names[i] = fmt.Sprintf("%s %d", text.Safe(text.Item(who.Identity)), who.Alerts)
		}
		if more := len(l.who) - len(loudest); more > 0 {
			names = append(names, fmt.Sprintf("and %d more", more))
		}
		facts = append(facts, "Most", strings.Join(names, ", "))
	}
	dropped := count(int64(l.dropped), "row") + " already reported"
	if l.suppressed > 0 {
		dropped += fmt.Sprintf(", %d held back by suppression", l.suppressed)
	}
	if l.held > 0 {
		dropped += fmt.Sprintf(", %s below the least severity or the risk cutoff", count(int64(l.held), "alert"))
	}
	facts = append(facts, "Dropped", dropped)
	if l.updates > 0 {
		facts = append(facts, "Updates", count(int64(l.updates), "update")+" of earlier alerts")
	}
	facts = append(facts, "Queries", l.cost(timeout))
	if l.failed > 0 || l.err != nil {
		failed := count(int64(l.failed), "window") + " failed"
		if l.err != nil {
			failed += ": " + strings.Join(failures(l.err), "; ")
		}
		facts = append(facts, "Failed", text.Safe(failed))
	}
	return c.Facts(facts...)
}

// cost says how long the queries took and how near to the limits they came.
func (l *loudness) cost(timeout time.Duration) string {
	parts := []string{fmt.Sprintf("%s, %s in all", count(int64(l.windows), "window"), count(int64(l.rows), "row"))}
	if len(l.took) > 0 {
		longest := fmt.Sprintf("median %s, longest %s", rounded(l.median()), rounded(l.longest()))
		if timeout > 0 {
			longest += fmt.Sprintf(" (%d%% of %s)", l.longest()*100/timeout, short(timeout))
		}
		parts = append(parts, longest)
	}
	if l.mostRows > 0 {
		parts = append(parts, fmt.Sprintf("at most %s a window (%d%% of the service's limit)", count(int64(l.mostRows), "row"), l.mostRows*100/mostServiceRows))
	}
	if l.mostAlerts > mostSentinelAlerts {
		parts = append(parts, fmt.Sprintf("at most %d alerts a window, of which Sentinel makes %d", l.mostAlerts, mostSentinelAlerts))
	}
	if l.storm > 0 {
		parts = append(parts, fmt.Sprintf("%d alerts would be one for all", l.storm))
	}
	return strings.Join(parts, "; ")
}

// rounded writes a duration for somebody who reads.
func rounded(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// writeLoudness writes the summaries of rules, the loudest first, and what they come to.
func writeLoudness(w io.Writer, style console.Style, all []*loudness, timeout time.Duration, asJSON bool) error {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b *loudness) int { return b.alerts - a.alerts })
	if asJSON {
		for _, l := range all {
			line, err := json.Marshal(l.json())
			if err != nil {
				return err
			}
			if _, err := w.Write(append(escaped(line), '\n')); err != nil {
				return err
			}
		}
		return nil
	}
	c := console.New(w, style)
	for _, l := range all {
		if err := l.write(c, timeout); err != nil {
			return err
		}
	}
	if len(all) < 2 {
		return nil
	}
	together := &loudness{span: all[0].span, days: all[0].days, of: map[string]int{}}
	for _, l := range all {
		together.alerts += l.alerts
		for day, n := range maps.All(l.of) {
			together.of[day] += n
		}
	}
	if err := c.Heading("Together"); err != nil {
		return err
	}
	return c.Facts("Alerts", fmt.Sprintf("%s  %s of %s in %s", together.chart(), count(int64(together.alerts), "alert"),
		count(int64(len(all)), "rule"), together.rate()))
}
