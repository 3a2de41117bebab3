package kql

import "strings"

// mostSeparated is how many parts a text may have with blank lines between them, and
// mostSeparatedText how many bytes, since parts are tried together.
const (
	mostSeparated     = 64
	mostSeparatedText = 128 << 10
)

// Separated puts a semicolon between queries that only blank lines separate, as the
// editors of the portal take them and as collections of queries are written. A text
// that is one query stays as it is, with the blank lines in it, and so does one of
// which some part is no query. No line and no column of a query moves.
func Separated(text string) string {
	if len(text) > mostSeparatedText || parses(text) {
		return text
	}
	ends, starts := blankLines(text)
	if len(starts) < 2 || len(starts) > mostSeparated {
		return text
	}
	var out strings.Builder
	written := 0
	for from := 0; from < len(starts); {
		// As much as is one query: behind let statements, or within a query, there
		// may be a blank line too.
		to := len(starts)
		for to > from && !parses(text[starts[from]:ends[to-1]]) {
			to--
		}
		if to == from {
			return text
		}
		end := ends[to-1]
		out.WriteString(text[written:end])
		if text[end-1] != ';' {
			out.WriteByte(';')
		}
		written, from = end, to
	}
	return out.String() + text[written:]
}

// parses reports whether a text is a query, as far as that can be told without tables.
func parses(text string) bool {
	var err error
	func() {
		defer caught(text, &err)
		parseQuery(text)
	}()
	return err == nil
}

// blankLines finds where the parts of a text end and start between which there are
// blank lines, comments aside.
func blankLines(text string) (ends, starts []int) {
	var tokens []token
	var err error
	func() {
		defer caught(text, &err)
		tokens = lex(text)
	}()
	for i, t := range tokens {
		if t.kind == tokEnd {
			break
		}
		if i == 0 {
			starts = append(starts, t.start)
			continue
		}
		before := tokens[i-1].end
		lines := strings.Split(text[before:t.start], "\n")
		for _, line := range lines[1:max(1, len(lines)-1)] {
			if strings.TrimSpace(line) == "" {
				ends, starts = append(ends, before), append(starts, t.start)
				break
			}
		}
	}
	if len(starts) > 0 {
		ends = append(ends, tokens[max(0, len(tokens)-2)].end)
	}
	return ends, starts
}
