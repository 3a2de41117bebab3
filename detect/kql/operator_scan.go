package kql

import (
	"slices"
	"strings"
)

// scanNode is scan with (steps): rows in their order go through the steps of
// sequences. Each step has a condition, and assigns to columns.
type scanNode struct {
	span
	matchID  *name
	order    []sortKey
	parts    []node // each combination of their values has sequences of its own
	declared []scanColumn
	steps    []scanStep
}

// scanColumn is one that scan declares.
type scanColumn struct {
	name
	typ Type
	def node // or nil
}

type scanStep struct {
	name
	output    string // all, last or none
	condition node
	assigned  []named
}

func parseScan(p *parser, at span) operatorNode {
	n := &scanNode{}
	if p.cur().word("with_match_id") && p.peek().is("=") {
		p.at += 2
		id := p.name("of a column")
		n.matchID = &id
	}
	if t := p.cur(); t.word("kind") {
		panic(unsupportedError(t.span, "'kind' of scan is not supported: leave it out"))
	}
	if p.acceptWord("order") {
		p.expectWord("by", "after order")
		n.order = p.sortKeys()
	}
	if p.acceptWord("partition") {
		p.expectWord("by", "after partition")
		n.parts = append(n.parts, p.expr())
		for p.accept(",") {
			n.parts = append(n.parts, p.expr())
		}
	}
	if p.acceptWord("declare") {
		p.expect("(", "after declare")
		for !p.cur().is(")") {
			c := scanColumn{name: p.name("of a column")}
			p.expect(":", "after the column's name")
			c.typ = p.typeName()
			if p.accept("=") {
				c.def = p.expr()
			}
			n.declared = append(n.declared, c)
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "after the columns")
	}
	p.expectWord("with", "before the steps of scan")
	p.expect("(", "after with")
	for !p.cur().is(")") {
		n.steps = append(n.steps, p.scanStep())
	}
	n.span = at.to(p.expect(")", "after the steps"))
	if len(n.steps) == 0 {
		panic(syntaxError(n.span, "scan needs a step"))
	}
	return n
}

// scanStep reads step name [output=all|last|none]: condition => column = value, ...;
func (p *parser) scanStep() scanStep {
	p.expectWord("step", "or ) after the steps")
	s := scanStep{name: p.name("of a step"), output: "all"}
	if t := p.cur(); t.word("optional") {
		panic(unsupportedError(t.span, "an optional step of scan is not supported: write a scan without it, and join the two by union"))
	}
	if p.acceptWord("output") {
		p.expect("=", "after output")
		s.output = p.cur().text
		if p.cur().kind != tokName || !slices.Contains([]string{"all", "last", "none"}, s.output) {
			panic(p.unexpected("expected all, last or none"))
		}
		p.advance()
	}
	p.expect(":", "before the condition of the step")
	s.condition = p.expr()
	if p.accept("=>") {
		for {
			to := p.name("of a column")
			p.expect("=", "after the column's name")
			e := p.expr()
			s.assigned = append(s.assigned, named{to.span.to(e.pos()), []name{to}, e})
			if !p.accept(",") {
				break
			}
		}
	}
	p.expect(";", "after the step")
	return s
}

// stepColumn is a column of a step's last row, as a condition or an assignment
// of any step names it.
type stepColumn struct {
	step, at int // at is the column's place in a row
	col      *column
}

// stepNames are the steps that expressions of a scan can name.
type stepNames struct {
	names map[string]int
	row   []*column
	refs  []stepColumn
}

// column finds step.column.
func (s *stepNames) column(n *path) *column {
	if s == nil {
		return nil
	}
	of, ok := n.of.(*name)
	if !ok {
		return nil
	}
	step, ok := s.names[of.text]
	if !ok {
		return nil
	}
	at := slices.IndexFunc(s.row, func(c *column) bool { return c.name == n.key })
	if at < 0 {
		panic(semanticError(n.keyAt, "SEM0100", "Failed to resolve column named '%s'%s", n.key, suggestion(n.key, columnNames(s.row))))
	}
	for _, r := range s.refs {
		if r.step == step && r.at == at {
			return r.col
		}
	}
	col := &column{n.key, s.row[at].typ}
	s.refs = append(s.refs, stepColumn{step, at, col})
	return col
}

func (n *scanNode) bind(b *binder, in relation) relation {
	if n.order != nil {
		in = (&sortNode{span: n.span, keys: n.order}).bind(b, in)
	}
	s := &sequences{in: in, source: len(in.columns())}
	taken := make(map[string]bool)
	for _, c := range in.columns() {
		taken[c.name] = true
		s.row = append(s.row, &column{c.name, c.typ})
		b.inheritReceived(s.row[len(s.row)-1], c)
	}
	for _, part := range n.parts {
		e := b.expr(part, s.row)
		if e.typ() == Dynamic {
			panic(semanticError(part.pos(), "SEM0220", "scan cannot partition by a dynamic: tostring() or another conversion gives it a type"))
		}
		s.parts = append(s.parts, e)
	}
	declare := func(at name, t Type) {
		if taken[at.text] {
			panic(semanticError(at.span, "SEM0111", "there are two columns named '%s'", at.text))
		}
		taken[at.text] = true
		s.row = append(s.row, &column{at.text, t})
	}
	for _, d := range n.declared {
		declare(d.name, d.typ)
		def := Value{}
		if d.def != nil {
			c, ok := b.constantOf(b.coerce(b.expr(d.def, nil), d.typ, d.def.pos()))
			if !ok {
				panic(semanticError(d.def.pos(), "SEM0001", "the default of a column that scan declares must be a constant"))
			}
			if c != nil {
				def = c.val
			}
		}
		s.defaults = append(s.defaults, constantVector(d.typ, convert(def, d.typ), 1))
	}
	s.cols = slices.Clone(s.row)
	if n.matchID != nil {
		if taken[n.matchID.text] {
			panic(semanticError(n.matchID.span, "SEM0111", "there are two columns named '%s'", n.matchID.text))
		}
		s.matchID = true
		s.cols = append(s.cols, &column{n.matchID.text, Long})
	}
	steps := &stepNames{names: make(map[string]int), row: s.row}
	for i, st := range n.steps {
		if _, twice := steps.names[st.name.text]; twice {
			panic(semanticError(st.name.span, "SEM0001", "scan has two steps named '%s'", st.name.text))
		}
		steps.names[st.name.text] = i
	}
	outer := b.steps
	b.steps = steps
	defer func() { b.steps = outer }()
	for _, st := range n.steps {
		step := sequenceStep{name: st.name.text, output: st.output, condition: b.requireBool(b.expr(st.condition, s.row), st.condition)}
		for _, a := range st.assigned {
			to := slices.IndexFunc(s.row, func(c *column) bool { return c.name == a.names[0].text })
			if to < 0 {
				panic(semanticError(a.names[0].span, "SEM0100", "Failed to resolve column named '%s': scan assigns to columns of its input and to those that it declares%s",
					a.names[0].text, suggestion(a.names[0].text, columnNames(s.row))))
			}
			step.to = append(step.to, to)
			step.assigned = append(step.assigned, converted(b.expr(a.expr, s.row), s.row[to].typ))
		}
		s.steps = append(s.steps, step)
	}
	s.refs = steps.refs
	return s
}

// sequences is scan. It has, for each step, the row that came there last in the
// sequence that is at the step, and those of the steps before. See
// https://learn.microsoft.com/kusto/query/scan-operator#scan-logic.
type sequences struct {
	in       relation
	source   int       // how many columns of a row are the input's
	row      []*column // the input's, and those that scan declares
	defaults []*vector // of the latter
	cols     []*column // the output's: those of a row, and the number of the match
	matchID  bool
	steps    []sequenceStep
	parts    []expr
	refs     []stepColumn // what expressions read of other rows
	need     []bool
	reads    []bool // of a row, by expressions or by the output
}

type sequenceStep struct {
	name, output string
	condition    expr
	to           []int // of a row
	assigned     []expr
}

func (s *sequences) columns() []*column { return s.cols }

func (s *sequences) prepare(need map[*column]bool) {
	read := make(map[*column]bool)
	s.need = make([]bool, len(s.cols))
	for i, c := range s.cols {
		s.need[i] = need[c]
		read[c] = need[c]
	}
	reach := slices.Clone(s.row)
	for _, r := range s.refs {
		reach = append(reach, r.col)
		read[s.row[r.at]] = true
	}
	for _, st := range s.steps {
		for _, e := range append([]expr{st.condition}, st.assigned...) {
			needs(e, read)
		}
	}
	for _, e := range s.parts {
		needs(e, read)
	}
	s.reads = make([]bool, len(s.row))
	below := make(map[*column]bool)
	for i, c := range s.row {
		s.reads[i] = read[c]
		if i < s.source && read[c] {
			below[s.in.columns()[i]] = true
		}
	}
	s.in.prepare(below)
	for _, e := range s.parts {
		resolve(e, reach)
	}
	for _, st := range s.steps {
		for _, e := range append([]expr{st.condition}, st.assigned...) {
			resolve(e, reach)
		}
	}
}

func (s *sequences) explain(x *explainer) explained {
	names := make([]string, len(s.steps))
	for i, st := range s.steps {
		names[i] = st.name
	}
	return explained{text: "scan with the steps " + strings.Join(names, ", "), gives: chosen(s.cols, s.need), inputs: []relation{s.in}}
}

// sequence is where one is: nil refs where no sequence is at the step.
type sequence struct {
	id   int64
	refs []*vector // by the refs of the scan, of a row each; nil is none yet
	last []*vector // the row that output=last holds back, or nil
}

// run takes each row through the steps, from the last to the first.
func (s *sequences) run(x *execution, emit func(*batch) error) error {
	r := &scanRun{s: s, x: x, out: newSink(s.cols, emit), parts: make(map[string][]*sequence), held: memory{x: x}}
	defer r.held.free()
	held := memory{x: x}
	defer held.free()
	err := s.in.run(x, func(b *batch) error {
		for row := range b.n {
			if row%rowsBetweenLooks == 0 {
				if err := x.stopped(); err != nil {
					return err
				}
			}
			if err := r.row(b, row); err != nil {
				return err
			}
		}
		return held.set(r.out.size)
	})
	if err != nil {
		return err
	}
	for _, at := range r.order {
		r.at = at
		for i := range s.steps {
			if err := r.leave(i); err != nil {
				return err
			}
		}
	}
	return r.out.flush()
}

type scanRun struct {
	s     *sequences
	x     *execution
	at    []*sequence // of the part that the row is in
	parts map[string][]*sequence
	order [][]*sequence // the parts, as they came
	held  memory        // what the parts take
	next  int64
	out   *sink
}

// enter goes to the part that a row is in.
func (r *scanRun) enter(cols []*vector) error {
	var key []byte
	for _, e := range r.s.parts {
		key = groupKey(key, e.eval(r.x, r.batch(cols, nil)).value(0))
	}
	at := r.parts[string(key)]
	if at == nil {
		at = make([]*sequence, len(r.s.steps))
		r.parts[string(key)] = at
		r.order = append(r.order, at)
		size := int64(len(r.s.steps)) * (8 + 64 + 3*8*int64(len(r.s.refs)+len(r.s.row))) // with a row for each step
		if err := r.held.add(mapBytes(1, textEntry) + allocated(int64(len(key))) + size); err != nil {
			return err
		}
	}
	r.at = at
	return nil
}

// row takes one row through the steps.
func (r *scanRun) row(b *batch, row int) error {
	s := r.s
	cols := make([]*vector, len(s.row), len(s.row)+len(s.refs))
	for i := range s.row {
		switch {
		case !s.reads[i]:
		case i < s.source:
			cols[i] = b.cols[i].gather([]int32{int32(row)})
		default:
			cols[i] = s.defaults[i-s.source]
		}
	}
	if err := r.enter(cols); err != nil {
		return err
	}
	for k := len(s.steps) - 1; k >= 0; k-- {
		if k > 0 && r.at[k-1] != nil && r.matches(k, cols, r.at[k-1].refs) {
			before := r.at[k-1]
			if err := r.leave(k); err != nil { // of what was there
				return err
			}
			if err := r.leave(k - 1); err != nil {
				return err
			}
			r.at[k] = &sequence{id: before.id, refs: before.refs}
			if err := r.match(k, cols); err != nil {
				return err
			}
			continue
		}
		if r.at[k] == nil && k > 0 {
			continue
		}
		var refs []*vector
		if r.at[k] != nil {
			refs = r.at[k].refs
		}
		if !r.matches(k, cols, refs) {
			continue
		}
		if r.at[k] == nil {
			r.at[k] = &sequence{id: r.next}
			r.next++
		}
		if err := r.match(k, cols); err != nil {
			return err
		}
	}
	return nil
}

// batch is a row with what it can see of the sequence, for expressions.
func (r *scanRun) batch(cols, refs []*vector) *batch {
	all := slices.Clone(cols)
	for i, ref := range r.s.refs {
		var v *vector
		switch {
		case refs != nil && refs[i] != nil:
			v = refs[i]
		case ref.at >= r.s.source: // a step that no row came to has the defaults
			v = r.s.defaults[ref.at-r.s.source]
		default:
			v = constantVector(ref.col.typ, Value{}, 1)
		}
		all = append(all, v)
	}
	return &batch{n: 1, cols: all}
}

func (r *scanRun) matches(k int, cols, refs []*vector) bool {
	return isTrueAt(r.s.steps[k].condition.eval(r.x, r.batch(cols, refs)), 0)
}

// match puts a row into the sequence at a step, and gives it out.
func (r *scanRun) match(k int, cols []*vector) error {
	s, at := r.s, r.at[k]
	step := s.steps[k]
	cols = slices.Clone(cols)
	for i, to := range step.to {
		v := step.assigned[i].eval(r.x, r.batch(cols, at.refs))
		one := newVector(s.row[to].typ, 1)
		one.set(0, v.value(0))
		cols[to] = one
	}
	refs := make([]*vector, len(s.refs))
	copy(refs, at.refs)
	for i, ref := range s.refs {
		if ref.step == k {
			refs[i] = cols[ref.at]
		}
	}
	at.refs = refs
	switch step.output {
	case "none":
		return nil
	case "last":
		at.last = cols
		return nil
	}
	return r.give(cols, at.id)
}

// leave takes the sequence at a step away from it.
func (r *scanRun) leave(k int) error {
	at := r.at[k]
	r.at[k] = nil
	if at == nil || at.last == nil {
		return nil
	}
	return r.give(at.last, at.id)
}

func (r *scanRun) give(cols []*vector, id int64) error {
	if err := r.x.makes(1); err != nil {
		return err
	}
	b := &batch{n: 1, cols: make([]*vector, len(r.s.cols))}
	for i := range r.s.cols {
		switch {
		case !r.s.need[i]:
		case i < len(r.s.row):
			b.cols[i] = cols[i]
		default:
			b.cols[i] = constantVector(Long, longValue(id), 1)
		}
	}
	return r.out.take(b)
}
