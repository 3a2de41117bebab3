package rule

import "slices"

// IsTactic reports whether a text is a tactic as Sentinel spells it.
func IsTactic(text string) bool { return slices.Contains(tactics, text) }

// IsTechnique reports whether a text is a technique as MITRE writes it: T1078 or
// T1078.004.
func IsTechnique(text string) bool { return techniqueForm.MatchString(text) }
