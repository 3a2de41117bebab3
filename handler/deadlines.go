package main

import (
	"time"

	"pushback/handler/telemetry"
)

// The host waits ten seconds for a tick when it stops, and a platform that ends
// a process seldom longer. A tick that is under way then may use finishTime to
// come to its end. Then it is cancelled: the query that runs is cut short, and
// what is being recorded or sent has until writeTime.
const (
	stopTime   = 10 * time.Second
	graceTime  = stopTime - telemetry.FlushTime // which the last telemetry has
	writeTime  = graceTime - 500*time.Millisecond
	finishTime = 4 * time.Second
	// sendTime is how long sending one alert may take while nobody waits for
	// the process to end.
	sendTime = 15 * time.Second
)
