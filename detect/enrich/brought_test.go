package enrich

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// bringing is a rule with what its pushback: context: holds.
func bringing(t testing.TB, entries string) *rule.Rule {
	t.Helper()
	const head = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Events
severity: Medium
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: SigninLogs
sentinelEntitiesMappings: [{columnName: Entities}]
pushback:
  context:
`
	r, problems := rule.Parse("rules/own.yaml", []byte(head+entries))
	if r == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// enriched are the alerts with the context that the entries add to ours.
func enriched(t testing.TB, q Querier, entries string, alerts ...alert.Alert) []string {
	t.Helper()
	r := bringing(t, entries)
	config := DefaultConfig()
	config.Brought = BroughtBy([]*rule.Rule{r})
	for i := range alerts {
		alerts[i].RuleID = r.ID
	}
	return New(config, q).Enrich(t.Context(), alerts, testNow)
}

const seenOften = `
    - name: Seen
      query: |
        SigninLogs
        | where UserPrincipalName in~ (Accounts) or UserId in~ (AccountIds)
        | summarize Seen = count(), At = max(TimeGenerated), Apps = make_set(AppDisplayName) by User = tolower(UserPrincipalName)
        | extend Often = Seen > 1, Odd = tostring(Apps[0])
      key: {entity: Account, column: User}
      facts: {Sign-ins: Seen, Last: At, Applications: Apps}
      findings:
        - {kind: seen-often, when: Often, text: "seen {{Seen}} times with {{Odd}}, last {{At}}, {{Apps}}", severity: High}
`

// ownOf are the sections and findings that a rule brings.
func ownOf(c *alert.Context) (own []string) {
	if c == nil {
		return []string{"no context"}
	}
	for _, f := range c.Findings {
		if !slices.Contains(alert.FindingKinds(), f.Kind) {
			own = append(own, fmt.Sprintf("%s: %s | %s", f.Kind, f.Text, f.Brief))
		}
	}
	for _, s := range c.Sections {
		if s.Brought {
			own = append(own, fmt.Sprintf("%s, %s: %v", s.Title, s.Subject, s.Facts))
		}
	}
	for _, s := range c.Steps {
		own = append(own, fmt.Sprintf("%s by %s: %s", s.Severity, s.Kind, s.Text))
	}
	return append(own, c.Unavailable...)
}

func TestBroughtContext(t *testing.T) {
	t.Parallel()
	tables := allTables(t, tableOf(t, "SigninLogs",
		signIn("08:00:00", "50126", "", record{"AppDisplayName": "“Portal”, *approved* {{Seen}}\n[x](https://evil.example)"}),
		signIn("08:10:00", "50126", "", record{"AppDisplayName": "Teams"})))
	for _, tc := range []struct {
		name, entries string
		want          []string
	}{
		{"facts and a finding", seenOften, []string{
			"seen-often: “alice@contoso.example”: seen 2 times with “'Portal', *approved* {{Seen}} [x](https://evil.example)”, last 2026-03-17 08:10:00 UTC, “'Portal', *approved* {{Seen}} [x](https://evil.example)”, “Teams” | seen 2 times with “'Portal', *approved* {{Seen}} [x](https://evil.example)”, last 2026-03-17 08:10:00 UTC, “'Portal', *approved* {{Seen}} [x](https://evil.example)”, “Teams”",
			"Seen, alice@contoso.example: [{Sign-ins [2]} {Last [2026-03-17 08:10:00]} {Applications [“'Portal', *approved* {{Seen}} [x](https://evil.example)” Teams]}]",
			"High by seen-often: seen 2 times with “'Portal', *approved* {{Seen}} [x](https://evil.example)”, last 2026-03-17 08:10:00 UTC, “'Portal', *approved* {{Seen}} [x](https://evil.example)”, “Teams”",
		}},
		{"steps up and down", `
    - name: A
      query: print User = "ALICE@contoso.example", Yes = true, No = false
      key: {entity: Account, column: User}
      findings:
        - {kind: one-up, when: Yes, text: one, severity: +1}
        - {kind: one-down, when: Yes, text: "not alone", severity: -1}
        - {kind: none, when: No, text: never, severity: High}
`, []string{"one-up: “alice@contoso.example”: one | one", "one-down: “alice@contoso.example”: not alone | not alone", "High by one-up: one"}},
		{"one that lowers alone", `
    - name: A
      query: print User = "alice@contoso.example", Yes = true
      key: {entity: Account, column: User}
      findings: [{kind: one-down, when: Yes, text: "{{Yes}}, {{User}}, and nothing else", severity: -1}]
`, []string{"one-down: “alice@contoso.example”: true, “alice@contoso.example”, and nothing else | true, “alice@contoso.example”, and nothing else", "Low by one-down: true, “alice@contoso.example”, and nothing else"}},
		{"by its id, several rows", `
    - name: A
      query: |
        union (print User = "` + aliceID + `", V = "a", Yes = true), (print User = "` + aliceID + `", V = "b", Yes = true), (print User = "somebody", V = "c", Yes = true), (print User = "", V = "d", Yes = true)
      key: {entity: Account, column: User}
      facts: {Values: V}
      findings: [{kind: of-many, when: Yes, text: "of {{V}}"}]
`, []string{"of-many: “alice@contoso.example”: of “a”, and 1 more | of “a”, and 1 more", "A, alice@contoso.example: [{Values [a b]}]"}},
		{"an address in another spelling", `
    - name: Indicators
      query: print IP = "::ffff:203.0.113.9", Is = array_length(Addresses) == 1, Says = ""
      key: {entity: IP, column: IP}
      facts: {Says: Says}
      findings: [{kind: bad-address, when: Is, text: "on a list, {{Says}}", severity: High}]
`, []string{"bad-address: 203.0.113.9: on a list, unknown | on a list, unknown", "High by bad-address: on a list, unknown"}},
		{"no row", `
    - name: A
      query: print User = "bob", Yes = true
      key: {entity: Account, column: User}
      findings: [{kind: x, when: Yes, text: x}]
`, nil},
		{"of none of its entities", `
    - name: A
      query: nonsense that is not asked
      key: {entity: Host, column: User}
      facts: {A: B}
`, nil},
		{"a table that is not there", `
    - name: Indicators
      query: ThreatIntelIndicators | project IP = "", Yes = true
      key: {entity: IP, column: IP}
      facts: {A: Yes}
`, []string{"Indicators: not available, table ThreatIntelIndicators does not exist"}},
		{"a column that is not there", `
    - name: A
      query: print User = "alice@contoso.example"
      key: {entity: Account, column: User}
      facts: {A: Usr}
`, []string{`A: not available, own.yaml:16:18: its result has no column "Usr"`}},
		{"a column that is no bool", `
    - name: A
      query: print User = "alice@contoso.example", Yes = "true"
      key: {entity: Account, column: User}
      findings: [{kind: x, when: Yes, text: x}]
`, []string{`A: not available, own.yaml:16:34: the column "Yes" is of type string, and has to be a bool`}},
		{"a query that is none", `
    - name: A
      query: |
        let Accounts = dynamic(["me"]);
        SigninLogs
        | where UserPrincipalName in~ (Accounts)
        | whre true
      key: {entity: Account, column: User}
      facts: {A: User}
`, []string{`A: not available, own.yaml:18:11: `}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			alerts := []alert.Alert{pushback()}
			warnings := enriched(t, localClient(t, tables...), tc.entries, alerts...)
			got := ownOf(alerts[0].Context)
			if len(tc.want) == 1 && len(got) == 1 && strings.HasSuffix(tc.want[0], ": ") {
				got[0] = got[0][:min(len(got[0]), len(tc.want[0]))]
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
			if isMissing := len(tc.want) == 1 && strings.Contains(tc.want[0], "not available"); isMissing != (len(warnings) == 1) {
				t.Errorf("warnings %q", warnings)
			}
			if c := alerts[0].Context; c.Failed != (len(warnings) == 1 && !strings.Contains(warnings[0], "does not exist")) {
				t.Errorf("failed: %v", c.Failed)
			}
		})
	}
}

// What a rule brings costs a query of its own each, whatever the number of alerts,
// and of a rule that brings nothing none.
func TestBroughtQueries(t *testing.T) {
	t.Parallel()
	client := localClient(t, allTables(t)...)
	of := func(i int) alert.Alert {
		a := pushback()
		a.Entities = []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: fmt.Sprintf("user%d@contoso.example", i)}}},
			{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: fmt.Sprintf("Server%d", i)}, {Identifier: "DnsDomain", Value: "contoso.example"}}},
			{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: "shared"}}},
			{Type: "URL", Fields: []alert.Field{{Identifier: "Url", Value: fmt.Sprintf("https://Contoso.example/%d", i)}}},
			{Type: "FileHash", Fields: []alert.Field{{Identifier: "Algorithm", Value: "SHA256"}, {Identifier: "Value", Value: fmt.Sprintf("AB%d", i)}}},
		}
		return a
	}
	// Each says how many of the other lists its query was given.
	const entries = `
    - name: Pairs
      query: |
        print H = Hosts | mv-expand H to typeof(string) | extend N = array_length(Accounts) | mv-expand U = Accounts to typeof(string)
        | extend A = extract(@"(\d+)", 1, H), B = extract(@"(\d+)", 1, U)
        | where A == B
      key: {entity: Host, column: H}
      facts: {User: U}
    - {name: Link, query: "print U = Urls | mv-expand U to typeof(string)", key: {entity: URL, column: U}, facts: {URL: U}}
    - {name: Hash, query: "print V = Hashes | mv-expand V to typeof(string) | extend V = toupper(V)", key: {entity: FileHash, column: V}, facts: {Hash: V}}
    - {name: List, query: "print U = range(0, 99) | mv-expand U to typeof(string) | extend U = strcat('user', U, '@contoso.example')", key: {entity: Account, column: U}, facts: {User: U}}
`
	for _, tc := range []struct{ alerts, most int }{{1, 5000}, {10, 5000}, {10, 4}} {
		alerts := make([]alert.Alert, tc.alerts)
		for i := range alerts {
			alerts[i] = of(i)
		}
		r := bringing(t, entries)
		config := DefaultConfig()
		config.MostEntities = tc.most
		config.Brought = BroughtBy([]*rule.Rule{r})
		for i := range alerts {
			alerts[i].RuleID = r.ID
		}
		asked := &counting{Querier: client}
		if w := New(config, asked).Enrich(t.Context(), alerts, testNow); len(w) > 0 {
			t.Fatal(w)
		}
		own := 0
		for _, text := range asked.texts {
			if strings.Contains(text, "print ") {
				own++
			}
		}
		if tc.most == 5000 && own != 4 {
			t.Errorf("%d alerts: %d queries of the rule's contexts, want 4", tc.alerts, own)
		}
		for i, a := range alerts {
			want := []string{
				fmt.Sprintf("Pairs, Server%d.contoso.example: [{User [user%d@contoso.example]}]", i, i),
				fmt.Sprintf("Link, https://Contoso.example/%d: [{URL [“https://contoso.example/%d”]}]", i, i),
				fmt.Sprintf("Hash, AB%d: [{Hash [AB%d]}]", i, i),
				fmt.Sprintf("List, user%d@contoso.example: [{User [user%d@contoso.example]}]", i, i),
			}
			if diff := cmp.Diff(want, ownOf(a.Context)); diff != "" {
				t.Errorf("alert %d of %d, lists of %d (-want +got):\n%s", i, tc.alerts, tc.most, diff)
			}
		}
	}
	// Another rule's alerts cost nothing more, and have nothing of it.
	alerts := []alert.Alert{of(1)}
	config := DefaultConfig()
	config.Brought = BroughtBy([]*rule.Rule{bringing(t, entries)})
	asked := &counting{Querier: client}
	New(config, asked).Enrich(t.Context(), alerts, testNow)
	if len(asked.texts) != 5 || len(ownOf(alerts[0].Context)) > 0 {
		t.Errorf("%d queries of a rule that brings nothing, want 5; %v", len(asked.texts), ownOf(alerts[0].Context))
	}
}

// An alert without an account and an address has the context that its rule brings.
func TestBroughtContextOfHosts(t *testing.T) {
	t.Parallel()
	a := pushback()
	a.Entities = []alert.Entity{{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: "Server1"}}}}
	alerts := []alert.Alert{a}
	asked := &counting{Querier: localClient(t)}
	enriched(t, asked, `
    - name: Owner
      query: print Host = "server1", Who = "ana", Yes = true
      key: {entity: Host, column: Host}
      facts: {Owner: Who}
      findings: [{kind: critical-host, when: Yes, text: a critical host, severity: +1}]
`, alerts...)
	want := []string{"critical-host: “Server1”: a critical host | a critical host", "Owner, Server1: [{Owner [ana]}]", "High by critical-host: a critical host"}
	if diff := cmp.Diff(want, ownOf(alerts[0].Context)); diff != "" || len(asked.texts) != 1 {
		t.Errorf("%d queries; context (-want +got):\n%s", len(asked.texts), diff)
	}
}

// The time that a query covers is what its entry says, the end is that of the tick, and
// the values are statements in front of it whatever they are.
func TestBroughtTimes(t *testing.T) {
	t.Parallel()
	for entry, from := range map[string]string{"queryPeriod: 30d": "2026-02-15T10:00:00Z", "queryPeriod: window": "2026-03-17T10:00:00Z", "": "2026-03-03T10:00:00Z"} {
		a := pushback()
		a.Entities = []alert.Entity{{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: `"]); SigninLogs | take 1 //`}}}}
		var q workspace.Query
		asked := &counting{Querier: localClient(t), fail: func(asked workspace.Query) error { q = asked; return errors.New("on fire") }}
		w := enriched(t, asked, "    - name: A\n      "+entry+"\n      query: |\n        let Hosts = dynamic(['me']);\n        print Host = Hosts, From, To\n      key: {entity: Host, column: Host}\n      facts: {A: From}\n", a)
		if len(w) != 1 || w[0] != "context: A: not available, on fire" {
			t.Errorf("warnings %q", w)
		}
		want := "let From = datetime(" + strings.TrimSuffix(from, "Z") + ".0000000Z);\nlet To = datetime(2026-03-17T11:05:00.0000000Z);\n" +
			`let Hosts = dynamic(["\u0022]); signinlogs | take 1 //"]);` + "\nprint Host = Hosts, From, To\n"
		if q.Text != want || !q.Start.Equal(moment(from)) || !q.Now.Equal(testNow) {
			t.Errorf("%q from %s is\n%s\nwant\n%s", entry, q.Start, q.Text, want)
		}
	}
}

// The example of a query is one that the engine takes, and its places are those of the
// file.
func TestExampleOf(t *testing.T) {
	t.Parallel()
	r := bringing(t, "    - name: A\n      query: |\n        // what it is\n        let Hosts = dynamic(['me']);\n        print Host = Hosts, A = Accounts, Addresses, Spellings, Parts, HasParts, Urls, Hashes, AccountIds, From, To, Since\n        | extend Nothing\n      key: {entity: Host, column: Host}\n      facts: {A: Host}\n")
	bound, locate := ExampleOf(r.Context[0])
	_, err := kql.Check(bound, kql.KnownTables())
	e, ok := errors.AsType[*kql.Error](err)
	if !ok {
		t.Fatal(err)
	}
	if _, line, column := locate(e.Line, e.Column); line != 17 || column != 18 {
		t.Errorf("%v of\n%s\nis at %d:%d", e, bound, line, column)
	}
}
