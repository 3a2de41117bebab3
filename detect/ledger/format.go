package ledger

import (
	"context"
	"errors"
	"fmt"
)

// Format is the number of the ledger's format that this version writes. It reads
// those before too, for as long as their rows are kept: in format 1 fingerprints
// joined the elements of an array and the ids of events were half as long, up to
// format 2 the outbox was in the order of the alerts' ids, and up to format 3 each
// rule's state and lease were in its own partition (upgrade.go).
const Format = 4

// sharedFormat is the first in which all rules share a partition for these.
const sharedFormat = 4

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

// Format returns the number of the ledger's format, 0 if nothing was written yet.
func (l *Ledger) Format(ctx context.Context) (int, error) {
	found, _, err := l.format(ctx)
	if err != nil || found > firstFormat {
		return found, err
	}
	if d, err := l.readDirectory(ctx); err != nil || len(d.rows)+len(d.former)+len(d.damaged) == 0 {
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

// raise notes in the table that it is of our format from now on, if that is not
// known. It comes before anything of the format is written: no version before this
// may take it for its own.
func (l *Ledger) raise(ctx context.Context) error {
	l.mu.Lock()
	raised := l.raised >= Format
	l.mu.Unlock()
	if raised {
		return nil
	}
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
			l.mu.Lock()
			defer l.mu.Unlock()
			l.raised = Format
			return nil
		}
		if !conflict(err) || conflicts == maxConflicts {
			return fmt.Errorf("ledger: noting its format: %w", err)
		}
	}
}
