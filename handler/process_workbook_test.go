package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql/kqltest"
)

// workbookApp is the app that the workbook of the test is about.
const workbookApp = "pushback-abc"

// workbookQueries returns the queries of the workbook by their names, as they are
// deployed.
func workbookQueries(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../infra/modules/workbook.json")
	if err != nil {
		t.Fatal(err)
	}
	var workbook struct {
		Version             string   `json:"version"`
		FallbackResourceIDs []string `json:"fallbackResourceIds"`
		Items               []struct {
			Type    int    `json:"type"`
			Name    string `json:"name"`
			Content struct {
				Version, Query, Title, Visualization, ResourceType string
				QueryType                                          int
				TimeContextFromParameter                           string
				CrossComponentResources                            []string
				Parameters                                         []struct {
					Name string
					Type int
				}
			} `json:"content"`
		} `json:"items"`
	}
	if err := json.Unmarshal([]byte(strings.NewReplacer("__WORKSPACE__", standInSentinel, "__APP__", workbookApp).Replace(string(text))), &workbook); err != nil {
		t.Fatal(err)
	}
	if workbook.Version != "Notebook/1.0" || len(workbook.FallbackResourceIDs) != 1 || workbook.FallbackResourceIDs[0] != standInSentinel {
		t.Errorf("the workbook is %+v", workbook)
	}
	queries := map[string]string{}
	ranged := false
	for _, i := range workbook.Items {
		c := i.Content
		switch i.Type {
		case 3:
			if c.Version != "KqlItem/1.0" || c.QueryType != 0 || c.ResourceType != "microsoft.operationalinsights/workspaces" || c.TimeContextFromParameter != "TimeRange" || c.Title == "" ||
				len(c.CrossComponentResources) != 1 || c.CrossComponentResources[0] != standInSentinel || queries[i.Name] != "" || strings.Contains(c.Query, "{TimeRange") {
				t.Errorf("%s is %+v", i.Name, c)
			}
			queries[i.Name] = c.Query
		case 9:
			ranged = len(c.Parameters) == 1 && c.Parameters[0].Name == "TimeRange" && c.Parameters[0].Type == 4
		}
	}
	if !ranged || len(queries) != 8 {
		t.Fatalf("%d queries, and a time range is %v", len(queries), ranged)
	}
	return queries
}

// The official parser knows what the workbook asks.
func TestWorkbookOfficially(t *testing.T) {
	t.Parallel()
	// https://learn.microsoft.com/azure/azure-monitor/reference/tables/apptraces, and apprequests
	tables := map[string][]kqltest.Column{
		"AppTraces":   {{Name: "TimeGenerated", Type: "datetime"}, {Name: "AppRoleName", Type: "string"}, {Name: "Message", Type: "string"}, {Name: "SeverityLevel", Type: "int"}},
		"AppRequests": {{Name: "TimeGenerated", Type: "datetime"}, {Name: "AppRoleName", Type: "string"}, {Name: "Name", Type: "string"}, {Name: "Success", Type: "bool"}},
	}
	var names, list []string
	for name, query := range workbookQueries(t) {
		names, list = append(names, name), append(list, query)
	}
	for i, verdict := range kqltest.Ask(t, tables, list) {
		for _, d := range verdict.Diagnostics {
			t.Errorf("%s:%d:%d: %s", names[i], d.Line, d.Column, d.Message)
		}
		if len(verdict.Columns) < 2 {
			t.Errorf("%s has the columns %v", names[i], verdict.Columns)
		}
	}
}

// TestProcessWorkbook runs the workbook's queries over what half a day of ticks logged,
// and compares their numbers with what the host and the webhook saw, and with the log.
func TestProcessWorkbook(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	var mu sync.Mutex
	posts, taken := 0, 0
	c.teams = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.Copy(io.Discard, r.Body)
		if posts++; posts == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		taken++
		w.WriteHeader(http.StatusAccepted)
	}
	h := startHost(t, c, map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0LXNpZ25hdHVyZQ", "PUSHBACK_CONTEXT": "off"})
	type line struct {
		Level, Msg, Name, Severity, Destination, Error                                                      string
		Windows, Rows, New, Dropped, Suppressed, HeldBack, Queries, WaitingRules, Sent, LatePasses, LateNew int64
		DelayMs, Ms, Of                                                                                     int64
	}
	var lines []line
	var traces, requests strings.Builder
	record := func(b *strings.Builder, at time.Time, fields map[string]any) {
		fields["TimeGenerated"], fields["AppRoleName"] = at, workbookApp
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	// read takes what was logged since it last did. A line may still be on its way when
	// the answer to its tick is there.
	read := func(log string, from int, now time.Time) (end int) {
		end = max(from, strings.LastIndexByte(log, '\n')+1)
		for text := range strings.Lines(log[from:end]) {
			var l line
			if err := json.Unmarshal([]byte(text), &l); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			lines = append(lines, l)
			record(&traces, now, map[string]any{"Message": strings.TrimSuffix(text, "\n"), "SeverityLevel": 1})
		}
		return end
	}
	out, errs := 0, 0
	succeeded, failed := 0, 0
	for now := at(0, 5); !now.After(at(13, 5)); now = now.Add(30 * time.Minute) {
		c.setNow(now)
		ok := h.post(timerBody(now, 0), nil).status == http.StatusOK
		if ok {
			succeeded++
		} else {
			failed++
		}
		record(&requests, now, map[string]any{"Name": "function-app", "Success": ok})
		out, errs = read(h.stdout.String(), out, now), read(h.stderr.String(), errs, now)
	}
	h.stop()
	read(h.stdout.String(), out, at(13, 5))
	read(h.stderr.String(), errs, at(13, 5))
	record(&traces, at(1, 0), map[string]any{"Message": "Host lock lease acquired", "SeverityLevel": 1}) // of the host itself
	dir := t.TempDir()
	for name, b := range map[string]*strings.Builder{"AppTraces.json": &traces, "AppRequests.json": &requests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	answers := map[string][]map[string]any{}
	for name, query := range workbookQueries(t) {
		res := command(t, nil, "query", "--logs", dir, "--output", "json", query)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(res.stdout), &rows); res.code != 0 || err != nil {
			t.Errorf("%s: exit %d, %v: %s%.300s", name, res.code, err, res.stderr, res.stdout)
		}
		answers[name] = rows
	}
	sum := func(name, column string) (n int64) {
		for _, row := range answers[name] {
			v, ok := row[column].(float64)
			if !ok {
				t.Errorf("%s: %s is %v", name, column, row[column])
			}
			n += int64(v)
		}
		return n
	}
	of := func(msg string, value func(l line) int64) (n int64) {
		for _, l := range lines {
			if l.Msg == msg {
				n += value(l)
			}
		}
		return n
	}
	one := func(line) int64 { return 1 }
	expect := func(what string, got, want int64, least int64) {
		t.Helper()
		if got != want || got < least {
			t.Errorf("%s: %d, want %d and at least %d", what, got, want, least)
		}
	}
	expect("ticks that succeeded", sum("ticks", "Succeeded"), int64(succeeded), 20)
	expect("ticks that failed", sum("ticks", "Failed"), int64(failed), 1)
	expect("windows of ticks", sum("load", "Windows"), of("load", func(l line) int64 { return l.Windows }), 20)
	expect("queries of ticks", sum("load", "Queries"), of("load", func(l line) int64 { return l.Queries }), 20)
	expect("alerts", sum("alerts", "Alerts"), of("alert", one), 5)
	for _, row := range answers["alerts"] {
		rule, severity := fmt.Sprint(row["Rule"]), fmt.Sprint(row["Severity"])
		want := of("alert", func(l line) int64 {
			if l.Name == rule && l.Severity == severity {
				return 1
			}
			return 0
		})
		if row["Alerts"] != float64(want) || !strings.HasPrefix(fmt.Sprint(row["Day"]), "2026-03-17T00:00:00") {
			t.Errorf("%v, want %d", row, want)
		}
	}
	expect("rows", sum("dropped", "Rows"), of("rule", func(l line) int64 { return l.Rows }), 5)
	expect("news", sum("dropped", "New"), of("rule", func(l line) int64 { return l.New }), 5)
	expect("reported before", sum("dropped", "ReportedBefore"), of("rule", func(l line) int64 { return l.Dropped }), 1)
	expect("late passes", sum("late", "LatePasses"), of("rule", func(l line) int64 { return l.LatePasses }), 1)
	expect("late news", sum("late", "News"), of("rule", func(l line) int64 { return l.LateNew }), 1)
	expect("windows of rules", sum("dearest", "Windows"), sum("dropped", "Windows"), 20)
	if len(answers["dearest"]) == 0 || len(answers["errors"]) == 0 || !strings.Contains(fmt.Sprint(answers["errors"]), "503 Service Unavailable") {
		t.Errorf("the dearest are %v, and the errors %v", answers["dearest"], answers["errors"])
	}
	var slowest int64
	for _, l := range lines {
		if l.Msg == "delivery" && l.Destination == "teams" {
			slowest = max(slowest, l.DelayMs)
		}
	}
	found := false
	for _, row := range answers["deliveries"] {
		if row["Destination"] != "teams" {
			continue
		}
		found = true
		// The alert that the webhook refused waits for a tick at least.
		if row["Sent"] != float64(taken) || taken < 5 || row["Failures"] != 1.0 || row["SlowestSeconds"] != math.Round(float64(slowest)/100)/10 || slowest < 30*60*1000 || !strings.Contains(fmt.Sprint(row["LastError"]), "503") {
			t.Errorf("%v, want %d sent, and a delay of %d ms", row, taken, slowest)
		}
	}
	if !found {
		t.Errorf("deliveries are %v", answers["deliveries"])
	}
}

// The deployment makes the workbook for the app, over the workspace of its telemetry.
func TestInfraWorkbook(t *testing.T) {
	t.Parallel()
	const workspace = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/logs"
	d := deployed(t)
	app, insights := d.of("Microsoft.Web/sites")[0].text("name"), d.of("Microsoft.Insights/components")[0].text("id")
	list := d.of("Microsoft.Insights/workbooks")
	if len(list) != 1 {
		t.Fatalf("%d workbooks", len(list))
	}
	w := list[0]
	name := w.text("name")
	if len(name) != 36 && !strings.HasPrefix(name, "[guid(") || w.text("kind") != "shared" || !strings.EqualFold(w.text("properties", "sourceId"), insights) {
		t.Errorf("the workbook is %v", w)
	}
	content := w.text("properties", "serializedData")
	if strings.HasPrefix(content, "[") || !json.Valid([]byte(content)) || strings.Contains(content, "__") || strings.Count(content, workspace) < 9 || strings.Count(content, `AppRoleName startswith \"`+app+`\"`) != 8 {
		t.Errorf("the content is %.400s", content)
	}
}
