package enrich

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// place is where and on what an account signed in before.
type place struct {
	address, country, network string
	device, deviceName        string
	successes                 int64
	strong                    []time.Time // the first that satisfied MFA of each day
}

// usual is what of an account is known: addresses, countries, networks and
// devices that it signed in with before the prompts, by how many days.
//
// Somebody with the password can sign in where no second factor is asked for, and
// today. Known is therefore only what satisfied MFA on two days or more, all of
// them longer ago than a day.
type usual struct {
	used      counts // by address
	devices   counts // by address and device id
	countries counts
	networks  counts // by the number of the AS
	machines  counts // by device id alone
	owned     counts // by the id and the name of the device: a name alone is the client's
}

// isNone reports whether there is nothing to compare with.
func (u usual) isNone() bool {
	return len(u.used) == 0 && len(u.countries) == 0 && len(u.networks) == 0
}

const (
	usualAge   = 24 * time.Hour
	usualDays  = 2
	usualApart = 6 * time.Hour // midnight alone makes no two days
)

// usualBefore returns what was known of the account when the first of the prompts
// of a batch began.
func (a *account) usualBefore(began time.Time) usual {
	if len(a.places) == 0 {
		return a.recalled
	}
	var u usual
	days := map[*counts]map[string][]time.Time{}
	add := func(to *counts, name string, strong []time.Time) {
		if days[to] == nil {
			days[to] = map[string][]time.Time{}
		}
		days[to][name] = append(days[to][name], strong...)
	}
	for _, p := range a.places {
		old := slices.DeleteFunc(slices.Clone(p.strong), func(t time.Time) bool { return began.Sub(t) <= usualAge })
		if len(old) == 0 {
			continue
		}
		if p.address != "" {
			add(&u.used, p.address, old)
		}
		if p.country != "" {
			add(&u.countries, p.country, old)
		}
		if p.network != "" && p.network != "0" {
			add(&u.networks, p.network, old)
		}
		if p.device != "" {
			add(&u.devices, p.address+" "+p.device, old)
			add(&u.machines, p.device, old)
			add(&u.owned, p.device+" "+p.deviceName, old)
		}
	}
	for to, names := range days {
		for name, times := range names {
			seen := map[time.Time]bool{}
			for _, t := range times {
				seen[t.UTC().Truncate(24*time.Hour)] = true
			}
			first, last := slices.MinFunc(times, time.Time.Compare), slices.MaxFunc(times, time.Time.Compare)
			if len(seen) >= usualDays && last.Sub(first) >= usualApart {
				to.add(name, int64(len(seen)))
			}
		}
	}
	return u
}

func (b *batch) before(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	n := r.number("Successes")
	a.signIns += n
	a.rejections += r.number("Rejections")
	if at := r.time("Rejected"); !at.IsZero() {
		a.rejectedAt = append(a.rejectedAt, at)
	}
	if n > 0 {
		p := place{address: canonical(r.text("IPAddress")), country: r.text("Country"), network: r.text("Network"),
			device: r.text("DeviceId"), deviceName: r.text("Device"), successes: n}
		for _, text := range r.list("Strong") {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				p.strong = append(p.strong, at)
			}
		}
		a.places = append(a.places, p)
	}
}

// assessNovelty finds which of the alert's places and devices are new for the
// account, or that none is.
func (b *batch) assessNovelty(f findings, c *alert.Context, s subject, r rejections, addresses []string) {
	days := b.config.History.Hours() / 24
	for _, country := range slices.Sorted(maps.Keys(r.countries)) {
		if s.countries[country] == 0 {
			c.New = append(c.New, country)
			sentence, brief := s.notUsual(text.Quoted(country), text.Quoted(country), days, func(p place) bool { return p.country == country })
			usual := s.usualCountries()
			f.add(alert.FoundNewCountry, said{reason: "a new country, " + text.Quoted(country), brief: brief + usual}, "%s", sentence+usual)
		}
	}
	known := len(addresses) > 0
	for _, ip := range addresses {
		if s.used[ip] > 0 {
			continue
		}
		known = false
		c.New = append(c.New, ip)
		if f[alert.FoundNewCountry].Text == "" { // which says more
			sentence, brief := s.notUsual(text.Quoted(ip), "this address", days, func(p place) bool { return p.address == ip })
			f.add(alert.FoundNewAddress, said{reason: "a new address", brief: brief}, "%s", sentence)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.named)) {
		if r.named[name] {
			c.New = append(c.New, name)
		}
	}
	// A refusal elsewhere, or on a device that nobody knows, leaves it open who that
	// was.
	for _, p := range r.prompts {
		known = known && p.device != "" && s.devices[p.address+" "+p.device] > 0
	}
	if known && len(r.prompts) > 0 {
		again := r.again(s)
		f.add(alert.FoundKnownDevice, said{reason: "known address and device", brief: "signed in from this address and device before" + again},
			"%s has signed in from this address and device before%s", s.title, again)
	}
}

// usualCountries says where the account is at home, if that is known.
func (s subject) usualCountries() string {
	if len(s.countries) == 0 {
		return ""
	}
	return "; usual: " + strings.Join(head(all(byCount(s.countries), text.Quoted), 3), ", ")
}

// notUsual says that where a prompt came from is not known of the account, and if
// there were sign-ins, why they do not count: in a sentence, and without the
// account's name, with other words for where.
func (s subject) notUsual(from, briefly string, days float64, is func(p place) bool) (sentence, brief string) {
	var n int64
	for _, p := range s.places {
		if is(p) {
			n += p.successes
		}
	}
	if n == 0 {
		return fmt.Sprintf("%s did not sign in from %s in %.0f days", s.title, from, days), fmt.Sprintf("no sign-in from %s in %.0f days", briefly, days)
	}
	but := "before, " + times(n) + ", but not with a second factor on two days, a day ago or longer"
	return fmt.Sprintf("%s signed in from %s %s", s.title, from, but), fmt.Sprintf("signed in from %s %s", briefly, but)
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
