package sample

import (
	"fmt"
	"strings"
	"time"
)

// person is an account of the tenant, with what the day needs to know of it.
type person struct {
	display, given, family string
	upn, id                string
	homeTenant             string
	guest, service         bool

	office     *office
	title      string
	department department
	manager    *person
	roles      []string
	groups     []string
	blast      string // blast radius
	risk       string // the state of risk, if it is not None
	disabled   bool
	tags       []string
	employee   string
	phone      string
	created    time.Time

	laptop, mobile device
	home           place
	factor         factor
	works          time.Duration // the start of the working day, from midnight in the office
	away           bool          // all day
	homeWorker     bool          // never in the office
	// quiet is the part of the day, from midnight UTC, in which nothing ordinary
	// happens.
	quiet [2]time.Duration
}

// account is the part of the user principal name before the at sign, and
// domain the part after it.
func (p *person) account() string { a, _, _ := strings.Cut(p.upn, "@"); return a }
func (p *person) domain() string  { _, d, _ := strings.Cut(p.upn, "@"); return d }

// userType is the UserType column.
func (p *person) userType() string {
	if p.guest {
		return "Guest"
	}
	return "Member"
}

// fullName puts a display name together the way its script does.
func (s script) fullName(given, family string) string {
	switch s {
	case familyFirstSpaced:
		return family + " " + given
	case familyFirstJoined:
		return family + given
	}
	return given + " " + family
}

// newPerson makes somebody of an office. The names are "native/ascii".
func newPerson(r random, t *tenant, o *office, given, family string, number int) *person {
	givenNative, givenASCII, _ := strings.Cut(given, "/")
	familyNative, familyASCII, _ := strings.Cut(family, "/")
	p := &person{
		display: o.script.fullName(givenNative, familyNative),
		given:   givenNative, family: familyNative,
		upn:        t.unique(givenASCII + "." + familyASCII),
		id:         r.guid(),
		homeTenant: t.id,
		office:     o,
		blast:      "Low",
		employee:   fmt.Sprintf("F%05d", 10000+number),
		phone:      fmt.Sprintf("+999 555 %04d", number%10000),
		created:    t.day.Add(-time.Duration(60+r.IntN(2500)) * 24 * time.Hour).Add(r.between(0, 24*time.Hour)),
		laptop:     newDevice(r, models[pick(r, laptops)]),
		mobile:     newDevice(r, models[pick(r, phones)]),
		home:       newHome(r, o),
		factor:     pushFactor,
		works:      r.between(7*time.Hour+30*time.Minute, 9*time.Hour+30*time.Minute),
		away:       r.chance(0.07),
		homeWorker: r.chance(0.1),
	}
	switch x := r.Float64(); {
	case x < 0.10:
		p.factor = textFactor
	case x < 0.15:
		p.factor = codeFactor
	case x < 0.19:
		p.factor = keyFactor
	}
	return p
}

// newHome makes an address at home: of a carrier's shared range, or IPv6.
func newHome(r random, o *office) place {
	h := o.place
	h.asn, h.isp, h.network = o.carrierASN, o.carrier, ""
	if r.chance(0.3) {
		h.ip = fmt.Sprintf("2001:db8:%x:%x::%x", 0x1000+r.IntN(0x1000), 1+r.IntN(0xffff), 1+r.IntN(0xffff))
	} else {
		h.ip = fmt.Sprintf("100.%d.%d.%d", 64+r.IntN(64), r.IntN(256), 1+r.IntN(254))
	}
	return h
}

// onTheRoad is the place the person's phone signs in from.
func (p *person) onTheRoad() place {
	m := p.office.place
	m.ip, m.asn, m.isp, m.network = p.office.mobile, p.office.carrierASN, p.office.carrier, ""
	return m
}
