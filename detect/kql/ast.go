package kql

// The syntax tree: what the parser makes of the text and the binder gives a
// meaning to. Every node knows its place in the text.

type node interface{ pos() span }

func (s span) pos() span { return s }

// to is the span from the start of one to the end of another.
func (s span) to(end span) span { return span{s.start, end.end} }

// Scalar expressions.
type (
	literal struct {
		span
		typ Type
		val Value
		now bool // datetime(), the query's time
	}
	// name refers to a column, a table or what a let statement defines. As a
	// declaration it is the name declared.
	name struct {
		span
		text   string
		quoted bool // written ['name']
	}
	// pattern is a name with * in it, for project-away and its kin.
	pattern struct {
		span
		text string
	}
	// path is of.key.
	path struct {
		span
		of    node
		key   string
		keyAt span
	}
	// element is of[at].
	element struct {
		span
		of, at  node
		indexAt span // with its brackets
	}
	call struct {
		span
		fn    name
		args  []node
		names []*name // of the arguments, nil for one that is given by its place
	}
	// typeOf is typeof(type), an argument of some functions.
	typeOf struct {
		span
		typ Type
	}
	// star is the * of take_any(*), arg_max(x, *) and * has "x".
	star struct{ span }
	// signed is + or - before an operand.
	signed struct {
		span
		minus bool
		of    node
	}
	// binary is an operator between two operands. String operators such as has
	// and =~ are here too.
	binary struct {
		span
		op          string
		opAt        span
		left, right node
	}
	// between is left between (low .. high), or !between.
	between struct {
		span
		negated         bool
		left, low, high node
	}
	// inList is left in (items), with in~, !in, has_any and has_all too.
	inList struct {
		span
		op    string
		opAt  span
		left  node
		items []node
	}
	// named is name = expression, or (a, b) = expression.
	named struct {
		span
		names []name
		expr  node
	}
)

// Tabular expressions.
type (
	// pipeline is source | operator | operator.
	pipeline struct {
		span
		source node
		ops    []operatorNode
	}
	// lambda is a function that a let statement defines.
	lambda struct {
		span
		params []parameter
		lets   []statement
		body   node
		view   bool // a union over * takes it for a table
	}
)

// bare says whether the function can be named without (): it needs no
// argument.
func (l *lambda) bare() bool {
	for _, p := range l.params {
		if p.def == nil {
			return false
		}
	}
	return true
}

// parameter is one of a lambda's: a scalar of a type, or a table with columns.
type parameter struct {
	name
	typ     Type
	table   bool
	columns Schema // of a table; none of (*)
	def     node   // the default, or nil
}

// operatorNode is a tabular operator as it was written. Each has a file of its
// own, with its syntax, its binding and its execution.
type operatorNode interface {
	pos() span
	bind(b *binder, in relation) relation
}

// sourceNode is what a pipeline can start with besides an expression.
type sourceNode interface {
	node
	bindSource(b *binder) relation
}

// statement is one of those that stand before the query itself.
type statement struct {
	span
	set  bool // set rather than let
	name name
	expr node // nil for a bare set, and for a query parameter without a default
	// parameter is the type of a query parameter, or nil.
	parameter *Type
	pattern   *patternNode // that it declares, or nil
}

// option is name=value after an operator's name.
type option struct {
	span
	name  string
	value node
}
