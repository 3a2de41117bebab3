package sentinel

import (
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// An incident that the version before made is neither made again for its alert,
// nor left alone by what continues its story. The ids are those that it gave.
func TestIncidentsOfBefore(t *testing.T) {
	t.Parallel()
	const (
		recorded = "7f1b4b29-fd75-5eaf-8b80-e245ea2a4818"
		story    = "b1eb2c2a-4ec2-51c6-9a36-4fd5368c9ac3"
		incident = "523d7142-1d0a-53d1-8e33-ed2c00215ef5"
		beside   = "bbebe322-48bf-507d-9036-cfe5a2c5bc8e"
	)
	before := rejection("alice@contoso.example", noon)
	before.ID = recorded
	s := storyOf(before, rule.Default())
	if own := incidentOf(s, before); s.former != story || own != incident || secondIncident(own, before) != beside {
		t.Errorf("the story is %s, its incident %s and one beside it %s", s.former, own, secondIncident(own, before))
	}
	w := newWorld(t, rule.Default())
	w.notify(w.start(), before)
	// What it noted is under the story's former id.
	text, _, err := w.notes.Note(t.Context(), s.at, s.id)
	if err != nil || text == "" {
		t.Fatal(text, err)
	}
	arm := w.arm
	w.notes = newWorld(t, rule.Default()).notes
	if _, ok, err := w.notes.SetNote(t.Context(), before.RuleID, story, text, ""); err != nil || !ok {
		t.Fatal(ok, err)
	}
	w.notify(w.start(), before)
	w.notify(w.start(), rejection("alice@contoso.example", noon.Add(time.Hour)))
	all := arm.Incidents()
	if len(all) != 1 || all[0].ID != incident || len(all[0].Relations) != 2 {
		t.Fatalf("%d incidents, want the one of before with two bookmarks: %+v", len(all), all)
	}
	if text, _, err := w.notes.Note(t.Context(), s.at, s.id); err != nil || text == "" {
		t.Errorf("the story is not noted under its id: %q, %v", text, err)
	}
}

// A story is of an address, not of its spelling.
func TestStoryOfAnAddress(t *testing.T) {
	t.Parallel()
	r := &rule.Rule{ID: rule.Default().ID, Incident: rule.IncidentConfiguration{Grouping: rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"IP"}}}}
	at := func(address string) string {
		a := rejection("alice@contoso.example", noon)
		a.Entities[1].Fields = []alert.Field{{Identifier: "Address", Value: address}}
		return storyOf(a, r).id
	}
	if at("203.0.113.9:80") != at("::ffff:203.0.113.9") || at("2600::1") != at("2600:0:0:0:0:0:0:1") || at("2600::1") == at("2600::2") {
		t.Error("stories go by the spelling of an address")
	}
}
