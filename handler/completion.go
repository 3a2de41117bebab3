package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pushback/detect/kql"
	"pushback/detect/rule"
)

// completes gives a flag, by its name, the values that a shell offers.
var completes = map[string]cobra.CompletionFunc{
	"date-order":         cobra.FixedCompletions([]cobra.Completion{cobra.CompletionWithDesc("dmy", "the day first"), cobra.CompletionWithDesc("mdy", "the month first")}, cobra.ShellCompDirectiveNoFileComp),
	"rules":              ruleNames,
	"table":              tableNames,
	"to":                 cobra.NoFileCompletions,
	"from":               cobra.NoFileCompletions,
	"seed":               cobra.NoFileCompletions,
	"days":               cobra.NoFileCompletions,
	"run":                cobra.NoFileCompletions,
	"queries-per-minute": cobra.NoFileCompletions,
	"serve":              cobra.FixedCompletions([]cobra.Completion{"127.0.0.1:8080"}, cobra.ShellCompDirectiveNoFileComp),
	"settings":           filesOf("json"),
	"watchlists":         folders,
	"write":              folders,
}

func filesOf(extensions ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

func folders(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// ruleNames offers the shipped rules, also behind a comma, beside files.
func ruleNames(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var names []cobra.Completion
	for _, r := range rule.Shipped() {
		names = append(names, cobra.CompletionWithDesc(before+strings.TrimSuffix(r.File, ".yaml"), r.Name))
	}
	return names, cobra.ShellCompDirectiveDefault
}

// tableNames offers the known tables.
func tableNames(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, '=')+1] // FILE=
	var names []cobra.Completion
	for _, name := range slices.Sorted(maps.Keys(kql.KnownTables())) {
		names = append(names, before+name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// setCompletions has a shell offer values of flags and arguments.
func setCompletions(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		setCompletions(cmd)
	}
	of := completes
	switch root.CommandPath() {
	case "handler query":
		of = maps.Clone(of)
		of["output"] = cobra.FixedCompletions(slices.Sorted(maps.Keys(queryFormats)), cobra.ShellCompDirectiveNoFileComp)
		root.ValidArgsFunction = cobra.NoFileCompletions
	case "handler test", "handler lint":
		root.ValidArgsFunction = ruleNames
	case "handler rule convert":
		of = maps.Clone(of)
		of["output"] = folders
		root.ValidArgsFunction = filesOf("json", "yaml", "yml")
	case "handler outbox retry", "handler outbox drop":
		var names []cobra.Completion
		for _, d := range destinations {
			names = append(names, d.name)
		}
		of = maps.Clone(of)
		of["to"] = cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp)
		root.ValidArgsFunction = cobra.NoFileCompletions
	case "handler demo", "handler replay":
		of = maps.Clone(of)
		of["alert"] = cobra.NoFileCompletions
		root.ValidArgsFunction = cobra.NoFileCompletions
	}
	root.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if complete := of[f.Name]; complete != nil {
			if err := root.RegisterFlagCompletionFunc(f.Name, complete); err != nil {
				panic(err) // each flag is registered once
			}
		}
	})
}

// exemplify gives the commands that write completions our own words, and an example
// each.
func exemplify(completion *cobra.Command) {
	completion.Short = "Print what completes commands, flags and values in a shell"
	completion.Long = "Prints a script with which a shell completes commands, flags and values. The help of each shell says where to put it."
	completion.Example = "  handler completion bash --help"
	completion.Args = noArguments
	completion.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	for name, example := range map[string]string{
		"bash":       "  source <(handler completion bash)",
		"zsh":        "  source <(handler completion zsh)",
		"fish":       "  handler completion fish | source",
		"powershell": "  handler completion powershell | Out-String | Invoke-Expression",
	} {
		for _, shell := range completion.Commands() {
			if shell.Name() == name {
				shell.Example = example
			}
		}
	}
}
