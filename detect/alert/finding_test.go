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

// What a rule brings stands behind what says that somebody may have got in if it raises
// the severity, and else behind everything. It weighs by what it did.
func TestKindsOfRules(t *testing.T) {
	t.Parallel()
	kinds := KindsWith([]FindingKind{"raising"}, []FindingKind{"other"})
	if i := slices.Index(kinds, "raising"); kinds[i-1] != FoundSuccessNonInteractive || kinds[i+1] != FoundBombing || kinds[len(kinds)-1] != "other" || len(kinds) != len(FindingKinds())+2 {
		t.Errorf("the kinds are %q", kinds)
	}
	of := func(steps ...Step) Alert {
		return Alert{Severity: High, Context: &Context{Findings: []Finding{{Kind: "seen-often"}}, Steps: steps}}
	}
	raised, plain := of(Step{Severity: High, Kind: "seen-often"}), of()
	if CompareByWeight(raised, plain) >= 0 {
		t.Error("a finding that raised the severity weighs no more than one that did not")
	}
	if FindingKind("seen-often").Compromises() || !FindingKind("token-success").Compromises() {
		t.Error("the name does not say what compromises")
	}
}

func TestSpelled(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		entity Entity
		want   []string
	}{
		{Entity{Type: "Host", Fields: []Field{{"HostName", "Web1"}, {"DnsDomain", "contoso.example"}}}, []string{"Web1.contoso.example", "Web1"}},
		{Entity{Type: "Host", Fields: []Field{{"FullName", "web1.x"}, {"NetBiosName", " WEB1 "}}}, []string{"web1.x", "WEB1"}},
		{Entity{Type: "URL", Fields: []Field{{"Url", "https://x/"}}}, []string{"https://x/"}},
		{Entity{Type: "FileHash", Fields: []Field{{"Algorithm", "MD5"}, {"Value", "AB"}}}, []string{"AB"}},
		{Entity{Type: "Host"}, nil},
		{Entity{Type: "Account", Fields: []Field{{"FullName", "x"}}}, nil},
	} {
		if got := tc.entity.Spelled(); !slices.Equal(got, tc.want) {
			t.Errorf("%v is spelled %q, want %q", tc.entity, got, tc.want)
		}
	}
}
