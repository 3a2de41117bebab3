//go:build !race

package alerts_test

// hostileAlerts is how many hostile alerts are written.
const hostileAlerts = 10_000
