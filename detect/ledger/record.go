package ledger

import (
	"context"
	"fmt"
	"slices"
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
	// Suppressed becomes seen though nobody is told of it.
	Suppressed []alert.Activity
}

// maxAhead is how far beyond the watermark the hour of a seen row may lie. A row
// about the year 9999 would otherwise be kept, and read, until then.
const maxAhead = 24 * time.Hour

// bundle is what is written of one alert.
type bundle struct {
	hour string
	id   string
	// parts are all but the first part of its activities. Nobody heeds them
	// until the others are written.
	parts []change
	// final is written by one transaction: part 0 and the alert.
	final []change
}

// Keep is Record with what was suppressed.
func (l *Ledger) Keep(ctx context.Context, e Entry) error {
	bundles, err := l.bundles(e)
	if err != nil {
		return fmt.Errorf("ledger: rule %q: %w", e.RuleID, err)
	}
	w := writer{l: l, entry: e, partition: partitionOf(e.RuleID), lease: l.leaseOf(e.RuleID), bundles: bundles}
	if err := w.write(ctx); err != nil {
		return err
	}
	if l.selfPurge {
		_, err = l.purgeRule(ctx, e.RuleID, e.State.Watermark)
	}
	return err
}

// bundles returns what is to be written, each alert once.
func (l *Ledger) bundles(e Entry) ([]bundle, error) {
	partition := partitionOf(e.RuleID)
	var all []bundle
	add := func(b bundle, rows []*seenRow, first verb) error {
		for _, r := range rows {
			c := change{verb: replace, key: seenKey(b.hour, b.id, r.part), row: r}
			if r.part == 0 {
				c.verb = first
			}
			c, err := l.store.prepare(partition, c)
			if err != nil {
				return err
			}
			if r.part == 0 {
				b.final = slices.Insert(b.final, 0, c)
			} else {
				b.parts = append(b.parts, c)
			}
		}
		all = append(all, b)
		return nil
	}
	at := e.State.Watermark
	known := map[string]bool{}
	for i, a := range slices.Concat(e.Alerts, e.HeldBack) {
		if known[a.ID] {
			continue
		}
		known[a.ID] = true
		activities := remembered(a.Activities)
		rows := seenParts(a.ID, at, false, activities)
		if len(rows) == 0 { // an alert about nothing is recorded all the same
			rows = []*seenRow{{alertID: a.ID, at: at, parts: 1}}
		}
		for _, r := range rows {
			r.window = a.Window.End
		}
		b := bundle{hour: seenHour(at, activities), id: a.ID}
		switch {
		case i >= len(e.Alerts):
			if l.sentFor == 0 {
				break
			}
			c, err := l.store.prepare(partition, change{verb: replace, key: sentKey(at, a.ID), row: &outRow{seq: l.nextSeq(), recorded: at, alert: a}})
			if err != nil {
				return nil, err
			}
			b.final = append(b.final, c)
		case len(e.Destinations) > 0:
			out := &outRow{seq: l.nextSeq(), recorded: at, alert: a}
			for _, d := range e.Destinations {
				out.to = append(out.to, delivery{Name: d})
			}
			c, err := l.store.prepare(partition, change{verb: insert, key: outKey(a.ID), row: out})
			if err != nil {
				return nil, err
			}
			b.final = append(b.final, c)
		}
		if err := add(b, rows, insert); err != nil {
			return nil, err
		}
	}
	if len(e.Suppressed) > 0 {
		id := alert.NewID(e.RuleID, e.Suppressed)
		activities := remembered(e.Suppressed)
		b := bundle{hour: seenHour(at, activities), id: id}
		if err := add(b, seenParts(id, at, true, activities), replace); err != nil {
			return nil, err
		}
	}
	return all, nil
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

// writer writes an entry, one transaction after the other.
type writer struct {
	l         *Ledger
	entry     Entry
	partition string
	lease     *Lease
	bundles   []bundle // that are not written yet

	run  *runRow // as it was read
	etag string
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
	if w.lease != nil {
		w.run, w.etag, err = w.lease.current(ctx)
	} else {
		w.run, w.etag, err = w.l.run(ctx, w.entry.RuleID)
		if err == nil && w.run.holder != "" && w.l.now().Before(w.run.until) {
			err = &LeasedError{RuleID: w.entry.RuleID, Until: w.run.until}
		}
	}
	if err == nil && w.etag == "" {
		err = w.l.enlist(ctx, w.entry.RuleID)
	}
	return err
}

// step writes the next transaction, and reports whether it was the last.
func (w *writer) step(ctx context.Context) (done bool, err error) {
	next := &runRow{ruleID: w.entry.RuleID, state: w.entry.State.clone()}
	if w.lease != nil {
		next.holder, next.until = w.lease.holder, w.l.now().Add(w.lease.length)
	}
	runChange, err := w.l.runChange(next, w.etag)
	if err != nil {
		return false, err
	}
	var changes []change
	size, whole := runChange.size, 0
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
	case whole == len(w.bundles):
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
		n, size := 0, 0
		for n < len(b.parts) && n < maxChanges && (n == 0 || size+b.parts[n].size <= maxBytes) {
			size += b.parts[n].size
			n++
		}
		if _, err := w.l.store.commit(ctx, w.partition, b.parts[:n]...); err != nil {
			return false, err
		}
		b.parts = b.parts[n:]
		return false, nil
	}
	if _, err := w.l.store.commit(ctx, w.partition, changes...); err != nil {
		return false, err
	}
	w.bundles = w.bundles[whole:]
	return false, nil
}

// skipWritten drops what is written already.
func (w *writer) skipWritten(ctx context.Context) error {
	if len(w.bundles) == 0 {
		return nil
	}
	first, last := w.bundles[0].hour, w.bundles[0].hour
	for _, b := range w.bundles {
		first, last = min(first, b.hour), max(last, b.hour)
	}
	written := map[string]bool{}
	for _, keys := range [][2]string{
		{seenPrefix + first, prefixEnd(seenPrefix + last)},
		{outPrefix, prefixEnd(outPrefix)},
	} {
		for i, err := range w.l.store.list(ctx, w.partition, keys[0], keys[1], true) {
			if err != nil {
				return fmt.Errorf("ledger: rule %q: %w", w.entry.RuleID, err)
			}
			written[i.key] = true
		}
	}
	w.bundles = slices.DeleteFunc(w.bundles, func(b bundle) bool {
		return b.final[0].verb == insert && written[b.final[0].key]
	})
	for i := range w.bundles {
		// Still owed, though told under another hour: only the hour is new.
		b := &w.bundles[i]
		b.final = slices.DeleteFunc(slices.Clone(b.final), func(c change) bool {
			return c.verb == insert && written[c.key]
		})
	}
	return nil
}
