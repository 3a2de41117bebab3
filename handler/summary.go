package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect"
	"pushback/detect/notify/text"
	"pushback/handler/settings"
)

// summary is what a tick did, as the host gets it and keeps it.
type summary struct {
	Time       time.Time         `json:"time"`
	Rules      []ruleSummary     `json:"rules"`
	Deliveries []deliverySummary `json:"deliveries"`
	// Silenced is how many alerts each silence held back, by its id.
	Silenced map[string]int `json:"silenced,omitempty"`
}

type ruleSummary struct {
	ID      string          `json:"id"`
	Name    string          `json:"name"`
	Windows []windowSummary `json:"windows"`
	Updates int             `json:"updates,omitempty"`
	Waiting int             `json:"waiting,omitempty"`
	Left    int             `json:"left,omitempty"`
	Skipped *skippedSummary `json:"skipped,omitempty"`
	Error   string          `json:"error,omitempty"`
}

type windowSummary struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Pass    int       `json:"pass"`
	Rows    int       `json:"rows"`
	New     int       `json:"new"`
	Dropped int       `json:"dropped"`
	// Suppressed is left out where there is nothing of it.
	Suppressed int    `json:"suppressed,omitempty"`
	HeldBack   int    `json:"heldBack,omitempty"` // alerts, of those that are new
	Storm      int    `json:"storm,omitempty"`    // alerts that one takes the place of
	Millis     int64  `json:"ms"`
	Error      string `json:"error,omitempty"`
}

type skippedSummary struct {
	Windows    int       `json:"windows"`
	LatePasses int       `json:"latePasses"`
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
}

type deliverySummary struct {
	Destination string `json:"destination"`
	Sent        int    `json:"sent"`
	Pending     int    `json:"pending"`
	Parked      int    `json:"parked,omitempty"`
	More        bool   `json:"more,omitempty"` // there are more than Pending and Parked
	Orphaned    bool   `json:"orphaned,omitempty"`
	Error       string `json:"error,omitempty"`
}

func summarize(r detect.Report) *summary {
	s := &summary{Time: r.Time, Rules: []ruleSummary{}, Deliveries: []deliverySummary{}}
	for _, run := range r.Rules {
		out := ruleSummary{ID: run.RuleID, Name: run.RuleName, Windows: []windowSummary{}, Updates: len(run.Updates), Waiting: run.Waiting, Left: run.Left, Error: errorText(run.Err)}
		for _, w := range run.Windows {
			out.Windows = append(out.Windows, windowSummary{
				Start: w.Window.Start, End: w.Window.End, Pass: w.Pass,
				Rows: w.Rows, New: w.New, Dropped: len(w.Dropped) + w.MoreDropped, Suppressed: len(w.Suppressed) + w.MoreSuppressed, HeldBack: w.HeldBack, Storm: w.Storm,
				Millis: w.Duration.Milliseconds(), Error: errorText(w.Err),
			})
		}
		if k := run.Skipped; k.Any() {
			out.Skipped = &skippedSummary{k.Windows, k.LatePasses, k.From, k.To}
		}
		s.Rules = append(s.Rules, out)
	}
	for _, d := range r.Deliveries {
		s.Deliveries = append(s.Deliveries, deliverySummary{d.Destination, d.Sent, d.Pending, d.Parked, d.More, d.Orphaned, errorText(d.Err)})
	}
	for _, silenced := range r.Silenced() {
		if s.Silenced == nil {
			s.Silenced = map[string]int{}
		}
		s.Silenced[silenced.ID] = len(silenced.Alerts)
	}
	return s
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// line says what the tick did to somebody who reads the log of the invocation in
// the portal. What each rule found is in the lines that logReport writes.
func (s *summary) line(inv invocation) string {
	did := "tick " + s.Time.UTC().Format("2006-01-02 15:04:05")
	if inv.manual {
		did += ", run by hand"
	}
	if inv.pastDue {
		did += ", past due"
	}
	if inv.retry > 0 {
		did += fmt.Sprintf(", retry %d of %d", inv.retry, inv.maxRetries)
	}
	var parts []string
	say := func(n int, format, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, count(int64(n), what)))
		}
	}
	var windows, found, storm, updates, waiting, skipped, parked int
	for _, r := range s.Rules {
		windows += len(r.Windows)
		updates += r.Updates
		waiting += r.Waiting
		if r.Skipped != nil {
			skipped += r.Skipped.Windows + r.Skipped.LatePasses
		}
		for _, w := range r.Windows {
			found += w.New
			storm += w.Storm
		}
	}
	if windows > 0 {
		parts = append(parts, fmt.Sprintf("%s run, %d new", count(int64(windows), "window"), found))
	}
	say(storm, "%s reported as a storm", "alert")
	say(updates, "%s of earlier alerts", "update")
	for _, id := range slices.Sorted(maps.Keys(s.Silenced)) {
		say(s.Silenced[id], "%s held back by silence "+id, "alert")
	}
	say(skipped, "%s skipped, longer ago than "+settings.Prefix+"_CATCH_UP", "window")
	say(waiting, "%s left for the next tick", "window")
	for _, d := range s.Deliveries {
		parked += d.Parked
		if d.Destination != (alertLog{}).Name() || len(s.Deliveries) == 1 { // beside others, the alerts there say enough
			say(d.Sent, "%s sent to "+d.Destination, "alert")
		}
		owed := "%s"
		if d.More {
			owed = "at least %s"
		}
		if d.Orphaned {
			say(d.Pending, owed+" owed to "+d.Destination+", which is not set up any more: see handler outbox", "alert")
		} else {
			say(d.Pending, owed+" still to be sent to "+d.Destination, "alert")
		}
	}
	say(parked, "%s parked: see handler outbox", "alert")
	if len(parts) == 0 {
		parts = append(parts, "nothing was due")
	}
	return text.Safe(did + ": " + strings.Join(parts, "; "))
}

// logReport writes one line per rule and one per destination of a tick, for
// queries and dashboards. One that had nothing to do is for debugging only.
func logReport(ctx context.Context, log *slog.Logger, r detect.Report) {
	log = log.With("tick", r.Time)
	for _, run := range r.Rules {
		logRun(ctx, log, run)
	}
	for _, d := range r.Deliveries {
		logDelivery(ctx, log, d)
	}
	logSilenced(log, r)
	logLoad(log, r)
	if r.LedgerErr != nil {
		log.Error("ledger", "error", r.LedgerErr.Error())
	}
	if r.HealthErr != nil {
		log.Error("health", "error", r.HealthErr.Error())
	}
	if r.PurgeErr != nil {
		log.Error("purge", "removed", r.Purged, "error", r.PurgeErr.Error())
	} else if r.Purged > 0 {
		log.Info("purge", "removed", r.Purged)
	}
	if r.Stopped != nil {
		log.Warn("the tick ended before all was done: the next goes on where it stopped", "why", r.Stopped.Error(), "left", r.Totals().Left)
	}
}

// logSilenced writes a line for each silence that held something back.
func logSilenced(log *slog.Logger, r detect.Report) {
	for _, s := range r.Silenced() {
		ids := make([]string, 0, min(len(s.Alerts), mostLogValues))
		for _, a := range s.Alerts[:min(len(s.Alerts), mostLogValues)] {
			ids = append(ids, a.ID)
		}
		log.Info("silenced", "silence", s.ID, "heldBack", len(s.Alerts), "alerts", ids)
	}
}

// logLoad writes how full a tick was in which something was due.
func logLoad(log *slog.Logger, r detect.Report) {
	waiting := 0
	for _, run := range r.Rules {
		if run.Left > 0 {
			waiting++
		}
	}
	windows := r.Totals().Windows
	if windows == 0 && waiting == 0 {
		return
	}
	log.Info("load", "windows", windows, "queries", r.Queries, "waitingRules", waiting, "ms", r.Duration.Milliseconds(), "of", r.Had.Milliseconds())
}

// logRun writes the line of a rule. What was skipped is a warning of the rule's,
// and is logged with those.
func logRun(ctx context.Context, log *slog.Logger, run detect.RuleRun) {
	level, attrs := slog.LevelDebug, []slog.Attr{slog.String("rule", run.RuleID), slog.String("name", run.RuleName), slog.Int("windows", len(run.Windows))}
	add := func(least slog.Level, more ...slog.Attr) {
		level = max(level, least)
		attrs = append(attrs, more...)
	}
	t, span := run.Totals(), run.Span()
	if t.Windows > 0 {
		add(slog.LevelInfo, slog.Time("from", span.Start), slog.Time("to", span.End),
			slog.Int("rows", t.Rows), slog.Int("new", t.New), slog.Int("dropped", t.Dropped), slog.Int("suppressed", t.Suppressed), slog.Int("updates", t.Updates), slog.Int("heldBack", t.HeldBack),
			slog.Int64("ms", run.Duration.Milliseconds()))
	}
	if passes, found := late(run); passes > 0 {
		add(slog.LevelInfo, slog.Int("latePasses", passes), slog.Int("lateNew", found))
	}
	if n := tooLate(run); n > 0 {
		add(slog.LevelInfo, slog.Int64("tooLate", n))
	}
	if t.Storm > 0 {
		add(slog.LevelWarn, slog.Int("storm", t.Storm))
	}
	if !run.Busy.IsZero() {
		add(slog.LevelInfo, slog.Time("leasedElsewhereUntil", run.Busy))
	}
	if run.Failures > 0 {
		add(slog.LevelDebug, slog.Int("failures", run.Failures), slog.Time("lastSuccess", run.LastSuccess))
	}
	if run.Waiting > 0 {
		add(slog.LevelWarn, slog.Int("waiting", run.Waiting))
	}
	if run.Cut != nil {
		add(slog.LevelWarn, slog.String("cut", run.Cut.Error()))
	}
	if err := run.Failure(); err != nil {
		add(slog.LevelError, errorAttrs(err)...)
	}
	log.LogAttrs(ctx, level, "rule", attrs...)
}

// late counts the passes of a rule over records that came in late, and what was news
// in them.
func late(run detect.RuleRun) (passes, found int) {
	for _, w := range run.Windows {
		if w.Pass > 0 {
			passes++
			found += w.New
		}
	}
	return passes, found
}

// tooLate counts the records that came in too late for every pass of a rule.
func tooLate(run detect.RuleRun) (n int64) {
	for _, t := range run.TooLate {
		n += t.Records
	}
	return n
}

// logDelivery writes the line of a destination.
func logDelivery(ctx context.Context, log *slog.Logger, d detect.Delivery) {
	level, attrs := slog.LevelDebug, []slog.Attr{
		slog.String("destination", d.Destination),
		slog.Int("sent", d.Sent), slog.Int("pending", d.Pending), slog.Int("parked", d.Parked),
	}
	if d.Sent > 0 {
		attrs = append(attrs, slog.Int64("delayMs", d.Slowest.Milliseconds()))
	}
	if d.More {
		attrs = append(attrs, slog.Bool("more", true))
	}
	if d.Again > 0 {
		attrs = append(attrs, slog.Int("again", d.Again))
	}
	if d.Followed.Lost > 0 {
		attrs = append(attrs, slog.Int("lost", d.Followed.Lost))
	}
	// What was sent to the log is there already.
	if d.Sent > 0 && d.Destination != (alertLog{}).Name() || d.Pending > 0 {
		level = slog.LevelInfo
	}
	if d.Again > 0 || d.Followed.Lost > 0 {
		level = slog.LevelWarn
	}
	if d.Parked > 0 || d.Orphaned {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("see", "handler outbox"), slog.Bool("orphaned", d.Orphaned))
	}
	if d.Err != nil {
		level = slog.LevelError
		attrs = append(attrs, errorAttrs(d.Err)...)
	}
	log.LogAttrs(ctx, level, "delivery", attrs...)
}

// errorAttrs says what failed and, if it was a mistake of ours, where.
func errorAttrs(err error) []slog.Attr {
	attrs := []slog.Attr{slog.String("error", strings.Join(failures(err), "; "))}
	var panicked *detect.PanicError
	if errors.As(err, &panicked) {
		attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
	}
	return attrs
}
