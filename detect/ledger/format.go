package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Format is the number of the ledger's format that this version writes. It reads
// those before too, for as long as their rows are kept: in format 1 fingerprints
// joined the elements of an array and the ids of events were half as long, and up
// to format 2 the outbox was in the order of the alerts' ids.
const Format = 3

// firstFormat is that of a ledger whose rows say nothing of a format.
const firstFormat = 1

// FormatError says that a newer version of Pushback has written to the ledger.
type FormatError struct {
	// Found is the number of the ledger's format.
	Found int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("ledger: its format is %d, and this version of Pushback knows none above %d: deploy the version that wrote it or a later one, or set PUSHBACK_TABLE_NAME to a table of its own, where what was reported before is reported again",
		e.Found, Format)
}

// Begin is called before a tick, and refuses a ledger of a newer format. It reads
// the list of the rules, which the first call of the tick that needs it takes
// over.
func (l *Ledger) Begin(ctx context.Context) error {
	ids, err := l.readDirectory(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed, l.isListed = ids, err == nil
	return err
}

// Format returns the number of the ledger's format, 0 if nothing was written yet.
func (l *Ledger) Format(ctx context.Context) (int, error) {
	found, _, err := l.format(ctx)
	if err != nil || found > firstFormat {
		return found, err
	}
	if ids, err := l.readDirectory(ctx); err != nil || len(ids) == 0 {
		return 0, err
	}
	return firstFormat, nil
}

// format returns the number that the table's format row has, and its ETag, or
// the first format and no ETag if there is none.
func (l *Ledger) format(ctx context.Context) (found int, etag string, err error) {
	i, err := l.store.get(ctx, directory, formatKey)
	if errors.Is(err, errMissing) {
		return firstFormat, "", nil
	}
	var r *formatRow
	if err == nil {
		r, err = as[*formatRow](i)
	}
	switch {
	case err != nil:
		return 0, "", fmt.Errorf("ledger: reading its format: %w", err)
	case r.number > Format:
		return r.number, "", &FormatError{Found: r.number}
	}
	return r.number, i.etag, nil
}

// raise notes in the table that it is of our format from now on. That comes
// before the run row of a rule says so, and that before anything of the format
// is written of the rule: no version before this may take it for its own.
func (l *Ledger) raise(ctx context.Context) error {
	for conflicts := 0; ; conflicts++ {
		found, etag, err := l.format(ctx)
		if err != nil {
			return err
		}
		if found < Format {
			c := change{verb: replace, key: formatKey, etag: etag, row: &formatRow{number: Format}}
			if etag == "" {
				c.verb = insert
			}
			if c, err = l.store.prepare(directory, c); err == nil {
				_, err = l.store.commit(ctx, directory, c)
			}
		}
		if err == nil {
			return nil
		}
		if !conflict(err) || conflicts == maxConflicts {
			return fmt.Errorf("ledger: noting its format: %w", err)
		}
	}
}

// rules returns the ids of the rules that were ever run: those that Begin read,
// once, and else those of now.
func (l *Ledger) rules(ctx context.Context) ([]string, error) {
	l.mu.Lock()
	ids, ok := l.listed, l.isListed
	l.listed, l.isListed = nil, false
	l.mu.Unlock()
	if ok {
		return ids, nil
	}
	return l.readDirectory(ctx)
}

// list adds a rule to those that Begin read.
func (l *Ledger) list(ruleID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isListed && !slices.Contains(l.listed, ruleID) {
		l.listed = append(l.listed, ruleID)
	}
}

// readDirectory reads the ids of the rules, and makes sure that the ledger is of
// a format that we know.
func (l *Ledger) readDirectory(ctx context.Context) ([]string, error) {
	var ids []string
	for i, err := range l.store.list(ctx, directory, formatKey, prefixEnd(rulePrefix), true) {
		if err != nil {
			return nil, fmt.Errorf("ledger: listing the rules: %w", err)
		}
		if f, ok := i.row.(*formatRow); ok {
			if f.number > Format {
				return nil, &FormatError{Found: f.number}
			}
			continue
		}
		r, err := as[*ruleRow](i)
		if err != nil {
			return nil, fmt.Errorf("ledger: listing the rules: %w", err)
		}
		ids = append(ids, r.ruleID)
	}
	return ids, nil
}
