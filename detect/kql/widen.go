package kql

// WithColumns returns the table with all the columns of a schema, in its
// order: those that the table lacks are null in every row. Columns of the
// table that the schema does not name come after them. It is for readers that
// keep only what a query reads: the query binds to the whole table all the
// same.
func (t *Table) WithColumns(schema Schema) *Table {
	full := make(Schema, 0, len(schema)+len(t.schema))
	cols := make([]*vector, 0, cap(full))
	add := func(c ColumnSchema, v *vector) {
		full, cols = append(full, c), append(cols, v)
	}
	for _, c := range schema {
		if i := t.schema.Index(c.Name); i >= 0 {
			add(t.schema[i], t.cols[i])
		} else {
			add(c, constantVector(c.Type, Value{}, t.rows))
		}
	}
	for i, c := range t.schema {
		if schema.Index(c.Name) < 0 {
			add(c, t.cols[i])
		}
	}
	return newTable(t.name, full, cols, t.rows)
}
