package text

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"pushback/detect/alert"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"plain", "Ana Horváth", "Ana Horváth"},
		{"other scripts", "陳怡君 יעל प्रिया", "陳怡君 יעל प्रिया"},
		{"joiners that a script needs", "क्\u200dष", "क्\u200dष"},
		{"escape sequence", "\x1b[31mred\x07", `\x1b[31mred\x07`},
		{"C1 control", "a\u009b31m", `a\u009b31m`},
		{"line breaks and tabs", "a\r\nb\tc", `a\r\nb\tc`},
		{"direction override", "\u202egnp.exe\u2066", `\u202egnp.exe\u2066`},
		{"line separator", "a\u2028b", `a\u2028b`},
		{"zero width space and BOM", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"tag characters", "a\U000E0041", `a\U000e0041`},
		{"not UTF-8", "a\xff\xc3", `a\xff\xc3`},
		{"NUL", "a\x00", `a\x00`},
	} {
		if got := Safe(tc.in); got != tc.want {
			t.Errorf("%s: Safe(%q) = %q, want %q", tc.name, tc.in, got, tc.want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	for _, seed := range []string{"", "a\x1b[2J", "\u202e", "\xff", "日本\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range Safe(s) {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar && !strings.ContainsRune(s, r) {
				t.Fatalf("%q lets %U through", s, r)
			}
		}
	})
}

func TestLabel(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Rejections": "Rejections", "OperatingSystems": "Operating systems", "ClientApps": "Client apps",
		"MFAMethods": "MFA methods", "ASNs": "ASNs", "UserASNs": "User ASNs", "IPAddress": "IP address", "UPN": "UPN", "": "",
		"already spaced": "already spaced",
	} {
		if got := Label(in); got != want {
			t.Errorf("Label(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct{ start, end, want string }{
		{"2026-03-17T09:58:03Z", "2026-03-17T09:58:03Z", "2026-03-17 09:58:03"},
		{"2026-03-17T09:58:03Z", "2026-03-17T10:00:00Z", "2026-03-17 09:58:03–10:00"},
		{"2026-03-17T23:00:00Z", "2026-03-18T00:00:00Z", "2026-03-17 23:00 – 2026-03-18 00:00"},
		{"2026-03-17T23:00:00+02:00", "2026-03-17T23:30:00+02:00", "2026-03-17 21:00–21:30"},
	} {
		if got := Range(alert.Span{Start: at(tc.start), End: at(tc.end)}); got != tc.want {
			t.Errorf("Range(%s, %s) = %q, want %q", tc.start, tc.end, got, tc.want)
		}
	}
	if got := Range(alert.Span{End: at("2026-03-17T10:00:00Z")}) + Stamp(alert.Span{}) + Moment(time.Time{}); got != "an unknown time" {
		t.Errorf("no time is %q", got)
	}
}
