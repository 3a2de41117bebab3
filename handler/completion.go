package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/silence"
	"pushback/handler/settings"
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
	"silences":           filesOf("yaml", "yml"),
	"routes":             filesOf("yaml", "yml"),
	"rule":               ruleNamesOnly,
	"severity":           severities,
	"max-severity":       severities,
	"finding":            findingKinds,
	"match":              matcherNames,
	"exactly":            matcherNames,
	"hours":              hoursOfWeek,
	"format":             cobra.FixedCompletions([]cobra.Completion{"json", "csv"}, cobra.ShellCompDirectiveNoFileComp),
	"since":              cobra.NoFileCompletions,
	"until":              cobra.NoFileCompletions,
	"for":                cobra.NoFileCompletions,
	"reason":             cobra.NoFileCompletions,
	"by":                 cobra.NoFileCompletions,
	"id":                 cobra.NoFileCompletions,
	"user":               cobra.NoFileCompletions,
	"address":            cobra.NoFileCompletions,
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

// ruleNamesOnly offers the shipped rules where no file can be.
func ruleNamesOnly(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, _ := ruleNames(cmd, args, "")
	return names, cobra.ShellCompDirectiveNoFileComp
}

// severities offers the severities, the highest first, also behind a comma where several
// can be.
func severities(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	before := typed[:strings.LastIndexByte(typed, ',')+1]
	var names []cobra.Completion
	for s := alert.High; s >= alert.Informational; s-- {
		names = append(names, before+s.String())
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}

// findingKinds offers the kinds of findings that a silence can ask for.
func findingKinds(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	for _, kind := range alert.FindingKinds() {
		if !kind.Compromises() {
			names = append(names, string(kind))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// matcherNames offers what a matcher of a silence can be of: the identifiers and the
// custom details that the rules have.
func matcherNames(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	for _, r := range rulesOf(cmd) {
		for _, m := range r.EntityMappings {
			for _, f := range m.FieldMappings {
				names = append(names, m.EntityType+"."+f.Identifier+"=")
			}
		}
		for _, d := range r.CustomDetails {
			names = append(names, "detail."+d.Name+"=")
		}
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

func hoursOfWeek(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return []cobra.Completion{"Mon-Fri 08:00-18:00 Europe/Berlin", "daily 22:00-06:00 UTC"}, cobra.ShellCompDirectiveNoFileComp
}

// settingsOf returns the settings that a command would run with, as far as they can be
// read: while somebody types, nothing that is wrong with them is of interest.
func settingsOf(cmd *cobra.Command) settings.Settings {
	var file settingsFile
	if f := cmd.Flags().Lookup("settings"); f != nil {
		file.path = f.Value.String()
	}
	if _, _, err := file.apply(); err != nil {
		return settings.Settings{}
	}
	s, err := settings.Read()
	if err != nil {
		return settings.Settings{}
	}
	return s
}

// rulesOf returns the rules that a command would find by their names: those that are set
// up, and those that ship.
func rulesOf(cmd *cobra.Command) []*rule.Rule {
	return slices.Concat(readRules(settingsOf(cmd).Rules).rules, rule.Shipped())
}

// runningRules offers the ids of the rules that are set up, with their names.
func runningRules(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	running, _ := divide(readRules(settingsOf(cmd).Rules).rules)
	var ids []cobra.Completion
	for _, r := range running {
		ids = append(ids, cobra.CompletionWithDesc(r.ID, r.Name))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// silenceIDs offers the silences of the file. Those of the ledger are not looked up:
// nobody wants to wait for them while typing.
func silenceIDs(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	path := settingsOf(cmd).Silences
	if len(args) > 0 || path == "" {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	list, _ := silence.Load(path, silence.Words{})
	var ids []cobra.Completion
	for _, s := range list {
		if s.ID != "" {
			ids = append(ids, cobra.CompletionWithDesc(text.Safe(s.ID), text.Cut(text.Safe(s.Reason), 60)))
		}
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
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
	case "handler silence show":
		root.ValidArgsFunction = silenceIDs
	case "handler silence check":
		root.ValidArgsFunction = filesOf("yaml", "yml")
	case "handler route":
		of = maps.Clone(of)
		of["at"] = cobra.NoFileCompletions
		root.ValidArgsFunction = filesOf("json", "ndjson")
	case "handler rerun":
		root.ValidArgsFunction = runningRules
	case "handler silence add", "handler silence list", "handler silence end", "handler silence schema",
		"handler alerts list", "handler alerts show", "handler alerts stats", "handler alerts export", "handler alerts erase",
		"handler tick", "handler check", "handler backtest", "handler card":
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
				shell.Example, shell.Args = example, noArguments
			}
			if shell.Name() == "bash" {
				ownBash(shell)
			}
		}
	}
}
