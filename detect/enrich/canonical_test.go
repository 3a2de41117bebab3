package enrich

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
	"pushback/detect/kql"
)

// canonicalFunctions returns the statements of a query that define Canonical.
func canonicalFunctions(t testing.TB, query string) string {
	t.Helper()
	_, after, found := strings.Cut(query, "let Byte = (")
	functions, _, ended := strings.Cut(after, "\n};\n")
	if !found || !ended {
		t.Fatalf("Canonical is not defined in:\n%s", query)
	}
	return "let Byte = (" + functions + "\n};\n"
}

// There is one definition of Canonical: that of the shipped rule.
func TestCanonicalIsTheSame(t *testing.T) {
	t.Parallel()
	want := canonicalFunctions(t, shippedQuery(t))
	for _, name := range []string{"aftermath", "history", "prevalence", "ueba_addresses"} {
		text, err := os.ReadFile(filepath.Join("queries", name+".kql"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, canonicalFunctions(t, string(text))); diff != "" {
			t.Errorf("%s (-rule +query):\n%s", name, diff)
		}
	}
}

func shippedQuery(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "rule", "mfa-rejected-by-user.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var rule struct{ Query string }
	if err := yaml.Unmarshal(data, &rule); err != nil {
		t.Fatal(err)
	}
	return rule.Query
}

// spellingsOf returns texts that are addresses, in all their spellings, nearly
// are, or are what an attacker may write in the place of one.
func spellingsOf(r *rand.Rand, n int) []string {
	list := append([]string{
		"::", "::1", "1::", "[::]", "1:0:0:2:0:0:0:3", "1:0:0:2:3:0:0:4", "1:0:2:3:4:5:6:7", "0:1:0:1:0:1:0:1", "0:0:1:1:1:1:1:1", "1:1:1:1:1:1:0:0",
		"::ffff:0:0", "::ffff:255.255.255.255", "::fffe:1.2.3.4", "::1.2.3.4", "64:ff9b::192.0.2.33", "::ffff:1.2.3.4:99999", "::ffff:1.2.3.4:999999",
		"1::2::3", ":::", ":", "::12345", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4",
		"1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.4/24", "1.2.3.4:", "1.2.3.4:80:80", "[1.2.3.4:80]", "[1.2.3.4:80]:90", "[[::1]]", "[::1", "::1]", "::1/64", "fe80::1%", "fe80::1%%a", "fe80::1%a b",
		"1.2.3.4, 5.6.7.8", "1.2.3.4\x00", "\v1.2.3.4", "１.2.3.4", "\u00a0::1", "::1\u2028", "::%1", "2001:db8::1:65000", "2001:db8::g", strings.Repeat(" ", 300) + "::1",
	}, nasty...)
	space := []string{"", "", "", " ", "\t", "\r\n"}
	for len(list) < n {
		var b [16]byte
		for i := range b {
			if r.IntN(3) > 0 {
				b[i] = byte(r.UintN(256))
			}
		}
		if r.IntN(3) == 0 { // groups of zeros
			from := 2 * r.IntN(8)
			clear(b[from : from+2*r.IntN(9-from/2)])
		}
		addr := netip.AddrFrom16(b)
		switch r.IntN(4) {
		case 0:
			addr = netip.AddrFrom4([4]byte(b[:4]))
		case 1:
			addr = netip.AddrFrom16(netip.AddrFrom4([4]byte(b[:4])).As16())
		}
		text := addr.String()
		switch r.IntN(4) {
		case 0:
			text = addr.StringExpanded()
		case 1:
			b := addr.As16()
			text = netip.AddrFrom16(b).StringExpanded()[:30] + netip.AddrFrom4([4]byte(b[12:])).String()
		}
		switch r.IntN(6) {
		case 0:
			text = strings.ToUpper(text)
		case 1:
			text = "[" + text + "]"
		case 2:
			text = fmt.Sprintf("[%s]:%d", text, r.IntN(70000))
		case 3:
			text = fmt.Sprintf("%s:%d", text, r.IntN(70000))
		case 4:
			text += "%eth" + fmt.Sprint(r.IntN(3))
		}
		if r.IntN(8) == 0 { // one character of it is another
			at := r.IntN(len(text))
			text = text[:at] + string("0a:.%[] g"[r.IntN(9)]) + text[at+1:]
		}
		list = append(list, space[r.IntN(len(space))]+text+space[r.IntN(len(space))])
	}
	return list
}

// The queries and the process take the same texts for the same addresses.
func TestCanonicalAgrees(t *testing.T) {
	t.Parallel()
	const n = 20_000
	texts := spellingsOf(rand.New(rand.NewPCG(5, 6)), n)
	b := kql.NewTableBuilder("Texts", kql.Schema{{Name: "Text", Type: kql.String}})
	for i, text := range texts {
		texts[i] = strings.ToValidUTF8(text, "\uFFFD")
		if !b.SetText(0, []byte(texts[i])) {
			t.Fatalf("%q is no text", text)
		}
		b.Commit()
	}
	got, err := kql.Run(t.Context(), canonicalFunctions(t, shippedQuery(t))+"Texts | extend Canonical = Canonical(Text)", kql.NewDatabase(b.Build()), kql.Options{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	addresses := 0
	for i := range got.Rows() {
		text, canonical := got.Value(i, 0).String(), got.Value(i, 1).String()
		if want := alert.CanonicalAddress(text); canonical != want {
			t.Errorf("%q is %q to the query, %q to the process", text, canonical, want)
		}
		if canonical != text {
			addresses++
		}
	}
	if got.Rows() != n || addresses < n/3 {
		t.Errorf("%d texts, of which %d are addresses in another spelling", got.Rows(), addresses)
	}
}

// There is one definition of what satisfied MFA.
func TestSatisfiedIsTheSame(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, name := range []string{"history", "prevalence"} {
		_, after, found := strings.Cut(loadQuery(name).text, "let Satisfied = (")
		text, _, ended := strings.Cut(after, "\n};\n")
		if !found || !ended {
			t.Fatalf("%s does not define what satisfied MFA", name)
		}
		texts = append(texts, text)
	}
	if diff := cmp.Diff(texts[0], texts[1]); diff != "" {
		t.Errorf("-history +prevalence:\n%s", diff)
	}
}
