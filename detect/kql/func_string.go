package kql

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"
)

// stringFunctions work on text.
func stringFunctions() []*scalarFunction {
	text := func(sig, doc string, f func(string) string) *scalarFunction {
		return &scalarFunction{sig: sig, doc: doc, rows: func(a []Value) Value { return stringValue(f(a[0].String())) }}
	}
	return []*scalarFunction{
		text("tolower(value:scalar) string", "The text in lower case.", strings.ToLower),
		text("toupper(value:scalar) string", "The text in upper case.", strings.ToUpper),
		text("reverse(value:scalar) string", "The text backwards.", reversed),
		text("url_encode(value:string) string", "The text with what a URL can not hold escaped.", url.QueryEscape),
		text("url_decode(value:string) string", "The text with URL escapes undone.", func(s string) string {
			if d, err := url.QueryUnescape(s); err == nil {
				return d
			}
			return s
		}),
		text("base64_encode_tostring(value:string) string", "The text in base64.", func(s string) string {
			return base64.StdEncoding.EncodeToString([]byte(s))
		}),
		text("base64_decode_tostring(value:string) string", "The text that base64 stands for.", func(s string) string {
			d, err := base64.StdEncoding.DecodeString(s)
			if err != nil || !utf8.Valid(d) {
				return ""
			}
			return string(d)
		}),
		text("hash_sha256(value:notdynamic) string", "The SHA-256 of the text, in hexadecimal.", func(s string) string {
			sum := sha256.Sum256([]byte(s))
			return hex.EncodeToString(sum[:])
		}),
		{sig: "strlen(value:text) long", doc: "The number of characters.", naming: prefixed("strlen"),
			rows: func(a []Value) Value { return longValue(int64(utf8.RuneCountInString(a[0].String()))) }},
		{sig: "strcat(value:scalar, more:scalar*) string", doc: "The arguments' texts, joined.", rows: func(a []Value) Value {
			var sb strings.Builder
			for _, v := range a {
				sb.WriteString(v.String())
			}
			return stringValue(sb.String())
		}},
		{sig: "strcat_delim(delimiter:scalar, value:scalar, more:scalar*) string", doc: "The arguments' texts, joined with a delimiter.", rows: func(a []Value) Value {
			parts := make([]string, len(a)-1)
			for i, v := range a[1:] {
				parts[i] = v.String()
			}
			return stringValue(strings.Join(parts, a[0].String()))
		}},
		{sig: "substring(source:scalar, start:integer, length:integer?) string", doc: "The part of a text from a position, counted from 0; a negative one counts from the end.", rows: substring},
		{sig: "indexof(source:scalar, match:scalar, start:integer?, length:integer?, occurrence:integer!?) long", doc: "The position of a text within another, counted from 0, else -1.", rows: indexOf},
		{sig: "split(source:scalar, delimiter:string, index:integer?) dynamic", doc: "The parts between delimiters as an array; with an index, an array of that one part.", naming: nameOfFirst, rows: split},
		{sig: "replace_string(text:string, lookup:string, rewrite:string) string", doc: "The text with every occurrence of one text replaced by another.",
			rows: func(a []Value) Value {
				if a[1].s == "" {
					return a[0]
				}
				if int64(strings.Count(a[0].s, a[1].s))*int64(len(a[2].s)) > maxValueSize {
					failLimit("replace_string() makes a text of more than %d MiB", maxValueSize>>20)
				}
				return stringValue(strings.ReplaceAll(a[0].s, a[1].s, a[2].s))
			}},
		{sig: "replace_regex(text:string, regex:regex, rewrite:string!) string", doc: "The text with every match of a regular expression replaced; \\1 is its first group.", bind: withRegexp(1, replaceRegex)},
		{sig: "trim(regex:regex, source:string) string", doc: "The text without matches of a regular expression at its start and end.", bind: bindTrim(true, true)},
		{sig: "trim_start(regex:regex, source:string) string", doc: "The text without matches of a regular expression at its start.", bind: bindTrim(true, false)},
		{sig: "trim_end(regex:regex, source:string) string", doc: "The text without matches of a regular expression at its end.", bind: bindTrim(false, true)},
		{sig: "extract(regex:regex, group:long, source:string) string", doc: "What a group of a regular expression matches in the text; group 0 is the whole match.", bind: withRegexp(0, extract)},
		{sig: "strcmp(left:scalar, right:scalar) long", doc: "-1, 0 or 1 as the first text comes before, is, or comes after the second.",
			rows: func(a []Value) Value { return longValue(int64(strings.Compare(a[0].String(), a[1].String()))) }},
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
	start := runeOffset(s, from)
	part := s[start:]
	if upTo >= 0 {
		part = part[:runeOffset(part, upTo)]
	}
	at := 0
	for ; occurrence > 0; occurrence-- {
		i := strings.Index(part[at:], match)
		if i < 0 {
			return longValue(-1)
		}
		at += i
		if occurrence > 1 {
			_, size := utf8.DecodeRuneInString(part[at:])
			at += max(size, 1)
			if at > len(part) {
				return longValue(-1)
			}
		}
	}
	return longValue(int64(utf8.RuneCountInString(s[:start+at])))
}

func split(a []Value) Value {
	source, delimiter := a[0].String(), a[1].s
	parts := []string{source}
	if delimiter != "" {
		if strings.Count(source, delimiter) > maxValueSize/valueSize {
			failLimit("split() makes more than %d parts", maxValueSize/valueSize)
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

// withRegexp binds a function whose argument at a position is a regular
// expression: a constant, and checked.
func withRegexp(at int, rows func(re *regexp.Regexp, a []Value) Value) func(*binder, *call, []expr) expr {
	return func(_ *binder, _ *call, args []expr) expr {
		re := regexp.MustCompile(args[at].(*constExpr).val.s)
		return fold(&applyExpr{t: String, args: args, rows: func(a []Value) Value { return rows(re, a) }})
	}
}

func replaceRegex(re *regexp.Regexp, a []Value) Value {
	source, template := a[0].s, goTemplate(a[2].s)
	var out []byte
	from := 0
	for _, m := range re.FindAllStringSubmatchIndex(source, -1) {
		out = append(out, source[from:m[0]]...)
		out = re.ExpandString(out, template, source, m)
		from = m[1]
		if len(out) > maxValueSize {
			break // and the caller refuses it
		}
	}
	return stringValue(string(append(out, source[from:]...)))
}

// goTemplate writes a rewrite pattern, whose groups are \1 and so on, as Go's
// regexp has it.
func goTemplate(rewrite string) string {
	var sb strings.Builder
	for i := 0; i < len(rewrite); i++ {
		switch c := rewrite[i]; {
		case c == '$':
			sb.WriteString("$$")
		case c == '\\' && i+1 < len(rewrite) && isDigit(rewrite[i+1]):
			sb.WriteString("${" + rewrite[i+1:i+2] + "}")
			i++
		default:
			sb.WriteByte(c)
		}
	}
	return sb.String()
}

func bindTrim(start, end bool) func(*binder, *call, []expr) expr {
	return func(_ *binder, _ *call, args []expr) expr {
		pattern := args[0].(*constExpr).val.s
		first, last := regexp.MustCompile(`^(?:`+pattern+`)+`), regexp.MustCompile(`(?:`+pattern+`)+$`)
		return fold(&applyExpr{t: String, args: args, rows: func(a []Value) Value {
			s := a[1].s
			if start {
				s = s[len(first.FindString(s)):]
			}
			if at := last.FindStringIndex(s); end && at != nil {
				s = s[:at[0]]
			}
			return stringValue(s)
		}})
	}
}

func extract(re *regexp.Regexp, a []Value) Value {
	if a[1].IsNull() {
		return stringValue("")
	}
	return stringValue(group(re, a[2].s, a[1].n))
}

func group(re *regexp.Regexp, s string, n int64) string {
	m := re.FindStringSubmatch(s)
	if n < 0 || n >= int64(len(m)) {
		return ""
	}
	return m[n]
}
