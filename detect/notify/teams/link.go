package teams

import (
	"pushback/detect/alert"
	"pushback/detect/notify/portal"
)

// Links are what a card's buttons need to know.
type Links = portal.Links

// mostActions is how many buttons Teams draws in a row.
const mostActions = 6

// actions returns the buttons.
func actions(a alert.Alert, l Links) []action {
	var list []action
	for _, to := range portal.Of(a, l) {
		list = append(list, action{Type: "Action.OpenUrl", Title: to.Title, URL: to.URL})
	}
	return list[:min(len(list), mostActions)]
}
