package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/notify/sentinel/armtest"
)

// TestProcessSentinel makes incidents of a day's alerts. The cards lead to them;
// where there is none they go without.
func TestProcessSentinel(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault armtest.Fault
	}{
		{"granted", armtest.Fault{}},
		{"forbidden", armtest.Fault{Before: http.StatusForbidden}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			arm := &armtest.Server{Workspace: standInSentinel, Token: standInToken, Fault: func(string) armtest.Fault { return test.fault }}
			c.arm = arm.ServeHTTP
			var mu sync.Mutex
			cards, leading := 0, 0
			c.teams = func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				body, err := io.ReadAll(r.Body)
				if err != nil || !json.Valid(body) {
					t.Errorf("%v: %.200s", err, body)
				}
				cards++
				if strings.Contains(string(body), `"title":"Incident","url":"https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident/subscriptions/`) {
					leading++
				}
				w.WriteHeader(http.StatusAccepted)
			}
			h := startHost(t, c, map[string]string{
				"PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0", "PUSHBACK_SENTINEL_WORKSPACE": standInSentinel,
				"PUSHBACK_TEAMS_MAX_CARDS": "100",
			})
			failed := 0
			for now := at(10, 5); !now.After(at(16, 10)); now = now.Add(5 * time.Minute) {
				c.setNow(now)
				if got := h.post(timerBody(now, 0), nil); got.status != http.StatusOK {
					failed++
				}
			}
			h.stop()
			told := len(alertLines(t, h.stdout.String()))
			if told < 4 || cards != told {
				t.Errorf("%d cards for %d alerts", cards, told)
			}
			related, comments := 0, 0
			for _, i := range arm.Incidents() {
				related += len(i.Relations)
				comments += len(i.Comments)
			}
			if p := arm.Problems(); len(p) > 0 {
				t.Errorf("calls were wrong: %q", p)
			}
			if test.fault == (armtest.Fault{}) {
				if failed > 0 || leading != told || related != told || comments != told || len(arm.Bookmarks()) != told || len(arm.Incidents()) > told {
					t.Errorf("%d ticks failed; of %d alerts %d cards lead to incidents, which have %d bookmarks and %d comments", failed, told, leading, related, comments)
				}
				return
			}
			out := h.stdout.String() + h.stderr.String()
			if failed == 0 || leading > 0 || !strings.Contains(out, "Microsoft Sentinel Contributor on "+standInSentinel) {
				t.Errorf("%d ticks failed, %d cards lead somewhere; the log does not say what to do: %t", failed, leading, !strings.Contains(out, "Microsoft Sentinel Contributor"))
			}
		})
	}
}
