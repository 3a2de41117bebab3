package kql

import (
	"slices"
)

// findNode is find [in (tables) where] predicate [project columns]: the rows of
// several tables that match, with what the tables have in common as columns and
// the rest in a property bag.
type findNode struct {
	span
	source    string
	legs      []unionLeg
	predicate node
	columns   []findColumn // of project
	project   bool
	pack      bool // project ..., pack_all(), or pack(*) as the official parser has it
}

type findColumn struct {
	name
	typ Type // kindNull if it is the column's own
}

const (
	findSource = "source_"
	findPack   = "pack_"
)

func parseFind(p *parser) node {
	at := p.advance().span
	n := &findNode{source: findSource, legs: allTables(at)}
	opts := p.options("find", "withsource", "datascope")
	if o, ok := opts["withsource"]; ok {
		switch v := o.value.(type) {
		case *name:
			n.source = v.text
		case *literal:
			n.source = v.val.String()
		}
	}
	if p.acceptWord("in") {
		n.legs = p.tableList("find")
		p.expectWord("where", "after the tables")
	} else {
		p.acceptWord("where")
	}
	p.search++
	n.predicate = p.expr()
	p.search--
	if p.cur().word("project") {
		switch mark := p.at; p.operatorName() {
		case "project":
			n.project = true
			p.findColumns(n)
		case "project-smart":
		default:
			p.at = mark
			panic(p.unexpected("expected project, project-smart or |"))
		}
	}
	n.span = at.to(p.last())
	return n
}

func (p *parser) findColumns(n *findNode) {
	for {
		if p.cur().word("pack") && p.peek().is("(") {
			p.at += 2
			p.expect("*", "in pack()")
			p.expect(")", "after *")
			n.pack = true
		} else if p.cur().word("pack_all") && p.peek().is("(") {
			p.at += 2
			p.expect(")", "after pack_all(")
			n.pack = true
		} else {
			c := findColumn{name: p.name("of a column")}
			if p.accept(":") {
				c.typ = p.typeName()
			}
			n.columns = append(n.columns, c)
		}
		if !p.accept(",") {
			return
		}
	}
}

func (n *findNode) bindSource(b *binder) relation {
	// The tables, as a union finds them.
	all, _ := (&unionNode{span: n.span, withSource: n.source, legs: n.legs}).bind(b, nil).(*union)
	predicate := searched(n.predicate, false)
	asked := n.asked(all.legs)
	var legs []relation
	var sources []string
	for i, leg := range all.legs {
		has := func(name string) bool { return columnIn(leg.columns(), name) != nil }
		if len(asked) > 0 && !slices.ContainsFunc(asked, has) {
			continue // it has no column that the predicate asks for
		}
		legs, sources = append(legs, leg), append(sources, all.tag[i])
	}
	if len(legs) == 0 {
		legs, sources = all.legs, all.tag
	}
	// Where a table has no column that the predicate names, it is null there.
	types := make(map[string][]Type)
	for _, leg := range all.legs {
		for _, c := range leg.columns() {
			if !slices.Contains(types[c.name], c.typ) {
				types[c.name] = append(types[c.name], c.typ)
			}
		}
	}
	out := &union{}
	shown := n.shown(asked, legs)
	packs := n.pack
	for _, leg := range legs {
		packs = packs || !n.project && slices.ContainsFunc(leg.columns(), func(c *column) bool { return !slices.Contains(shown, c.name) })
	}
	for _, leg := range legs {
		widened := &projection{in: leg}
		for _, c := range leg.columns() {
			b.inheritReceived(widened.pass(c.name, c), c)
		}
		var missing []*column
		for _, name := range asked {
			if columnIn(leg.columns(), name) == nil && len(types[name]) > 0 {
				missing = append(missing, widened.add(name, &constExpr{t: types[name][0], val: convert(Value{}, types[name][0])}))
			}
		}
		var wide relation = widened
		if len(missing) == 0 {
			wide = leg
		}
		own := wide.columns()[:len(leg.columns())]
		matching := &filter{in: wide, predicate: b.requireBool(b.expr(predicate, wide.columns()), n.predicate)}
		out.legs = append(out.legs, n.projected(matching, own, shown, types, packs))
	}
	out.unify(&unionNode{withSource: n.source}, sources)
	return out
}

// shown lists the columns of the output but for the source and the bag: those of
// project, or those that the predicate names and those that all tables have.
func (n *findNode) shown(asked []string, legs []relation) (list []string) {
	if n.project {
		for _, c := range n.columns {
			list = append(list, c.text)
		}
		return list
	}
	for _, leg := range legs {
		for _, c := range leg.columns() {
			everywhere := !slices.ContainsFunc(legs, func(r relation) bool {
				return !slices.ContainsFunc(r.columns(), func(o *column) bool { return o.name == c.name && o.typ == c.typ })
			})
			if !slices.Contains(list, c.name) && (everywhere || slices.Contains(asked, c.name)) {
				list = append(list, c.name)
			}
		}
	}
	return list
}

// projected gives a table's rows the columns of the output. What they have besides
// is in the bag.
func (n *findNode) projected(in relation, own []*column, shown []string, types map[string][]Type, packs bool) relation {
	out := &projection{in: in}
	for i, name := range shown {
		c := columnIn(own, name)
		t := kindNull
		switch {
		case n.project && n.columns[i].typ != kindNull:
			t = n.columns[i].typ
		case n.project && len(types[name]) > 1:
			t = Dynamic
		case n.project && len(types[name]) == 1:
			t = types[name][0]
		}
		if t == kindNull && n.project {
			panic(semanticError(n.columns[i].span, "SEM0100", "Failed to resolve column named '%s'", name))
		}
		switch {
		case c != nil && t == kindNull:
			out.pass(name, c)
		case c != nil:
			out.add(name, converted(&columnExpr{col: c}, t))
		case t != kindNull:
			out.add(name, &constExpr{t: t, val: convert(Value{}, t)})
		}
	}
	if packs {
		var names []string
		var of []expr
		for _, c := range own {
			if !slices.Contains(shown, c.name) {
				names, of = append(names, c.name), append(of, &columnExpr{col: c})
			}
		}
		if len(of) == 0 {
			out.add(findPack, &constExpr{t: Dynamic, val: bagValue(newBag(0))})
		} else {
			out.add(findPack, packed(names, of, anyValue))
		}
	}
	return out
}

// asked lists the columns of the tables that the predicate names.
func (n *findNode) asked(legs []relation) (list []string) {
	eachName(n.predicate, func(ref *name) {
		known := slices.ContainsFunc(legs, func(leg relation) bool { return columnIn(leg.columns(), ref.text) != nil })
		if known && !slices.Contains(list, ref.text) {
			list = append(list, ref.text)
		}
	})
	return list
}

// eachName calls f with every name in a scalar expression.
func eachName(n node, f func(*name)) {
	switch n := n.(type) {
	case *name:
		f(n)
	case *path:
		eachName(n.of, f)
	case *element:
		eachName(n.of, f)
		eachName(n.at, f)
	case *signed:
		eachName(n.of, f)
	case *binary:
		eachName(n.left, f)
		eachName(n.right, f)
	case *between:
		eachName(n.left, f)
		eachName(n.low, f)
		eachName(n.high, f)
	case *inList:
		eachName(n.left, f)
		for _, item := range n.items {
			eachName(item, f)
		}
	case *call:
		for _, a := range n.args {
			eachName(a, f)
		}
	}
}
