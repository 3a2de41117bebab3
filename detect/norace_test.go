//go:build !race

package detect

// daysOfLooks is how many generated days looks are compared with late passes over.
const daysOfLooks = 2000
