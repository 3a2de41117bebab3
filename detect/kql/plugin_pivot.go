package kql

import (
	"maps"
	"slices"
)

// bindPivot is pivot(column, aggregate, columns...) : (schema): a row for each
// combination of the columns, and a column for each value of the first, with the
// aggregate of the rows that have both.
func bindPivot(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(1, -1, true)
	cols := in.columns()
	by := n.column(b, 0, "the column", cols)
	if by.typ == Dynamic {
		panic(semanticError(n.args[0].expr.pos(), "SEM0117", "pivot() takes no dynamic: tostring() or another conversion gives it a type"))
	}
	p := &pivot{groups: &grouping{in: in}}
	aggregate := node(&call{span: n.plugin.span, fn: name{span: n.plugin.span, text: "count"}})
	if len(n.args) > 1 {
		aggregate = n.args[1].expr
	}
	b.agg = &aggregation{in: in, out: p.groups}
	value := b.expr(aggregate, nil)
	used := b.agg.used
	b.agg = nil
	if !used {
		panic(semanticError(aggregate.pos(), "SEM0220", "the second argument of pivot() must be an aggregate, such as sum(x)"))
	}
	var read []*column // by the aggregate
	for _, a := range p.groups.aggs {
		if len(a.cols) > 1 {
			panic(semanticError(aggregate.pos(), "SEM0220", "the aggregate of pivot() must give one value"))
		}
		need := make(map[*column]bool)
		for _, e := range a.args {
			needs(e, need)
		}
		if _, ofOne := aggregate.(*call); ofOne {
			read = slices.AppendSeq(read, maps.Keys(need))
		}
	}
	var keys []*column
	if len(n.args) > 2 {
		for i := range n.args[2:] {
			keys = append(keys, n.column(b, i+2, "a column", cols))
		}
	} else {
		for _, c := range cols {
			if c != by && !slices.Contains(read, c) {
				keys = append(keys, c)
			}
		}
	}
	for _, k := range keys {
		e := expr(&columnExpr{col: k})
		if k.typ == Dynamic { // dynamics are grouped by their texts
			e = converted(e, String)
		}
		p.groups.addKey(k.name, e)
		p.keys = append(p.keys, k)
	}
	p.groups.addKey(by.name, &columnExpr{col: by})
	// Each group, with its value.
	list := &projection{in: p.groups}
	for _, k := range p.groups.keys {
		list.pass(k.name, k)
	}
	p.value = list.add("", value)
	p.list = list
	p.empty = value
	names := newNaming("Column", new(int))
	if n.declared {
		if n.all {
			for i, k := range p.keys {
				if n.schema.Index(k.name) < 0 {
					p.add(names.unique(k.name), k.typ, i, Value{})
				}
			}
		}
		for _, c := range n.schema {
			at := slices.IndexFunc(p.keys, func(k *column) bool { return k.name == c.Name })
			p.add(names.unique(c.Name), c.Type, at, stringValue(c.Name))
		}
		return p
	}
	if b.subtables > 0 {
		panic(unsupportedError(n.span, "pivot() inside mv-apply or partition needs its columns: declare them with : (name:type, ...)"))
	}
	kept := b.runNow(list, n.span, "pivot()")
	for i, k := range p.keys {
		p.add(names.unique(k.name), k.typ, i, Value{})
	}
	seen := make(map[string]bool)
	values := kept.cols[len(p.keys)]
	for row := range kept.n {
		text := values.value(row).String()
		if seen[text] {
			continue
		}
		if seen[text] = true; len(seen) > maxUnpacked {
			panic(limitError("pivot() finds more than %d values: name those that are needed, with : (name:type, ...)", maxUnpacked))
		}
		p.add(names.unique(text), value.typ(), -1, stringValue(text))
	}
	p.list = &computed{list.cols, kept}
	return p
}

// pivot makes columns of the values of one.
type pivot struct {
	groups *grouping
	list   relation  // the groups: the keys, the value that is made a column, and the aggregate
	keys   []*column // of the input
	value  *column
	empty  expr // the aggregate over the groups, for none
	cols   []*column
	key    []int   // of a column, or -1 for one that is made of a value
	of     []Value // that value's text
}

func (p *pivot) add(name string, t Type, key int, of Value) {
	p.cols = append(p.cols, &column{name, t})
	p.key, p.of = append(p.key, key), append(p.of, of)
}

func (p *pivot) columns() []*column { return p.cols }

func (p *pivot) prepare(map[*column]bool) {
	if _, done := p.list.(*computed); !done {
		prepareAll(p.list)
	}
}

func (p *pivot) explain(*explainer) explained {
	return explained{text: "evaluate pivot()", gives: p.cols, inputs: []relation{p.list}}
}

// none is what the aggregate gives of no rows. It fills the cells without any.
func (p *pivot) none(x *execution) Value {
	cols := make([]*vector, len(p.groups.columns()))
	at := len(p.groups.keys)
	for i, k := range p.groups.keys {
		cols[i] = constantVector(k.typ, Value{}, 1)
	}
	for _, a := range p.groups.aggs {
		cols[at] = newVector(a.cols[0].typ, 1)
		if !a.several { // those give nothing of no rows
			cols[at].set(0, a.start().result())
		} else {
			cols[at].setNull(0)
		}
		at++
	}
	return p.empty.eval(x, &batch{n: 1, cols: cols}).value(0)
}

func (p *pivot) run(x *execution, emit func(*batch) error) error {
	all, err := collect(p.list, x)
	if err != nil {
		return err
	}
	defer all.free()
	types := make([]Type, len(p.keys))
	for i := range types {
		types[i] = p.groups.keys[i].typ
	}
	index := newKeyIndex(types)
	var first []int32
	numbers := index.number(all.cols[:len(p.keys)], all.n, func(row int) { first = append(first, int32(row)) })
	if len(p.keys) == 0 && all.n > 0 {
		first = []int32{0}
	}
	places := make(map[string]int)
	for i, of := range p.of {
		if p.key[i] < 0 {
			places[of.s] = i
		}
	}
	out := &rows{n: len(first), cols: make([]*vector, len(p.cols)), held: memory{x: x}}
	defer out.free()
	none := p.none(x)
	for i, c := range p.cols {
		if err := out.held.add(vectorBytes(c.typ, len(first))); err != nil {
			return err
		}
		out.cols[i] = newVector(c.typ, len(first))
		for g, row := range first {
			val := none
			if p.key[i] >= 0 {
				val = all.cols[p.key[i]].value(int(row))
				if p.keys[p.key[i]].typ == Dynamic {
					if val = convert(val, Dynamic); val.kind == String && val.s == "" {
						val = Value{}
					}
				}
			}
			out.cols[i].set(g, convertItem(val, c.typ))
		}
		if err := x.stopped(); err != nil {
			return err
		}
	}
	values, cells := all.cols[len(p.keys)], all.cols[len(p.keys)+1]
	for row := range all.n {
		if at, ok := places[values.value(row).String()]; ok {
			out.cols[at].set(int(numbers[row]), convertItem(cells.value(row), p.cols[at].typ))
		}
	}
	return emitRows(out, emit)
}
