package logs

import (
	"bytes"
	"math"
	"strconv"

	"pushback/detect/kql"
)

// inference finds the type of a column that nothing declares. A column starts
// out as string and becomes what its first value is; it falls back to string
// when a value is of another type, except that integers among reals are reals.
type inference struct {
	typed bool  // a value was seen that has a type: JSON, not a string
	str   bool  // a string was seen that is nothing else
	times bool  // strings were seen that are times
	text  bool  // text was seen that can stand for any type
	can   guess // what all of that text can be

	regional bool      // some of it is a time in a regional format
	order    DateOrder // of its dates, where they need one
}

// guess is a set of types that a text can be.
type guess uint8

const (
	canBool guess = 1 << iota
	canLong
	canReal
	canTime
	canDynamic
	canAll = canBool | canLong | canReal | canTime | canDynamic
)

// decide gives the type of a column when all values are in.
func (in *inference) decide(current kql.Type) kql.Type {
	switch {
	case current != kql.String || in.str || in.typed:
		return current
	case in.times && in.text:
		if in.can&canTime != 0 {
			return kql.DateTime
		}
	case in.times:
		return kql.DateTime
	case !in.text:
	case in.can&canBool != 0:
		return kql.Bool
	case in.can&canLong != 0:
		return kql.Long
	case in.can&canReal != 0:
		return kql.Real
	case in.can&canTime != 0:
		return kql.DateTime
	case in.can&canDynamic != 0:
		return kql.Dynamic
	}
	return current
}

// setInferred stores a value in a column whose type is not given.
func (w *writer) setInferred(c *column, v value) {
	in, p := c.infer, &w.file.parser
	if v.kind == plainText || v.kind == '"' {
		text := p.text(v)
		if w.declared == kql.DateTime && v.kind == plainText {
			t, ok, err := w.file.time(w.table, w.member, text, w.line)
			if w.err = err; ok {
				text = []byte(t.UTC().Format("2006-01-02T15:04:05.0000000Z"))
			}
		}
		if c.typ != kql.String {
			w.retype(c, kql.String)
		}
		w.table.b.SetString(c.index, text)
		if v.kind == plainText || w.origin.untyped {
			if len(text) == 0 || w.origin.none && string(text) == "None" {
				return
			}
			if !in.text {
				in.text, in.can = true, canAll
			}
			switch {
			case in.can&canTime != 0 && v.kind == plainText && !isTime(text) && w.guessTime(c, text):
				in.can = canTime
			case in.can != 0:
				in.can &= guessOf(text)
			}
			return
		}
		if !in.str && isTime(text) {
			in.times = true
		} else {
			in.str = true
		}
		return
	}
	typ := kql.Real
	var n int64
	switch v.kind {
	case 't', 'f':
		typ = kql.Bool
	case '{', '[':
		typ = kql.Dynamic
	case '0':
		var err error
		if n, err = strconv.ParseInt(string(v.raw), 10, 64); err == nil {
			typ = kql.Long
		}
	}
	switch {
	case c.typ == typ:
	case !in.typed && !in.str && !in.times && !in.text:
		w.retype(c, typ)
	case c.typ == kql.Long && typ == kql.Real:
		w.retype(c, kql.Real)
	case c.typ == kql.Real && typ == kql.Long:
		typ = kql.Real
	case c.typ != kql.String:
		w.retype(c, kql.String)
	}
	in.typed = true
	b := w.table.b
	switch {
	case c.typ == kql.String:
		b.SetString(c.index, p.compact(v.raw))
	case typ == kql.Bool:
		b.SetBool(c.index, v.kind == 't')
	case typ == kql.Long:
		b.SetLong(c.index, n)
	case typ == kql.Real:
		f, err := strconv.ParseFloat(string(v.raw), 64)
		if err != nil && !math.IsInf(f, 0) {
			w.fail(c, v.raw)
			return
		}
		b.SetReal(c.index, f)
	default:
		b.SetJSON(c.index, p.compact(v.raw))
	}
}

func (w *writer) retype(c *column, typ kql.Type) {
	w.table.b.Retype(c.index, typ)
	c.typ = typ
}

// guessOf says what a text can be beside a string. What would not read back as
// the same text, such as a number with leading zeros, is nothing but a string.
func guessOf(text []byte) guess {
	switch c := text[0]; {
	case c == 't' || c == 'T' || c == 'f' || c == 'F':
		if bytes.EqualFold(text, []byte("true")) || bytes.EqualFold(text, []byte("false")) {
			return canBool
		}
	case c == '{' || c == '[':
		if isContainer(bytes.TrimSpace(text)) {
			return canDynamic
		}
	case c == '-' || c >= '0' && c <= '9':
		if isTime(text) {
			return canTime
		}
		if !isNumber(text) {
			return 0
		}
		if _, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			return canLong | canReal
		}
		if bytes.ContainsAny(text, ".eE") {
			return canReal
		}
	}
	return 0
}

// isNumber says whether the text is a number as JSON has it.
func isNumber(text []byte) bool {
	return (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && isJSONText(text)
}

// isTime says whether the text is a date and a time in ISO 8601. A date alone
// may as well be a version, so it is not enough.
func isTime(text []byte) bool {
	if len(text) < len("2006-01-02T15:04") || len(text) > maxScalar || text[4] != '-' || text[7] != '-' || text[10] != 'T' && text[10] != ' ' {
		return false
	}
	_, ok := kql.ParseTime(string(text))
	return ok
}
