package alert

import (
	"fmt"
	"strings"
)

// Severity is how urgent an alert is, in Sentinel's four steps. The zero
// value is Informational; a greater value is more urgent.
type Severity int

// The severities of Microsoft Sentinel, least urgent first.
const (
	Informational Severity = iota
	Low
	Medium
	High
)

var severityNames = [...]string{"Informational", "Low", "Medium", "High"}

// ParseSeverity reads a severity by its Sentinel name, without regard to case.
func ParseSeverity(name string) (Severity, error) {
	for i, n := range severityNames {
		if strings.EqualFold(n, name) {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q: use High, Medium, Low or Informational", name)
}

// String returns the name that Sentinel uses.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText writes the name that Sentinel uses.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Severity) UnmarshalText(text []byte) (err error) {
	*s, err = ParseSeverity(string(text))
	return err
}
