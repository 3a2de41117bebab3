package silence

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Limits of a command: a longer one is none that a person checks.
const (
	mostNamed         = 10
	mostCommandLength = 1800
)

// Commands returns the command that silences exactly the story of an alert for a day,
// for bash and for PowerShell. Both are empty if none can: the alert names nobody, too
// many, or stands for very many.
//
// The values come from a log, so that whoever is silenced may have chosen them. In the
// command they are written in letters, digits and few signs, everything else as %XX:
// there is nothing in it that a shell, or what splits a command line on Windows, takes
// for something else.
func Commands(a alert.Alert) (bash, powershell string) {
	if a.Storm != nil || a.RuleID == "" || encode(a.RuleID, "-") != a.RuleID || encode(a.ID, "-") != a.ID {
		return "", ""
	}
	named := exactly(a)
	if len(named) == 0 || len(named) > mostNamed {
		return "", ""
	}
	words := []string{"--rule", a.RuleID}
	for _, n := range named {
		words = append(words, "--exactly", n)
	}
	if alert.Known(a.Span.Start) {
		words = append(words, "--from", a.Span.Start.UTC().Format(time.RFC3339Nano))
	}
	if a.Severity > DefaultMaxSeverity { // else it would hold back nothing of it
		words = append(words, "--max-severity", a.Severity.String())
	}
	words = append(words, "--for", "24h", "--reason", "as of alert "+a.ID)
	join := func(quote func(string) string) string {
		text := "handler silence add"
		for _, w := range words {
			if !strings.HasPrefix(w, "--") {
				w = quote(w)
			}
			text += " " + w
		}
		if len(text) > mostCommandLength {
			return ""
		}
		return text
	}
	return join(quoteBash), join(quotePowerShell)
}

// exactly returns what the alert's entities are told apart by, as the command takes it.
func exactly(a alert.Alert) (list []string) {
	for _, e := range a.Entities {
		for _, f := range identifying(e) {
			word := encode(e.Type, "") + "." + encode(f.Identifier, "") + "=" + encodeValue(strings.TrimSpace(f.Value))
			if !slices.Contains(list, word) {
				list = append(list, word)
			}
		}
	}
	return list
}

// identifying returns the fields of an entity by which it is told apart: of an account
// one is enough.
func identifying(e alert.Entity) (fields []alert.Field) {
	for _, f := range e.Fields {
		if strings.TrimSpace(f.Value) != "" {
			fields = append(fields, f)
		}
	}
	if e.Type != "Account" {
		return fields
	}
	for _, identifier := range []string{"FullName", "AadUserId", "Sid", "ObjectGuid", "PUID"} {
		for _, f := range fields {
			if f.Identifier == identifier {
				return []alert.Field{f}
			}
		}
	}
	return fields
}

// encodeValue writes a value so that a person can read a name or an address, and
// nothing makes a link of it.
func encodeValue(value string) string {
	switch {
	case isAddress(value):
		return encode(value, ".:")
	case strings.Contains(strings.ToLower(value), "www."):
		return encode(value, "-_")
	}
	return encode(value, "@.-_")
}

func isAddress(value string) bool {
	_, err := netip.ParseAddr(value)
	return err == nil
}

// encode writes a value with %XX for every byte that is not a letter, a digit or one of
// some signs.
func encode(value, signs string) string {
	var b strings.Builder
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(signs, c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Decode reads a value with %XX in it, as the command has it.
func Decode(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		if i+2 >= len(text) {
			return "", fmt.Errorf("%.80q ends within a %%XX", text)
		}
		n, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", fmt.Errorf("%.80q has a %% without two hexadecimal digits behind it: write %%25 for it", text)
		}
		b.WriteByte(byte(n))
		i += 2
	}
	return b.String(), nil
}

// quoteBash returns a text as one word of bash.
func quoteBash(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// quotePowerShell returns a text as one word of PowerShell, which takes four other
// marks for the same quotation mark.
func quotePowerShell(text string) string {
	return "'" + strings.NewReplacer("'", "''", "\u2018", "\u2018\u2018", "\u2019", "\u2019\u2019", "\u201a", "\u201a\u201a", "\u201b", "\u201b\u201b").Replace(text) + "'"
}
