package sample

import "time"

// bombings writes the two attacks in which somebody who has the password
// sends prompt after prompt, at a time when the user sleeps.
func (g *generator) bombings() {
	g.bombingRejected()
	g.bombingAccepted()
}

// prompts sends n prompts from a start on, 30 to 50 s apart, none of which
// the user rejects, and returns when the last one was over.
func (g *generator) prompts(r random, s signIn, n int) time.Time {
	for i := range n {
		s.outcome = timedOut
		if i%4 == 3 {
			s.outcome = duplicate
		}
		s.correlation = r.guid()
		g.emit(s)
		s.at = s.at.Add(r.between(30*time.Second, 50*time.Second))
	}
	return s.at
}

// bombingRejected writes 26 prompts that go unanswered and two that the user
// declines. The attacker gives up, having tried other users' passwords from
// the same address before.
func (g *generator) bombingRejected() {
	r := g.begin("bombing rejected")
	who, from := g.cast[PushBombingRejected][0], g.attackers[PushBombingRejected]
	s := g.signIn(r, push{PushBombingRejected, who, 1, 5, 12, from, scriptedDevice, powerShell, timedOut})
	s.risk = "high"
	g.prompts(r, s, 26) // 22 min at most

	for _, at := range []time.Time{g.when(who, 1, 28, 6), g.when(who, 1, 29, 40)} {
		s.at, s.outcome, s.correlation = at.Add(r.fraction()), declined, r.guid()
		g.emit(s)
	}

	at := g.when(who, 0, 41, 0)
	for _, victim := range g.people[len(cast) : len(cast)+8] {
		at = at.Add(r.between(20*time.Second, 40*time.Second))
		g.emit(signIn{
			story: PasswordSpray, at: at, who: victim, from: from, with: scriptedDevice, to: powerShell,
			outcome: badPassword, risk: "medium",
		})
	}
}

// bombingAccepted writes 24 prompts of which the user declines three. The last
// sign-in prompts twice: the user declines once more, and gives in. The attacker then uses the session.
func (g *generator) bombingAccepted() {
	r := g.begin("bombing accepted")
	who, from := g.cast[PushBombingAccepted][0], g.attackers[PushBombingAccepted]
	s := g.signIn(r, push{PushBombingAccepted, who, 18, 6, 3, from, headlessDevice, officeHome, timedOut})
	s.risk = "high"
	send := func(at time.Time, o outcome) {
		s.at, s.outcome, s.correlation = at.Add(r.fraction()), o, r.guid()
		g.emit(s)
	}
	g.prompts(r, s, 6) // until 18:11 at most
	send(g.when(who, 18, 12, 20), declined)
	s.at = g.when(who, 18, 13, 1)
	g.prompts(r, s, 7) // until 18:19
	send(g.when(who, 18, 20, 9), declined)
	s.at = g.when(who, 18, 20, 55)
	g.prompts(r, s, 7) // until 18:27
	send(g.when(who, 18, 28, 41), declined)
	send(g.when(who, 18, 31, 57), gaveIn)

	// What is done with the session: the mailbox first, then everything else.
	for i, to := range []app{outlookWeb, sharePoint, azurePortal} {
		use := s
		use.at = g.when(who, 18, 33+4*i, 15).Add(r.fraction())
		use.to, use.outcome, use.correlation = g.to(PushBombingAccepted, to), claimed, r.guid()
		g.emit(use)
	}
	at := g.when(who, 18, 32, 30)
	for _, to := range []app{officeDesktop, microsoftTeams, oneDrive, authBroker, officeDesktop, powerShell, oneDrive, officeDesktop} {
		use := s
		use.at = at.Add(r.fraction())
		use.to, use.outcome, use.silent, use.correlation = to, claimed, true, r.guid()
		g.emit(use)
		at = at.Add(r.between(3*time.Minute, 8*time.Minute))
	}
}
