// Package service is the Log Analytics query API in front of the local engine.
// It is an HTTP transport that answers in process, so the client of a workspace
// runs over it as it does over the real API.
package service

import (
	"bytes"
	"context"
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

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/semaphore"

	"pushback/detect/kql"
)

// Service answers POST /v1/workspaces/{id}/query in process, with the columns, the
// encodings and the errors of the real API. Whatever id is asked for, the tables are
// those of the database. Requests may come at once.
type Service struct {
	DB *kql.Database
	// Now is the service's clock. It is what now() gives, and how late a record
	// may have been received to be seen. It must be set.
	Now    func() time.Time
	Limits kql.Limits
	// AtOnce is how many queries run at once, each with its part of the memory. One
	// that needs more runs again, alone. Zero is one.
	AtOnce int

	init    sync.Once
	running *semaphore.Weighted
}

// run runs a query. All that run hold no more memory together than one may; the
// tables would allow more.
func (s *Service) run(ctx context.Context, query string, now time.Time, scope kql.Scope) (*kql.Table, error) {
	n := int64(max(s.AtOnce, 1))
	s.init.Do(func() { s.running = semaphore.NewWeighted(n) })
	run := func(weight int64) (*kql.Table, error) {
		if err := s.running.Acquire(ctx, weight); err != nil {
			return nil, err
		}
		defer s.running.Release(weight)
		limits := s.Limits
		if limits.Bytes <= 0 {
			limits.Bytes = kql.DefaultLimits.Bytes
		}
		limits.Bytes = limits.Bytes / n * weight
		return kql.Run(ctx, query, s.DB, kql.Options{Now: now, Scope: scope, Limits: limits})
	}
	table, err := run(1)
	if limit, ok := errors.AsType[*kql.LimitError](err); ok && limit.OfMemory && n > 1 {
		return run(n)
	}
	return table, err
}

// maxAnswerRows is how many rows the service returns at most. It cuts a longer
// answer, with an error beside the tables.
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
			return nil, fmt.Errorf("query service: read the request: %w", err)
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

	text, queryNow := withoutNow(*body.Query, now)
	table, err := s.run(req.Context(), text, queryNow, scope)
	var queryError *kql.Error
	var limit *kql.LimitError
	switch {
	case err == nil:
		return respondTable(req, table, maxAnswerRows)
	case errors.As(err, &queryError):
		return badArgument(req, failureOf(queryError))
	case errors.As(err, &limit):
		return badArgument(req, failure{Code: "QueryLimitError", Message: limit.Message})
	}
	return nil, err
}

// setNow is how a query begins for which a time is set.
var setNow = regexp.MustCompile(`^((?://[^\n]*\n)*)(set query_now = datetime\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z)\);)`)

// withoutNow returns a query without the statement that sets its time, and that
// time. The same query of another time is the same text then, which is parsed
// already; all of it stays in its place.
func withoutNow(query string, now time.Time) (string, time.Time) {
	m := setNow.FindStringSubmatchIndex(query)
	if m == nil {
		return query, now
	}
	at, ok := kql.ParseTime(query[m[6]:m[7]])
	if !ok {
		return query, now
	}
	return query[:m[4]] + strings.Repeat(" ", m[5]-m[4]) + query[m[5]:], at
}

// failure is an error as the service writes it. The outermost says little, and
// the innermost what is wrong.
type failure struct {
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Line    int      `json:"line,omitempty"` // from 1
	Pos     *int     `json:"pos,omitempty"`  // in the line, from 0
	Token   *string  `json:"token,omitempty"`
	Inner   *failure `json:"innererror,omitempty"`
}

// failureOf gives the service's shape to a query's error.
func failureOf(e *kql.Error) failure {
	pos := e.Column - 1
	inner := failure{Code: e.Code, Message: e.Message, Line: e.Line, Pos: &pos, Token: &e.Token}
	switch e.Kind {
	case kql.SyntaxError:
		inner.Message = fmt.Sprintf("Query could not be parsed at '%s' on line [%d,%d]: %s", e.Token, e.Line, pos, e.Message)
		return failure{Code: "SyntaxError", Message: "A recognition error occurred in the query.", Inner: &inner}
	case kql.UnsupportedError:
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
		return nil, fmt.Errorf("query service: encode the error: %w", err)
	}
	return respond(req, status, data)
}

func respond(req *http.Request, status int, body []byte) (*http.Response, error) {
	return response(req, status, io.NopCloser(bytes.NewReader(body)), int64(len(body))), nil
}

// manyCells is how many cells an answer has that is written while it is read. What is
// smaller is written at once.
const manyCells = 10_000

// respondTable answers with a result, of each table up to a number of rows.
func respondTable(req *http.Request, t *kql.Table, maxRows int) (*http.Response, error) {
	if t.Rows()*len(t.Schema()) < manyCells && len(t.Others()) == 0 {
		w := answerWriter{}
		if err := w.answer(t, maxRows); err != nil {
			return nil, err
		}
		return respond(req, http.StatusOK, w.out)
	}
	body := &pieces{made: make(chan []byte, 4), stopped: make(chan struct{})}
	body.unwatch = context.AfterFunc(req.Context(), func() { body.stop(req.Context().Err()) })
	go func() {
		defer close(body.made)
		defer func() {
			if failed := recover(); failed != nil {
				body.stop(fmt.Errorf("query service: write the answer: %v", failed))
			}
		}()
		w := answerWriter{to: body}
		_ = w.answer(t, maxRows) // its error is that it was stopped
	}()
	return response(req, http.StatusOK, body, -1), nil
}

// pieces are an answer that is written while it is read. Unlike a pipe they let the writer
// go ahead of the reader.
type pieces struct {
	made    chan []byte
	rest    []byte
	stopped chan struct{}
	stops   sync.Once
	why     error // it was stopped
	unwatch func() bool
}

// stop ends the writing, and has the rest of the answer be an error.
func (p *pieces) stop(why error) {
	p.stops.Do(func() {
		p.why = why
		close(p.stopped)
	})
}

// write hands over a piece. It reports false if nobody reads any more.
func (p *pieces) write(piece []byte) bool {
	select {
	case p.made <- piece:
		return true
	case <-p.stopped:
		return false
	}
}

// Read implements io.Reader.
func (p *pieces) Read(to []byte) (int, error) {
	select {
	case <-p.stopped:
		return 0, p.why
	default:
	}
	for len(p.rest) == 0 {
		piece, ok := <-p.made
		if !ok {
			select {
			case <-p.stopped: // which ended the writing
				return 0, p.why
			default:
				return 0, io.EOF
			}
		}
		p.rest = piece
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (p *pieces) Close() error {
	p.unwatch()
	p.stop(http.ErrBodyReadAfterClose)
	return nil
}

func response(req *http.Request, status int, body io.ReadCloser, length int64) *http.Response {
	return &http.Response{
		Status:     strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body:          body,
		ContentLength: length,
		Request:       req,
	}
}

// parseTimespan reads an ISO 8601 interval: start/end, start/duration,
// duration/end, or a duration up to now. Empty is no bound.
func parseTimespan(text string, now time.Time) (kql.Scope, error) {
	if text == "" {
		return kql.Scope{}, nil
	}
	bad := fmt.Errorf("the timespan %q is not an ISO 8601 interval, such as 2026-03-17T09:00:00Z/2026-03-17T10:00:00Z or PT1H", text)
	first, second, interval := strings.Cut(text, "/")
	if !interval {
		d, ok := parseISODuration(first)
		if !ok {
			return kql.Scope{}, bad
		}
		return kql.Scope{From: now.Add(-d)}, nil
	}
	from, fromIsTime := kql.ParseTime(first)
	to, toIsTime := kql.ParseTime(second)
	fromDuration, fromIsDuration := parseISODuration(first)
	toDuration, toIsDuration := parseISODuration(second)
	switch {
	case fromIsTime && toIsTime:
	case fromIsTime && toIsDuration:
		to = from.Add(toDuration)
	case fromIsDuration && toIsTime:
		from = to.Add(-fromDuration)
	default:
		return kql.Scope{}, bad
	}
	if to.Before(from) {
		return kql.Scope{}, fmt.Errorf("the timespan %q ends before it starts", text)
	}
	return kql.Scope{From: from, To: to}, nil
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

// answerWriter writes a result as the service does. A dynamic is a string of JSON, a
// datetime ISO 8601, and a real that is no number its name.
type answerWriter struct {
	out []byte  // what is not written yet
	to  *pieces // nil if all of it is to stay in out
}

// enoughBytes is how much is written at once.
const enoughBytes = 64 << 10

func (w *answerWriter) answer(t *kql.Table, maxRows int) error {
	w.out = append(w.out, `{"tables":[`...)
	for i, table := range append([]*kql.Table{t}, t.Others()...) {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		if err := w.table(table, maxRows); err != nil {
			return err
		}
	}
	w.out = append(w.out, ']')
	if t.Rows() > maxRows {
		w.out = fmt.Appendf(w.out, `,"error":{"code":"PartialError","message":"There were some errors when processing your query.","details":[{"code":"EngineError","message":"The results of this query exceed the set limit of %d records."}]}`, maxRows)
	}
	w.out = append(w.out, '}')
	return w.flush()
}

// flush writes what there is.
func (w *answerWriter) flush() error {
	if w.to == nil {
		return nil
	}
	if !w.to.write(w.out) {
		return io.ErrClosedPipe
	}
	w.out = make([]byte, 0, enoughBytes+enoughBytes/8)
	return nil
}

// table writes a table with its columns and rows.
func (w *answerWriter) table(t *kql.Table, maxRows int) error {
	out := appendString(append(w.out, `{"name":`...), t.Name())
	out = append(out, `,"columns":[`...)
	schema := t.Schema()
	for i, c := range schema {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(append(out, `{"name":`...), c.Name)
		out = appendString(append(out, `,"type":`...), c.Type.String())
		out = append(out, '}')
	}
	out = append(out, `],"rows":[`...)
	for row := range min(t.Rows(), maxRows) {
		if row > 0 {
			out = append(out, ',')
		}
		out = append(out, '[')
		for col, c := range schema {
			if col > 0 {
				out = append(out, ',')
			}
			out = appendCell(out, c.Type, t.Value(row, col))
		}
		if out = append(out, ']'); len(out) >= enoughBytes {
			w.out = out
			if err := w.flush(); err != nil {
				return err
			}
			out = w.out
		}
	}
	w.out = append(out, `]}`...)
	return nil
}

func appendCell(out []byte, t kql.Type, v kql.Value) []byte {
	if v.IsNull() {
		return append(out, "null"...)
	}
	switch t {
	case kql.Dynamic:
		return appendString(out, v.JSON())
	case kql.Bool, kql.Int, kql.Long:
		return append(out, v.String()...)
	case kql.Real:
		switch text := v.String(); text {
		case "NaN", "Infinity", "-Infinity": // JSON has no such numbers
			return appendString(out, text)
		default:
			return append(out, text...)
		}
	}
	return appendString(out, v.String())
}

// isPlain says whether a string is the same in JSON, between quotes. Most are.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendString writes a string as JSON. What is not UTF-8 becomes U+FFFD, which
// the error would only report.
func appendString(out []byte, s string) []byte {
	if isPlain(s) {
		return append(append(append(out, '"'), s...), '"')
	}
	out, _ = jsontext.AppendQuote(out, s)
	return out
}
