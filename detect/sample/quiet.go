package sample

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// QuietDays writes days on which nobody attacks, from the day of the options on.
// People make mistakes all the same: they miss prompts, pick wrong numbers, type
// wrong codes and passwords, ask twice, give up, and try again until it works.
// Clients with an old password prompt for hours and nobody answers. People travel,
// use the VPN, share addresses, and get new phones, which they register. None of
// it is a refusal, and never do more than mostTries prompts in a row go wrong
// before somebody approves one.
func QuietDays(o Options, days int) *Day {
	g := newGenerator(o)
	g.directory()
	for _, p := range append(append([]*person{}, g.people...), g.guests...) {
		q := quiet{worker: worker{generator: g, person: p, r: g.begin("quiet/" + p.upn), story: Ordinary}}
		q.travelFrom = q.r.IntN(3 * days)
		q.phoneOn = q.r.IntN(3 * days)
		q.staleOn = q.r.IntN(4 * days)
		q.usesVPN = q.r.chance(0.15)
		for day := range days {
			q.spend(day)
		}
	}
	slices.SortStableFunc(g.records, func(a, b Record) int {
		return cmp.Or(a.Received.Compare(b.Received), a.Generated.Compare(b.Generated))
	})
	return &Day{Records: g.records}
}

// mostTries is how many prompts in a row go wrong before one is approved.
const mostTries = 4

// quiet writes one person's quiet days.
type quiet struct {
	worker
	travelFrom, phoneOn, staleOn int // days, of which many never come
	usesVPN                      bool
	// stale is when a client with an old password prompts. Nobody approves
	// anything from an hour before to two hours after.
	stale [2]time.Time
	// tries are when prompts went wrong since the last that was approved.
	tries []time.Time
}

// egress is the VPN's address, behind which many people are.
var egress = func() place {
	p := offices[0].place
	p.ip, p.network = "198.51.100.5", "VPN"
	return p
}()

// spend writes one day.
func (q *quiet) spend(day int) {
	midnight := q.day.AddDate(0, 0, day)
	sessions := 2 + q.r.IntN(3)
	if d := midnight.Weekday(); d == time.Saturday || d == time.Sunday {
		sessions = q.r.IntN(2)
	}
	q.stale = [2]time.Time{}
	begins := midnight.Add(q.works - q.office.offset)
	if day == q.staleOn {
		q.staleClient(begins.Add(q.r.between(-6*time.Hour, 9*time.Hour)))
	}
	times := make([]time.Time, sessions)
	for i := range times {
		times[i] = begins.Add(q.r.between(0, 10*time.Hour))
	}
	slices.SortFunc(times, time.Time.Compare)
	for i, at := range times {
		if i > 0 && at.Sub(times[i-1]) < 20*time.Minute {
			continue // nobody is at two sign-ins at once
		}
		q.signIn(at, day)
	}
	if day == q.phoneOn {
		q.newPhone(begins.Add(q.r.between(time.Hour, 8*time.Hour)))
	}
	s := q.at(begins.Add(q.r.between(0, 12*time.Hour)), day)
	s.silent, s.to, s.outcome, s.story = true, pick(q.r, refreshingApps), claimed, TokenRefresh
	q.put(s)
}

// at returns a sign-in of the person from where they are on a day.
func (q *quiet) at(at time.Time, day int) signIn {
	s := q.base(at)
	s.story, s.strong = Ordinary, true
	switch {
	case day >= q.travelFrom && day < q.travelFrom+4:
		s.from = q.hotel()
	case q.usesVPN && q.r.chance(0.5):
		s.from, s.with = egress, q.laptop
	}
	return s
}

// hotel is where the person travels to: the city of another office.
func (q *quiet) hotel() place {
	o := offices[q.travelFrom%len(offices)]
	h := o.place
	h.ip, h.asn, h.isp, h.network = "198.51.100."+itoa(101+q.travelFrom%100), o.carrierASN, o.carrier, ""
	return h
}

// put emits a sign-in, and now and then its record comes a second time.
func (q *quiet) put(s signIn) {
	q.emit(s)
	if !q.r.chance(0.04) {
		return
	}
	again := q.records[len(q.records)-1]
	old := []byte(`"_TimeReceived":"` + again.Received.Format(datetime) + `"`)
	again.Received = again.Received.Add(q.r.between(time.Second, 10*time.Minute))
	again.JSON = bytes.Replace(again.JSON, old, []byte(`"_TimeReceived":"`+again.Received.Format(datetime)+`"`), 1)
	q.records = append(q.records, again)
}

// tried reports whether one more prompt may go wrong at a time, and notes it.
func (q *quiet) tried(at time.Time) bool {
	q.tries = slices.DeleteFunc(q.tries, func(t time.Time) bool { return at.Sub(t) > 6*time.Hour })
	if len(q.tries) >= mostTries {
		return false
	}
	q.tries = append(q.tries, at)
	return true
}

// mistakes are how prompts go wrong that nobody refuses.
var mistakes = []struct {
	outcome outcome
	story   Story
	lasts   time.Duration
}{
	{timedOut, Timeout, 65 * time.Second},
	{timedOut, Timeout, 65 * time.Second},
	{duplicate, DuplicateAttempt, 8 * time.Second},
	{wrongNumber, WrongNumber, 15 * time.Second},
	{wrongCode, WrongCode, 20 * time.Second},
	{inProgress, DuplicateAttempt, 5 * time.Second},
	{hungUp, Timeout, 25 * time.Second},
	{unreachable, Timeout, 40 * time.Second},
}

// signIn writes one sign-in with the mistakes before it.
func (q *quiet) signIn(at time.Time, day int) {
	r := q.r
	s := q.at(at, day)
	s.to, s.correlation, s.session = pick(r, interactiveApps), r.guid(), r.guid()
	next := func(o outcome, story Story, lasts time.Duration) signIn {
		s.at = s.at.Add(r.between(lasts, lasts+20*time.Second))
		s.outcome, s.story = o, story
		return s
	}
	if q.stale[0].Before(at.Add(time.Hour)) && at.Before(q.stale[1].Add(2*time.Hour)) {
		q.put(next(claimed, Ordinary, 0)) // at work, where the token is enough
		return
	}
	if r.chance(0.06) {
		for range 1 + r.IntN(4) {
			wrong := next(badPassword, WrongPassword, 6*time.Second)
			wrong.strong = false
			q.put(wrong)
		}
	}
	switch x := r.Float64(); {
	case x < 0.5:
		q.put(next(claimed, Ordinary, 0))
		return
	case x < 0.51:
		q.put(next(noConsent, Interrupt, 10*time.Second))
		return
	case x < 0.7:
		for n := 1 + r.IntN(mostTries); n > 0 && q.tried(s.at); n-- {
			m := pick(r, mistakes)
			if r.chance(0.5) { // another attempt, else the same page
				s.correlation = r.guid()
			}
			q.put(next(m.outcome, m.story, m.lasts))
		}
		if r.chance(0.15) {
			return // they give up
		}
	case x < 0.78:
		q.put(next(needsStrong, Interrupt, time.Second))
	}
	q.put(next(approved, OrdinaryMFA, 8*time.Second))
	q.tries = nil
	if r.chance(0.3) {
		q.put(next(keepMe, Interrupt, time.Second))
	}
}

// staleClient writes the prompts of a client that has an old password and asks
// again and again, while nobody looks.
func (q *quiet) staleClient(at time.Time) {
	s := signIn{story: Timeout, at: at, who: q.person, from: q.home, with: q.mobile, to: outlookMobile, strong: true}
	q.stale = [2]time.Time{at, at}
	for range 8 + q.r.IntN(20) {
		s.outcome, s.correlation = timedOut, q.r.guid()
		if q.r.chance(0.2) {
			s.outcome = duplicate
		}
		s.at = q.stale[1]
		q.put(s)
		q.stale[1] = s.at.Add(q.r.between(4*time.Minute, 12*time.Minute))
	}
}

// newPhone writes what leads to a method on another phone, and what is done with
// it.
func (q *quiet) newPhone(at time.Time) {
	if q.stale[0].Before(at.Add(time.Hour)) && at.Before(q.stale[1].Add(2*time.Hour)) {
		return
	}
	s := signIn{story: OrdinaryMFA, at: at, who: q.person, from: q.office.place, with: q.laptop, to: mySignIns, outcome: approved, strong: true}
	q.put(s)
	q.tries = nil
	q.audit(q.r, OrdinaryMFA, registration(q.person, s.from, at.Add(q.r.between(time.Minute, 4*time.Minute))))
	q.mobile = newDevice(q.r, models[pick(q.r, phones)])
	for range 2 {
		s.at = s.at.Add(q.r.between(5*time.Minute, 20*time.Minute))
		s.with, s.from, s.to, s.correlation, s.session = q.mobile, q.onTheRoad(), outlookMobile, "", ""
		q.put(s)
	}
}
