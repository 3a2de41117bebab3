package kql

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// stringFunctions work on text.
func stringFunctions() []*scalarFunction {
	text := func(f func(string) string) func([]Value) Value {
		return func(a []Value) Value { return stringValue(f(a[0].String())) }
	}
	return []*scalarFunction{
		{sig: "tolower(value:scalar) string", doc: "The text in lower case.", rows: text(strings.ToLower),
			examples: examples{"tolower('ÄBC')", "äbc"}},
		{sig: "toupper(value:scalar) string", doc: "The text in upper case.", rows: text(strings.ToUpper),
			examples: examples{"toupper('äbc')", "ÄBC"}},
		{sig: "reverse(value:scalar) string", doc: "The text backwards.", rows: text(reversed),
			examples: examples{"reverse('äbc')", "cbä", "reverse(3h)", "00:00:30"}},
		{sig: "strlen(value:text) long", doc: "The number of characters.", naming: prefixed("strlen"),
			examples: examples{"strlen('äbc')", "3"},
			rows:     func(a []Value) Value { return longValue(int64(utf8.RuneCountInString(a[0].String()))) }},
		{sig: "string_size(value:text) long", doc: "The number of bytes in UTF-8.", naming: prefixed("string_size"),
			examples: examples{"string_size('äbc')", "4"},
			rows:     func(a []Value) Value { return longValue(int64(len(a[0].String()))) }},
		{sig: "strcat(value:scalar, more:scalar*) string", doc: "The arguments' texts, joined.",
			examples: examples{"strcat('a', 1, true)", "a1true"},
			rows: func(a []Value) Value {
				var sb strings.Builder
				for _, v := range a {
					sb.WriteString(v.String())
				}
				return stringValue(sb.String())
			}},
		{sig: "strcat_delim(delimiter:scalar, value:scalar, next:scalar, more:scalar*) string", doc: "The arguments' texts, joined with a delimiter.",
			examples: examples{"strcat_delim('-', 1, 'A', 1s)", "1-A-00:00:01"},
			rows: func(a []Value) Value {
				parts := make([]string, len(a)-1)
				for i, v := range a[1:] {
					parts[i] = v.String()
				}
				return stringValue(strings.Join(parts, a[0].String()))
			}},
		{sig: "strcmp(left:scalar, right:scalar) long", doc: "-1, 0 or 1 as the first text comes before, is, or comes after the second.",
			examples: examples{"strcmp('a', 'b')", "-1", "strcmp('abcde', 'abc')", "1"},
			rows:     func(a []Value) Value { return longValue(int64(strings.Compare(a[0].String(), a[1].String()))) }},
		{sig: "strrep(value:scalar, times:long, delimiter:scalar?) string", doc: "The text repeated, with a delimiter between.", rows: repeatedText,
			examples: examples{"strrep('ABC', 2)", "ABCABC", "strrep(123, 3, '.')", "123.123.123", "strrep('a', 0)", ""}},
		{sig: "substring(source:scalar, start:integer, length:integer?) string", doc: "The part of a text from a position, counted from 0; a negative one counts from the end.", rows: substring,
			examples: examples{"substring('abcdef', 1, 2)", "bc", "substring('abcdef', -2)", "ef"}},
		{sig: "indexof(source:scalar, match:scalar, start:integer?, length:integer?, occurrence:integer?) long", doc: "The position of a text within another, counted from 0, else -1.", rows: indexOf,
			examples: examples{"indexof('abcabc', 'c')", "2", "indexof('abcabc', 'c', 3)", "5", "indexof('abcabc', 'a', 0, -1, 2)", "3", "indexof('xabxxab', 'ab', 1, 5, 2)", "5", "indexof('abc', 'z')", "-1"}},
		{sig: "has_any_index(source:text, values:array) long", doc: "The position of the first element that the text has as a term, counted from 0, else -1.",
			examples: examples{"has_any_index('this is an example', dynamic(['not','example']))", "1", "has_any_index('this', dynamic([]))", "-1"},
			rows: func(a []Value) Value {
				if a[1].kind != kindArray {
					return longValue(-1)
				}
				source := a[0].String()
				return longValue(int64(slices.IndexFunc(a[1].array(), func(v Value) bool { return hasTermFold(source, v.String()) })))
			}},
		{sig: "split(source:scalar, delimiter:string, index:integer?) dynamic", doc: "The parts between delimiters as an array; with an index, an array of that one part.", naming: nameOfFirst, rows: split,
			examples: examples{"split('a_b_c', '_')", `["a","b","c"]`, "split('a_b_c', '_', 1)", `["b"]`}},
		{sig: "replace_string(text:string, lookup:string, rewrite:string) string", doc: "The text with every occurrence of one text replaced by another.",
			examples: examples{"replace_string('a.b.c', '.', '-')", "a-b-c"},
			rows: func(a []Value) Value {
				if a[1].s == "" {
					return a[0]
				}
				if int64(strings.Count(a[0].s, a[1].s))*int64(len(a[2].s)) > maxValueSize {
					panic(limitError("replace_string() makes a text of more than %d MiB", maxValueSize>>20))
				}
				return stringValue(strings.ReplaceAll(a[0].s, a[1].s, a[2].s))
			}},
		{sig: "replace_strings(text:string, lookups:array, rewrites:array) string", doc: "The text with every occurrence of one of several texts replaced by the one at the same position; an earlier lookup takes what it finds before a later one.", rows: replaceStrings,
			examples: examples{"replace_strings('a cat into a dog', dynamic(['cat','dog']), dynamic(['dog','pigeon']))", "a dog into a pigeon",
				"replace_strings('This is', dynamic(['This','is']), dynamic([12345,'was']))", "This was",
				"replace_strings('This is', dynamic(['is','This']), dynamic(['was','This']))", "Thwas was"}},
		{sig: "translate(from:string, to:string, source:string) string", doc: "The text with each character of one list replaced by that of another; the last of the other stands for all that are missing.", rows: translate,
			examples: examples{"translate('krasp', 'otsku', 'spark')", "kusto", "translate('abc', 'x', 'abc')", "xxx", "translate('abc', '', 'ab')", ""}},
		{sig: "isascii(value:scalar) bool", doc: "Whether the text is of ASCII characters only.",
			examples: examples{"isascii('abc')", "true", "isascii('ä')", "false"},
			rows: func(a []Value) Value {
				return boolValue(strings.IndexFunc(a[0].String(), func(r rune) bool { return r > unicode.MaxASCII }) < 0)
			}},
		{sig: "isutf8(value:scalar) bool", doc: "Whether the text is valid UTF-8.",
			examples: examples{"isutf8('ä')", "true"},
			rows:     func(a []Value) Value { return boolValue(utf8.ValidString(a[0].String())) }},
	}
}

func reversed(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// runeOffset is where the n-th character starts, at most the text's end.
func runeOffset(s string, n int64) int {
	if n >= int64(len(s)) {
		n = int64(len(s)) // at least a byte per character
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		_, size := utf8.DecodeRuneInString(s[at:])
		at += size
	}
	return at
}

func substring(a []Value) Value {
	s := a[0].String()
	if a[1].IsNull() {
		return stringValue("")
	}
	start := a[1].n
	if start < 0 {
		start = max(0, start+int64(utf8.RuneCountInString(s)))
	}
	s = s[runeOffset(s, start):]
	if len(a) > 2 && !a[2].IsNull() {
		if a[2].n < 0 {
			return stringValue("")
		}
		s = s[:runeOffset(s, a[2].n)]
	}
	return stringValue(s)
}

func indexOf(a []Value) Value {
	s, match := a[0].String(), a[1].String()
	from, upTo, occurrence := int64(0), int64(-1), int64(1)
	if len(a) > 2 && !a[2].IsNull() {
		from = a[2].n
	}
	if len(a) > 3 && !a[3].IsNull() {
		upTo = a[3].n
	}
	if len(a) > 4 && !a[4].IsNull() {
		occurrence = a[4].n
	}
	if from < 0 {
		from = max(0, from+int64(utf8.RuneCountInString(s)))
	}
	if occurrence < 1 || upTo < -1 {
		return Value{}
	}
	at := runeOffset(s, from)
	for {
		part := s[at:]
		if upTo >= 0 { // counts anew after each occurrence
			part = part[:runeOffset(part, upTo)]
		}
		i := strings.Index(part, match)
		if i < 0 {
			return longValue(-1)
		}
		at += i
		if occurrence--; occurrence == 0 {
			return longValue(int64(utf8.RuneCountInString(s[:at])))
		}
		_, size := utf8.DecodeRuneInString(s[at:])
		if size == 0 {
			return longValue(-1)
		}
		at += size
	}
}

func split(a []Value) Value {
	source, delimiter := a[0].String(), a[1].s
	parts := []string{source}
	if delimiter != "" {
		if strings.Count(source, delimiter) > maxValueSize/valueSize {
			panic(limitError("split() makes more than %d parts", maxValueSize/valueSize))
		}
		parts = strings.Split(source, delimiter)
	}
	if len(a) > 2 {
		i := a[2].n
		if i < 0 {
			i += int64(len(parts))
		}
		if a[2].IsNull() || i < 0 || i >= int64(len(parts)) {
			return Value{}
		}
		parts = parts[i : i+1]
	}
	items := make([]Value, len(parts))
	for i, p := range parts {
		items[i] = stringValue(p)
	}
	return arrayValue(items)
}

func repeatedText(a []Value) Value {
	text, delimiter := a[0].String(), ""
	if len(a) > 2 {
		delimiter = a[2].String()
	}
	times := optional(a, 1, 0)
	if times < 1 {
		return stringValue("")
	}
	if unit := int64(len(text) + len(delimiter)); unit > 0 && times > maxValueSize/unit {
		panic(limitError("strrep() makes a text of more than %d MiB", maxValueSize>>20))
	} else if unit == 0 {
		return stringValue("")
	}
	return stringValue(strings.Repeat(text+delimiter, int(times)-1) + text)
}

// replaceStrings leaves alone what a lookup finds whose rewrite is no string. An
// earlier lookup takes what it finds anywhere in the text before a later one.
func replaceStrings(a []Value) Value {
	if a[1].kind != kindArray || a[2].kind != kindArray {
		return a[0]
	}
	lookups, rewrites := a[1].array(), a[2].array()
	var out []byte
	var replace func(s string, from int)
	replace = func(s string, from int) {
		for i := from; i < len(lookups) && s != ""; i++ {
			l := lookups[i]
			if l.kind != String || l.s == "" {
				continue
			}
			for {
				before, after, found := strings.Cut(s, l.s)
				if !found {
					break
				}
				replace(before, i+1)
				if i < len(rewrites) && rewrites[i].kind == String {
					out = append(out, rewrites[i].s...)
				} else {
					out = append(out, l.s...)
				}
				if s = after; len(out) > maxValueSize {
					panic(limitError("replace_strings() makes a text of more than %d MiB", maxValueSize>>20))
				}
			}
		}
		out = append(out, s...)
	}
	replace(a[0].s, 0)
	return stringValue(string(out))
}

func translate(a []Value) Value {
	from, to := []rune(a[0].s), []rune(a[1].s)
	return stringValue(strings.Map(func(r rune) rune {
		i := slices.Index(from, r)
		switch {
		case i < 0:
			return r
		case len(to) == 0:
			return -1
		}
		return to[min(i, len(to)-1)]
	}, a[2].s))
}
