package sentinel

import (
	"context"
	"fmt"
	"html"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"

	"pushback/detect/alert"
)

// beside is an open incident whose severity an analyst lowered. What is High
// would be overlooked in it, so that another incident is begun beside it.
type beside struct {
	Incident string `json:"incident"`
	URL      string `json:"url,omitempty"`
	Severity string `json:"severity"` // the analyst's
}

// lowered reports whether an analyst gave an incident a severity below an alert's
// that is High, or says that somebody may have got in. Where it is not known what
// the incident had before, the analyst's severity counts as lower.
func lowered(i armsecurityinsights.Incident, a alert.Alert) bool {
	if a.Severity < alert.High && !a.Compromised() || i.Properties == nil || i.Properties.Severity == nil {
		return false
	}
	rank := func(s armsecurityinsights.IncidentSeverity) int { return slices.Index(severities, s) }
	is := *i.Properties.Severity
	ours := ""
	for _, l := range i.Properties.Labels {
		if l != nil {
			if severity, ok := strings.CutPrefix(value(l.LabelName), severityLabel); ok {
				ours = severity
			}
		}
	}
	if rank(is) < 0 || rank(is) >= int(a.Severity) || ours == string(is) {
		return false
	}
	given := rank(armsecurityinsights.IncidentSeverity(ours))
	return given < 0 || rank(is) < given
}

// remark says in the new incident why there is another.
func (b *beside) remark(a alert.Alert) string {
	return fmt.Sprintf("This alert is %s, and an analyst set the severity of %s to %s: so it has an incident of its own.",
		a.Severity, anchor(b.URL, "the incident that is open already"), html.EscapeString(b.Severity))
}

// announce says in the lowered incident that there is another. One that holds no
// more comments is left alone: the new one says so too.
func (d *Destination) announce(ctx context.Context, a alert.Alert, b *beside, url string) error {
	id := alert.NewGUID(besideKind, b.Incident, a.ID)
	message := fmt.Sprintf("<b>%s: %s</b><br>This alert of the same story is not in this incident, whose severity an analyst set to %s. It began %s.",
		a.Severity, inert(a.Title), html.EscapeString(b.Severity), anchor(url, "another incident"))
	comment := armsecurityinsights.IncidentComment{Properties: &armsecurityinsights.IncidentCommentProperties{Message: to.Ptr(message)}}
	_, err := d.comments.CreateOrUpdate(ctx, d.workspace.Group, d.workspace.Name, b.Incident, id, comment, nil)
	if conflict(err) {
		if _, getErr := d.comments.Get(ctx, d.workspace.Group, d.workspace.Name, b.Incident, id, nil); getErr == nil {
			return nil // it is there
		}
	}
	if missing(err) { // somebody deleted the incident
		return nil
	}
	_, err = d.added(ctx, "commenting on incident "+b.Incident, b.Incident, err, func(i armsecurityinsights.Incident) bool {
		_, comments := full(i)
		return comments
	})
	return err
}

// anchor is a link, or its text alone if there is no address.
func anchor(url, text string) string {
	if url == "" {
		return html.EscapeString(text)
	}
	return fmt.Sprintf(`<a href="%s" target="_blank">%s</a>`, html.EscapeString(url), html.EscapeString(text))
}
