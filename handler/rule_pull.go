package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/notify/text"
	"pushback/detect/rule/pull"
)

// newRulePull is the command that brings rules out of the live workspace.
func newRulePull() *cobra.Command {
	var workspace string
	cmd := &cobra.Command{
		Use:   "pull DIR",
		Short: "Bring the rules of the live workspace into a folder",
		Long: "Reads the analytics rules, the saved functions and the watchlists of the workspace by Azure Resource Manager, as whoever\n" +
			"runs it, and writes them into DIR: a file in YAML for each rule that runs a query, functions/NAME.kql and watchlists/ALIAS.csv.\n" +
			"The role Microsoft Sentinel Reader is enough; nothing is written in the workspace.\n\n" +
			"A rule that is in DIR already stays in its file, with Pushback's own keys and what else the workspace does not keep, and\n" +
			"is written only if it differs. What is in DIR and not in the workspace stays, too. The exit code is 1 if something is left out.",
		Example: "  handler rule pull rules\n" +
			"  handler lint rules --functions rules/functions --watchlists rules/watchlists",
		Args: oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			return pullRules(cmd.Context(), workspace, args[0], cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	workspaceFlag(cmd, &workspace)
	return cmd
}

// pullRules writes what the workspace holds into a folder. All is read before anything
// is written.
func pullRules(ctx context.Context, workspace, dir string, stdout, stderr io.Writer) error {
	client, folder, err := openBoth(workspace, dir)
	if err != nil {
		return err
	}
	content, failed, err := readContent(ctx, client, true, true)
	if err != nil {
		return err
	}
	if content.Rules == nil && content.Functions == nil && content.Watchlists == nil {
		return errors.Join(failed...)
	}
	result, err := folder.Write(content)
	if err != nil {
		return err
	}

	warn := &warnings{w: stderr}
	failed = append(failed, report(warn, folder, content, result.Problems)...)
	if content.Rules != nil {
		if others := content.Rules.Others(); others != "" {
			warn.write("the workspace has rules of other kinds, which run no query of theirs and are left out: " + others)
		}
	}
	for _, r := range result.Gone {
		warn.write(fmt.Sprintf("%s: the rule %q is not in the workspace, and its file stays", r.File, r.Name))
	}
	for _, list := range []struct {
		what  string
		files []string
	}{{"new", result.Written}, {"changed", result.Changed}} {
		for _, path := range list.files {
			if _, err := fmt.Fprintf(stdout, "%-8s %s\n", list.what, text.Safe(path)); err != nil {
				return err
			}
		}
	}
	if _, err := fmt.Fprintln(stdout, pulled(client.Workspace().Name, content, result)); err != nil {
		return err
	}
	return errors.Join(failed...)
}

// pulled says what a pull came to.
func pulled(workspace string, c pull.Content, r pull.Result) string {
	var parts []string
	if c.Rules != nil {
		parts = append(parts, count(int64(len(c.Rules.List)), "rule"))
	}
	if c.Functions != nil {
		parts = append(parts, count(int64(len(c.Functions)), "function"))
	}
	if c.Watchlists != nil {
		parts = append(parts, count(int64(len(c.Watchlists)), "watchlist"))
	}
	return fmt.Sprintf("%s in %s: %s new, %d changed, %d as before", strings.Join(parts, ", "), text.Safe(workspace),
		count(int64(len(r.Written)), "file"), len(r.Changed), r.Same)
}
