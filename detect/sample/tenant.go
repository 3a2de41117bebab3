package sample

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The tenant's domains.
const (
	domain        = "fabrikam.example"
	initialDomain = "fabrikam.onmicrosoft.example"
	company       = "Fabrikam Instruments"
)

// tenant is the company: its people and the accounts that are not people.
type tenant struct {
	id        string
	workspace string
	day       time.Time
	domainSID string

	people     []*person // the cast first, then everybody else
	guests     []*person
	services   []*person
	breakGlass *person
	cast       map[Story][]*person
	variation

	strongPolicy, blockPolicy string // ids of Conditional Access policies

	taken map[string]int // user names given out
}

// newTenant makes the company of the options.
func newTenant(o Options) *tenant {
	r := newRandom(o.Seed, "tenant")
	t := &tenant{
		id: r.guid(), workspace: r.guid(), day: o.midnight(),
		domainSID:    fmt.Sprintf("S-1-5-21-%d-%d-%d", r.Uint32(), r.Uint32(), r.Uint32()),
		strongPolicy: r.guid(), blockPolicy: r.guid(),
		cast:  map[Story][]*person{},
		taken: map[string]int{},
	}
	t.hireCast(r, o.Seed)
	t.hireEverybodyElse(r, o.users())
	t.inviteGuests(r)
	t.addAccounts(r)
	t.appointManagers()
	t.variation = t.varied(o.Seed)
	t.keepQuiet()
	return t
}

// unique returns the user principal name for an account name, numbered where
// somebody has it already.
func (t *tenant) unique(name string) string {
	t.taken[name]++
	if n := t.taken[name]; n > 1 {
		name += strconv.Itoa(n)
	}
	return name + "@" + domain
}

func officeIn(city string) *office {
	for i := range offices {
		if offices[i].city == city {
			return &offices[i]
		}
	}
	panic("sample: no office in " + city) // the cast names an office that the table lacks
}

// hireCast makes the people of the stories and gives them what their stories
// need.
func (t *tenant) hireCast(r random, seed uint64) {
	casting := newRandom(seed, "cast")
	for i, c := range cast {
		if seed != 0 {
			c = c.recast(casting)
		}
		p := newPerson(r, t, officeIn(c.office), c.given, c.family, i)
		p.title = c.title
		p.department = department{name: c.department, group: c.department}
		for _, d := range departments {
			if d.name == c.department {
				p.department = d
			}
		}
		p.groups = []string{"All Employees", p.department.group}
		p.away = false
		p.factor = pushFactor
		t.people = append(t.people, p)
		t.cast[c.story] = append(t.cast[c.story], p)
	}
	one := func(s Story) *person { return t.cast[s][0] }

	admin := one(AdminRejection)
	admin.roles = []string{"Global Administrator", "Conditional Access Administrator"}
	admin.groups = append(admin.groups, "Privileged Access", "Emergency Response")
	admin.blast, admin.tags = "High", []string{"Privileged", "Watchlist: administrators"}

	treasurer := one(PushBombingAccepted)
	treasurer.groups = append(treasurer.groups, "Payment Approvers")
	treasurer.blast, treasurer.tags = "Medium", []string{"VIP"}

	known := one(KnownPlaceRejection)
	known.homeWorker, known.works = true, 9*time.Hour
	one(MistakenRejection).homeWorker = true

	one(WrongCode).factor = textFactor

	hostile := one(Hostile)
	hostile.display = hostileDisplay
	hostile.laptop.name = hostileDevice
}

// keepQuiet keeps people from signing in as usual where that would be part of
// their stories: after the refusal from a known place, and around those of which
// it matters what else the user did.
func (t *tenant) keepQuiet() {
	quiet := func(s Story, from, to time.Duration) {
		p := t.cast[s][0]
		p.quiet[0], p.quiet[1] = from+t.shifts[p], to+t.shifts[p]
	}
	quiet(KnownPlaceRejection, at(21, 15), at(72, 0))
	for _, s := range []Story{MistakenRejection, RefusedThenSignedIn, FatigueApproved, FatigueUnanswered} {
		f := frames[s][0]
		quiet(s, f.first-3*time.Hour, f.last+4*time.Hour)
	}
}

// hireEverybodyElse fills the company up to the number of users.
func (t *tenant) hireEverybodyElse(r random, users int) {
	type names struct{ given, family []string }
	of := make([]names, len(offices))
	for i, o := range offices {
		of[i] = names{strings.Fields(o.given), strings.Fields(o.family)}
	}
	for n := len(t.people); n < users; n++ {
		i := n % len(offices)
		p := newPerson(r, t, &offices[i], pick(r, of[i].given), pick(r, of[i].family), n)
		p.department = pick(r, departments)
		p.title = pick(r, p.department.titles)
		p.groups = []string{"All Employees", p.department.group}
		if p.department.name == "IT" && r.chance(0.3) {
			p.roles = []string{pick(r, []string{"Helpdesk Administrator", "Exchange Administrator", "User Administrator", "Security Reader"})}
			p.blast = "Medium"
		}
		t.people = append(t.people, p)
	}
}

// inviteGuests makes the guests, whose accounts live in tenants of partners.
// The first is in a story.
func (t *tenant) inviteGuests(r random) {
	partners := []string{"partner.example", "supplier.example", "audit.example"}
	home := make([]string, len(partners))
	for i := range home {
		home[i] = r.guid()
	}
	for i, g := range []struct{ name, display string }{
		{"bob", "Bob Marsh (Partner)"}, {"ines", "Inês Araújo (Supplier)"}, {"viktor", "Віктор Шевченко (Audit)"},
		{"carol", "Carol Finch (Partner)"}, {"selin", "Selin Yıldız (Supplier)"}, {"tom", "Tom Ashby (Audit)"},
		{"mei", "Mei Sato (Partner)"}, {"paul", "Paul Weiß (Supplier)"}, {"ada", "Ada Eze (Audit)"},
		{"nils", "Nils Åkesson (Partner)"}, {"rosa", "Rosa Núñez (Supplier)"}, {"ivo", "Ivo Horák (Audit)"},
	} {
		partner := i % len(partners)
		p := newPerson(r, t, &offices[i%len(offices)], g.name, g.name, 900000+i)
		p.display, p.given, p.family = g.display, "", ""
		p.upn = g.name + "_" + partners[partner] + "#EXT#@" + initialDomain
		p.homeTenant = home[partner]
		p.guest, p.homeWorker, p.away = true, true, false
		p.title, p.employee, p.phone = "", "", ""
		p.factor = pushFactor
		p.groups = []string{"External Collaborators"}
		t.guests = append(t.guests, p)
	}
	t.cast[GuestRejection] = t.guests[:1]
}

// addAccounts makes the accounts that are not people.
func (t *tenant) addAccounts(r random) {
	account := func(name, display string) *person {
		p := newPerson(r, t, officeIn("Zurich"), name, name, 950000+len(t.services))
		p.upn = name + "@" + domain
		p.display, p.given, p.family, p.phone, p.employee, p.title = display, "", "", "", "", ""
		p.service, p.away = true, false
		p.laptop, p.mobile = device{}, device{}
		p.groups = []string{"Service Accounts"}
		return p
	}
	t.services = []*person{
		account("svc-backup", "Backup Service"),
		account("svc-print", "Print Service"),
		account("svc-scanner", "Scan to Mail"),
		account("svc-monitor", "Monitoring"),
		account("sync_dc01", "On-Premises Directory Synchronization Service Account"),
	}
	t.services[4].upn = "Sync_DC01_7f3a90c1d2b4@" + initialDomain
	t.breakGlass = account("emergency-1", "Emergency Access 1")
	t.breakGlass.roles = []string{"Global Administrator"}
	t.breakGlass.blast = "High"
	t.breakGlass.groups = []string{"Emergency Access"}
	t.breakGlass.factor = keyFactor
	t.breakGlass.laptop = newDevice(r, models[0])
}

// appointManagers makes the first bystander of each office the manager of
// the office's people.
func (t *tenant) appointManagers() {
	head := map[string]*person{}
	for _, p := range t.people[len(cast):] {
		if head[p.office.city] == nil {
			head[p.office.city] = p
		}
	}
	for _, p := range t.people {
		if h := head[p.office.city]; h != p {
			p.manager = h
		}
	}
}
