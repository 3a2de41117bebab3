package kql

import "strings"

// parser is a recursive descent over the tokens. Where the language decides by
// a word, a table decides here: sources and operators.
type parser struct {
	text   string
	tokens []token
	at     int
	depth  int
	// search is how many predicates of search are being read: column:"text" may
	// stand there.
	search int
	// windows counts the calls of window functions in the pipeline being read.
	windows  int
	mentions mentions
}

// maxNesting bounds how deep expressions may be nested, so that no text can
// exhaust the stack.
const maxNesting = 400

// parseQuery reads statements and the query expression.
func parseQuery(text string) (statements []statement, query node) {
	return newParser(text).query()
}

func newParser(text string) *parser { return &parser{text: text, tokens: lex(text)} }

// query reads the whole text.
func (p *parser) query() (statements []statement, query node) {
	statements = p.statements(tokEnd, "")
	if p.cur().kind == tokEnd {
		panic(syntaxError(p.cur().span, "the query has no tabular expression: a table's name, print, range, datatable or union"))
	}
	query = p.batch(p.tablePipeline())
	if p.cur().kind != tokEnd {
		panic(p.unexpected("expected | and an operator, or the end of the query"))
	}
	return statements, query
}

func (p *parser) cur() token  { return p.tokens[p.at] }
func (p *parser) peek() token { return p.tokens[min(p.at+1, len(p.tokens)-1)] }

func (p *parser) advance() token {
	t := p.tokens[p.at]
	if t.kind != tokEnd {
		p.at++
	}
	return t
}

// last is the token before the current one.
func (p *parser) last() span { return p.tokens[max(p.at-1, 0)].span }

func (t token) is(punct string) bool  { return t.kind == tokPunct && t.text == punct }
func (t token) word(text string) bool { return t.kind == tokName && t.text == text }

func (p *parser) accept(punct string) bool {
	if p.cur().is(punct) {
		p.at++
		return true
	}
	return false
}

func (p *parser) acceptWord(word string) bool {
	if p.cur().word(word) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(punct, where string) span {
	if !p.cur().is(punct) {
		panic(p.unexpected("expected %q %s", punct, where))
	}
	return p.advance().span
}

func (p *parser) expectWord(word, where string) {
	if !p.acceptWord(word) {
		panic(p.unexpected("expected %q %s", word, where))
	}
}

// unexpected fails at the current token.
func (p *parser) unexpected(format string, args ...any) *problem {
	t := p.cur()
	if t.kind == tokEnd {
		return syntaxError(t.span, "the query ends here; "+format, args...)
	}
	args = append([]any{p.text[t.start:t.end]}, args...)
	return syntaxError(t.span, "unexpected %q; "+format, args...)
}

func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		panic(syntaxError(p.cur().span, "the query is nested more than %d levels deep", maxNesting))
	}
}

func (p *parser) leave() { p.depth-- }

// statements reads let and set statements up to the query expression.
func (p *parser) statements(kind tokenKind, closing string) []statement {
	var list []statement
	for {
		start := p.cur()
		switch {
		case p.accept(";"):
			continue
		case start.kind != tokName || p.peek().kind != tokName && p.peek().kind != tokQuoted:
			return list
		case start.text == "let":
			p.advance()
			st := statement{name: p.name("after let")}
			p.expect("=", "after the name")
			st.expr = p.letValue()
			st.span = start.span.to(p.last())
			p.mentions.define(st.name, st.expr)
			list = append(list, st)
		case start.text == "set":
			p.advance()
			st := statement{set: true, name: p.name("after set")}
			if p.accept("=") {
				st.expr = p.expr()
			}
			st.span = start.span.to(p.last())
			list = append(list, st)
		case start.text == "declare" && p.peek().word("query_parameters"):
			p.at += 2
			list = append(list, p.queryParameters()...)
		case start.text == "declare" && p.peek().word("pattern"):
			list = append(list, p.patternStatement())
		case start.text == "declare" || start.text == "alias" || start.text == "restrict":
			panic(unsupportedError(start.span, "the statement '%s' is not supported; let, set, declare query_parameters and declare pattern are", start.text))
		default:
			return list
		}
		if p.cur().kind != kind || closing != "" && !p.cur().is(closing) {
			p.expect(";", "after the statement")
		}
	}
}

// queryParameters reads (name: type = default, ...). Nobody gives them other
// values here, so each is as if a let defined it.
func (p *parser) queryParameters() []statement {
	var list []statement
	p.expect("(", "after query_parameters")
	for !p.cur().is(")") {
		par := p.parameter()
		at := par.name.span.to(p.last())
		if par.table {
			panic(syntaxError(at, "a query parameter is no table"))
		}
		if lit, ok := par.def.(*literal); par.def != nil && (!ok || lit == nil) {
			panic(syntaxError(par.def.pos(), "the default of a query parameter must be a literal"))
		}
		p.mentions.define(par.name, nil)
		typ := par.typ
		list = append(list, statement{span: at, name: par.name, expr: par.def, parameter: &typ})
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the query parameters")
	return list
}

// letValue reads what follows let name =: a function or an expression.
func (p *parser) letValue() node {
	view := p.acceptWord("view")
	if p.cur().is("(") {
		if fn := p.lambda(); fn != nil {
			fn.view = view
			return fn
		}
	}
	if t := p.cur(); t.word("materialize") && p.peek().is("(") {
		p.advance()
		return p.call(name{span: t.span, text: t.text})
	}
	value, _ := withoutRender(p.tablePipeline())
	return value
}

// lambda reads (parameters) { body }. It gives nil, with nothing consumed, if
// an expression in parentheses stands here.
func (p *parser) lambda() *lambda {
	closing := p.at
	for depth := 0; ; closing++ {
		if t := p.tokens[closing]; t.kind == tokEnd {
			return nil
		} else if t.is("(") {
			depth++
		} else if t.is(")") {
			if depth--; depth == 0 {
				break
			}
		}
	}
	if !p.tokens[closing+1].is("{") {
		return nil
	}
	fn := &lambda{}
	start := p.advance().span
	outer := p.mentions.scope()
	defer p.mentions.leave(outer)
	for !p.cur().is(")") {
		par := p.parameter()
		if last := len(fn.params) - 1; par.table && last >= 0 && !fn.params[last].table {
			panic(semanticError(par.span, "SEM0001", "the parameters that are tables must come first"))
		}
		fn.params = append(fn.params, par)
		p.mentions.define(par.name, nil)
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the parameters")
	fn.span = start.to(p.body(fn))
	return fn
}

// body reads { statements and an expression }, and gives where it ends.
func (p *parser) body(fn *lambda) span {
	p.expect("{", "before the body")
	p.enter()
	fn.lets = p.statements(tokPunct, "}")
	fn.body, _ = withoutRender(p.tablePipeline()) // only the query's own render counts
	p.leave()
	p.accept(";")
	return p.expect("}", "after the body")
}

func (p *parser) parameter() parameter {
	par := parameter{name: p.name("of a parameter")}
	p.expect(":", "after the parameter's name")
	if p.accept("(") {
		par.table = true
		for !p.cur().is(")") {
			if len(par.columns) == 0 && p.accept("*") {
				break
			} else {
				column := p.name("of a column")
				p.expect(":", "after the column's name")
				par.columns = append(par.columns, ColumnSchema{column.text, p.typeName()})
			}
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "after the columns")
		return par
	}
	par.typ = p.typeName()
	if p.accept("=") {
		par.def = p.expr()
	}
	return par
}

func (p *parser) typeName() Type {
	t := p.cur()
	if t.kind == tokName {
		if typ, ok := ParseType(t.text); ok {
			p.advance()
			return typ
		}
	}
	panic(p.unexpected("expected a type: bool, datetime, decimal, dynamic, guid, int, long, real, string or timespan"))
}

// name reads an identifier or a ['quoted name'].
func (p *parser) name(where string) name {
	t := p.cur()
	if t.kind != tokName && t.kind != tokQuoted || strings.HasSuffix(t.text, "~") {
		panic(p.unexpected("expected a name %s", where))
	}
	if t.kind == tokName && keywords[t.text] {
		panic(p.unexpected("expected a name %s; this word as one is written ['%s']", where, t.text))
	}
	p.advance()
	return name{t.span, t.text, t.kind == tokQuoted}
}

// pipeline reads a source and the operators that follow it. Without any
// operator it is the source alone, which may be a scalar expression.
func (p *parser) pipeline() node {
	p.enter()
	defer p.leave()
	source := p.source()
	if !p.cur().is("|") {
		return source
	}
	p.mentions.table(source)
	pl := &pipeline{source: source}
	windows := p.windows
	for p.accept("|") {
		pl.ops = append(pl.ops, p.operator())
	}
	p.windows = windows
	pl.span = source.pos().to(p.last())
	return pl
}

// tablePipeline is pipeline where a name by itself can only be a table's.
func (p *parser) tablePipeline() node {
	n := p.pipeline()
	p.mentions.table(n)
	return n
}

// source reads what a pipeline starts with.
func (p *parser) source() node {
	if t := p.cur(); t.kind == tokName {
		if why := refusedSources["macro-expand"]; t.text == "macro" && p.peek().is("-") && p.tokens[min(p.at+2, len(p.tokens)-1)].word("expand") {
			panic(unsupportedError(t.span.to(p.tokens[p.at+2].span), "'macro-expand' is not supported; %s", why))
		} else if t.text == "entity_group" && p.peek().is("[") {
			panic(unsupportedError(t.span, "'entity_group' is not supported; %s", why))
		}
		parse := sources()[t.text]
		// A column may be called range, and a function print.
		next := p.peek()
		taken := next.kind == tokPunct && !next.is("(") && !next.is("-") && !next.is("*") || next.kind == tokEnd
		if parse != nil && (t.text == "print" || !taken) && !(t.text == "range" && next.is("(")) {
			return parse(p)
		}
		if why, ok := refusedSources[t.text]; ok && !taken {
			panic(unsupportedError(t.span, "'%s' is not supported; %s", t.text, why))
		}
	}
	return p.expr()
}

// operator reads one tabular operator, after the |.
func (p *parser) operator() operatorNode {
	start := p.cur()
	if start.kind != tokName {
		panic(p.unexpected("expected an operator such as where, extend or summarize"))
	}
	word := p.operatorName()
	at := start.span.to(p.last())
	parse := operators()[word]
	if parse == nil {
		if why, ok := refusedOperators[word]; ok {
			panic(unsupportedError(at, "the operator '%s' is not supported; %s", word, why))
		}
		panic(syntaxError(at, "unknown operator '%s'%s", word, suggestion(word, operatorNames())))
	}
	windows := p.windows
	op := parse(p, at)
	if p.windows > windows {
		return &windowedNode{op}
	}
	return op
}

// operatorName reads a word whose parts may be joined by hyphens.
func (p *parser) operatorName() string {
	word := p.advance().text
	for p.cur().is("-") && p.cur().glued && p.peek().kind == tokName && p.peek().glued {
		p.advance()
		word += "-" + p.advance().text
	}
	return word
}

// options reads name=value pairs, of the names that the operator knows.
// Hints on how to execute, which cannot change an answer, are known to all.
func (p *parser) options(operator string, known ...string) map[string]option {
	var opts map[string]option
	for p.cur().kind == tokName {
		end := p.at + 1
		for p.tokens[end].is(".") && p.tokens[end+1].kind == tokName {
			end += 2
		}
		if !p.tokens[end].is("=") {
			return opts
		}
		o := option{span: p.cur().span.to(p.tokens[end-1].span)}
		o.name = p.text[o.start:o.end]
		isHint := strings.HasPrefix(o.name, "hint.")
		isKnown := false
		for _, k := range known {
			isKnown = isKnown || k == o.name
		}
		if !isKnown && !isHint {
			return opts // name = expression, for the operator itself to read
		}
		if isHint && !isKnown && !executionHints[o.name] {
			panic(unsupportedError(o.span, "the hint '%s' of %s is not supported", o.name, operator))
		}
		p.at = end + 1
		o.value = p.optionValue()
		if _, twice := opts[o.name]; twice {
			panic(syntaxError(o.span, "%s is given twice", o.name))
		}
		if opts == nil {
			opts = make(map[string]option)
		}
		opts[o.name] = o
		if isHint {
			p.accept(",")
		}
	}
	return opts
}

// executionHints say how a cluster is to spread its work. There is nothing to
// spread here, and they never change an answer.
var executionHints = map[string]bool{
	"hint.strategy": true, "hint.shufflekey": true, "hint.num_partitions": true, "hint.remote": true,
	"hint.concurrency": true, "hint.spread": true, "hint.distribution": true,
}

func (p *parser) optionValue() node {
	if t := p.cur(); t.kind == tokName && !isBoolLiteral(t.text) {
		p.advance()
		return &name{span: t.span, text: t.text}
	}
	return p.primary()
}

// namedExprs reads a list of [name =] expression, or [(a, b) =] expression.
func (p *parser) namedExprs() []named {
	var list []named
	for {
		list = append(list, p.namedExpr())
		if !p.accept(",") {
			return list
		}
	}
}

func (p *parser) namedExpr() named {
	start := p.cur().span
	if names := p.assignedNames(); names != nil {
		expr := p.expr()
		return named{start.to(expr.pos()), names, expr}
	}
	expr := p.expr()
	return named{expr.pos(), nil, expr}
}

// assignedNames reads name = or (a, b) =, and gives nil with nothing consumed
// if neither stands here.
func (p *parser) assignedNames() []name {
	t := p.cur()
	if (t.kind == tokName || t.kind == tokQuoted) && p.peek().is("=") {
		if t.kind == tokName && keywords[t.text] && !declarable[t.text] {
			panic(p.unexpected("as a name it is written ['%s']", t.text))
		}
		p.at += 2
		return []name{{t.span, t.text, t.kind == tokQuoted}}
	}
	if !t.is("(") {
		return nil
	}
	mark := p.at
	p.advance()
	var names []name
	for p.cur().kind == tokName || p.cur().kind == tokQuoted {
		names = append(names, p.name(""))
		if !p.accept(",") {
			break
		}
	}
	if len(names) > 0 && p.accept(")") && p.accept("=") {
		return names
	}
	p.at = mark
	return nil
}

// pattern reads a name that may hold *.
func (p *parser) pattern() pattern {
	t := p.cur()
	if t.kind == tokQuoted {
		p.advance()
		return pattern{t.span, t.text}
	}
	start := t.span
	for n := 0; p.cur().kind == tokName || p.cur().kind == tokNumber || p.cur().is("*"); n++ {
		if n > 0 && !p.cur().glued {
			break
		}
		p.advance()
	}
	if p.last().end <= start.start {
		panic(p.unexpected("expected a column's name, or a pattern with *"))
	}
	at := start.to(p.last())
	return pattern{at, p.text[at.start:at.end]}
}
