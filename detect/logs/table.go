package logs

import (
	"fmt"
	"strings"
	"time"

	"pushback/detect/kql"
)

// Limits on the columns that a file can add to a table. A workspace allows 500
// in all and 45 characters for a name.
const (
	maxExtra    = 1000
	maxNameSize = 256
)

// table is a table that is being filled.
type table struct {
	name    string
	ignored bool // Options.Tables left it out
	entra   bool // it holds the diagnostic export of Microsoft Entra
	schema  kql.Schema
	b       *kql.TableBuilder
	columns map[string]*column // by name
	folded  map[string]*column // those of the schema, by name in lower case
	wanted  map[string]bool    // names in lower case; nil for all
	added   []*column          // columns that the schema lacks, in order

	generated *column
	typ       *column // the Type column of a known table

	flat, outer, inner mapping

	seq       uint64 // the number of the current row, from 1
	bad       int64
	times     span
	dropped   int64
	droppedAt Problem
}

// column is a column of a table.
type column struct {
	name  string
	index int // in the builder; -1 if it is not wanted
	typ   kql.Type
	infer *inference // nil if the type is given
	code  bool       // it holds codes, which are integers
	camel bool       // it holds objects whose members are in camel case
	seq   uint64     // the row in which it was set last
	rank  uint8      // by what
	by    *field     // if that differs in case from the column
	count int64      // cells that are not of the type
	first Problem    // the first of them
}

// field is how a member of a record gets into a column.
type field struct {
	name   string
	in     *mapping
	column *column
	rank   uint8
	// next is the field that came after this one in the record before. Records
	// of a file list their members in the same order, so it mostly does again.
	next *field
}

// Ranks decide between several members of a record that have the same column.
const (
	rankDerived = iota // computed here
	rankOuter          // beside the properties
	rankFolded         // the name differs in case
	rankExact          // the name is the column's, or the member is one of the properties
	rankFixed
)

// mapping is the fields of one layout of records, by the names of members.
type mapping struct {
	fields map[string]*field
	// rename gives the column that a member belongs to, or "" if none is known.
	rename func(t *table, member string) string
	// added gives the name of a new column for a member that has none.
	added func(member string) string
	rank  uint8
}

// field returns the field of a member, or nil if it was not seen before.
func (m *mapping) field(previous *field, name []byte) *field {
	if previous != nil {
		if next := previous.next; next != nil && next.in == m && next.name == string(name) {
			return next
		}
	}
	return m.fields[string(name)]
}

func newTable(name string, schema kql.Schema, opts *Options) *table {
	t := &table{
		name:    name,
		schema:  schema,
		columns: make(map[string]*column),
		folded:  make(map[string]*column),
		flat:    mapping{fields: make(map[string]*field), rank: rankExact},
		outer:   mapping{fields: make(map[string]*field), rank: rankOuter, rename: outerColumn, added: pascal},
		inner:   mapping{fields: make(map[string]*field), rank: rankExact, rename: innerColumn, added: pascal},
	}
	if t.ignored = opts.Tables != nil && !opts.Tables(name); t.ignored {
		return t
	}
	if opts.Columns != nil {
		if columns := opts.Columns(name); columns != nil {
			t.wanted = map[string]bool{strings.ToLower(timeGenerated): true, strings.ToLower(timeReceived): true}
			for _, c := range columns {
				t.wanted[strings.ToLower(c)] = true
			}
		}
	}
	t.b = kql.NewTableBuilder(name, nil)
	for _, c := range schema {
		t.folded[strings.ToLower(c.Name)] = t.addColumn(c.Name, c.Type)
	}
	if t.generated = t.columns[timeGenerated]; t.generated == nil {
		t.generated = t.addColumn(timeGenerated, kql.DateTime)
	}
	t.typ = t.columns[typeColumn]
	if schema != nil && t.isSignIn() {
		for _, c := range t.columns {
			c.code, c.camel = c.name == "ResultType", camelColumns[c.name]
		}
	}
	if opts.Rows != nil && schema != nil {
		if keep := opts.Rows(name); keep != nil {
			t.b.Keep(keep)
		}
	}
	return t
}

// addColumn adds a column, or takes note of one that is not wanted. Without a
// type it is inferred from the values.
func (t *table) addColumn(name string, typ kql.Type) *column {
	c := &column{name: name, index: -1, typ: typ}
	if typ == 0 {
		c.typ, c.infer = kql.String, new(inference)
	}
	// One that differs in case alone is kept, so that an error can suggest it.
	if t.wanted == nil || t.wanted[strings.ToLower(name)] {
		c.index = t.b.AddColumn(kql.ColumnSchema{Name: c.name, Type: c.typ})
	}
	t.columns[c.name] = c
	return c
}

// find returns the column of that name. Names are compared with case, as in a
// workspace, but for those of a known schema: tools write their names in other
// case, and nothing else can be meant.
func (t *table) find(name string) (c *column, exact bool) {
	if c := t.columns[name]; c != nil {
		return c, true
	}
	return t.folded[strings.ToLower(name)], false
}

// begin starts a row.
func (t *table) begin(generated time.Time) {
	t.seq++
	t.times.add(generated)
	t.claim(t.generated, rankFixed)
	t.b.SetTime(t.generated.index, generated)
	if t.typ != nil && t.claim(t.typ, rankFixed) {
		t.b.SetString(t.typ.index, []byte(t.name))
	}
}

// claim says whether a member of that rank may set the column in this row.
func (t *table) claim(c *column, rank uint8) bool {
	if c.index < 0 || c.seq == t.seq && c.rank > rank {
		return false
	}
	c.seq, c.rank = t.seq, rank
	return true
}

// clash says whether a field's column was set in this row by a member of another
// name, which differs in case alone. Then the two are two columns.
func (t *table) clash(fd *field) bool {
	c := fd.column
	if c.seq != t.seq || c.index < 0 || fd.in != &t.flat {
		return false
	}
	return fd.rank == rankFolded && c.rank >= rankFolded && c.by != fd || fd.rank == rankExact && c.rank == rankFolded
}

// build ends the table.
func (t *table) build() *kql.Table {
	for _, c := range t.added {
		if c.infer == nil || c.index < 0 {
			continue
		}
		if typ := c.infer.decide(c.typ); typ != c.typ {
			if typ == kql.DateTime && c.infer.regional {
				t.b.RetypeTime(c.index, func(text string) (time.Time, bool) { return inferredTime(text, c.infer.order) })
			} else {
				t.b.Retype(c.index, typ)
			}
			c.typ = typ
		}
	}
	if t.dropped > 0 {
		t.droppedAt.Reason = fmt.Sprintf("%s has more than %d columns, or some with names of more than %d bytes: %d of their cells are not kept",
			t.name, maxExtra, maxNameSize, t.dropped)
	}
	built := t.b.Build()
	if t.wanted != nil && t.schema != nil {
		return built.WithColumns(t.schema) // what is left out is null, and still a column
	}
	return built
}

// extra lists the columns that are not of the known schema.
func (t *table) extra() []string {
	if t.schema == nil {
		return nil
	}
	var extra []string
	for _, c := range t.added {
		if c.index >= 0 {
			extra = append(extra, c.name)
		}
	}
	return extra
}

func (t *table) conversions() []Conversion {
	var list []Conversion
	for _, c := range t.columns {
		if c.count > 0 {
			list = append(list, Conversion{Table: t.name, Column: c.name, Type: c.typ, Count: c.count, First: c.first})
		}
	}
	return list
}
