package rule

import (
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want time.Duration
		err  string // a part of it
	}{
		{in: "5m", want: 5 * time.Minute},
		{in: "1h", want: time.Hour},
		{in: "14d", want: 14 * day},
		{in: "PT1H", want: time.Hour},
		{in: "pt1h", want: time.Hour},
		{in: "PT5M", want: 5 * time.Minute},
		{in: "P14D", want: 14 * day},
		{in: "P1W", want: week},
		{in: "P1DT12H", want: 36 * time.Hour},
		{in: "PT1H30M15S", want: time.Hour + 30*time.Minute + 15*time.Second},
		{in: "01:00:00", want: time.Hour},
		{in: "1.00:30:00", want: 24*time.Hour + 30*time.Minute},
		{in: "00:05", want: 5 * time.Minute},
		{in: "5min", err: "write a number and m, h or d"},
		{in: "5", err: "write a number and m, h or d"},
		{in: "1s", err: "write a number and m, h or d"},
		{in: "-1h", err: "write a number and m, h or d"},
		{in: "1h30m", err: "write a number and m, h or d"},
		{in: "P1M", err: "write a number and m, h or d"},
		{in: "P", err: "write a number and m, h or d"},
		{in: "PT", err: "write a number and m, h or d"},
		{in: "P1DT", err: "write a number and m, h or d"},
		{in: "0h", err: "longer than zero"},
		{in: "PT0S", err: "longer than zero"},
		{in: "999999d", err: "more than ten years"},
		{in: "99999999999999999999d", err: "more than ten years"},
		{in: "P520WT9999H", err: "more than ten years"},
	}
	for _, test := range tests {
		t.Run(test.in, func(t *testing.T) {
			t.Parallel()
			got, err := parseDuration(test.in)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, %v; want an error with %q", got, err, test.err)
				}
				return
			}
			if err != nil || got != test.want {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

func TestReadLoosely(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in, written string
		want        time.Duration
		err         string
	}{
		{in: "5min", written: "5m", want: 5 * time.Minute},
		{in: "2 Hours", written: "2h", want: 2 * time.Hour},
		{in: "2H", written: "2h", want: 2 * time.Hour},
		{in: "30M", written: "30m", want: 30 * time.Minute},
		{in: "1 day", written: "1d", want: day},
		{in: "0H", written: "0h", err: "longer than zero"},
		{in: "999999D", written: "999999d", err: "more than ten years"},
		{in: "2x", err: "write a number and m, h or d"},
		{in: "2", err: "write a number and m, h or d"},
	}
	for _, test := range tests {
		got, written, err := readLoosely(test.in)
		if got != test.want || written != test.written || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %v, %q, %v", test.in, got, written, err)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{"14d": 14 * day, "36h": 36 * time.Hour, "90m": 90 * time.Minute, "1m1s": 61 * time.Second} {
		if got := formatDuration(d); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
