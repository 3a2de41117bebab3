package kql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// operatorCase is a query over operatorTables, with its columns and rows as
// tableText writes them, or with the error that it gets.
type operatorCase struct {
	query string
	want  string // without regard to indentation
	err   string // "line:column message", or the start of it
}

// operatorTables gives the tables that the operators' tests query.
func operatorTables() *Database {
	table := func(name string, schema Schema, rows ...[]string) *Table {
		b := NewTableBuilder(name, schema)
		for _, row := range rows {
			for i, cell := range row {
				switch {
				case cell == "":
				case schema[i].Type == Dynamic:
					b.SetJSON(i, []byte(cell))
				case !b.SetText(i, []byte(cell)):
					panic("bad cell " + cell)
				}
			}
			b.Commit()
		}
		return b.Build()
	}
	db := NewDatabase(
		table("Scores", Schema{{"who", String}, {"n", Long}, {"i", Int}, {"points", Dynamic}, {"d", Dynamic}},
			[]string{"ann", "1", "10", `[5,7,9]`, `{"b":1,"a":"x"}`},
			[]string{"bob", "2", "20", `[]`, `{"b":2.5,"c":[1]}`},
			[]string{"", "", "", "", ""},
		),
		table("Logons", Schema{{"TimeGenerated", DateTime}, {"User", String}},
			[]string{"2026-03-17T08:00:00Z", "ann"}, []string{"2026-03-17T09:00:00Z", "bob"}, []string{"2026-03-17T09:10:00Z", "bob"},
		),
		table("Audits", Schema{{"TimeGenerated", DateTime}, {"_TimeReceived", DateTime}, {"User", String}},
			[]string{"2026-03-17T08:00:00Z", "2026-03-17T08:05:00Z", "ann"},
		),
	)
	return db
}

func runOperatorCases(t *testing.T, cases []operatorCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.query, func(t *testing.T) {
			out, err := Run(context.Background(), c.query, operatorTables(), Options{Now: time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)})
			var got string
			var e *Error
			switch {
			case errors.As(err, &e):
				got = fmt.Sprintf("%d:%d %s", e.Line, e.Column, e.Message)
			case err != nil:
				got = err.Error()
			}
			if c.err != "" {
				if !strings.HasPrefix(got, c.err) {
					t.Errorf("got the error %q, want %q", got, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(got)
			}
			var want []string
			for _, line := range strings.Split(strings.TrimSpace(c.want), "\n") {
				want = append(want, strings.TrimSpace(line))
			}
			if diff := cmp.Diff(strings.Join(want, "\n"), tableText(out)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// tableText writes the columns and the rows of a table, one row per line.
func tableText(t *Table) string {
	var sb strings.Builder
	for i, c := range t.Schema() {
		if i > 0 {
			sb.WriteString(", ")
		}
		sb.WriteString(c.Name + ":" + c.Type.String())
	}
	for row := range t.Rows() {
		sb.WriteByte('\n')
		for col := range t.Schema() {
			if col > 0 {
				sb.WriteString(" | ")
			}
			switch v := t.Value(row, col); {
			case v.IsNull():
				sb.WriteString("null")
			case v.kind == String && v.s == "":
				sb.WriteString("''")
			default:
				sb.WriteString(v.String())
			}
		}
	}
	return sb.String()
}
