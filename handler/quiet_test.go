package main

import (
	"context"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/sample"
	"pushback/handler/settings"
)

// TestQuietDaysAreQuiet runs the shipped rules over days of 300 people
// whom nobody attacks.
func TestQuietDaysAreQuiet(t *testing.T) {
	t.Parallel()
	day := sample.QuietDays(sample.Options{}, quietDays)
	for _, a := range alertsOf(t, day, shipped(), quietDays) {
		t.Errorf("%s: %v", a.Title, a.Span)
	}
}

// shipped returns the rules that run by default.
func shipped() []*rule.Rule { return rule.Shipped() }

// alertsOf runs rules over some days as the demo does, and returns what they report.
func alertsOf(t *testing.T, day *sample.Day, rules []*rule.Rule, days int) []alert.Alert {
	t.Helper()
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	s.Lateness = time.Hour // one late pass sees all that comes late
	run := &offline{rules: rules, config: s, read: readerOf(day)}
	ctx := context.Background()
	l, err := run.readFor(ctx, rules, &lateRecords{})
	if err != nil {
		t.Fatal(err)
	}
	var to collector
	sim, err := newSimulation(l, library{}, rules, s, sample.DefaultDay, sample.DefaultDay.AddDate(0, 0, days), nil, ledger.NewMemory(), &to)
	if err != nil {
		t.Fatal(err)
	}
	var failures failureList
	if err := sim.run(ctx, &failures, func(detect.Report) error { return nil }); err != nil || failures.err() != nil {
		t.Fatal(failures.err(), err)
	}
	return to.alerts
}
