//go:build unix

package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFilesThatBlock gives every flag that takes a file what is none. Each of
// these would wait for ever, or read for ever.
func TestFilesThatBlock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
	for _, folder := range []string{"logs", "rules", "lists"} {
		if err := os.Mkdir(in(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, pipe := range []string{"pipe", "logs/pipe.json", "rules/pipe.yaml", "lists/pipe.csv"} {
		if err := syscall.Mkfifo(in(pipe), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"logs/zero.json", "rules/zero.yml", "lists/zero.csv"} {
		if err := os.Symlink("/dev/zero", in(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(in("logs", "SigninLogs.json"), []byte(`{"TimeGenerated":"2026-03-17T10:00:00Z"}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"query", "--file", in("pipe")}, "it is a pipe that nobody writes to"},
		{[]string{"query", "--file", "/dev/zero"}, "not a regular file"},
		{[]string{"query", "--logs", in("pipe"), "T"}, "neither a file nor a folder"},
		{[]string{"query", "--logs", "/dev/zero", "T"}, "neither a file nor a folder"},
		{[]string{"query", "--logs", in("logs"), "SigninLogs | nothing"}, "pipe.json: not read: not a regular file; and 1 other file like it, such as " + in("logs/zero.json")},
		{[]string{"query", "--watchlists", in("lists"), "_GetWatchlist('pipe')"}, "not a regular file"},
		{[]string{"query", "--watchlists", in("lists"), "_GetWatchlist('zero')"}, "not a regular file"},
		{[]string{"replay", "--logs", in("logs"), "--rules", in("pipe")}, "it is not a regular file"},
		{[]string{"replay", "--logs", in("logs"), "--rules", in("rules")}, "rules/pipe.yaml: it is not a regular file"},
		{[]string{"replay", "--logs", in("logs"), "--rules", in("rules")}, "rules/zero.yml: it is not a regular file"},
		{[]string{"card", "--alert", in("pipe")}, "it is a pipe that nobody writes to"},
		{[]string{"card", "--alert", "/dev/zero"}, "not a regular file"},
	} {
		if r := handler(t, tt.args...); r.code != exitFailed || !strings.Contains(r.stderr, tt.want) {
			t.Errorf("%q: code %d, %s", tt.args, r.code, r.stderr)
		}
	}
}

// endlessInput is standard input that never ends.
type endlessInput struct{}

func (endlessInput) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
}

// silentInput is standard input that nobody writes to.
type silentInput struct{ done <-chan struct{} }

func (s silentInput) Read([]byte) (int, error) { <-s.done; return 0, nil }

func TestStandardInput(t *testing.T) {
	t.Parallel()
	for limit, args := range map[string][]string{"2 MiB": {"query", "-"}, "64 MiB": {"card", "--alert", "-"}} {
		var out bytes.Buffer
		if code := run(context.Background(), args, endlessInput{}, &out, &out); code != exitFailed || !strings.Contains(out.String(), "larger than "+limit+", the limit") {
			t.Errorf("%q of input without end: code %d, %s", args, code, out.String())
		}
		out.Reset()
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(10*time.Millisecond, cancel)
		if code := run(ctx, args, silentInput{t.Context().Done()}, &out, &out); code != exitInterrupted {
			t.Errorf("%q of input that does not come: code %d, %s", args, code, out.String())
		}
	}
}

// TestProcessRulesThatBlock puts a pipe among the rules of serve: the tick answers
// and so does the next.
func TestProcessRulesThatBlock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "rule.yaml"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := newCloud(t)
	h := startHost(t, c, map[string]string{"PUSHBACK_RULES": dir})
	for minute := range 2 {
		got := h.tick(c, at(11, 5+5*minute), http.StatusInternalServerError)
		if !strings.Contains(got.refusal.Error, "rule.yaml: it is not a regular file") {
			t.Errorf("the tick says %s", got.body)
		}
	}
	h.stop()
}
