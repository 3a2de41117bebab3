package alert

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
)

// LoggedAddresses is the custom detail that has addresses as the log spells
// them, where that is not how the entities have them. A rule whose query makes
// them one spelling can have a custom detail of its own by this name.
const LoggedAddresses = "LoggedAddresses"

// The forms in which logs write addresses: in brackets, with a port where that
// cannot be taken for a part of the address, with a zone. They are those of the
// function Canonical in the queries, which must agree with CanonicalAddress. White space
// is that of every script, as \s is in KQL.
var (
	bracketed = regexp.MustCompile(`^\[([^\[\]]*)\](?::[0-9]{1,5})?$`)
	dotted    = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+){3})(?::[0-9]{1,5})?$`)
	colons    = regexp.MustCompile(`^((?:[0-9A-Fa-f]{0,4}:)+)(?:([0-9A-Fa-f]{1,4})|([0-9]+(?:\.[0-9]+){3})(?::[0-9]{1,5})?)?(?:%[^%\t-\r \x{85}\p{Z}]+)?$`)
)

// CanonicalAddress returns the one spelling of an IP address: IPv4 with dots,
// also where it is mapped into IPv6, IPv6 in lower case and shortened as RFC
// 5952 says, and without what surrounds it: white space, brackets, port, zone.
// A text that is not an address is returned as it is.
func CanonicalAddress(text string) string {
	if !strings.ContainsAny(text, ":.") {
		return text
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" { // as a rule
		return addr.Unmap().String()
	}
	inner := strings.TrimFunc(text, unicode.IsSpace)
	if m := bracketed.FindStringSubmatch(inner); m != nil {
		inner = m[1]
	}
	bare := ""
	if m := dotted.FindStringSubmatch(inner); m != nil {
		bare = m[1]
	} else if m := colons.FindStringSubmatch(inner); m != nil {
		bare = m[1] + m[2] + m[3]
	}
	if addr, err := netip.ParseAddr(bare); err == nil {
		return addr.Unmap().String()
	}
	return text
}
