package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// In a bash without the package bash-completion a Tab completes, too: words that bash
// splits at = and :, and files by what they are.
func TestCompletionInBash(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	bin, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := folder(t, map[string]string{"my settings.json": "{}", "notes.txt": "", "logs/a.json": "{}"})
	if err := os.Symlink(bin, filepath.Join(dir, "handler")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		words []string // as bash splits them
		line  string
		want  string // the completions with a / between them, without descriptions
	}{
		{"a command", []string{"handler", "quer"}, "handler quer", "query"},
		{"a flag", []string{"handler", "query", "--outp"}, "handler query --outp", "--output"},
		{"a value", []string{"handler", "query", "--output", "csv"}, "handler query --output csv", "csv/csv-safe"},
		{"a value after =", []string{"handler", "query", "--output", "=", "csv-"}, "handler query --output=csv-", "csv-safe"},
		{"nothing after =", []string{"handler", "query", "--date-order", "="}, "handler query --date-order=", "dmy/mdy"},
		{"after blanks", []string{"handler", "query", "--date-order", ""}, "handler  query   --date-order ", "dmy/mdy"},
		{"with a cursor inside", []string{"handler", "quertz", "x"}, "handler que", "query"},
		{"a word with :", []string{"handler", "demo", "--serve", "127.0.0.1", ":"}, "handler demo --serve 127.0.0.1:", "8080"},
		{"a file by its ending", []string{"handler", "check", "--settings", ""}, "handler check --settings ", "logs/my settings.json"},
		{"a folder", []string{"handler", "demo", "--write", "l"}, "handler demo --write l", "logs"},
	} {
		cword := len(c.words) - 1
		if c.name == "with a cursor inside" {
			cword = 1
		}
		var script strings.Builder
		script.WriteString("source <(handler completion bash) || exit 9\nCOMP_WORDS=(")
		for _, w := range c.words {
			script.WriteString(" '" + w + "'")
		}
		script.WriteString(")\nCOMP_LINE='" + c.line + "' COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMP_CWORD=" + string(rune('0'+cword)) +
			"\n__start_handler\nfor r in \"${COMPREPLY[@]}\"; do echo \"${r%%  *}\"; done | sort -u\n")
		cmd := exec.CommandContext(t.Context(), bash, "--norc", "--noprofile", "-c", script.String())
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "PATH=" + dir + ":" + os.Getenv("PATH")}
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		got := strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", "/")
		if err != nil || got != c.want {
			t.Errorf("%s: %v: %q, want %q\n%s", c.name, err, got, c.want, stderr.String())
		}
		for line := range strings.Lines(stderr.String()) {
			if !strings.Contains(line, "compopt: not currently executing completion function") {
				t.Errorf("%s: bash says %s", c.name, line)
			}
		}
	}
}
