package enrich

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pushback/detect/alert"
)

// Steps say how findings change the severity, by their kind: to a severity of
// its own, High, or by so many steps, +1 or -1.
type Steps map[string]Change

// Change is what a finding does to the severity.
type Change struct {
	// To is the severity that an alert has at least. It is set if By is zero.
	To alert.Severity
	By int
}

// DefaultSteps are those of ParseSteps's argument when nothing else is set.
const DefaultSteps = "success-same-ip=High,mfa-method-changed=+1,success-same-network=+1,bombing=+1,privileged-role=+1,high-blast-radius=+1,known-device=-1"

// ParseSteps reads kinds of findings with what each does to the severity, with
// commas between them.
func ParseSteps(text string) (Steps, error) {
	steps := Steps{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		kind, what, _ := strings.Cut(part, "=")
		kind, what = strings.TrimSpace(kind), strings.TrimSpace(what)
		if !slices.Contains(kindsOfFindings, kind) {
			return nil, fmt.Errorf("%.40q is not a kind of finding: use %s", kind, strings.Join(kindsOfFindings, ", "))
		}
		if by, err := strconv.Atoi(what); err == nil && by >= -3 && by <= 3 && by != 0 {
			steps[kind] = Change{By: by}
		} else if to, err := alert.ParseSeverity(what); err == nil {
			steps[kind] = Change{To: to}
		} else {
			return nil, fmt.Errorf("%s cannot change the severity by %.20q: use a severity, or +1 to +3, or -1 to -3", kind, what)
		}
	}
	return steps, nil
}

// apply returns the changes of a severity that the findings call for. What an
// account can reach counts once, and a finding that lowers the severity only if
// there is no other.
func (s Steps) apply(severity alert.Severity, list []alert.Finding) []alert.Step {
	var out []alert.Step
	reach := false
	for _, f := range list {
		change, ok := s[f.Kind]
		if !ok {
			continue
		}
		if f.Kind == PrivilegedRole || f.Kind == HighBlastRadius {
			if reach {
				continue
			}
			reach = true
		}
		next := max(change.To, severity)
		if change.By != 0 {
			next = min(max(severity+alert.Severity(change.By), alert.Informational), alert.High)
		}
		if next < severity && len(list) > 1 {
			continue
		}
		if next != severity {
			severity = next
			out = append(out, alert.Step{Severity: next, Kind: f.Kind, Text: f.Text})
		}
	}
	return out
}
