package kql

import (
	"cmp"
	"slices"
	"strings"
)

// projection computes each output column from an expression over the input.
type projection struct {
	in   relation
	cols []*column
	from []expr
	need []bool
}

func (p *projection) columns() []*column { return p.cols }

func (p *projection) add(name string, e expr) *column {
	c := &column{name, e.typ()}
	p.cols = append(p.cols, c)
	p.from = append(p.from, e)
	return c
}

// pass lets an input column through under a name.
func (p *projection) pass(name string, c *column) *column { return p.add(name, &columnExpr{col: c}) }

func (p *projection) prepare(need map[*column]bool) {
	below := make(map[*column]bool)
	p.need = make([]bool, len(p.cols))
	for i, c := range p.cols {
		if p.need[i] = need[c]; p.need[i] {
			needs(p.from[i], below)
		}
	}
	p.in.prepare(below)
	for i, e := range p.from {
		if p.need[i] {
			resolve(e, p.in.columns())
		}
	}
}

func (p *projection) input() relation { return p.in }

func (p *projection) run(x *execution, emit func(*batch) error) error { return runStages(p, x, emit) }

func (p *projection) apply(x *execution, b *batch, emit func(*batch) error) error {
	return emit(p.of(x, b))
}

// of computes the columns of a batch that are needed.
func (p *projection) of(x *execution, b *batch) *batch {
	out := &batch{n: b.n, cols: make([]*vector, len(p.cols))}
	in := &batch{n: b.n, cols: b.cols, memo: make(map[*applyExpr]*vector)}
	for i, e := range p.from {
		if _, passed := e.(*columnExpr); p.need[i] && !passed {
			out.cols[i] = e.eval(x, in)
		}
	}
	// After those, so that JSON which they looked into stays so.
	for i, e := range p.from {
		if c, passed := e.(*columnExpr); p.need[i] && passed {
			out.cols[i] = b.cols[c.at]
		}
	}
	return out
}

// explain lists what is computed or renamed; what passes is among the columns.
func (p *projection) explain(x *explainer) explained {
	var list []string
	passed := 0
	for i, c := range p.cols {
		if !p.need[i] {
			continue
		}
		if name, from := x.columnName(c), x.expr(p.from[i]); name == from {
			passed++
		} else {
			list = append(list, name+" = "+from)
		}
	}
	text := "project " + strings.Join(list, ", ")
	if passed > 0 && len(list) > 0 {
		text = "project ..., " + strings.Join(list, ", ")
	}
	return explained{text: strings.TrimSpace(text), gives: chosen(p.cols, p.need), inputs: []relation{p.in}}
}

// extendNode is extend: the input with columns added or replaced.
type extendNode struct {
	span
	columns []named
}

func parseExtend(p *parser, at span) operatorNode {
	list := p.namedExprs()
	return &extendNode{at.to(p.last()), list}
}

func (n *extendNode) bind(b *binder, in relation) relation {
	out := &projection{in: in}
	names := b.columnNaming()
	for _, c := range in.columns() {
		b.inheritReceived(out.pass(c.name, c), c)
		names.taken[c.name] = true
	}
	for _, item := range n.columns {
		for _, col := range b.namedColumns(item, in.columns()) {
			if col.declared {
				names.declare(col)
			}
			i := slices.IndexFunc(out.cols, func(c *column) bool { return c.name == col.name })
			switch {
			case col.name == "":
				out.add(names.numbered(), col.e)
			case i >= 0 && len(item.names) == 0 && isColumn(item.expr, in.columns()):
				// extend x leaves x as it is, also where it was replaced before.
			case i >= 0 && i < len(in.columns()):
				out.cols[i], out.from[i] = &column{col.name, col.e.typ()}, col.e
			default:
				out.add(names.unique(col.name), col.e)
			}
		}
	}
	return out
}

// projectNode is project: these columns and no others.
type projectNode struct {
	span
	columns []named
}

func parseProject(p *parser, at span) operatorNode {
	if p.atOperatorEnd() {
		return &projectNode{span: at}
	}
	list := p.namedExprs()
	return &projectNode{at.to(p.last()), list}
}

// atOperatorEnd says whether nothing more belongs to the operator.
func (p *parser) atOperatorEnd() bool {
	t := p.cur()
	return t.kind == tokEnd || t.is("|") || t.is(")") || t.is(";") || t.is("}") || t.is(",")
}

func (n *projectNode) bind(b *binder, in relation) relation {
	out := &projection{in: in}
	names := b.columnNaming()
	for _, item := range n.columns {
		for _, col := range b.namedColumns(item, in.columns()) {
			out.add(names.column(col), col.e)
		}
	}
	return out
}

// patterns reads a list of names that may hold *.
func (p *parser) patterns() []pattern {
	var list []pattern
	for {
		list = append(list, p.pattern())
		if !p.accept(",") {
			return list
		}
	}
}

// selectNode is project-away and project-keep.
type selectNode struct {
	span
	keep     bool
	patterns []pattern
}

func parseProjectAway(p *parser, at span) operatorNode {
	list := p.patterns()
	return &selectNode{span: at.to(p.last()), patterns: list}
}

func parseProjectKeep(p *parser, at span) operatorNode {
	list := p.patterns()
	return &selectNode{span: at.to(p.last()), keep: true, patterns: list}
}

func (n *selectNode) bind(b *binder, in relation) relation {
	named := make(map[*column]bool)
	for _, pat := range n.patterns {
		for _, c := range b.matching(pat, in.columns()) {
			named[c] = true
		}
	}
	out := &projection{in: in}
	for _, c := range in.columns() {
		if named[c] == n.keep {
			out.pass(c.name, c)
		}
	}
	return out
}

// byNamesNode is project-by-names: the columns that texts, arrays of texts and
// patterns name, in that order. A name that no column has is left out.
type byNamesNode struct {
	span
	of []node
}

func parseProjectByNames(p *parser, at span) operatorNode {
	n := &byNamesNode{}
	for {
		n.of = append(n.of, p.expr())
		if !p.accept(",") {
			break
		}
	}
	n.span = at.to(p.last())
	return n
}

func (n *byNamesNode) bind(b *binder, in relation) relation {
	out := &projection{in: in}
	taken := make(map[*column]bool)
	for _, of := range n.of {
		c, ok := b.constantOf(b.expr(of, nil))
		if ok && c == nil {
			panic(&unknownColumns{of.pos(), "project-by-names"})
		}
		if !ok || c.t != String && c.t != Dynamic {
			panic(semanticError(of.pos(), "SEM0001", "project-by-names takes texts and arrays of texts that do not depend on the row"))
		}
		for _, v := range flattened([]Value{c.val}) {
			for _, col := range in.columns() {
				if v.kind == String && wildcard(v.s, col.name) && !taken[col] {
					taken[col] = true
					b.inheritReceived(out.pass(col.name, col), col)
				}
			}
		}
	}
	return out
}

// renameNode is project-rename new = old.
type renameNode struct {
	span
	pairs []named
}

func parseProjectRename(p *parser, at span) operatorNode {
	n := &renameNode{}
	for {
		to := p.name("for the column")
		p.expect("=", "after the new name")
		from := p.name("of a column")
		n.pairs = append(n.pairs, named{to.span.to(from.span), []name{to}, &from})
		if !p.accept(",") {
			break
		}
	}
	n.span = at.to(p.last())
	return n
}

func (n *renameNode) bind(b *binder, in relation) relation {
	to := make(map[*column]string)
	taken := make(map[string]bool)
	for _, c := range in.columns() {
		taken[c.name] = true // also a name that the column loses
	}
	for _, pair := range n.pairs {
		old, renamed := pair.expr.(*name), pair.names[0]
		c := b.columnNamed(pattern{old.span, old.text}, in.columns())
		if taken[renamed.text] {
			panic(semanticError(renamed.span, "SEM0111", "there is a column named '%s' already", renamed.text))
		}
		taken[renamed.text] = true
		if to[c] == "" { // of two new names the first counts
			to[c] = renamed.text
		}
	}
	out := &projection{in: in}
	for _, c := range in.columns() {
		out.pass(cmp.Or(to[c], c.name), c)
	}
	return out
}

// reorderNode is project-reorder: the columns named first, then the others.
type reorderNode struct {
	span
	patterns []pattern
	orders   []string // "", asc, desc, granny-asc or granny-desc, of what a pattern matches
}

func parseProjectReorder(p *parser, at span) operatorNode {
	n := &reorderNode{}
	for {
		n.patterns = append(n.patterns, p.pattern())
		order := ""
		if p.cur().kind == tokName && columnOrders[p.cur().text] {
			order = p.operatorName()
			if order == "granny" || !columnOrders[order] {
				panic(syntaxError(p.last(), "expected asc, desc, granny-asc or granny-desc"))
			}
		}
		n.orders = append(n.orders, order)
		if !p.accept(",") {
			break
		}
	}
	n.span = at.to(p.last())
	return n
}

func (n *reorderNode) bind(b *binder, in relation) relation {
	out := &projection{in: in}
	taken := make(map[*column]bool)
	for i, pat := range n.patterns {
		cols := b.matching(pat, in.columns())
		if order := n.orders[i]; order != "" {
			by := strings.Compare
			if strings.HasPrefix(order, "granny") {
				by = compareGranny
			}
			slices.SortStableFunc(cols, func(x, y *column) int {
				if strings.HasSuffix(order, "desc") {
					x, y = y, x
				}
				return by(x.name, y.name)
			})
		}
		for _, c := range cols {
			if !taken[c] {
				taken[c] = true
				out.pass(c.name, c)
			}
		}
	}
	for _, c := range in.columns() {
		if !taken[c] {
			out.pass(c.name, c)
		}
	}
	return out
}

// columnOrders are the orders of project-reorder; granny begins two of them.
var columnOrders = wordSet("asc", "desc", "granny", "granny-asc", "granny-desc")

// compareGranny orders names as a person would, numbers in them by value.
func compareGranny(x, y string) int {
	for x != "" && y != "" {
		xn, yn := leadingDigits(x), leadingDigits(y)
		if xn == "" || yn == "" {
			if x[0] != y[0] {
				return cmp.Compare(x[0], y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		xt, yt := strings.TrimLeft(xn, "0"), strings.TrimLeft(yn, "0")
		if order := cmp.Or(cmp.Compare(len(xt), len(yt)), strings.Compare(xt, yt)); order != 0 {
			return order
		}
		x, y = x[len(xn):], y[len(yn):]
	}
	return cmp.Compare(len(x), len(y))
}

func leadingDigits(s string) string {
	return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
}
