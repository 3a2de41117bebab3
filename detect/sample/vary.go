package sample

import (
	"strconv"
	"time"
)

// variation is what sets the day of one seed apart from the documented one: of
// the stories' people, when their stories happen, where the prompts come from and
// which machines and applications are in them. Seed 0 has none.
type variation struct {
	shifts  map[*person]time.Duration
	devices map[device]device
	apps    map[Story]map[app]app

	attackers                     map[Story]place
	plainAttackers, lateAttackers []place
}

// frame is how far a story can be moved in the day, with everything that
// belongs to it. Times are those of the documented day.
type frame struct {
	first, last time.Duration // when it begins and ends
	// hourly stories are moved by whole hours and, within the hour, by
	// whole minutes from least to most, so that what is on one side of a full
	// hour stays there.
	hourly      bool
	least, most int
	// asleep stories come at night where their user lives.
	asleep bool
}

// at is a time of the day.
func at(hour, minute int) time.Duration {
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

// frames has the frame of each person of a story, in the order of the cast.
var frames = map[Story][]frame{
	PlainRejection: {
		{first: at(9, 10), last: at(9, 13)},
		{first: at(11, 21), last: at(15, 40)}, // with its aftermath
		{first: at(19, 37), last: at(19, 38)},
	},
	OtherCaseRejection:      {{first: at(15, 41), last: at(17, 0)}},
	IPv6Rejection:           {{first: at(10, 26), last: at(10, 27)}},
	ScriptRejection:         {{first: at(3, 18), last: at(3, 19)}},
	GuestRejection:          {{first: at(11, 33), last: at(11, 34)}},
	AdminRejection:          {{first: at(7, 47), last: at(7, 48)}},
	KnownPlaceRejection:     {{first: at(13, 4), last: at(21, 41)}},
	MistakenRejection:       {{first: at(6, 40), last: at(6, 43)}},
	RefusedThenSignedIn:     {{first: at(4, 11), last: at(4, 40)}},
	RejectedThenElsewhere:   {{first: at(2, 25), last: at(7, 0)}},
	OtherAccount:            {{first: at(21, 8), last: at(21, 40)}, {first: at(21, 8), last: at(21, 40)}},
	FraudReport:             {{first: at(12, 8), last: at(12, 32)}},
	PushBombingRejected:     {{first: at(0, 40), last: at(1, 31), hourly: true, least: -5, most: 25, asleep: true}},
	PushBombingAccepted:     {{first: at(18, 6), last: at(19, 45), hourly: true, least: -6, most: 25, asleep: true}},
	FatigueApproved:         {{first: at(19, 5), last: at(20, 15), hourly: true, least: -5, most: 50, asleep: true}},
	FatigueUnanswered:       {{first: at(16, 10), last: at(16, 45), hourly: true, least: -10, most: 50, asleep: true}},
	NonInteractiveRejection: {{first: at(5, 54), last: at(6, 30)}},
	SharedCorrelation:       {{first: at(8, 31), last: at(8, 32), hourly: true, least: -30, most: 27}},
	BothTables:              {{first: at(6, 36), last: at(6, 37), hourly: true, least: -36, most: 22}},
	RejectedTwice:           {{first: at(6, 11), last: at(15, 28)}},
	LateRejection: {
		{first: at(13, 40), last: at(14, 31), hourly: true, least: -5, most: 15},
		{first: at(10, 20), last: at(12, 1), hourly: true, least: -5, most: 4},
	},
	HourBoundary:    {{first: at(13, 58), last: at(14, 4), hourly: true, least: -3, most: 1}},
	QuarterBoundary: {{first: at(17, 12), last: at(17, 19), hourly: true, least: -3, most: 1}},
	WindowStart:     {{first: at(20, 0), last: at(20, 1), hourly: true}},
	Hostile:         {{first: at(16, 22), last: at(16, 23)}},
	Timeout:         {{first: at(8, 14), last: at(14, 21)}}, DuplicateAttempt: {{first: at(9, 44), last: at(9, 45)}},
	WrongNumber: {{first: at(11, 5), last: at(11, 6)}}, WrongCode: {{first: at(11, 52), last: at(11, 53)}},
}

// varied makes the variation of a seed.
func (t *tenant) varied(seed uint64) variation {
	v := variation{shifts: map[*person]time.Duration{}, devices: map[device]device{}, apps: map[Story]map[app]app{}}
	v.attackers, v.plainAttackers, v.lateAttackers = attackersOf(seed)
	if seed == 0 {
		return v
	}
	for _, s := range castStories() {
		for i, p := range t.cast[s] {
			r := newRandom(seed, "when of "+string(s)+strconv.Itoa(i))
			v.shifts[p] = frames[s][i].shift(r, p.office)
		}
		if s == OtherAccount { // one attacker has both accounts
			v.shifts[t.cast[s][1]] = v.shifts[t.cast[s][0]]
		}
		from := []app{officeHome, outlookWeb, teamsWeb, sharePoint, azurePortal, vpn, expenses, powerShell}
		v.apps[s] = permuted(newRandom(seed, "applications of "+string(s)), from)
	}
	v.devices = permuted(newRandom(seed, "devices"), []device{rentedDevice, headlessDevice, kaliDevice})
	return v
}

// permuted maps each of the choices to another of them, or itself.
func permuted[T comparable](r random, choices []T) map[T]T {
	to := map[T]T{}
	for i, j := range r.Perm(len(choices)) {
		to[choices[i]] = choices[j]
	}
	return to
}

// shift returns how far the story is moved. It stays within the day, and before
// the last minutes of it.
func (f frame) shift(r random, o *office) time.Duration {
	const end = 23*time.Hour + 50*time.Minute
	for {
		by := r.between(-f.first, end-f.last)
		if f.hourly {
			by = by.Truncate(time.Hour) + time.Duration(f.least+r.IntN(f.most-f.least+1))*time.Minute
		}
		local := (f.first + by + o.offset + 24*time.Hour) % (24 * time.Hour)
		if f.first+by >= 0 && f.last+by < end && (!f.asleep || local < 5*time.Hour) {
			return by
		}
	}
}

// with returns the device that stands for one of an attacker's.
func (v variation) with(d device) device {
	if other, ok := v.devices[d]; ok {
		return other
	}
	return d
}

// to returns the application that stands for one in a story.
func (v variation) to(s Story, a app) app {
	if other, ok := v.apps[s][a]; ok {
		return other
	}
	return a
}
