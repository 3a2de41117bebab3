package main

import (
	"github.com/spf13/cobra"

	"pushback/detect/rule"
)

// newRuleSchema is the command that prints the JSON schema of rule files.
func newRuleSchema() *cobra.Command {
	var ofCases bool
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of rule files, for editors",
		Long: "Prints the JSON schema of rule files with Pushback's own keys and their cases. An editor with the YAML language server\n" +
			"completes and checks a file that begins with\n\n" +
			"  # yaml-language-server: $schema=rule.schema.json",
		Example: "  handler rule schema >rule.schema.json\n" +
			"  handler rule schema --cases >cases.schema.json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			write := rule.Schema
			if ofCases {
				write = rule.CaseSchema
			}
			schema, err := write()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(schema)
			return err
		},
	}
	cmd.Flags().BoolVar(&ofCases, "cases", false, "print the schema of NAME.test.yaml files instead")
	return cmd
}
