package kql

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// seedQueries are those of the tests, and what is known to be hard.
func seedQueries(t testing.TB) []string {
	var seeds []string
	for _, c := range slices.Concat(allExpressions...) {
		seeds = append(seeds, "T | extend x = "+c.expression)
	}
	for _, c := range testQueries(t) {
		seeds = append(seeds, c.query)
	}
	return append(seeds, runAwayQueries()...)
}

// runAwayQueries are short texts that stand for very much work.
func runAwayQueries() []string {
	lets := func(first, next string, n int) string {
		var sb strings.Builder
		sb.WriteString("let a0 = " + first + "; ")
		for i := range n {
			name := func(i int) string { return "a" + strings.Repeat("x", i) + "0" }
			sb.WriteString("let " + name(i+1) + " = " + strings.ReplaceAll(next, "@", name(i)) + "; ")
			first = name(i + 1)
		}
		sb.WriteString("print x = strlen(tostring(" + first + "))")
		return sb.String()
	}
	return []string{
		lets(`"0123456789"`, "strcat(@, @)", 60),
		lets(`"0123456789"`, `replace_string(@, "0", @)`, 60),
		lets(`"0123456789"`, `replace_regex(@, "0|1|2", @)`, 60),
		lets(`dynamic([1])`, "pack_array(@, @)", 60),
		lets(`dynamic([1])`, "array_concat(@, @)", 60),
		lets(`dynamic({"a":1})`, `bag_pack("a", @, "b", @)`, 60),
		lets(`"a,a"`, `strcat_array(split(@, "a"), @)`, 60),
		"let f0 = () { T }; " + func() string {
			var sb strings.Builder
			for i := range 50 {
				name := func(i int) string { return "f" + strings.Repeat("x", i) + "0" }
				sb.WriteString("let " + name(i+1) + " = () { let p = " + name(i) + "(); let q = " + name(i) + "(); p | union q }; ")
			}
			return sb.String() + "f" + strings.Repeat("x", 50) + "0() | count"
		}(),
		"T" + strings.Repeat(" | as A | union A", 60) + " | count",
		"let m0 = materialize(T); " + func() string {
			var sb strings.Builder
			name := func(i int) string { return "m" + strings.Repeat("x", i) + "0" }
			for i := range 60 {
				sb.WriteString("let " + name(i+1) + " = materialize(" + name(i) + " | union " + name(i) + "); ")
			}
			return sb.String() + name(60) + " | count"
		}(),
		"let f = () { " + strings.Repeat("let f = () { ", 5000) + "1" + strings.Repeat(" }; 1", 5000) + " }; print f()",
		"T | " + strings.Repeat("mv-apply d on (", 5000) + "take 1" + strings.Repeat(")", 5000),
		"T" + strings.Repeat(" | mv-apply d on (take 1)", 500),
		"T | serialize" + strings.Repeat(" | extend n = row_number()", 500),
		"T" + strings.Repeat(" | parse s with x", 500),
		"union " + strings.Repeat("(union ", 5000) + "T" + strings.Repeat(")", 5000),
		"print s = '" + strings.Repeat("a=1,", 5000) + "' | parse-kv s as (a:string, b:string) with (pair_delimiter=',', kv_delimiter='=', greedy=true)",
		"print s = '" + strings.Repeat("a", 5000) + "' | parse kind=regex s with * 'a*' x 'a*' y 'a*b' *",
		lets(`toscalar(T | count)`, "@ + @", 60),
		"let f = (x:long) { x + x }; T | extend y = " + strings.Repeat("f(", 60) + "n" + strings.Repeat(")", 60),
		"range x from 0.0 to 1 step 1e-300 | count",
		"range x from 1 to 9223372036854775807 step 1 | count",
		"range t from datetime(0001-01-01) to datetime(9999-12-31) step 1tick | count",
		"range x from 1 to 3000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 100000 step 1 | extend k = 1) on k | join kind=inner (range z from 1 to 100000 step 1 | extend k = 1) on k | count",
		"print a = split('" + strings.Repeat("a,", 500) + "', ',') | extend b = a, c = a, e = a | mv-expand a | mv-expand b | mv-expand c | mv-expand e | count",
		"print " + strings.Repeat("(", 5000),
		"print x = " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300),
		"print x = " + strings.Repeat("-", 5000) + "1",
		"print x = " + strings.Repeat("not(", 5000),
		"print x = dynamic(" + strings.Repeat("[", 5000),
		"print x = parse_json('" + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "')",
		"T | where " + strings.Repeat("n == 1 or ", 3000) + "false",
		"print x = 1" + strings.Repeat(" + 1", 3000),
		"T" + strings.Repeat(" | extend x = 1", 3000),
		"print x = dynamic({})" + strings.Repeat(".a", 3000),
		"print x = replace_regex('" + strings.Repeat("a", 5000) + "', '(a*)*b', 'x')",
		"print x = '" + strings.Repeat("a", 3000) + "' matches regex '(a|a)*$'",
		"print x = 'a' matches regex '" + strings.Repeat("(a{1000}", 2) + "'",
		"print x = trim('(a{100}){9}', 'aaa')",
	}
}

// Every short text that stands for much work ends soon, with an answer or an
// error of the package.
func TestRunAwayQueriesEnd(t *testing.T) {
	t.Parallel()
	for _, query := range runAwayQueries() {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		_, err := Run(ctx, query, testTables(), Options{Now: testNow, Limits: Limits{Rows: 100_000}})
		cancel()
		var queryError *Error
		var limit *LimitError
		if err != nil && !errors.As(err, &queryError) && !errors.As(err, &limit) {
			t.Errorf("%.120s: %v", query, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"range x from 1 to 2000 step 1 | sort by x":                            "more than 1000 rows at once",
		"range x from 1 to 2000 step 1":                                        "more than 1000 rows at once",
		"range x from 1 to 2000 step 1 | summarize count() by x":               "more than 1000 rows at once",
		"range x from 1 to 2000 step 1 | count":                                "",
		"range x from 1 to 2000 step 1 | take 10":                              "",
		"range x from 1 to 100000000 step 1 | count":                           "makes more than 20000 rows",
		runAwayQueries()[0]:                                                    "more than 32 MiB",
		"range x from 1 to 2000 step 1 | summarize array_length(make_list(x))": "",
	}
	for query, want := range tests {
		_, err := Run(t.Context(), query, testTables(), Options{Now: testNow, Limits: Limits{Rows: 1000}})
		var limit *LimitError
		switch {
		case want == "" && err != nil:
			t.Errorf("%.100s: %v", query, err)
		case want != "" && (!errors.As(err, &limit) || !strings.Contains(limit.Message, want)):
			t.Errorf("%.100s: got %v, want a limit with %q", query, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, q := range seedQueries(f) {
		f.Add(q)
	}
	schemas := schemasOf(testTables())
	f.Fuzz(func(t *testing.T, query string) {
		_, err := Check(query, schemas)
		var queryError *Error
		var limit *LimitError
		switch {
		case err == nil || errors.As(err, &limit):
		case !errors.As(err, &queryError):
			t.Fatalf("%q: %v", query, err)
		case queryError.Offset < 0 || queryError.Offset > len(query) || !strings.HasPrefix(query[queryError.Offset:], queryError.Token):
			t.Fatalf("%q: the error's place is wrong: %#v", query, queryError)
		case queryError.Message == "" || queryError.Line < 1 || queryError.Column < 1:
			t.Fatalf("%q: %#v", query, queryError)
		}
	})
}

// FuzzRun runs any text twice: both runs end alike, and what they give fits the check.
func FuzzRun(f *testing.F) {
	for _, q := range seedQueries(f) {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		opts := Options{Now: testNow, Limits: Limits{Rows: 2000}}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		first, err := Run(ctx, query, testTables(), opts)
		if errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%q does not end", query)
		}
		again, errAgain := Run(ctx, query, testTables(), opts)
		if (err == nil) != (errAgain == nil) {
			t.Fatalf("%q: first %v, then %v", query, err, errAgain)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(render(first), render(again)); diff != "" {
			t.Fatalf("%q: two runs differ:\n%s", query, diff)
		}
		summary, err := Check(query, schemasOf(testTables()))
		if err != nil {
			t.Fatalf("%q runs, and does not check: %v", query, err)
		}
		if diff := cmp.Diff(summary.Columns, first.Schema(), cmpopts.EquateEmpty()); diff != "" && !summary.Open {
			t.Fatalf("%q: -checked +ran:\n%s", query, diff)
		}
		for i, c := range first.Schema() {
			for row := range first.Rows() {
				v := first.Value(row, i)
				if c.Type != Dynamic && !v.IsNull() && v.kind != c.Type {
					t.Fatalf("%q: a %s in the %s column %s", query, v.kind, c.Type, c.Name)
				}
				if !json.Valid([]byte(v.JSON())) {
					t.Fatalf("%q: a cell of the column %s is not JSON: %s", query, c.Name, v.JSON())
				}
			}
		}
	})
}

// JSON that is read is written so that it reads back as the same value.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5,1e300,"x\u0000\ud83d\ude00",null,true]}`, `"\ud800"`, `[1.0,1e15,123456789012345678901,-0.0]`, `{"a":1,"a":2}`, ` [ ] `, `1 2`, `nul`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, ok := parseJSON(text)
		if !ok {
			return
		}
		var sb strings.Builder
		v.appendJSON(&sb)
		if !json.Valid([]byte(sb.String())) || !utf8.ValidString(sb.String()) {
			t.Fatalf("%q is written as %q", text, sb.String())
		}
		again, ok := parseJSON(sb.String())
		if !ok || !equal(v, again) && !strings.Contains(sb.String(), "Infinity") {
			t.Fatalf("%q is written as %q, which is another value", text, sb.String())
		}
		if string(groupKey(nil, v)) != string(groupKey(nil, again)) && !strings.Contains(sb.String(), "Infinity") {
			t.Fatalf("%q and %q have different keys", text, sb.String())
		}
	})
}

func FuzzDateTime(f *testing.F) {
	for _, s := range []string{"2026-03-17T09:58:07.1234567Z", "2026-03-17", "2026-02-29", "17 Mar 2026", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.99999999-01:00", "3/17/2026 9:58 PM"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, ok := ParseTime(text)
		if !ok {
			return
		}
		ticks := timeToTicks(at)
		if ticks < 0 || ticks > maxTicks {
			t.Fatalf("%q is %v, outside the range", text, at)
		}
		written := formatDateTime(ticks)
		if again, ok := parseDateTime(written); !ok || again != ticks {
			t.Fatalf("%q is written as %q, which is %d ticks and not %d", text, written, again, ticks)
		}
		if std, err := time.Parse(time.RFC3339Nano, text); err == nil && std.Truncate(100).UTC() != at.UTC() && std.Year() > 1 && std.Year() < 9999 {
			t.Fatalf("%q is %v and not %v", text, at, std)
		}
	})
}

func FuzzTimeSpan(f *testing.F) {
	for _, s := range []string{"1.02:03:04.5", "-00:00:00.0000001", "90m", "1.5h", "-3", "10675199.02:48:05.4775807", "1e3", "00:60"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ticks, ok := parseTimeSpan(text)
		if !ok {
			return
		}
		written := formatTimeSpan(ticks)
		if again, ok := parseTimeSpan(written); ticks != math.MinInt64 && (!ok || again != ticks) {
			t.Fatalf("%q is written as %q, which is %d ticks and not %d", text, written, again, ticks)
		}
	})
}
