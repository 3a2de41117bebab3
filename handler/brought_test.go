package main

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/logs"
	"pushback/detect/notify/sentinel/armtest"
)

// somebodysRule is a rule with contexts of its own: a table of indicators, whose query
// is in a file beside it, a watchlist of VIPs, and a join of two tables.
const somebodysRule = `id: 5a0b6f0e-3a0e-4a6f-9d53-6c0f2b1f0a11
name: Failed sign-ins
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: |
  SigninLogs
  | where ResultType == "50126"
  | summarize Failures = count(), StartTime = min(TimeGenerated), EndTime = max(TimeGenerated) by UserPrincipalName, IPAddress
entityMappings:
  - entityType: Account
    fieldMappings: [{identifier: FullName, columnName: UserPrincipalName}]
  - entityType: IP
    fieldMappings: [{identifier: Address, columnName: IPAddress}]
eventGroupingSettings: {aggregationKind: AlertPerResult}
pushback:
  context:
    - name: Indicators
      queryFile: queries/indicators.kql
      queryPeriod: 90d
      key: {entity: IP, column: IP}
      facts: {Threat: Threat, Confidence: Confidence}
      findings:
        - {kind: known-indicator, when: Sure, text: "an indicator of {{Threat}} with a confidence of {{Confidence}}", severity: High}
    - name: VIP
      query: |
        _GetWatchlist('vip')
        | project User = tolower(tostring(SearchKey)), Title = tostring(Title), IsVip = true
        | where User in~ (Accounts)
      key: {entity: Account, column: User}
      facts: {Position: Title}
      findings:
        - {kind: vip, when: IsVip, text: "a VIP: {{Title}}", severity: +1}
    - name: Department
      query: |
        SigninLogs
        | where UserPrincipalName in~ (Accounts)
        | summarize Signins = count() by User = tolower(UserPrincipalName)
        | join kind=inner (IdentityInfo | where AccountUPN in~ (Accounts) | summarize arg_max(TimeGenerated, Department) by User = tolower(AccountUPN)) on User
        | extend IsBoard = Department == "Board"
      key: {entity: Account, column: User}
      facts: {Sign-ins: Signins, Department: Department}
      findings:
        - {kind: of-the-board, when: IsBoard, text: "of the board, seen {{Signins}} times"}
`

var somebodysFiles = map[string]string{
	"rules/failures.yaml": somebodysRule,
	"rules/queries/indicators.kql": `// Indicators of addresses.
let Addresses = dynamic(["203.0.113.7"]);
let From = datetime(2026-01-01);
ThreatIntelIndicators
| where TimeGenerated >= From and ObservableKey == "ipv4-addr:value" and ObservableValue in (Addresses)
| summarize arg_max(TimeGenerated, *) by Id
| project IP = ObservableValue, Threat = tostring(Data.name), Confidence, Sure = Confidence >= 80
`,
	"rules/failures.test.yaml": `- name: an indicator, a VIP and a department
  logs:
    SigninLogs: ../logs/SigninLogs.ndjson
    IdentityInfo: ../logs/IdentityInfo.ndjson
    ThreatIntelIndicators: ../logs/ThreatIntelIndicators.ndjson
  expect:
    - entities: [{Account: ana@contoso.example}]
      severity: High
      findings: [known-indicator, {kind: vip, text: CEO}, {kind: of-the-board, text: "of the board, seen 1 times"}]
    - {entities: [{Account: bob@contoso.example}], severity: Low, findings: []}
- name: one that is not so
  at: 2026-03-17T10:00:00Z
  logs: {SigninLogs: ../logs/SigninLogs.ndjson}
  expect: [{findings: [known-indicator]}, {findings: [of-the-board]}]
`,
	"watchlists/vip.csv": "SearchKey,Title\nana@contoso.example,CEO <b>*x*</b>\n",
	"logs/SigninLogs.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","UserPrincipalName":"ana@contoso.example","IPAddress":"203.0.113.7","ResultType":"50126"}
{"TimeGenerated":"2026-03-17T09:12:00Z","UserPrincipalName":"bob@contoso.example","IPAddress":"203.0.113.8","ResultType":"50126"}
`,
	"logs/IdentityInfo.ndjson":          `{"TimeGenerated":"2026-03-10T09:10:00Z","AccountUPN":"ana@contoso.example","Department":"Board"}` + "\n",
	"logs/ThreatIntelIndicators.ndjson": `{"TimeGenerated":"2026-03-01T09:10:00Z","Id":"1","ObservableKey":"ipv4-addr:value","ObservableValue":"203.0.113.7","Confidence":90,"Data":{"name":"Kraken [x](https://evil.example)"}}` + "\n",
}

// wants reports what of a text is not there.
func wants(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s does not say %q:\n%s", where, part, text)
		}
	}
}

// What a rule brings is in lint, test and replay.
func TestBroughtOffline(t *testing.T) {
	t.Parallel()
	dir := folder(t, somebodysFiles)
	rules, lists, logs := filepath.Join(dir, "rules"), filepath.Join(dir, "watchlists"), filepath.Join(dir, "logs")
	if r := handler(t, "lint", rules, "--watchlists", lists); r.code != exitDone || !strings.HasPrefix(r.stdout, "1 rule: 0 errors, 0 warnings") {
		t.Errorf("lint: %+v", r)
	}
	if r := handler(t, "test", rules, "--watchlists", lists, "--run", "department"); r.code != exitDone {
		t.Errorf("test: %+v", r)
	}
	r := handler(t, "test", rules, "--watchlists", lists, "--run", "not so")
	if r.code != exitFailed {
		t.Errorf("test of what is not so: %+v", r)
	}
	wants(t, "test", r.stdout, "known-indicator", "Indicators: not available, table ThreatIntelIndicators does not exist")
	r = handler(t, "replay", "--rules", rules, "--watchlists", lists, "--logs", logs, "--details", "--full")
	if r.code != exitDone {
		t.Errorf("replay: %+v", r)
	}
	wants(t, "replay", strings.Join(strings.Fields(r.stdout), " "),
		"• 203.0.113.7: an indicator of “Kraken [x](https://evil.example)” with a confidence of 90",
		"• “ana@contoso.example”: a VIP: “CEO <b>*x*</b>”",
		"• “ana@contoso.example”: of the board, seen 1 times",
		"Severity Low → High: an indicator of “Kraken",
		"Indicators 203.0.113.7 Threat: “Kraken [x](https://evil.example)” Confidence: 90",
		"VIP ana@contoso.example Position: “CEO <b>*x*</b>”",
		"Department ana@contoso.example Sign-ins: 1 Department: Board",
		"2 alerts (1 High, 1 Low)")
	// It is written with the rule, its queries in it.
	r = handler(t, "rule", "convert", filepath.Join(rules, "failures.yaml"))
	wants(t, "rule convert", r.stdout, "      query: |\n        // Indicators of addresses.\n        let Addresses", "- kind: known-indicator", "entity: IP", "severity: \"+1\"")
}

// What is wrong with a context has its place in the file that it is in, and keeps no
// rule from running.
func TestBroughtMistakes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, file, old, new, want string }{
		{"a query that is none", "rules/failures.yaml", "| extend IsBoard", "| extendd IsBoard", "failures.yaml:42:11: context Department: unknown operator 'extendd'"},
		{"one in a file", "rules/queries/indicators.kql", "| summarize arg_max", "| sumarize arg_max", "indicators.kql:6:3: context Indicators: unknown operator 'sumarize'"},
		{"a column that the query lacks", "rules/queries/indicators.kql", "Confidence, Sure", "Certainty = Confidence, Sure", "failures.yaml:24:43: context Indicators: the fact Confidence names the column Confidence, which the query's result does not have (it has IP, Threat, Certainty, Sure)"},
		{"a column of a table", "rules/failures.yaml", "where AccountUPN in~", "where AcountUPN in~", "failures.yaml:41:49: context Department: "},
		{"a column that is no bool", "rules/failures.yaml", "when: IsBoard", "when: Signins", "failures.yaml:46:38: context Department: the finding of-the-board needs a column that is true or false, and Signins is of type long"},
		{"a column in another case", "rules/failures.yaml", "Department: Department}", "Department: department}", "failures.yaml:44:46: context Department: the fact Department names the column department, which the query calls Department: write it so"},
		{"a name that is given", "rules/queries/indicators.kql", "ThreatIntelIndicators\n", "let Hosts = 1;\nlet Accounts = Hosts;\nThreatIntelIndicators | where Id != tostring(Accounts)\n", "indicators.kql:4:5: context Indicators: 'Hosts' is defined twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{}
			for name, text := range somebodysFiles {
				if name == tc.file {
					if !strings.Contains(text, tc.old) {
						t.Fatalf("%q is not in it", tc.old)
					}
					text = strings.Replace(text, tc.old, tc.new, 1)
				}
				files[name] = text
			}
			dir := folder(t, files)
			r := handler(t, "lint", filepath.Join(dir, "rules"), "--watchlists", filepath.Join(dir, "watchlists"))
			if r.code != exitFailed || !strings.Contains(r.stdout, tc.want) {
				t.Errorf("lint says\n%swant %s", r.stdout, tc.want)
			}
		})
	}
	// It runs all the same, and says so.
	files := map[string]string{}
	for name, text := range somebodysFiles {
		files[name] = strings.Replace(text, "| extend IsBoard", "| extendd IsBoard", 1)
	}
	dir := folder(t, files)
	r := handler(t, "replay", "--rules", filepath.Join(dir, "rules"), "--watchlists", filepath.Join(dir, "watchlists"), "--logs", filepath.Join(dir, "logs"), "--details", "--full")
	wants(t, "replay", r.stdout+r.stderr, "goes without a context: ", "failures.yaml:42:11: context Department: unknown operator 'extendd'", "Department: not available, failures.yaml:42:11: ", "2 alerts (1 High, 1 Low)")
}

// The process asks the workspace: what the rule brings is on the card, in the row for
// Sentinel and in the comment of the incident, and costs a query each.
func TestProcessBrought(t *testing.T) {
	t.Parallel()
	dir := folder(t, somebodysFiles)
	r := logs.NewReader(logs.Options{})
	if err := r.Paths(t.Context(), []string{filepath.Join(dir, "logs")}, nil); err != nil {
		t.Fatal(err)
	}
	read, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var cards, asked []string
	world := func() (*alertWorld, *armtest.Server) {
		w := newAlertWorld(t, read.Tables)
		db := kql.NewDatabase(read.Tables...)
		db.Watchlists = logs.Watchlists(filepath.Join(dir, "watchlists"), logs.DateOrder(0))
		w.service = &service.Service{DB: db, Now: w.clock}
		w.teams = func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			cards = append(cards, string(body))
			rw.WriteHeader(http.StatusAccepted)
		}
		arm := &armtest.Server{Workspace: standInSentinel, Token: standInToken}
		w.arm = arm.ServeHTTP
		w.beside = func(body []byte, _ http.ResponseWriter) bool {
			mu.Lock()
			defer mu.Unlock()
			if line, _, _ := bytes.Cut(body, []byte(`\n`)); bytes.Contains(line, []byte("// Pushback context ")) {
				asked = append(asked, string(bytes.Fields(line)[3]))
			}
			return false
		}
		w.settings["PUSHBACK_TEAMS_WEBHOOK_URL"], w.settings["PUSHBACK_RULES"] = "https://"+standInTeams+"/workflows/x?sig=c2VjcmV0", filepath.Join(dir, "rules")
		return w, arm
	}
	w, _ := world()
	h := startHost(t, w.cloudStandIn, w.settings)
	at := time.Date(2026, 3, 17, 10, 5, 0, 0, time.UTC)
	w.setNow(at)
	h.tick(w.cloudStandIn, at, http.StatusOK)
	h.stop()
	mu.Lock()
	card, queries := strings.Join(cards, "\n"), strings.Join(asked, " ")
	mu.Unlock()
	wants(t, "the card", card, "An indicator of “Kraken [x](https[://]evil.example)” with a confidence of 90", "A VIP: “CEO <b>*x*</b>”", "Threat: ", "Low → High")
	if n := strings.Count(queries, "Indicators") + strings.Count(queries, "VIP") + strings.Count(queries, "Department"); n != 3 {
		t.Errorf("the context was asked by %s", queries)
	}
	row := ""
	for _, record := range w.ingested.Records() {
		if strings.Contains(record.Text("AlertSeverity"), "High") {
			row = string(record.Row["Findings"]) + string(record.Row["CustomDetails"]) + record.Text("AlertDescription")
		}
	}
	wants(t, "the row", row, "203.0.113.7: an indicator of “Kraken", "a VIP: “CEO", "of the board, seen 1 times", "Indicators: Threat", "Department: Department", "Severity: Low → High: an indicator")

	w, arm := world()
	w.settings["PUSHBACK_SENTINEL_WORKSPACE"] = standInSentinel
	delete(w.settings, "PUSHBACK_ALERTS_ENDPOINT")
	delete(w.settings, "PUSHBACK_ALERTS_RULE")
	h = startHost(t, w.cloudStandIn, w.settings)
	w.setNow(at)
	h.tick(w.cloudStandIn, at, http.StatusOK)
	h.stop()
	var comments strings.Builder
	for _, i := range arm.Incidents() {
		for _, c := range i.Comments {
			comments.WriteString(c)
		}
	}
	wants(t, "the comment", comments.String(), "an indicator of “Kraken", "of the board, seen 1 times", "Severity: Low → High: an indicator", "Indicators, 203.0.113.7: Threat", "VIP, ana@contoso.example: Position")
	if strings.Contains(comments.String(), "CEO <b>") || strings.Contains(comments.String(), "](https://evil") {
		t.Errorf("the comment takes what a log says for its own: %s", comments.String())
	}
}
