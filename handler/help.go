package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
	"pushback/handler/settings"
)

// mostHelpWidth is how wide help is at most. Longer lines are hard to read.
const mostHelpWidth = 120

// helpWidth is how wide help is.
func helpWidth() int {
	return min(max(styleOf(os.Stdout).Width, 40), mostHelpWidth)
}

// wrapHelp fills the paragraphs of a text. Lines that are indented, and lists, stay as
// they are.
func wrapHelp(s string, width int) string {
	var paragraphs []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(s), "\n\n") {
		if strings.HasPrefix(paragraph, " ") || strings.HasPrefix(paragraph, "\t") || strings.Contains(paragraph, "\n\t") || strings.Contains(paragraph, "\n ") {
			paragraphs = append(paragraphs, paragraph)
			continue
		}
		paragraphs = append(paragraphs, strings.Join(console.Wrap(strings.Join(strings.Fields(paragraph), " "), width), "\n"))
	}
	return strings.Join(paragraphs, "\n\n")
}

// setHelp gives a command and those below it their help.
func setHelp(root *cobra.Command) {
	root.SetHelpFunc(printHelp)
	root.SetUsageFunc(printUsage)
	topic := &cobra.Command{
		Use:   "settings",
		Short: "The environment variables that Pushback reads",
		Long:  "The environment variables that Pushback reads, with their defaults.",
	}
	topic.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		style := styleOf(cmd.OutOrStdout())
		style.Width = helpWidth()
		cmd.Print(settingsHelp(style))
	})
	root.AddCommand(topic)
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
}

// printHelp prints what a command does and how it is used. Cobra's own templates are not
// used: package text/template calls methods by name, for which the linker keeps every
// exported method of every type, a seventh of the program.
func printHelp(cmd *cobra.Command, _ []string) {
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	out := cmd.OutOrStdout()
	if about != "" {
		fmt.Fprintf(out, "%s\n\n", wrapHelp(about, helpWidth()))
	}
	if cmd.Runnable() || cmd.HasSubCommands() {
		fmt.Fprint(out, cmd.UsageString())
	}
}

// printUsage prints how a command is used.
func printUsage(cmd *cobra.Command) error {
	var sb strings.Builder
	sb.WriteString("Usage:")
	if cmd.Runnable() {
		fmt.Fprintf(&sb, "\n  %s", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&sb, "\n  %s [command]", cmd.CommandPath())
	}
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&sb, "\n\nAliases:\n  %s", cmd.NameAndAliases())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&sb, "\n\nExamples:\n%s", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		sb.WriteString("\n\nAvailable Commands:")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				name := fmt.Sprintf("  %-*s ", c.NamePadding(), c.Name())
				sb.WriteString("\n" + name + strings.Join(console.Wrap(c.Short, helpWidth()-len(name)), "\n"+strings.Repeat(" ", len(name))))
			}
		}
	}
	for _, part := range []struct {
		title string
		flags *pflag.FlagSet
	}{{"Flags", cmd.LocalFlags()}, {"Global Flags", cmd.InheritedFlags()}} {
		if part.flags.HasAvailableFlags() {
			fmt.Fprintf(&sb, "\n\n%s:\n%s", part.title, strings.TrimRight(part.flags.FlagUsagesWrapped(helpWidth()), "\n"))
		}
	}
	if cmd.HasHelpSubCommands() {
		sb.WriteString("\n\nAdditional help topics:")
		for _, c := range cmd.Commands() {
			if c.IsAdditionalHelpTopicCommand() {
				fmt.Fprintf(&sb, "\n  %-*s %s", c.CommandPathPadding(), c.CommandPath(), c.Short)
			}
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&sb, "\n\nUse \"%s [command] --help\" for more information about a command.", cmd.CommandPath())
	}
	if !cmd.HasParent() {
		sb.WriteString("\n\nSettings are environment variables: see \"handler help settings\".")
	}
	sb.WriteString("\n")
	_, err := fmt.Fprint(cmd.OutOrStderr(), sb.String())
	return err
}

// newHelp is the command that prints the help of another.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND...]",
		Short: "Print the help of a command, or of the settings",
		Long:  "Prints the help of a command, as its --help does, or with \"settings\" that of the environment variables.",
		Example: "  handler help replay\n" +
			"  handler help settings",
		RunE: func(cmd *cobra.Command, args []string) error {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(found, rest)
			}
			found.InitDefaultHelpFlag()
			found.InitDefaultVersionFlag()
			return found.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []cobra.Completion
			for _, c := range found.Commands() {
				if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
					names = append(names, cobra.CompletionWithDesc(c.Name(), c.Short))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// settingsHelp lists the settings in their groups.
func settingsHelp(style console.Style) string {
	var sb strings.Builder
	sb.WriteString(wrapHelp("Settings are environment variables. Commands that have the flag --settings also read them from a file, ./"+localSettingsFile+" if it names no other, for what the environment does not set.", style.Width) + "\n")
	group := ""
	for _, s := range settings.All() {
		if s.Group != group {
			group = s.Group
			sb.WriteString("\n" + style.Bold(group) + "\n")
		}
		sb.WriteString("  " + s.Key)
		if s.Default != "" {
			sb.WriteString(style.Dim(" (default " + s.Default + ")"))
		}
		sb.WriteString("\n")
		for _, line := range console.Wrap(s.Description, style.Width-6) {
			sb.WriteString("      " + line + "\n")
		}
	}
	sb.WriteString("\n" + style.Bold("Of the terminal") + "\n")
	for _, v := range [][2]string{{"NO_COLOR", "Anything but the empty text turns colours off."}, {"COLUMNS", "How wide the output is, instead of what the terminal says."}} {
		sb.WriteString("  " + v[0] + "\n")
		for _, line := range console.Wrap(v[1], style.Width-6) {
			sb.WriteString("      " + line + "\n")
		}
	}
	return sb.String()
}

// shownCommand is the path of a command as one types it.
func shownCommand(cmd *cobra.Command) string { return text.Safe(cmd.CommandPath()) }

// seeHelp is the end of an error about a command line.
func seeHelp(cmd *cobra.Command) string { return fmt.Sprintf("see %s --help", shownCommand(cmd)) }
