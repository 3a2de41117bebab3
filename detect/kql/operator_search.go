package kql

import (
	"regexp"
	"strings"
)

// searchNode is search [kind=...] [in (tables)] predicate, as a source or after
// a |. A text by itself in the predicate is looked for in all columns.
type searchNode struct {
	span
	caseSensitive bool
	legs          []unionLeg // none is all tables
	predicate     node       // nil for *
}

// searchSource is the column that says which table a row is of.
const searchSource = "$table"

func parseSearchSource(p *parser) node {
	at := p.advance().span
	n := p.searchRest(at)
	if n.legs == nil {
		n.legs = allTables(at)
	}
	return n
}

func parseSearch(p *parser, at span) operatorNode {
	if p.cur().word("in") {
		panic(syntaxError(at, "search behind a table searches that table; with in (...) it begins a query"))
	}
	return p.searchRest(at)
}

// allTables is every table of the database.
func allTables(at span) []unionLeg {
	return []unionLeg{{expr: &name{span: at, text: "*"}, pattern: "*"}}
}

func (p *parser) searchRest(at span) *searchNode {
	n := &searchNode{}
	opts := p.options("search", "kind")
	if o, ok := opts["kind"]; ok {
		kind, _ := o.value.(*name)
		switch {
		case kind != nil && kind.text == "case_sensitive":
			n.caseSensitive = true
		case kind == nil || kind.text != "case_insensitive" && kind.text != "default":
			panic(syntaxError(o.value.pos(), "the kind of search is case_sensitive, case_insensitive or default"))
		}
	}
	if p.acceptWord("in") {
		n.legs = p.tableList("search")
	}
	if p.cur().is("*") && (p.peek().kind == tokEnd || p.peek().is("|") || p.peek().is(")") || p.peek().is(";")) {
		p.advance()
	} else {
		p.search++
		n.predicate = p.expr()
		p.search--
	}
	n.span = at.to(p.last())
	return n
}

// tableList reads (table, pattern*, ...).
func (p *parser) tableList(of string) []unionLeg {
	p.expect("(", "after in")
	var legs []unionLeg
	for {
		if p.cur().is("(") {
			panic(p.unexpected("expected the name of a table, or a pattern with *: %s takes no expressions", of))
		}
		legs = append(legs, p.unionLeg())
		if !p.accept(",") {
			break
		}
	}
	p.expect(")", "after the tables")
	return legs
}

func (n *searchNode) bindSource(b *binder) relation {
	u := &unionNode{span: n.span, withSource: searchSource, legs: n.legs}
	return n.filter(b, u.bind(b, nil))
}

func (n *searchNode) bind(b *binder, in relation) relation {
	u := &union{legs: []relation{in}}
	sources := []string{sourceOf(whoseRows(in), 0)}
	if below, ok := in.(*union); ok && below.tag == nil { // its tables are those that are searched
		u.legs, sources = below.legs, nil
		for i, leg := range below.legs {
			sources = append(sources, sourceOf(whoseRows(leg), i))
		}
	}
	u.unify(&unionNode{withSource: searchSource}, sources)
	u.inheritReceived(b)
	return n.filter(b, u)
}

// whoseRows is the table whose rows an operator passes on, or the operator itself
// if it makes rows of its own.
func whoseRows(rel relation) relation {
	for {
		switch r := rel.(type) {
		case *filter:
			rel = r.in
		case *projection:
			rel = r.in
		case *taking:
			rel = r.in
		case *sorting:
			rel = r.in
		default:
			return rel
		}
	}
}

func (n *searchNode) filter(b *binder, in relation) relation {
	if n.predicate == nil {
		return in
	}
	predicate := searched(n.predicate, n.caseSensitive)
	return &filter{in: in, predicate: b.requireBool(b.expr(predicate, in.columns()), n.predicate)}
}

// searched writes a predicate of search or find as where has it: a text by itself
// is looked for in all columns.
func searched(n node, caseSensitive bool) node {
	switch n := n.(type) {
	case *literal:
		if n.typ == String {
			op, text := searchTerm(n.val.s)
			return &binary{span: n.span, op: withCase(op, caseSensitive), opAt: n.span, left: &star{n.span}, right: &literal{span: n.span, typ: String, val: stringValue(text)}}
		}
	case *binary:
		out := *n
		switch n.op {
		case "and", "or":
			out.left, out.right = searched(n.left, caseSensitive), searched(n.right, caseSensitive)
		case ":":
			out.op = "has"
			if of, ok := n.right.(*literal); ok && of.typ == String {
				op, text := searchTerm(of.val.s)
				out.op, out.right = op, &literal{span: of.span, typ: String, val: stringValue(text)}
			}
			out.op = withCase(out.op, caseSensitive)
		default:
			out.op = withCase(n.op, caseSensitive)
		}
		return &out
	}
	return n
}

// withCase is an operator with regard to case, if it is asked for.
func withCase(op string, sensitive bool) string {
	switch {
	case !sensitive:
		return op
	case op == "=~":
		return "=="
	case op == "!~":
		return "!="
	case stringOperators[op+"_cs"]:
		return op + "_cs"
	}
	return op
}

// searchTerm says how a text with * at an end, or inside, is looked for.
func searchTerm(text string) (op, operand string) {
	inner := strings.TrimSuffix(strings.TrimPrefix(text, "*"), "*")
	switch {
	case strings.Contains(inner, "*"):
		parts := strings.Split(inner, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern := strings.Join(parts, ".*")
		if !strings.HasPrefix(text, "*") {
			pattern = `\b` + pattern
		}
		if !strings.HasSuffix(text, "*") {
			pattern += `\b`
		}
		return "matches regex", "(?is)" + pattern
	case text == inner:
		return "has", inner
	case strings.HasPrefix(text, "*") && strings.HasSuffix(text, "*") && len(text) > 1:
		return "contains", inner
	case strings.HasPrefix(text, "*"):
		return "hassuffix", inner
	}
	return "hasprefix", inner
}

// anyColumn is * has "x" and its like: whether one of the columns fulfils the
// operator, or with an operator that negates, whether none does. Values that are
// no text are looked at as tostring() writes them.
func (b *binder) anyColumn(at *star, n *binary, in []*column) expr {
	op, negate := n.op, false
	if full := oldStringOperators[op]; full != "" {
		op = full
	}
	if strings.HasPrefix(op, "!") {
		op, negate = strings.TrimPrefix(op, "!"), true
		if op == "~" {
			op = "=~"
		}
	}
	right := b.expr(n.right, in)
	var any expr = &constExpr{t: Bool, val: boolValue(false)}
	for _, c := range in {
		if c.name == searchSource {
			continue
		}
		b.count(at.span)
		var test expr
		if of := expr(&columnExpr{col: c}); op == "==" {
			if !equatable(c.typ, right.typ()) {
				continue
			}
			test = b.comparison("==", n.opAt, of, right)
		} else {
			if c.typ != String {
				of = converted(of, String)
			}
			test = b.stringOperator(&binary{span: n.span, op: op, opAt: n.opAt, left: n.left, right: n.right}, of, right)
		}
		e := &applyExpr{t: Bool, op: "or", args: []expr{any, test}, rows: threeValuedOr, batch: logicalBatch("or"), decides: decides["or"]}
		any = fold(e)
	}
	if e, ok := any.(*applyExpr); ok {
		e.readsTable = true // of a table with more columns it says nothing
	}
	if negate {
		any = fold(&applyExpr{t: Bool, op: "not", args: []expr{any}, rows: func(a []Value) Value { return boolValue(!a[0].isTrue()) }})
	}
	return any
}

// equatable says whether a column can be the value that * == asks for. A text
// is not compared with what is none.
func equatable(column, with Type) bool {
	switch {
	case column == with || column == Dynamic || with == Dynamic:
		return true
	}
	return column.isNumber() && with.isNumber()
}
