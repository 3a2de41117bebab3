package schedule

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func withLooks(t *testing.T, c Config, frequency, period, within time.Duration) Schedule {
	t.Helper()
	s, err := New(c, every(frequency, period))
	if err != nil {
		t.Fatal(err)
	}
	return s.WithLooks(within)
}

// A rule with looks has one pass over each window, and looks as often as it had
// late passes.
func TestLooksTakeThePlaceOfLatePasses(t *testing.T) {
	t.Parallel()
	for _, frequency := range []time.Duration{5 * time.Minute, 45 * time.Minute, time.Hour, 5 * time.Hour, 24 * time.Hour} {
		passes := withLooks(t, standard, frequency, frequency, 0)
		looks := withLooks(t, standard, frequency, frequency, 72*time.Hour)
		var before, state State
		ran := map[time.Time]int{}
		for now := clock("09:13"); now.Before(clock("81:00")); now = now.Add(time.Minute) {
			p := looks.Plan(state, now)
			for _, w := range p.Windows {
				ran[w.End]++
			}
			due := looks.LookDue(state, now)
			state = p.State
			state.Pending = nil
			if due {
				state.Looked = now
			}
			old := passes.Plan(before, now)
			before = old.State
			before.Pending = nil
			// A last pass between two first ones is left to the next look.
			late := slices.ContainsFunc(old.Windows, func(w Due) bool {
				return w.Pass > 0 && (passes.offsets[w.Pass]%frequency == 0 || frequency > passes.lateness())
			})
			if late && !due && now.After(clock("09:13")) {
				t.Errorf("%s: a late pass is due at %s, and no look", frequency, hhmm(now))
			}
		}
		for end := state.First; !end.Add(looks.delay).After(state.Watermark); end = end.Add(frequency) {
			if ran[end] != 1 {
				t.Errorf("%s: the window to %s ran %d times", frequency, hhmm(end), ran[end])
			}
		}
	}
}

// NextLook and LookDue agree, and LateBy says what the lateness must be.
func TestNextLook(t *testing.T) {
	t.Parallel()
	for _, frequency := range []time.Duration{7 * time.Minute, 45 * time.Minute, time.Hour, 5 * time.Hour} {
		c := standard
		c.Start, c.End = clock("05:30"), clock("20:10")
		s := withLooks(t, c, frequency, 2*frequency, 9*time.Hour)
		state := s.Plan(State{}, s.Next(clock("00:00"))).State
		var due []time.Time
		for now := clock("00:00"); now.Before(clock("40:00")); now = now.Add(time.Minute) {
			if now.After(state.Looked) && s.LookDue(state, now) {
				due = append(due, now)
				state.Looked = now
			}
		}
		var next []time.Time
		for now := s.NextLook(clock("00:00")); !now.IsZero(); now = s.NextLook(now.Add(1)) {
			if now.After(clock("40:00")) {
				t.Fatalf("%s: a look at %s", frequency, hhmm(now))
			}
			next = append(next, now)
		}
		// Those of before the first window find nothing, and those after the last none.
		due = slices.DeleteFunc(due, func(at time.Time) bool { return at.Before(next[0]) || at.After(next[len(next)-1]) })
		if diff := cmp.Diff(next[len(next)-len(due):], due); diff != "" {
			t.Errorf("%s: NextLook and LookDue (-next +due):\n%s", frequency, diff)
		}
		for at := clock("06:00"); at.Before(clock("20:00")); at = at.Add(17 * time.Minute) {
			last, ok := s.LastPass(at)
			if !ok || !slices.ContainsFunc(next, last.Equal) {
				t.Errorf("%s: the last pass over %s is at %s, %t", frequency, hhmm(at), hhmm(last), ok)
			}
			for _, received := range []time.Time{last, last.Add(1), last.Add(time.Hour)} {
				by := s.LateBy(at, received)
				if (by <= s.within) != !received.After(last) {
					t.Errorf("%s: %s of %s is %s late, and the last pass is at %s", frequency, hhmm(received), hhmm(at), by, hhmm(last))
				}
				enough := s.WithLooks(by)
				if last, _ := enough.LastPass(at); last.Before(received) {
					t.Errorf("%s: a lateness of %s has the last pass over %s at %s, and it came at %s", frequency, by, hhmm(at), hhmm(last), hhmm(received))
				}
			}
		}
	}
}

// A record lies in every window that Covering gives, and in no other finished one.
func TestCovering(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ frequency, period time.Duration }{
		{5 * time.Minute, 5 * time.Minute}, {5 * time.Minute, time.Hour}, {time.Hour, 14 * 24 * time.Hour}, {7 * time.Minute, 10 * time.Minute},
	} {
		s := withLooks(t, standard, tt.frequency, tt.period, 72*time.Hour)
		state := State{First: midnight.Add(-30 * time.Hour), Watermark: midnight}
		now := midnight.Add(10 * time.Minute)
		first, last, ok := s.Finished(state, now)
		if !ok || first.Before(state.First) || last.Add(s.delay).After(state.Watermark) {
			t.Fatalf("%v: finished from %s to %s, %t", tt, first, last, ok)
		}
		for at := first.Add(-tt.period); at.Before(last); at = at.Add(13*time.Minute + 11*time.Second) {
			start := s.lastEnd(at)
			// Stretches before and after it hide nothing.
			got := s.Covering([]time.Time{start.Add(400 * 24 * time.Hour), start, start.Add(-400 * 24 * time.Hour)}, tt.frequency, first, last)
			for end := first; !end.After(last); end = end.Add(tt.frequency) {
				w := s.Window(end)
				covers := !at.Before(w.Start) && at.Before(w.End)
				touches := start.Before(w.End) && start.Add(tt.frequency).After(w.Start)
				if in := slices.ContainsFunc(got, end.Equal); covers && !in || in && !touches {
					t.Fatalf("%v: a record of %s, the window to %s: %t", tt, hhmm(at), hhmm(end), in)
				}
			}
		}
	}
	s := withLooks(t, standard, time.Hour, time.Hour, 72*time.Hour)
	if _, _, ok := s.Finished(State{First: clock("10:00"), Watermark: clock("10:04")}, clock("10:04")); ok {
		t.Error("a window is finished before its first pass")
	}
}

// Late windows are due oldest first, so many at a time and however old, and are no
// reason to move what is pending.
func TestPlanLate(t *testing.T) {
	t.Parallel()
	c := standard
	c.CatchUp, c.MostLate = 10*time.Minute, 3
	s := withLooks(t, c, time.Hour, time.Hour, 72*time.Hour)
	state := State{First: clock("-90:00"), Watermark: clock("09:05"), Looked: clock("09:05"), Pending: []time.Time{clock("08:00")}}
	for hour := -70; hour < 0; hour += 10 {
		state.Late = append(state.Late, midnight.Add(time.Duration(hour)*time.Hour))
	}
	state.Late = append([]time.Time{midnight.Add(-90 * time.Hour)}, state.Late...)
	p := s.Plan(state, clock("09:05"))
	if len(p.Windows) != 3 || !p.Windows[0].Late || !p.Windows[0].End.Equal(state.Late[1]) || p.Windows[0].Pass == 0 {
		t.Errorf("due: %+v", p.Windows)
	}
	if p.Skipped.LatePasses != 1 || p.Skipped.Windows != 1 { // 90 hours are too many, and 08:00 is too old
		t.Errorf("skipped: %+v", p.Skipped)
	}
	if len(p.State.Late) != 7 || len(p.State.Pending) != 0 {
		t.Errorf("state: %+v", p.State)
	}
	state.Pending = nil
	p = s.AddLate(s.Plan(state, clock("10:05")), []time.Time{clock("-71:00"), state.Late[2]}, clock("10:05"))
	var got []string
	for _, w := range p.Windows {
		got = append(got, hhmm(w.End))
	}
	want := []string{"-71:00", "-70:00", "-60:00", "10:00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	if len(p.State.Late) != 8 || len(p.State.Pending) != 1 {
		t.Errorf("state: %+v", p.State)
	}
}

// A look that says nothing has the passes run that were due since the last one.
func TestLatePasses(t *testing.T) {
	t.Parallel()
	for _, frequency := range []time.Duration{5 * time.Minute, time.Hour, 5 * time.Hour} {
		passes, looks := withLooks(t, standard, frequency, frequency, 0), withLooks(t, standard, frequency, frequency, 72*time.Hour)
		var before, state State
		for now := passes.Next(clock("09:13")); now.Before(clock("60:00")); now = passes.Next(now) {
			p := looks.Plan(state, now)
			if looks.LookDue(state, now) {
				p = looks.AddLate(p, looks.LatePasses(state, now), now)
				p.State.Looked = now
			}
			old := passes.Plan(before, now)
			if diff := cmp.Diff(ends(old.Windows), ends(p.Windows)); diff != "" {
				t.Fatalf("%s, at %s (-passes +looks that say nothing):\n%s", frequency, hhmm(now), diff)
			}
			before, state = old.State, p.State
			before.Pending, state.Pending, state.Late = nil, nil, nil
		}
	}
}

// Windows are written in few words, and read as the same ones.
func TestStretches(t *testing.T) {
	t.Parallel()
	s := withLooks(t, standard, 5*time.Minute, time.Hour, 72*time.Hour)
	var all []time.Time
	for i := range 860 {
		if i%100 != 7 {
			all = append(all, midnight.Add(time.Duration(i)*5*time.Minute))
		}
	}
	list := s.Stretches(all)
	if len(list) != 10 {
		t.Errorf("%d stretches", len(list))
	}
	if diff := cmp.Diff(all, s.Ends(list)); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	var every2nd []time.Time
	for i := range 400 {
		every2nd = append(every2nd, midnight.Add(time.Duration(i)*10*time.Minute))
	}
	list = s.Stretches(every2nd)
	read := s.Ends(list)
	for _, end := range every2nd {
		if !slices.ContainsFunc(read, end.Equal) {
			t.Errorf("the window to %s is gone", hhmm(end))
		}
	}
	if len(list) > mostStretches {
		t.Errorf("%d stretches", len(list))
	}
	// Of another frequency they cover as much.
	hourly := withLooks(t, standard, time.Hour, time.Hour, 72*time.Hour)
	got := hourly.Ends([]Stretch{{clock("09:35"), clock("10:40")}, {clock("10:45"), clock("10:45")}})
	if diff := cmp.Diff([]time.Time{clock("10:00"), clock("11:00")}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
