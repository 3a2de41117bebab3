package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostBody is what the host posts, as it does for a timer.
const hostBody = `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},` +
	`"Metadata":{"sys":{"MethodName":"function-app","UtcNow":"2026-03-17T09:05:00.0012345Z","RandGuid":"0a4b"}}}`

func TestParseInvocation(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 17, 9, 5, 0, 1234500, time.UTC)
	for _, tc := range []struct {
		name, body string
		want       invocation
		err        string
	}{
		{name: "timer", body: hostBody, want: invocation{now: now}},
		{name: "timer as a string, past due", body: `{"Data":{"timer":"{\"Schedule\":{\"AdjustForDST\":true},\"ScheduleStatus\":{\"Last\":\"2026-03-17T08:05:00\",\"LastUpdated\":\"2026-03-17T08:05:00\",\"Next\":\"2026-03-17T09:05:00\"},\"IsPastDue\":true}"},"Metadata":{"sys":{"UtcNow":"2026-03-17T09:05:00.0012345Z"}}}`,
			want: invocation{now: now, pastDue: true}},
		{name: "metadata as strings", body: `{"Data":{"timer":{}},"Metadata":{"sys":"{\"UtcNow\":\"2026-03-17T09:05:00.0012345\"}","RetryContext":"{\"RetryCount\":1,\"MaxRetryCount\":2}"}}`,
			want: invocation{now: now, retry: 1, maxRetries: 2}},
		{name: "a retry", body: `{"Data":{"timer":{}},"Metadata":{"RetryContext":{"RetryCount":2,"MaxRetryCount":2,"Exception":{"x":1}}}}`,
			want: invocation{retry: 2, maxRetries: 2}},
		{name: "another zone", body: `{"Data":{},"Metadata":{"sys":{"UtcNow":"2026-03-17T10:05:00.0012345+01:00"}}}`, want: invocation{now: now}},
		{name: "by hand", body: `{"Data":{"timer":""},"Metadata":{}}`}, // the host does not say so without an input
		{name: "by hand with an input", body: `{"Data":{"timer":{"Schedule":{"AdjustForDST":true},"ScheduleStatus":null,"IsPastDue":false}},"Metadata":{"timer":"\"\"","sys":{"MethodName":"function-app","UtcNow":"2026-03-17T09:05:00.0012345Z","RandGuid":"0a4b"},"RetryContext":{"RetryCount":0,"MaxRetryCount":2,"Exception":null,"Instance":null,"State":{}}}}`,
			want: invocation{now: now, manual: true, maxRetries: 2}},
		{name: "metadata of a timer that is no text", body: `{"Data":{},"Metadata":{"timer":null}}`},
		{name: "a retry as the host sends it", body: `{"Data":{"timer":{}},"Metadata":{"RetryContext":{"RetryCount":1,"MaxRetryCount":2,"Exception":{"InstanceId":"a4828e89","MethodName":"Host.Functions.function-app","Handled":false,"Message":"Exception while executing function","Data":null,"InnerException":{"StatusCode":500,"Data":{},"StackTrace":"   at X\n   at Y"},"HResult":-2146233088},"Instance":null,"State":{"RetryCount":7}}}}`,
			want: invocation{retry: 1, maxRetries: 2}},
		{name: "no metadata", body: `{"Data":{"timer":null},"Metadata":null}`},
		{name: "empty", body: ``, err: `there is no "Data"`},
		{name: "null", body: `null`, err: `there is no "Data"`},
		{name: "no data", body: `{"Metadata":{}}`, err: `there is no "Data"`},
		{name: "not JSON", body: `{"Data":`, err: "expected an object in JSON: unexpected end"},
		{name: "more behind it", body: hostBody + `{}`, err: "expected an object in JSON"},
		{name: "array", body: `[]`, err: "expected an object in JSON"},
		{name: "timer not JSON", body: `{"Data":{"timer":"now\u001b[2J"},"Metadata":{}}`, err: "Data.timer: expected an object in JSON"},
		{name: "sys is a number", body: `{"Data":{},"Metadata":{"sys":7}}`, err: "Metadata.sys: expected an object"},
		{name: "retry is an array", body: `{"Data":{},"Metadata":{"RetryContext":[]}}`, err: "Metadata.RetryContext: expected an object"},
		{name: "no time", body: `{"Data":{},"Metadata":{"sys":{"UtcNow":"noon"}}}`, err: `Metadata.sys.UtcNow: expected a time in ISO 8601 between 1970 and 2200, not "noon"`},
		{name: "a time of no use", body: `{"Data":{},"Metadata":{"sys":{"UtcNow":"0001-01-01T00:00:00Z"}}}`, err: "between 1970 and 2200"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseInvocation([]byte(tc.body))
			switch {
			case tc.err != "":
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v, want %s", err, tc.err)
				}
			case err != nil:
				t.Error(err)
			default:
				if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(invocation{})); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func FuzzParseInvocation(f *testing.F) {
	f.Add([]byte(hostBody))
	f.Add([]byte(`{"Data":{"timer":"{}"},"Metadata":{"sys":"{}","RetryContext":"null"}}`))
	f.Add([]byte(`"{\"Data\":{}}"`))
	f.Fuzz(func(t *testing.T, body []byte) {
		inv, err := parseInvocation(body)
		if err == nil && !inv.now.IsZero() && (inv.now.Location() != time.UTC || inv.now.Year() < 1970) {
			t.Errorf("%v", inv.now)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("unescaped: %q", err)
		}
	})
}

// ask sends a request to a host in process.
func ask(t *testing.T, h http.Handler, method, path string, body io.Reader) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Azure-Functions-InvocationId", "the-id")
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestHostProtocol(t *testing.T) {
	t.Parallel()
	done := &summary{Time: time.Date(2026, 3, 17, 9, 5, 0, 0, time.UTC), Rules: []ruleSummary{}, Deliveries: []deliverySummary{}}
	for _, tc := range []struct {
		name, method, path, body string
		err                      error
		status                   int
		allow, want              string
	}{
		{name: "ping", method: "GET", path: "/", status: 200, want: `{}`},
		{name: "ping head", method: "HEAD", path: "/", status: 200},
		{name: "invocation", method: "POST", path: "/function-app", body: hostBody, status: 200,
			want: `{"Outputs":{},"Logs":["tick 2026-03-17 09:05:00: nothing was due"],"ReturnValue":{"time":"2026-03-17T09:05:00Z","rules":[],"deliveries":[]}}`},
		{name: "failure", method: "POST", path: "/function-app", body: hostBody, err: errors.Join(errors.New("one"), errors.Join(errors.New("two"))), status: 500,
			want: `{"error":"one\ntwo","failures":["one","two"],"summary":{"time":"2026-03-17T09:05:00Z","rules":[],"deliveries":[]}}`},
		{name: "stopping", method: "POST", path: "/function-app", body: hostBody, err: errStopping, status: 503, want: `{"error":"the process is stopping and takes no new work"}`},
		{name: "unknown path", method: "POST", path: "/function-app/", status: 404, want: `{"error":"there is no \"/function-app/\" here: the function is /function-app"}`},
		{name: "post to the ping", method: "POST", path: "/", status: 405, allow: "GET, HEAD", want: `{"error":"\"POST\" is not a method of /: use GET or HEAD"}`},
		{name: "get of the function", method: "GET", path: "/function-app", status: 405, allow: "POST", want: `{"error":"\"GET\" is not a method of /function-app: use POST"}`},
		{name: "part of a method", method: "ET", path: "/", status: 405, allow: "GET, HEAD", want: `{"error":"\"ET\" is not a method of /: use GET or HEAD"}`},
		{name: "malformed", method: "POST", path: "/function-app", body: "{", status: 400, want: `{"error":"the invocation is malformed: expected an object in JSON: unexpected end of JSON input"}`},
		{name: "too large", method: "POST", path: "/function-app", body: strings.Repeat(" ", maxInvocationBytes+1), status: 413, want: `{"error":"the invocation is larger than 1048576 bytes"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := &host{longest: time.Minute, invoke: func(_ context.Context, inv invocation) (*summary, error) {
				if inv.id != "the-id" || inv.now.Minute() != 5 {
					t.Errorf("%+v", inv)
				}
				return done, tc.err
			}}
			resp, body := ask(t, h, tc.method, tc.path, strings.NewReader(tc.body))
			if resp.StatusCode != tc.status || resp.Header.Get("Allow") != tc.allow || body != tc.want {
				t.Errorf("%d, Allow %q, %s", resp.StatusCode, resp.Header.Get("Allow"), body)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
		})
	}
}

// TestLogIsHarmless logs what an attacker may have written into a field.
func TestLogIsHarmless(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	log := newLogger(&stdout, &stderr, slog.LevelInfo)
	const hostile = "a\n{\"level\":\"ERROR\"}\x1b[2J\u202e\u0085"
	log.Info("alert", "title", hostile)
	log.Error("rule", "error", hostile)
	log.Debug("not shown")
	for name, out := range map[string]string{"stdout": stdout.String(), "stderr": stderr.String()} {
		var line map[string]any
		if strings.Count(out, "\n") != 1 || json.Unmarshal([]byte(out), &line) != nil || line["title"] != hostile && line["error"] != hostile {
			t.Errorf("%s: %q", name, out)
		}
		if strings.ContainsAny(strings.TrimSuffix(out, "\n"), "\n\x1b\u202e\u0085") {
			t.Errorf("%s is not harmless: %q", name, out)
		}
	}
}

// TestServeNeedsThePort starts serve without the host.
func TestServeNeedsThePort(t *testing.T) {
	if os.Getenv(portVariable) != "" {
		t.Fatal("the test runs under the Functions host")
	}
	for _, port := range []string{"", "0", "http", "70000"} {
		t.Setenv(portVariable, port)
		if r := handler(t, "serve"); r.code != exitUsage || !strings.Contains(r.stderr, portVariable) {
			t.Errorf("%q: code %d, %s", port, r.code, r.stderr)
		}
	}
}
