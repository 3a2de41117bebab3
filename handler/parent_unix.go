//go:build !windows

package main

import "os"

// startedBy is the parent at the very start: the sooner it is known, the less
// time there is for it to end unnoticed.
var startedBy = os.Getppid()

// parentGone returns a function that says whether the process that started this
// one has ended, or nil if that cannot be known.
func parentGone() func() bool { return orphanedFrom(startedBy, os.Getppid) }

// orphanedFrom is parentGone for a parent. Who is a child of process 1 from the
// start may have lost its parent before.
func orphanedFrom(startedBy int, parent func() int) func() bool {
	if startedBy == 1 {
		return nil
	}
	return func() bool { return parent() != startedBy }
}
