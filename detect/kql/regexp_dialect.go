package kql

import (
	"errors"
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
	if err != nil && strings.Contains(ascii, unknownEdge) {
		return nil, errors.New(`\<, \> and \b{...} are supported beside a letter or a digit of ASCII, \w and \d only: write \b`)
	}
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

// unknownEdge stands for an edge of a word that Go has not, and Go refuses it.
const unknownEdge = `\y`

// modes are what the flags of groups switch.
type modes struct{ unicode, fold, verbose bool }

// rewritten is a regular expression of a query as Go has it: with the classes of a
// dialect unless (?-u) asks for those of ASCII, with code points for \u and \U, with
// the runes of a class that Go cannot compute, and without what (?x) passes over.
// \b stays a boundary of ASCII words, for Go has no other, and so do \< and \>, which
// are known where a letter or a digit of ASCII stands beside them.
func rewritten(text string, d *dialect) string {
	if !strings.ContainsAny(text, `\[`) && !strings.Contains(text, "(?") {
		return text
	}
	var sb strings.Builder
	mode, outer := modes{unicode: true}, []modes(nil)
	inClass := false
	word := false // what is before is a letter or a digit
	for i := 0; i < len(text); {
		rest := text[i:]
		n, in := 1, d
		if !mode.unicode {
			in = inASCII()
		}
		wordBefore := word
		word = !inClass && isWordByte(rest[0]) || wordBefore && rest[0] == '+'
		switch c := text[i]; {
		case !inClass && c == '\\' && wordEdge(rest) > 0:
			n = wordEdge(rest)
			begins := rest[1] == '<' || strings.HasPrefix(rest, `\b{start`)
			if after := rest[n:]; begins && beginsWord(after) || !begins && wordBefore && !isRepetition(after) {
				sb.WriteString(`\b`)
			} else {
				sb.WriteString(unknownEdge)
			}
			i += n
			continue
		case c == '\\' && len(rest) > 1 && mode.verbose && strings.ContainsRune(" #", rune(rest[1])):
			fmt.Fprintf(&sb, `\x{%X}`, rest[1])
			i += 2
			continue
		case c == '\\' && len(rest) > 1:
			var to string
			to, n = rewrittenEscape(rest, inClass, in)
			sb.WriteString(to)
			word = !inClass && (rest[1] == 'w' || rest[1] == 'd')
			i += n
			continue
		case !inClass && mode.verbose && strings.ContainsRune(" \t\n\r\f\v", rune(c)):
			i, word = i+1, wordBefore
			continue
		case !inClass && mode.verbose && c == '#':
			if end := strings.IndexByte(rest, '\n'); end >= 0 {
				i += end
			} else {
				i = len(text)
			}
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
			if to, n, ok := rewrittenClass(rest, in, mode.fold, mode.verbose); ok {
				sb.WriteString(to)
				i += n
				continue
			}
			inClass = true
			if strings.HasPrefix(rest, "[^") {
				n++
			}
			if strings.HasPrefix(rest[n:], "]") { // the first is itself
				n++
			}
		case c == '(':
			outer = append(outer, mode)
			if flags, end, ok := groupFlags(rest); ok {
				on, off, _ := strings.Cut(flags, "-")
				for flag, of := range map[string]*bool{"u": &mode.unicode, "i": &mode.fold, "x": &mode.verbose} {
					*of = *of && !strings.Contains(off, flag) || strings.Contains(on, flag)
				}
				if end == ')' {
					outer = outer[:len(outer)-1]
				}
				i += len("(?") + len(flags) + 1
				if kept := withoutFlags(on, off); kept != "" || end == ':' {
					sb.WriteString("(?" + kept + string(end))
				}
				continue
			}
		case c == ')' && len(outer) > 0:
			mode, outer = outer[len(outer)-1], outer[:len(outer)-1]
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
	if at <= 0 || strings.Trim(after[:at], "imsUux-") != "" {
		return "", 0, false
	}
	return after[:at], after[at], true
}

// withoutFlags are flags without u and x, which Go has not.
func withoutFlags(on, off string) string {
	none := strings.NewReplacer("u", "", "x", "")
	on, off = none.Replace(on), none.Replace(off)
	if off != "" {
		return on + "-" + off
	}
	return on
}

// wordEdge is how long the escape is, if a text begins with that of where a word
// begins or ends.
func wordEdge(text string) int {
	for _, edge := range []string{`\<`, `\>`, `\b{start}`, `\b{end}`, `\b{start-half}`, `\b{end-half}`} {
		if strings.HasPrefix(text, edge) {
			return len(edge)
		}
	}
	return 0
}

func isWordByte(c byte) bool { return isLetter(c) || c >= '0' && c <= '9' || c == '_' }

// beginsWord reports whether a pattern begins with a letter or a digit that must be
// there.
func beginsWord(text string) bool {
	n := 1
	if strings.HasPrefix(text, `\w`) || strings.HasPrefix(text, `\d`) {
		n = 2
	} else if text == "" || !isWordByte(text[0]) {
		return false
	}
	return !isRepetition(text[n:]) || text[n] == '+'
}

func isRepetition(text string) bool { return text != "" && strings.ContainsRune("*?+{", rune(text[0])) }

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
		if text[1] != 'x' && len(text) > 2 && isLetter(text[2]) {
			return text[:3], 3 // \pL
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
