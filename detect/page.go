package detect

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"pushback/detect/ledger"
	"pushback/detect/notify"
)

const (
	// mostPaged is how many alerts of a rule a tick takes for an address at most.
	// More than that it does not send: see mostDigested.
	mostPaged = mostDigested
	// mostScanned is how many alerts of a rule a tick looks at for a
	// destination once it has as many as it may. mostCounted is how many it
	// looks at that wait for a time, are parked, or may be what a refused
	// address is tried with.
	mostScanned, mostCounted = 5000, 1000
	// markedFrom is from how many alerts on, that a destination cannot be sent, a
	// tick begins behind them.
	markedFrom = 100
	// markLife is after how long a destination's alerts are looked at from the
	// first on all the same.
	markLife = 24 * time.Hour
)

// page is what a tick takes from the outbox for one destination. What a tick
// asks of the ledger depends on that and not on how much waits.
type page struct {
	// due are the alerts that may be sent now, in the order in which they were
	// recorded.
	due []*ledger.Owed
	// waiting is what else is owed and not parked, by the name of the address.
	waiting map[string]backlog
	parked  int
	// tried says that some alert was sent in vain before.
	tried bool
	// more says that there is more than was read, and behind counts what of that is
	// known to be due.
	more   bool
	behind int
}

// backlog counts alerts.
type backlog struct {
	count  int
	oldest time.Time // when the oldest was made
}

func (b backlog) add(count int, oldest time.Time) backlog {
	if b.oldest.IsZero() || oldest.Before(b.oldest) {
		b.oldest = oldest
	}
	b.count += count
	return b
}

// mark is how far the alerts that are due of a rule hold nothing that a
// destination can be sent: it has them, or their address refuses.
type mark struct {
	place   ledger.Place // behind the last of them
	count   int
	waiting map[string]backlog // of them, by the name of the address that refuses
	parked  int                // of them
	since   time.Time
}

// marked says whose mark it is.
type marked struct{ ruleID, destination string }

// reader reads a rule's outbox for one destination.
type reader struct {
	name string
	n    notify.Notifier // nil if there is none of the name any more
	book *addressBook
	now  time.Time
	page *page
	// known are alerts that were read earlier in the tick.
	known map[delivered]bool

	// seen is how far the tick before looked. What came since may still get company
	// before it, from a process whose clock is behind.
	seen  ledger.Place
	start ledger.Place
	mark  mark
	// probed are the addresses that the mark passed and that are to be tried.
	probed map[string]bool
	open   bool // the mark may still grow
	due    map[string]int
	full   bool // some address has as many as it may
	beyond int  // how many were looked at since
	cut    bool // not all that is due was read
}

// address returns the name of the address that an alert goes to.
func (r *reader) address(o *ledger.Owed) string { return addressOf(r.n, o) }

// state returns what is known of an address, or nil.
func (r *reader) state(name string) *address {
	return r.book.Addresses[addressKey(r.name, name)]
}

// refuses reports whether an address takes nothing and is not to be tried now.
func (r *reader) refuses(address string) bool {
	a := r.state(address)
	// With another alert than the only one that it did not take it is tried at once.
	return a != nil && !a.Refused.IsZero() && !a.due(r.now) && a.Only == ""
}

// begin takes over the mark of an earlier tick if it still holds.
func (r *reader) begin(m *mark) {
	r.start, r.open = ledger.FirstPlace, true
	r.mark = mark{waiting: map[string]backlog{}, since: r.now}
	if m == nil || r.now.Sub(m.since) >= markLife || r.now.Before(m.since) {
		return
	}
	probed := map[string]bool{}
	for address := range m.waiting {
		switch a := r.state(address); {
		case r.n == nil || r.refuses(address):
		case a == nil || a.Refused.IsZero():
			return // it takes them now
		default:
			probed[address] = true
		}
	}
	r.probed = probed
	r.start, r.mark = m.place, *m
	r.mark.waiting = maps.Clone(m.waiting)
	for address, b := range m.waiting {
		r.page.waiting[address] = r.page.waiting[address].add(b.count, b.oldest)
	}
	r.page.parked += m.parked
}

// read takes what is at the next place of the outbox: list is what all destinations
// wait for there.
func (r *reader) read(list []ledger.Owed) {
	place := list[0].Place
	if place < r.start || r.cut && place < ledger.LaterPlace {
		return
	}
	if r.full && place < ledger.LaterPlace {
		if r.beyond++; r.beyond > mostScanned {
			r.cut, r.page.more = true, true
			r.page.behind++
			return
		}
	}
	mine := r.mine(list)
	if len(mine) == 0 {
		r.pass(list[0])
		return
	}
	// The mark goes behind an alert if it may go behind each delivery of it.
	passed := true
	for _, o := range mine {
		passed = r.readOne(o) && passed
	}
	if !passed {
		r.open = false
		return
	}
	if !r.pass(*mine[0]) {
		return
	}
	for _, o := range mine {
		if o.Parked {
			r.mark.parked++
			continue
		}
		address := r.address(o)
		r.mark.waiting[address] = r.mark.waiting[address].add(1, o.Alert.Created)
	}
}

// mine returns what the destination is owed of an alert: it may have several
// addresses.
func (r *reader) mine(list []ledger.Owed) (mine []*ledger.Owed) {
	for i := range list {
		if list[i].Destination == r.name {
			mine = append(mine, &list[i])
		}
	}
	return mine
}

// readOne takes a delivery, and reports whether nothing can be sent of it for as long
// as a mark holds.
func (r *reader) readOne(o *ledger.Owed) (passed bool) {
	if r.known[deliveryOf(o)] {
		return false
	}
	r.page.tried = r.page.tried || o.Attempts > 0
	address := r.address(o)
	wait := func() { r.page.waiting[address] = r.page.waiting[address].add(1, o.Alert.Created) }
	switch {
	case o.Parked:
		r.page.parked++
		return true
	case o.Next.After(r.now):
		wait()
	case r.n == nil, r.refuses(address):
		wait()
		return true
	case r.due[address] == mostPaged:
		wait()
		r.page.behind++
	default:
		r.pick(o, address)
	}
	return false
}

func (r *reader) pick(o *ledger.Owed, address string) {
	r.due[address]++
	r.full = r.full || r.due[address] == mostPaged
	r.page.due = append(r.page.due, o)
}

// peek picks an alert that the mark passed, if its address is to be tried.
func (r *reader) peek(list []ledger.Owed) {
	for _, o := range r.mine(list) {
		if r.known[deliveryOf(o)] || o.Place >= r.start || o.Parked || o.Next.After(r.now) {
			continue
		}
		address := r.address(o)
		if waiting := r.page.waiting[address]; r.probed[address] && r.due[address] < mostPaged && waiting.count > 0 {
			waiting.count--
			r.page.waiting[address] = waiting
			r.pick(o, address)
		}
	}
}

// pass moves the mark behind an alert, and reports whether it may.
func (r *reader) pass(o ledger.Owed) bool {
	r.open = r.open && o.Place < ledger.LaterPlace && o.Place <= r.seen
	if r.open {
		r.mark.place = o.Place.After()
		r.mark.count++
	}
	return r.open
}

// pages are what was read of a rule's outbox, by destination.
type pages map[string]*page

// some reports whether anything is owed.
func (p pages) some() bool {
	for _, one := range p {
		if one.some() {
			return true
		}
	}
	return false
}

// read reads what is owed, by rule, also when the time for sending it is up: the
// report says how much that is. It reads what all rules owe or, if there are
// some, of only those, and leaves out the alerts that are known already. What can be
// read comes with the error about the rest.
func (c *courier) read(ctx context.Context, book *addressBook, now time.Time, only []string, known map[delivered]bool) (map[string]pages, error) {
	ctx, cancel := finishing(ctx, readTimeout)
	defer cancel()
	byRule := map[string]pages{}
	rules := slices.Compact(slices.Sorted(slices.Values(only)))
	if len(only) == 0 {
		err := guarded(func() (err error) {
			rules, err = c.outbox.Rules(ctx)
			return err
		})
		if err != nil {
			return byRule, err
		}
	}
	var errs []error
	for _, id := range rules {
		own := c.rules.sends(id)
		if !own && !c.config.Share.first() {
			continue
		}
		byRule[id] = pages{}
		if err := guarded(func() error { return c.readRule(ctx, id, book, now, byRule[id], known) }); err != nil {
			errs = append(errs, err)
		}
		if !own { // the first share watches what the others have to send
			c.watch(byRule[id])
		}
	}
	return byRule, errors.Join(errs...)
}

// watch has what is due be counted and not sent.
func (c *courier) watch(p pages) {
	for name, one := range p {
		i := slices.IndexFunc(c.notifiers, func(n notify.Notifier) bool { return n.Name() == name })
		for _, o := range one.due {
			address := ""
			if i >= 0 {
				address = addressOf(c.notifiers[i], o)
			}
			one.waiting[address] = one.waiting[address].add(1, o.Alert.Created)
		}
		one.behind += len(one.due)
		one.due = nil
	}
}

// addressOf returns the name of the address of a destination that an alert goes to.
func addressOf(n notify.Notifier, o *ledger.Owed) string {
	if router, ok := n.(notify.Router); ok {
		return router.Address(*o.Alert)
	}
	return ""
}

// compareDue orders what is sent: what is wrong with Pushback itself first, since
// it may be why the rest waits, then what was recorded first.
func compareDue(a, b *ledger.Owed) int {
	if health := a.Alert.RuleID == HealthRuleID; health != (b.Alert.RuleID == HealthRuleID) {
		if health {
			return -1
		}
		return 1
	}
	return a.Recorded.Compare(b.Recorded)
}

func newPage() *page { return &page{waiting: map[string]backlog{}} }

// add adds what was read later.
func (p *page) add(more *page) {
	p.due = append(p.due, more.due...)
	for address, b := range more.waiting {
		p.waiting[address] = p.waiting[address].add(b.count, b.oldest)
	}
	p.parked += more.parked
	p.tried, p.more = p.tried || more.tried, p.more || more.more
	p.behind += more.behind
}

// some reports whether anything is owed.
func (p *page) some() bool { return len(p.due)+len(p.waiting)+p.parked > 0 }

// count counts what is owed, beside what became of it.
func (out *Delivery) count(p *page) {
	all := backlog{}
	for _, b := range p.waiting {
		all = all.add(b.count, b.oldest)
	}
	for _, o := range p.due {
		all = all.add(1, o.Alert.Created)
	}
	out.Pending += all.count
	out.Parked += p.parked
	out.Oldest, out.More = all.oldest, p.more
}

// readers read a rule's outbox for all destinations.
type readers struct {
	courier *courier
	ruleID  string
	book    *addressBook
	now     time.Time
	pages   pages
	known   map[delivered]bool
	list    map[string]*reader
	last    ledger.Place // of those that are due, as far as they were read
}

// readRule reads what a rule owes into the pages of the destinations, but for what
// is known.
func (c *courier) readRule(ctx context.Context, ruleID string, book *addressBook, now time.Time, pages pages, known map[delivered]bool) error {
	all := &readers{courier: c, ruleID: ruleID, book: book, now: now, pages: pages, known: known, list: map[string]*reader{}}
	for _, n := range c.notifiers {
		all.add(n.Name(), n)
	}
	for m := range c.marks {
		if m.ruleID == ruleID && all.list[m.destination] == nil {
			all.add(m.destination, nil)
		}
	}
	var first error // what is wrong with one row is likely to be with others
	from := ledger.FirstPlace
	if len(all.list) > 0 {
		from = all.next("")
	}
	if all.some(func(r *reader) bool { return len(r.probed) > 0 }) {
		first = all.peek(ctx)
	}
	for from != "" {
		next, err := all.pass(ctx, from)
		first, from = cmp.Or(first, err), next
	}
	delete(c.seen, ruleID)
	if first == nil && all.last != "" {
		c.seen[ruleID] = all.last
	}
	for name, r := range all.list {
		m := marked{ruleID, name}
		if delete(c.marks, m); first == nil && r.mark.count >= markedFrom {
			c.marks[m] = &r.mark
		}
	}
	return first
}

// add begins to read for a destination, one without a notifier if there is none
// of its name any more.
func (all *readers) add(name string, n notify.Notifier) *reader {
	if all.pages[name] == nil {
		all.pages[name] = newPage()
	}
	r := &reader{name: name, n: n, book: all.book, now: all.now, page: all.pages[name], known: all.known, seen: all.courier.seen[all.ruleID], due: map[string]int{}}
	r.begin(all.courier.marks[marked{all.ruleID, name}])
	all.list[name] = r
	return r
}

// next returns the first place behind one at which a destination begins, or where
// those begin that wait for a time.
func (all *readers) next(after ledger.Place) ledger.Place {
	next := ledger.LaterPlace
	for _, r := range all.list {
		if r.start > after {
			next = min(next, r.start)
		}
	}
	return next
}

// peek reads what refused addresses can be tried with.
func (all *readers) peek(ctx context.Context) error {
	n := 0
	for list, err := range all.courier.outbox.Waiting(ctx, all.ruleID, ledger.FirstPlace) {
		if err != nil {
			return err
		}
		for _, r := range all.list {
			r.peek(list)
		}
		if n++; n == mostCounted {
			break
		}
	}
	return nil
}

// some reports whether something is so of a reader.
func (all *readers) some(is func(*reader) bool) bool {
	for _, r := range all.list {
		if is(r) {
			return true
		}
	}
	return false
}

// pass reads from a place on until there is enough, and returns where to go on,
// nowhere if that is the end.
func (all *readers) pass(ctx context.Context, from ledger.Place) (next ledger.Place, err error) {
	waiting, parked := 0, 0
	for list, failure := range all.courier.outbox.Waiting(ctx, all.ruleID, from) {
		if failure != nil {
			err = cmp.Or(err, failure)
			continue
		}
		switch place := list[0].Place; {
		case place < ledger.LaterPlace:
			all.last = max(all.last, place)
			if !all.some(func(r *reader) bool { return r.start <= place && !r.cut }) {
				return all.next(place), err
			}
		case place < ledger.ParkedPlace:
			if waiting++; waiting > mostCounted {
				all.more()
				return ledger.ParkedPlace, err
			}
		default:
			if parked++; parked > mostCounted {
				all.more()
				return "", err
			}
		}
		for _, o := range list {
			if all.list[o.Destination] == nil {
				r := all.add(o.Destination, nil)
				r.open = from == ledger.FirstPlace // else it may have some before
			}
		}
		for _, r := range all.list {
			r.read(list)
		}
	}
	return "", err
}

// more notes that there is more than was read.
func (all *readers) more() {
	for _, r := range all.list {
		r.page.more = true
	}
}
