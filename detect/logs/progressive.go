package logs

// Azure Data Explorer gives a progressive answer in parts: a TableHeader with the
// columns, then TableFragments with rows. A fragment adds to the rows before it, or
// comes in their place.
//
// See https://learn.microsoft.com/kusto/api/rest/response-http-v2.

// fragment is what a part of a table says of itself.
type fragment struct {
	is       bool
	id       string // of the table
	replaces bool   // the rows before it
}

// frames are the tables of a progressive answer whose rows are still to come.
type frames struct {
	byID map[string]*answered
	last *answered
}

// table finds the table of a fragment: that of its id, or the last one if it does not
// say it before its rows.
func (fs *frames) table(part fragment) *answered {
	if part.id == "" {
		return fs.last
	}
	return fs.byID[part.id]
}

// maxFrames bounds the tables of an answer. Kusto has a handful of them.
const maxFrames = 1000

// note keeps a table that had columns, for the fragments to come.
func (f *file) note(id string, a *answered) {
	if a.columns == nil {
		return
	}
	if f.frames.byID == nil || len(f.frames.byID) >= maxFrames {
		f.frames.byID = make(map[string]*answered)
	}
	f.frames.byID[id], f.frames.last = a, a
}

// fragment reads the rows of a part of a table. What came before one that replaces it
// is in the tables already.
func (f *file) fragment(part fragment, a *answered) error {
	if part.replaces && a.rows > 0 && !a.aside {
		f.bad(nil, f.w.line, f.w.column(), "a part of a progressive answer that replaces the rows before it; ask with results_progressive_enabled=false")
		f.badPiece(f.w.nextValue())
		return nil
	}
	return f.array(func() error { return f.answerRow(a) })
}
