package kql_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/detect/sample"
)

// The benchmarks run over generated sign-ins of about 900 bytes each, as many
// as the largest of the sizes:
//
//	go test -bench . -benchmem -run '^$' ./detect/kql -rows 1000000
//
// What counts is the figures per row, which should not grow with the size, and
// the ratios that BenchmarkRatios gives in one run.
var mostRows = flag.Int("rows", 10_000, "the most rows that benchmarks run over: 10000, 100000 or 1000000")

// sizes runs a benchmark for each power of ten from 10^4.
func sizes(b *testing.B, run func(b *testing.B, rows int)) {
	for rows := 10_000; rows <= *mostRows; rows *= 10 {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) { run(b, rows) })
	}
}

// perRow reports what a row costs.
func perRow(b *testing.B, rows int, run func()) {
	b.ReportAllocs()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		run()
	}
	runtime.ReadMemStats(&after)
	all := float64(rows) * float64(b.N)
	b.ReportMetric(b.Elapsed().Seconds()*1e9/all, "ns/row")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/all, "allocs/row")
	b.ReportMetric(all/b.Elapsed().Seconds(), "rows/s")
}

var benchDay = time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)

// signIns are the lines of so many sign-ins. They are made once per size.
func signIns(rows int) []byte {
	if made, ok := signInsMade[rows]; ok {
		return made
	}
	var text bytes.Buffer
	text.Grow(1000 * rows)
	for r := range sample.Stream(sample.Options{Seed: 1, Day: benchDay}, rows) {
		text.Write(r.JSON)
		text.WriteByte('\n')
	}
	signInsMade[rows] = text.Bytes()
	return text.Bytes()
}

var signInsMade = make(map[int][]byte)

// columnsOf says which columns a query reads of a table.
func columnsOf(tb testing.TB, query string) func(table string) []string {
	s, err := kql.Check(query, kql.KnownTables())
	if err != nil {
		tb.Fatal(err)
	}
	return func(table string) []string { return append([]string{}, s.Reads[table]...) }
}

func readSignIns(tb testing.TB, text []byte, columns func(string) []string) *kql.Table {
	r := logs.NewReader(logs.Options{Columns: columns})
	if err := r.File(context.Background(), "SigninLogs.json", bytes.NewReader(text)); err != nil {
		tb.Fatal(err)
	}
	l, err := r.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	return l.Table("SigninLogs")
}

// decodeMaps is what reading is compared with: encoding/json decodes the lines
// into maps, on as many goroutines as there are processors.
func decodeMaps(tb testing.TB, text []byte) {
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for i := range workers {
		from, to := lineFrom(text, len(text)/workers*i), lineFrom(text, len(text)/workers*(i+1))
		if i == workers-1 {
			to = len(text)
		}
		wg.Go(func() {
			for line := range bytes.Lines(text[from:to]) {
				var record map[string]any
				if err := json.Unmarshal(line, &record); err != nil {
					tb.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func lineFrom(text []byte, at int) int {
	if at == 0 {
		return 0
	}
	return at + bytes.IndexByte(text[at:], '\n') + 1
}

func runQuery(tb testing.TB, query string, db *kql.Database) *kql.Table {
	t, err := kql.Run(context.Background(), query, db, kql.Options{Now: benchDay.Add(24 * time.Hour)})
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

func BenchmarkRead(b *testing.B) {
	columns := columnsOf(b, rule.Default().Query.Text)
	sizes(b, func(b *testing.B, rows int) {
		text := signIns(rows)
		b.SetBytes(int64(len(text)))
		perRow(b, rows, func() { readSignIns(b, text, columns) })
	})
}

func BenchmarkDecodeMaps(b *testing.B) {
	sizes(b, func(b *testing.B, rows int) {
		text := signIns(rows)
		b.SetBytes(int64(len(text)))
		perRow(b, rows, func() { decodeMaps(b, text) })
	})
}

func BenchmarkDefaultRule(b *testing.B) {
	query := rule.Default().Query.Text
	sizes(b, func(b *testing.B, rows int) {
		db := kql.NewDatabase(readSignIns(b, signIns(rows), columnsOf(b, query)))
		perRow(b, rows, func() { runQuery(b, query, db) })
	})
}

// BenchmarkFatigueRule is the other shipped rule over the same.
func BenchmarkFatigueRule(b *testing.B) {
	query := rule.Shipped()[1].Query.Text
	sizes(b, func(b *testing.B, rows int) {
		db := kql.NewDatabase(readSignIns(b, signIns(rows), columnsOf(b, query)))
		perRow(b, rows, func() { runQuery(b, query, db) })
	})
}

// BenchmarkRatios takes turns, so that what else the machine does falls on
// both sides of a ratio.
func BenchmarkRatios(b *testing.B) {
	query := rule.Default().Query.Text
	columns := columnsOf(b, query)
	text := signIns(*mostRows)
	var maps, reading, running time.Duration
	timed := func(of *time.Duration, run func()) {
		runtime.GC()
		start := time.Now()
		run()
		*of += time.Since(start)
	}
	for b.Loop() {
		timed(&maps, func() { decodeMaps(b, text) })
		var t *kql.Table
		timed(&reading, func() { t = readSignIns(b, text, columns) })
		timed(&running, func() { runQuery(b, query, kql.NewDatabase(t)) })
	}
	b.ReportMetric(reading.Seconds()/maps.Seconds(), "reading/maps")
	b.ReportMetric(running.Seconds()/reading.Seconds(), "rule/reading")
	b.ReportMetric(maps.Seconds()*1e9/float64(b.N)/float64(*mostRows), "maps-ns/row")
	b.ReportMetric(reading.Seconds()*1e9/float64(b.N)/float64(*mostRows), "reading-ns/row")
}

// BenchmarkOperators runs the operators that hold or make many rows.
func BenchmarkOperators(b *testing.B) {
	for _, bench := range []struct{ name, query string }{
		{"group-by", `SigninLogs | summarize Count = count(), Last = max(TimeGenerated), Failed = countif(ResultType != "0"), Addresses = dcount(IPAddress) by UserPrincipalName`},
		{"group-by-two-keys", `SigninLogs | summarize count() by UserPrincipalName, IPAddress`},
		{"group-by-many", `SigninLogs | summarize count() by CorrelationId`},
		{"join", `SigninLogs | join kind=inner (Watched) on CorrelationId | count`},
		{"has", `SigninLogs | where UserAgent has "pushback" | count`},
		{"has-distinct", `SigninLogs | where CorrelationId has "pushback" | count`},
		{"mv-expand", `SigninLogs | mv-expand Factor = Factors to typeof(string) | summarize count() by Factor`},
		{"mv-apply", `SigninLogs | mv-apply Factor = Factors to typeof(string) on (where Factor != "push" | summarize Last = max(Factor)) | summarize dcount(Last)`},
		{"mv-apply-filter", `SigninLogs | mv-apply Factor = Factors to typeof(string) on (where Factor == "text") | count`},
		{"mv-apply-top", `SigninLogs | mv-apply Factor = Factors to typeof(string) on (top 1 by Factor) | summarize count() by Factor`},
		{"parse", `SigninLogs | parse Message with "user=" User " from=" From " port=" Port:long * | summarize dcount(User), max(Port)`},
		{"parse-regex", `SigninLogs | parse kind=regex Message with "user=" User " from=" From " port=" Port:long " " | summarize dcount(User), max(Port)`},
		{"parse-kv", `SigninLogs | parse-kv Message as (user:string, port:long) with (pair_delimiter=" ", kv_delimiter="=") | summarize dcount(user), max(port)`},
		{"where", `SigninLogs | where ResultType != "0" and TimeGenerated > datetime(2026-03-17 06:00) | count`},
		{"above-sort", `SigninLogs | sort by TimeGenerated desc | extend Who = strcat(UserPrincipalName, IPAddress) | where Who endswith "7" | summarize count() by ResultType`},
		{"arg-max", `SigninLogs | summarize arg_max(TimeGenerated, IPAddress, UserAgent, CorrelationId) by UserPrincipalName, ResultType`},
		{"arg-max-each", `SigninLogs | summarize arg_max(TimeGenerated, IPAddress, UserAgent) by UserPrincipalName, CorrelationId | count`},
		{"coalesce", `SigninLogs | extend Request = coalesce(CorrelationId, strcat(UserPrincipalName, " ", tostring(TimeGenerated))) | summarize max(Request)`},
		{"times", `SigninLogs | where TimeGenerated between (TimeGenerated - 7d .. TimeGenerated + 1h) | summarize count() by startofday(TimeGenerated)`},
		{"top", `SigninLogs | top 5 by TimeGenerated desc | project TimeGenerated, UserPrincipalName`},
		{"wheres", `SigninLogs | where UserPrincipalName endswith "example" | where ResultType != "0" | where IPAddress has "203" | summarize dcount(UserPrincipalName)`},
		{"sort", `SigninLogs | sort by UserPrincipalName asc, TimeGenerated desc | take 10`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			sizes(b, func(b *testing.B, rows int) {
				db := operands(b, rows)
				perRow(b, rows, func() { runQuery(b, bench.query, db) })
			})
		})
	}
}

// operands are so many sign-ins, with an array and a message in each, and of their
// correlations ten thousand at most in a table of their own.
func operands(tb testing.TB, rows int) *kql.Database {
	if made, ok := operandsMade[rows]; ok {
		return made
	}
	t := readSignIns(tb, signIns(rows), func(string) []string {
		return []string{"UserPrincipalName", "IPAddress", "ResultType", "UserAgent", "CorrelationId"}
	})
	out := kql.NewTableBuilder("SigninLogs", kql.Schema{
		{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "UserPrincipalName", Type: kql.String}, {Name: "IPAddress", Type: kql.String},
		{Name: "ResultType", Type: kql.String}, {Name: "UserAgent", Type: kql.String}, {Name: "CorrelationId", Type: kql.String},
		{Name: "Factors", Type: kql.Dynamic}, {Name: "Message", Type: kql.String},
	})
	watched := kql.NewTableBuilder("Watched", kql.Schema{{Name: "CorrelationId", Type: kql.String}, {Name: "Number", Type: kql.Long}})
	for row := range rows {
		for i, c := range out.Schema()[:6] {
			v := t.Value(row, t.Schema().Index(c.Name))
			if at, ok := v.Time(); ok {
				out.SetTime(i, at)
			} else {
				out.SetString(i, []byte(v.String()))
			}
		}
		out.SetJSON(6, fmt.Appendf(nil, `["push","text","%d"]`, row%1000))
		out.SetString(7, fmt.Appendf(nil, "user=%s from=%s port=%d seq=%d end",
			t.Value(row, t.Schema().Index("UserPrincipalName")), t.Value(row, t.Schema().Index("IPAddress")), 1024+row%50_000, row))
		out.Commit()
		if row%max(1, rows/10_000) == 0 {
			watched.SetString(0, []byte(t.Value(row, t.Schema().Index("CorrelationId")).String()))
			watched.SetLong(1, int64(row))
			watched.Commit()
		}
	}
	operandsMade[rows] = kql.NewDatabase(out.Build(), watched.Build())
	return operandsMade[rows]
}

var operandsMade = make(map[int]*kql.Database)

// TestMemory bounds what a table holds: 400 MiB for a million sign-ins with
// the columns that the default rule reads.
func TestMemory(t *testing.T) {
	rows := 50_000
	if *mostRows > rows {
		rows = *mostRows
	}
	text := signIns(rows) // kept, so that it counts before and after
	columns := columnsOf(t, rule.Default().Query.Text)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	table := readSignIns(t, text, columns)
	held := float64(int64(heap()) - int64(before))
	if table.Rows() != rows {
		t.Fatalf("%d rows, want %d", table.Rows(), rows)
	}
	perRow := held / float64(rows)
	t.Logf("%d rows with %d columns hold %.0f bytes each, %.0f MiB in a million", rows, len(table.Schema()), perRow, perRow*1e6/(1<<20))
	if perRow > 400*(1<<20)/1e6 {
		t.Errorf("a row holds %.0f bytes; at most 419 keep a million under 400 MiB", perRow)
	}
	runtime.KeepAlive(table)
}
