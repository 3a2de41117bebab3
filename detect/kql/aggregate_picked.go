package kql

// picked is arg_max() and its kin. Only the row that is the best of a batch is
// looked at beyond its first column.
type picked struct {
	how   *picking
	cols  []*vector // what the best row of each group has
	some  []bool    // groups that have one
	bytes int64     // what the columns point to

	// While a batch is looked at: the groups that get another row, and one more than the
	// row for each, zero otherwise.
	groups []int32
	rows   []int32
}

func (p *picked) grow(n int, held *memory) {
	p.some, p.rows = grown(p.some, n, held), grown(p.rows, n, held)
	for _, c := range p.cols {
		c.grow(n, held)
	}
}

func (p *picked) add(groups []int32, args []*vector) {
	isBetter := p.better(args[0])
	for row, at := range groups {
		switch {
		case at == noKey:
		case p.rows[at] > 0:
			if isBetter(row, args[0], int(p.rows[at]-1)) {
				p.rows[at] = int32(row + 1)
			}
		case !p.some[at] || isBetter(row, p.cols[0], int(at)):
			p.rows[at] = int32(row + 1)
			p.groups = append(p.groups, at)
		}
	}
	if len(p.groups) == 0 {
		return
	}
	for i, v := range args {
		p.take(p.cols[i], v)
	}
	for _, at := range p.groups {
		p.some[at], p.rows[at] = true, 0
	}
	p.groups = p.groups[:0]
}

// better gives what compares a row of a batch with another, of it or of what was picked.
func (p *picked) better(v *vector) func(row int, than *vector, at int) bool {
	if p.how.sign != 0 && isWhole(v.typ) {
		return func(row int, than *vector, at int) bool {
			switch {
			case isNullAt(v, row):
				return false
			case isNullAt(than, at):
				return true
			}
			n, old := v.ints[v.at(row)], than.ints[than.at(at)]
			return p.how.sign > 0 && n > old || p.how.sign < 0 && n < old
		}
	}
	return func(row int, than *vector, at int) bool {
		return p.how.prefers(v.value(row), than.value(at), len(p.cols))
	}
}

// take puts what the chosen rows have in a column there. Texts of one dictionary stay
// so, as long as there is no other.
func (p *picked) take(to, v *vector) {
	if to.dict != v.dict {
		if to.typ == String && v.dict != nil && to.dict == nil && p.isEmpty() {
			to.dict, to.wide = v.dict, make([]uint32, to.n)
		} else if to.dict != nil {
			p.spell(to)
		}
	}
	switch {
	case to.dict != nil:
		to.strs = v.strs // of what the rows need it has as much as any
		for _, at := range p.groups {
			to.wide[at] = v.code(int(p.rows[at] - 1))
		}
	case to.typ == String:
		for _, at := range p.groups {
			text := v.strs[v.at(int(p.rows[at]-1))]
			p.bytes += allocated(int64(len(text))) - allocated(int64(len(to.strs[at])))
			to.strs[at] = text
		}
	case isWhole(to.typ) && v.nulls == nil && to.nulls == nil:
		for _, at := range p.groups {
			to.ints[at] = v.ints[v.at(int(p.rows[at]-1))]
		}
	default:
		for _, at := range p.groups {
			val := v.value(int(p.rows[at] - 1))
			if to.vals != nil {
				p.bytes += val.held() - to.vals[at].held()
			}
			to.set(int(at), val)
		}
	}
}

func (p *picked) isEmpty() bool {
	for _, some := range p.some {
		if some {
			return false
		}
	}
	return true
}

// spell gives a column its texts without a dictionary.
func (p *picked) spell(c *vector) {
	texts := make([]string, c.n)
	for at, some := range p.some {
		if some {
			texts[at] = c.strs[c.wide[at]]
			p.bytes += allocated(int64(len(texts[at])))
		}
	}
	c.strs, c.dict, c.wide = texts, nil, nil
}

func (p *picked) result(group, col int) Value {
	if !p.some[group] {
		return Value{}
	}
	return p.cols[col].value(group)
}

func (p *picked) column(col int) *vector {
	c := p.cols[col]
	for group, some := range p.some {
		if !some {
			if c.dict != nil {
				p.spell(c)
			}
			c.setNull(group)
		}
	}
	return c
}

func (p *picked) size() int64 {
	size := int64(cap(p.some)) + 4*int64(cap(p.rows)) + 4*int64(cap(p.groups)) + p.bytes
	for _, c := range p.cols {
		size += c.capacity()
	}
	return size
}
