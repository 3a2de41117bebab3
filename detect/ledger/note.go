package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pushback/detect/alert"
)

// noteRetention is how long a note is kept after it was last set.
const noteRetention = 366 * 24 * time.Hour

// Note returns what is noted of a rule, or of a story that rules share, under a
// name, and a tag of it for SetNote. Both are empty if nothing is. The id is the
// rule's, or that of [alert.StoryID].
//
// Notes are for destinations, which keep there what they need to know of
// earlier alerts. They last a year from when they were last set.
func (l *Ledger) Note(ctx context.Context, id, name string) (text, tag string, err error) {
	if id == OwnID {
		return l.ownNote(ctx, name)
	}
	return l.noteIn(ctx, partitionOf(id), id, name)
}

// noteIn returns what is noted in a partition.
func (l *Ledger) noteIn(ctx context.Context, partition, id, name string) (text, tag string, err error) {
	i, err := l.store.get(ctx, partition, noteKey(name))
	if errors.Is(err, errMissing) {
		return "", "", nil
	}
	var n *noteRow
	if err == nil {
		n, err = as[*noteRow](i)
	}
	if err != nil {
		return "", "", fmt.Errorf("ledger: reading a note of rule %q: %w", id, err)
	}
	return n.text, i.etag, nil
}

// maxNote is how long a note may be, in UTF-16 units, and maxOwnNote one of Pushback's
// own.
const (
	maxNote    = 200_000
	maxOwnNote = 400_000
)

// SetNote notes a text of a rule or a story under a name, of at most 200,000 UTF-16
// units, or 400,000 of Pushback's own. It takes the place of the text with this tag, or if the tag is empty of none.
// It returns the tag of the new one. If there is another by now, possibly the
// very same one from an attempt whose answer was lost, it changes nothing and
// reports false.
func (l *Ledger) SetNote(ctx context.Context, id, name, text, tag string) (newTag string, ok bool, err error) {
	most := maxNote
	if id == OwnID {
		most = maxOwnNote
	}
	if head, rest := splitUnits(text, most); rest != "" {
		return "", false, fmt.Errorf("ledger: a note of rule %q is longer than %d characters: %.60q", id, most, head)
	}
	if alert.IsStoryID(id) { // else its notes would never be purged
		if err := l.enlist(ctx, id); err != nil {
			return "", false, err
		}
	}
	n := &noteRow{at: l.now(), text: text}
	if id == OwnID {
		return l.setOwnNote(ctx, name, n, tag)
	}
	return l.setNoteIn(ctx, partitionOf(id), id, name, n, tag)
}

// setNoteIn notes something in a partition.
func (l *Ledger) setNoteIn(ctx context.Context, partition, id, name string, n *noteRow, tag string) (newTag string, ok bool, err error) {
	c := change{verb: replace, key: noteKey(name), etag: tag, row: n}
	if tag == "" {
		c.verb = insert
	}
	c, err = l.store.prepare(partition, c)
	if err == nil {
		var tags []string
		if tags, err = l.store.commit(ctx, partition, c); err == nil {
			newTag = tags[0]
		}
	}
	switch {
	case conflict(err):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("ledger: noting something of rule %q: %w", id, err)
	}
	return newTag, true, nil
}

// enlist makes sure that a story has a row in the directory.
func (l *Ledger) enlist(ctx context.Context, storyID string) error {
	l.mu.Lock()
	known := l.known[storyID]
	l.mu.Unlock()
	if known {
		return nil
	}
	w := &rowWrite{ruleID: storyID, plan: func(run *runRow) (*runRow, error) {
		if run.format > 0 {
			return nil, nil
		}
		return &runRow{ruleID: storyID, format: Format, purged: l.now()}, nil
	}}
	l.writeRows(ctx, []*rowWrite{w})
	return w.done.err
}

// purgeNotes removes the notes that were last set before a time.
func (l *Ledger) purgeNotes(ctx context.Context, partition string, before time.Time) (removed int, err error) {
	old := func(i item) (bool, error) {
		n, err := as[*noteRow](i)
		return err == nil && !n.at.IsZero() && n.at.Before(before), err
	}
	var keys []string
	for i, err := range l.store.list(ctx, partition, notePrefix, prefixEnd(notePrefix), true) {
		if err != nil {
			return 0, err
		}
		switch is, err := old(i); {
		case err != nil:
			return 0, err
		case is:
			keys = append(keys, i.key)
		}
	}
	for _, key := range keys { // one by one, for they are few: what was set since stays
		i, err := l.store.get(ctx, partition, key)
		if errors.Is(err, errMissing) {
			continue
		}
		if err != nil {
			return removed, err
		}
		if is, err := old(i); err != nil || !is {
			continue
		}
		c, err := l.store.prepare(partition, change{verb: remove, key: key, etag: i.etag})
		if err == nil {
			_, err = l.store.commit(ctx, partition, c)
		}
		switch {
		case err == nil:
			removed++
		case !conflict(err):
			return removed, err
		}
	}
	return removed, nil
}
