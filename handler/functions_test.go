package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// parserYAML is a parser in the form in which ASIM's are published.
const parserYAML = `Parser: {Title: Failed sign-ins}
ParserName: vimAuthenticationContoso
EquivalentBuiltInParser: _Im_Authentication_Contoso
ParserParams:
  - {Name: starttime, Type: datetime, Default: datetime(null)}
  - {Name: eventresult, Type: string, Default: '*'}
  - {Name: disabled, Type: bool, Default: false}
ParserQuery: |
  let parser = (starttime:datetime=datetime(null), eventresult:string='*', disabled:bool=false) {
    SigninLogs
    | where not(disabled)
    | extend EventResult = iff(ResultType == '0', 'Success', 'Failure'), TargetUsername = UserPrincipalName
    | where eventresult == '*' or EventResult == eventresult
  };
  parser(starttime=starttime, eventresult=eventresult, disabled=disabled)
`

const parserRule = `id: 11111111-1111-4111-8111-11111111111a
name: Failures
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: |
  imAuthentication(eventresult='Failure')
  | project TimeGenerated, TargetUsername
entityMappings: [{entityType: Account, fieldMappings: [{identifier: FullName, columnName: TargetUsername}]}]
eventGroupingSettings: {aggregationKind: AlertPerResult}
`

func TestFunctions(t *testing.T) {
	t.Parallel()
	write := func(name, text string) string {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	logs := write("SigninLogs.ndjson", `{"TimeGenerated": "2026-03-17T09:10:00Z", "ResultType": "50126", "UserPrincipalName": "ada@contoso.example"}
{"TimeGenerated": "2026-03-17T09:11:00Z", "ResultType": "0", "UserPrincipalName": "bob@contoso.example"}
`)
	rule := write("rule.yaml", parserRule)
	folder := filepath.Dir(write("parser.yaml", parserYAML))
	if err := os.WriteFile(filepath.Join(folder, "imAuthentication.kql"),
		[]byte("let f = (eventresult:string='*') {\n  union isfuzzy=true vimAuthenticationEmpty, vimAuthenticationContoso(eventresult=eventresult), vimAuthenticationGone(disabled=true)\n};"), 0o644); err != nil {
		t.Fatal(err)
	}

	// The file's name is not the function's, which let says.
	if r := handler(t, "replay", "--logs", logs, "--rules", rule, "--functions", folder, "--json"); r.code != exitFailed ||
		!strings.Contains(r.stderr, `the rule "Failures" can not run: `+rule+`:9:3: `) || !strings.Contains(r.stderr, "'imAuthentication' is an ASIM parser, a function that is saved in the workspace: give its text by --functions DIR") {
		t.Errorf("without the function: code %d\n%s", r.code, r.stderr)
	}
	if err := os.WriteFile(filepath.Join(folder, "imAuthentication.kql"),
		[]byte("(eventresult:string='*') {\n  union isfuzzy=true vimAuthenticationEmpty, vimAuthenticationContoso(eventresult=eventresult), vimAuthenticationGone(disabled=true)\n}"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := handler(t, "replay", "--logs", logs, "--rules", rule, "--functions", folder, "--json")
	if alerts := r.alerts(t); len(alerts) != 1 || alerts[0].Entities[0].Fields[0].Value != "ada@contoso.example" {
		t.Errorf("alerts: %s", r.stdout)
	}
	for _, want := range []string{
		`warning: the rule "Failures" runs without the function vimAuthenticationGone, whose text is not given (--functions)`,
		`warning: the rule "Failures" runs without the function vimAuthenticationEmpty, whose text is not given (--functions)`,
	} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("standard error lacks %q:\n%s", want, r.stderr)
		}
	}

	r = handler(t, "query", "--logs", logs, "--functions", folder, "--output", "csv", "_Im_Authentication_Contoso(eventresult='Success') | project TargetUsername")
	if r.code != exitDone || r.stdout != "TargetUsername\nbob@contoso.example\n" {
		t.Errorf("query: code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
	r = handler(t, "query", "--logs", logs, "imAuthentication(eventresult='Failure') | take 1")
	if r.code != exitFailed || !strings.Contains(r.stderr, "1:1: 'imAuthentication' is an ASIM parser") {
		t.Errorf("query without functions: code %d\n%s", r.code, r.stderr)
	}
	r = handler(t, "query", "--functions", filepath.Join(folder, "nowhere"), "print 1")
	if r.code != exitUsage || !strings.Contains(r.stderr, "--functions: "+filepath.Join(folder, "nowhere")+": there is no such file or folder") {
		t.Errorf("a folder that is not there: code %d\n%s", r.code, r.stderr)
	}
	if err := os.WriteFile(filepath.Join(folder, "bad.yaml"), []byte("FunctionName: a b\nParserQuery: T\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r = handler(t, "query", "--logs", logs, "--functions", folder, "--output", "csv", "vimAuthenticationContoso | count")
	if r.code != exitDone || r.stdout != "Count\n2\n" || !strings.Contains(r.stderr, `bad.yaml:1:15: "a b" is no name of a function`) {
		t.Errorf("beside one that is wrong: code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestFunctionsSetting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.kql")
	if err := os.WriteFile(path, []byte("print answer = 42"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv(functionsVariable, path)
	if r := handler(t, "query", "--output", "csv", "f"); r.code != exitDone || r.stdout != "answer\n42\n" {
		t.Errorf("code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}
