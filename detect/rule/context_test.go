package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

const contextRule = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Events
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: SigninLogs | take 1
entityMappings:
  - entityType: Account
    fieldMappings: [{identifier: FullName, columnName: UserPrincipalName}]
pushback:
  context:
    - name: VIP
      query: |
        SigninLogs
        | where UserPrincipalName in~ (Accounts)
      key: {entity: Account, column: User}
      facts: {Sign-ins: Seen, Last: At}
      findings:
        - {kind: seen-often, when: Often, text: "seen {{Seen}} times", severity: high}
`

func TestContext(t *testing.T) {
	t.Parallel()
	text := strings.Replace(contextRule, "    - name: VIP\n", "    - name: VIP\n      queryPeriod: P30D\n", 1)
	r, problems := Parse("r.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []Context{{
		Name: "VIP", Query: Query{Text: "SigninLogs\n| where UserPrincipalName in~ (Accounts)\n"}, Period: 30 * 24 * time.Hour,
		Key: ContextKey{"Account", "User"}, Facts: []ContextFact{{"Sign-ins", "Seen"}, {"Last", "At"}},
		Findings: []ContextFinding{{Kind: "seen-often", When: "Often", Text: formatOf("seen {{Seen}} times"), Severity: SeverityChange{To: alert.High}}},
	}}
	if diff := cmp.Diff(want, r.Context, compareRules, cmp.AllowUnexported(Format{}, formatPart{})); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
	if line, column := r.Context[0].Query.Locate(2, 3); line != 18 || column != 11 {
		t.Errorf("the second line of the query is at %d:%d", line, column)
	}
	var uses []string
	for _, u := range r.Context[0].Columns() {
		uses = append(uses, Problem{File: u.Column, Line: u.Line, Column: u.Col, Message: u.Use, Warning: u.Bool}.String())
	}
	wantUses := []string{"User:19:38: context VIP: key", "Seen:20:25: context VIP: the fact Sign-ins", "At:20:37: context VIP: the fact Last",
		"Often:22:36: warning: context VIP: the finding seen-often", "Seen:22:49: context VIP: the text of the finding seen-often"}
	if diff := cmp.Diff(wantUses, uses); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}

func TestContextProblems(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		pairs []string
		want  string
	}{
		{"an unknown entity", []string{"entity: Account", "entity: Acount"}, `r.yaml:18:21: entity is "Acount": did you mean "Account"?`},
		{"an entity of Sentinel's that has no list", []string{"entity: Account", "entity: Mailbox"}, `r.yaml:18:21: entity is "Mailbox": use Account, IP, Host, URL or FileHash`},
		{"no key", []string{"      key: {entity: Account, column: User}\n", ""}, "r.yaml:14:7: key is missing: say which column holds the entities, such as {entity: Account, column: User}"},
		{"no column", []string{", column: User", ""}, "r.yaml:18:12: column is missing: name the column of the query's result that holds the entity"},
		{"an entity that is not mapped", []string{"entity: Account", "entity: Host"}, `r.yaml:18:21: warning: the context "VIP" is about Host entities, and entityMappings has none: it looks up nothing`},
		{"a name with marks", []string{"name: VIP", "name: '**VIP**'"}, `r.yaml:14:13: the context's name is "**VIP**": use at most 40 letters, digits, spaces, dots, dashes and underscores, and begin with a letter or digit`},
		{"a name of ours", []string{"name: VIP", "name: identity"}, `r.yaml:14:13: the name "Identity" is that of what alerts have already: give the context a name of its own`},
		{"a kind of ours", []string{"seen-often", "bombing"}, "r.yaml:21:18: bombing is a kind of finding that Pushback has itself: give yours another name"},
		{"a kind in words", []string{"kind: seen-often", "kind: seen often"}, `r.yaml:21:18: the kind of a finding is "seen often": use at most 40 small letters, digits and dashes between them, such as seen-often`},
		{"a format", []string{"{{Seen}}", "{{Seen"}, `r.yaml:21:49: text: the {{ before "Seen times" has no }}: write {{Column}}`},
		{"a severity", []string{"severity: high", "severity: hihg"}, `r.yaml:21:82: severity is "hihg": use the least severity that the alert is to have, High, Medium or Low, or +1 to +3 or -1 to -3 steps`},
		{"many steps", []string{"severity: high", "severity: +9"}, `r.yaml:21:82: severity is "+9": use the least severity that the alert is to have, High, Medium or Low, or +1 to +3 or -1 to -3 steps`},
		{"nothing to say", []string{"      facts: {Sign-ins: Seen, Last: At}\n", "", "      findings:\n        - {kind: seen-often, when: Often, text: \"seen {{Seen}} times\", severity: high}\n", ""}, `r.yaml:14:7: the context "VIP" says nothing: give it facts, findings or both`},
		{"a label with marks", []string{"Sign-ins:", "'[x](y)':"}, `r.yaml:19:15: the label of a fact is "[x](y)": use at most 40 letters, digits, spaces, dots, dashes and underscores, and begin with a letter or digit`},
		{"a label twice", []string{"Last:", "Sign-ins:"}, `r.yaml:19:31: "Sign-ins" is set twice, first on line 19: remove one`},
		{"no list", []string{"  context:\n    - name: VIP", "  context:\n      name: VIP"}, "r.yaml:14:7: context is a mapping: it must be a list, such as [a, b]"},
		{"an empty period", []string{"name: VIP\n", "name: VIP\n      queryPeriod: 0m\n"}, `r.yaml:15:20: queryPeriod is "0m": it must be longer than zero`},
		{"a long period", []string{"name: VIP\n", "name: VIP\n      queryPeriod: 400d\n"}, "r.yaml:15:20: queryPeriod is 400d: use a time of at most 90d, or window for what came since the window began"},
		{"two queries", []string{"name: VIP\n", "name: VIP\n      queryFile: x.kql\n"}, "r.yaml:15:18: query and queryFile are both set: remove one"},
		{"a file outside", []string{"query: |\n        SigninLogs\n        | where UserPrincipalName in~ (Accounts)\n", "queryFile: ../../etc/passwd\n"}, `r.yaml:15:18: queryFile is "../../etc/passwd": name a file in the folder of the rule or below it, such as vip.kql`},
		{"a file elsewhere", []string{"query: |\n        SigninLogs\n        | where UserPrincipalName in~ (Accounts)\n", "queryFile: /etc/passwd\n"}, `r.yaml:15:18: queryFile is "/etc/passwd": name a file in the folder of the rule or below it, such as vip.kql`},
		{"a file that is not there", []string{"query: |\n        SigninLogs\n        | where UserPrincipalName in~ (Accounts)\n", "queryFile: gone.kql\n"}, `r.yaml:15:18: there is no file "gone.kql" in the folder of the rule: put the query there, or write it under query`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			text := contextRule
			for i := 0; i < len(tc.pairs); i += 2 {
				if !strings.Contains(text, tc.pairs[i]) {
					t.Fatalf("%q is not in the rule", tc.pairs[i])
				}
				text = strings.Replace(text, tc.pairs[i], tc.pairs[i+1], 1)
			}
			_, problems := Parse("r.yaml", []byte(text))
			if len(problems) != 1 || problems[0].String() != tc.want {
				t.Errorf("got %v\nwant %s", problems, tc.want)
			}
		})
	}
}

// Names and kinds are the rule's own: a second of one is an error that says where the
// first is.
func TestContextTwice(t *testing.T) {
	t.Parallel()
	_, entry, _ := strings.Cut(contextRule, "  context:\n")
	_, problems := Parse("r.yaml", []byte(contextRule+strings.Replace(entry, "VIP", "vip", 1)))
	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		`r.yaml:22:13: the name "vip" is already that of the context on line 14: give each a name of its own`,
		"r.yaml:29:18: the kind seen-often is already that of the finding on line 21: give each a kind of its own",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	many := contextRule
	for range maxContexts {
		many += strings.NewReplacer("VIP", string(rune('a'+len(many)%26))+strings.Repeat("x", len(many)%37), "seen-often", strings.Repeat("y", len(many)%39+1)).Replace(entry)
	}
	if _, problems := Parse("r.yaml", []byte(many)); !strings.Contains(problems[len(problems)-1].String(), "10 are the most, since each is a query") {
		t.Errorf("of %d contexts: %v", maxContexts+1, problems)
	}
}

// A query in a file beside the rule is read with it, and written with it.
func TestContextFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"r.yaml":          strings.Replace(contextRule, "query: |\n        SigninLogs\n        | where UserPrincipalName in~ (Accounts)\n", "queryFile: queries/vip.kql\n", 1),
		"queries/vip.kql": "\ufefflet Accounts = dynamic(['a']);\r\nSigninLogs\r\n| where UserPrincipalName in~ (Accounts)\r\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, problems := Load(dir)
	if len(problems) > 0 || len(rules) != 1 {
		t.Fatal(problems)
	}
	c := rules[0].Context[0]
	if c.File != filepath.Join(dir, "queries", "vip.kql") || c.Query.Text != "let Accounts = dynamic(['a']);\r\nSigninLogs\r\n| where UserPrincipalName in~ (Accounts)\r\n" {
		t.Errorf("the context is of %q: %q", c.File, c.Query.Text)
	}
	written, err := rules[0].YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, problems := Parse("elsewhere.yaml", written)
	if len(problems) > 0 || again.Context[0].Query.Text != strings.ReplaceAll(c.Query.Text, "\r\n", "\n") {
		t.Errorf("%v\n%s", problems, written)
	}
}

// Cases can expect the kinds that the rule brings, in its file and in the one beside
// it, and no others.
func TestCasesKnowContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "r.yaml")
	inside := contextRule + "  tests:\n    - {name: a, logs: a.csv, expect: [{findings: [seen-often]}]}\n    - {name: b, logs: a.csv, expect: [{findings: [seen-oftn]}]}\n"
	beside := "- {name: c, logs: a.csv, expect: [{findings: [{kind: seen-often, text: 42}, bombing]}]}\n"
	// The order of the keys does not matter.
	inside = strings.Replace(inside, "pushback:\n", "pushback:\n  story: x\n", 1)
	for name, text := range map[string]string{path: inside, filepath.Join(dir, "r.test.yaml"): beside} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, problems := Load(path)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	cases, problems := rules[0].Cases()
	if len(cases) != 2 || len(problems) != 1 || !strings.Contains(problems[0].String(), `the kind of a finding is "seen-oftn": did you mean "seen-often"?`) {
		t.Errorf("%d cases: %v", len(cases), problems)
	}
}
