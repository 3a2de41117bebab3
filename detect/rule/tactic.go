package rule

import "slices"

// IsTactic reports whether a text is a tactic as Sentinel spells it.
func IsTactic(text string) bool { return slices.Contains(tactics, text) }

// Tactics returns the tactics as Sentinel spells them, in the order of ATT&CK's matrix.
func Tactics() []string { return slices.Clone(tactics) }

// IsTechnique reports whether a text is a technique as MITRE writes it: T1078 or
// T1078.004.
func IsTechnique(text string) bool { return techniqueForm.MatchString(text) }
