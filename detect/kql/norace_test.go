//go:build !race

package kql

// raceDetector says whether the tests run under the race detector.
const raceDetector = false
