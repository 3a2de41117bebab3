package silence

import (
	"testing"
	"time"

	"pushback/detect/alert"
)

// TestHours pins the edges of weekly hours, also where the clock is changed: an hour
// that it skips does not come, and one that it shows twice counts both times.
func TestHours(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, hours, start, end string // an empty end is the start
		want                    bool
	}{
		{"first moment", "Tue 08:00-12:00 Europe/Berlin", "2026-12-01T07:00:00Z", "", true},
		{"just before", "Tue 08:00-12:00 Europe/Berlin", "2026-12-01T06:59:59.9999999Z", "", false},
		{"last moment", "Tue 08:00-12:00 Europe/Berlin", "2026-12-01T10:59:59.9999999Z", "", true},
		{"the end", "Tue 08:00-12:00 Europe/Berlin", "2026-12-01T11:00:00Z", "", false},
		{"another day", "Tue 08:00-12:00 Europe/Berlin", "2026-12-02T09:00:00Z", "", false},
		{"in summer an hour earlier", "Tue 08:00-12:00 Europe/Berlin", "2026-07-07T06:00:00Z", "", true},
		{"in summer not an hour later", "Tue 08:00-12:00 Europe/Berlin", "2026-07-07T10:00:00Z", "", false},
		{"all of a span", "Tue 08:00-12:00", "2026-12-01T08:00:00Z", "2026-12-01T11:59:59Z", true},
		{"a span that goes on", "Tue 08:00-12:00", "2026-12-01T08:00:00Z", "2026-12-01T12:00:00Z", false},
		{"a span that began before", "Tue 08:00-12:00", "2026-12-01T07:59:59Z", "2026-12-01T09:00:00Z", false},
		{"from week to week", "Tue 08:00-12:00", "2026-12-01T09:00:00Z", "2026-12-08T09:00:00Z", false},
		{"over midnight, before", "Fri 22:00-06:00", "2026-12-04T23:00:00Z", "", true},
		{"over midnight, after", "Fri 22:00-06:00", "2026-12-04T23:00:00Z", "2026-12-05T05:59:00Z", true},
		{"over midnight, the day before", "Fri 22:00-06:00", "2026-12-04T05:00:00Z", "", false},
		{"over the week's end", "Sun 22:00-06:00", "2026-12-06T23:00:00Z", "2026-12-07T05:00:00Z", true},
		{"days that touch", "Mon-Fri 00:00-24:00", "2026-11-30T00:00:00Z", "2026-12-04T23:59:59Z", true},
		{"days that touch, and no more", "Mon-Fri 00:00-24:00", "2026-11-30T00:00:00Z", "2026-12-05T00:00:00Z", false},
		{"every day, for weeks", "daily 00:00-24:00 Europe/Berlin", "2026-10-01T00:00:00Z", "2026-12-05T00:00:00Z", true},
		{"a range over the week's end", "Sat-Mon 00:00-24:00", "2026-12-05T00:00:00Z", "2026-12-07T23:00:00Z", true},
		{"a list", "mon,Wednesday 01:00-02:00", "2026-12-02T01:30:00Z", "", true},

		// In Berlin 02:00 became 03:00 on 29 March 2026, at 01:00 UTC.
		{"skipped: no moment has it", "Sun 02:00-03:00 Europe/Berlin", "2026-03-29T00:59:59Z", "", false},
		{"skipped: the moment after", "Sun 02:00-03:00 Europe/Berlin", "2026-03-29T01:00:00Z", "", false},
		{"over what is skipped", "Sun 01:00-04:00 Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", true},
		{"over what is skipped, and no more", "Sun 01:00-04:00 Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T02:00:00Z", false},
		{"begins in what is skipped", "Sun 02:30-04:00 Europe/Berlin", "2026-03-29T01:00:00Z", "", true},
		{"ends in what is skipped", "Sun 01:00-02:30 Europe/Berlin", "2026-03-29T00:59:59Z", "", true},
		{"ends in what is skipped, after", "Sun 01:00-02:30 Europe/Berlin", "2026-03-29T01:00:00Z", "", false},

		// There 03:00 became 02:00 on 25 October 2026, at 01:00 UTC.
		{"twice: the first", "Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:30:00Z", "", true},
		{"twice: the second", "Sun 02:00-03:00 Europe/Berlin", "2026-10-25T01:30:00Z", "", true},
		{"twice: both", "Sun 02:00-03:00 Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T01:59:59Z", true},
		{"twice: the end", "Sun 02:00-03:00 Europe/Berlin", "2026-10-25T02:00:00Z", "", false},
		{"twice: a part, with what is between", "Sun 02:30-03:00 Europe/Berlin", "2026-10-25T00:45:00Z", "2026-10-25T01:45:00Z", false},
		{"twice: a part, the second", "Sun 02:30-03:00 Europe/Berlin", "2026-10-25T01:45:00Z", "", true},

		{"half an hour of change", "Sun 01:30-02:00 Australia/Lord_Howe", "2026-04-04T15:15:00Z", "", true},
		{"the other side of the date line", "Mon 00:00-24:00 Pacific/Kiritimati", "2026-11-29T10:00:00Z", "2026-11-30T09:59:59Z", true},
		{"long before", "daily 00:00-24:00", "1970-01-01T00:00:00Z", "", true},
		{"huge dates", "Tue 08:00-12:00 Europe/Berlin", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, err := ParseHours(tt.hours)
			if err != nil {
				t.Fatal(err)
			}
			span := alert.Between(when(t, tt.start), when(t, tt.start))
			if tt.end != "" {
				span.End = when(t, tt.end)
			}
			if got := within([]Hours{h}, span); got != tt.want {
				t.Errorf("%s to %s is in %q: %v, want %v", tt.start, tt.end, tt.hours, got, tt.want)
			}
		})
	}
}

// TestHoursMinuteByMinute compares hours with the clock of the place, minute by minute
// over the days around a change.
func TestHoursMinuteByMinute(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ hours, zone, from string }{
		{"daily 01:30-02:15 Europe/Berlin", "Europe/Berlin", "2026-03-28T00:00:00Z"},
		{"daily 02:30-03:30 Europe/Berlin", "Europe/Berlin", "2026-10-24T00:00:00Z"},
		{"Sun 00:30-02:30 America/New_York", "America/New_York", "2026-10-31T00:00:00Z"},
		{"daily 23:30-00:30 America/Santiago", "America/Santiago", "2026-09-05T00:00:00Z"}, // which changes at midnight
		{"daily 01:45-02:10 Australia/Lord_Howe", "Australia/Lord_Howe", "2026-04-03T12:00:00Z"},
	} {
		t.Run(tt.hours, func(t *testing.T) {
			t.Parallel()
			h, err := ParseHours(tt.hours)
			if err != nil {
				t.Fatal(err)
			}
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			days, clock := tt.hours[:3], h.text[len(h.text)-len(tt.zone)-12:len(h.text)-len(tt.zone)-1]
			from, to := clock[:5], clock[6:]
			for at := when(t, tt.from); at.Before(when(t, tt.from).Add(72 * time.Hour)); at = at.Add(time.Minute) {
				local := at.In(zone)
				now := local.Format("15:04")
				want := now >= from && now < to
				if to < from {
					want = now >= from || now < to
				}
				if days == "Sun" {
					want = want && local.Weekday() == time.Sunday
				}
				if got := within([]Hours{h}, alert.Between(at, at)); got != want {
					t.Errorf("%s: %v, want %v", local, got, want)
				}
			}
		})
	}
}

func TestHoursThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "Tue", "08:00-12:00", "Tue 08:00", "Tue 8-12", "Tue 24:00-25:00", "Tue 24:00-01:00", "Tue 08:60-09:00", "Tue 08:00-12:00 Local",
		"Tue 08:00-12:00 Europe/Nowhere", "Tue 08:00-12:00 ../../etc/passwd", "Tue 08:00-12:00 Europe/Berlin CET", "Tues 08:00-12:00", "Mon- 08:00-12:00", "Tue -1:00-12:00", "Tue 08:00-12:00-13:00",
	} {
		if h, err := ParseHours(text); err == nil {
			t.Errorf("ParseHours(%q) = %v, want an error", text, h)
		}
	}
}

func when(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
