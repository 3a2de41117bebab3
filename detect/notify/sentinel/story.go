package sentinel

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"
	"github.com/google/uuid"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// formerSpace is the name space that the ids of stories and incidents had when
// they were UUIDs of SHA-1.
var formerSpace = uuid.MustParse("0b6f5e1c-8f57-5a3e-9d3f-2a4f1c6b7e90")

// What an id is of.
const (
	storyKind    = "story"
	incidentKind = "incident"
	besideKind   = "beside"
)

// story is what the alerts of one incident have in common.
type story struct {
	id string
	// former is the id that versions before gave it. Its note is there if one of
	// them began the story.
	former string
}

// storyOf returns the story that an alert belongs to: what the rule groups by, or
// without grouping its identities.
func storyOf(a alert.Alert, r *rule.Rule) story {
	return story{
		id:     alert.NewGUID(storyKind, storyKey(a, r, canonicalField)),
		former: uuid.NewSHA1(formerSpace, []byte(storyKey(a, r, func(_ string, f alert.Field) string { return f.Value }))).String(),
	}
}

// canonicalField returns an identifier's value as it counts. Alerts that
// versions before recorded have addresses as the log spells them.
func canonicalField(entityType string, f alert.Field) string {
	if rule.IsAddress(entityType, f.Identifier) {
		return alert.CanonicalAddress(f.Value)
	}
	return f.Value
}

// storyKey writes what makes a story.
func storyKey(a alert.Alert, r *rule.Rule, valueOf func(entityType string, f alert.Field) string) string {
	var key []string
	add := func(parts ...string) { key = append(key, raw(parts)) }
	severity, identity := a.Severity, alert.Identity(a.Activities)
	if a.Updates != nil { // it belongs to what it updates
		severity, identity = a.Updates.Severity, a.Updates.Identity
	}
	entities := func(wanted func(string) bool) {
		for _, e := range a.Entities {
			if wanted(e.Type) {
				parts := []string{e.Type}
				for _, f := range e.Fields {
					parts = append(parts, f.Identifier, valueOf(e.Type, f))
				}
				add(parts...)
			}
		}
	}
	switch {
	case r == nil || !r.Incident.Grouping.Enabled:
	case r.Incident.Grouping.MatchingMethod == rule.AnyAlert:
		add("any alert")
	case r.Incident.Grouping.MatchingMethod == rule.Selected:
		g := r.Incident.Grouping
		add("selected")
		entities(func(kind string) bool { return slices.Contains(g.GroupByEntities, kind) })
		for _, detail := range g.GroupByAlertDetails {
			add(detail, map[string]string{"DisplayName": a.Title, "Severity": severity.String()}[detail])
		}
		for _, d := range a.CustomDetails {
			if slices.Contains(g.GroupByCustomDetails, d.Name) {
				add(append([]string{d.Name}, slices.Sorted(slices.Values(d.Values))...)...)
			}
		}
	default:
		entities(func(string) bool { return true })
	}
	if len(key) == 0 && identity != "" {
		add("identity", identity)
	}
	if len(key) == 0 {
		add("alert", a.ID)
	}
	slices.Sort(key)
	return raw([]any{a.RuleID, slices.Compact(key)})
}

// incidentOf returns the id of the incident that an alert begins in a story, if
// it begins one. That of an alert which a version before recorded is the one that
// it gave, for it may have made it.
func incidentOf(s story, a alert.Alert) string {
	if isFormer(a) {
		return uuid.NewSHA1(formerSpace, []byte(s.former+" "+a.ID)).String()
	}
	return alert.NewGUID(incidentKind, s.id, a.ID)
}

// secondIncident returns the id of the one that it begins if that is full without
// it.
func secondIncident(own string, a alert.Alert) string {
	if isFormer(a) {
		return uuid.NewSHA1(formerSpace, []byte("beside "+own)).String()
	}
	return alert.NewGUID(besideKind, own)
}

// isFormer reports whether the id of an alert is a UUID of SHA-1, as they all
// were: those of now are all hash, so that a few look like one. Either way an
// alert stays with what it says.
func isFormer(a alert.Alert) bool {
	id, err := uuid.Parse(a.ID)
	return err == nil && id.Version() == 5 && id.Variant() == uuid.RFC4122
}

// chapter is what is noted of a story: its newest incident.
type chapter struct {
	// Incident is its id. It is noted before the incident is made: where nothing
	// is noted nothing was made, so there is nothing to read first.
	Incident string `json:"incident"`
	// Latest is when the latest alert was made that may be in one of the story's
	// incidents, and Began what it was when this one was begun: no alert that was
	// made later is in one before.
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
func (d *Destination) recall(ctx context.Context, ruleID string, s story) (c chapter, tag string, err error) {
	text, tag, err := d.notes.Note(ctx, ruleID, s.id)
	if err == nil && text == "" {
		text, _, err = d.notes.Note(ctx, ruleID, s.former)
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
func (d *Destination) note(ctx context.Context, ruleID string, s story, c chapter, tag string) (newTag string, ok bool, err error) {
	text, err := json.Marshal(c)
	if err == nil {
		newTag, ok, err = d.notes.SetNote(ctx, ruleID, s.id, string(text), tag)
	}
	if err != nil {
		return "", false, fmt.Errorf("sentinel: noting the incident %s: %w", c.Incident, err)
	}
	return newTag, ok, nil
}

// mostAttempts is how often a change of an incident that somebody else changes
// too is tried.
const mostAttempts = 6

// place makes the incident that an alert belongs to, or brings it up to date,
// and returns its id. It is not the one that is full, if that is given.
func (d *Destination) place(ctx context.Context, a alert.Alert, r *rule.Rule, full string) (id string, err error) {
	story := storyOf(a, r)
	own := incidentOf(story, a)
	if own == full {
		own = secondIncident(own, a)
	}
	doubted := false // what is noted of the incident is not as it is
	shared := false
	for range mostAttempts {
		c, tag, recallErr := d.recall(ctx, a.RuleID, story)
		if recallErr != nil {
			return "", recallErr
		}
		if past, err := d.inPast(ctx, c, own, full, a); err != nil || past != "" {
			return past, err
		}
		damaged := c.Damaged
		if damaged {
			c = c.after(own, a)
			doubted = true
		}
		begins, fresh := c.Incident == "" || c.Full && c.Incident != own, false
		i := c.Made
		if !begins && (i == nil || doubted) {
			if i, err = d.read(ctx, c.Incident); err != nil {
				return "", err
			}
			fresh = true
		}
		next := newIncident(a)
		if i != nil && !begins {
			join, joinErr := d.joins(ctx, c, own, *i, a, r)
			if joinErr != nil {
				return "", joinErr
			}
			changed := false
			if join != another {
				next, changed = update(*i, a, c.Labels, join == reopening)
			}
			switch {
			case !fresh && !changed:
				doubted = true // nothing would tell that it was closed, or is open again
				continue
			case join == another:
				begins = true
			case !changed && !c.touch(a) && !damaged:
				return c.Incident, nil
			case !changed:
				_, ok, err := d.note(ctx, a.RuleID, story, c, tag)
				if err != nil || ok {
					return c.Incident, err
				}
				continue
			}
		}
		if begins {
			c = c.after(own, a)
			var ok bool
			if tag, ok, err = d.note(ctx, a.RuleID, story, c, tag); err != nil {
				return "", err
			}
			if !ok {
				continue // another process did, or we without knowing
			}
		}
		// Tried again by the client, it would not know what it writes over.
		once := policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
		made, putErr := d.incidents.CreateOrUpdate(once, d.workspace.Group, d.workspace.Name, c.Incident, next, nil)
		if conflict(putErr) {
			err = d.failed("changing incident "+c.Incident+", which others change too", putErr)
			shared = shared || !fresh && !begins
			doubted = true
			continue
		}
		if putErr != nil {
			return "", d.failed("making incident "+c.Incident+", or bringing it up to date", putErr)
		}
		c.URL = d.urlOf(made.Incident, c.Incident)
		c.Shared = c.Shared || shared
		c.Made = nil
		if !c.Shared && value(made.Etag) != "" && made.Properties != nil {
			c.Made = &made.Incident
		}
		for _, name := range labelsOf(a) {
			if !slices.Contains(c.Labels, name) {
				c.Labels = append(c.Labels, name)
			}
		}
		c.touch(a)
		_, ok, noteErr := d.note(ctx, a.RuleID, story, c, tag)
		if noteErr != nil || ok {
			return c.Incident, noteErr
		}
		doubted = true // somebody noted another meanwhile
	}
	return "", cmp.Or(err, fmt.Errorf("sentinel: the note of story %s changes all the time", story.id))
}

// inPast returns the incident before the newest one that an alert is in already,
// or was begun for, if there is one: its delivery was cut off there.
func (d *Destination) inPast(ctx context.Context, c chapter, own, full string, a alert.Alert) (string, error) {
	if c.Incident == own {
		return "", nil
	}
	for _, past := range c.Past {
		if past.Incident == own {
			return own, nil
		}
	}
	past, began := c.Past, c.Began
	if c.Full { // it is over, though the next is not begun
		past, began = c.after(own, a).Past, c.Latest
	}
	for _, p := range past {
		if a.Created.After(began) {
			break
		}
		began = p.Began
		if p.Incident == full {
			continue
		}
		if there, err := d.has(ctx, p.Incident, a); err != nil || there {
			return p.Incident, err
		}
	}
	return "", nil
}

// has reports whether an incident has an alert's bookmark, or the comment on it:
// one that was full has that alone.
func (d *Destination) has(ctx context.Context, id string, a alert.Alert) (bool, error) {
	_, err := d.relations.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil)
	if missing(err) {
		_, err = d.comments.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil)
	}
	if missing(err) {
		return false, nil
	}
	return err == nil, d.failed("looking for the alert in incident "+id, err)
}

// What becomes of an alert at an incident of its story.
type joining int

const (
	joined joining = iota
	reopening
	another // incident is for it
)

// joins says whether an alert goes to the newest incident of its story. One that
// is closed has it if it was begun for it or already had it, when the delivery
// was cut off.
func (d *Destination) joins(ctx context.Context, c chapter, own string, i armsecurityinsights.Incident, a alert.Alert, r *rule.Rule) (joining, error) {
	p := i.Properties
	if c.Incident == own || p == nil || p.Status == nil || *p.Status != armsecurityinsights.IncidentStatusClosed {
		return joined, nil
	}
	covers := p.FirstActivityTimeUTC != nil && p.LastActivityTimeUTC != nil &&
		!a.Span.Start.Before(p.FirstActivityTimeUTC.Add(-time.Second)) && !a.Span.End.After(p.LastActivityTimeUTC.Add(time.Second))
	if covers {
		if there, err := d.has(ctx, c.Incident, a); err != nil || there {
			return joined, err
		}
	}
	if r == nil || !r.Incident.Grouping.Enabled || !r.Incident.Grouping.ReopenClosedIncident || p.LastActivityTimeUTC == nil {
		return another, nil
	}
	if a.Span.End.Sub(*p.LastActivityTimeUTC) > r.Incident.Grouping.LookbackDuration {
		return another, nil
	}
	return reopening, nil
}

// fill notes that the incident of a story holds no more.
func (d *Destination) fill(ctx context.Context, a alert.Alert, r *rule.Rule, id string) error {
	story := storyOf(a, r)
	for range mostAttempts {
		c, tag, err := d.recall(ctx, a.RuleID, story)
		if err != nil || c.Incident != id || c.Full {
			return err
		}
		c.Full = true
		if _, ok, err := d.note(ctx, a.RuleID, story, c, tag); err != nil || ok {
			return err
		}
	}
	return fmt.Errorf("sentinel: the note of story %s changes all the time", story.id)
}

// read returns an incident as it is, or nil if there is none.
func (d *Destination) read(ctx context.Context, id string) (*armsecurityinsights.Incident, error) {
	resp, err := d.incidents.Get(ctx, d.workspace.Group, d.workspace.Name, id, nil)
	switch {
	case missing(err):
		return nil, nil
	case err != nil:
		return nil, d.failed("reading incident "+id, err)
	}
	return &resp.Incident, nil
}

// urlOf returns the address of an incident: what the service says, else what it
// would.
func (d *Destination) urlOf(i armsecurityinsights.Incident, id string) string {
	if p := i.Properties; p != nil && value(p.IncidentURL) != "" {
		return *p.IncidentURL
	}
	return "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident" + d.workspace.String() +
		"/providers/Microsoft.SecurityInsights/Incidents/" + id
}
