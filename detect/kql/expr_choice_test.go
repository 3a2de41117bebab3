package kql

import (
	"fmt"
	"strings"
	"testing"
)

// TestChoiceComputesWhatIsChosen computes iff and case with their values within, which
// are then computed for some of the rows, and over columns that have them for all.
func TestChoiceComputesWhatIsChosen(t *testing.T) {
	t.Parallel()
	table := apart(repeating(3000))
	long := `strcat(User, "-", tostring(n), "-", tostring(Bag.city))`
	for _, c := range []struct{ choice, parts string }{
		{`iff(A, X, Y)`, `A = n % 3 == 0, X = %s, Y = Few`},
		{`iif(A, X, Y)`, `A = tobool(iff(n %% 5 == 0, "", tostring(n %% 2))), X = tolower(User), Y = %s`}, // null is not true
		{`case(A, X, B, Y, Z)`, `A = n %% 10 == 0, B = n %% 7 == 0, X = toupper(User), Y = %s, Z = Each`},
		{`case(A, X, B, Y, C, Z, W)`, `A = User has "User7", B = Few == "3", C = isempty(User), X = n * 2, Y = strlen(Each), Z = indexof(Each, "-"), W = long(null)`},
		{`case(A, iff(B, X, Y), B, iff(C, Z, X), case(C, Y, X))`, `A = n %% 4 == 0, B = n %% 6 == 0, C = n %% 9 == 0, X = Bag.n, Y = todynamic("[1]"), Z = parse_json(strcat("[", n, "]"))`},
		{`case(A, X, B, Y, Z)`, `A = false, B = n < 0, X = 1.5, Y = 2.5, Z = n / 2.0`},
		{`case(A, X, B, Y, Z)`, `A = n >= 0, B = true, X = TimeGenerated + 1s * n, Y = datetime(null), Z = now()`},
		{`iff(A and B, X, iff(A or B, Y, Z))`, `A = n %% 8 == 0, B = Few in ("1", "2") or strlen(User) %% 2 == 0, X = %s, Y = extract("([0-9]+)", 1, Each), Z = strcat(User, Few)`},
	} {
		parts := strings.ReplaceAll(strings.ReplaceAll(c.parts, "%s", long), "%%", "%")
		var lets []string
		names := map[string]string{}
		for _, part := range splitParts(parts) {
			name, value, _ := strings.Cut(part, " = ")
			lets = append(lets, name+" = "+value)
			names[name] = "(" + value + ")"
		}
		within := replaceNames(c.choice, names)
		// Named within a function, a value can stand in several places.
		var body strings.Builder
		for _, let := range lets {
			fmt.Fprintf(&body, "let %s; ", let)
		}
		args := "User: string, n: long, Bag: dynamic, Few: string, Each: string, TimeGenerated: datetime"
		queries := []string{
			"T | extend " + strings.Join(lets, ", ") + " | project n, Is = " + c.choice,
			"T | project n, Is = " + within,
			"let F = (" + args + ") { " + body.String() + c.choice + " }; T | project n, Is = F(User, n, Bag, Few, Each, TimeGenerated)",
		}
		want := answerOf(t, queries[0], table, 1, Limits{})
		if strings.Count(want, "\n") < 3000 {
			t.Fatalf("%s: %.300s", queries[0], want)
		}
		for _, query := range queries[1:] {
			for _, of := range []*Table{table, repeating(3000)} {
				if got := answerOf(t, query, of, 2, Limits{}); got != want {
					t.Errorf("%s\n gives %.300s\n%s\n gives %.300s", queries[0], want, query, got)
				}
			}
		}
	}
}

// splitParts cuts at the commas that begin another name.
func splitParts(text string) (parts []string) {
	for _, piece := range strings.Split(text, ", ") {
		if len(parts) > 0 && !(len(piece) > 4 && piece[1:4] == " = ") {
			parts[len(parts)-1] += ", " + piece
			continue
		}
		parts = append(parts, piece)
	}
	return parts
}

// replaceNames puts values in place of names of one letter.
func replaceNames(text string, values map[string]string) string {
	var out strings.Builder
	for i := range len(text) {
		name := text[i : i+1]
		if value, ok := values[name]; ok {
			out.WriteString(value)
			continue
		}
		out.WriteString(name)
	}
	return out.String()
}

// TestChoiceLooksAtFewRows has a value that would end the query if any row chose it.
func TestChoiceLooksAtFewRows(t *testing.T) {
	t.Parallel()
	// Two of R would be a text that is longer than any may be.
	query := "let F = (User: string, n: long) { let R = strrep(strrep(User, 1024), 1024); iff(n < 0, strlen(strcat(R, R)), 0) }; T | summarize sum(F(User, n))"
	if got := answerOf(t, query, apart(repeating(2000)), 1, Limits{}); got != "long 0|\n" {
		t.Errorf("%s\n gives %.300s", query, got)
	}
}

// A value that one behind it has too is computed once, for all rows: for the rows that
// choose it, it would be computed again at each level of a chain.
func TestChoosable(t *testing.T) {
	t.Parallel()
	column := func() expr { return &columnExpr{col: &column{name: "c", typ: Long}} }
	shared := &applyExpr{t: Long, args: []expr{column()}, named: true}
	of := func(args ...expr) expr { return &applyExpr{t: Long, args: args} }
	for _, tt := range []struct {
		name string
		args []expr
		want bool
	}{
		{"nothing shared", []expr{column(), column(), of(column())}, true},
		{"within one value", []expr{column(), of(shared, shared), column()}, true},
		{"a predicate and a value", []expr{of(shared), shared, column()}, true},
		{"two values", []expr{column(), shared, of(shared)}, false},
		{"a value and a predicate behind it", []expr{column(), of(shared), of(shared), column(), column()}, false},
		{"two predicates", []expr{shared, column(), of(shared), column(), column()}, true},
	} {
		if got := choosable(tt.args); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
