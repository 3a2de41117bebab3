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

func init() {
	cobra.AddTemplateFunc("wrapHelp", func(s string) string { return wrapHelp(s, helpWidth()) })
	cobra.AddTemplateFunc("wrapShort", func(padding int, s string) string {
		indent := 2 + padding + 1
		return strings.Join(console.Wrap(s, helpWidth()-indent), "\n"+strings.Repeat(" ", indent))
	})
	cobra.AddTemplateFunc("wrapFlags", func(f *pflag.FlagSet) string { return f.FlagUsagesWrapped(helpWidth()) })
}

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
	root.SetHelpTemplate("{{with (or .Long .Short)}}{{. | wrapHelp}}\n\n{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}")
	usage := root.UsageTemplate()
	for _, flags := range []string{".LocalFlags", ".InheritedFlags"} {
		usage = strings.Replace(usage, flags+".FlagUsages", flags+" | wrapFlags", 1)
	}
	usage = strings.ReplaceAll(usage, "{{rpad .Name .NamePadding }} {{.Short}}", "{{rpad .Name .NamePadding }} {{wrapShort .NamePadding .Short}}")
	root.SetUsageTemplate(usage + "{{if not .HasParent}}\nSettings are environment variables: see \"handler help settings\".\n{{end}}")
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
