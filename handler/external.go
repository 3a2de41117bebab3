package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/enrich"
	"pushback/detect/external"
	"pushback/detect/kql"
	"pushback/handler/settings"
)

// newExternal is the command that keeps the files that externaldata reads.
func newExternal() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "external",
		Short: "Keep the files that rules read with externaldata",
		Example: "  handler external pull --rules rules --external external\n" +
			"  handler replay --logs DIR --rules rules --external external",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q: see handler external --help", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExternalPull())
	return cmd
}

// newExternalPull is the command that downloads what rules name.
func newExternalPull() *cobra.Command {
	var rules, dir string
	var saved functions
	cmd := &cobra.Command{
		Use:   "pull --rules PATH --external DIR",
		Short: "Download the files that rules read with externaldata",
		Long: "Downloads the files that the rules' queries name in externaldata into a folder, by host and path, and lists them with\n" +
			"their hashes in its manifest.json. query, replay and test read them there with --external DIR: running a query\n" +
			"fetches nothing. Only https is downloaded, from public addresses, without a proxy, and never from another host than\n" +
			"the rule names; a file may have 100 MiB and take 2 minutes.\n\n" +
			"The exit code is 1 if a file could not be downloaded; the others are there all the same.",
		Example: "  handler external pull --rules rules --external external",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			folder, _ := externalFolder(dir)
			if folder == "" {
				return usageError{errors.New("external pull needs --external DIR (or " + externalVariable + "), the folder that the files come into")}
			}
			if err := absentRules(rules); err != nil {
				return err
			}
			if rules == "" {
				s, err := settings.Read()
				if err != nil {
					return err
				}
				rules = s.Rules
			}
			functions, notes, err := saved.get()
			if err != nil {
				return err
			}
			set := readRules(rules)
			warn := &warnings{w: cmd.ErrOrStderr()}
			for _, note := range slices.Concat(notes, set.warnings()) {
				warn.write(note)
			}
			catalog := kql.Catalog{Tables: kql.KnownTables(), Functions: functions}
			var uris []string
			for _, r := range set.rules {
				uris = append(uris, catalog.External(r.Query.Text)...)
				for _, c := range r.Context {
					query, _ := enrich.ExampleOf(c)
					uris = append(uris, catalog.External(query)...)
				}
			}
			slices.Sort(uris)
			uris = slices.Compact(uris)
			if len(uris) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "The rules name no file in externaldata.")
				return set.err()
			}
			bar := newProgress(cmd.ErrOrStderr())
			puller := &external.Puller{Dir: folder, Now: time.Now, Progress: bar.bytes}
			pulled, err := puller.Pull(cmd.Context(), uris)
			bar.done()
			for _, e := range pulled {
				fmt.Fprintf(cmd.OutOrStdout(), "%s  %s  %d bytes\n", e.SHA256, strings.ToValidUTF8(e.File, "\uFFFD"), e.Bytes)
			}
			return errors.Join(set.err(), err)
		},
	}
	cmd.Flags().StringVar(&rules, "rules", "", "names of shipped rules, rule files and folders of them, with commas between them (default: PUSHBACK_RULES, else all that ship)")
	externalFlag(cmd, &dir)
	saved.flag(cmd)
	return cmd
}
