package silence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// keptFor is how long a silence of the ledger is kept after its end: until no record
// of its time can come any more, and what came of it is not looked at.
const keptFor = 30 * 24 * time.Hour

// MostAdHoc is how many silences the ledger has at most, those that ended lately among
// them.
const MostAdHoc = 2000

// AdHoc are the silences of the ledger, oldest first.
type AdHoc []Silence

// adHocForm is how they are written. Each has a line of its own, so that a [Reader] can
// tell which are as they were.
type adHocForm struct {
	Silences AdHoc `json:"silences"`
}

// The lines before and after the silences.
const (
	firstLine = `{"silences":[`
	lastLine  = `]}`
)

// DecodeAdHoc reads the silences of the ledger. No text is none.
func DecodeAdHoc(text string) (AdHoc, error) { return new(Reader).Read(text) }

// Reader reads the silences of the ledger each time that they change. It parses and
// checks only those that are new since the last time: there may be many, and a tick waits
// for them. The zero value is ready for use.
type Reader struct {
	known map[string]Silence // by their lines
}

// Read reads the silences of the ledger. No text is none.
func (r *Reader) Read(text string) (AdHoc, error) {
	if text == "" {
		r.known = nil
		return nil, nil
	}
	if list, ok := r.lines(text); ok {
		return list, nil
	}
	// Another version wrote it, or it is damaged.
	r.known = nil
	var f adHocForm
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return nil, fmt.Errorf("the ledger's silences were damaged: %w", err)
	}
	for i := range f.Silences {
		if err := checkKept(&f.Silences[i]); err != nil {
			return nil, err
		}
	}
	return f.Silences, nil
}

// lines reads silences that have a line each.
func (r *Reader) lines(text string) (AdHoc, bool) {
	rest, begins := strings.CutPrefix(text, firstLine+"\n")
	rest, ends := strings.CutSuffix(rest, "\n"+lastLine)
	if !begins || !ends {
		return nil, false
	}
	n := 1 + strings.Count(rest, "\n")
	list, known := make(AdHoc, 0, n), make(map[string]Silence, n)
	for line := range strings.SplitSeq(rest, "\n") {
		if len(list) < n-1 {
			var more bool
			if line, more = strings.CutSuffix(line, ","); !more {
				return nil, false
			}
		}
		s, was := r.known[line]
		if !was && (json.Unmarshal([]byte(line), &s) != nil || checkKept(&s) != nil) {
			return nil, false
		}
		list, known[line] = append(list, s), s
	}
	r.known = known
	return list, true
}

// checkKept checks a silence that the ledger has: whoever may write to the table could
// have put anything there.
func checkKept(s *Silence) error {
	for _, fault := range Check(*s, Words{}) {
		if !fault.Warning {
			return fmt.Errorf("the ledger's silences were damaged: silence %.80q: %s", s.ID, fault.Message)
		}
	}
	if s.Until.IsZero() {
		return fmt.Errorf("the ledger's silences were damaged: silence %.80q has no end", s.ID)
	}
	return nil
}

// Encode writes the silences, without those that ended long ago.
func (list AdHoc) Encode(now time.Time) (string, error) {
	kept := slices.DeleteFunc(slices.Clone(list), func(s Silence) bool { return now.Sub(s.Until) > keptFor })
	if len(kept) > MostAdHoc {
		return "", fmt.Errorf("the ledger has %d silences, the most that it keeps: put those that are to last into the file", MostAdHoc)
	}
	lines := make([]string, len(kept))
	for i, s := range kept {
		line, err := json.Marshal(s)
		if err != nil {
			return "", err
		}
		lines[i] = string(line)
	}
	text := firstLine + "\n" + strings.Join(lines, ",\n") + "\n" + lastLine
	// It is written as JSON once more.
	if written, err := json.Marshal(text); err != nil || len(text) > mostText || len(written) > mostWritten {
		return "", errors.Join(err, errors.New("the ledger has no room for more silences: put those that are to last into the file"))
	}
	return text, nil
}

// How long the ledger's note of silences may be, in bytes, as it is and as JSON.
const (
	mostText    = 390_000
	mostWritten = 450_000
)

// Add returns the silences with another one.
func (list AdHoc) Add(s Silence) (AdHoc, error) {
	if i := list.index(s.ID); i >= 0 {
		return nil, fmt.Errorf("there is a silence %s, until %s: give this one another id", list[i].ID, list[i].Until.UTC().Format(time.RFC3339))
	}
	return append(slices.Clone(list), s), nil
}

// ErrNoSilence says that there is no silence of an id.
var ErrNoSilence = errors.New("there is no such silence in the ledger")

// End returns the silences with one that ends at a time. One that is over stays as it
// is, and one that has not begun is as if it had not been added.
func (list AdHoc) End(id string, now time.Time, by string) (after AdHoc, ended Silence, err error) {
	i := list.index(id)
	if i < 0 {
		return nil, Silence{}, ErrNoSilence
	}
	after = slices.Clone(list)
	s := &after[i]
	switch {
	case !now.Before(s.Until):
		return nil, *s, fmt.Errorf("silence %s ended at %s", s.ID, s.Until.UTC().Format(time.RFC3339))
	case !now.After(s.From):
		ended = *s
		ended.Until = now
		return slices.Delete(after, i, i+1), ended, nil
	}
	s.Until, s.EndedBy = now, by
	return after, *s, nil
}

func (list AdHoc) index(id string) int {
	return slices.IndexFunc(list, func(s Silence) bool { return strings.EqualFold(s.ID, id) })
}
