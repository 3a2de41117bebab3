package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// bashOnly is what bash reads and PowerShell does not, or reads in another way.
var bashOnly = []struct {
	what string
	is   *regexp.Regexp
}{
	{"a variable for one command", regexp.MustCompile(`(?m)^\s*[A-Za-z_]\w*=\S* +\S`)},
	{"an assignment", regexp.MustCompile(`(?m)^\s*[A-Za-z_]\w*=`)},
	{"a line that goes on", regexp.MustCompile(`(?m)\\$`)},
	{"a substitution", regexp.MustCompile("\\$\\(|`|<\\(")},
	{"a variable", regexp.MustCompile(`\$[A-Za-z_{]`)},
	{"export or source", regexp.MustCompile(`(?m)(^|; *)(export|unset|source) `)},
	{"input from a file or from here", regexp.MustCompile(`<\S|< `)},
	{"a loop or a condition", regexp.MustCompile(`(?m)(^|; *)(for|while|if|do|done|then|fi)\b|&&|\|\|`)},
	{"a program of Unix", regexp.MustCompile(`(?m)(^|\| *)(curl|cat|head|tail|grep|sed|awk|jq|chmod|touch|cp|rm|mv|export|make (build|package))\b`)},
	{"quotes in quotes, which PowerShell 5 drops", regexp.MustCompile(`'[^'\n]*"[^'\n]*'`)},
	{"mkdir -p", regexp.MustCompile(`\bmkdir -p\b`)},
}

// needsPowerShell returns what of a block is not for PowerShell, or nothing.
func needsPowerShell(text string) string {
	text = regexp.MustCompile(`(?m)(^|\s)#.*$`).ReplaceAllString(text, "$1")
	for _, b := range bashOnly {
		if found := b.is.FindString(text); found != "" {
			return fmt.Sprintf("%s (%q)", b.what, found)
		}
	}
	return ""
}

func TestNeedsPowerShell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"go run ./handler demo     # it's `quoted`\n": false, "handler query --logs DIR 'T | take 1'\n": false, "az group create --name a --location b\n": false,
		"A=b az login\n": true, "A=b\n": true, "az login \\\n  --x\n": true, "az show --name \"$(az list)\"\n": true, "az show --name $APP\n": true, "export A=b\n": true,
		"cat >x <<END\nEND\n": true, "for a in b; do c; done\n": true, "a && b\n": true, "a | head -1\n": true, "curl -X POST x\n": true, "a -d '{\"x\":1}'\n": true,
		"cp a b\n": true, "mkdir -p a\n": true, "make package\n": true, "make test\n": false, "source <(handler completion bash)\n": true, "handler query - < file\n": true,
	} {
		if got := needsPowerShell(text); (got != "") != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// unixOnly reports whether a document is not for whoever only uses Pushback: how to contribute,
// and workflows that run on Linux.
func unixOnly(path string) bool { return path == ".github/CONTRIBUTING.md" }

var (
	ofHeading = regexp.MustCompile(`^#{1,6} `)
	azCommand = regexp.MustCompile(`\baz( [a-z][a-z-]*)+`)
	// powerShellWrong is what looks like bash in a block for PowerShell.
	powerShellWrong = regexp.MustCompile(`(?m)\\$|^\s*(export|unset) |^[A-Z_]+=|<<|&&|\$\{|/dev/null|\bdone\b`)
)

// TestPowerShell wants each block that only bash reads followed by one for PowerShell, in
// the same section, which asks the same of Azure and of the handler.
func TestPowerShell(t *testing.T) {
	t.Parallel()
	docs, err := documents()
	if err != nil {
		t.Fatal(err)
	}
	pairs := 0
	for path, doc := range docs {
		if unixOnly(path) {
			continue
		}
		blocks := codeBlocks(path, doc)
		lines := strings.Split(doc, "\n")
		for i, b := range blocks {
			at := fmt.Sprintf("%s:%d", path, b.line)
			if b.language == "powershell" {
				if wrong := powerShellWrong.FindString(b.text); wrong != "" {
					t.Errorf("%s: PowerShell does not read %q", at, wrong)
				}
				for _, pair := range []string{"()", "{}", "[]"} {
					if strings.Count(b.text, pair[:1]) != strings.Count(b.text, pair[1:]) {
						t.Errorf("%s: not as many %c as %c", at, pair[0], pair[1])
					}
				}
				if strings.Count(b.text, "'")%2 != 0 || strings.Count(b.text, `"`)%2 != 0 {
					t.Errorf("%s: a quote is not closed", at)
				}
				continue
			}
			reason := needsPowerShell(b.text)
			if !b.isShell() || reason == "" {
				continue
			}
			if i+1 == len(blocks) || blocks[i+1].language != "powershell" || slices.ContainsFunc(lines[b.line:blocks[i+1].line-1], func(line string) bool { return ofHeading.MatchString(line) && !strings.Contains(b.text, line+"\n") }) {
				t.Errorf("%s has %s, and no block for PowerShell after it:\n%s", at, reason, b.text)
				continue
			}
			pairs++
			asked := func(text string) []string {
				found := azCommand.FindAllString(text, -1)
				for _, m := range ownCommand.FindAllStringSubmatch(text, -1) {
					found = append(found, "handler "+strings.Fields(m[1])[0])
				}
				return slices.Sorted(slices.Values(found))
			}
			if diff := cmp.Diff(asked(b.text), asked(blocks[i+1].text)); diff != "" {
				t.Errorf("%s: bash and PowerShell do not do the same (-bash +PowerShell):\n%s", at, diff)
			}
		}
	}
	if pairs < 10 {
		t.Errorf("only %d blocks are shown in both", pairs)
	}
}
