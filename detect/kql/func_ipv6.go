package kql

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ipv6Functions work on IPv6 addresses and on IPv4 ones, which stand for
// ::ffff:a.b.c.d. Either may carry a prefix, an IPv4 one that of its own bits.
func ipv6Functions() []*scalarFunction {
	compare := func(f func(order int) Value) func([]Value) Value {
		return func(a []Value) Value {
			order, ok := compareIPv6(a[0].s, a[1].s, optional(a, 2, 128))
			if !ok {
				return Value{}
			}
			return f(order)
		}
	}
	return []*scalarFunction{
		{sig: "parse_ipv6(ip:string) string", doc: "The address written in full, without the bits behind its prefix.",
			examples: examples{"parse_ipv6('192.168.255.255/24')", "0000:0000:0000:0000:0000:ffff:c0a8:ff00", "parse_ipv6('fe80::85d:e82c:9446:7994')", "fe80:0000:0000:0000:085d:e82c:9446:7994", "parse_ipv6('x')", ""},
			rows:     func(a []Value) Value { return stringValue(textOfIPv6(a[0].s, 128)) }},
		{sig: "parse_ipv6_mask(ip:string, prefix:long) string", doc: "The address written in full, without the bits behind the prefix.",
			examples: examples{"parse_ipv6_mask('192.168.255.255', 120)", "0000:0000:0000:0000:0000:ffff:c0a8:ff00", "parse_ipv6_mask('fe80::85d:e82c:9446:7994/120', 124)", "fe80:0000:0000:0000:085d:e82c:9446:7900"},
			rows:     func(a []Value) Value { return stringValue(textOfIPv6(a[0].s, optional(a, 1, -1))) }},
		{sig: "ipv6_compare(left:string, right:string, prefix:long?) long", doc: "-1, 0 or 1 as the first address comes before, is or comes after the second, under the shortest prefix.",
			examples: examples{"ipv6_compare('fe80::85d:e82c:9446:7994', 'fe80::85d:e82c:9446:7998/120')", "0", "ipv6_compare('::1', '::2')", "-1", "ipv6_compare('192.168.1.1', '::ffff:c0a8:0101')", "0"},
			rows:     compare(func(order int) Value { return longValue(int64(order)) })},
		{sig: "ipv6_is_match(left:string, right:string, prefix:long?) bool", doc: "Whether two addresses are the same under the shortest prefix.",
			examples: examples{"ipv6_is_match('192.168.1.1/24', '::ffff:c0a8:01ff')", "true", "ipv6_is_match('::1', '::2')", "false", "ipv6_is_match('::1', 'x')", "null"},
			rows:     compare(func(order int) Value { return boolValue(order == 0) })},
		{sig: "ipv6_is_in_range(ip:string, range:string) bool", doc: "Whether an address is in a range such as fe80::/10.",
			examples: examples{"ipv6_is_in_range('a5e:f127:8a9d:146d:e102:b5d3:c755:abcd', 'a5e:f127:8a9d:146d:e102:b5d3:c755:0000/112')", "true", "ipv6_is_in_range('::1', '::2')", "false"},
			rows:     func(a []Value) Value { return inAnyRange(a, inIPv6Range) }},
		{sig: "ipv6_is_in_any_range(ip:text, range:text, more:text*) bool", doc: "Whether an address is in one of several ranges, given one by one or in an array.",
			examples: examples{"ipv6_is_in_any_range('fe80::1', '::1', 'fe80::/10')", "true", "ipv6_is_in_any_range('fe80::1', dynamic(['::1']))", "false"},
			rows:     func(a []Value) Value { return inAnyRange(a, inIPv6Range) }},
	}
}

// parseIPv6 reads an address with or without a prefix. One that is written
// with dots has the prefix of an IPv4 address, 96 bits further in.
func parseIPv6(s string) (ip [16]byte, prefix int64, ok bool) {
	s, suffix, hasPrefix := strings.Cut(s, "/")
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return ip, 0, false
	}
	ip, prefix = addr.As16(), 128
	dotted := strings.Contains(s, ".")
	if dotted && bytes.Equal(ip[:12], make([]byte, 12)) { // ::a.b.c.d
		ip[10], ip[11] = 0xFF, 0xFF
	}
	if hasPrefix {
		n, err := strconv.ParseUint(suffix, 10, 8)
		if err != nil {
			return ip, 0, false
		}
		prefix = int64(n)
		if dotted {
			prefix += 96
		}
	}
	return ip, prefix, prefix <= 128
}

func maskIPv6(ip [16]byte, prefix int64) [16]byte {
	for i := range ip {
		keep := min(max(prefix-int64(8*i), 0), 8)
		ip[i] &= byte(0xFF << (8 - keep))
	}
	return ip
}

func textOfIPv6(s string, prefix int64) string {
	ip, own, ok := parseIPv6(s)
	if !ok || prefix < 0 || prefix > 128 {
		return ""
	}
	ip = maskIPv6(ip, min(prefix, own))
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = fmt.Sprintf("%02x%02x", ip[2*i], ip[2*i+1])
	}
	return strings.Join(groups, ":")
}

func compareIPv6(left, right string, prefix int64) (order int, ok bool) {
	l, lp, ok1 := parseIPv6(left)
	r, rp, ok2 := parseIPv6(right)
	if !ok1 || !ok2 || prefix < 0 || prefix > 128 {
		return 0, false
	}
	prefix = min(prefix, lp, rp)
	l, r = maskIPv6(l, prefix), maskIPv6(r, prefix)
	return bytes.Compare(l[:], r[:]), true
}

func inIPv6Range(ip, in string) (inside, ok bool) {
	x, p, ok1 := parseIPv6(ip)
	r, prefix, ok2 := parseIPv6(in)
	return maskIPv6(maskIPv6(x, p), prefix) == maskIPv6(r, prefix), ok1 && ok2
}
