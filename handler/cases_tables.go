package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"pushback/detect/logs"
	"pushback/detect/rule"
)

// otherTables compares the tables under which a case gives logs with those that the
// records say they are of. Where none is of the table, the case tests something else
// than it says, which is a mistake; where some are not, that is a warning.
func otherTables(ctx context.Context, c rule.Case, opts logs.Options) (mistakes, warnings []string) {
	for _, l := range c.Logs {
		if l.Table == "" {
			continue
		}
		said := namedTable(ctx, l.Table)
		var others []string
		found := false
		for _, t := range tablesIn(ctx, c, l, opts) {
			if strings.EqualFold(t, said) {
				found = true
			} else {
				others = append(others, t)
			}
		}
		records := "records"
		if l.Path != "" {
			records = "records of " + shownFile(l.Path)
		}
		at, of := placeIn(c.File, l.Line, l.Column), strings.Join(others, ", ")
		switch {
		case len(others) == 0:
		case found:
			warnings = append(warnings, fmt.Sprintf("%s: some of the %s are of %s, not %s", at, records, of, l.Table))
		default:
			mistakes = append(mistakes, fmt.Sprintf("%s: the %s are of %s, not %s", at, records, of, l.Table))
		}
	}
	return mistakes, warnings
}

// tablesIn lists the tables of some logs of a case. Why they can not be read is said
// where they are read for the case.
func tablesIn(ctx context.Context, c rule.Case, l rule.CaseLogs, opts logs.Options) []string {
	r := logs.NewReader(logs.Options{
		FileTable: func(string) string { return l.Table },
		Columns:   func(string) []string { return []string{} },
		DateOrder: opts.DateOrder,
	})
	var err error
	if l.Path != "" {
		err = r.Paths(ctx, []string{l.Path}, nil)
	} else {
		err = r.File(ctx, c.File, bytes.NewReader(recordLines(l.Records)))
	}
	if err != nil {
		return nil
	}
	return tablesGot(r)
}

// namedTable returns the table that a name stands for, as the reader of logs has it:
// without regard to case, or a category.
func namedTable(ctx context.Context, name string) string {
	r := logs.NewReader(logs.Options{Table: name})
	record := strings.NewReader(`{"TimeGenerated":"2026-01-01T00:00:00Z"}` + "\n")
	if r.File(ctx, "record.ndjson", record) != nil {
		return name
	}
	if tables := tablesGot(r); len(tables) == 1 {
		return tables[0]
	}
	return name
}

// tablesGot lists the tables of which a reader got records.
func tablesGot(r *logs.Reader) (names []string) {
	l, err := r.Finish()
	if err != nil {
		return nil
	}
	for _, t := range l.Report.Tables {
		if t.Records > 0 {
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	return names
}

// recordLines writes records of a case. Each stands in the line that it has in the
// case's file, so that what is wrong with it is found there.
func recordLines(records []rule.CaseRecord) []byte {
	var text bytes.Buffer
	line := 1
	for _, record := range records {
		for ; line < record.Line; line++ {
			text.WriteByte('\n')
		}
		text.Write(append(slices.Clone(record.JSON), '\n'))
		line++
	}
	return text.Bytes()
}
