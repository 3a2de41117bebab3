package console

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// overviewAlert is an alert about an account at an address.
func overviewAlert(severity alert.Severity, minute int, user, address, finding string) alert.Alert {
	at := time.Date(2026, 3, 17, 9, minute, 0, 0, time.UTC)
	a := alert.Alert{Title: "a title", Severity: severity, Span: alert.Span{Start: at, End: at}}
	if user != "" {
		a.Entities = append(a.Entities, alert.Entity{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: user}}})
	}
	if address != "" {
		a.Entities = append(a.Entities, alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: address}}})
	}
	if finding != "" {
		a.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundUnusual, Text: finding}}}
	}
	return a
}

func overviewOf(t *testing.T, style Style, o *Overview) string {
	t.Helper()
	var out strings.Builder
	if err := New(&out, style).Overview(o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestOverview(t *testing.T) {
	t.Parallel()
	update := overviewAlert(alert.Medium, 20, "bob@contoso.example", "2001:db8::1", "“bob@contoso.example” signed in from the same address, 2001:db8::1, 4 min after rejecting")
	update.Updates = &alert.Reference{ID: "0"}
	several := overviewAlert(alert.Medium, 10, "ana@contoso.example", "203.0.113.7", "28 prompts within an hour at “ana@contoso.example”")
	several.Entities = append(several.Entities, several.Entities...)
	bare := alert.Alert{Title: "A rule", Severity: alert.Low, Created: time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC),
		CustomDetails: []alert.Detail{{Name: "Thing", Values: []string{"x\x1b[2J"}}}}
	host := alert.Alert{Title: "A host", Severity: alert.Informational, Created: bare.Created, Entities: []alert.Entity{
		{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.1"}}}, {Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: "srv-1"}}}}}
	alerts := func() *Overview {
		var o Overview
		for _, a := range []alert.Alert{bare, several, overviewAlert(alert.High, 5, "zoe@contoso.example", "203.0.113.9", ""), update, host} {
			o.Add(a)
		}
		return &o
	}
	const wide = `
 #  Severity  Time   User                    Address         Finding
 1   HIGH     09:05  zoe@contoso.example     203.0.113.9     A title
 2   MEDIUM   09:10  ana@contoso.example +1  203.0.113.7 +1  28 prompts within an hour
 3   MEDIUM   09:20  bob@contoso.example     2001:db8::1     Update: Signed in from the same address, 4 min after rejec…
 4   LOW      10:00                                          A rule · Thing x\x1b[2J
 5   INFO     10:00  srv-1                   203.0.113.1     A host
 Times are UTC.
`
	if diff := cmp.Diff(wide, overviewOf(t, Style{Width: 120}, alerts())); diff != "" {
		t.Errorf("wide (-want +got):\n%s", diff)
	}
	const narrow = `
 #  Severity  Time   User
    Address · Finding
 1   HIGH     09:05  zoe@contoso.example
    203.0.113.9 · A title
 2   MEDIUM   09:10  ana@contoso.example +1
    203.0.113.7 +1 · 28 prompts within an hour
 3   MEDIUM   09:20  bob@contoso.example
    2001:db8::1 · Update: Signed in from the same…
 4   LOW      10:00
    A rule · Thing x\x1b[2J
 5   INFO     10:00  srv-1
    203.0.113.1 · A host
 Times are UTC.
`
	if diff := cmp.Diff(narrow, overviewOf(t, Style{Width: 50}, alerts())); diff != "" {
		t.Errorf("narrow (-want +got):\n%s", diff)
	}
	if a, ok := alerts().Alert(3); !ok || a.Updates == nil {
		t.Errorf("number 3 is %v", a)
	}
	for _, n := range []int{-1, 0, 6} {
		if _, ok := alerts().Alert(n); ok {
			t.Errorf("there is a number %d", n)
		}
	}
}

// Whatever the names are, no line is wider than the terminal, and nothing in it acts.
func TestOverviewFits(t *testing.T) {
	t.Parallel()
	names := []string{"ana@contoso.example", "田中洋子田中洋子田中洋子@contoso.example", "zalgo" + strings.Repeat("\u0301\u0323", 40) + "@contoso.example",
		"👩‍👩‍👧‍👦👩‍👩‍👧‍👦@contoso.example", "יעל כהן@contoso.example", "a\x1b]0;title\x07b@contoso.example", "\u202egnp.exe@contoso.example", "\xff\xfe", strings.Repeat("長", 200), "\u0301"}
	addresses := []string{"203.0.113.7", "2001:db8:1736:3357:aaaa:bbbb:cccc:dddd", "", "\x1b[2J"}
	for _, width := range []int{1, 24, 40, 60, 79, 80, 100, 160, 300} {
		for _, color := range []bool{false, true} {
			var o Overview
			for i, name := range names {
				for j, address := range addresses {
					a := overviewAlert(alert.Severity(1+(i+j)%4), i, name, address, "“"+name+"” did not sign in from “"+address+"” "+strings.Repeat("まで", j*30))
					a.Span.Start = a.Span.Start.AddDate(j, 0, i)
					o.Add(a)
				}
			}
			printed := overviewOf(t, Style{Width: width, Color: color}, &o)
			for _, attribute := range []string{bold, dim, red, yellow, blue, grey, "0"} {
				printed = strings.ReplaceAll(printed, "\x1b["+attribute+"m", "")
			}
			for line := range strings.Lines(printed) {
				line = strings.TrimSuffix(line, "\n")
				if w := text.Width(line); w > max(width, leastNarrow+40) || width >= 60 && w > width {
					t.Errorf("at width %d a line takes %d columns: %s", width, w, line)
				}
				for _, r := range line {
					if !text.Harmless(r) {
						t.Errorf("at width %d a line holds %U: %q", width, r, line)
					}
				}
			}
			if n := strings.Count(printed, "\n"); width >= narrowTable && n != len(names)*len(addresses)+3 {
				t.Errorf("at width %d there are %d lines", width, n)
			}
		}
	}
}

func TestOverviewOfMany(t *testing.T) {
	t.Parallel()
	o := Overview{Most: 3}
	for i := range 12 {
		o.Add(overviewAlert(alert.Low, i, fmt.Sprintf("u%d@contoso.example", i), "203.0.113.7", strings.Repeat("long ", 30)))
	}
	cut := overviewOf(t, Style{Width: 100}, &o)
	if strings.Count(cut, "LOW") != 3 || !strings.Contains(cut, "and 9 alerts more: --full shows all") || !strings.Contains(cut, "…") {
		t.Error(cut)
	}
	o.Full = true
	if full := overviewOf(t, Style{Width: 100}, &o); strings.Count(full, "LOW") != 12 || strings.Contains(full, "…") || strings.Count(full, "long") != 12*29 {
		t.Error(full)
	}
	if none := overviewOf(t, Style{}, &Overview{}); none != "" {
		t.Error(none)
	}
}

// Whoever is in the domain that most are in is named without it where there is
// little room.
func TestOverviewDomain(t *testing.T) {
	t.Parallel()
	var o Overview
	for i, name := range []string{"ana@contoso-of-somewhere.example", "bob@contoso-of-somewhere.example", "eve@elsewhere.example"} {
		o.Add(overviewAlert(alert.Low, i, name, "2001:db8:1736:3357:aaaa:bbbb:cccc:dddd", "f"))
	}
	for width, want := range map[int][]string{
		100: {"  ana  ", "  bob  ", "  eve@elsewhere.example  ", "Users without a domain are @contoso-of-somewhere.example."},
		160: {"ana@contoso-of-somewhere.example", "eve@elsewhere.example"},
	} {
		printed := overviewOf(t, Style{Width: width}, &o)
		for _, w := range want {
			if !strings.Contains(printed, w) {
				t.Errorf("at width %d %q is missing:\n%s", width, w, printed)
			}
		}
	}
}

func TestSparkline(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		values  []int
		columns int
		want    string
	}{
		{nil, 1, ""},
		{[]int{0, 0}, 2, "····"},
		{[]int{1}, 1, "▁"},
		{[]int{0, 1, 8}, 1, "·▁█"},
		{[]int{0, 1, 1000000, 2}, 1, "·▁█▁"},
		{[]int{3, 1}, 0, "█▁"},
	} {
		if got := Sparkline(tc.values, tc.columns); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.values, got, tc.want)
		}
	}
}

// What the card has as its headline stands in the table, and at the time of the news.
func TestOverviewVerdict(t *testing.T) {
	t.Parallel()
	a := overviewAlert(alert.High, 0, "ana@contoso.example", "203.0.113.7", "28 prompts within an hour")
	a.Context.Findings[0].Kind = alert.FoundBombing
	news := a
	news.Updates = &alert.Reference{ID: "first", News: alert.FoundSuccessSameIP}
	news.Context = &alert.Context{Findings: []alert.Finding{{
		Kind: alert.FoundSuccessSameIP, Text: "“ana@contoso.example” signed in from the same address, 3 h after", Reason: "signed in from the same address 3 h after rejecting",
		Time: a.Span.Start.Add(3 * time.Hour),
	}}}
	var o Overview
	o.Add(a)
	o.Add(news)
	got := overviewOf(t, Style{Width: 120}, &o)
	for _, want := range []string{"09:00  ana@contoso.example  203.0.113.7  MFA fatigue", "12:00  ana@contoso.example  203.0.113.7  Update: signed in from the same address 3 h after rejecting"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
}
