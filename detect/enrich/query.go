package enrich

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed queries/*.kql
var queryFiles embed.FS

// query is the text of one kind of context without its head: the statements
// that give a value to each parameter, so that the file can be run as it is.
type query struct {
	name, text string
	parameters []string
	body       string
}

// parseQuery takes a file apart: the head ends with its first line that is
// neither a comment nor a let statement that gives a value. Comments before the
// let statement of a function are left out with it.
func parseQuery(text string) query {
	var q query
	rest := text
	for {
		line, after, _ := strings.Cut(rest, "\n")
		name, isLet := strings.CutPrefix(line, "let ")
		isLet = isLet && !strings.Contains(line, "= (")
		switch {
		case isLet:
			name, _, _ = strings.Cut(name, " ")
			q.parameters = append(q.parameters, name)
		case !strings.HasPrefix(line, "//"):
			q.body = rest
			return q
		}
		rest = after
	}
}

// loadQuery reads an embedded file. A missing one is a mistake in the source.
func loadQuery(name string) query {
	text, err := queryFiles.ReadFile("queries/" + name + ".kql")
	if err != nil {
		panic(fmt.Sprintf("enrich: %v", err))
	}
	q := parseQuery(string(text))
	q.name, q.text = name, string(text)
	return q
}

// bind gives the text with values for its parameters, as literals of KQL.
func (q query) bind(values map[string]string) (string, error) {
	var b strings.Builder
	for _, p := range q.parameters {
		v, ok := values[p]
		if !ok {
			return "", fmt.Errorf("enrich: the query's parameter %s has no value", p)
		}
		b.WriteString("let " + p + " = " + v + ";\n")
	}
	b.WriteString(q.body)
	return b.String(), nil
}
