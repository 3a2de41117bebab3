package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/handler/settings"
)

const hostileName = "=cmd|' /C calc'!A0\x1b[2J\u202e\tforged\nline"

// archiveDesk is a desk whose ledger keeps alerts of each kind.
type archiveDesk struct {
	*desk
	now    time.Time
	alerts map[string]alert.Alert
}

func (d *archiveDesk) alert(name, user, id, ip string, severity alert.Severity, ago time.Duration) alert.Alert {
	at := d.now.Add(-ago)
	row := alert.Row{{Column: "UserPrincipalName", Value: json.RawMessage(`"` + user + `"`)}, {Column: "IP", Value: json.RawMessage(`"` + ip + `"`)}}
	activities := []alert.Activity{{Fingerprint: alert.NewFingerprint(deskRuleID, []alert.Field{{Identifier: "UPN", Value: user + name}}), Span: alert.Span{Start: at.Add(-time.Hour), End: at.Add(-time.Hour)}}}
	a := alert.Alert{
		ID: alert.NewID(deskRuleID, activities), RuleID: deskRuleID, RuleName: "Refused", RuleVersion: "1.0.0", Title: "Refused by " + user, Description: "of " + user, Severity: severity,
		Entities:      []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: user}, {Identifier: "AadUserId", Value: id}}}, {Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: ip}}}},
		CustomDetails: []alert.Detail{{Name: "App", Values: []string{hostileName}}},
		Span:          activities[0].Span, Window: alert.Span{Start: at.Add(-2 * time.Hour), End: at}, Activities: activities, Rows: []alert.Row{row}, Created: at,
	}
	d.alerts[name] = a
	return a
}

const (
	aliceID = "0a1b2c3d-0000-4000-8000-000000000001"
	bobID   = "0a1b2c3d-0000-4000-8000-000000000002"
)

func newArchiveDesk(t *testing.T) *archiveDesk {
	t.Helper()
	d := &archiveDesk{desk: newDesk(t), now: time.Now().UTC().Truncate(time.Second), alerts: map[string]alert.Alert{}}
	l := d.table.ledger
	sent := d.alert("sent", "alice@contoso.example", aliceID, "203.0.113.7", alert.Medium, 3*time.Hour)
	waiting := d.alert("waiting", "alice@contoso.example", aliceID, "203.0.113.8", alert.High, 2*time.Hour)
	other := d.alert("other", "bob@contoso.example", bobID, "2001:db8::7", alert.Low, time.Hour)
	held := d.alert("held", "Alice@Contoso.example", aliceID, "203.0.113.9", alert.Low, 4*time.Hour)
	held.HeldBack = &alert.HeldBack{By: alert.HeldBySilence, Silence: "pentest", Reason: "pen test of alice@contoso.example"}
	byID := d.alert("byID", aliceID, "", "198.51.100.1", alert.Low, 5*time.Hour)
	byID.Entities[0].Fields = []alert.Field{{Identifier: "AadUserId", Value: aliceID}}
	old := d.alert("old", "carol@contoso.example", "", "203.0.113.7", alert.Medium, 20*24*time.Hour)
	old.Title, old.RuleName = hostileName, hostileName
	err := l.Record(t.Context(), ledger.Entry{RuleID: deskRuleID, State: ledger.State{First: d.now.Add(-30 * 24 * time.Hour), Watermark: d.now}, Alerts: []alert.Alert{sent, waiting, other, byID, old}, HeldBack: []alert.Alert{held}, Destinations: []string{"teams"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []alert.Alert{sent, other, byID, old} {
		if err := l.Sent(t.Context(), ledger.Owed{Alert: &a, Destination: "teams"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Failed(t.Context(), ledger.Owed{Alert: &waiting, Destination: "teams"}, ledger.Failure{Err: "no " + hostileName, Next: d.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"incident " + sent.ID: `{"number":"42","url":"https://security.microsoft.com/incidents/42"}`,
		"story":               `{"incident":"i","latest":"2026-03-17T09:00:00Z","began":"2026-03-17T09:00:00Z","made":{"properties":{"title":"Refused by alice@contoso.example"}}}`,
	} {
		if _, _, err := l.SetNote(t.Context(), deskRuleID, name, text, ""); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// expectAlerts expects the alerts of those names, in that order, in JSON lines.
func (d *archiveDesk) expectAlerts(r result, names ...string) (list []reportedAlert) {
	d.t.Helper()
	var got, want []string
	for line := range strings.Lines(r.stdout) {
		var a reportedAlert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			d.t.Fatalf("%v: %s", err, line)
		}
		list, got = append(list, a), append(got, a.ID)
	}
	for _, name := range names {
		want = append(want, d.alerts[name].ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("alerts (-want +got):\n%s", diff)
	}
	return list
}

func (d *archiveDesk) expectHarmless(r result) {
	d.t.Helper()
	for _, c := range r.stdout + r.stderr {
		if c < ' ' && c != '\n' || c == '\u202e' || c == 0x7f {
			d.t.Fatalf("the terminal gets %q: %s", c, r.stdout)
		}
	}
}

// TestProcessAlertsArchive lists, filters, shows and exports what the ledger keeps.
func TestProcessAlertsArchive(t *testing.T) {
	t.Parallel()
	d := newArchiveDesk(t)
	r := d.run(exitDone, "alerts", "list")
	d.expectHarmless(r)
	if lines := strings.Split(strings.TrimSpace(r.stdout), "\n"); len(lines) != 6 || !strings.HasPrefix(lines[0], "CREATED") {
		t.Errorf("%s", r.stdout)
	}
	expectLine(t, r.stdout, "High", d.alerts["waiting"].ID, "Refused by alice@contoso.example", "teams waiting until "+d.now.Add(time.Hour).Format("2006-01-02 15:04:05Z"))
	expectLine(t, r.stdout, d.alerts["sent"].ID, "teams "+time.Now().UTC().Format("2006-"), "42 https://security.microsoft.com/incidents/42")
	expectLine(t, r.stdout, d.alerts["held"].ID, "held back by silence pentest")

	for _, tc := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"other", "waiting", "sent", "held", "byID"}},
		{[]string{"--since", "30d"}, []string{"other", "waiting", "sent", "held", "byID", "old"}},
		{[]string{"--since", "150m"}, []string{"other", "waiting"}},
		{[]string{"--since", d.now.Add(-150 * time.Minute).Format(time.RFC3339)}, []string{"other", "waiting"}},
		{[]string{"--since", "", "--user", "carol@contoso.example"}, []string{"old"}},
		{[]string{"--user", "ALICE@contoso.example"}, []string{"waiting", "sent", "held"}},
		{[]string{"--user", aliceID}, []string{"waiting", "sent", "held", "byID"}},
		{[]string{"--user", "bo*"}, []string{"other"}},
		{[]string{"--user", "bo"}, nil},
		{[]string{"--address", "203.0.113.0/24"}, []string{"waiting", "sent", "held"}},
		{[]string{"--address", "::ffff:203.0.113.0/120"}, []string{"waiting", "sent", "held"}},
		{[]string{"--address", "[2001:DB8:0:0::7]"}, []string{"other"}},
		{[]string{"--address", "::ffff:203.0.113.7"}, []string{"sent"}},
		{[]string{"--severity", "high"}, []string{"waiting"}},
		{[]string{"--severity", "High, medium"}, []string{"waiting", "sent"}},
		{[]string{"--rule", strings.ToUpper(deskRuleID), "--severity", "Medium"}, []string{"sent"}},
		{[]string{"--rule", "refused", "--severity", "Medium"}, []string{"sent"}},
		{[]string{"--rule", "mfa-fatigue"}, nil},
	} {
		r := d.run(exitDone, append([]string{"alerts", "list", "--json"}, tc.args...)...)
		d.expectHarmless(r)
		list := d.expectAlerts(r, tc.want...)
		if t.Failed() {
			t.Fatalf("%q", tc.args)
		}
		for _, a := range list {
			whole := d.alerts["sent"]
			if a.ID == whole.ID {
				if diff := cmp.Diff(whole, a.Alert); diff != "" {
					t.Errorf("the alert (-want +got):\n%s", diff)
				}
				if a.Incident == nil || a.Incident.Number != "42" || len(a.Deliveries) != 1 || a.Deliveries[0].State != "sent" || a.Deliveries[0].At == nil {
					t.Errorf("%+v", a)
				}
			}
		}
	}
	expectLine(t, d.run(exitDone, "alerts", "list", "--rule", "none").stdout, "no alerts")
	for _, tc := range []struct{ args, says string }{
		{"list x", "takes no argument"}, {"lst", `unknown command "lst"`}, {"list --since soon", `--since is "soon"`}, {"list --severity worst", "--severity is"}, {"list --address 1.2.3", "--address is"},
		{"show", "the id of one alert"}, {"export --format xml", `--format is "xml"`}, {"erase", "needs --user"}, {"erase --user al", "all of a user principal name"}, {"list --settings nowhere", "--settings"},
	} {
		expectLine(t, d.run(exitUsage, append([]string{"alerts"}, strings.Fields(tc.args)...)...).stderr, tc.says)
	}

	for _, name := range []string{"sent", "waiting", "held", "old"} {
		r := d.run(exitDone, "alerts", "show", d.alerts[name].ID)
		d.expectHarmless(r)
		expectLine(t, r.stdout, "Alert", d.alerts[name].ID)
		if name == "held" {
			expectLine(t, r.stdout, "Held back", "by silence pentest: pen test of alice@contoso.example")
		}
		if name == "waiting" {
			expectLine(t, r.stdout, "Sent", "teams waiting until", "tried once in vain: no ")
		}
		d.expectAlerts(d.run(exitDone, "alerts", "show", d.alerts[name].ID, "--json"), name)
	}
	expectLine(t, d.run(exitFailed, "alerts", "show", "nobody\x1b[2J").stderr, "no such alert is kept")

	r = d.run(exitDone, "alerts", "export")
	d.expectHarmless(r)
	if strings.Count(r.stdout, "\n") != 6 {
		t.Errorf("%s", r.stdout)
	}
	for _, args := range [][]string{{"--format", "csv"}, {"--output", "alerts.csv"}} {
		r = d.run(exitDone, append([]string{"alerts", "export", "--since", "30d"}, args...)...)
		text := r.stdout
		if args[0] == "--output" {
			written, err := os.ReadFile(filepath.Join(d.dir, "alerts.csv"))
			if err != nil || r.stdout != "" {
				t.Fatal(err, r.stdout)
			}
			text = string(written)
			if info, err := os.Stat(filepath.Join(d.dir, "alerts.csv")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%v %v", info.Mode(), err)
			}
		}
		d.expectHarmless(result{stdout: text})
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(rows) != 7 || !slices.Equal(rows[0], csvColumns) {
			t.Fatalf("%v: %s", err, text)
		}
		for _, row := range rows[1:] {
			for i, cell := range row {
				if strings.HasPrefix(cell, "=") {
					t.Errorf("%s is a formula: %s", csvColumns[i], cell)
				}
			}
		}
	}
	d.env["PUSHBACK_TABLE_NAME"] = "nowhere"
	for _, args := range []string{"list", "show x", "export", "export --output x.csv", "erase --user alice@contoso.example"} {
		r := d.run(exitFailed, append([]string{"alerts"}, strings.Fields(args)...)...)
		expectLine(t, r.stderr, `table "nowhere"`, "handler outbox init")
	}
	if _, err := os.Stat(filepath.Join(d.dir, "x.csv")); err == nil {
		t.Error("an export that failed left a file")
	}
	d.env["PUSHBACK_TABLE_CONNECTION"] = settings.InMemory
	expectLine(t, d.run(exitFailed, "alerts", "list").stderr, "nobody else can see it")
}

// TestInertCell pins which cells are text to a spreadsheet.
func TestInertCell(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", " =1": "' =1", "\u00a0=1": "'\u00a0=1", "＝1": "'＝1", "|calc": "'|calc",
		"\t=1": `\t=1`, "\r=1": `\r=1`, "alice": "alice", "": "", "a=1": "a=1", "'x": "'x",
	} {
		if got := inertCell(cell); got != want {
			t.Errorf("inertCell(%q) = %q, want %q", cell, got, want)
		}
	}
}

// TestProcessErase erases a person: dry, in two goes beside each other, and once what
// was waiting may be dropped. Nothing of the person is in the table then, everybody
// else is, and nothing is reported again.
func TestProcessErase(t *testing.T) {
	t.Parallel()
	d := newArchiveDesk(t)
	d.run(exitDone, "silence", "add", "--match", "Account.FullName=alice@contoso.example", "--for", "4h", "--reason", "a test", "--by", "amy", "--id", "alice-test")
	d.run(exitDone, "silence", "add", "--match", "Account.FullName=bob@contoso.example", "--for", "4h", "--reason", "a test", "--by", "amy", "--id", "bob-test")
	before := d.rows()
	r := d.run(exitFailed, "alerts", "erase", "--user", "ALICE@contoso.example", "--dry-run")
	expectLine(t, r.stdout, "is also known as "+aliceID)
	expectLine(t, r.stdout, "would be erased of ALICE@contoso.example: in 2 alerts sent or dropped, 1 alert held back and 1 note")
	expectLine(t, r.stderr, "1 alert is left, since a destination waits for it", d.alerts["waiting"].ID, "--undelivered")
	if diff := cmp.Diff(before, d.rows()); diff != "" {
		t.Errorf("a dry run changed the ledger (-before +after):\n%s", diff)
	}
	results := make(chan result, 2)
	for range 2 {
		go func() {
			results <- commandIn(t, d.dir, d.env, "alerts", "erase", "--user", "alice@contoso.example")
		}()
	}
	for range 2 {
		if r := <-results; r.code != exitFailed || !strings.Contains(r.stderr, "--undelivered") || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%d %s%s", r.code, r.stdout, r.stderr)
		}
	}
	d.expectAlerts(d.run(exitDone, "alerts", "list", "--json", "--user", aliceID), "waiting")
	var out erasedOutput
	r = d.run(exitDone, "alerts", "erase", "--user", "alice@contoso.example", "--undelivered", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.Dropped != 1 || out.Delivered+out.HeldBack+out.Notes != 0 || len(out.Left) != 0 {
		t.Errorf("%v: %s", err, r.stdout)
	}
	after := d.rows()
	r = d.run(exitDone, "alerts", "erase", "--user", "alice@contoso.example", "--undelivered")
	expectLine(t, r.stdout, "nothing of alice@contoso.example was left to erase")
	expectLine(t, r.stdout, "left: silence alice-test names the person")
	if strings.Contains(r.stdout, "bob-test") {
		t.Errorf("%s", r.stdout)
	}
	if diff := cmp.Diff(after, d.rows()); diff != "" {
		t.Errorf("erasing again changed the ledger (-before +after):\n%s", diff)
	}

	pager := d.table.client.NewListEntitiesPager(nil)
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entities {
			if strings.Contains(string(e), `"RowKey":"note:silences"`) {
				continue
			}
			for _, gone := range []string{"alice", aliceID, "203.0.113.8", "203.0.113.9"} {
				if strings.Contains(strings.ToLower(string(e)), gone) {
					t.Errorf("%s is left: %s", gone, e)
				}
			}
		}
	}
	list := d.expectAlerts(d.run(exitDone, "alerts", "list", "--json", "--since", ""), "other", "waiting", "sent", "held", "byID", "old")
	for _, a := range list {
		if a.ID == d.alerts["sent"].ID && (a.Title != alert.Erased || a.Deliveries[0].State != "sent" || a.Incident == nil) {
			t.Errorf("%+v", a)
		}
		if a.ID == d.alerts["other"].ID && a.Title != "Refused by bob@contoso.example" {
			t.Errorf("%+v", a)
		}
	}
	for name, a := range d.alerts {
		answer, err := d.table.ledger.Unseen(t.Context(), ledger.Question{RuleID: deskRuleID, Activities: a.Activities, Window: a.Window, Now: d.now})
		if err != nil || len(answer.News) > 0 {
			t.Errorf("%s is news again: %v", name, err)
		}
	}
	if owed := d.table.outbox(); len(owed) > 0 {
		t.Errorf("owed: %v", owed)
	}
	d.run(exitDone, "tick")
	if cards := d.channel.take(); len(cards) > 0 {
		t.Errorf("sent: %v", cards)
	}
}

// TestEraseCutShort has an erasure be cut short after each of its steps: the next one
// finishes it, by all names of the person.
func TestEraseCutShort(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	record := func() *ledger.Ledger {
		l := ledger.NewMemory().Ledger
		d := &archiveDesk{desk: &desk{t: t}, now: time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC), alerts: map[string]alert.Alert{}}
		linking := d.alert("linking", "alice@contoso.example", aliceID, "203.0.113.7", alert.Low, time.Hour)
		byName, byID := d.alert("name", "alice@contoso.example", "", "203.0.113.7", alert.Low, time.Hour), d.alert("id", aliceID, "", "203.0.113.7", alert.Low, time.Hour)
		byID.Entities[0].Fields = []alert.Field{{Identifier: "AadUserId", Value: aliceID}}
		if err := l.Record(ctx, ledger.Entry{RuleID: deskRuleID, State: ledger.State{First: d.now, Watermark: d.now}, HeldBack: []alert.Alert{linking, byName, byID}}); err != nil {
			t.Fatal(err)
		}
		return l
	}
	for cut := range 4 {
		l := record()
		for _, steps := range []int{cut, 3} {
			e := &eraser{archive: archive{ledger: l, notes: l.NoteReader()}, user: "alice@contoso.example"}
			found, err := e.find(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.erase(ctx, found[:min(steps, len(found))]); err != nil {
				t.Fatal(err)
			}
		}
		n := 0
		for k, err := range l.Kept(ctx, deskRuleID, time.Time{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			if text, err := json.Marshal(k.Alert); err != nil || strings.Contains(string(text), aliceID) || strings.Contains(string(text), "alice") {
				t.Errorf("cut short after %d: %s", cut, text)
			}
		}
		if n != 3 {
			t.Errorf("%d alerts are kept", n)
		}
	}
}
