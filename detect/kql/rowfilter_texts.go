package kql

import (
	"slices"
	"strings"
)

// Many conditions can only hold for a row that has a certain text in a column. A
// reader can look for it where the row is still JSON, long before there are values
// to compare.

// Wanted is a text that must be in a column for a condition to hold.
type Wanted struct {
	Column string
	Text   string
	// Fold compares without case. The text is in lower case then and ASCII, but a
	// letter beyond it may be equal to one of its: U+212A is a k.
	Fold bool
	// InJSON says that the condition looks at what JSON in the column means: where
	// that has a backslash, the text may be written in another way.
	InJSON bool
	// Number says that the text is an integer that the column is compared with. A
	// column that is none, as it stands, may still be equal to it: 0500121, say.
	Number bool
}

// Texts says what a row must have to be kept: of one of the alternatives, of each
// of its lists, one of the texts. Without alternatives nothing can be said.
func (f *RowFilter) Texts() [][][]Wanted {
	var all [][][]Wanted
	for _, a := range f.alternatives {
		var lists [][]Wanted
		for _, e := range a.conditions {
			lists = append(lists, wantedOf(e)...)
		}
		if len(lists) == 0 {
			return nil
		}
		all = append(all, lists)
	}
	return all
}

// mostWanted bounds the texts of a list: each is looked for in each row.
const mostWanted = 16

// wantedOf gives the lists of texts of each of which a condition needs one.
func wantedOf(e expr) (lists [][]Wanted) {
	ap, ok := e.(*applyExpr)
	if !ok || ap.ofNow || ap.readsTable {
		return nil
	}
	switch {
	case ap.op == "and" && len(ap.args) == 2:
		return append(wantedOf(ap.args[0]), wantedOf(ap.args[1])...)
	case ap.op == "or" && len(ap.args) == 2:
		left, right := shortestList(wantedOf(ap.args[0])), shortestList(wantedOf(ap.args[1]))
		if left == nil || right == nil || len(left)+len(right) > mostWanted {
			return nil
		}
		return [][]Wanted{slices.Concat(left, right)}
	case ap.items != nil:
		return ap.items.wanted(textSourceOf(ap.args[0]))
	case len(ap.args) != 2:
		return nil
	}
	left, right := ap.args[0], ap.args[1]
	if _, turned := left.(*constExpr); turned && (ap.op == "==" || ap.op == "=~") {
		left, right = right, left
	}
	c, ok := right.(*constExpr)
	if !ok {
		return nil
	}
	if c.t == Long && ap.op == "==" {
		if in, ok := left.(*applyExpr); ok && in.op == "" && in.t == Dynamic && !in.part && len(in.args) == 1 {
			if col, ok := in.args[0].(*columnExpr); ok && col.col.typ == String && c.val.kind == Long && c.val.n > 0 {
				return [][]Wanted{{{Column: col.col.name, Text: c.val.String(), Number: true}}}
			}
		}
		return nil
	}
	test, search := stringTests[ap.op]
	if c.t != String || ap.op != "==" && !search {
		return nil
	}
	if w, ok := textSourceOf(left).wants(c.val.s, search && !test.caseSensitive); ok {
		return [][]Wanted{{w}}
	}
	return nil
}

func shortestList(lists [][]Wanted) []Wanted {
	var shortest []Wanted
	for _, list := range lists {
		if shortest == nil || len(list) < len(shortest) {
			shortest = list
		}
	}
	return shortest
}

// wanted gives the texts of which one must be there, or for has_all each.
func (s *itemSet) wanted(of textSource) (lists [][]Wanted) {
	var texts []string
	switch s.op {
	case "has_any", "has_all":
		texts = s.terms
	default:
		for key := range s.keys {
			if s.op == "in" {
				const head = 1 + 8 // see groupKey
				if key[0] != 's' {
					return nil
				}
				key = key[head:]
			}
			texts = append(texts, key)
		}
		slices.Sort(texts)
	}
	var list []Wanted
	for _, text := range texts {
		w, ok := of.wants(text, s.op != "in")
		switch {
		case s.op != "has_all" && !ok:
			return nil
		case s.op != "has_all":
			list = append(list, w)
		case ok:
			lists = append(lists, []Wanted{w})
		}
	}
	if len(list) > mostWanted || s.op != "has_all" && len(list) == 0 {
		return nil
	}
	if list != nil {
		lists = append(lists, list)
	}
	return lists
}

// textSource is where the text that an operator looks at comes from.
type textSource struct {
	col        *column // nil if it is not known
	json, fold bool
}

func textSourceOf(e expr) textSource {
	switch e := e.(type) {
	case *columnExpr:
		if e.col.typ == String || e.col.typ == Dynamic {
			return textSource{col: e.col, json: e.col.typ == Dynamic}
		}
	case *applyExpr:
		if len(e.args) == 0 || e.ofNow || e.readsTable || e.prepared != nil {
			return textSource{}
		}
		s := textSourceOf(e.args[0])
		from := e.args[0].typ()
		switch {
		case e.part && e.t == Dynamic && from == Dynamic && (len(e.args) == 1 || isConstant(e.args[1])):
			s.json = true
			return s
		case len(e.args) != 1:
		case e.t == String && (e.op == "" && e.show == nil || e.op == "tostring") && (from == Dynamic || from == String):
			return s
		case e.t == Dynamic && from == String && (e.op == "parse_json" || e.op == "todynamic"):
			s.json = true
			return s
		case e.t == String && (e.op == "tolower" || e.op == "toupper") && from == String:
			s.fold = true
			return s
		}
	}
	return textSource{}
}

func isConstant(e expr) bool {
	_, ok := e.(*constExpr)
	return ok
}

// wants says what must be in the column for a text to be in what comes from it.
func (s textSource) wants(text string, fold bool) (w Wanted, ok bool) {
	w = Wanted{Text: text, Fold: fold || s.fold, InJSON: s.json}
	if s.col == nil || text == "" {
		return w, false
	}
	w.Column = s.col.name
	ascii, letter := true, false
	for _, c := range []byte(text) {
		ascii = ascii && c < 0x80
		letter = letter || c|0x20 >= 'a' && c|0x20 <= 'z' && c|0x20 != 'e'
		if s.json && (c < ' ' || strings.IndexByte(`"\:,{}[]/`, c) >= 0) {
			return w, false // it may be more than one value, or be written in another way
		}
	}
	switch {
	case (w.Fold || s.json) && !ascii:
		return w, false
	case s.json && (!letter || strings.Contains("infinity nan", strings.ToLower(text))):
		return w, false // a number has many spellings
	}
	if w.Fold {
		w.Text = strings.ToLower(text)
	}
	return w, true
}

// searched says what a reader looks for, or "".
func (f *RowFilter) searched() string {
	var all []string
	for _, lists := range f.Texts() {
		var each []string
		for _, list := range lists {
			var one []string
			for _, w := range list {
				text := w.Column + " for " + quoted(w.Text)
				if w.Fold {
					text += " in any case"
				}
				one = append(one, text)
			}
			each = append(each, strings.Join(one, " or "))
			if len(one) > 1 && len(lists) > 1 {
				each[len(each)-1] = "(" + each[len(each)-1] + ")"
			}
		}
		text := strings.Join(each, " and ")
		if len(each) > 1 && len(f.alternatives) > 1 {
			text = "(" + text + ")"
		}
		all = append(all, text)
	}
	return strings.Join(slices.Compact(all), " or ")
}
