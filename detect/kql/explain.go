package kql

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Explain shows the plan of a query as it would be run at a time. It writes
// each operator with the columns it gives that something needs, above what it
// reads, down to the tables. Constants have been computed and conversions that
// the language makes by itself are written out.
func (c Catalog) Explain(query string, now time.Time) (text string, err error) {
	defer caught(query, &err)
	plan, err := compileDry(query, c.database(), now)
	if err != nil {
		return "", err
	}
	prepareAll(plan.root)
	x := newExplainer()
	// The reader of logs knows the tables of a workspace and no others.
	x.kept = Catalog{KnownTables(), c.Watchlists, c.Functions}.RowFilters(query)
	x.plan(plan.root)
	return x.out.String(), nil
}

func newExplainer() *explainer {
	return &explainer{names: make(map[*column]string), tables: make(map[relation]int), shared: make(map[relation]bool)}
}

// plan writes all of a plan.
func (x *explainer) plan(root relation) {
	x.relation(root, nil, 0)
	for i := 0; i < len(x.queue); i++ { // it grows
		fmt.Fprintf(&x.out, "\ntable %d, read once:\n", i+1)
		x.relation(x.queue[i], nil, 1)
	}
}

// explained is how an operator shows itself.
type explained struct {
	text   string    // in one line
	gives  []*column // the columns of its output that something needs
	notes  []string
	inputs []relation
}

// explains is a relation that can show itself.
type explains interface {
	explain(x *explainer) explained
}

// explainer writes a plan.
type explainer struct {
	out    strings.Builder
	names  map[*column]string // of columns that the query does not see
	tables map[relation]int   // those that expressions read, by number
	queue  []relation
	shared map[relation]bool     // those of tables that operators read
	kept   map[string]*RowFilter // what is kept of tables, by name
	// scanned is called with each scan and the stages above it. It may be nil.
	scanned func(s *scan, above []stage)
}

// relation writes an operator and its inputs. above are the stages over it,
// the nearest last.
func (x *explainer) relation(rel relation, above []stage, depth int) {
	e := explained{text: fmt.Sprintf("%T", rel), gives: rel.columns()}
	if s, ok := rel.(explains); ok {
		e = s.explain(x)
	}
	if s, ok := rel.(*scan); ok {
		if x.scanned != nil {
			x.scanned(s, above)
		}
		if kept := x.kept[s.table.name]; kept != nil {
			e.notes = append(e.notes, "kept while logs are read: "+kept.String())
			if searched := kept.searched(); searched != "" {
				e.notes = append(e.notes, "looked for before a record is decoded: "+searched)
			}
		}
		conditions := conditionsAbove(above)
		for _, bound := range s.timeBounds(conditions) {
			e.notes = append(e.notes, fmt.Sprintf("only segments that hold %s %s %s", generatedColumn, bound.op, literalText(DateTime, datetimeValue(bound.tick))))
		}
		for _, bound := range s.textBounds(conditions) {
			e.notes = append(e.notes, bound.note(s))
		}
	}
	line := func(text string) {
		x.out.WriteString(strings.Repeat("  ", depth) + text + "\n")
	}
	line(e.text)
	list := make([]string, len(e.gives))
	for i, c := range e.gives {
		list[i] = x.columnName(c) + ":" + c.typ.String()
	}
	if len(list) == 0 {
		list = []string{"rows only"}
	}
	line("  -> " + strings.Join(list, ", "))
	for _, n := range e.notes {
		line("  " + n)
	}
	for _, in := range e.inputs {
		var stages []stage
		if s, ok := rel.(stage); ok {
			stages = append(append(stages, above...), s)
		}
		x.relation(in, stages, depth+1)
	}
}

// chosen lists the columns that are needed.
func chosen(cols []*column, need []bool) (list []*column) {
	for i, c := range cols {
		if need == nil || need[i] {
			list = append(list, c)
		}
	}
	return list
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// columnName is a column's name as a query has it; one without a name gets a
// number.
func (x *explainer) columnName(c *column) string {
	switch {
	case c.name == "":
		if x.names[c] == "" {
			x.names[c] = fmt.Sprintf("$%d", len(x.names)+1)
		}
		return x.names[c]
	case !plainName.MatchString(c.name) || keywords[c.name]:
		return "[" + quoted(c.name) + "]"
	}
	return c.name
}

// table names a relation whose rows an expression reads as a whole. Its plan is
// written after that of the query.
func (x *explainer) table(rel relation) string {
	if x.tables[rel] == 0 {
		x.queue = append(x.queue, rel)
		x.tables[rel] = len(x.queue)
	}
	return fmt.Sprintf("table %d", x.tables[rel])
}

func (x *explainer) all(list []expr) []string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = x.expr(e)
	}
	return texts
}

// expr writes an expression.
func (x *explainer) expr(e expr) string {
	switch e := e.(type) {
	case *constExpr:
		return literalText(e.t, e.val)
	case *columnExpr:
		return x.columnName(e.col)
	case *subqueryExpr:
		return "toscalar(" + x.table(e.of) + ")"
	case *partValueExpr:
		return "toscalar(" + e.of.name + ")"
	case *applyExpr:
		return x.apply(e)
	case *tupleExpr:
		return x.expr(e.expr)
	}
	return fmt.Sprintf("%T", e)
}

// apply writes a function or an operator, with parentheses where the language
// needs them.
func (x *explainer) apply(e *applyExpr) string {
	args := x.all(e.args)
	binds := e.binds()
	for i, a := range e.args {
		inner, ok := a.(*applyExpr)
		if !ok || binds == calling {
			continue
		}
		if b := inner.binds(); b < binds || b == binds && (i > 0 || e.op != inner.op) && !(e.op == inner.op && (e.op == "and" || e.op == "or")) {
			args[i] = "(" + args[i] + ")"
		}
	}
	switch {
	case e.show != nil:
		return e.show(x, args)
	case e.op == "":
		return "to" + e.t.String() + "(" + strings.Join(args, ", ") + ")"
	case e.op == "-" && len(args) == 1:
		return "-" + args[0]
	case binds != calling:
		return strings.Join(args, " "+e.op+" ")
	}
	return e.op + "(" + strings.Join(args, ", ") + ")"
}

// How strongly an expression holds together.
const (
	either = iota
	both
	comparing
	adding
	multiplying
	single // a sign, a member, in
	calling
)

func (e *applyExpr) binds() int {
	switch {
	case e.show != nil:
		return single
	case e.op == "or":
		return either
	case e.op == "and":
		return both
	case len(e.args) == 1 && e.op == "-":
		return single
	case stringOperators[e.op]:
		return comparing
	case len(e.args) != 2:
		return calling
	}
	switch e.op {
	case "==", "!=", "<", "<=", ">", ">=":
		return comparing
	case "+", "-":
		return adding
	case "*", "/", "%":
		return multiplying
	}
	return calling
}

// literalText writes a value as a query has it.
func literalText(t Type, v Value) string {
	switch {
	case v.IsNull():
		return t.String() + "(null)"
	case t == Dynamic:
		var sb strings.Builder
		v.appendJSON(&sb)
		return "dynamic(" + sb.String() + ")"
	case t == String:
		return quoted(v.s)
	case t == Bool || t == Long:
		return v.String()
	}
	return t.String() + "(" + v.String() + ")"
}

func quoted(s string) string {
	var sb strings.Builder
	appendJSONString(&sb, s)
	return sb.String()
}
