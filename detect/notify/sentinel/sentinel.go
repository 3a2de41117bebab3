// Package sentinel makes alerts incidents of Microsoft Sentinel, one for each
// story. A story is what the same identity, or whatever the rule groups by, did
// until somebody closed its incident.
//
// An alert becomes a bookmark and a comment. The bookmark is related to the
// incident and has the rule's query, the row and the entities; the comment has
// what was found out. All ids derive from the rule and the alert, so each step
// can be done again: a delivery that was cut off is completed by the next
// attempt and repeats nothing. What an analyst changed on an incident stays.
// Which incident a story is in is noted in the ledger (chapter.go).
package sentinel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/rule"
	"pushback/detect/transport"
)

var _ notify.Opener = (*Destination)(nil)

// Name is the destination's name in the ledger.
const Name = "sentinel"

// Notes remember which incident a story is in. [*ledger.Ledger] are some, and
// say what each method does. The id is a rule's or a story's.
type Notes interface {
	Note(ctx context.Context, id, name string) (text, tag string, err error)
	SetNote(ctx context.Context, id, name, text, tag string) (newTag string, ok bool, err error)
}

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
	notes     Notes
	rules     map[string]*rule.Rule
	links     portal.Links
	incidents *armsecurityinsights.IncidentsClient
	bookmarks *armsecurityinsights.BookmarksClient
	relations *armsecurityinsights.IncidentRelationsClient
	comments  *armsecurityinsights.IncidentCommentsClient
	access    *arm.Client
}

// mostAnswer is how many bytes of an answer are read: a page of incidents or
// comments takes less than one.
const mostAnswer = 16 << 20

// New returns a Destination. Nothing is sent yet. Check needs no notes.
func New(w Workspace, notes Notes, credential azcore.TokenCredential, o Options) (*Destination, error) {
	options := &arm.ClientOptions{ClientOptions: o.ClientOptions, DisableRPRegistration: true}
	if options.Retry.MaxRetries == 0 {
		// The outbox tries again later, and leaves a busy service alone.
		options.Retry = policy.RetryOptions{MaxRetries: 1, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: time.Second,
			StatusCodes: []int{http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout}}
	}
	options.Transport = transport.Bounded(options.Transport, transport.Limits{Service: "Azure Resource Manager", Answer: mostAnswer})
	f, err := armsecurityinsights.NewClientFactory(w.Subscription, credential, options)
	if err != nil {
		return nil, fmt.Errorf("sentinel: %w", err)
	}
	access, err := arm.NewClient("pushback/detect/notify/sentinel", "v0.0.0", credential, options)
	if err != nil {
		return nil, fmt.Errorf("sentinel: %w", err)
	}
	d := &Destination{
		workspace: w, notes: notes, rules: map[string]*rule.Rule{}, links: o.Links, access: access,
		incidents: f.NewIncidentsClient(), bookmarks: f.NewBookmarksClient(),
		relations: f.NewIncidentRelationsClient(), comments: f.NewIncidentCommentsClient(),
	}
	for _, r := range o.Rules {
		d.rules[r.ID] = r
	}
	return d, nil
}

// Name returns the destination's name.
func (d *Destination) Name() string { return Name }

// IncidentURL returns the address of the incident that the alert's story is in.
// It returns nothing where none was made, and where the ledger does not answer,
// which what comes next will say.
func (d *Destination) IncidentURL(ctx context.Context, a alert.Alert) string {
	r := d.rules[a.RuleID]
	if r != nil && !r.Incident.CreateIncident {
		return ""
	}
	c, _, err := d.recall(ctx, d.storyOf(a, r))
	if err != nil {
		return ""
	}
	return c.URL
}

// Notify makes an incident of an alert or adds it to the one of its story. What
// of it is there already stays as it is. The error is a [*notify.Error].
func (d *Destination) Notify(ctx context.Context, a alert.Alert) error {
	err := d.deliver(ctx, a)
	var verdict *notify.Error
	if err != nil && !errors.As(err, &verdict) { // of the ledger's notes, for example
		return &notify.Error{Err: err, Repeatable: true}
	}
	return err
}

func (d *Destination) deliver(ctx context.Context, a alert.Alert) error {
	r := d.rules[a.RuleID]
	if r != nil && !r.Incident.CreateIncident {
		return d.bookmark(ctx, a, r)
	}
	full := ""
	for range 2 {
		id, c, err := d.place(ctx, a, r, full)
		if err != nil {
			return err
		}
		if err := d.bookmark(ctx, a, r); err != nil {
			return err
		}
		related, err := d.relate(ctx, a, id)
		if err != nil {
			return err
		}
		commented, err := d.comment(ctx, a, id, related, c.Beside)
		if err == nil && c.Beside != nil {
			err = d.announce(ctx, a, c.Beside, c.URL)
		}
		if err != nil || related || commented {
			return err
		}
		// Then the story goes on in another incident.
		if err := d.fill(ctx, a, r, id); err != nil {
			return err
		}
		full = id
	}
	return fmt.Errorf("sentinel: the new incident of alert %s holds neither a bookmark nor a comment", a.ID)
}

// relate adds the alert's bookmark to an incident, or reports false if that
// holds no more.
func (d *Destination) relate(ctx context.Context, a alert.Alert, id string) (bool, error) {
	related := armsecurityinsights.Relation{Properties: &armsecurityinsights.RelationProperties{
		RelatedResourceID: to.Ptr(d.workspace.String() + "/providers/Microsoft.SecurityInsights/bookmarks/" + a.ID),
	}}
	_, err := d.relations.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, related, nil)
	if conflict(err) {
		if _, getErr := d.relations.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil); getErr == nil {
			return true, nil // it is there
		}
	}
	return d.added(ctx, "relating the bookmark to incident "+id, id, err, func(i armsecurityinsights.Incident) bool {
		bookmarks, _ := full(i)
		return bookmarks
	})
}

// comment says in an incident what was found out about an alert, and beside which
// other it was begun for it, or reports false if that holds no more.
func (d *Destination) comment(ctx context.Context, a alert.Alert, id string, related bool, lowered *beside) (bool, error) {
	var remarks []string
	if lowered != nil {
		remarks = append(remarks, lowered.remark(a))
	}
	if !related {
		remarks = append(remarks, "This incident holds no more bookmarks: that of this alert is among the hunting bookmarks, with the id "+inert(a.ID)+".")
	}
	comment := armsecurityinsights.IncidentComment{Properties: &armsecurityinsights.IncidentCommentProperties{Message: to.Ptr(Comment(a, d.links, remarks...))}}
	_, err := d.comments.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, comment, nil)
	if conflict(err) {
		if _, getErr := d.comments.Get(ctx, d.workspace.Group, d.workspace.Name, id, a.ID, nil); getErr == nil {
			return true, nil
		}
	}
	return d.added(ctx, "commenting on incident "+id, id, err, func(i armsecurityinsights.Incident) bool {
		_, comments := full(i)
		return comments
	})
}

// added reports whether something was added to an incident. It was not, and that
// is no error, where the service refused it and the incident is full.
func (d *Destination) added(ctx context.Context, doing, id string, err error, full func(armsecurityinsights.Incident) bool) (bool, error) {
	failure := d.failed(doing, err)
	if status := statusOf(err); status < 400 || status >= 500 || status == http.StatusTooManyRequests {
		return err == nil, failure
	}
	if i, readErr := d.read(ctx, id); readErr == nil && i != nil && full(*i) {
		return false, nil
	}
	return false, failure
}

func (d *Destination) bookmark(ctx context.Context, a alert.Alert, r *rule.Rule) error {
	_, err := d.bookmarks.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, a.ID, bookmarkOf(a, r), nil)
	if conflict(err) {
		if _, getErr := d.bookmarks.Get(ctx, d.workspace.Group, d.workspace.Name, a.ID, nil); getErr == nil {
			return nil // it is there
		}
	}
	return d.failed("making the bookmark of the alert", err)
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
