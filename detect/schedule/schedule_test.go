package schedule

import (
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// standard suits a workspace whose logs arrive within two hours.
var standard = Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour, CatchUp: 24 * time.Hour, NRTFrequency: 5 * time.Minute}

func every(frequency, period time.Duration) *rule.Rule {
	return &rule.Rule{QueryFrequency: frequency, QueryPeriod: period}
}

var midnight = time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)

// clock returns a time of the day, or of the next if it has more than 24 hours.
func clock(text string) time.Time {
	var hour, minute int
	if _, err := fmt.Sscanf(text, "%d:%d", &hour, &minute); err != nil {
		panic(err)
	}
	return midnight.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}

func hhmm(t time.Time) string {
	d := t.Sub(midnight)
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

// TestPlanModel compares plan over random ticks with the definition: every pass
// of every window since the first is covered by a run that comes at its due
// time or later, and no window runs without a pass that is due.
func TestPlanModel(t *testing.T) {
	t.Parallel()
	for _, frequency := range []time.Duration{5 * time.Minute, 7 * time.Minute, time.Hour, 5 * time.Hour} {
		s, err := New(standard, every(frequency, frequency))
		if err != nil {
			t.Fatal(err)
		}
		s.catchUp = 0
		var state State
		lastRun := map[time.Time]time.Time{}
		previous := map[time.Time]time.Time{}
		now := clock("09:13")
		step := 13 * time.Minute
		for range 200 {
			p := s.Plan(state, now)
			for _, w := range p.Windows {
				due := w.End.Add(s.delay + s.offsets[w.Pass])
				if due.After(now) {
					t.Fatalf("%s: the window to %s ran at %s, before %s", frequency, hhmm(w.End), hhmm(now), hhmm(due))
				}
				if last, ok := lastRun[w.End]; ok && !last.Before(due) {
					t.Fatalf("%s: the window to %s ran at %s for a pass that was done at %s", frequency, hhmm(w.End), hhmm(now), hhmm(last))
				}
				previous[w.End] = lastRun[w.End]
				lastRun[w.End] = now
			}
			state = p.State
			state.Pending = nil
			for end := state.First; !end.Add(s.delay).After(now); end = end.Add(frequency) {
				due := end.Add(s.delay + s.offsets[s.pass(end, now)])
				if last, ok := lastRun[end]; !ok || last.Before(due) {
					t.Fatalf("%s: at %s the window to %s last ran at %s, but was due at %s", frequency, hhmm(now), hhmm(end), hhmm(last), hhmm(due))
				}
			}
			now = now.Add(step)
			step = (step*7 + 3*time.Minute) % (3 * time.Hour)
		}
	}
}

// TestLastPass compares LastPass with the passes that Next gives.
func TestLastPass(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ frequency, period, lateness time.Duration }{
		{time.Hour, time.Hour, 2 * time.Hour}, {time.Hour, time.Hour, 0}, {45 * time.Minute, 2 * time.Hour, 100 * time.Minute},
		{time.Hour, 6 * time.Hour, 2 * time.Hour}, {7 * time.Minute, 7 * time.Minute, time.Hour}, {5 * time.Hour, 5 * time.Hour, time.Hour},
	} {
		c := standard
		c.Lateness = tt.lateness
		c.Start, c.End = clock("05:30"), clock("20:10")
		s, err := New(c, every(tt.frequency, tt.period))
		if err != nil {
			t.Fatal(err)
		}
		type pass struct {
			window alert.Span
			at     time.Time
		}
		var passes []pass
		var state State
		for now := s.Next(clock("00:00")); !now.IsZero(); now = s.Next(now) {
			p := s.Plan(state, now)
			for _, w := range p.Windows {
				passes = append(passes, pass{s.Window(w.End), now})
			}
			state = p.State
			state.Pending = nil
		}
		for at := clock("00:00"); at.Before(clock("26:00")); at = at.Add(30 * time.Second) {
			var want time.Time
			for _, p := range passes {
				if !at.Before(p.window.Start) && at.Before(p.window.End) {
					want = p.at // they are in order
				}
			}
			got, ok := s.LastPass(at)
			if !got.Equal(want) || ok == want.IsZero() {
				t.Fatalf("%v: the last pass over %s is at %s, want %s", tt, hhmm(at), hhmm(got), hhmm(want))
			}
		}
	}
}
