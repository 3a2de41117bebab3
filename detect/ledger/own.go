package ledger

import (
	"context"
	"errors"
	"strings"
)

// OwnID is the id of what Pushback notes and reports about itself. Its notes lie in
// the partition that all rules share, so that a tick has them with the rest. Up to
// format 3 they were in one of their own: they are read there until they are set
// again.
const OwnID = "3f0c7a52-51d6-4c0e-9d43-6b1f6b6f0c11"

// The names of notes of silences: those that were added by hand, and what came of all.
// No version before put them anywhere else.
const (
	SilencesNote     = "silences"
	SilenceCountNote = "silence-counts"
)

// formerTag marks the tag of a note that is where a version before put it.
const formerTag = "former "

// ownNote returns what Pushback noted of itself: as Begin read it, unless that was
// not called or it is not sure.
func (l *Ledger) ownNote(ctx context.Context, name string) (text, tag string, err error) {
	key := noteKey(name)
	l.mu.Lock()
	sure, moved := false, l.ownMoved[key] || name == SilencesNote || name == SilenceCountNote
	if d := l.tick; d != nil {
		i, there := d.notes[key]
		if there {
			n := i.row.(*noteRow)
			text, tag = n.text, i.etag
		}
		sure = d.damaged[key] == nil && (!there || tag != "")
	}
	l.mu.Unlock()
	if !sure {
		if text, tag, err = l.noteIn(ctx, directory, OwnID, name); err != nil {
			return "", "", err
		}
	}
	if tag != "" || moved {
		return text, tag, nil
	}
	text, tag, err = l.noteIn(ctx, partitionOf(OwnID), OwnID, name)
	if err == nil && tag != "" {
		return text, formerTag + tag, nil
	}
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ownMoved[key] = true
	}
	return "", "", err
}

// setOwnNote sets a note of Pushback's own. One of a version before is removed once
// there is a new one: until then, also after a crash, the new one is what counts.
func (l *Ledger) setOwnNote(ctx context.Context, name string, n *noteRow, tag string) (newTag string, ok bool, err error) {
	if err := l.raise(ctx); err != nil {
		return "", false, err
	}
	key := noteKey(name)
	former, isFormer := strings.CutPrefix(tag, formerTag)
	if isFormer {
		tag = ""
	}
	newTag, ok, err = l.setNoteIn(ctx, directory, OwnID, name, n, tag)
	l.mu.Lock()
	if l.tick != nil {
		delete(l.tick.damaged, key)
		l.tick.notes[key] = item{key: key, etag: newTag, row: n} // without an ETag it is read again
	}
	l.mu.Unlock()
	if !ok || err != nil || !isFormer {
		return newTag, ok, err
	}
	partition := partitionOf(OwnID)
	c, err := l.store.prepare(partition, change{verb: remove, key: key, etag: former})
	if err == nil {
		_, err = l.store.commit(ctx, partition, c)
	}
	if errors.Is(err, errMissing) || errors.Is(err, errChanged) {
		err = nil // another process was first, or one of the version before goes on with it
	}
	return newTag, true, err
}
