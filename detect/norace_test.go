//go:build !race

package detect

const (
	// daysOfLooks is how many generated days looks are compared with late passes over.
	daysOfLooks = 2000
	// daysOfFaults is how many days of faults rows are written through.
	daysOfFaults = 4
	// hoursOfRules is for how long a tick has hundreds of rules, with midnight in it.
	hoursOfRules = 7
	// modelRuns is how many days are compared with the model.
	modelRuns = 400
	// silenceRuns is how many days silences change in.
	silenceRuns = 40
)
