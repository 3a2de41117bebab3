package rule

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"pushback/detect/secret"
)

// Format is a text with the values of columns in it, written {{Column}}. The
// zero value overrides nothing.
type Format struct {
	Text  string // as the rule has it
	parts []formatPart
}

// formatPart is literal text or, if isColumn, the name of a column.
type formatPart struct {
	text     string
	isColumn bool
	at       int // where in Text the part's text begins, in bytes
}

// ParseFormat reads a format. An error says what is wrong with it.
func ParseFormat(text string) (Format, error) {
	f := Format{Text: text}
	rest, at := text, 0
	for {
		before, after, found := strings.Cut(rest, "{{")
		if before != "" {
			f.parts = append(f.parts, formatPart{text: before, at: at})
		}
		if !found {
			return f, nil
		}
		at += len(before) + len("{{")
		inside, behind, closed := strings.Cut(after, "}}")
		column := strings.TrimSpace(inside)
		switch {
		case !closed:
			return Format{}, fmt.Errorf("the {{ before %q has no }}: write {{Column}}", clip(after))
		case column == "":
			return Format{}, fmt.Errorf("{{%s}} names no column: write {{Column}}", inside)
		case strings.Contains(column, "{{"):
			return Format{}, fmt.Errorf("there is a {{ inside of {{%s}}: write {{Column}}", clip(column))
		}
		start := at + strings.Index(inside, column)
		f.parts = append(f.parts, formatPart{text: column, isColumn: true, at: start})
		rest, at = behind, at+len(inside)+len("}}")
	}
}

// IsZero reports whether there is no format.
func (f Format) IsZero() bool { return f.Text == "" }

// HasWords reports whether the format has text beside the columns.
func (f Format) HasWords() bool {
	return slices.ContainsFunc(f.parts, func(p formatPart) bool { return !p.isColumn && strings.ContainsFunc(p.text, unicode.IsLetter) })
}

// Equal reports whether both formats have the same text.
func (f Format) Equal(g Format) bool { return f.Text == g.Text }

// Columns returns the columns that the format names, each once.
func (f Format) Columns() []string {
	var columns []string
	for _, p := range f.parts {
		if p.isColumn && !slices.Contains(columns, p.text) {
			columns = append(columns, p.text)
		}
	}
	return columns
}

// Render writes the format with the columns' values, without white space around
// it: published formats are often blocks, which end in a line break.
//
// As in Sentinel, a format that names a column without a value is not used at
// all: if lookup returns false or only white space for one, Render returns
// false, and the caller falls back to what the format would have overridden. A
// zero format returns false too.
func (f Format) Render(lookup func(column string) (string, bool)) (string, bool) {
	if f.IsZero() {
		return "", false
	}
	var b strings.Builder
	for _, p := range f.parts {
		text := p.text
		if p.isColumn {
			value, ok := lookup(p.text)
			if !ok || strings.TrimSpace(value) == "" {
				return "", false
			}
			text = value
		}
		b.WriteString(text)
	}
	text := strings.TrimSpace(b.String())
	return text, text != ""
}

// clip shortens a text for a message.
func clip(s string) string {
	r := []rune(secret.Hide(s)) // which a part of one would not be
	if len(r) > 40 {
		return string(r[:40]) + "..."
	}
	return string(r)
}
