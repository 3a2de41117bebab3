package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// journal is what is noted in the ledger of the rows: which were or may have been
// written, and how many lately. It is noted before a call, so that whoever goes on
// after a crash knows what to look for, and so that of two processes one writes.
type journal struct {
	// Rows are by the alert's id.
	Rows map[string]*entry `json:"rows,omitempty"`
	// Sends are the calls of late.
	Sends []send `json:"sends,omitempty"`
	// Stories are the alerts that had a row last, the latest at the end: the id of each
	// and, after a space, what its row has for its story.
	Stories []string `json:"stories,omitempty"`
	// Looked is when it was last looked what became of the rows.
	Looked time.Time `json:"looked,omitzero"`

	text, tag string // of the note
}

// entry is a row that was or may have been written, until it is known what became
// of it.
type entry struct {
	// At is when it was last tried.
	At time.Time `json:"at"`
	// Taken is when the service took it, or when it was found in the table. Until
	// then it may or may not be there.
	Taken time.Time `json:"taken,omitzero"`
	// Rule is the id of the alert's rule, and Story what the row has for it.
	Rule  string `json:"rule"`
	Story string `json:"story"`
	// Quiet says that no incident is wanted.
	Quiet bool `json:"quiet,omitempty"`
	// Found says that the table has it, Alert is the id of Sentinel's alert, and
	// Incident says that its incident is known.
	Found    bool   `json:"found,omitempty"`
	Alert    string `json:"alert,omitempty"`
	Incident bool   `json:"incident,omitempty"`
}

// send is a call that wrote a number of rows.
type send struct {
	At   time.Time `json:"at"`
	Rows int       `json:"rows"`
}

// place is where the ledger keeps the notes: no rule's story is called so.
var place = alert.StoryID("Alerts")

const (
	journalNote = "journal"
	// mostEntries and mostText bound the note, of which the ledger keeps 200,000
	// characters. The oldest of those that were taken are forgotten first.
	mostEntries = 600
	mostText    = 180_000
	// mostStories is of how many alerts it is remembered what their story is.
	mostStories = 500
	// rememberFor is how long a row is asked about: the analytics rule looks back a
	// day. arrivedFor is how long one is remembered that arrived, since its alert may
	// still be owed if noting that it was sent failed. doubtFor is how long it is
	// remembered that one may have been written.
	rememberFor = 24 * time.Hour
	arrivedFor  = time.Hour
	doubtFor    = 14 * 24 * time.Hour
	// mostConflicts is how often a note is changed that others change too.
	mostConflicts = 8
)

var errBusy = errors.New("alerts: other processes note something all the time")

// read returns the journal as it is. One that is damaged is begun anew: what may
// have been written is not known then, and its rows may be there twice.
func (d *Destination) read(ctx context.Context) (*journal, error) {
	text, tag, err := d.notes.Note(ctx, place, journalNote)
	if err != nil {
		return nil, fmt.Errorf("alerts: reading which rows were written: %w", err)
	}
	j := &journal{}
	if text != "" && json.Unmarshal([]byte(text), j) != nil {
		j = &journal{}
	}
	j.text, j.tag = text, tag
	if j.Rows == nil {
		j.Rows = map[string]*entry{}
	}
	for id, e := range j.Rows {
		if e == nil {
			delete(j.Rows, id)
		}
	}
	return j, nil
}

// save notes the journal, unless another process noted something since it was
// read: then it is false.
func (d *Destination) save(ctx context.Context, j *journal) (bool, error) {
	j.trim(mostEntries)
	text, err := json.Marshal(j)
	for err == nil && len(text) > mostText && len(j.Rows) > 0 {
		j.trim(len(j.Rows) * 9 / 10)
		text, err = json.Marshal(j)
	}
	if err != nil {
		return false, err
	}
	if string(text) == j.text {
		return true, nil
	}
	tag, ok, err := d.notes.SetNote(ctx, place, journalNote, string(text), j.tag)
	if err != nil {
		return false, fmt.Errorf("alerts: noting which rows were written: %w", err)
	}
	if ok {
		j.text, j.tag = string(text), tag
	}
	return ok, nil
}

// change changes the journal as it is by then.
func (d *Destination) change(ctx context.Context, edit func(*journal)) (*journal, error) {
	for range mostConflicts {
		j, err := d.read(ctx)
		if err != nil {
			return nil, err
		}
		edit(j)
		if ok, err := d.save(ctx, j); err != nil || ok {
			return j, err
		}
	}
	return nil, errBusy
}

// trim forgets the oldest entries beyond the most, those first that were taken.
func (j *journal) trim(most int) {
	if len(j.Rows) <= most {
		return
	}
	ids := slices.SortedFunc(maps.Keys(j.Rows), func(a, b string) int {
		x, y := j.Rows[a], j.Rows[b]
		if x.Taken.IsZero() != y.Taken.IsZero() {
			if y.Taken.IsZero() {
				return -1
			}
			return 1
		}
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	for _, id := range ids[:len(ids)-most] {
		delete(j.Rows, id)
	}
}

// storyOf returns what the row of an alert has for its story, or nothing if that is
// not known any more.
func (j *journal) storyOf(alertID string) string {
	if e := j.Rows[alertID]; e != nil {
		return e.Story
	}
	for _, line := range slices.Backward(j.Stories) {
		if id, story, _ := strings.Cut(line, " "); id == alertID {
			return story
		}
	}
	return ""
}

// keepStory notes what the row of an alert has for its story.
func (j *journal) keepStory(alertID, story string) {
	if line := alertID + " " + story; !slices.Contains(j.Stories, line) {
		j.Stories = append(j.Stories, line)
	}
	if n := len(j.Stories) - mostStories; n > 0 {
		j.Stories = slices.Delete(j.Stories, 0, n)
	}
}

// age forgets what is too old to matter.
func (j *journal) age(now time.Time) {
	j.Sends = slices.DeleteFunc(j.Sends, func(s send) bool { return now.Sub(s.At) >= Every || s.At.After(now.Add(Every)) })
	maps.DeleteFunc(j.Rows, func(_ string, e *entry) bool {
		switch age := now.Sub(e.At); {
		case e.arrived():
			return age >= arrivedFor
		case e.Taken.IsZero(): // it matters as long as the alert waits
			return age >= doubtFor
		default:
			return age >= rememberFor
		}
	})
}

// room returns how many rows may be written now, and when there is more.
func (j *journal) room(most int, now time.Time) (int, time.Time) {
	next := now.Add(Every)
	for _, s := range j.Sends {
		if now.Sub(s.At) < Every && !s.At.After(now.Add(Every)) {
			most -= s.Rows
			if more := s.At.Add(Every); more.Before(next) {
				next = more
			}
		}
	}
	return max(most, 0), next
}
