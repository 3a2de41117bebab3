package detect

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// verdictsOf is a Verdicts that notes when it is asked.
type verdictsOf struct {
	asked []time.Time
	read  func(ctx context.Context) error
	sent  *inbox
	known int // how many alerts were sent when it was asked last
}

func (v *verdictsOf) Read(ctx context.Context, now time.Time) error {
	v.asked, v.known = append(v.asked, now), len(v.sent.alerts)
	return v.read(ctx)
}

// What analysts decided is read when all is delivered, and whatever becomes of that
// is a warning: the tick does not fail, and no alert waits.
func TestVerdictsBlockNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		read func(context.Context) error
		want string // of the warnings
	}{
		{"read", func(context.Context) error { return nil }, ""},
		{"refused", func(context.Context) error { return errors.New("403") }, "the verdicts of analysts are not as of today: 403"},
		{"a mistake", func(context.Context) error { panic("oops") }, "the verdicts of analysts are not as of today: panic: oops"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v := &verdictsOf{read: test.read}
			c := config()
			c.Verdicts = v
			d := newDay(t, c, []event{happened("1", "alice", "09:10")}, counting(time.Hour, time.Hour))
			v.sent = d.inbox
			d.restart()
			report, err := d.tick(clock("10:05"))
			if err != nil || len(d.inbox.alerts) != 1 || v.known != 1 || len(v.asked) != 1 || !v.asked[0].Equal(clock("10:05")) {
				t.Errorf("%v, %d alerts, asked %v when %d were sent", err, len(d.inbox.alerts), v.asked, v.known)
			}
			if got := strings.Join(report.HealthWarnings, "\n"); got != test.want {
				t.Errorf("warnings %q, want %q", got, test.want)
			}
		})
	}
}
