package kql_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

// TestTables lists the tables that queries name.
func TestTables(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, query string
		want        []string
	}{
		{"known columns", "SigninLogs | join kind=inner (AuditLogs | project CorrelationId) on CorrelationId", []string{"AuditLogs", "SigninLogs"}},
		{"nobody knows the columns", "MyApp_CL | union (Syslog)", []string{"MyApp_CL", "Syslog"}},
		{"a name alone", "MyApp_CL", []string{"MyApp_CL"}},
		{"in brackets", "['MyApp_CL'] | count", []string{"MyApp_CL"}},
		{"in parentheses", "((MyApp_CL)) | count", []string{"MyApp_CL"}},
		{"not what a comment and a string say", "// SigninLogs\nMyApp_CL | where A == 'AuditLogs'", []string{"MyApp_CL"}},
		{"a union as the source", "union isfuzzy=true withsource=T MyApp_CL, (Syslog | take 1), Other*", []string{"MyApp_CL", "Syslog"}},
		{"a fuzzy union of what is known and what is not", "union isfuzzy=true SigninLogs, MyApp_CL, Other* | count", []string{"MyApp_CL", "SigninLogs"}},
		{"lookup and join", "A_CL | lookup B_CL on K | join kind=leftanti (C_CL | where X > 1) on K", []string{"A_CL", "B_CL", "C_CL"}},
		{"in a condition", "A_CL | where K in (B_CL | project K) and toscalar(C_CL | count) > 1 and toscalar(D_CL) > 1", []string{"A_CL", "B_CL", "C_CL", "D_CL"}},
		{"let", "let a = A_CL; let b = materialize(B_CL); let n = 5; let c = toscalar(C_CL | count); a | union b | where X > n + c", []string{"A_CL", "B_CL", "C_CL"}},
		{"a let by the name of the table", "let A_CL = A_CL | where X > 1; A_CL | count", []string{"A_CL"}},
		{"a function and its parameter", "let f = (t: string, n: long) { A_CL | where X == t | take n }; f('x', 1) | union (t)", []string{"A_CL", "t"}},
		{"a table as a parameter", "let f = (T: (X: long), n: long) { let U = T | take n; U | count }; f(A_CL, 1)", []string{"A_CL"}},
		{"a view", "let v = view () { A_CL }; union v*, B_CL", []string{"A_CL", "B_CL"}},
		{"as", "A_CL | as B | join (B | count) on X", []string{"A_CL"}},
		{"table of a literal", "table('A_CL') | union (table(\"B_CL\"))", []string{"A_CL", "B_CL"}},
		{"table of a parameter", "let f = (t: string) { table(t) | where X_CF > 1 }; union isfuzzy=true f('SigninLogs'), f('AADNonInteractiveUserSignInLogs')", []string{"AADNonInteractiveUserSignInLogs", "SigninLogs"}},
		{"inside mv-apply", "A_CL | mv-apply x = Y on (where x in (B_CL | project K))", []string{"A_CL", "B_CL"}},
		{"a function of the workspace", "_Im_Dns(starttime=ago(1h)) | count", nil},
		{"of another workspace", "workspace('w').SigninLogs | count", nil},
		{"none", "print 1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := kql.Tables(test.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTablesOfWhatCannotBeParsed(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"", "SigninLogs |", "macro-expand X as Y (Y)"} {
		tables, err := kql.Tables(query)
		if e := (*kql.Error)(nil); !errors.As(err, &e) || tables != nil {
			t.Errorf("%q: %v, %v", query, tables, err)
		}
	}
}
