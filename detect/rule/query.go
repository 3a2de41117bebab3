package rule

// Query is a rule's KQL.
type Query struct {
	Text string

	// places holds where in the file each character of Text is, and its end.
	places []position
}

// Locate maps a place in the query's text to its place in the rule's file.
// Lines and columns are counted from 1, columns in characters; a column behind
// the end of its line, or a line behind the last, is taken for the end.
//
// The answer is exact for every character that the file holds as such,
// whatever way the query is written: as a block (| or >), quoted or plain.
// Where YAML made the character (the space that joins two folded lines, a line
// break written \n) it is the place of what made it. A Query that was not read
// from a file returns its arguments.
func (q Query) Locate(line, col int) (fileLine, fileCol int) {
	if len(q.places) == 0 {
		return line, col
	}
	i, l, c := 0, 1, 1
	for _, r := range q.Text {
		if l == line && (c >= col || r == '\n') || l > line {
			break
		}
		i++
		c++
		if r == '\n' {
			l, c = l+1, 1
		}
	}
	at := q.places[min(i, len(q.places)-1)]
	return at.line, at.column
}
