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
type Steps map[alert.FindingKind]Change

// Change is what a finding does to the severity.
type Change struct {
	// To is the severity that an alert has at least. It is set if By is zero.
	To alert.Severity
	By int
}

// DefaultSteps are those of ParseSteps's argument when nothing else is set.
const DefaultSteps = string(alert.FoundSuccessSameSignIn) + "=High," +
	string(alert.FoundSuccessSameIP) + "=High," +
	string(alert.FoundOtherSuccess) + "=High," +
	string(alert.FoundMethodChanged) + "=+1," +
	string(alert.FoundInboxRule) + "=+1," +
	string(alert.FoundAppConsent) + "=+1," +
	string(alert.FoundSuccessSameNetwork) + "=+1," +
	string(alert.FoundSuccessElsewhere) + "=+1," +
	string(alert.FoundSuccessNonInteractive) + "=+1," +
	string(alert.FoundBombing) + "=+1," +
	string(alert.FoundPrivilegedRole) + "=+1," +
	string(alert.FoundHighBlastRadius) + "=+1," +
	string(alert.FoundRiskDetection) + "=+1," +
	string(alert.FoundRepeated) + "=+1," +
	string(alert.FoundKnownDevice) + "=-1"

// ParseSteps reads kinds of findings with what each does to the severity, with
// commas between them.
func ParseSteps(text string) (Steps, error) {
	steps := Steps{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, what, _ := strings.Cut(part, "=")
		kind, what := alert.FindingKind(strings.TrimSpace(name)), strings.TrimSpace(what)
		if !slices.Contains(alert.FindingKinds(), kind) {
			return nil, fmt.Errorf("%.40q is not a kind of finding: use %s", string(kind), kindsList())
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

// kindsList writes the kinds of findings with commas between them.
func kindsList() string {
	var names []string
	for _, k := range alert.FindingKinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}

// apply returns the changes of a severity that the findings call for. What an
// account can reach counts once, and a finding that lowers the severity only if
// there is no other.
func (s Steps) apply(severity alert.Severity, list []finding) []alert.Step {
	var out []alert.Step
	reach := false
	for _, f := range list {
		change, ok := s[f.Kind]
		if f.change != nil {
			change, ok = Change(*f.change), true
		}
		if !ok || f.Weak || f.mild {
			continue
		}
		if f.Kind == alert.FoundPrivilegedRole || f.Kind == alert.FoundHighBlastRadius {
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
			out = append(out, alert.Step{Severity: next, Kind: f.Kind, Text: f.reason})
		}
	}
	return out
}
