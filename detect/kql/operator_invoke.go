package kql

// invokeNode is invoke function(arguments): the call of a let statement's
// function whose first parameter is the table.
type invokeNode struct {
	span
	call *call
}

func parseInvoke(p *parser, at span) operatorNode {
	fn := p.name("of a function")
	if !p.cur().is("(") {
		panic(p.unexpected("expected the arguments of %s in parentheses", fn.text))
	}
	c := p.call(fn).(*call)
	return &invokeNode{at.to(c.span), c}
}

func (n *invokeNode) bind(b *binder, in relation) relation {
	if b.subtables > b.partitions {
		panic(unsupportedError(n.span, "invoke is not supported inside mv-apply; write the function's operators there"))
	}
	fn := n.call.fn
	d := b.find(fn.text)
	if d == nil || d.fn == nil {
		if msg := supply(fn.text); msg != "" {
			panic(semanticError(fn.span, "SEM0260", "%s", msg))
		}
		panic(semanticError(fn.span, "SEM0260", "invoke calls a function that a let statement defines or that is saved in the workspace (--functions DIR), and '%s' is not one%s",
			fn.text, suggestion(fn.text, append(b.scope.all(), b.db.Functions.Names()...))))
	}
	if d.saved != nil && d.saved.broken != nil {
		panic(d.saved.problem(fn.span, d.saved.broken))
	}
	if len(d.fn.params) == 0 || !d.fn.params[0].table {
		panic(semanticError(fn.span, "SEM0001", "the first parameter of %s() must be a table, for invoke to pass it the input", fn.text))
	}
	input := &boundTable{n.span, &shared{in: in, ofAPart: b.partitions > 0}}
	c := &call{span: n.call.span, fn: fn, args: append([]node{input}, n.call.args...), names: append([]*name{nil}, n.call.names...)}
	if !b.isTabular(c) {
		panic(semanticError(fn.span, "SEM0001", "%s() gives a scalar, and invoke needs a table", fn.text))
	}
	var rel relation
	b.invoke(c, d, nil, func(body node) { rel = b.relation(body) })
	return rel
}
