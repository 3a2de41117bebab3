package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/detect/suggest"
)

// newLint is the command that checks rules without logs.
func newLint() *cobra.Command {
	var l linter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint [PATH...]",
		Short: "Check rules without logs and without an account",
		Long: "Checks rule files: their YAML, their cases, their queries against the columns of the known tables, and whether the\n" +
			"columns that they map are in what their queries give. All that is wrong in all files is reported at once. PATH is a\n" +
			"rule file, a folder of them or the name of a shipped rule; without one the shipped rules are checked. A file of\n" +
			"routes in the folder is checked too, and as PATH by itself.\n\n" +
			"With --live it also says what is reported again once the rules take the place of those that are live: of a new id\n" +
			"everything within reach of its first windows, of other identity columns what still lies in a window, and of another\n" +
			"query alone nothing.\n\n" +
			"The exit code is 1 if there is an error, and 2 if a PATH is not there. Warnings change nothing about it.",
		Example: "  handler lint\n" +
			"  handler lint rules/ --json",
		RunE: func(cmd *cobra.Command, paths []string) error {
			var err error
			if l.saved, err = l.lists.library(); err != nil {
				return err
			}
			warn := &warnings{w: cmd.ErrOrStderr()}
			for _, note := range l.saved.notes {
				warn.write(note)
			}
			if err := l.readLive(); err != nil {
				return err
			}
			findings, rules, err := l.lint(paths)
			if err != nil {
				return err
			}
			print := printLint
			if asJSON {
				print = printLintJSON
			}
			if err := print(cmd.OutOrStdout(), findings, rules); err != nil {
				return err
			}
			if slices.ContainsFunc(findings, func(f lintFinding) bool { return !f.Warning }) {
				if slices.ContainsFunc(paths, func(path string) bool { return len(rule.Absent(path)) > 0 }) {
					return &exitError{code: exitUsage}
				}
				return &exitError{code: exitFailed}
			}
			return nil
		},
	}
	l.lists.flag(cmd)
	cmd.Flags().StringVar(&l.live, "live", "", "rule files as they are live, a file or a folder: say what editing them repeats")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per error or warning, and nothing else")
	return cmd
}

// lintFinding is something wrong with a rule file.
type lintFinding struct {
	rule.Problem
	excerpt string // of the query, below the message
}

// linter checks rules.
type linter struct {
	lists watchlists
	saved library // what lists come to

	live      string // a path, or ""
	liveRules []*rule.Rule
}

// catalog is what queries are checked against.
func (l *linter) catalog() kql.Catalog {
	c := kql.Catalog{Tables: kql.KnownTables(), Functions: l.saved.functions}
	if l.lists.dir != "" { // else what a watchlist holds is known when the rule runs
		c.Watchlists = l.lists.get
	}
	return c
}

// lint checks the rules that paths name, and says how many there are.
func (l *linter) lint(paths []string) (findings []lintFinding, count int, err error) {
	if len(paths) == 0 {
		paths = []string{""}
	}
	orphans, err := rule.OrphanedCases(paths)
	if err != nil {
		return nil, 0, err
	}
	seen := map[string]bool{}
	report := func(problems ...rule.Problem) {
		for _, p := range problems {
			if key := p.String(); !seen[key] {
				seen[key] = true
				findings = append(findings, lintFinding{Problem: p})
			}
		}
	}
	checked := map[string]bool{}
	check := func(r *rule.Rule) {
		if key := r.File + " " + r.ID; !checked[key] {
			checked[key] = true
			count++
			_, problems := r.Cases()
			report(problems...)
			report(l.repeats(r)...)
			for _, f := range slices.Concat(l.rule(r), checkBrought(r, l.catalog())) {
				if key := f.String(); !seen[key] {
					seen[key] = true
					findings = append(findings, f)
				}
			}
		}
	}
	for _, path := range paths {
		if rule.IsTestFile(path) {
			if path, err = ruleOfCases(path); err != nil {
				return nil, 0, usageError{err}
			}
		}
		if slices.Contains(rule.Beside(path, "routes"), path) { // the rules beside it say what they are called
			beside, problems := rule.Load(filepath.Dir(path))
			report(routeProblems(path, beside, ruleSet{beside, problems}.allRead())...)
			continue
		}
		rules, problems := rule.Choose(path)
		report(problems...)
		report(routeProblems(path, rules, ruleSet{rules, problems}.allRead())...)
		read := map[string]bool{}
		for _, r := range rules {
			read[r.File] = true
			check(r)
		}
		// What else is wrong with a file that is no rule yet shows as well.
		for _, p := range problems {
			if !p.Warning && !read[p.File] {
				read[p.File] = true
				if r := rule.Draft(p.File); r != nil {
					check(r)
				}
			}
		}
	}
	report(orphans...)
	slices.SortStableFunc(findings, func(a, b lintFinding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return findings, count, nil
}

// rule checks what only an engine knows of a rule.
func (l *linter) rule(r *rule.Rule) (findings []lintFinding) {
	if strings.TrimSpace(r.Query.Text) == "" {
		return nil // which is an error already
	}
	at := func(line, column int, warning bool, format string, args ...any) {
		findings = append(findings, lintFinding{Problem: rule.Problem{File: r.File, Line: line, Column: column, Warning: warning, Message: fmt.Sprintf(format, args...)}})
	}
	summary, errs := l.catalog().CheckAll(r.Query.Text)
	var wrong []string // what the query's errors are about
	for _, err := range errs {
		findings = append(findings, queryFinding(r, err))
		if e, ok := errors.AsType[*kql.Error](err); ok {
			wrong = append(wrong, e.Token)
		}
	}
	queryLine, queryColumn := r.Query.Locate(1, 1)
	if summary != nil {
		for _, w := range summary.Warnings {
			line, column, text := placed(r, w)
			at(line, column, true, "%s", text)
		}
		for _, table := range summary.Missing {
			if function, ok := strings.CutSuffix(table, "()"); ok {
				at(queryLine, queryColumn, true, "the text of the function %s is not given (--functions): the query goes without it here", function)
				continue
			}
			at(queryLine, queryColumn, true, "no columns are known of %s: the query goes without it here, and its columns are not checked", table)
		}
	}
	if summary != nil && !summary.Open {
		l.columns(r, summary.Columns, wrong, at)
	}
	if len(r.EntityMappings)+len(r.EntityColumns) == 0 {
		shows := "they show the first columns of their rows"
		if len(r.CustomDetails) > 0 {
			shows = "they show the custom details alone"
		}
		at(queryLine, queryColumn, true, "alerts name nobody: map columns to entities such as Account and IP under entityMappings, or %s", shows)
	}
	return findings
}

// queryFinding is an error of a query at its place in the file. That a table is not
// among the known ones is none, unless another is meant: it may be a custom one.
func queryFinding(r *rule.Rule, err error) lintFinding {
	e, ok := errors.AsType[*kql.Error](err)
	if !ok {
		line, column := r.Query.Locate(1, 1)
		return lintFinding{Problem: rule.Problem{File: r.File, Line: line, Column: column, Message: err.Error()}}
	}
	line, column := r.Query.Locate(e.Line, e.Column)
	f := lintFinding{Problem: rule.Problem{File: r.File, Line: line, Column: column}}
	f.Message, f.Warning = judged(e)
	message := withExcerpt(&kql.Error{Line: e.Line, Column: e.Column, Message: f.Message}, r.Query.Text)
	f.Message, f.excerpt, _ = strings.Cut(message, "\n")
	return f
}

// judged returns what an error of a query says, and whether it is a warning alone.
func judged(e *kql.Error) (message string, warning bool) {
	if e.UnknownTable != "" && meantTable(e.UnknownTable) == "" {
		return fmt.Sprintf("no columns are known of the table %s: what the query makes of it is checked when it runs", e.UnknownTable), true
	}
	// A function is known where the rule runs.
	return e.Message, e.UnknownFunction != "" && !strings.Contains(e.Message, "did you mean")
}

// meantTable returns the known table that somebody meant who wrote the name of an
// unknown one, or nothing, as of a custom table.
func meantTable(name string) string {
	if strings.HasSuffix(name, "_CL") {
		return ""
	}
	return suggest.Nearest(name, slices.Sorted(maps.Keys(kql.KnownTables())))
}

var warningPlace = regexp.MustCompile(`^line (\d+), column (\d+): `)

// placed returns where in a rule's file a warning about its query is.
func placed(r *rule.Rule, warning string) (line, column int, text string) {
	line, column = 1, 1
	if m := warningPlace.FindStringSubmatch(warning); m != nil {
		line, _ = strconv.Atoi(m[1])
		column, _ = strconv.Atoi(m[2])
		warning = warning[len(m[0]):]
	}
	line, column = r.Query.Locate(line, column)
	return line, column, warning
}

// columns checks the columns that a rule names against those of its query's result. One
// that the result has by a name that is an error already is not reported again.
func (l *linter) columns(r *rule.Rule, columns kql.Schema, wrong []string, at func(line, column int, warning bool, format string, args ...any)) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	for _, use := range r.Columns() {
		if slices.Contains(names, use.Column) {
			continue
		}
		if i := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, use.Column) }); i >= 0 {
			at(use.Line, use.Col, true, "%s names the column %s, which the query calls %s: the service compares names with their case, so write %[3]s", use.Use, use.Column, names[i])
			continue
		}
		meant := ""
		if best := suggest.Nearest(use.Column, names); slices.Contains(wrong, best) && best != "" {
			continue
		} else if best != "" {
			meant = fmt.Sprintf("; did you mean %s?", best)
		}
		at(use.Line, use.Col, false, "%s names the column %s, which the query's result does not have%s (it has %s)", use.Use, use.Column, meant, someNames(names))
	}
	if w := identityWarning(r, columns); w != "" {
		line, column := r.Query.Locate(1, 1)
		at(line, column, true, "%s", w)
	}
}

// identityWarning warns of a rule whose activities are identified by all that their
// rows say, where that is likely to change.
func identityWarning(r *rule.Rule, columns kql.Schema) string {
	if len(r.IdentityColumns()) > 0 {
		return ""
	}
	var changing []string
	for _, c := range columns {
		switch c.Type {
		case kql.Int, kql.Long, kql.Real, kql.Decimal, kql.TimeSpan, kql.Dynamic:
			if !detect.IsTimeColumn(c.Name) {
				changing = append(changing, fmt.Sprintf("%s (%s)", c.Name, c.Type))
			}
		}
	}
	if len(changing) == 0 {
		return ""
	}
	it := "it changes"
	if len(changing) > 1 {
		it = "one of them changes"
	}
	return fmt.Sprintf("an activity is identified by all columns of its row, %s among them: each time %s it is another activity, and is reported again; map entities, or name the columns that identify it under pushback: identity",
		someNames(changing), it)
}

// someNames lists names, not all of very many.
func someNames(names []string) string {
	const most = 15
	if len(names) == 0 {
		return "none"
	}
	if more := len(names) - most; more > 0 {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}

// printLint prints what was found for somebody who reads.
func printLint(w io.Writer, findings []lintFinding, rules int) error {
	failed, warned := 0, 0
	var sb strings.Builder
	for _, f := range findings {
		if f.Warning {
			warned++
		} else {
			failed++
		}
		sb.WriteString(shownText(f.String()) + "\n")
		if f.excerpt != "" {
			sb.WriteString(f.excerpt + "\n")
		}
	}
	fmt.Fprintf(&sb, "%s: %s, %s\n", count(int64(rules), "rule"), count(int64(failed), "error"), count(int64(warned), "warning"))
	_, err := io.WriteString(w, sb.String())
	return err
}

// printLintJSON prints what was found for a program.
func printLintJSON(w io.Writer, findings []lintFinding, _ int) error {
	for _, f := range findings {
		level := "error"
		if f.Warning {
			level = "warning"
		}
		written, err := json.Marshal(struct {
			File    string `json:"file"`
			Line    int    `json:"line,omitempty"`
			Column  int    `json:"column,omitempty"`
			Level   string `json:"level"`
			Message string `json:"message"`
		}{f.File, f.Line, f.Column, level, f.Message})
		if err != nil {
			return err
		}
		if _, err := w.Write(append(escaped(hiddenJSON(written)), '\n')); err != nil {
			return err
		}
	}
	return nil
}
