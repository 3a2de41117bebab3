package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/alert"
	"pushback/detect/input"
	"pushback/detect/notify/teams"
	"pushback/handler/settings"
)

// newCard is the command that prints a card for the card designer.
func newCard() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "card --alert FILE",
		Short: "Print the Teams card of an alert",
		Long: "Prints the Adaptive Card of an alert, for https://adaptivecards.io/designer. FILE holds alerts as demo --json\n" +
			"and replay --json print them, one JSON object a line; - is standard input. Several alerts make a digest.",
		Example: "  handler demo --json | head -1 | handler card --alert -",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := noArguments(cmd, args); err != nil {
				return err
			}
			if file == "" {
				return usageError{errors.New("card needs --alert FILE, a file with alerts as --json prints them, or - for standard input")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file != "-" {
				if err := checkFile("alert", file, "a file that holds alerts as demo --json prints them"); err != nil {
					return err
				}
			}
			s, err := settings.Read()
			if err != nil {
				return err
			}
			alerts, err := readAlerts(cmd.Context(), "card: --alert", file, cmd.InOrStdin())
			if err != nil {
				return err
			}
			var card json.RawMessage
			if len(alerts) == 1 {
				card, err = teams.Card(alerts[0], cardLinks(s))
			} else {
				card, err = teams.Digest(alerts)
			}
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := json.Indent(&out, card, "", "  "); err != nil {
				return err
			}
			out.WriteByte('\n')
			_, err = cmd.OutOrStdout().Write(out.Bytes())
			return err
		},
	}
	cmd.Flags().StringVar(&file, "alert", "", "file that holds the alert, or - for standard input")
	withSettings(cmd)
	return cmd
}

// mostAlertBytes is the size of a file of alerts that is read.
const mostAlertBytes = 64 << 20

// readAlerts reads alerts as JSON from a file, or from stdin if it is -. Its errors begin
// with what it is read for.
func readAlerts(ctx context.Context, doing, file string, stdin io.Reader) ([]alert.Alert, error) {
	var text []byte
	var err error
	if file == "-" {
		text, err = input.ReadAll(ctx, stdin, "it", mostAlertBytes)
	} else {
		text, err = input.ReadNamed(ctx, file, mostAlertBytes)
	}
	var plain string
	if err == nil {
		plain, err = input.Text(text)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", doing, file, withoutPath(err))
	}
	var alerts []alert.Alert
	decoder := json.NewDecoder(strings.NewReader(plain))
	for decoder.More() {
		var a alert.Alert
		if err := decodeAlert(decoder, &a); err != nil {
			return nil, fmt.Errorf("%s: alert %d: %w: expected an alert as demo --json prints it", file, len(alerts)+1, err)
		}
		if a.Title == "" && a.RuleName == "" {
			return nil, fmt.Errorf("%s: alert %d has neither title nor ruleName: expected an alert as demo --json prints it", file, len(alerts)+1)
		}
		alerts = append(alerts, a)
	}
	if len(alerts) == 0 {
		return nil, fmt.Errorf("%s holds no alert: expected one as demo --json prints it", file)
	}
	return alerts, nil
}

// decodeAlert reads the next alert, also of what alerts show --json prints, where it is a
// member of what is known of it.
func decodeAlert(decoder *json.Decoder, a *alert.Alert) error {
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return err
	}
	var shown struct{ Alert json.RawMessage }
	if err := json.Unmarshal(raw, &shown); err == nil && len(shown.Alert) > 0 {
		raw = shown.Alert
	}
	return json.Unmarshal(raw, a)
}
