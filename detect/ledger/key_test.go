package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestEscape(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 5000)
	for text, want := range map[string]string{
		"":                                     "",
		"173f8699-6af5-4a8e-9d3b-2a7a5dd1e8c2": "173f8699-6af5-4a8e-9d3b-2a7a5dd1e8c2",
		"a/b\\c#d?e":                           "a_2Fb_5Cc_23d_3Fe",
		"a_2Fb":                                "a_5F2Fb",
		"' or '1' eq '1":                       "_27_20or_20_271_27_20eq_20_271",
		"a\x00\x7f\n%":                         "a_00_7F_0A_25",
		"run:x~":                               "run_3Ax_7E",
		long:                                   escape(long),
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) = %q, want %q", text, got, want)
		}
	}
	if got := escape(long); len(got) != 66 || got == escape(long+"x") {
		t.Errorf("escape of a long text = %q", got)
	}
}

func FuzzEscape(f *testing.F) {
	for _, text := range []string{"", "a/b", "_2F", "_h", strings.Repeat("x", 201), "ä\x00"} {
		f.Add(text, text+"_")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		got := escape(a)
		if len(got) > maxEscaped || strings.ContainsFunc(got, func(r rune) bool {
			return r >= utf8.RuneSelf || r <= ' ' || strings.ContainsRune(`/\#?%'":~`, r)
		}) {
			t.Errorf("escape(%q) = %q", a, got)
		}
		if back, ok := unescape(got); ok != !strings.HasPrefix(got, "_h") || ok && back != a {
			t.Errorf("unescape(%q) = %q, %v; want %q", got, back, ok, a)
		}
		if a != b && got == escape(b) {
			t.Errorf("%q and %q are both %q", a, b, got)
		}
	})
}

func TestHoursAreInOrder(t *testing.T) {
	t.Parallel()
	times := []time.Time{
		{}, time.Date(999, 1, 1, 0, 0, 0, 0, time.UTC), noon.Add(-time.Hour), noon,
		noon.Add(time.Hour), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC),
	}
	var hours []string
	for _, at := range times {
		hours = append(hours, hour(at.In(time.FixedZone("east", 3600))))
	}
	if !slices.IsSorted(hours) || len(slices.Compact(hours)) != len(times) {
		t.Errorf("hours %q", hours)
	}
	for _, far := range []time.Time{time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := hour(far); got < hours[0] || got > hours[len(hours)-1] {
			t.Errorf("hour(%s) = %q", far, got)
		}
	}
}
