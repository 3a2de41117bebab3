package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/notify/console"
	"pushback/detect/rule"
	"pushback/detect/workspace"
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
}

// checker runs the checks. They write nothing but one row of the ledger, the
// same each time and the one that serve writes as it starts.
type checker struct {
	settings settings
	now      func() time.Time
	print    func(checkLine) error
	failed   int
	err      error // of printing
}

func newCheck() *cobra.Command {
	var asJSON, sendCard bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check settings, rules, permissions and reachability, one line each",
		Long: "Checks everything that serve needs, with the settings and the identity that it would have: one line each, ok,\n" +
			"warning or failed, with what to do. Exit status 1 says that something failed.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c := &checker{now: time.Now, print: func(l checkLine) error { return writeCheck(cmd.OutOrStdout(), l, asJSON) }}
			c.run(cmd.Context(), sendCard)
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
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per check")
	cmd.Flags().BoolVar(&sendCard, "send-test-card", false, "post a card that says it is a test to the Teams webhook")
	return cmd
}

func writeCheck(w io.Writer, l checkLine, asJSON bool) error {
	if asJSON {
		text, err := json.Marshal(l)
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", escaped(text))
		}
		return err
	}
	_, err := fmt.Fprintf(w, "%-8s %-12s %s\n", l.Status, l.Check, l.Text)
	return err
}

// tell prints what a check found, on one line.
func (c *checker) tell(check, status, format string, args ...any) {
	if status == checkFailed {
		c.failed++
	}
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
	c.err = errors.Join(c.err, c.print(checkLine{check, status, console.Safe(text)}))
}

// fail prints each of the errors that are joined in err.
func (c *checker) fail(check string, err error) {
	for _, line := range failures(err) {
		c.tell(check, checkFailed, "%s", line)
	}
}

// checkTimeout is how long one check may take.
const checkTimeout = time.Minute

func (c *checker) run(ctx context.Context, sendCard bool) {
	var err error
	c.settings, err = settingsFor("serve")
	if err != nil {
		c.fail("settings", err)
	}
	for _, name := range unknownSettings() {
		c.tell("settings", checkWarning, "the variable %s looks like a setting and is none: see handler --help", name)
	}
	if err == nil {
		c.tell("settings", checkOK, "all of them can be read")
	}
	c.schedule()
	rules := c.rules()
	one := func(check func(ctx context.Context)) {
		if ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(ctx, checkTimeout)
			defer cancel()
			check(ctx)
		}
	}
	quiet := slog.New(slog.DiscardHandler)
	if c.settings.WorkspaceID.value != "" {
		querier, err := openWorkspace(c.settings, quiet)
		if err != nil {
			c.fail("workspace", err)
		} else if reached := false; true {
			one(func(ctx context.Context) { reached = c.workspace(ctx, querier) })
			for _, r := range rules {
				if reached {
					one(func(ctx context.Context) { c.query(ctx, querier, r) })
				}
			}
			if reached {
				c.tables(ctx, querier, rules)
			}
		}
	}
	one(func(ctx context.Context) { c.ledger(ctx, rules, quiet) })
	one(func(ctx context.Context) { c.teams(ctx, sendCard) })
	one(func(ctx context.Context) { c.sentinel(ctx, rules) })
}

func (c *checker) schedule() {
	if c.settings.Schedule.text() == "" {
		c.tell("schedule", checkFailed, "the setting %s_SCHEDULE is not set: the Functions host does not find the function without it. Set it to 0 */5 * * * *, every five minutes", settingsPrefix)
		return
	}
	c.tell("schedule", checkOK, "the host ticks at %s (UTC)", c.settings.Schedule.text())
}

// rules reads the rules as serve does.
func (c *checker) rules() []*rule.Rule {
	rules, problems := []*rule.Rule{rule.Default()}, []rule.Problem(nil)
	if c.settings.Rules != "" {
		rules, problems = rule.Load(c.settings.Rules)
	}
	for _, p := range problems {
		status := checkFailed
		if p.Warning {
			status = checkWarning
		}
		c.tell("rule", status, "%s", p)
	}
	running := slices.DeleteFunc(slices.Clone(rules), func(r *rule.Rule) bool { return r.Disabled })
	if len(running) == 0 {
		c.tell("rule", checkFailed, "no rule is left to run: see %s_RULES", settingsPrefix)
	}
	return running
}

// someSkew is how far our clock may be from the workspace's before it is worth
// a word. mostSkew is too far for the leases of the ledger, which last five
// minutes.
const (
	someSkew = 30 * time.Second
	mostSkew = 2 * time.Minute
)

// workspace checks who we are, whether the workspace answers and what the time
// is. It reports whether queries are answered.
func (c *checker) workspace(ctx context.Context, q detect.Querier) bool {
	before := c.now()
	table, err := q.Query(ctx, workspace.Query{Text: "print Now = now()", Start: before.Add(-time.Minute), End: before})
	after := c.now()
	var credential *workspace.CredentialError
	switch {
	case errors.As(err, &credential):
		c.fail("credential", err)
		return false
	case err != nil:
		c.tell("credential", checkOK, "there is a token for the workspace's service")
		c.tell("workspace", checkFailed, "%s: %v. The identity needs the role Log Analytics Reader on it", c.settings.WorkspaceID.value, err)
		return false
	}
	c.tell("credential", checkOK, "there is a token for the workspace's service")
	c.tell("workspace", checkOK, "%s answers", c.settings.WorkspaceID.value)
	if len(table.Rows) != 1 || len(table.Rows[0]) != 1 {
		c.tell("clock", checkWarning, "the workspace did not say what time it is")
		return true
	}
	there, ok := table.Rows[0][0].(time.Time)
	if !ok {
		c.tell("clock", checkWarning, "the workspace did not say what time it is")
		return true
	}
	skew := time.Duration(0)
	if there.Before(before) {
		skew = before.Sub(there)
	} else if there.After(after) {
		skew = there.Sub(after)
	}
	switch {
	case skew > mostSkew:
		c.tell("clock", checkFailed, "it is %s from the workspace's: windows would be run at the wrong time and two processes could run at once. Set the machine's time", skew.Round(time.Second))
	case skew > someSkew:
		c.tell("clock", checkWarning, "it is %s from the workspace's: set the machine's time", skew.Round(time.Second))
	default:
		c.tell("clock", checkOK, "it agrees with the workspace's")
	}
	return true
}

// query runs a rule's query over a minute: the workspace's own schema decides.
func (c *checker) query(ctx context.Context, q detect.Querier, r *rule.Rule) {
	end := c.now().UTC().Truncate(time.Minute)
	table, err := q.Query(ctx, workspace.Query{Text: r.Query.Text, Start: end.Add(-time.Minute), End: end, Now: end, RuleID: r.ID, RuleVersion: r.Version})
	if err != nil {
		c.tell("rule", checkFailed, "%s: %q: the workspace does not run its query: %v", r.File, r.Name, err)
		return
	}
	missing := false
	for _, use := range r.Columns() {
		if table.Column(use.Column) < 0 {
			missing = true
			c.tell("rule", checkWarning, "%s:%d:%d: %s: the query's result has no column %q", r.File, use.Line, use.Col, use.Use, use.Column)
		}
	}
	if !missing {
		c.tell("rule", checkOK, "%s: %q runs in the workspace", r.File, r.Name)
	}
}

// tableSilence is how far back a table's newest record is looked for.
const tableSilence = 14 * 24 * time.Hour

// tables says which of the tables of the rules exist, and how old their newest
// record is.
func (c *checker) tables(ctx context.Context, q detect.Querier, rules []*rule.Rule) {
	for _, name := range ruleTables(rules) {
		if ctx.Err() != nil {
			return
		}
		now := c.now().UTC()
		table, err := q.Query(ctx, workspace.Query{Text: "['" + name + "'] | summarize Newest = max(TimeGenerated)", Start: now.Add(-tableSilence), End: now, Now: now})
		if missing, none := workspace.MissingTable(err); none {
			c.tell("table", checkWarning, "%s is not in the workspace: connect its data, or change the rule", missing)
			continue
		}
		if err != nil {
			c.tell("table", checkFailed, "%s: %v", name, err)
			continue
		}
		var newest time.Time
		if len(table.Rows) == 1 && len(table.Rows[0]) == 1 {
			newest, _ = table.Rows[0][0].(time.Time)
		}
		if newest.IsZero() {
			c.tell("table", checkWarning, "%s has no record of the last 14 days: see whether its connector works", name)
			continue
		}
		c.tell("table", checkOK, "%s, newest record %s", name, newest.UTC().Format(time.RFC3339))
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ruleTables lists the tables that the queries of rules read. Of a query that
// cannot be read here they are those that the rule declares, which may be spelt
// otherwise than the table is, and those of the known ones that it names.
func ruleTables(rules []*rule.Rule) []string {
	var names []string
	known := kql.KnownTables()
	for _, r := range rules {
		if tables, err := kql.Tables(r.Query.Text); err == nil && len(tables) > 0 {
			names = append(names, tables...)
			continue
		}
		for _, connector := range r.RequiredDataConnectors {
			names = append(names, connector.DataTypes...)
		}
		for word := range strings.FieldsFuncSeq(r.Query.Text, func(c rune) bool { return !plainName.MatchString("a" + string(c)) }) {
			if known[word] != nil {
				names = append(names, word)
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !plainName.MatchString(name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// ledger checks that the ledger can be read and written, and lists what its
// outbox cannot get rid of.
func (c *checker) ledger(ctx context.Context, rules []*rule.Rule, log *slog.Logger) {
	if err := checkRetention(c.settings, rules); err != nil {
		c.fail("ledger", err)
	}
	l, err := openLedger(ctx, c.settings, log)
	if err != nil {
		c.fail("ledger", err)
		return
	}
	if c.settings.TableConnection.value == inMemory {
		c.tell("ledger", checkWarning, "it is in memory: a restart forgets what was reported. Set %s_TABLE_ENDPOINT", settingsPrefix)
		return
	}
	owed, err := l.Outbox(ctx)
	if err != nil {
		c.fail("ledger", err)
		return
	}
	c.tell("ledger", checkOK, "table %s can be read and written", c.settings.TableName.value)
	waiting := 0
	for _, o := range owed {
		if !o.Parked {
			waiting++
			continue
		}
		c.tell("outbox", checkWarning, "alert %s is parked, %s refused it %d times: %s. Mend the cause, then handler outbox retry %[1]s, or drop it",
			o.Alert.ID, o.Destination, o.Attempts, console.Cut(o.LastError, 200))
	}
	c.tell("outbox", checkOK, "%s to be sent", count(int64(waiting), "alert"))
}

func (c *checker) teams(ctx context.Context, sendCard bool) {
	if c.settings.TeamsWebhookURL.value.IsZero() {
		if sendCard {
			c.tell("teams", checkFailed, "there is no webhook to send a test card to: set %s_TEAMS_WEBHOOK_URL", settingsPrefix)
		}
		return
	}
	channel, err := openTeams(c.settings)
	if err == nil {
		err = channel.Reach(ctx)
	}
	if err != nil {
		c.fail("teams", err)
		return
	}
	if !sendCard {
		c.tell("teams", checkOK, "%s can be reached; --send-test-card shows whether it posts", c.settings.TeamsWebhookURL.value)
		return
	}
	now := c.now().UTC()
	if err := channel.Notify(ctx, testAlert(now)); err != nil {
		c.fail("teams", err)
		return
	}
	c.tell("teams", checkOK, "%s took a test card", c.settings.TeamsWebhookURL.value)
}

// testAlert is an alert that cannot be mistaken for one.
func testAlert(now time.Time) alert.Alert {
	return alert.Alert{
		ID: alert.NewID("check", nil), RuleName: "handler check", Title: "This is a test of Pushback", Severity: alert.Informational,
		Description: "Somebody ran handler check --send-test-card. There is nothing to do.",
		Span:        alert.Span{Start: now, End: now}, Created: now,
	}
}

func (c *checker) sentinel(ctx context.Context, rules []*rule.Rule) {
	if c.settings.SentinelWorkspace.value == "" {
		return
	}
	d, err := openSentinel(c.settings, rules, nil)
	if err == nil {
		err = d.Check(ctx)
	}
	if err != nil {
		c.fail("sentinel", err)
		return
	}
	c.tell("sentinel", checkOK, "incidents and bookmarks can be made in %s", c.settings.SentinelWorkspace.value)
}
