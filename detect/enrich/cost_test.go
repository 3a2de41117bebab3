package enrich

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/workspace"
)

// costly makes alerts about one account, with so many sign-ins that succeeded from
// addresses of their own, as an attacker can make them.
func costly(alerts, successes int) (*batch, []alert.Alert) {
	list := make([]alert.Alert, alerts)
	for i := range list {
		list[i] = pushback()
		list[i].ID = fmt.Sprint(i)
		list[i].Entities = append([]alert.Entity{list[i].Entities[0]}, alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: fmt.Sprintf("203.0.113.%d", i%250)}}})
	}
	b := newBatch(DefaultConfig(), list, testNow)
	a := b.find(aliceID, "")
	start := moment("10:00:00")
	for i := range alerts {
		at := start.Add(time.Duration(i) * time.Millisecond)
		a.prompts = append(a.prompts, prompt{time: start, last: start, logged: at, lastLogged: start, kind: alert.MomentRejected, interactive: true,
			address: fmt.Sprintf("203.0.113.%d", i%250), place: fmt.Sprintf("203.0.113.%d", i%250), network: "65550"})
	}
	for i := range successes {
		at := start.Add(time.Duration(i) * time.Second / 50)
		ip := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		a.prompts = append(a.prompts, prompt{time: at, last: at, logged: at, lastLogged: at, kind: alert.MomentSuccess, interactive: true, code: "0", session: fmt.Sprint(i),
			address: ip, place: ip, network: fmt.Sprint(i % 1000), device: fmt.Sprint(i % 300), app: fmt.Sprint(i % 7)})
	}
	b.settle()
	return b, list
}

// BenchmarkAssess assesses alerts about one account that signed in very often. The
// time grows with either number, and no more.
func BenchmarkAssess(b *testing.B) {
	for _, n := range []struct{ alerts, successes int }{{1, 40_000}, {100, 400}, {100, 4_000}, {100, 40_000}, {400, 40_000}} {
		b.Run(fmt.Sprintf("%d alerts, %d successes", n.alerts, n.successes), func(b *testing.B) {
			batch, alerts := costly(n.alerts, n.successes)
			for b.Loop() {
				for i := range alerts {
					a := alerts[i]
					batch.assess(&a, nil)
				}
			}
		})
	}
}

// The work of an assessment does not grow faster than what there is to look at.
func TestAssessmentIsLinear(t *testing.T) { // allocations are counted of one test at a time
	allocs := func(successes int) float64 {
		batch, alerts := costly(1, successes)
		return testing.AllocsPerRun(1, func() {
			a := alerts[0]
			batch.assess(&a, nil)
		})
	}
	few, many := allocs(4_000), allocs(40_000)
	if many > 12*few {
		t.Errorf("%.0f allocations for ten times the sign-ins, %.0f before", many, few)
	}
}

// stopping cancels a context after the last query.
type stopping struct {
	Querier
	left int
	stop func()
}

func (s *stopping) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	table, err := s.Querier.Query(ctx, q)
	if s.left--; s.left == 0 {
		s.stop()
	}
	return table, err
}

// An alert for which the time is up says so, and keeps its severity: what would
// lower it is not looked at either.
func TestAssessmentStopsAtItsDeadline(t *testing.T) {
	t.Parallel()
	laptop := record{"DeviceDetail": record{"deviceId": "laptop"}}
	client := localClient(t, allTables(t, tableOf(t, "SigninLogs", append(usually(laptop), rejected("10:00:00", laptop))...))...)
	ctx, stop := context.WithCancel(t.Context())
	alerts := []alert.Alert{pushback(), pushback()}
	warnings := New(DefaultConfig(), &stopping{client, len(kinds()), stop}).Enrich(ctx, alerts, testNow)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "2 alerts of 2 not assessed") {
		t.Errorf("warnings %q", warnings)
	}
	for _, a := range alerts {
		if a.Severity != alert.Medium || a.Context == nil || len(a.Context.Unavailable) != 1 || !a.Context.Failed || !strings.Contains(a.Context.Unavailable[0], "Assessment") {
			t.Errorf("severity %s, context %+v", a.Severity, a.Context)
		}
	}
}

// Of too many moments, refusals and the gravest sign-ins are kept, and the last
// line says what was left out.
func TestTimelineKeepsTheWorst(t *testing.T) {
	t.Parallel()
	rows := []record{success("2026-03-12T09:00:00Z", record{"IPAddress": "198.51.100.1", "AutonomousSystemNumber": 1}), rejected("10:00:00", nil), success("10:02:00", nil)}
	for i := range 22 {
		more := record{"IPAddress": fmt.Sprintf("203.0.113.%d", 100+i), "Id": fmt.Sprint("p", i), "CorrelationId": fmt.Sprint("p", i)}
		r := unanswered(fmt.Sprintf("10:%02d:00", 10+i))
		for k, v := range more {
			r[k] = v
		}
		rows = append(rows, r)
	}
	rows = append(rows, success("10:50:00", record{"IPAddress": "198.51.100.1", "AutonomousSystemNumber": 1}))
	a := assessed(t, badIP, rows...)
	line := a.Context.Timeline
	if len(line) != mostMoments+1 || !strings.HasPrefix(line[0].Text, "1 MFA prompt rejected from "+badIP) || !strings.HasPrefix(line[1].Text, "signed in from "+badIP) {
		t.Fatalf("timeline %v", line)
	}
	if line[0].Brief != "1 MFA prompt rejected (“Portal”)" || line[0].From != badIP || line[0].Ordinary || line[1].Ordinary {
		t.Errorf("the first two are %+v", line[:2])
	}
	last := line[len(line)-1]
	if last.Kind != alert.MomentLeftOut || last.Text != "left out: 5 unanswered prompts" {
		t.Errorf("the last line is %+v", last)
	}
}
