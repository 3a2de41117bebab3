package alert

import (
	"slices"
	"strings"
)

// Account returns the id and the user principal name of an Account entity, in lower
// case. Either is empty if the entity does not have it, and both are of others.
func (e Entity) Account() (id, name string) {
	if e.Type != "Account" {
		return "", ""
	}
	fields := map[string]string{}
	for _, f := range e.Fields {
		fields[f.Identifier] = strings.ToLower(strings.TrimSpace(f.Value))
	}
	name = fields["FullName"]
	if n, suffix := fields["Name"], fields["UPNSuffix"]; name == "" && n != "" {
		name = n
		if suffix != "" && !strings.Contains(n, "@") {
			name += "@" + suffix
		}
	}
	return fields["AadUserId"], name
}

// Address returns the address of an IP entity in its one spelling, or nothing.
func (e Entity) Address() string {
	if e.Type == "IP" {
		for _, f := range e.Fields {
			if f.Identifier == "Address" {
				return strings.ToLower(strings.TrimSpace(CanonicalAddress(f.Value)))
			}
		}
	}
	return ""
}

// Spelled returns what a Host, URL or FileHash entity may be called in logs, the
// fullest first, as it is spelled.
func (e Entity) Spelled() []string {
	fields := map[string]string{}
	for _, f := range e.Fields {
		fields[f.Identifier] = strings.TrimSpace(f.Value)
	}
	var names []string
	switch e.Type {
	case "Host":
		names = []string{fields["FullName"], "", fields["HostName"], fields["NetBiosName"]}
		if host, domain := fields["HostName"], fields["DnsDomain"]; host != "" && domain != "" {
			names[1] = host + "." + domain
		}
	case "URL":
		names = []string{fields["Url"]}
	case "FileHash":
		names = []string{fields["Value"]}
	}
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}
