package detect

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/schedule"
)

func TestWindowsOfADay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name              string
		frequency, period time.Duration
		from, to          string
		want              []string
	}{
		{"hourly", time.Hour, time.Hour, "09:30", "12:30", []string{
			"at 10:05: 09:00-10:00 pass 0", // the first ever: no late passes of earlier windows
			"at 11:05: 09:00-10:00 pass 1",
			"at 11:05: 10:00-11:00 pass 0",
			"at 12:05: 09:00-10:00 pass 2",
			"at 12:05: 10:00-11:00 pass 1",
			"at 12:05: 11:00-12:00 pass 0",
		}},
		{"45 minutes do not divide two hours", 45 * time.Minute, 45 * time.Minute, "09:00", "11:06", []string{
			"at 09:05: 08:15-09:00 pass 0",
			"at 09:50: 08:15-09:00 pass 1",
			"at 09:50: 09:00-09:45 pass 0",
			"at 10:35: 08:15-09:00 pass 2",
			"at 10:35: 09:00-09:45 pass 1",
			"at 10:35: 09:45-10:30 pass 0",
			"at 11:05: 08:15-09:00 pass 3", // two hours after the first
		}},
		{"daily", 24 * time.Hour, 24 * time.Hour, "23:00", "48:10", []string{
			"at 24:05: 00:00-24:00 pass 0",
			"at 26:05: 00:00-24:00 pass 1",
			"at 48:05: 24:00-48:00 pass 0",
		}},
		{"a long period", time.Hour, 3 * time.Hour, "09:30", "11:10", []string{
			"at 10:05: 07:00-10:00 pass 0",
			"at 11:05: 07:00-10:00 pass 1",
			"at 11:05: 08:00-11:00 pass 0",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, config(), nil, counting(tt.frequency, tt.period))
			d.run(tt.from, tt.to)
			if diff := cmp.Diff(tt.want, windows(d.reports...)); diff != "" {
				t.Errorf("windows (-want +got):\n%s", diff)
			}
			for _, q := range d.world.queries {
				if !q.Now.Equal(q.End) || q.End.Sub(q.Start) != tt.period || q.RuleID != "counting" || q.RuleVersion != "1.0.0" {
					t.Errorf("query = %+v", q)
				}
			}
		})
	}
}

// TestFirstTick is about a rule that never ran, ticked at an odd time.
func TestFirstTick(t *testing.T) {
	t.Parallel()
	tests := []struct{ at, want string }{
		{"10:04", "at 10:04: 08:00-09:00 pass 0"},
		{"10:05", "at 10:05: 09:00-10:00 pass 0"},
		{"10:59", "at 10:59: 09:00-10:00 pass 0"},
	}
	for _, tt := range tests {
		t.Run(tt.at, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, config(), nil, counting(time.Hour, time.Hour))
			report, err := d.tick(clock(tt.at))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{tt.want}, windows(report)); diff != "" {
				t.Errorf("windows (-want +got):\n%s", diff)
			}
			if report, _ = d.tick(clock(tt.at)); len(windows(report)) > 0 {
				t.Errorf("the same tick again ran %v", windows(report))
			}
		})
	}
}

func TestDowntime(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), nil, counting(time.Hour, time.Hour))
	d.run("09:30", "10:10")

	report, err := d.tick(clock("13:20")) // three hours later
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"at 13:20: 09:00-10:00 pass 2", // for its two late passes
		"at 13:20: 10:00-11:00 pass 2",
		"at 13:20: 11:00-12:00 pass 1",
		"at 13:20: 12:00-13:00 pass 0",
	}
	if diff := cmp.Diff(want, windows(report)); diff != "" {
		t.Errorf("after 3 hours (-want +got):\n%s", diff)
	}

	report, err = d.tick(clock("43:30")) // thirty hours later
	if err != nil {
		t.Fatal(err)
	}
	got := windows(report)
	if len(got) != 24 || got[0] != "at 43:30: 19:00-20:00 pass 2" || got[23] != "at 43:30: 42:00-43:00 pass 0" {
		t.Errorf("after 30 hours: %d windows, %v", len(got), got)
	}
	// 12-13 and 11-12 had run, but not all of their late passes; 13-14 to 18-19
	// had not run.
	if diff := cmp.Diff(schedule.Skipped{Windows: 6, LatePasses: 2, From: clock("11:00"), To: clock("19:00")}, report.Rules[0].Skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
	wantWarning := `rule "Counting": windows from 2026-03-14T11:00:00Z to 2026-03-14T19:00:00Z were skipped, ` +
		`since they ended longer ago than the catch-up limit: 6 were never run, and late passes of 2 are missing`
	if diff := cmp.Diff([]string{wantWarning}, report.Rules[0].Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	if want := (Totals{Windows: 24, Skipped: 8}); report.Totals() != want {
		t.Errorf("totals = %+v, want %+v", report.Totals(), want)
	}
	if want := (alert.Span{Start: clock("19:00"), End: clock("43:00")}); !report.Rules[0].Span().Equal(want) {
		t.Errorf("span = %+v", report.Rules[0].Span())
	}

	report, _ = d.tick(clock("44:05"))
	if len(windows(report)) != 3 || report.Rules[0].Skipped.Any() {
		t.Errorf("the tick after that: %v, %+v", windows(report), report.Rules[0].Skipped)
	}
}

// TestClockBehind is about a ledger that has seen a later time.
func TestClockBehind(t *testing.T) {
	t.Parallel()
	d := newDay(t, config(), nil, counting(time.Hour, time.Hour))
	d.run("09:30", "12:10")
	report, err := d.tick(clock("10:06"))
	if err == nil || !strings.Contains(err.Error(), "the clock of one of them was wrong") || len(windows(report)) > 0 {
		t.Errorf("report = %+v, %v", report, err)
	}
	report, err = d.tick(clock("13:05"))
	if err != nil || len(windows(report)) != 3 || len(report.Rules[0].Warnings) > 0 {
		t.Errorf("report = %+v, %v", report, err)
	}
}

func TestNRT(t *testing.T) {
	t.Parallel()
	nrt := counting(0, 0)
	nrt.Kind = rule.NRT
	c := config()
	c.Lateness = 10 * time.Minute
	d := newDay(t, c, nil, nrt)
	d.run("09:57", "10:16")
	want := []string{
		"at 10:00: 09:50-09:55 pass 0",
		"at 10:05: 09:50-09:55 pass 1",
		"at 10:05: 09:55-10:00 pass 0",
		"at 10:10: 09:50-09:55 pass 2",
		"at 10:10: 09:55-10:00 pass 1",
		"at 10:10: 10:00-10:05 pass 0",
		"at 10:15: 09:55-10:00 pass 2",
		"at 10:15: 10:00-10:05 pass 1",
		"at 10:15: 10:05-10:10 pass 0",
	}
	if diff := cmp.Diff(want, windows(d.reports...)); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

// TestNRTOnEveryTick ticks more often than there are windows.
func TestNRTOnEveryTick(t *testing.T) {
	t.Parallel()
	nrt := counting(0, 0)
	nrt.Kind = rule.NRT
	c := config()
	c.Lateness = 0
	d := newDay(t, c, []event{
		happened("a", "alice", "09:51"),
		happened("b", "bob", "09:52").arriving("10:02"),
	}, nrt)
	for _, at := range []string{"10:00", "10:00", "10:01", "10:02", "10:05"} {
		if _, err := d.tick(clock(at)); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"at 10:00: 09:50-09:55 pass 0", // and not again in the host's retry of the tick
		"at 10:01: 09:50-09:55 pass 0",
		"at 10:02: 09:50-09:55 pass 0",
		"at 10:05: 09:55-10:00 pass 0",
	}
	if diff := cmp.Diff(want, windows(d.reports...)); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
	d.checkSent("at 10:00: 09:51-09:51 alice", "at 10:02: 09:52-09:52 bob")
}

func TestStartAndEnd(t *testing.T) {
	t.Parallel()
	c := config()
	c.Start, c.End = clock("09:30"), clock("11:30")
	other := counting(30*time.Minute, 30*time.Minute)
	other.ID = "other"
	d := newDay(t, c, nil, counting(time.Hour, time.Hour), other)
	d.run("00:00", "99:00") // until Next says that there is no more
	ran := map[string]map[string]int{}
	for _, r := range d.reports {
		for _, run := range r.Rules {
			for _, w := range run.Windows {
				if ran[run.RuleID] == nil {
					ran[run.RuleID] = map[string]int{}
				}
				ran[run.RuleID][hhmm(w.Window.Start)+"-"+hhmm(w.Window.End)]++
			}
		}
	}
	want := map[string]map[string]int{
		"counting": {"09:00-10:00": 3, "10:00-11:00": 3, "11:00-12:00": 3},
		"other":    {"09:30-10:00": 5, "10:00-10:30": 5, "10:30-11:00": 5, "11:00-11:30": 5},
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("passes of windows (-want +got):\n%s", diff)
	}
	if next := d.detector.Next(clock("14:05")); !next.IsZero() {
		t.Errorf("Next after the last = %s", hhmm(next))
	}

	// One tick after all of it runs every window once.
	d = newDay(t, c, nil, counting(time.Hour, time.Hour))
	report, err := d.tick(clock("99:00"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"at 99:00: 09:00-10:00 pass 2", "at 99:00: 10:00-11:00 pass 2", "at 99:00: 11:00-12:00 pass 2",
	}, windows(report)); diff != "" {
		t.Errorf("at once (-want +got):\n%s", diff)
	}
}

// TestNoDelay is about running over logs that are complete.
func TestNoDelay(t *testing.T) {
	t.Parallel()
	d := newDay(t, Config{Start: clock("01:00"), End: clock("03:00")}, nil, counting(time.Hour, time.Hour))
	d.run("00:00", "99:00")
	if diff := cmp.Diff([]string{"at 02:00: 01:00-02:00 pass 0", "at 03:00: 02:00-03:00 pass 0"}, windows(d.reports...)); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
}

// TestFrequencyChanges is about a rule that was edited between two starts.
func TestFrequencyChanges(t *testing.T) {
	t.Parallel()
	c := config()
	c.Lateness = 0
	d := newDay(t, c, nil, counting(time.Hour, time.Hour))
	d.run("09:30", "10:10")
	d.rules = []*rule.Rule{counting(25*time.Minute, 25*time.Minute)}
	d.restart()
	d.reports = nil
	d.run("10:10", "11:10")
	for i, w := range d.reports {
		if len(w.Rules[0].Windows) != 1 {
			t.Errorf("tick %d ran %v", i, windows(w))
		}
	}
	if len(d.reports) < 2 {
		t.Errorf("only %d ticks", len(d.reports))
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	hourly := counting(time.Hour, time.Hour)
	nrt := counting(0, 0)
	nrt.Kind = rule.NRT
	tests := []struct {
		name      string
		config    Config
		rules     []*rule.Rule
		notifiers []notify.Notifier
	}{
		{"a negative delay", Config{Delay: -1}, nil, nil},
		{"a negative margin", Config{Margin: -1}, nil, nil},
		{"a margin without room for sending", Config{Margin: 30 * time.Second, SendTimeout: 30 * time.Second}, nil, nil},
		{"start after end", Config{Start: clock("02:00"), End: clock("01:00")}, nil, nil},
		{"the same rule twice", Config{}, []*rule.Rule{hourly, hourly}, nil},
		{"no frequency", Config{}, []*rule.Rule{counting(0, time.Hour)}, nil},
		{"a period under the frequency", Config{}, []*rule.Rule{counting(time.Hour, time.Minute)}, nil},
		{"NRT without a frequency", Config{}, []*rule.Rule{nrt}, nil},
		{"two destinations of one name", Config{}, nil, []notify.Notifier{&inbox{name: "a"}, &inbox{name: "a"}}},
		{"a destination without a name", Config{}, nil, []notify.Notifier{&inbox{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := New(tt.config, tt.rules, &world{}, ledger.NewMemory(), tt.notifiers...); err == nil {
				t.Error("New took it")
			}
		})
	}
	disabled := counting(0, 0)
	disabled.Disabled = true
	d, err := New(Config{}, []*rule.Rule{disabled, hourly}, &world{}, ledger.NewMemory())
	if err != nil || len(d.runner.rules) != 1 {
		t.Errorf("with a disabled rule: %v", err)
	}
	if none, err := New(Config{}, nil, &world{}, ledger.NewMemory()); err != nil || !none.Next(midnight).IsZero() {
		t.Errorf("without rules: %v", err)
	}
}
