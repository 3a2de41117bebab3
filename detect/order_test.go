package detect

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
)

// newsOf updates each alert of a rule once, from a time on.
type newsOf struct {
	ruleID string
	from   time.Time
}

func (n newsOf) Enrich(context.Context, []alert.Alert, time.Time) []string { return nil }

func (n newsOf) Aftermath(_ context.Context, list []alert.Alert, now time.Time) (updates []alert.Alert, _ []string) {
	for _, a := range list {
		if a.RuleID != n.ruleID || now.Before(n.from) {
			continue
		}
		u := a
		u.Updates = &alert.Reference{ID: a.ID, Title: a.Title, Created: a.Created, Severity: a.Severity}
		u.ID, u.Created = alert.UpdateID(a.ID, alert.FoundSuccessSameIP), now
		u.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundSuccessSameIP, Text: "x"}}}
		return append(updates, u), nil
	}
	return nil, nil
}

// Nothing leaves before what it updates, however much two rules of a story find and
// whatever is followed up meanwhile.
func TestUpdatesLeaveLast(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 50, 150} {
		for range 4 {
			events := []event{happened("z", "zed", "09:10")}
			for i := range n {
				events = append(events, happened(fmt.Sprint(i), fmt.Sprintf("u%d", i), "10:10"))
			}
			c := config()
			c.Enricher, c.SendLimit, c.MaxAlerts = newsOf{"b", clock("11:00")}, 0, 100000
			d := newDay(t, c, events, telling("a", time.Hour, time.Hour), telling("b", time.Hour, time.Hour))
			d.run("09:00", "09:30")
			d.world.only = "b"
			d.run("09:30", "10:30")
			d.world.only = ""
			d.run("10:30", "12:00")
			seen, updates := map[string]bool{}, 0
			for _, a := range d.inbox.alerts {
				if a.Updates != nil {
					if updates++; !seen[a.Updates.ID] {
						t.Fatalf("%d users: an alert left before what it updates", n)
					}
				}
				seen[a.ID] = true
			}
			if updates < n {
				t.Errorf("%d updates of %d users", updates, n)
			}
		}
	}
}
