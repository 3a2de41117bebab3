package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pushback/detect/ledger/azurite"
)

// mostHostileMegabytes is the most memory that the process may take, whatever
// answers it.
const mostHostileMegabytes = 200

// floods writes a text again and again until nobody reads it any more.
func floods(w io.Writer, text string) {
	piece := []byte(strings.Repeat(text, max(1, (32<<10)/len(text))))
	for {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

// packedFloods does it in gzip: of what is sent, a thousandth.
func packedFloods(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err == nil {
		floods(z, text)
	}
}

// overConnection lets a misbehaviour write what no HTTP server would.
func overConnection(w http.ResponseWriter, write func(io.Writer)) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	write(conn)
}

const noRows = `{"tables":[{"name":"PrimaryResult","columns":[{"name":"N","type":"string"}],"rows":[["x"]`

// misbehaviours are what any of the services can do. Elsewhere is an address that
// nobody may follow.
var misbehaviours = []struct {
	name string
	do   func(w http.ResponseWriter, elsewhere string)
	// says is in the failure, whichever service it is, and may name a limit.
	says string
}{
	{"a success without end", func(w http.ResponseWriter, _ string) { floods(w, " ") }, " MiB, the limit"},
	{"rows without end", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, noRows); floods(w, `,["y"]`) }, " MiB"},
	{"long rows without end", func(w http.ResponseWriter, _ string) {
		_, _ = io.WriteString(w, noRows)
		long := strings.Repeat("y", 10_000)
		for i := 0; ; i++ {
			if _, err := fmt.Fprintf(w, `,["%d %s"]`, i, long); err != nil {
				return
			}
		}
	}, " MiB"},
	{"arrays without end", func(w http.ResponseWriter, _ string) {
		_, err := io.WriteString(w, `{"tables":[{"name":"PrimaryResult","columns":[{"name":"D","type":"dynamic"}],"rows":[[null]`)
		many := strings.Repeat(",[],{}", 1000)
		for i := 0; err == nil; i++ {
			_, err = fmt.Fprintf(w, `,["[%d%s]"]`, i, many)
		}
	}, " MiB"},
	{"small cells without end", func(w http.ResponseWriter, _ string) {
		// Written in large pieces: cell by cell, a busy machine reaches a client's
		// deadline before its limit.
		var cells strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&cells, `,[%d]`, i)
		}
		_, _ = io.WriteString(w, `{"tables":[{"name":"PrimaryResult","columns":[{"name":"N","type":"long"}],"rows":[[1]`)
		floods(w, cells.String())
	}, " MiB"},
	{"a text without end", func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, `{"x":"`); floods(w, "y") }, " MiB, the limit"},
	{"brackets without end", func(w http.ResponseWriter, _ string) { floods(w, "[") }, ""},
	{"a packed success", func(w http.ResponseWriter, _ string) { packedFloods(w, 200, " ") }, " MiB, the limit"},
	{"a packed refusal", func(w http.ResponseWriter, _ string) { packedFloods(w, 403, "x") }, "(403) of more than 1 MiB, the limit"},
	{"a packed overload", func(w http.ResponseWriter, _ string) { packedFloods(w, 503, "x") }, "(503) of more than 1 MiB, the limit"},
	{"a refusal without end", func(w http.ResponseWriter, _ string) { w.WriteHeader(400); floods(w, "x") }, "(400) of more than 1 MiB, the limit"},
	{"headers without end", func(w http.ResponseWriter, _ string) {
		overConnection(w, func(w io.Writer) { _, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\n"); floods(w, "X: y\r\n") })
	}, "headers are larger than 256 KiB"},
	{"interim answers without end", func(w http.ResponseWriter, _ string) {
		overConnection(w, func(w io.Writer) { floods(w, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n") })
	}, "headers are larger than 256 KiB"},
	{"a success that drips", func(w http.ResponseWriter, _ string) {
		for {
			_, err := w.Write([]byte(" "))
			if flushErr := http.NewResponseController(w).Flush(); err != nil || flushErr != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}, ""},
	{"headers that drip", func(w http.ResponseWriter, _ string) {
		overConnection(w, func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\nX: ")
			for err == nil {
				time.Sleep(20 * time.Millisecond)
				_, err = io.WriteString(w, "y")
			}
		})
	}, ""},
	{"cut connections", func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) }, ""},
	{"a redirect to http", func(w http.ResponseWriter, elsewhere string) {
		w.Header().Set("Location", elsewhere+"/?sig=S3cr3t")
		w.WriteHeader(http.StatusTemporaryRedirect)
	}, "a redirect to the host"},
	{"a wait without end", func(w http.ResponseWriter, _ string) {
		w.Header().Set("Retry-After", "1"+strings.Repeat("0", 30))
		w.WriteHeader(http.StatusTooManyRequests)
	}, "429"},
}

// successes are those that begin with a status of success: for a webhook that is
// one, whatever comes behind it.
var successes = []string{
	"a success without end", "rows without end", "long rows without end", "arrays without end", "small cells without end", "a text without end",
	"brackets without end", "a packed success", "a success that drips",
}

// TestProcessHostileAnswers puts something hostile in the place of each service,
// which answers in each way.
func TestProcessHostileAnswers(t *testing.T) {
	t.Parallel()
	for _, service := range []struct {
		name string
		says string // what errors call it
		put  func(t *testing.T, c *cloudStandIn, settings map[string]string, answer http.HandlerFunc)
	}{
		{"workspace", "the workspace's service", func(_ *testing.T, c *cloudStandIn, _ map[string]string, answer http.HandlerFunc) {
			c.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool { answer(w, r); return true }
		}},
		{"identity", "the identity's endpoint", func(t *testing.T, c *cloudStandIn, settings map[string]string, answer http.HandlerFunc) {
			server := httptest.NewServer(answer)
			t.Cleanup(server.Close)
			settings["IDENTITY_ENDPOINT"] = server.URL + "/msi/token"
		}},
		{"table", "the table service", func(t *testing.T, c *cloudStandIn, settings map[string]string, answer http.HandlerFunc) {
			server := httptest.NewServer(answer)
			t.Cleanup(server.Close)
			settings["PUSHBACK_TABLE_CONNECTION"] = azurite.Connection(strings.TrimPrefix(server.URL, "http://"))
		}},
		{"manager", "Azure Resource Manager", func(_ *testing.T, c *cloudStandIn, settings map[string]string, answer http.HandlerFunc) {
			c.arm = answer
			settings["PUSHBACK_SENTINEL_WORKSPACE"] = standInSentinel
		}},
		{"collector", "", func(t *testing.T, c *cloudStandIn, settings map[string]string, answer http.HandlerFunc) {
			server := httptest.NewServer(answer)
			t.Cleanup(server.Close)
			settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = server.URL
			settings["OTEL_EXPORTER_OTLP_HEADERS"] = "api-key=S3cr3tS1gn4ture"
		}},
		{"webhook", "", func(_ *testing.T, c *cloudStandIn, settings map[string]string, answer http.HandlerFunc) {
			c.teams = answer
			settings["PUSHBACK_TEAMS_WEBHOOK_URL"] = "https://" + standInTeams + "/workflows/alerts?api-version=1&sig=S3cr3tS1gn4ture"
		}},
	} {
		for _, m := range misbehaviours {
			t.Run(service.name+" with "+m.name, func(t *testing.T) {
				t.Parallel()
				var followed atomic.Int32
				elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
				t.Cleanup(elsewhere.Close)
				c := newCloud(t)
				settings := map[string]string{"PUSHBACK_QUERY_TIMEOUT": "2s", "PUSHBACK_TICK_TIMEOUT": "3m"}
				if strings.HasSuffix(m.says, "iB") || strings.HasSuffix(m.says, "limit") {
					settings["PUSHBACK_QUERY_TIMEOUT"] = "30s" // a busy machine takes a while to reach a limit
				}
				service.put(t, c, settings, func(w http.ResponseWriter, _ *http.Request) { m.do(w, elsewhere.URL) })
				h := startHost(t, c, settings)
				begin := time.Now()
				c.setNow(at(11, 5))
				// The tick's own time, and ten seconds.
				h.client.Timeout = 3*time.Minute + 10*time.Second
				got := h.post(timerBody(at(11, 5), 0), nil)
				t.Logf("%s with %s: %d after %s with %.0f MB: %s", service.name, m.name, got.status, time.Since(begin).Round(time.Millisecond), peakMegabytes(t, h.cmd.Process.Pid), got.refusal.Failures)
				if peak := peakMegabytes(t, h.cmd.Process.Pid); peak >= mostHostileMegabytes {
					t.Errorf("the process took %.0f MB", peak)
				}
				failures := strings.Join(got.refusal.Failures, "\n")
				if strings.Contains(failures, "more time") && (service.name != "workspace" || strings.HasPrefix(m.name, "cut")) {
					t.Errorf("the failure blames the query: %s", failures)
				}
				want := http.StatusInternalServerError
				if service.name == "collector" || service.name == "webhook" && slices.Contains(successes, m.name) { // without a collector a tick does its work
					want = http.StatusOK
				}
				if got.status != want {
					t.Errorf("the tick answered %d: %s", got.status, got.body)
				}
				if service.says != "" && m.says != "" {
					if !strings.Contains(failures, m.says) {
						t.Errorf("the failure does not say %q: %s", m.says, failures)
					}
					if strings.Contains(m.says, "limit") && !strings.Contains(failures, service.says) && !strings.Contains(failures, "a single value") {
						t.Errorf("the failure does not name %s: %s", service.says, failures)
					}
				}
				if n := followed.Load(); n != 0 {
					t.Errorf("%d redirects were followed", n)
				}
				if out := got.body + h.stdout.String() + h.stderr.String(); strings.Contains(out, "S3cr3t") {
					t.Error("a secret is shown")
				}
				if len(got.body) > 64<<10 {
					t.Errorf("the answer has %d bytes", len(got.body))
				}
			})
		}
	}
}
