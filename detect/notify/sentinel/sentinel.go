// Package sentinel makes alerts incidents of Microsoft Sentinel, one for each
// story: what the same identity, or whatever the rule groups by, did until
// somebody closed its incident.
//
// An alert becomes a bookmark with the rule's query, the row and the entities,
// related to the incident, and a comment with what was found out. All ids
// derive from the rule and the alert, so each step can be done again: a
// delivery that was cut off is completed by the next attempt and repeats
// nothing. What an analyst changed on an incident stays.
package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
	"pushback/detect/notify/portal"
	"pushback/detect/rule"
)

// Name is the destination's name in the ledger.
const Name = "sentinel"

// mostRemembered is how many incidents and alerts a Destination remembers.
const mostRemembered = 2000

// mostAttempts is how often a change of an incident that somebody else changes
// too is tried.
const mostAttempts = 5

// mostChapters is how many incidents of one story are gone through.
const mostChapters = 1000

// Options adjust a Destination. The zero value is fit for use.
type Options struct {
	azcore.ClientOptions
	// Rules are those whose alerts come: they say what is queried, whether there
	// are incidents and what they are grouped by. An alert of another rule gets an
	// incident for each identity.
	Rules []*rule.Rule
	// Links are for the comments.
	Links portal.Links
}

// Destination is a workspace with Sentinel. It is safe for concurrent use.
type Destination struct {
	workspace Workspace
	rules     map[string]*rule.Rule
	links     portal.Links
	incidents *armsecurityinsights.IncidentsClient
	bookmarks *armsecurityinsights.BookmarksClient
	relations *armsecurityinsights.IncidentRelationsClient
	comments  *armsecurityinsights.IncidentCommentsClient
	access    *arm.Client

	mu sync.Mutex
	// known are incidents as they were after our last change, by id: with its
	// ETag the next change need not read them first.
	known map[string]armsecurityinsights.Incident
	// heads are the ids of the newest incidents, by story.
	heads map[string]string
	urls  map[string]string // by alert id
}

// New returns a Destination. Nothing is sent yet.
func New(w Workspace, credential azcore.TokenCredential, o Options) (*Destination, error) {
	options := &arm.ClientOptions{ClientOptions: o.ClientOptions, DisableRPRegistration: true}
	if options.Retry.MaxRetries == 0 {
		// The outbox tries again later, and leaves a busy service alone.
		options.Retry = policy.RetryOptions{MaxRetries: 1, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: time.Second,
			StatusCodes: []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout}}
	}
	f, err := armsecurityinsights.NewClientFactory(w.Subscription, credential, options)
	if err != nil {
		return nil, fmt.Errorf("sentinel: %w", err)
	}
	access, err := arm.NewClient("pushback/detect/notify/sentinel", "v0.0.0", credential, options)
	if err != nil {
		return nil, fmt.Errorf("sentinel: %w", err)
	}
	d := &Destination{
		workspace: w, rules: map[string]*rule.Rule{}, links: o.Links, access: access,
		incidents: f.NewIncidentsClient(), bookmarks: f.NewBookmarksClient(),
		relations: f.NewIncidentRelationsClient(), comments: f.NewIncidentCommentsClient(),
		known: map[string]armsecurityinsights.Incident{}, heads: map[string]string{}, urls: map[string]string{},
	}
	for _, r := range o.Rules {
		d.rules[r.ID] = r
	}
	return d, nil
}

// Name returns the destination's name.
func (d *Destination) Name() string { return Name }

// IncidentURL returns the address of the incident that this process made of an
// alert or added it to, or nothing.
func (d *Destination) IncidentURL(alertID string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.urls[alertID]
}

// Notify makes an incident of an alert or adds it to the one of its story. What
// of it is there already stays as it is.
func (d *Destination) Notify(ctx context.Context, a alert.Alert) error {
	r := d.rules[a.RuleID]
	if r != nil && !r.Incident.CreateIncident {
		return d.bookmark(ctx, a, r)
	}
	i, err := d.place(ctx, a, r)
	if err != nil {
		return err
	}
	if err := d.bookmark(ctx, a, r); err != nil {
		return err
	}
	id := *i.Name
	related := armsecurityinsights.Relation{Properties: &armsecurityinsights.RelationProperties{
		RelatedResourceID: to.Ptr(d.workspace.String() + "/providers/Microsoft.SecurityInsights/Bookmarks/" + a.ID),
	}}
	_, err = d.relations.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, related, nil)
	if conflict(err) {
		_, err = d.relations.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil) // it is there
	}
	if err != nil {
		return d.failed("relating the bookmark to incident "+id, err)
	}
	comment := armsecurityinsights.IncidentComment{Properties: &armsecurityinsights.IncidentCommentProperties{Message: to.Ptr(Comment(a, d.links))}}
	_, err = d.comments.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, comment, nil)
	if conflict(err) {
		_, err = d.comments.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil)
	}
	if err != nil {
		return d.failed("commenting on incident "+id, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.urls) >= mostRemembered {
		clear(d.urls)
	}
	d.urls[a.ID] = d.urlOf(i)
	return nil
}

func (d *Destination) bookmark(ctx context.Context, a alert.Alert, r *rule.Rule) error {
	_, err := d.bookmarks.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, a.ID, bookmarkOf(a, r), nil)
	if conflict(err) {
		_, err = d.bookmarks.Get(ctx, d.workspace.Group, d.workspace.Name, a.ID, nil)
	}
	return d.failed("making the bookmark of the alert", err)
}

// place makes the incident that an alert belongs to, or brings it up to date.
func (d *Destination) place(ctx context.Context, a alert.Alert, r *rule.Rule) (armsecurityinsights.Incident, error) {
	var none armsecurityinsights.Incident
	story := storyOf(a, r)
	d.mu.Lock()
	id, ok := d.heads[story]
	d.mu.Unlock()
	if !ok {
		id = story
	}
	attempts := 0
	for range mostChapters {
		i, found, err := d.read(ctx, id)
		if err != nil {
			return none, err
		}
		if !found {
			i = newIncident(a)
		} else {
			switch join, err := d.joins(ctx, id, i, a, r); {
			case err != nil:
				return none, err
			case join == another && d.cached(id):
				d.forget(id) // it may have changed since
				continue
			case join == another:
				id = nextChapter(id)
				continue
			default:
				changed, reopened := false, join == reopening
				if i, changed = update(i, a, reopened); !changed && d.cached(id) {
					d.forget(id) // nothing would tell that it was closed
					continue
				} else if !changed {
					d.remember(story, id, i)
					return i, nil
				}
			}
		}
		resp, err := d.incidents.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, id, i, nil)
		if conflict(err) {
			d.forget(id)
			if attempts++; attempts < mostAttempts {
				continue
			}
		}
		if err != nil {
			return none, d.failed("making incident "+id+", or bringing it up to date", err)
		}
		i = resp.Incident
		i.Name = &id
		d.remember(story, id, i)
		return i, nil
	}
	return none, fmt.Errorf("sentinel: the story of alert %s has %d closed incidents: change the rule's grouping", a.ID, mostChapters)
}

// What becomes of an alert at an incident of its story.
type joining int

const (
	joined joining = iota
	reopening
	another // incident is for it
)

// joins says whether an alert goes to an incident. One that is closed has it if
// it already had, when the delivery was cut off.
func (d *Destination) joins(ctx context.Context, id string, i armsecurityinsights.Incident, a alert.Alert, r *rule.Rule) (joining, error) {
	p := i.Properties
	if p == nil || p.Status == nil || *p.Status != armsecurityinsights.IncidentStatusClosed {
		return joined, nil
	}
	covers := p.FirstActivityTimeUTC != nil && p.LastActivityTimeUTC != nil &&
		!a.Span.Start.Before(p.FirstActivityTimeUTC.Add(-time.Second)) && !a.Span.End.After(p.LastActivityTimeUTC.Add(time.Second))
	if covers {
		_, err := d.relations.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil)
		if err == nil {
			return joined, nil
		}
		if !missing(err) {
			return 0, d.failed("looking for the alert in incident "+id, err)
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

// read returns an incident as it is, or as it was after our last change.
func (d *Destination) read(ctx context.Context, id string) (i armsecurityinsights.Incident, found bool, err error) {
	d.mu.Lock()
	i, found = d.known[id]
	d.mu.Unlock()
	if found {
		return i, true, nil
	}
	resp, err := d.incidents.Get(ctx, d.workspace.Group, d.workspace.Name, id, nil)
	switch {
	case missing(err):
		return i, false, nil
	case err != nil:
		return i, false, d.failed("reading incident "+id, err)
	}
	resp.Incident.Name = &id
	return resp.Incident, true, nil
}

func (d *Destination) cached(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.known[id]
	return ok
}

func (d *Destination) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.known, id)
}

// remember keeps an incident, if another change would be noticed.
func (d *Destination) remember(story, id string, i armsecurityinsights.Incident) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.heads) >= mostRemembered {
		clear(d.heads)
		clear(d.known)
	}
	d.heads[story] = id
	delete(d.known, id)
	if i.Etag != nil && *i.Etag != "" && i.Properties != nil {
		d.known[id] = i
	}
}

func (d *Destination) urlOf(i armsecurityinsights.Incident) string {
	if p := i.Properties; p != nil && p.IncidentURL != nil && *p.IncidentURL != "" {
		return *p.IncidentURL
	}
	return "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident" + d.workspace.String() +
		"/providers/Microsoft.SecurityInsights/Incidents/" + *i.Name
}

func conflict(err error) bool {
	status := statusOf(err)
	return status == http.StatusConflict || status == http.StatusPreconditionFailed
}

// missing reports whether what was asked for is not there, as opposed to the
// workspace.
func missing(err error) bool {
	var r *azcore.ResponseError
	return errors.As(err, &r) && r.StatusCode == http.StatusNotFound && r.ErrorCode != "ResourceGroupNotFound" && r.ErrorCode != "SubscriptionNotFound"
}

func statusOf(err error) int {
	var r *azcore.ResponseError
	if errors.As(err, &r) {
		return r.StatusCode
	}
	return 0
}
