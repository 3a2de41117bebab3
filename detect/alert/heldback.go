package alert

// HeldBack says why an alert is recorded and sent nowhere.
type HeldBack struct {
	// By is what holds it back.
	By Holder `json:"by"`
	// Silence is the id of the silence, if it is one.
	Silence string `json:"silence,omitempty"`
	// Reason is for a reader.
	Reason string `json:"reason"`
}

// Holder is what holds alerts back.
type Holder string

// What holds alerts back.
const (
	HeldBySilence  Holder = "silence"      // an exception with a reason and an end
	HeldBySeverity Holder = "min-severity" // PUSHBACK_MIN_SEVERITY
	HeldByRisk     Holder = "risk-cutoff"  // PUSHBACK_RISK_CUTOFF
)

// Silenced reports whether a silence holds the alert back.
func (a Alert) Silenced() bool { return a.HeldBack != nil && a.HeldBack.By == HeldBySilence }
