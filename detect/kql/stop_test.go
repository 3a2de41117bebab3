package kql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestRunReturnsWhateverIsBusy has something hang that does not look at the
// context: the query ends all the same, with the caller's context or its own
// time.
func TestRunReturnsWhateverIsBusy(t *testing.T) {
	t.Parallel()
	db := NewDatabase()
	db.Watchlists = func(string) (*Table, error) {
		<-t.Context().Done()
		return nil, errors.New("too late")
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	if _, err := Run(ctx, "_GetWatchlist('x')", db, Options{Now: testNow}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
	var limit *LimitError
	if _, err := Run(t.Context(), "_GetWatchlist('x')", db, Options{Now: testNow, Limits: Limits{Time: 10 * time.Millisecond}}); !errors.As(err, &limit) {
		t.Errorf("error = %v", err)
	}
}

// looks counts how often a query looks whether it must end.
type looks struct {
	context.Context
	n, most int64
}

func (l *looks) Err() error {
	if atomic.AddInt64(&l.n, 1) > l.most && l.most > 0 {
		return context.Canceled
	}
	return nil
}

// TestLongFunctionsLook counts the looks of functions over one batch of rows. All
// but those that work on whole columns look every few rows.
func TestLongFunctionsLook(t *testing.T) {
	t.Parallel()
	for _, e := range []string{
		"replace_regex(s, 'a', 'b')", "split(s, ',')", "extract_all('(.)', s)", "parse_json(s)", "strrep(s, 2)", "replace_string(s, 'a', 'b')",
		"countof(s, 'a')", "reverse(s)", "hash_sha256(s)", "base64_encode_tostring(s)", "parse_csv(s)", "url_encode(s)", "translate('a', 'b', s)",
		"pack_array(s, s)", "s in (s, strcat(s, 'x'))", "parse_url(s)", "trim('a', s)", "indexof(s, 'b')", "case(n > 5, s, 'x')", "todecimal(n) + 1",
	} {
		b := NewTableBuilder("N", Schema{{"n", Long}, {"s", String}})
		for n := range chunkRows {
			b.SetLong(0, int64(n))
			b.SetString(1, []byte(fmt.Sprint("text ", n)))
			b.Commit()
		}
		query := "N | extend x = " + e
		run := func(most int64) (int64, error) {
			l := &looks{Context: t.Context(), most: most}
			x := &execution{ctx: l, limits: Limits{}.orDefault(), workers: 1}
			_, err := run(x, query, NewDatabase(b.Build()), Options{Now: testNow})
			return l.n, err
		}
		n, err := run(0)
		if err != nil || n < chunkRows/rowsBetweenLooks {
			t.Errorf("%s: it looks %d times, error = %v", e, n, err)
		}
		if _, err := run(n / 2); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: it goes on, error = %v", e, err)
		}
	}
}

// TestOperatorsLook counts the looks of operators, plugins and aggregates that hold
// rows, over few batches, and has each of them ended half way.
func TestOperatorsLook(t *testing.T) {
	t.Parallel()
	const rows = 1000
	b := NewTableBuilder("N", Schema{{"n", Long}, {"s", String}, {"ip", String}, {"d", Dynamic}})
	for n := range rows {
		b.SetLong(0, int64(n))
		b.SetString(1, fmt.Appendf(nil, "text %d", n))
		b.SetString(2, fmt.Appendf(nil, "10.0.%d.%d", n/256, n%256))
		b.SetJSON(3, fmt.Appendf(nil, `{"k%d":%d}`, n%500, n))
		b.Commit()
	}
	table := b.Build()
	for _, tt := range []struct {
		query string
		least int64
	}{
		{"N | scan declare (c:long = 0) with (step a: true => c = a.c + 1; step b: n % 2 == 0;)", 10},
		{"N | partition hint.strategy=native by n (extend m = n)", rows},
		{"N | extend k = n % 60 | partition hint.strategy=legacy by k (count)", 60},
		{"N | top-nested of n by count(), top-nested 2 of s by max(n)", 5},
		{"N | evaluate bag_unpack(d)", 500},
		{"N | extend k = n % 500 | evaluate pivot(k, count(), s)", 5},
		{"N | evaluate narrow()", 5},
		{"N | evaluate ipv4_lookup((N | project net = strcat(ip, '/', 24 + n % 8)), ip, net)", 10},
		{"N | evaluate rows_near(n % 3 == 0, 100)", 5},
		{"N | evaluate activity_counts_metrics(s, n, 0, 1000, 1)", 10},
		{"N | evaluate activity_engagement(s, n, 0, 1000, 1, 1000)", 10},
		{"N | evaluate activity_metrics(s, n, 0, 1000, 1)", 10},
		{"N | evaluate new_activity_metrics(s, n, 0, 1000, 10)", 10},
		{"N | evaluate active_users_count(s, n, 0, 1000, 1000, 1, 1, 1)", 10},
		{"N | evaluate sliding_window_counts(s, n, 0, 1000, 1000, 1)", 10},
		{"N | evaluate session_count(s, n, 0, 1000, 1, 30)", 10},
		{"N | evaluate rolling_percentile(n, 50, n, 1, 300)", 10},
		{"N | make-series count() on n from 0 to 1000 step 1 by s", 10},
		{"N | mv-apply x = range(1, 10) to typeof(long) on (where x > 3 | summarize make_list(x))", 10},
		{"N | mv-expand x = range(1, 1000) | count", 100},
		{"search 'text'", 3}, {"find where s has 'text'", 3}, {"N | where * has '5'", 3}, {"N | facet by n, s", 5}, {"N | fork (count) (top 3 by n)", 5},
		{"N | sample 500", 3}, {"N | sample-distinct 500 of n", 3}, {"N | top-hitters 3 of s", 3}, {"N | sort by s | serialize r = row_number()", 3},
		{"N | join kind=inner (N | extend k = n) on n | join kind=inner (N) on n", 5},
		{"range x from 1 to 1000000 step 1 | count", 20},
		{"N | extend a = range(n, n + 50) | extend series_decompose_anomalies(a)", 20},
		{"N | extend a = range(n, n + 50) | extend series_fit_2lines(a), b = series_fft(a), c = array_sort_asc(a, a), d = strcat_array(a, ',')", 20},
		{"N | summarize make_list(range(1, 100)), make_bag(d), percentile(n, 50), buildschema(d) by n % 2", 3},
	} {
		db := NewDatabase(table)
		run := func(most int64) (int64, error) {
			l := &looks{Context: t.Context(), most: most}
			x := &execution{ctx: l, limits: Limits{}.orDefault(), workers: 1}
			_, err := run(x, tt.query, db, Options{Now: testNow})
			return l.n, err
		}
		n, err := run(0)
		if err != nil || n < tt.least {
			t.Errorf("%s: it looks %d times, want %d, error = %v", tt.query, n, tt.least, err)
		}
		if _, err := run(n / 2); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: it goes on, error = %v", tt.query, err)
		}
	}
}

// TestLetsAreLinear binds so many statements that anything but a look-up would
// take minutes.
func TestLetsAreLinear(t *testing.T) {
	t.Parallel()
	var sb strings.Builder
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&sb, "let a%d = %d;\n", i, i)
	}
	query := sb.String() + "print "
	out, err := Run(t.Context(), query+"a0 + a199999", NewDatabase(), Options{Now: testNow})
	if err != nil || out.Value(0, 0).String() != "199999" {
		t.Fatalf("%v, %v", out, err)
	}
	var e *Error
	if _, err := Run(t.Context(), query+"a200000", NewDatabase(), Options{Now: testNow}); !errors.As(err, &e) || e.Line != n+1 {
		t.Errorf("error = %v", err)
	}
}

// TestLetsSeeWhatIsBeforeThem keeps to what the order of statements means.
func TestLetsSeeWhatIsBeforeThem(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"let a = 1; let b = a + 1; let f = () { a + b }; let c = f() + 1; print c":             "4",
		"let f = (x:long) { let a = x * 2; let b = a + 1; b }; let a = 5; print f(a) + a":      "16",
		"let a = 1; let f = () { let a = 2; let b = a; b }; print f() + a":                     "3",
		"let f = () { g() }; let g = () { 1 }; print f()":                                      "error: g",
		"let a = b; let b = 1; print a":                                                        "error: b",
		"let a = 1; let a = 2; print a":                                                        "error: defined twice",
		"let f = (x:long) { let x = 2; x }; print f(1)":                                        "error: defined twice",
		"let f = () { let a = 1; let a = 2; a }; print f()":                                    "error: defined twice",
		"let a = 1; let f = () { a }; let g = () { let b = f(); let a = 7; b + a }; print g()": "8",
	} {
		out, err := Run(t.Context(), query, NewDatabase(), Options{Now: testNow})
		if text, failing := strings.CutPrefix(want, "error: "); failing {
			if err == nil || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: error = %v, want %s in it", query, err, text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", query, err)
		} else if got := out.Value(0, 0).String(); got != want {
			t.Errorf("%s is %s, want %s", query, got, want)
		}
	}
}
