package sentinel

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// chapter is what is noted of a story: its newest incident.
type chapter struct {
	// Incident is its id. It is noted before the incident is made: where nothing
	// is noted nothing was made, so there is nothing to read first.
	Incident string `json:"incident"`
	// Latest is when the latest alert was made that may be in one of the story's
	// incidents. Began is what Latest was when this one was begun: no alert that
	// was made later is in one before.
	Latest time.Time `json:"latest"`
	Began  time.Time `json:"began"`
	// Past are the incidents before, the newest first.
	Past []pastChapter `json:"past,omitempty"`
	// Made is the incident as our last change left it: with its ETag the next one
	// need not read it first. Without it the incident may not even be there.
	Made *armsecurityinsights.Incident `json:"made,omitempty"`
	// Shared says that others change the incident as well, so that its ETag is
	// not worth keeping.
	Shared bool `json:"shared,omitempty"`
	// Labels are those that we gave it: the ones that are gone an analyst removed.
	Labels []string `json:"labels,omitempty"`
	// Full says that it holds no more bookmarks and no more comments.
	Full bool `json:"full,omitempty"`
	// URL is the incident's address.
	URL string `json:"url,omitempty"`
	// Beside is the open incident beside which it was begun, if it was.
	Beside *beside `json:"beside,omitempty"`
	// Damaged says that the note could not be read.
	Damaged bool `json:"-"`
}

// pastChapter is what is kept of a chapter that is over.
type pastChapter struct {
	Incident string    `json:"incident"`
	Began    time.Time `json:"began"`
}

// mostPast is how many are kept.
const mostPast = 50

// after returns the chapter that an alert begins after this one, which may be
// none.
func (c chapter) after(own string, a alert.Alert) chapter {
	next := chapter{Incident: own, Latest: c.Latest}
	next.touch(a)
	next.Began = next.Latest
	if c.Incident != "" {
		past := append([]pastChapter{{c.Incident, c.Began}}, c.Past...)
		next.Past = past[:min(len(past), mostPast)]
	}
	return next
}

// touch notes that an alert may be in the incident, and reports whether that is
// new.
func (c *chapter) touch(a alert.Alert) bool {
	if !a.Created.After(c.Latest) {
		return false
	}
	c.Latest = a.Created
	return true
}

// recall returns what is noted of a story, and the note's tag. What a version
// before noted is noted anew by what comes next.
func (d *Destination) recall(ctx context.Context, s story) (c chapter, tag string, err error) {
	text, tag, err := d.notes.Note(ctx, s.at, s.id)
	for _, before := range s.earlier {
		if err != nil || text != "" {
			break
		}
		text, _, err = d.notes.Note(ctx, before.at, before.name)
	}
	if err != nil {
		return c, "", fmt.Errorf("sentinel: which incident the alert belongs to: %w", err)
	}
	if text != "" && json.Unmarshal([]byte(text), &c) != nil {
		// Somebody else wrote there. The story begins anew, and what may be there
		// already is read first.
		c = chapter{Damaged: true}
	}
	return c, tag, nil
}

// note notes a chapter in the place of the one with this tag, and reports whether
// that was still the newest.
func (d *Destination) note(ctx context.Context, s story, c chapter, tag string) (newTag string, ok bool, err error) {
	text, err := json.Marshal(c)
	if err == nil {
		newTag, ok, err = d.notes.SetNote(ctx, s.at, s.id, string(text), tag)
	}
	if err != nil {
		return "", false, fmt.Errorf("sentinel: noting the incident %s: %w", c.Incident, err)
	}
	return newTag, ok, nil
}

// fill notes that the incident of a story holds no more.
func (d *Destination) fill(ctx context.Context, a alert.Alert, r *rule.Rule, id string) error {
	story := d.storyOf(a, r)
	for range mostAttempts {
		c, tag, err := d.recall(ctx, story)
		if err != nil || c.Incident != id || c.Full {
			return err
		}
		c.Full = true
		if _, ok, err := d.note(ctx, story, c, tag); err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("sentinel: the note of story %s changes all the time", story.id)
}
