package kql

import (
	"maps"
	"slices"
	"sync"
)

// asNode is as name: the table so far gets a name for the rest of the query.
type asNode struct {
	span
	name name
}

func parseAs(p *parser, at span) operatorNode {
	opts := p.options("as", "hint.materialized")
	if o, ok := opts["hint.materialized"]; ok {
		// Whoever reads the name reads the same rows, so there is nothing to choose.
		if lit, isBool := o.value.(*literal); !isBool || lit.typ != Bool {
			panic(syntaxError(o.value.pos(), "hint.materialized is true or false"))
		}
	}
	n := &asNode{name: p.name("for the table")}
	p.mentions.define(n.name, nil)
	n.span = at.to(p.last())
	return n
}

func (n *asNode) bind(b *binder, in relation) relation {
	if b.subtables > b.partitions {
		panic(unsupportedError(n.span, "as is not supported inside mv-apply; name the table before it"))
	}
	s := &shared{in: in, name: n.name.text, ofAPart: b.partitions > 0}
	scope := &scope{outer: b.scope}
	scope.define(n.name, &definition{table: &boundTable{n.span, s}, scope: scope})
	b.scope = scope
	return s.use(b)
}

// boundTable is a table that is bound already, where the syntax tree is read.
type boundTable struct {
	span
	of *shared
}

func (n *boundTable) bindSource(b *binder) relation { return n.of.use(b) }

// shared is a relation that several read. If it is read once it streams;
// otherwise it is computed once and kept.
type shared struct {
	in   relation
	name string // that as has given, if it did
	// ofAPart is set if the rows are those of a partition, or come from them.
	ofAPart bool
	uses    []*sharedUse
	need    map[*column]bool
}

// sharedRows are the rows of a shared relation in one run of the plan. A run can
// begin while the query is bound, and need more columns later.
type sharedRows struct {
	mu   sync.Mutex
	kept *rows
	has  map[*column]bool // the columns in kept
}

// sharedUse is one reader, with columns of its own.
type sharedUse struct {
	of       *shared
	cols     []*column
	need     []bool
	prepared bool
}

func (s *shared) isOfThePart() bool { return s.ofAPart }

func (s *shared) use(b *binder) relation {
	if s.ofAPart {
		b.partUses++
	}
	u := &sharedUse{of: s, cols: copyColumns(s.in.columns())}
	for i, c := range s.in.columns() {
		b.inheritReceived(u.cols[i], c)
	}
	s.uses = append(s.uses, u)
	return u
}

func (u *sharedUse) columns() []*column { return u.cols }

// prepare adds to what the other readers need. The input is prepared again only
// if that is more. It may hold such relations itself, to any depth, and each of
// them has two readers or more.
func (u *sharedUse) prepare(need map[*column]bool) {
	u.prepared = true
	s := u.of
	more := s.need == nil
	if more {
		s.need = make(map[*column]bool)
	}
	u.need = make([]bool, len(u.cols))
	for i, c := range s.in.columns() {
		u.need[i] = need[u.cols[i]]
		if u.need[i] && !s.need[c] {
			s.need[c], more = true, true
		}
	}
	if !more {
		return
	}
	below := make(map[*column]bool, len(s.need))
	for c, needed := range s.need {
		below[c] = needed
	}
	s.in.prepare(below)
}

func (s *shared) readers() (n int) {
	for _, u := range s.uses {
		if u.prepared {
			n++
		}
	}
	return n
}

func (u *sharedUse) explain(x *explainer) explained {
	e := explained{gives: chosen(u.cols, u.need)}
	if u.of.readers() == 1 {
		e.text, e.inputs = "as", []relation{u.of.in}
	} else {
		e.text = "rows of " + x.table(u.of.in)
		x.shared[u.of.in] = true
	}
	return e
}

func (u *sharedUse) run(x *execution, emit func(*batch) error) error {
	s := u.of
	if s.readers() == 1 {
		return s.in.run(x, emit)
	}
	kept, err := s.rows(x)
	if err != nil {
		return err
	}
	return emitRows(kept, emit)
}

// rows computes the rows unless that is done, with all columns that anybody
// needs by now.
func (s *shared) rows(x *execution) (*rows, error) {
	r := once(x, s, func() *sharedRows { return &sharedRows{} })
	r.mu.Lock()
	defer r.mu.Unlock()
	missing := slices.ContainsFunc(s.in.columns(), func(c *column) bool { return s.need[c] && !r.has[c] })
	if r.kept != nil && !missing {
		return r.kept, nil
	}
	kept, err := collect(s.in, x)
	if err != nil {
		return nil, err
	}
	if err := kept.settle(); err != nil { // any number of goroutines read it from now on
		return nil, err
	}
	if r.kept != nil {
		r.kept.free()
	}
	r.kept, r.has = kept, maps.Clone(s.need)
	return kept, nil
}

// materialization is a materialize() that has been bound, for all who name it.
type materialization struct {
	of    *shared
	scans []*scan
}

// materializeKey stands for a call of materialize(). A call in a function is
// another one each time that the function is called.
type materializeKey struct {
	call  *call
	scope *scope
}

func bindMaterialize(b *binder, n *call) relation {
	if len(n.args) != 1 {
		panic(semanticError(n.span, "SEM0219", "materialize() takes 1 argument and got %d", len(n.args)))
	}
	key := materializeKey{n, b.scope}
	m := b.materialized[key]
	if m == nil {
		scans, uses := b.scans, b.partUses
		b.scans = nil
		rel := b.relation(n.args[0])
		m = &materialization{&shared{in: rel, ofAPart: b.partUses > uses}, b.scans}
		b.scans = append(scans, b.scans...)
		if b.materialized == nil {
			b.materialized = make(map[materializeKey]*materialization)
		}
		b.materialized[key] = m
	}
	for _, s := range m.scans {
		if !slices.Contains(b.scans, s) {
			b.scans = append(b.scans, s)
		}
	}
	return m.of.use(b)
}
