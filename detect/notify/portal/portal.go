// Package portal makes the links that lead from an alert to where it is looked
// into: the portals, the logs, the rule's guidance. Every destination shows them
// in its own way.
package portal

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
)

// Link leads somewhere.
type Link struct{ Title, URL string }

// Links are what links need to know. The zero value is the public cloud,
// without the link to Logs.
type Links struct {
	// WorkspaceResourceID is the workspace in Azure Resource Manager,
	// /subscriptions/.../workspaces/NAME, whose Logs are linked to.
	WorkspaceResourceID string
	// NoPortal leaves out all that lead to the portals: those that there are lead to
	// those of the public cloud.
	NoPortal bool
	// Build is the version of Pushback, to be shown, or nothing.
	Build string
}

// The most that one alert links to and asks for.
const (
	mostUsers   = 3
	mostQueried = 10
)

// Of returns an alert's links. A value from a log comes into one only if it is
// a GUID, an IP address or a plain user name, so nothing needs escaping.
func Of(a alert.Alert, l Links) []Link {
	var list []Link
	if incident(a.IncidentURL) {
		list = append(list, open("Incident", a.IncidentURL))
	}
	if guidance(a.Guidance) {
		list = append(list, open("Guidance", a.Guidance))
	}
	if l.NoPortal {
		return list
	}
	w := whoOf(a)
	for i, id := range w.ids[:min(len(w.ids), mostUsers)] {
		title := "User in Entra"
		if len(w.ids) > 1 {
			title = fmt.Sprintf("User %d in Entra", i+1)
		}
		list = append(list, open(title, "https://entra.microsoft.com/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/"+id))
	}
	if query, period := signIns(w, a.Span); query != "" && l.WorkspaceResourceID != "" {
		list = append(list, open("Sign-ins in Logs", fmt.Sprintf(
			"https://portal.azure.com/#blade/Microsoft_Azure_Monitoring_Logs/LogsBlade/resourceId/%s/source/LogsBlade.AnalyticsShareLinkToQuery/q/%s/timespan/%s",
			url.QueryEscape(l.WorkspaceResourceID), url.QueryEscape(packed(query)), url.QueryEscape(period))))
	}
	return list
}

// incident reports whether an address is one of a portal.
func incident(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.String() != address {
		return false
	}
	if u.Host == "security.microsoft.com" { // the Defender portal
		return len(u.Path) > 1
	}
	return u.Fragment != "" && slices.Contains([]string{"portal.azure.com", "portal.azure.us", "portal.azure.cn"}, u.Host)
}

// guidance reports whether an address is one that a rule may name: see
// the rule package.
func guidance(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil && u.String() == address
}

func open(title, url string) Link { return Link{title, url} }

// who is whom an alert is about, as far as it can be asked for.
type who struct{ ids, names, addresses []string }

var (
	guid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	// userName leaves out what a KQL string or a URL could take for more.
	userName = regexp.MustCompile(`^[A-Za-z0-9._+#-]{1,120}@[A-Za-z0-9.-]{1,120}$`)
	spelling = regexp.MustCompile(`^[0-9A-Za-z.:%\[\]]{1,100}$`)
)

func isAddress(text string) bool {
	_, err := netip.ParseAddr(text)
	return err == nil
}

func whoOf(a alert.Alert) who {
	var w who
	add := func(list *[]string, value string) {
		if !slices.Contains(*list, value) && len(*list) < mostQueried {
			*list = append(*list, value)
		}
	}
	for _, e := range a.Entities {
		for _, f := range e.Fields {
			switch {
			case e.Type == "Account" && f.Identifier == "AadUserId" && guid.MatchString(strings.ToLower(f.Value)):
				add(&w.ids, strings.ToLower(f.Value))
			case e.Type == "Account" && f.Identifier == "FullName" && userName.MatchString(f.Value):
				add(&w.names, f.Value)
			case e.Type == "IP" && f.Identifier == "Address":
				if ip, err := netip.ParseAddr(f.Value); err == nil && ip.Zone() == "" {
					add(&w.addresses, ip.Unmap().String())
				}
			}
		}
	}
	// The log may have them in other spellings.
	for _, d := range a.CustomDetails {
		for _, v := range d.Values {
			if d.Name == alert.LoggedAddresses && spelling.MatchString(v) && isAddress(alert.CanonicalAddress(v)) {
				add(&w.addresses, v)
			}
		}
	}
	return w
}

// around is how much before and after the activity a query looks: what led up
// to it, and what came of it.
const around = time.Hour

// signIns returns a query for the sign-ins of those users, or if none is named
// from those addresses, and its period in ISO 8601.
func signIns(w who, span alert.Span) (query, period string) {
	column, values := "UserId", w.ids
	if len(values) == 0 {
		column, values = "UserPrincipalName", w.names
	}
	if len(values) == 0 {
		column, values = "IPAddress", w.addresses
	}
	if len(values) == 0 || !span.Known() {
		return "", ""
	}
	from, to := span.Start.UTC().Add(-around).Format(time.RFC3339), span.End.UTC().Add(around).Format(time.RFC3339)
	return fmt.Sprintf("union isfuzzy=true SigninLogs, AADNonInteractiveUserSignInLogs\n"+
		"| where TimeGenerated between (datetime(%s) .. datetime(%s))\n"+
		"| where %s in~ (\"%s\")\n"+
		"| sort by TimeGenerated asc", from, to, column, strings.Join(values, `", "`)), from + "/" + to
}

// packed writes a query as a link to Logs holds it.
func packed(query string) string {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write([]byte(query))
	if closeErr := w.Close(); err != nil || closeErr != nil {
		panic("a buffer takes all that is written") // and nothing else can fail
	}
	return base64.StdEncoding.EncodeToString(buf.Bytes())
}
