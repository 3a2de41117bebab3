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
