package kql

import (
	"fmt"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// runeSet are the runes of a class, as pairs of a first and a last one, in order.
type runeSet []rune

// classReader reads a class in brackets as Rust has it, with classes within it and
// with the operators && (both), -- (not the second) and ~~ (one of them alone).
type classReader struct {
	text    string
	at      int
	d       *dialect
	flags   string // (?i) or nothing, for items
	verbose bool
	special bool // it has what Go has not
}

// rewrittenClass rewrites the class that a text begins with, if it has what Go has
// not. What no such class is, is left to Go, which takes [ within one for itself.
func rewrittenClass(text string, d *dialect, fold, verbose bool) (to string, n int, ok bool) {
	if !mayBeSpecial(text, verbose) {
		return "", 0, false
	}
	r := &classReader{text: text, d: d, verbose: verbose}
	if fold {
		r.flags = "(?i)"
	}
	set, ok := r.class(0)
	if !ok || !r.special {
		return "", 0, false
	}
	if len(set) == 0 {
		return `[^\x{0}-\x{10FFFF}]`, r.at, true
	}
	var sb strings.Builder
	sb.WriteByte('[')
	for i := 0; i < len(set); i += 2 {
		fmt.Fprintf(&sb, `\x{%X}-\x{%X}`, set[i], set[i+1])
	}
	return sb.String() + "]", r.at, true
}

// mayBeSpecial says whether a class may have what Go has not, without reading its items:
// most classes have nothing of it.
func mayBeSpecial(text string, verbose bool) bool {
	i := 1
	if strings.HasPrefix(text[i:], "^") {
		i++
	}
	for strings.HasPrefix(text[i:], "-") { // the first are themselves
		i++
	}
	if strings.HasPrefix(text[i:], "]") { // so is this
		i++
	}
	for i < len(text) {
		rest := text[i:]
		switch {
		case rest[0] == '\\':
			i++
		case rest[0] == ']':
			return false
		case isNamedClass(rest):
			i += strings.Index(rest, ":]") + 1
		case rest[0] == '[', strings.HasPrefix(rest, "&&"), strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "~~"),
			verbose && strings.IndexByte(" \t\n\r\f\v", rest[0]) >= 0:
			return true
		}
		i++
	}
	return false
}

// class reads [...].
func (r *classReader) class(depth int) (runeSet, bool) {
	if depth > maxClassNesting {
		return nil, false
	}
	r.at++ // [
	negated := r.skip("^")
	var all runeSet
	var item runeSet // what there is since the last operator, as it comes
	op := ""
	for r.skip("-") { // the first are themselves
		item = unitedRunes(item, runeSet{'-', '-'})
	}
	if len(item) == 0 && r.skip("]") {
		item = runeSet{']', ']'}
	}
	for r.at < len(r.text) {
		rest := r.text[r.at:]
		switch {
		case r.verbose && strings.ContainsRune(" \t\n\r\f\v", rune(rest[0])):
			r.at++
			r.special = true
		case rest[0] == ']':
			r.at++
			all = combinedRunes(all, op, unitedRunes(item, nil))
			if negated {
				all = otherRunes(all)
			}
			return all, true
		case strings.HasPrefix(rest, "&&") || strings.HasPrefix(rest, "--") || strings.HasPrefix(rest, "~~"):
			all = combinedRunes(all, op, unitedRunes(item, nil))
			op, item = rest[:2], nil
			r.at += 2
			r.special = true
		case rest[0] == '[' && !isNamedClass(rest):
			r.special = true
			inner, ok := r.class(depth + 1)
			if !ok {
				return nil, false
			}
			item = append(item, inner...)
		default:
			set, ok := r.item()
			if !ok {
				return nil, false
			}
			item = append(item, set...)
		}
	}
	return nil, false
}

// maxClassNesting bounds how deep classes may lie in each other.
const maxClassNesting = 50

func (r *classReader) skip(text string) bool {
	if !strings.HasPrefix(r.text[r.at:], text) {
		return false
	}
	r.at += len(text)
	return true
}

func isNamedClass(text string) bool {
	return strings.HasPrefix(text, "[:") && strings.Contains(text, ":]")
}

// item reads a rune, a range of them or a class such as \w or [:alpha:].
func (r *classReader) item() (runeSet, bool) {
	from, ok := r.one()
	if !ok {
		return nil, false
	}
	if rest := r.text[r.at:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' && rest[1] != '-' {
		r.at++
		to, ok := r.one()
		if !ok {
			return nil, false
		}
		from += "-" + to
	}
	re, err := syntax.Parse(r.flags+"["+from+"]", syntax.Perl)
	if err != nil {
		return nil, false
	}
	switch re.Op {
	case syntax.OpCharClass:
		return slices.Clone(re.Rune), true
	case syntax.OpLiteral:
		set := runeSet{re.Rune[0], re.Rune[0]}
		if re.Flags&syntax.FoldCase != 0 {
			set = nil
			for f := range folds(re.Rune[0]) {
				set = unitedRunes(set, runeSet{f, f})
			}
		}
		return set, true
	case syntax.OpAnyChar:
		return runeSet{0, utf8.MaxRune}, true
	case syntax.OpNoMatch:
		return nil, true
	}
	return nil, false
}

// one gives what Go writes for one rune or class.
func (r *classReader) one() (string, bool) {
	rest := r.text[r.at:]
	switch {
	case rest == "":
		return "", false
	case rest[0] == '\\':
		if len(rest) < 2 || rest[1] == 'Q' {
			return "", false
		}
		to, n := rewrittenEscape(rest, true, r.d)
		r.at += n
		return to, true
	case isNamedClass(rest):
		n := strings.Index(rest, ":]") + 2
		r.at += n
		return rest[:n], true
	}
	c, n := utf8.DecodeRuneInString(rest)
	r.at += n
	return fmt.Sprintf(`\x{%X}`, c), true
}

// folds are the runes that are one but for the case.
func folds(c rune) func(yield func(rune) bool) {
	return func(yield func(rune) bool) {
		for f := c; ; {
			if !yield(f) {
				return
			}
			if f = unicode.SimpleFold(f); f == c {
				return
			}
		}
	}
}

func combinedRunes(all runeSet, op string, item runeSet) runeSet {
	switch op {
	case "&&":
		return otherRunes(unitedRunes(otherRunes(all), otherRunes(item)))
	case "--":
		return otherRunes(unitedRunes(otherRunes(all), item))
	case "~~":
		both := combinedRunes(all, "&&", item)
		return combinedRunes(unitedRunes(all, item), "--", both)
	}
	return unitedRunes(all, item)
}

// unitedRunes are the runes of either.
func unitedRunes(a, b runeSet) runeSet {
	var pairs [][2]rune
	for _, set := range []runeSet{a, b} {
		for i := 0; i < len(set); i += 2 {
			pairs = append(pairs, [2]rune{set[i], set[i+1]})
		}
	}
	slices.SortFunc(pairs, func(p, q [2]rune) int { return int(p[0] - q[0]) })
	var out runeSet
	for _, p := range pairs {
		if n := len(out); n > 0 && p[0] <= out[n-1]+1 {
			out[n-1] = max(out[n-1], p[1])
			continue
		}
		out = append(out, p[0], p[1])
	}
	return out
}

// otherRunes are all other runes.
func otherRunes(set runeSet) runeSet {
	var out runeSet
	next := rune(0)
	for i := 0; i < len(set); i += 2 {
		if set[i] > next {
			out = append(out, next, set[i]-1)
		}
		next = set[i+1] + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, next, utf8.MaxRune)
	}
	return out
}
