package detect

import (
	"testing"
	"time"

	"pushback/detect/silence"
)

// BenchmarkSilencesOfTick measures what 1,000 silences cost a tick that holds nothing
// back, beside what is asked of the ledger, where there is nothing to note, and where all
// of them are gone over.
func BenchmarkSilencesOfTick(b *testing.B) {
	for name, step := range map[string]time.Duration{"nothing to note": time.Millisecond, "all": 2 * longestLull} {
		b.Run(name, func(b *testing.B) { benchmarkSilences(b, step) })
	}
}

func benchmarkSilences(b *testing.B, step time.Duration) {
	c := config()
	c.Health, c.Silences = DefaultHealth(), silence.New(manyAt(1000, time.Time{}), nil)
	d := newDay(b, c, nil, counting(time.Hour, time.Hour))
	s := d.detector.silencer
	for i := 0; b.Loop(); i++ {
		report := Report{Time: clock("10:05").Add(time.Duration(i) * step)}
		s.begin(b.Context(), &report)
		if s.settle(b.Context(), &report); report.HealthErr != nil || len(report.HealthWarnings) > 0 {
			b.Fatal(report.HealthErr, report.HealthWarnings)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/tick")
}
