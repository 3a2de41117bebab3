package logs

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"pushback/detect/kql"
)

// DateOrderError says that the dates of a column cannot be read, because
// nothing tells the day from the month, or because they do not keep to one
// order. Nothing of the file can be used then: a date would be another one.
type DateOrderError struct{ Problem Problem }

func (e *DateOrderError) Error() string { return "logs: " + e.Problem.String() }

// dateOrders are what the dates of a file say about the order that they are
// written in, by table and column. Each column has an order of its own: where
// one proves nothing, another may have come from elsewhere.
type dateOrders struct {
	columns  map[string]*dateColumn
	complete bool // the whole file was looked through
}

// dateColumn holds the first proofs in a column.
type dateColumn struct{ day, month, either *datePlace }

type datePlace struct {
	line int
	text string
}

// column returns what is known of a column, or nil if there are too many.
func (o *dateOrders) column(table string, member []byte) *dateColumn {
	key := strings.ToLower(table) + "\x00" + string(member)
	c := o.columns[key]
	if c == nil && len(o.columns) < maxRemembered {
		if o.columns == nil {
			o.columns = make(map[string]*dateColumn)
		}
		c = new(dateColumn)
		o.columns[key] = c
	}
	return c
}

// note keeps the first date of each kind.
func (c *dateColumn) note(p proof, line int, text string) {
	if c == nil {
		return
	}
	at := &c.either
	switch p {
	case provesNothing:
		return
	case provesDay:
		at = &c.day
	case provesMonth:
		at = &c.month
	}
	if *at == nil {
		*at = &datePlace{line, strings.Clone(text)}
	}
}

// time reads a time of a column in any form: ISO 8601 and its like, or a
// regional format. It reports false if the text is no time. An error is one of
// the whole column.
func (f *file) time(t *table, member, text []byte, line int) (at time.Time, ok bool, err error) {
	if len(text) > maxScalar {
		return at, false, nil
	}
	if isISO(text) {
		if at, ok = kql.ParseTime(string(text)); ok {
			return at, true, nil
		}
	}
	s := string(text)
	if at, ok = dotNetDate(s); ok {
		return at, true, nil
	}
	w, ok := scanTime(s)
	if !ok {
		at, ok = otherTime(s)
		return at, ok, nil
	}
	var order DateOrder
	if p := w.proof(); p != provesNothing {
		if order, err = f.order(t, member, p, s, line); err != nil {
			return at, false, err
		}
	}
	at, ok = w.at(order)
	return at, ok, nil
}

// order decides how a date is to be read.
func (f *file) order(t *table, member []byte, p proof, text string, line int) (DateOrder, error) {
	c := f.dates.column(t.name, member)
	if c == nil {
		c = new(dateColumn)
	}
	fixed := f.opts.DateOrder
	if !f.dates.complete {
		c.note(p, line, text)
		if p == needsOrder && fixed == 0 && c.day == nil && c.month == nil {
			if err := f.lookThrough(); err != nil {
				return 0, err
			}
			if c = f.dates.column(t.name, member); c == nil {
				c = new(dateColumn)
			}
		}
	}
	name := string(member)
	fail := func(at *datePlace, format string, args ...any) (DateOrder, error) {
		reason := fmt.Sprintf("%s: %s %s", name, excerpt([]byte(at.text)), fmt.Sprintf(format, args...))
		return 0, &DateOrderError{Problem{File: f.path, Line: at.line, Reason: reason}}
	}
	switch {
	case c.day != nil && c.month != nil:
		first, second, order := c.day, c.month, MonthFirst
		if first.line > second.line {
			first, second, order = second, first, DayFirst
		}
		return fail(second, "is %s, but %s in line %d is not; put the records of one order into a file of their own",
			order.words(), excerpt([]byte(first.text)), first.line)
	case fixed == MonthFirst && c.day != nil:
		return fail(c.day, "is day-first, and --date-order is mdy; leave the option out, or read this file by itself")
	case fixed == DayFirst && c.month != nil:
		return fail(c.month, "is month-first, and --date-order is dmy; leave the option out, or read this file by itself")
	case c.day != nil:
		return DayFirst, nil
	case c.month != nil:
		return MonthFirst, nil
	case fixed != 0:
		return fixed, nil
	case f.ofServer:
		return MonthFirst, nil
	}
	if c.either == nil {
		c.either = &datePlace{line, text}
	}
	return fail(c.either, "may be day-first or month-first, and no other date of the column in this file tells which; "+
		"say it with --date-order dmy (day first) or mdy (month first), or set the portal's regional format to one that "+
		"writes the year first, such as Swedish (Sweden), and download the file again")
}

// lookThrough reads the file once more, from its start to its end, for what its
// dates prove: the proof may stand in the last record. It takes place only if
// a date needs it.
func (f *file) lookThrough() error {
	f.dates.complete = true
	if f.again == nil && f.stored == nil {
		return nil // a stream; what was read of it so far has to do
	}
	r := NewReader(Options{
		Tables: f.opts.Tables, Columns: func(string) []string { return []string{} },
		MaxLine: f.opts.MaxLine, MaxRows: math.MaxInt,
	})
	r.names = maps.Clone(f.names)
	g := &file{
		Reader: r, source: f.source, pathTable: f.pathTable, ownName: f.ownName,
		byCategory: make(map[string]*table), looking: true, ctx: f.ctx,
	}
	if f.stored != nil {
		if err := g.readParquet(f.stored, nil); err != nil && !isBroken(err) {
			return err
		}
		f.dates = g.dates
		f.dates.complete = true
		return nil
	}
	stored := &raw{ctx: f.ctx, src: f.again()}
	text, _, err := contents(stored)
	if err == nil {
		g.w = newWindow(text, r.opts.MaxLine)
		err = g.read()
	}
	if stored.err != nil {
		return fmt.Errorf("logs: read %s: %w", shownPath(f.path), stored.err)
	}
	if err != nil {
		return err
	}
	f.dates = g.dates
	f.dates.complete = true
	return nil
}

// look takes note of the dates of a record.
func (f *file) look(t *table, members []member, line int) {
	for i := range members {
		m := &members[i]
		if m.value.kind != '"' && m.value.kind != plainText || !isDate(m.value.raw) {
			continue
		}
		text := string(f.parser.text(m.value))
		if w, ok := scanTime(text); ok {
			if p := w.proof(); p != provesNothing {
				f.dates.column(t.name, m.name).note(p, line, text)
			}
		}
	}
}

// isDate says at a glance whether a text can be a date that has an order.
func isDate(text []byte) bool {
	if len(text) > maxScalar || len(text) < len("1/2/2006") {
		return false
	}
	for _, c := range text[1:4] {
		if c == '/' || c == '-' || c == '\\' { // JSON may write \/
			return true
		}
	}
	// What stands before a date is white space or a mark of its direction.
	return slices.ContainsFunc(text[:2], func(c byte) bool { return c == ' ' || c == '\t' || c >= 0x80 })
}

// inferOrders decides on the dates of columns whose type nothing declares.
// Where it cannot, the column stays text, in which no date is wrong.
func (f *file) inferOrders() {
	byName := func(a, b *column) int { return strings.Compare(a.name, b.name) }
	for _, c := range slices.SortedFunc(maps.Keys(f.inferred), byName) {
		in, d := c.infer, f.inferred[c]
		order := f.opts.DateOrder
		switch {
		case d.day != nil && d.month != nil,
			d.day != nil && order == MonthFirst, d.month != nil && order == DayFirst:
			in.can &^= canTime
			continue
		case d.day != nil:
			order = DayFirst
		case d.month != nil:
			order = MonthFirst
		case d.either == nil:
			in.regional = true
			continue
		case order == 0:
			if in.can&canTime != 0 {
				f.warn(d.either.line, fmt.Sprintf("%s: %s may be day-first or month-first, so the column is read as text; "+
					"say it with --date-order dmy or mdy", c.name, excerpt([]byte(d.either.text))))
			}
			in.can &^= canTime
			continue
		}
		if in.order != 0 && in.order != order {
			in.can &^= canTime // two files, two orders
		}
		in.order, in.regional = order, true
	}
}

// guessTime says whether a text of an inferred column is a date and a time in
// a regional format.
func (w *writer) guessTime(c *column, text []byte) bool {
	f := w.file
	if f.zoned || len(text) > maxScalar {
		return false // the file says which columns are times
	}
	s := string(text)
	t, ok := scanTime(s)
	if !ok || !t.hasClock {
		return false
	}
	day, dayOK := t.at(DayFirst)
	month, monthOK := t.at(MonthFirst)
	if !dayOK && !monthOK || !plausibleTime(day) && !plausibleTime(month) {
		return false
	}
	d := f.inferred[c]
	if d == nil {
		if f.inferred == nil {
			f.inferred = make(map[*column]*dateColumn)
		}
		d = new(dateColumn)
		f.inferred[c] = d
	}
	d.note(t.proof(), w.line, s)
	return true
}

// inferredTime reads a time of a column that was found to hold times.
func inferredTime(text string, order DateOrder) (time.Time, bool) {
	if t, ok := scanTime(text); ok {
		return t.at(order)
	}
	return otherTime(text)
}

// fromStart gives a source once more, or nil if it can be read only once.
func fromStart(src io.Reader) func() io.Reader {
	at, ok := src.(io.ReaderAt)
	if !ok {
		return nil
	}
	var from int64
	if s, ok := src.(io.Seeker); ok {
		var err error
		if from, err = s.Seek(0, io.SeekCurrent); err != nil {
			return nil
		}
	}
	return func() io.Reader { return io.NewSectionReader(at, from, math.MaxInt64-from) }
}
