package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/secret"
	"pushback/detect/suggest"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// newRerun is the command that has windows of the past run once more.
func newRerun() *cobra.Command {
	var r rerun
	cmd := &cobra.Command{
		Use:   "rerun RULE --from TIME [--to TIME]",
		Short: "Have ticks run windows of the past once more, and say first what they would report",
		Long: "Marks windows of a rule's past as to be run once more: for a rule that was wrong, or a table that came back. RULE is\n" +
			"the id, the name or the file of a rule that serve runs. The windows are those that end after --from and whose newest\n" +
			"part begins before --to. The ticks to come run them, 50 at a time and after what is new, and what was reported before is\n" +
			"dropped as ever: nothing is reported twice.\n\n" +
			"First the workspace is asked for each window, and what a tick would report is printed; nothing is recorded by that.\n" +
			"Then a question is asked. Where there is no terminal, --yes is needed. Windows that began before what the workspace\n" +
			"keeps, or before what the ledger remembers (PUSHBACK_SEEN_RETENTION less a day), are left out.",
		Example: "  handler rerun mfa-rejected-by-user --from 2026-03-16 --to 2026-03-17T12:00:00Z\n  handler rerun mfa-fatigue --from 36h --yes",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("rerun takes one rule: its id, its name or its file")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.stdin, r.stdout, r.stderr, r.now = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), time.Now().UTC()
			return r.run(cmd.Context(), args[0])
		},
	}
	withSettings(cmd)
	cmd.Flags().StringVar(&r.from, "from", "", "start of the time to run again, UTC, such as 2026-03-17, 2026-03-17T09:00:00Z, or 36h or 7d for so long ago")
	cmd.Flags().StringVar(&r.to, "to", "", "end of that time, exclusive (default: now)")
	cmd.Flags().BoolVar(&r.yes, "yes", false, "mark the windows without a question")
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "say what would be reported, and mark nothing")
	cmd.Flags().BoolVar(&r.noPreview, "no-preview", false, "do not ask the workspace what the windows would report")
	cmd.Flags().BoolVar(&r.cancel, "cancel", false, "take back the marks of all windows of the rule that are still to be run")
	cmd.Flags().BoolVar(&r.json, "json", false, "print one JSON object, and nothing else")
	return cmd
}

// rerun marks windows to be run once more.
type rerun struct {
	from, to                             string
	yes, dryRun, noPreview, cancel, json bool
	stdin                                io.Reader
	stdout, stderr                       io.Writer
	now                                  time.Time
	settings                             settings.Settings
	rule                                 *rule.Rule
	rules                                []*rule.Rule // of its story
	windows                              []alert.Span
	out                                  rerunOutput
}

// rerunOutput is what --json prints.
type rerunOutput struct {
	Rule     string `json:"rule"`
	RuleName string `json:"ruleName"`
	// Windows are those that are run once more, Marked how many of them nobody
	// wanted that of before, and Waiting all that are still to be run so.
	Windows []rerunWindow `json:"windows"`
	Marked  int           `json:"marked"`
	Waiting int           `json:"waiting"`
	// Previewed says that the workspace was asked, and Alerts are what would be
	// reported then.
	Previewed bool          `json:"previewed"`
	Alerts    []alert.Alert `json:"alerts,omitempty"`
	// LeftOut says which windows are not run, and why.
	LeftOut []string `json:"leftOut,omitempty"`
}

type rerunWindow struct {
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
	Rows    int       `json:"rows"`
	New     int       `json:"new"`
	Dropped int       `json:"dropped"`
}

// mostListedWindows is how many windows are listed; of more, those with rows.
const mostListedWindows = 100

func (r *rerun) run(ctx context.Context, name string) error {
	from, to, err := r.times()
	if err != nil {
		return err
	}
	if r.settings, err = settings.ReadFor("serve"); err != nil {
		return err
	}
	if err := r.choose(name); err != nil {
		return err
	}
	t, _, err := openTable()
	if err != nil {
		return err
	}
	if err := t.Readable(ctx); err != nil {
		return err
	}
	if r.cancel {
		return r.takeBack(ctx, t.Ledger)
	}
	config := r.config()
	if r.windows, err = config.PastWindows(r.rule, from, to, r.now); err != nil {
		return err
	}
	if len(r.windows) == 0 {
		return usageError{fmt.Errorf("no window of the rule %q that is over ends between %s and %s UTC: its windows end every %s, and are first run %s later",
			r.rule.Name, stamp(from), stamp(to), short(r.frequency()), short(r.settings.Delay))}
	}
	if err := r.bound(ctx); err != nil {
		return err
	}
	if !r.noPreview {
		if err := r.preview(ctx); err != nil {
			return fmt.Errorf("%w\nnothing is marked; --no-preview marks windows without asking the workspace", err)
		}
	}
	if !r.json {
		if err := r.words(); err != nil {
			return err
		}
	}
	if err := r.agreed(); err != nil || r.dryRun {
		return errors.Join(err, r.printJSON(ctx, t.Ledger, err))
	}
	added := 0
	err = r.patiently(ctx, func() (err error) {
		added, err = config.Rerun(ctx, r.rule, t.Ledger, r.windows)
		return err
	})
	if err != nil {
		return err
	}
	r.out.Marked = added
	if r.json {
		return r.printJSON(ctx, t.Ledger, nil)
	}
	already := ""
	if n := len(r.windows) - added; n > 0 {
		already = fmt.Sprintf(" (%d were marked before)", n)
	}
	_, err = fmt.Fprintf(r.stdout, "%s marked%s: the ticks to come run them, 50 at a time. handler rerun %s --cancel takes that back.\n", count(int64(added), "window"), already, r.rule.ID)
	return err
}

// times returns the time that is wanted.
func (r *rerun) times() (from, to time.Time, err error) {
	switch {
	case r.cancel && (r.from != "" || r.to != "" || r.dryRun):
		return from, to, usageError{errors.New("--cancel takes back the marks of all windows: it goes with none of --from, --to and --dry-run")}
	case r.cancel:
		return from, to, nil
	case r.from == "":
		return from, to, usageError{errors.New("rerun needs --from, such as --from 2026-03-17 or --from 36h")}
	case r.dryRun && r.yes:
		return from, to, usageError{errors.New("--dry-run marks nothing, and --yes marks windows: give one of them")}
	case r.dryRun && r.noPreview:
		return from, to, usageError{errors.New("--dry-run says what would be reported, which --no-preview leaves out: give one of them")}
	}
	if from, err = flagMoment("from", r.from, r.now); err != nil {
		return from, to, err
	}
	to = r.now
	if r.to != "" {
		if to, err = flagMoment("to", r.to, r.now); err != nil {
			return from, to, err
		}
	}
	if !from.Before(to) {
		return from, to, usageError{fmt.Errorf("--from, %s UTC, is not before --to, %s UTC", stamp(from), stamp(to))}
	}
	return from, to, nil
}

// config is what says which windows there are.
func (r *rerun) config() detect.Config {
	c := detect.DefaultConfig()
	c.Delay, c.Lateness, c.CatchUp, c.Remembers = r.settings.Delay, r.settings.Lateness, r.settings.CatchUp, r.settings.SeenRetention
	return c
}

func (r *rerun) frequency() time.Duration {
	if r.rule.Kind == rule.NRT {
		return detect.DefaultConfig().NRTFrequency
	}
	return r.rule.QueryFrequency
}

// choose finds the rule, among those that serve runs, and those of its story.
func (r *rerun) choose(name string) error {
	set := readRules(r.settings.Rules)
	running, disabled := divide(set.rules)
	is := func(of *rule.Rule) bool {
		file := filepath.Base(of.File)
		return strings.EqualFold(of.ID, name) || strings.EqualFold(of.Name, name) || of.File == name || file == name ||
			strings.TrimSuffix(file, filepath.Ext(file)) == name
	}
	var found []*rule.Rule
	for _, one := range running {
		if is(one) {
			found = append(found, one)
		}
	}
	switch {
	case len(found) > 1:
		ids := make([]string, len(found))
		for i, one := range found {
			ids[i] = one.ID
		}
		return usageError{fmt.Errorf("%q is the name of %d rules: give the id of one, %s", name, len(found), strings.Join(ids, " or "))}
	case len(found) == 0 && slices.ContainsFunc(disabled, is):
		return fmt.Errorf("the rule %q is disabled: no tick would run it", name)
	case len(found) == 0:
		var names []string
		for _, one := range running {
			names = append(names, one.Name)
		}
		meant := ""
		if near := suggest.Nearest(name, names); near != "" {
			meant = fmt.Sprintf("; did you mean %q?", near)
		}
		return errors.Join(usageError{fmt.Errorf("no rule that serve runs (%s_RULES) has the id, the name or the file %q%s: there are %s", settings.Prefix, name, meant, someNames(names))}, set.err())
	}
	r.rule = found[0]
	for _, one := range running {
		if one == r.rule || one.Story != "" && one.Story == r.rule.Story {
			r.rules = append(r.rules, one)
		}
	}
	r.out.Rule, r.out.RuleName = r.rule.ID, r.rule.Name
	return nil
}

// bound leaves out the windows of which the ledger does not know any more what was
// reported, and those of which the workspace has no records any more.
func (r *rerun) bound(ctx context.Context) error {
	const day = 24 * time.Hour // ticks need some time, too
	left := func(before time.Time, why string, out func(alert.Span) bool) error {
		n := len(r.windows)
		r.windows = slices.DeleteFunc(r.windows, out)
		switch {
		case len(r.windows) == n:
			return nil
		case len(r.windows) == 0:
			return fmt.Errorf("all of the %s are left out: %s", count(int64(n), "window"), why)
		}
		r.out.LeftOut = append(r.out.LeftOut, fmt.Sprintf("%s left out: %s", count(int64(n-len(r.windows)), "window"), why))
		return nil
	}
	first := r.now.Add(day - r.settings.SeenRetention)
	err := left(first, fmt.Sprintf("they begin before %s UTC, and what was reported of them may be forgotten (%s_SEEN_RETENTION is %s)", stamp(first), settings.Prefix, short(r.settings.SeenRetention)),
		func(w alert.Span) bool { return w.Start.Before(first) })
	if err != nil || r.noPreview {
		return err
	}
	querier, err := openWorkspace(r.settings, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	tables := ruleTables([]*rule.Rule{r.rule})
	var oldest time.Time
	var missing []string
	for _, name := range tables {
		at, err := oldestRecord(ctx, querier, name, r.windows[0].Start, r.now)
		if _, gone := workspace.MissingTable(err); gone {
			missing = append(missing, name)
			continue
		}
		if err != nil {
			return fmt.Errorf("asking the workspace how far back it has records: %w", advised(err))
		}
		if !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	switch {
	case len(tables) == 0:
		return nil
	case len(missing) == len(tables):
		return fmt.Errorf("the workspace does not have the tables of the rule %q: %s", r.rule.Name, strings.Join(missing, ", "))
	case oldest.IsZero():
		return fmt.Errorf("the workspace has no record since %s UTC of what the rule %q reads: %s", stamp(r.windows[0].Start), r.rule.Name, strings.Join(tables, ", "))
	}
	return left(oldest, fmt.Sprintf("the workspace has nothing before %s UTC of what the rule reads", stamp(oldest)),
		func(w alert.Span) bool { return !w.End.After(oldest) })
}

// oldestRecord returns the time of the oldest record of a table in some time, or
// zero.
func oldestRecord(ctx context.Context, q detect.Querier, table string, from, to time.Time) (time.Time, error) {
	answer, err := q.Query(ctx, workspace.Query{
		Text:  "['" + table + "'] | summarize Oldest = min(TimeGenerated)",
		Start: from, End: to, Now: to, RuleID: "rerun", RuleVersion: "oldest",
	})
	if err != nil {
		return time.Time{}, err
	}
	for _, row := range answer.Rows {
		if at, ok := row[0].(time.Time); ok {
			return at, nil
		}
	}
	return time.Time{}, nil
}

// preview asks the workspace what the windows would report, by a tick over a draft
// of the ledger that runs nothing but them.
func (r *rerun) preview(ctx context.Context) error {
	kept := &keptRecords{dry: true}
	now := r.now.Truncate(alert.Resolution)
	a := &app{
		settings: r.settings, log: slog.New(slog.DiscardHandler), kept: kept,
		only: func(one *rule.Rule) bool {
			return slices.ContainsFunc(r.rules, func(of *rule.Rule) bool { return of.ID == one.ID })
		},
		prepare: func(ctx context.Context, c *detect.Config, rules []*rule.Rule, l *ledger.Ledger) error {
			c.Lateness, c.LateLook, c.MostLate, c.Beginnings, c.Health, c.Share = 0, 0, 0, nil, nil, detect.Share{}
			for _, one := range rules {
				var err error
				if one.ID == r.rule.ID {
					err = c.RerunAlone(ctx, one, l, r.windows, now)
				} else {
					err = c.RerunNothing(ctx, one, l, now)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	opened, err := a.open(ctx)
	if err == nil {
		err = opened.err
	}
	if err != nil {
		return err
	}
	report, err := opened.detector.Tick(ctx, now)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	warn := &warnings{w: r.stderr}
	warn.ticking(report)
	for _, run := range report.Rules {
		for _, w := range run.Windows {
			r.out.Windows = append(r.out.Windows, rerunWindow{w.Window.Start, w.Window.End, w.Rows, w.New, len(w.Dropped) + w.MoreDropped})
		}
		err = errors.Join(run.Failure(), report.LedgerErr)
	}
	if len(report.Rules) == 0 {
		err = report.LedgerErr
	}
	known := map[string]bool{}
	alerts := kept.all()
	for _, a := range alerts {
		known[a.ID] = true
	}
	for _, a := range alerts { // what is news of earlier alerts any tick reports
		if a.RuleID == r.rule.ID && (a.Updates == nil || known[a.Updates.ID] || slices.ContainsFunc(r.windows, func(w alert.Span) bool { return w == a.Window })) {
			r.out.Alerts = append(r.out.Alerts, a)
		}
	}
	r.out.Previewed = true
	return err
}

// words says which windows there are, and what they would report.
func (r *rerun) words() error {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(text.Safe(secret.Hide(fmt.Sprintf(format, args...))) + "\n")
	}
	span := r.windows[0].Hull(r.windows[len(r.windows)-1])
	line("%s: %s from %s to %s UTC", r.rule.Name, count(int64(len(r.windows)), "window"), stamp(span.Start), stamp(span.End))
	for _, why := range r.out.LeftOut {
		line("%s", why)
	}
	if !r.out.Previewed {
		for _, w := range r.windows[:min(len(r.windows), mostListedWindows)] {
			line("  %s", text.Range(w))
		}
		if more := len(r.windows) - mostListedWindows; more > 0 {
			line("  and %s more", count(int64(more), "window"))
		}
		_, err := io.WriteString(r.stdout, b.String())
		return err
	}
	quiet := 0
	for _, w := range r.out.Windows {
		if w.Rows == 0 && len(r.out.Windows) > mostListedWindows {
			quiet++
			continue
		}
		line("  %s: %s, %d new, %d reported before", text.Range(alert.Span{Start: w.Start, End: w.End}), count(int64(w.Rows), "row"), w.New, w.Dropped)
	}
	if quiet > 0 {
		line("  and %s without a row", count(int64(quiet), "window"))
	}
	if len(r.out.Alerts) == 0 {
		line("They would report nothing new.")
	} else {
		line("They would report %s:", count(int64(len(r.out.Alerts)), "alert"))
	}
	for _, a := range r.out.Alerts {
		held := ""
		if a.HeldBack != nil {
			held = heldBackWords(a.HeldBack) + ": "
		}
		line("  %-13s %s%s  %s", a.Severity, held, text.Cut(text.Safe(a.Title), 100), text.Stamp(a.Span))
	}
	_, err := io.WriteString(r.stdout, b.String())
	return err
}

// printJSON prints what was found, and what is marked by now.
func (r *rerun) printJSON(ctx context.Context, l *ledger.Ledger, failed error) error {
	if !r.json || failed != nil && !r.out.Previewed {
		return nil
	}
	state, err := l.State(ctx, r.rule.ID)
	if err != nil {
		return err
	}
	if r.out.Waiting, err = r.config().Marked(r.rule, state); err != nil {
		return err
	}
	if !r.out.Previewed {
		for _, w := range r.windows {
			r.out.Windows = append(r.out.Windows, rerunWindow{Start: w.Start, End: w.End})
		}
	}
	if r.out.Windows == nil {
		r.out.Windows = []rerunWindow{}
	}
	written, err := json.Marshal(r.out)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(r.stdout, "%s\n", escaped(written))
	return err
}

// agreed returns an error unless the windows are to be marked.
func (r *rerun) agreed() error {
	if r.yes || r.dryRun {
		return nil
	}
	f, ok := r.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return usageError{errors.New("nothing is marked: there is no terminal to ask at, so give --yes to mark the windows, or --dry-run to only look")}
	}
	if _, err := fmt.Fprintf(r.stderr, "Have the ticks to come run %s of %s once more? [y/N] ", count(int64(len(r.windows)), "window"), text.Safe(r.rule.Name)); err != nil {
		return err
	}
	answer, err := bufio.NewReader(f).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("nothing is marked")
}

// takeBack takes back what is marked.
func (r *rerun) takeBack(ctx context.Context, l *ledger.Ledger) error {
	n := 0
	err := r.patiently(ctx, func() error {
		var failed error
		err := l.Amend(ctx, r.rule.ID, func(s ledger.State) ledger.State {
			n, failed = r.config().Marked(r.rule, s)
			s.Rerun = nil
			return s
		})
		return errors.Join(err, failed)
	})
	if err != nil {
		return err
	}
	if r.json {
		r.out.Windows = []rerunWindow{}
		r.out.Previewed = true
		return r.printJSON(ctx, l, nil)
	}
	_, err = fmt.Fprintf(r.stdout, "%s not run once more.\n", text.Safe(fmt.Sprintf("%s of %q that %s marked %s", count(int64(n), "window"), r.rule.Name, wasWere(n), isAre(n))))
	return err
}

func wasWere(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

const (
	// leaseWait is how long a tick that runs the rule is waited for.
	leaseWait = 15 * time.Minute
	leasePoll = 500 * time.Millisecond
)

// patiently does what no tick may run the rule at, and waits for one that does.
func (r *rerun) patiently(ctx context.Context, do func() error) error {
	ctx, cancel := context.WithTimeout(ctx, leaseWait)
	defer cancel()
	warn := &warnings{w: r.stderr}
	for {
		err := do()
		var busy *ledger.LeasedError
		if !errors.As(err, &busy) {
			return err
		}
		warn.write(fmt.Sprintf("another process runs the rule, and has its lease until %s UTC: waiting for it", stamp(busy.Until)))
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return err
			}
			return ctx.Err()
		case <-time.After(leasePoll):
		}
	}
}
