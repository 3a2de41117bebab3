package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/infra/binary"
)

var testVersion = binary.Version{Name: "v1.2.3", Commit: "0123456789abcdef0123456789abcdef01234567", Date: time.Date(2026, 3, 17, 8, 0, 0, 0, time.UTC)}

// contents reads the files of a folder.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// The sources in two folders make the same bytes, and the checksums are theirs. What
// is in the zip runs and says its version, its commit and its date.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	another := filepath.Join(t.TempDir(), "another clone")
	for _, name := range []string{"go.mod", "go.sum", "LICENSE", "host.json", "detect", "function-app", "handler", "infra"} {
		from, to := filepath.Join("../..", name), filepath.Join(another, name)
		info, err := os.Stat(from)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else {
			var text []byte
			if text, err = os.ReadFile(from); err == nil {
				if err = os.MkdirAll(another, 0o755); err == nil {
					err = os.WriteFile(to, text, 0o644)
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	targets := []binary.Target{{OS: runtime.GOOS, Arch: runtime.GOARCH}}
	var made []map[string][]byte
	for _, root := range []string{"../..", another} {
		out := filepath.Join(t.TempDir(), "dist")
		if err := build(root, out, testVersion, targets, false); err != nil {
			t.Fatal(err)
		}
		made = append(made, contents(t, out))
	}
	name := "pushback_v1.2.3_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip"
	if len(made[0]) != 3 || made[0][name] == nil || made[0]["pushback_v1.2.3_functionapp.zip"] == nil {
		t.Fatalf("%d files", len(made[0]))
	}
	for name, content := range made[0] {
		if !bytes.Equal(content, made[1][name]) {
			t.Errorf("%s differs", name)
		}
		if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(content), name); name != "SHA256SUMS" && !strings.Contains(string(made[0]["SHA256SUMS"]), line) {
			t.Errorf("no line %s in\n%s", line, made[0]["SHA256SUMS"])
		}
	}

	r, err := zip.NewReader(bytes.NewReader(made[0][name]), int64(len(made[0][name])))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 2 || r.File[0].Name != targets[0].Name() || r.File[0].Mode() != 0o755 || r.File[1].Name != "LICENSE" {
		t.Fatalf("%v", r.File)
	}
	in, err := r.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	app, err := zip.NewReader(bytes.NewReader(made[0]["pushback_v1.2.3_functionapp.zip"]), int64(len(made[0]["pushback_v1.2.3_functionapp.zip"])))
	if err != nil {
		t.Fatal(err)
	}
	if f := app.File[0]; f.Name != "bin/handler" || f.Mode() != 0o755 || targets[0] == platforms[0] && f.CRC32 != r.File[0].CRC32 {
		t.Errorf("the package has another binary: %+v", f.FileHeader)
	}
	program := filepath.Join(t.TempDir(), targets[0].Name())
	content, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o755); err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(program, "--version").CombinedOutput()
	if want := "v1.2.3, commit " + testVersion.Commit + ", 2026-03-17T08:00:00Z"; err != nil || !strings.Contains(string(said), want) {
		t.Errorf("%q, want %s: %v", said, want, err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]int{"": 5, "linux/amd64": 1, "windows/amd64,darwin/arm64": 2, "linux": -1, "plan9/amd64": -1, "linux/amd64,": -1} {
		got, err := choose(list)
		if err != nil {
			got = make([]binary.Target, 0)
		}
		if (err != nil) != (want < 0) || want >= 0 && len(got) != want {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	repository := t.TempDir()
	git(t, repository, "init", "-q")
	commit(t, repository, "first")
	git(t, repository, "tag", "v1.0.0")
	commit(t, repository, "second")
	git(t, repository, "tag", "v1.1.0")
	git(t, repository, "tag", "-a", "-m", "x", "v1.1.0-rc.1") // which git describe names
	there := t.TempDir()
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-platforms", "vms/vax"}, 2, `"vms/vax" is none of the platforms`},
		{[]string{"more"}, 2, `unknown argument "more"`},
		{[]string{"-root", t.TempDir()}, 1, "not a git repository"},
		{[]string{"-root", repository, "-tag", "v1.0.0"}, 1, "not v1.0.0: check out the tag"},
		{[]string{"-root", repository, "-tag", "v9.9.9"}, 1, "not v9.9.9: check out the tag"},
		{[]string{"-root", repository, "-tag", "v1.1.0", "-o", there}, 1, "must be new"},
		{[]string{"-root", repository, "-o", there}, 1, "must be new"},
	} {
		var said strings.Builder
		if code := run(tc.args, &said); code != tc.code || !strings.Contains(said.String(), tc.want) {
			t.Errorf("%q: %d, %s", tc.args, code, said.String())
		}
	}
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "tag.gpgSign=false", "-c", "commit.gpgSign=false"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v: %s", args, err, out)
	}
}

func commit(t *testing.T, dir, subject string) {
	t.Helper()
	git(t, dir, "commit", "-q", "--allow-empty", "-m", subject)
}

// Notes are of the commits since the tag before, and their subjects mean nothing to Markdown.
func TestNotes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	git(t, dir, "init", "-q")
	commit(t, dir, "Begin")
	text, err := notes(dir, "v0.1.0")
	if err != nil || !strings.HasPrefix(text, "Changes from the beginning to v0.1.0:\n\n- Begin (") {
		t.Errorf("%v: %s", err, text)
	}
	git(t, dir, "tag", "v0.1.0")
	commit(t, dir, "Thank @somebody for [this](https://evil.example) <img src=x>")
	commit(t, dir, "Count `rows` | twice")
	git(t, dir, "tag", "v0.2.0")
	text, err = notes(dir, "v0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`\([0-9a-f]{7,}\)`).ReplaceAllString(text, "(c)")
	want := "Changes from v0.1.0 to v0.2.0:\n\n- Count \\`rows\\` \\| twice (c)\n- Thank @\u200bsomebody for \\[this\\]\\(https://evil.example\\) \\<img src=x\\> (c)\n"
	if diff := cmp.Diff(want, got[:min(len(want), len(got))]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The tool is of one version, and a bill has the version and the time of the commit.
func TestSettle(t *testing.T) {
	t.Parallel()
	if !regexp.MustCompile(`^github\.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v\d+\.\d+\.\d+$`).MatchString(bomTool) {
		t.Errorf("%s is not of one version", bomTool)
	}
	got, err := settle([]byte(`{"metadata": {"timestamp": "2026-11-30T00:00:00Z", "component": {"name": "pushback", "version": "v0.0.0-1", "bom-ref": "pkg:golang/pushback@v0.0.0-1?type=module"},
		"tools": [{"name": "cyclonedx-gomod", "version": "v1.9.0", "hashes": [{"alg": "MD5"}]}]},
		"components": [{"version": "v0.0.0-1"}], "dependencies": [{"ref": "pkg:golang/pushback@v0.0.0-1?type=module"}]}`), testVersion)
	want := `{
  "components": [
    {
      "version": "v0.0.0-1"
    }
  ],
  "dependencies": [
    {
      "ref": "pkg:golang/pushback@v1.2.3?type=module"
    }
  ],
  "metadata": {
    "component": {
      "bom-ref": "pkg:golang/pushback@v1.2.3?type=module",
      "name": "pushback",
      "version": "v1.2.3"
    },
    "timestamp": "2026-03-17T08:00:00Z",
    "tools": [
      {
        "name": "cyclonedx-gomod",
        "version": "v1.9.0"
      }
    ]
  }
}
`
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"", "[]", "{}", `{"metadata": {"component": {"name": "pushback"}}}`} {
		if _, err := settle([]byte(text), testVersion); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
