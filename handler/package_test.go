package main

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPackage builds the zip twice, byte for byte the same, unpacks it, starts
// the binary from it as the host would, and runs ticks.
func TestPackage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules := filepath.Join(dir, "own")
	if err := os.Mkdir(rules, 0o755); err != nil {
		t.Fatal(err)
	}
	shipped, err := os.ReadFile("../detect/rule/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"mine.yaml": string(shipped), "notes.txt": "x", "secret.json": "{}"} {
		if err := os.WriteFile(filepath.Join(rules, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pack := func(out string, args ...string) (string, error) {
		text, err := exec.Command("go", append([]string{"run", "../infra/package", "-root", "..", "-o", out}, args...)...).CombinedOutput()
		return string(text), err
	}
	var zips [][]byte
	for _, name := range []string{"a.zip", "b.zip"} {
		out := filepath.Join(dir, name)
		if text, err := pack(out, "-version", "v1.2.3-test", "-rules", rules); err != nil {
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
		if text, err := pack(filepath.Join(dir, "bad.zip"), args...); err == nil || text == "" {
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
	if diff := cmp.Diff([]string{"bin/handler", "function-app/function.json", "host.json", "rules/mfa-rejected-by-user.yaml", "rules/mine.yaml"}, slices.Sorted(slices.Values(names))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if text, err := exec.Command(filepath.Join(h.root, "bin/handler"), "--version").Output(); err != nil || !strings.Contains(string(text), "v1.2.3-test") {
		t.Errorf("version %q: %v", text, err)
	}
	if err := os.Remove(filepath.Join(h.root, "rules/mine.yaml")); err != nil { // it has the id of the shipped one
		t.Fatal(err)
	}
	h.env = append(h.env, "PUSHBACK_RULES=rules")
	h.start()
	h.tick(c, at(11, 5), http.StatusOK)
	h.stop()
	out := h.stdout.String()
	if len(alertLines(t, out)) == 0 || !strings.Contains(out, `"version":"v1.2.3-test"`) {
		t.Errorf("the package tells nothing, or not what it is:\n%.2000s", out)
	}
}

func modeText(m os.FileMode) string {
	if m.Perm()&0o100 != 0 {
		return "755"
	}
	return "644"
}
