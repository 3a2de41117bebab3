package detect

import "pushback/detect/alert"

// hold decides which of some alerts are sent nowhere, notes on each why, and
// returns how many they are.
func (r *runner) hold(alerts []alert.Alert) (held int) {
	for i := range alerts {
		a := &alerts[i]
		if a.HeldBack = r.config.heldBack(*a); a.HeldBack != nil {
			held++
		}
	}
	return held
}
