package kql

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func saved(t *testing.T, list ...Function) *Functions {
	t.Helper()
	for i := range list {
		name := list[i].Names[0]
		list[i].Place = func(line, column int) string { return fmt.Sprintf("%s.kql:%d:%d", name, line, column) }
	}
	f, twins := NewFunctions(list...)
	if len(twins) > 0 {
		t.Fatal(twins)
	}
	return f
}

// library are functions as a workspace has them.
func library(t *testing.T) *Functions {
	return saved(t,
		Function{Names: []string{"vimPrompts", "_Im_Prompts_Entra"}, Parameters: "starttime:datetime=datetime(null), user_has_any:dynamic=dynamic([]), disabled:bool=False, least:int=0", Body: `
			let parser = (starttime:datetime=datetime(null), user_has_any:dynamic=dynamic([]), disabled:bool=false) {
				Prompts
				| where not(disabled) and (isnull(starttime) or Time >= starttime)
				| where array_length(user_has_any) == 0 or User has_any (user_has_any)
			};
			parser(starttime=starttime, user_has_any=user_has_any, disabled=disabled) | where Count >= least // the end`},
		Function{Names: []string{"imPrompts"}, Parameters: "user_has_any:dynamic=dynamic([]), pack:bool=false", Body: `
			let Count = 7; // none of the caller's business
			union isfuzzy=true vimPromptsEmpty, vimPrompts(user_has_any=user_has_any), vimGone(disabled=false)`},
		Function{Names: []string{"vimPromptsEmpty"}, Body: "datatable(Time:datetime, User:string, Count:long)[]"},
		Function{Names: []string{"named"}, Parameters: "T:(User:string), prefix:string", Body: "T | where User startswith prefix"},
		Function{Names: []string{"twice"}, Parameters: "x:long, factor:long=2", Body: "x * factor"},
		Function{Names: []string{"again"}, Body: "Prompts | where Count > twice(1) | union other"},
		Function{Names: []string{"other"}, Body: "again"},
		Function{Names: []string{"broken"}, Body: "Prompts\n| where (Count"},
		Function{Names: []string{"escaped"}, Body: "Prompts } ; let x = () { Prompts"},
		Function{Names: []string{"badColumn"}, Body: "Prompts\n| where Cuont > 1"},
		Function{Names: []string{"wraps"}, Body: "let a = 1;\n  badColumn | take a"},
		Function{Names: []string{"badParameter"}, Parameters: "x:number", Body: "Prompts"},
		Function{Names: []string{"badDefault"}, Parameters: "x:long=nothing", Body: "Prompts | take x"},
	)
}

func prompts() *Table {
	b := NewTableBuilder("Prompts", Schema{{"Time", DateTime}, {"User", String}, {"Count", Long}})
	for i, user := range []string{"ada", "bob", "adam"} {
		b.SetTime(0, time.Date(2026, 3, 17, 9+i, 0, 0, 0, time.UTC))
		b.SetString(1, []byte(user))
		b.SetLong(2, int64(i))
		b.Commit()
	}
	return b.Build()
}

func TestSavedFunctions(t *testing.T) {
	t.Parallel()
	db := NewDatabase(prompts())
	db.Functions = library(t)
	tests := map[string]struct{ query, want string }{
		"by name alone":           {"vimPrompts | count", "3"},
		"built-in name":           {"_Im_Prompts_Entra() | count", "3"},
		"by position":             {"vimPrompts(datetime(2026-03-17 10:00)) | project User", "bob adam"},
		"by name":                 {"vimPrompts(least=1, user_has_any=dynamic(['adam'])) | project User", "adam"},
		"position, then name":     {"vimPrompts(datetime(2026-03-17 10:00), least=2) | project User", "adam"},
		"default of a bool":       {"vimPrompts(disabled=true) | count", "0"},
		"function in a function":  {"imPrompts(user_has_any=dynamic(['ada'])) | project User", "ada"},
		"as a leg of a union":     {"union vimPrompts, vimPromptsEmpty | count", "3"},
		"invoke":                  {"Prompts | invoke named('ad') | project User", "ada adam"},
		"scalar":                  {"print twice(4), twice(factor=5, x=4)", "8 20"},
		"scalar of a row":         {"Prompts | project twice(Count)", "0 2 4"},
		"a let statement first":   {"let vimPrompts = () { Prompts | take 1 }; vimPrompts | count", "1"},
		"not what the query lets": {"let Prompts2 = 1; let User = 'x'; vimPrompts | count", "3"},
		"twice in a query":        {"vimPrompts | join kind=inner (vimPrompts(least=1)) on User | project User", "bob adam"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := Run(t.Context(), test.query, db, Options{Now: time.Unix(0, 0)})
			if err != nil {
				t.Fatal(err)
			}
			var cells []string
			for row := range table.Rows() {
				for col := range table.Schema() {
					cells = append(cells, table.Value(row, col).String())
				}
			}
			if got := strings.Join(cells, " "); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestSavedFunctionProblems(t *testing.T) {
	t.Parallel()
	functions := library(t)
	tests := map[string]struct{ query, want string }{
		"recursion": {"\nagain | take 1", "line 2, column 1: in the saved function again, again.kql:1:42: in the saved function other, other.kql:1:1: the saved function again calls itself: a function cannot"},
		"syntax":    {"broken", `line 1, column 1: in the saved function broken, broken.kql:3:1: unexpected "}"; expected ")" to close the parenthesis`},
		"more than a function": {
			"Prompts | join escaped on User", `line 1, column 16: in the saved function escaped, escaped.kql:1:11: unexpected ";"; expected one query, with its parentheses and braces closed`,
		},
		"column":        {"Prompts | union badColumn", "line 1, column 17: in the saved function badColumn, badColumn.kql:2:9: Failed to resolve column or scalar expression named 'Cuont'; did you mean 'Count'?"},
		"in a function": {"wraps()", "line 1, column 1: in the saved function wraps, wraps.kql:2:3: in the saved function badColumn, badColumn.kql:2:9: Failed to resolve column or scalar expression named 'Cuont'; did you mean 'Count'?"},
		"parameter":     {"badParameter(1)", `line 1, column 1: in the saved function badParameter, badParameter.kql:0:0: unexpected "number"; expected a type: bool, datetime, decimal, dynamic, guid, int, long, real, string or timespan`},
		"default":       {"badDefault", `line 1, column 1: in the saved function badDefault, badDefault.kql:0:0: Failed to resolve column or scalar expression named 'nothing'`},
		"argument":      {"vimPrompts(nme=1)", "line 1, column 12: vimPrompts() has no parameter 'nme'"},
		"too many":      {"vimPromptsEmpty(1)", "line 1, column 1: vimPromptsEmpty() takes 0 arguments and got 1"},
		"one lacks":     {"print twice()", "line 1, column 7: twice() lacks its argument 'x'"},
		"type":          {"print twice('a')", "line 1, column 13: a long is expected here, and this is a string: tolong() converts"},

		"ASIM":            {"_Im_Dns(starttime=ago(1h)) | take 1", "line 1, column 1: '_Im_Dns' is an ASIM parser, a function that is saved in the workspace: give its text by --functions DIR"},
		"ASIM by name":    {"imDns | take 1", "line 1, column 1: 'imDns' is an ASIM parser, a function that is saved in the workspace: give its text by --functions DIR"},
		"ASIM by invoke":  {"Prompts | invoke _ASIM_ResolveDvcFQDN('User')", "line 1, column 18: '_ASIM_ResolveDvcFQDN' is an ASIM parser, a function that is saved in the workspace: give its text by --functions DIR"},
		"another":         {"Contoso_Parse(since=1d) | take 1", "line 1, column 1: Unknown function: 'Contoso_Parse'; if it is saved in the workspace, give its text by --functions DIR"},
		"misspelt":        {"print twise(1)", "line 1, column 7: Unknown function: 'twise'; did you mean 'twice'?"},
		"a scalar by far": {"print Contoso_Parse(since=1d)", "line 1, column 7: Unknown function: 'Contoso_Parse'; if it is saved in the workspace, give its text by --functions DIR"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Catalog{Tables: map[string]Schema{"Prompts": prompts().Schema()}, Functions: functions}.Check(test.query)
			var e *Error
			if !errors.As(err, &e) || e.Error() != test.want {
				t.Errorf("got  %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestNamedTablesOfFunctions(t *testing.T) {
	t.Parallel()
	functions := saved(t,
		Function{Names: []string{"parse"}, Parameters: "T:(*)", Body: "T | join (Syslog) on Computer | join (Mine_CL) on Computer"},
		Function{Names: []string{"outer"}, Body: "Heartbeat | invoke parse()"},
		Function{Names: []string{"strict"}, Parameters: "T:(Nope:string), n:long=2", Body: "T | extend N = n"},
		Function{Names: []string{"known"}, Body: "SigninLogs | where ResultType == 0"},
	)
	for query, want := range map[string][]string{
		"outer | take 1":                {"Heartbeat", "Mine_CL", "Syslog"},
		"known | union Other_CL":        {"Other_CL", "SigninLogs"},
		"known":                         {"SigninLogs"},
		"print known = 1":               nil,
		"let known = 1; Heartbeat_CL":   {"Heartbeat_CL", "SigninLogs"}, // what hides a function is not looked at
		"Heartbeat | invoke parse()":    {"Heartbeat", "Mine_CL", "Syslog"},
		"Usage | invoke nothing_here()": {"Usage"},
		// A call may be wrong.
		"strict(Usage)": {"Usage"},
		"strict(n=1, T=Usage) | union strict(Mine_CL)":             {"Mine_CL", "Usage"},
		"strict(known, AuditLogs)":                                 {"SigninLogs"},
		"let f = (T:(Nope:string), n:long) { T }; f(n=1, T=Usage)": {"Usage"},
		"let strict = (n:long) { Usage }; strict(Heartbeat)":       {"Usage"},
	} {
		tables, err := Catalog{Functions: functions}.NamedTables(query)
		if diff := cmp.Diff(want, tables); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", query, err, diff)
		}
	}
}

func TestNewFunctionsSaysOfTwins(t *testing.T) {
	t.Parallel()
	place := func(file string) func(int, int) string { return func(int, int) string { return file } }
	f, twins := NewFunctions(
		Function{Names: []string{"a"}, Body: "print 1", Place: place("a.kql")},
		Function{Names: []string{"b", "a"}, Body: "print  1\n", Place: place("b.kql")},
		Function{Names: []string{"b"}, Body: "print 2", Place: place("c.kql")},
	)
	if diff := cmp.Diff([]string{"c.kql: the function b is already at b.kql, which counts: give each a name of its own"}, twins); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b"}, f.Names()); diff != "" || f.byName["b"].Body != "print  1\n" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
