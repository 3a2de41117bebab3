package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fullness is how much of its time a tick took. It is noted in the ledger by share
// when it changes much, and at least once a day while windows are run.
type Fullness struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took"`
	Had     time.Duration `json:"had,omitempty"` // zero for no limit
	Queries int64         `json:"queries"`
	Windows int           `json:"windows"`
	// Waiting counts the rules that have windows which the tick did not get to.
	Waiting int `json:"waiting,omitempty"`
}

// fullness returns how full a tick is by now.
func (r *Report) fullness(took time.Duration) Fullness {
	f := Fullness{At: r.Time, Took: took.Round(time.Second), Had: r.Had.Round(time.Second), Queries: r.Queries, Windows: r.Totals().Windows}
	for _, run := range r.Rules {
		if run.Left > 0 {
			f.Waiting++
		}
	}
	return f
}

// Percent is how much of its time the tick took, or zero if it had no limit.
func (f Fullness) Percent() int {
	if f.Had <= 0 {
		return 0
	}
	return int(100 * f.Took / f.Had)
}

// String is a line for a person.
func (f Fullness) String() string {
	text := f.Took.String()
	if f.Had > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", f.Had, f.Percent())
	}
	text += fmt.Sprintf(", %s, %s", counted(int(f.Queries), "query", "queries"), counted(f.Windows, "window", "windows"))
	if f.Waiting > 0 {
		text += ", " + counted(f.Waiting, "rule was left waiting", "rules were left waiting")
	}
	return text
}

// differs reports whether a tick's fullness is worth a note beside that of another.
func (f Fullness) differs(noted Fullness) bool {
	return f.Percent()/10 != noted.Percent()/10 || (f.Waiting > 0) != (noted.Waiting > 0) || f.At.Sub(noted.At) >= 24*time.Hour || f.At.Before(noted.At)
}

// fill notes how full a tick was in which something was due.
func (s *healthState) fill(share string, f Fullness) {
	if f.Windows == 0 && f.Waiting == 0 {
		return
	}
	if f.differs(s.Full[share]) {
		s.Full[share] = f
	}
	cut := s.Cut[share]
	switch {
	case f.Waiting == 0:
		delete(s.Cut, share)
	case f.At.Sub(cut.Last) >= sameTick:
		s.Cut[share] = failedTicks{Ticks: cut.Ticks + 1, Last: f.At}
	}
}

// forgetShares drops what was noted of shares that there are no more.
func (s *healthState) forgetShares(d division) {
	gone := func(share string) bool {
		parsed, err := ParseShare(share)
		return d.share.first() && (err != nil || parsed.shares() != d.share.shares())
	}
	for share := range s.Full {
		if gone(share) {
			delete(s.Full, share)
		}
	}
	for share := range s.Cut {
		if gone(share) {
			delete(s.Cut, share)
		}
	}
}

// mostSlow is how many rules are named that take the most time.
const mostSlow = 3

// cut says that ticks are cut short again and again.
func (d *diagnosis) cut(f Fullness) {
	share := d.watch.rules.share
	key := conditionKey{kind: ticksCut, name: share.String()}
	d.names[key], d.known[key] = true, f.Windows > 0 && f.Waiting == 0
	n := d.state.Cut[share.String()].Ticks
	if n < d.watch.config.Health.FailingTicks {
		return
	}
	runs := slices.SortedStableFunc(slices.Values(d.report.Rules), func(a, b RuleRun) int { return cmp.Compare(b.Duration, a.Duration) })
	var slow []string
	for _, run := range runs[:min(len(runs), mostSlow)] {
		if run.Duration > 0 {
			slow = append(slow, fmt.Sprintf("%q (%s)", run.RuleName, run.Duration.Round(time.Second)))
		}
	}
	text := fmt.Sprintf("%d ticks in a row ended before all that was due was run; the last took %s.", n, f)
	if len(slow) > 0 {
		text += " Most of its time went to " + strings.Join(slow, ", ") + "."
	}
	text += " What helps: another app that takes a share of the rules (PUSHBACK_SHARE; in infra, the parameter apps), longer frequencies of the slowest rules, or a longer PUSHBACK_TICK_TIMEOUT."
	title := "Ticks end before all rules are run"
	if share.Of > 1 {
		title += ", of the share " + share.String()
	}
	d.add(condition{key: key, title: title, text: text, since: d.report.Time})
}
