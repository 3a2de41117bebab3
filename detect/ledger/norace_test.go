//go:build !race

package ledger

// scaleRows are the sizes of a window, in rows.
var scaleRows = []int{100, 1_000, 10_000}

// olderRows is how many rows were reported before, where there are any.
const olderRows = 200_000
