package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
	"pushback/detect/logs"
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
			reported := len(alertLines(t, h.stdout.String()))
			if reported < 4 || cards != reported {
				t.Errorf("%d cards for %d alerts", cards, reported)
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
				if failed > 0 || leading != reported || related != reported || comments != reported || len(arm.Bookmarks()) != reported || len(arm.Incidents()) > reported {
					t.Errorf("%d ticks failed; of %d alerts %d cards lead to incidents, which have %d bookmarks and %d comments", failed, reported, leading, related, comments)
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

// rejections is a table of MFA prompts that a user refused, from two addresses
// in turn.
func rejections(t *testing.T, users map[string][]time.Time) []*kql.Table {
	t.Helper()
	var text bytes.Buffer
	for user, times := range users {
		for i, at := range times {
			record, err := json.Marshal(map[string]any{
				"TimeGenerated": at, "Type": "SigninLogs", "ResultType": "500121", "UserPrincipalName": user, "UserDisplayName": user,
				"UserId": fmt.Sprintf("00000000-0000-0000-0000-%012x", user[0]), "AADTenantId": "00000000-0000-0000-0000-0000000000ff",
				"IPAddress": fmt.Sprintf("203.0.113.%d", 1+i%2), "CorrelationId": fmt.Sprintf("%s-%d", user, at.Unix()),
				"Status": map[string]any{"errorCode": 500121, "additionalDetails": "MFA denied; user declined the authentication"},
			})
			if err != nil {
				t.Fatal(err)
			}
			text.Write(append(record, '\n'))
		}
	}
	r := logs.NewReader(logs.Options{})
	if err := r.File(t.Context(), "SigninLogs.ndjson", &text); err != nil {
		t.Fatal(err)
	}
	l, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return l.Tables
}

// TestProcessSentinelStories is an attack: 40 rejections of one user over five
// hours, 3 of another, and one more in the evening. That makes two incidents, and
// a third only if the first was closed and the rule does not open it again.
func TestProcessSentinelStories(t *testing.T) {
	t.Parallel()
	const alice, bob = "alice@contoso.example", "bob.b@contoso.example"
	users := map[string][]time.Time{bob: {at(10, 20), at(12, 20), at(14, 20)}}
	for n := range 40 {
		users[alice] = append(users[alice], at(10, 0).Add(time.Duration(n)*450*time.Second))
	}
	users[alice] = append(users[alice], at(17, 30))
	for _, test := range []struct {
		name          string
		close, reopen bool
		want          map[string]int // rejections by the title's user and the number of the incident
	}{
		{"open", false, false, map[string]int{"1 " + alice: 41, "2 " + bob: 3}},
		{"closed", true, false, map[string]int{"1 " + alice: 40, "2 " + bob: 3, "3 " + alice: 1}},
		{"closed and reopened", true, true, map[string]int{"1 " + alice: 41, "2 " + bob: 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.service = &service.Service{DB: kql.NewDatabase(rejections(t, users)...), Now: c.clock}
			arm := &armtest.Server{Workspace: standInSentinel, Token: standInToken, Restless: true}
			c.arm = arm.ServeHTTP
			settings := newLedgerTable(t).settings(azurite.Addr(t))
			settings["PUSHBACK_SENTINEL_WORKSPACE"] = standInSentinel
			settings["PUSHBACK_RULES"] = shippedRule(t, func(s string) string {
				return strings.Replace(s, "reopenClosedIncident: false", fmt.Sprintf("reopenClosedIncident: %t", test.reopen), 1)
			})
			h := startHost(t, c, settings)
			for now := at(10, 5); !now.After(at(20, 5)); now = now.Add(30 * time.Minute) {
				if now.Equal(at(17, 5)) {
					if n := len(arm.Incidents()); n != 2 {
						t.Errorf("%d incidents after the attack", n)
					}
					for _, i := range arm.Incidents() {
						if test.close {
							arm.Edit(i.ID, map[string]any{"status": "Closed", "classification": "TruePositive"})
						}
					}
					h.stop()
					h.start()
				}
				h.tick(c, now, http.StatusOK)
			}
			h.stop()
			got := map[string]int{}
			bookmarks := arm.Bookmarks()
			for n, i := range arm.Incidents() {
				_, user, _ := strings.Cut(i.Text("title"), "MFA rejected by ")
				user, _, _ = strings.Cut(user, " from ")
				key := fmt.Sprint(n+1, " ", user)
				for _, b := range i.Relations {
					var row struct{ Rejections int }
					if err := json.Unmarshal([]byte(bookmarks[b]["queryResult"].(string)), &row); err != nil {
						t.Fatal(err)
					}
					got[key] += row.Rejections
				}
				if len(i.Comments) != len(i.Relations) {
					t.Errorf("%s: %d comments on %d bookmarks", key, len(i.Comments), len(i.Relations))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("rejections by incident (-want +got):\n%s", diff)
			}
			if p := arm.Problems(); len(p) > 0 {
				t.Errorf("calls were wrong: %q", p)
			}
			if calls := arm.Calls(); !slices.Contains(calls, "PUT incident") {
				t.Errorf("calls %q", calls)
			}
		})
	}
}
