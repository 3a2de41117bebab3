package binary

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Describe(dir); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Errorf("outside of a repository: %v", err)
	}
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "tag.gpgSign=false", "-c", "commit.gpgSign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_COMMITTER_DATE=2026-03-17T09:00:00+01:00")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v: %s", args, err, out)
		}
	}
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := func(version string) {
		t.Helper()
		got, err := Describe(dir)
		if got.Name != version || err != nil {
			t.Errorf("%q, want %q: %v", got.Name, version, err)
		}
		if dirty := strings.HasSuffix(version, "-dirty"); strings.HasSuffix(got.Commit, "-dirty") != dirty || len(strings.TrimSuffix(got.Commit, "-dirty")) != 40 {
			t.Errorf("commit %q of %s", got.Commit, version)
		}
		if want := time.Date(2026, 3, 17, 8, 0, 0, 0, time.UTC); !got.Date.Equal(want) || got.Date.Location() != time.UTC {
			t.Errorf("date %s, want %s", got.Date, want)
		}
	}
	run("init", "-q")
	put("a.go", "package a")
	put(".gitignore", "*.zip")
	run("add", ".")
	run("commit", "-qm", "a")
	run("tag", "v1.2.3")
	put("pushback.zip", "ignored")
	want("v1.2.3")
	put("b.go", "package a")
	want("v1.2.3-dirty")
	run("add", ".")
	run("commit", "-qm", "b")
	put("a.go", "package b")
	if got, err := Describe(dir); err != nil || !regexp.MustCompile(`^v1\.2\.3-1-g[0-9a-f]{12}-dirty$`).MatchString(got.Name) {
		t.Errorf("%q: %v", got.Name, err)
	}
}

// The flags of every build are the same but for what is said here.
func TestFlags(t *testing.T) {
	t.Parallel()
	v := Version{Name: "v1.2.3", Commit: "0123abcd", Date: time.Date(2026, 3, 17, 8, 0, 0, 0, time.UTC)}
	stamps := "-X main.version=v1.2.3 -X main.commit=0123abcd -X main.date=2026-03-17T08:00:00Z"
	for _, tc := range []struct {
		name string
		v    Version
		t    Target
		want []string
	}{
		{"a release", v, Target{OS: "darwin", Arch: "arm64"}, []string{"-trimpath", "-ldflags=" + stamps + " -s -w -buildid=pushback/v1.2.3/0123abcd/darwin/arm64"}},
		{"for a debugger", v, Target{OS: "windows", Arch: "amd64", Debug: true}, []string{"-gcflags=pushback/...=-N -l", "-ldflags=" + stamps}},
		{"no clone", Version{}, Target{OS: "linux", Arch: "arm64"}, []string{"-trimpath", "-ldflags=-s -w -buildid=pushback/development//linux/arm64"}},
	} {
		want := append([]string{"-buildvcs=false"}, tc.want...)
		if got := tc.t.flags(tc.v); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", tc.name, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"v1.2.3": true, "v1.2.3-4-g0123abc-dirty": true, "": false, "a b": false, "-X": false, "v1/2": false, "v1'": false, "$(x)": false} {
		if err := (Version{Name: name}).Check(); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := (Version{Name: "v1", Commit: "a b"}).Check(); err == nil {
		t.Error("a commit of two words is taken")
	}
}

// A target that no Go knows is an error that names it.
func TestCompileNowhere(t *testing.T) {
	t.Parallel()
	err := Compile("../..", filepath.Join(t.TempDir(), "x"), Version{}, Target{OS: "nosuch", Arch: "amd64"})
	if err == nil || !strings.Contains(err.Error(), "nosuch/amd64") {
		t.Errorf("%v", err)
	}
}
