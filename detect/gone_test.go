package detect

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// deletable is a ledger whose table can be deleted, and made anew.
type deletable struct {
	*ledger.Ledger
	gone bool
}

func (d *deletable) Begin(ctx context.Context) error {
	if d.gone {
		return fmt.Errorf("reading: %w", ledger.ErrNoTable)
	}
	return d.Ledger.Begin(ctx)
}

func (d *deletable) remake() { d.Ledger, d.gone = ledger.NewMemory().Ledger, false }

// TestLedgerGone takes the ledger away for a few hours: each tick fails, nothing
// that happens meanwhile is forgotten, and one health alert says so. That of a
// process that never saw a ledger says that there may never have been one.
func TestLedgerGone(t *testing.T) {
	t.Parallel()
	var events []event
	for hour := 8; hour < 18; hour++ {
		events = append(events, happened(fmt.Sprint("e", hour), fmt.Sprintf("user%02d", hour), fmt.Sprintf("%02d:20", hour)))
	}
	for _, tc := range []struct {
		name          string
		deleted, made int // hours; at once if they are the same
		restart       bool
		fails         int
	}{
		{"for a while", 11, 14, false, 3},
		{"between two ticks", 12, 12, false, 0},
		{"with a restart meanwhile", 11, 14, true, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := config()
			c.Lateness, c.Health = 0, DefaultHealth()
			d := newDay(t, c, events, counting(time.Hour, time.Hour))
			l := &deletable{Ledger: ledger.NewMemory().Ledger}
			d.ledger = l
			d.restart()
			failed := 0
			for hour := 9; hour <= 19; hour++ {
				l.gone = l.gone || hour == tc.deleted && tc.deleted < tc.made
				if hour == tc.made {
					l.remake()
					if tc.restart {
						d.restart()
						d.detector.NoLedger(clock("11:05"))
					}
				}
				report, err := d.tick(clock("00:05").Add(time.Duration(hour) * time.Hour))
				if err != nil {
					if !errors.Is(err, ledger.ErrNoTable) || report.LedgerErr == nil || len(report.Rules) > 0 {
						t.Fatal(err)
					}
					failed++
				}
			}
			var health, missing []string
			sent := map[string]int{}
			for _, a := range d.inbox.alerts {
				if a.RuleID == HealthRuleID {
					health = append(health, a.Title)
					continue
				}
				sent[cellOf(a, "User")]++
			}
			for _, e := range events {
				if sent[e.user] == 0 {
					missing = append(missing, e.user)
				}
			}
			if failed != tc.fails || len(missing) > 0 {
				t.Errorf("%d ticks failed, want %d; %v are missing of %v", failed, tc.fails, missing, sent)
			}
			want := []string{"The ledger was gone", "Over: The ledger was gone"}
			if tc.restart {
				want = []string{"There was no ledger", "Over: There was no ledger"}
			}
			if diff := cmp.Diff(want, health); diff != "" {
				t.Errorf("health (-want +got):\n%s", diff)
			}
		})
	}
}

func cellOf(a alert.Alert, column string) string {
	c, _ := a.Rows[0].Get(column)
	return c.Text()
}
