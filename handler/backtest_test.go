package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"pushback/detect"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/rule"
	"pushback/detect/sample"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// pastWorld is a workspace that holds the generated day, seen from some days later.
type pastWorld struct {
	service *service.Service
	now     time.Time

	mu      sync.Mutex
	asked   int
	waited  time.Duration
	refuse  func(n int, query string) (int, string) // a status and a body, or 0
	stopped context.CancelFunc                      // called at the query numbered stopAt
	stopAt  int
}

func (w *pastWorld) Do(r *http.Request) (*http.Response, error) {
	var body bytes.Buffer
	if _, err := body.ReadFrom(r.Body); err != nil {
		return nil, err
	}
	r.Body = struct {
		*bytes.Reader
		nothing
	}{bytes.NewReader(body.Bytes()), nothing{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	w.now = w.now.Add(time.Second) // what a query takes
	if w.stopped != nil && w.asked == w.stopAt {
		w.stopped()
		return nil, context.Canceled
	}
	if w.refuse != nil {
		if status, text := w.refuse(w.asked, body.String()); status > 0 {
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
				Body: struct {
					*strings.Reader
					nothing
				}{strings.NewReader(text), nothing{}}}, nil
		}
	}
	return w.service.Do(r)
}

type nothing struct{}

func (nothing) Close() error { return nil }

// backtest returns one of the rules over the last days.
func (w *pastWorld) backtest(t *testing.T, rules []*rule.Rule, days int) *backtest {
	t.Helper()
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	s.WorkspaceID = localWorkspace
	clock := func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.now
	}
	return &backtest{
		settings: s, rules: rules, days: days, perMin: 60, now: clock,
		sleep: func(_ context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.waited += d
			w.now = w.now.Add(d)
			return nil
		},
		open: func(t tune) (detect.Querier, error) {
			options := azcore.ClientOptions{Transport: w}
			options.Retry.MaxRetries = -1
			t(&options)
			return workspace.New(localWorkspace, localCredential{}, workspace.Options{ClientOptions: options})
		},
	}
}

func newPast(t *testing.T) *pastWorld {
	t.Helper()
	tables, err := sampleTables()
	if err != nil {
		t.Fatal(err)
	}
	w := &pastWorld{now: sample.DefaultDay.AddDate(0, 0, 2).Add(20 * time.Minute)}
	w.service = &service.Service{DB: kql.NewDatabase(tables...), Now: func() time.Time { return sample.DefaultDay.AddDate(0, 0, 3) }}
	return w
}

// failedLogons is a rule that costs little to run.
const failedLogons = `id: 21111111-1111-4111-8111-11111111111a
name: Failed sign-ins of many
severity: Low
queryFrequency: 6h
queryPeriod: 6h
triggerOperator: gt
triggerThreshold: 0
query: |
  SigninLogs
  | where ResultType == 50126
  | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Failures = count() by UserPrincipalName
  | top 3 by Failures
entityMappings: [{entityType: Account, fieldMappings: [{identifier: FullName, columnName: UserPrincipalName}]}]
eventGroupingSettings: {aggregationKind: AlertPerResult}
`

func parsed(t *testing.T, text string) []*rule.Rule {
	t.Helper()
	r, problems := rule.Parse("r.yaml", []byte(text))
	if r == nil {
		t.Fatal(problems)
	}
	return []*rule.Rule{r}
}

func (w *pastWorld) run(t *testing.T, b *backtest) ([]loudnessJSON, string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	err := b.run(t.Context(), &stdout, &stderr)
	if stderr.Len() > 0 && !strings.HasPrefix(stderr.String(), "warning: ") {
		t.Errorf("standard error: %s", stderr.String())
	}
	var list []loudnessJSON
	if b.json {
		for line := range strings.Lines(stdout.String()) {
			var l loudnessJSON
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			list = append(list, l)
		}
	}
	return list, stdout.String(), err
}

func TestBacktest(t *testing.T) {
	t.Parallel()
	w := newPast(t)
	b := w.backtest(t, parsed(t, failedLogons), 3)
	b.settings.Context, b.json = false, true
	list, _, err := w.run(t, b)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v: %v", list, err)
	}
	l := list[0]
	if l.Name != "Failed sign-ins of many" || l.Windows != 12 || l.Queries != 12 || w.asked != 12 || l.Alerts != 12 || l.Failed != 0 || l.Severities["Low"] != 12 || l.PerDay != 4 {
		t.Errorf("%+v, %d asked", l, w.asked)
	}
	day := sample.DefaultDay.Format(time.DateOnly)
	if len(l.Days) != 3 || l.Days[1] != (dayCount{day, 12}) {
		t.Errorf("days: %v", l.Days)
	}
	if len(l.Identities) == 0 || l.Identities[0].Alerts < l.Identities[len(l.Identities)-1].Alerts || l.MedianMS != 1000 || l.LongestMS != 1000 {
		t.Errorf("%+v", l)
	}
	// 60 queries a minute, of which each takes a second.
	if w.waited != 0 {
		t.Errorf("waited %s", w.waited)
	}

	slow := newPast(t)
	b = slow.backtest(t, parsed(t, failedLogons), 3)
	b.settings.Context, b.perMin = false, 10
	_, text, err := slow.run(t, b)
	if err != nil || slow.waited != 11*5*time.Second {
		t.Errorf("at 10 a minute: waited %s, %v", slow.waited, err)
	}
	for _, want := range []string{"12 queries asked", "·█·  12 alerts in 3 days, 4.0 a day, at most 12 (" + day + ")", "12 Low; the rule says Low", "0 rows already reported", "median 1s, longest 1s (0% of 3m)", "Nothing was sent"} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
}

// The alerts a day are those of the time that was looked at, however many dates it
// touches, and few are not none.
func TestAlertsADay(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		alerts int
		span   time.Duration
		perDay float64
		want   string
	}{
		{14, 14 * 24 * time.Hour, 1, "14 days, 1.0 a day"},
		{1, 30 * 24 * time.Hour, 0.03, "30 days, 0.03 a day"},
		{1, 14 * 24 * time.Hour, 0.07, "14 days, 0.07 a day"},
		{19, 10 * 24 * time.Hour, 1.9, "10 days, 1.9 a day"},
		{3, 36 * time.Hour, 2, "2 days, 2.0 a day"},
		{3, time.Hour, 3, "1 day, 3.0 a day"},
		{0, 24 * time.Hour, 0, "1 day, 0.0 a day"},
	} {
		l := newLoudness(nil, from, from.Add(tt.span))
		l.alerts = tt.alerts
		if l.perDay() != tt.perDay || l.rate() != tt.want {
			t.Errorf("%d alerts in %s: %v, %s", tt.alerts, tt.span, l.perDay(), l.rate())
		}
	}
}

// A backtest that is stopped goes on where it was, with the same result.
func TestBacktestGoesOn(t *testing.T) {
	t.Parallel()
	rules := parsed(t, failedLogons)
	whole := newPast(t)
	b := whole.backtest(t, rules, 3)
	b.json = true
	_, want, err := whole.run(t, b)
	if err != nil {
		t.Fatal(err)
	}

	state := filepath.Join(t.TempDir(), "past.state")
	w := newPast(t)
	ctx, cancel := context.WithCancel(t.Context())
	w.stopped, w.stopAt = cancel, 8
	b = w.backtest(t, rules, 3)
	b.json, b.state = true, state
	var stdout, stderr bytes.Buffer
	if err := b.run(ctx, &stdout, &stderr); err == nil || stdout.Len() > 0 {
		t.Fatalf("stopped: %v\n%s", err, &stdout)
	}
	if info, err := os.Stat(state); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the state: %v, %v", info, err)
	}
	cut, err := os.OpenFile(state, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cut.WriteString(`{"key":"cut off whi`); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	cut.Close()

	w.stopped = nil
	w.now = w.now.Add(5 * time.Hour) // the time that is looked at stays the same
	before := w.asked
	b = w.backtest(t, rules, 3)
	b.json, b.state = true, state
	_, got, err := w.run(t, b)
	if err != nil || got != want {
		t.Errorf("after that: %v\n%s\nwant\n%s", err, got, want)
	}
	if asked := w.asked - before; asked != whole.asked-7 {
		t.Errorf("asked %d times, of %d", asked, whole.asked)
	}
	before = w.asked
	if _, again, err := w.run(t, b); err != nil || again != want || w.asked != before {
		t.Errorf("once more: %v, asked %d times", err, w.asked-before)
	}

	b = w.backtest(t, rules, 4)
	b.state = state
	if _, _, err := w.run(t, b); err == nil || !strings.Contains(err.Error(), "--state "+state+": the file is not the state of this backtest") {
		t.Errorf("another backtest: %v", err)
	}
	if err := os.WriteFile(state, []byte("precious\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.run(t, b); err == nil || !strings.Contains(err.Error(), "is not the state of this backtest") {
		t.Errorf("another file: %v", err)
	}
	if text, _ := os.ReadFile(state); string(text) != "precious\n" {
		t.Errorf("the other file: %s", text)
	}
}

// A rule that the workspace refuses does not stop the others, and is not asked for ever.
func TestBacktestOfARefusedRule(t *testing.T) {
	t.Parallel()
	w := newPast(t)
	broken := parsed(t, strings.NewReplacer("21111111", "31111111", "SigninLogs", "SigninLogz").Replace(failedLogons))
	b := w.backtest(t, append(broken, parsed(t, failedLogons)...), 3)
	b.json, b.settings.Context = true, false
	list, _, err := w.run(t, b)
	if err == nil || !strings.Contains(err.Error(), "left after 3 failures in a row") || !strings.Contains(err.Error(), "SigninLogz") {
		t.Errorf("error: %v", err)
	}
	if w.asked != 12+3 {
		t.Errorf("asked %d times", w.asked)
	}
	if len(list) != 2 || list[0].Alerts != 12 || list[1].Failed != 3 || !strings.Contains(list[1].Error, "SigninLogz") {
		t.Errorf("%+v", list)
	}
}

// The summary of replay is the same, over files.
func TestReplaySummary(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "rule.yaml")
	if err := os.WriteFile(path, []byte(failedLogons), 0o644); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "logs")
	if err := sample.Generate(sample.Options{}).WriteDir(logs); err != nil {
		t.Fatal(err)
	}
	r := handler(t, "replay", "--logs", logs, "--rules", path, "--summary", "--json")
	var l loudnessJSON
	if err := json.Unmarshal([]byte(r.stdout), &l); err != nil || r.code != exitDone {
		t.Fatalf("%v: code %d\n%s", err, r.code, r.stderr)
	}
	if l.Alerts != 12 || l.Windows < 4 || len(l.Identities) == 0 {
		t.Errorf("%+v", l)
	}
	r = handler(t, "replay", "--logs", logs, "--rules", path, "--summary")
	if r.code != exitDone || !strings.Contains(r.stdout, "12 alerts in ") || strings.Contains(r.stdout, "MFA") {
		t.Errorf("code %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

func TestBacktestCommandLine(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no workspace": {nil, exitFailed, "PUSHBACK_WORKSPACE_ID is not set"},
		"days":         {[]string{"--days", "0"}, exitUsage, "--days is 0: expected 1 to 90"},
		"queries":      {[]string{"--queries-per-minute", "1000"}, exitUsage, "--queries-per-minute is 1000: expected 10 to 300"},
	} {
		if r := handler(t, append([]string{"backtest"}, tc.args...)...); r.code != tc.code || !strings.Contains(r.stderr, tc.want) {
			t.Errorf("%s: code %d\n%s", name, r.code, r.stderr)
		}
	}
}
