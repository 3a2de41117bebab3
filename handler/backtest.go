package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"pushback/detect"
	"pushback/detect/ledger"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/transport"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// backtest runs the windows of the past against the live workspace, by the same way as
// serve does. Nothing is sent, and no ledger is used.
type backtest struct {
	settings settings.Settings
	rules    []*rule.Rule
	days     int
	perMin   int
	state    string // a file, or "" for none
	json     bool
	silences string        // a file that is tried, or "" for none
	tried    *silencesFile // what it has
	now      func() time.Time
	sleep    func(context.Context, time.Duration) error
	// open returns the workspace, with its clients tuned.
	open func(tune) (detect.Querier, error)
}

const (
	defaultBacktestDays    = 14
	mostBacktestDays       = 90
	defaultQueriesAMinute  = 100
	leastQueriesAMinute    = 10
	mostQueriesAMinute     = 300
	mostFailuresOfBacktest = 3
)

func newBacktest() *cobra.Command {
	b := &backtest{now: time.Now, sleep: transport.Sleep}
	var names string
	cmd := &cobra.Command{
		Use:   "backtest",
		Short: "Run rules over the past of the live workspace, and say how loud they would be",
		Long: "Runs the windows of the last days against the workspace, one rule after the other, and says of each how many alerts a\n" +
			"day it would have had, who would come most, what would have been dropped, how long its queries took and what context\n" +
			"makes of the severity. Nothing is sent and nothing is written, but for the state if a file is given for it.",
		Example: "  handler backtest --rules rules/new.yaml --days 14\n" +
			"  handler backtest --rules rules --days 30 --state past.state",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case b.days < 1 || b.days > mostBacktestDays:
				return usageError{fmt.Errorf("--days is %d: expected 1 to %d", b.days, mostBacktestDays)}
			case b.perMin < leastQueriesAMinute || b.perMin > mostQueriesAMinute:
				return usageError{fmt.Errorf("--queries-per-minute is %d: expected %d to %d", b.perMin, leastQueriesAMinute, mostQueriesAMinute)}
			}
			if err := absentRules(names); err != nil {
				return err
			}
			var err error
			if b.settings, err = settings.Read(); err != nil {
				return err
			}
			if b.settings.WorkspaceID == "" {
				return fmt.Errorf("the setting %s_WORKSPACE_ID is not set: expected the id of the workspace whose past is looked at", settings.Prefix)
			}
			if names == "" {
				names = b.settings.Rules
			}
			set := readRules(names)
			warn := &warnings{w: cmd.ErrOrStderr()}
			for _, w := range set.warnings() {
				warn.write(w)
			}
			var disabled []*rule.Rule
			b.rules, disabled = divide(set.rules)
			for _, r := range disabled {
				warn.write(fmt.Sprintf("%s: the rule %q is disabled and does not run", r.File, r.Name))
			}
			if len(b.rules) == 0 {
				return errors.Join(set.err(), errors.New("no rule is left to run"))
			}
			if b.silences != "" {
				if b.tried, err = readTriedSilences(b.silences, b.rules); err != nil {
					return err
				}
				for _, w := range b.tried.warnings {
					warn.write(strings.Replace(w, "warning: ", "", 1))
				}
			}
			b.open = func(t tune) (detect.Querier, error) {
				return openWorkspace(b.settings, slog.New(slog.DiscardHandler), t)
			}
			return errors.Join(set.err(), b.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()))
		},
	}
	cmd.Flags().StringVar(&names, "rules", "", "names of shipped rules, rule files and folders of them, with commas between them (default: PUSHBACK_RULES, else all that ship)")
	cmd.Flags().IntVar(&b.days, "days", defaultBacktestDays, "how many days to go back")
	cmd.Flags().IntVar(&b.perMin, "queries-per-minute", defaultQueriesAMinute, "how many queries a minute the workspace is asked at most")
	cmd.Flags().StringVar(&b.state, "state", "", "file that keeps the answers, so that the same command goes on where it was stopped; it holds rows of the logs")
	cmd.Flags().BoolVar(&b.json, "json", false, "print one JSON object per rule, and nothing else")
	silencesFlag(cmd, &b.silences)
	withSettings(cmd)
	return cmd
}

// past is the time that a backtest looks at: whole hours up to now, of which the logs
// have arrived.
func (b *backtest) past() (from, to time.Time) {
	to = b.now().UTC().Add(-b.settings.Delay).Truncate(time.Hour)
	return to.AddDate(0, 0, -b.days), to
}

// mark is that of what is asked, for the state.
func (b *backtest) mark() string {
	h := sha256.New()
	fmt.Fprintln(h, b.settings.WorkspaceID, b.settings.AdditionalWorkspaces, b.settings.Cloud, b.days, b.settings.Context, b.settings.History, b.settings.Aftermath, b.settings.IPv6Prefix)
	for _, r := range b.rules {
		fmt.Fprintln(h, r.ID, r.Version, r.Kind, r.QueryFrequency, r.QueryPeriod, r.Query.Text)
		for _, c := range r.Context {
			fmt.Fprintln(h, c.Name, c.Period, c.SinceWindow, c.Key, c.Query.Text)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// run runs the rules and writes how loud they were.
func (b *backtest) run(ctx context.Context, stdout, stderr io.Writer) error {
	from, to := b.past()
	var state *pastState
	if b.state != "" {
		var err error
		if state, err = openState(b.state, stateHeader{Format: stateFormat, Of: b.mark(), From: from, To: to}); err != nil {
			return err
		}
		defer state.file.Close() // what was written is written
		from, to = state.Range.From, state.Range.To
	}
	counted := &askedCount{}
	carrier := &pastTransport{state: state, now: b.now, asked: counted.add, pace: &pace{limit: rate.NewLimiter(rate.Limit(b.perMin)/60, 1), now: b.now, sleep: b.sleep}}
	querier, err := b.open(func(o *azcore.ClientOptions) {
		if carrier.next = o.Transport; carrier.next == nil {
			carrier.next = transport.Single(transport.New(transport.DefaultConnect))
		}
		o.Transport = carrier
	})
	if err != nil {
		return err
	}

	bar := newProgress(stderr)
	warn := &warnings{w: &clearing{stderr, bar}}
	var all []*loudness
	var failures failureList
	for i, r := range b.rules {
		l := newLoudness(r, from, to)
		all = append(all, l)
		err := b.rule(ctx, r, querier, l, from, to, warn, func(at time.Time) {
			span := to.Sub(from)
			bar.run(time.Duration(i)*span+at.Sub(from), time.Duration(len(b.rules))*span)
		})
		if ctx.Err() != nil {
			bar.done()
			warn.flush()
			if b.state == "" {
				warn.write("--state FILE would have kept the answers so far")
			}
			if b.json { // half an answer looks like a whole one
				return ctx.Err()
			}
			if _, err := fmt.Fprintf(stdout, "Interrupted after %s of %s; the last of these is not complete.\n", count(int64(i), "rule"), count(int64(len(b.rules)), "rule")); err != nil {
				return err
			}
			return errors.Join(ctx.Err(), writeLoudness(stdout, styleOf(stdout), all, b.settings.QueryTimeout, false))
		}
		failures.add(err)
	}
	bar.done()
	warn.flush()
	if b.tried != nil {
		for _, l := range all {
			l.tried = map[string]int{}
			for _, s := range b.tried.held {
				for _, a := range s.Alerts {
					if a.RuleID == l.rule.ID {
						l.tried[s.ID]++
					}
				}
			}
		}
	}
	if !b.json {
		if _, err := fmt.Fprintf(stdout, "Backtest of %s, %s to %s UTC: %s asked, %d answers kept from before. Nothing was sent.\n",
			count(int64(len(b.rules)), "rule"), from.Format("2006-01-02 15:04"), to.Format("2006-01-02 15:04"), countQueries(counted.sent), counted.kept); err != nil {
			return err
		}
	}
	err = writeLoudness(stdout, styleOf(stdout), all, b.settings.QueryTimeout, b.json)
	if err == nil && b.tried != nil && !b.json {
		err = b.tried.write(stdout, styleOf(stdout))
	}
	return errors.Join(err, failures.err())
}

func countQueries(n int) string {
	if n == 1 {
		return "1 query"
	}
	return fmt.Sprintf("%d queries", n)
}

// rule runs one rule over the past, in windows as they would have been due, with a
// ledger of its own that is forgotten. A rule that fails several times in a row is
// left: what fails so is not the moment.
func (b *backtest) rule(ctx context.Context, r *rule.Rule, querier detect.Querier, l *loudness, from, to time.Time, warn *warnings, progressed func(time.Time)) error {
	timed := &timedQuerier{Querier: querier, loudness: l, ruleID: r.ID}
	config := detect.DefaultConfig()
	config.Delay, config.Lateness = b.settings.Delay, 0 // all logs are there: a late pass finds nothing
	config.CatchUp, config.SendLimit = 0, 0
	config.MaxAlerts = b.settings.MaxAlerts
	config.Start, config.End = from, to
	config.Clock = b.now
	withContext(&config, b.settings, querier, b.rules)
	b.tried.use(&config, b.rules)
	detector, err := detect.New(config, []*rule.Rule{r}, timed, ledger.NewMemory(), nowhere{})
	if err != nil {
		return err
	}
	failed := 0
	end := to.Add(b.settings.Delay) // later windows are not over yet
	for at := detector.Next(from.Add(-1)); !at.IsZero() && !at.After(end); at = detector.Next(at) {
		progressed(at)
		report, err := detector.Tick(ctx, at)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		warn.ticking(report)
		for _, run := range report.Rules {
			l.add(run)
		}
		b.tried.add(report)
		if failed++; err == nil {
			failed = 0
		}
		if failed == mostFailuresOfBacktest {
			return fmt.Errorf("rule %q: left after %d failures in a row: %s", r.Name, failed, text.Safe(errorText(err)))
		}
	}
	if l.failed > 0 {
		return fmt.Errorf("rule %q: %s failed, and more may be missing: %s", r.Name, count(int64(l.failed), "window"), text.Safe(errorText(l.err)))
	}
	return nil
}

// timedQuerier notes how long the service took for a rule's queries.
type timedQuerier struct {
	detect.Querier
	loudness *loudness
	ruleID   string
}

func (q *timedQuerier) Query(ctx context.Context, query workspace.Query) (*workspace.Table, error) {
	var noted queryTime
	table, err := q.Querier.Query(context.WithValue(ctx, queryTimeKey{}, &noted), query)
	if err == nil && query.RuleID == q.ruleID {
		q.loudness.took = append(q.loudness.took, noted.took)
	}
	return table, err
}

// askedCount counts queries.
type askedCount struct {
	mu         sync.Mutex
	sent, kept int
}

func (c *askedCount) add(kept bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kept {
		c.kept++
	} else {
		c.sent++
	}
}
