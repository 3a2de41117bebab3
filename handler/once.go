package main

import (
	"errors"
	"fmt"
)

// mostSeen is how many texts are remembered. What comes after them is new again.
const mostSeen = 1000

// once keeps texts that are new apart from those that came before.
type once struct{ seen map[string]bool }

// first reports whether a text comes for the first time.
func (o *once) first(text string) bool {
	if o.seen[text] {
		return false
	}
	if o.seen == nil || len(o.seen) >= mostSeen {
		o.seen = map[string]bool{}
	}
	o.seen[text] = true
	return true
}

// mostFailures is how many failures of a run are shown.
const mostFailures = 100

// failureList collects what failed in a run, each failure once.
type failureList struct {
	once
	errs []error
	more int
}

// add adds a failure; nil is none.
func (f *failureList) add(err error) {
	switch {
	case err == nil || !f.first(err.Error()):
	case len(f.errs) < mostFailures:
		f.errs = append(f.errs, err)
	default:
		f.more++
	}
}

// err returns the failures, joined.
func (f *failureList) err() error {
	if f.more > 0 {
		return errors.Join(errors.Join(f.errs...), fmt.Errorf("and %s more", count(int64(f.more), "failure")))
	}
	return errors.Join(f.errs...)
}
