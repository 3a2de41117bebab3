package kql

// getSchemaNode is getschema: a row for each column of the input.
type getSchemaNode struct{ span }

func parseGetSchema(p *parser, at span) operatorNode {
	if t := p.cur(); t.word("kind") {
		panic(unsupportedError(t.span, "'kind' of getschema is not supported: leave it out, and strcat_array() over make_list() writes the columns as a text"))
	}
	return &getSchemaNode{at}
}

func (n *getSchemaNode) bind(_ *binder, in relation) relation {
	s := &schemaTable{of: in}
	for _, name := range []string{"ColumnName", "ColumnOrdinal", "DataType", "ColumnType"} {
		t := String
		if name == "ColumnOrdinal" {
			t = Long
		}
		s.cols = append(s.cols, &column{name, t})
	}
	return s
}

// schemaTable describes the columns of a relation, which is never run.
type schemaTable struct {
	of   relation
	cols []*column
}

// platformTypes are the names that the service has for the types beside those
// of the language.
var platformTypes = map[Type]string{
	Bool: "System.SByte", DateTime: "System.DateTime", Decimal: "System.Data.SqlTypes.SqlDecimal", Dynamic: "System.Object",
	GUID: "System.Guid", Int: "System.Int32", Long: "System.Int64", Real: "System.Double", String: "System.String", TimeSpan: "System.TimeSpan",
}

func (s *schemaTable) columns() []*column { return s.cols }

// prepare asks for every column: logs may hold some that no schema declares.
func (s *schemaTable) prepare(map[*column]bool) {
	all := make(map[*column]bool)
	for _, c := range s.of.columns() {
		all[c] = true
	}
	s.of.prepare(all)
}

func (s *schemaTable) explain(*explainer) explained {
	return explained{text: "getschema", gives: s.cols, inputs: []relation{s.of}}
}

func (s *schemaTable) run(_ *execution, emit func(*batch) error) error {
	out := &rows{n: len(s.of.columns()), cols: make([]*vector, len(s.cols))}
	for i, c := range s.cols {
		out.cols[i] = newVector(c.typ, out.n)
	}
	for i, c := range s.of.columns() {
		out.cols[0].strs[i] = c.name
		out.cols[1].ints[i] = int64(i)
		out.cols[2].strs[i] = platformTypes[c.typ]
		out.cols[3].strs[i] = c.typ.String()
	}
	return emitRows(out, emit)
}
