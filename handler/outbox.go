package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
	"pushback/handler/settings"
)

func newOutbox() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "outbox",
		Short: "Make the ledger's table; list, retry and drop the alerts that wait to be sent",
		Long: "Lists, retries and drops the alerts that a destination has not accepted yet, or refused so often that they are\n" +
			"parked. The ledger is the one that serve uses: its settings are the PUSHBACK_TABLE_ ones of the environment\n" +
			"or of ./" + localSettingsFile + ". The deployment's template makes its table, or init.",
		Example: "  handler outbox list\n" +
			"  handler outbox retry --parked",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOutboxInit(), newOutboxList(),
		newOutboxSettle("retry", "Send an alert in the next tick, parked or not", retry),
		newOutboxSettle("drop", "Drop an alert: it is kept for the audit and never sent", (*ledger.Ledger).Drop))
	withSettings(cmd.Commands()...)
	return cmd
}

func newOutboxInit() *cobra.Command {
	return &cobra.Command{
		Use:   "init",
		Short: "Make the ledger's table if it is missing",
		Long: "Makes the ledger's table if it is missing, and checks that it can be written. serve never makes it, since it\n" +
			"would take a table that was deleted for a new one; only that of the storage emulator\n" +
			"(UseDevelopmentStorage=true) it makes, at its start.",
		Example: "  PUSHBACK_TABLE_ENDPOINT=https://ACCOUNT.table.core.windows.net handler outbox init",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, name, err := openTable()
			if err != nil {
				return err
			}
			made, err := t.Make(cmd.Context())
			if err != nil {
				return err
			}
			text := "table %s is there already, and can be written\n"
			if made {
				text = "table %s is made, and can be written\n"
			}
			if err := t.Check(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), text, name)
			return err
		},
	}
}

func openOutbox() (*ledger.Ledger, error) {
	t, _, err := openTable()
	if err != nil {
		return nil, err
	}
	return t.Ledger, nil
}

// openTable returns the ledger's table, which may be missing, and its name.
func openTable() (t *ledger.Table, name string, err error) {
	s, err := settings.ReadFor("outbox")
	if err != nil {
		return nil, "", err
	}
	if s.TableConnection == settings.InMemory {
		return nil, "", fmt.Errorf("the ledger of %s_TABLE_CONNECTION=%s is in the memory of serve: nobody else can see it", settings.Prefix, settings.InMemory)
	}
	o, err := ledgerOptions(s)
	if err != nil {
		return nil, "", err
	}
	t, err = ledger.Open(o)
	return t, s.TableName, err
}

// outboxEntry is an alert that is owed, as --json prints it.
type outboxEntry struct {
	ID          string     `json:"id"`
	Rule        string     `json:"rule"`
	Title       string     `json:"title"`
	Severity    string     `json:"severity"`
	Created     time.Time  `json:"created"`
	Destination string     `json:"destination"`
	Address     string     `json:"address,omitempty"`
	Attempts    int        `json:"attempts"`
	Parked      bool       `json:"parked"`
	Next        *time.Time `json:"next,omitempty"`
	LastError   string     `json:"lastError,omitempty"`
	// Incident is the number of the incident that came of the alert, and IncidentURL
	// its address, if they are known.
	Incident    string `json:"incident,omitempty"`
	IncidentURL string `json:"incidentUrl,omitempty"`
}

// newOutboxList is the command that lists what waits to be sent.
func newOutboxList() *cobra.Command {
	var asJSON, parked bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the alerts that wait to be sent, the worst first, and why",
		Example: "  handler outbox list\n" +
			"  handler outbox list --parked --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := openOutbox()
			if err != nil {
				return err
			}
			owed, err := l.Outbox(cmd.Context())
			if err != nil {
				return err
			}
			slices.SortStableFunc(owed, func(a, b ledger.Owed) int { return alert.CompareByWeight(*a.Alert, *b.Alert) })
			var list []outboxEntry
			for _, o := range owed {
				if parked && !o.Parked {
					continue
				}
				e := outboxEntry{
					ID: o.Alert.ID, Rule: o.Alert.RuleName, Title: o.Alert.Title, Severity: o.Alert.Severity.String(), Created: o.Alert.Created,
					Destination: o.Destination, Address: o.Address, Attempts: o.Attempts, Parked: o.Parked, LastError: secret.Hide(o.LastError),
				}
				if !o.Next.IsZero() && !o.Parked {
					e.Next = &o.Next
				}
				incident, _, err := alerts.IncidentOf(cmd.Context(), l, o.Alert.RuleID, o.Alert.ID)
				if err != nil {
					return err
				}
				e.Incident, e.IncidentURL = incident.Number, incident.URL
				list = append(list, e)
			}
			if asJSON {
				return writeOutboxJSON(cmd.OutOrStdout(), list)
			}
			if err := writeOutbox(cmd.OutOrStdout(), list); err != nil {
				return err
			}
			return writeRefusals(cmd, l)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per alert and destination")
	cmd.Flags().BoolVar(&parked, "parked", false, "only those that are parked")
	return cmd
}

func writeOutboxJSON(w io.Writer, list []outboxEntry) error {
	for _, e := range list {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n", escaped(line)); err != nil {
			return err
		}
	}
	return nil
}

func writeOutbox(w io.Writer, list []outboxEntry) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "nothing is waiting to be sent")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	known := slices.ContainsFunc(list, func(e outboxEntry) bool { return e.IncidentURL != "" })
	head := "ALERT\tSEVERITY\tTITLE\tTO\tTRIED\tNEXT\tLAST ERROR"
	if known {
		head += "\tINCIDENT"
	}
	fmt.Fprintln(t, head)
	for _, e := range list {
		next := "at once"
		switch {
		case e.Parked:
			next = "parked"
		case e.Next != nil:
			next = e.Next.UTC().Format("2006-01-02 15:04:05Z")
		}
		line := fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s",
			e.ID, e.Severity, text.Cut(text.Safe(e.Title), 40), text.Safe(strings.TrimSpace(e.Destination+" "+e.Address)), e.Attempts, next, text.Cut(text.Safe(e.LastError), 80))
		if known {
			line += "\t" + strings.TrimSpace(text.Safe(e.Incident)+" "+text.Safe(e.IncidentURL))
		}
		fmt.Fprintln(t, line)
	}
	return t.Flush()
}

// writeRefusals lists the addresses that take nothing: what is owed to them waits
// for no attempt of its own.
func writeRefusals(cmd *cobra.Command, l *ledger.Ledger) error {
	refusals, err := detect.Refusals(cmd.Context(), l)
	for _, r := range refusals {
		if _, err := fmt.Fprintln(cmd.OutOrStdout(), refusalLine(r)); err != nil {
			return err
		}
	}
	return err
}

func refusalLine(r detect.Refusal) string {
	const form = "2006-01-02 15:04:05Z"
	return fmt.Sprintf("%s has taken nothing since %s and is tried again at %s: %s",
		text.Safe(r.Destination), r.Since.UTC().Format(form), r.Next.UTC().Format(form), text.Cut(text.Safe(r.Error), 300))
}

// retry has an alert be sent again in the next tick, also where its address
// refuses.
func retry(l *ledger.Ledger, ctx context.Context, owed ledger.Owed) error {
	if err := l.Retry(ctx, owed); err != nil {
		return err
	}
	return detect.TryRefused(ctx, l, time.Now())
}

// newOutboxSettle makes a command that settles one alert by hand, or all that
// are parked.
func newOutboxSettle(name, short string, settle func(l *ledger.Ledger, ctx context.Context, owed ledger.Owed) error) *cobra.Command {
	var to string
	var parked bool
	cmd := &cobra.Command{
		Use:   name + " ALERT",
		Short: short,
		Example: "  handler outbox " + name + " b0b19a53-0325-8ac2-6e93-0873c00515b8\n" +
			"  handler outbox " + name + " --parked --to teams",
		Args: func(_ *cobra.Command, args []string) error {
			if parked && len(args) > 0 {
				return usageError{fmt.Errorf("outbox %s takes the id of one alert or --parked, not both", name)}
			}
			if !parked && len(args) != 1 {
				return usageError{fmt.Errorf("outbox %s needs the id of one alert, which outbox list shows, or --parked", name)}
			}
			return checkDestination(to)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := openOutbox()
			if err != nil {
				return err
			}
			if parked {
				return settleParked(cmd, l, to, settle)
			}
			owed, err := l.OwedOf(cmd.Context(), args[0], to)
			if errors.Is(err, ledger.ErrNotOwed) {
				return fmt.Errorf("%w: see handler outbox list", err)
			}
			for _, o := range owed {
				err = errors.Join(err, settle(l, cmd.Context(), o))
			}
			return err
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "only for this destination (default: all that wait for the alert)")
	cmd.Flags().BoolVar(&parked, "parked", false, "all that are parked, instead of one")
	return cmd
}

// checkDestination returns the mistake in a command line that names no destination.
func checkDestination(name string) error {
	var names []string
	for _, d := range destinations {
		names = append(names, d.name)
	}
	if name == "" || slices.Contains(names, name) {
		return nil
	}
	return usageError{fmt.Errorf("--to is %q: expected one of %s", name, strings.Join(names, ", "))}
}

// settleParked settles all alerts that are parked, and says each.
func settleParked(cmd *cobra.Command, l *ledger.Ledger, to string, settle func(l *ledger.Ledger, ctx context.Context, owed ledger.Owed) error) error {
	owed, err := l.Outbox(cmd.Context())
	if err != nil {
		return err
	}
	n := 0
	for _, o := range owed {
		if !o.Parked || to != "" && o.Destination != to {
			continue
		}
		if err := settle(l, cmd.Context(), o); err != nil {
			return err
		}
		n++
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s for %s\n", o.Alert.ID, text.Safe(strings.TrimSpace(o.Destination+" "+o.Address))); err != nil {
			return err
		}
	}
	if n == 0 {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "nothing is parked")
	}
	return err
}
