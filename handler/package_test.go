package main

import (
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/infra/binary"
)

// The shipped rule's id, and that of a rule of one's own.
const (
	shippedID = "d99cf5c3-d660-436c-895b-8a8f8448da23"
	ownID     = "11111111-2222-4333-8444-555555555555"
)

// TestPackage builds the zip twice, byte for byte the same, unpacks it, starts
// the binary from it as the host would, and runs ticks.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules := filepath.Join(dir, "own")
	tool := filepath.Join(dir, "package")
	if text, err := exec.Command("go", "build", "-o", tool, "../infra/package").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if err := os.Mkdir(rules, 0o755); err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mine := strings.Replace(string(shipped), shippedID, ownID, 1)
	for name, text := range map[string]string{"mine.yaml": mine, "notes.txt": "x", "secret.json": "{}", ".hidden.yaml": "x"} {
		if err := os.WriteFile(filepath.Join(rules, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pack := func(out string, env []string, args ...string) (string, error) {
		cmd := exec.Command(tool, append([]string{"-root", "..", "-o", out}, args...)...)
		cmd.Env = append(os.Environ(), env...)
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	var zips [][]byte
	for name, env := range map[string][]string{"a.zip": nil, "b.zip": {"GOAMD64=v3", "GOFLAGS=-tags=other", "GOEXPERIMENT=nosuch", "GOOS=windows"}} {
		out := filepath.Join(dir, name)
		if text, err := pack(out, env, "-version", "v1.2.3-test", "-rules", rules); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		content, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		zips = append(zips, content)
	}
	if !bytes.Equal(zips[0], zips[1]) {
		t.Error("two builds differ")
	}
	for _, args := range [][]string{{"-version", "a b"}, {"-version", "x", "-rules", filepath.Join(dir, "nowhere")}, {"extra"}} {
		if text, err := pack(filepath.Join(dir, "bad.zip"), nil, args...); err == nil || text == "" {
			t.Errorf("%q: %v %s", args, err, text)
		}
	}

	c := newCloud(t)
	h := startHost(t, c, nil)
	h.stop()
	h.root = t.TempDir()
	r, err := zip.NewReader(bytes.NewReader(zips[0]), int64(len(zips[0])))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range r.File {
		names = append(names, f.Name)
		to := filepath.Join(h.root, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		// As a process of its own, so that no other test's has it open for writing.
		cp := exec.Command("sh", "-c", `cat >"$0" && chmod "$1" "$0"`, to, "0"+strings.TrimLeft(modeText(f.Mode()), "0"))
		cp.Stdin = bytes.NewReader(content)
		if text, err := cp.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	if diff := cmp.Diff([]string{"bin/handler", "function-app/function.json", "host.json", "rules/mfa-fatigue.yaml", "rules/mfa-rejected-by-user.yaml", "rules/mine.yaml"}, slices.Sorted(slices.Values(names))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if text, err := exec.Command(filepath.Join(h.root, "bin/handler"), "--version").Output(); err != nil || !strings.Contains(string(text), "v1.2.3-test") {
		t.Errorf("version %q: %v", text, err)
	}
	h.env = append(h.env, "PUSHBACK_RULES=rules")
	h.start()
	h.tick(c, at(11, 5), http.StatusOK)
	h.stop()
	out := h.stdout.String()
	if len(alertLines(t, out)) == 0 || !strings.Contains(out, `"version":"v1.2.3-test"`) {
		t.Errorf("the package says nothing, or not what it is:\n%.2000s", out)
	}
}

func modeText(m os.FileMode) string {
	if m.Perm()&0o100 != 0 {
		return "755"
	}
	return "644"
}

// TestBuildVersion wants the version of the sources in what make build writes.
func TestBuildVersion(t *testing.T) {
	t.Parallel()
	want := []string{"development"} // the sources are no clone
	if described, err := binary.Describe(".."); err == nil {
		want = []string{described.Name, "commit " + described.Commit, described.Date.Format(time.RFC3339)}
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	got, err := exec.Command(bin, "--version").Output()
	for _, part := range append(want, runtime.GOOS+"/"+runtime.GOARCH) {
		if err != nil || !strings.Contains(string(got), part) {
			t.Errorf("%q, want %s: %v", got, part, err)
		}
	}
}

// TestFuncIgnore reads .funcignore as Core Tools do: a pattern is the beginning
// of a path, and one with a ! outweighs all without.
// https://github.com/Azure/azure-functions-core-tools/blob/main/src/Azure.Functions.Cli/Common/GitIgnoreParser.cs
func TestFuncIgnore(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../.funcignore")
	if err != nil {
		t.Fatal(err)
	}
	var denied, kept []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, keep := strings.CutPrefix(line, "!")
		pattern = strings.ReplaceAll(regexp.QuoteMeta(strings.TrimPrefix(pattern, "/")), `\*`, "[^/]+")
		if keep {
			kept = append(kept, pattern)
		} else {
			denied = append(denied, pattern)
		}
	}
	begins := func(patterns []string) *regexp.Regexp {
		return regexp.MustCompile("^(" + strings.Join(patterns, "|") + ")")
	}
	denies, keeps := begins(denied), begins(kept)

	files := []string{"pushback.zip", "local.settings.json", "notes.txt", ".env", ".ci/venv/pyvenv.cfg", "bin/handler", "rules/mine.yaml"}
	err = fs.WalkDir(os.DirFS(".."), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".ci", "bin", "rules"}, name):
			return fs.SkipDir
		case !d.IsDir():
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var published []string
	for _, name := range files {
		if keeps.MatchString(name) || !denies.MatchString(name) {
			published = append(published, name)
		}
	}
	slices.Sort(published)
	if diff := cmp.Diff([]string{"bin/handler", "function-app/function.json", "host.json", "rules/mine.yaml"}, published); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}
