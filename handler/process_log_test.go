package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

// manualBody is what the host posts for a run by hand with an input.
func manualBody(now time.Time) string {
	return strings.Replace(timerBody(now, 0), `"Metadata":{`, `"Metadata":{"timer":"\"\"",`, 1)
}

// TestProcessLog reads what the host logs of a tick: the line of its answer, and
// the lines of the process. What one says the other does not.
func TestProcessLog(t *testing.T) {
	t.Parallel()
	const webhook = "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0LXNpZ25hdHVyZQ"
	for _, tc := range []struct {
		name, body string
		down       bool // the workspace
		answer     string
		lines      []string // messages, those on standard error with a !
		want       logLine  // of each of them but alerts
	}{
		{name: "quiet", body: timerBody(at(11, 5), 0), answer: "tick 2026-03-17 11:05:00: nothing was due"},
		{name: "quiet, by hand", body: manualBody(at(11, 5)), answer: "tick 2026-03-17 11:05:00, run by hand: nothing was due"},
		{name: "busy", body: timerBody(at(12, 5), 0), lines: []string{"alert", "alert", "rule", "delivery", "load"},
			answer: "tick 2026-03-17 12:05:00: 1 window run, 2 new; 2 alerts sent to teams"},
		{name: "busy, past due", body: strings.Replace(timerBody(at(12, 5), 0), `"IsPastDue":false`, `"IsPastDue":true`, 1), lines: []string{"alert", "alert", "rule", "delivery", "load"},
			answer: "tick 2026-03-17 12:05:00, past due: 1 window run, 2 new; 2 alerts sent to teams", want: logLine{PastDue: true}},
		{name: "failed", body: timerBody(at(12, 5), 0), down: true, lines: []string{"!rule", "!tick", "load"}},
		{name: "failed, second retry", body: timerBody(at(12, 5), 2), down: true, lines: []string{"!rule", "!tick", "load"}, want: logLine{Retry: 2, MaxRetries: 2}},
		{name: "failed, by hand", body: manualBody(at(12, 5)), down: true, lines: []string{"!rule", "!tick", "load"}, want: logLine{Manual: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.teams = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }
			c.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n == 0 || !tc.down {
					return false
				}
				w.WriteHeader(http.StatusForbidden)
				return true
			}
			h := startHost(t, c, oneRule(map[string]string{"PUSHBACK_TEAMS_WEBHOOK_URL": webhook, "PUSHBACK_LATENESS": "0s", "PUSHBACK_LATE_LOOK": "0s"}))
			h.tick(c, at(11, 5), http.StatusOK)
			c.setNow(at(12, 5))
			got := h.post(tc.body, nil)
			h.stop()
			var lines []string
			h.log()                                                        // which checks that errors alone are on standard error
			_, stdout, _ := strings.Cut(h.stdout.String(), `"msg":"load"`) // the end of the first tick
			_, stdout, _ = strings.Cut(stdout, "\n")
			for line := range strings.Lines(stdout + h.stderr.String()) {
				var l logLine
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				if l.Msg == "stopping" || l.Msg == "stopped" {
					continue
				}
				mark := ""
				if l.Level == "ERROR" {
					mark = "!"
				}
				lines = append(lines, mark+l.Msg)
				if l.Msg == "alert" {
					continue
				}
				if l.Invocation == "" || l.Manual != tc.want.Manual || l.PastDue != tc.want.PastDue || l.Retry != tc.want.Retry || l.MaxRetries != tc.want.MaxRetries {
					t.Errorf("%+v", l)
				}
			}
			slices.Sort(lines)
			want := slices.Sorted(slices.Values(tc.lines))
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if answer := strings.Join(got.answer.Logs, "\n"); answer != tc.answer {
				t.Errorf("the answer says %s", answer)
			}
		})
	}
}

// TestReadmeLogQueries runs the README's queries over what Application Insights
// would have of the log of a day.
func TestReadmeLogQueries(t *testing.T) {
	t.Parallel()
	var queries []string
	for part := range strings.SplitSeq(documented(t), "\n    traces\n") {
		query, _, _ := strings.Cut("traces\n"+part, "\n\n")
		queries = append(queries, query)
	}
	queries = queries[1:]
	if len(queries) != 2 {
		t.Fatalf("%d queries", len(queries))
	}
	c := newCloud(t)
	c.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n != 1 {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	h := startHost(t, c, oneRule(map[string]string{"PUSHBACK_LATENESS": "0s", "PUSHBACK_LATE_LOOK": "0s"}))
	var messages []string
	for hour := 10; hour < 14; hour++ {
		c.setNow(at(hour, 5))
		messages = append(messages, h.post(timerBody(at(hour, 5), 0), nil).answer.Logs...)
	}
	h.stop()
	for line := range strings.Lines(h.stdout.String() + h.stderr.String()) {
		messages = append(messages, strings.TrimSpace(line))
	}
	var rows []string
	for _, m := range messages {
		rows = append(rows, fmt.Sprintf("datetime(%s), %s", at(13, 0).Format(time.RFC3339), "@'"+strings.ReplaceAll(m, "'", "''")+"'"))
	}
	traces := "let traces = datatable(timestamp: datetime, message: string)[" + strings.Join(rows, ",\n") + "];\n"
	for i, want := range []string{"MFA Rejected by User 5 6 1", "4 1"} {
		result, err := kql.Run(t.Context(), traces+queries[i], kql.NewDatabase(), kql.Options{Now: at(14, 0)})
		if err != nil {
			t.Fatalf("%v\n%s", err, queries[i])
		}
		if result.Rows() != 1 {
			t.Fatalf("%d rows of\n%s", result.Rows(), queries[i])
		}
		var row []string
		for column, c := range result.Schema() {
			if c.Name != "timestamp" {
				row = append(row, fmt.Sprint(result.Value(0, column)))
			}
		}
		if got := strings.Join(row, " "); got != want {
			t.Errorf("%s, want %s of\n%s", got, want, queries[i])
		}
	}
}
