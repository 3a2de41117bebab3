package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/input"
	"pushback/detect/kql"
	"pushback/detect/logs"
	"pushback/detect/notify/text"
)

// querying is one run of the query command.
type querying struct {
	text     string
	name     string // of the file that the text is from, or ""
	exported exportedLogs
	lists    watchlists
	from, to time.Time
	format   string
	explain  bool
	strict   bool
	full     bool
}

// mostQueryBytes is how long a query may be: as long as the service takes one.
// What it is parsed into takes some two hundred times as much.
const mostQueryBytes = 2 << 20

// queryFormats are the forms of the answer.
var queryFormats = map[string]func(w io.Writer, t *kql.Table) error{
	"table":    func(w io.Writer, t *kql.Table) error { return writeTable(w, t, false) },
	"csv":      func(w io.Writer, t *kql.Table) error { return writeCSV(w, t, isTerminal(w), false) },
	"csv-safe": func(w io.Writer, t *kql.Table) error { return writeCSV(w, t, isTerminal(w), true) },
	"json":     writeJSON,
	"ndjson":   writeNDJSON,
}

// newQuery is the command that runs one query over exported logs.
func newQuery() *cobra.Command {
	var q querying
	var file, from, to string
	cmd := &cobra.Command{
		Use:   "query [flags] [QUERY | -]",
		Short: "Run one KQL query over exported logs",
		Long: "Runs a query over exported logs, or over nothing for print, range and datatable. The query is an\n" +
			"argument, a file (--file) or, with -, standard input.",
		Example: "  handler query --logs DIR 'SigninLogs | summarize count() by ResultType | top 10 by count_'\n" +
			"  handler query --output json \"print x = ago(1h)\"",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return usageError{fmt.Errorf("query takes one query, and got %d arguments: put it in quotes", len(args))}
			case len(args) == 1 && file != "":
				return usageError{errors.New("the query is given twice: as an argument and by --file")}
			case len(args) == 0 && file == "", len(args) == 1 && strings.TrimSpace(args[0]) == "":
				return usageError{errors.New("query needs a query: an argument, --file FILE, or - for standard input")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if q.from, err = flagTime("from", from); err != nil {
				return err
			}
			if q.to, err = flagTime("to", to); err != nil {
				return err
			}
			if !q.from.IsZero() && !q.to.IsZero() && !q.from.Before(q.to) {
				return usageError{fmt.Errorf("--from %s is not before --to %s", from, to)}
			}
			if err := q.exported.check(); err != nil {
				return err
			}
			if len(args) == 1 && args[0] == "-" && slices.Contains(q.exported.paths, logs.Stdin) {
				return usageError{errors.New("the query and --logs are both -: standard input is read once")}
			}
			if queryFormats[q.format] == nil {
				return usageError{fmt.Errorf("--output is %q: expected table, csv, csv-safe, json or ndjson", q.format)}
			}
			switch {
			case file != "":
				if err := checkFile("file", file, "a file that holds the query"); err != nil {
					return err
				}
				text, err := input.ReadNamed(cmd.Context(), file, mostQueryBytes)
				if err == nil {
					q.text, err = input.Text(text)
				}
				if err != nil {
					return fmt.Errorf("query: --file %s: %w", file, withoutPath(err))
				}
				q.name = file
			case args[0] == "-":
				text, err := input.ReadAll(cmd.Context(), cmd.InOrStdin(), "it", mostQueryBytes)
				if err == nil {
					q.text, err = input.Text(text)
				}
				if err != nil {
					return fmt.Errorf("query: reading standard input: %w", err)
				}
			default:
				q.text = args[0]
			}
			q.text = kql.Separated(q.text)
			return q.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	q.exported.flags(cmd, "default: no logs at all")
	q.lists.flag(cmd)
	q.lists.data.flags(cmd)
	strictFlag(cmd, &q.strict)
	cmd.Flags().StringVar(&file, "file", "", "file that holds the query")
	cmd.Flags().StringVar(&from, "from", "", "read only records with this TimeGenerated or a later one")
	cmd.Flags().StringVar(&to, "to", "", "read only records with an earlier TimeGenerated")
	cmd.Flags().StringVar(&q.format, "output", "table", "form of the answer: table, csv, csv-safe (no cell is a formula), json or ndjson")
	cmd.Flags().BoolVar(&q.full, "full", false, "cut no value that is too long for the terminal")
	cmd.Flags().BoolVar(&q.explain, "explain", false, "print the plan of the query instead of running it")
	return cmd
}

// run reads the logs, runs the query and writes its answer, or explains it.
func (q *querying) run(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	warn := &warnings{w: stderr}
	lists, err := q.lists.library()
	if err != nil {
		return err
	}
	for _, note := range lists.notes {
		warn.write(note)
	}
	var unusable []error
	var held, tables []*kql.Table // that the logs hold, and with those that are known and empty
	if len(q.exported.paths) > 0 {
		bar := newProgress(stderr)
		l, err := q.exported.read(ctx, stdin, logs.Options{
			Columns: neededColumns(lists, q.text), Rows: neededRows(lists, q.text),
			Progress: bar.bytes, DateOrder: q.lists.dates.DateOrder, GoOn: !q.strict,
		})
		bar.done()
		if err != nil {
			return err
		}
		warn.reading(l.Report)
		held, unusable = l.Tables, l.Report.Unusable
		var empty []string
		tables, empty = withKnown(lists, l, q.text)
		if len(empty) > 0 {
			warn.write(strings.Join(empty, ", ") + ": no records; the query runs as if " + wereEmpty(len(empty)))
		}
	}
	now := time.Now()
	if q.explain {
		schemas := make(map[string]kql.Schema)
		for _, t := range tables {
			schemas[t.Name()] = t.Schema()
		}
		plan, err := lists.catalog(schemas).Explain(q.text, now)
		if err != nil {
			return q.problem(err, held)
		}
		_, err = io.WriteString(stdout, text.SafeLines(plan))
		return errors.Join(err, errors.Join(unusable...))
	}
	db := lists.database(tables...)
	kql.BoundMemory(lists.limits)
	t, err := kql.Run(ctx, q.text, db, kql.Options{Now: now, Scope: kql.Scope{From: q.from, To: q.to}, Limits: lists.limits})
	if err != nil {
		return q.problem(err, held)
	}
	for _, w := range t.Warnings() {
		warn.write(w)
	}
	return errors.Join(q.write(stdout, t, warn), errors.Join(unusable...))
}

// write writes the answer: a chart if the query asks for one that can be drawn, else
// its rows.
func (q *querying) write(w io.Writer, t *kql.Table, warn *warnings) error {
	if r := t.Rendering(); r != nil && r.Visualization != "table" {
		why := errors.New("the portal would draw them")
		if q.format == "table" {
			err := writeChart(w, t)
			var undrawn *undrawnError
			if !errors.As(err, &undrawn) {
				return err
			}
			why = err
		}
		warn.write(fmt.Sprintf("the query ends in render %s: these are its rows, and %v", r.Visualization, why))
	}
	write := queryFormats[q.format]
	if q.format == "table" {
		write = func(w io.Writer, t *kql.Table) error { return writeTable(w, t, q.full) }
	}
	others := t.Others()
	if len(others) > 0 {
		warn.write(fmt.Sprintf("the query gives %d tables, one after the other", len(others)+1))
	}
	err := write(w, t)
	for _, other := range others {
		if err == nil {
			_, err = io.WriteString(w, "\n")
		}
		if err == nil {
			err = write(w, other)
		}
	}
	return err
}

// problem shows an error of the query at its place.
func (q *querying) problem(err error, held []*kql.Table) error {
	var e *kql.Error
	if limit, ok := errors.AsType[*kql.LimitError](err); ok {
		return fmt.Errorf("%w; --memory, --timeout and --rows set the limits of a query", limit)
	}
	if !errors.As(err, &e) {
		return err
	}
	if e.UnknownTable != "" {
		near := strings.Contains(e.Message, "did you mean")
		if e.Message += "; " + heldTables(held); !near && plainName.MatchString(e.UnknownTable) {
			e.Message += fmt.Sprintf("; give a table as a file named %s.ndjson or %[1]s.csv, and a function of the workspace by --functions", text.Cut(e.UnknownTable, 80))
		}
	}
	place := fmt.Sprintf("%d:%d", e.Line, e.Column)
	if q.name != "" {
		place = q.name + ":" + place
	}
	return errors.New(place + ": " + withExcerpt(e, q.text))
}

// heldTables says which tables a query can read.
func heldTables(tables []*kql.Table) string {
	const most = 20
	var names []string
	for _, t := range tables {
		names = append(names, t.Name())
	}
	slices.Sort(names)
	switch n := len(names); {
	case n == 0:
		return "there are no logs (--logs)"
	case n > most:
		return fmt.Sprintf("the logs hold %s and %d other tables", strings.Join(names[:most], ", "), n-most)
	}
	return "the logs hold " + strings.Join(names, ", ")
}

// writeCSV writes a table as RFC 4180 has it, with every character of a cell as
// it is. To a terminal it escapes what one would obey. With apostrophes, it puts
// one before a cell that a spreadsheet would take for a formula.
func writeCSV(w io.Writer, t *kql.Table, terminal, apostrophes bool) error {
	out := csv.NewWriter(w)
	write := func(cells []string) error {
		for i, cell := range cells {
			if apostrophes {
				cell = noFormula(cell)
			}
			if terminal {
				cell = text.Safe(cell)
			}
			cells[i] = cell
		}
		return out.Write(cells)
	}
	header := make([]string, len(t.Schema()))
	for i, c := range t.Schema() {
		header[i] = c.Name
	}
	if err := write(header); err != nil {
		return err
	}
	for row := range t.Rows() {
		if err := write(texts(t, row)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// object writes a row as a JSON object, its members in the order of the
// columns, with nothing that a terminal would obey.
func object(t *kql.Table, row int) ([]byte, error) {
	buf := []byte{'{'}
	for i, c := range t.Schema() {
		if i > 0 {
			buf = append(buf, ',')
		}
		name, err := json.Marshal(c.Name)
		if err != nil {
			return nil, err
		}
		buf = append(append(buf, name...), ':')
		value, err := json.Marshal(t.Value(row, i))
		if err != nil {
			return nil, err
		}
		buf = append(buf, value...)
	}
	return escaped(append(buf, '}')), nil
}

func writeNDJSON(w io.Writer, t *kql.Table) error {
	for row := range t.Rows() {
		o, err := object(t, row)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(o, '\n')); err != nil {
			return err
		}
	}
	return nil
}

func writeJSON(w io.Writer, t *kql.Table) error {
	if _, err := io.WriteString(w, "["); err != nil {
		return err
	}
	for row := range t.Rows() {
		o, err := object(t, row)
		if err != nil {
			return err
		}
		separator := "\n  "
		if row > 0 {
			separator = ",\n  "
		}
		if _, err := io.WriteString(w, separator+string(o)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "\n]\n")
	return err
}
