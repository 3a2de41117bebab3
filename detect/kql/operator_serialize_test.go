package kql

import (
	"context"
	"testing"
)

// windowRows are rows in groups and at times.
const windowRows = `let R = datatable(g:string, n:long, at:datetime)["a", 1, datetime(2026-03-17 08:00), "a", 3, datetime(2026-03-17 08:04), "b", 2, datetime(2026-03-17 08:20), "b", 2, datetime(2026-03-17 08:21)];` + "\n"

var windowQueries = []queryCase{
	{query: windowRows + `R | serialize | project prev(n), next(n), prev(g, 2), next(n, 3, -1)`, want: `
		Column1:long, Column2:long, Column3:string, Column4:long
		null | 3 | '' | 2
		1 | 2 | '' | -1
		3 | 2 | a | -1
		2 | null | a | -1`},
	{query: windowRows + `R | serialize rn = row_number(), fromTen = row_number(10), perGroup = row_number(1, prev(g) != g) | project rn, fromTen, perGroup`, want: `
		rn:long, fromTen:long, perGroup:long
		1 | 10 | 1
		2 | 11 | 2
		3 | 12 | 1
		4 | 13 | 2`},
	{query: windowRows + `R | sort by g asc, n asc | extend sum = row_cumsum(n), own = row_cumsum(n, g != prev(g)), dense = row_rank_dense(n), least = row_rank_min(n) | project sum, own, dense, least`, want: `
		sum:long, own:long, dense:long, least:long
		1 | 1 | 1 | 1
		4 | 4 | 2 | 2
		6 | 2 | 3 | 3
		8 | 4 | 3 | 3`},
	{query: windowRows + `R | sort by at asc | extend session = row_window_session(at, 1h, 5m) | project format = datetime_diff('minute', session, datetime(2026-03-17 08:00))`, want: `
		format:long
		0
		0
		20
		20`},
	{query: windowRows + `R | sort by n desc | where n == prev(n)`, want: "g:string, n:long, at:datetime\nb | 2 | 2026-03-17T08:21:00.0000000Z"},
	{query: windowRows + `R | top 2 by n | summarize max(prev(n))`, want: "max_:long\n3"},
	{query: `range x from 1 to 3 step 1 | extend y = x - prev(x)`, want: "x:long, y:long\n1 | null\n2 | 1\n3 | 1"},
	{query: windowRows + `R | sort by n asc | as X | project-away at | mv-expand e = dynamic([1]) | take 2 | extend rn = row_number()`, want: `
		g:string, n:long, e:dynamic, rn:long
		a | 1 | 1 | 1
		b | 2 | 1 | 2`},
	{query: windowRows + `R | extend row_number()`, err: "2:12 row_number() needs rows in a fixed order", official: "the parser does not ask for an order of the rows"},
	{query: windowRows + `R | sort by n | summarize by n | extend prev(n)`, err: "2:41 prev() needs rows in a fixed order", official: "the parser does not ask for an order of the rows"},
	{query: windowRows + `R | sort by n | join kind=inner (R) on n | extend prev(n)`, err: "2:51 prev() needs rows in a fixed order", official: "the parser does not ask for an order of the rows"},
	{query: windowRows + `R | sort by n | extend prev(n + 1)`, err: "2:29 prev() takes a column"},
	{query: windowRows + `R | sort by n | extend prev(n, 1, g)`, err: "2:35 the argument 'default' of prev() must be a constant"},
	{query: windowRows + `R | sort by n | extend row_cumsum(g)`, err: "2:35 the argument 'term' of row_cumsum() must be a number"},
	{query: `print prev(1)`, err: "1:7 prev() needs rows in a fixed order", official: "the parser asks for a column, and does not ask for an order of the rows"},
}

var sharedQueries = []queryCase{
	{query: `Scores | where n > 0 | project n | as A | extend total = toscalar(A | summarize sum(n))`, want: "n:long, total:long\n1 | 3\n2 | 3"},
	{query: `Scores | project n | as hint.materialized=true A | where n == 1 | union (A | where n == 2)`, want: "n:long\n1\n2"},
	{query: `union (Logons | as L), (L | take 1) | count`, want: "Count:long\n4"},
	{query: `Logons | project User | as Logons | union Logons | count`, want: "Count:long\n6"},
	{query: `let m = materialize(Scores | project n | where n > 0); m | join kind=inner (m | extend k = n) on n | project k`, want: "k:long\n1\n2"},
	{query: `let m = materialize(Scores | project who, n); m | where n == toscalar(m | summarize max(n)) | project who`, want: "who:string\nbob"},
	{query: `materialize(Scores) | count`, err: "1:1 unexpected \"materialize\"; materialize() stands alone behind let"},
	{query: `let m = materialize(Scores) | take 1; m`, err: `1:29 unexpected "|"; expected ";"`},
	{query: `let add = (T:(n:long), more:long = 1) { T | extend sum = n + more }; Scores | take 1 | project n | invoke add() | invoke add(10)`, want: "n:long, sum:long\n1 | 11"},
	{query: `let both = (T:(n:long)) { T | union (T | where n > 1) | count }; Scores | invoke both()`, want: "Count:long\n4"},
	{query: `let f = (T:(*)) { T | count }; Scores | invoke f()`, want: "Count:long\n3"},
	{query: `let f = (T:(n:long)) { T | where who == "ann" }; Scores | invoke f()`, err: "1:34 Failed to resolve column or scalar expression named 'who'"},
	{query: `let f = (T:(x:long)) { T }; Scores | invoke f()`, err: "1:38 the argument 'T' of f() needs a column x of type long", official: "the parser marks the table, and we the call"},
	{query: `let f = (x:long) { Scores | where n > x }; Scores | invoke f()`, err: "1:60 the first parameter of f() must be a table", official: "the parser does not ask what invoke passes on"},
	{query: `let f = (T:(n:long)) { toscalar(T | count) }; Scores | invoke f()`, err: "1:63 f() gives a scalar", official: "the parser does not ask what an invoked function gives"},
	{query: `Scores | invoke nope()`, err: "1:17 invoke calls a function that a let statement defines"},
	{query: `Scores | as hint.materialized=1 A`, err: "1:31 hint.materialized is true or false", official: "the parser does not look at the value"},
	{query: `let one = view () { print x = 1 }; let other = () { print x = 2 }; union withsource = from o*`, want: "from:string, x:long\none | 1", official: "the parser looks for tables only; the reference has views too"},
	{query: `let f = (x:long, y:long = 2, z:long = 3) { x * 100 + y * 10 + z }; print f(1), f(1, z = 9), f(y = 5, x = 4)`, want: "print_0:long, print_1:long, print_2:long\n123 | 129 | 453"},
	{query: `let f = (T:(n:long), more:long = 1) { T | project sum = n + more }; Scores | take 1 | invoke f(more = 4)`, want: "sum:long\n5"},
	{query: `let f = (x:long) { x }; print f(y = 1)`, err: "1:33 f() has no parameter 'y'"},
	{query: `let f = (x:long, y:long) { x - y }; print f(x = 1, 2)`, want: "print_0:long\n-1"},
	{query: `let f = (x:long, y:long) { x }; print f(y = 1, 2)`, err: "1:48 all arguments behind a named one"},
	{query: `let f = (x:long, y:long = 1) { x }; print f(1, x = 2)`, err: "1:52 the argument 'x' of f() is given twice", official: "the parser does not check what a function of a let statement is given"},
	{query: `let f = (x:long, T:(*)) { T }; f(1, Scores)`, err: "1:18 the parameters that are tables must come first"},
	{query: `Scores | count as Total`, want: "Total:long\n3"},
}

// runCounter is a relation that counts how often it runs.
type runCounter struct {
	relation
	runs int
}

func (r *runCounter) run(x *execution, emit func(*batch) error) error {
	r.runs++
	return r.relation.run(x, emit)
}

func TestSharedRunsOnce(t *testing.T) {
	t.Parallel()
	for readers := 1; readers <= 3; readers++ {
		in := &runCounter{relation: newScan(testTables().Table("Scores"))}
		s := &shared{in: in}
		u := &union{}
		for range readers {
			u.legs = append(u.legs, s.use(&binder{}))
		}
		s.use(&binder{}) // bound and dropped again, as for an error
		u.unify(&unionNode{}, make([]string, readers))
		need := map[*column]bool{u.cols[1]: true}
		u.prepare(need)
		x := &execution{ctx: context.Background(), limits: Limits{Rows: 100}.orDefault()}
		for range 2 {
			out, err := collect(u, x)
			if err != nil || out.n != 3*readers || out.cols[0] != nil {
				t.Fatalf("%d readers: %v, %v", readers, out, err)
			}
		}
		if want := min(2, 3-min(readers, 2)); in.runs != want {
			t.Errorf("%d readers: it ran %d times, want %d", readers, in.runs, want)
		}
	}
}
