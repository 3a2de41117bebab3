package webhook

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pushback/detect/notify/post"
)

// The receivers of the README take what is signed, once, and nothing else. The one
// in Go is built, which takes its time.
func TestReceiversOfTheReadme(t *testing.T) {
	t.Parallel()
	for _, language := range []string{"go", "python"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := listener.Addr().String()
			if err := listener.Close(); err != nil {
				t.Fatal(err)
			}
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile("README.md")
			if err != nil {
				t.Fatal(err)
			}
			m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(text)
			if m == nil || bytes.Count(m[1], []byte("8080")) != 1 {
				t.Fatal("the README has none with a port")
			}
			source := strings.ReplaceAll(string(m[1]), "8080", port)
			var command []string
			if language == "go" {
				file, binary := filepath.Join(t.TempDir(), "main.go"), filepath.Join(t.TempDir(), "receiver")
				if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, file).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				command = []string{binary}
			} else {
				python, err := exec.LookPath("python3")
				if err != nil {
					t.Skip("no python3")
				}
				command = []string{python, "-c", source}
			}
			receive(t, address, command)
		})
	}
}

// receive runs a receiver and posts to it.
func receive(t *testing.T, address string, command []string) {
	ctx, stop := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+vectorSecret)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		stop()
		_ = cmd.Wait() // it was killed
		const want = "alert.update High "
		if n := strings.Count(out.String(), want); n != 1 || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("it printed %q, want one line with %s", out.String(), want)
		}
	}()
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			break
		}
		time.Sleep(10 * time.Millisecond) // the test's own time ends it
	}
	u, err := post.ParseURL("https://" + address + secretPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, secrets string
		late          time.Duration
		altered       bool
		want          string
	}{
		{name: "another secret", secrets: otherSecret, want: "401"},
		{name: "altered", secrets: vectorSecret, altered: true, want: "401"},
		{name: "old", secrets: vectorSecret, late: 10 * time.Minute, want: "401"},
		{name: "signed", secrets: vectorSecret},
		{name: "again", secrets: vectorSecret},
		{name: "again, with two secrets", secrets: otherSecret + " " + vectorSecret},
	} {
		w, err := New(u, mustSecrets(t, tc.secrets), Options{Transport: plain{tc.altered}, Now: func() time.Time { return time.Now().Add(-tc.late) }})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Notify(t.Context(), sampleAlert())
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), "it answered "+tc.want)) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// plain is what ends TLS before a receiver, and may alter what passes.
type plain struct{ alter bool }

func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	if p.alter {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.Replace(body, []byte(`"High"`), []byte(`"Lows"`), 1)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return http.DefaultTransport.RoundTrip(r)
}
