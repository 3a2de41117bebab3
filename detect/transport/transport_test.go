package transport

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// ask sends a request through azcore's pipeline, as the clients of the SDK do, and
// returns what it reads.
func ask(t *testing.T, server *httptest.Server, most int64) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	options := policy.ClientOptions{
		Transport: Bounded(nil, Limits{Service: "the test", Answer: most}),
		Retry:     policy.RetryOptions{MaxRetries: 2, RetryDelay: time.Millisecond},
	}
	if server.TLS != nil {
		options.Transport = Bounded(server.Client(), Limits{Service: "the test", Answer: most})
	}
	pipeline := runtime.NewPipeline("test", "v0", runtime.PipelineOptions{}, &options)
	request, err := runtime.NewRequest(ctx, http.MethodGet, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	response, err := pipeline.Do(request)
	if err != nil {
		return "", err
	}
	text, err := runtime.Payload(response)
	return string(text), err
}

// flood writes until nobody reads any more.
func flood(w io.Writer) {
	piece := []byte(strings.Repeat("x", 32<<10))
	for {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}

func TestAnswersWithoutEnd(t *testing.T) {
	t.Parallel()
	for _, status := range []int{200, 201, 206, 400, 401, 403, 404, 409, 429, 500, 503} {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d packed %t", status, packed), func(t *testing.T) {
				t.Parallel()
				var requests atomic.Int32
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					if !packed {
						w.WriteHeader(status)
						flood(w)
						return
					}
					w.Header().Set("Content-Encoding", "gzip")
					w.WriteHeader(status)
					z := gzip.NewWriter(w)
					flood(z)
				}))
				defer server.Close()
				_, err := ask(t, server, 3<<20)
				var large *TooLargeError
				if !errors.As(err, &large) || large.Status != status {
					t.Fatalf("error = %v", err)
				}
				limit := "1 MiB"
				if status < 300 {
					limit = "3 MiB"
				}
				if want := fmt.Sprintf("the test sent an answer (%d) of more than %s", status, limit); !strings.Contains(err.Error(), want) {
					t.Errorf("error = %v, want %q in it", err, want)
				}
				if n := requests.Load(); n != 1 {
					t.Errorf("it was asked %d times", n)
				}
			})
		}
	}
}

func TestAnswerAtTheLimit(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, n))
		}))
		text, err := ask(t, server, 1<<20)
		server.Close()
		if fits := n <= 1<<20; fits != (err == nil) || fits && len(text) != n {
			t.Errorf("of %d bytes %d are read, error = %v", n, len(text), err)
		}
	}
}

// raw is a server that writes what it wants to each connection.
func raw(t *testing.T, write func(io.Writer)) *httptest.Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				write(conn)
			}()
		}
	}()
	return &httptest.Server{URL: "http://" + listener.Addr().String()}
}

func TestHeadersWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(io.Writer){
		"one header": func(w io.Writer) {
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nX: ")
			flood(w)
		},
		"many headers": func(w io.Writer) {
			_, err := io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			for i := 0; err == nil; i++ {
				_, err = fmt.Fprintf(w, "X-%d: x\r\n", i)
			}
		},
		"interim answers": func(w io.Writer) {
			var err error
			for err == nil {
				_, err = io.WriteString(w, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
			}
		},
		"status line": func(w io.Writer) {
			_, _ = io.WriteString(w, "HTTP/1.1 200 ")
			flood(w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ask(t, raw(t, write), 1<<20)
			var large *TooLargeError
			if !errors.As(err, &large) || !large.Headers {
				t.Fatalf("error = %v", err)
			}
			if want := "the test sent an answer whose headers are larger than 256 KiB"; !strings.Contains(err.Error(), want) {
				t.Errorf("error = %v, want %q in it", err, want)
			}
		})
	}
}

func TestHeadersWithoutEndOverHTTP2(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := range 254 { // a little more than is read: of much more the connection is closed
			w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1000))
		}
	}))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	server.Client().Transport.(*http.Transport).MaxResponseHeaderBytes = mostHeaders
	_, err := ask(t, server, 1<<20)
	var large *TooLargeError
	if !errors.As(err, &large) || !large.Headers {
		t.Fatalf("error = %v", err)
	}
}

// TestDrip has an answer that comes a byte at a time, for ever: it ends with the
// request's time.
func TestDrip(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte("x"))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	}))
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := Bounded(nil, Limits{Service: "the test", Answer: 1 << 20}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(response.Body); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v", err)
	}
	_ = response.Body.Close()
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	host := strings.TrimPrefix(elsewhere.URL, "http://")
	for _, tt := range []struct{ location, want string }{
		{elsewhere.URL + "/x?sig=secret", `a redirect to the host "` + host + `", which`},
		{"//" + host + "/x", `a redirect to the host "` + host + `", which`},
		{"http://user:secret@" + host + "/x", `a redirect to the host "` + host + `", which`},
		{"https://" + host, `a redirect to the host "` + host + `", which`},
		{"/here?sig=secret", `a redirect to the host "127.0.0.1:`},
		{"", "a redirect that leads nowhere"},
		{"http://[secret", "a redirect that leads nowhere"},
		{"ftp://evil.example/secret", `a redirect to the host "evil.example"`},
		{"http://\u202egro.live/", `a redirect to the host "\u202egro.live"`},
		{"http://" + strings.Repeat("a", 5000) + "/", strings.Repeat("a", 100) + `..."`},
	} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Location"] = []string{tt.location}
				w.WriteHeader(status)
			}))
			_, err := ask(t, server, 1<<20)
			server.Close()
			var redirected *RedirectError
			if !errors.As(err, &redirected) {
				t.Errorf("%d %s: error = %v", status, tt.location, err)
				continue
			}
			if text := err.Error(); !strings.HasPrefix(text, fmt.Sprintf("the test answered %d with ", status)) || !strings.Contains(text, tt.want) || strings.Contains(text, "secret") {
				t.Errorf("%d %s: error = %v, want %q in it", status, tt.location, err, tt.want)
			}
		}
	}
	if n := followed.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// TestRetryAfterReachesAzcore has azcore give up on a wait that it could not read,
// instead of trying again at once.
func TestRetryAfterReachesAzcore(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Retry-After", "1"+strings.Repeat("0", 30))
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer server.Close()
	if _, err := ask(t, server, 1<<20); err != nil {
		t.Fatal(err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("it was asked %d times", n)
	}
}
