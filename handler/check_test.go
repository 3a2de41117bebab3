package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/ledger/azurite"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
	"pushback/detect/notify/sentinel/armtest"
	"pushback/detect/rule"
	"pushback/detect/rule/pull/pulltest"
)

// checkWorld is a cloud in which everything is fine, and the settings for it.
type checkWorld struct {
	*cloudStandIn
	settings map[string]string
	table    *ledgerTable
	manager  *armtest.Server
	plans    map[string]string // of the tables; nil if they are not shown
	rules    *pulltest.Server  // the analytics rules

	mu    sync.Mutex
	posts []string // bodies
}

func newCheckWorld(t *testing.T) *checkWorld {
	t.Helper()
	w := &checkWorld{cloudStandIn: newCloud(t), table: newLedgerTable(t), manager: &armtest.Server{Workspace: standInSentinel, Token: standInToken}}
	w.rules = &pulltest.Server{Workspace: standInSentinel, Token: standInToken, Lists: map[string][]any{"alertRules": {
		pulltest.Rule("00000000-0000-0000-0000-0000000000a1", "Another", nil), pulltest.Other("BuiltInFusion", "Fusion")}}}
	w.setNow(time.Now())
	w.tables(t, time.Now().Add(-time.Minute))
	w.plans = map[string]string{"SigninLogs": "Analytics", "AADNonInteractiveUserSignInLogs": "Analytics", "Other_CL": "Basic"}
	w.arm = func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/alertRules") {
			w.rules.ServeHTTP(rw, r)
			return
		}
		if r.URL.Path != standInSentinel+"/tables" || r.Method != http.MethodGet || r.URL.Query().Get("api-version") != "2022-10-01" {
			w.manager.ServeHTTP(rw, r)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		if w.plans == nil {
			rw.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(rw, `{"error":{"code":"AuthorizationFailed","message":"The client does not have authorization."}}`)
			return
		}
		var list []string
		for name, plan := range w.plans {
			list = append(list, fmt.Sprintf(`{"name":%q,"properties":{"plan":%q,"schema":{"name":%q}}}`, name, plan, name))
		}
		_, _ = io.WriteString(rw, `{"value":[`+strings.Join(list, ",")+`]}`)
	}
	w.teams = func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			if r.URL.Path != "/" || r.URL.RawQuery != "" {
				t.Errorf("the webhook's address is shown: %s", r.URL)
			}
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.posts = append(w.posts, string(body))
		rw.WriteHeader(http.StatusAccepted)
	}
	w.settings = map[string]string{
		"PUSHBACK_WORKSPACE_ID": standInWorkspace, "PUSHBACK_SCHEDULE": "0 */5 * * * *", "PUSHBACK_SENTINEL_WORKSPACE": standInSentinel,
		"PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/workflows/x?sig=c2VjcmV0LXNpZ25hdHVyZQ",
	}
	for k, v := range w.table.settings(azurite.Addr(t)) {
		w.settings[k] = v
	}
	for _, variable := range w.env() {
		k, v, _ := strings.Cut(variable, "=")
		w.settings[k] = v
	}
	return w
}

// ticketsTo sets a webhook up, with what is answered to a message.
func ticketsTo(t *testing.T, w *checkWorld, answer http.HandlerFunc) {
	t.Helper()
	w.settings["PUSHBACK_WEBHOOK_URL"], w.settings["PUSHBACK_WEBHOOK_SECRET"] = standInReceiver, standInSigning
	w.tickets = (&ticketsStandIn{t: t, answer: answer}).ServeHTTP
}

// tables gives the workspace the tables of the shipped rule with a record each,
// or those alone that are named.
func (w *checkWorld) tables(t *testing.T, newest time.Time, names ...string) {
	t.Helper()
	if names == nil {
		names = []string{"SigninLogs", "AADNonInteractiveUserSignInLogs", "AuditLogs", "AADUserRiskEvents"}
	}
	var tables []*kql.Table
	for _, name := range names {
		schema := kql.KnownTables()[name]
		b := kql.NewTableBuilder(name, schema)
		for i, c := range schema {
			if c.Name == "TimeGenerated" {
				b.SetTime(i, newest)
			}
		}
		b.Commit()
		tables = append(tables, b.Build())
	}
	w.service = &service.Service{DB: kql.NewDatabase(tables...), Now: w.clock}
}

// shippedRule writes the shipped rule with a change.
func shippedRule(t *testing.T, change func(string) string) string {
	t.Helper()
	text, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "r.yaml")
	if err := os.WriteFile(file, []byte(change(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCheck(t *testing.T) {
	t.Parallel()
	fine := []string{
		"ok settings all", "ok schedule the host ticks at 0 */5", "ok credential", "ok workspace " + standInWorkspace, "ok clock",
		`"MFA Rejected by User" runs in the workspace`, "ok table SigninLogs, newest record", "ok table AADNonInteractiveUserSignInLogs, newest record",
		"ok plan the rules' tables are on the plan Analytics", "ok twice no rule is switched on in the workspace, too", "ok ledger table", "ok outbox 0 alerts to be sent", "ok teams teams.example/…", "ok sentinel incidents", "31 March 2027: nobody sees them from then on",
	}
	// alertsTo has rows of alerts go to a data collection rule.
	alertsTo := func(w *checkWorld, change func(*alertstest.Server)) {
		s := &alertstest.Server{Rule: standInCollection, Streams: map[string][]alerts.Column{alerts.Stream: alerts.Columns()}, Token: standInToken, Now: time.Now}
		change(s)
		w.ingestion = s.ServeHTTP
		w.settings["PUSHBACK_ALERTS_ENDPOINT"], w.settings["PUSHBACK_ALERTS_RULE"] = "https://"+standInIngestion, standInCollection
	}
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, w *checkWorld)
		args  []string
		want  []string
		lacks []string
		exit  int
	}{
		{name: "everything fine", want: fine, lacks: []string{"warning "}},
		{name: "a table on another plan", spoil: func(_ *testing.T, w *checkWorld) { w.plans["signinlogs"] = "Basic"; delete(w.plans, "SigninLogs") },
			want: []string{`warning plan SigninLogs is on the plan Basic, which rules cannot be run on: "MFA`, "Set its plan to Analytics"}},
		{name: "a rule that is switched on in the workspace", spoil: func(_ *testing.T, w *checkWorld) {
			w.rules.Lists["alertRules"] = []any{pulltest.Rule("00000000-0000-0000-0000-0000000000a1", "mfa rejected by  user", nil)}
		}, want: []string{`"MFA Rejected by User" is switched on here and, as "mfa rejected by user", in the workspace (the same name): both would report the same. Switch one of them off`}, lacks: []string{"ok twice"}},
		{name: "a rule that is switched off in the workspace", spoil: func(_ *testing.T, w *checkWorld) {
			w.rules.Lists["alertRules"] = []any{pulltest.Rule("00000000-0000-0000-0000-0000000000a1", "MFA Rejected by User", map[string]any{"enabled": false})}
		}, want: []string{"ok twice no rule is switched on in the workspace, too"}},
		{name: "rules that are not shown", spoil: func(_ *testing.T, w *checkWorld) {
			w.rules.Change(func(s *pulltest.Server) { s.Fault = func(string, int) int { return http.StatusForbidden } })
		}, want: []string{"warning twice whether rules are switched on in the workspace, too, is not known: reading the analytics rules: Azure Resource Manager answered 403 AuthorizationFailed", "Microsoft Sentinel Reader on " + standInSentinel}},
		{name: "plans that are not shown", spoil: func(_ *testing.T, w *checkWorld) { w.plans = nil },
			want: []string{"warning plan the plans of the tables are not known: Azure Resource Manager answered 403 Forbidden (AuthorizationFailed): give the app's identity the role Log Analytics Reader"}},
		{name: "a share", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SHARE"] = "1/2" }, want: []string{"ok share share 1/2 has "}},
		{name: "a share that is none", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SHARE"] = "3/2" },
			want: []string{"failed settings the setting PUSHBACK_SHARE is", "expected a share such as 2/4"}, exit: 1},
		{name: "alerts without a table", spoil: func(_ *testing.T, w *checkWorld) { alertsTo(w, func(*alertstest.Server) {}) },
			want: []string{"failed alerts the workspace has no table PushbackAlerts_CL: deploy infra with sentinelIncidents"}, exit: 1},
		{name: "alerts", spoil: func(t *testing.T, w *checkWorld) {
			alertsTo(w, func(*alertstest.Server) {})
			w.tables(t, w.now)
			empty := (&alertstest.Server{}).Table(alerts.Columns(), w.now)
			var all []*kql.Table
			for _, name := range []string{"SigninLogs", "AADNonInteractiveUserSignInLogs", "AuditLogs", "AADUserRiskEvents"} {
				all = append(all, kql.NewTableBuilder(name, kql.KnownTables()[name]).Build())
			}
			w.service = &service.Service{DB: kql.NewDatabase(append(all, empty)...), Now: w.clock}
		}, want: []string{"ok alerts https://" + standInIngestion + " takes rows for " + standInCollection + "; the table PushbackAlerts_CL has no row of the last 14 days"}},
		{name: "alerts that the identity may not write", spoil: func(_ *testing.T, w *checkWorld) {
			alertsTo(w, func(s *alertstest.Server) { s.Assigned = time.Now().Add(-time.Minute) })
		}, want: []string{"failed alerts alerts: writing rows: 403", "Monitoring Metrics Publisher on the data collection rule " + standInCollection}, exit: 1},
		{name: "alerts of another rule", spoil: func(_ *testing.T, w *checkWorld) { alertsTo(w, func(s *alertstest.Server) { s.Rule = "dcr-2" }) },
			want: []string{"failed alerts alerts: writing rows: 404", "PUSHBACK_ALERTS_RULE is the immutable id"}, exit: 1},
		{name: "half of the alerts' settings", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_ALERTS_RULE"] = standInCollection },
			want: []string{"failed settings of the settings PUSHBACK_ALERTS_ENDPOINT and PUSHBACK_ALERTS_RULE one is set"}, exit: 1},
		{name: "a setting", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_DELAY"] = "soon" }, want: []string{"failed settings the setting PUSHBACK_DELAY is", "ok workspace"}, exit: 1},
		{name: "a setting that is none", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_DELY"] = "5m" }, want: []string{"warning settings the variable PUSHBACK_DELY", "ok settings"}},
		{name: "no workspace", spoil: func(_ *testing.T, w *checkWorld) { delete(w.settings, "PUSHBACK_WORKSPACE_ID") },
			want: []string{"failed settings the setting PUSHBACK_WORKSPACE_ID is not set", `"MFA Rejected by User" is a valid rule; its query was not run`, "ok ledger"}, exit: 1},
		{name: "references that are not resolved", spoil: func(_ *testing.T, w *checkWorld) {
			w.settings["PUSHBACK_TEAMS_WEBHOOK_URL"] = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/c2VjcmV0)"
			w.settings["PUSHBACK_SENTINEL_WORKSPACE"] = "@Microsoft.KeyVault(VaultName=v;SecretName=c2VjcmV0)"
		}, want: []string{"failed settings the setting PUSHBACK_TEAMS_WEBHOOK_URL is a Key Vault reference that is not resolved", "failed settings the setting PUSHBACK_SENTINEL_WORKSPACE is a Key Vault", "Key Vault Secrets User", "restart the app"},
			lacks: []string{"not a URL", "alerts go to the log only"}, exit: 1},
		{name: "no schedule", spoil: func(_ *testing.T, w *checkWorld) { delete(w.settings, "PUSHBACK_SCHEDULE") }, want: []string{"failed schedule the setting PUSHBACK_SCHEDULE is not set", "*/5"}, exit: 1},
		{name: "a schedule of nonsense", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SCHEDULE"] = "99 x foo * bar *" },
			want: []string{`failed settings the setting PUSHBACK_SCHEDULE is "99 x foo * bar *"`, `the hour is "foo" and takes 0 to 23`}, lacks: []string{"schedule the host ticks"}, exit: 1},
		{name: "a schedule of one field", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SCHEDULE"] = "x" },
			want: []string{`failed settings the setting PUSHBACK_SCHEDULE is "x": expected an NCRONTAB expression of six fields`}, lacks: []string{"schedule the host ticks"}, exit: 1},
		{name: "a schedule of every other hour", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SCHEDULE"] = "0 30 */2 * * *" },
			want: []string{"warning schedule the host ticks at 0 30 */2 * * * (UTC), and up to 2h0m pass between two ticks", "an hour without a successful tick"}},
		{name: "a schedule of weekdays", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SCHEDULE"] = "0 */5 * * * MON-FRI" },
			want: []string{"warning schedule", "a day or more passes between two ticks"}},
		{name: "a rule that is wrong", spoil: func(t *testing.T, w *checkWorld) {
			w.settings["PUSHBACK_RULES"] = shippedRule(t, func(s string) string { return strings.Replace(s, "severity: Medium", "severity: Bad", 1) })
		}, want: []string{"failed rule", "r.yaml:", `unknown severity "Bad"`, "failed rule no rule is left"}, exit: 1},
		{name: "a rule that the workspace refuses", spoil: func(t *testing.T, w *checkWorld) {
			w.settings["PUSHBACK_RULES"] = shippedRule(t, func(s string) string { return strings.ReplaceAll(s, "ResultType", "ResultTipe") })
		}, want: []string{"failed rule", "the workspace does not run its query", "ResultTipe"}, exit: 1},
		{name: "no token", spoil: func(t *testing.T, w *checkWorld) {
			nobody := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				rw.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(rw, "No identity\n\x1b[31m found")
			}))
			t.Cleanup(nobody.Close)
			w.settings["IDENTITY_ENDPOINT"] = nobody.URL
			delete(w.settings, "PUSHBACK_TABLE_CONNECTION")
			w.settings["PUSHBACK_TABLE_ENDPOINT"] = "https://account.table.core.windows.net"
		}, want: []string{
			"failed credential there is no token for https://api.loganalytics.io: ManagedIdentityCredential authentication failed", "RESPONSE 400", `No identity \x1b[31m found`, "check the app's managed identity and that AZURE_CLIENT_ID",
			"is a valid rule; its query was not run", "failed ledger", "at account.table.core.windows.net: there is no token for https://storage.azure.com: ManagedIdentityCredential",
			"failed sentinel there is no token for https://management.",
		}, lacks: []string{"ok credential", "workspace " + standInWorkspace, "EnvironmentCredential", "To troubleshoot"}, exit: 1},
		{name: "an identity that does not answer", spoil: func(t *testing.T, w *checkWorld) {
			silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			t.Cleanup(silent.Close)
			w.settings["IDENTITY_ENDPOINT"] = silent.URL
		}, args: []string{"--json"}, want: []string{`"failed"`, "the identity's endpoint 127.0.0.1:", "did not answer in time", "check the app's managed identity", "its query was not run", `{"check":"sentinel","status":"failed","text":"there is no token for https://management.`},
			lacks: []string{"there is a token", "Log Analytics Reader"}, exit: 1},
		{name: "a workspace that is not reached", spoil: func(_ *testing.T, w *checkWorld) { w.settings["HTTPS_PROXY"] = "http://127.0.0.1:1" }, want: []string{
			"ok credential", "failed workspace querying workspace " + standInWorkspace + ": " + standInHost + " could not be reached (tries: 2): ", "connection refused: check the cloud that is set, that DNS knows the host",
			"is a valid rule; its query was not run", "failed sentinel sentinel: reading the incidents: " + standInManager + " could not be reached: ", "connection refused: check the endpoint",
		}, lacks: []string{"Log Analytics Reader", "deadline"}, exit: 1},
		{name: "a name that DNS does not know", spoil: func(_ *testing.T, w *checkWorld) {
			w.settings["HTTPS_PROXY"] = "http://proxy.invalid:3128"
			w.settings["PUSHBACK_TABLE_CONNECTION"] = "AccountName=" + azurite.Account + ";AccountKey=" + azurite.Key + ";TableEndpoint=https://account.invalid"
			w.settings["NO_PROXY"] = "account.invalid"
		}, want: []string{
			"ok credential", "failed workspace querying workspace " + standInWorkspace + ": " + standInHost + " could not be reached", "lookup proxy.invalid", "that DNS knows the host",
			"failed ledger", "at account.invalid: ", "lookup account.invalid", "check the name, and that DNS knows it",
		}, lacks: []string{"Log Analytics Reader", "deadline"}, exit: 1},
		{name: "no permission", spoil: func(_ *testing.T, w *checkWorld) {
			w.fault = func(_ int, rw http.ResponseWriter, _ *http.Request) bool {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(http.StatusForbidden)
				_, _ = io.WriteString(rw, `{"error":{"code":"InsufficientAccessError","message":"no"}}`)
				return true
			}
		}, want: []string{"ok credential", "failed workspace", "Log Analytics Reader"}, exit: 1},
		{name: "no data at all", spoil: func(_ *testing.T, w *checkWorld) {
			w.fault = func(_ int, rw http.ResponseWriter, _ *http.Request) bool {
				rw.WriteHeader(http.StatusNoContent)
				return true
			}
		}, want: []string{
			"ok credential", "warning workspace " + standInWorkspace + " answers, and holds no data at all: connect the tables",
			`"MFA Rejected by User" is a valid rule; the workspace holds no data`, "warning table SigninLogs has no record of the last 14 days", "ok ledger",
		}, lacks: []string{"has no column", "clock"}},
		{name: "a table is missing", spoil: func(t *testing.T, w *checkWorld) { w.tables(t, time.Now().Add(-time.Minute), "SigninLogs") }, want: []string{"warning table AADNonInteractiveUserSignInLogs is not in the workspace", "ok table SigninLogs",
			`"MFA Rejected by User": no look can tell whether records came in late, so each window is queried again at every frequency for 2h: the workspace does not resolve its table AADNonInteractiveUserSignInLogs`},
			lacks: []string{"ok late"}},
		{name: "a rule that no look can tell of", spoil: func(t *testing.T, w *checkWorld) {
			query := "union isfuzzy=true SigninLogs, Nowhere_CL\n| where UserPrincipalName has 'b'"
			w.settings["PUSHBACK_RULES"] = "mfa-rejected-by-user," + filepath.Join(folder(t, map[string]string{"rule.yaml": ruleFile(query)}), "rule.yaml")
		}, want: []string{`"A rule": no look can tell`, "nothing is known of the table Nowhere_CL", "ok late looks say which records of 1 rule came in late, up to 72h"}},
		{name: "no looks", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_LATE_LOOK"] = "0s" }, want: []string{"ok ledger"}, lacks: []string{" late "}},
		{name: "a table is silent", spoil: func(t *testing.T, w *checkWorld) { w.tables(t, time.Now().AddDate(0, 0, -20)) }, want: []string{"warning table SigninLogs has no record of the last 14 days"}},
		{name: "a clock that is wrong", spoil: func(_ *testing.T, w *checkWorld) { w.setNow(time.Now().Add(-10 * time.Minute)) }, want: []string{"failed clock this machine's clock is 10m", "Set the machine's clock"}, exit: 1},
		{name: "a clock that is a little wrong", spoil: func(_ *testing.T, w *checkWorld) { w.setNow(time.Now().Add(time.Minute + 20*time.Second)) }, want: []string{"warning clock this machine's clock is 1m"}},
		{name: "a table key that is wrong", spoil: func(t *testing.T, w *checkWorld) {
			w.settings["PUSHBACK_TABLE_CONNECTION"] = strings.Replace(w.settings["PUSHBACK_TABLE_CONNECTION"], azurite.Key, "AAAA"+azurite.Key[4:], 1)
		}, want: []string{"failed ledger", "ok teams"}, exit: 1},
		{name: "a table service that is not there", spoil: func(_ *testing.T, w *checkWorld) {
			w.settings["PUSHBACK_TABLE_CONNECTION"] = "AccountName=" + azurite.Account + ";AccountKey=" + azurite.Key + ";TableEndpoint=http://127.0.0.1:1/" + azurite.Account
		}, want: []string{"failed ledger", "at 127.0.0.1:1: ", "connection refused: check the endpoint, and that the firewall"}, exit: 1},
		{name: "a ledger in memory", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_TABLE_CONNECTION"] = inMemory }, want: []string{"warning ledger it is in memory"}},
		{name: "a newer ledger", spoil: func(t *testing.T, w *checkWorld) { w.table.setFormat(ledger.Format + 1) }, want: []string{"failed ledger", "its format is 5", "deploy the version that wrote it or a later one"}, exit: 1},
		{name: "an older ledger", spoil: func(t *testing.T, w *checkWorld) { loadFormer(t, w.table, 1) }, want: []string{"ok ledger table", "it is in format 1, and from the next tick on in format 4"}},
		{name: "too short a memory", spoil: func(_ *testing.T, w *checkWorld) { w.settings["PUSHBACK_SEEN_RETENTION"] = "24h" }, want: []string{"failed ledger the setting PUSHBACK_SEEN_RETENTION is 24h"}, exit: 1},
		{name: "a parked alert", spoil: func(t *testing.T, w *checkWorld) {
			a := alert.Alert{ID: "00000000-0000-0000-0000-0000000000aa", RuleID: "r", Title: "T", Created: time.Now().UTC(),
				Activities: []alert.Activity{{Fingerprint: "f", Span: alert.Span{Start: time.Now().UTC(), End: time.Now().UTC()}}}}
			l := w.table.ledger
			if err := l.Record(t.Context(), ledger.Entry{RuleID: "r", State: ledger.State{Watermark: time.Now().UTC()}, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}}); err != nil {
				t.Fatal(err)
			}
			if err := l.Failed(t.Context(), ledger.Owed{Alert: &a, Destination: "teams"}, ledger.Failure{Err: "refused\x1b[31m it", Park: true}); err != nil {
				t.Fatal(err)
			}
		}, want: []string{"warning outbox alert 00000000-0000-0000-0000-0000000000aa is parked, teams refused it 1 times: refused", "handler outbox retry 00000000-0000-0000-0000-0000000000aa"}},
		{name: "a webhook that is not there", spoil: func(_ *testing.T, w *checkWorld) {
			w.teams = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, want: []string{"failed teams teams: reaching teams.example"}, exit: 1},
		{name: "a test card", args: []string{"--send-test-card"}, want: []string{"ok teams teams.example/…", "took a test card"}},
		{name: "a test card that is refused", args: []string{"--send-test-card"}, spoil: func(_ *testing.T, w *checkWorld) {
			w.teams = func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) }
		}, want: []string{"failed teams", "401"}, exit: 1},
		{name: "no webhook for the test card", args: []string{"--send-test-card"}, spoil: func(_ *testing.T, w *checkWorld) { delete(w.settings, "PUSHBACK_TEAMS_WEBHOOK_URL") }, want: []string{"failed teams there is no webhook"}, exit: 1},
		{name: "a receiver", spoil: func(t *testing.T, w *checkWorld) { ticketsTo(t, w, nil) }, want: []string{"ok webhook tickets.example/…", "can be reached; --send-test-card shows whether"}},
		{name: "a test for the receiver alone", args: []string{"--send-test-card"}, spoil: func(t *testing.T, w *checkWorld) {
			ticketsTo(t, w, nil)
			delete(w.settings, "PUSHBACK_TEAMS_WEBHOOK_URL")
		}, want: []string{"ok webhook tickets.example/…", "took a test"}, lacks: []string{"there is no webhook"}},
		{name: "a receiver with another secret", args: []string{"--send-test-card"}, spoil: func(t *testing.T, w *checkWorld) {
			ticketsTo(t, w, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) })
			delete(w.settings, "PUSHBACK_TEAMS_WEBHOOK_URL")
		}, want: []string{"failed webhook webhook: posting to tickets.example/…", "401 Unauthorized: does the receiver have the secret"}, exit: 1},
		{name: "a receiver that is not there", spoil: func(t *testing.T, w *checkWorld) {
			ticketsTo(t, w, nil)
			w.tickets = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		}, want: []string{"failed webhook webhook: reaching tickets.example"}, exit: 1},
		{name: "a receiver without a secret", spoil: func(t *testing.T, w *checkWorld) {
			ticketsTo(t, w, nil)
			delete(w.settings, "PUSHBACK_WEBHOOK_SECRET")
		}, want: []string{"failed settings of the settings PUSHBACK_WEBHOOK_URL and PUSHBACK_WEBHOOK_SECRET one is set"}, lacks: []string{"ok webhook"}, exit: 1},
		{name: "no destination", spoil: func(_ *testing.T, w *checkWorld) {
			delete(w.settings, "PUSHBACK_TEAMS_WEBHOOK_URL")
			delete(w.settings, "PUSHBACK_SENTINEL_WORKSPACE")
		}, want: []string{"warning destination alerts go to the log only: set PUSHBACK_TEAMS_WEBHOOK_URL or PUSHBACK_SENTINEL_WORKSPACE"}},
		{name: "Sentinel's Responder", spoil: func(_ *testing.T, w *checkWorld) {
			w.manager.Actions = []string{"Microsoft.SecurityInsights/*/read", "Microsoft.SecurityInsights/incidents/*"}
		}, want: []string{"failed sentinel", "bookmarks/write", "Microsoft Sentinel Contributor on " + standInSentinel}, exit: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newCheckWorld(t)
			if test.spoil != nil {
				test.spoil(t, w)
			}
			w.settle()
			r := command(t, w.settings, append([]string{"check"}, test.args...)...)
			text := strings.Join(strings.Fields(r.stdout), " ")
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("the output lacks %q:\n%s%s", want, r.stdout, r.stderr)
				}
			}
			if r.code != test.exit || test.exit == 0 && strings.Contains(text, "failed ") {
				t.Errorf("exit status %d, want %d:\n%s%s", r.code, test.exit, r.stdout, r.stderr)
			}
			for _, lacks := range append(test.lacks, `\n`, "Attempted credentials", "-----") {
				if strings.Contains(text, lacks) {
					t.Errorf("the output has %q:\n%s%s", lacks, r.stdout, r.stderr)
				}
			}
			if strings.Contains(r.stdout+r.stderr, "c2VjcmV0") {
				t.Error("the webhook is shown")
			}
			if cards := strings.Join(w.posts, ""); len(w.posts) > 0 != (test.name == "a test card") || len(w.posts) > 0 && !strings.Contains(cards, "This is a test of Pushback") {
				t.Errorf("%d posts: %s", len(w.posts), cards)
			}
			for _, call := range w.manager.Calls() {
				if !strings.HasPrefix(call, "GET ") {
					t.Errorf("the check did %s", call)
				}
			}
			if test.args != nil {
				return
			}
			// As JSON it is the same.
			var shown, encoded []string
			for line := range strings.Lines(r.stdout) {
				if strings.HasPrefix(line, " ") {
					continue // what to do, below what was found
				}
				words := strings.Fields(line)
				shown = append(shown, strings.Join(words[:2], " "))
			}
			inJSON := command(t, w.settings, "check", "--json")
			for line := range strings.Lines(inJSON.stdout) {
				var l checkLine
				if err := json.Unmarshal([]byte(line), &l); err != nil || l.Check == "" || l.Text == "" || l.Status != checkOK && l.Status != checkWarning && l.Status != checkFailed {
					t.Errorf("%v: %s", err, line)
				}
				encoded = append(encoded, l.Status+" "+l.Check)
			}
			if diff := cmp.Diff(shown, encoded); diff != "" || inJSON.code != r.code {
				t.Errorf("exit status %d and %d\n%s", r.code, inJSON.code, diff)
			}
		})
	}
}

func TestCheckOfWhatCannotBePrinted(t *testing.T) {
	t.Parallel()
	var stderr strings.Builder
	code := run(t.Context(), []string{"check"}, strings.NewReader(""), fullDisk{}, &stderr)
	if got := stderr.String(); code != exitFailed || strings.Count(got, "the disk is full") != 1 {
		t.Errorf("exit status %d: %s", code, got)
	}
}

func TestRuleTables(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, query string
		declared    []string
		want        []string
	}{
		{"the query and not the declaration", "MyApp_CL | union (Syslog)", []string{"SecurityEvents"}, []string{"MyApp_CL", "Syslog"}},
		{"a query that the local engine cannot read", "SigninLogs | reduce by UserPrincipalName", []string{"Syslog", "OfficeActivity (Exchange)"}, []string{"SigninLogs", "Syslog"}},
		{"a query of functions", "_Im_Dns() | count", []string{"DnsEvents"}, []string{"DnsEvents"}},
		{"a name that no query of ours may hold", "['a] | b'] | count", nil, []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := &rule.Rule{Query: rule.Query{Text: test.query}, RequiredDataConnectors: []rule.Connector{{DataTypes: test.declared}}}
			if diff := cmp.Diff(test.want, ruleTables([]*rule.Rule{r, r})); diff != "" {
				t.Error(diff)
			}
		})
	}
	if diff := cmp.Diff([]string{"AADNonInteractiveUserSignInLogs", "AADUserRiskEvents", "AuditLogs", "SigninLogs"}, ruleTables([]*rule.Rule{rule.Default()})); diff != "" {
		t.Error(diff)
	}
}

func TestAdvised(t *testing.T) {
	t.Parallel()
	const connect, name = "check the endpoint, and that the firewall", "check the name, and that DNS knows it"
	for _, test := range []struct {
		err  error
		want string // what it says beside the error
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, connect},
		{&url.Error{Op: "Get", URL: "https://host.example/", Err: &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "host.example"}}}, name},
		{&url.Error{Op: "Get", URL: "https://host.example/", Err: &tls.CertificateVerificationError{Err: errors.New("unknown authority")}}, "trusts the certificate"},
		{context.DeadlineExceeded, connect},
		{io.EOF, connect},
		{&azidentity.AuthenticationFailedError{}, tokenAdvice},
		{&tokenError{err: errors.New("no")}, ""},
		{errors.New("403 Forbidden"), ""},
	} {
		t.Run(fmt.Sprintf("%T", test.err), func(t *testing.T) {
			t.Parallel()
			err := fmt.Errorf("ledger: writing: %w", test.err)
			got, found := strings.CutPrefix(advised(err).Error(), err.Error())
			if !found || test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("%s lacks %q", advised(err), test.want)
			}
		})
	}
}
