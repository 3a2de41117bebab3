package sample

import "time"

// ordinary writes what happens on a day on which nothing happens.
func (g *generator) ordinary() {
	for _, p := range g.people {
		if !p.away {
			g.workday(p, Ordinary, 11, 34)
		}
	}
	for _, p := range g.guests {
		g.workday(p, Guest, 3, 4)
	}
	g.serviceAccounts()
	g.emergencyTest()
}

// workday writes a person's sessions and the token refreshes of their
// clients, about as many as given. Guests keep their own story throughout.
func (g *generator) workday(p *person, story Story, sessions, refreshes int) {
	r := g.begin("workday/" + p.upn)
	w := worker{generator: g, person: p, r: r, story: story}
	for range sessions + r.IntN(sessions+1) {
		w.session(w.during(10 * time.Hour))
	}
	for range refreshes + r.IntN(refreshes/2) {
		w.refresh(w.during(14 * time.Hour))
	}
}

// worker writes one person's ordinary records.
type worker struct {
	*generator
	*person
	r     random
	story Story
}

// during returns an instant within some hours from the start of the person's
// working day.
func (w *worker) during(hours time.Duration) time.Time {
	sinceMidnight := w.works - w.office.offset + w.r.between(0, hours)
	sinceMidnight = (sinceMidnight + 24*time.Hour) % (24 * time.Hour)
	return w.day.Add(sinceMidnight)
}

// as returns the person's own story for the kind of record.
func (w *worker) as(s Story) Story {
	if w.story == Guest && !s.isFailure() {
		return Guest
	}
	return s
}

// isFailure reports whether records are of this story whoever caused them.
func (s Story) isFailure() bool {
	switch s {
	case Timeout, DuplicateAttempt, WrongNumber, WrongPassword, Blocked:
		return true
	}
	return false
}

// base returns a sign-in of the person at some time, from a usual place.
func (w *worker) base(at time.Time) signIn {
	s := signIn{who: w.person, at: at, with: w.laptop, from: w.office.place}
	switch x := w.r.Float64(); {
	case w.homeWorker || x < 0.25:
		s.from = w.home
	case x < 0.4:
		s.from, s.with = w.onTheRoad(), w.mobile
	}
	return s
}

// put emits the sign-in unless it falls out of the day or into the time that
// the person's story keeps quiet.
func (w *worker) put(s signIn, story Story) {
	if since := s.at.Sub(w.day); !w.within(s.at) || since >= w.quiet[0] && since < w.quiet[1] {
		return
	}
	s.story = w.as(story)
	w.emit(s)
}

// session writes one interactive sign-in with the records that lead to it.
func (w *worker) session(at time.Time) {
	r := w.r
	s := w.base(at)
	s.to = pick(r, interactiveApps)
	s.correlation = r.guid()
	s.strong = s.to != windowsSignIn
	if s.to == windowsSignIn {
		s.with = w.laptop
	}
	next := func(o outcome, lo, hi time.Duration) signIn {
		s.at = s.at.Add(r.between(lo, hi))
		s.outcome = o
		return s
	}
	push := w.factor == pushFactor
	x := r.Float64()
	switch {
	case !s.strong:
		w.put(next(succeeded, 0, time.Second), Ordinary)
	case x < 0.70:
		w.put(next(claimed, 0, time.Second), Ordinary)
	case x < 0.84:
		if r.chance(0.5) {
			w.put(next(needsStrong, 0, time.Second), Interrupt)
		}
		w.put(next(approved, 8*time.Second, 40*time.Second), OrdinaryMFA)
		if r.chance(0.3) {
			w.put(next(keepMe, time.Second, 4*time.Second), Interrupt)
		}
	case x < 0.90:
		w.put(next(keepMe, 0, time.Second), Interrupt)
		w.put(next(claimed, time.Second, 5*time.Second), Ordinary)
	case x < 0.95:
		for range 1 + r.IntN(2) {
			wrong := next(badPassword, 5*time.Second, 20*time.Second)
			wrong.strong = false
			w.put(wrong, WrongPassword)
		}
		w.put(next(approved, 10*time.Second, 40*time.Second), OrdinaryMFA)
	case x < 0.97:
		w.put(next(needsMFA, 0, time.Second), Interrupt)
		w.put(next(approved, 8*time.Second, 40*time.Second), OrdinaryMFA)
	case x < 0.98:
		s.to = imap
		w.put(next(refused, 0, time.Second), Blocked)
	case x < 0.99 && push:
		w.put(next(timedOut, 60*time.Second, 70*time.Second), Timeout)
		w.put(next(approved, 10*time.Second, 60*time.Second), OrdinaryMFA)
	case x < 0.995 && push:
		w.put(next(duplicate, 5*time.Second, 20*time.Second), DuplicateAttempt)
		w.put(next(approved, 10*time.Second, 30*time.Second), OrdinaryMFA)
	case push:
		w.put(next(wrongNumber, 10*time.Second, 30*time.Second), WrongNumber)
		w.put(next(approved, 10*time.Second, 30*time.Second), OrdinaryMFA)
	default:
		w.put(next(claimed, 0, time.Second), Ordinary)
	}
}

// refresh writes one renewal of a client's tokens.
func (w *worker) refresh(at time.Time) {
	s := w.base(at)
	s.silent, s.strong = true, true
	s.to = pick(w.r, refreshingApps)
	if s.to == outlookMobile {
		s.with = w.mobile
	}
	story := TokenRefresh
	switch x := w.r.Float64(); {
	case x < 0.60:
		s.outcome = claimed
	case x < 0.97:
		s.strong = false
	case x < 0.98:
		s.outcome = stale
	case x < 0.99:
		s.outcome, story = needsMFA, Interrupt
	case x < 0.995:
		s.outcome = idle
	default:
		s.outcome = revoked
	}
	w.put(s, story)
}

// serviceAccounts writes the sign-ins of the accounts that are not people.
// One of them fails all day with a password that was changed; another is
// asked for a second factor it does not have.
func (g *generator) serviceAccounts() {
	r := g.begin("service accounts")
	backup, printer, scanner, monitor, sync := g.services[0], g.services[1], g.services[2], g.services[3], g.services[4]
	every := func(p *person, period time.Duration, to app, result func(n int) outcome) {
		n := 0
		for at := g.day.Add(r.between(0, period)); g.within(at); at = at.Add(period) {
			g.emit(signIn{story: ServiceAccount, at: at, who: p, from: p.office.place, to: to, outcome: result(n)})
			n++
		}
	}
	always := func(o outcome) func(int) outcome { return func(int) outcome { return o } }
	every(backup, 30*time.Minute, sharePoint, always(succeeded))
	every(monitor, 15*time.Minute, powerShell, always(succeeded))
	every(sync, 30*time.Minute, syncService, always(succeeded))
	every(printer, 10*time.Minute, imap, func(n int) outcome {
		if n%12 >= 10 {
			return lockedOut
		}
		return badPassword
	})
	every(scanner, 2*time.Hour, imap, always(unexplained))
}

// emergencyTest writes the one use of the emergency account.
func (g *generator) emergencyTest() {
	r := g.begin("emergency")
	p := g.breakGlass
	g.emit(signIn{
		story: BreakGlass, at: g.clock(22, 15, 0).Add(r.fraction()), who: p,
		from: p.office.place, with: p.laptop, to: azurePortal, outcome: approved, strong: true,
	})
}
