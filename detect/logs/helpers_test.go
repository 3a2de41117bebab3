package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"

	"pushback/detect/kql"
)

// mustRead reads files that are given as names and texts.
func mustRead(t testing.TB, opts Options, nameAndText ...string) *Logs {
	t.Helper()
	l, err := read(opts, nameAndText...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func read(opts Options, nameAndText ...string) (*Logs, error) {
	r := NewReader(opts)
	for i := 0; i < len(nameAndText); i += 2 {
		if err := r.File(context.Background(), nameAndText[i], strings.NewReader(nameAndText[i+1])); err != nil {
			return nil, err
		}
	}
	return r.Finish()
}

func tableNames(l *Logs) []string {
	var list []string
	for _, t := range l.Tables {
		list = append(list, t.Name())
	}
	return list
}

// rows lists every row as its table and the cells that are not empty, other
// than TimeGenerated, in the order of the names of the columns.
func rows(l *Logs) []string {
	var list []string
	for _, t := range l.Tables {
		for row := range t.Rows() {
			var cells []string
			for i, c := range t.Schema() {
				v := t.Value(row, i)
				text := v.String()
				if at, ok := v.Time(); ok {
					text = at.Format(time.RFC3339Nano)
				}
				if text != "" && c.Name != timeGenerated {
					cells = append(cells, c.Name+"="+text)
				}
			}
			sort.Strings(cells)
			list = append(list, strings.Join(append([]string{t.Name()}, cells...), " "))
		}
	}
	return list
}

var cellStart = regexp.MustCompile(` \w+=`)

// splitRow takes a row as rows writes it into its cells.
func splitRow(row string) []string {
	var fields []string
	from := 0
	for _, at := range cellStart.FindAllStringIndex(row, -1) {
		fields = append(fields, row[from:at[0]])
		from = at[0] + 1
	}
	return append(fields, row[from:])
}

// columnOf gives the type and the values of a column.
func columnOf(t testing.TB, table *kql.Table, name string) (kql.Type, []string) {
	t.Helper()
	i := table.Schema().Index(name)
	if i < 0 {
		t.Fatalf("%s has no column %s", table.Name(), name)
	}
	var values []string
	for row := range table.Rows() {
		v := table.Value(row, i)
		text := v.String()
		if at, ok := v.Time(); ok {
			text = at.Format(time.RFC3339Nano)
		}
		values = append(values, text)
	}
	return table.Schema()[i].Type, values
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
