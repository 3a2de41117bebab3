package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// mostRetryAfter is how long a service is left alone at most because it asks
// for it: a slip of its own must not silence it.
const mostRetryAfter = time.Hour

// retryHeaders are the headers that say when to try again, in the order in which
// azcore looks at them.
var retryHeaders = []struct {
	name string
	unit time.Duration
}{
	{"Retry-After-Ms", time.Millisecond},
	{"X-Ms-Retry-After-Ms", time.Millisecond},
	{"Retry-After", time.Second},
}

// RetryAfter returns how long a service asks to be left alone, at most
// an hour, or 0 if it does not ask. A date is compared with the
// service's own, or without one with now.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	for _, header := range retryHeaders {
		if d := wait(strings.TrimSpace(h.Get(header.name)), header.unit, h, now); d > 0 {
			return d
		}
	}
	return 0
}

// wait reads one header.
func wait(text string, unit time.Duration, h http.Header, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if strings.Trim(text, "0123456789") == "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > int64(mostRetryAfter/unit) { // past what an integer holds is long, too
			return mostRetryAfter
		}
		return time.Duration(n) * unit
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), mostRetryAfter)
}

// capRetryAfter has azcore see no longer wait than is kept to. It would take a
// number past what it can hold for none.
func capRetryAfter(h http.Header, now time.Time) {
	asked := RetryAfter(h, now)
	for _, header := range retryHeaders {
		h.Del(header.name)
	}
	if asked > 0 {
		h.Set("Retry-After-Ms", strconv.FormatInt(max(asked.Milliseconds(), 1), 10))
		h.Set("Retry-After", strconv.FormatInt(int64((asked+time.Second-1)/time.Second), 10))
	}
}
