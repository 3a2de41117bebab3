package detect

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
)

// delivered is an alert that a destination has, or an address of it.
type delivered struct{ destination, address, alertID string }

// deliveryOf names the delivery of what is owed.
func deliveryOf(o *ledger.Owed) delivered { return delivered{o.Destination, o.Address, o.Alert.ID} }

// trip is a tick's deliveries to one destination.
type trip struct {
	*courier
	n     notify.Notifier
	book  *addressBook
	tick  time.Time
	clock func() time.Time
	out   Delivery
	errs  []error

	due []*ledger.Owed // all that was read
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
	// singles counts the alerts that are sent one by one, and alone does so for each
	// rule and address.
	singles int
	alone   map[parcelOf]int
	// tried says that some alert was sent in vain in an earlier tick.
	tried bool
	// worth says that the book has something that another process, or this one
	// after a restart, has to know.
	worth bool
}

func newTrip(r *round, n notify.Notifier) *trip {
	t := &trip{
		courier: r.courier, n: n, alone: map[parcelOf]int{}, out: Delivery{Destination: n.Name()}, book: r.book, tick: r.tick, clock: r.clock, stopped: r.book == nil, incomplete: r.incomplete,
		handled: map[*ledger.Owed]bool{}, gone: map[*ledger.Owed]bool{}, unclaimable: map[*ledger.Owed]bool{}, visits: map[string]*visit{},
	}
	if t.book == nil {
		t.book = (&addressBook{}).clone()
	}
	return t
}

// parcelOf is what alerts are sent at once by.
type parcelOf struct {
	ruleID string
	to     *visit
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

// open says whether an address may be sent something now. Nothing is sent
// without asking it.
func (t *trip) open(ctx context.Context, s *visit) bool {
	return ctx.Err() == nil && !t.stopped && !s.closed
}

// visitOf returns the address that an alert goes to.
func (t *trip) visitOf(o *ledger.Owed) *visit {
	return t.visitAt(addressOf(t.n, o))
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

// single sends one alert, and reports whether it was sent or tried.
func (t *trip) single(ctx context.Context, s *visit, o *ledger.Owed) bool {
	whole, claimed := t.claim(ctx, o)
	if claimed {
		t.one(ctx, s, o, whole)
	}
	return claimed
}

// claim claims an alert. It is false if another process sends it, or if the
// ledger failed.
func (t *trip) claim(ctx context.Context, o *ledger.Owed) (whole alert.Alert, claimed bool) {
	now := t.clock()
	whole, claimed, err := t.reserve(ctx, o, now)
	if err != nil {
		// Of this alert alone, or of the ledger: the next ones show which.
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
	if b, ok := t.n.(notify.Batcher); ok {
		t.batched(ctx, s, b, []claimedAlert{{o, whole}})
		return
	}
	t.lead(ctx, &whole)
	sending, cancel := finishing(ctx, t.config.SendTimeout)
	err := guarded(func() error { return t.n.Notify(sending, whole) })
	cancel()
	if err == nil {
		t.accepted(ctx, s, o)
		return
	}
	t.refused(ctx, s, o, err)
}

// refused notes that an address did not take an alert.
func (t *trip) refused(ctx context.Context, s *visit, o *ledger.Owed, err error) {
	verdict := judge(err)
	f := ledger.Failure{Err: err.Error(), Mark: s.state.Count, Unanswered: verdict.Unanswered, Counts: verdict.Message || !verdict.Repeatable && !verdict.Local && s.othersSince(o), Next: verdict.Next}
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

// accepted notes that an address took alerts.
func (t *trip) accepted(ctx context.Context, s *visit, list ...*ledger.Owed) {
	t.worth = t.worth || !s.state.Refused.IsZero() || t.heard(s)
	s.inARow, s.failed, s.taken, s.tried = 0, nil, true, true
	s.state.accepted(t.clock())
	for _, o := range list {
		if t.stopped {
			// The ledger is down. What is not noted is sent again by another
			// process, and by this one noted later.
			t.unnoted[deliveryOf(o)] = t.clock()
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
	return t.tried || s.failed != nil
}

// note notes that an alert was sent.
func (t *trip) note(ctx context.Context, o *ledger.Owed) {
	key := deliveryOf(o)
	if err := t.sent(ctx, o); err != nil {
		t.unnoted[key] = t.clock()
		t.stopped = true
		t.fail("noting the sending of", o, err)
		return
	}
	delete(t.unnoted, key)
	t.gone[o] = true
	t.out.Sent++
	t.out.Slowest = max(t.out.Slowest, t.clock().Sub(o.Alert.Created))
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

// lead has an alert lead to the incident that a destination before this one made
// of it, if one did: one with a number that analysts know rather than another.
func (t *trip) lead(ctx context.Context, a *alert.Alert) {
	for _, n := range t.notifiers {
		if n.Name() == t.n.Name() {
			return
		}
		o, opens := n.(notify.Opener)
		numberer, numbers := n.(notify.Numberer)
		if !opens || a.IncidentURL != "" && !numbers {
			continue
		}
		ctx, cancel := finishing(ctx, leadTimeout)
		if url := o.IncidentURL(ctx, *a); url != "" {
			a.IncidentURL, a.IncidentNumber = url, ""
			if numbers {
				a.IncidentNumber = numberer.IncidentNumber(ctx, *a)
			}
		}
		cancel()
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

func (c *courier) reserve(ctx context.Context, o *ledger.Owed, now time.Time) (whole alert.Alert, claimed bool, err error) {
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

// refusedError says that an address takes nothing, in a tick that does not try
// it.
func refusedError(destination string, a AddressRun) error {
	return fmt.Errorf("destination %s has taken nothing since %s, %s for it, and it is tried again at %s: %s",
		strings.TrimSpace(destination+" "+a.Name), a.Refused.UTC().Format(time.RFC3339), counted(a.Waiting, "alert waits", "alerts wait"), a.Next.UTC().Format(time.RFC3339), a.Error)
}
