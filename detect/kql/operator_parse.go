package kql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// parseNode is parse expression with a pattern, and parse-where, which drops
// the rows that do not fit.
type parseNode struct {
	span
	kind    string // simple, relaxed or regex
	flags   string // of a regular expression
	of      node
	pattern []patternPart
	where   bool
}

// patternPart is a piece of text to find, a column to fill, or * for whatever
// is there. It is one of the three.
type patternPart struct {
	at     span
	text   string
	column *name
	typ    Type
	any    bool
}

func parseParse(p *parser, at span) operatorNode {
	return parseParseRest(p, at, &parseNode{}, "parse")
}

func parseParseWhere(p *parser, at span) operatorNode {
	return parseParseRest(p, at, &parseNode{where: true}, "parse-where")
}

func parseParseRest(p *parser, at span, n *parseNode, operator string) operatorNode {
	n.kind = "simple"
	opts := p.options(operator, "kind", "flags")
	if o, ok := opts["kind"]; ok {
		kind, _ := o.value.(*name)
		if kind == nil || kind.text != "simple" && kind.text != "relaxed" && kind.text != "regex" {
			panic(syntaxError(o.value.pos(), "the kind of %s is simple, relaxed or regex", operator))
		}
		n.kind = kind.text
	}
	if o, ok := opts["flags"]; ok {
		flags, _ := o.value.(*name)
		if flags == nil || strings.Trim(flags.text, "imsU") != "" {
			panic(syntaxError(o.value.pos(), "the flags of a regular expression are i, m, s and U, together in one word"))
		}
		if n.kind != "regex" {
			panic(semanticError(o.span, "SEM0001", "flags are for %s kind=regex", operator))
		}
		n.flags = flags.text
	}
	n.of = p.expr()
	p.expectWord("with", "after the expression to "+operator)
	for !p.atPatternEnd() {
		n.pattern = append(n.pattern, p.patternPart(n.pattern))
	}
	if len(n.pattern) == 0 {
		panic(p.unexpected("expected a pattern of strings, columns and *"))
	}
	n.span = at.to(p.last())
	return n
}

func (p *parser) atPatternEnd() bool {
	t := p.cur()
	return t.kind == tokEnd || t.is("|") || t.is(")") || t.is(";") || t.is("}")
}

// patternPart reads one part, which must make sense after those before it.
func (p *parser) patternPart(before []patternPart) patternPart {
	t := p.cur()
	var last patternPart
	if len(before) > 0 {
		last = before[len(before)-1]
	}
	switch {
	case t.is("*"):
		if last.any {
			panic(syntaxError(last.at, "a string must stand between one * and the next"))
		}
		if last.column != nil && last.typ == String {
			panic(syntaxError(t.span, "* after a column of type string says nothing about where the column ends: put a string between them"))
		}
		p.advance()
		return patternPart{at: t.span, any: true}
	case t.kind == tokString:
		lit := p.primary().(*literal)
		return patternPart{at: lit.span, text: lit.val.s}
	case t.kind == tokName || t.kind == tokQuoted:
		if last.any {
			panic(syntaxError(last.at, "a string must stand between * and the column, to say where it begins"))
		}
		if last.column != nil {
			panic(syntaxError(t.span, "a column must follow a string, which says where it begins"))
		}
		column := p.name("of a column")
		part := patternPart{column: &column, typ: String}
		if p.accept(":") {
			part.typ = p.typeName()
		}
		part.at = t.span.to(p.last())
		return part
	}
	panic(p.unexpected("expected a string, a column or *"))
}

func (n *parseNode) bind(b *binder, in relation) relation {
	of := converted(b.expr(n.of, in.columns()), String)
	x := newExtraction("parse", in, of)
	if n.where {
		x.op, x.filter = "parse-where", true
	}
	seen := make(map[string]bool)
	for _, part := range n.pattern {
		if part.column == nil {
			continue
		}
		if seen[part.column.text] {
			panic(semanticError(part.column.span, "SEM0111", "the pattern fills the column '%s' twice", part.column.text))
		}
		seen[part.column.text] = true
		x.fill(b, part.column.text, part.typ)
	}
	if n.kind == "regex" {
		x.match = n.regexMatcher()
	} else {
		x.match = textMatcher(n.pattern, n.kind == "relaxed")
	}
	return x
}

// extraction fills columns from one text per row: what parse and parse-kv do.
type extraction struct {
	in     relation
	op     string // parse and its kin
	of     expr
	cols   []*column
	fromIn []*column // the input's column, nil for one that is filled
	source []int     // its position
	filled []int     // the positions of those, in the pattern's order
	filter bool      // drop the rows that do not match
	need   []bool
	// match fills the values, each of its column's type, and says whether the
	// text fits. The values hold nulls when it is called.
	match func(text string, values []Value) bool
}

func newExtraction(op string, in relation, of expr) *extraction {
	x := &extraction{in: in, op: op, of: of, cols: copyColumns(in.columns())}
	x.fromIn = append(x.fromIn, in.columns()...)
	return x
}

// fill adds a column, or replaces that of the same name.
func (x *extraction) fill(b *binder, name string, t Type) {
	for i, c := range x.cols {
		if x.fromIn[i] != nil {
			b.inheritReceived(c, x.fromIn[i])
		}
		if c.name == name {
			x.cols[i], x.fromIn[i] = &column{name, t}, nil
			x.filled = append(x.filled, i)
			return
		}
	}
	x.cols, x.fromIn = append(x.cols, &column{name, t}), append(x.fromIn, nil)
	x.filled = append(x.filled, len(x.cols)-1)
}

func (x *extraction) columns() []*column { return x.cols }

func (x *extraction) prepare(need map[*column]bool) {
	below := make(map[*column]bool)
	x.need, x.source = make([]bool, len(x.cols)), make([]int, len(x.cols))
	for i, c := range x.cols {
		x.need[i], x.source[i] = need[c], slices.Index(x.in.columns(), x.fromIn[i])
		if need[c] && x.fromIn[i] != nil {
			below[x.fromIn[i]] = true
		}
	}
	needs(x.of, below)
	x.in.prepare(below)
	resolve(x.of, x.in.columns())
}

func (x *extraction) explain(e *explainer) explained {
	var list []string
	for _, at := range x.filled {
		if x.need[at] {
			list = append(list, e.columnName(x.cols[at]))
		}
	}
	return explained{
		text: x.op + " " + e.expr(x.of) + " as " + strings.Join(list, ", "), gives: chosen(x.cols, x.need), inputs: []relation{x.in},
	}
}

func (x *extraction) input() relation { return x.in }

func (x *extraction) run(ex *execution, emit func(*batch) error) error { return runStages(x, ex, emit) }

// apply looks for the pattern in each distinct text, and fills the columns from what it
// finds.
func (x *extraction) apply(ex *execution, b *batch, emit func(*batch) error) error {
	texts := x.of.eval(ex, b)
	if texts.dict != nil {
		texts = texts.compact()
	}
	if texts.distinct() > b.n {
		texts = texts.flat()
	}
	// Rows that share a text share what is found in it.
	found := make([]*vector, len(x.filled))
	for i, at := range x.filled {
		found[i] = newVector(x.cols[at].typ, texts.distinct())
	}
	fits := make([]bool, texts.distinct())
	values, total := make([]Value, len(x.filled)), int64(0)
	for e := range fits {
		clear(values)
		if fits[e] = x.match(texts.strs[e], values); !fits[e] {
			clear(values)
		}
		for i, v := range values {
			total += checkSize(v)
			found[i].set(e, v)
		}
	}
	if total > maxBatchSize {
		panic(limitError("%s makes more than %d MiB of text for %d rows", x.op, maxBatchSize>>20, b.n))
	}
	out := &batch{n: b.n, cols: make([]*vector, len(x.cols))}
	for i := range x.cols {
		if x.need[i] && x.fromIn[i] != nil {
			out.cols[i] = b.cols[x.source[i]]
		}
	}
	for i, at := range x.filled {
		if x.need[at] {
			v := found[i]
			v.constant, v.codes, v.n = texts.constant, texts.codes, b.n
			out.cols[at] = v
		}
	}
	if !x.filter {
		return emit(out)
	}
	sel := make([]int32, 0, b.n)
	for row := range b.n {
		if fits[texts.at(row)] {
			sel = append(sel, int32(row))
		}
	}
	if len(sel) == 0 {
		return nil
	}
	if len(sel) < b.n {
		out.n = len(sel)
		for i, c := range out.cols {
			if c != nil {
				out.cols[i] = c.gather(sel)
			}
		}
	}
	return emit(out)
}

// textMatcher finds the strings of a pattern one after the other. A column
// takes the text between them, up to the end of the text if nothing follows.
// What is not of its column's type is null if relaxed, else no match at all.
func textMatcher(pattern []patternPart, relaxed bool) func(string, []Value) bool {
	return func(text string, values []Value) bool {
		skip, column := false, -1
		var typ Type
		next, ok := 0, true
		take := func(part string) {
			if column < 0 {
				return
			}
			val := fieldValue(part, typ)
			if val.IsNull() && typ != String {
				ok = ok && relaxed
			}
			values[column] = val
			column = -1
		}
		for _, part := range pattern {
			switch {
			case part.any:
				if column >= 0 { // a typed column says itself where it ends
					n := fieldLength(text, typ)
					take(text[:n])
					text = text[n:]
				}
				skip = true
			case part.column != nil:
				column, typ = next, part.typ
				next++
			default:
				i := strings.Index(text, part.text)
				if i < 0 || i > 0 && column < 0 && !skip {
					return false
				}
				take(text[:i])
				text, skip = text[i+len(part.text):], false
			}
			if !ok {
				return false
			}
		}
		take(text)
		return ok
	}
}

// fieldValue reads a column's text as the column's type.
func fieldValue(text string, t Type) Value {
	if t == String {
		return stringValue(text)
	}
	if strings.TrimSpace(text) == "" {
		return Value{}
	}
	return convert(stringValue(text), t)
}

// fieldPatterns say how long a value is that only its type delimits.
var fieldPatterns = map[Type]*regexp.Regexp{}

func init() {
	for t := range typeNames {
		if typeNames[t] != "" {
			fieldPatterns[Type(t)] = regexp.MustCompile(`^\s*` + fieldPattern(Type(t)))
		}
	}
}

func fieldLength(text string, t Type) int {
	if at := fieldPatterns[t].FindStringIndex(text); at != nil {
		return at[1]
	}
	return 0
}

// groupPattern is the regular expression of a column's text within a larger
// one. A number delimits itself, and anything else takes all it can.
func groupPattern(t Type) string {
	switch t {
	case Int, Long, Real, Decimal:
		return fieldPattern(t)
	}
	return `.*`
}

// fieldPattern is the regular expression of a column's text, without groups.
func fieldPattern(t Type) string {
	switch t {
	case Int, Long:
		return `[-+]?[0-9]+`
	case Real, Decimal:
		return `[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?`
	case Bool:
		return `(?i:true|false|\d+)`
	case DateTime:
		return `[-/\d]+(?:[T ][\d:.]+(?: ?(?:AM|PM)\b)?)?(?:Z|[-+]\d\d:\d\d)?`
	case TimeSpan:
		return `-?[\d.:]+`
	case GUID:
		return `[-\da-fA-F]+`
	}
	return `.*`
}

// groupPrefix starts the names of the groups of columns. The pattern's own
// strings have other groups.
const groupPrefix = "pushback_column_"

// regexMatcher makes one regular expression of the pattern. In it * is .*?, a
// string itself, and a column a group that takes all it can, or digits if it is
// a number.
func (n *parseNode) regexMatcher() func(string, []Value) bool {
	var sb strings.Builder
	if n.flags != "" {
		sb.WriteString("(?" + n.flags + ")")
	}
	sb.WriteString(`\A`)
	var types []Type
	for i, part := range n.pattern {
		switch {
		case part.any:
			sb.WriteString(".*?")
		case part.column != nil:
			fmt.Fprintf(&sb, "(?P<%s%d>%s)", groupPrefix, len(types), groupPattern(part.typ))
			types = append(types, part.typ)
			if i == len(n.pattern)-1 {
				sb.WriteString(`\z`)
			}
		default:
			if _, err := compileRegexp(part.text); err != nil {
				panic(semanticError(part.at, "SEM0420", "the regular expression is not valid: %s", regexpReason(err)))
			}
			sb.WriteString("(?:" + part.text + ")")
		}
	}
	re, err := compileRegexp(sb.String())
	if err != nil {
		panic(semanticError(n.span, "SEM0420", "the regular expression is not valid: %s", regexpReason(err)))
	}
	groups := make([]int, len(types))
	for i := range groups {
		groups[i] = 2 * re.ascii.SubexpIndex(fmt.Sprint(groupPrefix, i))
	}
	return func(text string, values []Value) bool {
		m := re.on(text).FindStringSubmatchIndex(text)
		if m == nil {
			return false
		}
		for i, t := range types {
			values[i] = fieldValue(text[m[groups[i]]:m[groups[i]+1]], t)
			if values[i].IsNull() && t != String {
				return false
			}
		}
		return true
	}
}
