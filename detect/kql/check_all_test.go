package kql

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// All errors of a query are found that do not follow from others, each once and in
// the order of the text.
func TestCheckAll(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, query string
		want        []string // line:column, and the beginning of the message
		columns     string
	}{
		{"none", "SigninLogs | project UserId", nil, "UserId"},
		{"one", "SigninLogs | where Usr == 'x' | project UserId", []string{"1:20 Failed to resolve column or scalar expression named 'Usr'"}, "UserId"},
		{"in one condition", "SigninLogs | where Usr == 'x' and Foo > 3 and UserId == 'y' or strlen(Bar) > 2 | project UserId", []string{
			"1:20 Failed to resolve column or scalar expression named 'Usr'", "1:35 Failed to resolve column or scalar expression named 'Foo'", "1:71 Failed to resolve column or scalar expression named 'Bar'"}, "UserId"},
		{"in several operators", "SigninLogs\n| where Usr == 'x'\n| extend A = tolwer(UserId), B = Nope + 1\n| summarize N = count(), C = max(Xyz) by UserId, A\n| sort by M desc\n| project UserId, N, Q", []string{
			"2:9 Failed to resolve column or scalar expression named 'Usr'", "3:14 Unknown function: 'tolwer'; did you mean 'tolower'?", "3:34 Failed to resolve column or scalar expression named 'Nope'",
			"4:34 Failed to resolve column or scalar expression named 'Xyz'", "5:11 Failed to resolve column or scalar expression named 'M'", "6:22 Failed to resolve column or scalar expression named 'Q'"}, "UserId N Q"},
		{"what follows is left out", "SigninLogs | extend A = nope(UserId) | where A > 3 and A has 'x' | extend B = A + 1 | where strcat(B, A) == 4 and Gone == 1 | project A, B", []string{
			"1:25 Unknown function: 'nope'", "1:115 Failed to resolve column or scalar expression named 'Gone'"}, "A B"},
		{"in let statements", "let a = nope1();\nlet T = SigninLogs | where Foo == 1 | project UserId, Bar;\nlet f = (x: string) { T | where UserId == x and Baz == 1 };\nf('a') | where UserId == a and Qux == 1", []string{
			"1:9 Unknown function: 'nope1'", "2:28 Failed to resolve column or scalar expression named 'Foo'", "2:55 Failed to resolve column or scalar expression named 'Bar'",
			"3:49 Failed to resolve column or scalar expression named 'Baz'", "4:32 Failed to resolve column or scalar expression named 'Qux'"}, "UserId Bar"},
		{"on both sides of a join", "SigninLogs | where Foo == 1 | join kind=inner (AuditLogs | where Bar == 1 | project Id, Baz) on Id | where Qux == 1 | project Id", []string{
			"1:20 Failed to resolve column or scalar expression named 'Foo'", "1:66 Failed to resolve column or scalar expression named 'Bar'", "1:89 Failed to resolve column or scalar expression named 'Baz'", "1:108 Failed to resolve column or scalar expression named 'Qux'"}, "Id"},
		{"columns that get lost", "SigninLogs | where Foo == 1 | join kind=inner (AuditLogs) on Nothing | where Qux == 1", []string{
			"1:20 Failed to resolve column or scalar expression named 'Foo'", "1:62 "}, "-"},
		{"types", "SigninLogs | where UserId > 3 and TimeGenerated == 'x' | where strlen(UserId) | project UserId", []string{"1:27 the operator > does not go between", "1:64 a bool is expected here"}, "UserId"},
		{"an unknown table", "let T = SigninLogs | where Foo == 1;\nNoTable | where Bar == 1", []string{"1:28 Failed to resolve column or scalar expression named 'Foo'", "2:1 Failed to resolve table or column expression named 'NoTable'"}, "-"},
		{"a fuzzy union goes without a table", "union isfuzzy=true (NoTable | where A == 1), (SigninLogs | where Foo == 1) | project UserId", []string{"1:66 Failed to resolve column or scalar expression named 'Foo'"}, "UserId"},
		{"a name twice", "let a = 1; let a = 2; SigninLogs | where Foo == a", []string{"1:16 'a' is defined twice", "1:42 Failed to resolve column or scalar expression named 'Foo'"}, "*"},
		{"syntax", "SigninLogs | where Foo == 1 | projekt A", []string{"1:31 unknown operator 'projekt'"}, "-"},
		{"within toscalar", "let n = toscalar(SigninLogs | where Foo == 1 | summarize max(Bar)); SigninLogs | where strlen(UserId) > n and Baz == 2 | project UserId", []string{
			"1:37 Failed to resolve column or scalar expression named 'Foo'", "1:62 Failed to resolve column or scalar expression named 'Bar'", "1:111 Failed to resolve column or scalar expression named 'Baz'"}, "UserId"},
		{"mv-expand and mv-apply", "AuditLogs | mv-expand T = TargetResorces | where Foo == 1 | mv-apply P = Nope on (where tostring(P.x) == Bar) | project Id", []string{
			"1:27 Failed to resolve column or scalar expression named 'TargetResorces'", "1:50 Failed to resolve column or scalar expression named 'Foo'", "1:74 Failed to resolve column or scalar expression named 'Nope'", "1:106 Failed to resolve column or scalar expression named 'Bar'"}, "Id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, errs := Catalog{Tables: KnownTables()}.CheckAll(tc.query)
			var got []string
			for _, err := range errs {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%d:%d %s", e.Line, e.Column, e.Message))
			}
			if len(got) != len(tc.want) {
				t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
			}
			for i, want := range tc.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
			columns := "-"
			if s != nil {
				var names []string
				for _, c := range s.Columns {
					names = append(names, c.Name)
				}
				columns = strings.Join(names, " ")
			}
			if columns != tc.columns && tc.columns != "*" {
				t.Errorf("the columns are %s, want %s", columns, tc.columns)
			}
			// The first that Check finds is among them.
			if _, err := Check(tc.query, KnownTables()); (err != nil) != (len(errs) > 0) {
				t.Errorf("Check says %v", err)
			}
		})
	}
}

// A query that is wrong in very many places is checked in good time.
func TestCheckAllEnds(t *testing.T) {
	t.Parallel()
	done := make(chan int)
	go func() {
		query := "SigninLogs" + strings.Repeat(" | where nope(a, b, c(d)) or e", 3000)
		_, errs := Catalog{Tables: KnownTables()}.CheckAll(query)
		query = "let a = 1;" + strings.Repeat("let f = (x: long) { g(x) + g(y) };", 100) + "print f(1)"
		Catalog{Tables: KnownTables()}.CheckAll(query)
		done <- len(errs)
	}()
	select {
	case n := <-done:
		if n != mostErrors {
			t.Errorf("%d errors, want %d", n, mostErrors)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on and on")
	}
}

// Queries of every kind with names in them that are wrong are checked to their end: the
// error that Check finds is among the others, unless it follows from one of them, and a
// query that is right has none.
func TestCheckAllOfMutations(t *testing.T) {
	t.Parallel()
	schemas := schemasOf(testTables())
	catalog := Catalog{Tables: schemas}
	for n, query := range seedQueries(t) {
		if n%7 != 0 || len(query) > 2000 { // a part of them is enough
			continue
		}
		tokens, err := lexed(query)
		if err != nil {
			continue // nothing of it is a name
		}
		for i := -1; i < len(tokens); i += 1 + len(tokens)/5 {
			mutated := query
			if i >= 0 {
				for i < len(tokens)-1 && tokens[i].kind != tokName {
					i++
				}
				mutated = query[:tokens[i].start] + "wrng" + query[tokens[i].end:]
				// And another behind it, so that there are two.
				if j := i + 3; j < len(tokens) && tokens[j].kind == tokName {
					mutated = query[:tokens[i].start] + "wrng" + query[tokens[i].end:tokens[j].start] + "wrong2" + query[tokens[j].end:]
				}
			}
			_, err := Check(mutated, schemas)
			s, errs := catalog.CheckAll(mutated)
			if (err == nil) != (len(errs) == 0) || err == nil && s == nil {
				t.Fatalf("%q: Check says %v, and CheckAll %v", mutated, err, errs)
			}
			for _, e := range errs {
				var at *Error
				if errors.As(e, &at) && (at.Offset < 0 || at.Offset > len(mutated) || !strings.HasPrefix(mutated[at.Offset:], at.Token)) {
					t.Fatalf("%q: the error's place is wrong: %#v", mutated, at)
				}
			}
		}
	}
}

// lexed takes a text apart.
func lexed(text string) (tokens []token, err error) {
	defer caught(text, &err)
	return lex(text), nil
}
