package kql

import (
	"cmp"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"
)

// stringTest decides whether a text fulfils an operator with an operand.
type stringTest struct {
	// exact tests are with case; the others get a folded operand.
	caseSensitive bool
	test          func(text, operand string) bool
}

// stringTests are the string operators without their negations. Those without
// regard to case compare as the service does, letter by letter.
var stringTests = map[string]stringTest{
	"=~":            {test: strings.EqualFold},
	"contains":      {test: containsFold},
	"contains_cs":   {caseSensitive: true, test: strings.Contains},
	"startswith":    {test: hasPrefixFold},
	"startswith_cs": {caseSensitive: true, test: strings.HasPrefix},
	"endswith":      {test: hasSuffixFold},
	"endswith_cs":   {caseSensitive: true, test: strings.HasSuffix},
	"has":           {test: findsTerm(startsTerm | endsTerm | anyCase)},
	"has_cs":        {caseSensitive: true, test: findsTerm(startsTerm | endsTerm)},
	"hasprefix":     {test: findsTerm(startsTerm | anyCase)},
	"hasprefix_cs":  {caseSensitive: true, test: findsTerm(startsTerm)},
	"hassuffix":     {test: findsTerm(endsTerm | anyCase)},
	"hassuffix_cs":  {caseSensitive: true, test: findsTerm(endsTerm)},
}

// stringOperators are all that the parser takes for one.
var stringOperators = func() map[string]bool {
	all := map[string]bool{"!~": true, "matches": true, "matches regex": true}
	for op := range stringTests {
		all[op] = true
		if op != "=~" {
			all["!"+op] = true
		}
	}
	for op := range oldStringOperators {
		all[op] = true
	}
	return all
}()

// oldStringOperators are names that operators had once, with those of today.
var oldStringOperators = map[string]string{
	"containscs": "contains_cs", "notcontains": "!contains", "notcontainscs": "!contains_cs",
}

// stringOperator binds has, contains, =~ and so on. A dynamic operand stands
// for its text.
func (b *binder) stringOperator(n *binary, left, right expr) expr {
	for i, side := range []expr{left, right} {
		if t := side.typ(); t != String && t != Dynamic {
			panic(semanticError(n.opAt, "SEM0001", "the operator %s needs strings, and its %s side is a %s: tostring() converts", n.op, []string{"left", "right"}[i], t))
		}
	}
	left, right = converted(left, String), converted(right, String)
	op, negate := cmp.Or(oldStringOperators[n.op], n.op), false
	if op == "!~" {
		op, negate = "=~", true
	} else if op[0] == '!' {
		op, negate = op[1:], true
	}
	test := stringTests[op].test
	if op == "matches regex" {
		if c, ok := right.(*constExpr); ok {
			if _, err := constantRegexp(c.val.s); err != nil {
				panic(semanticError(n.right.pos(), "SEM0420", "the regular expression is not valid: %s", regexpReason(err)))
			}
		}
		var cache regexpCache
		test = func(text, operand string) bool {
			re := cache.compile(operand)
			return re != nil && re.on(text).MatchString(text)
		}
	}
	var absent func(text string) bool
	if c, ok := right.(*constExpr); ok && searches[op] {
		absent = absence(c.val.s)
	}
	return fold(&applyExpr{t: Bool, op: cmp.Or(oldStringOperators[n.op], n.op), args: []expr{left, right},
		rows: func(a []Value) Value { return boolValue(test(a[0].s, a[1].s) != negate) },
		batch: func(args []*vector, n int) *vector {
			out := newVector(Bool, n)
			text, operand := args[0], args[1]
			for i := range n {
				s := text.strs[text.at(i)]
				found := (absent == nil || !absent(s)) && test(s, operand.strs[operand.at(i)])
				if found != negate {
					out.ints[i] = 1
				}
			}
			return out
		}})
}

// searches are the tests that look for the operand anywhere in the text.
var searches = map[string]bool{
	"contains": true, "contains_cs": true, "has": true, "has_cs": true,
	"hasprefix": true, "hasprefix_cs": true, "hassuffix": true, "hassuffix_cs": true,
}

// seldom are letters and digits from the rarest in logs to the most common. k
// and s are left out: letters beyond ASCII are equal to them without case.
const seldom = "qzxjyvwgbpfmhul0123456789cdtnrioae"

// absence makes a quick test for texts that can not hold the operand. Most of
// them lack one of its two rarest letters. It is nil for an operand without
// letters and digits. Looking for a byte is many times faster than for a text
// without regard to case.
func absence(operand string) func(text string) bool {
	lacks := func(text string, c byte) bool {
		return strings.IndexByte(text, c) < 0 && (isDigit(c) || strings.IndexByte(text, c&^0x20) < 0)
	}
	var rare []byte
	for i := 0; i < len(seldom) && len(rare) < 2; i++ {
		if !lacks(operand, seldom[i]) {
			rare = append(rare, seldom[i])
		}
	}
	if len(rare) == 0 {
		return nil
	}
	return func(text string) bool {
		for _, c := range rare {
			if lacks(text, c) {
				return true
			}
		}
		return false
	}
}

func regexpReason(err error) string {
	return strings.TrimPrefix(err.Error(), "error parsing regexp: ")
}

// regexpCache keeps the expression that was compiled last, and nil for one that
// is not valid. Next to all rows have the same.
type regexpCache struct {
	last atomic.Pointer[compiledRegexp]
}

type compiledRegexp struct {
	text string
	re   *textPattern
}

func (c *regexpCache) compile(text string) *textPattern {
	last := c.last.Load()
	if last == nil || last.text != text {
		last = &compiledRegexp{text: text}
		last.re, _ = rowRegexp(text)
		c.last.Store(last)
	}
	return last.re
}

// containsFold is strings.Contains without regard to case.
func containsFold(s, sub string) bool { return indexFold(s, sub, 0) >= 0 }

func hasPrefixFold(s, prefix string) bool {
	n, ok := foldedLen(s, prefix)
	return ok && n <= len(s)
}

func hasSuffixFold(s, suffix string) bool {
	// Folding can change a letter's length, so go back letter by letter.
	at := len(s)
	for range utf8.RuneCountInString(suffix) {
		_, size := utf8.DecodeLastRuneInString(s[:at])
		if size == 0 {
			return false
		}
		at -= size
	}
	return strings.EqualFold(s[at:], suffix)
}

// foldedLen says how many bytes of s equal all of prefix without regard to
// case.
func foldedLen(s, prefix string) (int, bool) {
	at := 0
	for i := 0; i < len(prefix); {
		if at >= len(s) {
			return 0, false
		}
		c, d := prefix[i], s[at]
		if c < utf8.RuneSelf && d < utf8.RuneSelf {
			if c != d && (c|0x20 != d|0x20 || !isLetter(c)) {
				return 0, false
			}
			i++
			at++
			continue
		}
		r, rs := utf8.DecodeRuneInString(prefix[i:])
		q, qs := utf8.DecodeRuneInString(s[at:])
		if r != q && !foldsTo(r, q) {
			return 0, false
		}
		i += rs
		at += qs
	}
	return at, true
}

func foldsTo(r, q rune) bool {
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		if f == q {
			return true
		}
	}
	return false
}

// indexFold finds sub in s from a byte on, without regard to case, or gives -1.
func indexFold(s, sub string, from int) int {
	if sub == "" {
		return from
	}
	if at, ok := anchor(sub, s); ok {
		return indexAnchored(s, sub, from, at)
	}
	first := sub[0]
	ascii := first < utf8.RuneSelf
	for i := from; i < len(s); i++ {
		if ascii && s[i] < utf8.RuneSelf && (s[i] != first && (s[i]|0x20 != first|0x20 || !isLetter(first))) {
			continue
		}
		if !utf8.RuneStart(s[i]) {
			continue
		}
		if _, ok := foldedLen(s[i:], sub); ok {
			return i
		}
	}
	return -1
}

// rarity ranks the letters and digits of seldom, the rarest first. What is no
// anchor has none.
var rarity = func() (ranks [256]uint8) {
	for i, c := range []byte(seldom) {
		ranks[c] = uint8(len(seldom) - i)
		if isLetter(c) {
			ranks[c&^0x20] = ranks[c]
		}
	}
	return ranks
}()

// anchor finds the rarest letter of sub, by which it is looked for in s. There is
// none if a letter beyond ASCII may stand for one of sub.
func anchor(sub, s string) (at int, ok bool) {
	var top uint8
	folds := false
	for i := range len(sub) {
		c := sub[i]
		if c >= utf8.RuneSelf {
			return 0, false
		}
		if c |= 0x20; c == 'k' || c == 's' {
			folds = true
		}
		if rank := rarity[sub[i]]; rank > top {
			top, at = rank, i
		}
	}
	return at, top > 0 && !(folds && !isASCII(s))
}

func isASCII(s string) bool {
	const high = 0x8080808080808080
	for len(s) >= 8 {
		if (uint64(s[0])|uint64(s[1])<<8|uint64(s[2])<<16|uint64(s[3])<<24|uint64(s[4])<<32|uint64(s[5])<<40|uint64(s[6])<<48|uint64(s[7])<<56)&high != 0 {
			return false
		}
		s = s[8:]
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// indexAnchored is indexFold by the letter of sub at a place. Looking for a byte
// is many times faster than comparing at each.
func indexAnchored(s, sub string, from, at int) int {
	c := sub[at]
	other := c // the letter in the other case
	if isLetter(c) {
		other ^= 0x20
	}
	next := func(c byte, from int) int {
		if i := strings.IndexByte(s[from:], c); i >= 0 {
			return from + i
		}
		return len(s)
	}
	if len(s)-from < len(sub) {
		return -1
	}
	one, two := next(c, from+at), len(s)
	if other != c {
		two = next(other, from+at)
	}
	for {
		i := min(one, two)
		if i == len(s) {
			return -1
		}
		if n, ok := foldedLen(s[i-at:], sub); ok && n > 0 {
			return i - at
		}
		if i == one {
			one = next(c, i+1)
		} else {
			two = next(other, i+1)
		}
	}
}

// A term is a run of letters and digits; everything else lies between terms.

// termRule says which text an operand stands for.
type termRule uint8

const (
	startsTerm termRule = 1 << iota // it is at the start of a term
	endsTerm                        // it is at the end of a term
	anyCase                         // it is spelled in any case
)

func findsTerm(rule termRule) func(s, operand string) bool {
	return func(s, operand string) bool { return findTerm(s, operand, rule) }
}

func hasTermFold(s, term string) bool { return findTerm(s, term, startsTerm|endsTerm|anyCase) }

// findTerm finds an operand in the text as the rule has it. Where the operand
// itself starts or ends with something that is no part of a term, that side is
// free.
func findTerm(s, operand string, rule termRule) bool {
	if operand == "" {
		return true
	}
	first, _ := utf8.DecodeRuneInString(operand)
	last, _ := utf8.DecodeLastRuneInString(operand)
	start := rule&startsTerm != 0 && isTermRune(first)
	end := rule&endsTerm != 0 && isTermRune(last)
	for from := 0; from <= len(s); {
		var i, n int
		if rule&anyCase != 0 {
			if i = indexFold(s, operand, from); i < 0 {
				return false
			}
			n, _ = foldedLen(s[i:], operand)
		} else {
			if i = strings.Index(s[from:], operand); i < 0 {
				return false
			}
			i, n = from+i, len(operand)
		}
		before, _ := utf8.DecodeLastRuneInString(s[:i])
		after, _ := utf8.DecodeRuneInString(s[i+n:])
		if (!start || i == 0 || !isTermRune(before)) && (!end || i+n == len(s) || !isTermRune(after)) {
			return true
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		from = i + size
	}
	return false
}

func isTermRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isLetter(byte(r)) || isDigit(byte(r))
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// foldCase gives texts that are equal without regard to case the same form.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			if r >= 'A' && r <= 'Z' {
				return r | 0x20
			}
			if r != 'k' && r != 's' { // those have folds outside ASCII
				return r
			}
		}
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if least >= 'A' && least <= 'Z' {
			return least | 0x20
		}
		return least
	}, s)
}
