package kql

import (
	"maps"
	"slices"
	"strconv"
)

// unionNode is union of tables, as a source or after a |.
type unionNode struct {
	span
	fuzzy      bool
	inner      bool
	withSource string
	legs       []unionLeg
}

// unionLeg is a table, a tabular expression, or a pattern over tables' names.
type unionLeg struct {
	expr    node
	pattern string
}

func parseUnionSource(p *parser) node {
	at := p.advance().span
	return parseUnionRest(p, at)
}

func parseUnion(p *parser, at span) operatorNode { return parseUnionRest(p, at) }

func parseUnionRest(p *parser, at span) *unionNode {
	n := &unionNode{}
	opts := p.options("union", "kind", "withsource", "isfuzzy")
	if o, ok := opts["isfuzzy"]; ok {
		lit, isBool := o.value.(*literal)
		if !isBool || lit.typ != Bool {
			panic(syntaxError(o.value.pos(), "isfuzzy is true or false"))
		}
		n.fuzzy = lit.val.isTrue()
	}
	if o, ok := opts["kind"]; ok {
		kind, _ := o.value.(*name)
		if kind == nil || kind.text != "inner" && kind.text != "outer" {
			panic(syntaxError(o.value.pos(), "the kind of a union is inner or outer"))
		}
		n.inner = kind.text == "inner"
	}
	if o, ok := opts["withsource"]; ok {
		switch v := o.value.(type) {
		case *name:
			n.withSource = v.text
		case *literal:
			n.withSource = v.val.String()
		}
		if n.withSource == "" {
			panic(syntaxError(o.value.pos(), "withsource names a column"))
		}
	}
	for {
		n.legs = append(n.legs, p.unionLeg())
		if !p.accept(",") {
			break
		}
	}
	n.span = at.to(p.last())
	return n
}

func (p *parser) unionLeg() unionLeg {
	if t := p.cur(); t.is("*") || t.kind == tokName && p.peek().is("*") && p.peek().glued {
		pat := p.pattern()
		return unionLeg{expr: &name{span: pat.span, text: pat.text}, pattern: pat.text}
	}
	leg := unionLeg{expr: p.postfix()}
	p.mentions.table(leg.expr)
	return leg
}

func (n *unionNode) bindSource(b *binder) relation { return n.bind(b, nil) }

// bind finds the tables of the legs, and which of their columns stand together.
func (n *unionNode) bind(b *binder, in relation) relation {
	u := &union{}
	var sources []string
	if in != nil {
		u.legs, sources = append(u.legs, in), append(sources, sourceOf(in, 0))
	}
	var lastMissing *problem
	for _, leg := range n.legs {
		if leg.pattern != "" {
			b.byPattern = leg.pattern
			names := slices.DeleteFunc(b.db.Names(), func(table string) bool { return !wildcard(leg.pattern, table) })
			if b.dry && len(names) > mostByPattern {
				panic(&unknownColumns{leg.expr.pos(), "union " + leg.pattern})
			}
			found := len(names) > 0
			for _, table := range names {
				u.legs = append(u.legs, b.tableNamed(&name{span: leg.expr.pos(), text: table}))
				sources = append(sources, table)
			}
			for _, view := range b.views(leg.pattern) {
				found = true
				u.legs = append(u.legs, b.relation(&call{span: leg.expr.pos(), fn: name{span: leg.expr.pos(), text: view}}))
				sources = append(sources, view)
			}
			if !found {
				p := &problem{kind: SemanticError, code: "SEM0100", at: leg.expr.pos(), table: leg.pattern, msg: "no table matches '" + leg.pattern + "'"}
				if !n.fuzzy {
					panic(p)
				}
				b.missing, lastMissing = append(b.missing, leg.pattern), p
			}
			continue
		}
		rel, missing := b.unionLeg(leg.expr, n.fuzzy)
		if missing != nil {
			lastMissing = missing
			continue
		}
		source := sourceOf(rel, len(u.legs))
		if t, ok := leg.expr.(*name); ok && b.find(t.text) != nil && b.find(t.text).fn != nil {
			source = t.text // a view is a table to the union
		}
		u.legs, sources = append(u.legs, rel), append(sources, source)
	}
	if len(u.legs) == 0 {
		if lastMissing != nil {
			panic(lastMissing) // not even a fuzzy union can do without every table
		}
		panic(semanticError(n.span, "SEM0100", "the union has no table"))
	}
	u.unify(n, sources)
	u.inheritReceived(b)
	return u
}

// sourceOf is what withsource calls a leg. A table goes by its name, what as
// has named by that, and anything else by the leg's place.
func sourceOf(leg relation, at int) string {
	switch leg := leg.(type) {
	case *scan:
		if leg.table.Name() != "" { // a datatable has none
			return leg.table.Name()
		}
	case *sharedUse:
		if leg.of.name != "" {
			return leg.of.name
		}
	}
	return "union_arg" + strconv.Itoa(at)
}

// mostByPattern is how many tables a pattern stands for where there are no logs.
// More are what the reference has, and not what there is.
const mostByPattern = 100

// views lists the functions that let statements define as views and whose
// names match a pattern.
func (b *binder) views(pattern string) []string {
	var names []string
	for _, n := range b.scope.all() {
		if d := b.find(n); d.fn != nil && d.fn.view && d.fn.bare() && wildcard(pattern, n) && !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// inheritReceived keeps what is known of when rows were received. It must be
// under the same column in every leg.
func (u *union) inheritReceived(b *binder) {
	for at, c := range u.cols {
		r, all := receipt{exact: true}, true
		for i, leg := range u.legs {
			if from := u.from[i][at]; from < 0 {
				all = false
			} else if have, ok := b.received[leg.columns()[from]]; !ok {
				all = false
			} else {
				r.exact = r.exact && have.exact
				if r.table == "" || !have.exact {
					r.table = have.table
				}
			}
		}
		if all {
			b.received[c] = r
		}
	}
}

// unionLeg binds a leg. In a fuzzy union a table or a function that is not there
// takes its whole leg with it.
func (b *binder) unionLeg(n node, fuzzy bool) (rel relation, missing *problem) {
	if fuzzy {
		b.fuzzy++
		defer func() { b.fuzzy-- }()
		agg, scope, scans := b.agg, b.scope, b.scans
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			pr, ok := p.(*problem)
			if !ok || pr.table == "" && pr.function == "" {
				panic(p)
			}
			b.agg, b.scope, b.scans = agg, scope, scans
			if pr.function != "" {
				b.missing = append(b.missing, pr.function+"()")
			} else {
				b.missing = append(b.missing, pr.table)
			}
			rel, missing = nil, pr
		}()
	}
	return b.relation(n), nil
}

// union gives the rows of its legs, one leg after the other, under columns
// that all share.
type union struct {
	legs []relation
	cols []*column
	from [][]int // per leg: the position of each output column, or -1
	tag  []string
	need []bool
}

// unify makes the output's columns: those of all legs, or with kind=inner
// those that every leg has. A name that has different types in different legs
// becomes a column per type, called name_type.
func (u *union) unify(n *unionNode, sources []string) {
	types := make(map[string][]Type)
	var order []string
	count := make(map[string]int)
	for _, leg := range u.legs {
		for _, c := range leg.columns() {
			if types[c.name] == nil {
				order = append(order, c.name)
			}
			if !slices.Contains(types[c.name], c.typ) {
				types[c.name] = append(types[c.name], c.typ)
			}
			count[c.name]++
		}
	}
	u.from = make([][]int, len(u.legs))
	names := newNaming("", new(int))
	if n.withSource != "" {
		u.cols = append(u.cols, &column{names.unique(n.withSource), String})
		u.tag = sources
		for i := range u.legs {
			u.from[i] = append(u.from[i], -1)
		}
	}
	// What has one type keeps its name, also where name_type would be the same.
	sourceColumn := maps.Clone(names.taken)
	for _, name := range order {
		if len(types[name]) == 1 {
			names.taken[name] = true
		}
	}
	for _, name := range order {
		if n.inner && (count[name] < len(u.legs) || len(types[name]) > 1) {
			continue
		}
		for _, t := range types[name] {
			out := name
			if len(types[name]) > 1 {
				out = names.unique(name + "_" + t.String())
			} else if sourceColumn[name] {
				out = names.unique(name)
			}
			u.cols = append(u.cols, &column{out, t})
			for i, leg := range u.legs {
				u.from[i] = append(u.from[i], slices.IndexFunc(leg.columns(), func(c *column) bool { return c.name == name && c.typ == t }))
			}
		}
	}
}

func (u *union) columns() []*column { return u.cols }

func (u *union) prepare(need map[*column]bool) {
	u.need = make([]bool, len(u.cols))
	for i, c := range u.cols {
		u.need[i] = need[c]
	}
	for i, leg := range u.legs {
		below := make(map[*column]bool)
		for at, from := range u.from[i] {
			if from >= 0 && u.need[at] {
				below[leg.columns()[from]] = true
			}
		}
		leg.prepare(below)
	}
}

func (u *union) run(x *execution, emit func(*batch) error) error {
	for i, leg := range u.legs {
		err := leg.run(x, func(b *batch) error {
			out := &batch{n: b.n, cols: make([]*vector, len(u.cols))}
			for at, from := range u.from[i] {
				switch {
				case !u.need[at]:
				case from >= 0:
					out.cols[at] = b.cols[from]
				case at == 0 && u.tag != nil:
					out.cols[at] = constantVector(String, stringValue(u.tag[i]), b.n)
				default:
					out.cols[at] = constantVector(u.cols[at].typ, Value{}, b.n)
				}
			}
			return emit(out)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (u *union) explain(*explainer) explained {
	e := explained{text: "union", gives: chosen(u.cols, u.need), inputs: u.legs}
	if u.tag != nil {
		e.text += " withsource=" + u.cols[0].name
	}
	return e
}
