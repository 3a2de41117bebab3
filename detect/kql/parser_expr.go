package kql

import "strings"

// Scalar expressions, loosest first. The order of binding is the grammar's:
// or, and, equality and in, comparison, + -, * / %, string operators, unary.

// expr reads a scalar expression, or a pipeline where one may stand.
func (p *parser) expr() node {
	p.enter()
	defer p.leave()
	return p.or()
}

func (p *parser) or() node {
	left := p.and()
	for p.cur().word("or") {
		op := p.advance()
		right := p.and()
		left = &binary{left.pos().to(right.pos()), "or", op.span, left, right}
	}
	return left
}

func (p *parser) and() node {
	left := p.equality()
	for p.cur().word("and") {
		op := p.advance()
		right := p.equality()
		left = &binary{left.pos().to(right.pos()), "and", op.span, left, right}
	}
	return left
}

var listOperators = map[string]bool{
	"in": true, "in~": true, "!in": true, "!in~": true, "has_any": true, "has_all": true,
}

func (p *parser) equality() node {
	left := p.relational()
	t := p.cur()
	switch {
	case t.is("==") || t.is("!=") || t.is("<>"):
		p.advance()
		right := p.relational()
		op := t.text
		if op == "<>" {
			op = "!="
		}
		return &binary{left.pos().to(right.pos()), op, t.span, left, right}
	case (t.kind == tokName || t.kind == tokPunct) && listOperators[t.text]:
		p.advance()
		return p.list(left, t)
	case t.word("between") || t.is("!between"):
		p.advance()
		p.expect("(", "after between")
		b := &between{negated: t.is("!between"), left: left, low: p.additive()}
		p.expect("..", "between the bounds")
		b.high = p.additive()
		b.span = left.pos().to(p.expect(")", "after the bounds"))
		return b
	}
	return left
}

// list reads the operand of in and its kin: (a, b), or a pipeline in
// parentheses.
func (p *parser) list(left node, op token) node {
	n := &inList{op: op.text, opAt: op.span, left: left}
	p.expect("(", "after "+op.text)
	for {
		n.items = append(n.items, p.pipeline())
		if !p.accept(",") {
			break
		}
	}
	n.span = left.pos().to(p.expect(")", "after the list"))
	return n
}

func (p *parser) relational() node {
	left := p.additive()
	if t := p.cur(); t.is("<") || t.is(">") || t.is("<=") || t.is(">=") {
		p.advance()
		right := p.additive()
		return &binary{left.pos().to(right.pos()), t.text, t.span, left, right}
	}
	return left
}

func (p *parser) additive() node {
	left := p.multiplicative()
	for p.cur().is("+") || p.cur().is("-") {
		op := p.advance()
		right := p.multiplicative()
		left = &binary{left.pos().to(right.pos()), op.text, op.span, left, right}
	}
	return left
}

func (p *parser) multiplicative() node {
	left := p.stringOperator()
	for p.cur().is("*") || p.cur().is("/") || p.cur().is("%") {
		op := p.advance()
		right := p.stringOperator()
		left = &binary{left.pos().to(right.pos()), op.text, op.span, left, right}
	}
	return left
}

func (p *parser) stringOperator() node {
	left := p.unary()
	for {
		t := p.cur()
		if t.kind != tokName && t.kind != tokPunct || !stringOperators[t.text] && (p.search == 0 || !t.is(":")) {
			return left
		}
		p.advance()
		op := t.text
		if op == "matches" {
			p.expectWord("regex", "after matches")
			op = "matches regex"
		}
		right := p.unary()
		left = &binary{left.pos().to(right.pos()), op, t.span.to(p.tokens[p.at-1].span), left, right}
		left.(*binary).opAt = t.span
	}
}

func (p *parser) unary() node {
	if t := p.cur(); t.is("-") || t.is("+") {
		p.advance()
		p.enter()
		defer p.leave()
		of := p.unary()
		return &signed{t.span.to(of.pos()), t.is("-"), of}
	}
	return p.postfix()
}

// postfix reads a primary and the .key and [index] that follow it.
func (p *parser) postfix() node {
	n := p.primary()
	for range maxNesting {
		switch t := p.cur(); {
		case t.is("."):
			p.advance()
			if p.cur().is("[") { // d.[x] is d[x]
				continue
			}
			key := p.name("after the dot")
			n = &path{n.pos().to(key.span), n, key.text, key.span}
		case t.is("["):
			p.advance()
			p.enter()
			at := p.expr()
			p.leave()
			end := p.expect("]", "after the index")
			n = &element{n.pos().to(end), n, at, t.span.to(end)}
		case t.is("(") && t.glued:
			panic(p.methodError(n))
		case t.kind == tokQuoted && t.glued: // d["key"] looks like a quoted name
			p.advance()
			n = &path{n.pos().to(t.span), n, t.text, t.span}
		default:
			return n
		}
	}
	panic(syntaxError(n.pos(), "the path has more than %d steps", maxNesting))
}

// methodError says what is wrong where a parenthesis follows a path, as in
// cluster("a").database("b").
func (p *parser) methodError(n node) *problem {
	if c := calledIn(n); c != nil {
		if refused := unsupportedFunction(c.fn); refused != nil {
			return refused
		}
	}
	return p.unexpected("what is called must be a function's name")
}

// calledIn is the call that a path begins with, nil if it begins with none.
func calledIn(n node) *call {
	for {
		of, ok := n.(*path)
		if !ok {
			break
		}
		n = of.of
	}
	c, _ := n.(*call)
	return c
}

// primary reads a literal, a name, a call or what stands in parentheses.
func (p *parser) primary() node {
	t := p.cur()
	switch t.kind {
	case tokString:
		p.advance()
		at, text := t.span, t.text
		for p.cur().kind == tokString { // "a" "b" is "ab"
			at, text = at.to(p.cur().span), text+p.cur().text
			p.advance()
		}
		return &literal{span: at, typ: String, val: stringValue(text)}
	case tokNumber, tokTimeSpan, tokTyped:
		p.advance()
		typ, val := literalValue(t)
		return &literal{t.span, typ, val, typ == DateTime && t.text == ""}
	case tokQuoted:
		p.advance()
		return &name{t.span, t.text, true}
	case tokName:
		switch {
		case isBoolLiteral(t.text):
			p.advance()
			return &literal{span: t.span, typ: Bool, val: boolValue(t.text[0]|0x20 == 't')}
		case t.text == "dynamic" && p.peek().is("("):
			return p.dynamicLiteral()
		case strings.HasSuffix(t.text, "~") || typedLiterals[t.text] != 0:
			panic(p.unexpected("expected an expression"))
		case t.text == "materialize" && p.peek().is("("):
			panic(p.unexpected("materialize() stands alone behind let name =, for the name to be used"))
		case p.peek().is("(") && !keywordOperators[t.text]:
			p.advance()
			return p.call(name{span: t.span, text: t.text})
		case keywords[t.text]:
			panic(p.unexpected("expected an expression; as a name it is written ['%s']", t.text))
		}
		p.advance()
		return &name{span: t.span, text: t.text}
	case tokPunct:
		switch t.text {
		case "(":
			p.advance()
			n := p.pipeline()
			p.expect(")", "to close the parenthesis")
			return n
		case "*":
			p.advance()
			return &star{t.span}
		}
	}
	panic(p.unexpected("expected an expression"))
}

func (p *parser) call(fn name) node {
	p.enter()
	defer p.leave()
	c := &call{fn: fn}
	if isWindowFunction(fn.text) {
		p.windows++
	}
	p.advance()
	if fn.text == "typeof" {
		typ := p.typeName()
		return &typeOf{fn.span.to(p.expect(")", "after the type")), typ}
	}
	for !p.cur().is(")") {
		var argument *name
		if (p.cur().kind == tokName || p.cur().kind == tokQuoted) && p.peek().is("=") {
			n := p.name("of an argument")
			argument = &n
			p.advance()
		}
		c.names = append(c.names, argument)
		c.args = append(c.args, p.pipeline())
		if !p.accept(",") {
			break
		}
	}
	c.span = fn.span.to(p.expect(")", "after the arguments"))
	p.mentions.call(c)
	return c
}
