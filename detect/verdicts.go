package detect

import (
	"context"
	"fmt"
	"time"
)

// Verdicts learns once a day what analysts decided of the alerts that were reported.
// [*pushback/detect/verdict.Reader] is one.
type Verdicts interface {
	// Read is called with every tick, and reads if it is time to.
	Read(ctx context.Context, now time.Time) error
}

// verdictTime is how long learning what analysts decided may take of a tick.
const verdictTime = 30 * time.Second

// verdicts learns what analysts decided, once all is delivered. Where that fails it is
// a warning: no alert waits for it.
func (d *Detector) verdicts(ctx context.Context, report *Report) {
	if d.config.Verdicts == nil || ctx.Err() != nil {
		return
	}
	reading, cancel := context.WithTimeout(ctx, verdictTime)
	defer cancel()
	err := guarded(func() error { return d.config.Verdicts.Read(reading, report.Time) })
	if err != nil && ctx.Err() == nil {
		report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("the verdicts of analysts are not as of today: %v", err))
	}
}
