package silence

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pushback/detect/alert"
)

func commandAlert(fields ...alert.Field) alert.Alert {
	return alert.Alert{
		ID: "f02d67a6-2b62-52a6-932d-c872ced20441", RuleID: "d99cf5c3-d660-436c-895b-8a8f8448da23", Span: alert.Between(noon, noon),
		Entities: []alert.Entity{{Type: "Account", Fields: fields}, {Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "2001:db8::1"}}}},
	}
}

// hostile are values that somebody may choose to be more than a value.
var hostile = []string{
	"amy@contoso.example", "x'; rm -rf ~; '", "$(reboot)", "`reboot`", "a\nb", "\u2018; calc; \u2019", "\u201a\u201b", `" --max-severity "High`, `a\`, `\"`, "*", "%41", "%", "--by", "-x", "a b", "💥", "\xff\xfe", "~", "!!", "a=b", "CONTOSO\\amy", "{{x}}", "www.evil.example", "https://evil.example/?a=b&c", strings.Repeat("'", 100),
}

// TestCommands takes the command as each shell does, and the value that was silenced
// out of it again: nothing else, whatever it is.
func TestCommands(t *testing.T) {
	t.Parallel()
	for _, value := range hostile {
		a := commandAlert(alert.Field{Identifier: "FullName", Value: value})
		a.Severity = alert.High
		bash, powershell := Commands(a)
		if bash == "" || powershell == "" {
			t.Errorf("%q: there is no command", value)
			continue
		}
		out, err := exec.CommandContext(t.Context(), "bash", "-c", `handler() { printf '%s\0' "$@"; }; `+bash).Output()
		if err != nil {
			t.Skipf("bash: %v", err)
		}
		words := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		for shell, words := range map[string][]string{"bash": words, "PowerShell": powershellWords(t, powershell)} {
			want := []string{"silence", "add", "--rule", "d99cf5c3-d660-436c-895b-8a8f8448da23", "--exactly", "", "--exactly", "IP.Address=2001:db8::1",
				"--from", "2026-12-01T12:00:00Z", "--max-severity", "High", "--for", "24h", "--reason", "as of alert f02d67a6-2b62-52a6-932d-c872ced20441"}
			if len(words) != len(want) {
				t.Errorf("%s: %q becomes %q", shell, value, words)
				continue
			}
			name, encoded, _ := strings.Cut(words[5], "=")
			got, err := Decode(encoded)
			words[5] = ""
			if err != nil || name != "Account.FullName" || got != strings.TrimSpace(value) || !slices.Equal(words, want) {
				t.Errorf("%s: %q becomes %s %q, %v, in %q", shell, value, name, got, err, words)
			}
			if strings.ContainsAny(encoded, "'\"`$\\;&|<>(){}*?!~ \n") {
				t.Errorf("%s: %q is written %q", shell, value, encoded)
			}
		}
	}
}

// powershellWords splits a command as PowerShell does: words, and texts in single
// quotation marks in which two are one.
func powershellWords(t *testing.T, command string) (words []string) {
	t.Helper()
	rest, ok := strings.CutPrefix(command, "handler ")
	for ok && rest != "" {
		quoted, isQuoted := strings.CutPrefix(rest, "'")
		if !isQuoted {
			var word string
			word, rest, _ = strings.Cut(rest, " ")
			words = append(words, word)
			continue
		}
		end := strings.Index(quoted, "'")
		if end < 0 || strings.HasPrefix(quoted[end+1:], "'") {
			t.Fatalf("%q has a quotation mark within a word", command)
		}
		words = append(words, quoted[:end])
		rest = strings.TrimPrefix(quoted[end+1:], " ")
	}
	return words
}

// TestCommandSeverity expects the command of an alert that is no more severe than what
// is held back anyway to leave that as it is.
func TestCommandSeverity(t *testing.T) {
	t.Parallel()
	for severity, want := range map[alert.Severity]bool{alert.Informational: false, alert.Low: false, alert.Medium: false, alert.High: true} {
		a := commandAlert(alert.Field{Identifier: "FullName", Value: "amy"})
		a.Severity = severity
		if bash, _ := Commands(a); strings.Contains(bash, "--max-severity 'High'") != want {
			t.Errorf("%s: %s", severity, bash)
		}
	}
}

// TestNoCommand pins which alerts have none.
func TestNoCommand(t *testing.T) {
	t.Parallel()
	named := func(edit func(*alert.Alert)) alert.Alert {
		a := commandAlert(alert.Field{Identifier: "FullName", Value: "amy"})
		edit(&a)
		return a
	}
	for name, a := range map[string]alert.Alert{
		"nobody":  named(func(a *alert.Alert) { a.Entities = nil }),
		"a storm": named(func(a *alert.Alert) { a.Storm = &alert.Storm{} }),
		"very many": named(func(a *alert.Alert) {
			for i := range 20 {
				a.Entities = append(a.Entities, alert.Entity{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: strings.Repeat("h", i+1)}}})
			}
		}),
		"a long name":    named(func(a *alert.Alert) { a.Entities[0].Fields[0].Value = strings.Repeat("x", 5000) }),
		"a hostile id":   named(func(a *alert.Alert) { a.ID = "x'; reboot" }),
		"a hostile rule": named(func(a *alert.Alert) { a.RuleID = "$(reboot)" }),
	} {
		if bash, powershell := Commands(a); bash != "" || powershell != "" {
			t.Errorf("%s: %.200s, %.200s", name, bash, powershell)
		}
	}
}

// TestDecodeRefuses pins what is no value.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"%", "a%", "%4", "%zz", "%+1", "% 1", "100%"} {
		if got, err := Decode(text); err == nil {
			t.Errorf("Decode(%q) = %q, want an error", text, got)
		}
	}
}
