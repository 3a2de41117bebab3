package rule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"pushback/detect/alert"
)

// Expectation is what a case expects of a rule.
type Expectation struct {
	Count int // of alerts
	// Alerts say what holds of each alert, in any order. Nil is the count alone.
	Alerts       []ExpectedAlert
	Line, Column int
}

// ExpectedAlert is what holds of an alert. What is nil is not looked at.
type ExpectedAlert struct {
	Title, Description  *Match
	Severity            *alert.Severity
	Tactics, Techniques []string
	Entities            []ExpectedEntity
	Details             []ExpectedDetail
	Rows                []alert.Row // each, what columns of a row of the alert hold
	RowCount            *int
	Findings            []ExpectedFinding
	Line, Column        int
	at                  map[string]position // of the keys' values
}

// Match is a text, or a part of one.
type Match struct {
	Text     string
	Contains bool
}

// ExpectedEntity is an entity with those identifiers. A field without an identifier is
// the value of any.
type ExpectedEntity struct {
	Type   string
	Fields []alert.Field
}

// ExpectedDetail is a custom detail with all its values, as JSON, in any order. One
// without values is not there.
type ExpectedDetail struct {
	Name   string
	Values []json.RawMessage
}

// ExpectedFinding is a finding of a kind, or whose text contains another.
type ExpectedFinding struct {
	Kind alert.FindingKind
	Text string
}

// Difference is one thing that is not as a case expects.
type Difference struct {
	What string `json:"what"` // such as alert 1: severity
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	// Line and Column are where the case's file expects it.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Compare returns what of the alerts is not as expected, nothing if all is. Each entry
// is compared with an alert of its own: those that it holds of first, then the
// nearest.
func (e Expectation) Compare(alerts []alert.Alert) []Difference {
	var all []Difference
	if len(alerts) != e.Count {
		all = append(all, Difference{What: "number of alerts", Want: fmt.Sprint(e.Count), Got: fmt.Sprint(len(alerts)), Line: e.Line, Column: e.Column})
	}
	if e.Alerts == nil {
		if len(all) > 0 {
			all = append(all, unexpected(alerts, nil)...)
		}
		return all
	}
	matrix := make([][][]Difference, len(e.Alerts)) // of each entry and alert
	for i, want := range e.Alerts {
		matrix[i] = make([][]Difference, len(alerts))
		for j, a := range alerts {
			matrix[i][j] = want.compare(a)
		}
	}
	pairs := paired(matrix, len(alerts))
	for i, want := range e.Alerts {
		switch j := pairs[i]; {
		case j < 0:
			all = append(all, Difference{What: fmt.Sprintf("alert %d", i+1), Want: want.String(), Got: "no alert", Line: want.Line, Column: want.Column})
		default:
			for _, d := range matrix[i][j] {
				d.What = fmt.Sprintf("alert %d: %s", i+1, d.What)
				all = append(all, d)
			}
		}
	}
	if len(alerts) > len(e.Alerts) {
		all = append(all, unexpected(alerts, pairs)...)
	}
	return all
}

// mostUnexpected is how many alerts are listed that no entry is about.
const mostUnexpected = 10

// unexpected lists the alerts that are not among the pairs.
func unexpected(alerts []alert.Alert, pairs []int) (list []Difference) {
	more := 0
	for j, a := range alerts {
		switch {
		case slices.Contains(pairs, j):
		case len(list) == mostUnexpected:
			more++
		default:
			list = append(list, Difference{What: "alert beside what is expected", Got: titleOf(a)})
		}
	}
	if more > 0 {
		list = append(list, Difference{What: fmt.Sprintf("and %d more", more)})
	}
	return list
}

func titleOf(a alert.Alert) string {
	text := a.Severity.String() + ": " + a.Title
	if a.Updates != nil {
		text += " (an update of an earlier alert)"
	}
	return text
}

// paired gives each entry an alert, or -1. As many entries as can be get one that they
// hold of, and the others the nearest of what is left.
func paired(matrix [][][]Difference, alerts int) []int {
	entry := make([]int, alerts) // of each alert, or -1
	for j := range entry {
		entry[j] = -1
	}
	// A maximum matching by augmenting paths.
	var place func(i int, seen []bool) bool
	place = func(i int, seen []bool) bool {
		for j := range alerts {
			if len(matrix[i][j]) > 0 || seen[j] {
				continue
			}
			seen[j] = true
			if entry[j] < 0 || place(entry[j], seen) {
				entry[j] = i
				return true
			}
		}
		return false
	}
	for i := range matrix {
		place(i, make([]bool, alerts))
	}
	pairs := make([]int, len(matrix))
	for i := range pairs {
		pairs[i] = slices.Index(entry, i)
	}
	for i := range pairs {
		if pairs[i] >= 0 {
			continue
		}
		for j := range alerts {
			if entry[j] < 0 && (pairs[i] < 0 || len(matrix[i][j]) < len(matrix[i][pairs[i]])) {
				pairs[i] = j
			}
		}
		if pairs[i] >= 0 {
			entry[pairs[i]] = i
		}
	}
	return pairs
}

// String says what is expected, in a few words.
func (e ExpectedAlert) String() string {
	var parts []string
	if e.Title != nil {
		parts = append(parts, "title "+e.Title.String())
	}
	if e.Severity != nil {
		parts = append(parts, "severity "+e.Severity.String())
	}
	for _, entity := range e.Entities {
		parts = append(parts, entity.String())
	}
	for _, row := range e.Rows {
		parts = append(parts, "row "+rowText(row))
	}
	if len(parts) == 0 {
		return "an alert"
	}
	return strings.Join(parts, ", ")
}

func (m Match) String() string {
	if m.Contains {
		return "…" + m.Text + "…"
	}
	return m.Text
}

func (m Match) holds(text string) bool {
	if m.Contains {
		return strings.Contains(text, m.Text)
	}
	return strings.TrimSpace(text) == m.Text
}

// compare returns what of an alert is not as expected.
func (e ExpectedAlert) compare(a alert.Alert) (all []Difference) {
	differ := func(what, want, got string) {
		at, found := e.at[keyOf(what)]
		if !found {
			at = position{e.Line, e.Column}
		}
		all = append(all, Difference{What: what, Want: want, Got: got, Line: at.line, Column: at.column})
	}
	if e.Title != nil && !e.Title.holds(a.Title) {
		differ("title", e.Title.String(), a.Title)
	}
	if e.Description != nil && !e.Description.holds(a.Description) {
		differ("description", e.Description.String(), a.Description)
	}
	if e.Severity != nil && *e.Severity != a.Severity {
		got := a.Severity.String()
		if a.Context != nil && len(a.Context.Steps) > 0 {
			got += " (the rule's " + a.Context.RuleSeverity.String() + ", changed by the context)"
		}
		differ("severity", e.Severity.String(), got)
	}
	for _, list := range []struct {
		what      string
		want, got []string
	}{{"tactics", e.Tactics, a.Tactics}, {"techniques", e.Techniques, a.Techniques}} {
		if list.want != nil && !sameTexts(list.want, list.got) {
			differ(list.what, orNone(list.want), orNone(list.got))
		}
	}
	if e.Entities != nil {
		e.compareEntities(a, differ)
	}
	if e.Details != nil {
		e.compareDetails(a, differ)
	}
	if e.RowCount != nil && *e.RowCount != len(a.Rows) {
		differ("number of rows", fmt.Sprint(*e.RowCount), fmt.Sprint(len(a.Rows)))
	}
	e.compareRows(a, differ)
	if e.Findings != nil {
		e.compareFindings(a, differ)
	}
	return all
}

// keyOf returns the key of a case that a difference is about.
func keyOf(what string) string {
	key, _, _ := strings.Cut(what, " ")
	switch key {
	case "detail":
		return "details"
	case "column":
		return "row"
	case "number":
		return "rows"
	}
	return key
}

func sameTexts(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func orNone(texts []string) string {
	if len(texts) == 0 {
		return "none"
	}
	return strings.Join(texts, ", ")
}

func (e ExpectedAlert) compareEntities(a alert.Alert, differ func(what, want, got string)) {
	got := make([]string, len(a.Entities))
	for i, entity := range a.Entities {
		got[i] = ExpectedEntity{entity.Type, entity.Fields}.String()
	}
	if len(e.Entities) == 0 && len(a.Entities) > 0 {
		differ("entities", "none", orNone(got))
	}
	for _, want := range e.Entities {
		if !slices.ContainsFunc(a.Entities, want.holds) {
			differ("entities", want.String(), orNone(got))
		}
	}
}

// String writes an entity as a case does.
func (e ExpectedEntity) String() string {
	var fields []string
	for _, f := range e.Fields {
		text := f.Value
		if f.Identifier != "" {
			text = f.Identifier + " " + f.Value
		}
		fields = append(fields, text)
	}
	if len(fields) == 0 {
		return e.Type
	}
	return e.Type + " {" + strings.Join(fields, ", ") + "}"
}

func (e ExpectedEntity) holds(got alert.Entity) bool {
	if got.Type != e.Type {
		return false
	}
	for _, want := range e.Fields {
		if !slices.ContainsFunc(got.Fields, func(f alert.Field) bool {
			return f.Value == want.Value && (want.Identifier == "" || want.Identifier == f.Identifier)
		}) {
			return false
		}
	}
	return true
}

func (e ExpectedAlert) compareDetails(a alert.Alert, differ func(what, want, got string)) {
	var names []string
	for _, d := range a.CustomDetails {
		names = append(names, d.Name)
	}
	if len(e.Details) == 0 && len(names) > 0 {
		differ("details", "none", orNone(names))
	}
	for _, want := range e.Details {
		i := slices.Index(names, want.Name)
		var values []string
		if i >= 0 {
			values = a.CustomDetails[i].Values
		}
		if want.holds(values) {
			continue
		}
		got := orNone(values)
		if i < 0 && len(want.Values) > 0 {
			got = "no such detail" + suggestion(want.Name, names) + " (there are " + orNone(names) + ")"
		}
		var texts []string
		for _, v := range want.Values {
			texts = append(texts, alert.Cell{Value: v}.Text())
		}
		differ("detail "+want.Name, orNone(texts), got)
	}
}

func (d ExpectedDetail) holds(values []string) bool {
	if len(values) != len(d.Values) {
		return false
	}
	left := slices.Clone(values)
	for _, want := range d.Values {
		i := slices.IndexFunc(left, func(v string) bool { return sameValue(want, jsonText(v)) })
		if i < 0 {
			return false
		}
		left = slices.Delete(left, i, i+1)
	}
	return true
}

func (e ExpectedAlert) compareRows(a alert.Alert, differ func(what, want, got string)) {
	used := make([]bool, len(a.Rows))
	for _, want := range e.Rows {
		nearest, fewest := -1, 0
		for i, row := range a.Rows {
			if used[i] {
				continue
			}
			if wrong := len(differingCells(want, row)); nearest < 0 || wrong < fewest {
				nearest, fewest = i, wrong
			}
		}
		if nearest < 0 {
			differ("row", rowText(want), "no further row")
			continue
		}
		used[nearest] = true
		for _, cell := range differingCells(want, a.Rows[nearest]) {
			got := "no such column"
			if c, found := a.Rows[nearest].Get(cell.Column); found {
				if got = c.Text(); got == "" {
					got = "empty"
				}
			} else {
				names := make([]string, len(a.Rows[nearest]))
				for i, c := range a.Rows[nearest] {
					names[i] = c.Column
				}
				got += suggestion(cell.Column, names)
			}
			text := cell.Text()
			if text == "" {
				text = "empty"
			}
			differ("column "+cell.Column, text, got)
		}
	}
}

// differingCells returns the cells that a row does not have.
func differingCells(want, row alert.Row) (wrong alert.Row) {
	for _, cell := range want {
		if got, found := row.Get(cell.Column); !found || !sameValue(cell.Value, got.Value) {
			wrong = append(wrong, cell)
		}
	}
	return wrong
}

func rowText(row alert.Row) string {
	texts := make([]string, len(row))
	for i, c := range row {
		texts[i] = c.Column + " " + c.Text()
	}
	return "{" + strings.Join(texts, ", ") + "}"
}

// sameValue reports whether a value of a row is the one that a case writes. Times are
// the same at whatever zone and precision they are written, numbers at whatever
// digits, and null and the empty text are both nothing.
func sameValue(want, got json.RawMessage) bool {
	a, b := alert.Cell{Value: want}, alert.Cell{Value: got}
	if isNothing(want) || isNothing(got) {
		return isNothing(want) && isNothing(got)
	}
	if a.Text() == b.Text() {
		return true
	}
	if bounded(a.Text()) && bounded(b.Text()) {
		x, isNumber := new(big.Rat).SetString(a.Text())
		if y, ok := new(big.Rat).SetString(b.Text()); isNumber && ok {
			return x.Cmp(y) == 0
		}
	}
	if s, ok := parseTime(a.Text()); ok {
		if t, ok := parseTime(b.Text()); ok {
			return s.Equal(t)
		}
	}
	return sameJSON(want, got)
}

// bounded reports whether a number is short and has no exponent, which could make it
// as long as it likes.
func bounded(number string) bool {
	return len(number) < 100 && !strings.ContainsAny(number, "eEpP/_xX")
}

func isNothing(value json.RawMessage) bool {
	text := string(bytes.TrimSpace(value))
	return text == "null" || text == `""` || text == ""
}

// sameJSON compares values member by member.
func sameJSON(a, b json.RawMessage) bool {
	decode := func(raw json.RawMessage) (value any, err error) {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		err = decoder.Decode(&value)
		if text, ok := value.(string); ok && err == nil { // a list or a mapping that a column holds as text
			var inner any
			if json.Unmarshal([]byte(text), &inner) == nil {
				switch inner.(type) {
				case []any, map[string]any:
					return decodeNumbers(text)
				}
			}
		}
		return value, err
	}
	x, err := decode(a)
	if err != nil {
		return false
	}
	y, err := decode(b)
	if err != nil {
		return false
	}
	left, err := json.Marshal(x)
	if err != nil {
		return false
	}
	right, err := json.Marshal(y)
	return err == nil && bytes.Equal(left, right)
}

func decodeNumbers(text string) (value any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func (e ExpectedAlert) compareFindings(a alert.Alert, differ func(what, want, got string)) {
	var found []alert.Finding
	if a.Context != nil {
		found = a.Context.Findings
	}
	texts := make([]string, len(found))
	for i, f := range found {
		texts[i] = string(f.Kind) + " (" + f.Text + ")"
	}
	got := orNone(texts)
	if a.Context != nil && len(a.Context.Unavailable) > 0 && len(found) == 0 {
		got += "; not known: " + strings.Join(a.Context.Unavailable, "; ")
	}
	if len(e.Findings) == 0 && len(found) > 0 {
		differ("findings", "none", got)
	}
	for _, want := range e.Findings {
		if !slices.ContainsFunc(found, func(f alert.Finding) bool {
			return (want.Kind == "" || want.Kind == f.Kind) && strings.Contains(strings.ToLower(f.Text), strings.ToLower(want.Text))
		}) {
			text := string(want.Kind)
			if want.Text != "" {
				text = strings.TrimSpace(text + " …" + want.Text + "…")
			}
			differ("findings", text, got)
		}
	}
}
