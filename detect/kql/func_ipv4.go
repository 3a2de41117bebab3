package kql

import (
	"cmp"
	byteorder "encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// ipv4Functions work on IPv4 addresses, which may carry a prefix such as /24.
// What is no address makes the result null, or a text empty.
func ipv4Functions() []*scalarFunction {
	compare := func(f func(order int64) Value) func([]Value) Value {
		return func(a []Value) Value {
			order, ok := compareIPv4(a[0].s, a[1].s, optional(a, 2, 32))
			if !ok {
				return Value{}
			}
			return f(order)
		}
	}
	return []*scalarFunction{
		{sig: "parse_ipv4(ip:string) long", doc: "The address as a number, without the bits behind its prefix.",
			examples: examples{"parse_ipv4('192.168.1.1')", "3232235777", "parse_ipv4('192.168.1.1/24')", "3232235776", "parse_ipv4('1.2.3.256')", "null"},
			rows: func(a []Value) Value {
				ip, prefix, ok := parseIPv4(a[0].s)
				return orNull(ok, longValue(int64(maskIPv4(ip, prefix))))
			}},
		{sig: "parse_ipv4_mask(ip:string, prefix:long) long", doc: "The address as a number, without the bits behind the prefix.",
			examples: examples{"parse_ipv4_mask('127.0.0.1', 24)", "2130706432"},
			rows: func(a []Value) Value {
				ip, prefix, ok := parseIPv4(a[0].s)
				ok = ok && !a[1].IsNull() && a[1].n >= 0 && a[1].n <= 32
				return orNull(ok, longValue(int64(maskIPv4(ip, min(prefix, a[1].n)))))
			}},
		{sig: "ipv4_compare(left:string, right:string, prefix:long?) long", doc: "-1, 0 or 1 as the first address comes before, is or comes after the second, under the shortest prefix.",
			examples: examples{"ipv4_compare('192.168.1.1/24', '192.168.1.255')", "0", "ipv4_compare('10.0.0.1', '10.0.0.2')", "-1", "ipv4_compare('10.0.0.1', '10.0.0.2', 30)", "0"},
			rows:     compare(longValue)},
		{sig: "ipv4_is_match(left:string, right:string, prefix:long?) bool", doc: "Whether two addresses are the same under the shortest prefix.",
			examples: examples{"ipv4_is_match('192.168.1.1', '192.168.1.255/24')", "true", "ipv4_is_match('10.0.0.1', 'x')", "null"},
			rows:     compare(func(order int64) Value { return boolValue(order == 0) })},
		{sig: "ipv4_is_in_range(ip:string, range:string) bool", doc: "Whether an address is in a range such as 10.0.0.0/8.",
			examples: examples{"ipv4_is_in_range('192.168.1.6', '192.168.1.1/24')", "true", "ipv4_is_in_range('192.168.2.6', '192.168.1.1/24')", "false"},
			rows:     func(a []Value) Value { return inAnyRange(a, inIPv4Range) }},
		{sig: "ipv4_is_in_any_range(ip:text, range:text, more:text*) bool", doc: "Whether an address is in one of several ranges, given one by one or in an array.",
			examples: examples{"ipv4_is_in_any_range('192.168.1.6', '10.0.0.0/8', '192.168.1.1/24')", "true", "ipv4_is_in_any_range('1.1.1.1', dynamic(['10.0.0.0/8']))", "false"},
			rows:     func(a []Value) Value { return inAnyRange(a, inIPv4Range) }},
		{sig: "ipv4_is_private(ip:string) bool", doc: "Whether the address is in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.",
			examples: examples{"ipv4_is_private('172.31.0.1')", "true", "ipv4_is_private('192.168.1.1/24')", "true", "ipv4_is_private('127.0.0.1')", "false", "ipv4_is_private('::1')", "null"},
			rows: func(a []Value) Value {
				return inAnyRange([]Value{a[0], stringValue("10.0.0.0/8"), stringValue("172.16.0.0/12"), stringValue("192.168.0.0/16")}, inIPv4Range)
			}},
		{sig: "ipv4_netmask_suffix(ip:string) long", doc: "The length of the address's prefix, 32 if it has none.",
			examples: examples{"ipv4_netmask_suffix('192.168.1.1/24')", "24", "ipv4_netmask_suffix('10.1.2.3')", "32"},
			rows: func(a []Value) Value {
				_, prefix, ok := parseIPv4(a[0].s)
				return orNull(ok, longValue(prefix))
			}},
		{sig: "ipv4_range_to_cidr_list(start:string, end:string) dynamic", doc: "The fewest ranges such as 10.0.0.0/8 that make up all addresses from start to end.", rows: ipv4Ranges,
			examples: examples{"ipv4_range_to_cidr_list('1.1.128.0', '1.1.140.255')", `["1.1.128.0/21","1.1.136.0/22","1.1.140.0/24"]`}},
		{sig: "format_ipv4(ip:scalar, prefix:long?) string", doc: "An address, or the number of one, without the bits behind the prefix.",
			examples: examples{"format_ipv4('192.168.1.1/24', 32)", "192.168.1.0", "format_ipv4(3232236031, 24)", "192.168.1.0", "format_ipv4('192.168.1.1', -1)", ""},
			rows: func(a []Value) Value {
				text, _, ok := formatIPv4(a)
				return convert(orNull(ok, stringValue(text)), String)
			}},
		{sig: "format_ipv4_mask(ip:scalar, prefix:long?) string", doc: "The same as format_ipv4(), with the prefix behind it.",
			examples: examples{"format_ipv4_mask('192.168.1.1', 24)", "192.168.1.0/24", "format_ipv4_mask(3232236031, 24)", "192.168.1.0/24"},
			rows: func(a []Value) Value {
				text, prefix, ok := formatIPv4(a)
				return convert(orNull(ok, stringValue(text+"/"+strconv.FormatInt(prefix, 10))), String)
			}},
		{sig: "has_ipv4(source:text, ip:string) bool", doc: "Whether the text has the address, with neither a letter nor a digit beside it.",
			examples: examples{"has_ipv4('05:04:54 127.0.0.1 GET', '127.0.0.1')", "true", "has_ipv4('05:04:54127.0.0.1 GET', '127.0.0.1')", "false", "has_ipv4('127.0.0.256', '127.0.0.256')", "false"},
			rows:     func(a []Value) Value { return hasIPv4(a, isAddress) }},
		{sig: "has_any_ipv4(source:text, ip:text, more:text*) bool", doc: "Whether the text has one of several addresses, given one by one or in an array.",
			examples: examples{"has_any_ipv4('05:04:54 127.0.0.1 GET', '10.0.0.1', '127.0.0.1')", "true", "has_any_ipv4('127.0.0.1', dynamic(['10.0.0.1']))", "false"},
			rows:     func(a []Value) Value { return hasIPv4(a, isAddress) }},
		{sig: "has_ipv4_prefix(source:text, prefix:string) bool", doc: "Whether the text has an address, or one that starts with a prefix that ends with a dot.",
			examples: examples{"has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0.')", "true", "has_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0')", "false"},
			rows:     func(a []Value) Value { return hasIPv4(a, isAddressOrPrefix) }},
		{sig: "has_any_ipv4_prefix(source:text, prefix:text, more:text*) bool", doc: "has_ipv4_prefix() for several prefixes, given one by one or in an array.",
			examples: examples{"has_any_ipv4_prefix('05:04:54 127.0.0.1 GET', '127.0.', '192.168.')", "true", "has_any_ipv4_prefix('127.0.0.1', dynamic(['127.0', '192.168.']))", "false"},
			rows:     func(a []Value) Value { return hasIPv4(a, isAddressOrPrefix) }},
	}
}

func orNull(ok bool, v Value) Value {
	if !ok {
		return Value{}
	}
	return v
}

// parseIPv4 reads a.b.c.d or a.b.c.d/prefix.
func parseIPv4(s string) (ip uint32, prefix int64, ok bool) {
	s, suffix, hasPrefix := strings.Cut(s, "/")
	prefix = 32
	if hasPrefix {
		n, err := strconv.ParseUint(suffix, 10, 8)
		if err != nil || n > 32 {
			return 0, 0, false
		}
		prefix = int64(n)
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return 0, 0, false
	}
	b := addr.As4()
	return byteorder.BigEndian.Uint32(b[:]), prefix, true
}

func maskIPv4(ip uint32, prefix int64) uint32 {
	return ip & uint32(uint64(0xFFFFFFFF)<<(32-min(max(prefix, 0), 32)))
}

func textOfIPv4(ip uint32) string {
	return netip.AddrFrom4([4]byte(byteorder.BigEndian.AppendUint32(nil, ip))).String()
}

// compareIPv4 compares under the shortest of three prefixes.
func compareIPv4(left, right string, prefix int64) (order int64, ok bool) {
	l, lp, ok1 := parseIPv4(left)
	r, rp, ok2 := parseIPv4(right)
	if !ok1 || !ok2 || prefix < 0 || prefix > 32 {
		return 0, false
	}
	prefix = min(prefix, lp, rp)
	return int64(cmp.Compare(maskIPv4(l, prefix), maskIPv4(r, prefix))), true
}

// inIPv4Range puts an address, without what is behind its prefix, into the
// range's.
func inIPv4Range(ip, in string) (inside, ok bool) {
	x, p, ok1 := parseIPv4(ip)
	r, prefix, ok2 := parseIPv4(in)
	return maskIPv4(maskIPv4(x, p), prefix) == maskIPv4(r, prefix), ok1 && ok2
}

// inAnyRange is true in one of the ranges, null if one can not be read, and
// else false.
func inAnyRange(a []Value, in func(ip, in string) (inside, ok bool)) Value {
	readable := true
	for _, r := range flattened(a[1:]) {
		inside, ok := in(a[0].String(), r.String())
		if inside && ok {
			return boolValue(true)
		}
		readable = readable && ok
	}
	return orNull(readable, boolValue(false))
}

// flattened puts the elements of arrays in their place.
func flattened(a []Value) []Value {
	if len(a) == 1 && a[0].kind == kindArray {
		return a[0].array()
	}
	var out []Value
	for _, v := range a {
		if v.kind == kindArray {
			out = append(out, v.array()...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// ipv4Ranges cuts a span of addresses into ranges. From the start on it takes
// the largest that begins there and does not go past the end.
func ipv4Ranges(a []Value) Value {
	from, _, ok1 := parseIPv4(a[0].s)
	to, _, ok2 := parseIPv4(a[1].s)
	if !ok1 || !ok2 || from > to {
		return Value{}
	}
	items := []Value{}
	for at := uint64(from); at <= uint64(to); {
		size := min(bits.TrailingZeros64(at|1<<32), bits.Len64(uint64(to)-at+1)-1)
		items = append(items, stringValue(textOfIPv4(uint32(at))+"/"+strconv.Itoa(32-size)))
		at += 1 << size
	}
	return arrayValue(items)
}

func formatIPv4(a []Value) (text string, prefix int64, ok bool) {
	var ip uint32
	switch a[0].kind {
	case Int, Long:
		ip, prefix, ok = uint32(a[0].n), 32, a[0].n >= 0 && a[0].n <= 0xFFFFFFFF
	default:
		ip, prefix, ok = parseIPv4(a[0].String())
	}
	asked := optional(a, 1, 32)
	prefix = min(prefix, asked)
	return textOfIPv4(maskIPv4(ip, prefix)), prefix, ok && asked >= 0 && asked <= 32
}

func isAddress(ip, wanted string) bool { return ip == wanted }

// isAddressOrPrefix takes a text that ends with a dot for a prefix.
func isAddressOrPrefix(ip, wanted string) bool {
	return ip == wanted || strings.HasSuffix(wanted, ".") && strings.HasPrefix(ip, wanted)
}

// hasIPv4 looks for an address in a text that is one of those wanted.
func hasIPv4(a []Value, is func(ip, wanted string) bool) Value {
	wanted := flattened(a[1:])
	for rest := a[0].String(); rest != ""; {
		end := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && !isTermRune(r) })
		if end < 0 {
			end = len(rest)
		}
		parts := strings.Split(rest[:end], ".")
		for i := 0; i+4 <= len(parts); i++ {
			ip := strings.Join(parts[i:i+4], ".")
			if _, _, ok := parseIPv4(ip); !ok {
				continue
			}
			for _, w := range wanted {
				if is(ip, w.String()) {
					return boolValue(true)
				}
			}
		}
		rest = strings.TrimLeftFunc(rest[end:], func(r rune) bool { return !isTermRune(r) })
	}
	return boolValue(false)
}
