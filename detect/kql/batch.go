package kql

// batchNode is several queries with a semicolon between them. Each gives a table:
// the first is the answer, and the others are tables of their own, as those of fork.
type batchNode struct {
	span
	queries []batchQuery
}

// batchQuery is one of them, with the statements before it that are not those of
// the one before.
type batchQuery struct {
	statements []statement
	query      node
}

// batch reads what follows the first query.
func (p *parser) batch(first node) node {
	n := &batchNode{queries: []batchQuery{{query: first}}}
	for p.accept(";") {
		q := batchQuery{statements: p.statements(tokEnd, "")}
		if p.cur().kind == tokEnd {
			if at := p.last(); len(q.statements) > 0 {
				panic(syntaxError(at, "no query follows this statement"))
			}
			break
		}
		q.query, _ = withoutRender(p.tablePipeline())
		n.queries = append(n.queries, q)
	}
	if len(n.queries) == 1 {
		return first
	}
	n.queries[0].query, _ = withoutRender(first)
	n.span = first.pos().to(p.last())
	return n
}

func (n *batchNode) bindSource(b *binder) relation {
	f := &forked{}
	outer := b.scope
	defer func() { b.scope = outer }()
	for i, q := range n.queries {
		if i > 0 { // which may hide what an earlier query defines
			b.scope = &scope{outer: b.scope, body: true}
		}
		b.statements(q.statements)
		b.numbered = 0
		f.add("", i, b.relation(q.query))
	}
	return f
}
