package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/notify/console"
)

// TestNothingKnownOfAlert has every output show an alert without times, values
// and rows, as one that another version wrote may be.
func TestNothingKnownOfAlert(t *testing.T) {
	t.Parallel()
	a := alert.Alert{
		ID: "1", RuleName: "a rule", Title: "a title", Severity: alert.High,
		Entities: []alert.Entity{{Type: "Account"}, {Type: "Host", Fields: []alert.Field{}}},
		Updates:  &alert.Reference{ID: "0"},
	}
	outputs := map[string]func(*strings.Builder) error{
		"the text": func(out *strings.Builder) error {
			p := &textPrinter{Console: console.New(out, console.Style{Width: 100}), warn: &warnings{w: out}}
			if err := p.Notify(context.Background(), a); err != nil {
				return err
			}
			report := detect.Report{Rules: []detect.RuleRun{{Windows: []detect.WindowRun{{Dropped: []detect.Dropped{{}, {Identity: []alert.Field{{Value: "ana"}}}}}}}}}
			report.Time = time.Date(2026, 3, 17, 10, 5, 0, 0, time.UTC)
			if err := p.tick(report); err != nil {
				return err
			}
			return p.end(0, false)
		},
		"the log": func(out *strings.Builder) error {
			return alertLog{handler: slog.NewJSONHandler(out, nil)}.Notify(context.Background(), a)
		},
		"the page": func(out *strings.Builder) error {
			p := &page{alerts: []alert.Alert{a, a}}
			for _, p.most = range []int{1, 5} {
				cards, err := p.cards()
				if err != nil {
					return err
				}
				text, err := json.Marshal(cards)
				if err != nil {
					return err
				}
				out.Write(text)
			}
			return nil
		},
	}
	for name, write := range outputs {
		var out strings.Builder
		if err := write(&out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if text := out.String(); strings.Contains(text, "0001") || strings.Contains(text, "unknown time") || !strings.Contains(text, "a title") {
			t.Errorf("%s: %s", name, text)
		}
	}
}
