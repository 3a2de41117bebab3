package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/monitor/azquery"
	"github.com/google/go-cmp/cmp"
)

const oneRow = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"N","type":"long"}],"rows":[[1]]}]}`

// turn is how a service behaves towards one try.
type turn func(*http.Request) (*http.Response, error)

func says(status int, body string, headers ...string) turn {
	return func(r *http.Request) (*http.Response, error) {
		response, err := answering(status, body)(r)
		for i := 0; i < len(headers); i += 2 {
			response.Header.Set(headers[i], headers[i+1])
		}
		return response, err
	}
}

func cutAfter(body string) turn {
	return func(r *http.Request) (*http.Response, error) {
		response, err := answering(200, "")(r)
		response.Body = io.NopCloser(io.MultiReader(strings.NewReader(body), broken{}))
		return response, err
	}
}

func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func refuses(*http.Request) (*http.Response, error) {
	return nil, errors.New("dial tcp: connection refused")
}

// service takes its turns, the last of which it repeats.
type service struct {
	turns  []turn
	tries  int
	prefer []string
}

func (s *service) Do(r *http.Request) (*http.Response, error) {
	s.prefer = append(s.prefer, r.Header.Get("Prefer"))
	turn := s.turns[min(s.tries, len(s.turns)-1)]
	s.tries++
	return turn(r)
}

// TestMisbehaviour runs one query against a service that misbehaves; its waits
// take no time.
func TestMisbehaviour(t *testing.T) {
	t.Parallel()
	retried := func(after string) turn { return says(429, "", "Retry-After", after) }
	tests := []struct {
		name    string
		timeout time.Duration // the query's
		ctx     time.Duration // the caller's, or 0
		turns   []turn
		tries   int
		waited  [2]time.Duration // at least and at most
		want    string           // in the error, or "" for a table
		is      error
	}{
		{"429 once", 0, 0, []turn{retried("30"), says(200, oneRow)}, 2, [2]time.Duration{30 * time.Second, 30 * time.Second}, "", nil},
		{"429 in milliseconds", 0, 0, []turn{says(429, "", "Retry-After-Ms", "250"), says(200, oneRow)}, 2, [2]time.Duration{250 * time.Millisecond, 250 * time.Millisecond}, "", nil},
		{"503 twice", 0, 0, []turn{says(503, ""), says(503, ""), says(200, oneRow)}, 3, [2]time.Duration{2 * time.Second, 8 * time.Second}, "", nil},
		{"503 for ever", 0, 0, []turn{says(503, "")}, 6, [2]time.Duration{40 * time.Second, 80 * time.Second},
			"the service answered 503 Service Unavailable: a later tick tries again", nil},
		{"503 for longer than there is time", 10 * time.Second, 0, []turn{says(503, "")}, 5, [2]time.Duration{25 * time.Second, 25 * time.Second},
			"there was no answer in 10s but 503 Service Unavailable, in ", context.DeadlineExceeded},
		{"429 for ever", time.Minute, 0, []turn{retried("50")}, 2, [2]time.Duration{50 * time.Second, 50 * time.Second},
			"the service answered 429 Too Many Requests: too many queries run at once; a later tick tries again", nil},
		{"a wait that is too long", 0, 0, []turn{retried("100000")}, 1, [2]time.Duration{}, "429 Too Many Requests", nil},
		{"a wait past the caller's time", 0, 20 * time.Second, []turn{retried("30")}, 1, [2]time.Duration{}, "429 Too Many Requests", nil},
		{"a time-out is not tried again", 0, 0, []turn{says(504, "")}, 1, [2]time.Duration{}, "504 Gateway Timeout: give the query more time, 10m0s at most", nil},
		{"a refusal is not tried again", 0, 0, []turn{says(403, "")}, 1, [2]time.Duration{}, "403 Forbidden: give the app's identity the role", nil},
		{"no answer", 4 * time.Minute, 0, []turn{hangs}, 1, [2]time.Duration{255 * time.Second, 255 * time.Second},
			"there was no answer in 4m0s: give the query more time, 10m0s at most, or let it read less", context.DeadlineExceeded},
		{"no answer in the caller's time", 0, 90 * time.Second, []turn{hangs}, 1, [2]time.Duration{90 * time.Second, 90 * time.Second},
			"context deadline exceeded", context.DeadlineExceeded},
		{"503 until the caller's time is up", 0, 3 * time.Second, []turn{says(503, "")}, 2, [2]time.Duration{3 * time.Second, 3 * time.Second},
			"the wait ended after the service had answered 503 Service Unavailable: context deadline exceeded", context.DeadlineExceeded},
		{"no connection", 0, 0, []turn{refuses}, 6, [2]time.Duration{40 * time.Second, 80 * time.Second},
			"the service could not be reached (tries: 6): dial tcp: connection refused: check the cloud", nil},
		{"every connection is cut", 10 * time.Second, 0, []turn{refuses}, 5, [2]time.Duration{25 * time.Second, 25 * time.Second},
			" tries, since the connection to the service broke each time, at last with dial tcp: connection refused: check the cloud", context.DeadlineExceeded},
		{"every connection is cut until the caller's time is up", 0, 3 * time.Second, []turn{refuses}, 2, [2]time.Duration{3 * time.Second, 3 * time.Second},
			"the wait ended after 2 tries in which the connection to the service broke, at last with dial tcp: connection refused: context deadline exceeded", context.DeadlineExceeded},
		{"a Retry-After that no integer holds", 0, 0, []turn{retried("1000000000000000000000000000000")}, 1, [2]time.Duration{}, "429 Too Many Requests", nil},
		{"no connection once", 0, 0, []turn{refuses, says(200, oneRow)}, 2, [2]time.Duration{time.Millisecond, 2 * time.Second}, "", nil},
		{"an answer cut once", 0, 0, []turn{cutAfter(oneRow[:70]), says(200, oneRow)}, 2, [2]time.Duration{time.Millisecond, 2 * time.Second}, "", nil},
		{"an answer cut each time", 0, 0, []turn{cutAfter(oneRow[:70])}, 6, [2]time.Duration{40 * time.Second, 80 * time.Second},
			"the connection broke while the answer came in (tries: 6)", io.ErrUnexpectedEOF},
		{"nonsense is not tried again", 0, 0, []turn{says(200, "<html>")}, 1, [2]time.Duration{}, "reading the answer: ", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{turns: tt.turns}
				c, err := New(workspaceID, fakeCredential{}, Options{Timeout: tt.timeout, ClientOptions: azcore.ClientOptions{Transport: s}})
				if err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if tt.ctx > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
					defer cancel()
				}
				began := time.Now()
				table, err := c.Query(ctx, query)
				if waited := time.Since(began); waited < tt.waited[0] || waited > tt.waited[1] {
					t.Errorf("it took %s, want %s to %s", waited, tt.waited[0], tt.waited[1])
				}
				if s.tries > tt.tries || s.tries < tt.tries-1 || tt.want == "" && s.tries != tt.tries {
					t.Errorf("%d tries, want %d", s.tries, tt.tries)
				}
				if tt.want == "" {
					if err != nil || len(table.Rows) != 1 || table.Rows[0][0] != int64(1) {
						t.Errorf("table = %v, error = %v", table, err)
					}
					return
				}
				if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error = %v\nwant %s", err, tt.want)
				}
				checkLine(t, err)
				if tt.is != nil && !errors.Is(err, tt.is) {
					t.Errorf("error %v is no %v", err, tt.is)
				}
			})
		})
	}
}

// TestNoData has workspaces without any data, which answer without a body: that
// is no rows. The client is azquery's own, which takes it for an error.
func TestNoData(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	tests := map[string]struct {
		turns  []turn
		logger *slog.Logger
	}{
		"at once": {turns: []turn{says(204, "")}},
		"as a server does": {turns: []turn{func(r *http.Request) (*http.Response, error) {
			return &http.Response{Request: r, StatusCode: 204, Status: "204 No Content", Body: http.NoBody}, nil
		}}},
		"with a body":     {turns: []turn{says(204, oneRow)}},
		"after a refusal": {turns: []turn{says(503, "", "Retry-After-Ms", "1"), says(204, "")}},
		"with statistics": {turns: []turn{says(204, "")}, logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))},
	}
	for name, tt := range tests {
		s := &service{turns: tt.turns}
		c, err := New(workspaceID, fakeCredential{}, Options{Logger: tt.logger, ClientOptions: azcore.ClientOptions{Transport: s}})
		if err != nil {
			t.Fatal(err)
		}
		table, err := c.Query(t.Context(), query)
		if diff := cmp.Diff(&Table{Rows: [][]any{}, NoData: true}, table); diff != "" || err != nil || s.tries != len(tt.turns) {
			t.Errorf("%s: %d tries, %v, the table (-want +got):\n%s", name, s.tries, err, diff)
		}
		if table != nil && table.Column("TimeGenerated") >= 0 {
			t.Errorf("%s: it has a column", name)
		}
	}
	if text := log.String(); !strings.Contains(text, `"status":204`) || !strings.Contains(text, `"rows":0`) {
		t.Errorf("the log: %s", text)
	}
	// Data that came in the meantime is no matter of the client's memory.
	s := &service{turns: []turn{says(204, ""), says(200, oneRow)}}
	c, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{Transport: s}})
	if err != nil {
		t.Fatal(err)
	}
	for want := range 2 {
		if table, err := c.Query(t.Context(), query); err != nil || len(table.Rows) != want || table.NoData != (want == 0) {
			t.Errorf("query %d: %v, %v", want+1, table, err)
		}
	}
}

func TestPrefer(t *testing.T) {
	t.Parallel()
	debug := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tests := []struct {
		timeout, ctx time.Duration
		logger       *slog.Logger
		want         string
	}{
		{0, 0, nil, "wait=180"},
		{maxTimeout, 0, nil, "wait=600"},
		{time.Minute, 0, debug, "include-statistics=true,wait=60"},
		{0, 42 * time.Second, nil, "wait=42"},
		{time.Millisecond, 0, nil, "wait=1"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &service{turns: []turn{says(200, oneRow)}}
				c, err := New(workspaceID, fakeCredential{}, Options{Timeout: tt.timeout, Logger: tt.logger, ClientOptions: azcore.ClientOptions{Transport: s}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := t.Context(), func() {}
				if tt.ctx > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.ctx)
				}
				defer cancel()
				if _, err := c.Query(ctx, query); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(s.prefer, []string{tt.want}) {
					t.Errorf("Prefer = %q, want %q", s.prefer, tt.want)
				}
			})
		})
	}
}

// scopes is a credential that notes what its tokens are for.
type scopes struct{ asked []string }

func (s *scopes) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.asked = append(s.asked, o.Scopes...)
	return azcore.AccessToken{Token: tokenText, ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func TestClouds(t *testing.T) {
	t.Parallel()
	for name, host := range map[string]string{
		"": "api.loganalytics.io", "Public": "api.loganalytics.io",
		"usgovernment": "api.loganalytics.us", "china": "api.loganalytics.azure.cn",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			configuration, err := Cloud(name)
			if err != nil {
				t.Fatal(err)
			}
			credential := &scopes{}
			c, err := New(workspaceID, credential, Options{ClientOptions: azcore.ClientOptions{
				Cloud: configuration,
				Transport: carrier(func(r *http.Request) (*http.Response, error) {
					if want := "https://" + host + "/v1/workspaces/" + workspaceID + "/query"; r.URL.String() != want {
						t.Errorf("URL = %s, want %s", r.URL, want)
					}
					return answering(200, oneRow)(r)
				}),
			}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Query(t.Context(), query); err != nil {
				t.Fatal(err)
			}
			if want := []string{"https://" + host + "/.default"}; !slices.Equal(credential.asked, want) {
				t.Errorf("tokens for %q, want %q", credential.asked, want)
			}
		})
	}
	if _, err := Cloud("germany"); err == nil || !strings.Contains(err.Error(), "public, usgovernment, china") {
		t.Errorf("error = %v", err)
	}
}

func TestAdditionalWorkspaces(t *testing.T) {
	t.Parallel()
	others := []string{"aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002"}
	var body struct{ Workspaces []string }
	c, err := New(workspaceID, fakeCredential{}, Options{AdditionalWorkspaces: others, ClientOptions: azcore.ClientOptions{
		Transport: carrier(func(r *http.Request) (*http.Response, error) {
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			return answering(200, oneRow)(r)
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(body.Workspaces, others) {
		t.Errorf("workspaces = %q", body.Workspaces)
	}
	for _, bad := range [][]string{{""}, {strings.ToUpper(workspaceID)}, {others[0], others[0]}} {
		if _, err := New(workspaceID, fakeCredential{}, Options{AdditionalWorkspaces: bad}); err == nil {
			t.Errorf("New took %q", bad)
		}
	}
	for _, bad := range []time.Duration{-1, maxTimeout + 1} {
		if _, err := New(workspaceID, fakeCredential{}, Options{Timeout: bad}); err == nil {
			t.Errorf("New took the timeout %s", bad)
		}
	}
}

// partial is an answer with errors of the engine beside its table.
func partial(errors ...string) string {
	details := make([]string, len(errors))
	for i, e := range errors {
		details[i] = `{"code":"EngineError","message":"Something went wrong processing your query on the server.","innererror":` + e + `}`
	}
	return strings.TrimSuffix(oneRow, "}") + `,"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[` + strings.Join(details, ",") + `]}}`
}

func TestLimits(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, inner, limit, advice string }{
		{"rows", `{"code":"-2133196797","message":"The results of this query exceed the set limit of 500000 records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003).","severity":2}`,
			"500000 rows", "less than 500000 rows"},
		{"bytes", `{"code":"-2133196797","message":"The results of this query exceed the set limit of 64000000 bytes, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003).","severity":2}`,
			"64000000 bytes", "less than 64000000 bytes"},
		{"the engine's rows", `{"code":"-2133196797","message":"Query result set has exceeded the internal record count limit 500000 (E_QUERY_RESULT_SET_TOO_LARGE).","severity":2}`,
			"500000 rows", "less than 500000 rows"},
		{"the engine's bytes", `{"code":"-2133196797","message":"Query result set has exceeded the internal data size limit 67108864 (E_QUERY_RESULT_SET_TOO_LARGE).","severity":2}`,
			"67108864 bytes", "less than 67108864 bytes"},
		{"a code alone", `{"code":"-2133196797","message":"Not sure what happened.","severity":2}`,
			"the service's 500000 rows and 64000000 bytes", "64000000 bytes"},
		{"memory", `{"code":"-2133196799","message":"Query execution has exceeded the allowed limits.","severity":2}`, "memory", "hold less in memory"},
		{"memory by name", `{"code":"1","message":"aggregation over string column exceeded the memory budget (E_RUNAWAY_QUERY).","severity":2}`, "memory", "hold less in memory"},
		{"no limit", `{"code":"-2133196788","message":"A shard is down.","severity":2}`, "", "A shard is down."},
		{"a limit as a warning", `{"code":"-2133196797","message":"The results of this query exceed the set limit of 500000 records.","severity":3}`, "500000 rows", "less than 500000 rows"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table, err := newClient(t, answering(200, partial(tt.inner)), fakeCredential{}).Query(t.Context(), query)
			var incomplete *PartialError
			if !errors.As(err, &incomplete) || table != nil {
				t.Fatalf("table = %v, error = %v", table, err)
			}
			checkLine(t, err)
			if incomplete.Limit != tt.limit || !strings.Contains(err.Error(), tt.advice) {
				t.Errorf("limit %q, want %q; error = %v", incomplete.Limit, tt.limit, err)
			}
		})
	}
}

// TestWarnings is about what the service says beside an answer that is whole.
func TestWarnings(t *testing.T) {
	t.Parallel()
	warning := `{"code":"-2133196790","message":"'extend' operator: Failed to resolve scalar expression named 'x'","severity":3,"severityName":"Warning"}`
	table, err := newClient(t, answering(200, partial(warning, warning)), fakeCredential{}).Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"'extend' operator: Failed to resolve scalar expression named 'x'"}; !slices.Equal(table.Warnings, want) || len(table.Rows) != 1 {
		t.Errorf("warnings = %q", table.Warnings)
	}
	mixed := partial(warning, `{"code":"-2133196788","message":"A shard is down.","severity":2}`)
	if table, err := newClient(t, answering(200, mixed), fakeCredential{}).Query(t.Context(), query); err == nil {
		t.Errorf("an error among warnings gave %v", table)
	}
}

func TestMissingTable(t *testing.T) {
	t.Parallel()
	for message, want := range map[string]string{
		"'where' operator: Failed to resolve table or column expression named 'BehaviorAnalytics'":   "BehaviorAnalytics",
		"'search' operator: Failed to resolve table expression named 'Event'":                        "Event",
		"'take' operator: Failed to resolve table or column or scalar expression named 'Custom_CL'":  "Custom_CL",
		"Failed to resolve table or column expression named 'SigninLog'; did you mean 'SigninLogs'?": "SigninLog",
		"'where' operator: Failed to resolve column or scalar expression named 'Foo'":                "",
		"'where' operator: Failed to resolve scalar expression named 'IdentityInfo'":                 "",
		"Unknown function: 'table'": "",
	} {
		body, err := json.Marshal(map[string]any{"error": map[string]any{"code": "BadArgumentError", "innererror": map[string]any{
			"code": "SemanticError", "innererror": map[string]any{"code": "SEM0100", "message": message}}}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = newClient(t, answering(400, string(body)), fakeCredential{}).Query(t.Context(), query)
		if table, missing := MissingTable(err); table != want || missing != (want != "") {
			t.Errorf("MissingTable(%v) = %q, %t", err, table, missing)
		}
	}
	if _, missing := MissingTable(errors.New("x")); missing {
		t.Error("another error is about a missing table")
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	// Anonymised from an answer of the service.
	const statistics = `,"statistics":{"query":{"datasetStatistics":[{"tableRowCount":1,"tableSize":14598614}],"executionTime":0.5937856,
		"inputDatasetStatistics":{"extents":{"scanned":2,"total":9},"rows":{"scanned":36656,"total":36656},"rowstores":{"scannedRows":12323}},
		"resourceUsage":{"cache":{"memory":{"hits":0}},"cpu":{"kernel":"00:00:00","totalCpu":"00:00:00.1562500"},"memory":{"peakPerNode":4195488}}}}}`
	body := strings.TrimSuffix(oneRow, "}") + statistics
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
		var out bytes.Buffer
		c, err := New(workspaceID, fakeCredential{}, Options{
			Logger:        slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: level})),
			ClientOptions: azcore.ClientOptions{Transport: answering(200, body)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Query(t.Context(), query); err != nil {
			t.Fatal(err)
		}
		if level == slog.LevelInfo {
			if out.Len() > 0 {
				t.Errorf("logged %s", out.String())
			}
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
		delete(got, "time")
		want := map[string]any{
			"level": "DEBUG", "msg": "query statistics", "workspace": workspaceID,
			"rule_id": query.RuleID, "rule_version": "1.0.0", "start": "2026-03-14T11:00:00Z", "end": "2026-03-14T12:00:00.0000001Z",
			"tries": 1.0, "status": 200.0, "rows": 1.0, "seconds": 0.5937856, "cpu": "00:00:00.1562500",
			"peak_bytes": 4195488.0, "scanned_rows": 36656.0, "scanned_extents": 2.0, "result_bytes": 14598614.0,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("logged (-want +got):\n%s", diff)
		}
	}
}

// TestLayouts is about the same answer in other orders, and with more in it.
func TestLayouts(t *testing.T) {
	t.Parallel()
	const columns, rows = `"columns":[{"name":"N","type":"long"}]`, `"rows":[[1],[2]]`
	want := &Table{Columns: []Column{{"N", "long"}}, Rows: [][]any{{int64(1)}, {int64(2)}}}
	empty := &Table{Columns: []Column{{"N", "long"}}, Rows: [][]any{}}
	for body, want := range map[string]*Table{
		`{"tables":[{` + rows + `,"name":"PrimaryResult",` + columns + `}]}`:                                                                                           want,
		`{"tables":[{` + columns + `,` + rows + `}],"render":{"a":[{}]}}`:                                                                                              want,
		` {"error":null,"tables":[{"name":"Q","columns":[{"name":"S","type":"new"}],"rows":[["x"]]},{"name":"PrimaryResult",` + columns + `,` + rows + `}]}` + "\n":    want,
		`{"tables":[{"name":"PrimaryResult",` + columns + `,` + rows + `},{"name":"PrimaryResult",` + columns + `,"rows":[]},{"name":"R","columns":[],"rows":[[1]]}]}`: want,
		`{"tables":[{"name":"PrimaryResult",` + columns + `,"rows":null}]}`:                                                                                            empty,
		`{"tables":[{"name":"PrimaryResult",` + columns + `}]}`:                                                                                                        empty,
	} {
		got, err := newClient(t, answering(200, body), fakeCredential{}).Query(t.Context(), query)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	for _, body := range []string{oneRow + "x", oneRow + oneRow, `[]`, `{"tables":{}}`, `{"tables":[[]]}`, `null`} {
		if got, err := newClient(t, answering(200, body), fakeCredential{}).Query(t.Context(), query); err == nil {
			t.Errorf("%s gave %v", body, got)
		}
	}
}

func TestAnswerWithoutEnd(t *testing.T) {
	t.Parallel()
	var a answer
	s := &source{r: io.MultiReader(strings.NewReader(`{"x":"`), endless("x"))}
	if a.read(s); !errors.Is(a.err, errValueTooLarge) || s.err != nil {
		t.Errorf("error = %v, %v", a.err, s.err)
	}
	const columns = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"N","type":"string"}],"rows":[[""]`
	for _, row := range []string{`,[""]`, `,["` + strings.Repeat("x", 1000) + `"]`} {
		a = answer{}
		s = &source{r: io.MultiReader(strings.NewReader(columns), endless(row))}
		var much *TooMuchError
		if a.read(s); !errors.As(a.err, &much) || much.Rows < 1000 {
			t.Errorf("rows of %.10s: error = %v", row, a.err)
		}
	}
}

// TestHostileAnswers has the workspace answer what no workspace does.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	endlessly := func(status int, text string) turn {
		return func(r *http.Request) (*http.Response, error) {
			response, err := answering(status, "")(r)
			response.Body = io.NopCloser(endless(text))
			return response, err
		}
	}
	skipped := func(r *http.Request) (*http.Response, error) {
		response, err := answering(200, "")(r)
		response.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"x":[1`), endless(",1")))
		return response, err
	}
	for _, tt := range []struct {
		name string
		turn turn
		want string
	}{
		{"a value without end", endlessly(200, " "), "a single value in it is larger than 4 MiB, the limit"},
		{"success without end", skipped, "the workspace's service sent an answer (200) of more than 128 MiB, the limit"},
		{"refusal without end", endlessly(403, "x"), "the workspace's service sent an answer (403) of more than 1 MiB, the limit"},
		{"overload without end", endlessly(503, "x"), "(503) of more than 1 MiB"},
		{"redirect", says(307, oneRow, "Location", "https://user:pw@evil.example\u202e/x?token=1"), "answered 307 with a redirect"},
		{"redirect to another host", says(302, "", "Location", "http://evil.example/x?token=1"), `answered 302 with a redirect to the host "evil.example", which is not followed`},
	} {
		s := &service{turns: []turn{tt.turn}}
		_, err := newClient(t, s.Do, fakeCredential{}).Query(t.Context(), Query{Text: "T"})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "role") {
			t.Errorf("%s: error = %v", tt.name, err)
		}
		if s.tries != 1 {
			t.Errorf("%s: tried %d times", tt.name, s.tries)
		}
	}
}

// endless is a body that says the same for ever.
func endless(text string) io.Reader { return &repeating{text: text} }

type repeating struct {
	text string
	at   int
}

func (r *repeating) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.text[r.at]
		r.at = (r.at + 1) % len(r.text)
	}
	return len(p), nil
}

// TestOverTLS asks a real server that cuts its first answer and throttles the
// second try.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	tries := 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+tokenText {
			t.Errorf("Authorization = %q", r.Header.Get("Authorization"))
		}
		switch tries++; tries {
		case 1:
			w.Header().Set("Content-Length", strconv.Itoa(len(oneRow)))
			_, _ = io.WriteString(w, oneRow[:50]) // the server cuts what is shorter than announced
		case 2:
			w.Header().Set("Retry-After-Ms", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			_, _ = io.WriteString(w, oneRow)
		}
	}))
	defer server.Close()
	c, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{
		Cloud: cloud.Configuration{Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			azquery.ServiceNameLogs: {Endpoint: server.URL + "/v1", Audience: "https://test"},
		}},
		Transport: server.Client(),
		Retry:     policy.RetryOptions{RetryDelay: time.Millisecond},
	}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := c.Query(t.Context(), query)
	if err != nil || len(table.Rows) != 1 || tries != 3 {
		t.Errorf("table = %v after %d tries, %v", table, tries, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(oneRow))
	f.Add([]byte(partial(`{"code":"-2133196797","message":"x","severity":3}`)))
	f.Add([]byte(`{"tables":[{"rows":[["2026-03-14T12:00:00Z","{\"a\":1}","\ud800",1.5,"NaN"]],"columns":[{"name":"T","type":"datetime"},{"name":"D","type":"dynamic"},{"name":"S","type":"string"},{"name":"R","type":"real"},{"name":"R2","type":"real"}]}],"statistics":{}}`))
	f.Add([]byte(`{"error":{"innererror":{"code":1,"details":[{}]}}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var a answer
		a.read(&source{r: bytes.NewReader(body)})
		if a.err != nil {
			return
		}
		if !json.Valid(body) {
			t.Errorf("read %q, which is no JSON", body)
		}
		if err := a.failure(); err != nil {
			if strings.ContainsAny(err.Error(), "\r\n\x1b") {
				t.Errorf("not a line: %q", err)
			}
			return
		}
		for _, row := range a.table.Rows {
			if len(row) != len(a.table.Columns) {
				t.Errorf("a row of %d values for %d columns", len(row), len(a.table.Columns))
			}
			for _, v := range row {
				if !json.Valid(JSON(v)) {
					t.Errorf("%T %v has the JSON %s", v, v, JSON(v))
				}
				_ = Text(v)
			}
		}
	})
}

// manyRows is an answer of sign-ins.
func manyRows(n int) string {
	var b strings.Builder
	b.WriteString(`{"tables":[{"name":"PrimaryResult","columns":[{"name":"StartTime","type":"datetime"},{"name":"EndTime","type":"datetime"},` +
		`{"name":"UserPrincipalName","type":"string"},{"name":"UserId","type":"string"},{"name":"IPAddress","type":"string"},` +
		`{"name":"Count","type":"long"},{"name":"Events","type":"dynamic"},{"name":"Risk","type":"real"}],"rows":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `["2026-03-14T%02d:%02d:00.1234567Z","2026-03-14T23:59:59.1234567Z","user%d@contoso.example","00000000-0000-0000-0000-%012d","192.0.2.%d",%d,"[\"a%d\",\"b%d\"]",%d.5]`,
			i%24, i%60, i, i, i%256, i, i, i, i%100)
	}
	b.WriteString(`]}]}`)
	return b.String()
}

// BenchmarkQuery is the cost of a query from its call to its table.
func BenchmarkQuery(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			body := manyRows(n)
			c, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{Transport: answering(200, body)}})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				table, err := c.Query(b.Context(), query)
				if err != nil || len(table.Rows) != n {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestConnectionErrorNamesTheHost and not the whole address, which is long.
func TestConnectionErrorNamesTheHost(t *testing.T) {
	t.Parallel()
	err := &ConnectionError{Tries: 2, err: &url.Error{Op: "Post", URL: "https://api.example/v1/workspaces/x/query", Err: errors.New("no such host")}}
	const want = "api.example could not be reached (tries: 2): no such host: check the cloud that is set, that DNS knows the host, and that the firewall"
	if !strings.HasPrefix(err.Error(), want) {
		t.Error(err)
	}
}
