package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/silence"
	"pushback/handler/settings"
)

func newSilence() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "silence",
		Short: "Add, list, show and end silences: exceptions with a reason and an end",
		Long: "A silence holds back the alerts of some activity, up to a severity, for a time: they are recorded and sent nowhere.\n" +
			"It never holds back an alert that says that somebody may have got in. Those that last are in a reviewed file\n" +
			"(PUSHBACK_SILENCES); those that are added here are in the ledger and end within 30 days. The ledger is the one that\n" +
			"serve uses, as the PUSHBACK_TABLE_ settings say in the environment or in ./" + localSettingsFile + ".",
		Example: "  handler silence list --in-force\n" +
			"  handler silence add --match IP.Address=203.0.113.0/24 --for 7d --reason 'pen test, ticket 4711' --dry-run",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSilenceAdd(), newSilenceList(), newSilenceShow(), newSilenceEnd(), newSilenceCheck())
	withSettings(cmd.Commands()...)
	cmd.AddCommand(newSilenceSchema()) // which has none
	return cmd
}

// silenceDesk is what the commands of silences work with.
type silenceDesk struct {
	settings settings.Settings
	rules    []*rule.Rule
	file     *silencesFile // nil if there is none
	fileErr  error
	ledger   *ledger.Ledger
}

// openSilences reads the settings, the rules and the file of silences, and opens the
// ledger. The rules are only for names, so that what is wrong with one is no matter.
func openSilences() (*silenceDesk, error) {
	s, err := settings.ReadFor("silence")
	if err != nil {
		return nil, err
	}
	d := &silenceDesk{settings: s, rules: readRules(s.Rules).rules}
	if s.Silences != "" {
		d.file, d.fileErr = readSilences(s.Silences, d.rules)
	}
	d.ledger, err = openOutbox()
	return d, err
}

// all returns the silences of the file and of the ledger.
func (d *silenceDesk) all(ctx context.Context) (list []silence.Silence, counts map[string]detect.SilenceCount, err error) {
	if d.file != nil {
		list = append(list, d.file.list...)
	}
	if d.ledger == nil {
		return list, nil, d.fileErr
	}
	adHoc, _, err := detect.ReadSilences(ctx, d.ledger)
	if err == nil {
		counts, err = detect.ReadSilenceCounts(ctx, d.ledger)
	}
	return append(list, adHoc...), counts, errors.Join(d.fileErr, err)
}

// change changes the silences of the ledger.
func (d *silenceDesk) change(ctx context.Context, now time.Time, edit func(silence.AdHoc) (silence.AdHoc, error)) error {
	for range 5 {
		list, tag, err := detect.ReadSilences(ctx, d.ledger)
		if err != nil {
			return err
		}
		if list, err = edit(list); err != nil {
			return err
		}
		if ok, err := detect.WriteSilences(ctx, d.ledger, list, tag, now); ok || err != nil {
			return err
		}
	}
	return errors.New("others change the silences all the time: try again")
}

// silenceFlags are those of a silence on the command line.
type silenceFlags struct {
	id, maxSeverity, from, until, length, reason, by string
	rules, match, exactly, findings, hours           []string
}

func newSilenceAdd() *cobra.Command {
	var f silenceFlags
	var dryRun, asJSON bool
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a silence to the ledger, or say what it would have held back",
		Long: "Adds a silence to the ledger. It is about activity from now on, or from --from, and ends by itself within 30 days.\n\n" +
			"--match TYPE.IDENTIFIER=VALUE is of an entity, --match detail.NAME=VALUE of a custom detail. In VALUE a * stands for\n" +
			"any text, and a range such as 203.0.113.0/24 for its addresses. All matchers must hold, for every row of an alert;\n" +
			"more values of one identifier are alternatives. --exactly is the same without wildcards, with %XX for any byte, as\n" +
			"the command on a card has it.",
		Example: "  handler silence add --rule mfa-rejected-by-user --match Account.FullName=breakglass@contoso.example --for 4h --reason 'test of the break-glass account, change 812'\n" +
			"  handler silence add --match IP.Address=203.0.113.0/24 --for 7d --reason 'pen test, ticket 4711' --by amy --dry-run",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now().UTC()
			s, err := f.silence(now)
			if err != nil {
				return err
			}
			d, err := openSilences()
			if d == nil {
				return err
			}
			// What is wrong with the command line is said before what is wrong with the ledger.
			if wrong := d.check(s, now, cmd.ErrOrStderr()); wrong != nil {
				return wrong
			}
			if err != nil {
				return err
			}
			if dryRun {
				return d.dryRun(cmd.Context(), s, now, cmd.OutOrStdout(), asJSON)
			}
			if err := d.change(cmd.Context(), now, func(list silence.AdHoc) (silence.AdHoc, error) { return list.Add(s) }); err != nil {
				return err
			}
			if asJSON {
				return writeSilenceJSON(cmd.OutOrStdout(), s, now, detect.SilenceCount{})
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "silence %s is added, until %s, and holds back from the next tick on; to end it: handler silence end %[1]s\n", s.ID, s.Until.Format(time.RFC3339))
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.id, "id", "", "short name of its own (default: one that is made up)")
	flags.StringArrayVar(&f.rules, "rule", nil, "id, name or shipped name of a rule; may be given several times (default: all rules)")
	flags.StringArrayVar(&f.match, "match", nil, "TYPE.IDENTIFIER=VALUE or detail.NAME=VALUE; may be given several times")
	flags.StringArrayVar(&f.exactly, "exactly", nil, "the same without wildcards, with %XX for any byte; may be given several times")
	flags.StringArrayVar(&f.findings, "finding", nil, "kind of finding that the alert must have; may be given several times")
	flags.StringVar(&f.maxSeverity, "max-severity", silence.DefaultMaxSeverity.String(), "the highest severity that it holds back")
	flags.StringVar(&f.from, "from", "", "when the activity begins that it is about, such as 2026-12-01T08:00:00Z (default: now)")
	flags.StringVar(&f.until, "until", "", "when the activity ends that it is about, such as 2026-12-31T18:00:00Z")
	flags.StringVar(&f.length, "for", "", "instead of --until, how long it lasts from now, or from a later --from, such as 24h or 7d")
	flags.StringArrayVar(&f.hours, "hours", nil, "hours of the week, such as 'Tue 08:00-12:00 Europe/Berlin'; may be given several times (default: always)")
	flags.StringVar(&f.reason, "reason", "", "why, with the ticket if there is one")
	flags.StringVar(&f.by, "by", "", "who answers for it (default: the name of the user who runs this)")
	flags.BoolVar(&dryRun, "dry-run", false, "add nothing, and say which alerts of the last 14 days it would have held back")
	flags.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// silence returns what the flags say.
func (f *silenceFlags) silence(now time.Time) (silence.Silence, error) {
	s := silence.Silence{ID: f.id, Rules: f.rules, From: now, Added: now, Reason: strings.TrimSpace(f.reason), By: strings.TrimSpace(f.by)}
	fail := func(format string, args ...any) (silence.Silence, error) {
		return s, usageError{fmt.Errorf(format, args...)}
	}
	if s.ID == "" {
		s.ID = "s-" + strings.ToLower(rand.Text()[:8])
	}
	if s.By == "" {
		s.By = userName()
	}
	var err error
	if s.MaxSeverity, err = alert.ParseSeverity(strings.TrimSpace(f.maxSeverity)); err != nil {
		return fail("--max-severity: %v", err)
	}
	moment := func(flag, text string, t *time.Time) {
		if text != "" && err == nil {
			if *t, err = silence.ParseTime(text); err != nil {
				err = usageError{fmt.Errorf("--%s: %w", flag, err)}
			}
		}
	}
	moment("from", f.from, &s.From)
	moment("until", f.until, &s.Until)
	if err != nil {
		return s, err
	}
	switch {
	case f.length != "" && f.until != "":
		return fail("--for and --until both say when it ends: give one")
	case f.length != "":
		length, ok := parseLength(f.length)
		if !ok {
			return fail("--for is %q: expected how long it lasts, such as 24h or 7d", f.length)
		}
		s.Until = now.Add(length)
		if s.From.After(now) {
			s.Until = s.From.Add(length)
		}
	case f.until == "":
		return fail("the silence has no end: give --for or --until")
	}
	for _, text := range f.hours {
		h, err := silence.ParseHours(text)
		if err != nil {
			return fail("--hours: %v", err)
		}
		s.Hours = append(s.Hours, h)
	}
	for _, text := range f.match {
		if err := addMatcher(&s, text, false); err != nil {
			return fail("--match: %v", err)
		}
	}
	for _, text := range f.exactly {
		if err := addMatcher(&s, text, true); err != nil {
			return fail("--exactly: %v", err)
		}
	}
	for _, kind := range f.findings {
		s.Match = append(s.Match, silence.Matcher{Finding: alert.FindingKind(strings.TrimSpace(kind))})
	}
	return s, nil
}

// addMatcher adds a matcher to a silence, or a value to the one of the same name.
func addMatcher(s *silence.Silence, given string, exactly bool) error {
	name, value, ok := strings.Cut(given, "=")
	kind, identifier, ok2 := strings.Cut(name, ".")
	if !ok || !ok2 || kind == "" || identifier == "" {
		return fmt.Errorf("%.100q is no matcher: write it like Account.FullName=amy@contoso.example, IP.Address=203.0.113.0/24 or detail.Applications=NAME", given)
	}
	if exactly {
		for _, part := range []*string{&kind, &identifier, &value} {
			var err error
			if *part, err = silence.Decode(*part); err != nil {
				return err
			}
		}
	}
	m := silence.Matcher{Entity: kind, Identifier: identifier}
	if strings.EqualFold(kind, "detail") {
		m = silence.Matcher{Detail: identifier}
	}
	i := slices.IndexFunc(s.Match, func(o silence.Matcher) bool {
		return strings.EqualFold(o.Entity, m.Entity) && strings.EqualFold(o.Identifier, m.Identifier) && strings.EqualFold(o.Detail, m.Detail) && o.Finding == ""
	})
	if i < 0 {
		i, s.Match = len(s.Match), append(s.Match, m)
	}
	_, err := netip.ParsePrefix(strings.TrimSpace(value))
	switch to := &s.Match[i]; {
	case exactly:
		to.Exactly = append(to.Exactly, value)
	case err == nil:
		to.CIDR = append(to.CIDR, value)
	default:
		to.Values = append(to.Values, value)
	}
	return nil
}

// parseLength reads how long something lasts: a duration, or a number of days.
func parseLength(s string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

// userName returns who runs this, as far as that is known.
func userName() string {
	for _, name := range []string{"USER", "USERNAME"} {
		if who := strings.TrimSpace(os.Getenv(name)); who != "" {
			return who
		}
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// check returns what is wrong with a silence that is to be added, and writes warnings.
func (d *silenceDesk) check(s silence.Silence, now time.Time, stderr io.Writer) error {
	var errs []error
	warn := &warnings{w: stderr}
	for _, fault := range silence.CheckAdHoc(s, now, silenceWords(d.rules)) {
		if fault.Warning && fault.Key != "rules" {
			warn.write(fault.Message)
			continue
		}
		// On the command line a rule that is not there is a mistake.
		errs = append(errs, usageError{errors.New(fault.Message)})
	}
	if d.file != nil && d.file.set.Find(s.ID) != nil {
		errs = append(errs, fmt.Errorf("the file of silences has one of the id %s: give this one another", s.ID))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// dryRunFor is how far back a dry run looks.
const dryRunFor = 14 * 24 * time.Hour

// dryRunResult is what a silence would have done, as --json prints it.
type dryRunResult struct {
	Silence  silence.Silence `json:"silence"`
	Since    time.Time       `json:"since"`
	Alerts   int             `json:"alerts"` // that there were
	HeldBack []alertLine     `json:"heldBack"`
	// Sent are those that it covers and would not have held back.
	Sent []alertLine `json:"sent"`
}

// alertLine is an alert in a list.
type alertLine struct {
	ID       string    `json:"id"`
	Rule     string    `json:"rule"`
	Title    string    `json:"title"`
	Severity string    `json:"severity"`
	Created  time.Time `json:"created"`
	Why      []string  `json:"why,omitempty"`
}

func lineOf(a alert.Alert, why ...string) alertLine {
	return alertLine{ID: a.ID, Rule: a.RuleName, Title: a.Title, Severity: a.Severity.String(), Created: a.Created, Why: why}
}

// dryRun says which alerts of the ledger a silence would have held back, whatever its
// time is.
func (d *silenceDesk) dryRun(ctx context.Context, s silence.Silence, now time.Time, w io.Writer, asJSON bool) error {
	until, err := d.lastRun(ctx, now)
	if err != nil {
		return err
	}
	result := dryRunResult{Silence: s, Since: until.Add(-dryRunFor), HeldBack: []alertLine{}, Sent: []alertLine{}}
	always := s
	always.From, always.Until = time.Time{}, time.Time{}
	set := silence.New([]silence.Silence{always}, silenceRules(d.rules))
	var held []alert.Alert
	for _, r := range d.every() {
		_, err := d.ledger.Whole(ctx, r.ID, result.Since, func(a alert.Alert) bool {
			result.Alerts++
			by, why := detect.WouldSilence(set, a, r)
			a.Rows = nil
			switch {
			case by != nil:
				held = append(held, a)
				result.HeldBack = append(result.HeldBack, lineOf(a))
			case len(why) > 0:
				result.Sent = append(result.Sent, lineOf(a, why...))
			}
			return false
		})
		if err != nil {
			return err
		}
	}
	if asJSON {
		return writeJSONLine(w, result)
	}
	slices.SortStableFunc(held, func(a, b alert.Alert) int { return a.Created.Compare(b.Created) })
	if err := writeSilenced(w, &s, held, "would have held back"); err != nil {
		return err
	}
	for i, line := range result.Sent {
		if i == mostShownSilenced {
			break
		}
		if _, err := fmt.Fprintln(w, text.Safe(fmt.Sprintf("  %s  %s: %s", line.Created.UTC().Format("2006-01-02 15:04"), text.Cut(line.Title, 120), strings.Join(line.Why, " ")))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "of %s in the 14 days up to %s; nothing was added\n", count(int64(result.Alerts), "alert"), until.UTC().Format("2006-01-02 15:04Z"))
	return err
}

// lastRun returns up to when the rules have run: now, or earlier where they do not run
// any more.
func (d *silenceDesk) lastRun(ctx context.Context, now time.Time) (last time.Time, err error) {
	for _, r := range d.every() {
		state, err := d.ledger.State(ctx, r.ID)
		if err != nil {
			return last, err
		}
		if state.Watermark.After(last) {
			last = state.Watermark
		}
	}
	if last.IsZero() || last.After(now) {
		last = now
	}
	return last, nil
}

// every returns the rules that run and those that ship.
func (d *silenceDesk) every() []*rule.Rule {
	list := slices.Clone(d.rules)
	for _, r := range rule.Shipped() {
		if !slices.ContainsFunc(list, func(o *rule.Rule) bool { return strings.EqualFold(o.ID, r.ID) }) {
			list = append(list, r)
		}
	}
	return list
}

// silenceJSON is a silence as --json prints it.
type silenceJSON struct {
	silence.Silence
	State    silence.State    `json:"state"`
	File     string           `json:"file,omitempty"` // where it has it
	HeldBack int              `json:"heldBack"`
	Last     *alert.Reference `json:"last,omitempty"`
}

func writeSilenceJSON(w io.Writer, s silence.Silence, now time.Time, c detect.SilenceCount) error {
	return writeJSONLine(w, silenceJSON{Silence: s, State: s.StateAt(now), File: s.Place, HeldBack: c.Alerts, Last: c.Last})
}

func writeJSONLine(w io.Writer, value any) error {
	line, err := json.Marshal(value)
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", escaped(line))
	}
	return err
}

func newSilenceList() *cobra.Command {
	var asJSON, inForce bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the silences of the file and of the ledger, with what each held back",
		Example: "  handler silence list\n" +
			"  handler silence list --in-force --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now().UTC()
			d, openErr := openSilences()
			if d == nil {
				return openErr
			}
			list, counts, err := d.all(cmd.Context())
			err = errors.Join(openErr, err)
			if inForce {
				list = slices.DeleteFunc(list, func(s silence.Silence) bool { return !s.Holds(now) })
			}
			order := []silence.State{silence.InForce, silence.NeedsLook, silence.Pending, silence.Ended}
			slices.SortStableFunc(list, func(a, b silence.Silence) int {
				return cmp.Compare(slices.Index(order, a.StateAt(now)), slices.Index(order, b.StateAt(now)))
			})
			if asJSON {
				for _, s := range list {
					if err := writeSilenceJSON(cmd.OutOrStdout(), s, now, counts[s.ID]); err != nil {
						return err
					}
				}
				return err
			}
			return errors.Join(writeSilences(cmd.OutOrStdout(), list, counts, now, err == nil), err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per silence")
	cmd.Flags().BoolVar(&inForce, "in-force", false, "only those that hold back now")
	return cmd
}

func writeSilences(w io.Writer, list []silence.Silence, counts map[string]detect.SilenceCount, now time.Time, complete bool) error {
	if len(list) == 0 {
		if !complete {
			return nil // the error says why
		}
		_, err := fmt.Fprintln(w, "there are no silences")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SILENCE\tSTATE\tENDS\tUP TO\tRULES\tHELD BACK\tBY\tREASON")
	for _, s := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", text.Safe(s.ID), s.StateAt(now), endText(s), s.MaxSeverity, text.Cut(text.Safe(rulesText(s)), 40),
			counts[s.ID].Alerts, text.Cut(text.Safe(s.By), 30), text.Cut(text.Safe(s.Reason), 60))
	}
	return t.Flush()
}

func endText(s silence.Silence) string {
	switch {
	case !s.Until.IsZero():
		return s.Until.UTC().Format("2006-01-02 15:04Z")
	case !s.Review.IsZero():
		return "review " + s.Review.UTC().Format(time.DateOnly)
	}
	return ""
}

func rulesText(s silence.Silence) string {
	if len(s.Rules) == 0 {
		return silence.AllRules
	}
	return strings.Join(s.Rules, ", ")
}

// silenceArgument takes the id of one silence.
func silenceArgument(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("silence %s needs the id of one silence, which silence list shows", name)}
		}
		return nil
	}
}

func newSilenceShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show SILENCE",
		Short: "Show a silence, and the alerts that it held back",
		Long:  "Shows a silence of the file or of the ledger, by its id, and the alerts that it held back.",
		Example: "  handler silence show pentest-december\n" +
			"  handler silence show pentest-december --json",
		Args: silenceArgument("show"),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now().UTC()
			d, err := openSilences()
			if err != nil {
				return err
			}
			list, counts, err := d.all(cmd.Context())
			i := slices.IndexFunc(list, func(s silence.Silence) bool { return strings.EqualFold(s.ID, args[0]) })
			if i < 0 {
				if err != nil {
					return err
				}
				return fmt.Errorf("there is no silence %q: see handler silence list", args[0])
			}
			s := list[i]
			held, heldErr := d.held(cmd.Context(), s.ID)
			if err = errors.Join(err, heldErr); err != nil {
				return err
			}
			if asJSON {
				lines := []alertLine{}
				for _, a := range held {
					lines = append(lines, lineOf(a))
				}
				return writeJSONLine(cmd.OutOrStdout(), struct {
					silenceJSON
					Alerts []alertLine `json:"alerts"`
				}{silenceJSON{s, s.StateAt(now), s.Place, max(counts[s.ID].Alerts, len(held)), counts[s.ID].Last}, lines})
			}
			return showSilence(cmd.OutOrStdout(), s, held, now)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// held returns the alerts of the ledger that a silence held back, oldest first.
func (d *silenceDesk) held(ctx context.Context, id string) (held []alert.Alert, err error) {
	for _, r := range d.every() {
		list, err := d.ledger.Related(ctx, r.ID, time.Time{}, func(a alert.Alert) bool { return a.Silenced() && a.HeldBack.Silence == id })
		if err != nil {
			return nil, err
		}
		held = append(held, list...)
	}
	slices.SortStableFunc(held, func(a, b alert.Alert) int { return a.Created.Compare(b.Created) })
	return held, nil
}

func showSilence(w io.Writer, s silence.Silence, held []alert.Alert, now time.Time) error {
	c := console.New(w, styleOf(w))
	if err := c.Heading("Silence " + text.Safe(s.ID)); err != nil {
		return err
	}
	facts := []string{"State", string(s.StateAt(now)), "Rules", text.Safe(rulesText(s))}
	for _, m := range s.Match {
		facts = append(facts, "Match", text.Cut(text.Safe(m.String()), 300))
	}
	facts = append(facts, "Up to", s.MaxSeverity.String())
	if !s.From.IsZero() {
		facts = append(facts, "From", s.From.UTC().Format(time.RFC3339))
	}
	if !s.Until.IsZero() {
		facts = append(facts, "Until", s.Until.UTC().Format(time.RFC3339))
	}
	if !s.Review.IsZero() {
		facts = append(facts, "Review", s.Review.UTC().Format(time.DateOnly))
	}
	for _, h := range s.Hours {
		facts = append(facts, "Hours", h.String())
	}
	facts = append(facts, "Reason", text.Safe(s.Reason), "By", text.Safe(s.By))
	if s.EndedBy != "" {
		facts = append(facts, "Ended by", text.Safe(s.EndedBy))
	}
	where := "the ledger"
	if s.Place != "" {
		where = s.Place
	}
	if err := c.Facts(append(facts, "In", text.Safe(where))...); err != nil {
		return err
	}
	return writeSilenced(w, &s, held, "held back")
}

func newSilenceEnd() *cobra.Command {
	var by string
	cmd := &cobra.Command{
		Use:   "end SILENCE",
		Short: "End a silence of the ledger now",
		Long: "Ends a silence of the ledger now. What it held back stays recorded, and a late record of its time is held back all the same.\n" +
			"One of the file ends by its until there.",
		Example: "  handler silence end s-k3v7qp2x --by amy",
		Args:    silenceArgument("end"),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now().UTC()
			d, err := openSilences()
			if err != nil {
				return err
			}
			var ended silence.Silence
			err = d.change(cmd.Context(), now, func(list silence.AdHoc) (after silence.AdHoc, err error) {
				after, ended, err = list.End(args[0], now, cmp.Or(strings.TrimSpace(by), userName()))
				return after, err
			})
			if errors.Is(err, silence.ErrNoSilence) {
				if d.file != nil {
					if s := d.file.set.Find(args[0]); s != nil {
						return fmt.Errorf("silence %s is in the file, at %s: change it there", s.ID, s.Place)
					}
				}
				return fmt.Errorf("there is no silence %q in the ledger: see handler silence list", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "silence %s is ended: it holds back no activity from %s on\n", ended.ID, ended.Until.Format(time.RFC3339))
			return err
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who ends it (default: the name of the user who runs this)")
	return cmd
}

func newSilenceCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Check files of silences",
		Long: "Checks files of silences as serve does at its start, and prints what is wrong by file, line and column. The rules that\n" +
			"they name are those of PUSHBACK_RULES and those that ship. The exit code is 1 if something is wrong.",
		Example: "  handler silence check rules/silences.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("silence check needs a file of silences, such as rules/silences.yaml")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, paths []string) error {
			s, err := settings.Read()
			if err != nil {
				return err
			}
			for _, path := range paths {
				if isAbsent(path) {
					return usageError{fmt.Errorf("%s: there is no such file: give a file of silences", path)}
				}
			}
			words := silenceWords(readRules(s.Rules).rules)
			wrong := 0
			for _, path := range paths {
				list, problems := silence.Load(path, words)
				for _, p := range problems {
					if !p.Warning {
						wrong++
					}
					if _, err := fmt.Fprintln(cmd.OutOrStdout(), shownText(p.String())); err != nil {
						return err
					}
				}
				if silence.Errors(problems) == nil {
					if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", shownFile(path), count(int64(len(list)), "silence")); err != nil {
						return err
					}
				}
			}
			if wrong > 0 {
				return fmt.Errorf("%s in files of silences", count(int64(wrong), "error"))
			}
			return nil
		},
	}
}

func newSilenceSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of files of silences, for editors",
		Long: "Prints the JSON schema of files of silences. An editor with the YAML language server completes and checks a file that\n" +
			"begins with\n\n" +
			"  # yaml-language-server: $schema=silences.schema.json",
		Example: "  handler silence schema >silences.schema.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema, err := silence.Schema()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
}
