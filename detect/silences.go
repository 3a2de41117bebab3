package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/silence"
)

// The notes of Pushback's own that silences are in: those of the ledger, and what came
// of all.
const (
	SilencesNote     = ledger.SilencesNote
	silenceCountNote = ledger.SilenceCountNote
)

// ReadSilences returns the silences of the ledger, and a tag for [WriteSilences].
func ReadSilences(ctx context.Context, n Notes) (list silence.AdHoc, tag string, err error) {
	text, tag, err := n.Note(ctx, HealthRuleID, SilencesNote)
	if err != nil {
		return nil, "", err
	}
	list, err = silence.DecodeAdHoc(text)
	return list, tag, err
}

// WriteSilences sets the silences of the ledger in the place of those that were read
// with a tag. It reports false if there are others by now.
func WriteSilences(ctx context.Context, n Notes, list silence.AdHoc, tag string, now time.Time) (ok bool, err error) {
	text, err := list.Encode(now)
	if err != nil {
		return false, err
	}
	_, ok, err = n.SetNote(ctx, HealthRuleID, SilencesNote, text, tag)
	return ok, err
}

// ReadSilenceCounts returns what came of silences, by their ids.
func ReadSilenceCounts(ctx context.Context, n Notes) (map[string]SilenceCount, error) {
	text, _, err := n.Note(ctx, HealthRuleID, silenceCountNote)
	if err != nil {
		return nil, err
	}
	s, err := readSilenceState(text)
	counts := map[string]SilenceCount{}
	for id, c := range s.Silences {
		counts[id] = *c
	}
	return counts, err
}

// SilenceCount is what came of a silence.
type SilenceCount struct {
	// Since is the tick that saw it first.
	Since  time.Time `json:"since"`
	Alerts int       `json:"alerts,omitempty"` // that it held back
	// Last is the last of these. Of very many silences it may be its time alone.
	Last *alert.Reference `json:"last,omitempty"`
	// Ended is the end that was reported.
	Ended time.Time `json:"ended,omitzero"`
}

// lastAt is when it held back an alert last, or zero.
func (c *SilenceCount) lastAt() time.Time {
	if c.Last == nil {
		return time.Time{}
	}
	return c.Last.Created
}

// silenceState is what is noted of silences.
type silenceState struct {
	Silences map[string]*SilenceCount `json:"silences,omitempty"`
	// Weekly is when silences that need a look were last named.
	Weekly time.Time `json:"weekly,omitzero"`
	// Owed are alerts that are noted and not recorded yet.
	Owed []silenceNews `json:"owed,omitempty"`
}

// silenceNews is an alert about silences.
type silenceNews struct {
	About    string         `json:"about"`
	Title    string         `json:"title"`
	Text     string         `json:"text"`
	Severity alert.Severity `json:"severity"`
	At       time.Time      `json:"at"`
}

func readSilenceState(text string) (s silenceState, err error) {
	if text != "" {
		if err = json.Unmarshal([]byte(text), &s); err != nil {
			s, err = silenceState{}, fmt.Errorf("the note %q was damaged: %w", silenceCountNote, err)
		}
	}
	maps.DeleteFunc(s.Silences, func(_ string, c *SilenceCount) bool { return c == nil })
	s.Silences = orEmpty(s.Silences)
	return s, err
}

// Silenced is what a silence held back.
type Silenced struct {
	ID     string
	Alerts []alert.Alert
}

// Silenced returns what silences held back of the rule, by their ids, that of each
// window in the order of time.
func (r RuleRun) Silenced() (list []Silenced) {
	add := func(alerts []alert.Alert) {
		for _, a := range alerts {
			i, found := slices.BinarySearchFunc(list, a.HeldBack.Silence, func(s Silenced, id string) int { return cmp.Compare(s.ID, id) })
			if !found {
				list = slices.Insert(list, i, Silenced{ID: a.HeldBack.Silence})
			}
			list[i].Alerts = append(list[i].Alerts, a)
		}
	}
	for _, w := range r.Windows {
		alerts := silencedOf(w.Alerts)
		slices.SortStableFunc(alerts, func(x, y alert.Alert) int { return x.Span.Start.Compare(y.Span.Start) })
		add(alerts)
	}
	add(silencedOf(r.Updates))
	return list
}

func silencedOf(alerts []alert.Alert) (silenced []alert.Alert) {
	for _, a := range alerts {
		if a.Silenced() {
			silenced = append(silenced, a)
		}
	}
	return silenced
}

// Silenced returns what silences held back in the tick, by their ids.
func (r Report) Silenced() (list []Silenced) {
	for _, run := range r.Rules {
		for _, s := range run.Silenced() {
			i, found := slices.BinarySearchFunc(list, s.ID, func(s Silenced, id string) int { return cmp.Compare(s.ID, id) })
			if !found {
				list = slices.Insert(list, i, Silenced{ID: s.ID})
			}
			list[i].Alerts = append(list[i].Alerts, s.Alerts...)
		}
	}
	return list
}

// silencer has the silences of a tick, and reports what came of them.
type silencer struct {
	config    Config
	notifiers []string
	ledger    Ledger

	reader silence.Reader
	read   bool   // the ledger's, once
	tag    string // of what was read
	lull   lull
	set    *silence.Set // of the file and the ledger
}

// begin returns the silences of a tick. What cannot be read holds nothing back: the
// alerts are sent.
func (s *silencer) begin(ctx context.Context, report *Report) *silence.Set {
	err := guarded(func() error {
		text, tag, err := s.ledger.Note(ctx, HealthRuleID, SilencesNote)
		if err != nil {
			return err
		}
		if s.read && tag == s.tag {
			return nil
		}
		list, err := s.reader.Read(text)
		s.set, s.tag, s.read = s.config.Silences.With(silence.New(list, s.config.RuleNames)), tag, err == nil
		return err
	})
	if err != nil {
		s.set, s.read = s.config.Silences, false
		if ctx.Err() == nil {
			report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("the silences of the ledger hold nothing back in this tick: %v", err))
		}
	}
	return s.set
}

// settle notes what silences held back, and records alerts about those that ended and,
// once a week, about those that need a look. It asks nothing of the ledger if nothing
// was held back and nothing changed.
func (s *silencer) settle(ctx context.Context, report *Report) {
	if s.config.Health == nil || s.set.Len() == 0 || report.LedgerErr != nil || ctx.Err() != nil {
		return
	}
	err := guarded(func() error {
		for range 5 {
			if done, err := s.note(ctx, report); done || err != nil {
				return err
			}
		}
		return errors.New("other processes note something all the time")
	})
	if err != nil && ctx.Err() == nil {
		report.HealthErr = errors.Join(report.HealthErr, fmt.Errorf("noting what silences held back: %w", err))
	}
}

// note is false if another process noted something meanwhile.
func (s *silencer) note(ctx context.Context, report *Report) (done bool, err error) {
	ctx, cancel := finishing(ctx, silencesTimeout)
	defer cancel()
	text, tag, err := s.ledger.Note(ctx, HealthRuleID, silenceCountNote)
	if err != nil {
		return false, err
	}
	if s.lull.of(s.set, tag, report.Time) && len(report.Silenced()) == 0 {
		return true, nil
	}
	s.lull = lull{}
	state, damaged := readSilenceState(text)
	if damaged != nil {
		report.HealthWarnings = append(report.HealthWarnings, damaged.Error()+": what silences held back is counted anew")
	}
	s.count(&state, report)
	if s.config.Share.first() {
		s.end(ctx, &state, report)
		s.review(&state, report.Time)
	}
	state.forget(s.set, report.Time)
	after, left, err := state.encode(mostSilenceState)
	if err != nil {
		return false, err
	}
	if after != text {
		next, ok, err := s.ledger.SetNote(ctx, HealthRuleID, silenceCountNote, after, tag)
		if err != nil || !ok {
			return false, err
		}
		tag = next
	}
	if left > 0 {
		report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("%s not counted, and their ends are not reported: there are more than the ledger's note has room for", counted(left, "silence is", "silences are")))
	}
	if len(state.Owed) > 0 && s.config.Share.first() {
		// They are made of the note alone: after a crash they are the same alerts.
		for _, news := range state.Owed {
			if err := s.record(ctx, news, report); err != nil {
				return false, err
			}
		}
		state.Owed = nil
		if after, _, err = state.encode(mostSilenceState); err != nil {
			return false, err
		}
		// If another process was first, it records them again, which is once.
		_, _, err = s.ledger.SetNote(ctx, HealthRuleID, silenceCountNote, after, tag)
		return true, err
	}
	if left == 0 && len(state.Owed) == 0 {
		s.lull = lullFrom(s.set, tag, report.Time)
	}
	return true, nil
}

// lull is a time in which there is nothing to note of silences, unless one holds
// something back or another process notes something: with very many a tick need not go
// over all of them.
type lull struct {
	set         *silence.Set
	tag         string // of the note
	from, until time.Time
}

// longestLull is how late a silence may be found to need a look.
const longestLull = time.Hour

// lullFrom returns the time from a tick on until one of the silences ends.
func lullFrom(set *silence.Set, tag string, now time.Time) lull {
	l := lull{set, tag, now, now.Add(longestLull)}
	for _, one := range set.All() {
		if one.Until.After(now) && one.Until.Before(l.until) {
			l.until = one.Until
		}
	}
	return l
}

// of reports whether a time is in it, with these silences and the note of this tag.
func (l lull) of(set *silence.Set, tag string, at time.Time) bool {
	return l.set == set && l.tag == tag && !at.Before(l.from) && at.Before(l.until)
}

// silencesTimeout is how long noting what silences held back may take.
const silencesTimeout = 20 * time.Second

// count counts what was held back in this tick, once.
func (s *silencer) count(state *silenceState, report *Report) {
	for _, one := range s.set.All() {
		if state.Silences[one.ID] == nil {
			c := &SilenceCount{Since: report.Time}
			if one.StateAt(report.Time) == silence.Ended {
				c.Ended = one.Until // before any tick saw it
			}
			state.Silences[one.ID] = c
		}
	}
	for _, held := range report.Silenced() {
		c := state.Silences[held.ID]
		if c == nil {
			c = &SilenceCount{Since: report.Time}
			state.Silences[held.ID] = c
		}
		c.Alerts += len(held.Alerts)
		for _, a := range held.Alerts {
			if c.Last == nil || !a.Created.Before(c.Last.Created) {
				c.Last = referenceTo(a)
			}
		}
	}
}

// referenceTo names an alert.
func referenceTo(a alert.Alert) *alert.Reference {
	return &alert.Reference{ID: a.ID, Title: shorten(a.Title), Created: a.Created, Severity: a.Severity}
}

// mostEnds is how many ends a tick reports at most. The next reports more.
const mostEnds = 50

// end notes alerts about the silences that ended.
func (s *silencer) end(ctx context.Context, state *silenceState, report *Report) {
	var ended []*silence.Silence
	for _, one := range s.set.All() {
		c := state.Silences[one.ID]
		// It has another end if somebody gave it one, and not if a clock was wrong.
		if c == nil || one.StateAt(report.Time) != silence.Ended || c.Ended.Equal(one.Until) {
			continue
		}
		if ended = append(ended, one); len(ended) == mostEnds {
			break
		}
	}
	s.recount(ctx, ended, state, report)
	for _, one := range ended {
		c := state.Silences[one.ID]
		c.Ended = one.Until
		state.Owed = append(state.Owed, endOf(one, c, report.Time))
	}
}

// recountedBefore is how long before a tick that noted a silence first another may have
// recorded what it held back, and been killed.
const recountedBefore = 24 * time.Hour

// recount counts what silences held back by what the ledger has: a tick that was
// killed may have recorded alerts, and not counted them.
func (s *silencer) recount(ctx context.Context, ended []*silence.Silence, state *silenceState, report *Report) {
	if len(ended) == 0 {
		return
	}
	held := map[string][]alert.Alert{}
	since := report.Time
	for _, one := range ended {
		held[one.ID] = nil
		if first := state.Silences[one.ID].Since; first.Before(since) {
			since = first
		}
	}
	for _, r := range report.Rules {
		list, err := s.ledger.Related(ctx, r.RuleID, since.Add(-recountedBefore), func(a alert.Alert) bool {
			if !a.Silenced() {
				return false
			}
			_, is := held[a.HeldBack.Silence]
			return is
		})
		if err != nil {
			return // the rule's own failure says why
		}
		for _, a := range list {
			held[a.HeldBack.Silence] = append(held[a.HeldBack.Silence], a)
		}
	}
	for id, alerts := range held {
		c := state.Silences[id]
		if len(alerts) <= c.Alerts {
			continue
		}
		c.Alerts = len(alerts)
		for _, a := range alerts {
			if c.Last == nil || !a.Created.Before(c.Last.Created) {
				c.Last = referenceTo(a)
			}
		}
	}
}

// endOf is the alert that says that a silence ended.
func endOf(one *silence.Silence, c *SilenceCount, now time.Time) silenceNews {
	text := "It held back nothing."
	if c.Alerts > 0 {
		text = fmt.Sprintf("It held back %s.", counted(c.Alerts, "alert", "alerts"))
		if c.Last != nil && c.Last.ID != "" {
			text += fmt.Sprintf(" The last is %q (%s), of %s: see handler silence show %s.", c.Last.Title, c.Last.Severity, c.Last.Created.UTC().Format(time.RFC3339), one.ID)
		}
	}
	how := "at " + one.Until.UTC().Format(time.RFC3339)
	if one.EndedBy != "" {
		how += ", by " + one.EndedBy
	}
	return silenceNews{
		About: silenceEnded + " " + one.ID + " " + one.Until.UTC().Format(time.RFC3339), Title: fmt.Sprintf("Silence %s ended", one.ID), Severity: alert.Informational, At: now,
		Text: fmt.Sprintf("It ended %s. %s Its reason was: %s (%s).", how, text, one.Reason, one.By),
	}
}

// What alerts about silences are about.
const (
	silenceEnded  = "silence-ended"
	silencesStale = "silences"
)

const (
	// unusedFor is how long a silence matches nothing until somebody is asked whether
	// it is needed.
	unusedFor = 30 * 24 * time.Hour
	// reviewEvery is how much time passes between two alerts about such silences.
	reviewEvery = 7 * 24 * time.Hour
	// mostListedSilences is how many of them an alert names of each kind.
	mostListedSilences = 10
)

// review notes an alert about the silences that matched nothing for long, and those
// past their review.
func (s *silencer) review(state *silenceState, now time.Time) {
	if since := now.Sub(state.Weekly); since >= 0 && since < reviewEvery {
		return
	}
	var unused, past []string
	for _, one := range s.set.All() {
		c := state.Silences[one.ID]
		at := one.StateAt(now)
		if at == silence.NeedsLook {
			past = append(past, fmt.Sprintf("%s (%s, %s)", one.ID, one.Review.Format(time.DateOnly), one.By))
		}
		if c == nil || at == silence.Ended || at == silence.Pending {
			continue
		}
		last := later(c.Since, one.From)
		if c.Last != nil {
			last = later(last, c.Last.Created)
		}
		if now.Sub(last) >= unusedFor {
			unused = append(unused, fmt.Sprintf("%s (since %s, %s)", one.ID, last.UTC().Format(time.DateOnly), one.By))
		}
	}
	if len(unused)+len(past) == 0 {
		return
	}
	var text []string
	add := func(what string, list []string) {
		if n := len(list); n > mostListedSilences {
			list = append(list[:mostListedSilences:mostListedSilences], fmt.Sprintf("and %d more", n-mostListedSilences))
		}
		if len(list) > 0 {
			text = append(text, what+": "+strings.Join(list, ", ")+".")
		}
	}
	add("These matched nothing for 30 days or longer", unused)
	add("These are past their review, and hold back all the same", past)
	text = append(text, "End what is not needed any more, and give the others a new review.")
	state.Weekly = now
	state.Owed = append(state.Owed, silenceNews{About: silencesStale, Title: "Silences need a look", Text: strings.Join(text, " "), Severity: alert.Low, At: now})
}

// forget drops what is known of silences that are gone for long.
func (state *silenceState) forget(set *silence.Set, now time.Time) {
	known := map[string]bool{}
	for _, one := range set.All() {
		known[one.ID] = true
	}
	maps.DeleteFunc(state.Silences, func(id string, c *SilenceCount) bool {
		last := later(c.Since, c.Ended)
		if c.Last != nil {
			last = later(last, c.Last.Created)
		}
		return !known[id] && now.Sub(last) >= unusedFor
	})
}

// mostSilenceState is how long what is noted of silences may be, in bytes. The ledger
// takes as many UTF-16 units.
const mostSilenceState = 390_000

// encode writes what there is room for, and returns how many silences are left out. First
// it leaves out what is known of the last alerts, those of long ago before others, but for
// their times; then silences, those that held back nothing and were seen last before
// others. So the next tick leaves out the same.
func (state *silenceState) encode(most int) (text string, left int, err error) {
	size := func(v any) int {
		written, failed := json.Marshal(v)
		err = cmp.Or(err, failed)
		return len(written)
	}
	whole, err := json.Marshal(state)
	over := len(whole) - most
	if over <= 0 || err != nil {
		return string(whole), 0, err
	}
	ids := slices.Collect(maps.Keys(state.Silences))
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(state.Silences[a].lastAt().Compare(state.Silences[b].lastAt()), cmp.Compare(a, b))
	})
	for _, id := range ids {
		if c := state.Silences[id]; over > 0 && c.Last != nil {
			before := size(c)
			c.Last = &alert.Reference{Created: c.Last.Created}
			over -= before - size(c)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		x, y := state.Silences[a], state.Silences[b]
		return cmp.Or(min(x.Alerts, 1)-min(y.Alerts, 1), y.Since.Compare(x.Since), cmp.Compare(a, b))
	})
	for _, id := range ids {
		if over <= 0 {
			break
		}
		over -= size(id) + size(state.Silences[id]) + len(":,")
		delete(state.Silences, id)
		left++
	}
	if err == nil {
		whole, err = json.Marshal(state)
	}
	return string(whole), left, err
}

// record records an alert about silences for all destinations.
func (s *silencer) record(ctx context.Context, news silenceNews, report *Report) error {
	a := healthMoment(alert.Alert{
		RuleID: HealthRuleID, RuleName: healthRuleName, Title: shorten(news.Title), Description: news.Text, Severity: news.Severity,
		CustomDetails: []alert.Detail{{Name: healthDetail, Values: []string{news.About}}},
	}, news.About, news.At, news.At)
	err := record(ctx, s.ledger, ledger.Entry{RuleID: HealthRuleID, State: ledger.State{First: news.At, Watermark: news.At}, Alerts: []alert.Alert{a}, Destinations: s.notifiers, Targets: s.config.targets()})
	if err == nil {
		report.Health = append(report.Health, a)
	}
	return err
}
