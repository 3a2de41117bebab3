package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/handler/settings"
	"pushback/handler/telemetry"
)

// newTick is the command that does once what the host's timer has serve do.
func newTick() *cobra.Command {
	var t tickCommand
	cmd := &cobra.Command{
		Use:   "tick",
		Short: "Run one tick by hand, without the Functions host, or say what it would report",
		Long: "Does once what the timer of the Functions host has serve do: runs the windows that are due in the live workspace,\n" +
			"records what is new in the ledger and sends it. Settings come from the environment and, for what it does not set,\n" +
			"from ./" + localSettingsFile + ". The identity is that of az login, of the AZURE_ variables or of the machine.\n\n" +
			"A tick may run beside serve and beside other ticks: the lease of each rule keeps them apart. So it suits cron and a\n" +
			"container job. With --dry-run nothing is recorded, claimed or sent, and the alerts that would be are printed.\n\n" +
			"The exit code is 1 if anything failed; what was not done is due in the next tick.",
		Example: "  az login && handler tick --dry-run\n  handler tick --json >>ticks.ndjson",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t.stdout, t.stderr, t.clock = cmd.OutOrStdout(), cmd.ErrOrStderr(), time.Now
			return t.run(cmd.Context())
		},
	}
	withSettings(cmd)
	cmd.Flags().BoolVar(&t.dryRun, "dry-run", false, "record, claim and send nothing, and print what would be reported")
	cmd.Flags().BoolVar(&t.json, "json", false, "print one JSON object for the tick, and nothing else")
	cmd.Flags().BoolVar(&t.logged, "log", false, "also write the log of the tick to standard error, as serve does")
	return cmd
}

// tickCommand is one tick by hand.
type tickCommand struct {
	dryRun, json bool
	logged       bool
	clock        func() time.Time

	stdout, stderr io.Writer
}

func (t *tickCommand) run(ctx context.Context) error {
	s, err := settings.ReadFor("serve")
	if err != nil {
		return err
	}
	warn := &warnings{w: t.stderr}
	for _, name := range settings.Unknown() {
		warn.write(unknownSetting(name))
	}
	kept := &keptRecords{dry: t.dryRun}
	level := slog.LevelWarn
	if t.logged {
		level = s.LogLevel
	}
	log := newLogger(t.stderr, t.stderr, level)
	a := &app{settings: s, log: log, kept: kept}
	reports := log
	if !t.logged { // the report says the rest
		a.log, reports = onlyRecords(log, isNoFailure), onlyRecords(log, hasStack)
	}
	f := newFunction(reports, a.open, cmp.Or(s.TickTimeout, 3*time.Minute), ctx)
	f.clock = t.clock
	if !t.dryRun {
		serving.Store(true) // it ends in order, as serve does
		keepWriting()
		if f.telemetry, err = telemetry.Open(ctx, versionText(), log); err != nil {
			warn.write("there is no telemetry: check the OTEL_ variables: " + strings.Join(failures(err), "; "))
		}
		defer f.telemetry.Close()
	}
	var report *detect.Report
	f.ticked = func(r detect.Report) { report = &r }
	_, failed := f.tick(ctx, invocation{id: rand.Text(), manual: true})
	if report == nil {
		if failed == nil || ctx.Err() != nil && errors.Is(failed, errStopping) {
			failed = ctx.Err()
		}
		return failed
	}
	warn.ticking(*report)
	for _, problem := range report.HealthWarnings {
		warn.write(problem)
	}
	p := tickPrinter{w: t.stdout, dryRun: t.dryRun, report: *report, kept: kept, next: f.opened.detector.Next(report.Time), failed: failed}
	print := p.words
	if t.json {
		print = p.json
	}
	return errors.Join(failed, print())
}

// keptRecords is what a tick recorded, or would have.
type keptRecords struct {
	dry bool

	mu         sync.Mutex
	alerts     []alert.Alert
	heldBack   []alert.Alert
	deliveries map[string][]string // by destination the ids of alerts that it would be sent
}

// add notes what is recorded.
func (k *keptRecords) add(e ledger.Entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range e.Alerts {
		k.alerts = append(k.alerts, e.Whole(a))
	}
	for _, a := range e.HeldBack {
		k.heldBack = append(k.heldBack, e.Whole(a))
	}
}

// all returns the alerts, the heaviest first, those that are held back last.
func (k *keptRecords) all() []alert.Alert {
	k.mu.Lock()
	defer k.mu.Unlock()
	alerts, heldBack := slices.Clone(k.alerts), slices.Clone(k.heldBack)
	alert.SortByWeight(alerts)
	alert.SortByWeight(heldBack)
	return append(alerts, heldBack...)
}

// wrap returns a ledger that notes what is recorded. In a dry run it is purged of
// nothing.
func (k *keptRecords) wrap(l *ledger.Ledger) detect.Ledger { return &notingLedger{l, k} }

type notingLedger struct {
	*ledger.Ledger
	kept *keptRecords
}

func (l *notingLedger) Record(ctx context.Context, e ledger.Entry) error {
	err := l.Ledger.Record(ctx, e)
	if err == nil {
		l.kept.add(e)
	}
	return err
}

func (l *notingLedger) Purge(ctx context.Context, now time.Time) (int, error) {
	if l.kept.dry {
		return 0, nil
	}
	return l.Ledger.Purge(ctx, now)
}

// stand returns what takes the place of destinations in a dry run: it has their
// names and addresses, and sends nothing.
func (k *keptRecords) stand(destinations []notify.Notifier) []notify.Notifier {
	if !k.dry {
		return destinations
	}
	k.deliveries = map[string][]string{}
	stand := make([]notify.Notifier, len(destinations))
	for i, d := range destinations {
		stand[i] = &dryDestination{d.Name(), k}
		if r, ok := d.(notify.Router); ok {
			stand[i] = &dryRouter{dryDestination{d.Name(), k}, r}
		}
	}
	return stand
}

// dryDestination is sent what a destination would be.
type dryDestination struct {
	name string
	kept *keptRecords
}

func (d *dryDestination) Name() string { return d.name }

func (d *dryDestination) Notify(_ context.Context, a alert.Alert) error {
	d.kept.mu.Lock()
	defer d.kept.mu.Unlock()
	d.kept.deliveries[d.name] = append(d.kept.deliveries[d.name], a.ID)
	return nil
}

type dryRouter struct {
	dryDestination
	router notify.Router
}

func (d *dryRouter) Address(a alert.Alert) string { return d.router.Address(a) }

func (d *dryRouter) Addresses() []string { return d.router.Addresses() }

// openDraft returns the ledger for a dry run, which reads it and writes nothing.
func openDraft(ctx context.Context, s settings.Settings, log *slog.Logger) (*ledger.Ledger, error) {
	o, err := ledgerOptions(s)
	if err != nil {
		return nil, err
	}
	if o.ConnectionString == settings.InMemory {
		log.Warn("the ledger is in memory: nothing is known of what was reported, so that all that is found is new")
		return ledger.NewMemory().Ledger, nil
	}
	t, err := ledger.Open(o)
	if err != nil {
		return nil, err
	}
	switch err := t.Readable(ctx); {
	case errors.Is(err, ledger.ErrNoTable) && ledger.IsDevelopmentStorage(o.ConnectionString):
		log.Warn("the ledger's table is missing in the storage emulator, and a tick makes it there: all that is found is new", "table", s.TableName)
		return ledger.NewMemory().Ledger, nil
	case err != nil:
		return nil, err
	}
	return t.Draft(), nil
}

// onlyRecords returns a logger that writes some records only.
func onlyRecords(log *slog.Logger, keep func(slog.Record) bool) *slog.Logger {
	return slog.New(hiding{selected{withSecrets(log.Handler()), keep}})
}

type selected struct {
	slog.Handler
	keep func(slog.Record) bool
}

func (h selected) Handle(ctx context.Context, r slog.Record) error {
	if !h.keep(r) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h selected) WithAttrs(attrs []slog.Attr) slog.Handler {
	return selected{h.Handler.WithAttrs(attrs), h.keep}
}

func (h selected) WithGroup(name string) slog.Handler {
	return selected{h.Handler.WithGroup(name), h.keep}
}

// isNoFailure leaves out what the tick fails with, unless it says more than that.
func isNoFailure(r slog.Record) bool { return r.Level < slog.LevelError || hasStack(r) }

// hasStack reports whether a record says where a mistake in the program is.
func hasStack(r slog.Record) (has bool) {
	r.Attrs(func(a slog.Attr) bool {
		has = has || a.Key == "stack"
		return !has
	})
	return has
}

// tickPrinter prints what a tick did, or would have done.
type tickPrinter struct {
	w      io.Writer
	dryRun bool
	report detect.Report
	kept   *keptRecords
	next   time.Time // when something is due again
	failed error
}

// tickOutput is a tick as --json prints it.
type tickOutput struct {
	Time   time.Time  `json:"time"`
	DryRun bool       `json:"dryRun"`
	Next   *time.Time `json:"next,omitempty"`
	// Alerts are those that were recorded, the heaviest first, then those that are
	// held back; in a dry run those that would have been.
	Alerts     []alert.Alert     `json:"alerts"`
	Rules      []ruleSummary     `json:"rules"`
	Deliveries []deliverySummary `json:"deliveries"`
	// Silenced is how many alerts each silence held back, by its id.
	Silenced map[string]int `json:"silenced,omitempty"`
	Warnings []string       `json:"warnings,omitempty"`
	Errors   []string       `json:"errors,omitempty"`
}

func (p tickPrinter) json() error {
	s := summarize(p.report)
	out := tickOutput{Time: s.Time, DryRun: p.dryRun, Alerts: p.kept.all(), Rules: s.Rules, Deliveries: s.Deliveries, Silenced: s.Silenced, Errors: failures(p.failed)}
	if out.Alerts == nil {
		out.Alerts = []alert.Alert{}
	}
	if !p.next.IsZero() {
		out.Next = &p.next
	}
	out.Warnings = slices.Clone(p.report.HealthWarnings)
	for _, run := range p.report.Rules {
		out.Warnings = append(out.Warnings, run.Warnings...)
	}
	for i := range out.Errors {
		out.Errors[i] = secret.Hide(out.Errors[i])
	}
	written, err := json.Marshal(out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.w, "%s\n", escaped(written))
	return err
}

func (p tickPrinter) words() error {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(text.Safe(secret.Hide(fmt.Sprintf(format, args...))) + "\n")
	}
	if p.dryRun {
		line("Dry run of a tick at %s UTC: nothing is recorded, claimed or sent.", stamp(p.report.Time))
	} else {
		line("Tick at %s UTC", stamp(p.report.Time))
	}
	due := false
	for _, run := range p.report.Rules {
		said := p.rule(run)
		due = due || said != "nothing is due"
		line("%s: %s", run.RuleName, said)
	}
	if !due && !p.next.IsZero() {
		line("The next window is due at %s UTC.", stamp(p.next))
	}
	alerts := p.kept.all()
	if p.dryRun {
		if err := p.whole(&b, alerts); err != nil {
			return err
		}
	} else {
		for _, a := range alerts {
			line("  %-13s %s%s  %s", a.Severity, p.prefix(a), text.Cut(text.Safe(a.Title), 100), a.ID)
		}
	}
	for _, s := range p.report.Silenced() {
		line("silence %s: %s held back", s.ID, count(int64(len(s.Alerts)), "alert"))
	}
	for _, d := range p.report.Deliveries {
		if said := p.delivery(d); said != "" {
			line("%s: %s", d.Destination, said)
		}
	}
	if n := p.report.Purged; n > 0 {
		line("%s of the ledger removed for their age", count(int64(n), "row"))
	}
	if len(alerts) == 0 && p.failed == nil {
		line("Nothing new to report.")
	}
	if p.report.Stopped != nil {
		line("The tick ended before all was done: the next goes on where it stopped.")
	}
	_, err := io.WriteString(p.w, b.String())
	return err
}

// whole writes alerts as replay does.
func (p tickPrinter) whole(b *strings.Builder, alerts []alert.Alert) error {
	style := styleOf(p.w)
	c := console.New(b, style)
	for _, a := range alerts {
		if err := c.Notify(context.Background(), a); err != nil {
			return err
		}
		if h := a.HeldBack; h != nil {
			b.WriteString("  " + text.Safe(heldBackWords(h)) + "\n\n")
		}
	}
	return nil
}

func (p tickPrinter) prefix(a alert.Alert) string {
	switch {
	case a.HeldBack != nil:
		return heldBackWords(a.HeldBack) + ": "
	case a.Updates != nil:
		return "update: "
	}
	return ""
}

// heldBackWords says what holds an alert back.
func heldBackWords(h *alert.HeldBack) string {
	switch h.By {
	case alert.HeldBySilence:
		return "held back by silence " + h.Silence
	case alert.HeldBySeverity:
		return "held back by " + settings.Prefix + "_MIN_SEVERITY"
	case alert.HeldByRisk:
		return "held back by " + settings.Prefix + "_RISK_CUTOFF"
	}
	return "held back"
}

// rule says what became of a rule.
func (p tickPrinter) rule(run detect.RuleRun) string {
	var parts []string
	say := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 0:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	t, span := run.Totals(), run.Span()
	if t.Windows > 0 {
		parts = append(parts, fmt.Sprintf("%s run, %s", count(int64(t.Windows), "window"), text.Range(span)))
		say(t.Failed, "of them failed", "of them failed")
		parts = append(parts, count(int64(t.Rows), "row"))
		parts = append(parts, fmt.Sprintf("%d new", t.New))
	}
	say(t.Dropped, "dropped, since it was reported before", "dropped, since they were reported before")
	say(t.Suppressed, "held back by the rule's suppression", "held back by the rule's suppression")
	say(t.Storm, "alert reported as a storm", "alerts reported as a storm")
	say(t.Updates, "update of an earlier alert", "updates of earlier alerts")
	say(t.HeldBack, "alert held back", "alerts held back")
	say(t.Skipped, "window skipped, longer ago than "+settings.Prefix+"_CATCH_UP", "windows skipped, longer ago than "+settings.Prefix+"_CATCH_UP")
	if !run.Busy.IsZero() {
		parts = append(parts, fmt.Sprintf("left to another process, which has its lease until %s UTC", stamp(run.Busy)))
	}
	if run.Cut != nil {
		parts = append(parts, "its query was cut short: "+run.Cut.Error())
	}
	say(run.Waiting, "window left for the next tick", "windows left for the next tick")
	if err := run.Failure(); err != nil && t.Failed == 0 {
		parts = append(parts, "failed")
	}
	if len(parts) == 0 {
		return "nothing is due"
	}
	return strings.Join(parts, "; ")
}

// delivery says what a destination was sent, or would be.
func (p tickPrinter) delivery(d detect.Delivery) string {
	var parts []string
	owed := "%s"
	if d.More {
		owed = "at least %s"
	}
	say := func(n int, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, count(int64(n), "alert")))
		}
	}
	if p.dryRun {
		say(d.Sent, "%s would be sent")
		recorded := map[string]bool{}
		for _, a := range p.kept.all() {
			recorded[a.ID] = true
		}
		waited := 0
		for _, id := range p.kept.deliveries[d.Destination] {
			if !recorded[id] {
				waited++
			}
		}
		if waited > 0 {
			parts = append(parts, fmt.Sprintf("%d of them waiting since earlier ticks", waited))
		}
	} else {
		say(d.Sent, "%s sent")
	}
	say(d.Again, "%s sent again, since no answer came before")
	if d.Orphaned {
		say(d.Pending, owed+" owed to it, and it is not set up any more: see handler outbox")
	} else {
		say(d.Pending, owed+" still to be sent")
	}
	say(d.Parked, "%s parked: see handler outbox")
	for _, a := range d.Addresses {
		if !a.Refused.IsZero() {
			parts = append(parts, fmt.Sprintf("%s has taken nothing since %s UTC", cmp.Or(a.Name, "it"), stamp(a.Refused)))
		}
	}
	if d.Err != nil {
		parts = append(parts, "failed")
	}
	return strings.Join(parts, "; ")
}

// stamp writes a time of UTC for a person.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
