package silence

import (
	"net/netip"
	"strings"

	"pushback/detect/alert"
)

// Canonical returns the one spelling of a value: of an address that of
// [alert.CanonicalAddress], and all of it without the space around it and in lower
// case.
func Canonical(value string) string {
	value = strings.TrimSpace(value)
	if len(value) <= longestAddress {
		value = alert.CanonicalAddress(value)
	}
	return strings.ToLower(value)
}

// longestAddress is longer than an address can be, with its port and zone.
const longestAddress = 120

// pattern is a value in canonical form in which a * stands for any text.
type pattern struct {
	parts []string // between the stars; one if there is no star
}

func newPattern(value string) pattern {
	if !strings.Contains(value, "*") {
		return pattern{[]string{Canonical(value)}}
	}
	return pattern{strings.Split(strings.ToLower(strings.TrimSpace(value)), "*")}
}

// matches reports whether a canonical value is like the pattern. It takes time that
// grows with the length of the value, and not with the stars.
func (p pattern) matches(value string) bool {
	last := len(p.parts) - 1
	if last == 0 {
		return value == p.parts[0]
	}
	rest, ok := strings.CutPrefix(value, p.parts[0])
	if !ok {
		return false
	}
	for _, part := range p.parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, p.parts[last])
}

// Pattern is a text in which a * stands for any text, without case. An address counts as
// what it is, however it is spelled.
type Pattern struct{ of pattern }

// NewPattern returns the pattern of a text.
func NewPattern(text string) Pattern { return Pattern{newPattern(text)} }

// Matches reports whether a value is like the pattern.
func (p Pattern) Matches(value string) bool { return p.of.matches(Canonical(value)) }

// IsText reports whether the pattern has no star, so that one value alone is like it.
func (p Pattern) IsText() bool { return len(p.of.parts) == 1 }

// ParseCIDR reads a range of addresses, or one address.
func ParseCIDR(text string) (netip.Prefix, bool) { return parseCIDR(text) }

// letters counts the letters and digits that the pattern demands.
func (p pattern) letters() (n int) {
	for _, part := range p.parts {
		for _, r := range part {
			if r > 127 || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
				n++
			}
		}
	}
	return n
}

// parseCIDR reads a range of addresses, or one address. One that is mapped into IPv6
// is the IPv4 range.
func parseCIDR(text string) (netip.Prefix, bool) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	if addr, bits := prefix.Addr(), prefix.Bits(); addr.Is4In6() {
		if bits < 96 {
			return netip.Prefix{}, false // it has more than the IPv4 addresses
		}
		prefix = netip.PrefixFrom(addr.Unmap(), bits-96)
	}
	return prefix.Masked(), true
}

// test is what a value is compared with.
type test struct {
	exactly  map[string]bool // canonical
	patterns []pattern       // with stars
	ranges   []netip.Prefix
}

func newTest(m Matcher) test {
	t := test{exactly: map[string]bool{}}
	for _, v := range m.Exactly {
		t.exactly[Canonical(v)] = true
	}
	for _, v := range m.Values {
		if p := newPattern(v); len(p.parts) == 1 {
			t.exactly[p.parts[0]] = true
		} else {
			t.patterns = append(t.patterns, p)
		}
	}
	for _, c := range m.CIDR {
		if p, ok := parseCIDR(c); ok {
			t.ranges = append(t.ranges, p)
		}
	}
	return t
}

// isExact reports whether the test is of whole values alone.
func (t test) isExact() bool { return len(t.patterns)+len(t.ranges) == 0 }

// matches reports whether a canonical value passes.
func (t test) matches(value string) bool {
	if t.exactly[value] {
		return true
	}
	for _, p := range t.patterns {
		if p.matches(value) {
			return true
		}
	}
	if len(t.ranges) > 0 && len(value) <= longestAddress {
		if addr, err := netip.ParseAddr(value); err == nil {
			for _, r := range t.ranges {
				if r.Contains(addr) {
					return true
				}
			}
		}
	}
	return false
}
