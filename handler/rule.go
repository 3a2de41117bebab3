package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// newRule is the command about the files of rules.
func newRule() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rule",
		Short: "Convert, pull, compare and describe the files of rules",
		Example: "  handler rule convert exported.json >rule.yaml\n" +
			"  handler rule schema >rule.schema.json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRuleConvert(), newRuleSchema(), newRulePull(), newRuleDiff(), newRuleCoverage())
	return cmd
}

// newRuleConvert is the command that writes rules in YAML.
func newRuleConvert() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "convert FILE",
		Short: "Write exported rules in YAML",
		Long: "Reads the rules in a file, such as an ARM template of the portal, a list of the API or the custom\n" +
			"detection rules that Microsoft Graph returns, and writes them in the format of published rules.",
		Example: "  handler rule convert Azure_Sentinel_analytics_rule.json >rule.yaml\n" +
			"  handler rule convert --output rules Azure_Sentinel_analytics_rules.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("convert takes one file of rules, and got %d arguments", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return convert(args[0], dir, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&dir, "output", "", "folder that a file of each rule is written into; files that are there stay as they are (default: one rule, to standard output)")
	return cmd
}

// convert writes the rules of a file. Those that are wrong do not keep the others
// from being written.
func convert(path, dir string, stdout, stderr io.Writer) error {
	rules, problems := rule.Load(path)
	set := ruleSet{rules, problems}
	if isAbsent(path) {
		return usageError{set.err()}
	}
	warn := &warnings{w: stderr}
	for _, w := range set.warnings() {
		warn.write(w)
	}
	err := set.err()
	switch {
	case len(rules) == 0:
		return err
	case dir == "" && len(rules) > 1:
		return usageError{fmt.Errorf("%s holds %d rules: name a folder for them by --output DIR", path, len(rules))}
	case dir == "":
		written, failed := rules[0].YAML()
		if failed != nil {
			return errors.Join(err, failed)
		}
		_, failed = stdout.Write(written)
		return errors.Join(err, failed)
	}
	if failed := os.MkdirAll(dir, 0o755); failed != nil {
		return fmt.Errorf("--output %s: %w", dir, withoutPath(failed))
	}
	names := map[string]int{}
	for _, r := range rules {
		name := rule.FileName(r.Name)
		if names[name]++; names[name] > 1 {
			name = fmt.Sprintf("%s-%d", name, names[name])
		}
		path := filepath.Join(dir, name+".yaml")
		written, failed := r.YAML()
		if failed == nil {
			failed = writeNew(path, written)
		}
		if failed != nil {
			err = errors.Join(err, failed)
			continue
		}
		if _, failed := fmt.Fprintln(stdout, text.Safe(path)); failed != nil {
			return errors.Join(err, failed)
		}
	}
	return err
}

// writeNew writes a file that is not there yet.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: move it away, or give another folder", path)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	return nil
}
