package sample

import (
	"strings"
	"time"
)

// push is a prompt that a user rejects, at its time on the documented day.
type push struct {
	story                Story
	who                  *person
	hour, minute, second int
	from                 place
	with                 device
	to                   app
	outcome              outcome
}

// signIn returns the sign-in of a push.
func (g *generator) signIn(r random, p push) signIn {
	return signIn{
		story: p.story, at: g.when(p.who, p.hour, p.minute, p.second).Add(r.fraction()),
		who: p.who, from: p.from, with: g.with(p.with), to: g.to(p.story, p.to),
		outcome: p.outcome, factor: pushFactor, strong: true, correlation: r.guid(),
	}
}

// singleRejections writes the stories in which a user rejects one prompt.
func (g *generator) singleRejections() {
	r := g.begin("single rejections")
	one := func(s Story) *person { return g.cast[s][0] }
	plain := g.cast[PlainRejection]

	for _, p := range []push{
		{PlainRejection, plain[0], 9, 12, 34, g.plainAttackers[0], rentedDevice, outlookWeb, declined},
		{PlainRejection, plain[1], 11, 21, 7, g.plainAttackers[1], kaliDevice, officeHome, declined},
		{PlainRejection, plain[2], 19, 37, 50, g.plainAttackers[2], rentedDevice, vpn, declined},
		{OtherCaseRejection, one(OtherCaseRejection), 15, 41, 22, g.attackers[OtherCaseRejection], rentedDevice, sharePoint, declinedOtherCase},
		{IPv6Rejection, one(IPv6Rejection), 10, 26, 13, g.attackers[IPv6Rejection], headlessDevice, officeHome, declined},
		{ScriptRejection, one(ScriptRejection), 3, 18, 45, g.attackers[ScriptRejection], rentedDevice, teamsWeb, declined},
		{GuestRejection, one(GuestRejection), 11, 33, 28, g.attackers[GuestRejection], rentedDevice, sharePoint, declined},
		{AdminRejection, one(AdminRejection), 7, 47, 5, g.attackers[AdminRejection], kaliDevice, azurePortal, declined},
		{RejectedThenElsewhere, one(RejectedThenElsewhere), 2, 25, 31, g.attackers[RejectedThenElsewhere], rentedDevice, outlookWeb, declined},
		{OtherAccount, one(OtherAccount), 21, 8, 44, g.attackers[OtherAccount], kaliDevice, officeHome, declined},
		{FraudReport, one(FraudReport), 12, 8, 16, g.attackers[FraudReport], headlessDevice, outlookWeb, fraud},
	} {
		s := g.signIn(r, p)
		if p.story == AdminRejection || p.story == FraudReport {
			s.risk = "medium"
		}
		g.emit(s)
	}

	known := one(KnownPlaceRejection)
	morning := g.signIn(r, push{KnownPlaceRejection, known, 13, 4, 10, known.home, known.laptop, officeHome, approved})
	g.emit(morning)
	g.emit(g.signIn(r, push{KnownPlaceRejection, known, 21, 40, 33, known.home, known.laptop, officeHome, declined}))

	silent := g.signIn(r, push{NonInteractiveRejection, one(NonInteractiveRejection), 5, 54, 20, g.attackers[NonInteractiveRejection], proxyDevice, authBroker, declined})
	silent.silent, silent.session = true, r.guid()
	g.emit(silent)
	silent.at, silent.outcome, silent.correlation = silent.at.Add(r.between(6*time.Minute, 30*time.Minute)), claimed, r.guid()
	g.emit(silent)

	// Exactly on the hour: the window that starts here has it, the one that
	// ends here has not.
	start := g.signIn(r, push{WindowStart, one(WindowStart), 20, 0, 0, g.attackers[WindowStart], rentedDevice, vpn, declined})
	start.at = g.when(start.who, 20, 0, 0)
	g.emit(start)

	hostile := app{name: hostileApp, id: expenses.id, resource: expenses.resource, resourceID: expenses.resourceID, client: browserClient}
	odd := device{name: hostileDevice, os: "Windows10", browser: "Rich Client 1.0", agent: hostileAgent}
	g.emit(g.signIn(r, push{Hostile, one(Hostile), 16, 22, 11, g.attackers[Hostile], odd, hostile, declined}))

	g.sharedCorrelation(r, one(SharedCorrelation))
	g.bothTables(r, one(BothTables))
	g.lateRejections(r, g.cast[LateRejection])
}

// sharedCorrelation writes one authentication that the service logged three
// times within a minute.
func (g *generator) sharedCorrelation(r random, who *person) {
	s := g.signIn(r, push{SharedCorrelation, who, 8, 31, 2, g.attackers[SharedCorrelation], rentedDevice, officeHome, declined})
	g.emit(s)
	s.at = s.at.Add(14 * time.Second)
	g.emit(s)
	s.at, s.to = s.at.Add(25*time.Second), g.to(SharedCorrelation, outlookWeb)
	g.emit(s)
}

// bothTables writes one authentication that is in both tables, with the user
// principal name in different letter case.
func (g *generator) bothTables(r random, who *person) {
	s := g.signIn(r, push{BothTables, who, 6, 36, 44, g.attackers[BothTables], headlessDevice, outlookWeb, declined})
	s.name = strings.ToUpper(who.upn[:1]) + who.upn[1:]
	g.emit(s)
	s.at, s.name, s.silent, s.to = s.at.Add(3*time.Second), "", true, officeDesktop
	g.emit(s)
}

// lateRejections writes two rejections that reach the workspace only after
// their hour was first looked at, a few minutes past its end, and before it
// is looked at again an hour later.
func (g *generator) lateRejections(r random, who []*person) {
	first := g.signIn(r, push{LateRejection, who[0], 13, 40, 19, g.lateAttackers[0], rentedDevice, outlookWeb, declined})
	first.received = first.at.Add(50 * time.Minute)
	g.emit(first)
	second := g.signIn(r, push{LateRejection, who[1], 10, 20, 8, g.lateAttackers[1], kaliDevice, vpn, declined})
	second.received = second.at.Add(100 * time.Minute)
	g.emit(second)
}

// repeatedRejections writes the stories in which a user rejects prompts of
// several authentications.
func (g *generator) repeatedRejections() {
	r := g.begin("repeated rejections")
	for _, p := range []struct {
		story                Story
		with                 device
		to                   app
		hour, minute, second int
	}{
		{RejectedTwice, rentedDevice, outlookWeb, 6, 11, 27},
		{RejectedTwice, rentedDevice, azurePortal, 15, 27, 51},
		{HourBoundary, kaliDevice, officeHome, 13, 58, 30},
		{HourBoundary, kaliDevice, officeHome, 14, 3, 10},
		{QuarterBoundary, headlessDevice, sharePoint, 17, 12, 0},
		{QuarterBoundary, headlessDevice, sharePoint, 17, 14, 5},
		{QuarterBoundary, headlessDevice, sharePoint, 17, 16, 30},
		{QuarterBoundary, headlessDevice, sharePoint, 17, 18, 45},
	} {
		g.emit(g.signIn(r, push{p.story, g.cast[p.story][0], p.hour, p.minute, p.second, g.attackers[p.story], p.with, p.to, declined}))
	}
}
