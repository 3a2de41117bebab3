package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/enrich"
	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/logs"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/workspace"
	"pushback/handler/page"
	"pushback/handler/settings"
)

// offline runs rules over logs in the place of a workspace. The tick, and all
// of what it does up to the call of azquery and from its answer on, is the
// production one. Only the transport is another, and the clock, which jumps
// from one tick that has something to do to the next.
type offline struct {
	title    string
	rules    []*rule.Rule
	warnings []string
	broken   []string // what is wrong with rules that do not run
	strict   bool     // a rule that can not run keeps the others from running
	ofCase   bool     // the logs are those of a case of a rule's tests
	config   settings.Settings
	lists    library
	from, to time.Time // zero: from the logs' first hour, to their end
	read     func(context.Context, logs.Options) (*logs.Logs, error)
	needs    *logs.Options // what the rules need of the logs; nil to find it out
	perHour  bool          // what happened is counted hour by hour, too
	silences *silencesFile // what is tried; nil for nothing
}

// localWorkspace is the id of the workspace that the logs stand for.
const localWorkspace = "local"

// run reads the logs, runs the rules over the time that they cover, and prints what
// they found. Its error joins what failed on the way.
func (o *offline) run(ctx context.Context, out *output, stdout, stderr io.Writer) (err error) {
	begin := time.Now()
	var cards *served
	if out.open && out.serve == "" {
		out.serve = ":0"
	}
	if out.serve != "" {
		shown := page.New(page.Options{Title: o.title, Links: cardLinks(o.config), Most: o.config.TeamsMaxCards})
		if cards, err = servePage(ctx, shown, out.serve); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cards.close()) }()
		fmt.Fprintf(stderr, "The cards are at %s from now on and until you press Ctrl-C.\n", cards.url)
	}
	o.perHour = true
	o.warnings = append(o.warnings, o.lists.notes...)
	if out.silences != "" {
		var err error
		if o.silences, err = readTriedSilences(out.silences, o.rules); err != nil {
			return err
		}
		o.warnings = append(o.warnings, o.silences.warnings...)
	}
	enabled, disabled := divide(o.rules)
	for _, r := range disabled {
		o.warnings = append(o.warnings, fmt.Sprintf("%s: the rule %q is disabled and does not run", r.File, r.Name))
	}
	if len(enabled) == 0 {
		return errors.New(strings.Join(slices.Concat(o.broken, o.warnings, []string{"no rule is left to run"}), "\n"))
	}
	late := &lateRecords{delay: o.config.Delay, after: o.config.Delay + o.config.Lateness}
	ready, err := o.prepare(ctx, enabled, late)
	if err != nil {
		return err
	}
	l, rules, problems, first, last := ready.logs, ready.rules, ready.problems, ready.first, ready.last

	coming := o.arrivals(ready, late)
	bar := newProgress(stderr)
	warn := &warnings{w: &clearing{stderr, bar}}
	p := out.printer(&clearing{stdout, bar}, styleOf(stdout), warn)
	counting, shown := p.(interface{ perHour(*hours) })
	if o.silences != nil {
		p = &triedSilences{printer: p, file: o.silences, w: &clearing{stdout, bar}, style: styleOf(stdout), json: out.json, summary: out.summary}
	}
	if err := p.start(o.title, l, rules, slices.Concat(o.warnings, problems.missing, problems.notes), first, last); err != nil {
		return err
	}
	var perHour *hours
	if shown || cards != nil {
		if perHour, err = o.hours(ctx, ready); err != nil && ctx.Err() == nil {
			warn.write(err.Error())
		}
	}
	if shown {
		counting.perHour(perHour)
	}
	to := p.notifier()
	if cards != nil {
		cards.start(perHour, ready)
		to = collecting{to, cards.Page}
		if out.open {
			cards.open(stderr)
		}
	}
	var failures failureList
	detectors, err := o.simulate(ctx, l, rules, parts(rules, ready.read, coming.reach(o.config), first, last), coming, to, &failures, func(r detect.Report) error {
		if time.Since(begin) > progressAfter {
			bar.run(r.Time.Sub(first), last.Sub(first))
		}
		if cards != nil {
			cards.At(r.Time)
		}
		return p.tick(r)
	})
	bar.done()
	warn.flush()
	if err != nil && ctx.Err() != nil {
		return errors.Join(p.end(time.Since(begin), true), err)
	}
	if err != nil {
		return err
	}
	p.tooLate(late.warnings(tablesOfRules(rules, ready.known, o.lists), o.config, detectors))
	if err := p.end(time.Since(begin), false); err != nil {
		return err
	}
	if cards != nil {
		cards.End()
		fmt.Fprintf(stderr, "The cards stay at %s until you press Ctrl-C.\n", cards.url)
		failures.add(cards.wait(ctx))
	}
	return errors.Join(notRun(slices.Concat(o.broken, problems.refused)), errors.Join(l.Report.Unusable...), failures.err())
}

// notRun is the error of rules that did not run, nil if there are none.
func notRun(broken []string) error {
	if len(broken) == 0 {
		return nil
	}
	return errors.New(strings.Join(broken, "\n"))
}

// prepared are logs with the rules that can run over them.
type prepared struct {
	logs, known *logs.Logs // as they are, and with the known tables that they lack
	rules       []*rule.Rule
	problems    runProblems
	read        []*kql.Table // that say when to run
	first, last time.Time
}

// prepare reads what rules need of the logs, and finds out which of the rules can run
// over them and when. It is an error if none can.
func (o *offline) prepare(ctx context.Context, rules []*rule.Rule, late *lateRecords) (*prepared, error) {
	l, err := o.readFor(ctx, rules, late)
	if err != nil {
		return nil, err
	}
	late.sort()
	tables, empty := withKnown(o.lists, l, queriesOf(rules)...)
	p := &prepared{logs: l, known: &logs.Logs{Tables: tables, Report: l.Report}}
	p.rules, p.problems = runnable(rules, p.known, o.lists)
	p.problems.notes = append(p.problems.notes, emptyNotes(o.lists, empty, p.rules)...)
	if len(p.problems.refused) > 0 && o.strict || len(p.rules) == 0 {
		return nil, errors.New(strings.Join(slices.Concat(o.broken, p.problems.refused, p.problems.missing), "\n"))
	}
	p.read = tablesRead(p.rules, p.known, o.lists)
	if len(p.read) == 0 && (o.from.IsZero() || o.to.IsZero()) {
		return nil, errors.Join(errors.Join(l.Report.Unusable...), o.noTime(p))
	}
	p.first, p.last, err = o.span(p.read)
	return p, err
}

// arrivals is what is known of late records before the rules run.
type arrivals struct {
	looks looks
	late  *lateRecords
}

// arrivals says what is known of late records of logs that are prepared.
func (o *offline) arrivals(ready *prepared, late *lateRecords) *arrivals {
	return &arrivals{looks: looksOf(ready.rules, o.lists.catalog(schemasOf(ready.known.Tables))), late: late}
}

// reach is how long after the end of a part of the time rules still run over
// windows of it.
func (a *arrivals) reach(s settings.Settings) time.Duration {
	within := min(a.late.longest, s.LateLook)
	if s.LateLook == 0 || len(a.looks.without) > 0 {
		within = max(within, s.Lateness)
	}
	return within
}

// readFor reads what rules need of the logs, and notes the records that came late.
func (o *offline) readFor(ctx context.Context, rules []*rule.Rule, late *lateRecords) (*logs.Logs, error) {
	opts := o.needs
	if opts == nil {
		opts = o.needed(rules)
	}
	reading := *opts
	reading.Received = late.add
	return o.read(ctx, reading)
}

// needed finds out what rules, and the context of their alerts, need of the logs.
func (o *offline) needed(rules []*rule.Rule) *logs.Options {
	queries := queriesOf(rules)
	if o.config.Context {
		queries = append(queries, enrich.Queries()...)
	}
	if o.perHour && o.countsRejections(rules) {
		queries = append(queries, rejectionsQuery)
	}
	var brought []string
	if o.config.Context {
		brought = broughtQueries(o.lists, rules)
	}
	return &logs.Options{Columns: neededColumns(o.lists, slices.Concat(queries, brought)...),
		Rows: neededRows(o.lists, slices.Concat(queries, wholeTables(o.lists, brought))...)}
}

// queriesOf returns the texts of the rules' queries.
func queriesOf(rules []*rule.Rule) []string {
	texts := make([]string, len(rules))
	for i, r := range rules {
		texts[i] = r.Query.Text
	}
	return texts
}

// simulate runs rules over parts of the time, one after the other, and returns
// their detectors. What one part reported, the next does not report again.
func (o *offline) simulate(ctx context.Context, l *logs.Logs, rules []*rule.Rule, parts []part, coming *arrivals, to notify.Notifier, failures *failureList, ticked func(detect.Report) error) ([]*detect.Detector, error) {
	kql.BoundMemory(o.lists.limits)
	reported := ledger.NewMemory()
	var detectors []*detect.Detector
	for _, part := range parts {
		sim, err := newSimulation(l, o.lists, rules, o.config, part.from, part.to, coming, reported, to, o.silences)
		if err != nil {
			return nil, err
		}
		detectors = append(detectors, sim.detector)
		if err := sim.run(ctx, failures, ticked); err != nil {
			return nil, err
		}
	}
	return detectors, nil
}

// simulation is a detector over logs with a clock of its own.
type simulation struct {
	detector *detect.Detector
	now      time.Time
	from     time.Time
}

func newSimulation(l *logs.Logs, lists library, rules []*rule.Rule, s settings.Settings, first, last time.Time, known *arrivals, reported detect.Ledger, to notify.Notifier, tried ...*silencesFile) (*simulation, error) {
	sim := &simulation{from: first}
	tables, _ := withKnown(lists, l, queriesOf(rules)...)
	client, err := sim.client(tables, lists)
	if err != nil {
		return nil, err
	}
	// What the logs do not hold, context says so of.
	context, err := sim.client(l.Tables, lists)
	if err != nil {
		return nil, err
	}
	config := detect.DefaultConfig()
	config.Delay, config.Lateness = s.Delay, s.Lateness
	config.CatchUp = 0   // nothing is ever missed here
	config.SendLimit = 0 // and no tick comes after the last
	config.LateLook, config.MostLate = s.LateLook, 0
	config.LookMargin = 0 // the times at which records were received are exact
	if known != nil {
		config.Beginnings, config.LateRecords = known.looks.beginnings, known.late.next
	}
	config.MaxAlerts = s.MaxAlerts
	config.Concurrency, config.InOrder = runtime.GOMAXPROCS(0), true
	config.Start, config.End = first, last
	withContext(&config, s, context, rules)
	for _, f := range tried {
		f.use(&config, rules)
	}
	sim.detector, err = detect.New(config, rules, client, reported, to)
	return sim, err
}

// client returns a client of a workspace that holds the tables.
func (s *simulation) client(tables []*kql.Table, lists library) (*workspace.Client, error) {
	db := lists.database(tables...)
	return workspace.New(localWorkspace, localCredential{}, workspace.Options{
		ClientOptions: azcore.ClientOptions{
			Transport: &service.Service{
				DB:     db,
				Now:    func() time.Time { return s.now },
				Limits: lists.limits,
				AtOnce: runtime.GOMAXPROCS(0),
			},
			Retry: policy.RetryOptions{MaxRetries: -1}, // what fails in process fails again
		},
	})
}

// run ticks whenever something is due, until nothing is. What failed in a tick is
// added to the failures and the next one comes, as in production. The error is
// what ended the run early.
func (s *simulation) run(ctx context.Context, failures *failureList, ticked func(detect.Report) error) error {
	for s.now = s.detector.Next(s.from.Add(-1)); !s.now.IsZero(); s.now = s.detector.Next(s.now) {
		report, err := s.detector.Tick(ctx, s.now)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		failures.add(err)
		if err := ticked(report); err != nil {
			return err
		}
	}
	return nil
}

// runProblems are why rules can not run over some logs.
type runProblems struct {
	refused []string // errors in the rules' queries
	missing []string // rules whose tables the logs lack
	notes   []string // tables that a rule goes without
}

// runnable parts the rules that can run over the logs from those that cannot.
func runnable(rules []*rule.Rule, l *logs.Logs, lists library) ([]*rule.Rule, runProblems) {
	schemas := schemasOf(l.Tables)
	var good []*rule.Rule
	var p runProblems
	for _, r := range rules {
		s, err := lists.catalog(schemas).Check(r.Query.Text)
		var query *kql.Error
		switch {
		case errors.As(err, &query) && query.UnknownFunction != "":
			problem, _, _ := strings.Cut(queryProblem(r, query), "\n")
			p.missing = append(p.missing, fmt.Sprintf("the rule %q can not run: %s", r.Name, problem))
			continue
		case errors.As(err, &query) && query.UnknownTable != "":
			p.missing = append(p.missing, fmt.Sprintf("the rule %q reads %s, which these logs do not hold and of which no columns are known: give it as a file named %[2]s.ndjson or %[2]s.csv, or if it is a function of the workspace, its text by --functions; they hold %[3]s",
				r.Name, query.UnknownTable, tablesOf(l)))
			continue
		case errors.As(err, &query):
			p.refused = append(p.refused, queryProblem(r, query))
			continue
		case err != nil:
			p.refused = append(p.refused, fmt.Sprintf("%s: %v", r.File, err))
			continue
		}
		for _, w := range s.Warnings {
			p.notes = append(p.notes, fmt.Sprintf("the rule %q: %s", r.Name, w))
		}
		if w := identityWarning(r, s.Columns); w != "" {
			p.notes = append(p.notes, fmt.Sprintf("the rule %q: %s", r.Name, w))
		}
		for _, table := range s.Missing {
			if function, ok := strings.CutSuffix(table, "()"); ok {
				p.notes = append(p.notes, fmt.Sprintf("the rule %q runs without the function %s, whose text is not given (--functions)", r.Name, function))
				continue
			}
			p.notes = append(p.notes, fmt.Sprintf("the rule %q runs without the table %s, which these logs do not hold and of which no columns are known", r.Name, table))
		}
		if len(r.Context) > 0 {
			all := maps.Clone(kql.KnownTables())
			maps.Copy(all, schemas)
			p.notes = append(p.notes, broughtNotes(r, lists.catalog(all))...)
		}
		good = append(good, r)
	}
	return good, p
}

func tablesOf(l *logs.Logs) string { return tableCounts(l.Report.Tables) }

// tableCounts lists tables with the numbers of their records.
func tableCounts(tables []logs.TableReport) string {
	var list []string
	for _, t := range tables {
		list = append(list, fmt.Sprintf("%s (%s)", t.Name, count(t.Records, "record")))
	}
	if len(list) == 0 {
		return "no table at all"
	}
	return someOf(list)
}

func schemasOf(tables []*kql.Table) map[string]kql.Schema {
	schemas := make(map[string]kql.Schema)
	for _, t := range tables {
		schemas[t.Name()] = t.Schema()
	}
	return schemas
}

// contextTables hold what is known of somebody rather than what happened: they
// reach back long before the events, and say nothing about when to look.
var contextTables = map[string]bool{"IdentityInfo": true}

// tablesRead lists the tables of events that the rules read, or if there are
// none the others.
func tablesRead(rules []*rule.Rule, l *logs.Logs, lists library) []*kql.Table {
	names := make(map[string]bool)
	for _, tables := range tablesOfRules(rules, l, lists) {
		for _, table := range tables {
			names[table] = true
		}
	}
	var events, others []*kql.Table
	for _, t := range l.Tables {
		switch _, _, ok := t.TimeRange(); {
		case !ok || !names[t.Name()]:
		case contextTables[t.Name()]:
			others = append(others, t)
		default:
			events = append(events, t)
		}
	}
	if len(events) == 0 {
		return others
	}
	return events
}

// tablesOfRules lists the tables that each rule reads.
func tablesOfRules(rules []*rule.Rule, l *logs.Logs, lists library) map[*rule.Rule][]string {
	schemas := schemasOf(l.Tables)
	reads := make(map[*rule.Rule][]string)
	for _, r := range rules {
		s, err := lists.catalog(schemas).Check(r.Query.Text)
		if err == nil { // it was checked before
			reads[r] = slices.Sorted(maps.Keys(s.Reads))
		}
	}
	return reads
}

// noTime says why the logs do not tell when to run: no table that the rules read has
// a record.
func (o *offline) noTime(p *prepared) error {
	times, instead := "--from and --to", "if records of theirs are among these, name their table with --table NAME, else give "
	if o.ofCase {
		times, instead = "at, or from and to", "correct the table's name, or give "
	}
	held := slices.DeleteFunc(slices.Clone(p.logs.Report.Tables), func(t logs.TableReport) bool { return t.Records == 0 })
	switch files := p.logs.Report.Files; {
	case len(held) > 0:
	case o.ofCase:
		return errors.New("there are no records to take the time from: give " + times)
	case len(files) == 1:
		return fmt.Errorf("%s holds no records, so there is no time to run over: give logs with records, or %s", files[0].Path, times)
	default:
		return fmt.Errorf("none of the %d files holds records, so there is no time to run over: give logs with records, or %s", len(files), times)
	}
	names := make(map[string]bool)
	for _, tables := range tablesOfRules(p.rules, p.known, o.lists) {
		for _, table := range tables {
			names[table] = true
		}
	}
	if len(names) == 0 {
		return errors.New("the rules read no table, so the logs do not tell the time to run over: give " + times)
	}
	return fmt.Errorf("the logs hold no record of a table that the rules read (%s): they hold %s; %s%s",
		someOf(slices.Sorted(maps.Keys(names))), tableCounts(held), instead, times)
}

// someOf lists names, of many the first.
func someOf(names []string) string {
	const most = 20
	if more := len(names) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), more)
	}
	return strings.Join(names, ", ")
}

// span is the time to run over. It is what was asked for, else that of the
// records in the tables, of which there is one then, from the start of the first's hour.
func (o *offline) span(tables []*kql.Table) (first, last time.Time, err error) {
	first, last = o.from, o.to
	if !first.IsZero() && !last.IsZero() {
		return first, last, nil
	}
	earliest, latest, _ := tables[0].TimeRange()
	for _, t := range tables[1:] {
		from, to, _ := t.TimeRange()
		if from.Before(earliest) {
			earliest = from
		}
		if to.After(latest) {
			latest = to
		}
	}
	if first.IsZero() {
		first = earliest.Truncate(time.Hour)
	}
	if last.IsZero() {
		last = latest.Add(alert.Resolution)
	}
	if !first.Before(last) {
		return first, last, fmt.Errorf("there is nothing to run over from %s to %s: the logs are from %s to %s",
			first.Format(time.RFC3339), last.Format(time.RFC3339), earliest.Format(time.RFC3339), latest.Format(time.RFC3339))
	}
	return first, last, nil
}

// part is a stretch of time that is run over.
type part struct{ from, to time.Time }

// parts leaves out of a time what no record can reach. So logs of a few days
// years apart do not run all the windows between. A rule that fires when it
// finds nothing has to run all the same. Late is how long after the end of a part
// records may still come in.
func parts(rules []*rule.Rule, tables []*kql.Table, late time.Duration, first, last time.Time) []part {
	reach := time.Duration(0) // from a record to the windows that it is in
	for _, r := range rules {
		if r.Trigger.Met(0) {
			return []part{{first, last}}
		}
		reach = max(reach, r.QueryPeriod+r.QueryFrequency)
	}
	var hours []time.Time
	for _, t := range tables {
		hours = append(hours, t.Hours()...)
	}
	slices.SortFunc(hours, time.Time.Compare)
	var list []part
	for _, h := range hours {
		from, to := h, h.Add(time.Hour+reach)
		if from.Before(first) {
			from = first
		}
		if to.After(last) {
			to = last
		}
		if !from.Before(to) {
			continue
		}
		if n := len(list); n > 0 && !list[n-1].to.Add(late).Before(from) {
			list[n-1].to = to
			continue
		}
		list = append(list, part{from, to})
	}
	return list
}

// localCredential gives the token that the client must send and that nobody
// checks: it never leaves the process.
type localCredential struct{}

func (localCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "local", ExpiresOn: time.Now().Add(time.Hour)}, nil
}
