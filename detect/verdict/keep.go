package verdict

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"pushback/detect/alert"
)

// Notes are where what is known is kept, such as [*ledger.Ledger], which says what
// each method does.
type Notes interface {
	Note(ctx context.Context, id, name string) (text, tag string, err error)
	SetNote(ctx context.Context, id, name, text, tag string) (newTag string, ok bool, err error)
}

// at is the id under which the ledger has the notes: no rule's story is called so. It
// forgets each a year after it was set last.
var at = alert.StoryID("Verdicts")

const (
	progressNote = "progress"
	// mostText is how long a note is at most, of which the ledger keeps 200,000
	// characters.
	mostText = 180_000
	// mostConflicts is how often a note is changed that others change too.
	mostConflicts = 4
	// longest is how many days back notes are looked for: a note of a wrong time is not
	// to take for ever.
	longest = 20 * 366
)

// progress is how far incidents were read.
type progress struct {
	// Read is up to when all is known, and Next when more is to be read.
	Read time.Time `json:"read,omitzero"`
	Next time.Time `json:"next,omitzero"`
	// Begun is when the reading was begun that is under way, After since when it reads
	// what changed, and Place how far it got.
	Begun time.Time `json:"begun,omitzero"`
	After time.Time `json:"after,omitzero"`
	Place place     `json:"place,omitzero"`
	// First is the earliest day of which there is a note.
	First time.Time `json:"first,omitzero"`
}

// due reports whether it is time to read. A time that lies far ahead is that of a
// clock that was wrong.
func (p progress) due(now time.Time) bool { return !p.Next.After(now) || p.Next.Sub(now) > every }

// readProgress returns how far incidents were read. What is damaged is read anew.
func readProgress(ctx context.Context, n Notes) (p progress, tag string, err error) {
	text, tag, err := n.Note(ctx, at, progressNote)
	if err != nil {
		return p, "", fmt.Errorf("when it was read last what analysts decided of incidents: %w", err)
	}
	if text != "" && json.Unmarshal([]byte(text), &p) != nil {
		p = progress{}
	}
	return p, tag, nil
}

// save notes the progress. It is false if another process noted one meanwhile.
func (p progress) save(ctx context.Context, n Notes, tag string) (newTag string, ok bool, err error) {
	text, err := json.Marshal(p)
	if err == nil {
		newTag, ok, err = n.SetNote(ctx, at, progressNote, string(text), tag)
	}
	if err == nil && !ok { // it may be there by an attempt whose answer was lost
		var there string
		there, newTag, err = n.Note(ctx, at, progressNote)
		ok = there == string(text)
	}
	if err != nil {
		return "", false, fmt.Errorf("noting how far it is known what analysts decided of incidents: %w", err)
	}
	return newTag, ok, nil
}

// sheet is a note: incidents that were made on a day. What has no room in one is in
// the next.
type sheet struct {
	Incidents []Incident `json:"incidents"`

	text, tag string // of the note
}

// sheetNote is the name of a day's note.
func sheetNote(date time.Time, part int) string {
	name := "incidents " + date.UTC().Format(time.DateOnly)
	if part > 0 {
		name += " " + strconv.Itoa(part+1)
	}
	return name
}

// sheets returns the notes of a day: none that is damaged, which is written anew.
func sheets(ctx context.Context, n Notes, date time.Time) (list []*sheet, err error) {
	for part := 0; ; part++ {
		s := &sheet{}
		s.text, s.tag, err = n.Note(ctx, at, sheetNote(date, part))
		if err != nil {
			return nil, fmt.Errorf("what analysts decided of the incidents of %s: %w", date.Format(time.DateOnly), err)
		}
		if s.tag == "" && s.text == "" {
			return list, nil
		}
		if json.Unmarshal([]byte(s.text), s) != nil {
			s.Incidents = nil
		}
		list = append(list, s)
	}
}

// dayOf returns the day on whose notes an incident is.
func dayOf(i Incident) time.Time { return i.Created.UTC().Truncate(day) }

const day = 24 * time.Hour

// keep notes incidents.
func keep(ctx context.Context, n Notes, list []Incident) error {
	days := map[time.Time][]Incident{}
	for _, i := range list {
		days[dayOf(i)] = append(days[dayOf(i)], i)
	}
	for _, date := range slices.SortedFunc(maps.Keys(days), time.Time.Compare) {
		if err := keepDay(ctx, n, date, days[date]); err != nil {
			return err
		}
	}
	return nil
}

var errBusy = errors.New("other processes note something all the time")

func keepDay(ctx context.Context, n Notes, date time.Time, list []Incident) error {
	fail := func(err error) error {
		return fmt.Errorf("noting what analysts decided of the incidents of %s: %w", date.Format(time.DateOnly), err)
	}
	for range mostConflicts {
		all, err := sheets(ctx, n, date)
		if err != nil {
			return err
		}
		conflict := false
		for part, s := range spread(all, list) {
			text, err := json.Marshal(s)
			if err != nil {
				return fail(err)
			}
			if string(text) == s.text {
				continue
			}
			_, ok, err := n.SetNote(ctx, at, sheetNote(date, part), string(text), s.tag)
			if err != nil {
				return fail(err)
			}
			if conflict = !ok; conflict {
				break
			}
		}
		if !conflict {
			return nil
		}
	}
	return fail(errBusy)
}

// spread puts incidents into the sheets of their day: in the place of what is known of
// them, unless that is newer, or at the end.
func spread(all []*sheet, list []Incident) []*sheet {
	for _, i := range list {
		replaced := false
		for _, s := range all {
			if n, found := slices.BinarySearchFunc(s.Incidents, i.Number, byNumber); found {
				replaced = true
				if !s.Incidents[n].Changed.After(i.Changed) {
					s.Incidents[n] = i
				}
			}
		}
		if !replaced {
			if len(all) == 0 {
				all = append(all, &sheet{})
			}
			s := all[len(all)-1]
			n, _ := slices.BinarySearchFunc(s.Incidents, i.Number, byNumber)
			s.Incidents = slices.Insert(s.Incidents, n, i)
		}
	}
	for part := 0; part < len(all); part++ {
		s, room := all[part], mostText
		fits := slices.IndexFunc(s.Incidents, func(i Incident) bool {
			room -= i.size()
			return room < 0
		})
		if fits <= 0 { // all of it does
			continue
		}
		if part+1 == len(all) {
			all = append(all, &sheet{})
		}
		next := all[part+1]
		next.Incidents = append(next.Incidents, s.Incidents[fits:]...)
		slices.SortStableFunc(next.Incidents, func(a, b Incident) int { return cmp.Or(cmp.Compare(a.Number, b.Number), b.Changed.Compare(a.Changed)) })
		next.Incidents = slices.CompactFunc(next.Incidents, func(a, b Incident) bool { return a.Number == b.Number })
		s.Incidents = s.Incidents[:fits]
	}
	return all
}

func byNumber(i Incident, number int) int { return cmp.Compare(i.Number, number) }

// size is how many characters an incident takes in a sheet at most.
func (i Incident) size() int { return 400 + len(i.Alerts)*40 }

// Known is what is known of incidents and their alerts.
type Known struct {
	// Read is up to when it is known, zero if nothing was read.
	Read time.Time

	byAlert, byName map[string]*Incident
}

// Recall returns what is known. The notes are read one by one: see
// [*ledger.NoteReader].
func Recall(ctx context.Context, n Notes, now time.Time) (*Known, error) {
	p, _, err := readProgress(ctx, n)
	if err != nil {
		return nil, err
	}
	byNumber := map[int]*Incident{}
	last := now.UTC()
	if p.Next.After(last) {
		last = p.Next
	}
	for days := range longest {
		date := p.First.Add(time.Duration(days) * day)
		if p.First.IsZero() || date.After(last) {
			break
		}
		all, err := sheets(ctx, n, date)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			for _, i := range s.Incidents {
				if before := byNumber[i.Number]; before == nil || !before.Changed.After(i.Changed) {
					byNumber[i.Number] = &i
				}
			}
		}
	}
	k := &Known{Read: p.Read, byAlert: map[string]*Incident{}, byName: map[string]*Incident{}}
	for _, i := range byNumber {
		if i.Name != "" && !i.Merged {
			k.byName[i.Name] = i
		}
		for _, id := range i.Alerts {
			if before := k.byAlert[id]; before == nil || i.tells(before) {
				k.byAlert[id] = i
			}
		}
	}
	return k, nil
}

// Of returns the incident that an alert is in, or nil if none is known. One that was
// merged into another, of which nothing is known yet, is none.
func (k *Known) Of(alertID string) *Incident {
	if i := k.byAlert[alertID]; i != nil && !i.Merged {
		return i
	}
	return nil
}

// Named returns the incident of a name, or nil if it is not known.
func (k *Known) Named(name string) *Incident { return k.byName[name] }
