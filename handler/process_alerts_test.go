package main

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
)

const standInCollection = "dcr-00000000000000000000000000000001"

// alertWorld is a cloud in which an analytics rule reads what the process writes.
type alertWorld struct {
	*cloudStandIn
	ingested *alertstest.Server
	sentinel *alertstest.Sentinel
	tables   []*kql.Table
	settings map[string]string
}

func newAlertWorld(t *testing.T, tables []*kql.Table) *alertWorld {
	t.Helper()
	template := alertstest.ReadTemplate(t)
	w := &alertWorld{cloudStandIn: newCloud(t), tables: tables}
	w.ingested = &alertstest.Server{Rule: standInCollection, Streams: template.Streams(), Token: standInToken, Now: w.clock}
	_, columns := template.Table()
	w.sentinel = &alertstest.Sentinel{Ingestion: w.ingested, Columns: columns, Rules: template.Rules(t), EntitiesColumn: template.EntitiesColumn(t), Late: 5 * time.Minute}
	w.ingestion = w.ingested.ServeHTTP
	w.settings = map[string]string{"PUSHBACK_ALERTS_ENDPOINT": "https://" + standInIngestion, "PUSHBACK_ALERTS_RULE": standInCollection}
	w.service = &service.Service{DB: kql.NewDatabase(tables...), Now: w.clock}
	return w
}

// show runs the analytics rules, and shows the workspace as it is then.
func (w *alertWorld) show(now time.Time) {
	w.t.Helper()
	w.setNow(now)
	if err := w.sentinel.Run(w.t.Context(), now.Add(-5*time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	shown := append(slices.Clone(w.tables), w.sentinel.Tables()...)
	db := kql.NewDatabase(append(shown, w.ingested.Table(alerts.Columns(), now))...)
	w.mu.Lock()
	w.service = &service.Service{DB: db, Now: w.clock}
	w.mu.Unlock()
}

// TestProcessAlerts writes a day's alerts for an analytics rule. Each comes out of
// Sentinel as it went in, and the cards lead to its row, and once there is one to
// its incident.
func TestProcessAlerts(t *testing.T) {
	t.Parallel()
	tables, err := sampleTables()
	if err != nil {
		t.Fatal(err)
	}
	w := newAlertWorld(t, tables)
	var mu sync.Mutex
	toRow, toIncident, cards := 0, 0, 0
	w.teams = func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		cards++
		if strings.Contains(string(body), `"title":"Alert in Defender","url":"https://security.microsoft.com/v2/advanced-hunting?query=`) {
			toRow++
		}
		if regexp.MustCompile(`"title":"Incident 1\d{3}","url":"https://security\.microsoft\.com/incident2/`).Match(body) {
			toIncident++
		}
		rw.WriteHeader(http.StatusAccepted)
	}
	w.settings["PUSHBACK_TEAMS_WEBHOOK_URL"], w.settings["PUSHBACK_TEAMS_MAX_CARDS"] = "https://"+standInTeams+"/workflows/x?sig=c2VjcmV0", "100"
	h := startHost(t, w.cloudStandIn, w.settings)
	for now := at(6, 5); !now.After(at(23, 10)); now = now.Add(5 * time.Minute) {
		w.show(now)
		h.tick(w.cloudStandIn, now, http.StatusOK)
	}
	h.stop()
	lines := alertLines(t, h.stdout.String())
	out := map[string]alertstest.Alert{}
	for _, a := range w.sentinel.Alerts() {
		id := a.Details[alerts.DetailAlert][0]
		if _, twice := out[id]; twice {
			t.Errorf("alert %s came out twice", id)
		}
		out[id] = a
	}
	if len(lines) < 4 || len(out) != len(lines) || len(w.ingested.Records()) != len(lines) {
		t.Errorf("%d alerts, %d rows, %d alerts of Sentinel", len(lines), len(w.ingested.Records()), len(out))
	}
	for _, l := range lines {
		a, ok := out[l.ID]
		if !ok || a.Title != l.Title || len(a.Entities) == 0 || len(a.Tactics) == 0 || len(a.Details[alerts.DetailDetails]) == 0 {
			t.Errorf("%q came out as %+v", l.Title, a)
		}
	}
	if p := append(w.ingested.Problems(), w.sentinel.Problems()...); len(p) > 0 {
		t.Errorf("what the services say to nobody: %q", p)
	}
	if cards != len(lines) || toRow+toIncident != cards || toIncident == 0 || toRow == 0 {
		t.Errorf("%d cards, %d to the row and %d to the incident", cards, toRow, toIncident)
	}
	if n := len(w.sentinel.Incidents()); n == 0 || n > len(lines) {
		t.Errorf("%d incidents", n)
	}
}

// TestProcessAlertsLost has the analytics rule disabled: a health alert says so, to
// the other destination, and outbox list shows no incident until there is one.
func TestProcessAlertsLost(t *testing.T) {
	t.Parallel()
	w := newAlertWorld(t, rejections(t, map[string][]time.Time{"alice@contoso.example": {at(9, 10)}, "bob.b@contoso.example": {at(12, 10)}}))
	w.sentinel.Disabled = true
	var mu sync.Mutex
	health := 0
	w.teams = func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "sent to the destination alerts did not arrive") {
			health++
		} else {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.WriteHeader(http.StatusAccepted)
	}
	table := newLedgerTable(t).settings(azurite.Addr(t))
	for name, value := range table {
		w.settings[name] = value
	}
	w.settings["PUSHBACK_TEAMS_WEBHOOK_URL"] = "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0"
	w.settings["PUSHBACK_CONTEXT"] = "off"
	h := startHost(t, w.cloudStandIn, w.settings)
	step := func(now time.Time) {
		w.show(now)
		h.post(timerBody(now, 0), nil) // which fails, as there is no card
	}
	for now := at(10, 5); !now.After(at(11, 0)); now = now.Add(5 * time.Minute) {
		step(now)
	}
	if health == 0 {
		t.Error("nobody heard that the alert did not arrive")
	}
	w.sentinel.Disabled = false
	for now := at(13, 5); !now.After(at(13, 40)); now = now.Add(5 * time.Minute) {
		step(now)
	}
	list := command(t, table, "outbox", "list", "--json").stdout
	if !strings.Contains(list, `"incidentUrl":"https://security.microsoft.com/incident2/1001/`) || !strings.Contains(list, `"incident":"1001"`) {
		t.Errorf("outbox list: %s", list)
	}
	h.stop()
	var warned bool
	for line := range strings.Lines(h.stdout.String()) {
		var l struct {
			Level, Msg, Destination string
			Lost                    int
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "delivery" && l.Destination == alerts.Name && l.Lost == 1 {
			warned = l.Level == "WARN" || warned
		}
	}
	if !warned {
		t.Error("the log does not say that an alert is lost")
	}
}
