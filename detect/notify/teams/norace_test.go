//go:build !race

package teams

// hostileAlerts is how many random alerts are drawn.
const hostileAlerts = 10_000
