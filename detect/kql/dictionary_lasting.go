package kql

import (
	"crypto/sha256"
	"io"
	"sync"
)

// What a function that a query defines gives for a text can be the same in every query:
// where it takes nothing but its parameters, and other such functions, from outside. Rules
// and what is looked up about their alerts have the same functions hour by hour, so of a
// table's dictionary such answers are kept.

// These bound what is kept of a dictionary: how many functions, and bytes of each.
const (
	maxLasting      = 8
	maxLastingBytes = 8 << 20
)

// lasting has what functions gave for the elements of a dictionary, by their texts.
type lasting struct {
	mu      sync.Mutex
	answers map[string]*answers
}

// keep returns where what a function gives is kept, or nil if it would take too much.
func (l *lasting) keep(function string, t Type, elements int) *answers {
	size := answersBytes(t, elements)
	if size > maxLastingBytes {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.answers[function]
	if a == nil || len(a.state) < elements {
		if l.answers == nil || len(l.answers) >= maxLasting {
			l.answers = map[string]*answers{}
		}
		a = newAnswers(t, elements)
		a.dict.lasting, a.most, a.size = new(lasting), maxLastingBytes, size
		l.answers[function] = a
	}
	return a
}

// noteLasting notes of the body of a function, while it is bound to a column, which
// function it is, if it is the same in every query.
func (b *binder) noteLasting(body expr, d *definition) {
	e, ok := body.(*applyExpr)
	if !ok || len(d.fn.params) != 1 || len(b.calls) > 0 || !isLasting(e) {
		return
	}
	if _, ok := b.scope.find(d.fn.params[0].text).scalar.(*columnExpr); ok {
		e.lasting = b.closed(d)
	}
}

// isLasting says whether an expression is made of one column and constants that are the
// same in every query.
func isLasting(e expr) bool {
	switch e := e.(type) {
	case *constExpr:
		return !e.ofNow
	case *columnExpr:
		return true
	case *applyExpr:
		if e.readsTable || e.sameInRun || e.ofNow || e.prepared != nil {
			return false
		}
		for _, a := range e.args {
			if !isLasting(a) {
				return false
			}
		}
		return true
	}
	return false
}

// ofDatabase are the functions that depend on more than their arguments: on what the
// query is run with, or on tables.
var ofDatabase = wordSet("geo_info_from_ip_address", "bin_auto", "toscalar")

// closed returns a hash of the text of a function, with those of the functions that it
// calls. It is empty if anything else from outside has the name of something in it.
func (b *binder) closed(d *definition) string {
	if !d.hashed {
		d.hashed, d.closed = true, b.closedText(b.query[d.fn.start:d.fn.end], d.scope)
	}
	return d.closed
}

func (b *binder) closedText(text string, outside *scope) string {
	hash := sha256.New()
	for _, t := range lex(text) {
		if t.kind != tokName && t.kind != tokQuoted {
			continue
		}
		if ofDatabase[t.text] || b.db.Functions != nil && b.db.Functions.byName[t.text] != nil {
			return ""
		}
		named := outside.find(t.text)
		if named == nil {
			continue
		}
		if named.fn == nil {
			return ""
		}
		of := b.closed(named)
		if of == "" {
			return ""
		}
		io.WriteString(hash, of)
	}
	io.WriteString(hash, text)
	return string(hash.Sum(nil))
}
