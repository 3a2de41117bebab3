package transport

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)
	const theirs = "Tue, 17 Mar 2026 11:00:00 GMT" // their clock is an hour late
	for _, tt := range []struct {
		name, value, date string
		want              time.Duration
	}{
		{"Retry-After", "30", "", 30 * time.Second},
		{"Retry-After", " 30 ", "", 30 * time.Second},
		{"Retry-After", "0", "", 0},
		{"Retry-After", "", "", 0},
		{"Retry-After", "-1", "", 0},
		{"Retry-After", "-1" + strings.Repeat("0", 30), "", 0},
		{"Retry-After", "soon", "", 0},
		{"Retry-After", "3600", "", time.Hour},
		{"Retry-After", "3601", "", time.Hour},
		{"Retry-After", "9223372036854775807", "", time.Hour},
		{"Retry-After", "9223372036854775808", "", time.Hour},
		{"Retry-After", "10000000000", "", time.Hour}, // overflows as a duration
		{"Retry-After", "1" + strings.Repeat("0", 30), "", time.Hour},
		{"Retry-After", "Tue, 17 Mar 2026 12:10:00 GMT", "", 10 * time.Minute},
		{"Retry-After", "Tue, 17 Mar 2026 11:10:00 GMT", theirs, 10 * time.Minute},
		{"Retry-After", "Tue, 17 Mar 2026 12:10:00 GMT", "yesterday", 10 * time.Minute},
		{"Retry-After", "Tue, 17 Mar 2026 10:00:00 GMT", theirs, 0},
		{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT", "", time.Hour},
		{"Retry-After", "Monday, 01-Jan-01 00:00:00 GMT", "", 0},
		{"Retry-After-Ms", "20", "", 20 * time.Millisecond},
		{"Retry-After-Ms", "1" + strings.Repeat("0", 30), "", time.Hour},
		{"X-Ms-Retry-After-Ms", "20", "", 20 * time.Millisecond},
		{"Other", "20", "", 0},
	} {
		h := http.Header{http.CanonicalHeaderKey(tt.name): {tt.value}}
		if tt.date != "" {
			h.Set("Date", tt.date)
		}
		if got := RetryAfter(h, now); got != tt.want {
			t.Errorf("%s: %s at %q is %s, want %s", tt.name, tt.value, tt.date, got, tt.want)
		}
		capRetryAfter(h, now)
		if got := RetryAfter(h, now); got != tt.want {
			t.Errorf("%s: %s at %q is %s after it was capped, want %s", tt.name, tt.value, tt.date, got, tt.want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"30", "-1", "1e30", "99999999999999999999", "Tue, 17 Mar 2026 12:10:00 GMT", "\x00"} {
		f.Add(seed, "Tue, 17 Mar 2026 12:00:00 GMT")
	}
	now := time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value, date string) {
		h := http.Header{"Retry-After": {value}, "Date": {date}}
		got := RetryAfter(h, now)
		if got < 0 || got > mostRetryAfter {
			t.Fatalf("%q at %q is %s", value, date, got)
		}
		capRetryAfter(h, now)
		// What azcore reads with Atoi has to fit.
		if text := h.Get("Retry-After"); text != "" {
			if n, err := strconv.Atoi(text); err != nil || n < 1 || n > int(mostRetryAfter/time.Second) {
				t.Fatalf("%q becomes %q", value, text)
			}
		}
	})
}
