package alert

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

func TestCanonicalAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "203.0.113.7:5000": "203.0.113.7", "203.0.113.7:5001": "203.0.113.7", "[203.0.113.7]:80": "203.0.113.7",
		" 203.0.113.7\t": "203.0.113.7", "203.0.113.7\u00a0": "203.0.113.7", "\u2028\v203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7", "::FFFF:CB00:7107": "203.0.113.7", "0:0:0:0:0:ffff:203.0.113.7": "203.0.113.7",
		"::ffff:203.0.113.7:443": "203.0.113.7", "[::ffff:203.0.113.7]:443": "203.0.113.7",
		"2600:0:0:0:0:0:0:1": "2600::1", "2600::1": "2600::1", "2600::0001": "2600::1", "[2600::1]": "2600::1", "[2600::1]:443": "2600::1",
		"2001:DB8:0:0:1:0:0:1": "2001:db8::1:0:0:1", "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1", "2001:0:0:1:0:0:0:1": "2001:0:0:1::1",
		"fe80::1%eth0": "fe80::1", "[fe80::1%25eth0]:80": "fe80::1", "::": "::", "::1": "::1", "1::": "1::", "64:ff9b::192.0.2.33": "64:ff9b::c000:221",
		"::192.0.2.1": "::c000:201",
		// Those that are none, or could be something else.
		"": "", "-": "-", "unknown": "unknown", "alice@contoso.example": "alice@contoso.example", "203.0.113.256": "203.0.113.256", "203.0.113": "203.0.113",
		"203.0.113.07": "203.0.113.07", "203.0.113.0/24": "203.0.113.0/24", "2001:db8::/32": "2001:db8::/32", "1::2::3": "1::2::3", ":::": ":::", "12345::": "12345::",
		"203.0.113.7:": "203.0.113.7:", "203.0.113.7:123456": "203.0.113.7:123456", "[203.0.113.7": "[203.0.113.7", "2001:db8::1:65000": "2001:db8::1:65000",
		"1:2:3:4:5:6:7:8:9": "1:2:3:4:5:6:7:8:9", "203.0.113.7%eth0": "203.0.113.7%eth0", "203.0.113.7, 198.51.100.1": "203.0.113.7, 198.51.100.1",
		"１.2.3.4": "１.2.3.4", "10.12.34": "10.12.34",
	} {
		if got := CanonicalAddress(text); got != want {
			t.Errorf("CanonicalAddress(%q) = %q, want %q", text, got, want)
		}
		if got := CanonicalAddress(want); got != want {
			t.Errorf("CanonicalAddress(%q) = %q: another one of its own", want, got)
		}
	}
}

// spelled returns one of the ways to write an address.
func spelled(r *rand.Rand, addr netip.Addr) string {
	text := addr.String()
	if addr.Is4() {
		switch r.IntN(4) {
		case 0:
			text = "::ffff:" + text
		case 1:
			text = netip.AddrFrom16(addr.As16()).StringExpanded()
		case 2:
			return pad(r, fmt.Sprintf("%s:%d", text, r.IntN(65536)))
		}
	} else {
		groups := strings.Split(addr.StringExpanded(), ":")
		switch r.IntN(4) {
		case 0:
			text = strings.Join(groups, ":")
		case 1:
			for i, g := range groups {
				groups[i] = g[r.IntN(1+len(g)-max(1, len(strings.TrimLeft(g, "0")))):]
			}
			text = strings.Join(groups, ":")
		case 2:
			b := addr.As16()
			text = strings.Join(groups[:6], ":") + ":" + netip.AddrFrom4([4]byte(b[12:])).String()
		}
		if r.IntN(3) == 0 {
			text += "%eth" + fmt.Sprint(r.IntN(9))
		}
	}
	if r.IntN(3) == 0 {
		text = strings.ToUpper(text)
	}
	switch r.IntN(4) {
	case 0:
		text = "[" + text + "]"
	case 1:
		text = fmt.Sprintf("[%s]:%d", text, r.IntN(65536))
	}
	return pad(r, text)
}

func pad(r *rand.Rand, text string) string {
	space := []string{"", "", " ", "\t", "\n "}
	return space[r.IntN(len(space))] + text + space[r.IntN(len(space))]
}

func randomAddress(r *rand.Rand) netip.Addr {
	var b [16]byte
	for i := range b {
		if r.IntN(2) == 0 {
			b[i] = byte(r.UintN(256))
		}
	}
	if r.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	b[0] |= 0x20 // it maps no IPv4
	return netip.AddrFrom16(b)
}

// 10,000 pairs of spellings of one address are one address, the one that the
// standard library writes.
func TestSpellings(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		addr := randomAddress(r)
		one, other := spelled(r, addr), spelled(r, addr)
		if a, b := CanonicalAddress(one), CanonicalAddress(other); a != addr.String() || b != addr.String() {
			t.Fatalf("%q is %q and %q is %q, want %q", one, a, other, b, addr)
		}
	}
}

func FuzzCanonicalAddress(f *testing.F) {
	for _, seed := range []string{"203.0.113.7:80", "[2600::1%x]:443", "::ffff:1.2.3.4", "1::2::3", "\x00", "::ffff:1.2.3.4%a:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := CanonicalAddress(text)
		if again := CanonicalAddress(got); again != got {
			t.Errorf("%q is %q, and that is %q", text, got, again)
		}
		if addr, err := netip.ParseAddr(got); err != nil && got != text || err == nil && addr.Zone() == "" && addr.Unmap().String() != got {
			t.Errorf("%q became %q", text, got)
		}
	})
}
