package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/schedule"
	"pushback/detect/workspace"
)

// querier answers queries by calling a function.
type querier func(context.Context) (*workspace.Table, error)

func (q querier) Query(ctx context.Context, _ workspace.Query) (*workspace.Table, error) {
	return q(ctx)
}

// testFunction returns a function whose queries q answers, with the buffers
// that it logs to.
func testFunction(t *testing.T, stopping context.Context, timeout time.Duration, q querier) (f *function, stdout, stderr *outputBuffer) {
	t.Helper()
	stdout, stderr = &outputBuffer{}, &outputBuffer{}
	log := newLogger(stdout, stderr, slog.LevelInfo)
	return newFunction(log, func(context.Context) (*opened, error) {
		config := detect.DefaultConfig()
		config.Margin, config.DeliveryTime = 0, 0
		d, err := detect.New(config, []*rule.Rule{rule.Default()}, q, ledger.NewMemory(), alertLog{log.Handler()})
		return &opened{detector: d}, err
	}, timeout, stopping), stdout, stderr
}

// TestFunctionPanics lets the set-up and a query panic: the invocation fails,
// the stack is logged once, and the next invocation works.
func TestFunctionPanics(t *testing.T) {
	t.Parallel()
	queries := 0
	f, stdout, stderr := testFunction(t, t.Context(), time.Minute, func(context.Context) (*workspace.Table, error) {
		if queries++; queries == 1 {
			panic("in the query")
		}
		return &workspace.Table{}, nil
	})
	works := f.open
	f.open = func(context.Context) (*opened, error) { panic("in the set-up") }
	if _, err := f.tick(t.Context(), invocation{now: at(11, 5)}); err == nil || !strings.Contains(err.Error(), "a mistake in the program") {
		t.Errorf("set-up: %v", err)
	}
	f.open = works
	if done, err := f.tick(t.Context(), invocation{now: at(11, 5)}); err == nil || done.Rules[0].Waiting != 1 {
		t.Errorf("query: %v", err)
	}
	if _, err := f.tick(t.Context(), invocation{now: at(11, 10)}); err != nil {
		t.Errorf("after it: %v", err)
	}
	for _, what := range []string{"in the set-up", "in the query"} {
		var with []string
		for line := range strings.Lines(stdout.String() + stderr.String()) {
			if strings.Contains(line, `panic: `+what) {
				with = append(with, line)
			}
		}
		if len(with) != 1 || !strings.Contains(with[0], "function_test.go") {
			t.Errorf("%s: %d lines\n%s", what, len(with), strings.Join(with, ""))
		}
	}
}

// TestFunctionWaits lets a tick take longer than another can wait.
func TestFunctionWaits(t *testing.T) {
	t.Parallel()
	querying, release := make(chan struct{}), make(chan struct{})
	f, _, stderr := testFunction(t, t.Context(), time.Minute, func(context.Context) (*workspace.Table, error) {
		close(querying)
		<-release
		return &workspace.Table{}, nil
	})
	first := make(chan error, 1)
	go func() {
		_, err := f.tick(t.Context(), invocation{now: at(11, 5)})
		first <- err
	}()
	<-querying
	hungUp, hangUp := context.WithCancel(t.Context())
	hangUp()
	if _, err := f.tick(hungUp, invocation{now: at(11, 6)}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "another tick was still running") {
		t.Errorf("%v", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if n := strings.Count(stderr.String(), "\n"); n != 1 {
		t.Errorf("%d lines of errors", n)
	}
}

// TestFunctionOpensAgain lets the set-up fail once, as a ledger may.
func TestFunctionOpensAgain(t *testing.T) {
	t.Parallel()
	f, _, stderr := testFunction(t, t.Context(), time.Minute, func(context.Context) (*workspace.Table, error) { return &workspace.Table{}, nil })
	works := f.open
	f.open = func(context.Context) (*opened, error) { return nil, errors.New("the ledger is away") }
	f.prepare()
	if _, err := f.tick(t.Context(), invocation{now: at(11, 5)}); err == nil {
		t.Error("a tick without a ledger")
	}
	f.open = works
	if _, err := f.tick(t.Context(), invocation{}); err != nil { // the host did not say when
		t.Error(err)
	}
	if n := strings.Count(stderr.String(), "the ledger is away"); n != 2 {
		t.Errorf("%d lines:\n%s", n, stderr)
	}
}

// TestServeCutsShort asks the process to end while a query does not. The query
// is cut short, the invocation is answered, and the window waits for the next.
func TestServeCutsShort(t *testing.T) {
	t.Parallel()
	stopping, stop := context.WithCancel(t.Context())
	querying := make(chan struct{})
	f, _, stderr := testFunction(t, stopping, time.Hour, func(ctx context.Context) (*workspace.Table, error) {
		close(querying)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	f.finish = time.Millisecond
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(stopping, listener, f, time.Minute) }()
	status := make(chan int, 1)
	go func() {
		resp, err := http.Post("http://"+listener.Addr().String()+functionPath, "application/json", strings.NewReader(hostBody))
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	<-querying
	stop()
	if got := <-status; got != http.StatusInternalServerError {
		t.Errorf("status %d\n%s", got, stderr)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestServeGivesUp has a tick that does not end even then.
func TestServeGivesUp(t *testing.T) {
	t.Parallel()
	stopping, stop := context.WithCancel(t.Context())
	querying, release := make(chan struct{}), make(chan struct{})
	f, _, _ := testFunction(t, stopping, time.Hour, func(context.Context) (*workspace.Table, error) {
		close(querying)
		<-release
		return &workspace.Table{}, nil
	})
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serve(stopping, listener, f, time.Millisecond) }()
	ticked := make(chan struct{})
	go func() {
		_, _ = f.tick(t.Context(), invocation{now: at(11, 5)})
		close(ticked)
	}()
	<-querying
	stop()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopped with a tick under way") {
		t.Errorf("%v", err)
	}
	close(release)
	<-ticked
}

// TestSummaryLines says what a tick did, to a reader and to queries.
func TestSummaryLines(t *testing.T) {
	t.Parallel()
	window := alert.Span{Start: at(10, 0), End: at(11, 0)}
	report := detect.Report{
		Time: at(11, 5),
		Rules: []detect.RuleRun{
			{RuleID: "quiet", RuleName: "Quiet"},
			{RuleID: "busy", RuleName: "Busy\x1b[2J", Waiting: 3, Left: 2,
				Skipped: schedule.Skipped{Windows: 1, LatePasses: 2, From: at(1, 0), To: at(3, 0)},
				Windows: []detect.WindowRun{
					{Window: window, Pass: 2, Rows: 1234, New: 1, Dropped: make([]detect.Dropped, 4), Duration: 1500 * time.Millisecond},
					{Window: window, Err: errors.New("it broke")},
				}},
		},
		Deliveries: []detect.Delivery{{Destination: "log", Sent: 1, Pending: 2, Left: 2}, {Destination: "idle"}},
	}
	for _, tc := range []struct {
		inv    invocation
		report detect.Report
		want   string
	}{
		{report: report, want: "tick 2026-03-17 11:05:00: 2 windows run, 1 new; 3 windows skipped, longer ago than PUSHBACK_CATCH_UP; 3 windows left for the next tick; " +
			"2 alerts still to be sent to log"},
		{report: detect.Report{Time: at(11, 5), Rules: report.Rules[:1]}, want: "tick 2026-03-17 11:05:00: nothing was due"},
		{inv: invocation{manual: true, pastDue: true, retry: 1, maxRetries: 2}, report: detect.Report{Time: at(11, 5), Deliveries: []detect.Delivery{
			{Destination: "teams\x1b[2J", Sent: 1000, Parked: 2}, {Destination: "gone", Orphaned: true, Pending: 1, Parked: 1}}},
			want: "tick 2026-03-17 11:05:00, run by hand, past due, retry 1 of 2: 1,000 alerts sent to teams\\x1b[2J; " +
				"1 alert owed to gone, which is not set up any more: see handler outbox; 3 alerts parked: see handler outbox"},
	} {
		if got := summarize(tc.report).line(tc.inv); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}

	var stdout, stderr bytes.Buffer
	logReport(t.Context(), newLogger(&stdout, &stderr, slog.LevelInfo), report)
	if n := strings.Count(stdout.String(), "\n"); n != 2 || !strings.Contains(stdout.String(), `"destination":"log","sent":1,"pending":2`) || !strings.Contains(stdout.String(), `"msg":"load","tick":"2026-03-17T11:05:00Z","windows":2,`) {
		t.Errorf("%d lines: %s", n, stdout.String())
	}
	for _, part := range []string{`"msg":"rule"`, `"rule":"busy"`, `"windows":2`, `"from":"2026-03-17T10:00:00Z"`, `"rows":1234`, `"new":1`, `"dropped":4`, `"waiting":3`, `"error":"it broke"`} {
		if strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), part) {
			t.Errorf("no %s in %s", part, stderr.String())
		}
	}
}
