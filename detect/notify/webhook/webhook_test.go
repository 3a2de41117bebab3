package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
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

// A stand-in's path and signature, which no error may hold.
const secretPath = "/hooks/0123456789abcdef/in?code=S3cr3t-Signature"

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

func (c *fakeClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// receiver takes messages that are signed as the specification says and keep to the
// schema, and misbehaves as it is set to.
type receiver struct {
	*httptest.Server
	t     *testing.T
	clock *fakeClock
	// silent gets a token for each request that is left without an answer.
	silent chan struct{}
	// key is what it checks signatures with.
	key []byte

	mu sync.Mutex
	// fault, if set, says what becomes of the next request, and whether it is taken
	// all the same.
	fault func() (answer http.HandlerFunc, taken bool)
	times []time.Time
	ids   []string // of all requests
	taken map[string]int
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(vectorSecret, secretPrefix))
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, clock: newClock(), silent: make(chan struct{}, 1), key: key, taken: map[string]int{}}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) address() post.URL {
	r.t.Helper()
	u, err := post.ParseURL(r.URL + secretPath)
	if err != nil {
		r.t.Fatal(err)
	}
	return u
}

func (r *receiver) webhook(secrets string, timeout time.Duration) *Webhook {
	r.t.Helper()
	w, err := New(r.address(), mustSecrets(r.t, secrets), Options{HealthRule: detect.HealthRuleID, Timeout: timeout, Transport: reaching{r.t.Context(), r}, Now: r.clock.Now, Sleep: r.clock.Sleep})
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// reaching is a transport whose time is up only once the stand-in has a request
// that it does not answer. How long the machine takes to get there counts nothing.
type reaching struct {
	test context.Context
	r    *receiver
}

func (t reaching) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	go func() {
		defer cancel()
		select {
		case <-t.r.silent:
			<-r.Context().Done()
		case <-t.test.Done():
		}
	}()
	return t.r.Client().Transport.RoundTrip(r.WithContext(ctx))
}

// signed reports whether one of the signatures of a message is right. It is written
// after the specification and uses nothing of what signs.
func (r *receiver) signed(header http.Header, body []byte) bool {
	seconds, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if age := r.clock.Now().Sub(time.Unix(seconds, 0)); err != nil || age < -5*time.Minute || age > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, r.key)
	fmt.Fprintf(mac, "%s.%d.%s", header.Get("webhook-id"), seconds, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return slices.Contains(strings.Split(header.Get("webhook-signature"), " "), want)
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil || q.Method != http.MethodPost || q.URL.RequestURI() != secretPath || !strings.HasPrefix(q.Header.Get("Content-Type"), "application/json") {
		r.t.Errorf("%s %s: %v", q.Method, q.URL, err)
		return
	}
	id := q.Header.Get("webhook-id")
	r.mu.Lock()
	r.times, r.ids = append(r.times, r.clock.Now()), append(r.ids, id)
	answered, taken := answer(http.StatusNoContent, ""), true
	if r.fault != nil {
		if f, also := r.fault(); f != nil {
			answered, taken = f, also
		}
	}
	if !r.signed(q.Header, body) {
		answered, taken = answer(http.StatusUnauthorized, ""), false
	}
	if taken {
		r.taken[id]++
	}
	if got := checkBody(r.t, body); got["id"] != id {
		r.t.Errorf("the id is %q and %v", id, got["id"])
	}
	r.mu.Unlock()
	answered(w, q.WithContext(context.WithValue(q.Context(), silentKey{}, r.silent)))
}

// silentKey is the key of the stand-in's channel in a request's context.
type silentKey struct{}

// once is a fault of the next request only.
func once(f http.HandlerFunc) func() (http.HandlerFunc, bool) {
	return func() (http.HandlerFunc, bool) {
		now := f
		f = nil
		return now, false
	}
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

func slow(_ http.ResponseWriter, r *http.Request) {
	r.Context().Value(silentKey{}).(chan struct{}) <- struct{}{}
	<-r.Context().Done()
}

// endless answers with a body that does not end.
func endless(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("x", 4096)); err != nil {
				return
			}
		}
	}
}

// outcome is what a fault makes of an alert.
type outcome struct {
	name  string
	fault http.HandlerFunc
	want  string // in the error; empty if it was sent
	notify.Error
}

func outcomes() []outcome {
	type says = notify.Error
	message, shut := says{Message: true}, says{Shut: true}
	wait := func(d time.Duration) says { return says{Shut: true, RetryAfter: d} }
	now := newClock().Now()
	date := now.Add(90 * time.Second).Format(http.TimeFormat)
	return []outcome{
		{name: "200", fault: answer(200, "")},
		{name: "200 with a failure", fault: answer(200, `{"error": "no"}`)},
		{name: "200 page", fault: answer(200, "<!doctype html>HTTP error 500")},
		{name: "200 cut", fault: cutAnswer(200)},
		{name: "200 without an end", fault: endless(200)},
		{name: "201", fault: answer(201, `{"id":"17"}`)},
		{name: "202", fault: answer(202, "")},
		{name: "204", fault: answer(204, "")},
		{name: "299", fault: answer(299, "")},
		{name: "301", fault: answer(301, "", "Location", "https://evil.example"+secretPath), want: "redirects are not followed", Error: shut},
		{name: "304", fault: answer(304, ""), want: "304", Error: shut},
		{name: "307", fault: answer(307, "", "Location", "https://evil.example"+secretPath), want: "307 Temporary Redirect, and redirects are not followed", Error: shut},
		{name: "308 to nowhere", fault: answer(308, "", "Location", "https://%zz"+secretPath), want: "redirects are not followed", Error: shut},
		{name: "400", fault: answer(400, "bad\x1b[2J\nsignature"), want: `does the receiver have the secret that messages are signed with, and the right time?: bad\x1b[2J signature`},
		{name: "401", fault: answer(401, ""), want: "does the receiver have the secret", Error: shut},
		{name: "402", fault: answer(402, ""), want: "402 Payment Required", Error: shut},
		{name: "403", fault: answer(403, ""), want: "does the receiver have the secret", Error: shut},
		{name: "404", fault: answer(404, ""), want: "is this the address that takes a POST", Error: shut},
		{name: "405", fault: answer(405, ""), want: "is this the address that takes a POST", Error: shut},
		{name: "408", fault: answer(408, "", "Retry-After", "5"), want: "408", Error: says{RetryAfter: 5 * time.Second}},
		{name: "409", fault: answer(409, ""), want: "409 Conflict"},
		{name: "410", fault: answer(410, ""), want: "410 Gone, so that it wants no more", Error: wait(time.Hour)},
		{name: "413", fault: answer(413, ""), want: "413", Error: message},
		{name: "415", fault: answer(415, ""), want: "415", Error: shut},
		{name: "422", fault: answer(422, "no such field"), want: "422 Unprocessable Entity: no such field", Error: message},
		{name: "425", fault: answer(425, ""), want: "425"},
		{name: "429", fault: answer(429, "", "Retry-After", "7"), want: "429 Too Many Requests", Error: wait(7 * time.Second)},
		{name: "429 without a time", fault: answer(429, "", "Retry-After", "soon"), want: "429", Error: shut},
		{name: "429 for ever", fault: answer(429, "", "Retry-After", "999999999999999"), want: "429", Error: wait(time.Hour)},
		{name: "500", fault: answer(500, "oops"), want: "500 Internal Server Error: oops"},
		{name: "500 without an end", fault: endless(500), want: "500 Internal Server Error: xxx"},
		{name: "502", fault: answer(502, ""), want: "502"},
		{name: "503 until a date", fault: answer(503, "", "Retry-After", date, "Date", now.Format(http.TimeFormat)), want: "503", Error: says{RetryAfter: 90 * time.Second}},
		{name: "504", fault: answer(504, ""), want: "504"},
		{name: "an error that quotes the address", fault: answer(500, "cannot run "+secretPath), want: "cannot run …"},
		{name: "an error that quotes the secret", fault: answer(500, "not signed with "+vectorSecret), want: "not signed with …"},
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
			r := newReceiver(t)
			r.fault = once(tc.fault)
			err := r.webhook(vectorSecret, tc.timeout()).Notify(t.Context(), sampleAlert())
			if !slices.Equal(r.ids, []string{sampleAlert().ID}) {
				t.Errorf("requests of %q", r.ids)
			}
			if tc.want == "" {
				if err != nil {
					t.Errorf("failed: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "webhook: posting to 127.0.0.1:") {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			if text := err.Error(); strings.Contains(text, "S3cr3t") || strings.Contains(text, "0123456789abcdef") || strings.Contains(text, "MfKQ") || len(text) > 500 || strings.ContainsAny(text, "\x1b\n") {
				t.Errorf("the error holds what it must not: %q", text)
			}
			got := notify.Judge(err)
			if got.Err = nil; got != tc.Error {
				t.Errorf("it says %+v, want %+v", got, tc.Error)
			}
		})
	}
}

// Whatever the receiver does, an alert that it did not take is sent again, with the
// same id, and one that it took is not. A restart between changes nothing.
func TestDeliveryThroughTheLedger(t *testing.T) {
	t.Parallel()
	for _, tc := range outcomes() {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.fault = once(tc.fault)
			memory := ledger.NewMemory()
			a := sampleAlert()
			record(t, memory, r.clock.Now(), a)
			var sent []int
			for i := range 2 {
				d, err := detect.New(detect.DefaultConfig(), nil, nil, memory, r.webhook(vectorSecret, tc.timeout()))
				if err != nil {
					t.Fatal(err)
				}
				r.clock.set(newClock().Now().Add(time.Duration(i) * 3 * time.Hour))
				report, err := d.Tick(t.Context(), r.clock.Now())
				if (err == nil) != (i == 1 || tc.want == "") {
					t.Errorf("tick %d: %v", i, err)
				}
				sent = append(sent, report.Deliveries[0].Sent)
			}
			want, ids := []int{1, 0}, []string{a.ID}
			if tc.want != "" {
				want, ids = []int{0, 1}, []string{a.ID, a.ID}
			}
			if !slices.Equal(sent, want) || !slices.Equal(r.ids, ids) {
				t.Errorf("sent %v with the ids %q, want %v", sent, r.ids, want)
			}
		})
	}
}

// record puts alerts into the outbox, each about somebody else.
func record(t *testing.T, l *ledger.Memory, now time.Time, alerts ...alert.Alert) {
	t.Helper()
	for i := range alerts {
		alerts[i].Created = now
		alerts[i].Activities = slices.Clone(alerts[i].Activities)
		alerts[i].Activities[0].Fingerprint = alert.Fingerprint(fmt.Sprintf("%032x", sha256.Sum256([]byte(alerts[i].ID)))[:32])
	}
	entry := ledger.Entry{RuleID: sampleAlert().RuleID, State: ledger.State{Watermark: now}, Alerts: alerts, Destinations: []string{Name}}
	if err := l.Record(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
}

// A receiver that cannot be reached has not been sent anything.
func TestNotReached(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	closed := httptest.NewTLSServer(nil)
	closed.Close()
	for name, address := range map[string]string{"a closed port": closed.URL, "a name that is none": "https://webhook.invalid", "a certificate of somebody": untrusted.URL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u, err := post.ParseURL(address + secretPath)
			if err != nil {
				t.Fatal(err)
			}
			w, err := New(u, mustSecrets(t, vectorSecret), Options{})
			if err != nil {
				t.Fatal(err)
			}
			err = w.Notify(t.Context(), sampleAlert())
			if v := notify.Judge(err); err == nil || !v.Shut || v.Unanswered || v.Message || strings.Contains(err.Error(), "S3cr3t") {
				t.Errorf("%+v", v)
			}
			if err := w.Reach(t.Context()); (err == nil) != (name == "") || err == nil || !strings.Contains(err.Error(), "webhook: reaching "+u.Host()) || strings.Contains(err.Error(), "S3cr3t") {
				t.Errorf("%v", err)
			}
		})
	}
}

// While one secret replaces another, receivers with either take what is sent, and
// those with neither do not.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		secrets string
		taken   bool
	}{{vectorSecret, true}, {vectorSecret + " " + otherSecret, true}, {otherSecret + " " + vectorSecret, true}, {otherSecret, false}} {
		r := newReceiver(t)
		err := r.webhook(tc.secrets, time.Minute).Notify(t.Context(), sampleAlert())
		if (err == nil) != tc.taken || (len(r.taken) == 1) != tc.taken {
			t.Errorf("%d secrets: %v", len(strings.Fields(tc.secrets)), err)
		}
	}
}

// A heartbeat, a test and an alert about Pushback are signed and said to be that.
func TestOthers(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := r.webhook(vectorSecret, time.Minute)
	health := sampleAlert()
	health.RuleID, health.ID = detect.HealthRuleID, "a02d67a6-2b62-52a6-932d-c872ced20441"
	name := w.Addresses()[0]
	if !strings.HasPrefix(name, "127.0.0.1:") || name != w.Address(health) || strings.Contains(name, "hooks") {
		t.Errorf("its name is %s", name)
	}
	for _, err := range []error{w.Heartbeat(t.Context(), name, sampleHeartbeat()), w.Test(t.Context(), sampleAlert()), w.Notify(t.Context(), health)} {
		if err != nil {
			t.Error(err)
		}
	}
	if err := w.Heartbeat(t.Context(), "another", sampleHeartbeat()); err == nil {
		t.Error("another address had a heartbeat")
	}
	if len(r.taken) != 3 {
		t.Errorf("taken: %v", r.taken)
	}
	for _, missing := range []struct {
		to      post.URL
		secrets Secrets
	}{{post.URL{}, mustSecrets(t, vectorSecret)}, {r.address(), Secrets{}}} {
		if _, err := New(missing.to, missing.secrets, Options{}); err == nil {
			t.Error("it is made without all that it needs")
		}
	}
}

func TestFourRequestsASecond(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	w := r.webhook(vectorSecret, time.Minute)
	for range 9 {
		if err := w.Notify(t.Context(), sampleAlert()); err != nil {
			t.Fatal(err)
		}
	}
	if took := r.clock.Now().Sub(newClock().now); took != 2*time.Second {
		t.Errorf("it took %s", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Notify(ctx, sampleAlert()); err == nil || !strings.Contains(err.Error(), "waiting for a turn") {
		t.Errorf("%v", err)
	}
}
