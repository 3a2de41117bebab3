package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/enrich"
	"pushback/detect/kql"
	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/detect/suggest"
	"pushback/handler/settings"
)

// newTest is the command that runs the cases of rules.
func newTest() *cobra.Command {
	var t tester
	var pattern, junit, start string
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "test [PATH...]",
		Short: "Run the cases that stand beside rules",
		Long: "Runs the cases of rules: those under pushback: tests: in a rule's own file, and those of the file NAME.test.yaml\n" +
			"beside it. Each has logs of its own, and runs over them as replay does: window by window, with late passes, and what\n" +
			"was reported once is not reported again. PATH is a rule file, a folder of them or the name of a shipped rule; without\n" +
			"one the shipped rules are tested.\n\n" +
			"The exit code is 1 if a case fails, a rule can not be read or --run matches no case, and 2 if there is a mistake in a case.",
		Example: "  handler test rules/\n" +
			"  handler test rules/spray.yaml --run 'guest|admin' --junit report.xml\n" +
			"  handler test --init rules/spray.yaml",
		RunE: func(cmd *cobra.Command, paths []string) (err error) {
			if cmd.Flags().Changed("init") {
				return initCases(start, paths, cmd.OutOrStdout())
			}
			if t.run, err = regexp.Compile(pattern); err != nil {
				return usageError{fmt.Errorf("--run %q is no regular expression: %w", pattern, err)}
			}
			if t.config, err = settings.Read(); err != nil {
				return err
			}
			// What a destination would not be sent is what the rule reports all the same.
			t.config.MinSeverity, t.config.RiskCutoff = alert.Informational, nil
			loaded, err := loadTested(paths, strict)
			if err != nil {
				return err
			}
			if t.saved, err = t.lists.library(); err != nil {
				return err
			}
			warn := &warnings{w: cmd.ErrOrStderr()}
			for _, text := range slices.Concat(loaded.warnings, t.saved.notes) {
				warn.write(text)
			}
			if t.silences != "" {
				if t.tried, err = readTriedSilences(t.silences, loaded.rules); err != nil {
					return err
				}
				for _, text := range t.tried.warnings {
					warn.write(text)
				}
			}
			report := testReport{begin: time.Now(), broken: loaded.broken, warn: warn, run: pattern, print: t.printer(cmd.OutOrStdout(), asJSON)}
			for _, r := range loaded.rules {
				if err := t.rule(cmd.Context(), r, &report); err != nil {
					return err
				}
			}
			if err := report.end(); err != nil {
				return err
			}
			if t.tried != nil && !asJSON {
				if err := t.tried.write(cmd.OutOrStdout(), styleOf(cmd.OutOrStdout())); err != nil {
					return err
				}
			}
			if junit != "" {
				if err := report.writeJUnit(junit); err != nil {
					return err
				}
			}
			return report.outcome()
		},
	}
	cmd.Flags().StringVar(&pattern, "run", "", "run only the cases whose RULE/CASE matches this regular expression")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per case, and nothing else")
	cmd.Flags().StringVar(&junit, "junit", "", "also write the results into this file, as JUnit's XML")
	cmd.Flags().StringVar(&start, "init", "", "write a first case for the rule of this file into NAME.test.yaml beside it, and run nothing")
	t.lists.flag(cmd)
	silencesFlag(cmd, &t.silences)
	t.lists.data.flags(cmd)
	strictFlag(cmd, &strict)
	return cmd
}

// loadTested reads the rules that paths name, or those that ship. A rule that is
// disabled is tested too, and a file of cases stands for its rule.
func loadTested(paths []string, strict bool) (loadedRules, error) {
	if len(paths) == 0 {
		return loadRules("", strict)
	}
	var all loadedRules
	seen := map[string]bool{}
	for _, path := range paths {
		if rule.IsTestFile(path) {
			var err error
			if path, err = ruleOfCases(path); err != nil {
				return loadedRules{}, usageError{err}
			}
		}
		if err := absentRules(path); err != nil {
			return loadedRules{}, err
		}
		loaded, err := loadRules(path, strict)
		if err != nil {
			if strict {
				return loadedRules{}, err
			}
			loaded.broken = strings.Split(err.Error(), "\n")
		}
		all.broken, all.warnings = append(all.broken, loaded.broken...), append(all.warnings, loaded.warnings...)
		for _, r := range loaded.rules {
			if key := r.File + " " + r.ID; !seen[key] {
				seen[key] = true
				all.rules = append(all.rules, r)
			}
		}
	}
	orphans, err := rule.OrphanedCases(paths)
	if err != nil {
		return loadedRules{}, err
	}
	for _, p := range orphans {
		all.broken = append(all.broken, p.String())
	}
	if len(all.broken) > 0 && (strict || len(all.rules) == 0) {
		return loadedRules{}, errors.New(strings.Join(all.broken, "\n"))
	}
	return all, nil
}

// ruleOfCases returns the file of the rule beside a file of cases.
func ruleOfCases(path string) (string, error) {
	if of, found := rule.FileOfCases(path); found {
		return of, nil
	}
	return "", fmt.Errorf("%s holds the cases of a rule, and there is no rule of that name beside it: call it NAME.test.yaml beside NAME.yaml", path)
}

// tester runs cases.
type tester struct {
	config settings.Settings
	lists  watchlists
	saved  library // what lists come to
	// silences is a file that is tried, or empty, and tried what it has for a rule.
	silences string
	tried    *silencesFile
	run      *regexp.Regexp
}

// caseResult is how a case ended. It passed if it has no differences, no error and no
// mistake.
type caseResult struct {
	rule        *rule.Rule
	test        rule.Case
	took        time.Duration
	alerts      int
	differences []rule.Difference
	failure     string         // why the rule did not run to its end
	mistake     string         // what is wrong with the case itself
	silenced    map[string]int // alerts that silences would hold back, by their ids
	warnings    []string       // of what makes a case test something else than it says
	notes       []string
}

func (r caseResult) passed() bool {
	return len(r.differences) == 0 && r.failure == "" && r.mistake == ""
}

// rule runs the cases of a rule that are to run.
func (t *tester) rule(ctx context.Context, r *rule.Rule, report *testReport) error {
	cases, problems := r.Cases()
	defer func(context bool) { t.config.Context = context }(t.config.Context)
	// Who expects findings wants the context, whatever is usual here.
	t.config.Context = t.config.Context || slices.ContainsFunc(cases, func(c rule.Case) bool {
		return slices.ContainsFunc(c.Expect.Alerts, func(e rule.ExpectedAlert) bool { return len(e.Findings) > 0 })
	})
	tested := *r
	tested.Disabled = false
	begin := time.Now()
	var results []caseResult
	var shared *sharedByCases
	for _, c := range cases {
		if !t.run.MatchString(r.Name + "/" + c.Name) {
			report.left++
			continue
		}
		at := time.Now()
		if shared == nil {
			shared = t.share(&tested)
		}
		result := t.test(ctx, &tested, c, shared)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		result.took = time.Since(at)
		results = append(results, result)
		if err := report.add(result); err != nil {
			return err
		}
	}
	return report.endRule(r, results, problems, time.Since(begin))
}

// sharedByCases is what is the same for all cases of a rule, and takes time to find
// out.
type sharedByCases struct {
	needs  *logs.Options
	tables []string // that the rule reads; nil if that is not known
	others []string // that its context reads
}

func (t *tester) share(r *rule.Rule) *sharedByCases {
	s := &sharedByCases{needs: (&offline{config: t.config, lists: t.saved}).needed([]*rule.Rule{r})}
	s.tables, _ = t.saved.tables(r.Query.Text)
	if t.config.Context {
		for _, query := range slices.Concat(enrich.Queries(), broughtQueries(t.saved, []*rule.Rule{r})) {
			if tables, err := t.saved.tables(query); err == nil {
				s.others = append(s.others, tables...)
			}
		}
	}
	return s
}

// test runs one case.
func (t *tester) test(ctx context.Context, r *rule.Rule, c rule.Case, shared *sharedByCases) caseResult {
	// These say also why a case does not get as far as its expectations.
	result := caseResult{rule: r, test: c, warnings: slices.Concat(unreadTables(c, shared), unknownColumns(c))}
	empty := false
	o := &offline{
		needs: shared.needs,
		rules: []*rule.Rule{r}, config: t.config, lists: t.saved, from: c.From, to: c.To, strict: true, ofCase: true,
		read: func(ctx context.Context, opts logs.Options) (*logs.Logs, error) {
			l, err := readCase(ctx, c, opts)
			if err != nil {
				return nil, readError{err}
			}
			wrong, warnings := otherTables(ctx, c, opts)
			if len(wrong) > 0 {
				return nil, readError{errors.New(strings.Join(wrong, "\n"))}
			}
			result.warnings = append(result.warnings, warnings...)
			empty = l.Report.Bad == 0 && !slices.ContainsFunc(l.Report.Tables, func(t logs.TableReport) bool { return t.Records > 0 })
			return l, nil
		},
	}
	if !c.At.IsZero() {
		o.rules = []*rule.Rule{onceAt(r, c.At)}
		o.from, o.to, o.config.Lateness, o.config.LateLook = c.At.Add(-1), c.At, 0, 0
	}
	late := &lateRecords{delay: o.config.Delay, after: o.config.Delay + o.config.Lateness}
	ready, err := o.prepare(ctx, o.rules, late)
	if err != nil {
		if t.isOfRule(r, err) {
			result.failure = err.Error()
		} else if result.mistake = err.Error(); empty && c.At.IsZero() && (c.From.IsZero() || c.To.IsZero()) {
			result.mistake = "there are no records to take the time from: give at, or from and to"
		}
		return result
	}
	if wrong := wrongRecords(ready.logs.Report); len(wrong) > 0 {
		result.mistake = strings.Join(wrong, "\n")
		return result
	}
	result.notes = slices.Concat(caseNotes(ready.logs.Report), ready.problems.notes)
	var found alertList
	var failed failureList
	coming := o.arrivals(ready, late)
	runs := parts(ready.rules, ready.read, coming.reach(o.config), ready.first, ready.last)
	if !c.At.IsZero() {
		runs = []part{{ready.first, ready.last}}
	}
	detectors, err := o.simulate(ctx, ready.logs, ready.rules, runs, coming, &found, &failed, func(detect.Report) error { return nil })
	if err = errors.Join(err, failed.err()); err != nil {
		result.failure = err.Error()
		return result
	}
	result.notes = append(result.notes, late.warnings(tablesOfRules(ready.rules, ready.known, o.lists), o.config, detectors)...)
	result.alerts = len(found.alerts)
	result.silenced = t.tried.judge(found.alerts, ready.rules)
	result.differences = c.Expect.Compare(found.alerts)
	return result
}

// readError is an error of reading the logs of a case.
type readError struct{ error }

// isOfRule reports whether an error that kept a rule from running is the rule's own,
// whatever logs a case gives it.
func (t *tester) isOfRule(r *rule.Rule, err error) bool {
	if _, ok := errors.AsType[readError](err); ok {
		return false
	}
	_, invalid := t.saved.catalog(kql.KnownTables()).Check(r.Query.Text)
	e, ok := errors.AsType[*kql.Error](invalid)
	if !ok || e.UnknownTable == "" {
		return invalid != nil
	}
	// Of a table that nobody knows the case has to have records, unless another is meant.
	return meantTable(e.UnknownTable) != ""
}

// onceAt returns a rule one of whose windows ends at a time. Windows end at the
// multiples of the frequency, so it is that of a rule that runs as often as the time
// and its own frequency have in common.
func onceAt(r *rule.Rule, at time.Time) *rule.Rule {
	once := *r
	if r.Kind == rule.NRT {
		once.Kind = rule.Scheduled
		once.QueryFrequency = detect.DefaultConfig().NRTFrequency
		once.QueryPeriod = once.QueryFrequency
	}
	common := new(big.Int).GCD(nil, nil, big.NewInt(at.UnixNano()), big.NewInt(int64(once.QueryFrequency)))
	once.QueryFrequency = time.Duration(common.Int64())
	return &once
}

// alertList is a destination that keeps what it is sent.
type alertList struct{ alerts []alert.Alert }

// Name is "test".
func (l *alertList) Name() string { return "test" }

// Notify keeps an alert.
func (l *alertList) Notify(_ context.Context, a alert.Alert) error {
	l.alerts = append(l.alerts, a)
	return nil
}

// readCase reads the logs of a case.
func readCase(ctx context.Context, c rule.Case, opts logs.Options) (*logs.Logs, error) {
	var table string
	opts.FileTable = func(string) string { return table }
	r := logs.NewReader(opts)
	for _, l := range c.Logs {
		table = l.Table
		if l.Path != "" {
			if err := r.Paths(ctx, []string{l.Path}, nil); err != nil {
				return nil, fmt.Errorf("%s:%d:%d: %w", c.File, l.Line, l.Column, err)
			}
			continue
		}
		if len(l.Records) == 0 {
			continue // of a known table nothing is what there is without it
		}
		if err := r.File(ctx, c.File, bytes.NewReader(recordLines(l.Records))); err != nil {
			return nil, err
		}
	}
	if len(c.Logs) > 0 && !slices.ContainsFunc(c.Logs, func(l rule.CaseLogs) bool { return l.Path != "" || len(l.Records) > 0 }) {
		return &logs.Logs{}, nil
	}
	return r.Finish()
}

// wrongRecords lists what could not be read of a case's logs: a case that goes without
// it tests something else.
func wrongRecords(r logs.Report) []string {
	var wrong []string
	for _, p := range r.Problems {
		wrong = append(wrong, p.String())
	}
	if more := r.Bad - int64(len(r.Problems)); more > 0 {
		wrong = append(wrong, fmt.Sprintf("and %s more", count(more, "bad record")))
	}
	for _, c := range r.Conversions {
		wrong = append(wrong, fmt.Sprintf("%s.%s is of type %s, and %s: %s", c.Table, c.Column, c.Type, map[bool]string{true: "a value is not", false: count(c.Count, "value") + " are not"}[c.Count == 1], c.First))
	}
	return wrong
}

// caseNotes lists what deserves a look.
func caseNotes(r logs.Report) []string {
	var notes []string
	for _, p := range r.Warnings {
		notes = append(notes, p.String())
	}
	for _, s := range r.Skipped {
		notes = append(notes, s.Path+": not read: "+s.Reason)
	}
	return notes
}

// unreadTables warns of tables of a case that neither its rule nor the context reads.
func unreadTables(c rule.Case, shared *sharedByCases) []string {
	if len(shared.tables) == 0 {
		return nil // it reads what it finds
	}
	var list []string
	for _, l := range c.Logs {
		if l.Table == "" || slices.ContainsFunc(slices.Concat(shared.tables, shared.others), func(t string) bool { return strings.EqualFold(t, l.Table) }) {
			continue
		}
		reads := "it reads " + strings.Join(shared.tables, ", ")
		if meant := suggest.Nearest(l.Table, shared.tables); meant != "" {
			reads = "did you mean " + meant + "?"
		}
		list = append(list, fmt.Sprintf("%s: the rule does not read %s: %s", placeIn(c.File, l.Line, l.Column), l.Table, reads))
	}
	return list
}

// unknownColumns warns of columns of records that are nearly those of their table.
func unknownColumns(c rule.Case) []string {
	var list []string
	var said once
	for _, l := range c.Logs {
		schema := kql.KnownTables()[l.Table]
		if schema == nil {
			continue
		}
		for _, record := range l.Records {
			var members map[string]json.RawMessage
			if json.Unmarshal(record.JSON, &members) != nil {
				continue // it is a bad record, which is an error
			}
			for _, column := range slices.Sorted(maps.Keys(members)) {
				if slices.ContainsFunc(schema, func(s kql.ColumnSchema) bool { return strings.EqualFold(s.Name, column) }) {
					continue
				}
				if meant := nearestColumn(column, schema); meant != "" && said.first(l.Table+"."+column) {
					list = append(list, fmt.Sprintf("%s: %s has no column %s%s", placeIn(c.File, record.Line, 0), l.Table, column, meant))
				}
			}
		}
	}
	return list
}

// testReport collects the results.
type testReport struct {
	begin    time.Time
	print    testPrinter
	warn     *warnings
	suites   []testSuite
	run      string   // what --run was given
	left     int      // cases that it leaves out
	broken   []string // what is wrong with rules that can not be tested
	mistakes []rule.Problem
}

// testSuite are the results of a rule's cases.
type testSuite struct {
	rule     *rule.Rule
	results  []caseResult
	problems []rule.Problem // mistakes for which there is no case
	took     time.Duration
}

func (r *testReport) add(result caseResult) error { return r.print.result(result) }

// endRule ends the cases of a rule. A problem that is a warning kept no case from
// running, and is no mistake.
func (r *testReport) endRule(of *rule.Rule, results []caseResult, problems []rule.Problem, took time.Duration) error {
	suite := testSuite{rule: of, results: results, took: took}
	for _, p := range problems {
		if p.Warning {
			p.Warning = false // which is said before it
			r.warn.write(p.String())
			continue
		}
		suite.problems = append(suite.problems, p)
	}
	r.suites = append(r.suites, suite)
	r.mistakes = append(r.mistakes, suite.problems...)
	return r.print.suite(suite)
}

func (r *testReport) end() error { return r.print.totals(r, time.Since(r.begin)) }

// counts returns how many cases ran, failed, and hold a mistake.
func (r *testReport) counts() (ran, failed, mistaken int) {
	for _, s := range r.suites {
		for _, c := range s.results {
			ran++
			switch {
			case c.mistake != "":
				mistaken++
			case !c.passed():
				failed++
			}
		}
		mistaken += len(s.problems)
	}
	return ran, failed, mistaken
}

// unmatched says so if --run matches no case: a pattern with a slip of the pen is not to
// pass. A case with a mistake may be the one that it was to match.
func (r *testReport) unmatched() string {
	if ran, _, mistaken := r.counts(); r.run == "" || ran+mistaken > 0 {
		return ""
	}
	return "no case matches --run " + strconv.Quote(r.run)
}

// outcome is the error that the command ends with.
func (r *testReport) outcome() error {
	_, failed, mistaken := r.counts()
	var lines []string
	for _, p := range r.mistakes {
		lines = append(lines, p.String())
	}
	lines = append(lines, r.broken...)
	if unmatched := r.unmatched(); unmatched != "" {
		lines = append(lines, unmatched)
	}
	err := notRun(lines)
	switch {
	case mistaken > 0:
		return &exitError{exitUsage, err}
	case failed > 0 || len(lines) > 0:
		return &exitError{exitFailed, err}
	}
	return nil
}

// shownFile is the path of a case's or a rule's file as it is printed.
func shownFile(path string) string { return filepath.ToSlash(path) }

// placeIn is where something stands in a file.
func placeIn(file string, line, column int) string {
	switch {
	case line == 0:
		return shownFile(file)
	case column == 0:
		return fmt.Sprintf("%s:%d", shownFile(file), line)
	}
	return fmt.Sprintf("%s:%d:%d", shownFile(file), line, column)
}

// testPrinter prints results as they come.
type testPrinter interface {
	result(caseResult) error
	suite(testSuite) error
	totals(r *testReport, took time.Duration) error
}

func (t *tester) printer(w io.Writer, asJSON bool) testPrinter {
	if asJSON {
		return &jsonTests{w}
	}
	return &textTests{w: w, style: styleOf(w)}
}
