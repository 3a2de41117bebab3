// Package alertstest is a stand-in for what alerts are written to and what comes of
// them: the Logs Ingestion API with its table, and the analytics rules that
// Microsoft Sentinel runs over it. It is for tests only.
package alertstest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"pushback/detect/kql"
	"pushback/detect/notify/alerts"
)

// Cut is a fault: the connection is cut. Unreached is one of Do: there is no
// connection.
const (
	Cut       = -1
	Unreached = -2
)

// Fault is what goes wrong with a call: a status, or Cut, before the call has any
// effect or after.
type Fault struct {
	Before, After int
	RetryAfter    time.Duration
}

// Server is the Logs Ingestion API with one data collection rule and its table.
// Set its fields before its first request.
type Server struct {
	Rule    string // the immutable id
	Streams map[string][]alerts.Column
	Token   string // that the caller must bear, if set
	// Assigned is when the caller was given its role: within half an hour it does not
	// count. Zero is long ago.
	Assigned time.Time
	// Now is the service's clock.
	Now func() time.Time
	// Delay returns how long a row takes until the table shows it.
	Delay func() time.Duration
	// Fault, if set, is asked for each call, with how many there were before.
	Fault func(n int) Fault

	mu       sync.Mutex
	calls    int
	largest  int
	problems []string
	records  []Record
}

// Record is a row of the table.
type Record struct {
	Row      map[string]json.RawMessage
	Ingested time.Time
}

// Text returns a column that is a text.
func (r Record) Text(column string) string {
	var text string
	_ = json.Unmarshal(r.Row[column], &text)
	return text
}

// Records returns the rows in the order in which they came, shown or not.
func (s *Server) Records() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}

// Forget empties the table.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = nil
}

// Calls returns how many calls there were, and how many rows the largest had.
func (s *Server) Calls() (calls, largest int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls, s.largest
}

// Problems returns what was wrong with the calls: what the service drops without a
// word.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

func (s *Server) problem(format string, args ...any) {
	if len(s.problems) < 20 {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

var path = regexp.MustCompile(`^/dataCollectionRules/([^/]+)/streams/([^/]+)$`)

const (
	mostBody  = 1_048_576
	mostField = 64 << 10
)

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, mostBody+1))
	if err != nil {
		return // whoever called has gone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fault := Fault{}
	if s.Fault != nil {
		fault = s.Fault(s.calls)
	}
	s.calls++
	if fault.Before != 0 {
		s.fail(w, fault.Before, fault.RetryAfter)
		return
	}
	if status, code, message := s.take(r, body); status != http.StatusNoContent {
		refuse(w, status, code, message)
		return
	}
	if fault.After != 0 {
		s.fail(w, fault.After, fault.RetryAfter)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) fail(w http.ResponseWriter, status int, after time.Duration) {
	if status == Cut {
		panic(http.ErrAbortHandler)
	}
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(after.Seconds())))
	}
	refuse(w, status, strconv.Itoa(status), "a fault of the test")
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"code": code, "message": message}})
}

// Do answers a call in process, as a transport does.
func (s *Server) Do(r *http.Request) (response *http.Response, err error) {
	s.mu.Lock()
	unreached := s.Fault != nil && s.Fault(s.calls).Before == Unreached
	if unreached {
		s.calls++
	}
	s.mu.Unlock()
	if unreached {
		return nil, errors.New("connection refused")
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	defer func() {
		if recover() != nil {
			err = io.ErrUnexpectedEOF
		}
	}()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	response = w.Result()
	response.Request = r
	return response, nil
}

// take takes the rows of a call, or says why not.
func (s *Server) take(r *http.Request, body []byte) (status int, code, message string) {
	m := path.FindStringSubmatch(r.URL.Path)
	switch {
	case s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token:
		return http.StatusUnauthorized, "InvalidToken", "The token is not one of this service."
	case r.Method != http.MethodPost || m == nil:
		return http.StatusNotFound, "NotFound", "There is no such resource."
	case r.URL.Query().Get("api-version") != "2023-01-01":
		return http.StatusBadRequest, "UnsupportedApiVersion", "The version of the API is not known."
	case m[1] != s.Rule:
		return http.StatusNotFound, "NotFound", "Data collection rule with immutable Id '" + m[1] + "' not found."
	case s.Streams[m[2]] == nil:
		return http.StatusNotFound, "NotFound", "The stream " + m[2] + " was not configured in the data collection rule."
	case s.Now().Sub(s.Assigned) < 30*time.Minute:
		return http.StatusForbidden, "OperationFailed", "The authentication token provided does not have access to ingest data for the data collection rule with immutable Id '" + m[1] + "'."
	case len(body) > mostBody:
		return http.StatusRequestEntityTooLarge, "ContentLengthLimitExceeded", "Maximum allowed content length: 1048576 bytes."
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(z, mostBody+1))
		}
		if err != nil {
			return http.StatusBadRequest, "InvalidContentEncoding", "The body is not gzip."
		}
		if len(body) > mostBody {
			return http.StatusRequestEntityTooLarge, "ContentLengthLimitExceeded", "Maximum allowed content length: 1048576 bytes."
		}
	} else {
		s.problem("the body is not compressed")
	}
	if !json.Valid(body) {
		return http.StatusBadRequest, "InvalidPayload", "The body is not JSON."
	}
	var rows []map[string]json.RawMessage
	if err := json.Unmarshal(body, &rows); err != nil {
		s.problem("the body is no array of objects: nothing is stored, and nobody hears of it")
		return http.StatusNoContent, "", ""
	}
	s.largest = max(s.largest, len(rows))
	now := s.Now()
	for _, row := range rows {
		s.store(row, s.Streams[m[2]], now)
	}
	return http.StatusNoContent, "", ""
}

// store puts a row into the table as the service does: a column that is not
// declared is dropped, one that is too long is cut, and the time is ours if it is
// long past.
func (s *Server) store(row map[string]json.RawMessage, columns []alerts.Column, now time.Time) {
	kept := map[string]json.RawMessage{}
	for name, value := range row {
		i := slices.IndexFunc(columns, func(c alerts.Column) bool { return c.Name == name })
		switch {
		case i < 0:
			s.problem("the stream has no column %s: it is dropped", name)
			continue
		case len(value) > mostField:
			s.problem("column %s has %d bytes: it is cut", name, len(value))
		case !fits(value, columns[i].Type):
			s.problem("column %s is no %s: %.60s", name, columns[i].Type, value)
			value = []byte("null")
		}
		kept[name] = value
	}
	var generated time.Time
	if err := json.Unmarshal(kept["TimeGenerated"], &generated); err != nil || now.Sub(generated) > 48*time.Hour || generated.Sub(now) > 24*time.Hour {
		s.problem("TimeGenerated is %s: it is replaced", kept["TimeGenerated"])
		kept["TimeGenerated"], _ = json.Marshal(now)
	}
	delay := time.Minute
	if s.Delay != nil {
		delay = s.Delay()
	}
	s.records = append(s.records, Record{kept, now.Add(delay)})
}

// fits reports whether a value is one of a column's type.
func fits(value json.RawMessage, kind string) bool {
	var v any
	if json.Unmarshal(value, &v) != nil {
		return false
	}
	switch kind {
	case "string":
		_, ok := v.(string)
		return ok
	case "boolean":
		_, ok := v.(bool)
		return ok
	case "datetime":
		if v == nil {
			return true
		}
		text, _ := v.(string)
		_, err := time.Parse(time.RFC3339Nano, text)
		return err == nil
	case "dynamic":
		return true
	}
	return false
}

// types are the engine's by those of columns.
var types = map[string]kql.Type{"string": kql.String, "boolean": kql.Bool, "datetime": kql.DateTime, "dynamic": kql.Dynamic}

// Table returns the table as a query at a time sees it.
func (s *Server) Table(columns []alerts.Column, now time.Time) *kql.Table {
	var schema kql.Schema
	for _, c := range columns {
		schema = append(schema, kql.ColumnSchema{Name: c.Name, Type: types[c.Type]})
	}
	schema = append(schema, kql.ColumnSchema{Name: "_TimeReceived", Type: kql.DateTime})
	b := kql.NewTableBuilder(alerts.Table, schema)
	for _, r := range s.Records() {
		if r.Ingested.After(now) {
			continue
		}
		for i, c := range columns {
			value := r.Row[c.Name]
			if len(value) == 0 || string(value) == "null" {
				continue
			}
			text := []byte(value)
			if c.Type == "string" || c.Type == "datetime" {
				text = []byte(r.Text(c.Name))
			}
			if len(text) > 0 && !b.SetText(i, text) {
				panic(fmt.Sprintf("column %s holds %.100q", c.Name, text))
			}
		}
		b.SetText(len(columns), []byte(r.Ingested.UTC().Format(time.RFC3339Nano)))
		b.Commit()
	}
	return b.Build()
}
