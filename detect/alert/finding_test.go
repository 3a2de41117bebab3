package alert

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A kind of finding is in the list, weighs something, and is in the README.
func TestFindingKinds(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "finding.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../enrich/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var declared []FindingKind
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if of, ok := v.Type.(*ast.Ident); ok && of.Name == "FindingKind" {
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, FindingKind(text))
		}
		return true
	})
	if !slices.Equal(declared, FindingKinds()) {
		t.Errorf("declared are %q, listed are %q", declared, FindingKinds())
	}
	for _, kind := range declared {
		if !strings.Contains(string(readme), "`"+string(kind)+"`") {
			t.Errorf("the README does not name %s", kind)
		}
	}
	c := &Context{Findings: []Finding{{Kind: FoundBombing}}}
	if none := (*Context)(nil); !c.Has(FoundBombing) || c.Has(FoundRepeated) || none.Has(FoundBombing) {
		t.Error("the context has another finding than it was given")
	}
	FindingKinds()[0] = "mine"
	if FindingKinds()[0] != FoundSuccessSameSignIn {
		t.Error("the list can be changed")
	}
}
