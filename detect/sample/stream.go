package sample

import (
	"iter"
	"time"
)

// RejectionsPerMillion is how many of a million records of Stream are
// rejections.
const RejectionsPerMillion = 1000

// Stream yields n sign-ins of SigninLogs, spread evenly over the day and in
// the order of Generated, one at a time: it holds the tenant, not the
// records. They carry the columns that detections usually read, about 900
// bytes each. Exactly one in a thousand is a rejection, of story
// PlainRejection; the others are ordinary sign-ins and ordinary failures.
// The same options and n give the same records.
func Stream(o Options, n int) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		t := newTenant(o)
		r := newRandom(o.Seed, "stream")
		e := encoder{tenant: t, r: newRandom(o.Seed, "stream records"), compact: true}
		const every = 1_000_000 / RejectionsPerMillion
		for i := range n {
			s := streamed(r, t, i%every == every-1)
			s.at = t.day.Add(share(i, n))
			if !yield(e.signIn(&s)) {
				return
			}
		}
	}
}

// streamed makes one sign-in of Stream.
func streamed(r random, t *tenant, rejected bool) signIn {
	p := pick(r, t.people)
	s := signIn{story: Ordinary, who: p, from: p.office.place, with: p.laptop, to: pick(r, interactiveApps), strong: true, outcome: claimed}
	switch x := r.Float64(); {
	case x < 0.3:
		s.from = p.home
	case x < 0.45:
		s.from, s.with = p.onTheRoad(), p.mobile
	}
	switch x := r.Float64(); {
	case rejected:
		s.story, s.outcome, s.factor = PlainRejection, declined, pushFactor
		s.from, s.with = pick(r, plainIntruders), rentedDevice
	case x < 0.12:
		s.story, s.outcome = OrdinaryMFA, approved
	case x < 0.15:
		s.story, s.outcome = Interrupt, keepMe
	case x < 0.18:
		s.story, s.outcome, s.strong = WrongPassword, badPassword, false
	case x < 0.185:
		s.story, s.outcome, s.factor = Timeout, timedOut, pushFactor
	case x < 0.187:
		s.story, s.outcome, s.factor = DuplicateAttempt, duplicate, pushFactor
	}
	return s
}

// share returns i n-ths of a day in whole ticks. Dividing first keeps the
// product from overflowing.
func share(i, n int) time.Duration {
	const ticks = int64(24 * time.Hour / tick)
	whole, rest := ticks/int64(n), ticks%int64(n)
	return time.Duration(whole*int64(i)+rest*int64(i)/int64(n)) * tick
}
