package enrich

import (
	"maps"
	"slices"
	"strings"

	"pushback/detect/alert"
)

func (b *batch) before(r row) {
	a := b.find(r.text("UserId"), r.text("User"))
	if a == nil {
		return
	}
	n := r.number("Successes")
	a.signIns += n
	a.rejections += r.number("Rejections")
	if n > 0 {
		ip := canonical(r.text("IPAddress"))
		a.used.add(ip, n)
		if device := r.text("DeviceId"); device != "" {
			a.devices.add(ip+" "+device, n)
		}
		if country := r.text("Country"); country != "" {
			a.countries.add(country, n)
		}
		if network := r.text("Network"); network != "" && network != "0" {
			a.networks.add(network, n)
		}
		if device := r.text("DeviceId"); device != "" {
			a.machines.add(device, n)
		}
		if name := r.text("Device"); name != "" {
			a.named.add(name, n)
			a.owned.add(r.text("DeviceId")+" "+name, n)
		}
	}
}

// assessNovelty finds which of the alert's places and devices are new for the
// account, or that none is.
func (b *batch) assessNovelty(f findings, c *alert.Context, s subject, r rejections, addresses []string) {
	for _, country := range slices.Sorted(maps.Keys(r.countries)) {
		if s.countries[country] == 0 {
			c.New = append(c.New, country)
			f.add(alert.FoundNewCountry, "a new country, "+country, "%s did not sign in from %s in %.0f days; usual: %s", s.title, country, b.config.History.Hours()/24, strings.Join(ranked(s.countries, 3), ", "))
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
			f.add(alert.FoundNewAddress, "a new address", "%s did not sign in from %s in %.0f days", s.title, ip, b.config.History.Hours()/24)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.named)) {
		if r.named[name] {
			c.New = append(c.New, name)
		}
	}
	for device := range r.devices {
		known = known && s.devices[device] > 0
	}
	if known && len(r.devices) > 0 {
		f.add(alert.FoundKnownDevice, "known address and device", "%s has signed in from this address and device before", s.title)
	}
}
