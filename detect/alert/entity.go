package alert

import "strings"

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
