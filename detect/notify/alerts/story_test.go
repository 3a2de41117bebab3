package alerts_test

import (
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/alerts"
	"pushback/detect/rule"
)

// An update is in the incident of what it updates, whatever the rules group by that
// the two are of, and leads there.
func TestUpdatesAreInOneIncident(t *testing.T) {
	t.Parallel()
	groupings := []rule.IncidentGrouping{
		{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}, LookbackDuration: 5 * time.Hour},
		{Enabled: true, MatchingMethod: rule.AllEntities, LookbackDuration: 5 * time.Hour},
		{Enabled: true, MatchingMethod: rule.AnyAlert, LookbackDuration: 5 * time.Minute},
		{},
	}
	for i, first := range groupings {
		for k, second := range groupings {
			t.Run(fmt.Sprintf("%d and %d", i, k), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.sentinelRules()
				w.rules = rule.Shipped()[:2]
				w.rules[0].Incident.Grouping, w.rules[1].Incident.Grouping = first, second
				of := func(r *rule.Rule, address string, updates *alert.Alert) alert.Alert {
					a := rejection("alice@contoso.example", w.clock())
					a.RuleID, a.RuleName = r.ID, r.Name
					a.Entities[1].Fields[0].Value = address
					a.ID = alert.NewGUID(r.ID, address)
					if updates != nil {
						a.Updates = &alert.Reference{ID: updates.ID, Title: updates.Title, Created: updates.Created, Identity: alert.Identity(updates.Activities)}
					}
					return a
				}
				send := func(a alert.Alert) {
					t.Helper()
					for range 2 { // again, as after a crash
						if err := w.start().Notify(t.Context(), a); err != nil {
							t.Fatal(err)
						}
					}
				}
				begins := of(w.rules[0], "203.0.113.1", nil)
				send(begins)
				if lost, said := w.follow(w.start(), 30); lost > 0 {
					t.Error(said)
				}
				w.pass(2 * time.Hour) // its row is not open any more
				updates := of(w.rules[1], "203.0.113.2", &begins)
				if url := w.start().IncidentURL(t.Context(), updates); url == "" {
					t.Error("the update leads to no incident")
				}
				send(updates)
				again := of(w.rules[0], "203.0.113.3", &updates)
				send(again)
				w.pass(20 * time.Minute)
				if n := len(w.sentinel.Incidents()); n != 1 || len(w.sentinel.Incidents()[0].Alerts) != 3 {
					t.Errorf("%d incidents, want one with three alerts: %v", n, w.sentinel.Incidents())
				}
			})
		}
	}
}

// What follows an update of another rule is of the story that this went on with.
func TestWhatFollowsAnUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sentinelRules()
	w.rules = rule.Shipped()[:2]
	w.rules[0].Incident.Grouping = rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.AllEntities, LookbackDuration: 5 * time.Hour}
	begins := rejection("alice@contoso.example", w.clock())
	begins.RuleID = w.rules[0].ID
	updates, follows := begins, begins
	for n, a := range []*alert.Alert{&begins, &updates, &follows} {
		a.ID = alert.NewGUID(fmt.Sprint(n))
		if n > 0 {
			a.RuleID = w.rules[1].ID
		}
	}
	updates.Updates = &alert.Reference{ID: begins.ID}
	for _, a := range []alert.Alert{begins, updates, follows} {
		if err := w.start().Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.pass(alerts.Every)
	}
	w.pass(20 * time.Minute)
	if n := len(w.sentinel.Incidents()); n != 1 {
		t.Errorf("%d incidents, want one: %v", n, w.sentinel.Incidents())
	}
}
