package kql

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
)

// textPattern is a regular expression as the service has it, whose expressions are
// those of Rust: \w, \d and \s stand for letters, digits and spaces of every script.
// Those of Go are faster where they stand for ASCII only, and so most texts are.
type textPattern struct {
	ascii *regexp.Regexp
	text  string // of the one for other texts, empty if it is the same
	once  sync.Once
	whole *regexp.Regexp
}

// on is the expression to match a text by.
func (p *textPattern) on(text string) *regexp.Regexp {
	if p.text == "" || isASCII(text) {
		return p.ascii
	}
	p.once.Do(func() {
		var err error
		if p.whole, err = regexp.Compile(p.text); err != nil {
			p.whole = p.ascii // repeated so often that Go finds it too large
		}
	})
	return p.whole
}

// dialect is what \w, \d and \s stand for. Each ends with a class, so that a hyphen
// behind it begins no range.
type dialect struct{ word, digit, space, notWord, notDigit, notSpace string }

var (
	inASCII = sync.OnceValue(func() *dialect {
		return &dialect{`\w`, `\d`, spacesOfASCII, `\W`, `\D`, complement(spacesOfASCII)}
	})
	inUnicode = sync.OnceValue(func() *dialect {
		return &dialect{wordRunes, `\p{Nd}`, spaceRunes, complement(wordRunes), `\P{Nd}`, complement(spaceRunes)}
	})
)

const (
	wordRunes     = `0-9A-Z_a-z\x{200C}\x{200D}\x{24B6}-\x{24E9}\x{1F130}-\x{1F149}\x{1F150}-\x{1F169}\x{1F170}-\x{1F189}\p{L}\p{M}\p{Nl}\p{Nd}\p{Pc}`
	spaceRunes    = `\t-\r\x{85}\p{Z}`
	spacesOfASCII = `\v\s`
)

// complement lists what a class lacks, for use within brackets.
func complement(set string) string {
	re, err := syntax.Parse("[^"+set+"]", syntax.Perl)
	if err != nil {
		panic("kql: " + err.Error())
	}
	var sb strings.Builder
	for i := 0; i < len(re.Rune); i += 2 {
		fmt.Fprintf(&sb, `\x{%X}-\x{%X}`, re.Rune[i], re.Rune[i+1])
	}
	return sb.String()
}

// compileRegexp compiles a regular expression of a query. An error speaks of it as
// it is written there.
func compileRegexp(text string) (*textPattern, error) {
	ascii := rewritten(text, inASCII())
	re, err := regexp.Compile(ascii)
	if err != nil {
		if _, asWritten := regexp.Compile(text); asWritten != nil {
			err = asWritten
		}
		return nil, err
	}
	p := &textPattern{ascii: re}
	if whole := rewritten(text, inUnicode()); whole != ascii {
		p.text = whole
	}
	return p, nil
}

// mustRegexp compiles one that is known to be valid.
func mustRegexp(text string) *textPattern {
	p, err := constantRegexp(text)
	if err != nil {
		panic("kql: " + err.Error())
	}
	return p
}

// rewritten is a regular expression of a query as Go has it: with the classes of a
// dialect unless (?-u) asks for those of ASCII, and with code points for \u and \U.
// \b stays a boundary of ASCII words, for Go has no other.
func rewritten(text string, d *dialect) string {
	if !strings.Contains(text, `\`) && !strings.Contains(text, "(?") {
		return text
	}
	var sb strings.Builder
	unicode, outer := true, []bool(nil)
	inClass := false
	for i := 0; i < len(text); {
		rest := text[i:]
		n, in := 1, d
		if !unicode {
			in = inASCII()
		}
		switch c := text[i]; {
		case c == '\\' && len(rest) > 1:
			var to string
			to, n = rewrittenEscape(rest, inClass, in)
			sb.WriteString(to)
			i += n
			continue
		case inClass:
			if strings.HasPrefix(rest, "[:") {
				if end := strings.Index(rest, ":]"); end > 0 {
					n = end + 2
				}
			} else if c == ']' {
				inClass = false
			}
		case c == '[':
			inClass = true
			if strings.HasPrefix(rest, "[^") {
				n++
			}
			if strings.HasPrefix(rest[n:], "]") { // the first is itself
				n++
			}
		case c == '(':
			outer = append(outer, unicode)
			if flags, end, ok := groupFlags(rest); ok {
				on, off, _ := strings.Cut(flags, "-")
				if strings.Contains(on, "u") {
					unicode = true
				} else if strings.Contains(off, "u") {
					unicode = false
				}
				if end == ')' {
					outer = outer[:len(outer)-1]
				}
				i += len("(?") + len(flags) + 1
				sb.WriteString("(?" + withoutFlag(on, off) + string(end))
				continue
			}
		case c == ')' && len(outer) > 0:
			unicode, outer = outer[len(outer)-1], outer[:len(outer)-1]
		}
		sb.WriteString(rest[:n])
		i += n
	}
	return sb.String()
}

// groupFlags are the flags of a group that begins with some, such as (?i) or
// (?i-u:, and what ends them.
func groupFlags(text string) (flags string, end byte, ok bool) {
	after, ok := strings.CutPrefix(text, "(?")
	if !ok {
		return "", 0, false
	}
	at := strings.IndexAny(after, ":)")
	if at <= 0 || strings.Trim(after[:at], "imsUu-") != "" {
		return "", 0, false
	}
	return after[:at], after[at], true
}

// withoutFlag are flags without u, which Go has not.
func withoutFlag(on, off string) string {
	on, off = strings.ReplaceAll(on, "u", ""), strings.ReplaceAll(off, "u", "")
	if off != "" {
		return on + "-" + off
	}
	return on
}

// rewrittenEscape rewrites the escape that a text begins with, and says how long it
// was.
func rewrittenEscape(text string, inClass bool, d *dialect) (to string, n int) {
	set, not := "", ""
	switch text[1] {
	case 'Q':
		if end := strings.Index(text, `\E`); end > 0 {
			return text[:end+2], end + 2
		}
		return text, len(text)
	case 'p', 'P', 'x':
		if end := strings.IndexByte(text, '}'); end > 0 && strings.HasPrefix(text[2:], "{") {
			return text[:end+1], end + 1
		}
	case 'u', 'U':
		if to, n := codePoint(text); n > 0 {
			return to, n
		}
	case 'd':
		set = d.digit
	case 'D':
		set = d.notDigit
	case 'w':
		set = d.word
	case 's':
		set = d.space
	case 'W':
		if set = d.notWord; !inClass {
			set, not = d.word, "^"
		}
	case 'S':
		if set = d.notSpace; !inClass {
			set, not = d.space, "^"
		}
	}
	switch {
	case set == "":
		return text[:2], 2
	case inClass:
		return set, 2
	}
	return "[" + not + set + "]", 2
}

// codePoint rewrites \u007F, \U0000007F and both with braces.
func codePoint(text string) (to string, n int) {
	digits := 4
	if text[1] == 'U' {
		digits = 8
	}
	hex := text[2:]
	if strings.HasPrefix(hex, "{") {
		end := strings.IndexByte(hex, '}')
		if end < 0 {
			return "", 0
		}
		hex, n = hex[1:end], 2+end+1
	} else if len(hex) >= digits {
		hex, n = hex[:digits], 2+digits
	}
	if n == 0 || hex == "" || strings.Trim(hex, "0123456789abcdefABCDEF") != "" {
		return "", 0
	}
	return `\x{` + hex + "}", n
}
