package kql

import (
	"maps"
	"slices"
)

// Tables is Catalog.NamedTables without functions.
func Tables(query string) (tables []string, err error) { return Catalog{}.NamedTables(query) }

// NamedTables lists the tables that the text of a query names, and those that the
// catalog's functions read which it calls, sorted. Those that it
// reads by another function of the workspace are not among them, nor are those that a
// pattern stands for. The query need not be one that this engine can run, since
// nobody knows the columns of every table, but one that it can parse. What tables
// the catalog has does not matter.
func (c Catalog) NamedTables(query string) (tables []string, err error) {
	// With the columns of all its tables known, nothing has to be guessed.
	known := Catalog{Tables: KnownTables(), Functions: c.Functions}
	if s, err := known.Check(query); err == nil && !s.Open {
		tables = slices.Collect(maps.Keys(s.Reads))
		// A fuzzy union names tables of which we know nothing. What it says of a
		// pattern is no table.
		for _, name := range s.Missing {
			if plainName.MatchString(name) && !slices.Contains(tables, name) {
				tables = append(tables, name)
			}
		}
		slices.Sort(tables)
		return tables, nil
	}
	tables, err = c.Functions.mentioned(query, map[*Function]bool{})
	slices.Sort(tables)
	return slices.Compact(tables), err
}

// mentionsOf lists what the text of a query names as tables. Of the saved functions it
// needs to know which of their arguments are some.
func mentionsOf(query string, functions *Functions) (tables []string, err error) {
	defer caught(query, &err)
	p := newParser(query)
	p.mentions.saved = functions
	p.query()
	tables = p.mentions.tables
	if p.mentions.computed {
		for _, t := range p.tokens {
			if t.kind == tokString && knownTables()[t.text] != nil {
				tables = append(tables, t.text)
			}
		}
	}
	return tables, nil
}

// mentions are the tables that the parser comes across. They are the names that
// stand where a table does, but for those that the query defines.
type mentions struct {
	tables []string
	// defined are the names in reach of let statements, parameters and as.
	defined []definedName
	saved   *Functions // or nil
	// computed says that a table() is given more than a literal. Which table it
	// is one of the query's strings may say.
	computed bool
}

type definedName struct {
	text string
	fn   *lambda // or nil
}

func (m *mentions) define(n name, value node) {
	fn, _ := value.(*lambda)
	m.defined = append(m.defined, definedName{n.text, fn})
}

// scope and leave are around what a function defines for itself.
func (m *mentions) scope() int      { return len(m.defined) }
func (m *mentions) leave(outer int) { m.defined = m.defined[:outer] }

// find returns the innermost definition of a name, or nil.
func (m *mentions) find(text string) *definedName {
	for i := range slices.Backward(m.defined) {
		if m.defined[i].text == text {
			return &m.defined[i]
		}
	}
	return nil
}

// table notes what stands where a table does.
func (m *mentions) table(n node) {
	if n, ok := n.(*name); ok && m.find(n.text) == nil {
		m.tables = append(m.tables, n.text)
	}
}

// call notes the tables that a function is given.
func (m *mentions) call(c *call) {
	d := m.find(c.fn.text)
	switch {
	case len(c.args) == 0:
	case d != nil && d.fn != nil:
		m.arguments(c, d.fn.params)
	case d == nil && m.saved != nil && m.saved.byName[c.fn.text] != nil:
		m.arguments(c, parseSaved(c.fn.text, m.saved.byName[c.fn.text]).fn.params)
	case c.fn.text == "materialize" || c.fn.text == "toscalar":
		m.table(c.args[0])
	case c.fn.text == "table":
		if l, ok := c.args[0].(*literal); ok && l.typ == String {
			m.tables = append(m.tables, l.val.String())
		} else {
			m.computed = true
		}
	}
}

// arguments notes the tables among the arguments of a call, by the parameters of the
// function.
func (m *mentions) arguments(c *call, params []parameter) {
	for i, arg := range c.args {
		at := i
		if named := c.names[i]; named != nil {
			at = slices.IndexFunc(params, func(p parameter) bool { return p.text == named.text })
		}
		if at >= 0 && at < len(params) && params[at].table {
			m.table(arg)
		}
	}
}
