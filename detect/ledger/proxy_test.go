package ledger

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fault is what goes wrong with a request.
type fault struct {
	name string
	// status is the answer's. 0 is none: the connection is cut, or silent until
	// the client gives up.
	status int
	code   string
	silent bool
	inside bool // the status is that of an operation, in an answer that accepts the transaction
	after  bool // the service has acted
}

// faults are all kinds of them, before and after the service acted.
func faults() []fault {
	var all []fault
	for _, after := range []bool{false, true} {
		when := " before"
		if after {
			when = " after"
		}
		all = append(all,
			fault{name: "412" + when, status: 412, code: "UpdateConditionNotSatisfied", after: after},
			fault{name: "409" + when, status: 409, code: "EntityAlreadyExists", after: after},
			fault{name: "429" + when, status: 429, code: "TooManyRequests", after: after},
			fault{name: "500" + when, status: 500, code: "InternalError", after: after},
			fault{name: "503" + when, status: 503, code: "ServerBusy", after: after},
			fault{name: "503 inside" + when, status: 503, code: "ServerBusy", inside: true, after: after},
			fault{name: "timeout" + when, silent: true, after: after},
			fault{name: "cut" + when, after: after},
		)
	}
	return all
}

// proxy stands in front of Azurite and has some requests go wrong.
type proxy struct {
	addr   string
	target string

	mu   sync.Mutex
	next func(r *http.Request) *fault
	hits map[string]int
}

// newProxy returns a proxy in which every request is as next says; nil is no
// fault.
func newProxy(t testing.TB, next func(r *http.Request) *fault) *proxy {
	t.Helper()
	p := &proxy{target: "http://" + azurite(t), next: next, hits: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.addr = server.Listener.Addr().String()
	return p
}

// randomFaults has one request in n go wrong.
func randomFaults(rng *rand.Rand, n int) func(*http.Request) *fault {
	all := faults()
	return func(*http.Request) *fault {
		if rng.IntN(n) > 0 {
			return nil
		}
		return &all[rng.IntN(len(all))]
	}
}

// set replaces what goes wrong.
func (p *proxy) set(next func(r *http.Request) *fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	var f *fault
	if p.next != nil {
		f = p.next(r)
	}
	if f != nil {
		p.hits[f.name]++
	}
	p.mu.Unlock()

	if f == nil || f.after {
		// The service acts, even if the client is gone.
		req, err := http.NewRequest(r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
		if err != nil {
			panic(err)
		}
		req.Header = r.Header.Clone()
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if f == nil {
			for name, values := range answer.Header {
				w.Header()[name] = values
			}
			w.WriteHeader(answer.StatusCode)
			_, _ = w.Write(text)
			return
		}
	}
	f.answer(w, r)
}

func (f *fault) answer(w http.ResponseWriter, r *http.Request) {
	text := fmt.Sprintf(`{"odata.error":{"code":%q,"message":{"lang":"en-US","value":"An injected fault.\nRequestId:0\nTime:0"}}}`, f.code)
	switch {
	case f.silent:
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		panic(http.ErrAbortHandler)
	case f.status == 0:
		panic(http.ErrAbortHandler)
	case f.inside && strings.HasSuffix(r.URL.Path, "/$batch"):
		w.Header().Set("Content-Type", "multipart/mixed; boundary=batchresponse_1")
		w.WriteHeader(http.StatusAccepted)
		lines := []string{
			"--batchresponse_1", "Content-Type: multipart/mixed; boundary=changesetresponse_1", "",
			"--changesetresponse_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "",
			fmt.Sprintf("HTTP/1.1 %d %s", f.status, http.StatusText(f.status)), "Content-Type: application/json", "",
			text, "--changesetresponse_1--", "--batchresponse_1--", "",
		}
		_, _ = io.WriteString(w, strings.Join(lines, "\r\n"))
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("x-ms-error-code", f.code)
		if f.status == 429 || f.status == 503 {
			w.Header().Set("x-ms-retry-after-ms", "2")
		}
		w.WriteHeader(f.status)
		_, _ = io.WriteString(w, text)
	}
}
