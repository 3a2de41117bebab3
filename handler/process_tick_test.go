package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/rule"
	"pushback/detect/sample"
)

// at returns a time of the generated day; hours may go past it.
func at(hour, minute int) time.Time {
	return sample.DefaultDay.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

// ids lists the ids of the alerts that were sent, sorted.
func ids(alerts []logLine) []string {
	var list []string
	for _, a := range alerts {
		list = append(list, a.ID)
	}
	slices.Sort(list)
	return list
}

// checkTold expects every rejection of a time that the workspace had received
// at another to be reported, and no alert twice.
func checkTold(t *testing.T, alerts []logLine, from, to, received time.Time) {
	t.Helper()
	reported := map[string]bool{}
	for _, a := range alerts {
		for _, id := range a.Details["CorrelationIds"] {
			reported[id] = true
		}
	}
	for _, r := range sample.Generate(sample.Options{}).Rejections {
		if !r.Time.Before(from) && r.Time.Before(to) && r.Received.Before(received) && !reported[r.CorrelationID] {
			t.Errorf("%s (%s) at %s is not reported", r.User, r.Story, r.Time.Format(time.TimeOnly))
		}
	}
	all := ids(alerts)
	if once := slices.Compact(slices.Clone(all)); len(once) != len(all) {
		t.Errorf("%d alerts are sent twice", len(all)-len(once))
	}
}

// TestProcessDay drives the binary through a day as the host would. It expects
// the alerts that a replay of that day gives: no more, no fewer, each once, and
// what arrived late among them.
func TestProcessDay(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := startHost(t, c, nil)
	ran, reported := 0, 0
	for now := at(0, 5); !now.After(at(26, 10)); now = now.Add(5 * time.Minute) {
		got := h.tick(c, now, http.StatusOK)
		for _, r := range got.answer.ReturnValue.Rules {
			ran += len(r.Windows)
			for _, w := range r.Windows {
				reported += w.New
			}
		}
	}
	h.stop()
	alerts := h.logged("alert")
	var want []string
	for _, a := range demoJSON().alerts(t) {
		want = append(want, a.ID)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, ids(alerts)); diff != "" {
		t.Errorf("alerts (-replay +process):\n%s", diff)
	}
	checkTold(t, alerts, at(0, 0), at(24, 0), at(26, 0))
	updates, followUps := 0, 0 // an update that is no follow-up is what the other rule found
	for _, a := range alerts {
		if a.UpdateOf != "" {
			updates++
			if a.Rule == rule.Default().ID {
				followUps++
			}
		}
	}
	if ran != c.queries || reported != len(alerts)-followUps || followUps != 3 || updates != 4 {
		t.Errorf("%d windows for %d queries, %d new for %d alerts, of which %d updates and %d follow-ups", ran, c.queries, reported, len(alerts), updates, followUps)
	}
	// A line for each tick in which a rule ran, which is once an hour.
	if n := len(h.logged("rule")); n != 27*len(rule.ShippedNames()) {
		t.Errorf("%d lines about the rules", n)
	}
}

// TestProcessDowntime leaves the host without ticks for three hours.
func TestProcessDowntime(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := startHost(t, c, oneRule())
	h.tick(c, at(0, 5), http.StatusOK)
	for hour := 1; hour <= 9; hour++ {
		h.tick(c, at(hour, 5), http.StatusOK)
	}
	got := h.tick(c, at(12, 20), http.StatusOK)
	// The missed windows, and none before them: no record of those came in late.
	if diff := cmp.Diff([]string{"10:00", "11:00", "12:00"}, got.windows()); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
	for hour := 13; hour <= 26; hour++ {
		h.tick(c, at(hour, 5), http.StatusOK)
	}
	h.stop()
	checkTold(t, h.logged("alert"), at(0, 0), at(24, 0), at(26, 0))
}

// preferWait is how long the service is asked to work on a query.
var preferWait = regexp.MustCompile(`wait=(\d+)`)

// TestProcessFaults lets the workspace misbehave in a tick, and expects that
// the rejections of its window are reported, in it or in the next, once.
func TestProcessFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		fault  func(n int, w http.ResponseWriter, r *http.Request) bool
		status int    // of the tick
		says   string // what the failure names
	}{
		{name: "429 with Retry-After", status: 200, fault: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				return false
			}
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"error":{"code":"ThrottledError","message":"Too many requests"}}`)
			return true
		}},
		{name: "503", status: 200, fault: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}},
		{name: "cut connection", status: 200, fault: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				return false
			}
			panic(http.ErrAbortHandler)
		}},
		{name: "cut answer", status: 200, fault: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				return false
			}
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"tables":[{"name":"PrimaryResult","columns":[`)
			panic(http.ErrAbortHandler)
		}},
		{name: "partial result", status: 500, says: "exceeded the limit of 500000 records", fault: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n > 0 {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"tables":[{"name":"PrimaryResult","columns":[{"name":"UserPrincipalName","type":"string"}],"rows":[["x"]]}],`+
				`"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"The results exceeded the limit of 500000 records."}]}}`)
			return true
		}},
		// The service would work on it for four minutes, and was asked for one
		// second.
		{name: "slow query", status: 500, says: "504", fault: func(n int, w http.ResponseWriter, r *http.Request) bool {
			m := preferWait.FindStringSubmatch(r.Header.Get("Prefer"))
			if n > 0 || m == nil {
				return false
			}
			wait, err := strconv.Atoi(m[1])
			if err != nil || wait >= 240 {
				return false
			}
			w.WriteHeader(http.StatusGatewayTimeout)
			_, _ = io.WriteString(w, `{"error":{"code":"GatewayTimeout","message":"Gateway timeout","innererror":{"code":"GatewayTimeout","message":"Unable to unzip response"}}}`)
			return true
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.fault = tc.fault
			h := startHost(t, c, oneRule(map[string]string{"PUSHBACK_QUERY_TIMEOUT": "20s"}))
			got := h.tick(c, at(11, 5), tc.status)
			if tc.status != http.StatusOK && !strings.Contains(got.refusal.Error, tc.says) {
				t.Errorf("the failure does not say %q: %s", tc.says, got.body)
			}
			h.tick(c, at(11, 10), http.StatusOK)
			h.stop()
			checkTold(t, h.logged("alert"), at(10, 0), at(11, 0), at(11, 5))
			rules := h.logged("rule")
			if want := 1 + tc.status/500; len(rules) != want {
				t.Errorf("%d lines about the rule, want %d", len(rules), want)
			}
			if tc.status != http.StatusOK && !strings.Contains(rules[len(rules)-1].Error, tc.says) {
				t.Errorf("the log does not say why: %+v", rules)
			}
		})
	}
}

// TestProcessRetry lets a tick fail, and the host try it again.
func TestProcessRetry(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
		if n > 0 {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"error":{"code":"InsufficientAccessError","message":"The provided credentials have insufficient access to perform the requested operation"}}`)
		return true
	}
	h := startHost(t, c, oneRule())
	failed := h.tick(c, at(11, 5), http.StatusInternalServerError)
	if !strings.Contains(failed.refusal.Error, "insufficient access") || failed.refusal.Summary == nil || failed.refusal.Summary.Rules[0].Waiting != 1 {
		t.Errorf("%s", failed.body)
	}
	h.retry(c, at(11, 5), 1, http.StatusOK)
	h.retry(c, at(11, 5), 2, http.StatusOK) // the host may not have got the answer
	h.stop()
	checkTold(t, h.logged("alert"), at(10, 0), at(11, 0), at(11, 5))
	if rules := h.logged("rule"); len(rules) != 2 || rules[0].Retry != 1 || rules[1].Retry != 0 || rules[1].Level != "ERROR" {
		t.Errorf("%+v", rules)
	}
}

// TestProcessFailingRule runs the shipped rule beside one whose query the
// service refuses and a file that is no rule.
func TestProcessFailingRule(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	shipped, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	failing := bytes.Replace(shipped, []byte("id: d99cf5c3"), []byte("id: 00000000"), 1)
	failing = bytes.Replace(failing, []byte("query: |\n"), []byte("query: |\n  Nowhere\n  | take 1;\n"), 1)
	for name, text := range map[string][]byte{"a-failing.yaml": failing, "b-shipped.yaml": shipped, "c-broken.yaml": []byte("name: Broken\nkind: Scheduled\nseverity: High\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := newCloud(t)
	h := startHost(t, c, map[string]string{"PUSHBACK_RULES": dir})
	got := h.tick(c, at(11, 5), http.StatusInternalServerError)
	for _, want := range []string{"a-failing.yaml:", "c-broken.yaml"} {
		if !strings.Contains(got.refusal.Error, want) {
			t.Errorf("the failure does not name %s: %s", want, got.body)
		}
	}
	h.stop()
	checkTold(t, h.logged("alert"), at(10, 0), at(11, 0), at(11, 5))
}

// TestProcessTickDuringTick posts a tick while one runs.
func TestProcessTickDuringTick(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	querying, release := make(chan struct{}), make(chan struct{})
	c.fault = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 0 {
			close(querying)
			<-release
		}
		return false
	}
	h := startHost(t, c, oneRule())
	c.setNow(at(11, 5))
	results := make(chan invoked, 2)
	go func() { results <- h.post(timerBody(at(11, 5), 0), nil) }()
	<-querying
	posted := make(chan struct{})
	go func() { results <- h.post(timerBody(at(11, 6), 0), sync.OnceFunc(func() { close(posted) })) }()
	<-posted
	close(release)
	for range 2 {
		if got := <-results; got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	h.stop()
	checkTold(t, h.logged("alert"), at(10, 0), at(11, 0), at(11, 5))
	if c.most != 1 || c.queries != 1 {
		t.Errorf("%d queries, %d at once", c.queries, c.most)
	}
}

// TestProcessTerminated ends the process in the middle of a tick: the tick
// comes to its end, and no other begins.
func TestProcessTerminated(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	querying, release := make(chan struct{}), make(chan struct{})
	c.fault = func(int, http.ResponseWriter, *http.Request) bool {
		close(querying)
		<-release
		return false
	}
	h := startHost(t, c, oneRule())
	c.setNow(at(11, 5))
	result := make(chan invoked, 1)
	go func() { result <- h.post(timerBody(at(11, 5), 0), nil) }()
	<-querying
	h.terminate()
	// It waits for its turn until the signal is there, and then is refused.
	if got := h.post(timerBody(at(11, 10), 0), nil); got.status != http.StatusServiceUnavailable || got.refusal.Error != errStopping.Error() {
		t.Errorf("%d %s", got.status, got.body)
	}
	close(release)
	if got := <-result; got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	h.ended()
	checkTold(t, h.logged("alert"), at(10, 0), at(11, 0), at(11, 5))
}

// TestProcessMalformed posts what is no invocation between two that are.
func TestProcessMalformed(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := startHost(t, c, nil)
	h.tick(c, at(10, 5), http.StatusOK)
	for body, status := range map[string]int{
		"":                                   http.StatusBadRequest,
		`{"Data":{"timer":`:                  http.StatusBadRequest,
		`{"Data":{"timer":{}},"Metadata":7}`: http.StatusBadRequest,
		strings.Repeat("[", 2000):            http.StatusBadRequest,
		strings.Repeat(" ", 1<<20+1):         http.StatusRequestEntityTooLarge,
	} {
		if got := h.post(body, nil); got.status != status || got.refusal.Error == "" {
			t.Errorf("%.20q: %d %s", body, got.status, got.body)
		}
	}
	h.tick(c, at(11, 5), http.StatusOK)
	h.stop()
	checkTold(t, h.logged("alert"), at(9, 0), at(11, 0), at(11, 5))
}

// TestProcessBadSettings starts the process with settings that are wrong: it
// answers, with all that is.
func TestProcessBadSettings(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := startHost(t, c, map[string]string{
		"PUSHBACK_WORKSPACE_ID": "", "PUSHBACK_CLOUD": "mars", "PUSHBACK_TICK_TIMEOUT": "soon", "PUSHBACK_LATENES": "1h",
	})
	for range 2 {
		got := h.tick(c, at(11, 5), http.StatusInternalServerError)
		if len(got.refusal.Failures) != 3 {
			t.Errorf("%s", got.body)
		}
		for i, name := range []string{"PUSHBACK_WORKSPACE_ID is not set", `PUSHBACK_CLOUD is "mars"`, `PUSHBACK_TICK_TIMEOUT is "soon"`} {
			if i < len(got.refusal.Failures) && !strings.Contains(got.refusal.Failures[i], name) {
				t.Errorf("failure %d is %s", i, got.refusal.Failures[i])
			}
		}
	}
	h.stop()
	if c.queries != 0 || !strings.Contains(h.stdout.String(), "PUSHBACK_LATENES is not a setting") {
		t.Errorf("%d queries; the misspelt setting is not named", c.queries)
	}
}
