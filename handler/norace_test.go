//go:build !race

package main

// daysOfSeeds is how many days are run to see what is found of them, and quietDays
// how many to see that nothing is.
const (
	daysOfSeeds = 50
	quietDays   = 30
)
