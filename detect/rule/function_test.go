package rule

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const asimParser = `Parser:
  Title: Prompts
ParserName: vimPrompts
EquivalentBuiltInParser: _Im_Prompts_Entra
ParserParams:
  - Name: starttime
    Type: datetime
    Default: datetime(null)
  - Name: eventresult
    Type: string
    Default: '*'
  - Name: quoted
    Type: string
    Default: "'x'"
  - Name: disabled
    Type: bool
    Default: false
  - Name: least
    Type: int
ParserQuery: |
  SigninLogs
  | where not(disabled)
`

func TestParseFunctions(t *testing.T) {
	t.Parallel()
	searches := templateOf(`{"type": "Microsoft.OperationalInsights/workspaces/savedSearches", "name": "[concat(parameters('workspace'), '/p')]", "properties": {
		"category": "ASIM", "displayName": "P", "FunctionAlias": "vimPrompts", "query": "SigninLogs\n| take 1", "version": 1, "functionParameters": "disabled:bool=False"}},
		{"type": "Microsoft.OperationalInsights/workspaces/savedSearches", "name": "q", "properties": {"category": "Hunting Queries", "displayName": "Q", "query": "T"}},
		{"type": "Microsoft.OperationalInsights/workspaces", "name": "w", "resources": [{"type": "savedSearches", "name": "c", "properties": {"functionAlias": "[variables('alias')]", "query": "T"}}]}`)
	searches = strings.Replace(searches, `"parameters": {`, `"variables": {"alias": "child"}, "parameters": {`, 1)
	type fn struct {
		names, parameters, body, at, place string // the last is of the body's second line
	}
	tests := map[string]struct {
		file, text string
		want       []fn
	}{
		"ASIM": {"p.yaml", asimParser, []fn{{
			"vimPrompts _Im_Prompts_Entra", `starttime:datetime=datetime(null), eventresult:string="*", quoted:string='x', disabled:bool=false, least:int`,
			"SigninLogs\n| where not(disabled)\n", "p.yaml:3:13", "p.yaml:22:5",
		}}},
		"a function of the library": {
			"f.yaml", "FunctionName: _ASIM_ResolveFQDN\nFunctionParams:\n  - {Name: T, Type: 'table:(*)'}\n  - {Name: U, Type: table}\n  - {Name: field, Type: string}\nFunctionQuery: T\n",
			[]fn{{"_ASIM_ResolveFQDN", "T:(*), U:(*), field:string", "T", "f.yaml:1:15", "f.yaml:6:17"}},
		},
		"a template": {"a.json", searches, []fn{
			{"vimPrompts", "disabled:bool=False", "SigninLogs\n| take 1", "a.json:2:99", "a.json:3:98"},
			{"child", "", "T", "a.json:5:83", "a.json:5:189"},
		}},
		"the API":             {"l.json", `{"value": [{"id": "x", "properties": {"functionAlias": "f", "query": "T"}}, {"id": "y", "properties": {"query": "T"}}]}`, []fn{{"f", "", "T", "l.json:1:12", "l.json:1:72"}}},
		"the CLI":             {"l.json", `[{"functionAlias": "f", "functionParameters": null, "query": "T"}]`, []fn{{"f", "", "T", "l.json:1:2", "l.json:1:64"}}},
		"a query":             {"odd/name_of_it.kql", "// says (what\nT\n| where a == '}'\n", []fn{{"name_of_it", "", "T\n| where a == '}'\n", "odd/name_of_it.kql:2:1", "odd/name_of_it.kql:3:3"}}},
		"with let statements": {"q.kql", "let a = (x:long) { x };\nprint a(1)", []fn{{"q", "", "let a = (x:long) { x };\nprint a(1)", "q.kql:1:1", "q.kql:2:3"}}},
		"let":                 {"q.kql", "let f = (x:long = 2, s:string = \")\\\"\") {\n  print x // }\n};\n// end\n", []fn{{"f", "x:long = 2, s:string = \")\\\"\"", "\n  print x // }\n", "q.kql:1:1", "q.kql:2:3"}}},
		"let with a helper": {
			"q.kql", "let helper = (x:string) { toupper(x) }; // {;\nlet f = (u:string) {\n  print helper(u) }; ;\n",
			[]fn{{"f", "u:string", "let helper = (x:string) { toupper(x) }; // {;\n\n  print helper(u) ", "q.kql:2:1", "q.kql:2:21"}},
		},
		"let with several helpers": {
			"q.kql", "// of f\nlet a = \"; let b = () {\";\n// b\nlet b = SigninLogs | where x has @'\\';;let f = view (T:(b:long, a:string), s:string=\", a:\") { b | where y == a };",
			[]fn{{"f", "T:(b:long, a:string), s:string=\", a:\"", "let a = \"; let b = () {\";\n// b\nlet b = SigninLogs | where x has @'\\';; b | where y == a ", "q.kql:4:40", "q.kql:3:3"}},
		},
		"let of values": {"q.kql", "let a = 1;\nlet b = 2;", []fn{{"q", "", "let a = 1;\nlet b = 2;", "q.kql:1:1", "q.kql:2:3"}}},
		"a query of a function": {
			"q.kql", "let a = (x:long) { x };\nlet b = (x:long) { x };\nprint a(b(1))",
			[]fn{{"q", "", "let a = (x:long) { x };\nlet b = (x:long) { x };\nprint a(b(1))", "q.kql:1:1", "q.kql:2:3"}},
		},
		"a lambda": {"f.kql", "(T:(*)) {\n T }", []fn{{"f", "T:(*)", "\n T ", "f.kql:1:1", "f.kql:2:3"}}},
		"a command": {
			"x.kql", ".create-or-alter function with (folder = 'a', docstring = \"b\") ['Prompts'](since:timespan) {\nT\n}\n",
			[]fn{{"Prompts", "since:timespan", "\nT\n", "x.kql:1:1", "x.kql:2:2"}},
		},
		"a table in parentheses": {"t.kql", "(T | take 1)\n| count", []fn{{"t", "", "(T | take 1)\n| count", "t.kql:1:1", "t.kql:2:3"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			functions, problems := ParseFunctions(test.file, []byte(test.text))
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			var got []fn
			for _, f := range functions {
				got = append(got, fn{strings.Join(f.Names, " "), f.Parameters, f.Body.Text, f.Place(0, 0), f.Place(2, 3)})
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(fn{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseFunctionsProblems(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ file, text, want string }{
		"no name":       {"p.yaml", "ParserQuery: T\n", "p.yaml:1:1: FunctionName is missing: it is what queries call the function by (ParserName, of a parser)"},
		"no query":      {"p.yaml", "FunctionName: f\nParserQuery: [a]\n", "p.yaml:1:1: ParserQuery has no text: it is the function's query"},
		"empty":         {"p.yaml", "FunctionName: f\nParserQuery: ' '\n", "p.yaml:1:15: the query of f is empty"},
		"bad name":      {"p.yaml", "FunctionName: f-g\nParserQuery: T\n", `p.yaml:1:15: "f-g" is no name of a function: it begins with a letter or _ and has only letters, digits and _`},
		"parameter":     {"p.yaml", "FunctionName: f\nParserParams: [{Name: a}]\nParserQuery: T\n", "p.yaml:2:16: a parameter lacks its Name or its Type: write both, such as Name: starttime and Type: datetime"},
		"parameters":    {"p.yaml", "FunctionName: f\nParserParams: a\nParserQuery: T\n", `p.yaml:2:15: ParserParams is the single value "a": it must be a list of Name, Type and Default`},
		"open":          {"f.kql", "let f = (a:long) { T", "f.kql:1:1: the function is not (parameters) { query }: close its parentheses and braces"},
		"open helper":   {"f.kql", "let g = (a:long) { T;\nlet f = (a:long) { T };", "f.kql:1:1: the function is not (parameters) { query }: close its parentheses and braces"},
		"open below":    {"f.kql", "let g = (a:long) { T };\n let f = (a:long) { T", "f.kql:2:2: the function is not (parameters) { query }: close its parentheses and braces"},
		"hidden":        {"f.kql", "let g = 1;\n let a = 1;\nlet f = (b:string=\"a:\", a:long) { T }", "f.kql:2:2: a is also a parameter of the function: rename one of them"},
		"file name":     {"my parser.kql", "T", `my parser.kql: "my parser" is no name of a function: call the file NAME.kql, or write let NAME = (parameters) { query }`},
		"nothing in it": {"f.kql", "// T\n", "f.kql: the query is empty"},
		"expression":    {"a.json", templateOf(`{"type": "x/savedSearches", "properties": {"functionAlias": "[parameters('x')]", "query": "T"}}`), `a.json:2:126: functionAlias is the expression "[parameters('x')]", which only a deployment can work out: write the value, or give the parameter a defaultValue`},
	} {
		functions, problems := ParseFunctions(test.file, []byte(test.text))
		if len(functions) > 0 || len(problems) != 1 || problems[0].String() != test.want {
			t.Errorf("%s: %d functions\ngot  %v\nwant %s", name, len(functions), problems, test.want)
		}
	}
}

func TestLoadFunctions(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"b/f.kql": "T", "a.yaml": asimParser, "note.md": "# no", ".git/x.kql": "T", "rule.yaml": scheduled, "bad.kql": "",
	})
	functions, problems := LoadFunctions(dir)
	var names []string
	for _, f := range functions {
		names = append(names, f.Names[0])
	}
	if diff := cmp.Diff([]string{"vimPrompts", "f"}, names); diff != "" {
		t.Errorf("functions (-want +got):\n%s", diff)
	}
	if len(problems) != 1 || problems[0].File != filepath.Join(dir, "bad.kql") {
		t.Errorf("problems: %v", problems)
	}
	functions, problems = LoadFunctions(filepath.Join(dir, "rule.yaml"))
	want := []Problem{{File: filepath.Join(dir, "rule.yaml"), Message: "there is no function here: functions are files that end in .kql, .yaml, .yml or .json"}}
	if diff := cmp.Diff(want, problems, cmpopts.EquateEmpty()); diff != "" || len(functions) > 0 {
		t.Errorf("no function: (-want +got):\n%s", diff)
	}
}
