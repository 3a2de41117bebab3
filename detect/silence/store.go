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

// adHocForm is how they are written.
type adHocForm struct {
	Silences AdHoc `json:"silences"`
}

// DecodeAdHoc reads the silences of the ledger. No text is none.
func DecodeAdHoc(text string) (AdHoc, error) {
	if text == "" {
		return nil, nil
	}
	var f adHocForm
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return nil, fmt.Errorf("the ledger's silences were damaged: %w", err)
	}
	for _, s := range f.Silences {
		// Whoever may write to the table could have put anything there.
		for _, fault := range Check(s, Words{}) {
			if !fault.Warning {
				return nil, fmt.Errorf("the ledger's silences were damaged: silence %.80q: %s", s.ID, fault.Message)
			}
		}
		if s.Until.IsZero() {
			return nil, fmt.Errorf("the ledger's silences were damaged: silence %.80q has no end", s.ID)
		}
	}
	return f.Silences, nil
}

// Encode writes the silences, without those that ended long ago.
func (list AdHoc) Encode(now time.Time) (string, error) {
	kept := slices.DeleteFunc(slices.Clone(list), func(s Silence) bool { return now.Sub(s.Until) > keptFor })
	if len(kept) > MostAdHoc {
		return "", fmt.Errorf("the ledger has %d silences, the most that it keeps: put those that are to last into the file", MostAdHoc)
	}
	text, err := json.Marshal(adHocForm{kept})
	if err != nil {
		return "", err
	}
	// It is written as JSON once more.
	if written, err := json.Marshal(string(text)); err != nil || len(text) > mostText || len(written) > mostWritten {
		return "", errors.Join(err, errors.New("the ledger has no room for more silences: put those that are to last into the file"))
	}
	return string(text), nil
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
