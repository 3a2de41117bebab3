package rhythm

import (
	"math/rand/v2"
	"testing"
	"time"
)

// monday is when the tables of these tests begin.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// working is when people work: on weekdays from seven to seven.
func working(h time.Time) bool {
	return h.Weekday() != time.Saturday && h.Weekday() != time.Sunday && h.Hour() >= 7 && h.Hour() < 19
}

// traffic is how likely a record is in an hour.
type traffic func(h time.Time) float64

var always traffic = func(time.Time) float64 { return 1 }

var office traffic = func(h time.Time) float64 {
	if working(h) {
		return 1
	}
	return 0
}

func mostly(busy, idle float64) traffic {
	return func(h time.Time) float64 {
		if working(h) {
			return busy
		}
		return idle
	}
}

func randomly(p float64) traffic { return func(time.Time) float64 { return p } }

// watch lets hours pass, with records as the traffic has them until the table
// falls silent, and returns when that was noticed first.
func watch(rng *rand.Rand, t traffic, days int, silence time.Time) (r Rhythm, alarm time.Time) {
	const lateness = 2 * time.Hour
	var found []int64
	for h := monday; h.Before(monday.AddDate(0, 0, days)); h = h.Add(time.Hour) {
		if h.Before(silence) && rng.Float64() < t(h) {
			found = append(found, HourOf(h))
		}
		r.Add(found)
		found = found[:0]
		if alarm.IsZero() && r.Judge(h.Add(time.Hour+5*time.Minute), lateness).Silent {
			alarm = h.Add(time.Hour + 5*time.Minute)
		}
	}
	return r, alarm
}

func TestTableSilence(t *testing.T) {
	t.Parallel()
	never := monday.AddDate(1, 0, 0)
	for _, test := range []struct {
		name    string
		traffic traffic
		days    int
		silence time.Time
		least   time.Duration // from the silence on until it is noticed; 0 is never
		most    time.Duration
	}{
		{"always", always, 30, never, 0, 0},
		{"always, and then no more", always, 30, monday.AddDate(0, 0, 20), 4 * time.Hour, 8 * time.Hour},
		{"too new to judge", always, 12, monday.AddDate(0, 0, 5), 0, 0},
		{"the office", office, 60, never, 0, 0},
		{"the office, and nobody since Friday night", office, 30, monday.AddDate(0, 0, 18).Add(19 * time.Hour), 84 * time.Hour, 96 * time.Hour},
		{"the office, and nobody since Tuesday morning", office, 30, monday.AddDate(0, 0, 15).Add(9 * time.Hour), 84 * time.Hour, 96 * time.Hour},
		{"nothing at all", randomly(0), 30, never, 0, 0},
	} {
		_, alarm := watch(rand.New(rand.NewPCG(1, 1)), test.traffic, test.days, test.silence)
		took := alarm.Sub(test.silence)
		if test.most == 0 && !alarm.IsZero() || test.most > 0 && (alarm.IsZero() || took < test.least || took > test.most) {
			t.Errorf("%s: noticed at %s, %s after", test.name, alarm, took)
		}
	}
}

// TestSilenceOfOrdinaryTables has months of ordinary traffic raise hardly any
// alarm, and the end of it raise one soon.
func TestTableSilenceOrdinary(t *testing.T) {
	t.Parallel()
	const months = 60
	for _, test := range []struct {
		name    string
		traffic traffic
		most    int           // months of these with a false alarm
		late    time.Duration // the longest that a silence goes unnoticed
		missed  int           // silences that nobody notices: there was too little before
	}{
		{"busy by day, hardly anything by night", mostly(0.99, 0.05), 1, 5 * 24 * time.Hour, 0},
		{"quiet by day and night", mostly(0.26, 0.02), 1, 10 * 24 * time.Hour, 0},
		{"one a day", randomly(0.041), 1, 30 * 24 * time.Hour, 0},
		{"one in two days", randomly(0.021), 2, 65 * 24 * time.Hour, 2},
		{"one in six hours", randomly(0.15), 1, 7 * 24 * time.Hour, 0},
		{"one in two hours", randomly(0.39), 1, 3 * 24 * time.Hour, 0},
		{"almost always", randomly(0.95), 1, 16 * time.Hour, 0},
	} {
		alarms, missed := 0, 0
		var worst time.Duration
		for seed := range uint64(months) {
			rng := rand.New(rand.NewPCG(seed, 2))
			silence := monday.AddDate(0, 0, 45)
			_, alarm := watch(rng, test.traffic, 45, silence)
			if !alarm.IsZero() {
				alarms++
				continue
			}
			rng = rand.New(rand.NewPCG(seed, 2))
			_, alarm = watch(rng, test.traffic, 120, silence)
			if alarm.IsZero() {
				missed++
			} else {
				worst = max(worst, alarm.Sub(silence))
			}
		}
		t.Logf("%s: %d false alarms in %d months, %d silences not noticed, the others after %s at most", test.name, alarms, months, missed, worst)
		if alarms > test.most || missed > test.missed || worst > test.late {
			t.Errorf("%s: %d false alarms in %d months, %d silences not noticed, the others after %s", test.name, alarms, months, missed, worst)
		}
	}
}

// A silence that was reported is no part of the rhythm: the next is noticed as soon.
func TestTableSilenceAgain(t *testing.T) {
	t.Parallel()
	const lateness = 2 * time.Hour
	for _, test := range []struct {
		name    string
		traffic traffic
		most    time.Duration
	}{{"always", always, 12 * time.Hour}, {"the office", office, 96 * time.Hour}} {
		var r Rhythm
		silent := func(h time.Time) bool { // two silences, each of a week
			day := int(h.Sub(monday).Hours()) / 24
			return day >= 21 && day < 28 || day >= 35 && day < 42
		}
		var sent, took []time.Duration
		open, since := false, int64(0)
		for h := monday; h.Before(monday.AddDate(0, 0, 60)); h = h.Add(time.Hour) {
			now := h.Add(time.Hour + 5*time.Minute)
			if !silent(h) && test.traffic(h) > 0 {
				r.Add([]int64{HourOf(h)})
				if open && TimeOf(r.Newest()).After(TimeOf(since)) {
					r.Heal(since)
					open = false
				}
			}
			if v := r.Judge(now, lateness); v.Silent && !open {
				open, since = true, HourOf(v.Newest)
				begun := monday.AddDate(0, 0, 21)
				if len(sent) > 0 {
					begun = monday.AddDate(0, 0, 35)
				}
				sent, took = append(sent, now.Sub(monday)), append(took, now.Sub(begun))
			}
		}
		if len(sent) != 2 || took[0] > test.most || took[1] > test.most {
			t.Errorf("%s: noticed after %s", test.name, took)
		}
	}
}
