package rule

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The column of time that tables have in Defender, and that which they have in a
// workspace.
const defenderTime, workspaceTime = "Timestamp", "TimeGenerated"

// timeNames returns where a query names the column Timestamp, in runes, if it can as well
// be called TimeGenerated: nothing else in the query is called by either name, in part
// or within a text, and it is a column of Defender's tables alone.
func timeNames(query string) (at []int) {
	text := []rune(query)
	for i := 0; i < len(text); {
		if end := literalEnd(text, i); end > i {
			i = end + 1
			continue
		}
		if !isWord(text[i]) {
			i++
			continue
		}
		from := i
		for i < len(text) && isWord(text[i]) {
			i++
		}
		word := string(text[from:i])
		member := from > 0 && text[from-1] == '.' && !afterSide(text[:from-1])
		switch {
		case word == defenderTime && !member:
			at = append(at, from)
		case strings.HasSuffix(word, "_CL"): // it may have a Timestamp of its own
			return nil
		}
	}
	if strings.Contains(query, workspaceTime) || strings.Count(query, defenderTime) != len(at) {
		return nil
	}
	return at
}

func isWord(c rune) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// afterSide reports whether a text ends in one of the two sides of a join.
func afterSide(text []rune) bool {
	before := string(text[max(0, len(text)-len("$right")):])
	return strings.HasSuffix(before, "$left") || strings.HasSuffix(before, "$right")
}

// namesTime reports whether something in a rule beside its query names Timestamp.
func namesTime(n *yaml.Node) bool {
	n = resolve(n)
	switch n.Kind {
	case yaml.ScalarNode:
		return strings.Contains(n.Value, defenderTime)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value != "query" && namesTime(n.Content[i+1]) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(n.Content, namesTime)
}

// inWorkspace returns a query of Defender with the name that the column of time has in a
// workspace. Each character keeps its place in the file.
func (q Query) inWorkspace() Query {
	text := []rune(q.Text)
	var out []rune
	var places []position
	from := 0
	for _, at := range append(timeNames(q.Text), len(text)) {
		out, places = append(out, text[from:at]...), append(places, q.places[from:at]...)
		if from = at; at < len(text) {
			from += len(defenderTime)
			for i, c := range workspaceTime {
				out, places = append(out, c), append(places, q.places[min(at+i, from-1)])
			}
		}
	}
	return Query{Text: string(out), places: append(places, q.places[len(text)])}
}
