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
	for _, to := range portal.OfAny(a, l) {
		list = append(list, action{Type: "Action.OpenUrl", Title: to.Title, URL: to.URL})
	}
	return list[:min(len(list), mostActions)]
}

// buttons adds those of the rule's card, in a row of their own.
func (b *builder) buttons() {
	var list []action
	for _, to := range portal.OfRule(b.alert) {
		list = append(list, action{Type: "Action.OpenUrl", Title: inert(to.Title, mostName), URL: to.URL})
	}
	if len(list) > 0 {
		b.add(aButton, actionSet{"ActionSet", list})
		b.parts[len(b.parts)-1].stands = len(list)
	}
}
