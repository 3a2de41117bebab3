package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect"
	"pushback/detect/kql"
	"pushback/detect/ledger"
	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// offline runs rules over logs in the place of a workspace: the tick, and all
// of what it does up to the call of azquery and from its answer on, is the
// production one. Only the transport is another, and the clock, which jumps
// from one tick that has something to do to the next.
type offline struct {
	title    string
	rules    []*rule.Rule
	warnings []string
	config   settings
	from, to time.Time // zero: from the logs' first hour, to their end
	read     func(context.Context, logs.Options) (*logs.Logs, error)
}

// localWorkspace is the id of the workspace that the logs stand for.
const localWorkspace = "local"

func (o *offline) run(ctx context.Context, out *output, stdout, stderr io.Writer) error {
	begin := time.Now()
	schemas := kql.KnownTables()
	l, err := o.read(ctx, logs.Options{Columns: neededColumns(o.rules, schemas)})
	if err != nil {
		return err
	}
	rules, problems := runnable(o.rules, l)
	if len(problems.refused) > 0 || len(rules) == 0 {
		return errors.New(strings.Join(append(problems.refused, problems.missing...), "\n"))
	}
	first, last, err := o.span(rules, l)
	if err != nil {
		return err
	}

	p := out.printer(stdout, stderr)
	sim, err := newSimulation(l, rules, o.config, first, last, ledger.NewMemory(), p.notifier())
	if err != nil {
		return err
	}
	if err := p.start(o, l, rules, append(problems.missing, problems.notes...), first, last); err != nil {
		return err
	}
	bar := newProgress(stderr)
	bar.show = bar.show && !isTerminal(stdout) // where the output itself moves
	failed, err := sim.run(ctx, func(r detect.Report) error {
		if time.Since(begin) > progressAfter {
			bar.run(r.Time.Sub(first), last.Sub(first))
		}
		return p.tick(r)
	})
	bar.done()
	if err != nil {
		return err
	}
	if err := p.end(time.Since(begin)); err != nil {
		return err
	}
	return failed
}

// simulation is a detector over logs with a clock of its own.
type simulation struct {
	detector *detect.Detector
	now      time.Time
	from     time.Time
}

func newSimulation(l *logs.Logs, rules []*rule.Rule, s settings, first, last time.Time, told detect.Ledger, to detect.Notifier) (*simulation, error) {
	sim := &simulation{from: first}
	client, err := workspace.New(localWorkspace, localCredential{}, workspace.Options{
		ClientOptions: azcore.ClientOptions{
			Transport: &kql.Service{
				DB:  kql.NewDatabase(l.Tables...),
				Now: func() time.Time { return sim.now },
			},
			Retry: policy.RetryOptions{MaxRetries: -1}, // what fails in process fails again
		},
	})
	if err != nil {
		return nil, err
	}
	config := detect.DefaultConfig()
	config.Delay, config.Lateness = s.Delay.Duration, s.Lateness.Duration
	config.CatchUp = 0 // nothing is ever missed here
	config.Start, config.End = first, last
	sim.detector, err = detect.New(config, rules, client, told, to)
	return sim, err
}

// run ticks whenever something is due, until nothing is. What failed in a tick
// is kept and the next one comes, as in production; err is what ended the run
// early.
func (s *simulation) run(ctx context.Context, tell func(detect.Report) error) (failed, err error) {
	var failures []error
	for s.now = s.detector.Next(s.from.Add(-1)); !s.now.IsZero(); s.now = s.detector.Next(s.now) {
		report, err := s.detector.Tick(ctx, s.now)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil && !slices.ContainsFunc(failures, func(f error) bool { return f.Error() == err.Error() }) {
			failures = append(failures, err)
		}
		if err := tell(report); err != nil {
			return nil, err
		}
	}
	return errors.Join(failures...), nil
}

// neededColumns tells the reader which columns the rules read. It keeps all of
// them if a rule names what the known tables do not have: the logs may.
func neededColumns(rules []*rule.Rule, schemas map[string]kql.Schema) func(table string) []string {
	need := make(map[string][]string)
	for _, r := range rules {
		s, err := kql.Check(r.Query.Text, schemas)
		if err != nil {
			return nil
		}
		for table, columns := range s.Reads {
			need[table] = append(need[table], columns...)
		}
	}
	return func(table string) []string {
		if columns := need[table]; columns != nil {
			return columns
		}
		return []string{}
	}
}

// runProblems are why rules can not run over some logs.
type runProblems struct {
	refused []string // errors in the rules' queries
	missing []string // rules whose tables the logs lack
	notes   []string // tables that a rule goes without
}

// runnable tells the rules that can run over the logs from those that can not.
func runnable(rules []*rule.Rule, l *logs.Logs) ([]*rule.Rule, runProblems) {
	schemas := make(map[string]kql.Schema)
	for _, t := range l.Tables {
		schemas[t.Name()] = t.Schema()
	}
	var good []*rule.Rule
	var p runProblems
	for _, r := range rules {
		s, err := kql.Check(r.Query.Text, schemas)
		var query *kql.Error
		switch {
		case errors.As(err, &query) && query.UnknownTable != "":
			p.missing = append(p.missing, fmt.Sprintf("the rule %q reads %s, which these logs do not hold; they hold %s",
				r.Name, strings.Join(missingTables(r, query, schemas), " and "), tablesOf(l)))
			continue
		case errors.As(err, &query):
			p.refused = append(p.refused, queryProblem(r, query))
			continue
		case err != nil:
			p.refused = append(p.refused, fmt.Sprintf("%s: %v", r.File, err))
			continue
		}
		for _, table := range s.Missing {
			p.notes = append(p.notes, fmt.Sprintf("the rule %q runs without the table %s, which these logs do not hold", r.Name, table))
		}
		good = append(good, r)
	}
	return good, p
}

// missingTables lists the tables that a rule names and the logs lack: the one
// that the error is about and, if all are known ones, every other.
func missingTables(r *rule.Rule, e *kql.Error, have map[string]kql.Schema) []string {
	all := maps.Clone(kql.KnownTables())
	maps.Copy(all, have)
	s, err := kql.Check(r.Query.Text, all)
	if err != nil {
		return []string{e.UnknownTable}
	}
	var missing []string
	for _, table := range slices.Sorted(maps.Keys(s.Reads)) {
		if have[table] == nil {
			missing = append(missing, table)
		}
	}
	return missing
}

// queryProblem shows an error of a rule's query at its place in the rule file,
// with the line and a caret under the place.
func queryProblem(r *rule.Rule, e *kql.Error) string {
	line, column := r.Query.Locate(e.Line, e.Column)
	text := fmt.Sprintf("%s:%d:%d: %s", r.File, line, column, e.Message)
	lines := strings.Split(r.Query.Text, "\n")
	if e.Line > len(lines) {
		return text
	}
	source := strings.TrimSuffix(lines[e.Line-1], "\r")
	indent := make([]rune, 0, e.Column)
	for _, c := range source {
		if len(indent) == e.Column-1 {
			break
		}
		if c != '\t' {
			c = ' '
		}
		indent = append(indent, c)
	}
	return text + "\n    " + source + "\n    " + string(indent) + "^"
}

func tablesOf(l *logs.Logs) string {
	var list []string
	for _, t := range l.Report.Tables {
		list = append(list, fmt.Sprintf("%s (%s)", t.Name, count(t.Records, "record")))
	}
	if len(list) == 0 {
		return "no table at all"
	}
	return strings.Join(list, ", ")
}

// span is the time to run over: what was asked for, else that of the records
// in the tables that the rules read, from the start of the first's hour.
func (o *offline) span(rules []*rule.Rule, l *logs.Logs) (first, last time.Time, err error) {
	first, last = o.from, o.to
	if !first.IsZero() && !last.IsZero() {
		return first, last, nil
	}
	schemas := make(map[string]kql.Schema)
	for _, t := range l.Tables {
		schemas[t.Name()] = t.Schema()
	}
	read := make(map[string]bool)
	for _, r := range rules {
		s, err := kql.Check(r.Query.Text, schemas)
		if err != nil {
			return first, last, err // it was checked before
		}
		for table := range s.Reads {
			read[table] = true
		}
	}
	var earliest, latest time.Time
	for _, t := range l.Tables {
		from, to, ok := t.TimeRange()
		if !read[t.Name()] || !ok {
			continue
		}
		if earliest.IsZero() || from.Before(earliest) {
			earliest = from
		}
		if to.After(latest) {
			latest = to
		}
	}
	if earliest.IsZero() {
		return first, last, errors.New("the tables that the rules read hold no record with a TimeGenerated")
	}
	if first.IsZero() {
		first = earliest.Truncate(time.Hour)
	}
	if last.IsZero() {
		last = latest.Add(time.Nanosecond * 100)
	}
	if !first.Before(last) {
		return first, last, fmt.Errorf("there is nothing to run over: the logs are from %s to %s",
			earliest.Format(time.RFC3339), latest.Format(time.RFC3339))
	}
	return first, last, nil
}

// localCredential gives the token that the client must send and that nobody
// checks: it never leaves the process.
type localCredential struct{}

func (localCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "local", ExpiresOn: time.Now().Add(time.Hour)}, nil
}
