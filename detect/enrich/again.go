package enrich

import (
	"time"

	"pushback/detect/alert"
)

// soonAgain is how soon somebody who declined by mistake tries again.
const soonAgain = 15 * time.Minute

// again says how soon after the last rejection the account signed in at the same
// address and on the same device, if it did.
func (r rejections) again(s subject) string {
	if len(r.prompts) == 0 {
		return ""
	}
	declined := r.prompts[len(r.prompts)-1]
	if declined.device == "" {
		return ""
	}
	for _, p := range s.prompts {
		after := p.time.Sub(declined.last)
		if p.kind == alert.MomentSuccess && p.address == declined.address && p.device == declined.device && after >= 0 && after <= soonAgain {
			return ", and signed in on it " + ago(after) + " after rejecting"
		}
	}
	return ""
}
