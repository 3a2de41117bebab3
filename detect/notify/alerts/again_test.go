package alerts_test

import (
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/alerts"
)

// An alert that is still owed long after its row was written, since noting that it
// was sent failed, is not written again: whatever the journal forgot of it.
func TestRowsAreNotForgotten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		wait func(w *world, d *alerts.Destination)
	}{
		{"the app is down for a day", func(w *world, _ *alerts.Destination) { w.pass(25 * time.Hour) }},
		{"its alert arrived", func(w *world, d *alerts.Destination) {
			for range 15 {
				w.pass(5 * time.Minute)
				if _, err := d.Follow(t.Context(), w.clock()); err != nil {
					t.Error(err)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sentinelRules()
			d := w.start()
			list := []alert.Alert{rejection("kim", w.clock())}
			for range 2 {
				for _, o := range d.Deliver(t.Context(), list, w.clock()) {
					if o.Err != nil || o.Again {
						t.Fatalf("%+v", o)
					}
				}
				test.wait(w, d)
				d = w.start()
			}
			if rows, made := len(w.ingestion.Records()), len(w.sentinel.Alerts()); rows != 1 || made != 1 {
				t.Errorf("%d rows and %d alerts, want one", rows, made)
			}
		})
	}
}

// Several apps write no more together than one may alone.
func TestAppsShareTheMeasure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	written := 0
	list := many(100, w.clock())
	for app := range 4 {
		for _, o := range w.start().Deliver(t.Context(), list[app*25:app*25+25], w.clock()) {
			if o.Err == nil {
				written++
			}
		}
	}
	if written != alerts.MostPer {
		t.Errorf("%d rows, want %d", written, alerts.MostPer)
	}
}
