package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushback/detect/alert"
)

// directoryRows is the shared partition as it was read.
type directoryRows struct {
	format int // firstFormat if it does not say
	rows   map[string]readRow
	// damaged are the rows that cannot be read, by key, and former the rules that
	// only a version before listed.
	damaged map[string]error
	former  map[string]bool
	// notes are those of Pushback's own, by key.
	notes map[string]item
}

// readRow is the shared row of a rule, as it was read or written: one that says
// nothing, without an ETag, if there is none.
type readRow struct {
	run  *runRow
	etag string
	err  error
}

// Begin is called before a tick, and refuses a ledger of a newer format. It reads
// how far all rules have run and who runs them, and this process goes by that until
// the next call: what it writes has the ETags that it read, so where a row is another
// by now the write fails, and the row is read again. What a version before kept
// elsewhere is moved.
func (l *Ledger) Begin(ctx context.Context) error {
	d, err := l.readDirectory(ctx)
	l.mu.Lock()
	if l.tick, l.raised = d, 0; d != nil {
		l.raised = d.format
	}
	clear(l.owing)
	l.mu.Unlock()
	if err != nil || len(d.former) == 0 {
		return err
	}
	// What cannot be moved fails by itself, or is another process's for now.
	l.move(ctx, slices.Sorted(maps.Keys(d.former)))
	return nil
}

// readDirectory reads the shared partition.
func (l *Ledger) readDirectory(ctx context.Context) (*directoryRows, error) {
	d := &directoryRows{format: firstFormat, rows: map[string]readRow{}, damaged: map[string]error{}, former: map[string]bool{}, notes: map[string]item{}}
	fail := func(err error) (*directoryRows, error) {
		return nil, fmt.Errorf("ledger: listing the rules: %w", err)
	}
	for i, err := range l.store.list(ctx, directory, formatKey, prefixEnd(runPrefix), false) {
		var r row
		switch r = i.row; {
		case err != nil && (strings.HasPrefix(i.key, runPrefix) || strings.HasPrefix(i.key, notePrefix)):
			d.damaged[i.key] = err
			continue
		case err != nil:
			return fail(err)
		}
		switch r := r.(type) {
		case *formatRow:
			if r.number > Format {
				return nil, &FormatError{Found: r.number}
			}
			d.format = r.number
		case *noteRow:
			d.notes[i.key] = i
		case *ruleRow:
			d.former[r.ruleID] = true
		case *runRow:
			if r.format > Format {
				d.damaged[i.key] = &FormatError{Found: r.format}
				continue
			}
			d.rows[r.ruleID] = readRow{run: r, etag: i.etag}
		default:
			_, err := as[*runRow](i)
			return fail(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for id := range d.rows {
		l.known[id] = true
	}
	return d, nil
}

// rulesOwing returns the rules, among the rows, that may owe an alert, in the order
// of their keys.
func (d *directoryRows) rulesOwing() []string {
	var ids []string
	add := func(id string) {
		if !alert.IsStoryID(id) {
			ids = append(ids, id)
		}
	}
	for id, r := range d.rows {
		if r.run.owes && !d.former[id] {
			add(id)
		}
	}
	for id := range d.former {
		add(id)
	}
	for key := range d.damaged {
		if part, ok := strings.CutPrefix(key, runPrefix); ok {
			if id, ok := unescape(part); ok {
				add(id)
			}
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(runKeyOf(a), runKeyOf(b)) })
	return slices.Compact(ids)
}

// errOfDamaged joins what is wrong with the rows that cannot be read.
func (d *directoryRows) errOfDamaged() error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(d.damaged)) {
		if !strings.HasPrefix(key, runPrefix) { // whoever reads a note learns of it
			continue
		}
		errs = append(errs, fmt.Errorf("ledger: %w", d.damaged[key]))
	}
	return errors.Join(errs...)
}

// directory returns what Begin read, or what is there now if it was not called.
func (l *Ledger) directory(ctx context.Context) (*directoryRows, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.tick; d != nil {
		return &directoryRows{format: d.format, rows: maps.Clone(d.rows), damaged: maps.Clone(d.damaged), former: maps.Clone(d.former)}, nil
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	return l.readDirectory(ctx)
}

// readRows returns the shared rows of rules: as they are known, or if they are to be
// fresh, or Begin was not called, as they are in the table.
func (l *Ledger) readRows(ctx context.Context, ids []string, fresh bool) map[string]readRow {
	rows := make(map[string]readRow, len(ids))
	l.mu.Lock()
	d := l.tick
	var left []string
	for _, id := range ids {
		if d == nil || fresh {
			left = append(left, id)
			continue
		}
		r, sure := d.row(id)
		switch {
		case d.former[id], sure && r.err == nil && r.etag == "": // it is not moved yet, or not known well enough
			left = append(left, id)
		case sure:
			rows[id] = r
		case l.known[id]: // an answer that lacks it may have been cut
			left = append(left, id)
		default:
			rows[id] = readRow{run: &runRow{ruleID: id}}
		}
	}
	l.mu.Unlock()
	const few = 3 // that are read one by one
	if len(left) > few {
		d, err := l.readDirectory(ctx)
		for _, id := range left {
			if err != nil {
				rows[id] = readRow{err: err}
				continue
			}
			r, sure := d.row(id)
			if !sure {
				r = readRow{run: &runRow{ruleID: id}}
			}
			if (sure || d.former[id]) && r.err == nil && r.etag == "" {
				r = l.readOne(ctx, id)
			}
			rows[id] = r
		}
		return l.learnAll(rows, left)
	}
	for _, id := range left {
		rows[id] = l.readOne(ctx, id)
	}
	return l.learnAll(rows, left)
}

// row returns the row of a rule, and whether there is one, or something in the place
// of one.
func (d *directoryRows) row(id string) (readRow, bool) {
	if err := d.damaged[runKeyOf(id)]; err != nil {
		return readRow{err: fmt.Errorf("ledger: rule %q: %w", id, err)}, true
	}
	r, ok := d.rows[id]
	return r, ok
}

// readOne reads the shared row of a rule, or what a version before kept of it.
func (l *Ledger) readOne(ctx context.Context, id string) readRow {
	fail := func(err error) readRow { return readRow{err: fmt.Errorf("ledger: rule %q: %w", id, err)} }
	i, err := l.store.get(ctx, directory, runKeyOf(id))
	if err == nil {
		run, err := as[*runRow](i)
		switch {
		case err != nil:
			return fail(err)
		case run.format > Format:
			return readRow{err: &FormatError{Found: run.format}}
		}
		return readRow{run: run, etag: i.etag}
	}
	if !errors.Is(err, errMissing) {
		return fail(err)
	}
	l.mu.Lock()
	delete(l.known, id)
	moved := l.tick != nil && len(l.tick.former) == 0
	l.mu.Unlock()
	if moved {
		return readRow{run: &runRow{ruleID: id}}
	}
	f, _, err := l.readFence(ctx, id)
	switch {
	case err != nil && errors.As(err, new(*FormatError)):
		return readRow{err: err}
	case err != nil:
		return fail(err)
	case f == nil || f.former == nil:
		return readRow{run: &runRow{ruleID: id}}
	}
	former := *f.former
	former.ruleID = id
	return readRow{run: &former}
}

// learn notes a row as it was read or written.
func (l *Ledger) learn(id string, r readRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[id] = l.known[id] || r.etag != ""
	if l.tick != nil && r.err == nil && !r.run.unmoved {
		l.tick.rows[id] = r
		delete(l.tick.damaged, runKeyOf(id))
	}
}

func (l *Ledger) learnAll(rows map[string]readRow, ids []string) map[string]readRow {
	for _, id := range ids {
		if r := rows[id]; r.err == nil && r.etag != "" {
			l.learn(id, r)
		}
	}
	return rows
}

// rowWrite changes the shared row of a rule. It is tried until the row is as plan
// wants it.
type rowWrite struct {
	ruleID string
	lease  *Lease // whose row it is, or nil
	moving bool   // it moves what a version before kept
	// plan returns what the row is to be, given what it is: nothing if it is that
	// already.
	plan func(run *runRow) (*runRow, error)

	was  *runRow // what it was
	done readRow // what it is then, or why it is not
}

// writeRows changes shared rows, each group of them all or none, in transactions of
// as many as they take. Where the rows of some turn out to be different, those are
// read and tried again; the others go on.
func (l *Ledger) writeRows(ctx context.Context, groups ...[]*rowWrite) {
	var leases []*Lease
	for _, g := range groups {
		for _, w := range g {
			if w.lease != nil {
				leases = append(leases, w.lease)
			}
		}
	}
	slices.SortFunc(leases, func(a, b *Lease) int { return cmp.Compare(a.ruleID, b.ruleID) })
	for _, lease := range leases {
		lease.writing.Lock()
		defer lease.writing.Unlock()
	}
	for round := 0; len(groups) > 0; round++ {
		groups = l.writeRound(ctx, groups, round)
	}
}

// writeRound tries each group once, and returns those that are to be tried again.
func (l *Ledger) writeRound(ctx context.Context, groups [][]*rowWrite, round int) (again [][]*rowWrite) {
	var ids []string
	moving := false
	for _, g := range groups {
		for _, w := range g {
			moving = moving || w.moving
			if round > 0 || w.lease == nil || !w.lease.isKnown() {
				ids = append(ids, w.ruleID)
			}
		}
	}
	rows := l.readRows(ctx, ids, round > 0)
	var unmoved []string
	for id, r := range rows {
		if r.err == nil && r.run.unmoved && !moving {
			unmoved = append(unmoved, id)
		}
	}
	if len(unmoved) > 0 {
		slices.Sort(unmoved)
		maps.Copy(rows, l.move(ctx, unmoved))
	}
	var batches []rowBatch
	size, operations, any := 0, 0, false
	for _, g := range groups {
		w, err := l.planGroup(g, rows)
		if err != nil {
			for _, one := range g {
				one.done.err = cmp.Or(one.done.err, err)
			}
			continue
		}
		bytes := 0
		for _, c := range w.changes {
			bytes += c.size
		}
		if len(batches) == 0 || operations+len(w.changes) > maxChanges || size+bytes > maxBytes {
			batches, operations, size = append(batches, nil), 0, 0
		}
		last := &batches[len(batches)-1]
		*last = append(*last, w)
		operations, size, any = operations+len(w.changes), size+bytes, any || len(w.changes) > 0
	}
	if any {
		if err := l.raise(ctx); err != nil {
			for _, b := range batches {
				b.fail(err)
			}
			return nil
		}
	}
	for _, b := range batches {
		again = append(again, l.commitRows(ctx, b)...)
	}
	if round == maxConflicts {
		for _, g := range again {
			for _, w := range g {
				w.done.err = fmt.Errorf("ledger: rule %q: other processes change its row all the time", w.ruleID)
			}
		}
		return nil
	}
	return again
}

// rowBatch is what one transaction writes.
type rowBatch []groupWrite

// groupWrite is a group of writes and the changes that they take.
type groupWrite struct {
	writes  []*rowWrite
	changes []change
}

// planGroup returns the changes that a group takes.
func (l *Ledger) planGroup(g []*rowWrite, rows map[string]readRow) (groupWrite, error) {
	planned := groupWrite{writes: g}
	for _, w := range g {
		r := rows[w.ruleID]
		if w.lease != nil {
			if r.run != nil {
				w.lease.adopt(r)
			}
			if r.err == nil {
				r = w.lease.row()
			}
		}
		if r.err != nil {
			return planned, r.err
		}
		next, err := w.plan(r.run)
		if err != nil {
			return planned, err
		}
		if w.was, w.done = r.run, r; next == nil {
			continue
		}
		w.done.run = next
		c := change{verb: replace, key: runKeyOf(w.ruleID), etag: r.etag, row: next}
		if r.etag == "" {
			c.verb = insert
		}
		if c, err = l.store.prepare(directory, c); err != nil {
			return planned, fmt.Errorf("ledger: rule %q: %w", w.ruleID, err)
		}
		planned.changes = append(planned.changes, c)
	}
	return planned, nil
}

func (b rowBatch) fail(err error) {
	for _, g := range b {
		for _, w := range g.writes {
			w.done = readRow{err: fmt.Errorf("ledger: writing the row of rule %q: %w", w.ruleID, err)}
		}
	}
}

// commitRows writes a batch, and returns the groups that are to be tried again.
func (l *Ledger) commitRows(ctx context.Context, b rowBatch) (again [][]*rowWrite) {
	var changes []change
	for _, g := range b {
		changes = append(changes, g.changes...)
	}
	etags := map[string]string{}
	if len(changes) > 0 {
		list, err := l.store.commit(ctx, directory, changes...)
		switch {
		case conflict(err):
			for _, g := range b {
				again = append(again, g.writes)
			}
			return again
		case rejected(err) && len(b) > 1: // one of them must not fail the others
			half := len(b) / 2
			return append(l.commitRows(ctx, b[:half]), l.commitRows(ctx, b[half:])...)
		case err != nil:
			b.fail(err)
			return nil
		}
		for i, c := range changes {
			etags[c.key] = list[i]
		}
	}
	for _, g := range b {
		for _, w := range g.writes {
			if etag, written := etags[runKeyOf(w.ruleID)]; written {
				w.done.etag = etag
			}
			if w.lease != nil {
				w.lease.wrote(w.done)
			}
			l.learn(w.ruleID, w.done)
		}
	}
	return nil
}
