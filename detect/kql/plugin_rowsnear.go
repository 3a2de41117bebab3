package kql

// bindRowsNear is rows_near(condition, rows, rows after): the rows for which a
// condition is true, and so many before and after each of them.
func bindRowsNear(b *binder, n *evaluateNode, in relation) relation {
	n.arguments(2, 3, false)
	r := &rowsNear{in: in, condition: b.requireBool(b.expr(n.args[0].expr, in.columns()), n.args[0].expr)}
	r.before = n.rows(b, 1)
	r.after = r.before
	if len(n.args) == 3 {
		r.after = n.rows(b, 2)
	}
	return r
}

// rows binds a count of rows.
func (n *evaluateNode) rows(b *binder, at int) int64 {
	v := n.value(b, at, "the number of rows", Long)
	if v.n < 0 {
		panic(semanticError(n.args[at].expr.pos(), "SEM0220", "the number of rows of %s() must not be negative", n.plugin.text))
	}
	return v.n
}

type rowsNear struct {
	in            relation
	condition     expr
	before, after int64
	need          []bool
}

func (r *rowsNear) columns() []*column { return r.in.columns() }

func (r *rowsNear) prepare(need map[*column]bool) {
	below := make(map[*column]bool)
	r.need = nil
	for _, c := range r.in.columns() {
		below[c] = need[c]
		r.need = append(r.need, need[c])
	}
	needs(r.condition, below)
	r.in.prepare(below)
	resolve(r.condition, r.in.columns())
}

func (r *rowsNear) explain(*explainer) explained {
	return explained{text: "evaluate rows_near()", gives: chosen(r.columns(), r.need), inputs: []relation{r.in}}
}

func (r *rowsNear) run(x *execution, emit func(*batch) error) error {
	all, err := collect(r.in, x)
	if err != nil {
		return err
	}
	defer all.free()
	if err := all.held.add(4 * int64(all.n)); err != nil {
		return err
	}
	near, err := evaluated([]expr{r.condition}, all)
	if err != nil {
		return err
	}
	sel := make([]int32, 0, all.n)
	next := 0 // the first row that is not taken yet
	for row := range all.n {
		if !isTrueAt(near[0], row) {
			continue
		}
		from := max(next, row-int(min(r.before, int64(row))))
		to := row + 1 + int(min(r.after, int64(all.n-row-1)))
		for ; from < to; from++ {
			sel = append(sel, int32(from))
		}
		next = max(next, to)
	}
	return emitPicked(all, sel, emit)
}
