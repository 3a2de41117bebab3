package kql

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// heapProbe is a context that compares what a query says it holds with the heap,
// whenever the query looks whether it should end.
type heapProbe struct {
	context.Context
	x     *execution
	base  int64
	calls int
	// The most that was on the heap, and what was charged for it then.
	heap, held int64
	// The least share that was charged of what was on the heap.
	least     float64
	leastHeap int64
}

// onTheirWay is what the rows of a batch take while they go through the operators,
// which nobody holds. leastHeap is what must be on the heap beside them before it
// is compared.
const onTheirWay, leastHeap = 2 << 20, 4 << 20

func (p *heapProbe) Err() error {
	// What looks for each row is not measured each time.
	if p.calls++; p.calls < 100 && p.calls%9 != 0 || p.calls >= 100 && p.calls%1000 != 0 {
		return nil
	}
	p.measure()
	return nil
}

func (p *heapProbe) measure() {
	heap := liveHeap() - p.base - onTheirWay
	held := p.x.held.Load()
	if heap < leastHeap {
		return
	}
	if heap > p.heap {
		p.heap, p.held = heap, held
	}
	if share := float64(held) / float64(heap); p.least == 0 || share < p.least {
		p.least, p.leastHeap = share, heap
	}
}

func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// probeHeap runs a query over a table N of whole numbers from 0 on.
func probeHeap(t *testing.T, query string, count int) *heapProbe {
	t.Helper()
	b := NewTableBuilder("N", Schema{{"n", Long}})
	for n := range count {
		b.SetLong(0, int64(n))
		b.Commit()
	}
	db := NewDatabase(b.Build())
	p := &heapProbe{Context: context.Background()}
	x := &execution{limits: Limits{Rows: 50_000_000, Bytes: 1 << 40, Time: time.Hour}, workers: 1, ctx: p}
	p.x = x
	p.base = liveHeap() // some operators run while the query is bound
	plan, err := compile(query, db, testNow, x)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	prepareAll(plan.root)
	p.base = liveHeap()
	func() {
		defer caught(query, &err)
		var out *rows
		if out, err = collect(plan.root, x); err == nil {
			err = out.settle()
			p.measure()
		}
		runtime.KeepAlive(out)
	}()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	runtime.KeepAlive(db)
	return p
}

// leastCharged is the least share of the heap that a query must know of.
const leastCharged = 0.8

// mostCharged is the most: what holds little must not run into the limit.
const mostCharged = 4.0

func checkHeap(t *testing.T, query string, rows int) {
	t.Helper()
	p := probeHeap(t, query, rows)
	if p.heap == 0 {
		return // it holds next to nothing
	}
	if p.least < leastCharged {
		t.Errorf("%s: of %.1f MB on the heap %.0f %% are charged", query, float64(p.leastHeap)/1e6, p.least*100)
	}
	if share := float64(p.held) / float64(p.heap); share > mostCharged {
		t.Errorf("%s: %.1f MB are on the heap, and %.1f times that is charged", query, float64(p.heap)/1e6, share)
	}
}

// probeColumns make values of every type, none of them in the table.
const probeColumns = `N | extend s = strcat('text ', n), r = n * 1.5, i = toint(n), ts = n * 1s, dt = datetime(2026-01-01) + n * 1s, dec = todecimal(n),
	g = toguid(strcat('00000000-0000-0000-0000-', substring(strcat('000000000000', n), strlen(tostring(n))))),
	a = pack_array(n, n + 1), d = bag_pack(strcat('key', n), strcat('value', n)), few = n % 10, w = 1, yes = true`

// heapArguments are what aggregates are called with, by name; with several, each
// is tried.
var heapArguments = map[string][]string{
	"": {"n"}, "countif": {"yes"}, "cnt": {""},
	"dcount": {"n", "s", "r", "dec", "g", "a", "d"}, "dcountif": {"s, yes", "r, yes"},
	"count_distinct": {"n", "s", "r", "dec", "g", "dt"}, "count_distinctif": {"s, yes", "r, yes"},
	"min": {"s", "n", "r", "dec"}, "max": {"s", "n", "r", "dec"}, "minif": {"s, yes"}, "maxif": {"s, yes"},
	"arg_max": {"n, s, a", "s, d", "r, *"}, "arg_min": {"n, s, a", "s, d"}, "take_any": {"s", "s, d", "a", "*"}, "any": {"s, d"},
	"take_anyif": {"s, yes", "d, yes"}, "anyif": {"s, yes"},
	"make_set": {"n", "s", "r", "dec", "g", "a", "d"}, "make_set_if": {"s, yes"}, "makeset": {"s", "s, 1000000"},
	"make_list": {"n", "s", "r", "dec", "g", "a", "d"}, "make_list_if": {"s, yes"}, "make_list_with_nulls": {"s"}, "makelist": {"s", "s, 1000000"},
	"argmax": {"n, s, a", "r, *"}, "argmin": {"n, s, a"}, "buildschema": {"d"}, "make_dictionary": {"d", "d, 100000"},
	"make_bag": {"d"}, "make_bag_if": {"d, yes"},
	"sum": {"n", "r", "dec"}, "avg": {"n", "dec"}, "sumif": {"n, yes"}, "avgif": {"n, yes"},
	"stdevif": {"n, yes"}, "varianceif": {"n, yes"}, "variancepif": {"n, yes"},
	"covariance": {"n, r"}, "covariancep": {"n, r"}, "covarianceif": {"n, r, yes"}, "covariancepif": {"n, r, yes"},
	"percentile": {"n, 50", "r, 50", "dec, 50", "dt, 50"}, "percentiles": {"n, 5, 50, 95"}, "percentiles_array": {"n, 5, 95"},
	"percentilew": {"n, w, 50"}, "percentilesw": {"n, w, 5, 95"}, "percentilesw_array": {"n, w, 5, 95"},
}

// TestAggregatesChargeWhatTheyHold compares for each aggregate what it says it
// holds with the heap: of one group, of few and of as many as there are rows. It
// runs by itself, since the heap is everybody's.
func TestAggregatesChargeWhatTheyHold(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(aggregates())) {
		t.Run(name, func(t *testing.T) {
			all, ok := heapArguments[name]
			if !ok {
				all = heapArguments[""]
			}
			for _, args := range all {
				for _, by := range []string{"", " by few", " by n", " by s"} {
					rows := 30_000
					if strings.Contains(by, " n") || strings.Contains(by, " s") {
						rows = 15_000
					}
					checkHeap(t, fmt.Sprintf("%s | summarize %s(%s)%s", probeColumns, name, args, by), rows)
				}
			}
		})
	}
}

// heapQueries are queries whose operators hold rows or what they make of them, by
// operator.
var heapQueries = map[string][]string{
	"distinct":    {"distinct n", "distinct s", "distinct n, s, r", "project s, dec, g, i | distinct *"},
	"sort":        {"project n, s, a | sort by n desc", "project d, s | sort by s"},
	"top":         {"top 50000 by n", "project s, d, n | top 50000 by s desc"},
	"serialize":   {"project s, n | serialize p = prev(s)", "project n, d | serialize | extend x = row_number()"},
	"join":        {"project n, s | join kind=inner (N | extend s2 = strcat('right ', n)) on n", "project s, n | join kind=leftouter (N | project s = strcat('text ', n), d = bag_pack('a', n)) on s", "project n, i | join kind=fullouter (N | extend i = toint(n)) on n, i", "project s | join kind=leftanti (N | project s = strcat('other ', n)) on s", "project n | join kind=leftsemi (N | project n) on n"},
	"lookup":      {"project n | lookup (N | extend s = strcat('right ', n)) on n"},
	"union":       {"project n, s | union (N | extend s = strcat('other ', n))"},
	"mv-expand":   {"project a, s | mv-expand a", "project d, s | mv-expand kind=array d"},
	"mv-apply":    {"project a, s | mv-apply a on (summarize make_list(a))"},
	"as":          {"project n, s | as hint.materialized=true X | union X"},
	"project":     {"project s", "project a", "project d", "project dec", "project g", "project n, r, ts, dt, i, yes", "project s, a, d"},
	"parse":       {"project x = strcat('a=', n, ' b=', s) | parse x with 'a=' a2:long ' b=' b2"},
	"parse-kv":    {"project x = strcat('a=', n, ', b=', s) | parse-kv x as (a:long, b:string) with (pair_delimiter=',', kv_delimiter='=')"},
	"evaluate":    {"project d | evaluate bag_unpack(d, columnsConflict='keep_source') | take 1"},
	"pivot":       {"project n, s | extend k = n % 5 | evaluate pivot(k, count(), s) : (['1']:long, s:string)"},
	"narrow":      {"project n, s | evaluate narrow()"},
	"ipv4_lookup": {"project ip = format_ipv4(n) | evaluate ipv4_lookup((N | project net = format_ipv4(n), t = strcat('text ', n)), ip, net)"},
	"activity": {"project id = strcat('id ', n), n | evaluate activity_counts_metrics(id, n, 0, 100000, 10)", "project id = strcat('id ', n), n | evaluate activity_metrics(id, n, 0, 100000, 10)", "project id = strcat('id ', n), n | evaluate activity_engagement(id, n, 0, 100000, 10, 1000)",
		"project id = strcat('id ', n), n | evaluate new_activity_metrics(id, n, 0, 100000, 10000, N | extend id = strcat('id ', n + 25000))"},
	"partition":     {"project n, s, k = n % 100 | partition hint.strategy=native by k (top 500 by n asc)", "project n | partition hint.strategy=native by n (extend t = strcat('text ', n))"},
	"scan":          {"project n, s | scan declare (sum:long = 0) with (step a: true => sum = a.sum + n;)"},
	"top-nested":    {"project n, s, k = n % 100 | top-nested of k by count(), top-nested of n by max(n)"},
	"sample":        {"project n, s | sample 50000"},
	"search":        {"project n, s | search 'text' or '5'"},
	"parsed JSON":   {"project j = parse_json(strcat('[', n, ',1,1,1,1,1,1]'))", "project j = parse_json(strcat('{\"k', n, '\":', n, '}'))"},
	"split":         {"project parts = split(strcat(s, ',', n, ',', r), ',')"},
	"let, toscalar": {"where n in ((N | where n < 40000 | project n)) | project n", "where s in ((N | project strcat('text ', n)))| project s"},
}

// TestOperatorsChargeWhatTheyHold does the same for operators.
func TestOperatorsChargeWhatTheyHold(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(heapQueries)) {
		t.Run(name, func(t *testing.T) {
			for _, query := range heapQueries[name] {
				rows := 60_000
				if name == "evaluate" {
					rows = 1000
				}
				checkHeap(t, probeColumns+" | "+query, rows)
			}
		})
	}
	t.Run("let", func(t *testing.T) {
		checkHeap(t, "let X = materialize(N | extend s = strcat('text ', n)); X | union X", 60_000)
		checkHeap(t, "range x from 1 to 100000 step 1 | extend s = strcat('text ', x)", 0)
	})
}
