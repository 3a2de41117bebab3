package kql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inPieces is the database with its tables in segments of two rows, so that
// small tables are worked on as large ones are.
func inPieces(db *Database) *Database {
	var tables []*Table
	for _, name := range db.Names() {
		t := db.Table(name)
		pieces := &Table{name: t.name, schema: t.schema}
		for _, s := range t.segments {
			for from := 0; from < s.n; from += 2 {
				to := min(from+2, s.n)
				part := segment{n: to - from}
				for _, c := range s.cols {
					part.cols = append(part.cols, c.slice(from, to))
				}
				pieces.segments = append(pieces.segments, part)
			}
		}
		pieces.finish()
		tables = append(tables, pieces)
	}
	out := NewDatabase(tables...)
	out.Watchlists = db.Watchlists
	return out
}

// sameAnswer fails unless a query gives the same answer over whole tables and
// over pieces, on one goroutine and on several.
func sameAnswer(t *testing.T, ctx context.Context, query string, limits Limits) {
	t.Helper()
	type outcome struct{ answer, err string }
	run := func(db *Database, workers int) outcome {
		out, err := Run(ctx, query, db, Options{Now: testNow, Limits: limits, Workers: workers})
		if err != nil {
			var queryError *Error
			var limit *LimitError
			if !errors.As(err, &queryError) && !errors.As(err, &limit) {
				t.Fatalf("%q: %v", query, err)
			}
			return outcome{err: fmt.Sprintf("%T", err)}
		}
		return outcome{answer: render(out)}
	}
	whole := run(testTables(), 1)
	for _, workers := range []int{1, 2, 3} {
		if diff := cmp.Diff(whole, run(inPieces(testTables()), workers), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Fatalf("%q: -whole on 1 +in pieces on %d goroutines:\n%s", query, workers, diff)
		}
	}
}

func TestWorkersGiveTheSameAnswer(t *testing.T) {
	t.Parallel()
	for _, q := range seedQueries(t) {
		if !slices.Contains(runAwayQueries(), q) {
			sameAnswer(t, t.Context(), q, Limits{})
		}
	}
}

// FuzzWorkers also looks for panics and for queries that do not end.
func FuzzWorkers(f *testing.F) {
	for _, q := range seedQueries(f) {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		sameAnswer(t, ctx, query, Limits{Rows: 20_000, Bytes: 256 << 20, Time: 20 * time.Second})
	})
}

// manyNumbers is a table of several segments.
func manyNumbers(rows int) *Database {
	b := NewTableBuilder("Numbers", Schema{{"n", Long}, {"s", String}, {"d", Dynamic}})
	for i := range rows {
		b.SetLong(0, int64(i))
		b.SetString(1, fmt.Appendf(nil, "text%d", i%5))
		b.SetJSON(2, fmt.Appendf(nil, `{"n":%d}`, i))
		b.Commit()
	}
	return NewDatabase(b.Build())
}

// Several queries can read a table at once, each on several goroutines.
func TestQueriesShareATable(t *testing.T) {
	t.Parallel()
	db := manyNumbers(5 * chunkRows)
	done := make(chan error)
	for range 4 {
		go func() {
			out, err := Run(t.Context(), "Numbers | where d.n % 2 == 0 and s has 'text2' | summarize sum(tolong(d.n)), count() by s", db, Options{Workers: 2})
			if err == nil && out.Value(0, 2).n != int64(chunkRows/2) {
				err = fmt.Errorf("got %v rows", out.Value(0, 2).n)
			}
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestEachLimitEndsARunAwayQuery runs queries that would not end in time or in
// memory: each ends at one of its limits.
func TestEachLimitEndsARunAwayQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		limits      Limits
		want        string
	}{
		{"range", "range x from 1 to 1000000000 step 1", Limits{Rows: 10_000}, "more than 10000 rows at once, its limit: filter earlier"},
		{"range, nobody holds it", "range x from 1 to 1000000000 step 1 | where x < 0", Limits{Rows: 10_000}, "makes more than 200000 rows"},
		{"mv-expand", "Numbers | extend a = range(1, 1000) | mv-expand a | count", Limits{Rows: 10_000}, "makes more than 200000 rows"},
		{"mv-expand twice", "Numbers | extend a = range(1, 100), b = range(1, 100) | mv-expand a | mv-expand b | where n < 0", Limits{Rows: 10_000}, "makes more than 200000 rows"},
		{"cross join", "Numbers | extend k = 1 | join kind=inner (Numbers | extend k = 1) on k | count", Limits{Rows: 30_000}, "makes more than 600000 rows"},
		{"sort", "Numbers | extend a = strcat(s, tostring(n), s, s, s, s, s, s) | sort by a asc", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory, its limit: filter earlier"},
		{"the result", "Numbers | extend a = strcat(s, tostring(n), s, s, s, s, s, s)", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"join's right side", "Numbers | join kind=inner (Numbers | extend a = strcat(s, tostring(n), s, s, s, s, s)) on n", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"groups", "Numbers | summarize count() by n, s", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"make_list", "Numbers | summarize make_list(strcat(s, tostring(n)))", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"make_set", "Numbers | summarize make_set(strcat(s, tostring(n)))", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"make_list_if", "Numbers | summarize make_list_if(strcat(s, tostring(n)), n > 0)", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"windows of a plugin", "Numbers | take 10 | evaluate sliding_window_counts(n, n, 1, 1000000000000, 1000000000000, 1)", Limits{Rows: 10_000}, "the windows of evaluate give more than 10000 rows"},
		{"windows of a plugin, one after the other", "Numbers | evaluate rolling_percentile(n, 50, n, 1, 100)", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"make_bag", "Numbers | summarize make_bag(bag_pack(tostring(n), s))", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"dcount", "Numbers | summarize dcount(strcat(s, tostring(n)))", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"arg_max of long texts", "Numbers | summarize arg_max(n, replace_string('xxxxxxxxxx', 'x', strcat(s, s, s, s, s))) by n", Limits{Bytes: 2 << 20}, "more than 2 MiB of memory"},
		{"percentiles of each", "Numbers | summarize percentiles_array(n, range(1, 100)) by n", Limits{Bytes: 8 << 20}, "more than 8 MiB of memory"},
		{"percentile", "Numbers | summarize percentile(n, 50)", Limits{Bytes: 100 << 10}, "more than 100 KiB of memory"},
		{"mv-apply", "Numbers | extend a = range(1, 1000) | mv-apply a on (where a == 0) | count", Limits{Rows: 10_000}, "makes more than 200000 rows"},
		{"mv-apply in mv-apply", "Numbers | take 100 | extend a = range(1, 100) | mv-apply b = a on (mv-apply c = a on (summarize count()))", Limits{Rows: 1000}, "makes more than 20000 rows"},
		{"an array that mv-apply sorts", "Numbers | take 1 | extend a = range(1, 1000) | mv-apply b = a to typeof(long) on (sort by b asc)", Limits{Rows: 500}, "more than 500 rows at once"},
		{"an array that mv-apply expands", "Numbers | take 1 | extend a = range(1, 1000) | mv-apply b = a on (count)", Limits{Bytes: 10_000}, "more than 9 KiB of memory"},
		{"what mv-apply gives", "Numbers | take 3000 | mv-apply b = dynamic([1]) on (extend t = replace_string('xxxxxxxxxx', 'x', strcat(s, s, s, s, s))) | where t == ''", Limits{Bytes: 512 << 10}, "more than 512 KiB of memory"},
		{"mv-apply, time", "Numbers | mv-apply b = dynamic([1]) on (count) | count", Limits{Time: time.Nanosecond}, "more than 1ns"},
		{"bag_unpack's columns", "Numbers | extend b = bag_pack(tostring(n), n) | evaluate bag_unpack(b)", Limits{}, "more than 4096 properties"},
		{"bag_unpack's rows", "Numbers | evaluate bag_unpack(d, 'p_')", Limits{Rows: 10_000}, "more than 10000 rows at once"},
		{"bag_unpack's cells", "Numbers | take 1 | extend b = bag_pack(tostring(n), s) | evaluate bag_unpack(b) | project-away n, s, d | join kind=inner (Numbers) on $left.['0'] == $right.s", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"columns that bag_unpack declares", "Numbers | evaluate bag_unpack(d) : (COLUMNS) | count", Limits{Bytes: 64 << 10}, ""},
		{"columns that bag_unpack fills", "Numbers | evaluate bag_unpack(d) : (COLUMNS) | where isnull(c0) and isnull(c1) and isnull(c2) and isnull(c3) | project c0, c1, c2, c3", Limits{Bytes: 64 << 10}, "more than 64 KiB of memory"},
		{"parse", "Numbers | parse strcat(s, tostring(n)) with 'text' a | sort by a asc", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"parse-kv", "Numbers | extend t = strcat('a=', s, tostring(n)) | parse-kv t as (a:string) with (pair_delimiter=',', kv_delimiter='=') | sort by a asc", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"row_number", "Numbers | serialize i = row_number() | count", Limits{Rows: 10_000}, "more than 10000 rows at once"},
		{"prev", "Numbers | serialize | extend p = prev(n) | where n == p", Limits{Bytes: 128 << 10}, "more than 128 KiB of memory"},
		{"row_cumsum", "Numbers | serialize | extend c = row_cumsum(n) | summarize max(c)", Limits{Bytes: 256 << 10}, "more than 256 KiB of memory"},
		{"materialize", "let m = materialize(Numbers | extend a = strcat(s, tostring(n), s, s, s)); union m, m | where a == ''", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"materialize, rows", "let m = materialize(Numbers); m | join kind=leftanti (m | take 1) on n", Limits{Rows: 10_000}, "more than 10000 rows at once"},
		{"as", "Numbers | extend a = strcat(s, tostring(n), s, s, s) | as A | where n < 5 | union (A | where a == '')", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"a watchlist", "_GetWatchlist('numbers') | extend a = strcat(s, tostring(n), s, s, s) | sort by a asc", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"a watchlist's rows", "Numbers | where n in ((_GetWatchlist('numbers') | project n))", Limits{Rows: 10_000}, "more than 10000 rows at once"},
		{"time", "Numbers | extend k = 1 | join kind=inner (Numbers | extend k = 1) on k | summarize count() by s", Limits{Time: time.Nanosecond}, "more than 1ns, its limit: filter earlier"},
		{"scan", "Numbers | scan with (step a: true; step b: true;) | count", Limits{Rows: 1000}, "makes more than 20000 rows"},
		{"scan, time", "Numbers | scan with (step a: true;) | count", Limits{Time: time.Nanosecond}, "more than 1ns"},
		{"partition", "Numbers | partition hint.strategy=native by n (extend t = s) | count", Limits{Bytes: 256 << 10}, "more than 256 KiB of memory"},
		{"partition, rows", "Numbers | partition hint.strategy=native by s (sort by n asc) | count", Limits{Rows: 3000}, "more than 3000 rows at once"},
		{"partition of much", "Numbers | partition hint.strategy=native by s (extend a = range(1, 1000) | mv-expand a) | count", Limits{Rows: 20_500}, "makes more than 410000 rows"},
		{"partition, time", "Numbers | partition hint.strategy=native by n (count) | count", Limits{Time: time.Nanosecond}, "more than 1ns"},
		{"top-nested", "Numbers | top-nested of s by count(), top-nested of n by count()", Limits{Bytes: 1 << 20}, "more than 1 MiB of memory"},
		{"top-nested, rows", "Numbers | project n | top-nested of n by count()", Limits{Rows: 20_000}, "more than 20000 rows at once"},
		{"sample", "Numbers | extend t = strcat(s, n) | sample 5", Limits{Bytes: 512 << 10}, "more than 512 KiB of memory"},
		{"pivot", "Numbers | project n, s | evaluate pivot(s, take_any(n), n) : (text0:long) | count", Limits{Bytes: 512 << 10}, "more than 512 KiB of memory"},
		{"pivot's columns", "Numbers | project n, s | evaluate pivot(n)", Limits{}, "more than 4096 values"},
		{"narrow", "Numbers | evaluate narrow() | count", Limits{Rows: 1000}, "makes more than 20000 rows"},
		{"ipv4_lookup", "Numbers | extend ip = format_ipv4(n) | evaluate ipv4_lookup((Numbers | project net = '0.0.0.0/0'), ip, net) | count", Limits{Rows: 30_000}, "makes more than 600000 rows"},
		{"ipv4_lookup's table", "Numbers | evaluate ipv4_lookup((Numbers | project net = format_ipv4(n)), s, net) | count", Limits{Bytes: 512 << 10}, "more than 512 KiB of memory"},
		{"windows of new_activity_metrics", "Numbers | take 10 | evaluate new_activity_metrics(n, n, 1, 200, 1)", Limits{Rows: 10_000}, "the windows of evaluate give more than 10000 rows"},
		{"far windows of new_activity_metrics", "Numbers | take 10 | evaluate new_activity_metrics(n, n, 1, 9223372036854775807, 1)", Limits{}, "the windows of evaluate give more than"},
		{"ids of activity_metrics", "Numbers | project id = strcat(s, n), n | evaluate activity_metrics(id, n, 1000) | count", Limits{Bytes: 2 << 20}, "more than 2 MiB of memory"},
		{"ids of a lookback", "Numbers | take 10 | project id = s, n | evaluate new_activity_metrics(id, n, 1, 2, 1, Numbers | project id = strcat('text ', n)) | count", Limits{Bytes: 256 << 10}, "more than 256 KiB of memory"},
		{"activity_counts_metrics", "Numbers | project id = strcat(s, n), n | evaluate activity_counts_metrics(id, n, 0, 100000, 1) | count", Limits{Bytes: 2 << 20}, "more than 2 MiB of memory"},
		{"search", "search in (Numbers) 'text1' and 'x' | count", Limits{Time: time.Nanosecond}, "more than 1ns"},
		{"within all limits", "Numbers | summarize count() by s | sort by s asc", Limits{Rows: 10, Bytes: 1 << 20, Time: time.Hour}, ""},
	}
	db := manyNumbers(5 * chunkRows)
	db.Watchlists = func(string) (*Table, error) { return db.Table("Numbers"), nil }
	numbers := strings.NewReplacer("COLUMNS", "c0:long, c1:long, c2:long, c3:long", "range(1, 1000)", "dynamic([1"+strings.Repeat(",2", 999)+"])", "range(1, 100)", "dynamic([1"+strings.Repeat(",2", 99)+"])")
	for _, test := range tests {
		test.query = numbers.Replace(test.query)
		for _, workers := range []int{1, 2} {
			_, err := Run(t.Context(), test.query, db, Options{Now: testNow, Limits: test.limits, Workers: workers})
			var limit *LimitError
			switch {
			case test.want == "" && err != nil:
				t.Errorf("%s on %d goroutines: %v", test.name, workers, err)
			case test.want != "" && (!errors.As(err, &limit) || !strings.Contains(limit.Message, test.want)):
				t.Errorf("%s on %d goroutines: got %v, want a limit with %q", test.name, workers, err, test.want)
			}
		}
	}
}

// What an operator held does not count once it is done.
func TestMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	x, done := newExecution(t.Context(), Options{Workers: 2})
	defer done()
	plan, err := compile("Numbers | sort by n desc | join kind=inner (Numbers | summarize count() by n) on n | summarize dcount(s)", manyNumbers(2*chunkRows), testNow, x)
	if err != nil {
		t.Fatal(err)
	}
	prepareAll(plan.root)
	out, err := collect(plan.root, x)
	if err != nil {
		t.Fatal(err)
	}
	out.free()
	if held := x.held.Load(); held != 0 {
		t.Errorf("%d bytes are held at the end", held)
	}
}

// The caller's own deadline is the caller's to explain.
func TestCancelledQuery(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, "Numbers | where n > 1 | count", manyNumbers(3*chunkRows), Options{Workers: 2})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// batchesRead gives what the scan of a query reads of a table, within the bounds that the
// filters above it make.
func batchesRead(t *testing.T, query string, table *Table) (batches []*batch) {
	t.Helper()
	x, done := newExecution(t.Context(), Options{Workers: 1})
	defer done()
	plan, err := compile(query, NewDatabase(table), testNow, x)
	if err != nil {
		t.Fatal(err)
	}
	prepareAll(plan.root)
	var stages []stage
	for rel := plan.root; ; {
		s, ok := rel.(stage)
		if !ok {
			if take, isTake := rel.(*taking); isTake {
				stages, rel = nil, take.in
				continue
			}
			break
		}
		stages, rel = append(stages, s), s.input()
	}
	bounds, parts := plan.scans[0].boundsOf(x, stages)
	defer bounds.held.free()
	for _, part := range parts {
		b, err := plan.scans[0].read(x, part, bounds)
		if err != nil {
			t.Fatal(err)
		}
		if b != nil {
			batches = append(batches, b)
		}
	}
	return batches
}

// A filter right above a scan keeps it from segments without a row in time,
// and nothing else.
func TestTimeBoundsOfScans(t *testing.T) {
	t.Parallel()
	b := NewTableBuilder("Times", Schema{{"TimeGenerated", DateTime}, {"n", Long}})
	for i := range 4 * chunkRows {
		if i != 2*chunkRows+1 {
			b.SetTime(0, testNow.Add(time.Duration(i)*time.Second))
		}
		b.SetLong(1, int64(i))
		b.Commit()
	}
	table := b.Build()
	for query, wantSegments := range map[string]int{
		"TimeGenerated >= now() + 4096s":                            3,
		"now() + 4096s > TimeGenerated":                             1,
		"TimeGenerated between (now() + 1s .. 2h)":                  2,
		"n >= 0 and TimeGenerated == now() + 5000s":                 1,
		"TimeGenerated < now() + 10s or n == 16383":                 4,
		"TimeGenerated > now() + 10s | where n > 5":                 4,
		"n > 5 | where TimeGenerated <= now() + 10s":                1,
		"n > 5 | take 100 | where TimeGenerated <= now() + 10s":     4,
		"isnull(TimeGenerated)":                                     4,
		"TimeGenerated > now() + 100000s":                           0,
		"TimeGenerated != now() | where not(TimeGenerated < now())": 4,
	} {
		query = "Times | where " + query
		read := 0
		for range batchesRead(t, query, table) {
			read++
		}
		if read != wantSegments {
			t.Errorf("%s: %d segments are read, want %d", query, read, wantSegments)
		}
		// The same rows as without bounds: through a projection that hides them.
		hidden := strings.Replace(query, "Times |", "Times | extend TimeGenerated = iff(n >= 0, TimeGenerated, now()) |", 1)
		with, err := Run(t.Context(), query+" | summarize count(), sum(n)", NewDatabase(table), Options{Now: testNow})
		if err != nil {
			t.Fatal(err)
		}
		without, err := Run(t.Context(), hidden+" | summarize count(), sum(n)", NewDatabase(table), Options{Now: testNow})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(render(without), render(with)); diff != "" {
			t.Errorf("%s: -without bounds +with:\n%s", query, diff)
		}
	}
}

// TestPlansRunAtOnce runs each plan several times at once, and then once more: a
// plan does not change while it runs, so all give the same.
func TestPlansRunAtOnce(t *testing.T) {
	t.Parallel()
	queries := []string{
		"let m = materialize(Scores | mv-expand points); m | join kind=inner m on n | count",
		"union (Events | project Details), (print Details = dynamic([1])), (Events | project Details) | sort by tostring(Details) asc",
		"Scores | sort by n asc | serialize p = prev(points, 2), sum = row_cumsum(n * 2)",
		"Scores | sort by tolower(who) desc, n + 1 asc | join kind=inner (U | extend n = n + 1) on $left.n == $right.n",
		"Scores | where n in ((U | project n)) and n < toscalar(U | summarize max(n)) | mv-apply p = points on (where n > toscalar(T | count) - 3 | summarize make_list(p))",
	}
	for _, c := range slices.Concat(allQueries...) {
		if c.err == "" {
			queries = append(queries, c.query)
		}
	}
	db := testTables()
	for _, query := range queries {
		x, done := newExecution(t.Context(), Options{})
		plan, err := compile(query, db, testNow, x)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			done()
			continue
		}
		prepareAll(plan.root)
		const times = 4
		var results [times]string
		runs := func(i int) {
			x, done := newExecution(t.Context(), Options{Workers: 2})
			defer done()
			if out, err := plan.run(x, query); err != nil {
				results[i] = err.Error()
			} else {
				results[i] = render(out)
			}
		}
		var running sync.WaitGroup
		for i := range times - 1 {
			running.Go(func() { runs(i) })
		}
		running.Wait()
		runs(times - 1)
		done()
		want, err := Run(t.Context(), query, db, Options{Now: testNow})
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		for i, got := range results {
			if diff := cmp.Diff(render(want), got); diff != "" {
				t.Errorf("%s: run %d: -want +got:\n%s", query, i, diff)
			}
		}
	}
}

// TestScopeBoundsEveryTable runs queries over a part of the time, and as of a time:
// every table that a query names is bounded, and no other source.
func TestScopeBoundsEveryTable(t *testing.T) {
	t.Parallel()
	const counts = `let Old = Events | where TimeGenerated < datetime(2026-03-17T08:30:00Z);
		union (Old | count), (Events | join kind=inner (Events) on User | count), (print Count = toscalar(Events | count)),
			(datatable(TimeGenerated:datetime)[datetime(2020-01-01)] | count), (U | count)`
	late := func() *Table {
		b := NewTableBuilder("Late", Schema{{"TimeGenerated", DateTime}, {"_TimeReceived", DateTime}, {"Name", String}})
		for _, row := range [][3]string{
			{"2026-03-17T09:00:00Z", "2026-03-17T09:05:00Z", "on time"},
			{"2026-03-17T09:00:00Z", "2026-03-17T12:00:00Z", "late"},
			{"2026-03-17T09:30:00Z", "", "unknown arrival"},
			{"2026-03-17T11:00:00Z", "", "in the future"},
			{"", "", "no time"},
		} {
			for i, text := range row {
				if text != "" {
					b.SetText(i, []byte(text))
				}
			}
			b.Commit()
		}
		return b.Build()
	}()
	for _, test := range []struct {
		name, query string
		db          *Database
		scope       Scope
		want        string
	}{
		{"no bound", counts, testTables(), Scope{}, "2 10 4 1 3"},
		{"the last hour", counts, testTables(), Scope{From: testNow.Add(-time.Hour)}, "0 2 2 1 3"},
		{"up to the last hour", counts, testTables(), Scope{To: testNow.Add(-time.Hour)}, "2 4 2 1 3"},
		{"between two rows", counts, testTables(), Scope{From: testNow.Add(-50 * time.Minute), To: testNow.Add(-10 * time.Minute)}, "0 0 0 1 3"},
		{"received by ten", "Late | project Name", NewDatabase(late), Scope{ReceivedBy: testNow}, "on time unknown arrival no time"},
		{"received by noon", "Late | project Name", NewDatabase(late), Scope{ReceivedBy: testNow.Add(2 * time.Hour)}, "on time late unknown arrival in the future no time"},
	} {
		out, err := Run(t.Context(), test.query, test.db, Options{Now: testNow, Scope: test.scope})
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var got []string
		for row := range out.Rows() {
			got = append(got, out.Value(row, 0).String())
		}
		if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: -want +got:\n%s", test.name, diff)
		}
	}
}
