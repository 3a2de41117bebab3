package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/notify/text"
	"pushback/detect/rule/pull"
)

// newRuleDiff is the command that compares a folder with the live workspace.
func newRuleDiff() *cobra.Command {
	var workspace string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff DIR",
		Short: "Compare a folder of rules with the live workspace",
		Long: "Compares the rules in DIR with those of the workspace, and the saved functions and the watchlists if DIR has functions/\n" +
			"and watchlists/. It lists what is only here, in DIR, what is only there, in the workspace, what differs and in which settings\n" +
			"and lines, and rules of the workspace that are older than their templates. A rule is the same in both places if it has the\n" +
			"same id, or if the one there was made from the template that has the id of the one here. Pushback's own keys, and what else\n" +
			"a workspace does not keep of a rule, do not count.\n\n" +
			"The exit code is 0 if both are the same, whatever their templates; 1 if they are not, or if something could not be\n" +
			"compared; and 2 for a mistake on the command line.",
		Example: "  handler rule diff rules\n" +
			"  handler rule diff rules --json",
		Args: oneFolder,
		RunE: func(cmd *cobra.Command, args []string) error {
			if isAbsent(args[0]) {
				return usageError{fmt.Errorf("%s: there is no such folder: give the folder of the rules", args[0])}
			}
			return diffRules(cmd.Context(), workspace, args[0], asJSON, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	workspaceFlag(cmd, &workspace)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per finding, and nothing else")
	return cmd
}

// diffRules compares a folder with the workspace.
func diffRules(ctx context.Context, workspace, dir string, asJSON bool, stdout, stderr io.Writer) error {
	client, folder, err := openBoth(workspace, dir)
	if err != nil {
		return err
	}
	content, failed, err := readContent(ctx, client, folder.HasFunctions(), folder.HasWatchlists())
	if err != nil {
		return err
	}
	var templates map[string]pull.Template
	if content.Rules != nil {
		if templates, err = client.Templates(ctx, content.Rules.List); err != nil {
			failed = append(failed, err)
		}
	}
	found := folder.Compare(content, templates)

	failed = append(failed, report(&warnings{w: stderr}, folder, content, found.Problems)...)
	for _, f := range found.Findings {
		if asJSON {
			written, err := json.Marshal(f)
			if err == nil {
				_, err = fmt.Fprintf(stdout, "%s\n", escaped(written))
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := writeFinding(stdout, f); err != nil {
			return err
		}
	}
	if !asJSON {
		if _, err := fmt.Fprintln(stdout, compared(found)); err != nil {
			return err
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if slices.ContainsFunc(found.Findings, func(f pull.Finding) bool { return f.Status != pull.OldTemplate }) {
		return &exitError{code: exitFailed}
	}
	return nil
}

// writeFinding prints a finding, and below it what differs.
func writeFinding(w io.Writer, f pull.Finding) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s %-9s %q", f.Status, f.Kind, text.Safe(f.Name))
	if f.ID != "" {
		fmt.Fprintf(&b, " (%s)", text.Safe(f.ID))
	}
	if f.File != "" {
		fmt.Fprintf(&b, " %s", text.Safe(f.File))
	}
	if f.TemplateVersion != "" {
		fmt.Fprintf(&b, ": version %s, the template has %s", text.Safe(f.Version), text.Safe(f.TemplateVersion))
	}
	b.WriteString("\n")
	for _, d := range f.Differences {
		if d.Lines == "" {
			fmt.Fprintf(&b, "    %s: %s here, %s there\n", text.Safe(d.Setting), shownValue(d.Here), shownValue(d.There))
			continue
		}
		fmt.Fprintf(&b, "    %s:\n", text.Safe(d.Setting))
		for line := range strings.Lines(d.Lines) {
			fmt.Fprintf(&b, "        %s\n", text.Safe(strings.TrimSuffix(line, "\n")))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// shownValue is a setting's value on a line.
func shownValue(value string) string {
	if value == "" {
		return "not set"
	}
	return text.Safe(value)
}

// compared says how many there are of each kind of finding.
func compared(c pull.Comparison) string {
	number := map[string]int{}
	for _, f := range c.Findings {
		number[f.Status]++
	}
	line := fmt.Sprintf("%d the same", c.Same)
	for _, kind := range []struct{ status, words string }{
		{pull.Differs, "different"}, {pull.OnlyHere, pull.OnlyHere}, {pull.OnlyThere, pull.OnlyThere}, {pull.OldTemplate, pull.OldTemplate},
	} {
		if n := number[kind.status]; n > 0 {
			line += fmt.Sprintf(", %d %s", n, kind.words)
		}
	}
	return line
}
