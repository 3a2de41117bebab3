package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
	"pushback/detect/logs"
	"pushback/detect/notify/sentinel/armtest"
)

// TestProcessStory is an attack that both shipped rules see: some prompts are
// declined, others left unanswered, and one is approved. It is one incident, and
// one card with an update, also where the process is another by then; without an
// approval it is one card.
func TestProcessStory(t *testing.T) {
	t.Parallel()
	prompts := append(rung(3, oclock(9, 40), minute, declinedDetail), rung(4, oclock(9, 44), minute, ignoredDetail)...)
	for _, test := range []struct {
		name    string
		rows    []loggedRow
		cards   int
		updates int
	}{
		{"in one tick", append(prompts, approvedAt(oclock(9, 49))), 2, 1},
		{"over the hour", append(prompts, approvedAt(oclock(10, 20))), 2, 1},
		{"from another address", append(prompts, approvedAt(oclock(10, 20)).with("IPAddress", "198.51.100.4")), 2, 1},
		{"not approved", prompts, 1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.service = &service.Service{DB: kql.NewDatabase(logTables(t, loggedIn(t, test.rows...))...), Now: c.clock}
			arm := &armtest.Server{Workspace: standInSentinel, Token: standInToken}
			c.arm = arm.ServeHTTP
			var mu sync.Mutex
			cards, updates := 0, 0
			c.teams = func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				cards++
				if strings.Contains(string(body), "Update of what was reported") {
					updates++
				}
				w.WriteHeader(http.StatusAccepted)
			}
			settings := newLedgerTable(t).settings(azurite.Addr(t))
			settings["PUSHBACK_SENTINEL_WORKSPACE"] = standInSentinel
			settings["PUSHBACK_TEAMS_WEBHOOK_URL"] = "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0"
			h := startHost(t, c, settings)
			for now := at(9, 5); !now.After(at(13, 10)); now = now.Add(time.Hour) {
				h.tick(c, now, http.StatusOK)
				h.stop()
				h.start()
			}
			h.stop()
			if cards != test.cards || updates != test.updates {
				t.Errorf("%d cards, of which %d are updates, want %d and %d", cards, updates, test.cards, test.updates)
			}
			incidents := arm.Incidents()
			if len(incidents) != 1 || len(incidents[0].Comments) != test.cards || len(incidents[0].Relations) != test.cards {
				t.Errorf("%d incidents, want one with %d comments and bookmarks: %+v", len(incidents), test.cards, incidents)
			}
			if p := arm.Problems(); len(p) > 0 {
				t.Errorf("calls were wrong: %q", p)
			}
		})
	}
}

// logTables reads a folder of logs.
func logTables(t *testing.T, dir string) []*kql.Table {
	t.Helper()
	l, err := logs.Read(t.Context(), dir, logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return l.Tables
}
