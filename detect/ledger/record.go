package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	// Targets, if set, says at which addresses of a destination an alert is owed, each
	// once. Each is a delivery of its own, and stays what it is however often it is
	// tried. Unless it is routed, the destination says where. Where it is routed to no
	// address of any destination, it is as if it were not.
	Targets func(destination string, a alert.Alert) (at []Target, routed bool)
	// Complete, if set, returns one of the alerts with what it lacks in Alerts and HeldBack,
	// such as its rows. It is called as the alert is written, so that the rest of very many
	// is not in memory at once.
	Complete func(a alert.Alert) alert.Alert
	// HeldBack are alerts that nobody is owed. They are kept with those that were
	// sent, for the audit, and their activities become seen. What a silence holds
	// back starts no suppression, and a later alert of it says nothing of it.
	HeldBack []alert.Alert
	// Suppressed becomes seen though nobody is sent it.
	Suppressed []alert.Activity
}

// Target is an address of a destination, by a name that says the same after a
// restart, and who it is to mention.
type Target struct {
	Address  string
	Mentions []alert.Mention
}

// maxAhead is how far beyond the watermark the hour of a seen row may lie. A row
// about the year 9999 would otherwise be kept, and read, until then.
const maxAhead = 24 * time.Hour

// bundle is what is written of one alert, or of what was suppressed.
type bundle struct {
	hour string
	id   string
	owed bool // to somebody
	// parts are all but the first part of its activities. Nobody heeds them
	// until the others are written. They are prepared when they are: there may be
	// very many.
	parts []change
	// final is written by one transaction: part 0 and the alert.
	final []change
}

// Record keeps what is new of a rule: the activities of its alerts become seen,
// each alert is owed to every destination, and the rule's state is set. Each alert
// is kept with its activities or not at all. If it returns an error, some or all of
// it may have been kept; to try again with the same entry keeps the rest. An alert
// that was recorded with a watermark of the same hour is not owed again.
//
// With alerts, the state of a rule of which this process has the lease is saved with
// the lease: when that is renewed or given back, and by Save. Until then a crash has
// what was recorded be found again, and dropped.
func (l *Ledger) Record(ctx context.Context, e Entry) error {
	lease := l.leaseOf(e.RuleID)
	if lease == nil {
		return l.recordAlone(ctx, e)
	}
	return l.record(ctx, lease, e)
}

// recordAlone records what is new of a rule of which this process has no lease, with
// one for that long only.
func (l *Ledger) recordAlone(ctx context.Context, e Entry) error {
	if e.count() == 0 {
		return l.Save(ctx, []Saving{{RuleID: e.RuleID, State: e.State}})[0]
	}
	l.mu.Lock()
	one := l.alone[e.RuleID]
	if one == nil {
		one = &sync.Mutex{}
		l.alone[e.RuleID] = one
	}
	l.mu.Unlock()
	one.Lock()
	defer one.Unlock()
	const length = 2 * time.Minute
	lease := &Lease{l: l, ruleID: e.RuleID, holder: l.self, length: length}
	w := lease.taking(e.mark)
	if l.writeRows(ctx, []*rowWrite{w}); w.done.err != nil {
		return w.done.err
	}
	lease.taken(w)
	err := l.record(ctx, lease, e)
	if released := lease.Release(ctx); err == nil {
		err = released
	}
	return err
}

func (l *Ledger) record(ctx context.Context, lease *Lease, e Entry) error {
	l.mu.Lock()
	l.recording[e.RuleID]++
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.recording[e.RuleID]--; l.recording[e.RuleID] == 0 {
			delete(l.recording, e.RuleID)
		}
	}()
	if e.count() == 0 {
		lease.recorded(e.State, nil)
		return lease.Renew(ctx)
	}
	w := writer{l: l, entry: e, partition: partitionOf(e.RuleID), lease: lease, known: map[string]bool{}, tally: tally{}}
	if err := w.write(ctx); err != nil {
		return err
	}
	if l.selfPurge {
		return lease.selfPurge(ctx, e.State.Watermark)
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

// Whole returns one of the entry's alerts as it is recorded.
func (e *Entry) Whole(a alert.Alert) alert.Alert {
	if e.Complete == nil {
		return a
	}
	return e.Complete(a)
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
		silenced := !owed && a.Silenced()
		rows = seenParts(a.ID, at, silenced, remembered(a.Activities))
		if len(rows) == 0 { // an alert about nothing is recorded all the same
			rows = []*seenRow{{alertID: a.ID, at: at, parts: 1, suppressed: silenced}}
		}
		for _, r := range rows {
			r.window, r.silenced = a.Window.End, silenced
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
		whole := e.Whole(*a)
		out := &outRow{seq: w.l.nextSeq(), recorded: at, alert: outgoing(whole)}
		out.to = e.deliveries(whole)
		c, b.owed = change{verb: insert, key: out.key(), row: out}, true
	case a != nil && !owed && w.l.sentFor > 0:
		c = change{verb: replace, key: sentKey(at, a.ID), row: &outRow{seq: w.l.nextSeq(), recorded: at, alert: outgoing(e.Whole(*a))}}
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

// deliveries returns what is owed of an alert, at least to somebody.
func (e *Entry) deliveries(a alert.Alert) (to []delivery) {
	for _, d := range e.Destinations {
		at, routed := []Target(nil), false
		if e.Targets != nil {
			at, routed = e.Targets(d, a)
		}
		if !routed {
			at = []Target{{}}
		}
		for _, t := range at {
			to = append(to, delivery{Name: d, Address: t.Address, Mentions: t.Mentions})
		}
	}
	if len(to) == 0 { // nothing is lost by a route
		for _, d := range e.Destinations {
			to = append(to, delivery{Name: d})
		}
	}
	return to
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
	tally   tally // of what was written
}

func (w *writer) write(ctx context.Context) error {
	if err := w.lease.Keep(ctx); err != nil {
		return err
	}
	if err := w.lease.mark(ctx, w.entry); err != nil {
		return err
	}
	for conflicts := 0; ; {
		done, err := w.step(ctx)
		if done {
			w.lease.recorded(w.entry.State, w.tally)
			return nil
		}
		if err == nil {
			conflicts = 0
			continue
		}
		if conflicts++; !conflict(err) || conflicts > maxConflicts {
			if errors.As(err, new(*LeasedError)) {
				return err
			}
			return fmt.Errorf("ledger: recording %d alerts of rule %q: %w", len(w.entry.Alerts), w.entry.RuleID, err)
		}
		// The rows are not as expected. Somebody else wrote them; or we did,
		// and the answer got lost on the way.
		if err := w.lease.takeFence(ctx); err != nil {
			return err
		}
		if err := w.skipWritten(ctx); err != nil {
			return err
		}
	}
}

// maxFenceSize is room for a fence in a transaction.
const maxFenceSize = 10_000

// step writes the next transaction, and reports whether nothing is left.
func (w *writer) step(ctx context.Context) (done bool, err error) {
	if err := w.fill(); err != nil {
		return false, err
	}
	if len(w.bundles) == 0 {
		return true, nil
	}
	// Only who holds the lease begins a transaction.
	if err := w.lease.Keep(ctx); err != nil {
		return false, err
	}
	var changes []change
	size, whole := maxFenceSize, 0
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
	if whole == 0 {
		// The first bundle has more parts than one transaction takes.
		b := &w.bundles[0]
		var parts []change
		size := 0
		for _, c := range b.parts[:min(len(b.parts), maxChanges-1)] {
			c, err := w.l.store.prepare(w.partition, c)
			if err != nil {
				return false, err
			}
			if size += c.size; len(parts) > 0 && size > maxBytes/4 {
				break
			}
			parts = append(parts, c)
		}
		if err := w.lease.commit(ctx, w.partition, parts...); err != nil {
			return false, err
		}
		b.parts = b.parts[len(parts):]
		return false, nil
	}
	w.l.put(w.bundles[:whole], w.entry.RuleID)
	if err := w.lease.commit(ctx, w.partition, changes...); err != nil {
		return false, err
	}
	w.tally.count(changes)
	w.bundles = w.bundles[whole:]
	return len(w.bundles) == 0 && w.next == w.entry.count(), nil
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
