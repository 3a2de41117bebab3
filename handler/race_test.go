//go:build race

package main

// The race detector makes a day take ten times as long: it sees a few, and CI runs
// all of them without it.
const (
	daysOfSeeds    = 4
	quietDays      = 3
	defaultCrashes = 100
)
