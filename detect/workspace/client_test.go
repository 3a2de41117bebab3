package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const workspaceID = "11111111-2222-3333-4444-555555555555"

// prefix begins every error of a query.
const prefix = "querying workspace " + workspaceID + ": "

// tokenText is the access token: no error may hold it.
const tokenText = "ey-secret-token"

type fakeCredential struct{ err error }

func (c fakeCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: tokenText, ExpiresOn: time.Now().Add(24 * time.Hour)}, c.err
}

// carrier answers requests in process.
type carrier func(*http.Request) (*http.Response, error)

func (t carrier) Do(r *http.Request) (*http.Response, error) { return t(r) }

// answering returns a carrier that always gives the same answer.
func answering(status int, body string) carrier {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			Request:    r,
			StatusCode: status,
			Status:     http.StatusText(status),
			Header:     http.Header{"Content-Type": {"application/json; charset=utf-8"}},
			Body:       io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

func newClient(t *testing.T, do carrier, credential azcore.TokenCredential) *Client {
	t.Helper()
	c, err := New(workspaceID, credential, Options{ClientOptions: azcore.ClientOptions{
		Transport: do,
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var query = Query{
	Text:        "SigninLogs\n| where ResultType == 500121\n",
	Start:       time.Date(2026, 3, 14, 11, 0, 0, 0, time.UTC),
	End:         time.Date(2026, 3, 14, 12, 0, 0, 100, time.UTC),
	Now:         time.Date(2026, 3, 14, 13, 0, 0, 0, time.FixedZone("east", 3600)),
	RuleID:      "d99cf5c3-d660-436c-895b-8a8f8448da23",
	RuleVersion: "1.0.0",
}

func TestRequest(t *testing.T) {
	t.Parallel()
	type body struct{ Query, Timespan string }
	tests := []struct {
		name  string
		query Query
		want  body
	}{
		{"a rule", query, body{
			Query: "// Pushback d99cf5c3-d660-436c-895b-8a8f8448da23 1.0.0\n" +
				"set query_now = datetime(2026-03-14T12:00:00.0000000Z);\n" +
				"SigninLogs\n| where ResultType == 500121\n",
			Timespan: "2026-03-14T11:00:00.0000000Z/2026-03-14T12:00:00.0000001Z",
		}},
		{"a hostile name", Query{
			Text: "T", Start: query.Start, End: query.End, Now: query.Now,
			RuleID: "x\nDeleteEverything", RuleVersion: "1\r2\u2028" + strings.Repeat("é", 100),
		}, body{
			Query: "// Pushback x_DeleteEverything 1_2" + strings.Repeat("_", 61) + "\n" +
				"set query_now = datetime(2026-03-14T12:00:00.0000000Z);\nT",
			Timespan: "2026-03-14T11:00:00.0000000Z/2026-03-14T12:00:00.0000001Z",
		}},
		{"nothing known", Query{Text: "T", Start: query.Start, End: query.End}, body{
			Query:    "// Pushback - -\nT",
			Timespan: "2026-03-14T11:00:00.0000000Z/2026-03-14T12:00:00.0000001Z",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got body
			c := newClient(t, func(r *http.Request) (*http.Response, error) {
				if want := "https://api.loganalytics.io/v1/workspaces/" + workspaceID + "/query"; r.URL.String() != want || r.Method != http.MethodPost {
					t.Errorf("request = %s %s, want POST %s", r.Method, r.URL, want)
				}
				if got := r.Header.Get("Authorization"); got != "Bearer "+tokenText {
					t.Errorf("Authorization = %q", got)
				}
				if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
					t.Error(err)
				}
				return answering(200, `{"tables":[{"name":"PrimaryResult","columns":[],"rows":[]}]}`)(r)
			}, fakeCredential{})
			if _, err := c.Query(t.Context(), tt.query); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOtherCloud(t *testing.T) {
	t.Parallel()
	c, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{
		Cloud: cloud.AzureGovernment,
		Transport: carrier(func(r *http.Request) (*http.Response, error) {
			if r.URL.Host != "api.loganalytics.us" {
				t.Errorf("host = %s", r.URL.Host)
			}
			return answering(200, `{"tables":[{"name":"PrimaryResult","columns":[],"rows":[]}]}`)(r)
		}),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Query(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New("", fakeCredential{}, Options{}); err == nil {
		t.Error("New took an empty workspace id")
	}
	if _, err := New(workspaceID, nil, Options{}); err == nil {
		t.Error("New took no credential")
	}
	if _, err := New(workspaceID, fakeCredential{}, Options{ClientOptions: azcore.ClientOptions{
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: "https://login.example"},
	}}); err == nil {
		t.Error("New took a cloud without a query service")
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 14, 12, 0, 0, 123456700, time.UTC)
	tests := []struct {
		kind, cell string
		want       any
		text, json string // of the value
	}{
		{"bool", `true`, true, "true", `true`},
		{"bool", `0`, false, "false", `false`},
		{"bool", `null`, nil, "", `null`},
		{"int", `-7`, int64(-7), "-7", `-7`},
		{"long", `9007199254740993`, int64(1<<53 + 1), "9007199254740993", `9007199254740993`},
		{"long", `-9223372036854775808`, int64(math.MinInt64), "-9223372036854775808", `-9223372036854775808`},
		{"long", `"9223372036854775807"`, int64(math.MaxInt64), "9223372036854775807", `9223372036854775807`},
		{"long", `null`, nil, "", `null`},
		{"real", `0.1`, 0.1, "0.1", `0.1`},
		{"real", `3`, 3.0, "3", `3`},
		{"real", `"NaN"`, math.NaN(), "NaN", `"NaN"`},
		{"real", `"Infinity"`, math.Inf(1), "Infinity", `"Infinity"`},
		{"real", `"-Infinity"`, math.Inf(-1), "-Infinity", `"-Infinity"`},
		{"decimal", `"0.10000000000000000000000000001"`, "0.10000000000000000000000000001", "0.10000000000000000000000000001", `"0.10000000000000000000000000001"`},
		{"decimal", `1.50`, "1.50", "1.50", `"1.50"`},
		{"decimal", `null`, nil, "", `null`},
		{"string", `"Zoë <b>\n\ud83d\ude00"`, "Zoë <b>\n😀", "Zoë <b>\n😀", `"Zoë \u003cb\u003e\n😀"`},
		{"string", `""`, "", "", `""`},
		{"string", `null`, "", "", `""`},
		{"guid", `"d99cf5c3-d660-436c-895b-8a8f8448da23"`, "d99cf5c3-d660-436c-895b-8a8f8448da23", "d99cf5c3-d660-436c-895b-8a8f8448da23", `"d99cf5c3-d660-436c-895b-8a8f8448da23"`},
		{"guid", `null`, nil, "", `null`},
		{"datetime", `"2026-03-14T12:00:00.1234567Z"`, at, "2026-03-14T12:00:00.1234567Z", `"2026-03-14T12:00:00.1234567Z"`},
		{"datetime", `"2026-03-14T13:00:00.1234567+01:00"`, at, "2026-03-14T12:00:00.1234567Z", `"2026-03-14T12:00:00.1234567Z"`},
		{"datetime", `"9999-12-31T23:59:59.9999999Z"`, time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC), "9999-12-31T23:59:59.9999999Z", `"9999-12-31T23:59:59.9999999Z"`},
		{"datetime", `null`, nil, "", `null`},
		{"timespan", `"01:02:03"`, time.Hour + 2*time.Minute + 3*time.Second, "01:02:03", `"01:02:03"`},
		{"timespan", `"-14.00:00:00.0000001"`, -14*24*time.Hour - 100, "-14.00:00:00.0000001", `"-14.00:00:00.0000001"`},
		{"timespan", `"00:00:00.5"`, 500 * time.Millisecond, "00:00:00.5000000", `"00:00:00.5000000"`},
		{"timespan", `"10675199.02:48:05.4775807"`, "10675199.02:48:05.4775807", "10675199.02:48:05.4775807", `"10675199.02:48:05.4775807"`},
		{"timespan", `null`, nil, "", `null`},
		{"dynamic", `"[\"a\", 1, null, true]"`, NewDynamic(`["a",1,null,true]`), "a, 1, true", `["a",1,null,true]`},
		{"dynamic", `{"b": 9007199254740993, "a": [1]}`, NewDynamic(`{"b":9007199254740993,"a":[1]}`), `{"a":[1],"b":9007199254740993}`, `{"b":9007199254740993,"a":[1]}`},
		{"dynamic", `"\"quoted\""`, NewDynamic(`"quoted"`), "quoted", `"quoted"`},
		{"dynamic", `"bare text"`, NewDynamic(`"bare text"`), "bare text", `"bare text"`},
		{"dynamic", `"{} trailing"`, NewDynamic(`"{} trailing"`), "{} trailing", `"{} trailing"`},
		{"dynamic", `"{\"a\":\"<b>\"}"`, NewDynamic(`{"a":"<b>"}`), `{"a":"<b>"}`, `{"a":"\u003cb\u003e"}`},
		{"dynamic", `""`, nil, "", `null`},
		{"dynamic", `null`, nil, "", `null`},
		{"dynamic", `"null"`, nil, "", `null`},
	}
	for _, tt := range tests {
		t.Run(tt.kind+" "+tt.cell, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, answering(200, `{"tables":[{"name":"PrimaryResult","columns":[{"name":"C","type":"`+tt.kind+`"}],"rows":[[`+tt.cell+`]]}]}`), fakeCredential{})
			got, err := c.Query(t.Context(), query)
			if err != nil {
				t.Fatal(err)
			}
			want := &Table{Columns: []Column{{"C", tt.kind}}, Rows: [][]any{{tt.want}}}
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
				t.Fatalf("table (-want +got):\n%s", diff)
			}
			if text := Text(got.Rows[0][0]); text != tt.text {
				t.Errorf("Text = %q, want %q", text, tt.text)
			}
			if raw := string(JSON(got.Rows[0][0])); raw != tt.json {
				t.Errorf("JSON = %s, want %s", raw, tt.json)
			}
		})
	}
}

func TestTimespanText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		math.MinInt64: "-106751.23:47:16.8547758",
		math.MaxInt64: "106751.23:47:16.8547758",
		0:             "00:00:00",
	} {
		if got := Text(d); got != want {
			t.Errorf("Text(%d) = %s, want %s", d, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	c := newClient(t, answering(200, `{"tables":[
		{"name":"QueryStatistics","columns":[{"name":"S","type":"string"}],"rows":[["x"]]},
		{"name":"PrimaryResult","columns":[{"name":"starttime","type":"datetime"},{"name":"StartTime","type":"datetime"},{"name":"n","type":"LONG"}],
		 "rows":[[null,null,1],[null,null,2]]}]}`), fakeCredential{})
	got, err := c.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	want := &Table{
		Columns: []Column{{"starttime", "datetime"}, {"StartTime", "datetime"}, {"n", "long"}},
		Rows:    [][]any{{nil, nil, int64(1)}, {nil, nil, int64(2)}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	for name, want := range map[string]int{"StartTime": 1, "starttime": 0, "STARTTIME": 0, "N": 2, "none": -1} {
		if i := got.Column(name); i != want {
			t.Errorf("Column(%s) = %d, want %d", name, i, want)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	table := func(kind, row string) string {
		return `{"tables":[{"name":"PrimaryResult","columns":[{"name":"C","type":"` + kind + `"}],"rows":[` + row + `]}]}`
	}
	tests := []struct{ name, body, want string }{
		{"cut", `{"tables":[{"name":"PrimaryResult","columns":[{"name":"C","type":"long"}],"rows":[[1],[2`, "reading the answer: jsontext: unexpected EOF"},
		{"empty", ``, "reading the answer: unexpected EOF"},
		{"no table", `{"tables":[]}`, "the answer holds no table"},
		{"a short row", table("long", `[1],[]`), "row 2 has 0 values for 1 columns"},
		{"an unknown type", table("ipv4", `[1]`), `column "C" has the unknown type "ipv4"`},
		{"a fraction as long", table("long", `[1],[1.5]`), `row 2, column "C": "1.5" is not a whole number`},
		{"too long a long", table("long", `[9223372036854775808]`), `"9223372036854775808" is not a whole number`},
		{"a bad datetime", table("datetime", `["yesterday"]`), `row 1, column "C": "yesterday" is not a datetime`},
		{"a bad timespan", table("timespan", `["1h"]`), `"1h" is not a timespan`},
		{"a bad bool", table("bool", `["maybe"]`), `"maybe" is not a bool`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newClient(t, answering(200, tt.body), fakeCredential{}).Query(t.Context(), query)
			if err == nil {
				t.Fatalf("no error but %v", got)
			}
			checkLine(t, err)
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q does not say %q", err, tt.want)
			}
		})
	}
}

// checkLine checks what is promised of every error.
func checkLine(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if strings.ContainsAny(text, "\r\n\t\x1b") || len(text) > 700 {
		t.Errorf("not a short single line: %q", text)
	}
	if strings.Contains(text, tokenText) {
		t.Errorf("the token is in the error: %q", text)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	wrapped := func(inner string) string {
		return `{"error":{"message":"The request had some invalid properties","code":"BadArgumentError","correlationId":"c","innererror":` + inner + `}}`
	}
	tests := []struct {
		name   string
		status int
		body   string
		want   error
		text   string
	}{
		{
			"syntax with a position", 400,
			wrapped(`{"code":"SyntaxError","message":"A recognition error occurred in the query.","innererror":{"code":"SYN0002","message":"Query could not be parsed at '|' on line [4,5]","line":4,"pos":5,"token":"|"}}`),
			&QueryError{Code: "SYN0002", Kind: "SyntaxError", Message: "Query could not be parsed at '|'", Line: 2, Column: 6},
			prefix + "line 2, column 6: Query could not be parsed at '|' (SYN0002)",
		},
		{
			"syntax with a position in the text only", 400,
			wrapped(`{"code":"SyntaxError","message":"A recognition error occurred in the query.","innererror":{"code":"SYN0002","message":"Query could not be parsed at '|' on line [3,0]"}}`),
			&QueryError{Code: "SYN0002", Kind: "SyntaxError", Message: "Query could not be parsed at '|'", Line: 1, Column: 1},
			prefix + "line 1, column 1: Query could not be parsed at '|' (SYN0002)",
		},
		{
			"syntax in our own lines", 400,
			wrapped(`{"code":"SyntaxError","message":"A recognition error occurred in the query.","innererror":{"code":"SYN0001","message":"I could not parse that, sorry.","line":2,"pos":0}}`),
			&QueryError{Code: "SYN0001", Kind: "SyntaxError", Message: "I could not parse that, sorry."},
			prefix + "I could not parse that, sorry. (SYN0001)",
		},
		{
			"syntax, plain", 400,
			wrapped(`{"code":"SyntaxError","message":"Syntax Error"}`),
			&QueryError{Code: "SyntaxError", Kind: "SyntaxError", Message: "Syntax Error"},
			prefix + "Syntax Error (SyntaxError)",
		},
		{
			"semantic without a position", 400,
			wrapped(`{"code":"SemanticError","message":"A semantic error occurred.","innererror":{"code":"SEM0100","message":"'where' operator: Failed to resolve column or scalar expression named 'Foo'"}}`),
			&QueryError{Code: "SEM0100", Kind: "SemanticError", Message: "'where' operator: Failed to resolve column or scalar expression named 'Foo'"},
			prefix + "'where' operator: Failed to resolve column or scalar expression named 'Foo' (SEM0100)",
		},
		{
			"semantic with a position", 400,
			wrapped(`{"code":"SemanticError","message":"A semantic error occurred.","innererror":{"code":"SEM0100","message":"Failed to resolve\ntable 'Foo'","line":3,"pos":0}}`),
			&QueryError{Code: "SEM0100", Kind: "SemanticError", Message: "Failed to resolve table 'Foo'", Table: "Foo", Line: 1, Column: 1},
			prefix + "line 1, column 1: Failed to resolve table 'Foo' (SEM0100)",
		},
		{
			"no access", 403,
			`{"error":{"message":"The provided credentials have insufficient access to perform the requested operation","code":"InsufficientAccessError"}}`,
			&ServiceError{Status: 403, Code: "InsufficientAccessError", Message: "The provided credentials have insufficient access to perform the requested operation"},
			prefix + "the service answered 403 Forbidden: The provided credentials have insufficient access to perform the requested operation (InsufficientAccessError): give the app's identity the role Log Analytics Reader on every workspace that is queried",
		},
		{
			"another 400", 400, wrapped(`{"code":"-2146233088","message":"The timespan is\r\nnot\u2028\u202e \u001b[31mvalid"}`),
			&ServiceError{Status: 400, Code: "-2146233088", Message: "The timespan is not [31mvalid"},
			prefix + "the service answered 400 Bad Request: The timespan is not [31mvalid (-2146233088)",
		},
		{
			"a proxy's page", 502, "<html>\n<body>Bad gateway</body></html>",
			&ServiceError{Status: 502},
			prefix + "the service answered 502 Bad Gateway",
		},
		{
			"a time-out of the service", 504, `{"error":{"message":"The query timed out.","code":"GatewayTimeout","innererror":{"code":504,"message":"Query execution exceeded 00:03:00"}}}`,
			&ServiceError{Status: 504, Code: "504", Message: "Query execution exceeded 00:03:00"},
			prefix + "the service answered 504 Gateway Timeout: Query execution exceeded 00:03:00 (504): give the query more time, 10m0s at most, or let it read less",
		},
		{
			"an empty answer", 429, "",
			&ServiceError{Status: 429},
			prefix + "the service answered 429 Too Many Requests: too many queries run at once; a later tick tries again",
		},
		{
			"too many rows", 200,
			`{"tables":[{"name":"PrimaryResult","columns":[{"name":"C","type":"long"}],"rows":[[1]]}],"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"Something went wrong processing your query on the server.","innererror":{"code":"-2133196797","message":"The results of this query exceed the set limit of 500000 records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003).","severity":2,"severityName":"Error"}}]}}`,
			&PartialError{Code: "PartialError", Message: "The results of this query exceed the set limit of 500000 records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003).", Limit: "500000 rows"},
			prefix + "the answer is incomplete: The results of this query exceed the set limit of 500000 records, so not all records were returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). (PartialError): let the query return less than 500000 rows, by summarizing, projecting fewer columns or a shorter period",
		},
		{
			"partial without details", 200,
			`{"tables":[],"error":{"code":"PartialError","message":"A shard is down.","innererror":{"code":1}}}`,
			&PartialError{Code: "PartialError", Message: "A shard is down."},
			prefix + "the answer is incomplete: A shard is down. (PartialError)",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, answering(tt.status, tt.body), fakeCredential{}).Query(t.Context(), query)
			if err == nil {
				t.Fatal("no error")
			}
			checkLine(t, err)
			if err.Error() != tt.text {
				t.Errorf("error = %s\n     want %s", err, tt.text)
			}
			got := errors.Unwrap(err)
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreUnexported(ServiceError{})); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if service, ok := got.(*ServiceError); ok {
				var response *azcore.ResponseError
				if !errors.As(service, &response) || response.StatusCode != tt.status {
					t.Errorf("the ServiceError does not wrap azcore's error: %v", response)
				}
			}
		})
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		refused := errors.New("connection\nrefused")
		_, err := newClient(t, func(*http.Request) (*http.Response, error) { return nil, refused }, fakeCredential{}).Query(t.Context(), query)
		if !errors.Is(err, refused) {
			t.Fatalf("error = %v", err)
		}
		checkLine(t, err)
	})
	t.Run("connection cut", func(t *testing.T) {
		t.Parallel()
		_, err := newClient(t, func(r *http.Request) (*http.Response, error) {
			response, _ := answering(200, "")(r)
			response.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"tables":[{"name":"Prim`), broken{}))
			return response, nil
		}, fakeCredential{}).Query(t.Context(), query)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("error = %v", err)
		}
		checkLine(t, err)
	})
	t.Run("no token", func(t *testing.T) {
		t.Parallel()
		none := errors.New("DefaultAzureCredential: failed to acquire a token.\nAttempted credentials:\n\tManagedIdentityCredential: no")
		c := newClient(t, answering(200, "{}"), fakeCredential{err: none})
		_, err := c.Query(t.Context(), query)
		if !errors.Is(err, none) || !strings.Contains(err.Error(), "Attempted credentials: ManagedIdentityCredential: no") {
			t.Fatalf("error = %v", err)
		}
		checkLine(t, err)
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := newClient(t, func(r *http.Request) (*http.Response, error) {
			cancel()
			<-r.Context().Done()
			return nil, errors.New("closed")
		}, fakeCredential{}).Query(ctx, query)
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("error = %v", err)
		}
		checkLine(t, err)
	})
	t.Run("past the deadline", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := newClient(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, fakeCredential{}).Query(ctx, query)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error = %v", err)
		}
	})
}

// broken is a body whose connection is gone.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
