package detect

import (
	"slices"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// toUser returns the user that an alert of the world is about.
func toUser(a alert.Alert) string {
	for _, e := range a.Entities {
		if _, name := e.Account(); name != "" {
			return name
		}
	}
	return ""
}

// TestTargets pins when it is decided where an alert goes: as it is recorded. What one
// address has is sent to the other alone, and what waits goes where it was to go,
// whatever routes say by then.
func TestTargets(t *testing.T) {
	t.Parallel()
	c := config()
	asked := map[string]time.Time{}
	c.Routes = func(destination string, a alert.Alert) ([]ledger.Target, bool) {
		if destination != "mail" {
			return nil, false
		}
		asked[toUser(a)] = a.Created
		if toUser(a) == "vip" {
			return []ledger.Target{{Address: "to other", Mentions: []alert.Mention{{ID: "amy@contoso.example", Name: "Amy"}}}, {Address: "to counting"}}, true
		}
		return []ledger.Target{{Address: "to counting"}}, true
	}
	d := newDay(t, c, []event{happened("1", "vip", "09:10"), happened("2", "bob", "09:20")}, counting(time.Hour, time.Hour))
	m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{"to other": true}}
	d.restart(m)
	if _, err := d.tick(clock("10:05")); err == nil {
		t.Error("no error while an address refuses")
	}
	sent := func() (list []string) {
		for i, a := range m.alerts {
			list = append(list, toUser(a)+" "+m.at[i])
		}
		slices.Sort(list)
		return list
	}
	if got := sent(); !slices.Equal(got, []string{"bob to counting", "vip to counting"}) || len(d.inbox.alerts) != 2 {
		t.Errorf("sent %q, and %d elsewhere", got, len(d.inbox.alerts))
	}
	if !asked["vip"].Equal(clock("10:05")) {
		t.Errorf("asked at %s", asked["vip"])
	}

	// Somebody edits the routes, and the app restarts, while it waits.
	d.config.Routes = func(string, alert.Alert) ([]ledger.Target, bool) {
		return []ledger.Target{{Address: "to counting"}}, true
	}
	d.restart(m)
	m.down = nil
	report, err := d.tick(clock("10:10"))
	if err != nil {
		t.Fatal(err, report.Deliveries)
	}
	if got := sent(); !slices.Equal(got, []string{"bob to counting", "vip to counting", "vip to other"}) {
		t.Errorf("sent %q", got)
	}
	if last := m.alerts[len(m.alerts)-1]; len(last.Mentions) != 1 || last.Mentions[0].Name != "Amy" {
		t.Errorf("it mentions %v", last.Mentions)
	}
	if out := report.Deliveries[1]; out.Sent != 1 || out.Pending != 0 {
		t.Errorf("%+v", out)
	}
}

// TestMarkWithTargets pins that a tick does not begin behind an alert that one address
// refuses and another can be sent.
func TestMarkWithTargets(t *testing.T) {
	t.Parallel()
	c := config()
	c.Backoff, c.SendLimit, c.Routes = 0, 50, func(destination string, _ alert.Alert) ([]ledger.Target, bool) {
		if destination == "mail" {
			return []ledger.Target{{Address: "to other"}, {Address: "to counting"}}, true
		}
		return nil, false
	}
	d := newDay(t, c, users(3*markedFrom, "09:10"), counting(time.Hour, time.Hour))
	m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{"to other": true, "to counting": true}}
	d.restart(m)
	for _, now := range []string{"10:05", "10:06", "10:07"} {
		_, _ = d.tick(clock(now))
	}
	m.down = map[string]bool{"to other": true}
	for now := clock("10:08"); now.Before(clock("11:04")); now = now.Add(time.Minute) {
		_, _ = d.tick(now)
	}
	if n := len(m.alerts); n != 3*markedFrom {
		t.Errorf("%d were sent to the address that is open", n)
	}
	m.down = nil
	for now := clock("11:10"); now.Before(clock("13:30")); now = now.Add(5 * time.Minute) {
		_, _ = d.tick(now)
	}
	count := map[string]int{}
	for i, a := range m.alerts {
		count[a.ID+" "+m.at[i]]++
	}
	for key, n := range count {
		if n != 1 {
			t.Errorf("%s was sent %d times", key, n)
		}
	}
	health := 0
	for _, a := range m.alerts {
		if a.RuleID == HealthRuleID {
			health++
		}
	}
	if len(count)-health != 2*3*markedFrom {
		t.Errorf("%d deliveries", len(count)-health)
	}
}

// TestHealthTakesRoutes pins that what is wrong with Pushback goes where routes send it,
// and to all other addresses where one refuses; and that it is over goes there too, at
// whatever hour.
func TestHealthTakesRoutes(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	c.Routes = func(destination string, a alert.Alert) ([]ledger.Target, bool) {
		switch {
		case destination != "mail":
			return nil, false
		case a.RuleID == HealthRuleID && a.Created.Before(clock("12:00")):
			return []ledger.Target{{Address: "to other"}}, true
		}
		return []ledger.Target{{Address: "to counting"}}, true
	}
	d := newDay(t, c, users(2, "09:10"), counting(time.Hour, time.Hour))
	m := &mailroom{inbox: inbox{name: "mail"}, down: map[string]bool{"to counting": true}}
	d.restart(m)
	for now := clock("10:05"); now.Before(clock("12:10")); now = now.Add(5 * time.Minute) {
		_, _ = d.tick(now)
	}
	m.down = nil
	for now := clock("12:10"); now.Before(clock("13:20")); now = now.Add(5 * time.Minute) {
		_, _ = d.tick(now)
	}
	var health []string
	for i, a := range m.alerts {
		if a.RuleID == HealthRuleID {
			health = append(health, m.at[i]+": "+a.Title)
		}
	}
	const wrong = "The destination mail to counting does not take alerts"
	if want := []string{"to other: " + wrong, "to other: Over: " + wrong}; !slices.Equal(health, want) {
		t.Errorf("got %q, want %q", health, want)
	}
}
