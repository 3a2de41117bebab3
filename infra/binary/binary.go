// Package binary builds the handler. It is the one place that knows the flags it is
// built with: for this machine, for the package of a function app and for a release.
package binary

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Version says which sources a binary is of.
type Version struct {
	Name   string // the tag, with what git adds after it
	Commit string
	Date   time.Time // of the commit
}

var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// Check returns an error for a version that is not a word: it becomes part of the
// linker's flags and of file names.
func (v Version) Check() error {
	if !plain.MatchString(v.Name) {
		return fmt.Errorf("the version %q is not a word of letters, digits and ._+-", v.Name)
	}
	if v.Commit != "" && !plain.MatchString(v.Commit) {
		return fmt.Errorf("the commit %q is not a word of letters and digits", v.Commit)
	}
	return nil
}

// Describe returns what git calls the sources. Files that it does not track are
// compiled too, so they make them dirty as well.
func Describe(root string) (Version, error) {
	name, err := Git(root, "describe", "--tags", "--always", "--abbrev=12")
	if err != nil {
		return Version{}, err
	}
	head, err := Git(root, "log", "-1", "--format=%H %ct")
	if err != nil {
		return Version{}, err
	}
	commit, seconds, _ := strings.Cut(head, " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return Version{}, fmt.Errorf("git log says %q of the last commit: %w", head, err)
	}
	changes, err := Git(root, "status", "--porcelain", "--untracked-files=normal")
	if err != nil {
		return Version{}, err
	}
	if changes != "" {
		name, commit = name+"-dirty", commit+"-dirty"
	}
	return Version{Name: name, Commit: commit, Date: time.Unix(at, 0).UTC()}, nil
}

// Git runs git in a folder and returns what it prints.
func Git(root string, args ...string) (string, error) {
	out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(string(failed.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

// Target is what a binary is built for.
type Target struct {
	OS, Arch string // of this machine if they are empty
	Debug    bool   // with what a debugger needs, which makes it larger and slower
	Pinned   bool   // by the Go that go.mod names, so that two machines make the same bytes
}

func (t Target) system() string { return cmp.Or(t.OS, runtime.GOOS) }
func (t Target) arch() string   { return cmp.Or(t.Arch, runtime.GOARCH) }

func (t Target) String() string { return t.system() + "/" + t.arch() }

// Name returns what the binary is called on its system.
func (t Target) Name() string {
	if t.system() == "windows" {
		return "handler.exe"
	}
	return "handler"
}

// Env returns the environment that the handler of a folder is built in. What may be set
// of Go's variables on one machine and not on another has one value here, and the lowest
// level of the processor: what it runs on is not known.
func (t Target) Env(root string) ([]string, error) {
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS="+t.system(), "GOARCH="+t.arch(), "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off",
		"GOWORK=off", "GOFLAGS=-mod=readonly") // an empty one would be that of go env -w
	if !t.Pinned {
		return env, nil
	}
	ask := exec.Command("go", "list", "-m", "-f", "{{.GoVersion}}")
	ask.Dir, ask.Env, ask.Stderr = root, env, os.Stderr
	language, err := ask.Output()
	if err != nil {
		return nil, fmt.Errorf("asking which Go go.mod names: %w", err)
	}
	return append(env, "GOTOOLCHAIN=go"+strings.TrimSpace(string(language))), nil
}

// flags are those of go build.
func (t Target) flags(v Version) []string {
	var ld []string
	if v.Name != "" {
		ld = append(ld, "-X main.version="+v.Name)
	}
	if v.Commit != "" {
		ld = append(ld, "-X main.commit="+v.Commit)
	}
	if !v.Date.IsZero() {
		ld = append(ld, "-X main.date="+v.Date.UTC().Format(time.RFC3339))
	}
	flags := []string{"-buildvcs=false"}
	if t.Debug { // where the files are, a debugger must know; what is not ours it need not read line by line
		return append(flags, "-gcflags=pushback/...=-N -l", "-ldflags="+strings.Join(ld, " "))
	}
	// The id is ours, not one of the compiler's inputs; macOS refuses a binary that has none.
	ld = append(ld, "-s", "-w", "-buildid="+strings.Join([]string{"pushback", cmp.Or(v.Name, "development"), v.Commit, t.system(), t.arch()}, "/"))
	return append(flags, "-trimpath", "-ldflags="+strings.Join(ld, " "))
}

// Compile builds the handler of a folder of sources. A version without a name stamps none.
func Compile(root, out string, v Version, t Target) error {
	if v.Name != "" {
		if err := v.Check(); err != nil {
			return err
		}
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	env, err := t.Env(root)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", slices.Concat([]string{"build"}, t.flags(v), []string{"-o", out, "./handler"})...)
	cmd.Dir, cmd.Env, cmd.Stderr = root, env, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build for %s: %w", t, err)
	}
	return nil
}
