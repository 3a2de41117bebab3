package sample

import "time"

// mistake writes what a user does who declines a prompt of their own sign-in and
// tries again: at home and on their own laptop, within two minutes.
func (g *generator) mistake() {
	r := g.begin("mistake")
	who := g.cast[MistakenRejection][0]
	g.emit(g.signIn(r, push{MistakenRejection, who, 6, 41, 18, who.home, who.laptop, officeHome, declined}))
	g.emit(g.signIn(r, push{MistakenRejection, who, 6, 42, 21, who.home, who.laptop, officeHome, approved}))

	// Somebody else declines what the attacker sends, and approves when it comes
	// again in the same sign-in.
	who, from := g.cast[RefusedThenSignedIn][0], g.attackers[RefusedThenSignedIn]
	s := g.signIn(r, push{RefusedThenSignedIn, who, 4, 12, 25, from, rentedDevice, outlookWeb, gaveIn})
	s.session = r.guid()
	if g.seed%2 == 1 {
		// Where it asks whether to stay signed in, a sign-in that went well
		// ends otherwise.
		s.outcome = stayedIn
	}
	g.emit(s)
	s.at, s.outcome, s.correlation = s.at.Add(r.between(2*time.Minute, 5*time.Minute)), claimed, r.guid()
	s.to = g.to(RefusedThenSignedIn, sharePoint)
	g.emit(s)
}

// fatigue writes the attacks in which nobody declines: prompts at night that
// go unanswered, of which one is approved in the end, or none.
func (g *generator) fatigue() {
	r := g.begin("fatigue")
	from := g.attackers[FatigueApproved]
	s := g.signIn(r, push{FatigueApproved, g.cast[FatigueApproved][0], 19, 6, 40, from, headlessDevice, outlookWeb, timedOut})
	s.risk = "medium"
	n := 9
	if g.seed != 0 {
		n = 6 + r.IntN(15)
	}
	s.at = g.prompts(r, s, n).Add(r.between(20*time.Second, 80*time.Second))
	s.outcome, s.correlation, s.session = approved, r.guid(), r.guid()
	if g.seed != 0 && r.chance(0.4) { // the attacker has another way out
		s.from = tejo
	}
	g.emit(s)
	for _, to := range []app{sharePoint, teamsWeb} {
		s.at = s.at.Add(r.between(2*time.Minute, 10*time.Minute))
		s.to, s.outcome, s.correlation = g.to(FatigueApproved, to), claimed, r.guid()
		g.emit(s)
	}
	s.at = s.at.Add(r.between(time.Minute, 5*time.Minute))
	s.to, s.silent, s.correlation = officeDesktop, true, r.guid()
	g.emit(s)

	u := g.signIn(r, push{FatigueUnanswered, g.cast[FatigueUnanswered][0], 16, 12, 5, g.attackers[FatigueUnanswered], rentedDevice, officeHome, timedOut})
	g.prompts(r, u, 14+r.IntN(8))
}
