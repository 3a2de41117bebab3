package kql

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// regexFunctions match regular expressions, which are RE2's as Go's are.
func regexFunctions() []*scalarFunction {
	extractAll := func(name, doc string, more ...string) *scalarFunction {
		return &scalarFunction{sig: name + "(regex:regex, groups_or_source:text, source:string?) dynamic", doc: doc, bind: bindExtractAll, examples: more}
	}
	return []*scalarFunction{
		{sig: "extract(regex:regex, group:long, source:string, type:type?) string", doc: "What a group of a regular expression matches in the text, as text or as a type; group 0 is the whole match.", bind: bindExtract,
			examples: examples{`extract('x=(\\d+)', 1, 'a x=45 b')`, "45", `extract('x=(\\d+)', 1, 'a x=45 b', typeof(int)) + 1`, "46", "extract('y', 0, 'a')", ""}},
		extractAll("extract_all", "All matches of a regular expression: an array of what the group, or of arrays of what each group matches. Groups can be chosen by number or name in an array.",
			`extract_all(@'(\w)(\d)', 'a1 b2')`, `[["a","1"],["b","2"]]`, `extract_all(@'\d(\w)', '1a2b')`, `["a","b"]`, `extract_all(@'(?P<x>\w)(\d)', dynamic([2,'x']), 'a1 b2')`, `[["1","a"],["2","b"]]`,
			`extract_all(@'(\w+)', 'né ٣')`, `["né","٣"]`, `extract_all(@'(?-u)(\w+)', 'né ٣')`, `["n"]`),
		extractAll("extractall", "The same as extract_all().", `extractall('(a)', 'b')`, "null"),
		{sig: "replace_regex(source:string, regex:regex, rewrite:string) string", doc: "The text with every match of a regular expression replaced; \\1 in the new text is its first group, \\0 all of it.",
			examples: examples{`replace_regex('a1b22', '\\d+', '#')`, "a#b#", `replace_regex('ab', '(a)(b)', @'\2\1$')`, "ba$"},
			bind: withRegexp(1, String, func(p *textPattern, a []Value) Value {
				return replaceRegex(p, a[0].s, a[2].s)
			})},
		{sig: "replace(regex:regex, rewrite:string, source:string) string", doc: "replace_regex() with another order of arguments.",
			examples: examples{`replace('b', 'x', 'abc')`, "axc"},
			bind: withRegexp(0, String, func(p *textPattern, a []Value) Value {
				return replaceRegex(p, a[2].s, a[1].s)
			})},
		{sig: "indexof_regex(source:scalar, regex:regex, start:integer?, length:integer?, occurrence:integer?) long",
			doc:      "The position of a regular expression's match in the text, counted from 0, else -1.",
			examples: examples{"indexof_regex('abcabc', 'a.c')", "0", "indexof_regex('abcabcdefg', 'a.c', 0, 9, 2)", "3", "indexof_regex('ababaa', 'a.a', 0, -1, 2)", "-1", "indexof_regex('abc', 'a', -1)", "null"},
			bind:     withRegexp(1, Long, indexOfRegex)},
		{sig: "countof(source:string, search:string, kind:string!?) long", doc: "How often a text is found in another, overlaps included; with kind 'regex', matches of a regular expression, which do not overlap.", bind: bindCountOf,
			examples: examples{"countof('aaaa', 'aa')", "3", "countof('ababa', 'aba', 'regex')", "1", "countof('ababa', 'ab', 'normal')", "2"}},
		{sig: "regex_quote(value:scalar) string", doc: "The text as a regular expression that matches it.",
			examples: examples{"regex_quote('(so$me.Te^xt)')", `\(so\$me\.Te\^xt\)`},
			rows:     func(a []Value) Value { return stringValue(regexp.QuoteMeta(a[0].String())) }},
		{sig: "trim(regex:regex, source:string) string", doc: "The text without matches of a regular expression at its start and end.", bind: bindTrim(trimStart | trimEnd),
			examples: examples{`trim(@'[^\w]+', '--- te st ---')`, "te st"}},
		{sig: "trim_start(regex:regex, source:string) string", doc: "The text without matches of a regular expression at its start.", bind: bindTrim(trimStart),
			examples: examples{"trim_start('https://', 'https://bing.com')", "bing.com"}},
		{sig: "trim_end(regex:regex, source:string) string", doc: "The text without matches of a regular expression at its end.", bind: bindTrim(trimEnd),
			examples: examples{"trim_end('.com', 'bing.com')", "bing"}},
	}
}

// withRegexp binds a function whose argument at a position is a regular
// expression: a constant, and checked.
func withRegexp(at int, t Type, rows func(p *textPattern, a []Value) Value) func(*binder, *call, []expr) expr {
	return func(_ *binder, _ *call, args []expr) expr {
		p := mustRegexp(constantText(args[at]))
		return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value { return rows(p, a) }})
	}
}

func bindExtract(b *binder, n *call, args []expr) expr {
	t := String
	if len(args) > 3 {
		t, args = args[3].typ(), args[:3]
	}
	return withRegexp(0, t, func(p *textPattern, a []Value) Value {
		text := ""
		if m := p.on(a[2].s).FindStringSubmatch(a[2].s); !a[1].IsNull() && a[1].n >= 0 && a[1].n < int64(len(m)) {
			text = m[a[1].n]
		}
		return convert(stringValue(text), t)
	})(b, n, args)
}

// bindExtractAll has two forms, with and without a choice of groups.
func bindExtractAll(b *binder, n *call, args []expr) expr {
	groupsOf := mustRegexp(constantText(args[0])).ascii
	_, known := args[0].(*constExpr)
	if known && groupsOf.NumSubexp() == 0 {
		panic(semanticError(n.args[0].pos(), "SEM0420", "the regular expression of %s() must have a group", n.fn.text))
	}
	var groups []int
	if len(args) == 2 {
		args[1] = b.coerce(args[1], String, n.args[1].pos())
		for g := range groupsOf.NumSubexp() {
			groups = append(groups, g+1)
		}
	} else {
		c, ok := b.constantOf(args[1])
		if ok && c == nil {
			c = &constExpr{t: Dynamic, val: arrayValue(nil)}
		}
		if !ok || c.val.kind != kindArray {
			panic(semanticError(n.args[1].pos(), "SEM0220", "the argument 'groups' of %s() must be a constant array of group numbers and names", n.fn.text))
		}
		for _, v := range c.val.array() {
			g := -1
			switch {
			case v.kind == String:
				g = groupsOf.SubexpIndex(v.s)
			case v.kind == Long && v.n >= 0 && v.n <= int64(groupsOf.NumSubexp()):
				g = int(v.n)
			}
			if g < 0 && known {
				panic(semanticError(n.args[1].pos(), "SEM0220", "the regular expression of %s() has no group '%s'", n.fn.text, v))
			}
			groups = append(groups, g)
		}
	}
	return withRegexp(0, Dynamic, func(p *textPattern, a []Value) Value {
		source := a[len(a)-1].s
		found := p.on(source).FindAllStringSubmatch(source, -1)
		if found == nil {
			return Value{}
		}
		items := make([]Value, len(found))
		for i, m := range found {
			parts := make([]Value, len(groups))
			for j, g := range groups {
				parts[j] = stringValue(m[g])
			}
			if items[i] = arrayValue(parts); len(parts) == 1 {
				items[i] = parts[0]
			}
		}
		return arrayValue(items)
	})(b, n, args)
}

func replaceRegex(p *textPattern, source, rewrite string) Value {
	re, template := p.on(source), goTemplate(rewrite)
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

func indexOfRegex(p *textPattern, a []Value) Value {
	s := a[0].String()
	from, length, occurrence := optional(a, 2, 0), optional(a, 3, -1), optional(a, 4, 1)
	if from < 0 || length < -1 || occurrence < 1 {
		return Value{}
	}
	start := runeOffset(s, from)
	part := s[start:]
	if length >= 0 {
		part = part[:runeOffset(part, length)]
	}
	found := p.on(part).FindAllStringIndex(part, int(min(occurrence, int64(len(part))+1)))
	if int64(len(found)) < occurrence {
		return longValue(-1)
	}
	return longValue(int64(utf8.RuneCountInString(s[:start+found[occurrence-1][0]])))
}

func bindCountOf(b *binder, n *call, args []expr) expr {
	kind := "normal"
	if len(args) > 2 {
		kind = constantText(args[2])
	}
	switch kind {
	case "normal":
		return fold(&applyExpr{t: Long, args: args, rows: func(a []Value) Value {
			return longValue(countOverlapping(a[0].s, a[1].s))
		}})
	case "regex":
		args[1] = b.checkConstant(n.fn.text, param{name: "search", kind: "regex"}, args[1], n.args[1].pos())
		return withRegexp(1, Long, func(p *textPattern, a []Value) Value {
			return longValue(int64(len(p.on(a[0].s).FindAllStringIndex(a[0].s, -1))))
		})(b, n, args)
	}
	panic(semanticError(n.args[2].pos(), "SEM0220", "the argument 'kind' of %s() must be 'normal' or 'regex'", n.fn.text))
}

func countOverlapping(s, search string) (n int64) {
	if search == "" {
		return 0
	}
	_, step := utf8.DecodeRuneInString(search)
	for {
		i := strings.Index(s, search)
		if i < 0 {
			return n
		}
		n++
		s = s[i+step:]
	}
}

// trimmed are the sides of a text that are trimmed.
type trimmed uint8

const (
	trimStart trimmed = 1 << iota
	trimEnd
)

func bindTrim(sides trimmed) func(*binder, *call, []expr) expr {
	return func(_ *binder, _ *call, args []expr) expr {
		text := constantText(args[0])
		first, last := mustRegexp(`^(?:`+text+`)+`), mustRegexp(`(?:`+text+`)+$`)
		return fold(&applyExpr{t: String, args: args, rows: func(a []Value) Value {
			s := a[1].s
			if sides&trimStart != 0 {
				s = s[len(first.on(s).FindString(s)):]
			}
			if at := last.on(s).FindStringIndex(s); at != nil && sides&trimEnd != 0 {
				s = s[:at[0]]
			}
			return stringValue(s)
		}})
	}
}
