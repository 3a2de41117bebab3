package sample

import "time"

// aftermath writes what comes after some of the rejections, or goes with them:
// what makes the difference between a mistake and an attack.
func (g *generator) aftermath() {
	r := g.begin("aftermath")

	// Hours after a rejection the second factor is given after all, from the
	// attacker's address: by then the rejection was reported.
	plain := g.cast[PlainRejection]
	g.emit(g.signIn(r, push{PlainRejection, plain[1], 14, 37, 30, g.plainAttackers[1], kaliDevice, outlookWeb, approved}))

	// The attacker goes on from another address of the same network.
	other := g.attackers[OtherCaseRejection]
	other.ip = "203.0.113.253"
	g.emit(g.signIn(r, push{OtherCaseRejection, g.cast[OtherCaseRejection][0], 15, 55, 3, other, rentedDevice, sharePoint, approved}))

	// One address tries the passwords of others too.
	for i, s := range []Story{Timeout, DuplicateAttempt, WrongNumber} {
		tried := g.signIn(r, push{PlainRejection, g.cast[s][0], 9, 10 + i, 17, g.plainAttackers[0], rentedDevice, outlookWeb, badPassword})
		tried.at = g.when(plain[0], 9, 10+i, 17).Add(r.fraction())
		g.emit(tried)
	}

	// Who got in by bombing adds a second factor of their own.
	bombed := g.cast[PushBombingAccepted][0]
	g.audit(r, PushBombingAccepted, bombed, g.attackers[PushBombingAccepted], g.when(bombed, 18, 40, 12).Add(r.fraction()))

	// The fraud report puts its user at risk, and somebody disables an account.
	reporter := g.cast[FraudReport][0]
	risky := *reporter
	risky.risk = "AtRisk"
	g.identity(r, &risky, g.when(reporter, 12, 30, 0).Add(r.between(0, time.Minute)))
	late := g.cast[LateRejection][0]
	disabled := *late
	disabled.disabled = true
	g.identity(r, &disabled, g.when(late, 14, 20, 0).Add(r.between(0, time.Minute)))

	// It is in the log of risks too.
	g.risk(r, FraudReport, reporter, g.attackers[FraudReport], g.when(reporter, 12, 8, 16).Add(r.fraction()))
}
