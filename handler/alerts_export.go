package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/text"
)

// newAlertsExport is the command that writes alerts for another tool.
func newAlertsExport() *cobra.Command {
	var a archive
	var format, path string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write alerts as JSON lines, for a backup or another tool, or as CSV for a spreadsheet",
		Long: "Writes the alerts that the ledger keeps, rule by rule: as JSON lines, each an object with all of an alert, where it went\n" +
			"and when, or as CSV, a line each, of which no cell is a formula. Without --output it writes to standard output. A file\n" +
			"takes its place when it is complete, so that one that is there stays if the export fails.",
		Example: "  handler alerts export --output alerts.ndjson\n  handler alerts export --since 30d --format csv --output alerts.csv",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format == "" {
				format = "json"
				if strings.EqualFold(filepath.Ext(path), ".csv") {
					format = "csv"
				}
			}
			if format != "json" && format != "csv" {
				return usageError{fmt.Errorf("--format is %q: expected json or csv", format)}
			}
			if err := a.filter.parse(time.Now()); err != nil {
				return err
			}
			if err := a.open(cmd.Context()); err != nil {
				return err
			}
			if path == "" {
				_, err := a.export(cmd.Context(), cmd.OutOrStdout(), format)
				return err
			}
			return a.exportFile(cmd.Context(), path, format, cmd.ErrOrStderr())
		},
	}
	a.filter.flags(cmd, "")
	cmd.Flags().StringVar(&format, "format", "", "json, one object a line, or csv (default: csv if the file's name ends so, else json)")
	cmd.Flags().StringVar(&path, "output", "", "the file to write; one that is there is replaced (default: standard output)")
	return cmd
}

// exportFile writes alerts to a file, which is there whole or not at all. It is for
// whoever exports alone: it names people.
func (a *archive) exportFile(ctx context.Context, path, format string, stderr io.Writer) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // of mode 0600
	if err != nil {
		return fmt.Errorf("--output %s: %w", path, withoutPath(err))
	}
	defer os.Remove(f.Name()) // which fails once it has its name
	buffered := bufio.NewWriter(f)
	n, err := a.export(ctx, buffered, format)
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("--output %s: %w", path, withoutPath(err))
	}
	_, err = fmt.Fprintf(stderr, "%s written to %s\n", count(int64(n), "alert"), text.Safe(path))
	return err
}

// export writes alerts as they are read, and returns how many.
func (a *archive) export(ctx context.Context, w io.Writer, format string) (n int, err error) {
	one := func(r reportedAlert) error { return writeAlertsJSON(w, []reportedAlert{r}) }
	flush := func() error { return nil }
	if format == "csv" {
		out := csv.NewWriter(w)
		if err := out.Write(csvColumns); err != nil {
			return 0, err
		}
		one = func(r reportedAlert) error { return out.Write(r.cells()) }
		flush = func() error {
			out.Flush()
			return out.Error()
		}
	}
	err = a.each(ctx, func(k ledger.Kept) error {
		r, err := a.describe(ctx, k)
		if err != nil {
			return err
		}
		n++
		return one(r)
	})
	return n, errors.Join(err, flush())
}

// csvColumns are the columns of an export as CSV.
var csvColumns = []string{"Created", "Severity", "RuleName", "Title", "Start", "End", "Accounts", "Addresses", "HeldBackBy", "HeldBackReason", "Deliveries", "Incident", "IncidentURL", "Updates", "AlertID", "RuleID"}

// cells are the values of an alert for those columns.
func (r reportedAlert) cells() []string {
	at := func(t time.Time) string {
		if !alert.Known(t) {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	var accounts, addresses []string
	for _, e := range r.Alert.Entities {
		if names := alert.NamesOf(e); len(names) > 0 {
			accounts = append(accounts, names[0])
		}
		if address := e.Address(); address != "" {
			addresses = append(addresses, address)
		}
	}
	held, reason := "", ""
	if h := r.HeldBack; h != nil {
		held, reason = strings.TrimPrefix(heldBackWords(h), "held back by "), h.Reason
	}
	var deliveries []string
	for _, d := range r.Deliveries {
		deliveries = append(deliveries, d.words())
	}
	number, url, updates := "", "", ""
	if r.Incident != nil {
		number, url = r.Incident.Number, r.Incident.URL
	}
	if r.Alert.Updates != nil {
		updates = r.Alert.Updates.ID
	}
	cells := []string{
		at(r.Created), r.Severity.String(), r.RuleName, r.Title, at(r.Alert.Span.Start), at(r.Alert.Span.End), strings.Join(accounts, "; "), strings.Join(addresses, "; "),
		held, reason, strings.Join(deliveries, ", "), number, url, updates, r.ID, r.Rule,
	}
	for i, cell := range cells {
		cells[i] = inertCell(cell)
	}
	return cells
}

// inertCell returns a cell that no spreadsheet takes for a formula and no terminal
// obeys.
func inertCell(cell string) string { return noFormula(text.Safe(cell)) }

// noFormula puts an apostrophe before a cell that a spreadsheet would take for a formula.
// Some spreadsheets pass over white space, and take full-width signs as well.
func noFormula(cell string) string {
	start, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u00a0\u3000"))
	if strings.ContainsRune("=+-@|%\t\r\n＝＋－＠", start) {
		return "'" + cell
	}
	return cell
}
