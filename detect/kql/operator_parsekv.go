package kql

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parseKVNode is parse-kv expression as (key:type, ...) with (options): the
// values of keys in a text of pairs.
type parseKVNode struct {
	span
	of       node
	keys     Schema
	pair, kv string
	quotes   []quotePair
	escapes  []rune
	greedy   bool
	regex    *textPattern
}

type quotePair struct{ open, closing rune }

func parseParseKV(p *parser, at span) operatorNode {
	n := &parseKVNode{of: p.expr()}
	p.expectWord("as", "after the expression to parse-kv")
	p.expect("(", "before the keys")
	for {
		key := p.name("of a key")
		p.expect(":", "after the key")
		if n.keys.Index(key.text) >= 0 {
			panic(semanticError(key.span, "SEM0111", "the key '%s' is named twice", key.text))
		}
		n.keys = append(n.keys, ColumnSchema{key.text, p.typeName()})
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the keys")
	if p.acceptWord("with") {
		p.expect("(", "after with")
		given := make(map[string]span)
		for p.cur().kind == tokName {
			n.option(p, given)
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "after the options")
		n.checkOptions(given)
	}
	n.span = at.to(p.last())
	return n
}

// option reads one of the options behind with.
func (n *parseKVNode) option(p *parser, given map[string]span) {
	t := p.advance()
	if _, twice := given[t.text]; twice && t.text != "quote" && t.text != "escape" {
		panic(syntaxError(t.span, "%s is given twice", t.text))
	}
	given[t.text] = t.span
	switch t.text {
	case "pair_delimiter", "kv_delimiter", "quote", "escape", "regex", "greedy":
	default:
		panic(syntaxError(t.span, "unknown option '%s' of parse-kv: use pair_delimiter, kv_delimiter, quote, escape, greedy or regex", t.text))
	}
	p.expect("=", "after the option's name")
	at := p.cur().span
	value, ok := p.primary().(*literal)
	if t.text == "greedy" {
		if !ok || value.typ != Bool || value.val.IsNull() {
			panic(syntaxError(at, "greedy is true or false"))
		}
		n.greedy = value.val.isTrue()
		return
	}
	if !ok || value.typ != String || value.val.s == "" {
		panic(syntaxError(at, "the value of %s must be a string that is not empty", t.text))
	}
	text := value.val.s
	runes := []rune(text)
	switch t.text {
	case "pair_delimiter":
		n.pair = text
	case "kv_delimiter":
		n.kv = text
	case "quote":
		if len(runes) > 2 {
			panic(syntaxError(value.span, "quote is one character, or an opening and a closing one"))
		}
		n.quotes = append(n.quotes, quotePair{runes[0], runes[len(runes)-1]})
	case "escape":
		if len(runes) > 1 {
			panic(syntaxError(value.span, "escape is one character"))
		}
		n.escapes = append(n.escapes, runes[0])
	case "regex":
		re, err := compileRegexp(text)
		if err != nil {
			panic(semanticError(value.span, "SEM0420", "the regular expression is not valid: %s", regexpReason(err)))
		}
		if re.ascii.NumSubexp() != 2 {
			panic(semanticError(value.span, "SEM0420", "the regular expression needs two groups, one for the key and one for the value, and it has %d", re.ascii.NumSubexp()))
		}
		n.regex = re
	}
}

// checkOptions refuses options that have no meaning together.
func (n *parseKVNode) checkOptions(given map[string]span) {
	if at, ok := given["regex"]; ok && len(given) > 1 {
		panic(semanticError(at, "SEM0001", "with regex parse-kv takes no other option"))
	}
	for _, pair := range [][2]string{
		{"pair_delimiter", "kv_delimiter"}, {"kv_delimiter", "pair_delimiter"}, {"escape", "quote"}, {"greedy", "kv_delimiter"},
	} {
		if at, ok := given[pair[0]]; ok {
			if _, ok := given[pair[1]]; !ok {
				panic(semanticError(at, "SEM0001", "parse-kv takes %s only together with %s", pair[0], pair[1]))
			}
		}
	}
}

func (n *parseKVNode) bind(b *binder, in relation) relation {
	x := newExtraction("parse-kv", in, converted(b.expr(n.of, in.columns()), String))
	for _, key := range n.keys {
		x.fill(b, key.Name, key.Type)
	}
	x.match = func(text string, values []Value) bool {
		r := &pairReader{parseKVNode: n, values: values, seen: make([]bool, len(values))}
		switch {
		case n.regex != nil:
			for _, m := range n.regex.on(text).FindAllStringSubmatch(text, -1) {
				r.pair(m[1], m[2])
			}
		case n.kv == "":
			r.words(text)
		case n.greedy:
			r.greedily(text)
		default:
			r.delimited(text)
		}
		return true
	}
	return x
}

// pairReader reads the pairs of one text.
type pairReader struct {
	*parseKVNode
	values []Value
	seen   []bool
	// unclosed are the opening quotes that are never closed. No text is
	// searched for their ends over and over.
	unclosed []rune
}

// pair keeps the first value of each key that is asked for.
func (r *pairReader) pair(key, value string) {
	i := r.keys.Index(strings.TrimSpace(key))
	if i < 0 || r.seen[i] {
		return
	}
	r.seen[i] = true
	r.values[i] = fieldValue(strings.TrimSpace(value), r.keys[i].Type)
}

// quoted reads a text in quotes at the start. It gives what it stands for and
// how long it is.
func (r *pairReader) quoted(text string) (value string, size int, ok bool) {
	first, width := utf8.DecodeRuneInString(text)
	at := slices.IndexFunc(r.quotes, func(q quotePair) bool { return q.open == first })
	if at < 0 || text == "" || slices.Contains(r.unclosed, first) {
		return "", 0, false
	}
	var sb strings.Builder
	for i := width; i < len(text); {
		c, w := utf8.DecodeRuneInString(text[i:])
		i += w
		switch {
		case slices.Contains(r.escapes, c) && i < len(text):
			_, w := utf8.DecodeRuneInString(text[i:])
			sb.WriteString(text[i : i+w])
			i += w
		case c == r.quotes[at].closing:
			return sb.String(), i, true
		default:
			sb.WriteString(text[i-w : i])
		}
	}
	r.unclosed = append(r.unclosed, first) // it is a character like others
	return "", 0, false
}

// field reads up to one of the ends, or the end of the text. In quotes the ends
// have no meaning. found is the end that stands there.
func (r *pairReader) field(text string, ends ...string) (value, found, rest string) {
	trimmed := strings.TrimLeftFunc(text, unicode.IsSpace)
	if slices.Contains(ends, text[:len(text)-len(trimmed)]) {
		trimmed = text // a space that is a delimiter itself
	}
	if v, size, ok := r.quoted(trimmed); ok {
		_, found, rest = r.upTo(trimmed[size:], ends)
		return v, found, rest
	}
	return r.upTo(text, ends)
}

func (*pairReader) upTo(text string, ends []string) (value, found, rest string) {
	least := len(text)
	for _, end := range ends {
		window := text[:min(len(text), least+len(end))] // none further off counts
		if i := strings.Index(window, end); i >= 0 && (i < least || i == least && len(end) > len(found)) {
			least, found = i, end
		}
	}
	return text[:least], found, text[least+len(found):]
}

func (r *pairReader) delimited(text string) {
	for text != "" {
		key, found, rest := r.field(text, r.pairDelimiter(), r.kv)
		text = rest
		if found != r.kv {
			continue // no value belongs to it
		}
		var value string
		value, _, text = r.field(text, r.pairDelimiter())
		r.pair(key, value)
	}
}

func (r *pairReader) pairDelimiter() string { return r.parseKVNode.pair }

// greedily takes as a value all up to the next key that is asked for.
func (r *pairReader) greedily(text string) {
	type place struct{ key, from, to int } // of a key with its delimiter
	var places []place
	for i, k := range r.keys {
		for _, form := range r.keyForms(k.Name) {
			for at := 0; at < len(text); {
				j := strings.Index(text[at:], form)
				if j < 0 {
					break
				}
				at += j
				if r.startsPair(text[:at]) {
					places = append(places, place{i, at, at + len(form)})
				}
				at += len(form)
			}
		}
	}
	slices.SortFunc(places, func(x, y place) int { return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(y.to, x.to)) })
	end := 0 // of what has been read
	for i, p := range places {
		if p.from < end {
			continue // inside quotes
		}
		rest := text[p.to:]
		value := strings.TrimLeftFunc(rest, unicode.IsSpace)
		if v, size, ok := r.quoted(value); ok {
			end = len(text) - len(value) + size
			r.pair(r.keys[p.key].Name, v)
			continue
		}
		end = p.to
		for _, next := range places[i+1:] {
			if next.from >= p.to {
				rest = strings.TrimRightFunc(text[p.to:next.from], unicode.IsSpace)
				rest = strings.TrimSuffix(rest, strings.TrimSpace(r.pairDelimiter()))
				break
			}
		}
		r.pair(r.keys[p.key].Name, rest)
	}
}

// startsPair says whether a key can stand behind a text.
func (r *pairReader) startsPair(before string) bool {
	trimmed := strings.TrimRightFunc(before, unicode.IsSpace)
	return trimmed == "" || strings.HasSuffix(before, r.pairDelimiter()) || strings.HasSuffix(trimmed, r.pairDelimiter())
}

// keyForms are the ways a key may be written before its delimiter.
func (r *pairReader) keyForms(key string) []string {
	forms := []string{key + r.kv}
	for _, q := range r.quotes {
		forms = append(forms, string(q.open)+key+string(q.closing)+r.kv)
	}
	return forms
}

// words takes every run of letters and digits as a word. The word after a key
// is its value.
func (r *pairReader) words(text string) {
	var words []string
	for text != "" {
		if v, size, ok := r.quoted(text); ok {
			words, text = append(words, v), text[size:]
			continue
		}
		end := strings.IndexFunc(text, func(c rune) bool { return !isWordRune(c) })
		switch {
		case end < 0:
			words, text = append(words, text), ""
		case end > 0:
			words, text = append(words, text[:end]), text[end:]
		default:
			_, w := utf8.DecodeRuneInString(text)
			text = text[w:]
		}
	}
	for i := 0; i+1 < len(words); i++ {
		if r.keys.Index(words[i]) >= 0 {
			r.pair(words[i], words[i+1])
			i++
		}
	}
}

func isWordRune(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsDigit(c) }
