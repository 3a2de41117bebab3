package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger/azurite"
	"pushback/detect/logs"
)

const deskRuleID = "0e5c0000-0000-4000-8000-000000000001"

// deskRule is a rule of two hours every hour, so that a window that ends while a
// test runs changes nothing of what it finds.
const deskRule = `id: ` + deskRuleID + `
name: Refused
description: Somebody refused a prompt.
severity: Medium
kind: Scheduled
queryFrequency: 1h
queryPeriod: 2h
triggerOperator: gt
triggerThreshold: 0
tactics: [InitialAccess]
query: |
  SigninLogs
  | where ResultType == "500121"
  | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), IPs = make_set(IPAddress) by UserPrincipalName
entityMappings:
  - entityType: Account
    fieldMappings:
      - identifier: FullName
        columnName: UserPrincipalName
alertDetailsOverride:
  alertDisplayNameFormat: Refused by {{UserPrincipalName}}
eventGroupingSettings:
  aggregationKind: AlertPerResult
version: 1.0.0
`

// desk is a person at a terminal, with a workspace, a ledger and a channel.
type desk struct {
	t       *testing.T
	cloud   *cloudStandIn
	table   *ledgerTable
	channel *channelStandIn
	dir     string // the current folder
	env     map[string]string
}

// refusedBy is a refusal of an account at a time.
func refusedBy(user string, at time.Time) loggedRow {
	return signInOf("00:00:00", "500121", declinedDetail).with("TimeGenerated", at.UTC().Format(time.RFC3339)).with("UserPrincipalName", user).
		with("Id", user+at.String()).with("CorrelationId", user+at.String())
}

func newDesk(t *testing.T, rows ...loggedRow) *desk {
	t.Helper()
	d := &desk{t: t, cloud: newCloud(t), table: newLedgerTable(t), channel: &channelStandIn{t: t, answer: answering(http.StatusAccepted, "")}, dir: t.TempDir()}
	d.cloud.teams = d.channel.ServeHTTP
	d.put(rows...)
	d.write("rule.yaml", deskRule)
	d.env = d.table.settings(azurite.Addr(t))
	for _, variable := range d.cloud.env() {
		name, value, _ := strings.Cut(variable, "=")
		d.env[name] = value
	}
	maps.Copy(d.env, map[string]string{
		"PUSHBACK_WORKSPACE_ID": standInWorkspace, "PUSHBACK_RULES": "rule.yaml", "PUSHBACK_CONTEXT": "off",
		"PUSHBACK_TEAMS_WEBHOOK_URL": "https://" + standInTeams + "/hook?sig=a-signature-of-the-webhook",
	})
	return d
}

// put has the workspace hold the rows and no others.
func (d *desk) put(rows ...loggedRow) {
	d.t.Helper()
	r := logs.NewReader(logs.Options{})
	dir := loggedIn(d.t, append(rows, refusedBy("long-ago@contoso.example", time.Now().AddDate(0, 0, -60)))...)
	files, err := filepath.Glob(dir + "/*")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			d.t.Fatal(err)
		}
		defer f.Close()
		if err := r.File(context.Background(), filepath.Base(path), f); err != nil {
			d.t.Fatal(err)
		}
	}
	l, err := r.Finish()
	if err != nil {
		d.t.Fatal(err)
	}
	d.cloud.mu.Lock()
	defer d.cloud.mu.Unlock()
	d.cloud.service = &service.Service{DB: kql.NewDatabase(l.Tables...), Now: time.Now}
}

func (d *desk) write(name, content string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(content), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a command line and expects an exit code.
func (d *desk) run(code int, args ...string) result {
	d.t.Helper()
	r := commandIn(d.t, d.dir, d.env, args...)
	if r.code != code {
		d.t.Fatalf("%s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	for _, secret := range []string{standInToken, standInIdentityHeader, "a-signature-of-the-webhook"} {
		if strings.Contains(r.stdout+r.stderr, secret) {
			d.t.Errorf("%s: a secret is shown", strings.Join(args, " "))
		}
	}
	return r
}

// rows lists the rows of the ledger with their ETags.
func (d *desk) rows() (rows []string) {
	d.t.Helper()
	pager := d.table.client.NewListEntitiesPager(&aztables.ListEntitiesOptions{Format: to.Ptr(aztables.MetadataFormatFull)})
	for pager.More() {
		page, err := pager.NextPage(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		for _, e := range page.Entities {
			var row map[string]any
			if err := json.Unmarshal(e, &row); err != nil {
				d.t.Fatal(err)
			}
			rows = append(rows, fmt.Sprint(row["PartitionKey"], " ", row["RowKey"], " ", row["odata.etag"]))
		}
	}
	slices.Sort(rows)
	return rows
}

// lastWindow is the end of the last window of the rule that is complete.
func lastWindow() time.Time { return time.Now().Add(-5 * time.Minute).UTC().Truncate(time.Hour) }

func expectLine(t *testing.T, text string, parts ...string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			return
		}
	}
	t.Errorf("no line has %q:\n%s", parts, text)
}

// TestProcessTickByHand runs ticks without a host: a dry one, which leaves no trace,
// one that reports, and one that finds it reported.
func TestProcessTickByHand(t *testing.T) {
	t.Parallel()
	d := newDesk(t, refusedBy("alice@contoso.example", lastWindow().Add(-10*time.Minute)), refusedBy("bob\x1b[31m@contoso.example", lastWindow().Add(-11*time.Minute)))
	before := d.rows()
	for range 2 { // nothing is known of the first
		r := d.run(exitDone, "tick", "--dry-run")
		expectLine(t, r.stdout, "Dry run of a tick at", "nothing is recorded, claimed or sent")
		expectLine(t, r.stdout, "Refused: 1 window run", "2 rows", "2 new")
		expectLine(t, r.stdout, "Refused by alice@contoso.example")
		expectLine(t, r.stdout, "teams: 2 alerts would be sent")
		if strings.Contains(r.stdout, "\x1b") || r.stderr != "" {
			t.Errorf("stdout: %s\nstderr: %s", r.stdout, r.stderr)
		}
	}
	if diff := cmp.Diff(before, d.rows()); diff != "" {
		t.Errorf("a dry run wrote to the ledger (-before +after):\n%s", diff)
	}
	if cards := d.channel.take(); len(cards) > 0 {
		t.Errorf("a dry run sent %v", cards)
	}
	var dry tickOutput
	if r := d.run(exitDone, "tick", "--dry-run", "--json"); json.Unmarshal([]byte(r.stdout), &dry) != nil || !dry.DryRun || len(dry.Alerts) != 2 || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("%s", r.stdout)
	}

	r := d.run(exitDone, "tick")
	expectLine(t, r.stdout, "Refused: 1 window run", "2 new")
	for _, a := range dry.Alerts {
		expectLine(t, r.stdout, "  Medium  ", "Refused by ", a.ID)
	}
	expectLine(t, r.stdout, "teams: 2 alerts sent")
	expectLine(t, r.stderr, `"msg":"alert"`, dry.Alerts[0].ID) // the log is a destination
	if cards := d.channel.take(); len(cards) != 2 || len(d.table.outbox()) != 0 {
		t.Errorf("%d cards, owed %v", len(cards), d.table.outbox())
	}
	for _, args := range [][]string{{"tick"}, {"tick", "--dry-run"}} {
		r = d.run(exitDone, args...)
		expectLine(t, r.stdout, "Refused: ")
		expectLine(t, r.stdout, "Nothing new to report.")
	}
	if cards := d.channel.take(); len(cards) > 0 {
		t.Errorf("sent again: %v", cards)
	}
}

// TestProcessTickSettings has the settings be in a file.
func TestProcessTickSettings(t *testing.T) {
	t.Parallel()
	d := newDesk(t, refusedBy("alice@contoso.example", lastWindow().Add(-10*time.Minute)))
	file := map[string]string{}
	for name, value := range d.env {
		if strings.HasPrefix(name, settingsPrefix) {
			file[name] = value
			delete(d.env, name)
		}
	}
	r := d.run(exitFailed, "tick", "--dry-run")
	expectLine(t, r.stderr, "PUSHBACK_WORKSPACE_ID is not set")
	text, err := json.Marshal(map[string]any{"IsEncrypted": false, "Values": file})
	if err != nil {
		t.Fatal(err)
	}
	d.write("mine.json", string(text))
	r = d.run(exitDone, "tick", "--dry-run", "--settings", "mine.json")
	expectLine(t, r.stdout, "Refused by alice@contoso.example")
	r = d.run(exitUsage, "tick", "--settings", "nowhere.json")
	expectLine(t, r.stderr, "--settings: nowhere.json: there is no such file")
	d.write("local.settings.json", string(text))
	r = d.run(exitDone, "tick", "--dry-run")
	expectLine(t, r.stdout, "Refused by alice@contoso.example")
	d.env["PUSHBACK_MIN_SEVERITY"] = "high" // the environment wins
	r = d.run(exitDone, "tick", "--dry-run")
	expectLine(t, r.stdout, "Refused: ", "1 alert held back")
	d.write("local.settings.json", "{\"Values\": {\n\"PUSHBACK_TEAMS_WEBHOOK_URL\": \"https://x/?sig=a-signature-of-the-webhook\"\n\"X\": 1}}")
	r = d.run(exitFailed, "tick")
	expectLine(t, r.stderr, "local.settings.json:3: this is not JSON")
}

const settingsPrefix = "PUSHBACK_"

// TestProcessTickFailures has what a tick needs be missing or fail.
func TestProcessTickFailures(t *testing.T) {
	t.Parallel()
	d := newDesk(t, refusedBy("alice@contoso.example", lastWindow().Add(-10*time.Minute)))
	table := d.env["PUSHBACK_TABLE_NAME"]
	d.env["PUSHBACK_TABLE_NAME"] = "nowhere"
	for _, args := range [][]string{{"tick"}, {"tick", "--dry-run"}} {
		r := d.run(exitFailed, args...)
		expectLine(t, r.stderr, "handler: ", `table "nowhere"`, "handler outbox init")
		if r.stdout != "" || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("stdout: %s\nstderr: %s", r.stdout, r.stderr)
		}
	}
	delete(d.env, "PUSHBACK_TABLE_NAME")
	connection := d.env["PUSHBACK_TABLE_CONNECTION"]
	delete(d.env, "PUSHBACK_TABLE_CONNECTION")
	r := d.run(exitFailed, "tick", "--dry-run")
	expectLine(t, r.stderr, "the ledger has no place")
	d.env["PUSHBACK_TABLE_CONNECTION"] = inMemory
	r = d.run(exitDone, "tick", "--dry-run")
	expectLine(t, r.stdout, "Refused by alice@contoso.example")
	expectLine(t, r.stderr, "in memory")

	d.env["PUSHBACK_TABLE_NAME"], d.env["PUSHBACK_TABLE_CONNECTION"] = table, connection
	d.cloud.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"error":{"code":"InsufficientAccessError","message":"The provided credentials have insufficient access"}}`))
		return true
	}
	r = d.run(exitFailed, "tick", "--json")
	var out tickOutput
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || len(out.Errors) != 1 || !strings.Contains(out.Errors[0], "insufficient access") || out.Rules[0].Waiting != 1 {
		t.Errorf("%v: %s", err, r.stdout)
	}
	expectLine(t, r.stderr, "handler: ", "insufficient access")
	d.cloud.fault = nil
	d.channel.set(answering(http.StatusBadRequest, "no"))
	r = d.run(exitFailed, "tick")
	expectLine(t, r.stdout, "teams: 1 alert still to be sent", "failed")
	expectLine(t, r.stderr, "handler: ", "teams", "400")
	r = d.run(exitFailed, "tick", "--dry-run") // as a tick would, until the address is tried again
	expectLine(t, r.stdout, "Refused: nothing is due")
	expectLine(t, r.stderr, "has taken nothing since")
	r = d.run(exitUsage, "tick", "now")
	expectLine(t, r.stderr, "takes no argument")
}

// TestProcessTickBesideOthers has another process hold the lease of the rule, and
// two ticks run at a time: the activity is reported once.
func TestProcessTickBesideOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, refusedBy("alice@contoso.example", lastWindow().Add(-10*time.Minute)))
	lease, err := d.table.ledger.Lease(t.Context(), deskRuleID, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r := d.run(exitDone, "tick")
	expectLine(t, r.stdout, "Refused: left to another process")
	r = d.run(exitDone, "tick", "--dry-run") // which takes no lease
	expectLine(t, r.stdout, "Refused: 1 window run", "1 new")
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	results := make(chan result, 3)
	for range cap(results) {
		go func() { results <- commandIn(t, d.dir, d.env, "tick") }()
	}
	for range cap(results) {
		if r := <-results; r.code != exitDone {
			t.Errorf("code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	}
	if cards := d.channel.take(); len(cards) != 1 {
		t.Errorf("%d cards", len(cards))
	}
}

// TestProcessTickSilenced has a silence hold an alert back, in a dry run as in a tick.
func TestProcessTickSilenced(t *testing.T) {
	t.Parallel()
	d := newDesk(t, refusedBy("alice@contoso.example", lastWindow().Add(-10*time.Minute)), refusedBy("bob@contoso.example", lastWindow().Add(-10*time.Minute)))
	d.run(exitDone, "silence", "add", "--match", "Account.FullName=alice@contoso.example", "--from", zulu(lastWindow().Add(-3*time.Hour)), "--for", "24h", "--reason", "a test", "--by", "amy", "--id", "test")
	for _, args := range [][]string{{"tick", "--dry-run"}, {"tick"}} {
		r := d.run(exitDone, args...)
		expectLine(t, r.stdout, "Refused: 1 window run", "1 alert held back")
		expectLine(t, r.stdout, "held back by silence test")
		expectLine(t, r.stdout, "silence test: 1 alert held back")
		expectLine(t, r.stdout, "teams: 1 alert")
	}
	if cards := d.channel.take(); len(cards) != 1 {
		t.Errorf("%d cards", len(cards))
	}
	expectLine(t, d.run(exitDone, "alerts", "list").stdout, "Refused by alice@contoso.example", "held back by silence test")
	var list []reportedAlert
	for line := range strings.Lines(d.run(exitDone, "alerts", "list", "--json", "--user", "alice@contoso.example").stdout) {
		var a reportedAlert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	if len(list) != 1 || list[0].HeldBack == nil || list[0].HeldBack.Silence != "test" || len(list[0].Deliveries) != 0 {
		t.Errorf("%+v", list)
	}
	// What was held back is not reported by a rerun either.
	r := d.run(exitDone, "rerun", "rule", "--from", "3h", "--dry-run")
	expectLine(t, r.stdout, "They would report nothing new.")
	r = d.run(exitDone, "alerts", "erase", "--user", "alice@contoso.example")
	expectLine(t, r.stdout, "1 alert held back and 1 note") // that counts what silences held back
}
