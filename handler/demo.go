package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/logs"
	"pushback/detect/rule"
	"pushback/detect/sample"
	"pushback/handler/settings"
)

// newDemo is the command that runs the shipped rules over a generated day.
func newDemo() *cobra.Command {
	var out output
	var seed uint64
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the shipped rules over a generated day of sign-ins, with no account",
		Long: "Generates a day of sign-ins of a tenant of 300 people, the same for the same seed, and runs\n" +
			"the rules that ship over it hour by hour, as production would.",
		Example: "  handler demo\n" +
			"  handler demo --alert 1\n" +
			"  handler demo --seed 7 --open",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			day := sample.Generate(sample.Options{Seed: seed})
			if cmd.Flags().Changed("write") {
				switch info, err := os.Stat(dir); {
				case dir == "":
					return usageError{errors.New("--write is empty: give the folder to write into")}
				case err == nil && !info.IsDir():
					return usageError{fmt.Errorf("--write: %s is a file: give a folder", dir)}
				}
				if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
					return usageError{fmt.Errorf("--write: the folder %s is not empty, and its files would be read as part of the day: give another", dir)}
				}
				if err := day.WriteDir(dir); err != nil {
					return err
				}
			}
			s, err := settings.Read()
			if err != nil {
				return err
			}
			run := &offline{
				title: fmt.Sprintf("Demo: a generated day of sign-ins, %s UTC", sample.DefaultDay.Format(time.DateOnly)),
				rules: rule.Shipped(),
				from:  sample.DefaultDay, to: sample.DefaultDay.AddDate(0, 0, 1),
				config: s,
				read:   readerOf(day),
			}
			return run.run(cmd.Context(), &out, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	out.flags(cmd)
	cmd.Flags().Uint64Var(&seed, "seed", 0, "another day: who is in the stories, when, and from where")
	cmd.Flags().StringVar(&dir, "write", "", "also write the day's logs into this folder, for replay")
	return cmd
}

// readerOf returns what reads the files of a day.
func readerOf(day *sample.Day) func(context.Context, logs.Options) (*logs.Logs, error) {
	return func(ctx context.Context, opts logs.Options) (*logs.Logs, error) {
		r := logs.NewReader(opts)
		for _, f := range day.Files() {
			if err := r.File(ctx, f.Name, bytes.NewReader(f.Content)); err != nil {
				return nil, err
			}
		}
		return r.Finish()
	}
}
