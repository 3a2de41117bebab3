package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"pushback/detect/logs"
	"pushback/handler/settings"
)

// newReplay is the command that runs rules over exported logs.
func newReplay() *cobra.Command {
	var out output
	var exported exportedLogs
	var rules, from, to string
	var lists watchlists
	var strict bool
	cmd := &cobra.Command{
		Use:   "replay --logs DIR",
		Short: "Run rules over exported logs, window by window",
		Long: "Reads exported logs (NDJSON, JSON, the diagnostic-settings export, Microsoft Graph's and the Entra portal's\n" +
			"downloads, the query API's answer, CSV; also as .gz, .zst or .zip and in folders) and runs rules over them as production would: each window when it is due, and\n" +
			"again while late records may still come.",
		Example: "  handler replay --logs exported/\n" +
			"  handler replay --logs signins.csv --date-order dmy --rules rules/ --from 2026-03-17 --to 2026-03-18\n" +
			"  handler replay --logs exported/ --json | head -1 | handler card --alert -",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if len(exported.paths) == 0 {
				return usageError{errors.New("replay needs --logs DIR, a folder of exported logs or a file")}
			}
			if err := exported.check(); err != nil {
				return err
			}
			s, err := settings.Read()
			if err != nil {
				return err
			}
			run := &offline{title: "Replay of " + exported.title(), config: s, strict: strict}
			if run.lists, err = lists.library(); err != nil {
				return err
			}
			if run.from, err = flagTime("from", from); err != nil {
				return err
			}
			if run.to, err = flagTime("to", to); err != nil {
				return err
			}
			if !run.from.IsZero() && !run.to.IsZero() && !run.from.Before(run.to) {
				return usageError{fmt.Errorf("--from %s is not before --to %s", from, to)}
			}
			if err := absentRules(rules); err != nil {
				return err
			}
			if rules == "" {
				rules = s.Rules
			}
			loaded, err := loadRules(rules, run.strict)
			if err != nil {
				return err
			}
			run.rules, run.warnings, run.broken = loaded.rules, loaded.warnings, loaded.broken
			run.read = func(ctx context.Context, opts logs.Options) (*logs.Logs, error) {
				bar := newProgress(cmd.ErrOrStderr())
				opts.Progress, opts.DateOrder, opts.GoOn = bar.bytes, lists.dates.DateOrder, !strict
				defer bar.done()
				return exported.read(ctx, cmd.InOrStdin(), opts)
			}
			return run.run(cmd.Context(), &out, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	out.flags(cmd)
	exported.flags(cmd, "required")
	lists.flag(cmd)
	lists.data.flags(cmd)
	strictFlag(cmd, &strict)
	cmd.Flags().StringVar(&rules, "rules", "", "names of shipped rules, rule files and folders of them, with commas between them (default: PUSHBACK_RULES, else all that ship)")
	cmd.Flags().StringVar(&from, "from", "", "start of the time to run over, UTC, such as 2026-03-17 or 2026-03-17T09:00 (default: the logs' first hour)")
	cmd.Flags().StringVar(&to, "to", "", "end of that time, exclusive (default: the logs' end)")
	return cmd
}
