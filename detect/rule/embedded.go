package rule

import (
	_ "embed"
	"fmt"
)

// DefaultFile is the name that the default rule's problems and positions refer
// to.
const DefaultFile = "mfa-rejected-by-user.yaml"

//go:embed mfa-rejected-by-user.yaml
var defaultYAML []byte

// Default returns the rule that Pushback ships with, MFA Rejected by User. Each
// call returns a rule of its own, which the caller may change.
func Default() *Rule {
	r, problems := Parse(DefaultFile, defaultYAML)
	if r == nil {
		panic(fmt.Sprintf("rule: the embedded rule is broken: %v", problems))
	}
	return r
}
