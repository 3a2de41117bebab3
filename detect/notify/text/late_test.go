package text

import (
	"testing"
	"time"

	"pushback/detect/alert"
)

func TestLate(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 3, 17, 10, 5, 0, 0, time.UTC)
	for _, test := range []struct {
		after time.Duration
		want  string
	}{
		{0, ""},
		{-time.Hour, ""},
		{20 * time.Second, "Sent 1 min late: Pushback found it at 2026-03-17 10:05 UTC"},
		{11 * time.Minute, "Sent 11 min late: Pushback found it at 2026-03-17 10:05 UTC"},
		{2 * time.Hour, "Sent 2 h late: Pushback found it at 2026-03-17 10:05 UTC"},
		{3*time.Hour + 20*time.Minute, "Sent 3 h 20 min late: Pushback found it at 2026-03-17 10:05 UTC"},
		{50*time.Hour + 20*time.Minute, "Sent 2 d 2 h late: Pushback found it at 2026-03-17 10:05 UTC"},
	} {
		if got := Late(alert.Alert{Created: made, SentAt: made.Add(test.after)}); got != test.want {
			t.Errorf("after %s: %q, want %q", test.after, got, test.want)
		}
	}
	if got := Late(alert.Alert{Created: made}); got != "" {
		t.Errorf("in time: %q", got)
	}
	if got := Late(alert.Alert{SentAt: made}); got != "" {
		t.Errorf("made at no time: %q", got)
	}
}
