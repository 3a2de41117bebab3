//go:build race

package detect

// The race detector makes a day take ten times as long: it sees less of each, and
// CI runs all of them without it.
const (
	daysOfLooks  = 80
	daysOfFaults = 1
	hoursOfRules = 2
	modelRuns    = 60
	silenceRuns  = 6
)
