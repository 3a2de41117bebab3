// Package kql is a local engine for the Kusto Query Language as security rules
// use it. It has a lexer, a parser, a binder that knows the tables' columns,
// and an evaluator over typed columns. What it does not support it refuses by
// name and position; nothing is ignored, and nothing is approximated but what the
// service does not publish, which the functions of series name.
//
// Tables and databases do not change once they are built, nor does a query's plan
// once it is bound: any number of queries may run at once over the same tables, and
// each works on several goroutines itself. What bounds a query's memory bounds it
// alone, so whoever runs several at once shares the memory out between them; package
// service runs one at a time. A TableBuilder is for one goroutine.
//
// The reference is Microsoft's documentation of KQL. Every operator has a file
// operator_*.go with its syntax, binding and execution; every scalar function
// an entry in a func_*.go table with its signature, a line of description and
// examples, which are tests too; every aggregate one in aggregate*.go. The
// README's list of them is generated.
package kql

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Database is the set of tables that queries can name.
type Database struct {
	// Watchlists gives the watchlist with an alias, for _GetWatchlist(). Its
	// error for one that is not there should say which ones are. It may be nil.
	Watchlists func(alias string) (*Table, error)
	// Functions are the saved functions that queries can call, or nil.
	Functions *Functions
	// External opens the file that stands for an address, for externaldata. Its error
	// for one that is not there is a *MissingExternal. It may be nil.
	External func(uri string) (ExternalFile, error)
	// Location says where an address is, for geo_info_from_ip_address(), and whether
	// that is known. It may be nil.
	Location func(netip.Addr) (Location, bool)

	tables map[string]*Table
	// schemas are those of tables that are made when somebody asks for them. Only a
	// database that no query runs in has any.
	schemas map[string]Schema
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
func (db *Database) Table(name string) *Table {
	t := db.tables[name]
	if s, ok := db.schemas[name]; ok && t == nil {
		t = newEmptyTable(name, s)
		db.tables[name] = t
	}
	return t
}

// Names lists the tables' names, sorted.
func (db *Database) Names() []string {
	names := make([]string, 0, len(db.tables)+len(db.schemas))
	for n := range db.tables {
		names = append(names, n)
	}
	for n := range db.schemas {
		names = append(names, n)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Scope bounds what a query sees of the tables. A zero time is no bound.
type Scope struct {
	// From and To bound TimeGenerated in every table that has it. The first is
	// included and the second not, as in the timespan of the query API.
	From, To time.Time
	// ReceivedBy leaves out what the workspace received later. Those are the
	// records whose _TimeReceived, or without one whose TimeGenerated, is after
	// it.
	ReceivedBy time.Time
}

// Options say how to run a query.
type Options struct {
	Now    time.Time // what now() gives; a set query_now statement overrides it
	Scope  Scope
	Limits Limits
	// Workers is how many goroutines may work on a table at once. 0 is as many
	// as there are processors. The answer does not depend on it.
	Workers int
}

// Catalog is what queries can be checked against without any logs.
type Catalog struct {
	Tables map[string]Schema
	// Watchlists is as in Database. Without it, what a query makes of a
	// watchlist is known only when it runs.
	Watchlists func(alias string) (*Table, error)
	// Functions are as in Database.
	Functions *Functions
}

func (c Catalog) database() *Database {
	return &Database{Watchlists: c.Watchlists, Functions: c.Functions, tables: make(map[string]*Table), schemas: c.Tables}
}

// Check is Catalog.Check against tables alone.
func Check(query string, tables map[string]Schema) (*Summary, error) {
	return Catalog{Tables: tables}.Check(query)
}

// Check parses and binds a query, without running it, and says what it reads.
// The error is an *Error, or a *LimitError where a constant grows past what a
// value may hold.
func (c Catalog) Check(query string) (*Summary, error) {
	db := c.database()
	plan, err := compileDry(query, db, time.Unix(0, 0))
	var unknown *unknownColumns
	if errors.As(err, &unknown) {
		return unknown.summary(query, db), nil
	}
	if err != nil {
		return nil, err
	}
	prepareAll(plan.root)
	return plan.summary(), nil
}

// summary says what is known of a query whose columns depend on the data. It
// may read all of each table that it names.
func (e *unknownColumns) summary(query string, db *Database) *Summary {
	s := &Summary{Open: true, Reads: make(map[string][]string)}
	place := (&problem{at: e.at}).locate(query)
	s.Warnings = []string{fmt.Sprintf("line %d, column %d: %s, so what follows is checked when the query runs", place.Line, place.Column, e)}
	for _, t := range lex(query) {
		for _, table := range db.Names() {
			named := (t.kind == tokName || t.kind == tokQuoted || t.kind == tokString) && t.text == table
			every := t.is("*") || t.word("search") || t.word("find") // of a query that begins so
			if !named && !every || s.Reads[table] != nil {
				continue
			}
			columns := []string{}
			for _, c := range db.Table(table).schema {
				columns = append(columns, c.Name)
			}
			slices.Sort(columns)
			s.Reads[table] = columns
		}
	}
	return s
}

// Summary is what is known of a query before it runs.
type Summary struct {
	Columns Schema // of the result
	// Open says that the columns depend on the data. The query could not be
	// checked to its end without it. Columns is nil then, and Reads holds every
	// table that the query may read, with all its columns.
	Open bool
	// Warnings are what the reader of the answer should know.
	Warnings []string
	// Reads lists the tables it reads and, of each, the columns it needs.
	Reads map[string][]string
	// Optional lists the columns that it asks column_ifexists() for.
	Optional []string
	// Missing lists the tables that a fuzzy union goes without, and the functions,
	// with () behind their names.
	Missing []string
}

// Run runs a query and returns its result, a table named PrimaryResult. An
// error in the query is an *Error, one of the limits a *LimitError.
//
// It returns when ctx ends. A function that is busy with a single value then is
// left to come to its end, and what it gives is thrown away.
func Run(ctx context.Context, query string, db *Database, opts Options) (*Table, error) {
	x, done := newExecution(ctx, opts)
	type outcome struct {
		result *Table
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		defer done()
		result, err := run(x, query, db, opts)
		ended <- outcome{result, err}
	}()
	select {
	case o := <-ended:
		return o.result, o.err
	case <-x.ctx.Done():
	}
	// Most of what runs looks at the context, and may have more to say.
	select {
	case o := <-ended:
		return o.result, o.err
	case <-time.After(graceTime):
		return nil, x.stopped()
	}
}

// graceTime is how long a query that must end may take for it.
const graceTime = 200 * time.Millisecond

func run(x *execution, query string, db *Database, opts Options) (result *Table, err error) {
	defer caught(query, &err)
	plan, err := compile(query, db, opts.Now, x)
	if err != nil {
		return nil, err
	}
	prepareAll(plan.root)
	return plan.run(x, query)
}

// run runs a plan that has been prepared. It does not change the plan, which can
// run any number of times, and several at once.
func (c *compiled) run(x *execution, query string) (result *Table, err error) {
	defer caught(query, &err)
	out, err := collect(c.root, x)
	if err != nil {
		var p *problem // of a place in the query that only the data shows
		if errors.As(err, &p) {
			return nil, p.locate(query)
		}
		return nil, err
	}
	if result, err = resultTable("PrimaryResult", c.root.columns(), out); err != nil {
		return nil, err
	}
	result.warnings, result.rendering, result.others = c.warnings, c.rendering, x.others
	return result, nil
}

// resultTable makes a table of rows that were collected.
func resultTable(name string, cols []*column, out *rows) (*Table, error) {
	schema := make(Schema, len(cols))
	for i, col := range cols {
		schema[i] = ColumnSchema{col.name, col.typ}
		if !out.cols[i].isFlat() {
			if err := out.held.add(vectorBytes(col.typ, out.n)); err != nil {
				return nil, err
			}
		}
		out.cols[i] = out.cols[i].flat()
	}
	if err := out.settle(); err != nil {
		return nil, err
	}
	return newTable(name, schema, out.cols, out.n), nil
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
	root              relation
	scans             []*scan
	missing, optional []string
	warnings          []string
	rendering         *Rendering
}

// compile parses and binds a query that is to run.
func compile(query string, db *Database, now time.Time, x *execution) (*compiled, error) {
	return (&binder{db: db, x: x}).compile(query, now)
}

// compileDry parses and binds a query that does not run. There is no data, so
// what depends on it is not known.
func compileDry(query string, db *Database, now time.Time) (*compiled, error) {
	return (&binder{db: db, x: &execution{}, dry: true}).compile(query, now)
}

func (b *binder) compile(query string, now time.Time) (c *compiled, err error) {
	defer caught(query, &err)
	statements, body := parsed(query)
	body, render := withoutRender(body)
	b.query, b.last = query, lastOperator(body)
	b.now, b.scope = datetimeValue(timeToTicks(now)), &scope{body: true}
	b.statements(statements)
	root := b.relation(body)
	return &compiled{
		root: root, scans: b.scans, missing: b.missing, optional: b.optional,
		warnings: b.warnings, rendering: render.check(b, root.columns()),
	}, nil
}

// summary reads what the scans of a prepared plan need.
func (c *compiled) summary() *Summary {
	s := &Summary{Reads: make(map[string][]string), Missing: c.missing, Optional: c.optional, Warnings: c.warnings}
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
