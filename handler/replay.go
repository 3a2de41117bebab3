package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/logs"
	"pushback/detect/rule"
)

func newReplay() *cobra.Command {
	var out output
	var dir, rules, from, to string
	var lists watchlists
	cmd := &cobra.Command{
		Use:   "replay --logs DIR",
		Short: "Run rules over exported logs, window by window",
		Long: "Reads exported logs (NDJSON, JSON, the diagnostic-settings export, the query API's answer, CSV; also\n" +
			"as .gz and in folders) and runs rules over them as production would: each window when it is due, and\n" +
			"again while late records may still come.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if dir == "" {
				return usageError{errors.New("replay needs --logs DIR, a folder of exported logs or a file")}
			}
			s, err := readSettings()
			if err != nil {
				return err
			}
			run := &offline{title: "Replay of " + dir, config: s, lists: lists.get}
			if run.from, err = flagTime("from", from); err != nil {
				return err
			}
			if run.to, err = flagTime("to", to); err != nil {
				return err
			}
			if !run.from.IsZero() && !run.to.IsZero() && !run.from.Before(run.to) {
				return usageError{fmt.Errorf("--from %s is not before --to %s", from, to)}
			}
			if rules == "" {
				rules = s.Rules
			}
			if run.rules, run.warnings, err = loadRules(rules); err != nil {
				return err
			}
			run.read = func(ctx context.Context, opts logs.Options) (*logs.Logs, error) {
				bar := newProgress(cmd.ErrOrStderr())
				opts.Progress, opts.DateOrder = bar.bytes, lists.dates.DateOrder
				defer bar.done()
				return logs.Read(ctx, dir, opts)
			}
			return run.run(cmd.Context(), &out, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	out.flags(cmd)
	cmd.Flags().StringVar(&dir, "logs", "", "folder of exported logs, or one file (required)")
	lists.flag(cmd)
	cmd.Flags().StringVar(&rules, "rules", "", "rule file, or folder of rules (default: PUSHBACK_RULES, else the shipped rule)")
	cmd.Flags().StringVar(&from, "from", "", "start of the time to run over, UTC, such as 2026-03-17 or 2026-03-17T09:00 (default: the logs' first hour)")
	cmd.Flags().StringVar(&to, "to", "", "end of that time, itself not included (default: the logs' end)")
	return cmd
}

var startsWithYear = regexp.MustCompile(`^\d{4}(-|$)`)

// flagTime reads a time given on the command line; empty is the zero time.
func flagTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, ok := kql.ParseTime(text)
	// The engine takes 04/03/2026 to be 3 April, but whoever types it may mean March.
	if !ok || !startsWithYear.MatchString(text) {
		return time.Time{}, usageError{fmt.Errorf("--%s is %q: expected a date or a time in ISO 8601, such as 2026-03-17 or 2026-03-17T09:00:00Z", flag, text)}
	}
	if t.Year() < 1970 || t.Year() >= 2200 {
		return time.Time{}, usageError{fmt.Errorf("--%s is %q: expected a time between 1970 and 2200", flag, text)}
	}
	return t, nil
}

// loadRules loads rules from a path, or the shipped one if it is empty. Any
// error in any of them is an error: to run the others would look like all is
// well. Warnings are returned beside the rules.
func loadRules(path string) ([]*rule.Rule, []string, error) {
	if path == "" {
		return []*rule.Rule{rule.Default()}, nil, nil
	}
	rules, problems := rule.Load(path)
	var errs, warnings []string
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.String())
		} else {
			errs = append(errs, p.String())
		}
	}
	for _, r := range rules {
		_, err := kql.Check(r.Query.Text, kql.KnownTables())
		var e *kql.Error
		// These stand whatever tables and columns the logs have.
		if errors.As(err, &e) && (e.Kind == kql.SyntaxError || e.Kind == kql.UnsupportedError) {
			errs = append(errs, queryProblem(r, e))
		}
	}
	if len(errs) > 0 {
		return nil, nil, errors.New(strings.Join(append(errs, warnings...), "\n"))
	}
	return rules, warnings, nil
}
