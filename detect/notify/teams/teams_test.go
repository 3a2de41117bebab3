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
	"pushback/detect/notify"
	"pushback/detect/notify/post"
)

// A webhook that cannot be reached has not been sent anything.
func TestNotReached(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	closed := httptest.NewTLSServer(nil)
	closed.Close()
	for name, address := range map[string]string{"a closed port": closed.URL, "a name that is none": "https://webhook.invalid", "a certificate of somebody": untrusted.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, err := ParseWebhookURL(address + secretPath)
			if err != nil {
				t.Fatal(err)
			}
			n, err := New(w, Options{Now: s.clock.Now, Sleep: s.clock.Sleep})
			if err != nil {
				t.Fatal(err)
			}
			err = n.Notify(t.Context(), sampleAlert())
			if v := notify.Judge(err); err == nil || !v.Shut || v.Unanswered || v.Message || strings.Contains(err.Error(), "S3cr3t") {
				t.Errorf("%+v", v)
			}
		})
	}
}

// An answer that may only repeat what it was sent reports nothing for certain:
// an attacker chose the text.
func TestEcho(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	s.faults = []http.HandlerFunc{answer(200, "Posted: returned HTTP error 429, from Bucharest")}
	a := sampleAlert()
	a.Title = "returned HTTP error 429, from Bucharest"
	err := s.teams(t, time.Minute).Notify(t.Context(), a)
	if v := notify.Judge(err); err == nil || !v.Unanswered || v.Shut || v.Message || v.RetryAfter != 0 {
		t.Errorf("%+v", v)
	}
}

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
// requests a second, and misbehaves as it is set to.
type standIn struct {
	*httptest.Server
	clock *fakeClock
	// silent gets a token for each request that is left without an answer.
	silent chan struct{}

	mu       sync.Mutex
	faults   []http.HandlerFunc // of the next requests, one each
	times    []time.Time
	accepted int
	bad      []string // what is wrong with the requests
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{clock: newClock(), silent: make(chan struct{}, 1)}
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
	n, err := New(w, Options{Timeout: timeout, Transport: reaching{t.Context(), s}, Now: s.clock.Now, Sleep: s.clock.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// reaching is a transport whose time is up only once the stand-in has a request
// that it does not answer. How long the machine takes to get there counts
// nothing.
type reaching struct {
	test context.Context
	s    *standIn
}

func (t reaching) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	go func() {
		defer cancel()
		select {
		case <-t.s.silent:
			<-r.Context().Done()
		case <-t.test.Done():
		}
	}()
	return t.s.Client().Transport.RoundTrip(r.WithContext(ctx))
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
	case n > post.PerSecond && now.Sub(s.times[n-1-post.PerSecond]) < time.Second:
		fault = answer(http.StatusTooManyRequests, "")
	case len(s.faults) > 0:
		fault, s.faults = s.faults[0], s.faults[1:]
	default:
		s.accepted++
		fault = answer(http.StatusAccepted, "")
	}
	s.mu.Unlock()
	fault(w, r.WithContext(context.WithValue(r.Context(), silentKey{}, s.silent)))
}

// silentKey is the key of the stand-in's channel in a request's context.
type silentKey struct{}

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

func slow(_ http.ResponseWriter, r *http.Request) {
	r.Context().Value(silentKey{}).(chan struct{}) <- struct{}{}
	<-r.Context().Done()
}

// outcome is what a fault makes of an alert.
type outcome struct {
	name  string
	fault http.HandlerFunc
	want  string // in the error; empty if it was sent
	notify.Error
}

func outcomes() []outcome {
	date := newClock().now.Add(90 * time.Second).Format(http.TimeFormat)
	type says = notify.Error
	message, shut := says{Message: true}, says{Shut: true}
	wait := func(d time.Duration) says { return says{Shut: true, RetryAfter: d} }
	return []outcome{
		{name: "202", fault: answer(202, "")},
		{name: "202 with a body", fault: answer(202, `{"id": "looks like one", "errors": ["no"]}`)},
		{name: "202 cut", fault: cutAnswer(202)},
		{name: "200", fault: answer(200, "")},
		{name: "200 with 1", fault: answer(200, " 1\n")},
		{name: "200 with a text", fault: answer(200, "Summary or Text is required.\x1b[2J")},
		{name: "200 OK", fault: answer(200, "OK")},
		{name: "200 with a quoted 1", fault: answer(200, `"1"`)},
		{name: "200 with 2", fault: answer(200, "2")},
		{name: "200 null", fault: answer(200, "null")},
		{name: "200 true", fault: answer(200, "true")},
		{name: "200 false", fault: answer(200, "false")},
		{name: "200 list", fault: answer(200, `["HTTP error 500"]`)},
		{name: "200 with a status", fault: answer(200, `{"statusCode":200,"isSuccessStatusCode":true}`)},
		{name: "200 page", fault: answer(200, "<!doctype html><title>Signed in</title>")},
		{name: "200 no failure", fault: answer(200, `{"error": null}`)},
		{name: "200 empty failure", fault: answer(200, `{"error": "", "Error": {}}`)},
		{name: "200 nothing but empty", fault: answer(200, "\ufeff"+`{"error": [{"code": null, "message": ""}, 0.0]}`)},
		{name: "200 with a failure behind a mark", fault: answer(200, "\ufeff"+`{"error": {"code": "WorkflowNotFound"}}`), want: "with an error in it", Error: shut},
		{name: "200 HTTP error of success", fault: answer(200, "No HTTP error 200 here")},
		{name: "201", fault: answer(201, `{"id":"17"}`)},
		{name: "204", fault: answer(204, "")},
		{name: "206", fault: answer(206, "x")},
		{name: "200 cut", fault: cutAnswer(200)},
		{name: "200 with a failure", fault: answer(200, `{"error": {"code": "TriggerInputSchemaMismatch", "message": "no"}}`), want: "200 OK with an error in it", Error: message},
		{name: "202 with a failure", fault: answer(202, `{"error": "the connection is broken"}`), want: "202 Accepted with an error in it"},
		{name: "200 off", fault: answer(200, `{"error": {"code": "WorkflowTriggerIsNotEnabled"}}`), want: "with an error in it", Error: shut},
		{name: "200 with a quoted 429", fault: answer(200, "Microsoft Teams endpoint returned HTTP error 429 with ContextId x", "Retry-After", "3"), want: "error 429", Error: wait(3 * time.Second)},
		{name: "200 with a quoted 413", fault: answer(200, "returned HTTP error 413 with ContextId x"), want: "error 413", Error: message},
		{name: "200 with a quoted 412", fault: answer(200, `"... returned HTTP error 412"`), want: "error 412", Error: shut},
		{name: "429", fault: answer(429, "", "Retry-After", "7"), want: "429 Too Many Requests", Error: wait(7 * time.Second)},
		{name: "429 without a time", fault: answer(429, "", "Retry-After", "soon"), want: "429", Error: shut},
		{name: "429 for ever", fault: answer(429, "", "Retry-After", "999999999999999"), want: "429", Error: wait(time.Hour)},
		{name: "429 for longer than an integer holds", fault: answer(429, "", "Retry-After", "1000000000000000000000000000000"), want: "429", Error: wait(time.Hour)},
		{name: "503 until a date", fault: answer(503, "", "Retry-After", date, "Date", newClock().Now().Format(http.TimeFormat)), want: "503", Error: says{RetryAfter: 90 * time.Second}},
		{name: "500", fault: answer(500, "oops"), want: "500 Internal Server Error: oops"},
		{name: "502", fault: answer(502, ""), want: "502"},
		{name: "504", fault: answer(504, ""), want: "504"},
		{name: "408", fault: answer(408, ""), want: "408"},
		{name: "400", fault: answer(400, "no such card"), want: "400 Bad Request: no such card", Error: message},
		{name: "400 schema", fault: answer(400, `{"error":{"code":"TriggerInputSchemaMismatch","message":"The input body for trigger 'manual' of type 'Request' did not match its schema definition."}}`), want: "400 Bad Request", Error: message},
		{name: "400 content", fault: answer(400, `{"error":{"code":"InvalidRequestContent","message":"The request content is not valid."}}`), want: "400 Bad Request", Error: message},
		{name: "400 off", fault: answer(400, `{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"Could not execute workflow 'x' trigger 'manual' with state 'Disabled': trigger is not enabled."}}`), want: "is the workflow still there and turned on", Error: shut},
		{name: "400 version", fault: answer(400, `{"error":{"code":"InvalidApiVersionParameter","message":"no"}}`), want: "400", Error: shut},
		{name: "400 of a kind that is not known", fault: answer(400, `{"error":{"code":"Strange","message":"no"}}`), want: "400"},
		{name: "400 empty", fault: answer(400, ""), want: "400"},
		{name: "400 off, in words", fault: answer(400, "This workflow is not enabled"), want: "400", Error: shut},
		{name: "400 of a proxy", fault: answer(400, "<h2>Bad Request - Invalid Hostname</h2>"), want: "400", Error: shut},
		{name: "400 of something else", fault: answer(400, "no"), want: "400"},
		{name: "400 denied", fault: answer(400, `{"error":{"code":"AccessDeniedDlpCardPolicy"}}`), want: "400", Error: shut},
		{name: "400 BadRequest", fault: answer(400, `{"error":{"code":"BadRequest","message":"no"}}`), want: "400", Error: message},
		{name: "401", fault: answer(401, `{"error":{"code":"AuthorizationFailed"}}`), want: "is the workflow still there", Error: shut},
		{name: "401 without a token", fault: answer(401, `{"error":{"code":"DirectApiAuthorizationRequired"}}`), want: "copy the address from its trigger again. If only users", Error: shut},
		{name: "403", fault: answer(403, `{"error":{"code":"AuthorizationFailed"}}`), want: "is the workflow still there", Error: shut},
		{name: "404", fault: answer(404, `{"error":{"code":"WorkflowNotFound"}}`), want: "is the workflow still there", Error: shut},
		{name: "405", fault: answer(405, ""), want: "405", Error: shut},
		{name: "410", fault: answer(410, ""), want: "is the workflow still there", Error: shut},
		{name: "413", fault: answer(413, ""), want: "413", Error: message},
		{name: "422", fault: answer(422, ""), want: "422", Error: message},
		{name: "redirect", fault: answer(307, "", "Location", "https://evil.example"+secretPath), want: "redirects are not followed", Error: shut},
		{name: "redirect to nowhere", fault: answer(302, "", "Location", "https://%zz"+secretPath), want: "redirects are not followed", Error: shut},
		{name: "an error that quotes the address", fault: answer(500, "cannot run "+secretPath), want: "cannot run …"},
		{name: "cut", fault: cut, want: "EOF", Error: says{Unanswered: true}},
		{name: "slow", fault: slow, want: "no answer in time", Error: says{Unanswered: true}},
	}
}

// timeout is short for what never answers; see reaching.
func (o outcome) timeout() time.Duration {
	if o.name == "slow" {
		return time.Nanosecond
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
			got := notify.Judge(err)
			if got.Err = nil; got != tc.Error {
				t.Errorf("it says %+v, want %+v", got, tc.Error)
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

// Whatever the webhook does, an alert that it did not take is sent again, and
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
			if err := memory.Record(t.Context(), ledger.Entry{RuleID: a.RuleID, State: ledger.State{Watermark: s.clock.Now()}, Alerts: []alert.Alert{a}, Destinations: []string{n.Name()}}); err != nil {
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
}

func TestNewNeedsAWebhook(t *testing.T) {
	t.Parallel()
	if _, err := New(WebhookURL{}, Options{}); err == nil {
		t.Error("no error")
	}
}
