package external

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushback/detect/kql"
)

func TestPlace(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://Raw.Example.com/a/b.csv":             "raw.example.com/a/b.csv",
		"https://h:443/a?sig=secret":                  "h/a",
		"https://h:8443/a;impersonate":                "h_8443/a",
		"https://h/":                                  "h/index",
		"https://h":                                   "h/index",
		"https://h/a/":                                "h/a/index",
		"https://h/../../etc/passwd":                  "h/etc/passwd",
		"https://h/%2e%2e/%2e%2e/etc":                 "h/etc",
		"https://h/a%2f..%2f..%2fb":                   "h/b",
		`https://h/..\..\a:b`:                         "h/..%5C..%5Ca%3Ab",
		"https://../x":                                "%2E%2E/x",
		"https://h/a b%20c":                           "h/a b c",
		"https://[::1]/x":                             "%3A%3A1/x",
		"file:///etc/passwd":                          "",
		"/etc/passwd":                                 "",
		"abfss://container@account.dfs.core/file.csv": "",
	} {
		got, err := Place(uri)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %q, %v, want %q", uri, got, err, want)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	for file, text := range map[string]string{
		filepath.Join(dir, "h", "a.csv"): "x\n", filepath.Join(outside, "secret"): "y\n",
	} {
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "h", "link")); err != nil {
		t.Fatal(err)
	}
	open := Open(dir)
	f, err := open("https://h/a.csv?sig=secret")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(text) != "x\n" {
		t.Errorf("got %q, %v", text, err)
	}
	_, err = open("https://h/none.csv?sig=secret")
	var missing *kql.MissingExternal
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "https://h/none.csv") || !strings.Contains(err.Error(), "external pull") || !strings.Contains(err.Error(), "yourself") || strings.Contains(err.Error(), "sig") {
		t.Errorf("got %v", err)
	}
	for _, uri := range []string{"https://h/link", "https://h", "ftp://h/a.csv"} {
		if _, err := open(uri); err == nil {
			t.Errorf("%s opens", uri)
		}
	}
	if _, err := Open("")("https://h/a.csv"); !errors.As(err, &missing) || !strings.Contains(err.Error(), "--external DIR") {
		t.Errorf("got %v", err)
	}
}

func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s, s.Client().Transport.(*http.Transport).TLSClientConfig
}

func TestPull(t *testing.T) {
	t.Parallel()
	other, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("other")) })
	s, config := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/list.csv":
			if r.URL.Query().Get("sig") != "secret" {
				w.WriteHeader(http.StatusForbidden)
			}
			_, _ = w.Write([]byte("a,1\n"))
		case "/moved":
			http.Redirect(w, r, "/list.csv?sig=secret", http.StatusFound)
		case "/away":
			http.Redirect(w, r, other.URL+"/x", http.StatusFound)
		case "/plain":
			http.Redirect(w, r, "http://"+r.Host+"/list.csv", http.StatusFound)
		case "/loop":
			http.Redirect(w, r, "/loop", http.StatusFound)
		case "/long":
			for range mostBytes>>20 + 1 {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		case "/announced":
			w.Header().Set("Content-Length", "999999999999")
		default:
			http.NotFound(w, r)
		}
	})
	dir := t.TempDir()
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	p := &Puller{Dir: dir, Now: func() time.Time { return at }, tls: config, public: func(netip.Addr) bool { return true }}
	pulled, err := p.Pull(context.Background(), []string{s.URL + "/list.csv?sig=secret", s.URL + "/moved"})
	if err != nil || len(pulled) != 2 {
		t.Fatalf("got %v, %v", pulled, err)
	}
	f, err := Open(dir)(s.URL + "/list.csv")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil || string(text) != "a,1\n" {
		t.Errorf("got %q, %v", text, err)
	}
	manifest, err := os.ReadFile(filepath.Join(dir, manifestName))
	sum := sha256.Sum256([]byte("a,1\n"))
	if err != nil || !strings.Contains(string(manifest), hex.EncodeToString(sum[:])) || !strings.Contains(string(manifest), "2026-03-17T10:00:00Z") || strings.Contains(string(manifest), "secret") {
		t.Errorf("the manifest is %s, %v", manifest, err)
	}
	for path, want := range map[string]string{
		"/away": "another host", "/plain": "not https", "/loop": "more than 5 times", "/long": "larger than", "/announced": "larger than", "/none?sig=secret": "404",
	} {
		_, err := p.Pull(context.Background(), []string{s.URL + path})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
		place, _ := Place(s.URL + path)
		if _, err := os.Stat(filepath.Join(dir, place)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file is left: %v", path, err)
		}
	}
	for _, uri := range []string{"http://h/a", "https://user:secret@h/a"} {
		if _, err := p.Pull(context.Background(), []string{uri}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", uri, err)
		}
	}
}

// TestPullPrivate connects to no address that is not public, whatever name leads there.
func TestPullPrivate(t *testing.T) {
	t.Parallel()
	asked := false
	s, config := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	p := &Puller{Dir: t.TempDir(), Now: time.Now, tls: config}
	for _, host := range []string{"127.0.0.1", "localhost"} {
		_, err := p.Pull(context.Background(), []string{"https://" + host + s.URL[strings.LastIndexByte(s.URL, ':'):] + "/x"})
		if err == nil || !strings.Contains(err.Error(), "not public") {
			t.Errorf("%s: got %v", host, err)
		}
	}
	if asked {
		t.Error("the server was asked")
	}
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1": true, "10.1.2.3": false, "169.254.169.254": false, "168.63.129.16": false, "100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false,
		"255.255.255.255": false, "::": false, "::1": false, "fe80::1%eth0": false, "fd00::1": false, "::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "192.168.1.1": false,
	} {
		if got := isPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: got %v", text, got)
		}
	}
}
