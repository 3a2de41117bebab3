package workspace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// QueryError is the service's refusal of a query's text: the query is wrong
// and will be refused again.
type QueryError struct {
	Code    string // the most exact that the service gives, such as SYN0002
	Kind    string // SyntaxError or SemanticError
	Message string // in the service's words, one line, without the position
	// Line and Column say where in the rule's own text, from 1, or are 0 if
	// the service did not say.
	Line, Column int
}

// Error says where, what and which code.
func (e *QueryError) Error() string {
	var where string
	if e.Line > 0 {
		where = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	return fmt.Sprintf("%s%s (%s)", where, e.Message, e.Code)
}

// PartialError says that the service answered with a part of the result, which
// may be any part: rows past a limit, or those of a failed cluster, are
// missing.
type PartialError struct {
	Code    string
	Message string // in the service's words, naming the limit that was hit; one line
}

// Error says what the service said.
func (e *PartialError) Error() string {
	return fmt.Sprintf("the answer is incomplete: %s (%s)", e.Message, e.Code)
}

// ServiceError is any other refusal by the service.
type ServiceError struct {
	Status  int    // of HTTP
	Code    string // such as InsufficientAccessError; may be empty
	Message string // in the service's words, one line; may be empty

	err error
}

// Error says the status, the code and what the service said.
func (e *ServiceError) Error() string {
	text := fmt.Sprintf("the service answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	return text
}

// Unwrap returns the [*azcore.ResponseError].
func (e *ServiceError) Unwrap() error { return e.err }

// serviceError is an error in an answer of the service, which wraps what is
// wrong in layers, from the general to the exact.
type serviceError struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Line    *int           `json:"line"`
	Pos     *int           `json:"pos"`
	Inner   *serviceError  `json:"innererror"`
	Details []serviceError `json:"details"`
}

// UnmarshalJSON takes a code that is a number, too: the engine has such.
func (e *serviceError) UnmarshalJSON(data []byte) error {
	type plain serviceError
	raw := struct {
		*plain
		Code json.RawMessage `json:"code"`
	}{plain: (*plain)(e)}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	e.Code, _, _ = literal(raw.Code)
	return nil
}

// innermost returns the most exact layer that says anything.
func (e *serviceError) innermost() *serviceError {
	for e.Inner != nil && (e.Inner.Message != "" || e.Inner.Inner != nil) {
		e = e.Inner
	}
	return e
}

// newPartialError reads the error that stands beside the tables of an answer.
func newPartialError(raw json.RawMessage) *PartialError {
	var e serviceError
	if err := json.Unmarshal(raw, &e); err != nil {
		return &PartialError{Code: "PartialError", Message: oneLine(string(raw))}
	}
	messages := []string{}
	for _, d := range e.Details {
		messages = append(messages, oneLine(d.innermost().Message))
	}
	if len(messages) == 0 {
		messages = append(messages, oneLine(e.innermost().Message))
	}
	return &PartialError{Code: cmp.Or(e.Code, "PartialError"), Message: strings.Join(messages, "; ")}
}

// failure says what went wrong with a query in one line.
func (q Query) failure(ctx context.Context, err error) error {
	var response *azcore.ResponseError
	switch {
	case errors.As(err, &response):
		err = q.refusal(response)
	case ctx.Err() != nil:
		// Whatever broke when the wait ended, that it ended is the reason.
		err = ctx.Err()
	case strings.ContainsAny(err.Error(), "\r\n"):
		err = &lineError{err} // credentials explain themselves at length
	}
	return fmt.Errorf("querying the workspace: %w", err)
}

// refusal reads an answer that is not a success. The text of azcore's error is
// a dump of the whole answer over many lines, of no use in a log.
func (q Query) refusal(response *azcore.ResponseError) error {
	var body struct {
		Error *serviceError `json:"error"`
	}
	if response.RawResponse != nil {
		if raw, err := runtime.Payload(response.RawResponse); err == nil {
			_ = json.Unmarshal(raw, &body) // a proxy's page is no JSON: the status has to do
		}
	}
	if body.Error == nil {
		return &ServiceError{Status: response.StatusCode, Code: oneLine(response.ErrorCode), err: response}
	}
	exact := body.Error.innermost()
	for e := body.Error; e != nil; e = e.Inner {
		if e.Code == "SyntaxError" || e.Code == "SemanticError" {
			return q.queryError(e.Code, exact)
		}
	}
	return &ServiceError{
		Status:  response.StatusCode,
		Code:    oneLine(exact.Code),
		Message: oneLine(exact.Message),
		err:     response,
	}
}

// positionInText is how the service repeats a position in its message. It
// counts the lines that we put in front of the rule's.
var positionInText = regexp.MustCompile(` (?:on|at) line \[(\d+),(\d+)\]`)

func (q Query) queryError(kind string, e *serviceError) *QueryError {
	out := &QueryError{Code: cmp.Or(e.Code, kind), Kind: kind, Message: oneLine(e.Message)}
	line, pos := 0, 0
	switch m := positionInText.FindStringSubmatch(out.Message); {
	case e.Line != nil:
		line = *e.Line
		if e.Pos != nil {
			pos = *e.Pos
		}
	case m != nil:
		line, _ = strconv.Atoi(m[1])
		pos, _ = strconv.Atoi(m[2])
	}
	out.Message = positionInText.ReplaceAllString(out.Message, "")
	if line -= q.preamble(); line > 0 {
		out.Line, out.Column = line, max(pos, 0)+1 // lines count from 1, positions from 0
	}
	return out
}

// lineError is an error whose text is put on one line.
type lineError struct{ err error }

func (e *lineError) Error() string { return oneLine(e.err.Error()) }
func (e *lineError) Unwrap() error { return e.err }

// oneLine puts a text of the service's on one line, without control characters
// and not longer than a reader bears.
func oneLine(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	const longest = 500
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "..."
	}
	return s
}
