package kql

// WithColumns returns the table with all the columns of a schema, in its order.
// Those that the table lacks are null in every row. Columns of the table that
// the schema does not name come after them. It is for readers that keep only
// what a query reads: the query binds to the whole table all the same.
func (t *Table) WithColumns(schema Schema) *Table {
	wide := &Table{name: t.name, leftOut: t.leftOut}
	var from []int // the table's column, or -1
	for _, c := range schema {
		i := t.schema.Index(c.Name)
		if i >= 0 {
			c = t.schema[i]
		}
		wide.schema, from = append(wide.schema, c), append(from, i)
	}
	for i, c := range t.schema {
		if schema.Index(c.Name) < 0 {
			wide.schema, from = append(wide.schema, c), append(from, i)
		}
	}
	for _, s := range t.segments {
		cols := make([]*vector, len(from))
		for i, at := range from {
			if at >= 0 {
				cols[i] = s.cols[at]
			} else {
				cols[i] = constantVector(wide.schema[i].Type, Value{}, s.n)
			}
		}
		wide.segments = append(wide.segments, segment{n: s.n, cols: cols})
	}
	wide.finish()
	return wide
}
