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

	// Hours later the attacker comes from a place where nobody was before, and is
	// approved.
	g.emit(g.signIn(r, push{RejectedThenElsewhere, g.cast[RejectedThenElsewhere][0], 6, 50, 9, fjord, rentedDevice, outlookWeb, approved}))

	// The attacker has the password of somebody else too, who approves.
	g.emit(g.signIn(r, push{OtherAccount, g.cast[OtherAccount][1], 21, 15, 20, g.attackers[OtherAccount], kaliDevice, officeHome, approved}))

	// One address tries the passwords of others too.
	for i, s := range []Story{Timeout, DuplicateAttempt, WrongNumber} {
		tried := g.signIn(r, push{PlainRejection, g.cast[s][0], 9, 10 + i, 17, g.plainAttackers[0], rentedDevice, outlookWeb, badPassword})
		tried.at = g.when(plain[0], 9, 10+i, 17).Add(r.fraction())
		g.emit(tried)
	}

	// Who got in by bombing adds a second factor of their own.
	bombed := g.cast[PushBombingAccepted][0]
	from := g.attackers[PushBombingAccepted]
	g.audit(r, PushBombingAccepted, registration(bombed, from, g.when(bombed, 18, 40, 12).Add(r.fraction())))
	// Then a rule keeps mail from them, and an application gets to read it.
	g.inboxRule(r, PushBombingAccepted, bombed, from, g.when(bombed, 18, 43, 50).Add(r.fraction()))
	g.audit(r, PushBombingAccepted, change{
		at: g.when(bombed, 18, 47, 31).Add(r.fraction()), operation: "Consent to application", category: "ApplicationManagement", service: "Core Directory", kind: "Assign",
		by: bombed, from: from.ip, target: g.cast[PushBombingAccepted][0], application: "Mail Backup Pro",
	})

	// The fraud report puts its user at risk, and somebody disables an account.
	reporter := g.cast[FraudReport][0]
	risky := *reporter
	risky.risk = "AtRisk"
	g.identity(r, &risky, g.when(reporter, 12, 30, 0).Add(r.between(0, time.Minute)))
	late := g.cast[LateRejection][0]
	disabled := *late
	disabled.disabled = true
	g.identity(r, &disabled, g.when(late, 14, 20, 0).Add(r.between(0, time.Minute)))

	// It is in the log of risks too, and the help desk resets the password.
	g.risk(r, FraudReport, reporter, g.attackers[FraudReport], "userReportedSuspiciousActivity", "high", g.when(reporter, 12, 8, 16).Add(r.fraction()))
	admin := g.cast[AdminRejection][0]
	g.audit(r, FraudReport, change{
		at: g.when(reporter, 12, 27, 3).Add(r.fraction()), operation: "Reset password (by admin)", category: "UserManagement", service: "Core Directory", kind: "Update",
		by: admin, from: admin.office.ip, target: reporter,
	})
	// What Entra ID makes of the sign-in that an administrator refused.
	g.risk(r, AdminRejection, admin, g.attackers[AdminRejection], "anonymizedIPAddress", "medium", g.when(admin, 7, 47, 5).Add(r.fraction()))
}
