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

func digestOf(t *testing.T, alerts []alert.Alert) (json.RawMessage, map[string]any) {
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
	text, c := digestOf(t, alerts)
	if n := counted(t, text); n > mostSize {
		t.Errorf("%d of %d", n, mostSize)
	}
	const want = `HIGH · MFA Rejected by User 1.0.0
500 alerts at once, about 500 accounts and 1 address
{{DATE(2026-03-17T01:28:06Z,SHORT)}} {{TIME(2026-03-17T01:28:06Z)}} – {{TIME(2026-03-17T01:29:40Z)}} your time · 2026-03-17 01:28:06–01:29:40 UTC
Severity
1 High, 499 Medium
Findings
bombing (1), success-same-ip (1)
The worst of them
High
MFA rejected by user321
yael signed in from the same address, 3 min after rejecting
Medium
MFA rejected by user0
`
	if got := reading(c); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "And 488 more: each is in the log of the function, with its id\n") {
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
		text, c := digestOf(t, alerts)
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
	digest, _ := digestOf(t, []alert.Alert{unknown, a, unknown})
	none, _ := digestOf(t, []alert.Alert{unknown, unknown})
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
	_, c := digestOf(t, alerts)
	got := reading(c)
	if !strings.Contains(got, "Storms\nstand for 32000 alerts\n") || !strings.Contains(got, "The worst of them\nHigh\nstorm 17\nHigh\nstorm 15\n") {
		t.Error(got)
	}
}
