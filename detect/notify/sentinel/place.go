package sentinel

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// mostAttempts is how often a change of an incident that somebody else changes
// too is tried.
const mostAttempts = 6

// place makes the incident that an alert belongs to, or brings it up to date,
// and returns its id. It is not the one that is full, if that is given.
func (d *Destination) place(ctx context.Context, a alert.Alert, r *rule.Rule, full string) (string, error) {
	p := placement{Destination: d, alert: a, rule: r, story: storyOf(a, r), full: full}
	p.own = incidentOf(p.story, a)
	if p.own == full {
		p.own = secondIncident(p.own, a)
	}
	for range mostAttempts {
		id, done, err := p.attempt(ctx)
		if err != nil || done {
			return id, err
		}
	}
	return "", cmp.Or(p.conflict, fmt.Errorf("sentinel: the note of story %s changes all the time", p.story.id))
}

// placement is the search for the incident of one alert.
type placement struct {
	*Destination
	alert alert.Alert
	rule  *rule.Rule
	story story
	// own is the incident that the alert begins if there is none for it, and full
	// one that it cannot be in.
	own, full string
	// doubted says that what is noted of the incident is not as it is, so that it
	// is read first.
	doubted bool
	// shared says that others change the incident as well.
	shared bool
	// conflict is what became of the last attempt if others changed the incident
	// meanwhile.
	conflict error
}

// attempt tries once. It is not done if somebody else changed the incident or
// its note meanwhile.
func (p *placement) attempt(ctx context.Context) (id string, done bool, err error) {
	p.conflict = nil
	c, tag, err := p.recall(ctx, p.alert.RuleID, p.story)
	if err != nil {
		return "", false, err
	}
	if past, err := p.inPast(ctx, c, p.own, p.full, p.alert); err != nil || past != "" {
		return past, true, err
	}
	damaged := c.Damaged
	if damaged {
		c = c.after(p.own, p.alert)
		p.doubted = true
	}
	begins := c.Incident == "" || c.Full && c.Incident != p.own
	next, fresh := newIncident(p.alert), false
	if !begins {
		i := c.Made
		if i == nil || p.doubted {
			if i, err = p.read(ctx, c.Incident); err != nil {
				return "", false, err
			}
			fresh = true
		}
		if i != nil {
			changed := false
			if next, begins, changed, err = p.with(ctx, c, *i); err != nil {
				return "", false, err
			}
			switch {
			case !fresh && !changed:
				p.doubted = true // nothing would show that it was closed, or is open again
				return "", false, nil
			case begins, changed:
			case !c.touch(p.alert) && !damaged:
				return c.Incident, true, nil
			default:
				_, noted, err := p.note(ctx, p.alert.RuleID, p.story, c, tag)
				return c.Incident, noted, err
			}
		}
	}
	if begins {
		c = c.after(p.own, p.alert)
		var noted bool
		if tag, noted, err = p.note(ctx, p.alert.RuleID, p.story, c, tag); err != nil || !noted {
			return "", false, err // another process noted it, or we without knowing
		}
	}
	return p.write(ctx, c, tag, next, begins || fresh)
}

// with returns an incident with the alert in it, and whether that changes it, or
// the new incident that begins for the alert.
func (p *placement) with(ctx context.Context, c chapter, i armsecurityinsights.Incident) (next armsecurityinsights.Incident, begins, changed bool, err error) {
	join, err := p.joins(ctx, c, p.own, i, p.alert, p.rule)
	if err != nil {
		return next, false, false, err
	}
	if join == another {
		return newIncident(p.alert), true, false, nil
	}
	next, changed = update(i, p.alert, c.Labels, join == reopening)
	return next, false, changed, nil
}

// write makes or changes the incident of a chapter, and notes what it is then.
// Known says that it was just read, or that there is none.
func (p *placement) write(ctx context.Context, c chapter, tag string, next armsecurityinsights.Incident, known bool) (id string, done bool, err error) {
	// Tried again by the client, it would not know what it writes over.
	once := policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
	made, err := p.incidents.CreateOrUpdate(once, p.workspace.Group, p.workspace.Name, c.Incident, next, nil)
	switch {
	case conflict(err):
		p.conflict = p.failed("changing incident "+c.Incident+", which others change too", err)
		p.shared = p.shared || !known
		p.doubted = true
		return "", false, nil
	case err != nil:
		return "", false, p.failed("making incident "+c.Incident+", or bringing it up to date", err)
	}
	c.URL = p.urlOf(made.Incident, c.Incident)
	c.Shared = c.Shared || p.shared
	c.Made = nil
	if !c.Shared && value(made.Etag) != "" && made.Properties != nil {
		c.Made = &made.Incident
	}
	for _, name := range labelsOf(p.alert) {
		if !slices.Contains(c.Labels, name) {
			c.Labels = append(c.Labels, name)
		}
	}
	c.touch(p.alert)
	_, noted, err := p.note(ctx, p.alert.RuleID, p.story, c, tag)
	p.doubted = p.doubted || !noted // somebody noted another meanwhile
	return c.Incident, noted, err
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
