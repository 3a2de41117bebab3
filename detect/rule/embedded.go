package rule

import (
	"embed"
	"fmt"
	"strings"
)

// DefaultFile is the name that the default rule's problems and positions refer
// to.
const DefaultFile = "mfa-rejected-by-user.yaml"

//go:embed mfa-rejected-by-user.yaml
var defaultYAML []byte

// shippedFiles has the files of [ShippedNames], with their cases.
//
//go:embed mfa-rejected-by-user.yaml mfa-fatigue.yaml mfa-rejected-by-user.test.yaml mfa-fatigue.test.yaml
var shippedFiles embed.FS

// shippedNames are in the order in which the rules run.
var shippedNames = []string{"mfa-rejected-by-user", "mfa-fatigue"}

// ShippedNames returns the names of the rules that Pushback ships with: those of
// their files without .yaml.
func ShippedNames() []string { return append([]string(nil), shippedNames...) }

// Shipped returns the rules that Pushback ships with, in the order of their names
// in [ShippedNames]. Each call returns rules of its own, which the caller may
// change.
func Shipped() []*Rule {
	rules := make([]*Rule, len(shippedNames))
	for i, name := range shippedNames {
		rules[i] = shippedRule(name)
	}
	return rules
}

// Default returns the first of the rules that Pushback ships with, MFA Rejected by
// User. Each call returns a rule of its own, which the caller may change.
func Default() *Rule { return shippedRule(strings.TrimSuffix(DefaultFile, ".yaml")) }

func shippedRule(name string) *Rule {
	file := name + ".yaml"
	data, err := shippedFiles.ReadFile(file)
	if err != nil {
		panic(fmt.Sprintf("rule: the embedded rule is missing: %v", err))
	}
	r, problems := Parse(file, data)
	if r == nil {
		panic(fmt.Sprintf("rule: the embedded rule %s is broken: %v", name, problems))
	}
	r.shipped = true
	return r
}
