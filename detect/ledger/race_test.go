//go:build race

package ledger

// The race detector makes every row ten times as dear: it sees a few, and CI counts
// the requests of many without it.
var scaleRows = []int{100, 1_000}

const olderRows = 5_000
