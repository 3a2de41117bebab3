package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
)

// outbox is what a courier needs of the ledger: see there what each method does.
type outbox interface {
	Rules(ctx context.Context) ([]string, error)
	Waiting(ctx context.Context, ruleID string, from ledger.Place) iter.Seq2[[]ledger.Owed, error]
	Claim(ctx context.Context, owed ledger.Owed, now, until time.Time) (alert.Alert, bool, error)
	Sent(ctx context.Context, owed ledger.Owed) error
	Failed(ctx context.Context, owed ledger.Owed, f ledger.Failure) error
	Tally(ctx context.Context, ruleIDs []string, since time.Time) (ledger.Tally, error)
}

// courier delivers what is owed to the destinations.
type courier struct {
	config    Config
	notifiers []notify.Notifier
	outbox    outbox
	notes     Notes
	// unnoted are the deliveries that were made and that the ledger could not
	// note. They are noted later and not made again. Only a tick uses it.
	unnoted map[delivered]time.Time // when each was made
	// book is what was known of the addresses at the end of the last tick, or nil.
	book *addressBook
	// marks are where what a destination can be sent begins. Only a tick uses them.
	marks map[marked]*mark
	// seen is how far the tick before looked at what is due of a rule.
	seen map[string]ledger.Place
}

const (
	// maxFailures is how many deliveries in a row an address may fail to take
	// before the tick leaves it alone. One bad alert does not hold up those behind
	// it, and a destination that is down does not use up the tick's time.
	maxFailures = 3
	// claimFor is how long an alert is reserved beyond the time that sending it
	// may take.
	claimFor = 3 * saveTimeout
	// leadTimeout is how long looking for the incident of an alert may take: the
	// alert is claimed already.
	leadTimeout = 5 * time.Second
	// lateAfter is how long after it was made an alert is late.
	lateAfter = 10 * time.Minute
	// unnotedFor is how long it is remembered that a delivery was made which could
	// not be noted: after so long somebody else has settled it.
	unnotedFor = 30 * 24 * time.Hour
	// parkedEvery is how often a tick fails because alerts are parked.
	parkedEvery = 24 * time.Hour
)

func newCourier(config Config, notifiers []notify.Notifier, outbox outbox, notes Notes) *courier {
	return &courier{config: config, notifiers: notifiers, outbox: outbox, notes: notes, unnoted: map[delivered]time.Time{}, marks: map[marked]*mark{}, seen: map[string]ledger.Place{}}
}

// deliverAll sends each destination what it is owed. tick is the time of the
// tick, and clock gives that and what has passed of it.
func (c *courier) deliverAll(ctx context.Context, tick time.Time, clock func() time.Time) []Delivery {
	outs := make([]Delivery, 0, len(c.notifiers))
	if errors.Is(ctx.Err(), context.Canceled) { // somebody waits for the tick to end
		for _, n := range c.notifiers {
			outs = append(outs, Delivery{Destination: n.Name(), Unread: true})
		}
		return outs
	}
	maps.DeleteFunc(c.unnoted, func(_ delivered, made time.Time) bool { return tick.Sub(made) > unnotedFor })
	r := &round{courier: c, tick: tick, clock: clock}
	r.begin(ctx)
	for i, n := range c.notifiers {
		sharing, cancel := share(ctx, len(c.notifiers)-i)
		out := r.visit(sharing, n)
		cancel()
		if i == 0 {
			out.Err = errors.Join(r.err, out.Err)
		}
		outs = append(outs, out)
	}
	c.follow(ctx, tick, outs)
	outs = append(outs, r.orphans()...)
	r.end(ctx, outs)
	return outs
}

// round is what the deliveries of a tick have in common.
type round struct {
	*courier
	tick  time.Time
	clock func() time.Time
	pages map[string]*page // by destination
	// incomplete says that not all that is owed could be read.
	incomplete bool
	// before is the book of addresses as it was read, and book what becomes of it.
	// Without one nothing is sent: some address may want to be left alone.
	before, book *addressBook
	// worth says that what became of the book is to be saved.
	worth bool
	err   error // of what was read
}

// begin reads the book of addresses and what is owed.
func (r *round) begin(ctx context.Context) {
	known := true
	read := func() error {
		book, damaged, err := readAddresses(ctx, r.notes)
		r.courier.book, known = book, err == nil
		if r.worth = damaged != nil; damaged != nil {
			return fmt.Errorf("the note %q of rule %q is damaged, and is replaced: %w", addressNote, HealthRuleID, damaged)
		}
		return err
	}
	settled := func() *addressBook {
		b := (&addressBook{}).clone()
		if known {
			b = r.courier.book.clone()
			b.settle(r.tick)
		}
		return b
	}
	// What an address that refuses can be sent depends on the book: another process
	// may have it tried.
	fresh := r.courier.book == nil || r.refusing()
	var unknown error
	if fresh {
		unknown = read()
	}
	pages, err := r.courier.pages(ctx, settled(), r.clock())
	if r.pages, r.incomplete = pages, err != nil; err != nil {
		err = fmt.Errorf("reading what is owed: %w", err)
	}
	if !fresh && slices.ContainsFunc(slices.Collect(maps.Values(pages)), (*page).some) {
		unknown = read()
	}
	r.err = errors.Join(err, unknown)
	if known {
		r.before, r.book = r.courier.book, settled()
	}
}

// visit sends a destination what it is owed.
func (r *round) visit(ctx context.Context, n notify.Notifier) Delivery {
	t := newTrip(r, n)
	out := t.deliver(ctx, r.pages[n.Name()])
	r.worth = r.worth || t.worth
	out.Incomplete = r.incomplete
	if r.book == nil {
		out.Addresses = nil
	}
	return out
}

// orphans returns what is owed to destinations that there were once.
func (r *round) orphans() (outs []Delivery) {
	for _, name := range slices.Sorted(maps.Keys(r.pages)) {
		here := slices.ContainsFunc(r.notifiers, func(n notify.Notifier) bool { return n.Name() == name })
		if p := r.pages[name]; !here && p.some() {
			out := Delivery{Destination: name, Orphaned: true, Incomplete: r.incomplete}
			out.count(p)
			outs = append(outs, out)
		}
	}
	return outs
}

// end saves what has become of the addresses.
func (r *round) end(ctx context.Context, outs []Delivery) {
	if r.book == nil {
		return
	}
	for i := range outs {
		r.worth = r.book.parked(&outs[i], r.tick) || r.worth
	}
	r.worth = r.book.forget(r.notifiers, r.tick) || r.worth
	r.courier.book = r.book
	if !r.worth {
		return
	}
	var err error
	if r.courier.book, err = saveAddresses(ctx, r.notes, r.before, r.book); err != nil && len(outs) > 0 {
		outs[0].Err = errors.Join(outs[0].Err, err)
	}
}

// refusing reports whether some address was refused when it was last tried.
func (c *courier) refusing() bool {
	for _, a := range c.book.Addresses {
		if !a.Refused.IsZero() {
			return true
		}
	}
	return false
}

// parked fails a tick a day while alerts for a destination are parked, so that
// whoever watches the ticks hears of it. It reports whether it changed the book.
func (b *addressBook) parked(out *Delivery, now time.Time) bool {
	at, known := b.Parked[out.Destination]
	switch {
	case out.Parked == 0:
		if known && !out.Incomplete {
			delete(b.Parked, out.Destination)
			return true
		}
		return false
	case known && now.Sub(at) < parkedEvery:
		return false
	}
	b.Parked[out.Destination] = now
	out.Err = errors.Join(out.Err, fmt.Errorf("destination %s: %s parked, as it refused what was sent: see handler outbox list --parked. One tick a day fails until nothing is parked any more", out.Destination, out.atLeast(out.Parked, "alert is", "alerts are")))
	return true
}

// share returns a context with an equal part of what is left of another's time.
// So a destination that is slow, and has much to take, leaves the others
// theirs.
func share(ctx context.Context, destinations int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || destinations <= 1 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(destinations))
}

// deliver sends a destination what is owed to it and due, in the order in which
// it was recorded, until ctx ends.
func (t *trip) deliver(ctx context.Context, p *page) Delivery {
	elapsed := t.config.stopwatch()
	t.out.Destination, t.page, t.due = t.n.Name(), p, p.due
	t.out.count(p)
	t.noteEarlier(ctx)
	t.send(ctx)
	// After those that work, since each may take long not to answer.
	if t.probe(ctx) {
		t.send(ctx)
	}
	t.conclude()
	t.out.Duration = elapsed()
	return t.out
}

// send sends what is due for the addresses that are open.
func (t *trip) send(ctx context.Context) {
	if b, ok := t.n.(notify.Batcher); ok {
		t.batch(ctx, b)
		return
	}
	for _, p := range t.parcels() {
		s := t.visitOf(p[0])
		switch {
		case ctx.Err() != nil:
			if !t.stopped && !s.closed {
				t.out.Left += len(p)
			}
		case !t.open(ctx, s):
		case len(p) == 1:
			t.single(ctx, s, p[0])
		default:
			t.digest(ctx, s, p)
		}
	}
}

// order returns the addresses in the order of what is due for them.
func (t *trip) order() []*visit {
	var list []*visit
	for _, o := range t.due {
		if s := t.visitOf(o); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// noteEarlier notes the deliveries of earlier ticks that could not be noted
// then. Nothing is sent for that.
func (t *trip) noteEarlier(ctx context.Context) {
	for _, o := range t.due {
		if ctx.Err() != nil || t.stopped {
			return
		}
		if _, made := t.unnoted[delivered{t.n.Name(), o.Alert.ID}]; made {
			t.handled[o] = true
			t.note(ctx, o)
		}
	}
}

// probe tries each refused address that is due, with one of its alerts, and
// reports whether one takes it: then that address is open again.
func (t *trip) probe(ctx context.Context) (opened bool) {
	for _, s := range t.order() {
		// Another alert than the only one that it did not take need not wait.
		if !s.state.due(t.clock()) && (s.state.Only == "" || t.candidate(s) == nil) || s.tried || ctx.Err() != nil || t.stopped {
			continue
		}
		s.closed = false
		for range maxFailures { // some may be another process's
			o := t.candidate(s)
			if o == nil || t.single(ctx, s, o) || t.stopped {
				break
			}
		}
		s.closed = s.closed || !s.state.Refused.IsZero()
		opened = opened || !s.closed
	}
	return opened
}

// candidate returns the alert that a refused address is tried with, or nil. It
// is one that was tried least, from the first and from the last in turn, so
// that some that are never accepted do not keep it closed. Before the address
// is due it is not the only one that it was tried with.
func (t *trip) candidate(s *visit) (best *ledger.Owed) {
	due := s.state.due(t.clock())
	for _, o := range t.due {
		if t.handled[o] || t.unclaimable[o] || t.visitOf(o) != s || !due && o.Alert.ID == s.state.Only {
			continue
		}
		if best == nil || o.Attempts < best.Attempts || o.Attempts == best.Attempts && s.state.Tries%2 == 1 {
			best = o
		}
	}
	return best
}

// parcels divides what is due for open addresses into what is sent one by one
// and what is sent at once. They are in the order of the first alert of each.
// What was refused by itself comes last, and alone: it must not hold up the
// others again.
func (t *trip) parcels() [][]*ledger.Owed {
	type group struct {
		rule string
		at   *visit
	}
	most := math.MaxInt
	if d, ok := t.n.(notify.Digester); ok && d.Most() > 0 {
		most = d.Most()
	}
	count := map[group]int{}
	var list, suspects []*ledger.Owed
	for _, o := range t.due {
		switch s := t.visitOf(o); {
		case t.handled[o] || s.closed:
		case o.Counted > 0:
			suspects = append(suspects, o)
		default:
			list = append(list, o)
			count[group{o.Alert.RuleID, s}]++
		}
	}
	var parcels [][]*ledger.Owed
	single := func(o *ledger.Owed) {
		if t.singles < t.config.SendLimit || t.config.SendLimit == 0 {
			parcels = append(parcels, []*ledger.Owed{o})
			t.singles++
		}
	}
	digests := map[group]int{} // the index of each
	for _, o := range list {
		g := group{o.Alert.RuleID, t.visitOf(o)}
		i, begun := digests[g]
		switch {
		case count[g] <= most:
			single(o)
		case !begun:
			digests[g] = len(parcels)
			parcels = append(parcels, []*ledger.Owed{o})
		case len(parcels[i]) < mostDigested:
			parcels[i] = append(parcels[i], o)
		}
	}
	for _, o := range suspects {
		single(o)
	}
	return parcels
}

// conclude says in the report what the destination is still owed, and which of
// its addresses refuse.
func (t *trip) conclude() {
	t.out.Behind += t.page.behind
	for _, o := range t.due {
		if !t.handled[o] {
			t.out.Behind++
		}
	}
	for _, name := range addressesOf(t.n) {
		t.visitAt(name)
	}
	for _, name := range slices.Sorted(maps.Keys(t.visits)) {
		s := t.visits[name]
		if s.failed != nil && !s.taken && !s.closed {
			t.shut(s, 0) // what else is owed to it waits
		}
		run := AddressRun{Name: name, Refused: s.state.Refused, Next: s.state.Next, LastTaken: s.state.Taken, Error: s.state.Error}
		waiting := t.page.waiting[name]
		for _, o := range t.due {
			if !t.gone[o] && t.visitOf(o) == s {
				waiting = waiting.add(1, o.Alert.Created)
			}
		}
		run.Waiting, run.Oldest = waiting.count, waiting.oldest
		switch {
		case run.Refused.IsZero() || s.tried:
		case run.Waiting > 0 || t.beats() && run.Next.After(t.clock()):
			t.errs = append(t.errs, refusedError(t.n.Name(), run))
		case !t.beats() && !t.incomplete: // nothing is left that could be tried, so that is over
			s.state.reopen(t.clock())
			run.Refused, run.Next, run.Error, t.worth = time.Time{}, time.Time{}, "", true
		}
		t.out.Addresses = append(t.out.Addresses, run)
	}
	t.out.Err = errors.Join(t.errs...)
}
