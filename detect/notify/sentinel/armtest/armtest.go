// Package armtest is a stand-in for those endpoints of Azure Resource Manager
// that incidents are made with. It keeps state, checks what it is sent, and can
// misbehave. It is for tests only.
package armtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What an incident holds.
// https://learn.microsoft.com/azure/sentinel/sentinel-service-limits
const (
	mostBookmarks = 20
	mostComments  = 100
	noRoom        = "The incident holds no more of these."
)

// Cut is a fault: the connection is cut.
const Cut = -1

// Fault is what goes wrong with a call: a status, or Cut, before the call has
// any effect or after.
type Fault struct{ Before, After int }

// Server is the stand-in. Set its fields before its first request.
type Server struct {
	// Workspace is the resource id of the only workspace.
	Workspace string
	// Fault, if set, is asked for each call: "PUT incident".
	Fault func(call string) Fault
	// Token, if set, is what the caller must bear.
	Token string
	// Restless has an incident's ETag change with each comment and relation.
	Restless bool
	// Actions are what the caller may do; nil is everything.
	Actions, NotActions []string

	mu        sync.Mutex
	calls     []string
	problems  []string
	incidents map[string]*Incident
	bookmarks map[string]map[string]any
	order     []string
	tag       int
}

// Incident is an incident with what belongs to it.
type Incident struct {
	ID         string
	Etag       string
	Properties map[string]any
	Relations  map[string]string // the bookmark's id, by name
	Comments   map[string]string
}

// Text returns a property that is a text.
func (i *Incident) Text(name string) string { text, _ := i.Properties[name].(string); return text }

// Incidents returns the incidents in the order in which they were made. They
// are not copies: look at them while nothing is sent.
func (s *Server) Incidents() []*Incident {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*Incident
	for _, id := range s.order {
		list = append(list, s.incidents[id])
	}
	return list
}

// Bookmarks returns the properties of the bookmarks by id.
func (s *Server) Bookmarks() map[string]map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bookmarks
}

// Calls returns the calls so far.
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

// Edit changes an incident as an analyst would.
func (s *Server) Edit(id string, change map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.incidents[id]
	for k, v := range change {
		i.Properties[k] = v
	}
	s.tag++
	i.Etag = fmt.Sprintf(`"%d"`, s.tag)
}

const guid = `([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})`

var (
	paths = regexp.MustCompile(`^/providers/Microsoft\.SecurityInsights/(?:(incidents|bookmarks)(?:/` + guid + `(?:/(comments|relations)/` + guid + `)?)?)$`)
	kinds = map[string]string{"incidents": "incident", "bookmarks": "bookmark", "incidentscomments": "comment", "incidentsrelations": "relation"}
)

// ServeHTTP answers a call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.incidents == nil {
		s.incidents, s.bookmarks = map[string]*Incident{}, map[string]map[string]any{}
	}
	problem := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		s.problems = append(s.problems, r.Method+" "+r.URL.Path+": "+text)
		fail(w, http.StatusBadRequest, "BadRequest", text)
	}
	if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		problem("the token is not right")
		return
	}
	rest, ours := strings.CutPrefix(r.URL.Path, s.Workspace)
	if !ours {
		fail(w, http.StatusNotFound, "ResourceNotFound", "The Resource was not found.")
		return
	}
	version := "2022-09-01-preview"
	if rest == "/providers/Microsoft.Authorization/permissions" {
		version = "2022-04-01"
	}
	if got := r.URL.Query().Get("api-version"); got != version {
		problem("the api-version is %q", got)
		return
	}
	if rest == "/providers/Microsoft.Authorization/permissions" {
		actions := s.Actions
		if actions == nil {
			actions = []string{"*"}
		}
		role := func(actions, not []string) map[string]any {
			return map[string]any{"value": []any{map[string]any{"actions": actions, "notActions": not}}}
		}
		if r.URL.Query().Get("$skipToken") == "" { // a role that grants nothing comes first
			page := role([]string{"Microsoft.SecurityInsights/*"}, []string{"*"})
			page["nextLink"] = "https://" + r.Host + r.URL.Path + "?api-version=" + version + "&$skipToken=2"
			answer(w, http.StatusOK, page)
			return
		}
		answer(w, http.StatusOK, role(actions, s.NotActions))
		return
	}
	m := paths.FindStringSubmatch(rest)
	if m == nil {
		problem("there is no such path")
		return
	}
	kind := kinds[m[1]+m[3]]
	call := r.Method + " " + kind
	s.calls = append(s.calls, call)
	var f Fault
	if s.Fault != nil {
		f = s.Fault(call)
	}
	if f.Before != 0 {
		misbehave(w, f.Before)
		return
	}
	status, result := s.do(r.Method, kind, m[2], m[4], body)
	switch {
	case result == noRoom: // no mistake of the caller, who cannot know
		fail(w, status, "BadRequest", noRoom)
	case status == http.StatusBadRequest:
		problem("%v", result)
	case f.After != 0:
		misbehave(w, f.After)
	case status >= 300:
		fail(w, status, fmt.Sprint(result), fmt.Sprint(result))
	default:
		answer(w, status, result)
	}
}

func misbehave(w http.ResponseWriter, status int) {
	switch status {
	case Cut:
		panic(http.ErrAbortHandler)
	case http.StatusForbidden:
		fail(w, status, "AuthorizationFailed", "The client does not have authorization to perform the action.")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "17")
		fail(w, status, "TooManyRequests", "The request is being throttled.")
	default:
		fail(w, status, "InternalServerError", "Something went wrong.")
	}
}

func fail(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // whoever asked may have gone
}

// do acts on a call. A 400 is a mistake of the caller.
func (s *Server) do(method, kind, id, sub string, body []byte) (int, any) {
	if id == "" {
		if method != http.MethodGet {
			return http.StatusBadRequest, "only a list has no id"
		}
		return http.StatusOK, map[string]any{"value": []any{}}
	}
	if method == http.MethodGet {
		return s.get(kind, id, sub)
	}
	var sent sent
	if err := json.Unmarshal(body, &sent); err != nil || method != http.MethodPut {
		return http.StatusBadRequest, fmt.Sprintf("%s: %v", method, err)
	}
	switch kind {
	case "bookmark":
		return s.putBookmark(id, sent)
	case "incident":
		return s.putIncident(id, sent)
	}
	i := s.incidents[id]
	if i == nil {
		return http.StatusNotFound, "NotFound"
	}
	if kind == "relation" {
		return s.putRelation(i, sub, sent)
	}
	return s.putComment(i, sub, sent)
}

// sent is what a call brings.
type sent struct {
	Etag       string
	Properties map[string]any
}

// text returns a property that is a text.
func (s sent) text(name string) string { t, _ := s.Properties[name].(string); return t }

func (s *Server) get(kind, id, sub string) (int, any) {
	i := s.incidents[id]
	switch {
	case kind == "incident" && i != nil:
		return http.StatusOK, s.incident(i)
	case kind == "bookmark" && s.bookmarks[id] != nil:
		return http.StatusOK, map[string]any{"name": id, "properties": s.bookmarks[id]}
	case kind == "relation" && i != nil && i.Relations[sub] != "":
		return http.StatusOK, map[string]any{"name": sub, "properties": map[string]any{"relatedResourceId": i.Relations[sub]}}
	case kind == "comment" && i != nil && i.Comments[sub] != "":
		return http.StatusOK, map[string]any{"name": sub, "properties": map[string]any{"message": i.Comments[sub]}}
	}
	return http.StatusNotFound, "NotFound"
}

func (s *Server) putBookmark(id string, sent sent) (int, any) {
	if sent.text("displayName") == "" || sent.text("query") == "" {
		return http.StatusBadRequest, "a bookmark needs a name and a query"
	}
	if !json.Valid([]byte(sent.text("queryResult"))) {
		return http.StatusBadRequest, "the row is not JSON"
	}
	mappings, _ := sent.Properties["entityMappings"].([]any)
	for _, m := range mappings {
		entity, _ := m.(map[string]any)
		fields, _ := entity["fieldMappings"].([]any)
		if kind, _ := entity["entityType"].(string); kind == "" || len(fields) == 0 {
			return http.StatusBadRequest, "an entity mapping is empty"
		}
		for _, f := range fields {
			field, _ := f.(map[string]any)
			if identifier, _ := field["identifier"].(string); identifier == "" || field["value"] == nil || field["value"] == "" {
				return http.StatusBadRequest, "an entity mapping has a field without identifier or value"
			}
		}
	}
	s.bookmarks[id] = sent.Properties
	return http.StatusCreated, map[string]any{"name": id, "properties": sent.Properties}
}

func (s *Server) putIncident(id string, sent sent) (int, any) {
	if sent.text("title") == "" || !slices.Contains([]string{"High", "Medium", "Low", "Informational"}, sent.text("severity")) ||
		!slices.Contains([]string{"New", "Active", "Closed"}, sent.text("status")) {
		return http.StatusBadRequest, "an incident needs title, severity and status"
	}
	for _, name := range []string{"additionalData", "createdTimeUtc", "incidentNumber", "incidentUrl", "lastModifiedTimeUtc", "relatedAnalyticRuleIds"} {
		if sent.Properties[name] != nil {
			return http.StatusBadRequest, name + " is the service's own"
		}
	}
	if len([]rune(sent.text("title"))) > 256 || len([]rune(sent.text("description"))) > 5000 {
		return http.StatusBadRequest, "title or description are too long"
	}
	i, status := s.incidents[id], http.StatusOK
	switch {
	case i == nil && sent.Etag != "":
		return http.StatusPreconditionFailed, "PreconditionFailed"
	case i == nil:
		i = &Incident{ID: id, Relations: map[string]string{}, Comments: map[string]string{}}
		s.incidents[id], s.order, status = i, append(s.order, id), http.StatusCreated
	case sent.Etag == "":
		return http.StatusBadRequest, "this writes over an incident without its ETag"
	case sent.Etag != i.Etag:
		return http.StatusPreconditionFailed, "PreconditionFailed"
	}
	s.tag++
	i.Etag, i.Properties = fmt.Sprintf(`"%d"`, s.tag), sent.Properties
	return status, s.incident(i)
}

func (s *Server) putRelation(i *Incident, sub string, sent sent) (int, any) {
	bookmark, ok := strings.CutPrefix(sent.text("relatedResourceId"), s.Workspace+"/providers/Microsoft.SecurityInsights/bookmarks/")
	if !ok || s.bookmarks[bookmark] == nil {
		return http.StatusBadRequest, "there is no such bookmark"
	}
	if len(i.Relations) == mostBookmarks && i.Relations[sub] == "" {
		return http.StatusBadRequest, noRoom
	}
	s.stir(i)
	i.Relations[sub] = bookmark
	return http.StatusCreated, map[string]any{"name": sub, "properties": sent.Properties}
}

func (s *Server) putComment(i *Incident, sub string, sent sent) (int, any) {
	message := sent.text("message")
	if message == "" || len([]rune(message)) > 30_000 {
		return http.StatusBadRequest, "a comment has 1 to 30000 characters"
	}
	if len(i.Comments) == mostComments && i.Comments[sub] == "" {
		return http.StatusBadRequest, noRoom
	}
	s.stir(i)
	i.Comments[sub] = message
	return http.StatusCreated, map[string]any{"name": sub, "properties": sent.Properties}
}

// stir changes an incident's ETag, if it is to.
func (s *Server) stir(i *Incident) {
	if s.Restless {
		s.tag++
		i.Etag = fmt.Sprintf(`"%d"`, s.tag)
	}
}

func (s *Server) incident(i *Incident) any {
	p := map[string]any{"additionalData": map[string]any{"bookmarksCount": len(i.Relations), "commentsCount": len(i.Comments)}, "incidentNumber": slices.Index(s.order, i.ID) + 1,
		"incidentUrl": "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident" + s.Workspace + "/providers/Microsoft.SecurityInsights/Incidents/" + i.ID}
	for k, v := range i.Properties {
		p[k] = v
	}
	return map[string]any{"id": s.Workspace + "/providers/Microsoft.SecurityInsights/Incidents/" + i.ID, "name": i.ID, "etag": i.Etag, "properties": p}
}
