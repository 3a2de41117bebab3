package schedule

import (
	"testing"
	"time"
)

// hourly lists ends of windows of an hour.
func hourly(first time.Time, n int) (ends []time.Time) {
	for i := range n {
		ends = append(ends, first.Add(time.Duration(i)*time.Hour))
	}
	return ends
}

// TestPlanRerun pins how windows are run once more: after what is due, the oldest
// first, so many a tick, however long ago but for those of which it is not known any
// more what was reported.
func TestPlanRerun(t *testing.T) {
	t.Parallel()
	config := standard
	config.MostLate, config.Remembers = 50, 30*24*time.Hour
	s, err := New(config, every(time.Hour, 2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	now := clock("12:05")
	old := midnight.Add(-20 * 24 * time.Hour)
	for name, s := range map[string]Schedule{"late passes": s, "looks": s.WithLooks(72 * time.Hour)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := State{First: old, Watermark: clock("11:05"), Looked: clock("11:05"), Rerun: hourly(old, 60)}
			p := s.Plan(state, now)
			fresh, again := 0, 0
			for i, w := range p.Windows {
				switch {
				case !w.Rerun && again > 0:
					t.Errorf("window %d is new and comes after one that is run once more", i)
				case !w.Rerun:
					fresh++
				default:
					if !w.End.Equal(old.Add(time.Duration(again) * time.Hour)) {
						t.Errorf("window %d ends at %s", i, w.End)
					}
					again++
				}
			}
			if fresh == 0 || again != mostRerun || len(p.State.Rerun) != 60 || p.Skipped.Any() || p.Forgotten != 0 {
				t.Errorf("%d new, %d once more, %d left, %+v", fresh, again, len(p.State.Rerun), p.Skipped)
			}
			for _, end := range p.State.Pending {
				if end.Before(clock("00:00")) {
					t.Errorf("%s is pending: it would be skipped as too long ago", end)
				}
			}
			// What a look adds leaves them as they are.
			for _, added := range []Plan{s.AddLate(p, []time.Time{clock("09:00")}, now), s.AddPasses(p, []time.Time{clock("09:00")}, now)} {
				again = 0
				for _, w := range added.Windows {
					if w.Rerun {
						again++
					}
				}
				if again != mostRerun {
					t.Errorf("%d windows are run once more", again)
				}
			}
		})
	}
	// One that is due anyhow is run once.
	p := s.Plan(State{First: old, Watermark: clock("11:05"), Rerun: []time.Time{clock("12:00")}}, now)
	n := 0
	for _, w := range p.Windows {
		if w.End.Equal(clock("12:00")) {
			n++
		}
	}
	if n != 1 {
		t.Errorf("a window is run %d times", n)
	}
	// Also of a rule that never ran.
	if p := s.Plan(State{Rerun: hourly(old, 3)}, now); len(p.State.Rerun) != 3 || len(p.Windows) != 4 {
		t.Errorf("%+v", p)
	}
	// Forgotten.
	p = s.Plan(State{First: old, Watermark: now, Rerun: hourly(now.Add(-30*24*time.Hour).Truncate(time.Hour), 5)}, now)
	if p.Forgotten != 3 || len(p.State.Rerun) != 2 || !p.Any() {
		t.Errorf("%d forgotten, %d left", p.Forgotten, len(p.State.Rerun))
	}
}

func TestPast(t *testing.T) {
	t.Parallel()
	s, err := New(standard, every(time.Hour, 3*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		from, to, now string
		first, last   string // "" for none
	}{
		{"08:00", "10:00", "12:00", "09:00", "10:00"},
		{"08:30", "10:00", "12:00", "09:00", "10:00"},
		{"08:00", "10:01", "12:00", "09:00", "11:00"},
		{"08:00", "12:00", "10:04", "09:00", "09:00"}, // the next is first run at 10:05
		{"08:00", "12:00", "10:05", "09:00", "10:00"},
		{"08:10", "08:20", "12:00", "09:00", "09:00"},
		{"10:00", "11:00", "10:30", "", ""},
	} {
		ends := s.Past(clock(tc.from), clock(tc.to), clock(tc.now))
		first, last := "", ""
		if len(ends) > 0 {
			first, last = hhmm(ends[0]), hhmm(ends[len(ends)-1])
		}
		if first != tc.first || last != tc.last {
			t.Errorf("from %s to %s at %s: windows to %q–%q, want %q–%q", tc.from, tc.to, tc.now, first, last, tc.first, tc.last)
		}
	}
	all, added := s.AddRerun([]Stretch{{clock("09:00"), clock("10:00")}}, []time.Time{clock("10:00"), clock("11:00"), clock("14:00")})
	if added != 2 || len(all) != 2 || hhmm(all[0].Last) != "11:00" || hhmm(all[1].First) != "14:00" {
		t.Errorf("%d added: %v", added, all)
	}
}
