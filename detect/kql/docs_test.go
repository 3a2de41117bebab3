package kql

import (
	"flag"
	"fmt"
	"os"
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
	return sb.String()
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
