package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"pushback/detect/kql"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
)

// leastColumn is how narrow a column of a table may become before the rows are
// shown one below the other.
const leastColumn = 8

// writeTable writes a table that fits the terminal. Columns that are too wide are
// cut, and where even that does not help each row is a list of its cells. If the
// table is to be full nothing is cut, and what does not fit is a list.
func writeTable(w io.Writer, t *kql.Table, full bool) error {
	style := styleOf(w)
	width := style.Width
	if width <= 0 {
		width = 100
	}
	rows := make([][]string, t.Rows())
	widths := make([]int, len(t.Schema()))
	for i, c := range t.Schema() {
		widths[i] = text.Width(text.Safe(c.Name))
	}
	for r := range rows {
		rows[r] = texts(t, r)
		for i, cell := range rows[r] {
			rows[r][i] = text.Safe(cell)
			widths[i] = max(widths[i], text.Width(rows[r][i]))
		}
	}
	var sb strings.Builder
	wanted := slices.Clone(widths)
	switch fits := fit(widths, width); {
	case fits && (!full || slices.Equal(wanted, widths)):
		tabular(&sb, style, t.Schema(), rows, widths)
	case full:
		listed(&sb, style, t.Schema(), rows, math.MaxInt)
	default:
		listed(&sb, style, t.Schema(), rows, width)
	}
	sb.WriteString(style.Dim(count(int64(len(rows)), "row")) + "\n")
	_, err := io.WriteString(w, sb.String())
	return err
}

// fit narrows the widest columns until all of them, two spaces apart, fit. It
// gives up when a column would be narrower than is of use.
func fit(widths []int, width int) bool {
	total := -2
	for _, w := range widths {
		total += w + 2
	}
	for total > width {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= leastColumn {
			return false
		}
		widths[widest]--
		total--
	}
	return true
}

func tabular(sb *strings.Builder, style console.Style, schema kql.Schema, rows [][]string, widths []int) {
	line := func(cells []string, paint func(string) string) {
		var row strings.Builder
		for i, cell := range cells {
			cut := text.Cut(cell, widths[i])
			row.WriteString(paint(cut))
			if i < len(cells)-1 {
				row.WriteString(strings.Repeat(" ", max(0, widths[i]-text.Width(cut))+2))
			}
		}
		sb.WriteString(strings.TrimRight(row.String(), " ") + "\n")
	}
	names, rules := make([]string, len(schema)), make([]string, len(schema))
	for i, c := range schema {
		names[i], rules[i] = text.Safe(c.Name), strings.Repeat("─", widths[i])
	}
	line(names, style.Bold)
	line(rules, style.Dim)
	for _, r := range rows {
		line(r, func(s string) string { return s })
	}
}

func listed(sb *strings.Builder, style console.Style, schema kql.Schema, rows [][]string, width int) {
	label := 0
	for _, c := range schema {
		label = max(label, text.Width(text.Safe(c.Name)))
	}
	label = min(label, max(width/2, leastColumn))
	for r, cells := range rows {
		sb.WriteString(style.Bold(fmt.Sprintf("row %d", r+1)) + "\n")
		for i, cell := range cells {
			if cell == "" {
				continue // most columns of a wide table are empty in any one row
			}
			name := text.Safe(schema[i].Name)
			name = text.Cut(name, label)
			sb.WriteString("  " + style.Dim(name) + strings.Repeat(" ", label-text.Width(name)+2) + text.Cut(cell, max(width-label-4, leastColumn)) + "\n")
		}
	}
}

// texts gives a row as tostring() does.
func texts(t *kql.Table, row int) []string {
	cells := make([]string, len(t.Schema()))
	for i := range cells {
		cells[i] = t.Value(row, i).String()
	}
	return cells
}
