// Package verdict is what analysts decided of the alerts that were reported: how
// they classified the incidents, and how long it took them.
//
// A tick reads it from the workspace once a day ([Reader.Read]), from the tables that
// Microsoft Sentinel keeps, and the ledger keeps what is known (keep.go). Counted by
// rule it says what a rule is worth (stats.go), and who was harmless again and again
// can be silenced (propose.go).
package verdict

import (
	"slices"
	"strings"
	"time"
)

// Class is how an analyst classified an incident.
type Class string

// The classes, as Sentinel names them. An incident that is open has none.
const (
	TruePositive   Class = "TruePositive"
	FalsePositive  Class = "FalsePositive"
	BenignPositive Class = "BenignPositive"
	Undetermined   Class = "Undetermined"
)

// Classes lists them, in the order in which they are shown.
func Classes() []Class { return []Class{TruePositive, FalsePositive, BenignPositive, Undetermined} }

// reasons are those that Sentinel has an analyst choose from.
// https://learn.microsoft.com/azure/sentinel/incident-navigate-triage#close-an-incident
var reasons = []string{"SuspiciousActivity", "SuspiciousButExpected", "IncorrectAlertLogic", "InaccurateData"}

// Incident is what is known of an incident with alerts of ours.
type Incident struct {
	// Number is Sentinel's number of it, and Name the name of its resource.
	Number int    `json:"n"`
	Name   string `json:"name,omitempty"`
	// Class is empty while it is open. Reason is one of Sentinel's, or empty.
	Class  Class  `json:"class,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Created is when it was made, Closed when it was closed last, zero while it is
	// open, and Changed when any of this changed last.
	Created time.Time `json:"created"`
	Closed  time.Time `json:"closed,omitzero"`
	Changed time.Time `json:"changed"`
	// Merged says that it was merged into another, which has its alerts.
	Merged bool `json:"merged,omitempty"`
	// Alerts are the ids of our alerts in it.
	Alerts []string `json:"alerts"`
}

// Open reports whether it is open, or was opened again.
func (i *Incident) Open() bool { return i.Class == "" }

// TookToClose returns how long it took until it was closed last, or reports false if
// that is not known.
func (i *Incident) TookToClose() (time.Duration, bool) {
	if i.Open() || i.Merged || i.Closed.IsZero() || i.Created.IsZero() || i.Closed.Before(i.Created) {
		return 0, false
	}
	return i.Closed.Sub(i.Created), true
}

// decide takes over the status and the classification as the workspace has them. What
// is closed without a classification is undetermined, and what is open again has none,
// whatever it had before. A word that Sentinel does not have is not taken over.
func (i *Incident) decide(status, class, reason string, closed time.Time) {
	if !strings.EqualFold(status, "Closed") {
		return
	}
	i.Class, i.Closed = Undetermined, closed
	for _, known := range Classes() {
		if strings.EqualFold(class, string(known)) {
			i.Class = known
		}
	}
	if n := slices.IndexFunc(reasons, func(known string) bool { return strings.EqualFold(reason, known) }); n >= 0 && i.Class != Undetermined {
		i.Reason = reasons[n]
	}
}

// tells reports whether an incident says more of an alert than another that has it: it
// was not merged into one, or it changed later, as one does that the alert was moved to.
func (i *Incident) tells(other *Incident) bool {
	switch {
	case i.Merged != other.Merged:
		return other.Merged
	case !i.Changed.Equal(other.Changed):
		return i.Changed.After(other.Changed)
	}
	return i.Number > other.Number
}
