package alerts_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
	"pushback/detect/notify/portal"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// counted is a workspace that counts its queries.
type counted struct {
	*world
	queries int
}

// follow lets half an hour pass, in which Sentinel runs its rules and the process
// looks what came of its rows.
func (w *world) follow(d *alerts.Destination, minutes int) (lost int, said string) {
	w.t.Helper()
	for range minutes / 5 {
		w.pass(5 * time.Minute)
		f, err := d.Follow(w.t.Context(), w.clock())
		if err != nil {
			w.t.Fatal(err)
		}
		lost, said = f.Lost, f.Text
	}
	return lost, said
}

// The incident of an alert is known within half an hour: its number and address in
// the portal where analysts look.
func TestIncidentsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		portal      portal.Portal
		number, url string
	}{
		{portal.Defender, "1001", alertstest.ProviderURL(1)},
		{portal.Azure, "1", "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident/1"},
	} {
		w := newWorld(t)
		w.sentinelRules()
		w.links.Portal = test.portal
		a := rejection("alice@contoso.example", noon)
		d := w.start()
		if err := d.Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if url := d.IncidentURL(t.Context(), a); url != "" {
			t.Errorf("the incident is %s before there is one", url)
		}
		if lost, said := w.follow(d, 30); lost != 0 {
			t.Errorf("%d rows are lost: %s", lost, said)
		}
		d = w.start() // another process knows it too
		i, known, err := alerts.IncidentOf(t.Context(), w.notes, a.RuleID, a.ID)
		if err != nil || !known || i != (alerts.Incident{Number: test.number, URL: test.url}) {
			t.Errorf("%s: %+v, %t, %v", test.portal, i, known, err)
		}
		update := a
		update.ID, update.Updates = alert.UpdateID(a.ID, alert.FoundSuccessSameIP), &alert.Reference{ID: a.ID}
		later := rejection("alice@contoso.example", noon.Add(time.Hour))
		other := rejection("bob@contoso.example", noon)
		other.Entities[0].Fields[1].Value = "00000000-0000-0000-0000-000000000002"
		for _, c := range []struct {
			name string
			a    alert.Alert
			url  string
		}{{"the alert", a, test.url}, {"its update", update, test.url}, {"another of the story", later, test.url}, {"another story", other, ""}} {
			if url := d.IncidentURL(t.Context(), c.a); url != c.url {
				t.Errorf("%s: %s leads to %q, want %q", test.portal, c.name, url, c.url)
			}
		}
		if n := d.IncidentNumber(t.Context(), update); n != test.number {
			t.Errorf("the number is %s", n)
		}
	}
}

// An incident that gets to the Defender portal later is known when it does, and one
// that does not is known by where it is.
func TestIncidentsThatAreElsewhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		minutes int // until it gets there
		want    string
	}{{40, alertstest.ProviderURL(1)}, {24 * 60, "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident/1"}} {
		w := newWorld(t)
		w.sentinelRules()
		w.sentinel.Unsynced = true
		a := rejection("alice@contoso.example", noon)
		d := w.start()
		if err := d.Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		w.follow(d, 40)
		if url := d.IncidentURL(t.Context(), a); url != "" {
			t.Errorf("it is at %s already", url)
		}
		w.sentinel.Unsynced = test.minutes > 40
		w.follow(d, 40)
		if url := d.IncidentURL(t.Context(), a); url != test.want {
			t.Errorf("it is at %q, want %s", url, test.want)
		}
	}
}

// The incident of an alert is the one that Defender merged others into, also where the
// one that was merged changed last.
func TestMergedIncidents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sentinelRules()
	w.sentinel.MergedInto = 9
	a := rejection("alice@contoso.example", noon)
	d := w.start()
	if err := d.Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	w.follow(d, 30)
	if url, number := d.IncidentURL(t.Context(), a), d.IncidentNumber(t.Context(), a); url != alertstest.ProviderURL(9) || number != "1009" {
		t.Errorf("the incident is %q at %q, want 1009", number, url)
	}
}

// Rows that became nothing are said, with what to look at, and what comes of the
// next ones ends it.
func TestRowsThatBecameNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		spoil func(w *world)
		after int // minutes
		want  string
	}{
		{"the rule is disabled", func(w *world) { w.sentinel.Disabled = true }, 35, "2 rows are in the table PushbackAlerts_CL and became no alert within 30 min"},
		{"the rows do not come", func(w *world) { w.ingestion.Delay = func() time.Duration { return 100 * time.Hour } }, 35, "2 rows were taken by the Logs Ingestion API and are not in the table"},
		{"the rule creates no incidents", func(w *world) {
			for _, r := range w.sentinel.Rules {
				r.Incident.CreateIncident = false
			}
		}, 65, "2 rows became alerts that are in no incident after 1 h"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sentinelRules()
			test.spoil(w)
			d := w.start()
			for _, o := range d.Deliver(t.Context(), []alert.Alert{rejection("a@contoso.example", noon), rejection("b@contoso.example", noon)}, w.now) {
				if o.Err != nil {
					t.Fatal(o.Err)
				}
			}
			if lost, said := w.follow(d, 25); lost != 0 {
				t.Errorf("%d are lost already: %s", lost, said)
			}
			lost, said := w.follow(d, test.after-25)
			if lost != 2 || !strings.Contains(said, test.want) || strings.Count(said, ":") != 1 {
				t.Errorf("%d are lost: %s", lost, said)
			}
			if lost, _ := w.follow(w.start(), 24*60); lost != 0 {
				t.Errorf("%d are lost for ever", lost)
			}
		})
	}
}

// One query asks for all that is open, and none where nothing is.
func TestOneQueryForAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sentinelRules()
	q := &counted{world: w}
	d := alerts.New(w.sender(), q, w.notes, alerts.Options{Rules: w.rules, Links: w.links})
	d.Deliver(t.Context(), many(20, noon), w.now)
	if w.follow(d, 15); q.queries != 3 {
		t.Errorf("%d queries in fifteen minutes", q.queries)
	}
	for range 20 { // ticks that come soon
		if _, err := d.Follow(t.Context(), w.now.Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	w.follow(d, 30)
	before := q.queries
	if lost, _ := w.follow(d, 120); lost != 0 || q.queries != before {
		t.Errorf("%d are lost, %d queries for nothing", lost, q.queries-before)
	}
	if n := len(w.sentinel.Incidents()); n != 1 { // they have one account's id
		t.Errorf("%d incidents", n)
	}
}

func (c *counted) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	c.queries++
	return c.world.Query(ctx, q)
}

// However many rows wait for what should come of them, the ledger can note them.
func TestManyRowsWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.start()
	w.now = w.now.Add(123456789 * time.Nanosecond)
	for n := range 40 {
		for i, o := range d.Deliver(t.Context(), many(alerts.MostPer, noon.Add(time.Duration(n)*time.Minute)), w.now) {
			if o.Err != nil {
				t.Fatalf("delivery %d, alert %d: %v", n, i, o.Err)
			}
		}
		w.advance(alerts.Every)
	}
	if f, err := d.Follow(t.Context(), w.now); err != nil || f.Lost < 400 {
		t.Errorf("%+v, %v", f, err)
	}
	if n := len(w.ingestion.Records()); n != 1000 {
		t.Errorf("%d rows", n)
	}
}

// A workspace in which Sentinel never raised anything has no tables for it, and the
// rows in it became nothing.
func TestFollowWithoutSentinel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bare = true
	d := w.start()
	d.Deliver(t.Context(), many(2, noon), w.now)
	w.advance(time.Hour)
	if f, err := d.Follow(t.Context(), w.now); err != nil || f.Lost != 2 || !strings.Contains(f.Text, "2 rows are in the table") {
		t.Errorf("%+v, %v", f, err)
	}
}

// A workspace that does not answer is an error and says nothing of the rows.
func TestFollowWithoutWorkspace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.start()
	d.Deliver(t.Context(), many(2, noon), w.now)
	w.advance(time.Hour)
	w.dark = errors.New("it is dark")
	if f, err := d.Follow(t.Context(), w.now); err == nil || f.Known || f.Lost > 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// The stories of alerts are those of their rule: what it groups by, within its
// lookback of the first, and whether it groups at all.
func TestStories(t *testing.T) {
	t.Parallel()
	grouping := func(g rule.IncidentGrouping) *rule.Rule {
		r := rule.Default()
		r.Story, r.Incident.Grouping = "", g
		return r
	}
	selected := rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}, LookbackDuration: 5 * time.Hour}
	type step struct {
		after   time.Duration
		user    string
		address string
		update  int // of which step, from 1
	}
	for _, test := range []struct {
		name  string
		rule  *rule.Rule
		steps []step
		want  string // the number of the incident of each step
	}{
		{"within the lookback of the first", grouping(selected), []step{{0, "a", "1", 0}, {3 * time.Hour, "a", "2", 0}, {5 * time.Hour, "a", "1", 0}, {6 * time.Hour, "a", "1", 0}}, "1 1 1 2"},
		{"each account", grouping(selected), []step{{0, "a", "1", 0}, {time.Hour, "b", "1", 0}, {time.Hour, "a", "1", 0}}, "1 2 1"},
		{"a longer lookback", grouping(rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}, LookbackDuration: 48 * time.Hour}), []step{{0, "a", "1", 0}, {47 * time.Hour, "a", "1", 0}}, "1 1"},
		{"a shorter one", grouping(rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.AllEntities, LookbackDuration: 5 * time.Minute}), []step{{0, "a", "1", 0}, {4 * time.Minute, "a", "1", 0}, {6 * time.Minute, "a", "1", 0}}, "1 1 2"},
		{"all entities", grouping(rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.AllEntities, LookbackDuration: time.Hour}), []step{{0, "a", "1", 0}, {0, "a", "2", 0}, {time.Minute, "a", "1", 0}}, "1 2 1"},
		{"any alert", grouping(rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.AnyAlert, LookbackDuration: time.Hour}), []step{{0, "a", "1", 0}, {0, "b", "2", 0}, {2 * time.Hour, "c", "1", 0}}, "1 1 2"},
		{"a rule that does not group", grouping(rule.IncidentGrouping{LookbackDuration: time.Hour}), []step{{0, "a", "1", 0}, {time.Minute, "a", "1", 0}}, "1 2"},
		{"an update long after", grouping(selected), []step{{0, "a", "1", 0}, {20 * time.Hour, "a", "1", 1}, {20 * time.Hour, "a", "1", 0}}, "1 1 2"},
		{"an update where nothing is grouped", grouping(rule.IncidentGrouping{}), []step{{0, "a", "1", 0}, {20 * time.Hour, "a", "1", 1}}, "1 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sentinelRules()
			w.rules = []*rule.Rule{test.rule}
			var sent []alert.Alert
			for n, s := range test.steps {
				for w.clock().Before(noon.Add(s.after)) {
					w.pass(max(alerts.Every, noon.Add(s.after).Sub(w.clock())/alerts.Every*alerts.Every))
				}
				a := rejection(s.user, noon.Add(s.after))
				a.Entities[0].Fields = a.Entities[0].Fields[:1]
				a.Entities[1].Fields[0].Value = "203.0.113." + s.address
				a.ID, a.Title = alert.NewGUID(test.name, fmt.Sprint(n)), fmt.Sprint("step ", n)
				if s.update > 0 {
					before := sent[s.update-1]
					a.Updates = &alert.Reference{ID: before.ID, Severity: alert.High, Identity: alert.Identity(before.Activities)}
				}
				sent = append(sent, a)
				if err := w.start().Notify(t.Context(), a); err != nil {
					t.Fatal(err)
				}
				if err := w.start().Notify(t.Context(), a); err != nil { // again, as after a crash
					t.Fatal(err)
				}
			}
			w.pass(20 * time.Minute)
			if n := len(w.ingestion.Records()); n != len(sent) {
				t.Errorf("%d rows of %d alerts", n, len(sent))
			}
			in := map[string]string{}
			for _, a := range w.sentinel.Alerts() {
				for _, i := range w.sentinel.Incidents() {
					for _, id := range i.Alerts {
						if id == a.ID {
							in[a.Details[alerts.DetailAlert][0]] = fmt.Sprint(i.Number)
						}
					}
				}
				if len(a.Details[alerts.DetailUpdate][0]) > 0 && a.Severity != "High" {
					t.Errorf("an update is %s: it fell", a.Severity)
				}
			}
			var got []string
			for _, a := range sent {
				got = append(got, in[a.ID])
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("the incidents of the alerts are %s, want %s", s, test.want)
			}
		})
	}
}

// A rule that wants no incident has alerts alone.
func TestNoIncidents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sentinelRules()
	quiet := rule.Default()
	quiet.Incident.CreateIncident = false
	w.rules = []*rule.Rule{quiet}
	d := w.start()
	if err := d.Notify(t.Context(), rejection("alice@contoso.example", noon)); err != nil {
		t.Fatal(err)
	}
	if lost, said := w.follow(d, 90); lost != 0 || len(w.sentinel.Alerts()) != 1 || len(w.sentinel.Incidents()) != 0 {
		t.Errorf("%d alerts, %d incidents, %d lost: %s", len(w.sentinel.Alerts()), len(w.sentinel.Incidents()), lost, said)
	}
}

// A row that is too large for one call with others has one of its own, and what one
// of them holds does not hold up the others.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := many(20, noon)
	for i := range list {
		for n := range 499 {
			list[i].Entities = append(list[i].Entities, alert.Entity{Type: "URL", Fields: []alert.Field{{Identifier: "Url", Value: fmt.Sprint("https://contoso.example/", strings.Repeat("x", 90), n)}}})
		}
	}
	for _, o := range w.start().Deliver(t.Context(), list, w.now) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	if calls, _ := w.ingestion.Calls(); calls != 2 || len(w.ingestion.Records()) != 20 || len(w.ingestion.Problems()) > 0 {
		t.Errorf("%d calls, %d rows, %q", calls, len(w.ingestion.Records()), w.ingestion.Problems())
	}
	w = newWorld(t)
	calls := 0
	w.ingestion.Fault = func(int) alertstest.Fault {
		if calls++; calls%4 != 0 { // one call in four is taken
			return alertstest.Fault{Before: 413}
		}
		return alertstest.Fault{}
	}
	taken := 0
	for _, o := range w.start().Deliver(t.Context(), many(8, noon), w.now) {
		if o.Err == nil {
			taken++
		}
	}
	if taken != len(w.ingestion.Records()) || taken == 0 || taken == 8 {
		t.Errorf("%d taken, %d rows", taken, len(w.ingestion.Records()))
	}
}
