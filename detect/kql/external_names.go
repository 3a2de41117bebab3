package kql

import (
	"slices"
	"time"
)

// External lists the addresses that a query names in externaldata, those of the
// functions that it calls included. It finds those of a query with mistakes too.
func (c Catalog) External(query string) []string {
	b := &binder{db: c.database(), x: &execution{}, dry: true, errs: &errorList{}}
	// What is wrong with the query is for Check to say.
	_, _ = b.compile(query, time.Unix(0, 0).UTC())
	slices.Sort(b.externals)
	return slices.Compact(b.externals)
}
