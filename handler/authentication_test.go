package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
)

// tickShipped runs the shipped rule over what the workspace holds at a time,
// and returns the alerts that are new. Of each it gives who, from where, and
// how many rejections.
func tickShipped(t *testing.T, l *ledger.Ledger, now time.Time, refusals ...refusedPrompt) (found []string) {
	t.Helper()
	d, err := detect.New(detect.Config{Delay: 5 * time.Minute, Lateness: 3 * time.Hour}, []*rule.Rule{rule.Default()}, workspaceOf(t, &now, refusals...), l)
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.Tick(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range report.Rules {
		for _, w := range run.Windows {
			for _, a := range w.Alerts {
				found = append(found, fmt.Sprintf("%s %s %s", a.Entities[0].Fields[1].Value, address(a), detail(a, "Rejections")))
			}
		}
	}
	slices.Sort(found)
	return found
}

func address(a alert.Alert) string { return a.Entities[1].Fields[0].Value }

func detail(a alert.Alert, name string) string {
	for _, d := range a.CustomDetails {
		if d.Name == name {
			return fmt.Sprint(d.Values)
		}
	}
	return "none"
}

// many makes so many refusals of alice, a time apart.
func many(n int, apart time.Duration, each func(i int, r *refusedPrompt)) []refusedPrompt {
	list := make([]refusedPrompt, n)
	for i := range list {
		list[i] = refusedPrompt{at: at(9, 5).Add(time.Duration(i) * apart), user: "alice", address: "203.0.113.7", id: fmt.Sprint("r", i), correlation: "c", session: "s"}
		if each != nil {
			each(i, &list[i])
		}
	}
	return list
}

// TestAuthentications is about which rows are one rejection.
func TestAuthentications(t *testing.T) {
	t.Parallel()
	const minute, second = time.Minute, time.Second
	ownSession := func(i int, r *refusedPrompt) { r.session = fmt.Sprint("s", i) }
	for _, test := range []struct {
		name     string
		refusals []refusedPrompt
		want     []string
	}{
		{"one CorrelationId", many(10, 5*minute, nil), []string{"alice 203.0.113.7 [10]"}},
		{"one CorrelationId, without sessions", many(10, 5*minute, func(_ int, r *refusedPrompt) { r.session = "" }), []string{"alice 203.0.113.7 [10]"}},
		{"in a minute, of a session each", many(10, 5*second, ownSession), []string{"alice 203.0.113.7 [10]"}},
		{"in a minute, without a CorrelationId", many(10, 5*second, func(_ int, r *refusedPrompt) { r.correlation = "" }), []string{"alice 203.0.113.7 [10]"}},
		{"one request, logged again for an hour", many(10, 5*minute, func(_ int, r *refusedPrompt) { r.id = "r" }), []string{"alice 203.0.113.7 [1]"}},
		{"one request, in the same moment", many(10, 0, func(_ int, r *refusedPrompt) { r.id = "r" }), []string{"alice 203.0.113.7 [1]"}},
		{"one authentication, split", many(3, 40*second, nil), []string{"alice 203.0.113.7 [1]"}},
		{"up to two minutes", many(2, 2*minute, nil), []string{"alice 203.0.113.7 [1]"}},
		{"beyond two minutes", many(2, 2*minute+second, nil), []string{"alice 203.0.113.7 [2]"}},
		{"a chain is cut two minutes after its first", many(5, 110*second, nil), []string{"alice 203.0.113.7 [3]"}},
		{"with and without a session", many(2, second, func(i int, r *refusedPrompt) { r.session = []string{"", "s"}[i] }), []string{"alice 203.0.113.7 [2]"}},
		{"of two users", many(2, second, func(i int, r *refusedPrompt) { r.user = []string{"alice", "bob"}[i] }), []string{"alice 203.0.113.7 [1]", "bob 203.0.113.7 [1]"}},
		{"without any id", many(2, minute, func(_ int, r *refusedPrompt) { r.id, r.correlation, r.session = "", "", "" }), []string{"alice 203.0.113.7 [2]"}},
		{"split without request ids", many(2, second, func(_ int, r *refusedPrompt) { r.id = "" }), []string{"alice 203.0.113.7 [1]"}},
		{"an address in many spellings", many(6, 5*minute, func(i int, r *refusedPrompt) {
			r.address = []string{"203.0.113.7", "203.0.113.7:1", "::ffff:203.0.113.7", "::FFFF:CB00:7107", "[203.0.113.7]:9", " 203.0.113.7"}[i]
		}), []string{"alice 203.0.113.7 [6]"}},
		{"an IPv6 address in many spellings, split", many(3, second, func(i int, r *refusedPrompt) {
			r.address = []string{"2600:0:0:0:0:0:0:1", "2600::1", "[2600::0001%eth0]:443"}[i]
		}), []string{"alice 2600::1 [1]"}},
		{"what is no address", many(2, 5*minute, func(i int, r *refusedPrompt) { r.address = []string{"unknown", "203.0.113.7/32"}[i] }),
			[]string{"alice 203.0.113.7/32 [1]", "alice unknown [1]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, tickShipped(t, ledger.NewMemory().Ledger, at(10, 5), test.refusals...)); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// What was reported is not reported again, and what only looks like it is
// reported.
func TestAuthenticationsOverHours(t *testing.T) {
	t.Parallel()
	one := refusedPrompt{at: at(9, 59), user: "alice", address: "203.0.113.7", id: "r", correlation: "c", session: "s"}
	with := func(change func(r *refusedPrompt)) refusedPrompt {
		r := one
		change(&r)
		return r
	}
	for _, test := range []struct {
		name  string
		later refusedPrompt
		want  []string
	}{
		{"the CorrelationId again", with(func(r *refusedPrompt) { r.at, r.id, r.session = at(10, 20), "r2", "s2" }), []string{"alice 203.0.113.7 [1]"}},
		{"and the session", with(func(r *refusedPrompt) { r.at, r.id = at(10, 20), "r2" }), []string{"alice 203.0.113.7 [1]"}},
		{"the CorrelationId of another session, at once", with(func(r *refusedPrompt) { r.at, r.id, r.session = at(10, 0), "r2", "s2" }), []string{"alice 203.0.113.7 [1]"}},
		{"the rest of the authentication, in the next window", with(func(r *refusedPrompt) { r.at, r.id = at(10, 0), "r2" }), nil},
		{"the same request, logged again", with(func(r *refusedPrompt) { r.at = at(10, 20) }), nil},
		{"late, of the same authentication", with(func(r *refusedPrompt) { r.at, r.id, r.received = at(9, 58), "r2", at(10, 30) }), nil},
		{"late, with its CorrelationId and session", with(func(r *refusedPrompt) { r.at, r.id, r.received = at(9, 30), "r2", at(10, 30) }), []string{"alice 203.0.113.7 [2]"}},
		{"the same address in another spelling", with(func(r *refusedPrompt) { r.at, r.address, r.received = at(9, 59), "::ffff:203.0.113.7", at(10, 30) }), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := ledger.NewMemory().Ledger
			if got := tickShipped(t, l, at(10, 5), one, test.later); len(got) != 1 {
				t.Fatalf("%q at first, want one alert", got)
			}
			var found []string
			for _, now := range []time.Time{at(11, 5), at(12, 5), at(13, 5)} {
				found = append(found, tickShipped(t, l, now, one, test.later)...)
			}
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// The alert has the address in its one spelling, and the log's own in its
// details.
func TestLoggedAddresses(t *testing.T) {
	t.Parallel()
	now := at(10, 5)
	refusals := many(2, 5*time.Minute, func(i int, r *refusedPrompt) { r.address = []string{"2600:0:0:0:0:0:0:1", "2600::1"}[i] })
	c := detect.DefaultConfig()
	c.Delay, c.Lateness, c.CatchUp = 0, 0, 0
	var sent alertList
	d, err := detect.New(c, []*rule.Rule{rule.Default()}, workspaceOf(t, &now, refusals...), ledger.NewMemory().Ledger, &sent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Tick(t.Context(), now); err != nil || len(sent.alerts) != 1 {
		t.Fatalf("%d alerts, %v", len(sent.alerts), err)
	}
	a := sent.alerts[0]
	if address(a) != "2600::1" || detail(a, "LoggedAddresses") != "[2600:0:0:0:0:0:0:1]" || a.Title != "MFA rejected by alice@contoso.example from 2600::1" {
		t.Errorf("%q of %s, logged as %s", a.Title, address(a), detail(a, "LoggedAddresses"))
	}
}
