package alert

// Mention is somebody who is named beside an alert, so that they hear of it.
type Mention struct {
	// ID is a user principal name, or the object id of a user.
	ID string `json:"id"`
	// Name is how they are called there.
	Name string `json:"name"`
}
