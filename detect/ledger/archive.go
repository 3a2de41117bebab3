package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Kept is an alert as the ledger keeps it, and what became of it.
type Kept struct {
	Alert alert.Alert
	// Deliveries are what each destination has of it. There are none of an alert
	// that is held back.
	Deliveries []Delivery

	ruleID string // whose partition it is in
	key    string
}

// Delivery is what one destination has of an alert.
type Delivery struct {
	Destination string
	Address     string // of its Target, if it has one
	// Sent is when it was accepted, and Dropped when it was given up by hand. If both
	// are zero it is owed.
	Sent, Dropped time.Time
	// Attempts is how often it was tried in vain, LastError what came of the last
	// one, and Next when it is due again. Zero is at once. Parked alerts are not
	// sent until Retry.
	Attempts  int
	LastError string
	Next      time.Time
	Parked    bool
}

// Owed reports whether the destination waits for the alert.
func (d Delivery) Owed() bool { return d.Sent.IsZero() && d.Dropped.IsZero() }

// Owed reports whether a destination waits for the alert.
func (k Kept) Owed() bool { return slices.ContainsFunc(k.Deliveries, Delivery.Owed) }

// RuleIDs returns the ids of all rules that the ledger knows, that of Pushback's own
// health among them.
func (l *Ledger) RuleIDs(ctx context.Context) ([]string, error) {
	d, err := l.readDirectory(ctx)
	if err != nil {
		return nil, err
	}
	ids := d.partitions()
	return slices.DeleteFunc(ids, alert.IsStoryID), d.errOfDamaged()
}

// partitions lists the ids of the rules and stories of which there may be a
// partition.
func (d *directoryRows) partitions() []string {
	all := map[string]bool{OwnID: true}
	for id := range d.rows {
		all[id] = true
	}
	for id := range d.former {
		all[id] = true
	}
	for key := range d.damaged {
		if part, ok := strings.CutPrefix(key, runPrefix); ok {
			if id, ok := unescape(part); ok {
				all[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// Kept yields the alerts of a rule that were made since a time: those that are owed,
// and those that were sent, dropped or held back, as long as they are kept. One that
// cannot be read is an error, and those behind it are yielded all the same.
func (l *Ledger) Kept(ctx context.Context, ruleID string, since time.Time) iter.Seq2[Kept, error] {
	return func(yield func(Kept, error) bool) {
		partition := partitionOf(ruleID)
		// What is sent meanwhile moves from the outbox to what was sent: in this order it
		// is read twice rather than not at all.
		yielded := map[string]bool{}
		for _, part := range []struct{ from, end string }{{outPrefix, prefixEnd(outPrefix)}, {sentPrefix + hour(since), prefixEnd(sentPrefix)}} {
			for i, err := range l.store.list(ctx, partition, part.from, part.end, false) {
				var o *outRow
				if err == nil {
					o, err = as[*outRow](i)
				}
				if err != nil {
					if !yield(Kept{}, fmt.Errorf("ledger: reading the alerts of rule %q: %w", ruleID, err)) {
						return
					}
					continue
				}
				if yielded[o.alert.ID] || o.alert.Created.Before(since) {
					continue
				}
				yielded[o.alert.ID] = true
				if !yield(keptOf(ruleID, i.key, o), nil) {
					return
				}
			}
		}
	}
}

func keptOf(ruleID, key string, o *outRow) Kept {
	k := Kept{Alert: o.alert, ruleID: ruleID, key: key}
	for _, d := range o.to {
		k.Deliveries = append(k.Deliveries, Delivery{
			Destination: d.Name, Address: d.Address, Sent: d.Sent, Dropped: d.Dropped, Attempts: d.Attempts, LastError: d.LastError, Next: d.Next, Parked: d.Parked,
		})
	}
	return k
}

// ErrOwed says that a destination still waits for an alert.
var ErrOwed = errors.New("the alert is not delivered yet")

// Rewrite changes what is kept of an alert: all but its id, its rule, its activities
// and its times, which edit must leave. Texts has a text of a delivery be as it is to
// be. An alert that a destination waits for is an [ErrOwed], unless it is to be
// dropped with that. It reports whether it changed anything; if the alert is not kept
// any more it did not.
func (l *Ledger) Rewrite(ctx context.Context, k Kept, drop bool, edit func(alert.Alert) alert.Alert, texts func(string) string) (changed bool, err error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("ledger: changing what is kept of alert %s: %w", k.Alert.ID, err)
	}
	partition := partitionOf(k.ruleID)
	for conflicts := 0; ; conflicts++ {
		i, err := l.findKept(ctx, partition, k)
		if errors.Is(err, errMissing) {
			return false, nil
		}
		var o *outRow
		if err == nil {
			o, err = as[*outRow](i)
		}
		if err != nil {
			return fail(err)
		}
		next := *o
		next.alert, next.to = edit(o.alert), slices.Clone(o.to)
		for n := range next.to {
			d := &next.to[n]
			d.LastError = texts(d.LastError)
			switch {
			case d.settled():
			case !drop:
				return fail(ErrOwed)
			default:
				d.Dropped = l.noted()
			}
		}
		if strings.HasPrefix(i.key, outPrefix) {
			err = l.replace(ctx, partition, i, &next)
		} else {
			var c change
			if c, err = l.store.prepare(partition, change{verb: replace, key: i.key, etag: i.etag, row: &next}); err == nil {
				_, err = l.store.commit(ctx, partition, c)
			}
		}
		if err == nil {
			return true, nil
		}
		if !conflict(err) || conflicts == maxConflicts {
			return fail(err)
		}
	}
}

// findKept returns the row of an alert, wherever it is by now.
func (l *Ledger) findKept(ctx context.Context, partition string, k Kept) (item, error) {
	i, err := l.store.get(ctx, partition, k.key)
	if !errors.Is(err, errMissing) {
		return i, err
	}
	var errs []error
	for _, prefix := range []string{outPrefix, sentPrefix, outPrefix} { // it may have been retried
		for i, err := range l.store.list(ctx, partition, prefix, prefixEnd(prefix), true) {
			switch {
			case err != nil:
				errs = append(errs, err)
			case isOutKeyOf(i.key, k.Alert.ID):
				if i, err := l.store.get(ctx, partition, i.key); !errors.Is(err, errMissing) {
					return i, err
				}
			}
		}
	}
	if err := errors.Join(errs...); err != nil { // it may be among what cannot be read
		return item{}, err
	}
	return item{}, errMissing
}

// NoteID says which note it is.
type NoteID struct {
	// ID is that of the rule or the story that it is of, or OwnID.
	ID string
	// Name is empty if only a hash of it is kept.
	Name string
}

// EditNotes changes notes of all rules and stories, and those of Pushback's own. Edit
// returns the text that is to be, and whether it is another; it may be called more
// than once for a note. A note that cannot be read or changed is an error, and the
// others are changed all the same. It returns how many it changed.
func (l *Ledger) EditNotes(ctx context.Context, edit func(id NoteID, text string) (string, bool)) (changed int, err error) {
	d, err := l.readDirectory(ctx)
	if err != nil {
		return 0, err
	}
	errs := []error{d.errOfDamaged()}
	one := func(partition, id string) {
		for i, err := range l.store.list(ctx, partition, notePrefix, prefixEnd(notePrefix), false) {
			if err != nil {
				errs = append(errs, fmt.Errorf("ledger: reading the notes of rule %q: %w", id, err))
				continue
			}
			name, _ := unescape(strings.TrimPrefix(i.key, notePrefix))
			done, err := l.editNote(ctx, partition, i.key, NoteID{id, name}, edit)
			if done {
				changed++
			}
			errs = append(errs, err)
		}
	}
	one(directory, OwnID)
	for _, id := range d.partitions() {
		one(partitionOf(id), id)
	}
	return changed, errors.Join(errs...)
}

func (l *Ledger) editNote(ctx context.Context, partition, key string, id NoteID, edit func(NoteID, string) (string, bool)) (changed bool, err error) {
	for conflicts := 0; ; conflicts++ {
		i, err := l.store.get(ctx, partition, key)
		if errors.Is(err, errMissing) {
			return false, nil
		}
		var n *noteRow
		if err == nil {
			n, err = as[*noteRow](i)
		}
		if err == nil {
			text, another := edit(id, n.text)
			if !another {
				return false, nil
			}
			var c change
			if c, err = l.store.prepare(partition, change{verb: replace, key: key, etag: i.etag, row: &noteRow{at: n.at, text: text}}); err == nil {
				if _, err = l.store.commit(ctx, partition, c); err == nil {
					return true, nil
				}
			}
		}
		if !conflict(err) || conflicts == maxConflicts {
			return false, fmt.Errorf("ledger: changing a note of rule %q: %w", id.ID, err)
		}
	}
}

// NoteReader reads notes, all of a rule or a story at a time: for whoever looks at
// very many.
type NoteReader struct {
	l     *Ledger
	notes map[string]map[string]item // by partition and key
}

// NoteReader returns a reader of notes.
func (l *Ledger) NoteReader() *NoteReader {
	return &NoteReader{l: l, notes: map[string]map[string]item{}}
}

// Note is [Ledger.Note].
func (r *NoteReader) Note(ctx context.Context, id, name string) (text, tag string, err error) {
	partition := partitionOf(id)
	if id == OwnID {
		partition = directory
	}
	if r.notes[partition] == nil {
		notes := map[string]item{}
		for i, err := range r.l.store.list(ctx, partition, notePrefix, prefixEnd(notePrefix), false) {
			if err != nil {
				return "", "", fmt.Errorf("ledger: reading the notes of rule %q: %w", id, err)
			}
			notes[i.key] = i
		}
		r.notes[partition] = notes
	}
	i, there := r.notes[partition][noteKey(name)]
	if !there {
		return "", "", nil
	}
	n, err := as[*noteRow](i)
	if err != nil {
		return "", "", fmt.Errorf("ledger: reading a note of rule %q: %w", id, err)
	}
	return n.text, i.etag, nil
}

// SetNote is an error: a reader changes nothing.
func (r *NoteReader) SetNote(context.Context, string, string, string, string) (string, bool, error) {
	return "", false, errors.New("ledger: notes are only read here")
}

// ErrNotKept says that no alert of an id is kept.
var ErrNotKept = errors.New("no such alert is kept")

// KeptOf returns the alert of an id, of whatever rule.
func (l *Ledger) KeptOf(ctx context.Context, alertID string) (Kept, error) {
	d, err := l.readDirectory(ctx)
	if err != nil {
		return Kept{}, err
	}
	errs := []error{d.errOfDamaged()}
	for _, id := range d.partitions() {
		if alert.IsStoryID(id) {
			continue
		}
		i, err := l.findKept(ctx, partitionOf(id), Kept{Alert: alert.Alert{ID: alertID}, key: outPrefix})
		var o *outRow
		if err == nil {
			o, err = as[*outRow](i)
		}
		switch {
		case err == nil:
			return keptOf(id, i.key, o), nil
		case !errors.Is(err, errMissing):
			errs = append(errs, fmt.Errorf("ledger: reading the alerts of rule %q: %w", id, err))
		}
	}
	if err := errors.Join(errs...); err != nil { // it may be there
		return Kept{}, err
	}
	return Kept{}, fmt.Errorf("ledger: alert %q: %w", alertID, ErrNotKept)
}
