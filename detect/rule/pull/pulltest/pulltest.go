// Package pulltest is a stand-in for those endpoints of Azure Resource Manager that
// list analytics rules, their templates, saved searches and watchlists. It pages, checks
// what it is asked, and can misbehave. It is for tests only.
package pulltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The versions of the API.
const (
	Newest = "2025-07-01-preview"
	Older  = "2022-09-01-preview"
	search = "2020-08-01"
)

// Server is the stand-in. Set its fields before its first request.
type Server struct {
	// Workspace is the resource id of the only workspace.
	Workspace string
	// Token, if set, is what the caller must bear.
	Token string
	// Lists are the resources by their lists: alertRules, alertRuleTemplates,
	// savedSearches, watchlists, watchlists/ALIAS/watchlistItems.
	Lists map[string][]any
	// Page is how many resources a page has, 50 if it is zero.
	Page int
	// Version is the version of the API that there is, [Newest] if it is empty.
	Version string
	// Fault, if set, is asked for each call with the name of its list and the number
	// of calls before it: the status to answer with, or 0.
	Fault func(list string, n int) int
	// RetryAfter is sent with a 429, in milliseconds.
	RetryAfter int
	// NextHost, if set, is the host that the links to next pages lead to.
	NextHost string

	mu       sync.Mutex
	calls    []string
	problems []string
}

// Change has a server that serves already be changed, between two of its answers.
func (s *Server) Change(change func(*Server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Calls returns the lists that were asked for, once for each page.
func (s *Server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Problems returns what was wrong with the calls.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	problem := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		s.problems = append(s.problems, r.Method+" "+r.URL.String()+": "+text)
		fail(w, http.StatusBadRequest, "BadRequest", text)
	}
	if r.Method != http.MethodGet {
		problem("only reading is answered")
		return
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		problem("the token is not right")
		return
	}
	rest, ours := strings.CutPrefix(r.URL.Path, s.Workspace+"/")
	if !ours {
		fail(w, http.StatusNotFound, "ResourceNotFound", "The Resource was not found.")
		return
	}
	list, security := strings.CutPrefix(rest, "providers/Microsoft.SecurityInsights/")
	version := s.Version
	if version == "" {
		version = Newest
	}
	if !security {
		version = search
	}
	if got := r.URL.Query().Get("api-version"); got != version {
		if security && slices.Contains([]string{Newest, Older}, got) { // no mistake of the caller, who cannot know
			s.calls = append(s.calls, list)
			fail(w, http.StatusBadRequest, "NoRegisteredProviderFound", "The api-version "+got+" is not supported.")
			return
		}
		problem("the api-version is %q", got)
		return
	}
	if (list == "savedSearches") == security {
		problem("there is no such list")
		return
	}
	n := len(s.calls)
	s.calls = append(s.calls, list)
	if s.Fault != nil {
		if status := s.Fault(list, n); status != 0 {
			s.misbehave(w, status)
			return
		}
	}
	s.page(w, r, list)
}

// page answers with the page that a skip token names.
func (s *Server) page(w http.ResponseWriter, r *http.Request, list string) {
	size := s.Page
	if size == 0 {
		size = 50
	}
	from := 0
	if token := r.URL.Query().Get("$skipToken"); token != "" {
		var err error
		if from, err = strconv.Atoi(strings.TrimPrefix(token, "after +/=")); err != nil || from > len(s.Lists[list]) {
			fail(w, http.StatusBadRequest, "InvalidSkipToken", "The skip token is not valid.")
			return
		}
	}
	all := s.Lists[list]
	if all == nil {
		all = []any{}
	}
	to := min(from+size, len(all))
	answer := map[string]any{"value": all[from:to]}
	if list != "savedSearches" && to < len(all) { // those come at once
		host := s.NextHost
		if host == "" {
			host = r.Host
		}
		answer["nextLink"] = "https://" + host + r.URL.EscapedPath() + "?api-version=" + r.URL.Query().Get("api-version") + "&$skipToken=" + url.QueryEscape("after +/="+strconv.Itoa(to))
	}
	if list == "savedSearches" {
		answer = map[string]any{"value": all}
	}
	send(w, http.StatusOK, answer)
}

func (s *Server) misbehave(w http.ResponseWriter, status int) {
	switch status {
	case http.StatusForbidden:
		fail(w, status, "AuthorizationFailed", "The client does not have authorization to perform the action.")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After-Ms", strconv.Itoa(s.RetryAfter))
		w.Header().Set("Retry-After", strconv.Itoa((s.RetryAfter+999)/1000))
		fail(w, status, "TooManyRequests", "The request is being throttled.")
	default:
		fail(w, status, "InternalServerError", "Something went wrong.")
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	send(w, status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func send(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // whoever asked may have gone
}

// Rule returns an analytics rule as the API does, with changes of its properties.
func Rule(name, title string, change map[string]any) map[string]any {
	properties := map[string]any{
		"displayName": title, "description": "What " + title + " is about.", "enabled": true, "severity": "Medium",
		"query":          "SigninLogs\r\n| where ResultType == \"50126\"\r\n| summarize Failures = count() by UserPrincipalName, IPAddress",
		"queryFrequency": "PT1H", "queryPeriod": "PT1H", "triggerOperator": "GreaterThan", "triggerThreshold": 0,
		"suppressionDuration": "PT5H", "suppressionEnabled": false, "tactics": []string{"InitialAccess"}, "techniques": []string{"T1078"},
		"subTechniques":         []string{"T1078.004"},
		"alertRuleTemplateName": nil, "templateVersion": nil, "startTimeUtc": nil, "lastModifiedUtc": "2026-03-01T10:00:00Z",
		"customDetails": map[string]any{"Failures": "Failures"}, "alertDetailsOverride": nil, "sentinelEntitiesMappings": nil,
		"entityMappings":        []any{map[string]any{"entityType": "Account", "fieldMappings": []any{map[string]any{"identifier": "FullName", "columnName": "UserPrincipalName"}}}},
		"eventGroupingSettings": map[string]any{"aggregationKind": "AlertPerResult"},
		"incidentConfiguration": map[string]any{"createIncident": true, "groupingConfiguration": map[string]any{
			"enabled": false, "reopenClosedIncident": false, "lookbackDuration": "PT5H", "matchingMethod": "AllEntities",
			"groupByEntities": []string{}, "groupByAlertDetails": nil, "groupByCustomDetails": nil}},
	}
	for key, value := range change {
		properties[key] = value
	}
	return map[string]any{
		"id":   "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/providers/Microsoft.SecurityInsights/alertRules/" + name,
		"name": name, "type": "Microsoft.SecurityInsights/alertRules", "kind": "Scheduled", "etag": `"0300"`, "properties": properties,
	}
}

// Other returns a rule of a kind that runs no query of its own.
func Other(name, kind string) map[string]any {
	return map[string]any{"name": name, "type": "Microsoft.SecurityInsights/alertRules", "kind": kind, "properties": map[string]any{"displayName": name, "enabled": true, "severity": "High"}}
}

// Template returns a template of a rule.
func Template(name, version string) map[string]any {
	return map[string]any{"name": name, "type": "Microsoft.SecurityInsights/AlertRuleTemplates", "kind": "Scheduled",
		"properties": map[string]any{"displayName": "A template", "version": version, "status": "Available", "query": "SigninLogs", "severity": "Low"}}
}

// Function returns a saved search, which is a function if it has an alias.
func Function(alias, parameters, query string) map[string]any {
	properties := map[string]any{"category": "Functions", "displayName": alias, "query": query, "version": 2}
	if alias != "" {
		properties["functionAlias"], properties["functionParameters"] = alias, parameters
	}
	return map[string]any{"id": "subscriptions/s/savedSearches/" + alias, "name": "saved-" + alias, "etag": "*", "properties": properties}
}

// Watchlist returns a watchlist, and WatchlistItem an item of one.
func Watchlist(alias, searchKey string) map[string]any {
	return map[string]any{"name": alias, "type": "Microsoft.SecurityInsights/Watchlists",
		"properties": map[string]any{"displayName": alias, "watchlistAlias": alias, "itemsSearchKey": searchKey, "provider": "Microsoft", "isDeleted": false}}
}

// WatchlistItem returns an item of a watchlist.
func WatchlistItem(id string, values map[string]any) map[string]any {
	return map[string]any{"name": id, "properties": map[string]any{"watchlistItemId": id, "isDeleted": false, "itemsKeyValue": values}}
}
