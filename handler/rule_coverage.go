package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/logs"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/rule/coverage"
	"pushback/detect/workspace"
	"pushback/handler/settings"
)

// coverageOf says what rules cover.
type coverageOf struct {
	exported  exportedLogs
	functions functions
	live      bool
	json      bool
	navigator string // the file of the layer, "-" or nothing
	domain    string
	now       func() time.Time
}

// layerDomains are the matrices of ATT&CK by the names that --domain takes.
var layerDomains = map[string]string{"enterprise": coverage.Enterprise, "mobile": coverage.Mobile, "ics": coverage.ICS}

// newRuleCoverage is the command that says which techniques rules cover.
func newRuleCoverage() *cobra.Command {
	c := &coverageOf{now: time.Now}
	cmd := &cobra.Command{
		Use:   "coverage [PATH...]",
		Short: "Say which tactics and techniques of ATT&CK rules cover",
		Long: "Prints which tactics and techniques of MITRE ATT&CK the rules in files and folders name, and by which rules; without PATH\n" +
			"those that ship. With --navigator it writes a layer for the ATT&CK Navigator. Rules that are disabled cover nothing.\n\n" +
			"A technique is dimmed where each of its rules reads only tables that are not known, or that have no records: without an\n" +
			"account the known tables count; with --logs the tables of exported logs, too, and those without a record are silent;\n" +
			"with --live the workspace says which tables it has, and those without a record of the last 14 days are silent.",
		Example: "  handler rule coverage rules\n" +
			"  handler rule coverage rules --live --navigator layer.json",
		RunE: func(cmd *cobra.Command, paths []string) error {
			return c.run(cmd.Context(), paths, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.exported.flags(cmd, "default: only whether a table is known counts")
	c.functions.flag(cmd)
	cmd.Flags().BoolVar(&c.live, "live", false, "ask the workspace of "+settings.Prefix+"_WORKSPACE_ID for its tables")
	cmd.Flags().BoolVar(&c.json, "json", false, "print one JSON object per tactic and per technique, and nothing else")
	cmd.Flags().StringVar(&c.navigator, "navigator", "", "file that a layer for the ATT&CK Navigator is written into, or - for standard output in place of the table")
	cmd.Flags().StringVar(&c.domain, "domain", "enterprise", "matrix of the layer: enterprise, mobile or ics")
	return cmd
}

func (c *coverageOf) run(ctx context.Context, paths []string, stdin io.Reader, stdout, stderr io.Writer) error {
	domain := layerDomains[c.domain]
	switch {
	case domain == "":
		return usageError{fmt.Errorf("--domain is %q: expected enterprise, mobile or ics", c.domain)}
	case c.live && len(c.exported.paths) > 0:
		return usageError{errors.New("--live and --logs are both given: expected one of them")}
	case c.json && c.navigator == "-":
		return usageError{errors.New("--json and --navigator - both write to standard output: expected one of them")}
	}
	if err := c.exported.check(); err != nil {
		return err
	}
	if len(paths) == 0 {
		paths = []string{""}
	}
	saved := library{}
	var err error
	if saved.functions, saved.notes, err = c.functions.get(); err != nil {
		return err
	}
	warn := &warnings{w: stderr}
	for _, note := range saved.notes {
		warn.write(note)
	}
	var set ruleSet
	for _, path := range paths {
		if err := absentRules(path); err != nil {
			return err
		}
		read := readRules(path)
		set.problems = append(set.problems, read.problems...)
		for _, r := range read.rules { // a path may be given twice
			if !slices.ContainsFunc(set.rules, func(one *rule.Rule) bool { return one.ID == r.ID }) {
				set.rules = append(set.rules, r)
			}
		}
	}
	for _, w := range set.warnings() {
		warn.write(w)
	}
	failed := set.err()
	if len(set.rules) == 0 {
		return failed
	}
	running, disabled := divide(set.rules)

	tables := map[string][]string{} // that rules read, by their ids
	var names []string
	for _, r := range running {
		read, err := saved.tables(r.Query.Text)
		if err != nil {
			read = ruleTables([]*rule.Rule{r})
		}
		read = slices.DeleteFunc(read, func(name string) bool { return !plainName.MatchString(name) })
		tables[r.ID] = read
		names = append(names, read...)
	}
	slices.Sort(names)
	lacks, err := c.lacks(ctx, slices.Compact(names), saved, running, stdin, warn)
	if err != nil && lacks == nil {
		return errors.Join(failed, err)
	}
	failed = errors.Join(failed, err)
	report := coverage.Of(running, func(r *rule.Rule) (why []string, dimmed bool) {
		for _, name := range tables[r.ID] {
			if lacks[name] != "" {
				why = append(why, name+" "+lacks[name])
			}
		}
		return why, len(why) > 0 && len(why) == len(tables[r.ID])
	})

	if c.navigator != "" {
		if err := c.writeLayer(report, domain, stdout, warn); err != nil {
			return errors.Join(failed, err)
		}
	}
	switch {
	case c.json:
		err = writeCoverageJSON(stdout, report)
	case c.navigator != "-":
		err = writeCoverage(stdout, report, len(running), len(disabled))
	default:
		err = nil
	}
	return errors.Join(failed, err)
}

// lacks says what is wrong with tables, by their names; of one that has records it says
// nothing. Beside an error it is what is known all the same.
func (c *coverageOf) lacks(ctx context.Context, tables []string, saved library, rules []*rule.Rule, stdin io.Reader, warn *warnings) (map[string]string, error) {
	lacks := map[string]string{}
	var unusable error
	switch {
	case c.live:
		return c.lacksLive(ctx, tables)
	case len(c.exported.paths) > 0:
		queries := make([]string, len(rules))
		for i, r := range rules {
			queries[i] = r.Query.Text
		}
		l, err := c.exported.read(ctx, stdin, logs.Options{
			Tables:  func(name string) bool { return slices.Contains(tables, name) },
			Columns: func(string) []string { return []string{} }, GoOn: true,
		})
		if err != nil {
			return nil, err
		}
		warn.reading(l.Report)
		unusable = errors.Join(l.Report.Unusable...)
		_, empty := withKnown(saved, l, queries...)
		for _, name := range tables {
			held := slices.ContainsFunc(l.Tables, func(t *kql.Table) bool { return t.Name() == name })
			switch {
			case slices.Contains(empty, name):
				lacks[name] = "has no record in the logs"
			case !held:
				lacks[name] = "is not known"
			}
		}
	default:
		known := kql.KnownTables()
		for _, name := range tables {
			if known[name] == nil {
				lacks[name] = "is not known"
			}
		}
	}
	return lacks, unusable
}

// lacksLive asks the workspace.
func (c *coverageOf) lacksLive(ctx context.Context, tables []string) (map[string]string, error) {
	s, err := settings.Read()
	if err != nil {
		return nil, err
	}
	if s.WorkspaceID == "" {
		return nil, fmt.Errorf("the setting %s_WORKSPACE_ID is not set: expected the id of the workspace that --live asks", settings.Prefix)
	}
	q, err := openWorkspace(s, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	lacks := map[string]string{}
	var failed []error
	for _, name := range tables {
		newest, missing, err := newestRecord(ctx, q, name, c.now().UTC())
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil && workspace.Unavailable(err):
			return nil, advised(err)
		case err != nil:
			failed = append(failed, fmt.Errorf("%s: whether it has records is not known: %w", name, err))
		case missing != "":
			lacks[name] = "is not in the workspace"
		case newest.IsZero():
			lacks[name] = "has no record of the last 14 days"
		}
	}
	return lacks, errors.Join(failed...)
}

// writeLayer writes the layer to its file.
func (c *coverageOf) writeLayer(report coverage.Report, domain string, stdout io.Writer, warn *warnings) error {
	layer, left, err := report.Layer("Pushback rules", "What the rules cover. Greyed out is what reads only tables that are not known or have no records.", domain)
	if err != nil {
		return err
	}
	if left > 0 {
		warn.write(fmt.Sprintf("the layer is without %s of another matrix: see --domain", count(int64(left), "technique")))
	}
	if report.NoTechnique > 0 {
		warn.write(fmt.Sprintf("%s no technique and so in no layer", text.Count(report.NoTechnique, "rule names", "rules name")))
	}
	var out bytes.Buffer
	for line := range bytes.Lines(layer) {
		out.Write(escaped(bytes.TrimSuffix(line, []byte("\n"))))
		out.WriteByte('\n')
	}
	layer = out.Bytes()
	if c.navigator == "-" {
		_, err := stdout.Write(layer)
		return err
	}
	if err := os.WriteFile(c.navigator, layer, 0o644); err != nil {
		return fmt.Errorf("--navigator %s: %w", c.navigator, withoutPath(err))
	}
	return nil
}

func writeCoverageJSON(w io.Writer, report coverage.Report) error {
	var lines []any
	for _, t := range report.Tactics {
		lines = append(lines, t)
	}
	for _, t := range report.Techniques {
		lines = append(lines, t)
	}
	for _, line := range lines {
		written, err := json.Marshal(line)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n", escaped(written)); err != nil {
			return err
		}
	}
	return nil
}

// writeCoverage prints the tables of tactics and of techniques.
func writeCoverage(w io.Writer, report coverage.Report, running, disabled int) error {
	var b strings.Builder
	dimmed := map[string]bool{}
	dim := 0
	for _, t := range report.Techniques {
		if len(coverage.Lacks(t.Rules)) > 0 {
			dimmed[t.ID] = true
			dim++
		}
	}
	covered := 0
	fmt.Fprintf(&b, "%-23s  %5s  %s\n", "TACTIC", "RULES", "TECHNIQUES")
	for _, t := range report.Tactics {
		if coverage.Seeing(t.Rules) > 0 {
			covered++
		}
		ids := make([]string, len(t.Techniques))
		for i, id := range t.Techniques {
			if ids[i] = id; dimmed[id] {
				ids[i] += " (dimmed)"
			}
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-23s  %5s  %s", t.Name, seeingOf(t.Rules), strings.Join(ids, ", ")), " ") + "\n")
	}
	if len(report.Techniques) > 0 {
		fmt.Fprintf(&b, "\n%-9s  %5s  %s\n", "TECHNIQUE", "RULES", "NAMES")
		for _, t := range report.Techniques {
			fmt.Fprintf(&b, "%-9s  %5s  %s\n", t.ID, seeingOf(t.Rules), firstRules(t.Rules))
			for _, why := range coverage.Lacks(t.Rules) {
				fmt.Fprintf(&b, "%-9s  %5s  dimmed: %s\n", "", "", text.Safe(why))
			}
		}
	}
	fmt.Fprintf(&b, "\n%s: %d of %d tactics, %s", count(int64(running), "rule"), covered, len(report.Tactics), count(int64(len(report.Techniques)), "technique"))
	if dim > 0 {
		fmt.Fprintf(&b, ", %d of them dimmed", dim)
	}
	if n := len(report.Unplaced); n > 0 {
		fmt.Fprintf(&b, "; %s neither", text.Count(n, "rule names", "rules name"))
	}
	if disabled > 0 {
		fmt.Fprintf(&b, "; %s disabled", text.Count(disabled, "rule is", "rules are"))
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// seeingOf counts rules: those that are not dimmed, of all.
func seeingOf(rules []coverage.Rule) string {
	seeing := coverage.Seeing(rules)
	switch {
	case len(rules) == 0:
		return "-"
	case seeing < len(rules):
		return fmt.Sprintf("%d/%d", seeing, len(rules))
	}
	return fmt.Sprint(seeing)
}

// firstRules names the first rules of a technique.
func firstRules(rules []coverage.Rule) string {
	const most = 3
	var names []string
	for _, r := range rules[:min(most, len(rules))] {
		names = append(names, fmt.Sprintf("%q", text.Cut(text.Safe(r.Name), 80)))
	}
	line := strings.Join(names, ", ")
	if more := len(rules) - most; more > 0 {
		line += fmt.Sprintf(" and %d more", more)
	}
	return line
}
