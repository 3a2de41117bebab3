package main

import (
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

// maxInvocationBytes bounds the body of an invocation, which has about 500.
const maxInvocationBytes = 1 << 20

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

// host answers the Functions host.
type host struct {
	// invoke runs the function. Its error makes the invocation fail; a summary
	// is of use beside it.
	invoke func(context.Context, invocation) (*summary, error)
	// longest bounds what an invocation takes.
	longest time.Duration
	// log gets invocations that are not understood, since the host does
	// not show the answer. It may be nil.
	log *slog.Logger
}

// ServeHTTP answers POST on the function's path when the tick is done. It
// answers GET / at once, which is how the host finds out that the process
// listens. Every answer is an object in JSON: with anything else the invocation
// would hang, or fail for a reason that is not ours.
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
