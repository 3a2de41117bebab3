package kql

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// inExpr binds in, in~, their negations, has_any and has_all. The list may be
// of scalars, of dynamic arrays, or a table whose first column it is.
func (b *binder) inExpr(n *inList, in []*column) expr {
	b.count(n.span)
	left := b.expr(n.left, in)
	op, negate := n.op, false
	if op[0] == '!' {
		op, negate = op[1:], true
	}
	if op == "has_any" || op == "has_all" || op == "in~" {
		if left.typ() != String && left.typ() != Dynamic {
			panic(semanticError(n.left.pos(), "SEM0001", "the operator %s needs a string, and this is a %s: tostring() converts", n.op, left.typ()))
		}
		left = converted(left, String)
	}
	set := &itemSet{op: op, of: left.typ()}
	var tables []*subquery // whose first columns are items too
	args := []expr{left}
	var shown []func(x *explainer, args []string) string
	ofNow := false
	for _, item := range n.items {
		if b.isTabular(item) {
			sub := b.newSubquery(func() relation {
				rel := b.relation(item)
				if len(rel.columns()) == 0 {
					panic(semanticError(item.pos(), "SEM0001", "the table after %s has no column", n.op))
				}
				first := rel.columns()[0]
				if !listable(left.typ(), first.typ) {
					panic(semanticError(item.pos(), "SEM0001", "a %s can not be looked for among values of type %s", left.typ(), first.typ))
				}
				return rel
			})
			rel := sub.of
			tables = append(tables, sub)
			set.ofAPart = set.ofAPart || sub.ofAPart
			shown = append(shown, func(x *explainer, _ []string) string { return x.table(rel) })
			continue
		}
		e := b.expr(item, in)
		if !listable(left.typ(), e.typ()) {
			panic(semanticError(item.pos(), "SEM0001", "a %s can not be looked for among values of type %s", left.typ(), e.typ()))
		}
		if c, ok := e.(*constExpr); ok {
			set.add(c.val)
			ofNow = ofNow || c.ofNow
			shown = append(shown, func(*explainer, []string) string { return literalText(c.t, c.val) })
		} else {
			at := len(args)
			args = append(args, e)
			shown = append(shown, func(_ *explainer, args []string) string { return args[at] })
		}
	}
	accepts := func(set *itemSet) func(a []Value) Value {
		return func(a []Value) Value { return boolValue(set.accepts(a[0], a[1:]) != negate) }
	}
	ap := &applyExpr{t: Bool, args: args, ofNow: ofNow, rows: accepts(set)}
	if len(args) == 1 && left.typ() == String && (op == "in" || op == "in~") {
		ap.batch = func(args []*vector, n int) *vector { return set.batch(args[0], n, negate) }
	}
	if len(tables) > 0 {
		ap.rows, ap.batch, ap.readsTable = nil, nil, true
		ap.sameInRun = !set.ofAPart
		ap.prepared = func(x *execution) func([]Value) Value {
			return accepts(once(x, set, func() *itemSet { return set.with(tables, x) }))
		}
	}
	ap.show = func(x *explainer, args []string) string {
		items := make([]string, len(shown))
		for i, show := range shown {
			items[i] = show(x, args)
		}
		return args[0] + " " + n.op + " (" + strings.Join(items, ", ") + ")"
	}
	if len(args) == 1 && !negate && !ofNow {
		ap.items = set
	}
	if ap.readsTable {
		return ap // not before the tables have been read
	}
	return fold(ap)
}

func listable(left, item Type) bool {
	return left == item || left == Dynamic || item == Dynamic || left.isNumber() && item.isNumber() ||
		left == String || item == String
}

// itemSet is the right side of in and its kin.
type itemSet struct {
	op    string
	of    Type
	keys  map[string]bool // for in and in~
	terms []string        // for has_any and has_all
	held  memory          // what the items of tables take
	text  int64           // bytes of the keys and terms
	// ofAPart is set if a table depends on the rows of a partition.
	ofAPart bool
}

func (s *itemSet) isOfThePart() bool { return s.ofAPart }

// add takes one item; a dynamic array stands for its elements.
func (s *itemSet) add(v Value) {
	if v.kind == kindArray {
		for _, item := range v.array() {
			s.add(item)
		}
		return
	}
	if s.op == "has_any" || s.op == "has_all" {
		term := v.String()
		s.terms = append(enlarged(s.terms, 1, s.claims()), term)
		s.text += allocated(int64(len(term)))
		return
	}
	if s.keys == nil {
		s.keys = make(map[string]bool)
	}
	if !v.IsNull() {
		key := s.appendKey(nil, v)
		s.keys[string(key)] = true
		s.text += allocated(int64(len(key)))
	}
}

// eachText calls with each item of in or in~ of texts, or with what has that in common with
// it that in~ looks at.
func (s *itemSet) eachText(take func(string)) {
	for key := range s.keys {
		if s.op == "in" {
			key = textOfKey(key)
		}
		take(key)
	}
}

// claims is where the growth of terms is charged ahead: nowhere for those of one
// row.
func (s *itemSet) claims() *memory {
	if s.held.x == nil {
		return nil
	}
	return &s.held
}

// appendKey appends what two values that match have in common. A string among
// values of another type stands for the value it converts to.
func (s *itemSet) appendKey(key []byte, v Value) []byte {
	switch {
	case s.op == "in~":
		return append(key, foldCase(v.String())...)
	case s.of == String:
		v = stringValue(v.String())
	case v.kind == String && s.of != Dynamic:
		v = convert(v, s.of)
	}
	return groupKey(key, v)
}

// with adds the items of tables to those of a set, which stays as it is.
func (s *itemSet) with(tables []*subquery, x *execution) *itemSet {
	all := &itemSet{op: s.op, of: s.of, keys: maps.Clone(s.keys), terms: slices.Clone(s.terms), text: s.text, held: memory{x: x}}
	for _, table := range tables {
		r := table.rows(x)
		for i := range r.n {
			all.add(r.cols[0].value(i))
			if i%chunkRows == chunkRows-1 || i == r.n-1 {
				if err := all.charge(); err != nil {
					panic(runFailure{err})
				}
			}
		}
	}
	return all
}

// charge takes note of what the items take. It fails past the limit, or when
// the query's time is over.
func (s *itemSet) charge() error {
	if err := s.held.set(mapBytes(len(s.keys), textBoolEntry) + 16*int64(cap(s.terms)) + s.text); err != nil {
		return err
	}
	return s.held.x.stopped()
}

func (s *itemSet) accepts(v Value, more []Value) bool {
	set := s
	if len(more) > 0 { // items that differ from row to row
		set = &itemSet{op: s.op, of: s.of}
		for _, m := range more {
			set.add(m)
		}
	}
	switch s.op {
	case "has_any":
		for _, t := range set.terms {
			if hasTermFold(v.s, t) {
				return true
			}
		}
		return set != s && s.accepts(v, nil)
	case "has_all":
		for _, t := range set.terms {
			if !hasTermFold(v.s, t) {
				return false
			}
		}
		return set == s || s.accepts(v, nil)
	}
	if v.IsNull() {
		return false
	}
	return set.has(v) || set != s && s.accepts(v, nil)
}

// has reports whether the set of in or in~ has a value. It makes no key of its
// own for the usual text.
func (s *itemSet) has(v Value) bool {
	if s.op == "in~" && v.kind == String {
		var folded [128]byte
		if n, ok := foldASCII(folded[:], v.s); ok {
			return s.keys[string(folded[:n])]
		}
	}
	var key [128]byte
	return s.keys[string(s.appendKey(key[:0], v))]
}

// batch is in or in~ of texts, with the same items for all.
func (s *itemSet) batch(texts *vector, n int, negate bool) *vector {
	out := newVector(Bool, n)
	for i := range n {
		at := texts.at(i)
		isNull := texts.nulls != nil && texts.nulls[at]
		if (!isNull && s.has(stringValue(texts.strs[at]))) != negate {
			out.ints[i] = 1
		}
	}
	return out
}

// foldASCII writes what [foldCase] makes of a text, if the text is ASCII and there
// is room for it.
func foldASCII(to []byte, text string) (n int, ok bool) {
	if len(text) > len(to) {
		return 0, false
	}
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= utf8.RuneSelf:
			return 0, false
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		}
		to[i] = c
	}
	return len(text), true
}
