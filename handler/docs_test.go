package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/handler/settings"
)

// documents are the Markdown files by their paths in the repository.
var documents = sync.OnceValues(func() (map[string]string, error) {
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := entry.Name(); {
		case entry.IsDir() && (name == ".git" || name == "node_modules" || name == "venv" || name == "bin" || name == "testdata"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel("..", path)
		found[filepath.ToSlash(relative)] = string(data)
		return err
	})
	return found, err
})

// documented is what all of them say, one after the other.
func documented(t testing.TB) string {
	t.Helper()
	docs, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range slices.Sorted(maps.Keys(docs)) {
		all.WriteString(docs[path])
	}
	return all.String()
}

// TestReadmeListsTheSettings keeps the table of settings and the help to the one
// source, the tags of settings.
func TestReadmeListsTheSettings(t *testing.T) {
	t.Parallel()
	docs := documented(t)
	for _, s := range settings.All() {
		def := s.Default
		if def != "" {
			def = "`" + def + "` "
		}
		row := "| `" + s.Key + "` | " + def + "| " + s.Description + " |"
		if !strings.Contains(docs, row+"\n") {
			t.Errorf("no README has the line\n%s", row)
		}
		if help := handler(t, "help", "settings").stdout; !strings.Contains(help, s.Key) || !strings.Contains(strings.Join(strings.Fields(help), " "), s.Description) {
			t.Errorf("help settings lacks %s", s.Key)
		}
	}
}

// TestSettingsDefaults keeps the defaults to those of the detector.
func TestSettingsDefaults(t *testing.T) {
	t.Parallel()
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := detect.DefaultConfig()
	if s.Delay != want.Delay || s.Lateness != want.Lateness || s.CatchUp != want.CatchUp || s.Rules != "" || s.MaxAlerts != want.MaxAlerts {
		t.Errorf("%+v", s)
	}
}

// TestReadmeLength keeps the first README to what a new user reads.
func TestReadmeLength(t *testing.T) {
	t.Parallel()
	docs, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(docs["README.md"], "\n"); n > 170 {
		t.Errorf("README.md has %d lines", n)
	}
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)|<(?:img|a)\s[^>]*(?:src|href)="([^"]+)"`)
	heading      = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	linkText     = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// TestLinks follows every relative link of every document, to its heading if it
// names one.
func TestLinks(t *testing.T) {
	t.Parallel()
	docs, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	followed := 0
	for path, doc := range docs {
		for _, m := range markdownLink.FindAllStringSubmatch(prose(doc), -1) {
			link := m[1] + m[2]
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			followed++
			target, anchor, _ := strings.Cut(link, "#")
			to := path
			if target != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
				if _, err := os.Stat(filepath.Join("..", to)); err != nil {
					t.Errorf("%s: %s leads nowhere: %v", path, link, err)
					continue
				}
			}
			if anchor != "" && !slices.Contains(anchors(docs[to]), anchor) {
				t.Errorf("%s: %s has no heading #%s, but %q", path, to, anchor, anchors(docs[to]))
			}
		}
	}
	if followed < 30 {
		t.Errorf("%d links are followed", followed)
	}
}

// anchors are what GitHub calls the headings of a document.
func anchors(doc string) []string {
	seen := map[string]int{}
	var names []string
	for _, m := range heading.FindAllStringSubmatch(prose(doc), -1) {
		var name strings.Builder
		for _, r := range strings.ToLower(linkText.ReplaceAllString(m[1], "$1")) {
			switch {
			case r == ' ':
				name.WriteByte('-')
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				name.WriteRune(r)
			}
		}
		anchor := name.String()
		if n := seen[anchor]; n > 0 {
			names = append(names, fmt.Sprintf("%s-%d", anchor, n))
		} else {
			names = append(names, anchor)
		}
		seen[anchor]++
	}
	return names
}

// prose is a document without its code blocks.
func prose(doc string) string {
	var out strings.Builder
	fenced := false
	for line := range strings.Lines(doc) {
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
		case fenced || strings.HasPrefix(line, "    "):
		default:
			out.WriteString(line)
		}
	}
	return out.String()
}

// codeBlock is what stands between fences, or is indented.
type codeBlock struct {
	path     string
	line     int
	language string // of a fence; of what is indented none
	text     string
}

func codeBlocks(path, doc string) []codeBlock {
	var blocks []codeBlock
	fenced, indented := false, false
	n := 0
	for line := range strings.Lines(doc) {
		n++
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && !fenced:
			fenced, indented = true, false
			blocks = append(blocks, codeBlock{path: path, line: n, language: language})
		case fence:
			fenced = false
		case fenced:
			blocks[len(blocks)-1].text += line
		case strings.HasPrefix(line, "    "):
			if !indented {
				blocks = append(blocks, codeBlock{path: path, line: n})
			}
			indented = true
			blocks[len(blocks)-1].text += line[4:]
		case strings.TrimSpace(line) == "" && indented:
			blocks[len(blocks)-1].text += line
		default:
			indented = false
		}
	}
	return blocks
}

var (
	shellCommand  = regexp.MustCompile(`^(bin/)?handler |^(go|make|npm|az|func|curl|cp|mkdir|for) |^[A-Z_]+=["']`)
	optional      = regexp.MustCompile(` \[[^\]]*\]`) // in a synopsis
	synopsis      = regexp.MustCompile(`(?m)^(?:bin/)?handler .*$`)
	standsFor     = regexp.MustCompile(`\b(DIR|PATH|RULE|FILE)\b`)
	flagName      = regexp.MustCompile(`(?:^|[\s\[])(--[a-z][a-z-]*)`)
	commandInLine = regexp.MustCompile("`((?:bin/)?handler [^`\n]+)`")
	ownCommand    = regexp.MustCompile(`(?m)(?:\bgo run \./handler|(?:^|[\s"(])(?:bin/)?handler) +([^.|>\n][^|>\n]*)`)
)

// isShell reports whether a block holds commands for bash.
func (b codeBlock) isShell() bool {
	return b.language == "sh" || b.language == "" && shellCommand.MatchString(b.text)
}

// needs is what a block needs that is not here, or asks for. Those are read and not run.
func (b codeBlock) needs() string {
	for _, n := range []struct{ what, reason string }{
		{"az ", "a subscription"},
		{"azd ", "a subscription"},
		{"func ", "Core Tools"},
		{"azurite", "a server that runs on"},
		{"curl ", "a host that listens"},
		{"npm ", "a registry"},
		{"--open", "a browser"},
		{"--serve", "a server that runs on"},
		{"backtest ", "a workspace"},
		{"rule pull ", "a workspace"},
		{"rule diff ", "a workspace"},
		{"handler check", "a workspace"},
		{"outbox ", "a ledger"},
		{"handler silence ", "a ledger"},
		{"handler alerts ", "a ledger"},
		{"handler rerun ", "a ledger"},
		{"handler tick", "a workspace"},
		{"...", "an address"},
	} {
		if strings.Contains(b.text, n.what) && !(n.what == "..." && strings.Contains(b.text, "[PATH...]")) {
			return n.reason
		}
	}
	return ""
}

// savedAs is the first line of a block that the reader saves.
var savedAs = regexp.MustCompile(`^# ([\w./-]+\.yaml)\n`)

// TestCommandBlocks runs the command blocks of every document that need nothing
// but this repository, each file's in order in one folder, and has bash read the
// others.
func TestCommandBlocks(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	docs, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	ran, saved := 0, 0
	for _, path := range slices.Sorted(maps.Keys(docs)) {
		dir := checkout(t, binary)
		for _, b := range codeBlocks(path, docs[path]) {
			if name := savedAs.FindStringSubmatch(b.text); name != nil && b.language == "yaml" {
				saved++
				if err := errors.Join(os.MkdirAll(filepath.Join(dir, filepath.Dir(name[1])), 0o755), os.WriteFile(filepath.Join(dir, name[1]), []byte(b.text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			if !b.isShell() {
				continue
			}
			at := fmt.Sprintf("%s:%d", b.path, b.line)
			script := synopsis.ReplaceAllStringFunc(b.text, func(line string) string {
				return standsFor.ReplaceAllString(optional.ReplaceAllString(line, ""), "given/$1")
			})
			reads, runs := exec.CommandContext(t.Context(), bash, "-n"), b.needs() == ""
			reads.Stdin = strings.NewReader(script)
			if out, err := reads.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", at, err, out, b.text)
			}
			if !runs {
				continue
			}
			ran++
			cmd := exec.CommandContext(t.Context(), bash, "-e", "-u")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "shims")+string(os.PathListSeparator)+os.Getenv("PATH"))
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s\nof\n%s", at, err, out, script)
			}
		}
	}
	if ran < 10 || saved != 2 {
		t.Errorf("%d blocks were run, %d files saved", ran, saved)
	}
}

// checkout is a folder that looks like a checkout with the binary built in it.
// What builds or tests this repository once more is looked up and not run.
func checkout(t *testing.T, binary string) string {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "shims", "given/DIR"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"bin/handler": binary, "shims/handler": binary, "local.settings.json.example": filepath.Join(root, "local.settings.json.example")} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"given/DIR/SigninLogs.ndjson": `{"TimeGenerated":"2026-03-17T09:10:00Z","UserPrincipalName":"ana@contoso.example","ResultType":"50126"}` + "\n",
		"given/FILE":                  "print 1\n",
		"shims/go": `#!/bin/sh
case "$1 $2" in
"run ./handler") shift 2; exec handler "$@" ;;
"build -o") test -d "$4" ;;
"run ./infra/"*|"test "*|"generate "*) test -d "` + root + `/$2" ;;
*) echo "unknown: go $*" >&2; exit 1 ;;
esac
`,
		"shims/make": `#!/bin/sh
exec "$(PATH="${PATH#*:}" command -v make)" -n -C "` + root + `" "$@"
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	shipped := readFile(t, "../detect/rule/mfa-rejected-by-user.yaml")
	for _, name := range []string{"given/RULE", "given/PATH"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(shipped), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(root, "handler"), filepath.Join(dir, "handler")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestDocumentedFlags looks up every flag that a document gives to a command of
// the binary, in blocks that cannot run too.
func TestDocumentedFlags(t *testing.T) {
	t.Parallel()
	docs, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for path, doc := range docs {
		var lines []string
		for _, m := range commandInLine.FindAllStringSubmatch(prose(doc), -1) {
			lines = append(lines, m[1])
		}
		for _, b := range codeBlocks(path, doc) {
			if b.isShell() || b.language == "powershell" {
				lines = append(lines, b.text)
			}
		}
		for _, m := range ownCommand.FindAllStringSubmatch(strings.Join(lines, "\n"), -1) {
			words := strings.Fields(m[1])
			root := newRoot(io.Discard, io.Discard)
			cmd, _, err := root.Find(words)
			if cmd == root && !strings.HasPrefix(words[0], "-") && words[0] != strings.ToUpper(words[0]) || err != nil {
				t.Errorf("%s: no command: handler %s", path, m[1])
				continue
			}
			if words[0] == strings.ToUpper(words[0]) {
				continue // COMMAND stands for any
			}
			cmd.InitDefaultHelpFlag()
			root.InitDefaultVersionFlag()
			for _, f := range flagName.FindAllStringSubmatch(m[1], -1) {
				looked++
				if !hasFlag(cmd, f[1][2:]) {
					t.Errorf("%s: %s has no flag %s", path, cmd.CommandPath(), f[1])
				}
			}
		}
	}
	if looked < 20 {
		t.Errorf("%d flags were looked up", looked)
	}
}

func hasFlag(cmd *cobra.Command, name string) bool {
	return cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}
