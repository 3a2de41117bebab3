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
	"pushback/detect/notify/portal"
	"pushback/detect/rule"
)

// mostAttempts is how often a change of an incident that somebody else changes
// too is tried.
const mostAttempts = 6

// place makes the incident that an alert belongs to, or brings it up to date,
// and returns its id, with its chapter if it was begun for the alert. It is not
// the one that is full, if that is given.
func (d *Destination) place(ctx context.Context, a alert.Alert, r *rule.Rule, full string) (string, chapter, error) {
	p := placement{Destination: d, alert: a, rule: r, story: d.storyOf(a, r), full: full}
	p.own = incidentOf(p.story, a)
	if p.own == full {
		p.own = secondIncident(p.own, a)
	}
	for range mostAttempts {
		id, done, err := p.attempt(ctx)
		if err != nil || done {
			if id != p.own || p.chapter.Incident != id {
				p.chapter = chapter{}
			}
			return id, p.chapter, err
		}
	}
	return "", chapter{}, cmp.Or(p.conflict, fmt.Errorf("sentinel: the note of story %s changes all the time", p.story.id))
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
	// chapter is what is known of the newest incident in the end.
	chapter chapter
}

// attempt tries once. It is not done if somebody else changed the incident or
// its note meanwhile.
func (p *placement) attempt(ctx context.Context) (id string, done bool, err error) {
	p.conflict = nil
	c, tag, err := p.recall(ctx, p.story)
	if err != nil {
		return "", false, err
	}
	if past, err := p.inPast(ctx, c); err != nil || past != "" {
		return past, true, err
	}
	p.chapter = c
	if c.Damaged {
		c = c.after(p.own, p.alert)
		c.Damaged, p.doubted = true, true
	}
	if c.Incident == "" || c.Full && c.Incident != p.own {
		return p.begin(ctx, c, tag, nil)
	}

	i, fresh := c.Made, false
	if i == nil || p.doubted {
		if i, err = p.read(ctx, c.Incident); err != nil {
			return "", false, err
		}
		fresh = true
	}
	if i == nil { // it is noted and was not made
		return p.write(ctx, c, tag, newIncident(p.alert), fresh)
	}
	return p.join(ctx, c, tag, *i, fresh)
}

// begin begins an incident for the alert, beside another if that is given. It is
// noted before it is made.
func (p *placement) begin(ctx context.Context, c chapter, tag string, lowered *beside) (id string, done bool, err error) {
	c = c.after(p.own, p.alert)
	c.Beside = lowered
	tag, noted, err := p.note(ctx, p.story, c, tag)
	if err != nil || !noted {
		return "", false, err // another process noted it, or we without knowing
	}
	return p.write(ctx, c, tag, newIncident(p.alert), true)
}

// join puts the alert into the newest incident of its story, or begins another if
// that is over. Fresh says that the incident was just read.
func (p *placement) join(ctx context.Context, c chapter, tag string, i armsecurityinsights.Incident, fresh bool) (id string, done bool, err error) {
	how, err := p.joins(ctx, c, i)
	if err != nil {
		return "", false, err
	}
	var next armsecurityinsights.Incident
	changed := false
	if how != another {
		next, changed = update(i, p.alert, c.Labels, how == reopening)
	}
	switch {
	case !fresh && !changed:
		p.doubted = true // nothing would show that it was closed, or is open again
		return "", false, nil
	case how == another:
		return p.begin(ctx, c, tag, p.besides(c, i))
	case changed:
		return p.write(ctx, c, tag, next, fresh)
	case !c.touch(p.alert) && !c.Damaged:
		return c.Incident, true, nil
	}
	_, noted, err := p.note(ctx, p.story, c, tag)
	return c.Incident, noted, err
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
	p.chapter = c
	_, noted, err := p.note(ctx, p.story, c, tag)
	p.doubted = p.doubted || !noted // somebody noted another meanwhile
	return c.Incident, noted, err
}

// inPast returns the earlier incident that the alert is in already, or was begun
// for, if there is one. The delivery was cut off there.
func (p *placement) inPast(ctx context.Context, c chapter) (string, error) {
	if c.Incident == p.own {
		return "", nil
	}
	for _, earlier := range c.Past {
		if earlier.Incident == p.own {
			return p.own, nil
		}
	}
	past, began := c.Past, c.Began
	if c.Full { // it is over, though the next is not begun
		past, began = c.after(p.own, p.alert).Past, c.Latest
	}
	for _, earlier := range past {
		if p.alert.Created.After(began) {
			break
		}
		began = earlier.Began
		if earlier.Incident == p.full {
			continue
		}
		if there, err := p.has(ctx, earlier.Incident, p.alert); err != nil || there {
			return earlier.Incident, err
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

// joins says whether the alert goes to the newest incident of its story. It does
// if that was begun for it or already had it, when the delivery was cut off. One
// that is closed has no other but those that reopen it. One that is open has what
// comes within the rule's lookback, but for what an analyst's severity would hide.
func (p *placement) joins(ctx context.Context, c chapter, i armsecurityinsights.Incident) (joining, error) {
	is, span := i.Properties, p.alert.Span
	if c.Incident == p.own || is == nil {
		return joined, nil
	}
	closed := is.Status != nil && *is.Status == armsecurityinsights.IncidentStatusClosed
	hidden := lowered(i, p.alert)
	if !closed && !hidden && !p.outOfReach(is) {
		return joined, nil
	}
	covers := is.FirstActivityTimeUTC != nil && is.LastActivityTimeUTC != nil &&
		!span.Start.Before(is.FirstActivityTimeUTC.Add(-time.Second)) && !span.End.After(is.LastActivityTimeUTC.Add(time.Second))
	if covers {
		if there, err := p.has(ctx, c.Incident, p.alert); err != nil || there {
			return joined, err
		}
	}
	if !closed || hidden || p.rule == nil || is.LastActivityTimeUTC == nil {
		return another, nil
	}
	if grouping := p.rule.Incident.Grouping; !grouping.Enabled || !grouping.ReopenClosedIncident || p.outOfReach(is) {
		return another, nil
	}
	return reopening, nil
}

// outOfReach reports whether the alert comes so long after the last activity of an
// incident that the rule does not group them. The update of an alert is in reach
// of the incident that this is in.
func (p *placement) outOfReach(is *armsecurityinsights.IncidentProperties) bool {
	if p.rule == nil || !p.rule.Incident.Grouping.Enabled || is.LastActivityTimeUTC == nil || !alert.Known(p.alert.Span.End) {
		return false
	}
	return p.alert.Span.End.Sub(*is.LastActivityTimeUTC) > p.rule.Incident.Grouping.LookbackDuration
}

// besides returns the incident as one that is lowered, or nil if it is not.
func (p *placement) besides(c chapter, i armsecurityinsights.Incident) *beside {
	closed := i.Properties != nil && i.Properties.Status != nil && *i.Properties.Status == armsecurityinsights.IncidentStatusClosed
	if closed || !lowered(i, p.alert) {
		return nil
	}
	return &beside{Incident: c.Incident, URL: p.urlOf(i, c.Incident), Severity: string(*i.Properties.Severity)}
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
	return portal.IncidentURL(d.links.Cloud, d.workspace.String()+"/providers/Microsoft.SecurityInsights/Incidents/"+id)
}
