//go:build race

package detect

// The race detector makes a day take ten times as long: it sees a few, and CI runs
// all of them without it.
const daysOfLooks = 80
