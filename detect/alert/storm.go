package alert

// Storm says what an alert stands for that takes the place of very many.
type Storm struct {
	// Alerts counts those that it takes the place of: there would be one for each
	// of its activities.
	Alerts     int `json:"alerts"`
	Identities int `json:"identities"`
	Rows       int `json:"rows"`
	// Limit is how many alerts of the rule one window may have.
	Limit int `json:"limit"`
}

// WorstIdentities is the custom detail of a storm that names the worst of its
// identities.
const WorstIdentities = "Worst identities"
