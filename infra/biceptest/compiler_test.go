package biceptest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The compiler beside the project goes before that of the PATH, and that of the Azure
// CLI comes last.
func TestFind(t *testing.T) {
	t.Parallel()
	name := "bicep"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, tc := range []struct {
		name             string
		beside, path, az bool
		want             string
	}{
		{name: "all", beside: true, path: true, az: true, want: "beside"},
		{name: "path", path: true, az: true, want: "path"},
		{name: "az", az: true, want: "az"},
		{name: "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			places := map[string]string{"beside": filepath.Join(dir, "shared", "tools", "bicep", name), "path": filepath.Join(dir, "path", name), "az": filepath.Join(dir, "az", "bin", name)}
			for place, there := range map[string]bool{"beside": tc.beside, "az": tc.az} {
				if !there {
					continue
				}
				if err := os.MkdirAll(filepath.Dir(places[place]), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(places[place], nil, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			look := func(string) (string, error) {
				if tc.path {
					return places["path"], nil
				}
				return "", errors.New("none")
			}
			got, err := find(filepath.Join(dir, "project"), look, func(string) string { return filepath.Join(dir, "az") })
			if got != places[tc.want] || (err != nil) != (tc.want == "") {
				t.Errorf("%q, %v, want that of %q", got, err, tc.want)
			}
		})
	}
}

// A call has its answer, or says what is wrong with it; after a connection that is
// broken there are no more.
func TestCall(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, answer, want, wrong string }{
		{name: "an answer", answer: "Content-Length: 45\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"result":{"A":"b c"}}`, want: "b c"},
		{name: "a part", answer: "Content-Length: 53\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"error":{"message":"no file"}}`[:53], wrong: "unexpected end"},
		{name: "its error", answer: "Content-Length: 54\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"error":{"message":"no file"}}`, wrong: "no file"},
		{name: "another's", answer: "Content-Length: 36\r\n\r\n" + `{"jsonrpc":"2.0","id":2,"result":{}}`, wrong: "an answer to call 2"},
		{name: "no length", answer: "Length: 2\r\n\r\n{}", wrong: `a message of length ""`},
		{name: "a length below none", answer: "Content-Length: -2\r\n\r\n{}", wrong: `a message of length "-2"`},
		{name: "the end", wrong: "EOF"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var sent bytes.Buffer
			p := newPeer(strings.NewReader(tc.answer), &sent)
			var got struct{ A string }
			err := p.call("m", map[string]string{"path": "x"}, &got)
			if got.A != tc.want || (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("%q, %v", got.A, err)
			}
			if want := "Content-Length: 62\r\n\r\n" + `{"jsonrpc":"2.0","id":1,"method":"m","params":{"path":"x"}}`; !strings.HasSuffix(sent.String(), want[strings.Index(want, "{"):]) {
				t.Errorf("it sent %q", sent.String())
			}
		})
	}
}

// The compiler that is here compiles.
func TestBuild(t *testing.T) {
	t.Parallel()
	c := Need(t)
	file := filepath.Join(t.TempDir(), "a.bicep")
	if err := os.WriteFile(file, []byte("param a string\noutput b int = a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, diagnostics, err := c.Build(file)
	if err != nil || len(text) != 0 || len(diagnostics) == 0 || diagnostics[0].Level != "Error" || diagnostics[0].Range.Start.Line != 1 {
		t.Errorf("%s, %+v, %v", text, diagnostics, err)
	}
	if _, err := c.Snapshot(file, "s", "g", "l"); err == nil || !strings.Contains(err.Error(), "getSnapshot") {
		t.Errorf("a snapshot without parameters: %v", err)
	}
}
