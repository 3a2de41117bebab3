package enrich

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/kql/kqltest"
	"pushback/detect/notify/text"
	"pushback/detect/workspace"
)

// nasty are values that an attacker may have put into a log.
var nasty = []string{
	"", "'", `"`, `\`, `\"`, `"])`, `"]); SigninLogs | take 1 //`, "a\nb", "a\r\nb", "a\u2028b", "a\u2029b", "a\x00b", "a\x7fb", "a\u0085b",
	"```", "`", "//", "/*", "*/", "@\"x\"", "h'secret'", "{{Name}}", "<b>&amp;</b>", "[link](https://example.com)", "\u202eevil", "\u200f\u2066x",
	"\ufeffbom", "\U0001f600", "e\u0301", "\u0130", "$(id)", "%0a", "\\u0022", "\\x22", "datetime(2026-01-01)", "null", "true", " lead and trail ",
	"\t", "\u00a0", "\ue000", "\uffff", strings.Repeat("x", 10_000), strings.Repeat(`"\`, 5_000),
}

func readBack(t testing.TB, c *workspace.Client, texts []string) []string {
	t.Helper()
	q := parseQuery("let Accounts = dynamic([]);\nprint Count = array_length(Accounts), List = Accounts\n")
	text, err := q.bind(map[string]string{"Accounts": listLiteral(texts)})
	if err != nil {
		t.Fatal(err)
	}
	table, err := c.Query(t.Context(), workspace.Query{Text: text, Now: testNow, Start: testNow.Add(-time.Hour), End: testNow})
	if err != nil {
		t.Fatalf("%.500s: %v", text, err)
	}
	if len(table.Rows) != 1 || table.Rows[0][0] != int64(len(texts)) {
		t.Fatalf("%.500s: rows %v, want one of %d texts", text, table.Rows, len(texts))
	}
	got, ok := table.Rows[0][1].(workspace.Dynamic).Elements()
	if !ok {
		t.Fatalf("%.500s: not an array", text)
	}
	return got
}

func TestNastyTextsComeBack(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(nasty, readBack(t, localClient(t), nasty)); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func FuzzBind(f *testing.F) {
	for _, n := range nasty {
		f.Add(n, "b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		want := []string{string([]rune(a)), string([]rune(b))}
		if diff := cmp.Diff(want, readBack(t, localClient(t), []string{a, b})); diff != "" {
			t.Errorf("texts (-want +got):\n%s", diff)
		}
	})
}

// bound gives the text of a query for one account or address.
func bound(t testing.TB, k *kind, id, name string) string {
	t.Helper()
	text, err := k.query.bind(map[string]string{"From": timeLiteral(testNow.Add(-time.Hour)), "To": timeLiteral(testNow), "Since": timeLiteral(testNow),
		"AccountIds": listLiteral([]string{id}), "Accounts": listLiteral([]string{name}), "Addresses": listLiteral([]string{name}), "Spellings": listLiteral([]string{name}), "Parts": listLiteral([]string{name}), "HasParts": "true", "OnlyWhether": "false"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whatever is bound, every query means to the official parser what it means
// without: no diagnostics, and the same columns.
func TestOfficialParserReadsWhatIsBound(t *testing.T) {
	t.Parallel()
	var queries []string
	for _, n := range append([]string{"plain"}, nasty...) {
		for _, k := range kinds() {
			queries = append(queries, bound(t, k, n, n))
		}
	}
	tables := map[string][]kqltest.Column{}
	for name, schema := range kql.KnownTables() {
		for _, c := range schema {
			tables[name] = append(tables[name], kqltest.Column{Name: c.Name, Type: c.Type.String()})
		}
	}
	verdicts := kqltest.Ask(t, tables, queries)
	for i, v := range verdicts {
		for _, d := range v.Diagnostics {
			t.Errorf("%.300s: %s: %s", queries[i], d.Code, d.Message)
		}
		if plain := verdicts[i%len(kinds())].Columns; !slices.Equal(v.Columns, plain) {
			t.Errorf("%.300s: columns %v, want %v", queries[i], v.Columns, plain)
		}
	}
}

// Each query must narrow its table down by time and by entity right behind its
// name, before anything that costs.
func TestQueriesFilterFirst(t *testing.T) {
	const services = "AADServicePrincipalSignInLogs"
	t.Parallel()
	for _, k := range kinds() {
		text := bound(t, k, "the-id", "the-name")
		s, err := (kql.Catalog{Tables: kql.KnownTables()}).Check(text)
		if err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		tables := map[string][]string{"Identity": {"IdentityInfo"}, "UEBA of the account": {"BehaviorAnalytics"}, "UEBA of the address": {"BehaviorAnalytics"},
			aftermath: {"SigninLogs", nonInteractive, services}}[k.Name]
		if tables == nil {
			tables = []string{"SigninLogs"}
		}
		if len(k.Tables) > 0 {
			tables = nil
			for _, t := range k.Tables {
				tables = append(tables, t.Table)
			}
		}
		if reads := slices.Sorted(maps.Keys(s.Reads)); !slices.Equal(reads, slices.Sorted(slices.Values(tables))) {
			t.Errorf("%s reads %v, want %v alone", k.Name, reads, tables)
		}
		plan, err := (kql.Catalog{Tables: kql.KnownTables()}).Explain(text, testNow)
		if err != nil {
			t.Fatal(err)
		}
		// The plan is read from its end: each scan, then what comes next.
		verbs := []string{"where ", "scan ", "project ", "summarize ", "mv-expand ", "mv-apply ", "join ", "extend ", "sort ", "union", "table "}
		var operators []string
		for _, line := range slices.Backward(strings.Split(plan, "\n")) {
			line = strings.TrimSpace(line)
			if slices.ContainsFunc(verbs, func(verb string) bool { return strings.HasPrefix(line, verb) }) {
				operators = append(operators, line)
			}
		}
		want := []string{"TimeGenerated >= datetime(", "TimeGenerated <", "the-name"}
		if k.isOf("Account") {
			want = append(want, "the-id")
		}
		scanned := map[string]int{}
		for i, scan := range operators {
			table, ok := strings.CutPrefix(scan, "scan ")
			filters := ""
			for _, o := range operators[i+1:] {
				if !strings.HasPrefix(o, "where ") {
					break
				}
				filters += o + "\n"
			}
			if !ok || table == "datatable" || strings.Contains(filters, "where false\n") {
				continue
			}
			// Of a table among others a second scan says that it is there, and visitors
			// are looked for by themselves: there may be very many.
			if scanned[table]++; scanned[table] > 2 || scanned[table] == 2 && len(k.Tables) == 0 && !k.Apart {
				t.Errorf("%s reads %s too often: plan\n%s", k.Name, table, plan)
			}
			for _, w := range want {
				if table == services && w != want[0] { // they have sessions, and no accounts
					continue
				}
				if !strings.Contains(filters, w) {
					t.Errorf("%s: it filters %s by %s first, want %s\n%s", k.Name, table, filters, w, plan)
				}
			}
		}
		if len(scanned) != len(tables) {
			t.Errorf("%s scans %v, want %v: plan\n%s", k.Name, scanned, tables, plan)
		}
	}
}

// The number of queries depends on the kinds of context, not on the number of
// alerts, until a list is full.
func TestQueriesAreBatched(t *testing.T) {
	t.Parallel()
	client := localClient(t, tableOf(t, "SigninLogs"), tableOf(t, "IdentityInfo"), tableOf(t, "BehaviorAnalytics"), tableOf(t, "AuditLogs"))
	for _, test := range []struct{ alerts, most, want int }{{1, 5000, 7}, {100, 5000, 7}, {5000, 5000, 7}, {5000, 2500, 14}, {0, 5000, 0}} {
		alerts := make([]alert.Alert, test.alerts)
		for i := range alerts {
			alerts[i] = pushback()
			alerts[i].Entities = []alert.Entity{
				{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: fmt.Sprintf("user%d", i)}, {Identifier: "UPNSuffix", Value: "contoso.example"}}},
				{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: fmt.Sprintf("2001:db8::%x", i)}}},
			}
		}
		config := DefaultConfig()
		config.MostEntities = test.most
		asked := &counting{Querier: client}
		New(config, asked).Enrich(t.Context(), alerts, testNow)
		if len(asked.texts) != test.want {
			t.Errorf("%d alerts, lists of %d: %d queries, want %d", test.alerts, test.most, len(asked.texts), test.want)
		}
		for _, a := range alerts {
			if a.Context == nil {
				t.Fatalf("an alert of %d has no context", test.alerts)
			}
		}
	}
}

// A workspace with SigninLogs alone gives context from it, and says what is
// missing.
func TestOnlySignInLogs(t *testing.T) {
	t.Parallel()
	alerts := []alert.Alert{pushback()}
	client := clientOf(t, tableOf(t, "SigninLogs", rejected("10:00:00", nil), success("10:03:00", nil)))
	warnings := New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow)
	want := []string{
		"Identity: not available, table IdentityInfo does not exist",
		"UEBA of the account: not available, table BehaviorAnalytics does not exist",
		"UEBA of the address: not available, table BehaviorAnalytics does not exist",
		"Changes of the account: not available, table AuditLogs does not exist",
		"Mailbox: not available, table OfficeActivity does not exist",
		"Risk detections: not available, table AADUserRiskEvents does not exist",
		"Non-interactive sign-ins: not available, table AADNonInteractiveUserSignInLogs does not exist",
	}
	if diff := cmp.Diff(want, alerts[0].Context.Unavailable); diff != "" {
		t.Errorf("unavailable (-want +got):\n%s", diff)
	}
	if alerts[0].Context.Failed {
		t.Error("a table that the workspace does not have is taken for a failure")
	}
	if len(warnings) != len(want) || alerts[0].Severity != alert.High {
		t.Errorf("warnings %q, severity %s", warnings, alerts[0].Severity)
	}
}

// What fails is a line, of that kind alone, and on one line.
func TestQueryFails(t *testing.T) {
	t.Parallel()
	alerts := []alert.Alert{pushback()}
	asked := &counting{Querier: localClient(t, allTables(t, tableOf(t, "SigninLogs", rejected("10:00:00", nil)))...)}
	asked.fail = func(q workspace.Query) error {
		if q.RuleVersion == "history" {
			return errors.New("the service\nis on fire " + strings.Repeat("x", 1000))
		}
		return nil
	}
	New(DefaultConfig(), asked).Enrich(t.Context(), alerts, testNow)
	u := alerts[0].Context.Unavailable
	if len(u) != 1 || !strings.HasPrefix(u[0], "Sign-ins before: not available, the service is on fire xxx") || len(u[0]) > 400 {
		t.Errorf("unavailable: %q", u)
	}
	if !alerts[0].Context.Failed {
		t.Error("the context does not say that something failed")
	}
}

// Hostile names go through every query and come out as they were.
func TestHostileEntities(t *testing.T) {
	t.Parallel()
	for _, n := range nasty {
		if strings.TrimSpace(n) == "" || n != strings.TrimSpace(n) || strings.Contains(n, "\u0130") {
			continue // space around a name is not kept, and the dotted I has two lower cases
		}
		a := pushback()
		a.Entities[0].Fields = []alert.Field{{Identifier: "FullName", Value: n}}
		who := record{"UserPrincipalName": n, "UserId": "x", "AppDisplayName": n}
		client := localClient(t, allTables(t, tableOf(t, "SigninLogs", rejected("10:00:00", who), success("10:03:00", who)))...)
		alerts := []alert.Alert{a}
		if w := New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow); w != nil {
			t.Fatalf("%.50q: %.300q", n, w)
		}
		f := alerts[0].Context.Findings
		if len(f) != 1 || f[0].Kind != alert.FoundSuccessSameIP || !strings.HasSuffix(f[0].Text, "("+text.Quoted(n)+")") {
			t.Errorf("%.50q: findings %.300v", n, f)
		}
	}
}

// A query names the kinds of moments as Go does: one that it misspells would say
// nothing of what happened.
func TestKindsInQueries(t *testing.T) {
	t.Parallel()
	known := []alert.MomentKind{alert.MomentRejected, alert.MomentPrompt, alert.MomentSuccess}
	kindOf := regexp.MustCompile(`Kind (?:==|!=) "([^"]*)"`)
	cases := regexp.MustCompile(`(?s)extend Kind = case\((.*?)\)\n`)
	result := regexp.MustCompile(`, "([^"]*)"|^\s*"([^"]*)"$`)
	all := map[alert.MomentKind]bool{}
	for _, k := range kinds() {
		var named []string
		for _, m := range kindOf.FindAllStringSubmatch(k.query.text, -1) {
			named = append(named, m[1])
		}
		for _, c := range cases.FindAllStringSubmatch(k.query.text, -1) {
			for line := range strings.SplitSeq(c[1], "\n") {
				for _, m := range result.FindAllStringSubmatch(line, -1) {
					named = append(named, m[1]+m[2])
				}
			}
		}
		for _, name := range named {
			if !slices.Contains(known, alert.MomentKind(name)) {
				t.Errorf("%s names the kind %q, which is none of %q", k.query.name, name, known)
			}
			all[alert.MomentKind(name)] = true
		}
	}
	if len(all) != len(known) {
		t.Errorf("the queries name %v of %q", all, known)
	}
	// And a finding, where a query names one.
	finding := regexp.MustCompile(`"([a-z]+(?:-[a-z]+)+)"`)
	for _, k := range kinds() {
		for _, m := range finding.FindAllStringSubmatch(k.query.text, -1) {
			if !slices.Contains(alert.FindingKinds(), alert.FindingKind(m[1])) {
				t.Errorf("%s names the finding %q", k.query.name, m[1])
			}
		}
	}
}
