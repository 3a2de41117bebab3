package alerts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/sentinel"
	"pushback/detect/rule"
)

// tale is what is noted of a story: the stretches of it, the newest first. The
// alerts of a stretch are one incident. The analytics rule groups by what they
// have in common, so that it is here that a rule's lookback counts.
type tale struct {
	Stretches []*stretch `json:"stretches,omitempty"`
}

// stretch is what came of a story within the rule's lookback of its first alert.
type stretch struct {
	ID     string    `json:"id"`
	First  time.Time `json:"first"`
	Alerts []string  `json:"alerts"` // their ids, the first and the latest
}

const (
	mostStretches = 20
	mostListedIDs = 200
	// longestLookback is that of Sentinel.
	longestLookback = 7 * 24 * time.Hour
	stretchKind     = "stretch"
)

// storyID returns what the row of an alert has for its story, and notes that the
// alert is in it. It is the same whenever it is asked. An update has what the row of
// the alert has that it updates, whatever its own rule groups by: that can be another
// rule's.
func (d *Destination) storyID(ctx context.Context, j *journal, a alert.Alert) (story string, err error) {
	defer func() {
		if err == nil {
			j.keepStory(a.ID, story)
		}
	}()
	known := j.storyOf(a.ID)
	if known == "" && a.Updates != nil {
		known = j.storyOf(a.Updates.ID)
	}
	r := d.rules[a.RuleID]
	switch {
	case grouped(r):
	case known != "":
		return known, nil
	default:
		return ungrouped(a), nil
	}
	at, id := sentinel.StoryOf(a, r)
	for range mostConflicts {
		t, text, tag, err := d.tale(ctx, at, id)
		if err != nil {
			return "", err
		}
		s := t.stretchOf(a, r, id, known)
		s.add(a.ID)
		next, err := json.Marshal(t)
		if err != nil {
			return "", err
		}
		if string(next) == text {
			return s.ID, nil
		}
		_, ok, err := d.notes.SetNote(ctx, at, taleNote(id), string(next), tag)
		if err != nil {
			return "", fmt.Errorf("alerts: noting what story the alert is of: %w", err)
		}
		if ok {
			return s.ID, nil
		}
	}
	return "", errBusy
}

// grouped reports whether alerts of a rule share incidents.
func grouped(r *rule.Rule) bool { return r != nil && r.Incident.Grouping.Enabled }

// ungrouped is the story of an alert that shares its incident with its updates
// alone.
func ungrouped(a alert.Alert) string {
	if a.Updates != nil {
		return alert.NewGUID(stretchKind, a.Updates.ID)
	}
	return alert.NewGUID(stretchKind, a.ID)
}

func taleNote(id string) string { return "alerts " + id }

func (d *Destination) tale(ctx context.Context, at, id string) (t tale, text, tag string, err error) {
	text, tag, err = d.notes.Note(ctx, at, taleNote(id))
	if err != nil {
		return t, "", "", fmt.Errorf("alerts: which story the alert is of: %w", err)
	}
	if text != "" && json.Unmarshal([]byte(text), &t) != nil {
		t = tale{} // somebody else wrote there: the story begins anew
	}
	t.Stretches = slices.DeleteFunc(t.Stretches, func(s *stretch) bool { return s == nil })
	return t, text, tag, nil
}

// find returns the stretch that an alert is in, or nil. It was noted there before,
// what it updates is there, or it is within the rule's lookback of the first.
func (t *tale) find(a alert.Alert, r *rule.Rule) *stretch {
	for _, s := range t.Stretches {
		if slices.Contains(s.Alerts, a.ID) || a.Updates != nil && slices.Contains(s.Alerts, a.Updates.ID) {
			return s
		}
	}
	at, lookback := timeOf(a), min(r.Incident.Grouping.LookbackDuration, longestLookback)
	for _, s := range t.Stretches {
		if at.Sub(s.First).Abs() <= lookback {
			return s
		}
	}
	return nil
}

// stretchOf returns the stretch that an alert is in, and begins one if there is
// none. If it is known which it is, it is that.
func (t *tale) stretchOf(a alert.Alert, r *rule.Rule, id, known string) *stretch {
	if known != "" {
		if i := slices.IndexFunc(t.Stretches, func(s *stretch) bool { return s.ID == known }); i >= 0 {
			return t.Stretches[i]
		}
	} else if s := t.find(a, r); s != nil {
		return s
	}
	if known == "" {
		known = alert.NewGUID(stretchKind, id, a.ID)
	}
	s := &stretch{ID: known, First: timeOf(a)}
	t.Stretches = append(t.Stretches, s)
	slices.SortStableFunc(t.Stretches, func(a, b *stretch) int { return b.First.Compare(a.First) })
	if len(t.Stretches) > mostStretches {
		oldest := mostStretches
		if t.Stretches[oldest] == s {
			oldest--
		}
		t.Stretches = slices.Delete(t.Stretches, oldest, oldest+1)
	}
	return s
}

// add lists an alert in the stretch.
func (s *stretch) add(id string) {
	if slices.Contains(s.Alerts, id) {
		return
	}
	if s.Alerts = append(s.Alerts, id); len(s.Alerts) > mostListedIDs {
		s.Alerts = slices.Delete(s.Alerts, 1, 2)
	}
}

// timeOf returns when an alert's activity ended, or if that is not known when the
// alert was made.
func timeOf(a alert.Alert) time.Time {
	if alert.Known(a.Span.End) {
		return a.Span.End.UTC()
	}
	return a.Created.UTC()
}

// Incident is an incident that came of an alert.
type Incident struct {
	Number string `json:"number"`
	URL    string `json:"url"`
}

// Notes are what the destination remembers, such as [*ledger.Ledger], which says
// what each method does. The id is a rule's or a story's.
type Notes interface {
	Note(ctx context.Context, id, name string) (text, tag string, err error)
	SetNote(ctx context.Context, id, name, text, tag string) (newTag string, ok bool, err error)
}

func incidentNote(of string) string { return "incident " + of }

// IncidentOf returns the incident that came of an alert, and reports false if none
// is known.
func IncidentOf(ctx context.Context, n Notes, ruleID, alertID string) (i Incident, known bool, err error) {
	return incidentOf(ctx, n, ruleID, alertID)
}

// incidentOf returns the incident that is noted of an alert or a story.
func incidentOf(ctx context.Context, n Notes, ruleID, of string) (i Incident, known bool, err error) {
	text, _, err := n.Note(ctx, ruleID, incidentNote(of))
	if err != nil || text == "" || json.Unmarshal([]byte(text), &i) != nil {
		return Incident{}, false, err
	}
	return i, true, nil
}

// noteIncident notes the incident that came of an alert, and that its story is in.
// The newest counts: the portal may have merged those before.
func noteIncident(ctx context.Context, n Notes, e *entry, alertID string, i Incident) error {
	text, err := json.Marshal(i)
	for _, note := range []struct{ at, of string }{{e.Rule, alertID}, {place, e.Story}} {
		for range mostConflicts {
			if err != nil {
				return err
			}
			var before, tag string
			before, tag, err = n.Note(ctx, note.at, incidentNote(note.of))
			if err != nil || before == string(text) {
				break
			}
			ok := false
			if _, ok, err = n.SetNote(ctx, note.at, incidentNote(note.of), string(text), tag); ok {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("alerts: noting the incident of alert %s: %w", alertID, err)
	}
	return nil
}

// incident returns the incident of an alert: its own, that of what it updates or
// that of its story.
func (d *Destination) incident(ctx context.Context, a alert.Alert) (Incident, bool) {
	ids := []string{a.ID}
	if a.Updates != nil {
		ids = append(ids, a.Updates.ID)
	}
	for _, id := range ids {
		if i, known, err := incidentOf(ctx, d.notes, a.RuleID, id); err == nil && known {
			return i, true
		}
	}
	story := d.storyOf(ctx, a)
	if story == "" {
		return Incident{}, false
	}
	i, known, err := incidentOf(ctx, d.notes, place, story)
	return i, known && err == nil
}

// storyOf returns what the row of an alert has for its story, or will have, as far as
// that is known before it is written.
func (d *Destination) storyOf(ctx context.Context, a alert.Alert) string {
	if a.Updates != nil {
		if j, err := d.read(ctx); err == nil {
			if story := j.storyOf(a.Updates.ID); story != "" {
				return story
			}
		}
	}
	r := d.rules[a.RuleID]
	if !grouped(r) {
		return ungrouped(a)
	}
	at, id := sentinel.StoryOf(a, r)
	t, _, _, err := d.tale(ctx, at, id)
	if s := t.find(a, r); err == nil && s != nil {
		return s.ID
	}
	return ""
}
