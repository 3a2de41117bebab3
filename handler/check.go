package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/enrich"
	"pushback/detect/ledger"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/secret"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// What comes of a check.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
)

// checkLine is what one check found, as --json prints it.
type checkLine struct {
	Check  string `json:"check"`
	Status string `json:"status"`
	// Text says what was found and what to do.
	Text string `json:"text"`
	// Do is the part of Text that says what to do, if there is anything.
	Do string `json:"do,omitempty"`
}

// checker runs the checks. They write nothing but one row of the ledger, the
// same each time and the one that serve writes as it starts.
type checker struct {
	settings settings.Settings
	now      func() time.Time
	print    func(checkLine) error
	failed   int
	err      error // of printing
}

func newCheck() *cobra.Command {
	var asJSON, sendCard, deployed bool
	var appID string
	var file settingsFile
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check settings, rules, permissions and reachability, and say what to do",
		Long: "Checks every prerequisite of serve, with the identity of the process and the settings in the environment, or if\n" +
			"it has none those in ./local.settings.json. Each check is ok, warning or failed, with what to do on a line of\n" +
			"its own. The exit code is 1 if a check failed.\n\n" +
			"With --deployed the settings, roles and version of a function app are compared with what this version needs,\n" +
			"as whoever is signed in (az login). Nothing is changed, and no secret is shown.",
		Example: "  handler check\n" +
			"  handler check --settings local.settings.json --send-test-card\n" +
			"  handler check --deployed --app /subscriptions/ID/resourceGroups/pushback/providers/Microsoft.Web/sites/NAME",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := &checker{now: time.Now, print: checkPrinter(cmd.OutOrStdout(), asJSON)}
			if appID != "" && !deployed || deployed && (sendCard || cmd.Flags().Changed("settings")) {
				return usageError{errors.New("--app goes with --deployed, and --send-test-card and --settings do not")}
			}
			if deployed {
				app, err := parseApp(appID)
				if err != nil {
					return err
				}
				c.deployed(cmd.Context(), app)
			} else {
				if err := c.settingsOf(file); err != nil {
					return err
				}
				c.run(cmd.Context(), sendCard)
			}
			switch {
			case c.err != nil:
				return c.err
			case cmd.Context().Err() != nil:
				return cmd.Context().Err()
			case c.failed > 0:
				return fmt.Errorf("%s failed", count(int64(c.failed), "check"))
			}
			return nil
		},
	}
	file.flag(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per check")
	cmd.Flags().BoolVar(&deployed, "deployed", false, "compare a function app that is deployed with what this version needs")
	cmd.Flags().StringVar(&appID, "app", "", "resource id of the function app for --deployed; in the app itself it is known")
	cmd.Flags().BoolVar(&sendCard, "send-test-card", false, "post a test card to the Teams webhook, and a test to PUSHBACK_WEBHOOK_URL")
	return cmd
}

// note prints what a check found, on one line.
func (c *checker) note(check, status, format string, args ...any) {
	if status == checkFailed {
		c.failed++
	}
	found := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	if c.err == nil { // what cannot be printed once is not printed at all
		found = text.Safe(secret.Hide(found))
		_, do := advice(found)
		if status == checkOK {
			do = ""
		}
		c.err = c.print(checkLine{check, status, found, do})
	}
}

// unknownSetting says of a variable that it is no setting.
func unknownSetting(name string) string {
	do := "see handler --help"
	if meant := settings.Meant(name); meant != "" {
		do = "did you mean " + meant + "?"
	}
	return "the variable " + name + " is not a setting, although its name begins like one: " + do
}

// fail prints each of the errors that are joined in err.
func (c *checker) fail(check string, err error) {
	for _, line := range failures(err) {
		c.note(check, checkFailed, "%s", line)
	}
}

// run runs the checks in the order in which serve needs what they check. A check
// of the workspace is left out once it does not answer.
func (c *checker) run(ctx context.Context, sendCard bool) {
	var err error
	c.settings, err = settings.ReadFor("serve")
	if err != nil {
		c.fail("settings", err)
	}
	for _, name := range settings.Unknown() {
		c.note("settings", checkWarning, "%s", unknownSetting(name))
	}
	if unset := c.unset(); err == nil && !unset {
		c.note("settings", checkOK, "all settings are valid")
	}
	c.schedule()
	c.timeZone()
	c.host()
	rules := c.rules()
	c.silences(rules)
	c.routes()
	one := func(check func(ctx context.Context)) {
		if ctx.Err() == nil && c.err == nil {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			check(ctx)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	var querier detect.Querier // nil if it cannot be asked
	if c.settings.WorkspaceID != "" {
		reached := false
		one(func(ctx context.Context) { reached = c.credential(ctx) })
		if reached {
			one(func(ctx context.Context) { querier = c.workspace(ctx, quiet) })
		}
	}
	for _, r := range rules {
		one(func(ctx context.Context) { c.rule(ctx, querier, r) })
	}
	if querier != nil {
		for _, name := range ruleTables(rules) {
			one(func(ctx context.Context) { c.table(ctx, querier, name) })
		}
	}
	if querier != nil && len(rules) > 0 {
		one(func(ctx context.Context) { c.plans(ctx, rules) })
		one(func(ctx context.Context) { c.twice(ctx, rules) })
	}
	c.looks(rules, querier, one)
	c.emulator()
	one(func(ctx context.Context) { c.ledger(ctx, rules, quiet) })
	var test *alert.Alert
	if sendCard {
		a := testAlert(c.now().UTC())
		test = &a
	}
	c.webhooks()
	c.destinations(rules, querier, test, one)
	c.buttons(rules)
}

func (c *checker) schedule() {
	s := c.settings.Schedule
	if !c.settings.Given("SCHEDULE") {
		c.note("schedule", checkFailed, "the setting %s_SCHEDULE is not set: the Functions host does not find the function without it. Set it to 0 */5 * * * *, every five minutes", settings.Prefix)
		return
	}
	if s == nil { // as was said of the settings
		return
	}
	if s.SeveralAMinute() {
		c.note("schedule", checkWarning, "the host ticks at %s (UTC), and less than a minute passes between two ticks: it then keeps no record of them and catches up none that it missed. "+
			"Tick less often, such as at 0 */5 * * * *. %s", s, everySecond(s))
	}
	if s.Pause() > time.Hour {
		pause := "a day or more passes between two ticks"
		if d := s.Pause(); d < 24*time.Hour {
			pause = fmt.Sprintf("up to %s pass between two ticks", strings.TrimSuffix(d.String(), "0s"))
		}
		c.note("schedule", checkWarning, "the host ticks at %s (UTC), and %s: alerts come that late, and Pushback's health and the alert rule for an hour without a successful tick "+
			"expect one every hour. Tick more often, such as at 0 */5 * * * *", s, pause)
	}
	if !s.SeveralAMinute() && s.Pause() <= time.Hour {
		c.note("schedule", checkOK, "the host ticks at %s (UTC)", s)
	}
}

// rules reads the rules as serve does.
func (c *checker) rules() []*rule.Rule {
	set := readRules(c.settings.Rules)
	for _, p := range set.problems {
		status := checkFailed
		if p.Warning {
			status = checkWarning
			p.Warning = false // the line says it
		}
		c.note("rule", status, "%s", p)
	}
	running, _ := divide(set.rules)
	if share := c.settings.Share; share.Of > 1 {
		own := slices.DeleteFunc(slices.Clone(running), func(r *rule.Rule) bool { return !share.Has(r) })
		c.note("share", checkOK, "share %s has %d of %s", share, len(own), count(int64(len(running)), "rule"))
		if running = own; len(own) == 0 && len(set.rules) > 0 {
			return nil
		}
	}
	if len(running) == 0 {
		c.note("rule", checkFailed, "no rule is left to run: see %s_RULES", settings.Prefix)
	}
	return running
}

// someSkew is how far our clock may be from the workspace's before a check
// warns of it. mostSkew is too far for the leases of the ledger, which last
// five minutes.
const (
	someSkew = 30 * time.Second
	mostSkew = 2 * time.Minute
)

// credential checks whether there is a token for the workspace's service.
func (c *checker) credential(ctx context.Context) bool {
	options, err := cloudOptions(c.settings, []tune{impatient})
	if err == nil {
		_, err = token(ctx, options, workspace.Scope(options.Cloud))
	}
	if err != nil {
		c.fail("credential", err)
		return false
	}
	c.note("credential", checkOK, "there is a token for the workspace's service")
	return true
}

// workspace checks whether the workspace answers and what the time is, and
// returns what queries it, or nil if it does not answer.
func (c *checker) workspace(ctx context.Context, log *slog.Logger) detect.Querier {
	s := c.settings
	// Less than the check has, with the time that an answer is waited for beyond
	// it, so that the client has the last word.
	const most = checkTimeout - 20*time.Second
	s.QueryTimeout = min(cmp.Or(s.QueryTimeout, most), most)
	q, err := openWorkspace(s, log, impatient)
	if err != nil {
		c.fail("workspace", err)
		return nil
	}
	before := c.now()
	table, err := q.Query(ctx, workspace.Query{Text: "print Now = now()", Start: before.Add(-time.Minute), End: before})
	after := c.now()
	var late *workspace.TimeoutError
	switch {
	case errors.As(err, &late) && late.Unanswered(): // the query is too small to take so long
		c.note("workspace", checkFailed, "%s does not answer within %s: check the cloud that is set, and that the firewall and the proxy let the app connect to it", s.WorkspaceID, late.Timeout)
		return nil
	case err != nil:
		c.fail("workspace", err)
		return nil
	}
	if table.NoData {
		c.note("workspace", checkWarning, "%s answers, and holds no data at all: connect the tables that the rules read. Until then it checks no query", s.WorkspaceID)
		return q
	}
	c.note("workspace", checkOK, "%s answers", s.WorkspaceID)
	c.clock(table, before, after)
	return q
}

// clock compares our time, before and after the workspace was asked, with its.
func (c *checker) clock(table *workspace.Table, before, after time.Time) {
	if len(table.Rows) != 1 || len(table.Rows[0]) != 1 {
		c.note("clock", checkWarning, "the workspace returned no time to compare with")
		return
	}
	there, ok := table.Rows[0][0].(time.Time)
	if !ok {
		c.note("clock", checkWarning, "the workspace returned no time to compare with")
		return
	}
	skew := time.Duration(0)
	if there.Before(before) {
		skew = before.Sub(there)
	} else if there.After(after) {
		skew = there.Sub(after)
	}
	switch {
	case skew > mostSkew:
		c.note("clock", checkFailed, "this machine's clock is %s off the workspace's: windows would run at the wrong time, and two processes could run at once. Set the machine's clock", skew.Round(time.Second))
	case skew > someSkew:
		c.note("clock", checkWarning, "this machine's clock is %s off the workspace's: set it", skew.Round(time.Second))
	default:
		c.note("clock", checkOK, "this machine's clock agrees with the workspace's")
	}
}

// rule runs a rule's query over a minute: the workspace's own schema decides.
func (c *checker) rule(ctx context.Context, q detect.Querier, r *rule.Rule) {
	if q == nil {
		c.note("rule", checkOK, "%s: %q is a valid rule; its query was not run, since the workspace does not answer", r.File, r.Name)
		return
	}
	end := c.now().UTC().Truncate(time.Minute)
	table, err := q.Query(ctx, workspace.Query{Text: r.Query.Text, Start: end.Add(-time.Minute), End: end, Now: end, RuleID: r.ID, RuleVersion: r.Version})
	if err != nil {
		c.note("rule", checkFailed, "%s: %q: the workspace does not run its query: %v", r.File, r.Name, err)
		return
	}
	if table.NoData {
		c.note("rule", checkWarning, "%s: %q is a valid rule; the workspace holds no data and did not check its query", r.File, r.Name)
		return
	}
	missing := false
	for _, use := range r.Columns() {
		if table.Column(use.Column) < 0 {
			missing = true
			c.note("rule", checkWarning, "%s:%d:%d: %s: the query's result has no column %q", r.File, use.Line, use.Col, use.Use, use.Column)
		}
	}
	if !missing {
		c.note("rule", checkOK, "%s: %q runs in the workspace", r.File, r.Name)
	}
	for _, context := range r.Context {
		c.brought(ctx, q, r, context)
	}
}

// brought runs the query of a context that a rule brings, for entities that no alert
// has.
func (c *checker) brought(ctx context.Context, q detect.Querier, r *rule.Rule, of rule.Context) {
	end := c.now().UTC().Truncate(time.Minute)
	text, _ := enrich.ExampleOf(of)
	table, err := q.Query(ctx, workspace.Query{Text: text, Start: end.Add(-time.Minute), End: end, Now: end, RuleID: r.ID, RuleVersion: r.Version})
	if absent, ok := workspace.MissingTable(err); ok {
		c.note("context", checkWarning, "%s: %q: the context %s reads %s, which is not in the workspace: alerts go without it", r.File, r.Name, of.Name, absent)
		return
	}
	if err == nil {
		err = enrich.CheckAnswer(of, r.File, table)
	}
	if err != nil {
		c.note("context", checkFailed, "%s: %q: the context %s: alerts go without it: %v", r.File, r.Name, of.Name, enrich.Located(of, r.File, err))
		return
	}
	c.note("context", checkOK, "%s: %q: the context %s runs in the workspace", r.File, r.Name, of.Name)
}

// tableSilence is how far back a table's newest record is looked for.
const tableSilence = 14 * 24 * time.Hour

// table says whether a table of the rules exists, and how old its newest record
// is.
func (c *checker) table(ctx context.Context, q detect.Querier, name string) {
	newest, missing, err := newestRecord(ctx, q, name, c.now().UTC())
	switch {
	case missing != "":
		c.note("table", checkWarning, "%s is not in the workspace: connect its data, or change the rule", missing)
	case err != nil:
		c.note("table", checkFailed, "%s: %v", name, err)
	case newest.IsZero():
		c.note("table", checkWarning, "%s has no record of the last 14 days: check its connector", name)
	default:
		c.note("table", checkOK, "%s, newest record %s", name, newest.UTC().Format(time.RFC3339))
	}
}

// newestRecord asks when the newest record of a table is from, which is zero if it has
// none of late. Missing is its name if the workspace has no such table.
func newestRecord(ctx context.Context, q detect.Querier, name string, now time.Time) (newest time.Time, missing string, err error) {
	table, err := q.Query(ctx, workspace.Query{Text: "['" + name + "'] | summarize Newest = max(TimeGenerated)", Start: now.Add(-tableSilence), End: now, Now: now})
	if missing, none := workspace.MissingTable(err); none {
		return time.Time{}, missing, nil
	}
	if err != nil {
		return time.Time{}, "", err
	}
	if len(table.Rows) == 1 && len(table.Rows[0]) == 1 {
		newest, _ = table.Rows[0][0].(time.Time)
	}
	return newest, "", nil
}

// ledger checks that the ledger can be read and written, and lists what its
// outbox cannot get rid of.
func (c *checker) ledger(ctx context.Context, rules []*rule.Rule, log *slog.Logger) {
	if err := checkRetention(c.settings, rules); err != nil {
		c.fail("ledger", err)
	}
	l, err := openLedger(ctx, c.settings, log, false)
	if o, _ := ledgerOptions(c.settings); errors.Is(err, ledger.ErrNoTable) && ledger.IsDevelopmentStorage(o.ConnectionString) {
		c.note("ledger", checkWarning, "table %s is not in the storage emulator: serve makes it at its start", c.settings.TableName)
		return
	}
	if err != nil {
		c.fail("ledger", advised(err))
		return
	}
	if c.settings.TableConnection == settings.InMemory {
		c.note("ledger", checkWarning, "it is in memory: a restart forgets what was reported. Set %s_TABLE_ENDPOINT", settings.Prefix)
		return
	}
	owed, err := l.Outbox(ctx)
	if err != nil {
		c.fail("ledger", advised(err))
		return
	}
	format, err := l.Format(ctx)
	switch {
	case err != nil:
		c.fail("ledger", advised(err))
		return
	case format == 0 || format == ledger.Format:
		c.note("ledger", checkOK, "table %s can be read and written, in format %d", c.settings.TableName, ledger.Format)
	default:
		c.note("ledger", checkOK, "table %s can be read and written; it is in format %d, and from the next tick on in format %d, which versions before this one must not write to",
			c.settings.TableName, format, ledger.Format)
	}
	c.load(ctx, l)
	c.silencesOf(ctx, l)
	waiting := 0
	for _, o := range owed {
		if !o.Parked {
			waiting++
			continue
		}
		c.note("outbox", checkWarning, "alert %s is parked, %s refused it %d times: %s. Remove the cause, then handler outbox retry %[1]s, or drop it",
			o.Alert.ID, o.Destination, o.Attempts, text.Cut(o.LastError, 200))
	}
	refusals, err := detect.Refusals(ctx, l)
	if err != nil {
		c.fail("outbox", advised(err))
	}
	for _, r := range refusals {
		c.note("outbox", checkWarning, "%s", refusalLine(r))
	}
	c.note("outbox", checkOK, "%s to be sent", count(int64(waiting), "alert"))
}

// crowded is from how much of its time on a tick is nearly full, in percent.
const crowded = 80

// load says how full the ticks of each share were.
func (c *checker) load(ctx context.Context, l *ledger.Ledger) {
	full, err := detect.Fullnesses(ctx, l)
	if err != nil {
		c.fail("load", advised(err))
		return
	}
	for _, share := range slices.Sorted(maps.Keys(full)) {
		f, of, status := full[share], "", checkOK
		if parsed, err := detect.ParseShare(share); err == nil && parsed.Of > 1 {
			of = " of share " + share
		}
		if f.Waiting > 0 || f.Percent() >= crowded {
			status = checkWarning
		}
		c.note("load", status, "the tick%s of %s took %s", of, f.At.UTC().Format(time.RFC3339), f)
	}
}

// destinations checks those that are set up, and warns if there is none but the
// log. A test is an alert for those that only show so that they take one.
func (c *checker) destinations(rules []*rule.Rule, querier detect.Querier, test *alert.Alert, one func(func(context.Context))) {
	var names []string
	given := false
	for _, d := range checkOrder() {
		if d.setting == "" {
			continue
		}
		names = append(names, settings.Prefix+"_"+d.setting)
		given = given || c.settings.Given(d.setting)
	}
	if !given {
		c.note("destination", checkWarning, "alerts go to the log only: set %s", strings.Join(names, " or "))
	}
	for _, d := range checkOrder() {
		switch {
		case d.check == nil:
		case d.configured(c.settings):
			one(func(ctx context.Context) {
				found, err := d.check(ctx, setup{settings: c.settings, rules: rules, querier: querier, tunes: []tune{impatient}}, test)
				switch {
				case err != nil:
					c.fail(d.name, err)
				case d.caveat == "":
					c.note(d.name, checkOK, "%s", found)
				case c.now().Before(d.from):
					c.note(d.name, checkOK, "%s. But %s", found, d.caveat)
				default:
					c.note(d.name, checkWarning, "%s. But %s", found, d.caveat)
				}
			})
		case test != nil && d.untested != "" && !slices.ContainsFunc(destinations, func(other destination) bool { return other.tests && other.configured(c.settings) }):
			c.note(d.name, checkFailed, "%s: set %s_%s", d.untested, settings.Prefix, d.setting)
		}
	}
}

// testAlert is an alert that cannot be mistaken for one.
func testAlert(now time.Time) alert.Alert {
	return alert.Alert{
		ID: alert.NewGUID("check", now.UTC().Format(time.RFC3339Nano)), RuleName: "handler check", Title: "This is a test of Pushback", Severity: alert.Informational,
		Description: "Somebody ran handler check --send-test-card. There is nothing to do.",
		Span:        alert.Span{Start: now, End: now}, Created: now,
	}
}
