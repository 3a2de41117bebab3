//go:build race

package teams

// The race detector makes a card ten times as dear: it sees fewer.
const hostileAlerts = 1_500
