package kql

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Beginning is what a query does at one of the places where it reads a table, up
// to the first operator that looks at more than one row. A row that a beginning
// does not let through makes no difference to the query's answer there.
type Beginning struct {
	Table string
	// Condition says in KQL, over the table's columns, which rows it lets through:
	// those that the query can see, and maybe more. Empty is all of them.
	Condition string
}

// The limits of a condition. One that is larger is left out: more rows pass then.
const (
	mostBeginnings      = 200
	mostConditionBytes  = 4000
	mostConditionExprs  = 500
	mostBeginningVisits = 5000
)

// Beginnings returns the beginnings of a query, in the order of the tables' places
// in its plan, each once. It leaves out what depends on when the query runs, on
// when a record came in, on TimeGenerated, on another table, a watchlist or a
// column that may not be there, with everything made of it. The error says why a
// query has none that could be relied on.
//
// A watchlist that the catalog does not have may have any columns: they are taken
// to be texts.
func (c Catalog) Beginnings(query string) ([]Beginning, error) {
	c.Watchlists = c.namelessWatchlists(query)
	// What the query's time goes into differs from one time to another.
	var found [2][]placed
	for i, now := range []int64{1_000_000_001, 2_345_678_912} {
		var err error
		if found[i], err = c.beginnings(query, time.Unix(now, 1)); err != nil {
			return nil, err
		}
	}
	if len(found[0]) != len(found[1]) {
		return nil, errors.New("which tables the query reads depends on when it runs")
	}
	var list []Beginning
	for i, at := range found[0] {
		var same []string
		for _, text := range at.conditions {
			if slices.Contains(found[1][i].conditions, text) && !slices.Contains(same, text) {
				same = append(same, text)
			}
		}
		b := Beginning{at.table, strings.Join(same, " and ")}
		if len(b.Condition) > mostConditionBytes {
			b.Condition = ""
		}
		if !slices.Contains(same, never) && !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	if len(list) > mostBeginnings {
		return nil, fmt.Errorf("the query reads tables at more than %d places", mostBeginnings)
	}
	return withoutCovered(list), nil
}

// withoutCovered leaves out the beginnings of a table that another one lets all
// rows of through.
func withoutCovered(list []Beginning) []Beginning {
	whole := make(map[string]bool)
	for _, b := range list {
		whole[b.Table] = whole[b.Table] || b.Condition == ""
	}
	return slices.DeleteFunc(list, func(b Beginning) bool { return whole[b.Table] && b.Condition != "" })
}

// never is the condition of a place where no row is let through.
const never = "false"

// placed is a place where a table is read, with the conditions that its rows must
// fulfil.
type placed struct {
	table      string
	conditions []string
}

func (c Catalog) beginnings(query string, now time.Time) (list []placed, err error) {
	defer caught(query, &err)
	b := &binder{db: c.database(), x: &execution{}, dry: true, elsewhere: true}
	plan, err := b.compile(query, now)
	switch {
	case err != nil:
		return nil, err
	case len(plan.missing) > 0:
		return nil, fmt.Errorf("nothing is known of the table %s", plan.missing[0])
	case b.byPattern != "":
		return nil, fmt.Errorf("which tables %s stands for is known only in the workspace", b.byPattern)
	}
	prepareAll(plan.root)
	w := beginningWalk{x: newExplainer(), scanned: make(map[*scan]bool)}
	w.visit(plan.root, nil)
	// Writing the plan finds the tables that expressions read, at any depth.
	w.x.plan(plan.root)
	for _, rel := range w.x.queue {
		if !w.x.shared[rel] { // or else whoever reads it has been there
			w.visit(rel, nil)
		}
	}
	for _, s := range plan.scans { // what the plan does not show
		if !w.scanned[s] && s.table.name != "" {
			w.found = append(w.found, placed{table: s.table.name})
		}
	}
	if w.visits > mostBeginningVisits {
		return nil, errors.New("the query's plan has too many branches")
	}
	for i := range w.found {
		at := &w.found[i]
		at.conditions = slices.DeleteFunc(at.conditions, func(text string) bool { return !c.stands(at.table, text) })
	}
	return w.found, nil
}

// namelessWatchlists returns the catalog's watchlists, which are no tables to look
// at. Without any, each is taken to have every column that the query may mean.
func (c Catalog) namelessWatchlists(query string) func(string) (*Table, error) {
	if c.Watchlists != nil {
		return func(alias string) (*Table, error) {
			t, err := c.Watchlists(alias)
			if err != nil {
				return nil, err
			}
			nameless := *t
			nameless.name = ""
			return &nameless, nil
		}
	}
	return func(string) (*Table, error) { return newEmptyTable("", c.columnsOfWatchlist(query)), nil }
}

// columnsOfWatchlist lists what may be a column of a watchlist in a query.
func (c Catalog) columnsOfWatchlist(query string) Schema {
	var schema Schema
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			schema = append(schema, ColumnSchema{name, String})
		}
	}
	tokens := lex(query)
	for i, t := range tokens { // what is none of these is no column
		declared := i > 0 && (tokens[i-1].is("let") || tokens[i-1].is("as")) || i+1 < len(tokens) && tokens[i+1].is(":")
		if t.kind == tokName && (keywords[t.text] || declared) || c.Tables[t.text] != nil {
			seen[t.text] = true
		}
	}
	add("SearchKey")
	for _, t := range tokens {
		if t.kind == tokName || t.kind == tokQuoted {
			add(t.text)
		}
	}
	return schema
}

// stands reports whether a condition, as it is written, says over the table's
// columns what it was written from.
func (c Catalog) stands(table, text string) bool {
	query := Beginning{table, text}.Query()
	plan, err := compileDry(query, Catalog{Tables: map[string]Schema{table: c.Tables[table]}}.database(), time.Unix(0, 0))
	if err != nil {
		return false
	}
	f, ok := plan.root.(*filter)
	if !ok {
		return false
	}
	prepareAll(plan.root)
	if _, ok := f.in.(*scan); !ok {
		return false
	}
	w := beginningWalk{x: newExplainer()}
	var again []string
	for _, e := range conjuncts(f.predicate) {
		again = append(again, w.condition(e))
	}
	return strings.Join(again, " and ") == text
}

// Query returns the query that gives the rows of the table that a beginning lets
// through.
func (b Beginning) Query() string {
	if b.Condition == "" {
		return "[" + quoted(b.Table) + "]"
	}
	return "[" + quoted(b.Table) + "] | where " + b.Condition
}

// beginningWalk goes down a plan with the conditions that rows must fulfil further
// up.
type beginningWalk struct {
	x       *explainer
	found   []placed
	scanned map[*scan]bool
	visits  int
}

// visit goes into a relation. The conditions are over its columns.
func (w *beginningWalk) visit(rel relation, conditions []expr) {
	if w.visits++; w.visits > mostBeginningVisits {
		return
	}
	switch rel := rel.(type) {
	case *scan:
		w.scan(rel, conditions)
	case *filter:
		w.visit(rel.in, slices.Concat(conjuncts(rel.predicate), conditions))
	case *projection:
		from := make(map[*column]expr, len(rel.cols))
		for i, c := range rel.cols {
			from[c] = rel.from[i]
		}
		w.visit(rel.in, substituted(conditions, from))
	case *union:
		for i, leg := range rel.legs {
			from := make(map[*column]expr, len(rel.cols))
			for at, c := range rel.cols {
				switch position := rel.from[i][at]; {
				case position >= 0:
					from[c] = &columnExpr{col: leg.columns()[position]}
				case at == 0 && rel.tag != nil:
					from[c] = &constExpr{t: String, val: stringValue(rel.tag[i])}
				}
				// What the leg lacks here, the table may have in the workspace.
			}
			w.visit(leg, substituted(conditions, from))
		}
	case *sharedUse:
		from := make(map[*column]expr, len(rel.cols))
		for i, c := range rel.of.in.columns() {
			from[rel.cols[i]] = &columnExpr{col: c}
		}
		w.visit(rel.of.in, substituted(conditions, from))
	case *extraction:
		w.visit(rel.in, substituted(conditions, passedColumns(rel.cols, rel.fromIn)))
	case *mvExpand:
		w.visit(rel.in, substituted(conditions, passedColumns(rel.cols, rel.fromIn)))
	case *mvApply:
		outer := slices.Clone(rel.from)
		for i, inner := range rel.inner {
			if inner {
				outer[i] = nil
			}
		}
		w.visit(rel.in, substituted(conditions, passedColumns(rel.cols, outer)))
	default:
		// It may look at several rows: what stands above it says nothing of those
		// below.
		if e, ok := rel.(explains); ok {
			for _, in := range e.explain(w.x).inputs {
				w.visit(in, nil)
			}
		}
	}
}

// passedColumns says which columns of an operator are those of its input.
func passedColumns(cols, in []*column) map[*column]expr {
	from := make(map[*column]expr, len(cols))
	for i, c := range cols {
		if i < len(in) && in[i] != nil {
			from[c] = &columnExpr{col: in[i]}
		}
	}
	return from
}

func (w *beginningWalk) scan(s *scan, conditions []expr) {
	if s.table.name == "" {
		return // a datatable
	}
	w.scanned[s] = true
	at := placed{table: s.table.name}
	for _, e := range conditions {
		c, constant := e.(*constExpr)
		switch {
		case !dependsOnRowAlone(e), constant && c.val.isTrue():
		case constant:
			at.conditions = append(at.conditions, never)
		default:
			at.conditions = append(at.conditions, w.condition(e))
		}
	}
	w.found = append(w.found, at)
}

// condition writes one of several that are joined by and.
func (w *beginningWalk) condition(e expr) string {
	text := w.x.expr(e)
	if ap, ok := e.(*applyExpr); ok && ap.binds() == either {
		return "(" + text + ")"
	}
	return text
}

// conjuncts are the parts of a predicate that must all hold.
func conjuncts(e expr) []expr {
	if ap, ok := e.(*applyExpr); ok && ap.op == "and" && len(ap.args) == 2 {
		return slices.Concat(conjuncts(ap.args[0]), conjuncts(ap.args[1]))
	}
	return []expr{e}
}

// substituted writes conditions over the columns of an input. One that uses what
// the input does not have is left out.
func substituted(conditions []expr, from map[*column]expr) []expr {
	var list []expr
	for _, e := range conditions {
		size := 0
		if e, ok := substitute(e, from, &size); ok {
			list = append(list, e)
		}
	}
	return list
}

func substitute(e expr, from map[*column]expr, size *int) (expr, bool) {
	if *size++; *size > mostConditionExprs {
		return nil, false
	}
	switch e := e.(type) {
	case *constExpr:
		return e, true
	case *columnExpr:
		to, ok := from[e.col]
		if ok {
			*size += sizeOf(to, mostConditionExprs)
		}
		return to, ok && *size <= mostConditionExprs
	case *applyExpr:
		if e.readsTable {
			return nil, false
		}
		moved := *e
		moved.args = make([]expr, len(e.args))
		for i, a := range e.args {
			var ok bool
			if moved.args[i], ok = substitute(a, from, size); !ok {
				return nil, false
			}
		}
		return fold(&moved), true
	}
	return nil, false
}

// sizeOf counts the expressions that an expression is made of, up to a limit.
func sizeOf(e expr, most int) int {
	n := 1
	for _, child := range e.children() {
		if n > most {
			break
		}
		n += sizeOf(child, most-n)
	}
	return n
}
