package kql

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Service is the Log Analytics query API in front of the engine: an HTTP
// transport that answers POST /v1/workspaces/{id}/query in process, with the
// columns, the encodings and the errors of the real one. Whatever id is asked
// for, the tables are those of the database.
type Service struct {
	DB *Database
	// Now is the service's clock: what now() gives, and how late a record may
	// have been received to be seen. It must be set.
	Now    func() time.Time
	Limits Limits

	mu sync.Mutex // tables are for one query at a time
}

// maxAnswerRows is how many rows the service returns before it cuts an answer
// and says so in an error beside the tables.
const maxAnswerRows = 500_000

// maxRequestBytes bounds a request's body.
const maxRequestBytes = 4 << 20

var queryPath = regexp.MustCompile(`^/v1/workspaces/[^/]+/query$`)

// Do answers a request. Its error is only ever that of a request that could
// not be read or was cancelled, as a real transport's would be.
func (s *Service) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	}
	switch {
	case !queryPath.MatchString(req.URL.Path):
		return answer(req, http.StatusNotFound, failure{Code: "PathNotFoundError", Message: "The requested path does not exist"})
	case req.Method != http.MethodPost:
		return answer(req, http.StatusMethodNotAllowed, failure{Code: "MethodNotAllowedError", Message: "The method is not allowed for this path: use POST"})
	case req.Header.Get("Authorization") == "":
		return answer(req, http.StatusUnauthorized, failure{Code: "AuthenticationFailed", Message: "Authentication failed. The 'Authorization' header is missing."})
	}
	var body struct {
		Query      *string  `json:"query"`
		Timespan   string   `json:"timespan"`
		Workspaces []string `json:"workspaces"`
	}
	data := []byte{}
	if req.Body != nil {
		var err error
		if data, err = io.ReadAll(io.LimitReader(req.Body, maxRequestBytes+1)); err != nil {
			return nil, fmt.Errorf("kql: read the request: %w", err)
		}
	}
	if len(data) > maxRequestBytes {
		return answer(req, http.StatusRequestEntityTooLarge, failure{Code: "RequestEntityTooLargeError", Message: fmt.Sprintf("The request is larger than %d bytes", maxRequestBytes)})
	}
	if err := json.Unmarshal(data, &body); err != nil || body.Query == nil {
		return badArgument(req, failure{Code: "MalformedRequest", Message: "The body must be a JSON object with a query"})
	}
	if len(body.Workspaces) > 0 {
		return badArgument(req, failure{Code: "WorkspaceNotFoundError", Message: "There is one workspace here, and no additional ones"})
	}
	now := s.Now().UTC()
	scope, err := parseTimespan(body.Timespan, now)
	if err != nil {
		return badArgument(req, failure{Code: "InvalidTimespan", Message: err.Error()})
	}
	scope.ReceivedBy = now

	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := Run(req.Context(), *body.Query, s.DB, Options{Now: now, Scope: scope, Limits: s.Limits})
	var queryError *Error
	var limit *LimitError
	switch {
	case err == nil:
		return respond(req, http.StatusOK, encodeAnswer(table, maxAnswerRows))
	case errors.As(err, &queryError):
		return badArgument(req, queryError.failure())
	case errors.As(err, &limit):
		return badArgument(req, failure{Code: "QueryLimitError", Message: limit.Message})
	}
	return nil, err
}

// failure is an error as the service writes it: from the outermost, which says
// little, to the innermost, which says what is wrong.
type failure struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Line    int      `json:"line,omitempty"` // from 1
	Pos     *int     `json:"pos,omitempty"`  // in the line, from 0
	Token   *string  `json:"token,omitempty"`
	Inner   *failure `json:"innererror,omitempty"`
}

// failure gives the service's shape to a query's error.
func (e *Error) failure() failure {
	pos := e.Column - 1
	inner := failure{Code: e.Code, Message: e.Message, Line: e.Line, Pos: &pos, Token: &e.Token}
	switch e.Kind {
	case SyntaxError:
		inner.Message = fmt.Sprintf("Query could not be parsed at '%s' on line [%d,%d]: %s", e.Token, e.Line, pos, e.Message)
		return failure{Code: "SyntaxError", Message: "A recognition error occurred in the query.", Inner: &inner}
	case UnsupportedError:
		inner.Code = "Unsupported"
	}
	return failure{Code: "SemanticError", Message: "A semantic error occurred.", Inner: &inner}
}

func badArgument(req *http.Request, inner failure) (*http.Response, error) {
	return answer(req, http.StatusBadRequest, failure{Code: "BadArgumentError", Message: "The request had some invalid properties", Inner: &inner})
}

func answer(req *http.Request, status int, f failure) (*http.Response, error) {
	data, err := json.Marshal(map[string]failure{"error": f})
	if err != nil {
		return nil, fmt.Errorf("kql: encode the error: %w", err)
	}
	return respond(req, status, data)
}

func respond(req *http.Request, status int, body []byte) (*http.Response, error) {
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}, nil
}

// parseTimespan reads an ISO 8601 interval: start/end, start/duration,
// duration/end, or a duration up to now. Empty is no bound.
func parseTimespan(text string, now time.Time) (Scope, error) {
	if text == "" {
		return Scope{}, nil
	}
	bad := fmt.Errorf("the timespan %q is not an ISO 8601 interval, such as 2026-03-17T09:00:00Z/2026-03-17T10:00:00Z or PT1H", text)
	first, second, interval := strings.Cut(text, "/")
	if !interval {
		d, ok := parseISODuration(first)
		if !ok {
			return Scope{}, bad
		}
		return Scope{From: now.Add(-d)}, nil
	}
	from, fromIsTime := ParseTime(first)
	to, toIsTime := ParseTime(second)
	fromDuration, fromIsDuration := parseISODuration(first)
	toDuration, toIsDuration := parseISODuration(second)
	switch {
	case fromIsTime && toIsTime:
	case fromIsTime && toIsDuration:
		to = from.Add(toDuration)
	case fromIsDuration && toIsTime:
		from = to.Add(-fromDuration)
	default:
		return Scope{}, bad
	}
	if to.Before(from) {
		return Scope{}, fmt.Errorf("the timespan %q ends before it starts", text)
	}
	return Scope{From: from, To: to}, nil
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?)?$`)

// parseISODuration reads weeks, days, hours, minutes and seconds.
func parseISODuration(text string) (time.Duration, bool) {
	m := isoDuration.FindStringSubmatch(text)
	if m == nil || strings.HasSuffix(text, "P") || strings.HasSuffix(text, "T") {
		return 0, false
	}
	total := 0.0
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] != "" {
			n, err := strconv.ParseInt(m[i+1], 10, 32)
			if err != nil {
				return 0, false
			}
			total += float64(n) * float64(unit)
		}
	}
	return time.Duration(total), total < math.MaxInt64
}

// encodeAnswer writes a result as the service does, up to a number of rows: a
// dynamic as a string of JSON, a datetime in ISO 8601, a real that is no number as its name.
func encodeAnswer(t *Table, maxRows int) []byte {
	var sb strings.Builder
	sb.WriteString(`{"tables":[{"name":"PrimaryResult","columns":[`)
	for i, c := range t.schema {
		if i > 0 {
			sb.WriteByte(',')
		}
		sb.WriteString(`{"name":`)
		appendJSONString(&sb, c.Name)
		sb.WriteString(`,"type":"` + c.Type.String() + `"}`)
	}
	sb.WriteString(`],"rows":[`)
	for row := range min(t.rows, maxRows) {
		if row > 0 {
			sb.WriteByte(',')
		}
		sb.WriteByte('[')
		for col, c := range t.schema {
			if col > 0 {
				sb.WriteByte(',')
			}
			encodeCell(&sb, c.Type, t.Value(row, col))
		}
		sb.WriteByte(']')
	}
	sb.WriteString(`]}]`)
	if t.rows > maxRows {
		fmt.Fprintf(&sb, `,"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"The results of this query exceed the set limit of %d records."}]}`, maxRows)
	}
	sb.WriteByte('}')
	return []byte(sb.String())
}

func encodeCell(sb *strings.Builder, t Type, v Value) {
	switch {
	case v.IsNull():
		sb.WriteString("null")
	case t == Dynamic:
		var inner strings.Builder
		v.appendJSON(&inner)
		appendJSONString(sb, inner.String())
	case v.kind == Real && (math.IsNaN(v.real()) || math.IsInf(v.real(), 0)):
		appendJSONString(sb, v.String())
	case v.kind == Real, v.kind == Bool, v.kind == Int, v.kind == Long:
		sb.WriteString(v.String())
	default:
		appendJSONString(sb, v.String())
	}
}
