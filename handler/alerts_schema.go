package main

import (
	"github.com/spf13/cobra"

	"pushback/detect/notify/webhook"
)

// newAlertsSchema is the command that prints the JSON schema of what a webhook is
// posted.
func newAlertsSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the alerts that are posted to a webhook",
		Long: "Prints the JSON schema of what is posted to PUSHBACK_WEBHOOK_URL: alerts, news of them, what is wrong with Pushback\n" +
			"itself, heartbeats and tests. Receivers check a body by it, and a Logic App takes it for the schema of its trigger.",
		Example: "  handler alerts schema >webhook.schema.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(webhook.Schema())
			return err
		},
	}
}
