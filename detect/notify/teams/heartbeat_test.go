package teams

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/notify"
)

func heartbeatOf(t *testing.T, h notify.Heartbeat, l Links) (json.RawMessage, map[string]any) {
	t.Helper()
	text, summary, err := heartbeatCard(h, l)
	if err != nil {
		t.Fatal(err)
	}
	if summary != "Pushback: All is well" && summary != "Pushback: Not all is well" {
		t.Errorf("a notification says %q", summary)
	}
	var c map[string]any
	if err := json.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return text, c
}

func TestHeartbeatCard(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	quiet := notify.Heartbeat{Since: now.AddDate(0, 0, -30), Now: now, Rules: []string{"MFA Rejected by User"}, LastRun: now.Add(-5 * time.Minute)}
	busy := quiet
	busy.Rules, busy.Reported, busy.HeldBack = []string{"One", "Two"}, 2, 3
	sick := quiet
	sick.Wrong = []string{`The rule "One" fails`, "The table SigninLogs is silent"}
	never := quiet
	never.LastRun = time.Time{}
	full := quiet
	full.Reported, full.More = 10_000, true
	lost := quiet
	lost.Uncounted = true
	var cards []json.RawMessage
	for _, test := range []struct {
		h    notify.Heartbeat
		want string
	}{
		{quiet, "HEARTBEAT · Pushback\nAll is well\nWatched\n1 rule: MFA Rejected by User. Last run at 2026-03-17 09:55 UTC.\n" +
			"Found\nNothing since 2026-02-15 10:00 UTC (30 d).\nState\nAll is well. This card shows that the channel still takes cards.\n"},
		{busy, "HEARTBEAT · Pushback\nAll is well\nWatched\n2 rules: One, Two. Last run at 2026-03-17 09:55 UTC.\n" +
			"Found\n5 alerts, 3 of them held back since 2026-02-15 10:00 UTC (30 d), and nothing that is sent to this channel.\nState\nAll is well. This card shows that the channel still takes cards.\n"},
		{sick, "HEARTBEAT · Pushback\nNot all is well\nWatched\n1 rule: MFA Rejected by User. Last run at 2026-03-17 09:55 UTC.\n" +
			"Found\nNothing since 2026-02-15 10:00 UTC (30 d).\nState\nThe rule \"One\" fails; The table SigninLogs is silent. See handler check.\n"},
		{never, "HEARTBEAT · Pushback\nNot all is well\nWatched\n1 rule: MFA Rejected by User. Not every one has run yet.\n" +
			"Found\nNothing since 2026-02-15 10:00 UTC (30 d).\nState\nPushback has not run a rule yet. See handler check.\n"},
		{full, "HEARTBEAT · Pushback\nAll is well\nWatched\n1 rule: MFA Rejected by User. Last run at 2026-03-17 09:55 UTC.\n" +
			"Found\nMore than 10000 alerts since 2026-02-15 10:00 UTC (30 d), and nothing that is sent to this channel.\nState\nAll is well. This card shows that the channel still takes cards.\n"},
		{lost, "HEARTBEAT · Pushback\nAll is well\nWatched\n1 rule: MFA Rejected by User. Last run at 2026-03-17 09:55 UTC.\n" +
			"Found\nThe alerts since 2026-02-15 10:00 UTC cannot be counted: see the log.\nState\nAll is well. This card shows that the channel still takes cards.\n"},
	} {
		text, c := heartbeatOf(t, test.h, Links{})
		if diff := cmp.Diff(test.want, reading(c)); diff != "" {
			t.Errorf("it reads (-want +got):\n%s", diff)
		}
		cards = append(cards, text)
	}
	r := rand.New(rand.NewPCG(9, 9))
	for range 100 {
		h := notify.Heartbeat{Since: now, Now: now.Add(time.Duration(r.Int64())), LastRun: now, Rules: some(r, func() string { return hostileText(r) }), Wrong: some(r, func() string { return hostileText(r) })}
		text, c := heartbeatOf(t, h, Links{})
		if problems := unsafe(text, c); len(problems) > 0 {
			t.Fatal(strings.Join(problems, "\n"))
		}
		cards = append(cards, text)
	}
	understood(t, cards)
}

// A heartbeat goes to the address that it is for.
func TestHeartbeatIsRouted(t *testing.T) {
	t.Parallel()
	routes, err := ParseRoutes("High=https://high.example/x Low=https://all.example/x")
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseWebhookURL("https://all.example/x")
	if err != nil {
		t.Fatal(err)
	}
	p, clock := &posts{}, newClock()
	to, err := New(all, Options{Routes: routes, Transport: p, Now: clock.Now, Sleep: clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	names := to.Addresses()
	if len(names) != 2 {
		t.Errorf("addresses %q", names)
	}
	for _, name := range append(names, "gone.example/…12345678") {
		err := to.Heartbeat(t.Context(), name, notify.Heartbeat{Now: clock.Now(), Since: clock.Now()})
		if (err != nil) != strings.HasPrefix(name, "gone") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if diff := cmp.Diff([]string{"all.example", "high.example"}, p.to); diff != "" {
		t.Errorf("posted to (-want +got):\n%s", diff)
	}
}
