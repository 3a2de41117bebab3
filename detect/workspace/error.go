package workspace

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"pushback/detect/secret"
	"pushback/detect/transport"
)

// QueryError is the service's refusal of a query's text: the query is wrong
// and will be refused again.
type QueryError struct {
	Code    string // the most exact that the service gives, such as SYN0002
	Kind    string // SyntaxError or SemanticError
	Message string // in the service's words, one line, without the position
	// Table is the table that the query names and the workspace does not have,
	// if that is what is wrong. A workspace has a table once a record came in.
	Table string
	// Line and Column say where in the rule's own text, from 1, or are 0 if
	// the service did not say.
	Line, Column int
}

// MissingTable returns the table that a query named and that the workspace does
// not have, if that is what err is about.
func MissingTable(err error) (table string, missing bool) {
	var e *QueryError
	if errors.As(err, &e) && e.Table != "" {
		return e.Table, true
	}
	return "", false
}

// Unavailable reports whether another query would fail like the one that err is
// about, whatever it asks. That is so where there is no token, the service is
// not reached, does not let us in, does not know the workspace, or is
// overloaded. Other failures, such as a query that takes too long, say nothing
// of the next.
func Unavailable(err error) bool {
	if _, ok := errors.AsType[*CredentialError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*ThrottledError](err); ok {
		return true
	}
	if connection, ok := errors.AsType[*ConnectionError](err); ok {
		return !connection.Answered
	}
	service, ok := errors.AsType[*ServiceError](err)
	return ok && service.unavailable()
}

// Error says where, what and which code.
func (e *QueryError) Error() string {
	var where string
	if e.Line > 0 {
		where = fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
	}
	return fmt.Sprintf("%s%s (%s)", where, e.Message, e.Code)
}

// PartialError says that the service answered with a part of the result. It may
// be any part: rows past a limit, or those of a failed cluster, are missing.
type PartialError struct {
	Code    string
	Message string // in the service's words, naming the limit that was hit; one line
	// Limit is the limit that was hit, such as "500000 rows", "64000000 bytes"
	// or "memory", or empty if none was or it is not known.
	Limit string
}

// Error says what the service said and what to do about it.
func (e *PartialError) Error() string {
	text := fmt.Sprintf("the answer is incomplete: %s (%s)", e.Message, e.Code)
	switch e.Limit {
	case "":
		return text
	case limitMemory:
		return text + ": let the query hold less in memory, by filtering earlier or over a shorter period"
	default:
		return text + fmt.Sprintf(": let the query return less than %s, by summarizing, projecting fewer columns or a shorter period", e.Limit)
	}
}

// limitMemory is the Limit of a query that needs more memory than it may have.
const limitMemory = "memory"

var (
	limitText   = regexp.MustCompile(`(?:set limit of|count limit|size limit) (\d+)(?: (records|bytes))?`)
	recordLimit = regexp.MustCompile(`count limit \d|limit of \d+ records`)
)

// Codes of the engine behind the service.
const (
	codeTooLarge   = "-2133196797" // E_QUERY_RESULT_SET_TOO_LARGE
	codeRunaway    = "-2133196799" // E_RUNAWAY_QUERY
	codeLowMemory  = "-2133196793" // E_LOW_MEMORY_CONDITION
	nameTooLarge   = "E_QUERY_RESULT_SET_TOO_LARGE"
	nameRunaway    = "E_RUNAWAY_QUERY"
	nameLowMemory  = "E_LOW_MEMORY_CONDITION"
	severestNotice = 3 // of severities: 1 and 2 are errors, 3 is a warning
)

// limit returns the limit that an error of the engine is about.
func (e *serviceError) limit() string {
	if m := limitText.FindStringSubmatch(e.Message); m != nil {
		if recordLimit.MatchString(e.Message) {
			return m[1] + " rows"
		}
		return m[1] + " bytes"
	}
	for _, name := range []string{nameRunaway, nameLowMemory} {
		if strings.Contains(e.Message, name) {
			return limitMemory
		}
	}
	switch {
	case e.Code == codeRunaway || e.Code == codeLowMemory:
		return limitMemory
	case e.Code == codeTooLarge || strings.Contains(e.Message, nameTooLarge):
		return "the service's 500000 rows and 64000000 bytes"
	}
	return ""
}

// TooMuchError says that an answer holds more rows than fit in the memory that
// is set aside for them.
type TooMuchError struct {
	Rows int // that did fit
}

// Error says the limit and what to do.
func (e *TooMuchError) Error() string {
	return fmt.Sprintf("the answer takes more than %d MiB of memory, the limit, after %d rows: let the query return less, by summarizing, projecting fewer columns or a shorter period", maxHeldBytes>>20, e.Rows)
}

// TimeoutError says that there was no answer in the query's time. It is a
// context.DeadlineExceeded.
type TimeoutError struct {
	Timeout time.Duration // the query's
	Tries   int
	Status  int // of the last answer, or 0 if there was none
	// Broke is how the last try that broke off did, or nil if none did.
	Broke error
}

// Error says how long, how often and what to do.
func (e *TimeoutError) Error() string {
	text := fmt.Sprintf("there was no answer in %s", e.Timeout)
	switch {
	case e.Unanswered():
		return text + fmt.Sprintf(": give the query more time, %s at most, or let it read less", maxTimeout)
	case e.Status == http.StatusOK:
		return fmt.Sprintf("the answer began and did not end in %s: let the query return less, and check what stands between, such as a proxy", e.Timeout)
	case e.Status != 0:
		return text + fmt.Sprintf(" but %d %s, in %d tries: the service is overloaded or down; a later tick tries again",
			e.Status, http.StatusText(e.Status), e.Tries)
	default:
		host, cause := reached(e.Broke)
		return text + fmt.Sprintf(", in %d tries, since the connection to %s broke each time, at last with %s: %s", e.Tries, host, cause, connectAdvice)
	}
}

// Unanswered reports whether nothing came back at all: no answer began, and no
// connection broke.
func (e *TimeoutError) Unanswered() bool { return e.Status == 0 && e.Broke == nil }

// Unwrap returns context.DeadlineExceeded.
func (e *TimeoutError) Unwrap() error { return context.DeadlineExceeded }

// ConnectionError says that the service could not be reached, or that the
// connection broke.
type ConnectionError struct {
	Tries int
	// Answered says that there was an answer, which broke off.
	Answered bool
	err      error
}

// Error says what broke and what to do.
func (e *ConnectionError) Error() string {
	if e.Answered {
		return fmt.Sprintf("the connection broke while the answer came in (tries: %d): %s", e.Tries, oneLine(e.err.Error()))
	}
	host, cause := reached(e.err)
	return fmt.Sprintf("%s could not be reached (tries: %d): %s: %s", host, e.Tries, cause, connectAdvice)
}

// connectAdvice is what to do when there is no connection.
const connectAdvice = "check the cloud that is set, that DNS knows the host, and that the firewall and the proxy let the app connect to it"

// reached returns the host that a request was sent to, if that is known, and why
// it failed.
func reached(err error) (host, cause string) {
	host = "the service"
	if failed, ok := errors.AsType[*url.Error](err); ok {
		if u, parseErr := url.Parse(failed.URL); parseErr == nil && u.Host != "" {
			host, err = oneLine(u.Host), failed.Err
		}
	}
	return host, oneLine(err.Error())
}

// Unwrap returns the transport's error.
func (e *ConnectionError) Unwrap() error { return e.err }

// CredentialError says that there was no token for the service.
type CredentialError struct{ err error }

// Error is what the credential says, on one line.
func (e *CredentialError) Error() string { return "the credential: " + oneLine(e.err.Error()) }

// Unwrap returns the credential's error.
func (e *CredentialError) Unwrap() error { return e.err }

// ServiceError is any other refusal by the service.
type ServiceError struct {
	Status  int    // of HTTP
	Code    string // such as InsufficientAccessError; may be empty
	Message string // in the service's words, one line; may be empty

	err error
}

// Error says the status, the code, what the service said and what to do.
func (e *ServiceError) Error() string {
	text := fmt.Sprintf("the service answered %d %s", e.Status, http.StatusText(e.Status))
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if advice := advice[e.Status]; advice != "" {
		text += ": " + advice
	}
	return text
}

// unavailable reports whether the refusal is not about the query.
func (e *ServiceError) unavailable() bool {
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// advice is what to do about an answer, by its status.
var advice = map[int]string{
	http.StatusUnauthorized:       "check that the cloud is the workspace's",
	http.StatusForbidden:          "give the app's identity the role Log Analytics Reader on every workspace that is queried",
	http.StatusNotFound:           "check the workspace id, which is a GUID, and the cloud",
	http.StatusTooManyRequests:    "too many queries run at once; a later tick tries again",
	http.StatusServiceUnavailable: "a later tick tries again",
	http.StatusGatewayTimeout:     fmt.Sprintf("give the query more time, %s at most, or let it read less", maxTimeout),
}

// Unwrap returns the [*azcore.ResponseError].
func (e *ServiceError) Unwrap() error { return e.err }

// serviceError is an error in an answer of the service, which wraps what is
// wrong in layers, from the general to the exact.
type serviceError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Line    *int   `json:"line"`
	Pos     *int   `json:"pos"`
	// Severity of an error of the engine; in what has none it is 0.
	Severity int            `json:"severity"`
	Inner    *serviceError  `json:"innererror"`
	Details  []serviceError `json:"details"`
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

// beside reads the error that stands beside the tables of an answer. If all it
// holds are warnings, the answer is complete.
func beside(raw json.RawMessage) (warnings []string, err error) {
	var e serviceError
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, &PartialError{Code: "PartialError", Message: oneLine(string(raw))}
	}
	details := e.Details
	if len(details) == 0 {
		details = []serviceError{e}
	}
	out := &PartialError{Code: cmp.Or(oneLine(e.Code), "PartialError")}
	complete := true
	for _, d := range details {
		exact := d.innermost()
		if text := oneLine(exact.Message); !slices.Contains(warnings, text) {
			warnings = append(warnings, text)
		}
		out.Limit = cmp.Or(out.Limit, exact.limit())
		complete = complete && exact.Severity >= severestNotice
	}
	if complete && out.Limit == "" {
		return warnings, nil
	}
	out.Message = oneLine(strings.Join(warnings, "; "))
	return nil, out
}

// failure says what went wrong with a query in one line. Bounded is ctx with the
// query's own time.
func (c *Client) failure(ctx, bounded context.Context, q Query, x *exchange, err error) error {
	var response *azcore.ResponseError
	var credential *CredentialError
	var large *transport.TooLargeError
	var redirected *transport.RedirectError
	switch {
	case errors.As(err, &response):
		return q.refusal(response)
	case ctx.Err() != nil:
		// Whatever broke when the wait ended, that it ended is the reason.
		if x.tries > 0 && x.status != 0 {
			return fmt.Errorf("the wait ended after the service had answered %d %s: %w", x.status, http.StatusText(x.status), ctx.Err())
		}
		if x.tries == 0 && x.credential != nil {
			return fmt.Errorf("the wait ended without a token: %w: %w", x.credential, ctx.Err())
		}
		if x.broke != nil {
			host, cause := reached(x.broke)
			return fmt.Errorf("the wait ended after %d tries in which the connection to %s broke, at last with %s: %w", x.tries, host, cause, ctx.Err())
		}
		return ctx.Err()
	case bounded.Err() != nil && x.tries == 0 && x.credential != nil:
		return x.credential // it is not the query that takes so long
	case bounded.Err() != nil:
		return &TimeoutError{Timeout: c.timeout, Tries: x.tries, Status: x.status, Broke: x.broke}
	case errors.As(err, &credential):
		return credential
	case errors.As(err, &large):
		return large
	case errors.As(err, &redirected):
		return redirected
	default:
		return &ConnectionError{Tries: x.tries, Answered: x.answered, err: err}
	}
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

// missingTable is how the service says that it does not know a table.
var missingTable = regexp.MustCompile(`(?i)failed to resolve table(?: or column)?(?: or scalar)?(?: expression)?(?: named)? '([^']+)'`)

func (q Query) queryError(kind string, e *serviceError) *QueryError {
	out := &QueryError{Code: cmp.Or(oneLine(e.Code), kind), Kind: kind, Message: oneLine(e.Message)}
	if m := missingTable.FindStringSubmatch(out.Message); m != nil {
		out.Table = m[1]
	}
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

// ruler is a line of dashes, with which the SDK sets off what the service said.
var ruler = regexp.MustCompile(`-{5,}`)

// oneLine puts a text of the service's on one line, without characters that a
// terminal obeys or hides and not longer than a reader bears.
func oneLine(s string) string {
	s = ruler.ReplaceAllString(secret.Hide(s), " ")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }), " ")
	const longest = 1500
	if runes := []rune(s); len(runes) > longest {
		s = string(runes[:longest]) + "..."
	}
	return s
}
