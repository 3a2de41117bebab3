package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/notify/console"
	"pushback/handler/page"
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
			for _, most := range []int{1, 5} {
				p := page.New(page.Options{Most: most})
				p.Add(a)
				p.Add(a)
				for _, path := range []string{"/run.json", "/alert.json?n=1"} {
					w := httptest.NewRecorder()
					p.Handler("").ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1"+path, nil))
					if w.Code != http.StatusOK {
						return errors.New(w.Body.String())
					}
					out.Write(w.Body.Bytes())
				}
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
