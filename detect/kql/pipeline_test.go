package kql

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// aboveOperators are queries with stages above operators of each kind, and with what
// summarize, sort and mv-expand make of columns with and without a dictionary.
var aboveOperators = []string{
	"T | sort by n desc | extend d = strcat(User, Few), city = Bag.city | where d has '1' and isnotempty(city) | project n, d, city",
	"T | sort by User asc, Few desc, n asc | extend before = prev(User) | where User != before | project n, User, Few",
	"T | sort by tolower(User) desc, Each asc | project Each",
	"union T, (T | extend User = strcat(User, ''), Few = tostring(n % 5)) | sort by Few asc, User desc, n asc | project n, User, Few",
	"T | as X | union X, X | extend l = strlen(User) + toint(Few) | summarize sum(l), count() by Few | sort by Few asc",
	"let X = materialize(T | where n % 3 > 0 | extend c = Bag.city); union (X | where c == 'C3' | extend d = 1), (X | extend d = 2) | extend e = strcat(c, d) | summarize count() by e",
	"T | summarize arg_max(n, User, Few, Bag), arg_min(TimeGenerated, Each), take_any(Few), take_any(User, Bag), min(n), max(TimeGenerated), count() by User, Few | extend x = strcat(User, Few, Bag.city) | sort by User asc, Few asc",
	"union T, (T | extend User = strcat(User, ''), Few = strcat('', Few)) | summarize count(), arg_max(n, *) by User, Few | extend l = strlen(Each) | project User, Few, Each, l, count_",
	"union (T | extend User = strcat(User, '')), T | summarize arg_max(n, User), take_anyif(Few, n % 7 == 1) by k = n % 1000 | extend User, l = strlen(Few)",
	"T | extend o = iff(n % 4 == 0, User, Few) | summarize arg_max(n, o, Few) by n % 9000 | union T | summarize dcount(o), count() by Few",
	"T | summarize arg_max(n, Few, Each), minif(n, Few == '2'), countif(Few == '1') by User | extend s = strcat(Few, '!') | sort by User asc",
	"T | summarize take_any(Bag), arg_max(toint(Bag.n[0]), Each) by Few, tostring(Bag.city) | extend c = Bag.city",
	"T | mv-expand k = pack_array(Few) to typeof(string) | extend d = strcat(k, User) | project n, d",
	"T | mv-expand k = iff(n % 50 == 0, pack_array(Few, User), pack_array(Few)) to typeof(string) | extend d = strcat(k, User) | project n, k, d, Bag",
	"T | join kind=leftouter (T | where n % 2 == 0 | project User, Few, m = n | where m < 3000) on User, Few | extend d = coalesce(m, n), e = strcat(User, User1) | summarize sum(d), dcount(e)",
	"T | where n > 10 | where User has 'contoso' | where Bag.city startswith 'C1' | where toint(Bag.n[0]) > 0 | extend c = Bag.city | project n, c, Few",
	"T | where Bag.city != 'C2' | where n % 2 == 0 | where isnotempty(Bag.city) | project Bag, User",
	"T | extend c = coalesce(User, Each), d = coalesce(tostring(Bag.city), User, Few), e = coalesce(toint(Bag.n[1]), toint(Few)), f = coalesce(Bag.none, Bag) | project n, c, d, e, f",
	"let f = (s: string) { coalesce(extract('([0-9]+)', 1, s), s) }; T | extend a = coalesce(f(User), f(Few)), b = f(Few) | project a, b",
	"T | extend t = iff(n >= 0, TimeGenerated, now()), s = iff(n < 0, User, Few), b = iff(n >= 0, Bag, dynamic(1)) | summarize count(), min(t) by s, tostring(b.city)",
	"T | extend day = startofday(TimeGenerated, -1), later = TimeGenerated + 1h, span = TimeGenerated - datetime(2026-03-17), m = n - 5 | summarize max(later), max(span), sum(m) by day",
	"T | extend x = 1 | sort by n asc | take 5000 | extend y = strcat(User, x) | take 4500 | summarize count(), max(y)",
	"T | sort by n asc | extend y = strcat(User, Few) | take 3 | project n, y",
	"T | top 5 by TimeGenerated desc | project n, User",
	"T | top 60 by Few asc | project n, Few, Bag",
	"T | top 7 by strcat(Few, User) desc nulls first | project n, User, Few",
	"union (T | extend k = iff(n % 3 == 0, long(null), n % 100)), T | top 9 by k asc | project k, n",
	"T | extend k = toreal(Few) / (toreal(Few) - 4) | top 64 by k desc | project k, n",
	"T | where n < 3 or n > 9000 | top 5 by User asc nulls last | project n, User",
	"T | top 3 by rand(1) | count",
	"T | top 65 by n % 10 desc | project n",
	"union T, T | extend d = parse_json(tostring(Bag)) | extend e = tostring(d.city), f = tostring(d.n[0]) | summarize count() by e, f",
	"T | join kind=innerunique (T | where n < 500 | project Few, m = n) on Few | where TimeGenerated between (datetime(2026-03-17) .. (TimeGenerated + 1s)) | where n between (toint(Few) .. n) | count",
	"T | partition hint.strategy=native by Few (sort by n asc | extend y = strcat(User, n) | summarize max(y)) | sort by max_y asc",
	"T | summarize l = make_list(n, 6000) by Few | mv-apply l to typeof(long) on (summarize sum(l), count() by odd = l % 2) | extend z = strcat(Few, odd) | sort by z asc",
	"T | summarize Bag = take_any(Bag), l = make_list(pack('f', Few, 'n', n), 9) by User | mv-apply e = l on (extend f = tostring(e.f) | where f != '4' | summarize c = count(), arg_max(tolong(e.n), f, e) by f | where c > 0 | extend g = strcat(f, c)) | sort by User asc, f asc",
}

// TestAboveOperators compares what stages on several goroutines make of batches from
// other operators with what one makes of them, where no rows share an element.
func TestAboveOperators(t *testing.T) {
	t.Parallel()
	table := repeating(3*chunkRows + 100)
	flat := apart(table)
	for _, q := range aboveOperators {
		t.Run(q, func(t *testing.T) {
			t.Parallel()
			want := answerOf(t, q, flat, 1, Limits{})
			if strings.Count(want, "\n") == 0 {
				t.Fatalf("it gives %s", want)
			}
			for _, of := range []*Table{flat, table} {
				for _, workers := range []int{1, 4} {
					if got := answerOf(t, q, of, workers, Limits{}); got != want {
						t.Errorf("on %d goroutines:\n%.600s\nwant:\n%.600s", workers, got, want)
					}
				}
			}
		})
	}
}

// TestAboveOperatorsFails has stages above an operator run into a limit on their way, on
// one goroutine and on several.
func TestAboveOperatorsFails(t *testing.T) {
	t.Parallel()
	table := repeating(6 * chunkRows)
	for _, q := range []string{
		"T | sort by n asc | extend a = iff(n == 9000, strrep('x', 1024), '') | extend b = strrep(a, 1024) | extend c = strrep(b, 1024) | project n, c",
		"range n from 1 to 30000 step 1 | extend a = range(n, n + 1000) | extend b = strcat(a, a) | summarize make_list(b)",
		"T | sort by n asc | extend a = strcat(User, Few) | summarize make_list(a, 100000), make_list(Each, 100000) by n",
	} {
		t.Run(q, func(t *testing.T) {
			t.Parallel()
			limits := Limits{Bytes: 24 << 20}
			want := answerOf(t, q, table, 1, limits)
			if !strings.Contains(want, "limit") && !strings.Contains(want, "more than") {
				t.Fatalf("it gives %.200s", want)
			}
			if got := answerOf(t, q, table, 4, limits); !strings.Contains(got, "limit") && !strings.Contains(got, "more than") {
				t.Errorf("on several goroutines it gives %.200s, on one %s", got, want)
			}
		})
	}
}

// wholeVectors are vectors of whole numbers of a type in all their forms, with nulls and
// without, and near the ends of what there is.
func wholeVectors(t Type, n int) []*vector {
	r := rand.New(rand.NewPCG(7, uint64(t)))
	one := func(nulls bool) *vector {
		v := newVector(t, n)
		for i := range n {
			v.ints[i] = r.Int64N(5)
			switch k := r.IntN(12); {
			case t == DateTime:
				v.ints[i] = []int64{0, 3, maxTicks, maxTicks / 2, 4}[r.IntN(5)]
			case k == 0 && t == Long:
				v.ints[i] = math.MaxInt64
			case k == 1 && t == Long:
				v.ints[i] = math.MinInt64
			case k == 0 && t == Int:
				v.ints[i] = math.MaxInt32
			}
			if nulls && r.IntN(3) == 0 {
				v.setNull(i)
			}
		}
		return v
	}
	coded := func(v *vector) *vector {
		c := *v
		c.n, c.codes = n, make([]uint16, n)
		for i := range c.codes {
			c.codes[i] = uint16(r.IntN(n))
		}
		return &c
	}
	list := []*vector{one(false), one(true), coded(one(false)), coded(one(true)), constantVector(t, Value{}, n)}
	return append(list, constantVector(t, list[0].value(0), n), constantVector(t, list[0].value(1), n))
}

// TestWholeBatches compares operators over vectors of whole numbers with the same row by
// row.
func TestWholeBatches(t *testing.T) {
	t.Parallel()
	const n = 60
	check := func(t *testing.T, op string, got *vector, l, r *vector, rows func([]Value) Value) {
		t.Helper()
		for i := range n {
			if want := rows([]Value{l.value(i), r.value(i)}); !cmp.Equal(got.value(i), want, cmp.AllowUnexported(Value{})) {
				t.Fatalf("%s %s %s is %s, want %s", l.value(i), op, r.value(i), got.value(i), want)
			}
		}
	}
	for _, of := range []Type{Long, Int, DateTime, TimeSpan, Bool} {
		for _, l := range wholeVectors(of, n) {
			for _, r := range wholeVectors(of, n) {
				for _, op := range []string{"==", "!=", "<", "<=", ">", ">="} {
					check(t, op, comparisonBatch(op, false)([]*vector{l, r}, n), l, r, comparisonRows(op))
				}
			}
		}
	}
	for _, test := range []struct {
		op    string
		l, r  Type
		whole func(x, y int64) (int64, bool)
		rows  func(a, b Value) Value
	}{
		{"+", Long, Long, addWhole, plus}, {"-", Long, Long, subtractWhole, subtracted},
		{"+", Int, Long, addWhole, plus}, {"-", Int, Int, subtractWhole, subtracted},
		{"+", DateTime, TimeSpan, addWhole, plus}, {"+", TimeSpan, DateTime, addWhole, plus},
		{"-", DateTime, TimeSpan, subtractWhole, subtracted}, {"-", DateTime, DateTime, subtractWhole, subtracted},
		{"+", TimeSpan, TimeSpan, addWhole, plus}, {"-", TimeSpan, TimeSpan, subtractWhole, subtracted},
	} {
		of := arithmeticType(test.op, test.l, test.r)
		if !areWhole(test.l, test.r) || of == kindNull {
			t.Fatalf("%s %s %s", test.l, test.op, test.r)
		}
		for _, l := range wholeVectors(test.l, n) {
			for _, r := range wholeVectors(test.r, n) {
				check(t, test.op, wholeBatch(of, test.whole)([]*vector{l, r}, n), l, r, func(a []Value) Value {
					if a[0].IsNull() || a[1].IsNull() {
						return Value{}
					}
					return convert(test.rows(a[0], a[1]), of)
				})
			}
		}
	}
}
