package enrich

import (
	"time"

	"pushback/detect/alert"
)

// busiest is the most prompts, rejected or not, in an hour that ends by a time.
func busiest(prompts []prompt, end time.Time) int {
	var times []time.Time
	top := 0
	for _, p := range prompts {
		if p.kind == alert.MomentSuccess || p.time.After(end) {
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
