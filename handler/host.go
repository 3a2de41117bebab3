package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The Functions host's protocol for custom handlers:
// https://learn.microsoft.com/azure/azure-functions/functions-custom-handlers

// functionPath is where the host posts invocations: the name of the folder
// with function.json.
const functionPath = "/function-app"

// timerBinding is the name of the timer in function.json.
const timerBinding = "timer"

// maxInvocationBytes bounds the body of an invocation, which has about 500.
const maxInvocationBytes = 1 << 20

// invocation is a call of the function by the host.
type invocation struct {
	id      string
	now     time.Time // the tick's; zero if the host did not say
	pastDue bool
	// manual says that somebody asked for it, and not the timer. The host says so
	// only of a run with an input, be it empty.
	manual bool
	// retry is how many times the host tried this invocation before, of
	// maxRetries at most. Its id stays the same.
	retry, maxRetries int
}

// attrs are those of each line of the log about the invocation.
func (inv invocation) attrs() []any {
	attrs := []any{slog.String("invocation", inv.id)}
	if inv.manual {
		attrs = append(attrs, slog.Bool("manual", true))
	}
	if inv.pastDue {
		attrs = append(attrs, slog.Bool("pastDue", true))
	}
	if inv.retry > 0 {
		attrs = append(attrs, slog.Int("retry", inv.retry), slog.Int("maxRetries", inv.maxRetries))
	}
	return attrs
}

// answer is what the host expects of an invocation that succeeded. It logs Logs
// as lines of the invocation, which standard output is not.
type answer struct {
	Outputs     map[string]any
	Logs        []string
	ReturnValue any
}

// refusal is the answer to anything else.
type refusal struct {
	Error    string   `json:"error"`
	Failures []string `json:"failures,omitempty"` // each thing that failed, if several may have
	Summary  *summary `json:"summary,omitempty"`  // what was done all the same
}

// errStopping says that an invocation came too late.
var errStopping = errors.New("the process is stopping and takes no new work")

// errMistake is what the host gets of a panic. What it said is for the log alone.
var errMistake = errors.New("a mistake in the program ended the tick: its stack is in the log, please report it")

// host answers the Functions host.
type host struct {
	// invoke runs the function. Its error makes the invocation fail; a summary
	// is of use beside it.
	invoke func(context.Context, invocation) (*summary, error)
	// longest bounds what an invocation takes.
	longest time.Duration
	// log is told of invocations that are not understood, since the host does
	// not show the answer. It may be nil.
	log *slog.Logger
}

// ServeHTTP answers GET / at once, which is how the host finds out that the
// process listens, and POST on the function's path when the tick is done. Every
// answer is an object in JSON: with anything else the invocation would hang, or
// fail for a reason that is not ours.
func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case v == http.ErrAbortHandler:
			panic(v)
		default:
			if h.log != nil {
				logPanic(h.log, "invocation failed", v)
			}
			reply(w, http.StatusInternalServerError, refusal{Error: errMistake.Error()})
		}
	}()
	allowed := []string{http.MethodGet, http.MethodHead}
	if r.URL.Path == functionPath {
		allowed = []string{http.MethodPost}
	}
	switch {
	case r.URL.Path != "/" && r.URL.Path != functionPath:
		reply(w, http.StatusNotFound, refusal{Error: fmt.Sprintf("there is no %.100q here: the function is %s", r.URL.Path, functionPath)})
	case !slices.Contains(allowed, r.Method):
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		reply(w, http.StatusMethodNotAllowed, refusal{Error: fmt.Sprintf("%.20q is not a method of %s: use %s", r.Method, r.URL.Path, strings.Join(allowed, " or "))})
	case r.URL.Path == "/":
		reply(w, http.StatusOK, struct{}{})
	default:
		h.function(w, r)
	}
}

func (h *host) function(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInvocationBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		h.refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the invocation is larger than %d bytes", maxInvocationBytes))
		return
	case err != nil:
		h.refuse(w, http.StatusBadRequest, "the invocation could not be read: "+err.Error())
		return
	}
	inv, err := parseInvocation(body)
	if err != nil {
		h.refuse(w, http.StatusBadRequest, "the invocation is malformed: "+err.Error())
		return
	}
	inv.id = r.Header.Get("X-Azure-Functions-InvocationId")

	// The server's own time limit is for those who only ask.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.longest)); err != nil {
		reply(w, http.StatusInternalServerError, refusal{Error: "cannot wait for the tick: " + err.Error()})
		return
	}
	done, err := h.invoke(r.Context(), inv)
	switch {
	case errors.Is(err, errStopping):
		reply(w, http.StatusServiceUnavailable, refusal{Error: err.Error()})
	case err != nil:
		reply(w, http.StatusInternalServerError, refusal{Error: err.Error(), Failures: failures(err), Summary: done})
	default:
		reply(w, http.StatusOK, answer{Outputs: map[string]any{}, Logs: []string{done.line(inv)}, ReturnValue: done})
	}
}

// refuse answers an invocation that is not understood.
func (h *host) refuse(w http.ResponseWriter, status int, why string) {
	if h.log != nil {
		h.log.Error("invocation refused", "status", status, "error", why)
	}
	reply(w, status, refusal{Error: why})
}

// reply sends JSON. That the other side is gone is nothing to be done about.
func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"error":"the answer could not be written as JSON"}`)
	}
	text = hiddenJSON(text)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// failures takes errors apart that were joined. Nil joins nothing.
func failures(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []string
		for _, e := range joined.Unwrap() {
			list = append(list, failures(e)...)
		}
		return list
	}
	return []string{err.Error()}
}

// parseInvocation reads the body of an invocation. What it does not say is
// left at zero: a run by hand says less than one by the timer.
func parseInvocation(body []byte) (invocation, error) {
	var inv invocation
	var parts struct{ Data, Metadata json.RawMessage }
	if err := parseObject(body, &parts); err != nil {
		return inv, err
	}
	data, metadata := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	var timer struct{ IsPastDue bool }
	var sys struct{ UTCNow string }
	var retry struct{ RetryCount, MaxRetryCount int }
	if isMissing(parts.Data) {
		return inv, errors.New(`expected an object with "Data" and "Metadata", and there is no "Data"`)
	}
	if err := parseObject(parts.Data, &data); err != nil {
		return inv, fmt.Errorf("in Data: %w", err)
	}
	if err := parseObject(parts.Metadata, &metadata); err != nil {
		return inv, fmt.Errorf("in Metadata: %w", err)
	}
	if err := parseObject(data[timerBinding], &timer); err != nil {
		return inv, fmt.Errorf("in Data.%s: %w", timerBinding, err)
	}
	if err := parseObject(metadata["sys"], &sys); err != nil {
		return inv, fmt.Errorf("in Metadata.sys: %w", err)
	}
	if err := parseObject(metadata["RetryContext"], &retry); err != nil {
		return inv, fmt.Errorf("in Metadata.RetryContext: %w", err)
	}
	var input string
	inv.manual = json.Unmarshal(metadata[timerBinding], &input) == nil && !isMissing(metadata[timerBinding])
	inv.pastDue, inv.retry, inv.maxRetries = timer.IsPastDue, retry.RetryCount, retry.MaxRetryCount
	if sys.UTCNow != "" {
		now, err := parseUTC(sys.UTCNow)
		if err != nil {
			return inv, fmt.Errorf("in Metadata.sys.UtcNow: %w", err)
		}
		inv.now = now
	}
	return inv, nil
}

// parseObject reads an object, or a string that holds one as JSON: so the host
// sends what it could not turn into an object. Nothing, null and an empty
// string leave the target as it is.
func parseObject(raw json.RawMessage, target any) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var kind *json.UnmarshalTypeError
	raw = bytes.TrimSpace(raw)
	switch err := json.Unmarshal(raw, target); {
	case isMissing(raw), err == nil && raw[0] == '{':
		return nil
	case errors.As(err, &kind):
		return fmt.Errorf("expected an object in JSON, and this holds a JSON %s in its place", kind.Value)
	case err != nil:
		return fmt.Errorf("expected an object in JSON: %w", err)
	}
	return fmt.Errorf("expected an object in JSON, not %.40q", raw)
}

func isMissing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// parseUTC reads a time as .NET writes it: with seven decimals, and without a
// zone if it does not know that the time is in UTC.
func parseUTC(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} { // both take decimals too
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("expected a time in ISO 8601 between 1970 and 2200, not %.40q", text)
}
