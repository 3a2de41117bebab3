package enrich

import (
	"fmt"
	"time"

	"pushback/detect/alert"
)

// assessBombing finds many prompts within an hour, whether they led to the alert
// or went on after it.
func (b *batch) assessBombing(f findings, s subject, r rejections) {
	if n := busiest(s.prompts, &r); n >= b.config.Bombing {
		reason := fmt.Sprintf("%d prompts within an hour", n)
		f.add(alert.FoundBombing, said{reason: reason, brief: "MFA fatigue: " + reason}, "MFA fatigue: %s at %s", reason, s.title)
	}
}

// count counts the prompts of the alert's look.
func (r *rejections) count(prompts []prompt, asked *alert.Asked) {
	if len(r.prompts) == 0 {
		return
	}
	for i := range prompts {
		p := &prompts[i]
		if p.kind == alert.MomentSuccess || !r.counts(p) {
			continue
		}
		asked.Prompts++
		if p.kind == alert.MomentRejected {
			asked.Rejected++
		}
	}
}

// busiest is the most prompts, rejected or not, in an hour of the alert's look.
func busiest(prompts []prompt, r *rejections) int {
	var times []time.Time
	top := 0
	for i := range prompts {
		p := &prompts[i]
		if p.kind == alert.MomentSuccess || !r.counts(p) {
			continue
		}
		times = append(times, p.time)
		for p.time.Sub(times[0]) > time.Hour {
			times = times[1:]
		}
		top = max(top, len(times))
	}
	return top
}
