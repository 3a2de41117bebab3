//go:build race

package alerts_test

// The race detector makes it take ten times as long: CI runs all of it without it.
const hostileAlerts = 1000
