package console

import "strings"

// heights are the marks of a small chart, from nothing to the most.
var heights = []rune("·▁▂▃▄▅▆▇█")

// Sparkline draws values as a chart of one line, each in so many columns. Only
// zero is drawn as nothing.
func Sparkline(values []int, columns int) string {
	most := 0
	for _, v := range values {
		most = max(most, v)
	}
	var sb strings.Builder
	for _, v := range values {
		mark := heights[0]
		if v > 0 {
			mark = heights[1+(v-1)*(len(heights)-2)/max(most-1, 1)]
		}
		sb.WriteString(strings.Repeat(string(mark), max(columns, 1)))
	}
	return sb.String()
}
