package kql

import (
	"sync"
)

// A rule's query runs over one window after the other. What does not depend on the
// window is kept: a syntax tree does not change once it is built, and neither does a
// regular expression.

const (
	mostParsed      = 200
	mostParsedBytes = 32 << 10 // of one query
	mostRegexps     = 500
	mostRegexpBytes = 1 << 10 // of one expression
)

type parsedQuery struct {
	statements []statement
	body       node
}

// recent keeps values by a text. When there are too many it begins anew.
type recent[V any] struct {
	mu          sync.Mutex
	values      map[string]V
	most, bytes int
}

var (
	recentQueries = &recent[parsedQuery]{most: mostParsed, bytes: mostParsedBytes}
	recentRegexps = &recent[*textPattern]{most: mostRegexps, bytes: mostRegexpBytes}
)

func (r *recent[V]) get(text string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.values[text]
	return v, ok
}

func (r *recent[V]) put(text string, v V) {
	if len(text) > r.bytes {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.values == nil || len(r.values) >= r.most {
		r.values = make(map[string]V)
	}
	r.values[text] = v
}

// parsed parses a query that may have been parsed before.
func parsed(text string) (statements []statement, body node) {
	if p, ok := recentQueries.get(text); ok {
		return p.statements, p.body
	}
	statements, body = parseQuery(text)
	recentQueries.put(text, parsedQuery{statements, body})
	return statements, body
}

// constantRegexp compiles a regular expression of a query's text.
func constantRegexp(text string) (*textPattern, error) {
	if re, ok := recentRegexps.get(text); ok {
		return re, nil
	}
	re, err := compileRegexp(text)
	if err == nil {
		recentRegexps.put(text, re)
	}
	return re, err
}

// rowRegexp compiles a regular expression that may be of a query's text. There can
// be another for each row: so it is not kept.
func rowRegexp(text string) (*textPattern, error) {
	if re, ok := recentRegexps.get(text); ok {
		return re, nil
	}
	return compileRegexp(text)
}
