package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"pushback/detect/kql"
	"pushback/detect/ledger"
	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/detect/sample"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// TestPositionsSurviveTheAPI sends a query that is wrong through azquery to the
// local engine. It expects the place of the mistake in the rule's own text: the
// API counts characters from 0, and lines of ours stand before it.
func TestPositionsSurviveTheAPI(t *testing.T) {
	t.Parallel()
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	l := &logs.Logs{Tables: []*kql.Table{kql.NewTableBuilder("SigninLogs", kql.KnownTables()["SigninLogs"]).Build()}}
	for _, tc := range []struct {
		query        string
		line, column int
	}{
		{"Nowhere", 1, 1},
		{"SigninLogs\n| where Nothing == 1", 2, 9},
		{"SigninLogs\n| summarise count()", 2, 3},
		{"SigninLogs\n| extend x = 'é', y = nothing(1)", 2, 23},
	} {
		r := rule.Default()
		r.Query.Text = tc.query
		sim, err := newSimulation(l, library{}, []*rule.Rule{r}, s, sample.DefaultDay, sample.DefaultDay.Add(time.Hour), nil, ledger.NewMemory(), &collector{})
		if err != nil {
			t.Fatal(err)
		}
		sim.now = sample.DefaultDay.Add(2 * time.Hour)
		_, err = sim.detector.Tick(context.Background(), sim.now)
		var e *workspace.QueryError
		if !errors.As(err, &e) || e.Line != tc.line || e.Column != tc.column {
			t.Errorf("%q: %v, want line %d, column %d", tc.query, err, tc.line, tc.column)
		}
	}
}
