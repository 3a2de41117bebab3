package rule

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is something wrong with a rule file. It is an error unless it is a
// Warning: a rule with warnings runs.
type Problem struct {
	File    string
	Line    int // from 1; 0 if the problem is the whole file's
	Column  int // from 1, in characters; 0 if not known
	Warning bool
	Message string // what is wrong and what would be right
}

// Error is the same as String, so that a Problem can be returned as an error.
func (p Problem) Error() string { return p.String() }

// String returns "file:line:column: message" without the parts that are not
// known, and with "warning: " before the message of a warning.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(p.Message)
	return b.String()
}

func sortProblems(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

func hasError(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}
