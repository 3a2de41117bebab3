package detect

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync"
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
	rules     division
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

func newCourier(config Config, rules division, notifiers []notify.Notifier, outbox outbox, notes Notes) *courier {
	return &courier{config: config, rules: rules, notifiers: notifiers, outbox: outbox, notes: notes, unnoted: map[delivered]time.Time{}, marks: map[marked]*mark{}, seen: map[string]ledger.Place{}}
}

// deliver begins to send each destination what it is owed. tick is the time of the
// tick, and clock gives that and what has passed of it. What it returns is told of
// what is recorded meanwhile, and is to be ended.
func (c *courier) deliver(ctx context.Context, tick time.Time, clock func() time.Time) *round {
	r := &round{courier: c, ctx: ctx, tick: tick, clock: clock, byRule: map[string]pages{}, known: map[delivered]bool{}, wake: make(chan struct{}, 1), over: make(chan struct{})}
	if c.config.InOrder {
		close(r.over)
		return r
	}
	// It is read before anything is recorded, so that what is sent first is older than
	// all that may update it.
	earlier := r.read(nil)
	go func() {
		defer close(r.over)
		r.guard(func() { r.send(earlier) })
		for range r.wake {
			r.guard(func() { r.work(r.take()) })
		}
	}()
	return r
}

// round is what the deliveries of a tick have in common. What earlier ticks left
// is read and sent at once, and then what each rule records as soon as that is all
// of it: alerts need not wait for other rules.
type round struct {
	*courier
	ctx   context.Context
	tick  time.Time
	clock func() time.Time
	wake  chan struct{}
	over  chan struct{} // closed when the work beside the rules is

	mu       sync.Mutex
	recorded []string // the rules that recorded something since they were read

	// The rest is the worker's, and who ends the round's.

	// begun says that what earlier ticks left was read.
	begun  bool
	byRule map[string]pages   // what was read of each last
	known  map[delivered]bool // what is due of all that was read
	trips  []*trip            // nil until something is owed
	// incomplete says that not all that is owed could be read, and unread that some
	// was not as the tick was cancelled.
	incomplete, unread bool
	// before is the book of addresses as it was read, and book what becomes of it.
	// Without one nothing is sent: some address may want to be left alone. asked
	// says that it was read in this tick.
	before, book *addressBook
	asked        bool
	// worth says that what became of the book is to be saved.
	worth bool
	errs  []error // of what was read
}

// tell has what rules recorded be sent.
func (r *round) tell(ruleIDs ...string) {
	r.mu.Lock()
	r.recorded = append(r.recorded, ruleIDs...)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// take returns the rules that recorded something since it was called last.
func (r *round) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.recorded
	r.recorded = nil
	return list
}

// end sends what is left and returns what became of all.
func (r *round) end() []Delivery {
	close(r.wake)
	<-r.over
	var outs []Delivery
	r.guard(func() { r.work(r.take()) })
	if r.unread && !r.begun {
		for _, n := range r.notifiers {
			outs = append(outs, Delivery{Destination: n.Name(), Unread: true})
		}
		return outs
	}
	r.depart()
	for i, t := range r.trips {
		r.finish(t, i)
		t.incomplete = r.incomplete
		out := t.conclude(r.pageOf(t.n.Name()))
		r.worth = r.worth || t.worth
		out.Incomplete, out.Unread = r.incomplete, r.unread
		if r.book == nil {
			out.Addresses = nil
		}
		if i == 0 {
			out.Err = errors.Join(append(r.errs, out.Err)...)
		}
		outs = append(outs, out)
	}
	r.courier.follow(r.ctx, r.tick, outs)
	outs = append(outs, r.orphans()...)
	r.save(outs)
	return outs
}

// guard does a part of the work. A panic in it is an error of the tick: nobody else
// would recover from it beside the rules.
func (r *round) guard(work func()) {
	if err := guarded(func() error { work(); return nil }); err != nil {
		r.incomplete = true
		r.errs = append(r.errs, fmt.Errorf("sending what is owed: %w", err))
	}
}

// work sends what earlier ticks left, once, and after that what rules recorded
// since.
func (r *round) work(recorded []string) {
	if !r.begun || len(recorded) > 0 {
		r.send(r.read(recorded))
	}
}

// send sends what was read.
func (r *round) send(byRule map[string]pages) {
	if !r.some() {
		return
	}
	r.depart()
	for i, t := range r.trips {
		var due []*ledger.Owed
		for _, pages := range byRule {
			if p := pages[t.n.Name()]; p != nil {
				due = append(due, p.due...)
				t.tried = t.tried || p.tried
			}
		}
		slices.SortStableFunc(due, compareDue)
		r.visit(t, i, due)
	}
}

// finish sends a destination what there was no time for before, and tries what
// refuses.
func (r *round) finish(t *trip, i int) {
	sharing, cancel := share(r.ctx, len(r.trips)-i)
	defer cancel()
	t.guard(func() {
		if t.out.Left > 0 {
			t.deliver(sharing, nil)
		}
		t.retry(sharing)
	})
}

// visit sends a destination what is due, with an equal part of the time for it and
// those after it.
func (r *round) visit(t *trip, i int, due []*ledger.Owed) {
	sharing, cancel := share(r.ctx, len(r.trips)-i)
	defer cancel()
	t.guard(func() { t.deliver(sharing, due) })
}

// guard does a part of a trip. A panic in it is the destination's alone: nothing more
// is sent there in this tick.
func (t *trip) guard(work func()) {
	if err := guarded(func() error { work(); return nil }); err != nil {
		t.stopped = true
		t.errs = append(t.errs, fmt.Errorf("destination %s: %w", t.n.Name(), err))
	}
}

// read reads what earlier ticks left, once, and after that what rules recorded
// since.
func (r *round) read(recorded []string) map[string]pages {
	if errors.Is(r.ctx.Err(), context.Canceled) { // somebody waits for the tick to end
		r.unread = true
		return nil
	}
	if !r.begun {
		r.begun, recorded = true, nil
		maps.DeleteFunc(r.unnoted, func(_ delivered, made time.Time) bool { return r.tick.Sub(made) > unnotedFor })
		// What an address that refuses can be sent depends on the book: another process
		// may have it tried.
		if r.courier.book == nil || r.refusing() {
			r.ask()
		}
	}
	byRule, err := r.courier.read(r.ctx, r.settled(), r.clock(), recorded, r.known)
	if err != nil {
		r.incomplete = true
		r.errs = append(r.errs, fmt.Errorf("reading what is owed: %w", err))
	}
	for id, pages := range byRule {
		r.byRule[id] = pages
		for _, p := range pages {
			for _, o := range p.due {
				r.known[deliveryOf(o)] = true
			}
		}
	}
	return byRule
}

// some reports whether anything is owed.
func (r *round) some() bool {
	for _, pages := range r.byRule {
		if pages.some() {
			return true
		}
	}
	return false
}

// pageOf returns all that is owed to a destination, as it was read last.
func (r *round) pageOf(destination string) *page {
	all := newPage()
	for _, pages := range r.byRule {
		if p := pages[destination]; p != nil {
			all.add(p)
		}
	}
	return all
}

// ask reads the book of addresses, once in a tick.
func (r *round) ask() {
	r.asked = true
	book, damaged, err := readAddresses(r.ctx, r.notes)
	r.courier.book = book
	if damaged != nil {
		r.worth = true
		err = fmt.Errorf("the note %q of rule %q is damaged, and is replaced: %w", addressNote, HealthRuleID, damaged)
	}
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

// settled returns what is known of the addresses.
func (r *round) settled() *addressBook {
	if r.courier.book == nil {
		return (&addressBook{}).clone()
	}
	b := r.courier.book.clone()
	b.settle(r.tick)
	return b
}

// depart begins the trips to the destinations. Before it anything is sent the book
// of addresses is read.
func (r *round) depart() {
	if r.trips != nil {
		return
	}
	if !r.asked && r.some() {
		r.ask()
	}
	if r.courier.book != nil {
		r.before, r.book = r.courier.book, r.settled()
	}
	r.trips = []*trip{}
	for _, n := range r.notifiers {
		r.trips = append(r.trips, newTrip(r, n))
	}
}

// orphans returns what is owed to destinations that there were once.
func (r *round) orphans() (outs []Delivery) {
	names := map[string]bool{}
	for _, pages := range r.byRule {
		for name := range pages {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		here := slices.ContainsFunc(r.notifiers, func(n notify.Notifier) bool { return n.Name() == name })
		if p := r.pageOf(name); !here && p.some() {
			out := Delivery{Destination: name, Orphaned: true, Incomplete: r.incomplete}
			out.count(p)
			outs = append(outs, out)
		}
	}
	return outs
}

// save saves what has become of the addresses.
func (r *round) save(outs []Delivery) {
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
	if r.courier.book, err = saveAddresses(r.ctx, r.notes, r.before, r.book); err != nil && len(outs) > 0 {
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

// deliver sends a destination what else is owed to it and due, in the order in
// which it was recorded, until ctx ends.
func (t *trip) deliver(ctx context.Context, due []*ledger.Owed) {
	elapsed := t.config.stopwatch()
	t.due, t.out.Left = append(t.due, due...), 0
	t.noteEarlier(ctx)
	t.send(ctx)
	t.out.Duration += elapsed()
}

// retry tries addresses that refuse. It comes last, since each may take long not to
// answer.
func (t *trip) retry(ctx context.Context) {
	elapsed := t.config.stopwatch()
	if t.probe(ctx) {
		t.send(ctx)
	}
	t.out.Duration += elapsed()
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
			if t.single(ctx, s, p[0]) {
				t.singles++
				t.alone[parcelOf{p[0].Alert.RuleID, s}]++
			}
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
		if _, made := t.unnoted[deliveryOf(o)]; made {
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
	most := math.MaxInt
	if d, ok := t.n.(notify.Digester); ok && d.Most() > 0 {
		most = d.Most()
	}
	count := maps.Clone(t.alone)
	var list, suspects []*ledger.Owed
	for _, o := range t.due {
		switch s := t.visitOf(o); {
		case t.handled[o] || s.closed:
		case o.Counted > 0:
			suspects = append(suspects, o)
		default:
			list = append(list, o)
			count[parcelOf{o.Alert.RuleID, s}]++
		}
	}
	var parcels [][]*ledger.Owed
	singles := t.singles
	single := func(o *ledger.Owed) {
		if singles < t.config.SendLimit || t.config.SendLimit == 0 {
			parcels = append(parcels, []*ledger.Owed{o})
			singles++
		}
	}
	digests := map[parcelOf]int{} // the index of each
	for _, o := range list {
		g := parcelOf{o.Alert.RuleID, t.visitOf(o)}
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

// conclude returns what the destination is still owed, which of its addresses
// refuse, and what became of the rest: page is all that was read for it.
func (t *trip) conclude(page *page) Delivery {
	page.due = t.due // also what a rule owed when it was read before
	t.out.count(page)
	t.out.Behind += page.behind
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
		waiting := page.waiting[name]
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
	return t.out
}
