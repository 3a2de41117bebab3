package ledger

import (
	"context"
	"fmt"
	"time"

	"pushback/detect/alert"
)

// Entry is what the ledger is to keep of a window, or of several.
type Entry struct {
	RuleID string
	State  State
	Alerts []alert.Alert
	// Destinations are owed each of the alerts.
	Destinations []string
	// HeldBack are alerts that nobody is owed. They are kept with those that were
	// sent, for the audit, and their activities become seen.
	HeldBack []alert.Alert
	// Suppressed becomes seen though nobody is sent it.
	Suppressed []alert.Activity
}

// maxAhead is how far beyond the watermark the hour of a seen row may lie. A row
// about the year 9999 would otherwise be kept, and read, until then.
const maxAhead = 24 * time.Hour

// bundle is what is written of one alert, or of what was suppressed.
type bundle struct {
	hour string
	id   string
	// parts are all but the first part of its activities. Nobody heeds them
	// until the others are written. They are prepared when they are: there may be
	// very many.
	parts []change
	// final is written by one transaction: part 0 and the alert.
	final []change
}

// Record keeps what is new of a rule: the activities of its alerts become seen,
// each alert is owed to every destination, and the rule's state is set. Each alert
// is kept with its activities or not at all, and the state is set last. If it
// returns an error, some or all of it may have been kept; to try again with the
// same entry keeps the rest. An alert that was recorded with a watermark of the
// same hour is not owed again.
func (l *Ledger) Record(ctx context.Context, e Entry) error {
	w := writer{l: l, entry: e, partition: partitionOf(e.RuleID), lease: l.leaseOf(e.RuleID), known: map[string]bool{}}
	if err := w.write(ctx); err != nil {
		return err
	}
	if l.selfPurge {
		_, err := l.purgeRule(ctx, e.RuleID, e.State.Watermark)
		return err
	}
	return nil
}

// count returns how many bundles the entry is written as, if no alert is in it
// twice.
func (e *Entry) count() int {
	n := len(e.Alerts) + len(e.HeldBack)
	if len(e.Suppressed) > 0 {
		n++
	}
	return n
}

// alert returns the alert of a bundle and whether it is owed, or nil for what
// was suppressed, which comes last.
func (e *Entry) alert(i int) (a *alert.Alert, owed bool) {
	if i < len(e.Alerts) {
		return &e.Alerts[i], true
	}
	if i -= len(e.Alerts); i < len(e.HeldBack) {
		return &e.HeldBack[i], false
	}
	return nil, false
}

// hour returns the hour under which a bundle's activities are kept.
func (e *Entry) hour(i int) string {
	activities := e.Suppressed
	if a, _ := e.alert(i); a != nil {
		activities = a.Activities
	}
	return seenHour(e.State.Watermark, remembered(activities))
}

// bundle prepares what is written of the entry's alert at an index.
func (w *writer) bundle(i int) (bundle, error) {
	e, at := &w.entry, w.entry.State.Watermark
	a, owed := e.alert(i)
	b := bundle{hour: e.hour(i)}
	var rows []*seenRow
	first := insert
	if a == nil {
		b.id = alert.NewID(e.RuleID, e.Suppressed)
		rows = seenParts(b.id, at, true, remembered(e.Suppressed))
		first = replace
	} else {
		b.id = a.ID
		rows = seenParts(a.ID, at, false, remembered(a.Activities))
		if len(rows) == 0 { // an alert about nothing is recorded all the same
			rows = []*seenRow{{alertID: a.ID, at: at, parts: 1}}
		}
		for _, r := range rows {
			r.window = a.Window.End
		}
	}
	for _, r := range rows {
		c := change{verb: replace, key: seenKey(b.hour, b.id, r.part), row: r}
		if r.part == 0 {
			c.verb = first
		}
		if r.part > 0 {
			b.parts = append(b.parts, c)
			continue
		}
		c, err := w.l.store.prepare(w.partition, c)
		if err != nil {
			return b, err
		}
		b.final = append(b.final, c)
	}
	var c change
	switch {
	case owed && len(e.Destinations) > 0:
		out := &outRow{seq: w.l.nextSeq(), recorded: at, alert: outgoing(*a)}
		for _, d := range e.Destinations {
			out.to = append(out.to, delivery{Name: d})
		}
		c = change{verb: insert, key: out.key(), row: out}
	case a != nil && !owed && w.l.sentFor > 0:
		c = change{verb: replace, key: sentKey(at, a.ID), row: &outRow{seq: w.l.nextSeq(), recorded: at, alert: outgoing(*a)}}
	default:
		return b, nil
	}
	c, err := w.l.store.prepare(w.partition, c)
	if err != nil {
		return b, err
	}
	b.final = append(b.final, c)
	return b, nil
}

// seenHour returns the hour under which activities are kept.
func seenHour(at time.Time, activities []alert.Activity) string {
	latest := at
	for _, a := range activities {
		if a.Span.End.After(latest) {
			latest = a.Span.End
		}
	}
	if limit := at.Add(maxAhead); latest.After(limit) {
		latest = limit
	}
	return hour(latest)
}

// writer writes an entry, one transaction after the other. What a transaction
// holds is prepared just before it: written out, many alerts take several times
// the memory that they take as they are.
type writer struct {
	l         *Ledger
	entry     Entry
	partition string
	lease     *Lease
	next      int             // the bundle that is prepared next
	known     map[string]bool // the alerts of those before
	bundles   []bundle        // that are prepared and not written yet
	// written are the keys of rows that turned out to be there already.
	written map[string]bool

	run   *runRow // as it was read
	etag  string
	tally tally // of what was written since it was read
}

func (w *writer) write(ctx context.Context) error {
	if err := w.readRun(ctx); err != nil {
		return err
	}
	for conflicts := 0; ; {
		done, err := w.step(ctx)
		if done {
			return nil
		}
		if err == nil {
			conflicts = 0
			continue
		}
		if conflicts++; !conflict(err) || conflicts > maxConflicts {
			return fmt.Errorf("ledger: recording %d alerts of rule %q: %w", len(w.entry.Alerts), w.entry.RuleID, err)
		}
		// The rows are not as expected. Somebody else wrote them; or we did,
		// and the answer got lost on the way.
		if w.lease != nil {
			w.lease.forget()
		}
		if err := w.readRun(ctx); err != nil {
			return err
		}
		if err := w.skipWritten(ctx); err != nil {
			return err
		}
	}
}

// readRun reads the run row and makes sure that nobody else runs the rule.
func (w *writer) readRun(ctx context.Context) (err error) {
	w.tally = tally{} // what is read may have it
	if w.lease != nil {
		w.run, w.etag, err = w.lease.current(ctx)
	} else {
		w.run, w.etag, err = w.l.run(ctx, w.entry.RuleID)
		if err == nil && w.run.holder != "" && w.l.now().Before(w.run.until) {
			err = &LeasedError{RuleID: w.entry.RuleID, Until: w.run.until}
		}
	}
	if err == nil && w.run.format < Format {
		err = w.l.raise(ctx)
	}
	if err == nil && w.etag == "" {
		err = w.l.enlist(ctx, w.entry.RuleID)
	}
	return err
}

// maxRunSize is room for a run row in a transaction.
const maxRunSize = 100_000

// step writes the next transaction, and reports whether it was the last.
func (w *writer) step(ctx context.Context) (done bool, err error) {
	if err := w.fill(); err != nil {
		return false, err
	}
	var changes []change
	size, whole := maxRunSize, 0
	for _, b := range w.bundles {
		if len(b.parts) > 0 {
			break
		}
		need := 0
		for _, c := range b.final {
			need += c.size
		}
		if len(changes)+len(b.final) >= maxChanges || len(changes) > 0 && size+need > maxBytes {
			break
		}
		changes = append(changes, b.final...)
		size += need
		whole++
	}
	switch {
	case whole == len(w.bundles) && w.next == w.entry.count():
		w.tally.count(changes)
		next := &runRow{ruleID: w.entry.RuleID, format: Format, state: w.entry.State.clone(), tally: w.run.tally.add(w.tally, w.entry.State.Watermark)}
		if w.lease != nil {
			next.holder, next.until = w.lease.holder, w.l.now().Add(w.lease.length)
		}
		runChange, err := w.l.runChange(next, w.etag)
		if err != nil {
			return false, err
		}
		etag, err := w.l.store.commit(ctx, w.partition, append(changes, runChange)...)
		if err != nil {
			return false, err
		}
		if len(changes) > 0 {
			etag = "" // not that of the run row alone
		}
		if w.lease != nil {
			w.lease.renewed(next, etag)
		}
		return true, nil
	case w.lease != nil && w.lease.expiring():
		// Only who holds the lease begins a transaction.
		return false, w.lease.Renew(ctx)
	case whole == 0:
		// The first bundle has more parts than one transaction takes.
		b := &w.bundles[0]
		var parts []change
		size := 0
		for _, c := range b.parts[:min(len(b.parts), maxChanges)] {
			c, err := w.l.store.prepare(w.partition, c)
			if err != nil {
				return false, err
			}
			if size += c.size; len(parts) > 0 && size > maxBytes/4 {
				break
			}
			parts = append(parts, c)
		}
		if _, err := w.l.store.commit(ctx, w.partition, parts...); err != nil {
			return false, err
		}
		b.parts = b.parts[len(parts):]
		return false, nil
	}
	if _, err := w.l.store.commit(ctx, w.partition, changes...); err != nil {
		return false, err
	}
	w.tally.count(changes)
	w.bundles = w.bundles[whole:]
	return false, nil
}

// fill prepares as many bundles as the next transaction can hold, and one more
// if there is one, so that what is left shows whether it is the last.
func (w *writer) fill() error {
	changes, size := 0, 0
	add := func(b bundle) {
		changes += len(b.final)
		for _, c := range b.final {
			size += c.size
		}
	}
	for _, b := range w.bundles {
		add(b)
	}
	for w.next < w.entry.count() && changes < maxChanges && size <= maxBytes {
		i := w.next
		w.next++
		if a, _ := w.entry.alert(i); a != nil {
			if w.known[a.ID] || w.written[seenKey(w.entry.hour(i), a.ID, 0)] {
				continue
			}
			w.known[a.ID] = true
		}
		b, err := w.bundle(i)
		if err != nil {
			return err
		}
		if b, left := w.unwritten(b); left {
			w.bundles = append(w.bundles, b)
			add(b)
		}
	}
	return nil
}

// unwritten returns what is still to be written of a bundle, if anything is.
func (w *writer) unwritten(b bundle) (bundle, bool) {
	there := func(c change) bool { return c.verb == insert && w.written[c.key] }
	if there(b.final[0]) {
		return b, false
	}
	return b, true
}

// skipWritten drops what is written already.
func (w *writer) skipWritten(ctx context.Context) error {
	if w.entry.count() == 0 {
		return nil
	}
	first, last := w.entry.hour(0), w.entry.hour(0)
	for i := range w.entry.count() {
		h := w.entry.hour(i)
		first, last = min(first, h), max(last, h)
	}
	w.written = map[string]bool{}
	for i, err := range w.l.store.list(ctx, w.partition, seenPrefix+first, prefixEnd(seenPrefix+last), true) {
		if err != nil {
			return fmt.Errorf("ledger: rule %q: %w", w.entry.RuleID, err)
		}
		w.written[i.key] = true
	}
	var left []bundle
	for _, b := range w.bundles {
		if b, ok := w.unwritten(b); ok {
			left = append(left, b)
		}
	}
	w.bundles = left
	return nil
}
