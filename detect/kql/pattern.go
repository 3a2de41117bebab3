package kql

import (
	"slices"
	"strings"
)

// patternNode is declare pattern name = (arguments)[path] { (values).[value] = { body }; ... }:
// it maps texts to tables. Without bodies, whoever is given the query puts them in.
type patternNode struct {
	span
	name
	params []parameter // the path, if there is one, is the last of them
	path   bool
	rows   []patternRow
}

// patternRow is what values stand for.
type patternRow struct {
	values []string
	fn     *lambda
}

// patternStatement reads declare pattern and what follows.
func (p *parser) patternStatement() statement {
	start := p.advance().span
	p.advance()
	n := &patternNode{name: p.name("of a pattern")}
	p.mentions.define(n.name, nil)
	if p.accept("=") {
		p.patternBodies(n)
	}
	n.span = start.to(p.last())
	return statement{span: n.span, name: n.name, pattern: n}
}

func (p *parser) patternBodies(n *patternNode) {
	argument := func() {
		par := parameter{name: p.name("of an argument")}
		p.expect(":", "after the argument's name")
		at := p.cur().span
		if par.typ = p.typeName(); par.typ != String {
			panic(semanticError(at, "SEM0001", "the arguments of a pattern are strings"))
		}
		if slices.ContainsFunc(n.params, func(other parameter) bool { return other.text == par.text }) {
			panic(semanticError(par.name.span, "SEM0001", "the pattern has two arguments named '%s'", par.text))
		}
		n.params = append(n.params, par)
	}
	p.expect("(", "before the arguments of the pattern")
	for {
		if argument(); !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the arguments")
	if p.accept("[") {
		n.path = true
		argument()
		p.expect("]", "after the path")
	}
	p.expect("{", "before the bodies of the pattern")
	for !p.cur().is("}") {
		n.rows = append(n.rows, p.patternRow(n))
	}
	p.expect("}", "after the bodies of the pattern")
}

// patternRow reads (values).[value] = { body };
func (p *parser) patternRow(n *patternNode) patternRow {
	row := patternRow{fn: &lambda{params: n.params}}
	value := func() {
		l, ok := p.primary().(*literal)
		if !ok || l.typ != String {
			panic(semanticError(p.last(), "SEM0001", "the values of a pattern must be string literals"))
		}
		row.values = append(row.values, l.val.s)
	}
	start := p.expect("(", "before the values")
	for {
		if value(); !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the values")
	if n.path {
		p.expect(".", "before the value of the path")
		p.patternPath(&row)
	}
	if len(row.values) != len(n.params) {
		panic(semanticError(start.to(p.last()), "SEM0001", "the pattern '%s' takes %s and got %d", n.text, countOf(len(n.params), len(n.params)), len(row.values)))
	}
	if slices.ContainsFunc(n.rows, func(other patternRow) bool { return slices.Equal(other.values, row.values) }) {
		panic(semanticError(start.to(p.last()), "SEM0001", "the pattern '%s' has two bodies for %s", n.text, shownValues(row.values)))
	}
	p.expect("=", "before the body")
	outer := p.mentions.scope()
	row.fn.span = start.to(p.body(row.fn))
	p.mentions.leave(outer)
	p.expect(";", "after the body")
	return row
}

// patternPath reads ["value"]. The lexer takes it for a quoted name where no space is in it.
func (p *parser) patternPath(row *patternRow) {
	if t := p.cur(); t.kind == tokQuoted {
		p.advance()
		row.values = append(row.values, t.text)
		return
	}
	p.expect("[", "before the value of the path")
	l, ok := p.primary().(*literal)
	if !ok || l.typ != String {
		panic(semanticError(p.last(), "SEM0001", "the values of a pattern must be string literals"))
	}
	row.values = append(row.values, l.val.s)
	p.expect("]", "after the value of the path")
}

func shownValues(values []string) string {
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = quoted(v)
	}
	return "(" + strings.Join(shown, ", ") + ")"
}

// patternOf says whether an expression stands for what a pattern maps values to:
// it gives the call, and the pattern's definition.
func (b *binder) patternOf(n node) (*call, *definition) {
	if p, ok := n.(*path); ok {
		n = p.of
	}
	c, ok := n.(*call)
	if !ok {
		return nil, nil
	}
	if d := b.find(c.fn.text); d != nil && d.pattern != nil {
		return c, d
	}
	return nil, nil
}

// invokePattern binds the body that a pattern has for the values.
func (b *binder) invokePattern(c *call, d *definition, at *path) relation {
	c.unnamed()
	pattern := d.pattern
	args, whole := slices.Clone(c.args), c.span
	for _, arg := range args {
		if l, ok := arg.(*literal); !ok || l.typ != String {
			panic(semanticError(arg.pos(), "SEM0001", "the values that a pattern is given must be string literals"))
		}
	}
	if at != nil {
		whole = at.span
		args = append(args, &literal{span: at.keyAt, typ: String, val: stringValue(at.key)})
	}
	var values []string
	for _, arg := range args {
		l, _ := arg.(*literal)
		values = append(values, l.val.s)
	}
	row := slices.IndexFunc(pattern.rows, func(r patternRow) bool { return slices.Equal(r.values, values) })
	if row < 0 || (at != nil) != pattern.path {
		panic(semanticError(whole, "SEM0036", "the pattern '%s' is not declared for %s", pattern.text, shownValues(values)))
	}
	var rel relation
	body := &definition{fn: pattern.rows[row].fn, scope: d.scope, numbered: d.numbered}
	b.invoke(&call{span: whole, fn: c.fn, args: args, names: make([]*name, len(args))}, body, nil, func(n node) { rel = b.relation(n) })
	return rel
}
