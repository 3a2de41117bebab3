package main

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"pushback/detect/kql"
	"pushback/detect/ledger/azurite"
	"pushback/detect/logs"
	"pushback/detect/rule"
)

// TestProcessLate has a record come in almost three days late. The binary finds it
// with the next look, across a restart and whatever the catch-up is, and runs no
// other window again.
func TestProcessLate(t *testing.T) {
	t.Parallel()
	r := rule.Default()
	read, err := logs.Read(t.Context(), filepath.Join(folder(t, map[string]string{
		"logs.ndjson": lateSignIn("SigninLogs", "09:20", "17T09:21:00", "ann") + lateSignIn("SigninLogs", "09:30", "20T06:30:00", "bob"),
	}), "logs.ndjson"), logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tables, _ := withKnown(library{}, read, r.Query.Text)
	c := newCloud(t)
	c.service.DB = kql.NewDatabase(tables...)
	h := startHost(t, c, oneRule(newLedgerTable(t).settings(azurite.Addr(t)), map[string]string{"PUSHBACK_CATCH_UP": "1h", "PUSHBACK_CONTEXT": "off"}))
	var again []string
	ran, reported := map[string]int{}, 0
	for hour := 9; hour <= 81; hour++ {
		if hour == 60 {
			h.stop()
			h.start()
		}
		got := h.tick(c, at(hour, 5), http.StatusOK)
		for _, run := range got.answer.ReturnValue.Rules {
			for _, w := range run.Windows {
				end := w.End.UTC().Format("2 15:04")
				if ran[end]++; ran[end] > 1 {
					again = append(again, "at "+at(hour, 5).Format("2 15:04")+" to "+end)
				}
				reported += w.New
			}
		}
	}
	h.stop()
	if reported != 2 || len(ran) != 73 {
		t.Errorf("%d activities of %d windows are reported", reported, len(ran))
	}
	if want := []string{"at 20 07:05 to 17 10:00"}; !slices.Equal(again, want) {
		t.Errorf("run again: %v, want %v", again, want)
	}
}
