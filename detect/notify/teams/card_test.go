package teams

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/kql"
)

const workspaceID = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-(soc)/providers/Microsoft.OperationalInsights/workspaces/logs"

const userID = "c99538cd-283f-4c3a-8bce-8b4f8a79b8f9"

// sampleAlert has one of everything.
func sampleAlert() alert.Alert {
	start := time.Date(2026, 3, 17, 1, 28, 6, 673_638_600, time.UTC)
	span := alert.Span{Start: start, End: start.Add(94 * time.Second)}
	return alert.Alert{
		ID: "f02d67a6-2b62-52a6-932d-c872ced20441", RuleID: "d99cf5c3-d660-436c-895b-8a8f8448da23", RuleName: "MFA Rejected by User", RuleVersion: "1.0.0",
		Title:       "MFA rejected by yael_cohen@fabrikam.example from 203.0.113.66",
		Description: "Two prompts refused.\n  Ask the user.",
		Severity:    alert.High,
		Tactics:     []string{"InitialAccess"}, Techniques: []string{"T1078.004"},
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "yael_cohen@fabrikam.example"}, {Identifier: "Name", Value: "yael_cohen"}, {Identifier: "AadUserId", Value: strings.ToUpper(userID)}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.66"}}},
		},
		CustomDetails: []alert.Detail{{Name: "Rejections", Values: []string{"2"}}, {Name: "Devices", Values: []string{""}}, {Name: "Apps", Values: []string{"Office 365", "Teams"}}},
		Properties:    []alert.Property{{Name: "AlertLink", Value: "https://evil.example/"}},
		Span:          span,
		Activities:    []alert.Activity{{Span: span, Previously: []alert.Span{{Start: start.Add(-time.Hour), End: start}}}},
		Notes:         []string{"The severity is the rule's."},
		Updates:       &alert.Reference{ID: "1", Title: "MFA rejected", Created: start.Add(-time.Hour)},
		Context: &alert.Context{
			Findings:     []alert.Finding{{Kind: "success-same-ip", Text: "yael signed in from the same address, 3 min after rejecting"}, {Kind: "bombing", Text: "28 prompts within an hour"}},
			RuleSeverity: alert.Medium, Steps: []alert.Step{{Severity: alert.High, Kind: "success-same-ip", Text: "signed in from the same address 3 min after rejecting"}},
			Sections:    []alert.Section{{Title: "Identity", Subject: "yael", Facts: []alert.Detail{{Name: "Job title", Values: []string{"Research Lead"}}}}},
			Timeline:    []alert.Moment{{Time: start, Kind: "rejected", Text: "rejected a prompt from 203.0.113.66"}},
			Unavailable: []string{"UEBA: not available, table BehaviorAnalytics does not exist"},
		},
	}
}

// mustCard makes a card and reads it back.
func mustCard(t *testing.T, a alert.Alert, l Links) (json.RawMessage, map[string]any) {
	t.Helper()
	text, err := Card(a, l)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return text, c
}

// walk calls f for each object of a card.
func walk(v any, f func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(v)
		for _, child := range v {
			walk(child, f)
		}
	case []any:
		for _, child := range v {
			walk(child, f)
		}
	}
}

// reading is what a card shows, a line for each line, with its buttons in brackets
// and what is hidden in parentheses.
func reading(c map[string]any) string {
	var sb strings.Builder
	var visit func(v any)
	visit = func(v any) {
		switch e := v.(type) {
		case []any:
			for _, child := range e {
				visit(child)
			}
		case map[string]any:
			switch e["type"] {
			case "TextBlock":
				fmt.Fprintln(&sb, e["text"])
			case "ActionSet":
				var titles []string
				for _, a := range e["actions"].([]any) {
					titles = append(titles, fmt.Sprintf("[%s]", a.(map[string]any)["title"]))
				}
				fmt.Fprintln(&sb, strings.Join(titles, " "))
			case "RichTextBlock":
				for _, run := range e["inlines"].([]any) {
					fmt.Fprint(&sb, run.(map[string]any)["text"])
				}
				fmt.Fprintln(&sb)
			default:
				if e["isVisible"] == false {
					fmt.Fprint(&sb, "(")
					visit(e["items"])
					fmt.Fprintln(&sb, ")")
					return
				}
				visit(e["items"])
				visit(e["columns"])
			}
		}
	}
	visit(c["body"])
	return sb.String()
}

func TestCard(t *testing.T) {
	t.Parallel()
	_, c := mustCard(t, sampleAlert(), Links{WorkspaceResourceID: workspaceID, Build: "v1.2.3"})
	const want = `HIGH · MFA Rejected by User
Update: MFA fatigue succeeded
yael_cohen from 203.0.113.66
{{DATE(2026-03-17T01:28:06Z,SHORT)}} {{TIME(2026-03-17T01:28:06Z)}} – {{TIME(2026-03-17T01:29:40Z)}} your time · 2026-03-17 01:28:06–01:29:40 UTC · 2 prompts rejected, signed in
First reported 2026-03-17 00:28 UTC
Some context is missing: see the details
• Yael signed in from the same address, 3 min after rejecting
• 28 prompts within an hour
[Sign-ins in Logs] [First sign-ins in Logs] [User in Entra]
Who
yael_cohen@fabrikam.example
From
203.0.113.66
How
Office 365, Teams
Why high
Medium → High: signed in from the same address
Timeline (UTC)
01:28:06  Rejected a prompt from 203.0.113.66
[Show details]
(Details
MFA rejected by yael_cohen@fabrikam.example from 203.0.113.66
Two prompts refused. Ask the user.
Continues what was reported for 2026-03-17 00:28:06–01:28:06 UTC
Update of what was reported 2026-03-17 00:28:06 UTC: “MFA rejected”
Identity
Job title: Research Lead
Account
AadUserId C99538CD-283F-4C3A-8BCE-8B4F8A79B8F9
Alert link
https[://]evil.example/
Silence for a day
handler silence add --rule 'd99cf5c3-d660-436c-895b-8a8f8448da23' --exactly 'Account.FullName=yael_cohen@fabrikam.example' --exactly 'IP.Address=203.0.113.66' --from '2026-03-17T01:28:06.6736386Z' --max-severity 'High' --for '24h' --reason 'as of alert f02d67a6-2b62-52a6-932d-c872ced20441'
Note
The severity is the rule's.
Not known
UEBA: not available, table BehaviorAnalytics does not exist
MITRE ATT&CK
Initial access, T1078.004
Rule version
1.0.0
Alert id
f02d67a6-2b62-52a6-932d-c872ced20441
Pushback v1.2.3
)
`
	if diff := cmp.Diff(strings.ReplaceAll(want, `\u00a0`, "\u00a0"), reading(c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := c["fallbackText"]; got != `High: Update: MFA fatigue succeeded: yael\_cohen from 203.0.113.66` {
		t.Errorf("as text it is %s", got)
	}
	for severity, style := range map[alert.Severity]string{alert.High: "attention", alert.Medium: "warning", alert.Low: "accent", alert.Informational: "emphasis"} {
		_, c := mustCard(t, alert.Alert{Severity: severity}, Links{})
		band := c["body"].([]any)[0].(map[string]any)
		if band["style"] != style || !strings.HasPrefix(reading(c), strings.ToUpper(severity.String())) {
			t.Errorf("%s: %v", severity, band)
		}
	}
}

// buttons lists a card's by title.
func buttons(c map[string]any) map[string]string {
	urls := map[string]string{}
	walk(c["body"], func(e map[string]any) {
		if e["type"] == "Action.OpenUrl" {
			urls[e["title"].(string)] = e["url"].(string)
		}
	})
	return urls
}

func TestButtons(t *testing.T) {
	t.Parallel()
	account := func(fields ...alert.Field) alert.Entity { return alert.Entity{Type: "Account", Fields: fields} }
	id := func(v string) alert.Field { return alert.Field{Identifier: "AadUserId", Value: v} }
	name := func(v string) alert.Field { return alert.Field{Identifier: "FullName", Value: v} }
	ip := func(v string) alert.Entity {
		return alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: v}}}
	}
	const other = "11111111-1111-1111-1111-111111111111"
	for _, tc := range []struct {
		name     string
		entities []alert.Entity
		titles   []string
		where    string // the query's condition
	}{
		{"nobody", nil, nil, ""},
		{"a user", []alert.Entity{account(name("a@b.example"), id(userID)), ip("203.0.113.7")}, []string{"User in Entra"}, `UserId in~ ("` + userID + `")`},
		{"two users", []alert.Entity{account(id(userID)), account(id(other)), account(id(userID))}, []string{"User 1 in Entra", "User 2 in Entra"}, `UserId in~ ("` + userID + `", "` + other + `")`},
		{"a user by name", []alert.Entity{account(name("a_b+c@d.example"))}, nil, `UserPrincipalName in~ ("a_b+c@d.example")`},
		{"an address", []alert.Entity{ip("2001:DB8::1")}, nil, `IPAddress in~ ("2001:db8::1")`},
		{"an address that the log spells otherwise", []alert.Entity{ip("203.0.113.7")}, nil, `IPAddress in~ ("203.0.113.7", "[::ffff:203.0.113.7]:443")`},
		{"hostile ids", []alert.Entity{account(id(userID+`"; drop`), name("a\" or 1==1 //@b.example")), ip(`fe80::1%") | take 1`), ip("1.2.3.4\n")}, nil, ""},
	} {
		a := alert.Alert{Span: sampleAlert().Span, Entities: tc.entities}
		if strings.HasPrefix(tc.name, "an address that") {
			a.CustomDetails = []alert.Detail{{Name: alert.LoggedAddresses, Values: []string{"[::ffff:203.0.113.7]:443", "x", `fe80::1%")|take`, "203.0.113.7"}}}
		}
		_, c := mustCard(t, a, Links{WorkspaceResourceID: workspaceID})
		got := buttons(c)
		link := got["Sign-ins in Logs"]
		delete(got, "Sign-ins in Logs")
		if len(got) != len(tc.titles) {
			t.Errorf("%s: %v", tc.name, got)
		}
		for _, title := range tc.titles {
			u, err := url.Parse(got[title])
			if err != nil || u.Host != "entra.microsoft.com" || !guid.MatchString(u.Fragment[strings.LastIndex(u.Fragment, "/")+1:]) {
				t.Errorf("%s: %s leads to %q", tc.name, title, got[title])
			}
		}
		if (link == "") != (tc.where == "") {
			t.Fatalf("%s: the link to Logs is %q", tc.name, link)
		}
		if link == "" {
			continue
		}
		query, resource, period := unpack(t, link)
		if resource != workspaceID || period != "2026-03-17T00:28:06Z/2026-03-17T02:29:40Z" {
			t.Errorf("%s: over %s of %s", tc.name, period, resource)
		}
		if !strings.Contains(query, "| where "+tc.where+"\n") {
			t.Errorf("%s: the query is\n%s", tc.name, query)
		}
		if _, err := kql.Check(query, kql.KnownTables()); err != nil {
			t.Errorf("%s: %v\n%s", tc.name, err, query)
		}
	}
	_, c := mustCard(t, sampleAlert(), Links{WorkspaceResourceID: workspaceID, NoPortal: true})
	if got := buttons(c); len(got) > 0 {
		t.Errorf("outside the public cloud: %v", got)
	}
	_, c = mustCard(t, sampleAlert(), Links{})
	if got := buttons(c); len(got) != 1 || got["User in Entra"] == "" {
		t.Errorf("without a workspace: %v", got)
	}
}

// unpack reads a link to Logs as the portal does.
// The incident has the first button, if its address is one of a portal.
func TestIncidentButton(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident/x":         true,
		"https://portal.azure.us/#asset/x":                                                     true,
		"https://security.microsoft.com/incidents/42?tid=00000000-0000-0000-0000-000000000000": true,
		"https://security.microsoft.com/":                                                      false,
		"":                                                                                     false,
		"http://portal.azure.com/#x":                                                           false,
		"https://portal.azure.com.evil.example/#x":                                             false,
		"https://user@portal.azure.com/#x":                                                     false,
		"javascript:alert(1)//https://portal.azure.com":                                        false,
	} {
		a := sampleAlert()
		a.IncidentURL = address
		_, c := mustCard(t, a, Links{NoPortal: true})
		if got := buttons(c)["Incident"]; (got != "") != want || want && got != address {
			t.Errorf("%q: button to %q", address, got)
		}
	}
}

func unpack(t *testing.T, link string) (query, resource, period string) {
	t.Helper()
	const form = "https://portal.azure.com/#blade/Microsoft_Azure_Monitoring_Logs/LogsBlade/resourceId/*/source/LogsBlade.AnalyticsShareLinkToQuery/q/*/timespan/*"
	m := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(form), `\*`, "([^/]*)") + "$").FindStringSubmatch(link)
	if m == nil {
		t.Fatalf("the link to Logs is %s", link)
	}
	for i := range m {
		text, err := url.PathUnescape(m[i])
		if err != nil {
			t.Fatal(err)
		}
		m[i] = text
	}
	packed, err := base64.StdEncoding.DecodeString(m[2])
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), m[1], m[3]
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 17, 23, 0, 0, 0, time.FixedZone("", 3600))
	for _, tc := range []struct {
		span alert.Span
		want string
	}{
		{alert.Span{}, ""},
		{alert.Span{Start: at, End: time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)}, ""},
		{alert.Span{Start: at, End: at.Add(time.Second)}, "{{DATE(2026-03-17T22:00:00Z,SHORT)}} {{TIME(2026-03-17T22:00:00Z)}} your time · 2026-03-17 22:00–22:00:01 UTC"},
		{alert.Span{Start: at, End: at.Add(24 * time.Hour)}, "{{DATE(2026-03-17T22:00:00Z,SHORT)}} {{TIME(2026-03-17T22:00:00Z)}} – {{DATE(2026-03-18T22:00:00Z,SHORT)}} {{TIME(2026-03-18T22:00:00Z)}} your time · 2026-03-17 22:00 – 2026-03-18 22:00 UTC"},
	} {
		if got := when(tc.span); got != tc.want {
			t.Errorf("%v: %s", tc.span, got)
		}
	}
}

func TestInert(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		in   string
		most int
		want string
	}{
		{"陳怡君 [x](y) **b**", 50, "陳怡君 [x](y) **b**"}, // a TextRun reads no Markdown
		{"a\r\nb\x1b[2J\u202egnp\xff", 50, `a\r\nb\x1b[2J\u202egnp\xff`},
		{"{{DATE(2026-03-17T00:00:00Z)}} {{{", 80, `{\x7bDATE(2026-03-17T00:00:00Z)}} {\x7b\x7b`},
		{"HTTPS://evil WWW.evil mailto:x ://://", 80, "HTTPS[://]evil [WWW.]evil [mailto:]x [://][://]"},
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abcdef…"},
		{"abcd\u202e", 6, "abcd…"}, // not half an escape
	} {
		if got := inert(tc.in, tc.most); got != tc.want {
			t.Errorf("inert(%q) = %s, want %s", tc.in, got, tc.want)
		}
	}
}

// large is an alert of which a card has no room for much.
func large() alert.Alert {
	a := sampleAlert()
	a.Properties = nil
	for i := range 50 {
		long := strings.Repeat("陳", 150)
		a.Entities = append(a.Entities, alert.Entity{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: fmt.Sprint("h", i, long)}}})
		a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: fmt.Sprint("Detail", i), Values: []string{fmt.Sprint("d", i, long)}})
		a.Properties = append(a.Properties, alert.Property{Name: fmt.Sprint("Property", i), Value: long})
	}
	return a
}

// What does not fit goes in the order that is stated, and a line says so.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	a := large()
	text, c := mustCard(t, a, Links{WorkspaceResourceID: workspaceID})
	got := reading(c)
	if n := counted(t, text); n > mostSize || n < mostSize-3000 {
		t.Errorf("%d of %d, %d bytes", n, mostSize, len(text))
	}
	if !strings.Contains(got, "Two prompts refused") || !strings.Contains(got, "h20陳") || !strings.Contains(got, "Timeline (UTC)\n") || strings.Contains(got, "Property0") || strings.Contains(got, "Detail1") || strings.Contains(got, "and 12 more entities") {
		t.Errorf("got\n%.3000s", got)
	}
	if !regexp.MustCompile(`\nLeft out, as Teams takes no larger card: 50 properties, 1 note, what is not known, 1 part of the context, 50 details, MITRE, 2 ids, \d+ entities\n\[Show details\]\n`).MatchString(got) {
		t.Errorf("it does not say what is left out:\n%.3000s", got)
	}

	// Without its properties and notes it is too large by some details.
	a.Entities, a.Context, a.Updates = a.Entities[:2], nil, nil
	text, c = mustCard(t, a, Links{})
	got = reading(c)
	if counted(t, text) > mostSize || !strings.Contains(got, "Detail1\n") || !strings.Contains(got, "MITRE") || !regexp.MustCompile(`: the command that silences it, 50 properties, 1 note, \d+ details\n\[Show`).MatchString(got) {
		t.Errorf("%d bytes\n%.3000s", len(text), got)
	}
}

// hostile are texts that mean something to somebody on the way.
var hostile = []string{
	"[Reset your password](https://evil.example)", "![](https://evil.example/x.png)", "<at>SOC</at>", "**bold** __b__ _i_ ~~s~~", "`code`", "# head",
	"\n- item\n1. one", "\r\n\r\n", "{{DATE(2026-03-17T00:00:00Z,LONG)}}", "{{", "{", "}}", "${title}", "@{triggerBody()}", "&#91;x&#93;", "&lt;b&gt;", "<b>x</b>", "<script>",
	"https://evil.example", "HTTP://x", "www.evil.example", "WwW.", "mailto:a@b.example", "javascript:alert(1)", "://", ":", "/", `\`, `\\`, `"`, `'`, "\x00", "\x1b[31m", "\u202e", "\u2066", "\u200b",
	"\u2028", "\ufeff", "\xff", "\xc3\x28", "\U000e0041", "\U0001f468\u200d\U0001f469", "陳怡君", "יעל", "a@b.example", userID, "203.0.113.7", "fe80::1%eth0", "T1078.004", "\u0085",
}

func hostileText(r *rand.Rand) string {
	var sb strings.Builder
	for range r.IntN(5) {
		switch r.IntN(8) {
		case 0:
			sb.WriteRune(rune(r.IntN(unicode.MaxRune + 1)))
		case 1:
			sb.WriteByte(byte(r.IntN(256)))
		case 2:
			sb.WriteString(strings.Repeat(hostile[r.IntN(len(hostile))], r.IntN(200)))
		default:
			sb.WriteString(hostile[r.IntN(len(hostile))])
		}
	}
	return sb.String()
}

func some[T any](r *rand.Rand, one func() T) []T {
	n := r.IntN(4)
	if r.IntN(20) == 0 {
		n = r.IntN(100)
	}
	list := make([]T, n)
	for i := range list {
		list[i] = one()
	}
	return list
}

func hostileAlert(r *rand.Rand) alert.Alert {
	text := func() string { return hostileText(r) }
	word := func(words ...string) string { return append(words, text())[r.IntN(len(words)+1)] }
	moment := func() time.Time { return time.Unix(r.Int64N(400_000_000_000)-70_000_000_000, r.Int64N(1e9)) }
	span := func() alert.Span { return alert.Between(moment(), moment()) }
	kind := func() alert.FindingKind {
		if kinds := alert.FindingKinds(); r.IntN(3) > 0 {
			return kinds[r.IntN(len(kinds))]
		}
		return alert.FindingKind(text())
	}
	name := func() string {
		return word("Rejections", "FraudReports", "Prompts", "ApprovedTime", "Applications", "Locations", "DisplayName", "UserAgents", "Browsers", "ASNs", "UserType", alert.WorstIdentities)
	}
	value := func() string {
		return word("3", "0", "[\""+strings.Trim(strconv.Quote(text()), `"`)+"\"]", "Mozilla/5.0 (Windows NT 10.0) Chrome/1 "+text())
	}
	var updates *alert.Reference
	if r.IntN(2) == 0 {
		updates = &alert.Reference{ID: text(), Title: text(), Created: moment(), News: kind()}
	}
	return alert.Alert{
		ID: text(), RuleID: text(), RuleName: text(), RuleVersion: text(), Title: text(), Description: text(), Severity: alert.Severity(r.IntN(6) - 1),
		Tactics: some(r, text), Techniques: some(r, text), Notes: some(r, text), Span: span(), Window: span(), Created: moment(), SentAt: moment(),
		Entities: some(r, func() alert.Entity {
			return alert.Entity{Type: word("Account", "IP", "Host"), Fields: some(r, func() alert.Field {
				return alert.Field{Identifier: word("FullName", "AadUserId", "Address", "Name"), Value: word(userID, "203.0.113.7")}
			})}
		}),
		CustomDetails: some(r, func() alert.Detail { return alert.Detail{Name: name(), Values: some(r, value)} }),
		Properties:    some(r, func() alert.Property { return alert.Property{Name: word("AlertLink"), Value: text()} }),
		IncidentURL:   word("https://portal.azure.com", "https://evil.example/portal.azure.com"), Updates: updates,
		Rows: some(r, func() alert.Row {
			return some(r, func() alert.Cell { return alert.Cell{Column: text(), Value: json.RawMessage(strconv.Quote(word("7")))} })
		}),
		Context: &alert.Context{
			Findings: some(r, func() alert.Finding {
				return alert.Finding{Kind: kind(), Text: text(), Brief: text(), Reason: text(), Weak: r.IntN(3) == 0, Time: moment(), Address: word("203.0.113.7", "203.0.113.8")}
			}),
			Asked: &alert.Asked{Prompts: r.IntN(100) - 10, Rejected: r.IntN(100) - 10},
			New:   some(r, value),
			Usual: some(r, func() alert.Usual { return alert.Usual{Account: text(), Addresses: some(r, value)} }),
			Steps: some(r, func() alert.Step {
				return alert.Step{Severity: alert.Severity(r.IntN(6) - 1), Kind: alert.FindingKind(text())}
			}),
			Sections: some(r, func() alert.Section {
				return alert.Section{Title: word("Identity"), Subject: word(userID, "203.0.113.7"), Facts: some(r, func() alert.Detail {
					return alert.Detail{Name: word("Name", "Job title", "Department", "Manager", "Roles", "Tags", "User type"), Values: some(r, value)}
				})}
			}),
			Timeline: some(r, func() alert.Moment {
				return alert.Moment{Time: moment(), Text: text(), Kind: alert.MomentKind(word("rejected", "prompt", "success", "method")), Brief: text(), Count: r.IntN(5), From: word("203.0.113.7"), Until: moment(), Ordinary: r.IntN(4) == 0}
			}),
			Unavailable: some(r, text),
		},
		Activities: some(r, func() alert.Activity { return alert.Activity{Span: span(), Previously: some(r, span)} }),
		Card:       hostileCard(r),
	}
}

// hostileCard is what a rule says in its own words where the log has a say in it, and where somebody
// wrote into the ledger.
func hostileCard(r *rand.Rand) *alert.Card {
	if r.IntN(2) == 0 {
		return nil
	}
	text := func() string { return hostileText(r) }
	return &alert.Card{Headline: text(), Guidance: text(),
		Facts: some(r, func() alert.CardFact {
			return alert.CardFact{Label: text(), Values: some(r, text), More: r.IntN(20) - 5}
		}),
		Buttons: some(r, func() alert.CardButton {
			return alert.CardButton{Title: text(), URL: []string{"https://h.example/?q=" + strings.ReplaceAll(url.QueryEscape(text()), "+", "%20"), "https://h.example/#" + url.QueryEscape(text()), "https://u@h.example/", "x" + text()}[r.IntN(4)]}
		}),
	}
}

var (
	// ownWords is what the text blocks may hold, in which Markdown is read.
	ownWords = regexp.MustCompile(`^(` +
		`\{\{DATE\(T,SHORT\)\}\} \{\{TIME\(T\)\}\}( – (\{\{DATE\(T,SHORT\)\}\} )?\{\{TIME\(T\)\}\})? your time · [0-9 :–-]+ UTC( · [A-Za-z0-9, -]+)?` +
		`|[0-9]+ (MFA prompts?|prompts? rejected|rejected|reported as fraud)[a-z0-9, -]*` +
		`|Continues what was reported for [0-9 :–-]+( and (1 other time|\d+ other times))? UTC` +
		`|First reported [0-9 :-]+ UTC|Some context is missing: see the details` +
		`|Left out, as Teams takes no larger card: [A-Za-z0-9, ]+)$`)
	// inHeading is what a heading may hold: nothing that begins a list, and none of the
	// characters of Markdown, of links and of the functions of cards.
	inHeading = regexp.MustCompile(`^([0-9]+ )?\pL[^*_\x60\[\]<>&~|#\\{}@=$!+^"]*$`)
	times     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	// bare is Markdown that is not escaped.
	bare  = regexp.MustCompile(`(^|[^\\])(\\\\)*[*_\x60\[\]<>&~|#]`)
	links = regexp.MustCompile(`^https://(entra\.microsoft\.com/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/[0-9a-f-]{36}|portal\.azure\.com/#blade/Microsoft_Azure_Monitoring_Logs/[A-Za-z0-9/.%_-]+|h\.example/[?#][A-Za-z0-9/.%_=:?@!$&'()*+,;~-]*)$`)
)

// unsafe says what is wrong with a card, whatever its alert held.
func unsafe(text []byte, c map[string]any) (problems []string) {
	complain := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if Size(text) > mostSize || !utf8.Valid(text) || bytes.ContainsRune(text, utf8.RuneError) && !json.Valid(text) {
		complain("%d bytes, valid UTF-8: %v", len(text), utf8.Valid(text))
	}
	if s := c["fallbackText"].(string); bare.MatchString(s) || strings.Contains(strings.ReplaceAll(s, `\[://\]`, " "), "://") {
		complain("as text: %q", s)
	}
	if diff := cmp.Diff(map[string]any{"width": "Full"}, c["msteams"]); diff != "" {
		complain("msteams: %s", diff) // a mention would need entities
	}
	toggles, hidden := 0, 0
	walk(c, func(e map[string]any) {
		for key, v := range e {
			s, ok := v.(string)
			if !ok {
				continue
			}
			for _, r := range s {
				if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
					complain("%s holds %U: %q", key, r, s)
				}
			}
		}
		switch s, _ := e["text"].(string); e["type"] {
		case "TextBlock":
			if e["style"] == "heading" {
				if !inHeading.MatchString(s) || strings.Contains(s, "://") {
					complain("heading: %q", s)
				}
				break
			}
			if !ownWords.MatchString(times.ReplaceAllString(s, "T")) {
				complain("text block: %q", s)
			}
		case "TextRun":
			for _, marker := range []string{"{{", "://", "www.", "mailto:"} {
				plain := strings.NewReplacer("[://]", " ", "[www.]", " ", "[mailto:]", " ").Replace(strings.ToLower(s))
				if strings.Contains(plain, marker) {
					complain("text run with %s: %q", marker, s)
				}
			}
		case "Action.OpenUrl":
			if !links.MatchString(e["url"].(string)) {
				complain("link: %q", e["url"])
			}
		case "Action.ToggleVisibility":
			if diff := cmp.Diff(map[string]any{"type": "Action.ToggleVisibility", "title": "Show details", "targetElements": []any{"details"}}, e); diff != "" {
				complain("toggle: %s", diff)
			}
			toggles++
		case "Container":
			if e["id"] != nil || e["isVisible"] != nil {
				if e["id"] != "details" || e["isVisible"] != false || len(e["items"].([]any)) < 2 {
					complain("hidden: %v", e)
				}
				hidden++
			}
		case "AdaptiveCard", "ActionSet", "ColumnSet", "Column", "RichTextBlock", nil:
		default:
			complain("element %v", e["type"])
		}
		if e["selectAction"] != nil || e["type"] != "Action.OpenUrl" && e["url"] != nil {
			complain("a link: %v", e)
		}
	})
	if toggles > 1 || toggles != hidden {
		complain("%d toggles for %d hidden containers", toggles, hidden)
	}
	return problems
}

func TestHostileAlerts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	trimmed, linked, toggled := 0, 0, 0
	var cards []json.RawMessage
	for i := range hostileAlerts {
		a := hostileAlert(r)
		text, c := mustCard(t, a, Links{WorkspaceResourceID: workspaceID})
		if problems := unsafe(text, c); len(problems) > 0 {
			t.Fatalf("alert %d: %s", i, strings.Join(problems, "\n"))
		}
		if n := counted(t, text); n > 28<<10-1<<10 {
			t.Fatalf("alert %d is %d characters as Teams counts", i, n)
		}
		if strings.Contains(string(text), "Left out, as") {
			trimmed++
		}
		if len(buttons(c)) > 0 {
			linked++
		}
		if strings.Contains(string(text), "Action.ToggleVisibility") {
			toggled++
		}
		if i%10 == 0 {
			cards = append(cards, text)
		}
	}
	if trimmed < hostileAlerts/50 || linked < hostileAlerts/50 || toggled < hostileAlerts*9/10 {
		t.Errorf("of the cards %d are trimmed, %d have links and %d hide something: the test tests little", trimmed, linked, toggled)
	}
	t.Run("official renderer", func(t *testing.T) { understood(t, cards) })
}

func FuzzCard(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, title, identifier, value string) {
		a := sampleAlert()
		a.Title, a.RuleName, a.Description = title, title, value
		a.Entities = append(a.Entities, alert.Entity{Type: identifier, Fields: []alert.Field{{Identifier: identifier, Value: value}, {Identifier: identifier, Value: title}}})
		text, c := mustCard(t, a, Links{})
		if problems := unsafe(text, c); len(problems) > 0 {
			t.Fatal(strings.Join(problems, "\n"))
		}
	})
}

func TestOfficialRendererTakesTheCards(t *testing.T) {
	t.Parallel()
	var cards []json.RawMessage
	late := sampleAlert()
	late.SentAt = late.Created.Add(3 * time.Hour)
	for _, a := range []alert.Alert{{}, sampleAlert(), late, large(), inItsWords()} {
		text, _ := mustCard(t, a, Links{WorkspaceResourceID: workspaceID})
		cards = append(cards, text)
	}
	understood(t, cards)
}

func TestOfficialRendererComplains(t *testing.T) {
	t.Parallel()
	answers := askOfficialRenderer(t, []json.RawMessage{json.RawMessage(`{"type": "AdaptiveCard", "version": "1.5", "body": [{"type": "Foo"}, {"type": "TextBlock", "text": "x", "size": "Vast"}], "actions": [{"type": "Action.OpenUrl", "title": "nowhere"}]}`)})
	if n := len(answers[0].Events); n != 3 {
		t.Errorf("it has %d complaints: %q", n, answers[0].Events)
	}
}

// understood checks that the official renderer has nothing to complain of and
// understands every property as it was meant.
func understood(t *testing.T, cards []json.RawMessage) {
	t.Helper()
	for i, answer := range askOfficialRenderer(t, cards) {
		if len(answer.Events) > 0 {
			t.Errorf("%q\n%s", answer.Events, cards[i])
		}
		var want map[string]any
		if err := json.Unmarshal(cards[i], &want); err != nil {
			t.Fatal(err)
		}
		delete(want, "msteams") // is for Teams alone
		// A run without text is one to the renderer whether it says so or not.
		for _, c := range []map[string]any{want, answer.Card} {
			walk(c, func(e map[string]any) {
				if e["text"] == "" {
					delete(e, "text")
				}
			})
		}
		if diff := cmp.Diff(want, answer.Card); diff != "" {
			t.Errorf("(-meant +understood):\n%s", diff)
		}
	}
}

type rendererAnswer struct {
	ID     int            `json:"id"`
	Events []string       `json:"events"`
	Card   map[string]any `json:"card"`
}

func askOfficialRenderer(t *testing.T, cards []json.RawMessage) []rendererAnswer {
	t.Helper()
	const ci = "../../../.ci"
	if _, err := os.Stat(filepath.Join(ci, "node_modules", "adaptivecards")); err != nil {
		t.Skip("the official renderer is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	var in, stderr bytes.Buffer
	for i, c := range cards {
		fmt.Fprintf(&in, "{\"id\": %d, \"card\": %s}\n", i, c)
	}
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(ci, "cards", "check.js"))
	cmd.Stdin, cmd.Stderr = &in, &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%.2000s", cmd, err, stderr.String())
	}
	var answers []rendererAnswer
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var a rendererAnswer
		if err := dec.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if a.ID != len(answers) {
			t.Fatalf("card %d is answered as %d", len(answers), a.ID)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(cards) {
		t.Fatalf("%d cards and %d answers\n%.2000s", len(cards), len(answers), stderr.String())
	}
	return answers
}

func TestGuidanceAndNews(t *testing.T) {
	t.Parallel()
	a := alert.Alert{Title: "T", Severity: alert.High, Guidance: "https://contoso.example/runbook#mfa",
		Entities:      []alert.Entity{{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.9"}}}},
		CustomDetails: []alert.Detail{{Name: "Locations", Values: []string{"Rotterdam, NL", "Sofia, BG"}}},
		Context:       &alert.Context{New: []string{"NL", "203.0.113.9"}}}
	text, err := Card(a, Links{NoPortal: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"title":"Runbook","url":"https://contoso.example/runbook#mfa"`, "203.0.113.9 (new)\"", "Rotterdam, NL (new), Sofia, BG\""} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the card lacks %s:\n%s", want, text)
		}
	}
	if text, err := Card(a, Links{Build: "v1.2.3"}); err != nil || !strings.Contains(string(text), `"text":"Pushback v1.2.3"`) {
		t.Errorf("the card does not say which build made it: %v\n%s", err, text)
	}
	for _, bad := range []string{"javascript:alert(1)", "http://contoso.example/", "https://u:p@contoso.example/", "https://contoso.example/a b"} {
		a.Guidance = bad
		if text, err := Card(a, Links{NoPortal: true}); err != nil || strings.Contains(string(text), "OpenUrl") {
			t.Errorf("%s became a button: %v", bad, err)
		}
	}
}
