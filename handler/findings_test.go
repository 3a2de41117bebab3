package main

import (
	"testing"

	"pushback/detect/alert"
)

// TestDemoFindings expects the demo's day to show each kind of finding.
func TestDemoFindings(t *testing.T) {
	t.Parallel()
	shown := map[alert.FindingKind]bool{}
	updates := 0
	for _, a := range handler(t, "demo", "--json").alerts(t) {
		if a.Updates != nil {
			updates++
		}
		if a.Context == nil {
			t.Errorf("%s has no context", a.Title)
			continue
		}
		for _, f := range a.Context.Findings {
			shown[f.Kind] = true
		}
		if len(a.Context.Unavailable) > 0 {
			t.Errorf("%s: %q", a.Title, a.Context.Unavailable)
		}
	}
	for _, kind := range alert.FindingKinds() {
		if !shown[kind] {
			t.Errorf("the day shows no %s", kind)
		}
	}
	if updates != 1 {
		t.Errorf("%d updates", updates)
	}
}
