package teams

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// A stand-in's path and signature, which no error may hold.
const secretPath = "/workflows/0123456789abcdef/invoke?sig=S3cr3t-Signature"

// fakeClock is a clock that sleeping advances.
type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *fakeClock { return &fakeClock{now: time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// standIn is a Workflows webhook: it takes messages of at most 28 KB and four
// requests a second, and misbehaves as it is told.
type standIn struct {
	*httptest.Server
	clock *fakeClock

	mu       sync.Mutex
	faults   []http.HandlerFunc // of the next requests, one each
	times    []time.Time
	accepted int
	bad      []string // what is wrong with the requests
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{clock: newClock()}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *standIn) teams(t *testing.T, timeout time.Duration) *Teams {
	t.Helper()
	w, err := ParseWebhookURL(s.URL + secretPath)
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(w, Options{Timeout: timeout, Transport: s.Client().Transport, Now: s.clock.Now, Sleep: s.clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	s.mu.Lock()
	if err != nil || r.Method != http.MethodPost || r.URL.RequestURI() != secretPath || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		s.bad = append(s.bad, r.Method+" "+r.URL.RequestURI())
	}
	var m struct {
		Type        string
		Attachments []struct {
			ContentType string
			ContentURL  json.RawMessage
			Content     struct{ Type, Version string }
		}
	}
	if err := json.Unmarshal(body, &m); err != nil || m.Type != "message" || len(m.Attachments) != 1 || m.Attachments[0].ContentType != contentType ||
		string(m.Attachments[0].ContentURL) != "null" || m.Attachments[0].Content.Type != "AdaptiveCard" || m.Attachments[0].Content.Version != "1.5" {
		s.bad = append(s.bad, string(body))
	}
	now := s.clock.Now()
	s.times = append(s.times, now)
	var fault http.HandlerFunc
	switch n := len(s.times); {
	case len(body) > 28<<10:
		fault = answer(http.StatusRequestEntityTooLarge, "")
	case n > perSecond && now.Sub(s.times[n-1-perSecond]) < time.Second:
		fault = answer(http.StatusTooManyRequests, "")
	case len(s.faults) > 0:
		fault, s.faults = s.faults[0], s.faults[1:]
	default:
		s.accepted++
		fault = answer(http.StatusAccepted, "")
	}
	s.mu.Unlock()
	fault(w, r)
}

// answer is a fault of a status, a body and headers.
func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func cutAnswer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "1")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func slow(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// outcome is what a fault makes of an alert.
type outcome struct {
	name       string
	fault      http.HandlerFunc
	want       string // in the error; empty if it was sent
	permanent  bool
	retryAfter time.Duration
}

func outcomes() []outcome {
	date := newClock().now.Add(90 * time.Second).Format(http.TimeFormat)
	return []outcome{
		{name: "202", fault: answer(202, "")},
		{name: "202 with a body", fault: answer(202, `{"error": "looks like one"}`)},
		{name: "202 cut", fault: cutAnswer(202)},
		{name: "200", fault: answer(200, "")},
		{name: "200 with 1", fault: answer(200, " 1\n")},
		{name: "200 with an error", fault: answer(200, "Summary or Text is required.\x1b[2J"), want: `200 OK with an error in it: Summary or Text is required.\x1b[2J`},
		{name: "200 with a quoted 429", fault: answer(200, "Microsoft Teams endpoint returned HTTP error 429 with ContextId x", "Retry-After", "3"), want: "error 429", retryAfter: 3 * time.Second},
		{name: "200 with a quoted 413", fault: answer(200, "returned HTTP error 413 with ContextId x"), want: "error 413", permanent: true},
		{name: "200 cut", fault: cutAnswer(200), want: "reading the answer"},
		{name: "429", fault: answer(429, "", "Retry-After", "7"), want: "429 Too Many Requests", retryAfter: 7 * time.Second},
		{name: "429 without a time", fault: answer(429, "", "Retry-After", "soon"), want: "429"},
		{name: "429 for ever", fault: answer(429, "", "Retry-After", "999999999999999"), want: "429", retryAfter: time.Hour},
		{name: "503 until a date", fault: answer(503, "", "Retry-After", date), want: "503", retryAfter: 90 * time.Second},
		{name: "500", fault: answer(500, "oops"), want: "500 Internal Server Error: oops"},
		{name: "408", fault: answer(408, ""), want: "408"},
		{name: "400", fault: answer(400, "no such card"), want: "400 Bad Request: no such card", permanent: true},
		{name: "404", fault: answer(404, ""), want: "is the workflow still there", permanent: true},
		{name: "413", fault: answer(413, ""), want: "413", permanent: true},
		{name: "redirect", fault: answer(307, "", "Location", "https://evil.example"+secretPath), want: "redirects are not followed", permanent: true},
		{name: "redirect to nowhere", fault: answer(302, "", "Location", "https://%zz"+secretPath), want: "redirects are not followed", permanent: true},
		{name: "an error that quotes the address", fault: answer(500, "cannot run "+secretPath), want: "cannot run …"},
		{name: "cut", fault: cut, want: "EOF"},
		{name: "slow", fault: slow, want: "no answer in time"},
	}
}

// timeout is short for what never answers, and else longer than any machine.
func (o outcome) timeout() time.Duration {
	if o.name == "slow" {
		return 50 * time.Millisecond
	}
	return time.Minute
}

func TestNotify(t *testing.T) {
	t.Parallel()
	for _, tc := range outcomes() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			s.faults = []http.HandlerFunc{tc.fault}
			err := s.teams(t, tc.timeout()).Notify(t.Context(), sampleAlert())
			s.check(t, 1)
			if tc.want == "" {
				if err != nil {
					t.Errorf("failed: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			if text := err.Error(); strings.Contains(text, "S3cr3t") || strings.Contains(text, "0123456789abcdef") {
				t.Errorf("the error holds the address: %s", text)
			}
			var refused interface{ Permanent() bool }
			if got := errors.As(err, &refused) && refused.Permanent(); got != tc.permanent {
				t.Errorf("permanent: %v", got)
			}
			var busy interface{ RetryAfter() time.Duration }
			if errors.As(err, &busy) && busy.RetryAfter() != tc.retryAfter || busy == nil && tc.retryAfter != 0 {
				t.Errorf("retry after %v, want %s", busy, tc.retryAfter)
			}
		})
	}
}

func (s *standIn) check(t *testing.T, requests int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) > 0 || len(s.times) != requests {
		t.Errorf("%d requests, want %d; wrong: %q", len(s.times), requests, s.bad)
	}
}

// Whatever the webhook does, an alert that it did not take is told again, and
// one that it took is not.
func TestDeliveryThroughTheLedger(t *testing.T) {
	t.Parallel()
	for _, tc := range outcomes() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := newStandIn(t)
			s.faults = []http.HandlerFunc{tc.fault}
			n := s.teams(t, tc.timeout())
			memory := ledger.NewMemory()
			a := sampleAlert()
			a.Activities[0].Fingerprint = alert.Fingerprint(strings.Repeat("a", 32))
			if err := memory.Record(t.Context(), a.RuleID, ledger.State{Watermark: s.clock.Now()}, []alert.Alert{a}, []string{n.Name()}); err != nil {
				t.Fatal(err)
			}
			d, err := detect.New(detect.DefaultConfig(), nil, nil, memory, n)
			if err != nil {
				t.Fatal(err)
			}
			first, err := d.Tick(t.Context(), s.clock.Now())
			if (err == nil) != (tc.want == "") {
				t.Errorf("the first tick: %v", err)
			}
			second, err := d.Tick(t.Context(), s.clock.Now().Add(3*time.Hour))
			if err != nil {
				t.Errorf("the second tick: %v", err)
			}
			sent, requests := []int{first.Deliveries[0].Sent, second.Deliveries[0].Sent}, 1
			want := []int{1, 0}
			if tc.want != "" {
				want, requests = []int{0, 1}, 2
			}
			if !slices.Equal(sent, want) {
				t.Errorf("sent %v, want %v", sent, want)
			}
			s.check(t, requests)
		})
	}
}

func TestFourRequestsASecond(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	n := s.teams(t, time.Minute)
	for range 21 {
		if err := n.Notify(t.Context(), sampleAlert()); err != nil {
			t.Fatal(err)
		}
	}
	s.check(t, 21)
	if took := s.clock.Now().Sub(newClock().now); s.accepted != 21 || took != 5*time.Second {
		t.Errorf("%d accepted in %s", s.accepted, took)
	}
}

func TestTurnsAreTakenByOne(t *testing.T) {
	t.Parallel()
	var turns turns
	now := newClock().now
	waits := make([]time.Duration, 40)
	var wg sync.WaitGroup
	for i := range waits {
		wg.Go(func() { waits[i] = turns.next(now) })
	}
	wg.Wait()
	slices.Sort(waits)
	for i, wait := range waits {
		if wait != time.Duration(i)*time.Second/perSecond {
			t.Errorf("turn %d is after %s", i, wait)
		}
	}
	if wait := turns.next(now.Add(time.Hour)); wait != 0 {
		t.Errorf("an hour later the wait is %s", wait)
	}
}

func TestContextEndsTheWait(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	n := s.teams(t, time.Minute)
	if err := n.Notify(t.Context(), sampleAlert()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Notify(ctx, sampleAlert()); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "turn") {
		t.Errorf("got %v", err)
	}
	s.check(t, 1)
	if err := sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("sleep: %v", err)
	}
}

func TestNewNeedsAWebhook(t *testing.T) {
	t.Parallel()
	if _, err := New(WebhookURL{}, Options{}); err == nil {
		t.Error("no error")
	}
}
