package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
	"pushback/detect/notify/alerts/alertstest"
	"pushback/detect/notify/sentinel/armtest"
	"pushback/detect/rule"
	"pushback/detect/silence"
)

// statsOf runs alerts stats, and returns its one rule.
func statsOf(t *testing.T, table map[string]string, args ...string) (out statsOutput) {
	t.Helper()
	r := command(t, table, append([]string{"alerts", "stats", "--days", "36500", "--json"}, args...)...)
	if r.code != 0 || json.Unmarshal([]byte(r.stdout), &out) != nil {
		t.Fatalf("exit code %d: %s%s", r.code, r.stdout, r.stderr)
	}
	return out
}

// TestProcessVerdicts has analysts close the incidents of a week. The next day's tick
// reads it, alerts stats counts it, and what it proposes is a file of silences.
func TestProcessVerdicts(t *testing.T) {
	t.Parallel()
	const days = 5
	const svc, alice = "svc@contoso.example", "alice@contoso.example"
	times := map[string][]time.Time{}
	for day := range days {
		event := at(9, 10).AddDate(0, 0, day)
		times[svc] = append(times[svc], event)
		times[alice] = append(times[alice], event)
	}
	w := newAlertWorld(t, rejections(t, times))
	table := newLedgerTable(t).settings(azurite.Addr(t))
	for name, value := range table {
		w.settings[name] = value
	}
	w.settings["PUSHBACK_CONTEXT"], w.settings["PUSHBACK_CATCH_UP"] = "off", "2h"
	asked, refuse := 0, false
	w.beside = func(body []byte, rw http.ResponseWriter) bool {
		if !bytes.Contains(body, []byte("ClassificationReason")) {
			return false
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if asked++; refuse {
			rw.WriteHeader(http.StatusForbidden)
		}
		return refuse
	}
	h := startHost(t, w.cloudStandIn, w.settings)
	for day := range days {
		for _, minute := range []int{5, 10, 15, 20, 25} { // until the incident is there
			w.show(at(10, minute).AddDate(0, 0, day))
			if minute == 5 {
				h.tick(w.cloudStandIn, at(10, minute).AddDate(0, 0, day), http.StatusOK)
			}
		}
	}
	// Those of Pushback's own health are nobody's.
	incidents := slices.DeleteFunc(w.sentinel.Incidents(), func(i alertstest.Incident) bool { return !strings.Contains(i.Title, "contoso") })
	if len(incidents) != 2*days || asked != days {
		t.Fatalf("%d incidents, asked %d times in five days", len(incidents), asked)
	}
	last := at(10, 25).AddDate(0, 0, days-1)
	if out := statsOf(t, table, "--rule", "mfa-rejected-by-user"); len(out.Rules) != 1 || out.Rules[0].Open != 2*days-2 || out.Rules[0].Unknown != 2 || len(out.Proposals) != 0 {
		t.Errorf("before anybody decided: %+v", out.Rules)
	}
	of := 0 // alice's
	for _, i := range incidents {
		switch at := last.Add(time.Duration(i.Number) * time.Minute); {
		case strings.Contains(i.Title, svc):
			w.sentinel.Decide(i.Number, at, "Closed", "BenignPositive", "SuspiciousButExpected")
		case of < 2:
			w.sentinel.Decide(i.Number, at, "Closed", "BenignPositive", "")
			of++
		case of < 4:
			w.sentinel.Decide(i.Number, at, "Closed", "TruePositive", "SuspiciousActivity")
			of++
		default:
			w.sentinel.Decide(i.Number, at, "Closed", "FalsePositive", "IncorrectAlertLogic")
			w.sentinel.Decide(i.Number, at.Add(time.Minute), "Active", "FalsePositive", "IncorrectAlertLogic")
		}
	}
	// The day after it is read, which the workspace refuses first.
	refuse = true
	now := last.Add(24 * time.Hour)
	w.show(now)
	h.tick(w.cloudStandIn, now, http.StatusOK)
	refuse = false
	now = now.Add(time.Hour)
	w.show(now)
	h.tick(w.cloudStandIn, now, http.StatusOK)
	h.stop()
	if out := h.stdout.String() + h.stderr.String(); strings.Count(out, "the verdicts of analysts are not as of today") != 1 {
		t.Errorf("the log does not say once that verdicts were refused")
	}

	out := statsOf(t, table)
	s := out.Rules[0]
	if s.RuleID != rule.Default().ID || s.Alerts != 10 || s.BenignPositive != 7 || s.TruePositive != 2 || s.Open != 1 || s.FalsePositive+s.Undetermined+s.Unknown != 0 ||
		s.Reasons["BenignPositive"]["SuspiciousButExpected"] != 5 || s.Incidents != 10 || s.Closed != 9 || s.MedianToClose == nil || s.MedianToClose.Duration() < 24*time.Hour || s.MedianToClose.Duration() > 4*24*time.Hour {
		t.Errorf("%+v", s)
	}
	if len(out.Proposals) != 1 || out.VerdictsRead == nil || !out.VerdictsRead.Equal(now) {
		t.Fatalf("read at %v, proposed: %+v", out.VerdictsRead, out.Proposals)
	}
	words := command(t, table, "alerts", "stats", "--days", "36500").stdout
	if !strings.Contains(words, "MFA Rejected by User      10") || !strings.Contains(words, "5 SuspiciousButExpected as BenignPositive") || !strings.Contains(words, "benign-") || strings.Contains(words, alice) {
		t.Errorf("in words:\n%s", words)
	}

	// What it proposes is a file of silences, and what is silenced is not proposed.
	file := filepath.Join(t.TempDir(), "silences.yaml")
	proposed := command(t, table, "alerts", "stats", "--days", "36500", "--proposals").stdout
	if err := os.WriteFile(file, []byte(proposed), 0o600); err != nil {
		t.Fatal(err)
	}
	list, problems := silence.Load(file, silenceWords(rule.Shipped()))
	if len(problems) > 0 || len(list) != 1 || list[0].Until.IsZero() || list[0].Reason == "" || list[0].Rules[0] != rule.Default().ID || !slices.Contains(list[0].Match[0].Exactly, svc) {
		t.Errorf("%v\n%s", problems, proposed)
	}
	table["PUSHBACK_SILENCES"] = file
	if again := statsOf(t, table); len(again.Proposals) != 0 {
		t.Errorf("proposed again: %+v", again.Proposals)
	}
}

// TestProcessVerdictsByAPI counts incidents that were made through the API: the
// workspace has their bookmarks.
func TestProcessVerdictsByAPI(t *testing.T) {
	t.Parallel()
	tables := rejections(t, map[string][]time.Time{"alice@contoso.example": {at(9, 10)}, "bob.b@contoso.example": {at(9, 12)}})
	c := newCloud(t)
	c.service = &service.Service{DB: kql.NewDatabase(tables...), Now: c.clock}
	arm := &armtest.Server{Workspace: standInSentinel, Token: standInToken}
	c.arm = arm.ServeHTTP
	settings := newLedgerTable(t).settings(azurite.Addr(t))
	served := map[string]string{"PUSHBACK_SENTINEL_WORKSPACE": standInSentinel, "PUSHBACK_CONTEXT": "off"}
	for name, value := range settings {
		served[name] = value
	}
	h := startHost(t, c, served)
	h.tick(c, at(10, 5), http.StatusOK)
	made := arm.Incidents()
	if len(made) != 2 {
		t.Fatalf("%d incidents", len(made))
	}
	schema := kql.KnownTables()["SecurityIncident"]
	b := kql.NewTableBuilder("SecurityIncident", schema)
	for n, i := range made {
		ids := slices.Collect(maps.Keys(i.Relations))
		if n == 1 { // it was full without the alert's, and is known by its story
			ids = []string{"00000000-0000-4000-8000-000000000001"}
		}
		marks, err := json.Marshal(ids)
		if err != nil {
			t.Fatal(err)
		}
		cells := map[string]string{"TimeGenerated": at(11, 0).Format(time.RFC3339), "LastModifiedTime": at(11, 0).Format(time.RFC3339), "CreatedTime": at(10, 5).Format(time.RFC3339), "ClosedTime": at(11, 0).Format(time.RFC3339),
			"IncidentNumber": string(rune('1' + n)), "IncidentName": i.ID, "Status": "Closed", "Classification": "FalsePositive", "ClassificationReason": "InaccurateData", "BookmarkIds": string(marks), "AlertIds": "[]"}
		for at, column := range schema {
			if text := cells[column.Name]; text != "" && !b.SetText(at, []byte(text)) {
				t.Fatal(column.Name)
			}
		}
		b.Commit()
	}
	c.mu.Lock()
	c.service = &service.Service{DB: kql.NewDatabase(append(tables, b.Build())...), Now: c.clock}
	c.mu.Unlock()
	h.tick(c, at(10, 5).Add(24*time.Hour), http.StatusOK)
	h.stop()
	if s := statsOf(t, settings).Rules[0]; s.FalsePositive != 2 || s.Incidents != 2 || s.MedianToClose.Duration() != 55*time.Minute {
		t.Errorf("%+v", s)
	}
}
