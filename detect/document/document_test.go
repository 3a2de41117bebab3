package document

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParse pins that what is wrong with a file is said with its place.
func TestParse(t *testing.T) {
	t.Parallel()
	const things Kind = "things"
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "f.yaml: the file is empty: expected things: and a list"},
		{"an empty mapping", "{}", "f.yaml:1:1: the file has no things: expected things: and a list"},
		{"another key", "thing: []", `f.yaml:1:1: the file has no key "thing": did you mean "things"?`},
		{"a list", "- a", "f.yaml:1:1: the file is a list: expected keys with their values, such as things"},
		{"no list", "things: a", `f.yaml:1:9: things is "a": expected a list`},
		{"too many", "things: [a, b, c]", "f.yaml:1:9: there are 3 things, and at most 2 can be: because"},
		{"two documents", "things: []\n---\nthings: []", "f.yaml:2:1: there is a second document behind the first: expected one, without ---"},
		{"a tab", "things:\n\t- a", "f.yaml:2:2: it is not valid YAML: found character that cannot start any token (indent with spaces: YAML does not accept tabs)"},
		{"not UTF-8", "things: [\xff]", "f.yaml:1:10: the file is not UTF-8 text: save it as UTF-8"},
		{"twice", "things: []\nthings: []", "f.yaml:2:1: the key things is there twice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, items := things.Parse("f.yaml", []byte(tt.text), 2, "because")
			var got []string
			for _, p := range r.Problems() {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" || len(items) > 0 {
				t.Errorf("%d items: %s", len(items), diff)
			}
		})
	}
	if r, items := things.Parse("f.yaml", []byte("things: [a, b]"), 2, ""); len(items) != 2 || r.Count() > 0 {
		t.Errorf("%d items, %v", len(items), r.Problems())
	}
}

// TestLoad pins what a path that is no file comes to.
func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, absent := Kind("things").Load(filepath.Join(dir, "things.yaml"))
	_, folder := Kind("things").Load(dir)
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, make([]byte, mostFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	_, size := Kind("things").Load(large)
	for i, p := range []*Problem{absent, folder, size} {
		want := []string{"the file of things cannot be read: no such file or directory", "this is a folder: name a file of things, such as things.yaml in it", "it is larger than 8 MiB, the limit of a file of things"}[i]
		if p == nil || p.Message != want {
			t.Errorf("got %v, want %s", p, want)
		}
	}
}
