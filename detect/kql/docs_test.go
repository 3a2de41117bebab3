package kql

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run TestReadmeListsFunctions -update .

var update = flag.Bool("update", false, "write the list of functions into the README")

const (
	readme        = "README.md"
	functionsFrom = "<!-- functions: written by go generate ./detect/kql -->\n"
	functionsTo   = "<!-- end of functions -->\n"
)

func TestReadmeListsFunctions(t *testing.T) {
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := strings.Cut(string(data), functionsFrom)
	have, after, ok2 := strings.Cut(rest, functionsTo)
	if !ok1 || !ok2 {
		t.Fatalf("%s lacks the lines %s and %s", readme, functionsFrom, functionsTo)
	}
	want := functionList()
	if *update {
		if err := os.WriteFile(readme, []byte(before+functionsFrom+want+functionsTo+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s is not up to date, run go generate ./detect/kql (-want +got):\n%s", readme, diff)
	}
}

// functionList writes a table for every group of functions and aggregates.
func functionList() string {
	var sb strings.Builder
	for _, g := range functionGroups() {
		t := docTable{title: g.title}
		for _, f := range g.functions {
			t.add(f.sig, f.doc)
		}
		t.write(&sb)
	}
	for _, g := range aggregateGroups() {
		t := docTable{title: g.title}
		for _, a := range g.aggregates {
			t.add(a.sig, a.doc)
		}
		t.write(&sb)
	}
	refusedList(&sb)
	return sb.String()
}

// refusedList writes what of the language is refused by name, with what to use
// instead.
func refusedList(sb *strings.Builder) {
	table := func(title string, names []string, instead func(name string) string) {
		// Those that have the same instead of them share a row.
		var hints []string
		with := make(map[string][]string)
		for _, name := range names {
			hint := instead(name)
			if with[hint] == nil {
				hints = append(hints, hint)
			}
			with[hint] = append(with[hint], name)
		}
		t := docTable{title: "Not supported: " + title, entries: len(names)}
		for _, hint := range hints {
			t.rows = append(t.rows, docRow{signature: strings.Join(with[hint], "`, `"), doc: hint})
		}
		t.write(sb)
	}
	hint := func(of map[string]string) func(string) string {
		return func(name string) string { return sentence(of[name]) }
	}
	misplaced := map[string]bool{"print": true, "range": true, "datatable": true, "find": true} // they begin a query
	var operators []string
	for name := range refusedOperators {
		if !misplaced[name] {
			operators = append(operators, name)
		}
	}
	slices.Sort(operators)
	table("operators", operators, hint(refusedOperators))
	table("sources", slices.Sorted(maps.Keys(refusedSources)), hint(refusedSources))
	table("plugins of evaluate", slices.Sorted(maps.Keys(refusedPlugins)), hint(refusedPlugins))
	table("functions and aggregates", slices.Sorted(maps.Keys(unsupportedFunctions)), func(name string) string {
		return sentence(insteadOfFunction(name))
	})
}

// sentence is a hint as a sentence of its own.
func sentence(hint string) string {
	if hint == "" {
		return "There is nothing like it here."
	}
	return strings.ToUpper(hint[:1]) + hint[1:] + "."
}

// Whatever is refused has something to use instead, or says that there is nothing.
func TestRefusedSayWhatToUse(t *testing.T) {
	t.Parallel()
	for _, of := range []map[string]string{refusedOperators, refusedSources, refusedPlugins} {
		for name, instead := range of {
			if instead == "" {
				t.Errorf("%s does not say what to use instead", name)
			}
		}
	}
	for name := range refusedOperators {
		if operators()[name] != nil {
			t.Errorf("the operator %s is refused, and it is supported", name)
		}
	}
	for name := range refusedSources {
		if sources()[name] != nil {
			t.Errorf("%s is refused at the start of a query, and it is supported", name)
		}
	}
	for name := range refusedPlugins {
		if plugins()[name] != nil {
			t.Errorf("the plugin %s is refused, and it is supported", name)
		}
	}
	for name := range unsupportedFunctions {
		if insteadOfFunction(name) == "" {
			t.Errorf("%s() does not say what to use instead", name)
		}
		if scalarFunctions()[name] != nil || aggregates()[name] != nil || tabularFunctions()[name] != nil {
			t.Errorf("%s() is refused, and it is supported", name)
		}
	}
	for name := range insteadOf {
		if !unsupportedFunctions[name] {
			t.Errorf("%s() has something to use instead, and it is not refused", name)
		}
	}
}

// docTable is one group. What does the same as another has no row of its own.
type docTable struct {
	title   string
	entries int
	rows    []docRow
}

type docRow struct {
	name, signature, doc string
	aliases              []string
}

func (t *docTable) add(sig, doc string) {
	t.entries++
	name, _, _ := strings.Cut(sig, "(")
	if of, ok := strings.CutPrefix(doc, "The same as "); ok {
		for i, r := range t.rows {
			if r.name+"()." == of {
				t.rows[i].aliases = append(r.aliases, "`"+name+"`")
				return
			}
		}
	}
	t.rows = append(t.rows, docRow{name: name, signature: signatureText(sig), doc: doc})
}

func (t *docTable) write(sb *strings.Builder) {
	fmt.Fprintf(sb, "<details><summary>%s (%d)</summary>\n\n| | |\n|---|---|\n", t.title, t.entries)
	for _, r := range t.rows {
		fmt.Fprintf(sb, "| `%s` | %s", r.signature, strings.ReplaceAll(r.doc, "|", `\|`))
		if len(r.aliases) > 0 {
			fmt.Fprintf(sb, " Also %s.", strings.Join(r.aliases, ", "))
		}
		sb.WriteString(" |\n")
	}
	sb.WriteString("\n</details>\n")
}

// signatureText is a signature as one would write the call.
func signatureText(sig string) string {
	name, params, _ := parseSignature(sig)
	var sb strings.Builder
	sb.WriteString(name + "(")
	for i, p := range params {
		text := p.name
		switch {
		case p.repeated:
			text = "..."
		case p.optional:
			text = "[" + p.name + "]"
		}
		if i > 0 {
			sb.WriteString(", ")
		}
		sb.WriteString(text)
	}
	return sb.String() + ")"
}
