// Package portal makes the links that lead from an alert to where it is looked
// into: the portals, the logs, the rule's guidance. Every destination shows them
// in its own way.
package portal

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// Link leads somewhere.
type Link struct{ Title, URL string }

// Portal is where analysts look into alerts.
type Portal string

// The portals. The zero value is the Azure portal.
const (
	Azure    Portal = "azure"
	Defender Portal = "defender"
)

// Links are what links need to know. The zero value is the public cloud and the
// Azure portal, without the link to Logs.
type Links struct {
	// Portal is where the links lead that both portals have a page for.
	Portal Portal
	// Table is the table of the workspace that has a row for each alert, or
	// nothing. Where the incident is not known yet the row is linked to.
	Table string
	// WorkspaceResourceID is the workspace in Azure Resource Manager,
	// /subscriptions/.../workspaces/NAME, whose Logs are linked to.
	WorkspaceResourceID string
	// Cloud is the one whose portals are linked to: public, which nothing is too,
	// usgovernment or china.
	Cloud string
	// NoPortal leaves out all that lead to the portals.
	NoPortal bool
	// Build is the version of Pushback, to be shown, or nothing.
	Build string
}

// sites are the portals of a cloud, without the slash at their ends.
type sites struct {
	azure, entra string
	defender     string // nothing where there is none
}

// clouds lists the portals by cloud.
// https://learn.microsoft.com/azure/azure-government/compare-azure-government-global-azure
// https://learn.microsoft.com/defender-xdr/usgov
// https://learn.microsoft.com/azure/china/resources-developer-guide
var clouds = map[string]sites{
	"":             {"https://portal.azure.com", "https://entra.microsoft.com", "https://security.microsoft.com"},
	"public":       {"https://portal.azure.com", "https://entra.microsoft.com", "https://security.microsoft.com"},
	"usgovernment": {"https://portal.azure.us", "https://entra.microsoft.us", "https://security.microsoft.us"},
	"china":        {"https://portal.azure.cn", "https://entra.microsoftonline.cn", ""},
}

// In returns the portal where links lead in a cloud: the Azure portal where there is no
// Defender portal.
func (p Portal) In(cloud string) Portal {
	if clouds[cloud].defender == "" {
		return Azure
	}
	return p
}

// IncidentURL returns where the Azure portal of a cloud shows an incident of Sentinel by
// its resource id.
func IncidentURL(cloud, id string) string {
	return clouds[cloud].azure + "/#asset/Microsoft_Azure_Security_Insights/Incident" + id
}

// The most that one alert links to and asks for. With two users an update has six
// links, which is as many buttons as a card takes.
const (
	mostUsers   = 2
	mostQueried = 10
)

// Of returns an alert's links: those that every alert has, and those of its rule's card.
func Of(a alert.Alert, l Links) []Link { return append(OfAny(a, l), OfRule(a)...) }

// OfAny returns the links that every alert has. A value from a log comes into one only
// if it is a GUID, an IP address or a plain user name, so nothing needs escaping.
func OfAny(a alert.Alert, l Links) []Link {
	var list []Link
	known := incident(a.IncidentURL)
	if known {
		list = append(list, open(strings.TrimSpace("Incident "+number.FindString(a.IncidentNumber)), a.IncidentURL))
	}
	if !l.NoPortal {
		list = append(list, l.portals(a, known)...)
	}
	if guidance(a.Guidance) {
		list = append(list, open(Guidance, a.Guidance))
	}
	return list
}

// OfRule returns the links of the rule's card. What is from a log in them is
// percent-encoded.
func OfRule(a alert.Alert) (list []Link) {
	for _, b := range a.CardButtons() {
		if title := strings.TrimSpace(b.Title); title != "" && guidance(b.URL) && len(b.URL) <= mostAddress {
			list = append(list, open(text.CutUnits(text.Safe(text.Line(title)), mostTitle), b.URL))
		}
	}
	return list
}

// The most of a link that a rule makes: a card has room for three of them.
const (
	mostAddress = 2000
	mostTitle   = 40
)

// portals returns the links that lead to a portal, but for that to the incident,
// which may be known.
func (l Links) portals(a alert.Alert, known bool) (list []Link) {
	if query, period := row(a.ID, a.Created, l.Table); query != "" && !known {
		list = append(list, l.search("Alert", query, period)...)
	}
	w, span := whoOf(a), a.Span
	if span.Known() && a.Happened().Known() {
		span = span.Hull(a.Happened())
	}
	if query, period := signIns(w, span); query != "" {
		list = append(list, l.search("Sign-ins", query, period)...)
	}
	if a.Updates != nil {
		if query, period := row(a.Updates.ID, a.Updates.Created, l.Table); query != "" {
			list = append(list, l.search("First alert", query, period)...)
		} else if query, period := signIns(w, a.Span); query != "" {
			list = append(list, l.search("First sign-ins", query, period)...)
		}
	}
	for i, id := range w.ids[:min(len(w.ids), mostUsers)] {
		title := "User"
		if len(w.ids) > 1 {
			title = fmt.Sprintf("User %d", i+1)
		}
		list = append(list, l.user(title, id))
	}
	return list
}

// Guidance is the title of the link to the rule's guidance.
const Guidance = "Runbook"

// number is that of an incident.
var number = regexp.MustCompile(`^[0-9]{1,12}$`)

// user returns the link to a user's page.
func (l Links) user(title, id string) Link {
	if l.Portal.In(l.Cloud) == Defender {
		return open(title+" in Defender", clouds[l.Cloud].defender+"/user?aad="+id+"&tab=overview")
	}
	return open(title+" in Entra", clouds[l.Cloud].entra+"/#view/Microsoft_AAD_UsersAndTenants/UserProfileMenuBlade/~/overview/userId/"+id)
}

// search returns the link to a query, or none where it is not known which
// workspace to ask. The query has its period in it, and the portals' own must not
// cut it.
func (l Links) search(what, query, period string) []Link {
	switch {
	case l.Portal.In(l.Cloud) == Defender:
		return []Link{open(what+" in Defender", clouds[l.Cloud].defender+"/v2/advanced-hunting?query="+packedForDefender(query)+"&timeRangeId=week")}
	case l.WorkspaceResourceID == "":
		return nil
	}
	return []Link{open(what+" in Logs", fmt.Sprintf(
		"%s/#blade/Microsoft_Azure_Monitoring_Logs/LogsBlade/resourceId/%s/source/LogsBlade.AnalyticsShareLinkToQuery/q/%s/timespan/%s", clouds[l.Cloud].azure,
		url.QueryEscape(l.WorkspaceResourceID), url.QueryEscape(packed(query)), url.QueryEscape(period)))}
}

// row returns a query for the row of an alert, and a period that has it: it is
// written after the alert was made, at most as long after as alerts wait.
func row(id string, created time.Time, table string) (query, period string) {
	id = strings.ToLower(id)
	if table == "" || !guid.MatchString(id) || !alert.Known(created) {
		return "", ""
	}
	from, to := created.UTC().Add(-around).Format(time.RFC3339), created.UTC().Add(7*24*time.Hour).Format(time.RFC3339)
	return fmt.Sprintf("%s\n| where TimeGenerated between (datetime(%s) .. datetime(%s))\n| where AlertId =~ \"%s\"", table, from, to, id), from + "/" + to
}

// IsLink reports whether an address may be linked to: https, and written so that
// nothing in it is taken for more.
func IsLink(address string) bool { return guidance(address) }

// incident reports whether an address is one of a portal.
func incident(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.String() != address {
		return false
	}
	for _, s := range clouds {
		switch "https://" + u.Host {
		case s.defender:
			return len(u.Path) > 1
		case s.azure:
			return u.Fragment != ""
		}
	}
	return u.Host == defenderOfDoD && len(u.Path) > 1
}

// defenderOfDoD is the Defender portal of the Department of Defense, which is in the cloud
// usgovernment with others. Its incidents say so themselves.
const defenderOfDoD = "security.apps.mil"

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
	userName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9._+#-]{1,120}@[A-Za-z0-9.-]{1,120}$`) })
	spelling = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z.:%\[\]]{1,100}$`) })
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
			case e.Type == "Account" && f.Identifier == "FullName" && userName().MatchString(f.Value):
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
			if d.Name == alert.LoggedAddresses && spelling().MatchString(v) && isAddress(alert.CanonicalAddress(v)) {
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
func packed(query string) string { return base64.StdEncoding.EncodeToString(zipped([]byte(query))) }

// packedForDefender writes a query as a link to advanced hunting holds it: in
// UTF-16, and without what an address would have to escape.
func packedForDefender(query string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(query)) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	return base64.RawURLEncoding.EncodeToString(zipped(text))
}

func zipped(text []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(text)
	if closeErr := w.Close(); err != nil || closeErr != nil {
		panic("a buffer takes all that is written") // and nothing else can fail
	}
	return buf.Bytes()
}
