package detect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/silence"
)

// manySilences are silences of users whom nobody is called like, and first one of alice.
func manySilences(n int, end string) *silence.Set {
	list := []silence.Silence{until(silenced("alice", "alice"), end)}
	for i := range n - 1 {
		list = append(list, until(silenced(fmt.Sprintf("%060d", i), fmt.Sprint("nobody", i)), end))
	}
	return silence.New(list, nil)
}

// More silences than the note has room for fail no tick, and those that hold something
// back are counted before others, in each tick the same.
func TestVeryManySilences(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health, c.Silences = DefaultHealth(), manySilences(silence.MostSilences, "23:00")
	d := newDay(t, c, []event{happened("a", "alice", "09:10"), happened("b", "bob", "11:20")}, counting(time.Hour, time.Hour))
	var known int
	for i, at := range []string{"10:05", "11:05", "12:05", "13:05"} {
		report, err := d.tick(clock(at))
		if err != nil || report.HealthErr != nil {
			t.Fatalf("%s: %v, %v", at, err, report.HealthErr)
		}
		if got := strings.Join(report.HealthWarnings, "\n"); strings.Count(got, "silences are not counted") != 1 {
			t.Errorf("%s: the warnings are %q", at, got)
		}
		counts, err := ReadSilenceCounts(t.Context(), d.ledger)
		if err != nil {
			t.Fatal(err)
		}
		if of := counts["alice"]; of.Alerts != 1 || of.Last == nil || !of.Last.Created.Equal(clock("10:05")) {
			t.Errorf("%s: %+v", at, of)
		}
		if i > 0 && len(counts) != known || len(counts) < 1000 || len(counts) == silence.MostSilences {
			t.Errorf("%s: %d silences are counted, and %d before", at, len(counts), known)
		}
		known = len(counts)
		for id, c := range counts {
			if !c.Since.Equal(clock("10:05")) {
				t.Fatalf("%s: %s is counted since %s", at, id, hhmm(c.Since))
			}
		}
	}
	d.checkSent("at 12:05: 11:20-11:20 bob")
}

// Many that end at once are each reported once, some of them by later ticks.
func TestManyEndsOfSilences(t *testing.T) {
	t.Parallel()
	const n = 2*mostEnds + 30
	c := config()
	c.Health, c.Silences = DefaultHealth(), manySilences(n, "10:30")
	d := newDay(t, c, []event{happened("a", "alice", "09:10")}, counting(time.Hour, time.Hour))
	ends := map[string]int{}
	var each []int
	for _, at := range []string{"10:05", "10:35", "10:40", "10:45", "10:50"} {
		report, err := d.tick(clock(at))
		if err != nil || report.HealthErr != nil {
			t.Fatalf("%s: %v, %v", at, err, report.HealthErr)
		}
		for _, a := range report.Health {
			ends[a.Title]++
			if a.Title == "Silence alice ended" && !strings.Contains(a.Description, "It held back 1 alert. The last is ") {
				t.Errorf("%q", a.Description)
			}
		}
		each = append(each, len(report.Health))
	}
	if got := fmt.Sprint(each); got != fmt.Sprint([]int{0, mostEnds, mostEnds, 30, 0}) || len(ends) != n {
		t.Errorf("the ticks reported %s ends of %d silences", got, len(ends))
	}
}

// An alert that a tick recorded and did not count, before any tick noted the silence, is
// counted at the end.
func TestSilenceCountedAfterCrash(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health, c.Silences = nil, manySilences(1, "11:00") // it counts nothing
	d := newDay(t, c, []event{happened("a", "alice", "09:10")}, counting(time.Hour, time.Hour))
	if _, err := d.tick(clock("10:05")); err != nil {
		t.Fatal(err)
	}
	d.config.Health = DefaultHealth()
	d.restart()
	for _, at := range []string{"10:10", "11:05"} {
		if _, err := d.tick(clock(at)); err != nil {
			t.Fatal(err)
		}
	}
	last := d.reports[len(d.reports)-1].Health
	if len(last) != 1 || !strings.Contains(last[0].Description, "It held back 1 alert.") {
		t.Errorf("%+v", last)
	}
}

// What is left out is the least that has to be, and of those that held something back
// the time of the last alert stays.
func TestFit(t *testing.T) {
	t.Parallel()
	full := func() *silenceState {
		s := &silenceState{Silences: map[string]*SilenceCount{}}
		for i := range 20 {
			c := &SilenceCount{Since: clock("09:00").Add(time.Duration(i) * time.Minute)}
			if i < 10 {
				c.Alerts = 1 + i
				c.Last = &alert.Reference{ID: fmt.Sprint(i), Title: strings.Repeat("<", 50), Created: clock("10:00").Add(time.Duration(i) * time.Minute)}
			}
			s.Silences[fmt.Sprintf("s%02d", i)] = c
		}
		return s
	}
	size := func(s *silenceState) int {
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	for most := size(full()) + 1; most > 0; most -= 7 {
		s := full()
		left, err := s.fit(most)
		if err != nil || size(s) > max(most, len("{}")) || left != 20-len(s.Silences) {
			t.Fatalf("at most %d: %d, %d left out of %d, %v", most, size(s), left, len(s.Silences), err)
		}
		counted, whole := 0, 0
		for id, c := range s.Silences {
			if c.Alerts > 0 {
				counted++
				if c.Last == nil || !alert.Known(c.Last.Created) {
					t.Errorf("at most %d: %s has no time of its last alert", most, id)
				} else if c.Last.ID != "" {
					whole++
				}
			}
		}
		if left > 0 && whole > 0 || left > 10 != (counted < 10) || whole > 0 && s.Silences["s09"].Last.ID == "" {
			t.Errorf("at most %d: %d left out, %d that held something back, %d of them with the alert", most, left, counted, whole)
		}
		if again, err := s.fit(most); again != 0 || err != nil {
			t.Errorf("at most %d: it leaves out %d more", most, again)
		}
	}
}
