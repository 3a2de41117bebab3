package teams

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// split returns what a card shows before and behind its button for the details.
func split(t *testing.T, c map[string]any) (open, hidden string) {
	t.Helper()
	open, hidden, found := strings.Cut(reading(c), "[Show details]\n(Details\n")
	if !found {
		t.Fatalf("it hides nothing:\n%s", open)
	}
	return open, strings.TrimSuffix(hidden, ")\n")
}

// A rule whose name is all that its alert is called is named once.
func TestRuleIsNamedOnce(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ rule, title, want string }{
		{"Failures", "Failures", "MEDIUM\nFailures\n"},
		{"Failures", "", "MEDIUM\nFailures\n"},
		{"Failures", "Failures of ana", "MEDIUM · Failures\nFailures of ana\n"},
		{"**Failures** [a](b)", "**Failures** [a](b)", "MEDIUM\n**Failures** [a](b)\n"},
	} {
		_, c := mustCard(t, alert.Alert{ID: userID, RuleName: tt.rule, Title: tt.title, Severity: alert.Medium, Span: sampleAlert().Span}, Links{NoPortal: true})
		open, _ := split(t, c)
		if !strings.HasPrefix(open, tt.want) {
			t.Errorf("%q of %q: %q, want %q", tt.title, tt.rule, open, tt.want)
		}
	}
}

// An alert of a rule that nobody has heard of has the same order: what its author
// wrote is the headline, and custom details are known by their names.
func TestCardOfAnyRule(t *testing.T) {
	t.Parallel()
	entity := func(kind, identifier, value string) alert.Entity {
		return alert.Entity{Type: kind, Fields: []alert.Field{{Identifier: identifier, Value: value}}}
	}
	a := alert.Alert{
		ID: userID, RuleName: "Password spray", RuleVersion: "2.0", Title: "Password spray from 203.0.113.7: 12 accounts", Description: "One address tried few passwords.",
		Severity: alert.Medium, Span: sampleAlert().Span, Tactics: []string{"CredentialAccess"},
		Entities: []alert.Entity{entity("IP", "Address", "203.0.113.7"), entity("Account", "FullName", "ana@x.example"), entity("Account", "FullName", "bo@x.example"),
			entity("Host", "HostName", "srv-01"), entity("FileHash", "Value", "d41d8cd98f00b204e9800998ecf8427e"), entity("FileHash", "Value", "")},
		CustomDetails: []alert.Detail{{Name: "Accounts", Values: []string{"12"}}, {Name: "SignedInTo", Values: []string{`["ana@x.example","carl@x.example"]`}}, {Name: "Errors", Values: []string{"0", "none", ""}},
			{Name: "Parsed", Values: []string{`{"code": 50126, "tags": ["a", "b"], "empty": []}`}}, {Name: "When", Values: []string{"2026-03-17T01:28:06.6736386Z"}}, {Name: "Fifth", Values: []string{"fifth"}},
			{Name: "Again", Values: []string{"SRV-01"}}, {Name: "UserAgent", Values: []string{"curl/8.0"}}, {Name: "AppDisplayName", Values: []string{"Azure Portal"}}, {Name: "Country", Values: []string{"NL"}}},
	}
	_, c := mustCard(t, a, Links{NoPortal: true})
	open, hidden := split(t, c)
	const wantOpen = `MEDIUM · Password spray
Password spray from 203.0.113.7: 12 accounts
{{DATE(2026-03-17T01:28:06Z,SHORT)}} {{TIME(2026-03-17T01:28:06Z)}} – {{TIME(2026-03-17T01:29:40Z)}} your time · 2026-03-17 01:28:06–01:29:40 UTC
One address tried few passwords.
Who
ana@x.example
bo@x.example
From
203.0.113.7
NL
How
Azure Portal
curl/8.0
Host
srv-01
File hash
d41d8cd98f00b204e9800998ecf8427e
Why medium
Set by the rule
Accounts
12
Signed in to
ana@x.example, carl@x.example
Parsed
code: 50126, tags: a, b
When
2026-03-17 01:28:06 UTC
`
	const wantHidden = `Fifth
fifth
MITRE ATT&CK
Credential access
Rule version
2.0
Alert id
` + userID + "\n"
	if diff := cmp.Diff(wantOpen, open) + cmp.Diff(wantHidden, hidden); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Without entities and custom details there is the row, also if that is all zeros.
	a.Entities, a.CustomDetails, a.Description = nil, nil, ""
	cell := func(column, value string) alert.Cell {
		return alert.Cell{Column: column, Value: json.RawMessage(value)}
	}
	a.Rows = []alert.Row{{cell("Computer", `"srv-01"`), cell("hosts", `["a","b"]`), cell("Count", "0"), cell("Empty", `""`), cell("Big", "9007199254740993")}}
	_, c = mustCard(t, a, Links{NoPortal: true})
	open, _ = split(t, c)
	if want := "UTC\nComputer\nsrv-01\nhosts\na, b\nBig\n9007199254740993\nWhy medium\nSet by the rule\n"; !strings.HasSuffix(open, want) {
		t.Errorf("%q, want at its end %q", open, want)
	}
	a.Rows = []alert.Row{{cell("Heartbeats", "0")}}
	_, c = mustCard(t, a, Links{NoPortal: true})
	if open, _ = split(t, c); !strings.Contains(open, "\nHeartbeats\n0\n") {
		t.Errorf("a row of zeros: %q", open)
	}

	// Prompts of something else are no prompts for a second factor.
	a.CustomDetails = []alert.Detail{{Name: "Prompts", Values: []string{"12"}}}
	_, c = mustCard(t, a, Links{NoPortal: true})
	if open, _ = split(t, c); !strings.Contains(open, "\nPrompts\n12\n") || strings.Contains(open, "MFA") {
		t.Errorf("it reads\n%s", open)
	}
	a.CustomDetails = nil

	// A finding that says that somebody got in is the headline of any rule; its own title
	// stands below.
	a.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundInboxRule, Text: "x", Brief: "a rule that moves all mail"}}}
	_, c = mustCard(t, a, Links{NoPortal: true})
	if got := reading(c); !strings.HasPrefix(got, "MEDIUM · Password spray\nInbox rule or forwarding after an unapproved MFA prompt\nPassword spray from 203.0.113.7: 12 accounts\n") || !strings.Contains(got, "\n• A rule that moves all mail\n") {
		t.Errorf("it reads\n%s", got)
	}
}

// An update is named by what is new, is at its time and leads to the first.
func TestUpdateCard(t *testing.T) {
	t.Parallel()
	a := sampleAlert()
	later := a.Span.End.Add(3*time.Hour + 16*time.Minute)
	a.Entities[0].Fields[0].Value = "yael.cohen@fabrikam.example"
	a.Updates = &alert.Reference{ID: userID, Title: "MFA rejected", Created: a.Span.End.Add(time.Hour), News: alert.FoundSuccessSameIP}
	a.Activities = nil
	a.Context.Findings = []alert.Finding{{Kind: alert.FoundSuccessSameSignIn, Text: "known before"},
		{Kind: alert.FoundSuccessSameIP, Text: "x", Brief: "signed in from the same address 3 h 16 min after rejecting (“Office 365”)", Reason: "signed in from the same address 3 h 16 min after rejecting", Time: later, Address: "203.0.113.66"}}
	text, c := mustCard(t, a, Links{WorkspaceResourceID: workspaceID, Table: "PushbackAlerts_CL"})
	const want = `HIGH · MFA Rejected by User
Update: signed in from the same address 3 h 16 min after rejecting: yael.cohen from 203.0.113.66
{{DATE(2026-03-17T04:45:40Z,SHORT)}} {{TIME(2026-03-17T04:45:40Z)}} your time · 2026-03-17 04:45:40 UTC · 2 prompts rejected, signed in
First reported 2026-03-17 02:29 UTC
Some context is missing: see the details
• Signed in from the same address 3 h 16 min after rejecting (“Office 365”)
• Known before
[Sign-ins in Logs] [First alert in Logs] [User in Entra]
`
	if got := reading(c); !strings.HasPrefix(got, want) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
	query, _, _ := unpack(t, buttons(c)["First alert in Logs"])
	if !strings.Contains(query, `AlertId =~ "`+userID+`"`) {
		t.Errorf("the first alert is looked for with\n%s", query)
	}
	understood(t, []json.RawMessage{text})
	// What only repeats the headline is left out.
	a.CustomDetails = []alert.Detail{{Name: "Rejections", Values: []string{"2"}}, {Name: "Apps", Values: []string{"Office 365"}}}
	_, c = mustCard(t, a, Links{})
	if got := reading(c); strings.Contains(got, "• Signed in from the same address") || !strings.Contains(got, "• Known before\n") {
		t.Errorf("it reads\n%s", got)
	}
}

// The timeline has five lines at most, of what tells the story.
func TestMoments(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	var n int
	next := func(kind alert.MomentKind, from, brief string) alert.Moment {
		n++
		return alert.Moment{Time: at.Add(time.Duration(n) * time.Minute), Kind: kind, Text: brief + " from " + from, Brief: brief, From: from}
	}
	rejected := func() alert.Moment {
		return next(alert.MomentRejected, "203.0.113.66", "1 MFA prompt rejected (“App”)")
	}
	prompt := func() alert.Moment {
		return next(alert.MomentPrompt, "203.0.113.66", "1 MFA prompt unanswered or failed (“App”)")
	}
	ordinary := next(alert.MomentSuccess, "198.51.100.1", "signed in")
	ordinary.Ordinary = true
	a := sampleAlert()
	a.Updates = nil
	a.Context.Findings[0].Time = at.Add(8 * time.Minute)
	several := rejected()
	several.Count, several.Until = 3, several.Time.Add(30*time.Second)
	a.Context.Timeline = []alert.Moment{ordinary, several, prompt(), rejected(), prompt(), prompt(),
		next(alert.MomentSuccess, "203.0.113.66", "signed in (“App”)"), next(alert.MomentSuccess, "203.0.113.66", "signed in (“Mail”)"), next(alert.MomentSuccess, "203.0.113.66", "signed in (“Files”)"),
		next(alert.MomentMethod, "", "MFA methods changed"), next(alert.MomentChange, "", "inbox rule or forwarding"), rejected(), {Kind: alert.MomentLeftOut, Text: "left out: 5 unanswered prompts"}}
	_, c := mustCard(t, a, Links{})
	open, hidden := split(t, c)
	_, timeline, _ := strings.Cut(open, "Timeline (UTC)\n")
	want := strings.ReplaceAll(`10:02:00~ 4 MFA prompts rejected in 2 min
10:07:00~ Signed in (“App”)
10:10:00~ MFA methods changed
10:11:00~ Inbox rule or forwarding
10:12:00~ 1 MFA prompt rejected (“App”)
`, "~", "\u00a0")
	if diff := cmp.Diff(want, timeline); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(hidden, "Full timeline (UTC)\n10:01:00\u00a0 Signed in from 198.51.100.1\n") || !strings.Contains(hidden, "\nLeft out: 5 unanswered prompts\n") {
		t.Errorf("hidden is\n%s", hidden)
	}
	// Prompts that are one line last as long as the longest of them.
	long, short := rejected(), rejected()
	long.Count, long.Until = 4, long.Time.Add(20*time.Minute)
	if list, _ := moments([]alert.Moment{long, short}, at); len(list) != 1 || list[0].Brief != "5 MFA prompts rejected in 20 min" {
		t.Errorf("together they are %v", list)
	}
	// The day is said where it is another.
	a.Context.Timeline = []alert.Moment{{Time: at.Add(-24 * time.Hour), Kind: alert.MomentMethod, Text: "x", Brief: "x"}}
	_, c = mustCard(t, a, Links{})
	if open, _ := split(t, c); !strings.Contains(open, "\n16\u00a0Mar\u00a010:00:00\u00a0 X\n") {
		t.Errorf("it reads\n%s", open)
	}
}

// What is hidden goes before anything that is not, and the whole message is as
// large as Teams takes, with what the notification says.
func TestHiddenGoesFirst(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		a := large()
		a.Updates, a.Description = nil, strings.Repeat("d\"", 40*n)
		a.Title = strings.Repeat("\"\\陳", 20*n)
		var want []string
		for i := range 4 {
			finding := fmt.Sprintf("finding %d", i)
			want = append(want, "• F"+finding[1:])
			a.Context.Findings = append(a.Context.Findings[:i:i], alert.Finding{Kind: alert.FindingKind(finding), Text: finding})
		}
		text, summary, err := cardOf(a, Links{WorkspaceResourceID: workspaceID})
		if err != nil {
			t.Fatal(err)
		}
		var c map[string]any
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		for _, line := range append(want, "Who", "From", "Why high", "Timeline (UTC)", "[Sign-ins in Logs] [User in Entra]", "[Show details]") {
			if !strings.Contains(reading(c), "\n"+line+"\n") {
				t.Fatalf("%d: %s is gone:\n%.3000s", n, line, reading(c))
			}
		}
		message, err := messageOf(text, summary)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := encode(string(message)) // as a workflow keeps it
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) > mostSize || len(whole) < mostSize-2000 {
			t.Errorf("%d: %d of %d", n, len(whole), mostSize)
		}
	}
}

// A notification says the headline as it is, without Markdown.
func TestSummary(t *testing.T) {
	t.Parallel()
	var bodies keeping
	webhook, err := ParseWebhookURL("https://prod-1.example" + secretPath)
	if err != nil {
		t.Fatal(err)
	}
	clock := newClock()
	teams, err := New(webhook, Options{Transport: &bodies, Now: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	a := sampleAlert()
	a.Updates = nil
	hostile := a
	hostile.CustomDetails, hostile.Context, hostile.Title = nil, nil, "**x** [y](https://evil.example) {{DATE(1)}} \u202e\n"+strings.Repeat("z", 300)
	for _, err := range []error{teams.Notify(t.Context(), a), teams.Notify(t.Context(), hostile), teams.NotifyAll(t.Context(), []alert.Alert{a, a})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"High: MFA fatigue succeeded: yael_cohen from 203.0.113.66", "High: **x** [y](https[://]evil.example) {\\x7bDATE(1)}} \\u202e", "High: MFA Rejected by User: 2 alerts at once, about 1 account and 1 address"}
	for i, m := range bodies {
		if !strings.HasPrefix(m.Summary, want[i]) || len([]rune(m.Summary)) > mostSummary+20 || m.Type != "message" || len(m.Attachments) != 1 {
			t.Errorf("message %d says %q, want %q", i, m.Summary, want[i])
		}
	}
	if len(bodies) != 3 {
		t.Errorf("%d messages", len(bodies))
	}
}

// keeping takes messages as a workflow does, and keeps them.
type keeping []message

func (k *keeping) RoundTrip(r *http.Request) (*http.Response, error) {
	var m message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	*k = append(*k, m)
	return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody, Request: r}, nil
}
