package sentinel

import (
	"context"
	"encoding/json"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// IncidentOf returns the incident that is noted of the story of an alert, and its
// address, or nothing if none is known.
func IncidentOf(ctx context.Context, n Notes, a alert.Alert, r *rule.Rule) (id, url string, err error) {
	d := &Destination{notes: n, rules: map[string]*rule.Rule{}}
	if r != nil {
		d.rules[r.ID] = r
	}
	c, _, err := d.recall(ctx, d.storyOf(a, r))
	if err != nil || c.Incident == "" || a.Created.Before(c.Began) {
		return "", "", err // one before is not known by its address any more
	}
	return c.Incident, c.URL, nil
}

// EraseNote returns what is noted of a story without the copy of its incident, which
// holds what was logged. The incident is read again before it is changed. It reports
// false for any other text.
func EraseNote(text string) (erased string, ok bool) {
	var c chapter
	if json.Unmarshal([]byte(text), &c) != nil || c.Incident == "" || c.Made == nil {
		return text, false
	}
	c.Made = nil
	out, err := json.Marshal(c)
	if err != nil {
		return text, false
	}
	return string(out), true
}
