package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

func TestAlertLog(t *testing.T) {
	t.Parallel()
	many := make([]string, mostLogValues+1)
	for i := range many {
		many[i] = strings.Repeat("é", mostLogWidth+1)
	}
	a := alert.Alert{
		ID: "an-id", RuleID: "a-rule", RuleName: "A rule", Severity: alert.High, Title: "refused by \x1b[2Jx\u202e",
		Span: alert.Span{Start: at(10, 1), End: at(10, 2)},
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "x@y.example\n{}"}, {Identifier: "Name", Value: "x"}}},
			{Type: "IP"},
		},
		CustomDetails: []alert.Detail{{Name: "Many", Values: many}},
		Activities:    []alert.Activity{{Previously: []alert.Span{{Start: at(10, 0), End: at(10, 1)}}}},
		Rows:          []alert.Row{{{Column: "Secret", Value: json.RawMessage(`"not in the log"`)}}},
	}
	var stdout bytes.Buffer
	log := newLogger(&stdout, io.Discard, slog.LevelError) // alerts are sent whatever is logged
	if err := (alertLog{log.Handler()}).Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	out := stdout.String()
	if strings.Count(out, "\n") != 1 || strings.ContainsAny(out, "\x1b\u202e") || strings.Contains(out, "not in the log") {
		t.Errorf("%q", out)
	}
	var got struct {
		Level, Msg, ID, Rule, Name, Severity, Title, Start, End string
		Continues                                               bool
		Entities                                                []string
		Details                                                 map[string][]string
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if n := len(got.Details["Many"]); n != mostLogValues+1 || got.Details["Many"][mostLogValues] != fmt.Sprintf("and %d more", len(many)-mostLogValues) || len(got.Details["Many"][0]) >= len(many[0]) {
		t.Errorf("%d details, the first %q", n, got.Details["Many"][0])
	}
	got.Details = nil
	want := got
	want.Level, want.Msg, want.ID, want.Rule, want.Name, want.Severity = "INFO", "alert", "an-id", "a-rule", "A rule", "High"
	want.Title, want.Start, want.End, want.Continues = a.Title, "2026-03-17T10:01:00Z", "2026-03-17T10:02:00Z", true
	want.Entities = []string{"Account x@y.example\n{}"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// TestAlertLogFails has an alert that could not be written stay owed.
func TestAlertLogFails(t *testing.T) {
	t.Parallel()
	log := newLogger(fullDisk{}, io.Discard, slog.LevelInfo)
	if err := (alertLog{log.Handler()}).Notify(t.Context(), alert.Alert{}); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("%v", err)
	}
}
