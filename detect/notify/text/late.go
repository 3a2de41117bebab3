// Package text makes text from logs safe to show, and holds the sentences that
// destinations share.
//
// What comes from a log is shown and never obeyed: not by a terminal ([Safe]),
// not by what reads Markdown ([Markdown]) or HTML ([Entities]), and not by a
// program that makes links of bare addresses ([Defang]).
package text

import (
	"fmt"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Late says how late an alert is sent and when it was made, or nothing if it is
// not late.
func Late(a alert.Alert) string {
	late := a.Late()
	if late == 0 {
		return ""
	}
	return fmt.Sprintf("Sent %s late: Pushback found it at %s UTC", Length(late), a.Created.UTC().Format("2006-01-02 15:04"))
}

// Length writes a length of time in days, hours and minutes, the largest two.
func Length(d time.Duration) string {
	d = max(d.Round(time.Minute), time.Minute)
	parts := []struct {
		n    time.Duration
		unit string
	}{{d / (24 * time.Hour), "d"}, {d / time.Hour % 24, "h"}, {d / time.Minute % 60, "min"}}
	var words []string
	for _, p := range parts {
		if p.n > 0 && len(words) < 2 {
			words = append(words, fmt.Sprintf("%d %s", p.n, p.unit))
		}
	}
	return strings.Join(words, " ")
}
