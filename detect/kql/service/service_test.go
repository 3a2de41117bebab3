package service

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
)

const queryURL = "https://api.loganalytics.io/v1/workspaces/11111111-2222-3333-4444-555555555555/query"

var testNow = time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)

// table makes a table of texts.
func table(name string, schema kql.Schema, rows ...[]string) *kql.Table {
	b := kql.NewTableBuilder(name, schema)
	for _, row := range rows {
		for i, text := range row {
			if text != "" && !b.SetText(i, []byte(text)) {
				panic("bad cell " + text)
			}
		}
		b.Commit()
	}
	return b.Build()
}

func testService() *Service {
	db := kql.NewDatabase(
		table("T", kql.Schema{{Name: "s", Type: kql.String}, {Name: "n", Type: kql.Long}}, []string{"alpha", "1"}),
		table("U", kql.Schema{{Name: "s", Type: kql.String}}, []string{"alpha"}, []string{"alpha"}, []string{"gamma"}),
		table("Events", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "User", Type: kql.String}},
			[]string{"2026-03-17T08:00:00Z", "ann"}, []string{"2026-03-17T08:10:00Z", "ann"},
			[]string{"2026-03-17T09:00:00Z", "bob"}, []string{"2026-03-17T09:59:00Z", "ann"}),
	)
	return &Service{DB: db, Now: func() time.Time { return testNow }}
}

// post sends a body and gives the status and the answer, decoded with its
// numbers as written.
func post(t *testing.T, s *Service, body string) (status int, answer map[string]any) {
	t.Helper()
	req := httptest.NewRequest(http.MethodPost, queryURL, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer x")
	resp, err := s.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, decodeAnswer(t, resp)
}

func decodeAnswer(t *testing.T, resp *http.Response) map[string]any {
	t.Helper()
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
	dec := json.NewDecoder(resp.Body)
	dec.UseNumber()
	var answer map[string]any
	if err := dec.Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func queryBody(query, timespan string) string {
	body := map[string]string{"query": query}
	if timespan != "" {
		body["timespan"] = timespan
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func TestServiceEncodesEveryType(t *testing.T) {
	t.Parallel()
	status, answer := post(t, testService(), queryBody(`print s = "a\"b", n = 9223372036854775807, i = int(-5), r = 1.5, b = true,
		d = dynamic({"k":[1,"x",null]}), t = datetime(2026-03-17 09:58:07.25), ts = 25h, g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), m = decimal(1.50)
		| extend whole = 2.0, nan = real(nan), up = real(+inf), down = real(-inf), text = dynamic("x"), list = dynamic([])
		| extend n0 = long(null), i0 = int(null), r0 = real(null), b0 = bool(null), d0 = dynamic(null), t0 = datetime(null), ts0 = time(null), g0 = guid(null), m0 = decimal(null), s0 = ""`, ""))
	if status != http.StatusOK {
		t.Fatalf("status %d: %v", status, answer)
	}
	var columns []any
	for _, c := range []string{
		"s:string", "n:long", "i:int", "r:real", "b:bool", "d:dynamic", "t:datetime", "ts:timespan", "g:guid", "m:decimal",
		"whole:real", "nan:real", "up:real", "down:real", "text:dynamic", "list:dynamic",
		"n0:long", "i0:int", "r0:real", "b0:bool", "d0:dynamic", "t0:datetime", "ts0:timespan", "g0:guid", "m0:decimal", "s0:string",
	} {
		name, typ, _ := strings.Cut(c, ":")
		columns = append(columns, map[string]any{"name": name, "type": typ})
	}
	row := []any{
		`a"b`, json.Number("9223372036854775807"), json.Number("-5"), json.Number("1.5"), true,
		`{"k":[1,"x",null]}`, "2026-03-17T09:58:07.2500000Z", "1.01:00:00", "74be27de-1e4e-49d9-b579-fe0b331d3642", "1.50",
		json.Number("2"), "NaN", "Infinity", "-Infinity", `"x"`, `[]`,
		nil, nil, nil, nil, nil, nil, nil, nil, nil, "",
	}
	want := map[string]any{"tables": []any{map[string]any{"name": "PrimaryResult", "columns": columns, "rows": []any{row}}}}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestServiceErrors compares the codes and places of errors with those of the API.
func TestServiceErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		body   string
		status int
		codes  string // from the outermost to the innermost
		inner  map[string]any
	}{
		"syntax": {
			body: queryBody("T\n| where (n == 1", ""), status: 400, codes: "BadArgumentError > SyntaxError > SYN0002",
			inner: map[string]any{"line": json.Number("2"), "pos": json.Number("15"), "token": ""},
		},
		"unknown column": {
			body: queryBody(`T | where s == "é" and nosuch == 1`, ""), status: 400, codes: "BadArgumentError > SemanticError > SEM0100",
			inner: map[string]any{"line": json.Number("1"), "pos": json.Number("23"), "token": "nosuch"},
		},
		"unknown table": {
			body: queryBody(`NoTable`, ""), status: 400, codes: "BadArgumentError > SemanticError > SEM0100",
			inner: map[string]any{"line": json.Number("1"), "pos": json.Number("0"), "token": "NoTable"},
		},
		"unsupported": {
			body: queryBody(`T | reduce by s`, ""), status: 400, codes: "BadArgumentError > SemanticError > Unsupported",
			inner: map[string]any{"line": json.Number("1"), "pos": json.Number("4"), "token": "reduce"},
		},
		"limit":                 {body: queryBody(`range x from 1 to 1e12 step 1 | summarize make_list(x)`, ""), status: 400, codes: "BadArgumentError > QueryLimitError"},
		"no JSON":               {body: `{"query":`, status: 400, codes: "BadArgumentError > MalformedRequest"},
		"no query":              {body: `{}`, status: 400, codes: "BadArgumentError > MalformedRequest"},
		"empty":                 {body: ``, status: 400, codes: "BadArgumentError > MalformedRequest"},
		"query of another type": {body: `{"query":5}`, status: 400, codes: "BadArgumentError > MalformedRequest"},
		"bad timespan":          {body: queryBody("T", "yesterday"), status: 400, codes: "BadArgumentError > InvalidTimespan"},
		"reversed timespan":     {body: queryBody("T", "2026-03-17T10:00:00Z/2026-03-17T09:00:00Z"), status: 400, codes: "BadArgumentError > InvalidTimespan"},
		"more workspaces":       {body: `{"query":"T","workspaces":["other"]}`, status: 400, codes: "BadArgumentError > WorkspaceNotFoundError"},
		"too large":             {body: queryBody(strings.Repeat(" ", maxRequestBytes), ""), status: 413, codes: "RequestEntityTooLargeError"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := testService()
			s.Limits.Rows = 100_000
			status, answer := post(t, s, test.body)
			if status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			at, _ := answer["error"].(map[string]any)
			var codes []string
			for {
				codes = append(codes, at["code"].(string))
				if at["message"] == "" {
					t.Errorf("%s has no message", at["code"])
				}
				inner, ok := at["innererror"].(map[string]any)
				if !ok {
					break
				}
				at = inner
			}
			if got := strings.Join(codes, " > "); got != test.codes {
				t.Errorf("codes %s, want %s", got, test.codes)
			}
			for key, want := range test.inner {
				if diff := cmp.Diff(want, at[key]); diff != "" {
					t.Errorf("%s: -want +got:\n%s", key, diff)
				}
			}
		})
	}
}

func TestServiceRequests(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, url, token string
		want               int
	}{
		"ok":              {http.MethodPost, queryURL, "Bearer x", 200},
		"another path":    {http.MethodPost, "https://api.loganalytics.io/v1/workspaces/x/metadata", "Bearer x", 404},
		"no workspace":    {http.MethodPost, "https://api.loganalytics.io/v1/workspaces//query", "Bearer x", 404},
		"not a POST":      {http.MethodGet, queryURL, "Bearer x", 405},
		"unauthenticated": {http.MethodPost, queryURL, "", 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			req := httptest.NewRequest(test.method, test.url, strings.NewReader(queryBody("T", "")))
			if test.token != "" {
				req.Header.Set("Authorization", test.token)
			}
			resp, err := testService().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.want {
				t.Errorf("status %d, want %d", resp.StatusCode, test.want)
			}
			decodeAnswer(t, resp)
		})
	}
}

func TestServiceTimespan(t *testing.T) {
	t.Parallel()
	// Events has rows at 8:00, 8:10, 9:00 and 9:59; the clock says 10:00.
	tests := map[string]string{
		"":       "4",
		"PT1H":   "2",
		"P1D":    "4",
		"PT30M":  "1",
		"P0DT2H": "4",
		"P1W":    "4",
		"PT0.5H": "error",
		"P":      "error",
		"PT":     "error",
		"2026-03-17T08:00:00Z/2026-03-17T09:00:00Z":                 "2", // the end is not included
		"2026-03-17T08:00:00.0000001Z/2026-03-17T09:00:00.0000001Z": "2",
		"2026-03-17T08:00:00Z/PT1H":                                 "2",
		"PT1H/2026-03-17T09:00:00Z":                                 "2",
		"2026-03-17T10:00:00+02:00/2026-03-17T09:00:00Z":            "2",
		"2026-03-17/2026-03-18":                                     "4",
	}
	for timespan, want := range tests {
		t.Run(timespan, func(t *testing.T) {
			t.Parallel()
			status, answer := post(t, testService(), queryBody("Events | count", timespan))
			got := "error"
			if status == http.StatusOK {
				got = answer["tables"].([]any)[0].(map[string]any)["rows"].([]any)[0].([]any)[0].(json.Number).String()
			}
			if got != want {
				t.Errorf("got %s rows, want %s", got, want)
			}
		})
	}
}

// The timespan bounds every table that the query names, wherever it does, and
// no other source.
func TestTimespanBoundsEveryTable(t *testing.T) {
	t.Parallel()
	query := `let Old = Events | where TimeGenerated < datetime(2026-03-17T08:30:00Z);
		union (Old | count), (Events | join kind=inner (Events) on User | count), (print Count = toscalar(Events | count)),
			(datatable(TimeGenerated:datetime)[datetime(2020-01-01)] | count), (U | count)`
	_, answer := post(t, testService(), queryBody(query, "PT1H"))
	var got []string
	for _, row := range answer["tables"].([]any)[0].(map[string]any)["rows"].([]any) {
		got = append(got, row.([]any)[0].(json.Number).String())
	}
	if diff := cmp.Diff([]string{"0", "2", "2", "1", "3"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What the workspace had not received yet when the query ran it can not see.
func TestServiceSeesWhatWasReceived(t *testing.T) {
	t.Parallel()
	late := table("Late", kql.Schema{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "_TimeReceived", Type: kql.DateTime}, {Name: "Name", Type: kql.String}},
		[]string{"2026-03-17T09:00:00Z", "2026-03-17T09:05:00Z", "on time"},
		[]string{"2026-03-17T09:00:00Z", "2026-03-17T12:00:00Z", "late"},
		[]string{"2026-03-17T09:30:00Z", "", "unknown arrival"},
		[]string{"2026-03-17T11:00:00Z", "", "in the future"},
	)
	now := testNow
	s := &Service{DB: kql.NewDatabase(late), Now: func() time.Time { return now }}
	names := func() (names []string) {
		_, answer := post(t, s, queryBody("Late | project Name", ""))
		for _, row := range answer["tables"].([]any)[0].(map[string]any)["rows"].([]any) {
			names = append(names, row.([]any)[0].(string))
		}
		return names
	}
	if diff := cmp.Diff([]string{"on time", "unknown arrival"}, names()); diff != "" {
		t.Errorf("at 10:00: -want +got:\n%s", diff)
	}
	now = testNow.Add(2 * time.Hour)
	if diff := cmp.Diff([]string{"on time", "late", "unknown arrival", "in the future"}, names()); diff != "" {
		t.Errorf("at 12:00: -want +got:\n%s", diff)
	}
}

func TestServiceCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, queryURL, strings.NewReader(queryBody("Events", "")))
	req.Header.Set("Authorization", "Bearer x")
	if _, err := testService().Do(req); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that the request was cancelled", err)
	}
}

func TestServiceReadError(t *testing.T) {
	t.Parallel()
	req := httptest.NewRequest(http.MethodPost, queryURL, io.MultiReader(strings.NewReader("{"), failingReader{}))
	req.Header.Set("Authorization", "Bearer x")
	if _, err := testService().Do(req); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v, want the reader's error", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// encodeAnswer gives all of an answer.
func encodeAnswer(t *kql.Table, maxRows int) []byte {
	var w answerWriter
	if err := w.answer(t, maxRows); err != nil {
		panic(err) // nothing is written anywhere
	}
	return w.out
}

// A long answer is written while it is read, and no longer than somebody reads.
func TestServiceWritesWhileRead(t *testing.T) {
	t.Parallel()
	const query = `range x from 1 to 20000 step 1 | extend s = strcat("row ", x, "\n"), d = pack("x", x)`
	out, err := kql.Run(t.Context(), query, kql.NewDatabase(), kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := string(encodeAnswer(out, maxAnswerRows))
	synctest.Test(t, func(t *testing.T) { // which fails if a goroutine is left
		for _, read := range []int64{0, 1, 100_000, math.MaxInt64} {
			response, err := respondTable(httptest.NewRequest(http.MethodPost, queryURL, nil), out, maxAnswerRows)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(io.LimitReader(response.Body, read))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want[:min(read, int64(len(want)))] {
				t.Errorf("of %d bytes %d are read, and are not those of the answer", read, len(got))
			}
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		for _, c := range []struct {
			end  func(io.Closer) error
			want error
		}{
			{io.Closer.Close, http.ErrBodyReadAfterClose},
			{func(io.Closer) error { cancel(); synctest.Wait(); return nil }, context.Canceled},
		} {
			response, err := respondTable(httptest.NewRequestWithContext(ctx, http.MethodPost, queryURL, nil), out, maxAnswerRows)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.CopyN(io.Discard, response.Body, 1000); err != nil {
				t.Fatal(err)
			}
			if err := c.end(response.Body); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(response.Body); !errors.Is(err, c.want) {
				t.Errorf("reading on: %v, want %v", err, c.want)
			}
		}
	})
	response, err := respondTable(httptest.NewRequest(http.MethodPost, queryURL, nil), out, 3)
	if err != nil {
		t.Fatal(err)
	}
	cut, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(encodeAnswer(out, 3)), string(cut)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A query that gives several tables is answered with all of them.
func TestServiceAnswersSeveralTables(t *testing.T) {
	t.Parallel()
	out, err := kql.Run(t.Context(), "range x from 1 to 3 step 1 | fork (count) Even=(where x % 2 == 0)", kql.NewDatabase(), kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"tables":[{"name":"PrimaryResult","columns":[{"name":"Count","type":"long"}],"rows":[[3]]},` +
		`{"name":"Even","columns":[{"name":"x","type":"long"}],"rows":[[2]]}]}`
	if diff := cmp.Diff(want, string(encodeAnswer(out, 5))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestServiceCutsLongAnswers(t *testing.T) {
	t.Parallel()
	out, err := kql.Run(t.Context(), "range x from 1 to 3 step 1", kql.NewDatabase(), kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"tables":[{"name":"PrimaryResult","columns":[{"name":"x","type":"long"}],"rows":[[1],[2]]}],` +
		`"error":{"code":"PartialError","message":"There were some errors when processing your query.",` +
		`"details":[{"code":"EngineError","message":"The results of this query exceed the set limit of 2 records."}]}}`
	if diff := cmp.Diff(want, string(encodeAnswer(out, 2))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := string(encodeAnswer(out, 3)); strings.Contains(got, "error") {
		t.Errorf("three rows of three are cut: %s", got)
	}
}

// FuzzAnswer encodes what queries give: an answer is always JSON.
func FuzzAnswer(f *testing.F) {
	for _, query := range []string{
		"Events", "T | union U", "print real(nan), real(-inf), 1.0, -5, true, 25h, now(), guid(74be27de-1e4e-49d9-b579-fe0b331d3642), decimal(1.5)",
		`print s = "\x00\xff\"\\", d = dynamic({"k\u0000":[1,"x",null]})`, "print ['odd \"name\"'] = 1", "range x from 1 to 200 step 1",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		out, err := kql.Run(t.Context(), query, testService().DB, kql.Options{Now: testNow, Limits: kql.Limits{Rows: 2000}})
		if err != nil {
			return
		}
		if data := encodeAnswer(out, 100); !json.Valid(data) {
			t.Errorf("%q: the answer is not JSON: %s", query, data)
		}
	})
}

// The time that a query sets is its time, and all else stays in its place.
func TestSetNow(t *testing.T) {
	t.Parallel()
	s := testService()
	at := "2020-01-02T03:04:05.0000000Z"
	for query, want := range map[string]string{
		"// x\nset query_now = datetime(" + at + ");\nprint Now = now()":                                 at,
		"set query_now = datetime(" + at + ");\nprint Now = now()":                                       at,
		"set query_now = datetime(" + at + "); set query_now = datetime(2021-01-01);\nprint Now = now()": "2021-01-01T00:00:00Z",
		"print Now = now()": "2026-03-17T10:00:00Z",
	} {
		text, now := withoutNow(query, testNow)
		if len(text) != len(query) || strings.Count(text, "\n") != strings.Count(query, "\n") {
			t.Errorf("%q became %q", query, text)
		}
		table, err := kql.Run(t.Context(), text, s.DB, kql.Options{Now: now})
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		expected, _ := kql.ParseTime(want)
		got, _ := kql.ParseTime(table.Value(0, 0).String())
		if !got.Equal(expected) {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	status, answer := post(t, s, queryBody("// x\nset query_now = datetime("+at+");\nNowhere | count", ""))
	if text, _ := json.Marshal(answer); status != http.StatusBadRequest || !strings.Contains(string(text), `"line":3`) {
		t.Errorf("%d %s", status, text)
	}
}

// A string is written as the JSON module writes it, whatever is in it.
func TestAppendString(t *testing.T) {
	t.Parallel()
	texts := []string{"", "plain", "日本", "\xff", "a\u2028b", "<>&", "\x7f"}
	for c := range 128 {
		texts = append(texts, "a"+string(rune(c)), string(rune(c))+"b")
	}
	for _, text := range texts {
		want, _ := jsontext.AppendQuote([]byte("x"), text)
		if got := appendString([]byte("x"), text); string(got) != string(want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
