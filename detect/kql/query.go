// Package kql is a local engine for the Kusto Query Language as security rules
// use it: a lexer, a parser, a binder that knows the tables' columns, an
// evaluator over typed columns, and the Log Analytics query API in front of
// them. What it does not support it refuses by name and position; nothing is
// ignored and nothing is approximated.
//
// The reference is Microsoft's documentation of KQL. Every operator has a file
// operator_*.go with its syntax, binding and execution; every scalar function
// an entry in a func_*.go table with its signature, a line of description and
// examples, which are tests too; every aggregate one in aggregate*.go. The
// README's list of them is generated.
package kql

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Database is the set of tables that queries can name.
type Database struct {
	tables map[string]*Table
}

// NewDatabase makes a database of the tables. Of two with the same name the
// last counts.
func NewDatabase(tables ...*Table) *Database {
	db := &Database{tables: make(map[string]*Table, len(tables))}
	for _, t := range tables {
		db.tables[t.name] = t
	}
	return db
}

// Table returns a table by its name, nil if there is none.
func (db *Database) Table(name string) *Table { return db.tables[name] }

// Names lists the tables' names, sorted.
func (db *Database) Names() []string {
	names := make([]string, 0, len(db.tables))
	for n := range db.tables {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// Scope bounds what a query sees of the tables. A zero time is no bound.
type Scope struct {
	// From and To bound TimeGenerated in every table that has it, the first
	// included and the second not: the timespan of the query API.
	From, To time.Time
	// ReceivedBy leaves out what the workspace received later: the records
	// whose _TimeReceived, or without one whose TimeGenerated, is after it.
	ReceivedBy time.Time
}

// Limits bound what a query may use. A zero limit stands for the default.
type Limits struct {
	Rows int // that an operator may hold, and that a result may have
}

const defaultRows = 5_000_000

// Options say how to run a query.
type Options struct {
	Now    time.Time // what now() gives; a set query_now statement overrides it
	Scope  Scope
	Limits Limits
}

// LimitError says that a query went past one of its limits.
type LimitError struct{ Message string }

func (e *LimitError) Error() string { return e.Message }

// holds fails when an operator holds more rows than it may, or when the
// query's time is over.
func (x *execution) holds(rows int) error {
	if rows > x.limits.Rows {
		return &LimitError{fmt.Sprintf("the query holds more than %d rows at once: filter earlier, or summarize", x.limits.Rows)}
	}
	return x.ctx.Err()
}

// Check parses and binds a query, without running it, against the tables'
// schemas, and says what it reads. The error is an *Error, or a *LimitError
// where a constant grows past what a value may hold.
func Check(query string, tables map[string]Schema) (*Summary, error) {
	db := &Database{tables: make(map[string]*Table, len(tables))}
	for n, s := range tables {
		db.tables[n] = newEmptyTable(n, s)
	}
	plan, err := compile(query, db, time.Unix(0, 0), &execution{})
	if err != nil {
		return nil, err
	}
	prepareAll(plan.root)
	return plan.summary(), nil
}

// Summary is what is known of a query before it runs.
type Summary struct {
	Columns Schema // of the result
	// Reads lists the tables it reads and, of each, the columns it needs.
	Reads map[string][]string
	// Missing lists the tables that a fuzzy union goes without.
	Missing []string
}

// Run runs a query and returns its result, a table named PrimaryResult. An
// error in the query is an *Error, one of the limits a *LimitError.
func Run(ctx context.Context, query string, db *Database, opts Options) (result *Table, err error) {
	defer caught(query, &err)
	x := &execution{ctx: ctx, limits: opts.Limits, scope: opts.Scope}
	if x.limits.Rows <= 0 {
		x.limits.Rows = defaultRows
	}
	plan, err := compile(query, db, opts.Now, x)
	if err != nil {
		return nil, err
	}
	prepareAll(plan.root)
	out, err := collect(plan.root, x)
	if err != nil {
		return nil, err
	}
	schema := make(Schema, len(plan.root.columns()))
	for i, c := range plan.root.columns() {
		schema[i] = ColumnSchema{c.name, c.typ}
		out.cols[i] = out.cols[i].flat()
	}
	return newTable("PrimaryResult", schema, out.cols, out.n), nil
}

func newEmptyTable(name string, s Schema) *Table {
	cols := make([]*vector, len(s))
	for i, c := range s {
		cols[i] = &vector{typ: c.Type}
	}
	return newTable(name, s, cols, 0)
}

// compiled is a query that is ready to run.
type compiled struct {
	root    relation
	scans   []*scan
	missing []string
}

// compile parses and binds.
func compile(query string, db *Database, now time.Time, x *execution) (c *compiled, err error) {
	defer caught(query, &err)
	statements, body := parseQuery(query)
	b := &binder{db: db, x: x, now: datetimeValue(timeToTicks(now)), scope: &scope{body: true}}
	b.statements(statements)
	root := b.relation(body)
	return &compiled{root: root, scans: b.scans, missing: b.missing}, nil
}

// summary reads what the scans of a prepared plan need.
func (c *compiled) summary() *Summary {
	s := &Summary{Reads: make(map[string][]string), Missing: c.missing}
	for _, col := range c.root.columns() {
		s.Columns = append(s.Columns, ColumnSchema{col.name, col.typ})
	}
	for _, sc := range c.scans {
		cols := s.Reads[sc.table.name]
		for i, col := range sc.cols {
			if sc.need[i] && !slices.Contains(cols, col.name) {
				cols = append(cols, col.name)
			}
		}
		slices.Sort(cols)
		s.Reads[sc.table.name] = cols
	}
	slices.Sort(s.Missing)
	s.Missing = slices.Compact(s.Missing)
	return s
}
