package teams

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

func mustDigest(t *testing.T, alerts []alert.Alert) (json.RawMessage, map[string]any) {
	t.Helper()
	text, err := Digest(alerts)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return text, c
}

// An attack on 500 users is one card that says so, the worst first.
func TestDigest(t *testing.T) {
	t.Parallel()
	var alerts []alert.Alert
	for i := range 500 {
		a := sampleAlert()
		a.ID, a.Severity, a.Context = fmt.Sprint(i), alert.Medium, nil
		a.Title = fmt.Sprintf("MFA rejected by user%d", i)
		a.Entities = []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: fmt.Sprint("user", i)}}}, {Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.66"}}}}
		if i == 321 {
			a.Severity, a.Context = alert.High, sampleAlert().Context
		}
		alerts = append(alerts, a)
	}
	text, c := mustDigest(t, alerts)
	if n := counted(t, text); n > mostSize {
		t.Errorf("%d of %d", n, mostSize)
	}
	const want = `HIGH · MFA Rejected by User
500 alerts at once, about 500 accounts and 1 address
{{DATE(2026-03-17T01:28:06Z,SHORT)}} {{TIME(2026-03-17T01:28:06Z)}} – {{TIME(2026-03-17T01:29:40Z)}} your time · 2026-03-17 01:28:06–01:29:40 UTC
Severity
1 High, 499 Medium
Findings
MFA fatigue (1), signed in from the same address (1)
Most severe
High
user321 · 203.0.113.66 · signed in from the same address
Medium
user0 · 203.0.113.66 · 2 MFA prompts rejected
`
	if got := reading(c); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\nMedium at most\nAnd 488 more: each is in the log of the function, with its id\n") {
		t.Errorf("it reads\n%s", got)
	}
	understood(t, []json.RawMessage{text})
}

func TestHostileDigests(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(8, 8))
	var cards []json.RawMessage
	for i := range 100 {
		var alerts []alert.Alert
		for range 1 + r.IntN(30) {
			alerts = append(alerts, hostileAlert(r))
		}
		text, c := mustDigest(t, alerts)
		if problems := unsafe(text, c); len(problems) > 0 {
			t.Fatalf("digest %d: %s", i, strings.Join(problems, "\n"))
		}
		if n := counted(t, text); n > mostSize {
			t.Fatalf("digest %d is %d characters as Teams counts", i, n)
		}
		cards = append(cards, text)
	}
	understood(t, cards)
}

// TestNoTimes makes cards of alerts whose times nobody knows, and whose entities
// have no value.
func TestNoTimes(t *testing.T) {
	t.Parallel()
	a := sampleAlert()
	unknown := a
	unknown.Window, unknown.Span, unknown.Created = alert.Span{}, alert.Span{}, time.Time{}
	unknown.Activities = []alert.Activity{{Previously: []alert.Span{{}}}, {}}
	unknown.Entities = append([]alert.Entity{{Type: "Host"}}, a.Entities...)
	unknown.Updates = &alert.Reference{Title: "the first"}
	card, _ := mustCard(t, unknown, Links{})
	digest, _ := mustDigest(t, []alert.Alert{unknown, a, unknown})
	none, _ := mustDigest(t, []alert.Alert{unknown, unknown})
	for name, text := range map[string]string{"the card": string(card), "the digest": string(digest), "the digest of nothing else": string(none)} {
		if strings.Contains(text, "0001") || strings.Contains(text, "unknown time") {
			t.Errorf("%s says when: %s", name, text)
		}
	}
	if want := text.Range(a.Span); !strings.Contains(string(digest), want) {
		t.Errorf("the digest does not say %s: %s", want, digest)
	}
}

// A storm among the alerts of a digest says for how many it stands, and comes
// first of those of its severity.
func TestDigestOfStorms(t *testing.T) {
	t.Parallel()
	var alerts []alert.Alert
	for i := range 20 {
		a := sampleAlert()
		a.ID, a.Title = fmt.Sprint(i), fmt.Sprint("alert ", i)
		if i == 15 || i == 17 {
			a.Context, a.Title, a.Storm = nil, fmt.Sprint("storm ", i), &alert.Storm{Alerts: 1000 * i}
		}
		alerts = append(alerts, a)
	}
	_, c := mustDigest(t, alerts)
	got := reading(c)
	if !strings.Contains(got, "Storms\nstand for 32000 alerts\n") || !strings.Contains(got, "Most severe\nHigh\nstorm 17\nHigh\nstorm 15\n") {
		t.Error(got)
	}
}

// crowdOf returns alerts about one account each, and several of the first.
func crowdOf(accounts, ofFirst int, change func(i int, a *alert.Alert)) []alert.Alert {
	var alerts []alert.Alert
	for i := range accounts + ofFirst - 1 {
		a := sampleAlert()
		who := fmt.Sprintf("user%d@contoso.example", max(0, i-ofFirst+1))
		a.ID, a.Severity, a.Context, a.Title = fmt.Sprintf("%04d", i), alert.Medium, nil, fmt.Sprintf("MFA rejected by %s from 203.0.113.%d", who, i%256)
		a.Entities = []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: who}}}, {Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: fmt.Sprint("203.0.113.", i%256)}}}}
		if change != nil {
			change(i, &a)
		}
		alerts = append(alerts, a)
	}
	return alerts
}

// A digest has one line for each account, and one that somebody may have got into
// is not buried under another's alerts, whatever their number and severity.
func TestDigestByWeight(t *testing.T) {
	t.Parallel()
	got := func(a *alert.Alert, kinds ...alert.FindingKind) {
		a.Context = &alert.Context{RuleSeverity: alert.Medium}
		for _, k := range kinds {
			a.Context.Findings = append(a.Context.Findings, alert.Finding{Kind: k, Text: "what was found: " + string(k)})
		}
	}
	for _, test := range []struct {
		name   string
		alerts []alert.Alert
		want   []string // of the table, in this order
		not    []string
	}{
		{"one account from many addresses", crowdOf(3, 20, nil), []string{"Medium\nuser0@contoso.example · 203.0.113.0 · 2 MFA prompts rejected\nand 19 other alerts of this account\n", "user1@", "user2@"}, []string{"203.0.113.1\n", "more:"}},
		{"a compromise among louder ones", crowdOf(40, 1, func(i int, a *alert.Alert) {
			got(a, alert.FoundBombing, alert.FoundPrivilegedRole, alert.FoundNewCountry)
			if i == 39 {
				got(a, alert.FoundSuccessSameIP)
			}
		}), []string{"Most severe\nMedium\nuser39@", " · signed in from the same address\n", "And 28 more:"}, []string{"user12@"}},
		{"its least alert is of the same account", crowdOf(2, 20, func(i int, a *alert.Alert) {
			a.Severity = alert.High
			if i == 19 {
				a.Severity = alert.Medium
				got(a, alert.FoundMethodChanged)
			}
		}), []string{"High\nuser0@", "user0@contoso.example · 203.0.113.19 · MFA methods changed\nand 19 other", "user1@"}, nil},
		{"more of them than a digest names", crowdOf(60, 1, func(i int, a *alert.Alert) {
			if i < 40 {
				got(a, alert.FoundSuccessSameIP)
			}
		}), []string{"user0@", "user39@", "Medium at most\nAnd 20 more:"}, []string{"user40@", "got into"}},
		{"more of them than there is room for", crowdOf(900, 1, func(_ int, a *alert.Alert) { got(a, alert.FoundSuccessSameSignIn) }),
			[]string{"user0@contoso.example · 203.0.113.0 · signed in after rejecting\n", "user3@contoso.example · 203.0.113.3 · signed in after rejecting\n", "Medium at most\nSomebody may have got into "}, []string{"user899@"}},
		{"reported as fraud", crowdOf(30, 1, func(i int, a *alert.Alert) {
			if i == 29 {
				a.CustomDetails = []alert.Detail{{Name: alert.FraudReports, Values: []string{"1"}}}
			}
		}), []string{"Most severe\nMedium\nuser29@contoso.example · 203.0.113.29 · 1 prompt reported as fraud\n"}, nil},
		{"what is no compromise", crowdOf(30, 1, func(i int, a *alert.Alert) {
			if i == 29 {
				got(a, alert.FoundRepeated)
			}
			if i == 12 {
				got(a, alert.FoundNewCountry)
			}
		}), []string{"Most severe\nMedium\nuser12@"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text, c := mustDigest(t, test.alerts)
			if n := counted(t, text); n > mostSize {
				t.Errorf("%d of %d", n, mostSize)
			}
			reads := reading(c)
			rest := reads
			for _, want := range test.want {
				_, after, there := strings.Cut(rest, want)
				if !there {
					t.Fatalf("%q is not there, or not in this order:\n%s", want, reads)
				}
				rest = after
			}
			for _, not := range test.not {
				if strings.Contains(reads, not) {
					t.Errorf("%q is there:\n%s", not, reads)
				}
			}
			understood(t, []json.RawMessage{text})
		})
	}
}
