package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
)

// quietTenant is a cloud whose tables have a record at each active hour, and
// nothing that the rule looks for.
func quietTenant(t *testing.T, from time.Time, days int, active func(table string, hour time.Time) bool) *cloudStandIn {
	t.Helper()
	c := newCloud(t)
	var tables []*kql.Table
	for _, name := range []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"} {
		schema := kql.KnownTables()[name]
		b := kql.NewTableBuilder(name, schema)
		for h := from; h.Before(from.AddDate(0, 0, days)); h = h.Add(time.Hour) {
			if !active(name, h) {
				continue
			}
			for i, column := range schema {
				if column.Name == "TimeGenerated" {
					b.SetTime(i, h.Add(10*time.Minute))
				}
			}
			b.Commit()
		}
		tables = append(tables, b.Build())
	}
	c.service = &service.Service{DB: kql.NewDatabase(tables...), Now: c.clock}
	return c
}

// office is when people work: on weekdays from seven to seven.
func office(h time.Time) bool {
	return h.Weekday() != time.Saturday && h.Weekday() != time.Sunday && h.Hour() >= 7 && h.Hour() < 19
}

// healthTitles returns what a process reported of itself.
func healthTitles(t *testing.T, h *functionsHost) []string {
	t.Helper()
	var titles []string
	for _, a := range alertLines(t, h.stdout.String()) {
		titles = append(titles, a.Title)
	}
	return titles
}

var healthBegin = time.Date(2026, 3, 2, 0, 5, 0, 0, time.UTC) // a Monday

// A month of a tenant that sleeps at night and on weekends, but for somebody now
// and then, raises no alarm.
func TestProcessHealthQuiet(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	c := quietTenant(t, healthBegin.Truncate(24*time.Hour).AddDate(0, 0, -20), 52, func(table string, h time.Time) bool {
		if table == "SigninLogs" {
			return office(h)
		}
		return office(h) && rng.IntN(100) > 0 || rng.IntN(20) == 0
	})
	h := startHost(t, c, newLedgerTable(t).settings(azurite.Addr(t)))
	for now := healthBegin; now.Before(healthBegin.AddDate(0, 0, 30)); now = now.Add(time.Hour) {
		h.tick(c, now, http.StatusOK)
	}
	h.stop()
	if titles := healthTitles(t, h); len(titles) > 0 {
		t.Errorf("false alarms: %q", titles)
	}
}

// A table that falls silent is reported once, and once more when it is back.
// That holds over a restart and when it is silent for longer than its rhythm is
// remembered.
func TestProcessHealthSilence(t *testing.T) {
	t.Parallel()
	from, to := healthBegin.AddDate(0, 0, 1), healthBegin.AddDate(0, 0, 21)
	c := quietTenant(t, healthBegin.Truncate(24*time.Hour).AddDate(0, 0, -20), 50, func(table string, h time.Time) bool {
		return office(h) && (table != "SigninLogs" || h.Before(from) || h.After(to))
	})
	h := startHost(t, c, newLedgerTable(t).settings(azurite.Addr(t)))
	var titles []string
	var reported []time.Time
	seen := 0
	for now := healthBegin; now.Before(healthBegin.AddDate(0, 0, 24)); now = now.Add(time.Hour) {
		if now.Hour() == 3 && now.Day()%4 == 0 {
			h.stop()
			h.stdout, seen = &outputBuffer{}, 0
			h.start()
		}
		h.tick(c, now, http.StatusOK)
		all := healthTitles(t, h)
		for _, title := range all[seen:] {
			titles, reported = append(titles, title), append(reported, now)
		}
		seen = len(all)
	}
	h.stop()
	if diff := cmp.Diff([]string{"The table SigninLogs is silent", "Over: The table SigninLogs is silent"}, titles); diff != "" {
		t.Fatalf("reported (-want +got):\n%s", diff)
	}
	if reported[1].Before(to) {
		t.Errorf("it is reported to be over at %s, and is at %s", reported[1], to)
	}
}

// A rule that fails is reported after the third tick, once, and once more when
// it works again. Windows that were given up are reported too.
func TestProcessHealthRule(t *testing.T) {
	t.Parallel()
	c := quietTenant(t, healthBegin.Truncate(24*time.Hour).AddDate(0, 0, -1), 5, func(_ string, h time.Time) bool { return office(h) })
	var mu sync.Mutex
	broken := false
	c.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":{"code":"InsufficientAccessError","message":"no"}}`)
		}
		return broken
	}
	h := startHost(t, c, oneRule(newLedgerTable(t).settings(azurite.Addr(t))))
	var reported [][]string
	seen := 0
	for tick := range 40 {
		mu.Lock()
		broken = tick >= 5 && tick < 35
		mu.Unlock()
		want := http.StatusOK
		if broken {
			want = http.StatusInternalServerError
		}
		h.tick(c, healthBegin.Add(time.Duration(tick)*time.Hour), want)
		all := healthTitles(t, h)
		reported = append(reported, all[seen:])
		seen = len(all)
		if tick == 20 {
			h.stop()
			h.stdout, seen = &outputBuffer{}, 0
			h.start()
		}
	}
	h.stop()
	name := `The rule "MFA Rejected by User" `
	var got []string
	for tick, titles := range reported {
		for _, title := range titles {
			if title == name+"fails" && tick != 8 { // the third is tick 7, reported by the next
				t.Errorf("reported in tick %d", tick)
			}
			got = append(got, title)
		}
	}
	if diff := cmp.Diff([]string{name + "fails", name + "did not look at some windows", "Over: " + name + "fails", "Over: " + name + "did not look at some windows"}, got); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// A webhook that stopped working is reported where alerts still arrive, and so is
// what it refused for good.
func TestProcessHealthWebhook(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		status int
		want   []string
	}{
		{"down", http.StatusServiceUnavailable, []string{"The destination teams does not take alerts", "Over: The destination teams does not take alerts"}},
		{"refusing", http.StatusRequestEntityTooLarge, []string{"Alerts for teams are parked", "Over: Alerts for teams are parked"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			var mu sync.Mutex
			status := http.StatusAccepted
			var posted []string
			c.teams = func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				if status == http.StatusAccepted && strings.Contains(string(body), "does not take alerts") && !strings.Contains(string(body), "Over: ") {
					posted = append(posted, string(body))
				}
				w.WriteHeader(status)
			}
			settings := newLedgerTable(t).settings(azurite.Addr(t))
			settings["PUSHBACK_TEAMS_WEBHOOK_URL"] = "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0LXNpZ25hdHVyZQ"
			h := startHost(t, c, settings)
			for now := at(9, 5); !now.After(at(20, 0)); now = now.Add(5 * time.Minute) {
				mu.Lock()
				status = http.StatusAccepted
				if now.After(at(10, 0)) && now.Before(at(15, 0)) {
					status = test.status
				}
				mu.Unlock()
				c.setNow(now)
				h.post(timerBody(now, 0), nil)
			}
			if r := command(t, settings, "outbox", "drop", "--parked", "--to", "teams"); r.code != 0 || (r.stdout == "nothing is parked\n") != (test.status == http.StatusServiceUnavailable) {
				t.Errorf("dropping what is parked: %+v", r)
			}
			for range 2 { // the one finds that it is over, the other delivers it
				h.tick(c, c.clock().Add(5*time.Minute), http.StatusOK)
			}
			h.stop()
			var got []string
			for _, title := range healthTitles(t, h) {
				if strings.Contains(title, "teams") {
					got = append(got, title)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
			if len(posted) > 0 {
				t.Errorf("the webhook was sent a report of itself: %.300q", posted)
			}
		})
	}
}

// An outbox that grows for hours is reported where alerts arrive in time, once, and
// once more when it is empty.
func TestProcessHealthLate(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	many := cannedAnswer(t, 6000) // of which the log is sent 200 in a tick
	var mu sync.Mutex
	reported := false
	c.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		answer := []byte(`{"tables":[{"name":"PrimaryResult","columns":[],"rows":[]}]}`)
		if !reported {
			answer, reported = many, true
		}
		_, _ = w.Write(answer)
		return true
	}
	var titles []string
	c.teams = func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, title := range []string{"Over: Alerts for log come late", "Alerts for log come late"} {
			if strings.Contains(string(body), `"`+title+`"`) && strings.Contains(string(body), "Pushback health") {
				titles = append(titles, title)
				break
			}
		}
		w.WriteHeader(http.StatusAccepted)
	}
	h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0", "PUSHBACK_CONTEXT": "off", "PUSHBACK_MAX_ALERTS": "10000"})
	for now := at(11, 5); !now.After(at(14, 30)); now = now.Add(5 * time.Minute) {
		h.tick(c, now, http.StatusOK)
	}
	h.stop()
	if diff := cmp.Diff([]string{"Alerts for log come late", "Over: Alerts for log come late"}, titles); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
	for _, title := range healthTitles(t, h) {
		if title == "Alerts for log come late" {
			t.Error("the log was sent a report of itself")
		}
	}
}
