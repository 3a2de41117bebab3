package sentinel

import (
	"slices"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// shipped starts a destination that knows all shipped rules.
func (w *world) shipped(rules ...*rule.Rule) *Destination {
	w.t.Helper()
	d := w.start()
	d.rules = map[string]*rule.Rule{}
	for _, r := range rules {
		d.rules[r.ID] = r
	}
	return d
}

// ofRule is what a rule finds of a user, with or without more of an account than
// its id.
func ofRule(r *rule.Rule, id string, at time.Time, more ...alert.Field) alert.Alert {
	a := rejection("x", at)
	a.RuleID, a.RuleName = r.ID, r.Name
	a.Entities[0].Fields = append(slices.Clone(more), alert.Field{Identifier: "AadUserId", Value: id})
	a.Activities[0].Fingerprint = alert.NewFingerprint(r.ID, a.Entities[0].Fields)
	a.ID = alert.NewID(r.ID, a.Activities)
	return a
}

// One story of one user is one incident, whichever shipped rule sees it, from
// whatever address, and whatever else a log knows of the account.
func TestStoryOfSeveralRules(t *testing.T) {
	t.Parallel()
	rules := rule.Shipped()
	rejected, fatigue := rules[0], rules[1]
	name := alert.Field{Identifier: "FullName", Value: "alice@contoso.example"}
	tenant := alert.Field{Identifier: "AadTenantId", Value: "t1"}
	w := newWorld(t, rejected)
	w.notify(w.shipped(rules...), ofRule(rejected, "U1", noon, name, tenant))
	other := ofRule(fatigue, "u1", noon.Add(10*time.Minute), name)
	other.Entities[1].Fields[0].Value = "198.51.100.1"
	w.notify(w.shipped(rules...), other)
	w.notify(w.shipped(rules...), ofRule(rejected, "u1", noon.Add(20*time.Minute)))
	w.notify(w.shipped(rules...), ofRule(fatigue, "u2", noon, name))
	var comments []int
	for _, i := range w.arm.Incidents() {
		comments = append(comments, len(i.Comments))
	}
	if !slices.Equal(comments, []int{3, 1}) {
		t.Errorf("comments by incident: %v, want 3 of one user and 1 of the other", comments)
	}
}

// A rule without a story, or with another one, keeps its stories to itself.
func TestStoryOfARuleAlone(t *testing.T) {
	t.Parallel()
	one, alone, elsewhere := rule.Default(), rule.Shipped()[1], rule.Shipped()[1]
	alone.Story, elsewhere.Story = "", "another"
	elsewhere.ID = "11111111-2222-4333-8444-555555555555"
	d := newWorld(t, one).shipped(one, alone, elsewhere)
	ids := map[string]bool{}
	for _, r := range d.rules {
		ids[d.storyOf(ofRule(r, "u1", noon), r).id] = true
	}
	if len(ids) != 3 {
		t.Errorf("%d stories, want 3", len(ids))
	}
}

// What the version before noted of a rule's story is continued by both rules, and
// is noted from then on where they share it.
func TestStoryOfBefore(t *testing.T) {
	t.Parallel()
	rules := rule.Shipped()
	for _, next := range rules {
		before := rule.Default()
		before.Story = "" // as the version before had it
		w := newWorld(t, before)
		name := alert.Field{Identifier: "FullName", Value: "alice@contoso.example"}
		w.notify(w.shipped(before), ofRule(before, "u1", noon, name))

		a := ofRule(next, "u1", noon.Add(time.Hour), name)
		d := w.shipped(rules...)
		w.notify(d, a)
		w.notify(w.shipped(rules...), a) // again, as after a crash
		incidents := w.arm.Incidents()
		if len(incidents) != 1 || len(incidents[0].Comments) != 2 {
			t.Fatalf("%s: %d incidents, want the one of before with two comments", next.Name, len(incidents))
		}
		if text, _, err := w.notes.Note(t.Context(), alert.StoryID("mfa-prompts"), d.storyOf(a, next).id); err != nil || text == "" {
			t.Errorf("%s: the story is not noted where it is shared: %q, %v", next.Name, text, err)
		}
	}
}
