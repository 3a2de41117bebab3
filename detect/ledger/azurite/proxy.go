package azurite

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fault is what goes wrong with a request.
type Fault struct {
	Name string
	// Status is the answer's. 0 is none: the connection is cut, or silent until
	// the client gives up.
	Status int
	Code   string
	Silent bool
	Inside bool // the status is that of an operation, in an answer that accepts the transaction
	After  bool // the service has acted
	// Damage, if set, is what becomes of the body of the service's own answer: it
	// is all that goes wrong.
	Damage func(body []byte) []byte
	// Hit, if set, is called when the fault happens: before the service would
	// have acted or after it did, and before the client learns of either.
	Hit func()
}

// Faults returns all kinds of them, before and after the service acted.
func Faults() []Fault {
	var all []Fault
	for _, after := range []bool{false, true} {
		when := " before"
		if after {
			when = " after"
		}
		all = append(all,
			Fault{Name: "412" + when, Status: 412, Code: "UpdateConditionNotSatisfied", After: after},
			Fault{Name: "409" + when, Status: 409, Code: "EntityAlreadyExists", After: after},
			Fault{Name: "429" + when, Status: 429, Code: "TooManyRequests", After: after},
			Fault{Name: "500" + when, Status: 500, Code: "InternalError", After: after},
			Fault{Name: "503" + when, Status: 503, Code: "ServerBusy", After: after},
			Fault{Name: "503 inside" + when, Status: 503, Code: "ServerBusy", Inside: true, After: after},
			Fault{Name: "timeout" + when, Silent: true, After: after},
			Fault{Name: "cut" + when, After: after},
		)
	}
	return all
}

// Proxy stands in front of Azurite and has some requests go wrong.
type Proxy struct {
	Addr   string // host:port
	target string

	mu   sync.Mutex
	next func(r *http.Request) *Fault
	hits map[string]int
}

// NewProxy returns a proxy in which every request is as next says, which may
// read its body; nil is no fault. The test closes it.
func NewProxy(t testing.TB, next func(r *http.Request) *Fault) *Proxy {
	t.Helper()
	p := &Proxy{target: "http://" + Addr(t), next: next, hits: map[string]int{}}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	p.Addr = server.Listener.Addr().String()
	return p
}

// RandomFaults has one request in n go wrong.
func RandomFaults(rng *rand.Rand, n int) func(*http.Request) *Fault {
	all := Faults()
	return func(*http.Request) *Fault {
		if rng.IntN(n) > 0 {
			return nil
		}
		return &all[rng.IntN(len(all))]
	}
}

// Set replaces what goes wrong.
func (p *Proxy) Set(next func(r *http.Request) *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = next
}

// Hits returns how often each fault happened, by its name.
func (p *Proxy) Hits() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hits)
}

// ServeHTTP answers as Azurite or as the fault does.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	var f *Fault
	if p.next != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		f = p.next(r)
	}
	if f != nil {
		p.hits[f.Name]++
	}
	p.mu.Unlock()

	if f == nil || f.After || f.Damage != nil {
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
		if f == nil || f.Damage != nil {
			for name, values := range answer.Header {
				w.Header()[name] = values
			}
			if f != nil {
				text = f.Damage(text)
				w.Header().Del("Content-Length")
			}
			w.WriteHeader(answer.StatusCode)
			_, _ = w.Write(text)
			return
		}
	}
	if f.Hit != nil {
		f.Hit()
	}
	f.answer(w, r)
}

func (f *Fault) answer(w http.ResponseWriter, r *http.Request) {
	text := fmt.Sprintf(`{"odata.error":{"code":%q,"message":{"lang":"en-US","value":"An injected fault.\nRequestId:0\nTime:0"}}}`, f.Code)
	switch {
	case f.Silent:
		select {
		case <-r.Context().Done():
		case <-time.After(10 * time.Second):
		}
		panic(http.ErrAbortHandler)
	case f.Status == 0:
		panic(http.ErrAbortHandler)
	case f.Inside && strings.HasSuffix(r.URL.Path, "/$batch"):
		w.Header().Set("Content-Type", "multipart/mixed; boundary=batchresponse_1")
		w.WriteHeader(http.StatusAccepted)
		lines := []string{
			"--batchresponse_1", "Content-Type: multipart/mixed; boundary=changesetresponse_1", "",
			"--changesetresponse_1", "Content-Type: application/http", "Content-Transfer-Encoding: binary", "",
			fmt.Sprintf("HTTP/1.1 %d %s", f.Status, http.StatusText(f.Status)), "Content-Type: application/json", "",
			text, "--changesetresponse_1--", "--batchresponse_1--", "",
		}
		_, _ = io.WriteString(w, strings.Join(lines, "\r\n"))
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("x-ms-error-code", f.Code)
		if f.Status == 429 || f.Status == 503 {
			w.Header().Set("x-ms-retry-after-ms", "2")
		}
		w.WriteHeader(f.Status)
		_, _ = io.WriteString(w, text)
	}
}
