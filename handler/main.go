// Command handler is Pushback. The one binary runs rules against a workspace,
// as the custom handler of Azure Functions, and offline, over a generated day
// or over exported logs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
)

func main() {
	ctx, stop := signalContext()
	if os.Getenv("GOMEMLIMIT") == "" {
		// What is in use stays below a limit of its own. Near to all that there is,
		// the collector is to work harder rather than let the system end the process.
		debug.SetMemoryLimit(kql.AvailableMemory() / 10 * 9)
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs a command line and returns the exit code. Errors are written to
// stderr here and nowhere else, without the secrets that the command line holds
// or that they quote.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetIn(stdin)
	root.SetArgs(append([]string{}, args...)) // a nil slice would be os.Args
	begun := false
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var exit *exitError
	if !errors.As(err, &exit) && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, interrupted)
		var signalled *signalError
		if errors.As(context.Cause(ctx), &signalled) {
			return signalled.code()
		}
		return exitInterrupted
	}
	if message := err.Error(); message != "" {
		fmt.Fprintln(stderr, "handler: "+text.SafeLines(secret.HideEcho(message, args...)))
	}
	var usage usageError
	switch {
	case exit != nil:
		return exit.code
	case errors.As(err, &usage), !begun: // what fails before a command runs is the command line's
		return exitUsage
	}
	return exitFailed
}

func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "handler",
		Short: "Run Sentinel scheduled analytics rules under Azure Functions, or over exported logs",
		Long: "Pushback runs Microsoft Sentinel scheduled analytics rules outside Sentinel.\n" +
			"It ships with the rules MFA Rejected by User and MFA Fatigue.",
		Version:       buildText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Example: "  handler demo\n" +
			"  handler replay --logs DIR\n" +
			"  handler check",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	serve := newServe()
	if os.Getenv(portVariable) != "" { // the host started this
		root.RunE = serve.RunE
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(serve, newOutbox(), newDemo(), newReplay(), newBacktest(), newQuery(), newCard(), newCheck(), newTest(), newLint(), newRule(), newSilence(), newRoute(), newTick(), newRerun(), newAlerts(), newExternal())
	setHelp(root)
	root.InitDefaultCompletionCmd("")
	for _, shell := range root.Commands() {
		if shell.Name() == "completion" {
			exemplify(shell)
		}
	}
	setCompletions(root)
	return root
}
