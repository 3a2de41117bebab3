package main

// daysOfSeeds is how many days are run to see what is found of them, and quietDays
// how many to see that nothing is. defaultCrashes
// is how often the crash matrix runs.
const (
	daysOfSeeds    = 25
	quietDays      = 15
	defaultCrashes = 24
)
