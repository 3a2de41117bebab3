package detect

import (
	"testing"
	"time"
)

// hoursOf lists the hours with records from a day on, for so many days.
func hoursOf(from time.Time, days int, active func(time.Time) bool) []time.Time {
	var hours []time.Time
	for h := from; h.Before(from.AddDate(0, 0, days)); h = h.Add(time.Hour) {
		if active(h) {
			hours = append(hours, h)
		}
	}
	return hours
}

func TestTableSilence(t *testing.T) {
	t.Parallel()
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	always := func(time.Time) bool { return true }
	office := func(h time.Time) bool {
		return h.Weekday() != time.Saturday && h.Weekday() != time.Sunday && h.Hour() >= 7 && h.Hour() < 19
	}
	end := monday.AddDate(0, 0, 15)
	for _, test := range []struct {
		name   string
		hours  []time.Time
		now    time.Time
		silent bool
	}{
		{"never anything", nil, end, false},
		{"always", hoursOf(monday, 15, always), end, false},
		{"always, and not for two hours", hoursOf(monday, 15, always), end.Add(2 * time.Hour), false},
		{"always, and not for four hours", hoursOf(monday, 15, always), end.Add(4 * time.Hour), true},
		{"too new to judge", hoursOf(monday, 3, always), monday.AddDate(0, 0, 5), false},
		{"the office at night", hoursOf(monday, 12, office), monday.AddDate(0, 0, 12).Add(5 * time.Hour), false},
		{"the office after a weekend", hoursOf(monday, 14, office), monday.AddDate(0, 0, 14).Add(7 * time.Hour), false},
		{"the office, and nobody since Friday", hoursOf(monday, 14, office), monday.AddDate(0, 0, 16), true},
	} {
		if _, longest, silent := silence(test.hours, test.now, 2*time.Hour); silent != test.silent {
			t.Errorf("%s: silent is %t, the longest silence before was %s", test.name, silent, longest)
		}
	}
}
