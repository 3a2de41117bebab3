package pull

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// table makes rows of a watchlist's items. The order of neither columns nor items is
// kept by the service, so both are put into one: the search key first, which the first
// column of a file is, and all else by name; the items by what they hold.
func table(searchKey string, items []map[string]any) (columns []string, rows [][]string) {
	names := map[string]bool{}
	for _, item := range items {
		for name := range item {
			names[name] = true
		}
	}
	delete(names, "")
	for name := range names {
		if name != searchKey {
			columns = append(columns, name)
		}
	}
	slices.Sort(columns)
	if searchKey != "" && (names[searchKey] || len(items) == 0) {
		columns = slices.Insert(columns, 0, searchKey)
	}
	for _, item := range items {
		row := make([]string, len(columns))
		for i, name := range columns {
			row[i] = cell(item[name])
		}
		rows = append(rows, row)
	}
	slices.SortStableFunc(rows, slices.Compare)
	return columns, rows
}

// cell is a value as a watchlist holds it: all are texts.
func cell(value any) string {
	switch value := value.(type) {
	case nil:
		return ""
	case string:
		// A CSV file has one line break.
		return strings.ReplaceAll(value, "\r\n", "\n")
	default:
		written, err := json.Marshal(value)
		if err != nil {
			return fmt.Sprint(value)
		}
		return string(written)
	}
}

// CSV returns a watchlist as a file that --watchlists reads.
func (w Watchlist) CSV() ([]byte, error) {
	if len(w.Columns) == 0 {
		return nil, fmt.Errorf("the watchlist %s is left out: its items have no columns", quoted(w.Alias))
	}
	seen := map[string]bool{}
	for _, name := range w.Columns {
		if name = strings.TrimSpace(name); name == "" || seen[name] {
			return nil, fmt.Errorf("the watchlist %s is left out: it has two columns named %s, or one without a name", quoted(w.Alias), quoted(name))
		}
		seen[name] = true
	}
	var out bytes.Buffer
	in := csv.NewWriter(&out)
	for _, row := range slices.Concat([][]string{w.Columns}, w.Rows) {
		if len(row) == 1 && row[0] == "" { // an empty line would be none
			in.Flush()
			out.WriteString("\"\"\n")
			continue
		}
		if err := in.Write(row); err != nil {
			return nil, err
		}
	}
	in.Flush()
	return out.Bytes(), in.Error()
}

// sameItems reports whether two files of a watchlist hold the same items, in whatever
// order their rows and columns are. The first column has to be the same: it is the
// search key.
func sameItems(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	first, second := readItems(a), readItems(b)
	return first != nil && second != nil && slices.EqualFunc(first, second, slices.Equal)
}

// readItems reads a file with its columns and rows in order, or returns nil if it is
// none of a watchlist.
func readItems(data []byte) [][]string {
	rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil
	}
	return ordered(rows)
}

// orderedText is a file with its columns and rows in order, so that what differs in
// another is lines of it.
func orderedText(data []byte) string {
	rows := readItems(data)
	if rows == nil {
		return string(data)
	}
	var out strings.Builder
	if err := csv.NewWriter(&out).WriteAll(rows); err != nil {
		return string(data)
	}
	return out.String()
}

// ordered puts the columns behind the first, and then the rows, into one order.
func ordered(rows [][]string) [][]string {
	at := make([]int, len(rows[0]))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at[1:], func(i, j int) int { return strings.Compare(rows[0][i], rows[0][j]) })
	out := make([][]string, len(rows))
	for i, row := range rows {
		for _, from := range at {
			out[i] = append(out[i], row[from])
		}
	}
	slices.SortStableFunc(out[1:], slices.Compare)
	return out
}
