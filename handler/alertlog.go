package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/text"
)

// alertLog is the destination of alerts where no other is set up: it writes
// each as one line of the log, whatever the log level.
type alertLog struct{ handler slog.Handler }

// Name is "log".
func (alertLog) Name() string { return "log" }

// The most of an alert that its line holds: the host cuts lines of 32 KiB.
const (
	mostLogValues = 20
	mostLogWidth  = 200
)

// Notify writes the line. What the alert's values say is shortened, its rows
// are left out.
func (l alertLog) Notify(ctx context.Context, a alert.Alert) error {
	r := slog.NewRecord(time.Now(), slog.LevelInfo, "alert", 0)
	r.AddAttrs(
		slog.String("id", a.ID),
		slog.String("rule", a.RuleID),
		slog.String("name", a.RuleName),
		slog.String("severity", a.Severity.String()),
		slog.String("title", shortened(a.Title)),
	)
	if a.Span.Known() {
		r.AddAttrs(slog.Time("start", a.Span.Start), slog.Time("end", a.Span.End))
	}
	r.AddAttrs(slog.Bool("continues", len(a.Previously()) > 0))
	var entities []string
	for _, e := range a.Entities {
		if len(e.Fields) > 0 {
			entities = append(entities, shortened(e.Type+" "+e.Fields[0].Value))
		}
	}
	if len(entities) > 0 {
		r.AddAttrs(slog.Any("entities", some(entities)))
	}
	if late := a.Late(); late > 0 {
		r.AddAttrs(slog.String("late", late.Round(time.Second).String()))
	}
	if s := a.Storm; s != nil {
		r.AddAttrs(slog.Group("storm", slog.Int("alerts", s.Alerts), slog.Int("identities", s.Identities), slog.Int("rows", s.Rows)))
	}
	if a.Updates != nil {
		r.AddAttrs(slog.String("updateOf", a.Updates.ID))
	}
	if a.Context != nil && len(a.Context.Findings) > 0 {
		var found []string
		for _, f := range a.Context.Findings {
			found = append(found, shortened(string(f.Kind)+": "+f.Text))
		}
		r.AddAttrs(slog.Any("findings", found))
	}
	var details []any
	for _, d := range a.CustomDetails {
		values := some(d.Values)
		for i, v := range values {
			values[i] = shortened(v)
		}
		details = append(details, slog.Any(d.Name, values))
	}
	r.AddAttrs(slog.Group("details", details...))
	if err := l.handler.Handle(ctx, r); err != nil {
		// The log is this process's own: the next one has another.
		return &notify.Error{Err: fmt.Errorf("writing to the log: %w", err), Local: true}
	}
	return nil
}

// some returns the first of the values, and how many more there are.
func some(values []string) []string {
	return text.List(values, mostLogValues, func(v string) string { return v })
}

func shortened(value string) string {
	if len(value) <= mostLogWidth { // no narrower than it has bytes
		return value
	}
	return text.Cut(value, mostLogWidth)
}
