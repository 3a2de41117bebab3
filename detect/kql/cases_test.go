package kql

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// referenceCase is a query with the result that a reference prints for it.
type referenceCase struct {
	ID, Query string
	Columns   []string
	Rows      [][]string
}

// wrongInReference lists cases whose printed result can not be compared.
var wrongInReference = map[string]string{
	"array-iff-function#3":            "the printed table is not the query's",
	"day-of-month-function#1":         "the query is an expression without print",
	"day-of-year-function#1":          "the query is an expression without print",
	"join-rightanti#1":                "the printed table has the columns of the left side",
	"url-encode-component-function#1": "the printed text is not the query's",
	"exp-function#1":                  "the printed number is rounded",
	"max-of-function#2":               "the column is printed as result, and the query does not name it",
}

// TestReferenceCases runs worked examples: our own selection, and those of the
// KQL reference where they are at hand. Each must give what is printed, by
// value, or be refused by name.
func TestReferenceCases(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"testdata/cases.json", "../../../shared/data/kql-cases.json"} {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) && file != "testdata/cases.json" {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var cases []referenceCase
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		passed, refused, wrong := 0, 0, 0
		for _, c := range cases {
			if wrongInReference[c.ID] != "" {
				wrong++
				continue
			}
			out, err := runTestQuery(c.Query)
			var queryError *Error
			switch {
			case errors.As(err, &queryError) && queryError.Kind == UnsupportedError && strings.HasPrefix(file, ".."):
				refused++
				continue
			case err != nil:
				t.Errorf("%s: %v\n%s", c.ID, err, c.Query)
				continue
			}
			passed++
			if diff := cmp.Diff(c.printed(), c.given(out)); diff != "" {
				t.Errorf("%s: -want +got:\n%s\n%s", c.ID, diff, c.Query)
			}
		}
		t.Logf("%s: %d equal, %d refused, %d not comparable", file, passed, refused, wrong)
	}
}

var sorts = regexp.MustCompile(`\b(sort|order|top)\b`)

// printed gives the rows as printed, each cell in the form that cellValue
// gives it.
func (c referenceCase) printed() [][]string {
	rows := [][]string{c.Columns}
	for _, row := range c.Rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = cellValue(cell)
		}
		rows = append(rows, cells)
	}
	return c.ordered(rows)
}

func (c referenceCase) given(out *Table) [][]string {
	header := make([]string, len(out.Schema()))
	for i, col := range out.Schema() {
		header[i] = col.Name
	}
	rows := [][]string{header}
	for row := range out.Rows() {
		cells := make([]string, len(header))
		for col := range header {
			text := out.Value(row, col).String()
			if out.Schema()[col].Type == Bool { // printed as a number here and there
				text = strings.NewReplacer("true", "1", "false", "0").Replace(text)
			}
			cells[col] = cellValue(text)
		}
		rows = append(rows, cells)
	}
	return c.ordered(rows)
}

// ordered sorts the rows unless the query does.
func (c referenceCase) ordered(rows [][]string) [][]string {
	if !sorts.MatchString(c.Query) {
		slices.SortFunc(rows[1:], slices.Compare)
	}
	return rows
}

var (
	printedLink = regexp.MustCompile(`^<(https?://\S+)>$`)
	infinities  = strings.NewReplacer("-∞", "-Infinity", "∞", "Infinity")
)

// cellValue gives two texts of the same value the same form: JSON, a number,
// a point in time, a timespan, or text without the spaces around it.
func cellValue(text string) string {
	text = strings.TrimSpace(infinities.Replace(strings.ReplaceAll(text, "<br>", "\n")))
	text = strings.ReplaceAll(text, "\u00a0", " ")
	switch {
	case printedLink.MatchString(text):
		return printedLink.FindStringSubmatch(text)[1]
	case text == "(null)":
		return ""
	case text == "true":
		return "number 1"
	case text == "false":
		return "number 0"
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		if math.IsNaN(f) {
			return "NaN"
		}
		return "number " + strconv.FormatFloat(f, 'g', 15, 64)
	}
	var v any
	if (strings.HasPrefix(text, "{") || strings.HasPrefix(text, "[")) && json.Unmarshal([]byte(text), &v) == nil {
		data, err := json.Marshal(v)
		if err != nil {
			panic(err)
		}
		return string(data)
	}
	if ticks, ok := parseTimeSpan(text); ok && strings.Contains(text, ":") {
		return "timespan " + formatTimeSpan(ticks)
	}
	if ticks, ok := parseISO(text); ok && strings.Contains(text, "-") {
		return "datetime " + formatDateTime(ticks)
	}
	return text
}
