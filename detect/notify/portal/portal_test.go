package portal

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

const (
	userID    = "00000000-0000-0000-0000-000000000001"
	alertID   = "11111111-2222-4333-8444-555555555555"
	workspace = "/subscriptions/" + userID + "/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/logs"
)

func sample() alert.Alert {
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	return alert.Alert{
		ID: alertID, Created: at, Span: alert.Span{Start: at.Add(-time.Hour), End: at}, Guidance: "https://contoso.example/runbook",
		Entities: []alert.Entity{{Type: "Account", Fields: []alert.Field{{Identifier: "AadUserId", Value: userID}}}},
	}
}

// unzipped takes a packed query apart.
func unzipped(t *testing.T, packed []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// queryOf reads the query that a link to advanced hunting or to Logs has.
func queryOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(u.Host, "security.microsoft.") {
		if u.Path != "/v2/advanced-hunting" || u.Query().Get("timeRangeId") != "week" || u.RawQuery != "query="+u.Query().Get("query")+"&timeRangeId=week" {
			t.Errorf("the address is %s", address)
		}
		packed, err := base64.RawURLEncoding.DecodeString(u.Query().Get("query"))
		if err != nil {
			t.Fatal(err)
		}
		text := unzipped(t, packed)
		units := make([]uint16, len(text)/2)
		for i := range units {
			units[i] = binary.LittleEndian.Uint16(text[2*i:])
		}
		return string(utf16.Decode(units))
	}
	_, rest, _ := strings.Cut(u.EscapedFragment(), "/q/")
	rest, _, _ = strings.Cut(rest, "/timespan/")
	text, err := url.QueryUnescape(rest)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(unzipped(t, packed))
}

// Where links lead in each portal, before and after the incident is known.
func TestOf(t *testing.T) {
	t.Parallel()
	known := sample()
	known.IncidentURL, known.IncidentNumber = "https://security.microsoft.com/incident2/4711/overview?tid="+userID, "4711"
	forged := sample()
	forged.IncidentURL, forged.IncidentNumber = "https://security.microsoft.com.evil.example/incident2/1", "1](https://evil.example)"
	hostile := sample()
	hostile.ID = `x" or true //`
	unnumbered := known
	unnumbered.IncidentNumber = "4711 <b>"
	update := sample()
	update.ID, update.Created = userID, sample().Created.Add(4*time.Hour)
	update.Updates = &alert.Reference{ID: alertID, Created: sample().Created, News: alert.FoundSuccessSameIP}
	update.Context = &alert.Context{Findings: []alert.Finding{{Kind: alert.FoundSuccessSameIP, Time: sample().Created.Add(3 * time.Hour)}}}
	updated := update
	updated.IncidentURL, updated.IncidentNumber = known.IncidentURL, known.IncidentNumber
	foreign := update
	foreign.Updates = &alert.Reference{ID: hostile.ID, Created: sample().Created}
	foreign.Entities = []alert.Entity{update.Entities[0], {Type: "Account", Fields: []alert.Field{{Identifier: "AadUserId", Value: alertID}}}, {Type: "Account", Fields: []alert.Field{{Identifier: "AadUserId", Value: strings.Replace(userID, "0", "a", 8)}}}}
	for _, test := range []struct {
		name  string
		a     alert.Alert
		l     Links
		want  []string // titles
		hosts []string
	}{
		{"Defender", sample(), Links{Portal: Defender, Table: "PushbackAlerts_CL"}, []string{"Alert in Defender", "Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"Defender without a table", sample(), Links{Portal: Defender}, []string{"Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"Defender with an incident", known, Links{Portal: Defender, Table: "PushbackAlerts_CL"}, []string{"Incident 4711", "Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"Azure", sample(), Links{Portal: Azure, Table: "PushbackAlerts_CL", WorkspaceResourceID: workspace}, []string{"Alert in Logs", "Sign-ins in Logs", "User in Entra", "Runbook"}, []string{"contoso.example", "portal.azure.com", "entra.microsoft.com"}},
		{"Azure without a workspace", sample(), Links{Portal: Azure, Table: "PushbackAlerts_CL"}, []string{"User in Entra", "Runbook"}, []string{"contoso.example", "entra.microsoft.com"}},
		{"no portal", sample(), Links{Portal: Defender, Table: "PushbackAlerts_CL", NoPortal: true}, []string{"Runbook"}, []string{"contoso.example"}},
		{"Defender of the US Government", sample(), Links{Portal: Defender, Table: "PushbackAlerts_CL", Cloud: "usgovernment"}, []string{"Alert in Defender", "Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.us"}},
		{"Azure of the US Government", sample(), Links{Table: "PushbackAlerts_CL", WorkspaceResourceID: workspace, Cloud: "usgovernment"}, []string{"Alert in Logs", "Sign-ins in Logs", "User in Entra", "Runbook"}, []string{"contoso.example", "portal.azure.us", "entra.microsoft.us"}},
		{"China, which has no Defender", sample(), Links{Portal: Defender, Table: "PushbackAlerts_CL", WorkspaceResourceID: workspace, Cloud: "china"}, []string{"Alert in Logs", "Sign-ins in Logs", "User in Entra", "Runbook"}, []string{"contoso.example", "portal.azure.cn", "entra.microsoftonline.cn"}},
		{"an incident that is none", forged, Links{Portal: Defender}, []string{"Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"a number that is none", unnumbered, Links{Portal: Defender}, []string{"Incident", "Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"an id that is none", hostile, Links{Portal: Defender, Table: "PushbackAlerts_CL"}, []string{"Sign-ins in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"an update", update, Links{Portal: Defender, Table: "PushbackAlerts_CL"}, []string{"Alert in Defender", "Sign-ins in Defender", "First alert in Defender", "User in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
		{"an update of an incident", updated, Links{Portal: Azure, Table: "PushbackAlerts_CL", WorkspaceResourceID: workspace}, []string{"Incident 4711", "Sign-ins in Logs", "First alert in Logs", "User in Entra", "Runbook"}, []string{"contoso.example", "security.microsoft.com", "portal.azure.com", "entra.microsoft.com"}},
		{"an update of what has no row, of several users", foreign, Links{Portal: Defender}, []string{"Sign-ins in Defender", "First sign-ins in Defender", "User 1 in Defender", "User 2 in Defender", "Runbook"}, []string{"contoso.example", "security.microsoft.com"}},
	} {
		var titles []string
		for _, link := range Of(test.a, test.l) {
			titles = append(titles, link.Title)
			u, err := url.Parse(link.URL)
			if err != nil || u.Scheme != "https" || !slices.Contains(test.hosts, u.Host) {
				t.Errorf("%s: %s leads to %s", test.name, link.Title, link.URL)
			}
			switch {
			case strings.HasPrefix(link.Title, "Alert in "):
				from := test.a.Created.Add(-time.Hour).Format(time.RFC3339)
				if q := queryOf(t, link.URL); !strings.HasPrefix(q, "PushbackAlerts_CL\n| where TimeGenerated between (datetime("+from+") .. ") || !strings.HasSuffix(q, `| where AlertId =~ "`+test.a.ID+`"`) {
					t.Errorf("%s: the query is %s", test.name, q)
				}
			case strings.HasPrefix(link.Title, "First alert in "):
				if q := queryOf(t, link.URL); !strings.Contains(q, "datetime(2026-03-17T09:00:00Z) .. ") || !strings.HasSuffix(q, `| where AlertId =~ "`+alertID+`"`) {
					t.Errorf("%s: the query is %s", test.name, q)
				}
			case strings.Contains(link.Title, "ign-ins in "):
				end := "2026-03-17T11:00:00Z"
				if test.a.Updates != nil && strings.HasPrefix(link.Title, "Sign-ins") { // until an hour after the news
					end = "2026-03-17T14:00:00Z"
				}
				if q := queryOf(t, link.URL); !strings.Contains(q, "SigninLogs") || !strings.Contains(q, userID) || !strings.Contains(q, "(datetime(2026-03-17T08:00:00Z) .. datetime("+end+"))") {
					t.Errorf("%s: the query is %s", test.name, q)
				}
			case link.Title == "User in Defender" && link.URL != "https://"+u.Host+"/user?aad="+userID+"&tab=overview":
				t.Errorf("%s: the user is at %s", test.name, link.URL)
			}
		}
		if diff := cmp.Diff(test.want, titles); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// An address is one of an incident if it is of a portal of any cloud.
func TestIncidentOfClouds(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://security.microsoft.com/incident2/1": true, "https://security.microsoft.us/incident2/1": true, "https://security.apps.mil/incident2/1": true,
		IncidentURL("public", workspace+"/x"): true, IncidentURL("usgovernment", workspace+"/x"): true, IncidentURL("china", workspace+"/x"): true, IncidentURL("", workspace): true,
		"https://security.microsoft.com/": false, "https://security.apps.mil": false, "https://portal.azure.us/": false, "https://entra.microsoft.us/#x": false, "https:///incident2/1": false,
	} {
		if incident(address) != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
	for cloud, want := range map[string]string{"public": "https://portal.azure.com/#asset/", "usgovernment": "https://portal.azure.us/#asset/", "china": "https://portal.azure.cn/#asset/"} {
		if got := IncidentURL(cloud, "/subscriptions/1"); got != want+"Microsoft_Azure_Security_Insights/Incident/subscriptions/1" {
			t.Errorf("%s: %s", cloud, got)
		}
	}
}
