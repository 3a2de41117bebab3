package kql

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
)

// CheckAll checks a query as [Catalog.Check] does, and goes on behind an error as far
// as the rest of the query can be told from what it depends on. An error that only
// follows from another is left out. The summary is nil if an error leaves the columns
// of the result open. The errors are those that Check returns, in the order of the
// text.
func (c Catalog) CheckAll(query string) (*Summary, []error) {
	s, err := c.Check(query)
	if err == nil {
		return s, nil
	}
	var e *Error
	if !errors.As(err, &e) || e.Kind != SemanticError {
		return nil, []error{err}
	}
	b := &binder{db: c.database(), x: &execution{}, dry: true, errs: &errorList{text: query, guess: guesses[0]}}
	plan, last := b.compile(query, time.Unix(0, 0))
	b.errs.at(last)
	if len(b.errs.list) == 0 { // it got no further than to the one
		return nil, []error{err}
	}
	slices.SortStableFunc(b.errs.list, func(a, b *Error) int { return a.Offset - b.Offset })
	all := make([]error, len(b.errs.list))
	for i, e := range b.errs.list {
		all[i] = e
	}
	if plan == nil {
		return nil, all
	}
	s = &Summary{Missing: plan.missing, Optional: plan.optional, Warnings: plan.warnings}
	for _, col := range plan.root.columns() {
		s.Columns = append(s.Columns, ColumnSchema{col.name, col.typ})
	}
	return s, all
}

// mostErrors is how many errors of a query are listed.
const mostErrors = 50

// errorList collects the errors of a query that is bound for all of them. A binder
// without one ends at the first.
type errorList struct {
	text string
	list []*Error
	// bad are the places of what could not be bound, and doubtful the columns that
	// were made of it. What else is wrong there follows from that.
	bad      []span
	doubtful map[string]bool
	// guess is the type of what could not be bound.
	guess Type
}

// guesses are the types that are tried, since an operator may want one of them.
var guesses = []Type{String, Dynamic, Long, DateTime}

// abandoned is what a pipeline panics with whose columns are not known any more.
type abandoned struct{}

// at adds an error that ended the binding, if it is one.
func (l *errorList) at(err error) {
	var e *Error
	if errors.As(err, &e) {
		l.add(e, span{e.Offset, e.Offset + len(e.Token)})
	}
}

// note adds a problem, unless it follows from another in one of the places.
func (l *errorList) note(p *problem, places ...span) {
	if !slices.ContainsFunc(places, l.follows) {
		l.add(p.locate(l.text), p.at)
	}
	l.bad = append(l.bad, places...)
}

func (l *errorList) add(e *Error, at span) {
	known := slices.ContainsFunc(l.list, func(o *Error) bool { return o.Offset == e.Offset && o.Message == e.Message })
	if !known && len(l.list) < mostErrors {
		l.list = append(l.list, e)
	}
	l.bad = append(l.bad, at)
}

// follows reports whether what is wrong at a place follows from another error: one
// within it, or a column that is not as it should be.
func (l *errorList) follows(at span) bool {
	if l == nil {
		return false
	}
	if slices.ContainsFunc(l.bad, func(b span) bool { return b.start >= at.start && b.end <= at.end }) {
		return true
	}
	if len(l.doubtful) == 0 || at.start < 0 || at.end > len(l.text) || at.start >= at.end {
		return false
	}
	for word := range strings.FieldsFuncSeq(l.text[at.start:at.end], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
		if l.doubtful[word] {
			return true
		}
	}
	return false
}

// tolerantExpr binds an expression. One that is wrong is a value of which nothing is
// known.
func (b *binder) tolerantExpr(n node, in []*column) (e expr) {
	state := *b
	defer func() {
		switch p := recover().(type) {
		case nil:
			return
		case *problem:
			if p.table != "" || b.bound > maxBound { // a fuzzy union may go without it
				panic(p)
			}
			b.errs.note(p, p.at, n.pos())
		case abandoned:
		default:
			panic(p)
		}
		b.restore(state)
		e = &constExpr{t: b.errs.guess}
	}()
	return b.namedExpr(n, in)
}

// restore puts a binder back to where it was before what went wrong. What it counted
// and found stays.
func (b *binder) restore(state binder) {
	b.scope, b.agg, b.window, b.subtables, b.partitions, b.part, b.steps, b.trying, b.checking, b.numbered = state.scope, state.agg, state.window, state.subtables, state.partitions, state.part, state.steps, state.trying, state.checking, state.numbered
}

// tolerantOperator binds an operator. One that is wrong and passes the columns of its
// input on does nothing; behind another the columns are not known.
func (b *binder) tolerantOperator(op operatorNode, in relation) relation {
	bad := len(b.errs.bad)
	defer func() { b.errs.guess = guesses[0] }()
	for _, b.errs.guess = range guesses {
		out, p := b.tryOperator(op, in)
		switch {
		case p == nil:
			if len(b.errs.bad) > bad {
				b.errs.doubt(in.columns(), out.columns())
			}
			return out
		case !b.errs.follows(p.at):
			b.errs.note(p, p.at)
		case !passesColumns(op):
			continue // perhaps it wants another type of what is wrong in it
		}
		break
	}
	if !passesColumns(op) {
		panic(abandoned{})
	}
	return in
}

// tryOperator binds an operator, or says why it can not be bound.
func (b *binder) tryOperator(op operatorNode, in relation) (out relation, failed *problem) {
	state := *b
	defer func() {
		switch p := recover().(type) {
		case nil:
			return
		case *problem:
			if p.table != "" || b.bound > maxBound {
				panic(p)
			}
			failed = p
		default:
			panic(p)
		}
		b.restore(state)
	}()
	return op.bind(b, in), nil
}

// passesColumns reports whether an operator gives the columns of its input.
func passesColumns(op operatorNode) bool {
	switch op := op.(type) {
	case *windowedNode:
		return passesColumns(op.operatorNode)
	case *whereNode, *sortNode, *takeNode, *sampleNode, *asNode, *renderNode:
		return true
	}
	return false
}

// doubt marks the columns that an operator added.
func (l *errorList) doubt(in, out []*column) {
	for _, c := range out {
		if !slices.Contains(in, c) {
			l.doubtName(c.name)
		}
	}
}

func (l *errorList) doubtName(name string) {
	if l.doubtful == nil {
		l.doubtful = make(map[string]bool)
	}
	l.doubtful[name] = true
}

// tolerantLet binds a let statement. A name that can not be defined is as it was.
func (b *binder) tolerantLet(st statement) {
	state := *b
	defer func() {
		switch p := recover().(type) {
		case nil:
			return
		case *problem:
			if b.bound > maxBound {
				panic(p)
			}
			b.errs.note(p, p.at)
		case abandoned:
		default:
			panic(p)
		}
		b.restore(state)
	}()
	bad := len(b.errs.bad)
	b.letStatement(st)
	if d := b.find(st.name.text); d != nil && d.scalar != nil && len(b.errs.bad) > bad {
		b.errs.doubtName(st.name.text)
	}
}

func (abandoned) Error() string { return "the columns are not known" }
