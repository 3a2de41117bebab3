package enrich

import (
	"embed"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed queries/*.kql
var queryFiles embed.FS

// query is the text of one kind of context without its head: the statements
// that give a value to each parameter, so that the file can be run as it is.
type query struct {
	name, text string
	parameters []string // that it names, in the order of parameterNames
	body       string
	head       int // how many lines of the text are not in the body
}

// parameter is what a query can name, with a value that shows its type.
type parameter struct{ name, example string }

// parameters are what a query can name: let statements in front of it give them
// values. Addresses are in their one spelling, Spellings are those and the others
// that logs have of them, Parts words that stand in IPv6 addresses of the same
// networks, of which there are none if HasParts is false. Since is when the
// alerts' window began. OnlyWhether says that it is enough to know whether there is
// something.
var parameters = []parameter{
	{"From", "datetime(2026-03-16T21:00:00Z)"}, {"To", "datetime(2026-03-17T00:00:00Z)"}, {"Since", "datetime(2026-03-16T23:00:00Z)"},
	{"AccountIds", `dynamic(["00000000-0000-0000-0000-000000000000"])`}, {"Accounts", `dynamic(["alice@contoso.example"])`},
	{"Addresses", `dynamic(["192.0.2.1"])`}, {"Spellings", `dynamic(["192.0.2.1"])`}, {"HasParts", "true"}, {"Parts", `dynamic(["2001:db8"])`},
	{"OnlyWhether", "false"}, {"Hosts", `dynamic(["server1"])`}, {"Urls", `dynamic(["https://contoso.example/"])`}, {"Hashes", `dynamic(["00"])`},
}

// word is a name in a query, wherever it stands.
var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// headLine is a line of a head: a value for a parameter.
var headLine = regexp.MustCompile(`^let ([A-Za-z]+) = (?:datetime\([^()]*\)|dynamic\(.*\)|ago\([^()]*\)|true|false);\s*$`)

// parseQuery takes a query apart: the head ends with its first line that is
// neither empty, nor a comment, nor a let statement that gives a parameter a value.
// Comments before the let statement of a function are left out with it.
func parseQuery(text string) query {
	q := query{text: text}
	rest := text
	for rest != "" {
		line, after, _ := strings.Cut(rest, "\n")
		if m := headLine.FindStringSubmatch(line); !(m != nil && isParameter(m[1]) || strings.HasPrefix(line, "//") || strings.TrimSpace(line) == "") {
			break
		}
		rest = after
		q.head++
	}
	q.body = rest
	named := map[string]bool{}
	for _, w := range word.FindAllString(rest, -1) {
		named[w] = true
	}
	for _, p := range parameters {
		if named[p.name] {
			q.parameters = append(q.parameters, p.name)
		}
	}
	return q
}

func isParameter(name string) bool {
	return slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == name })
}

// loadQuery reads an embedded file. A missing one is a mistake in the source.
func loadQuery(name string) query {
	text, err := queryFiles.ReadFile("queries/" + name + ".kql")
	if err != nil {
		panic(fmt.Sprintf("enrich: %v", err))
	}
	q := parseQuery(string(text))
	q.name = name
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
