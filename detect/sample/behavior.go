package sample

import "time"

// insight is what UEBA found about one sign-in.
type insight struct {
	story    Story
	who      *person
	at       time.Time
	from     place
	with     device
	to       app
	success  bool
	priority int
	notable  []string // the activity insights that are true
	threat   string   // the kind of threat indicator the address is, if any
}

// activityInsights are the insights that every record carries, true or
// false, in the order it carries them.
var activityInsights = []string{
	"FirstTimeUserConnectedFromCountry", "CountryUncommonlyConnectedFromByUser", "CountryUncommonlyConnectedFromAmongPeers", "CountryUncommonlyConnectedFromInTenant",
	"FirstTimeUserConnectedViaISP", "ISPUncommonlyUsedByUser", "ISPUncommonlyUsedAmongPeers", "ISPUncommonlyUsedInTenant",
	"FirstTimeUserConnectedViaBrowser", "BrowserUncommonlyUsedAmongPeers",
	"FirstTimeUserConnectedFromDevice", "FirstTimeUserUsedApp", "AppUncommonlyUsedAmongPeers",
}

// analytics writes BehaviorAnalytics: for some of the stories, and little
// worth mentioning for ordinary sign-ins. Nothing is known of the others.
func (g *generator) analytics() {
	r := g.begin("analytics")
	foreign := activityInsights[:8]
	one := func(s Story) *person { return g.cast[s][0] }

	for _, a := range []struct {
		story                Story
		hour, minute, second int
		with                 device
		to                   app
		success              bool
		priority             int
		notable              []string
		threat               string
	}{
		{PushBombingRejected, 1, 6, 0, scriptedDevice, powerShell, false, 6, append(foreign[:8:8], "FirstTimeUserUsedApp", "AppUncommonlyUsedAmongPeers"), "Proxy"},
		{PushBombingRejected, 1, 28, 6, scriptedDevice, powerShell, false, 8, append(foreign[:8:8], "FirstTimeUserUsedApp"), "Proxy"},
		{PushBombingAccepted, 18, 12, 20, headlessDevice, officeHome, false, 7, foreign, ""},
		{PushBombingAccepted, 18, 20, 9, headlessDevice, officeHome, false, 8, foreign, ""},
		{PushBombingAccepted, 18, 28, 41, headlessDevice, officeHome, false, 9, foreign, ""},
		{PushBombingAccepted, 18, 31, 57, headlessDevice, officeHome, true, 9, append(foreign[:8:8], "FirstTimeUserConnectedFromDevice"), ""},
		{AdminRejection, 7, 47, 5, kaliDevice, azurePortal, false, 7, append(foreign[:8:8], "FirstTimeUserConnectedViaBrowser"), "Botnet"},
		{FraudReport, 12, 8, 16, headlessDevice, outlookWeb, false, 5, foreign[:6], ""},
		{RejectedTwice, 6, 11, 27, rentedDevice, outlookWeb, false, 4, foreign[:5], ""},
		{GuestRejection, 11, 33, 28, rentedDevice, sharePoint, false, 3, foreign[:2], ""},
		{Hostile, 16, 22, 11, device{name: hostileDevice, os: "Windows10", agent: hostileAgent}, expenses, false, 3, foreign[:2], ""},
	} {
		g.behavior(r, insight{
			a.story, one(a.story), g.when(one(a.story), a.hour, a.minute, a.second).Add(r.fraction()),
			g.attackers[a.story], g.with(a.with), g.to(a.story, a.to), a.success, a.priority, a.notable, a.threat,
		})
	}
	known := one(KnownPlaceRejection)
	g.behavior(r, insight{story: KnownPlaceRejection, who: known, at: g.when(known, 21, 40, 33).Add(r.fraction()), from: known.home, with: known.laptop, to: g.to(KnownPlaceRejection, officeHome)})

	// Everyone behind an office's address adds to what is said of it: the sum
	// of the priorities says more of how busy the address is than of it.
	for _, p := range g.people[len(cast):] {
		if p.away || !r.chance(0.35) {
			continue
		}
		i := insight{
			story: Ordinary, who: p, from: p.office.place, with: p.laptop, to: pick(r, interactiveApps),
			at: g.day.Add((p.works - p.office.offset + r.between(0, 9*time.Hour) + 24*time.Hour) % (24 * time.Hour)), success: true,
		}
		if r.chance(0.2) {
			i.priority = 1 + r.IntN(2)
			i.notable = []string{"FirstTimeUserUsedApp"}
		}
		g.behavior(r, i)
	}
}

// behavior writes one record of BehaviorAnalytics.
func (g *generator) behavior(r random, i insight) {
	w, p := &g.encoder.row, i.who
	processed := i.at.Add(r.between(90*time.Second, 3*time.Minute))
	received := processed.Add(r.between(10*time.Second, 75*time.Second))
	activity := "FailedLogOn"
	if i.success {
		activity = "LogOn"
	}

	w.reset()
	w.open('{')
	w.instant("TimeGenerated", i.at)
	w.instant("_TimeReceived", received)
	w.instant("TimeProcessed", processed)
	w.text("TenantId", g.workspace)
	w.text("ActivityType", activity)
	w.text("ActionType", "Sign-in")
	w.text("UserName", p.account())
	w.text("UserPrincipalName", p.upn)
	w.text("SourceIPAddress", i.from.ip)
	w.text("SourceIPLocation", countryNames[i.from.country])
	w.text("SourceDevice", i.with.name)
	w.integer("InvestigationPriority", int64(i.priority))
	w.text("EventSource", "Azure AD")
	w.text("EventVendor", "Microsoft")
	w.text("EventProductVersion", "1.0")
	w.text("NativeTableName", SigninLogs)
	w.text("SourceRecordId", r.guid())

	w.key("UsersInsights")
	w.open('{')
	w.text("AccountDisplayName", p.display)
	w.text("AccountDomain", p.domain())
	w.text("AccountObjectID", p.id)
	w.text("BlastRadius", p.blast)
	w.text("IsDormantAccount", "False")
	w.text("IsNewAccount", "False")
	w.close('}')

	w.key("DevicesInsights")
	w.open('{')
	w.text("Browser", i.with.browser)
	w.text("OperatingSystem", i.with.os)
	w.text("ISP", i.from.isp)
	w.text("UserAgent", i.with.agent)
	w.text("ThreatIntelIndicatorType", i.threat)
	if i.threat != "" {
		w.text("ThreatIntelIndicatorDescription", "The address is known as: "+i.threat)
	}
	w.close('}')

	w.key("ActivityInsights")
	w.open('{')
	for _, name := range activityInsights {
		value := "False"
		for _, n := range i.notable {
			if n == name {
				value = "True"
			}
		}
		w.text(name, value)
	}
	w.text("App", i.to.name)
	w.text("Resource", i.to.resource)
	w.close('}')

	w.text("SourceSystem", "Azure")
	w.text("Type", BehaviorAnalytics)
	w.close('}')
	g.keep(BehaviorAnalytics, i.at, received, i.story)
}
