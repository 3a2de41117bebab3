package detect

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
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
}

// courier delivers what is owed to the destinations.
type courier struct {
	config    Config
	notifiers []notify.Notifier
	outbox    outbox
	notes     Notes
	// stopwatch returns a function that says how long ago it was called.
	stopwatch func() func() time.Duration
	// unnoted are the deliveries that were made and that the ledger could not
	// note. They are noted later and not made again. Only a tick uses it.
	unnoted map[delivered]bool
	// book is what was known of the addresses at the end of the last tick, or nil.
	book *addressBook
	// marks are where what a destination can be sent begins. Only a tick uses them.
	marks map[marked]*mark
}

// delivered is an alert that a destination has.
type delivered struct{ destination, alertID string }

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
	// parkedEvery is how often a tick fails because alerts are parked.
	parkedEvery = 24 * time.Hour
)

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
	known := true
	var damaged error
	read := func() error { // the book
		var unread error
		if c.book, damaged, unread = readAddresses(ctx, c.notes); unread != nil {
			// Then nothing is sent: some of them may want to be left alone.
			c.book, known = nil, false
			return unread
		}
		if damaged != nil {
			return fmt.Errorf("the note %q of rule %q is damaged and begins anew: %w", addressNote, HealthRuleID, damaged)
		}
		return nil
	}
	var bookErr error
	fresh := c.book == nil
	if fresh {
		bookErr = read()
	}
	settled := func() *addressBook {
		b := (&addressBook{}).clone()
		if known {
			b = c.book.clone()
			b.settle(tick)
		}
		return b
	}
	pages, err := c.pages(ctx, settled(), clock())
	incomplete := err != nil
	if err != nil {
		err = fmt.Errorf("reading what is owed: %w", err)
	}
	if !fresh && (slices.ContainsFunc(slices.Collect(maps.Values(pages)), (*page).some) || c.refusing()) {
		bookErr = read()
	}
	err = errors.Join(err, bookErr)
	before, book := c.book, settled()
	worth := known && damaged != nil // saving
	for i, n := range c.notifiers {
		sharing, cancel := share(ctx, len(c.notifiers)-i)
		t := &trip{courier: c, n: n, book: book, tick: tick, clock: clock, stopped: !known, incomplete: incomplete, handled: map[*ledger.Owed]bool{}, gone: map[*ledger.Owed]bool{}, unclaimable: map[*ledger.Owed]bool{}, visits: map[string]*visit{}}
		out := t.deliver(sharing, pages[n.Name()])
		cancel()
		worth = worth || t.worth
		out.Incomplete = incomplete
		if !known {
			out.Addresses = nil
		}
		if i == 0 {
			out.Err = errors.Join(err, out.Err)
		}
		outs = append(outs, out)
		delete(pages, n.Name())
	}
	// What is left is for destinations that there were once.
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if p := pages[name]; p.some() {
			out := Delivery{Destination: name, Orphaned: true, Incomplete: incomplete}
			out.count(p)
			outs = append(outs, out)
		}
	}
	if !known {
		return outs
	}
	for i := range outs {
		worth = book.parked(&outs[i], tick) || worth
	}
	worth = book.forget(c.notifiers, tick) || worth
	c.book = book
	if worth {
		var err error
		if c.book, err = saveAddresses(ctx, c.notes, before, book); err != nil && len(outs) > 0 {
			outs[0].Err = errors.Join(outs[0].Err, err)
		}
	}
	return outs
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
	out.Err = errors.Join(out.Err, fmt.Errorf("destination %s: %d alerts are parked, since it refused them: see handler outbox list --parked. One tick a day fails until they are sent again or dropped", out.Destination, out.Parked))
	return true
}

// share returns a context with an equal part of what is left of another's time:
// a destination that is slow, and has much to take, leaves the others theirs.
func share(ctx context.Context, destinations int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || destinations <= 1 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(destinations))
}

// trip is a tick's deliveries to one destination.
type trip struct {
	*courier
	n     notify.Notifier
	book  *addressBook
	tick  time.Time
	clock func() time.Time
	out   Delivery
	errs  []error

	page *page
	due  []*ledger.Owed // of the page
	// handled are those of due that were tried, or that another process sends.
	handled map[*ledger.Owed]bool
	// gone are those that are not owed any more, or parked.
	gone   map[*ledger.Owed]bool
	visits map[string]*visit // by the address's name
	// stopped says that nothing more is sent: the ledger could not note it.
	stopped bool
	// incomplete says that not all that is owed could be read.
	incomplete bool
	// unclaimed counts the claims in a row that failed, and unclaimable are the
	// alerts of all that did.
	unclaimed   int
	unclaimable map[*ledger.Owed]bool
	// singles counts the alerts that are sent one by one.
	singles int
	// worth says that the book has something that another process, or this one
	// after a restart, has to know.
	worth bool
}

// visit is an address on a trip.
type visit struct {
	name   string
	state  *address
	closed bool // nothing more is sent there in this tick
	inARow int  // deliveries that failed since one was taken
	splits int  // digests that were divided
	taken  bool
	tried  bool
	// failed is the last failure that was about the address, nil after it took
	// something. only is the alert that it was of, nil if it was of several.
	failed error
	only   *ledger.Owed
}

// deliver sends a destination what is owed to it and due, in the order in which
// it was recorded, until ctx ends.
func (t *trip) deliver(ctx context.Context, p *page) Delivery {
	elapsed := t.stopwatch()
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

// open says whether an address may be sent something now. Nothing is sent
// without asking it.
func (t *trip) open(ctx context.Context, s *visit) bool {
	return ctx.Err() == nil && !t.stopped && !s.closed
}

// visitOf returns the address that an alert goes to.
func (t *trip) visitOf(o *ledger.Owed) *visit {
	name := ""
	if r, ok := t.n.(notify.Router); ok {
		name = r.Address(*o.Alert)
	}
	return t.visitAt(name)
}

func (t *trip) visitAt(name string) *visit {
	if t.visits[name] == nil {
		key := addressKey(t.n.Name(), name)
		t.worth = t.worth || t.book.Addresses[key] == nil && t.beats() // it counts from now on
		state := t.book.of(key, t.clock())
		t.visits[name] = &visit{name: name, state: state, closed: !state.Refused.IsZero()}
	}
	return t.visits[name]
}

// beats reports whether the destination's addresses are sent heartbeats.
func (t *trip) beats() bool {
	_, ok := t.n.(notify.Beater)
	return ok && t.config.Heartbeat > 0
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
		if t.unnoted[delivered{t.n.Name(), o.Alert.ID}] {
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

// candidate returns the alert that a refused address is tried with, or nil: one
// that was tried least, from the first and from the last in turn, so that some
// that are never taken do not keep it closed. Before the address is due it is not
// the only one that it was tried with.
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
// and what is sent at once, in the order of the first of each. What was refused
// by itself comes last, and alone: it must not hold up the others again.
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

// single sends one alert, and reports whether it was sent or tried.
func (t *trip) single(ctx context.Context, s *visit, o *ledger.Owed) bool {
	whole, claimed := t.take(ctx, o)
	if claimed {
		t.one(ctx, s, o, whole)
	}
	return claimed
}

// take claims an alert. It is false if another process sends it, or if the
// ledger failed.
func (t *trip) take(ctx context.Context, o *ledger.Owed) (whole alert.Alert, claimed bool) {
	now := t.clock()
	whole, claimed, err := t.claim(ctx, o, now)
	if err != nil {
		// Of this alert alone, or of the ledger: the next ones tell.
		t.fail("claiming", o, err)
		t.unclaimable[o] = true
		if t.unclaimed++; t.unclaimed == maxFailures {
			t.stopped = true
		}
		return whole, false
	}
	t.unclaimed = 0
	t.handled[o] = true
	if claimed && !whole.Created.IsZero() && now.Sub(whole.Created) >= lateAfter {
		whole.SentAt = now
	}
	return whole, claimed
}

// one sends an alert that is claimed.
func (t *trip) one(ctx context.Context, s *visit, o *ledger.Owed, whole alert.Alert) {
	t.lead(ctx, &whole)
	sending, cancel := finishing(ctx, t.config.SendTimeout)
	err := guarded(func() error { return t.n.Notify(sending, whole) })
	cancel()
	if err == nil {
		t.took(ctx, s, o)
		return
	}
	verdict := judge(err)
	f := ledger.Failure{Err: err.Error(), Mark: s.state.Count, Unanswered: verdict.Unanswered, Counts: verdict.Message || !verdict.Repeatable && !verdict.Local && s.othersSince(o)}
	now := t.clock()
	switch {
	case f.Counts && t.config.ParkAfter > 0 && o.Counted+1 >= t.config.ParkAfter:
		f.Park = true
		err = fmt.Errorf("%w (refused %d times, it is parked: see handler outbox)", err, o.Counted+1)
	case f.Counts:
		if wait := t.backoff(o, o.Counted+1); wait > 0 {
			f.Next = now.Add(wait)
		}
	}
	t.fail("sending", o, err)
	t.missed(s, o, verdict, err)
	if t.noteFailure(ctx, o, f) && f.Park {
		t.gone[o] = true
		t.out.Parked++
		t.out.Pending--
		t.book.Parked[t.n.Name()] = t.tick // which fails for it
		t.worth = true
	}
}

// judge returns what an error of a destination says. A panic is about the alert.
func judge(err error) notify.Error {
	verdict := notify.Judge(err)
	if _, ok := errors.AsType[*PanicError](err); ok {
		verdict.Message = true
	}
	return verdict
}

// othersSince reports whether the address took something else since an alert was
// tried there in vain.
func (s *visit) othersSince(o *ledger.Owed) bool { return o.Attempts > 0 && s.state.Count > o.Mark }

// took notes that an address took alerts.
func (t *trip) took(ctx context.Context, s *visit, list ...*ledger.Owed) {
	t.worth = t.worth || !s.state.Refused.IsZero() || t.heard(s)
	s.inARow, s.failed, s.taken, s.tried = 0, nil, true, true
	s.state.accepted(t.clock())
	for _, o := range list {
		if t.stopped {
			// The ledger is down. What is not noted is sent again by another
			// process, and by this one noted later.
			t.unnoted[delivered{t.n.Name(), o.Alert.ID}] = true
			continue
		}
		t.note(ctx, o)
	}
}

// heard reports whether it matters that an address takes something: to alerts
// that it did not take, or to its heartbeat, for which about an hour is enough.
func (t *trip) heard(s *visit) bool {
	if t.beats() && t.clock().Sub(s.state.Taken) >= time.Hour {
		return true
	}
	return t.page.tried || s.failed != nil
}

// note notes that an alert was sent.
func (t *trip) note(ctx context.Context, o *ledger.Owed) {
	key := delivered{t.n.Name(), o.Alert.ID}
	if err := t.sent(ctx, o); err != nil {
		t.unnoted[key] = true
		t.stopped = true
		t.fail("noting the sending of", o, err)
		return
	}
	delete(t.unnoted, key)
	t.gone[o] = true
	t.out.Sent++
	t.out.Pending--
}

// noteFailure notes that an alert was sent in vain, and reports whether it could.
func (t *trip) noteFailure(ctx context.Context, o *ledger.Owed, f ledger.Failure) bool {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err := guarded(func() error { return t.outbox.Failed(ctx, *o, f) })
	if err != nil {
		t.stopped = true
		t.fail("noting the failure to send", o, err)
	}
	return err == nil
}

// missed notes that an address did not take an alert, and closes it if that says
// that it takes no others.
func (t *trip) missed(s *visit, o *ledger.Owed, verdict notify.Error, err error) {
	probing := !s.state.Refused.IsZero()
	s.tried = true
	if verdict.Local {
		s.closed = true // for this tick
		return
	}
	if verdict.Message {
		// It is up, since it knows what it does not like.
		s.inARow = 0
		if probing {
			s.state.reopen(t.clock())
			t.worth = true
		}
		return
	}
	s.inARow++
	if s.failed == nil {
		s.only = o
	} else if s.only != o {
		s.only = nil
	}
	if verdict.Shut || verdict.RetryAfter > 0 { // it says so of all
		s.only = nil
	}
	s.failed = err
	switch {
	case probing, verdict.Shut, verdict.RetryAfter > 0, s.inARow >= maxFailures && !s.taken:
		t.shut(s, verdict.RetryAfter)
	case s.inARow >= maxFailures && verdict.Unanswered:
		s.closed = true // for this tick, which has other things to do than to wait
	}
}

// shut notes that an address takes nothing. Where that is known of one alert
// alone, whose own attempts were as many, it waits as long as after these.
func (t *trip) shut(s *visit, retryAfter time.Duration) {
	s.closed = true
	switch {
	case s.only == nil:
		s.state.Only = ""
	case s.state.Refused.IsZero():
		s.state.Only, s.state.Tries = s.only.Alert.ID, s.only.Attempts
	case s.state.Only != s.only.Alert.ID:
		s.state.Only = ""
	}
	s.state.refused(t.tick, t.clock(), retryAfter, s.failed.Error())
	t.worth = true
}

// fail keeps an error about an alert for the report.
func (t *trip) fail(doing string, o *ledger.Owed, err error) {
	t.errs = append(t.errs, fmt.Errorf("destination %s: %s alert %s: %w", t.n.Name(), doing, o.Alert.ID, err))
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

// refusedError says that an address takes nothing, in a tick that does not try
// it.
func refusedError(destination string, a AddressRun) error {
	return fmt.Errorf("destination %s takes nothing since %s, %d alerts wait for it, and it is tried again at %s: %s",
		strings.TrimSpace(destination+" "+a.Name), a.Refused.UTC().Format(time.RFC3339), a.Waiting, a.Next.UTC().Format(time.RFC3339), a.Error)
}

// lead has an alert lead to the incident that a destination before this one made
// of it, if one did.
func (t *trip) lead(ctx context.Context, a *alert.Alert) {
	for _, n := range t.notifiers {
		if n.Name() == t.n.Name() {
			return
		}
		if o, ok := n.(notify.Opener); ok && a.IncidentURL == "" {
			ctx, cancel := finishing(ctx, leadTimeout)
			a.IncidentURL = o.IncidentURL(ctx, *a)
			cancel()
		}
	}
}

// backoff is how long an alert waits after so many attempts that count.
func (c *courier) backoff(o *ledger.Owed, attempts int) time.Duration {
	wait := c.config.MaxBackoff
	if doubled := float64(c.config.Backoff) * math.Pow(2, float64(attempts-1)); doubled < float64(wait) {
		wait = time.Duration(doubled)
	}
	// What spreads alerts out is made of what they are, so that a replay waits
	// as production did.
	h := fnv.New32a()
	fmt.Fprint(h, o.Alert.ID, o.Destination, attempts)
	return wait + wait/4*time.Duration(int64(h.Sum32()%2001)-1000)/1000
}

func (c *courier) claim(ctx context.Context, o *ledger.Owed, now time.Time) (whole alert.Alert, claimed bool, err error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err = guarded(func() error {
		whole, claimed, err = c.outbox.Claim(ctx, *o, now, now.Add(c.config.SendTimeout+claimFor))
		return err
	})
	return whole, claimed, err
}

func (c *courier) sent(ctx context.Context, o *ledger.Owed) error {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	return guarded(func() error { return c.outbox.Sent(ctx, *o) })
}
