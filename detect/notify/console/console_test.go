package console

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

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
		for _, line := range wrap(Safe(s), 20) {
			if Width(line) > 20 {
				t.Fatalf("the line %q is wider than 20", line)
			}
		}
	})
}

func TestSpaced(t *testing.T) {
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
}

// sampleAlert has one of everything, and hostile text in it.
func sampleAlert() alert.Alert {
	start := time.Date(2026, 3, 17, 9, 58, 3, 0, time.UTC)
	span := alert.Span{Start: start, End: start.Add(4 * time.Minute)}
	return alert.Alert{
		Title:    "MFA rejected by ana@fabrikam.example from 203.0.113.7",
		Severity: alert.High,
		Description: "ana@fabrikam.example refused 3 sign-in(s) from 203.0.113.7 at the multifactor prompt. " +
			"If the user did not start them, the password is known to somebody else.",
		Tactics: []string{"InitialAccess"}, Techniques: []string{"T1078.004"},
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "ana@fabrikam.example"}, {Identifier: "Name", Value: "ana"},
				{Identifier: "UPNSuffix", Value: "fabrikam.example"}, {Identifier: "AadUserId", Value: "11111111-1111-1111-1111-111111111111"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.7"}}},
		},
		CustomDetails: []alert.Detail{
			{Name: "Rejections", Values: []string{"3"}},
			{Name: "Applications", Values: []string{"Office 365", "evil\x1b[2J\u202e app"}},
			{Name: "Devices", Values: []string{""}},
		},
		Properties: []alert.Property{{Name: "ProductName", Value: "Entra ID"}},
		Window:     alert.Span{Start: start.Truncate(time.Hour), End: start.Truncate(time.Hour).Add(time.Hour)},
		Span:       span,
		Activities: []alert.Activity{{Span: span, Previously: []alert.Span{{Start: start, End: start.Add(time.Minute)}}}},
		Notes:      []string{"the rule's severity column holds nothing"},
		Created:    start.Truncate(time.Hour).Add(65 * time.Minute),
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	const wide = `────────────────────────────────────────────────────────────────────────────────
 HIGH  MFA rejected by ana@fabrikam.example from 203.0.113.7
       2026-03-17 09:58:03–10:02:03 UTC · window 2026-03-17 09:00–10:00 ·
       reported 10:05
       Continues what was reported for 2026-03-17 09:58:03–09:59:03

  ana@fabrikam.example refused 3 sign-in(s) from 203.0.113.7 at the multifactor
  prompt. If the user did not start them, the password is known to somebody
  else.

  Account       ana@fabrikam.example
                AadUserId 11111111-1111-1111-1111-111111111111
  IP            203.0.113.7
  Rejections    3
  Applications  Office 365, evil\x1b[2J\u202e app
  Product name  Entra ID
  MITRE ATT&CK  InitialAccess, T1078.004
  Note          the rule's severity column holds nothing

`
	var buf bytes.Buffer
	if err := New(&buf, Style{}).Notify(context.Background(), sampleAlert()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wide, buf.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	for _, width := range []int{1, 40, 57, 120, 500} {
		buf.Reset()
		if err := New(&buf, Style{Width: width}).Notify(context.Background(), sampleAlert()); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(buf.String()) {
			if w := Width(strings.TrimSuffix(line, "\n")); w > min(max(width, leastWidth), mostWidth) {
				t.Errorf("at width %d the line %q takes %d columns", width, line, w)
			}
		}
	}
}

func TestDescriptionOfSeveralLines(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	a := alert.Alert{Title: "T", Description: "First line.\n- step 1\r\n- step\x1b[2J 2\n"}
	if err := New(&buf, Style{}).Notify(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	if want := "\n  First line.\n  - step 1\n  - step\\x1b[2J 2\n"; !strings.Contains(buf.String(), want) {
		t.Errorf("%q lacks %q", buf.String(), want)
	}
}

// TestColor checks that colours are the only difference they make.
func TestColor(t *testing.T) {
	t.Parallel()
	var plain, color bytes.Buffer
	for _, c := range []*Console{New(&plain, Style{}), New(&color, Style{Color: true})} {
		if err := errors.Join(c.Heading("Totals"), c.Facts("Reported", "1 alert", "Dropped", "none"), c.Aside("dropped"), c.Notify(context.Background(), sampleAlert())); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(color.String(), "\x1b["+red+"m HIGH \x1b[0m") {
		t.Errorf("the severity has no colour: %q", color.String())
	}
	stripped := color.String()
	for _, a := range []string{bold, dim, red, yellow, blue, grey, "0"} {
		stripped = strings.ReplaceAll(stripped, "\x1b["+a+"m", "")
	}
	if diff := cmp.Diff(plain.String(), stripped); diff != "" {
		t.Errorf("(-plain +coloured):\n%s", diff)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriterFails(t *testing.T) {
	t.Parallel()
	if err := New(brokenWriter{}, Style{}).Notify(context.Background(), sampleAlert()); err == nil {
		t.Error("the error of the writer is lost")
	}
}

// TestNothingKnown shows alerts whose times and values nobody knows: no line
// names the year 1, and none is empty.
func TestNothingKnown(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 17, 9, 58, 0, 0, time.UTC)
	unknown := alert.Alert{
		Title: "a title", Severity: alert.High,
		Entities:      []alert.Entity{{Type: "Account"}, {Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.7"}}}},
		CustomDetails: []alert.Detail{{Name: "Reasons"}},
		Activities:    []alert.Activity{{Previously: []alert.Span{{}}}, {}},
		Updates:       &alert.Reference{Title: "the first"},
		Context:       &alert.Context{Timeline: []alert.Moment{{Text: "no time"}, {Time: at, Text: "a time"}}},
	}
	const title = "────────────────────────────────────────\n HIGH  a title\n"
	for _, tt := range []struct {
		name  string
		known func(*alert.Alert)
		want  string
	}{
		{"nothing", func(*alert.Alert) {}, title + "       Update of the first\n\n  IP        203.0.113.7\n  Timeline  no time\n            2026-03-17 09:58 a time\n\n"},
		{"when it was reported", func(a *alert.Alert) { a.Created, a.Context = at, nil }, title + "       reported 2026-03-17 09:58\n       Update of the first\n\n  IP  203.0.113.7\n\n"},
		{"when the first was reported", func(a *alert.Alert) { a.Updates.Created, a.Context = at, nil },
			title + "       Update of what was reported\n       2026-03-17 09:58 UTC: the first\n\n  IP  203.0.113.7\n\n"},
	} {
		a := unknown
		reference := *unknown.Updates
		a.Updates = &reference
		tt.known(&a)
		var out strings.Builder
		if err := New(&out, Style{Width: 40}).Notify(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
