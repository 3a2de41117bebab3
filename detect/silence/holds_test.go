package silence

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHoldsAndWeek pins what routes ask of hours.
func TestHoldsAndWeek(t *testing.T) {
	t.Parallel()
	h, err := ParseHours("Sun 22:00-06:00 Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"2026-12-06T21:00:00Z": true, "2026-12-06T20:59:59Z": false, "2026-12-07T04:59:59Z": true, "2026-12-07T05:00:00Z": false} {
		at, err := ParseTime(text)
		if err != nil || h.Holds(at) != want {
			t.Errorf("%s: %t, %v", text, !want, err)
		}
	}
	parts, zone := h.Week()
	if diff := cmp.Diff([][2]int{{0, 360}, {WeekMinutes - 120, WeekMinutes}}, parts); diff != "" || zone.String() != "Europe/Berlin" {
		t.Error(diff, zone)
	}
}

// TestPattern pins what routes ask of patterns.
func TestPattern(t *testing.T) {
	t.Parallel()
	if p := NewPattern("MFA *"); !p.Matches(" mfa Rejected ") || p.Matches("no mfa x") || p.IsText() {
		t.Error("a pattern with a star")
	}
	if p := NewPattern("::ffff:203.0.113.7"); !p.Matches("203.0.113.7") || !p.IsText() {
		t.Error("a text")
	}
}
