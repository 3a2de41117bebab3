package console

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

func FuzzWrap(f *testing.F) {
	for _, seed := range []string{"", "a\x1b[2J", "\u202e", "\xff", "日本\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, line := range wrap(text.Safe(s), 20) {
			if text.Width(line) > 20 {
				t.Fatalf("the line %q is wider than 20", line)
			}
		}
	})
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
       Continues what was reported for 2026-03-17 09:58:03–09:59:03 UTC

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
			if w := text.Width(strings.TrimSuffix(line, "\n")); w > min(max(width, leastWidth), mostWidth) {
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
		{"nothing", func(*alert.Alert) {}, title + "       Update of “the first”\n\n  IP        203.0.113.7\n  Timeline  no time\n            2026-03-17 09:58 a time\n\n"},
		{"when it was reported", func(a *alert.Alert) { a.Created, a.Context = at, nil }, title + "       reported 2026-03-17 09:58\n       Update of “the first”\n\n  IP  203.0.113.7\n\n"},
		{"when the first was reported", func(a *alert.Alert) { a.Updates.Created, a.Context = at, nil },
			title + "       Update of what was reported\n       2026-03-17 09:58 UTC: “the first”\n\n  IP  203.0.113.7\n\n"},
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

// What was looked up stands behind what the rule says, and what stands out
// before it.
func TestContext(t *testing.T) {
	t.Parallel()
	score := int64(7)
	var out bytes.Buffer
	c := New(&out, Style{Width: 60})
	a := alert.Alert{
		Title: "t", Severity: alert.Low,
		Entities: []alert.Entity{{Type: "IP"}, {Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "ana@x.example"}, {Identifier: "AadUserId", Value: "7\x1b"}}}},
		Context: &alert.Context{
			Findings:     []alert.Finding{{Kind: "bombing", Text: "28 prompts within an hour at ana@x.example, which is a long sentence"}, {Text: "second\u202e"}},
			RuleSeverity: alert.Medium, Steps: []alert.Step{{Severity: alert.Low, Kind: "known-device"}},
			RiskScore:   &score,
			Sections:    []alert.Section{{Title: "Identity", Subject: "ana", Facts: []alert.Detail{{Name: "Roles", Values: []string{"a", "b\n"}}}}},
			Timeline:    []alert.Moment{{Time: time.Date(2026, 3, 17, 10, 0, 5, 0, time.UTC), Text: "signed in"}},
			Unavailable: []string{"UEBA: not available"},
		},
	}
	if err := c.Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	want := `────────────────────────────────────────────────────────────
 LOW  t

  • 28 prompts within an hour at ana@x.example, which is a
    long sentence
  • second\u202e

  Account     ana@x.example
              AadUserId 7\x1b
  Severity    Medium → Low: known-device
  Risk score  7
  Identity    ana
              Roles: a, b\n
  Timeline    2026-03-17 10:00:05 signed in
  Not known   UEBA: not available

`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c.Name(); got != "console" {
		t.Errorf("the name is %q", got)
	}
}
