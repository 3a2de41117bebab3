package kql

import (
	"fmt"
	"slices"
)

// ingestion_time() is a column that no query sees. It stays with the rows of a
// table until an operator such as project or summarize makes new ones. Here it
// is known by the columns that it would be read from.

// markReceived notes which column of a workspace's table says when a row was
// received. The next best is when it was generated.
func (b *binder) markReceived(s *scan) {
	if b.received == nil {
		b.received = make(map[*column]receipt)
	}
	t := s.table
	switch {
	case t.received >= 0:
		b.received[s.cols[t.received]] = receipt{table: t.name, exact: true}
	case t.generated >= 0:
		b.received[s.cols[t.generated]] = receipt{table: t.name}
	}
}

// receipt is what a column says about the time when its row was received.
type receipt struct {
	table string
	exact bool // it is that time, and not when the row was generated
}

// inheritReceived notes that a column is another one, passed on by an operator
// that keeps the rows.
func (b *binder) inheritReceived(c, from *column) {
	if r, ok := b.received[from]; ok && c.name == from.name {
		b.received[c] = r
	}
}

// bindIngestionTime gives when the workspace received the row. It is a column
// if the table says so, else TimeGenerated, with a warning.
func bindIngestionTime(b *binder, n *call, in []*column) expr {
	b.specialArguments(n, in)
	for _, c := range in {
		r, ok := b.received[c]
		if !ok {
			continue
		}
		if !r.exact {
			b.warn("ingestion_time() is taken to be TimeGenerated in %s, whose records do not say when they were received", r.table)
		}
		return &columnExpr{col: c}
	}
	panic(semanticError(n.span, "SEM0001", "ingestion_time() is known only of the rows of a table that has TimeGenerated: use it before project, summarize or join"))
}

// warn notes something that the reader of the answer should know.
func (b *binder) warn(format string, args ...any) {
	if w := fmt.Sprintf(format, args...); !slices.Contains(b.warnings, w) {
		b.warnings = append(b.warnings, w)
	}
}

// place says where in the query something is, for a warning. It says nothing in
// a saved function, whose text is another.
func (b *binder) place(at span) string {
	if len(b.calls) > 0 || at.end > len(b.query) {
		return ""
	}
	e := (&problem{at: at}).locate(b.query)
	return fmt.Sprintf("line %d, column %d: ", e.Line, e.Column)
}
