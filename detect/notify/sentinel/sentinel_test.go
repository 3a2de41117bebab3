package sentinel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2"
	sdkfake "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/securityinsights/armsecurityinsights/v2/fake"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/sentinel/armtest"
	"pushback/detect/rule"
)

const testWorkspace = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/soc (eu)/providers/Microsoft.OperationalInsights/workspaces/logs"

type credential struct{}

func (credential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func workspace(t testing.TB) Workspace {
	t.Helper()
	w, err := ParseWorkspace(strings.Replace(testWorkspace, "soc (eu)", "soc_eu", 1))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// world is a stand-in with what makes destinations for it.
type world struct {
	t      testing.TB
	arm    *armtest.Server
	server *httptest.Server
	rules  []*rule.Rule
	notes  Notes // which outlive a restart
}

func newWorld(t testing.TB, rules ...*rule.Rule) *world {
	w := &world{t: t, arm: &armtest.Server{Workspace: workspace(t).String()}, rules: rules, notes: ledger.NewMemory()}
	w.server = httptest.NewTLSServer(w.arm)
	w.server.Config.ErrorLog = nil
	t.Cleanup(func() {
		w.server.Close()
		if p := w.arm.Problems(); len(p) > 0 {
			t.Errorf("%d calls were wrong: %q", len(p), p[:min(len(p), 3)])
		}
	})
	return w
}

// start returns a destination that remembers nothing, as after a restart.
func (w *world) start() *Destination {
	w.t.Helper()
	d, err := New(workspace(w.t), w.notes, credential{}, Options{Rules: w.rules, ClientOptions: azcore.ClientOptions{
		Transport: w.server.Client(), Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: "https://login.example/", Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
			cloud.ResourceManager: {Endpoint: w.server.URL, Audience: "https://management.example/"},
		}},
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

var noon = time.Date(2026, 3, 17, 12, 0, 0, 0, time.UTC)

func rejection(user string, at time.Time) alert.Alert {
	field := []alert.Field{{Identifier: "FullName", Value: user}}
	a := alert.Alert{
		RuleID: rule.Default().ID, RuleName: "MFA", Title: "MFA rejected by " + user, Description: "d", Severity: alert.Medium,
		Tactics: []string{"CredentialAccess", "NoSuchTactic"}, Techniques: []string{"T1621"},
		Entities:   []alert.Entity{{Type: "Account", Fields: field}, {Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.9"}}}},
		Span:       alert.Span{Start: at, End: at.Add(time.Minute)},
		Window:     alert.Span{Start: at.Add(-time.Hour), End: at.Add(time.Hour)},
		Activities: []alert.Activity{{Fingerprint: alert.NewFingerprint("r", field), Span: alert.Span{Start: at, End: at.Add(time.Minute)}}},
		Rows:       []alert.Row{{{Column: "User", Value: json.RawMessage(`"` + user + `"`)}, {Column: "N", Value: json.RawMessage(`9007199254740993`)}}},
		Created:    at.Add(time.Hour),
		Context:    &alert.Context{Findings: []alert.Finding{{Kind: "bombing", Text: "5 prompts"}}},
	}
	a.ID = alert.NewID(a.RuleID, a.Activities)
	return a
}

func (w *world) notify(d *Destination, a alert.Alert) {
	w.t.Helper()
	if err := d.Notify(w.t.Context(), a); err != nil {
		w.t.Fatal(err)
	}
}

// The attack of the demo: 40 rejections of one user over 5 hours, 3 of another.
func TestOneStoryOneIncident(t *testing.T) {
	t.Parallel()
	reopening := *rule.Default()
	reopening.Incident.Grouping.ReopenClosedIncident = true
	bookmarksOnly := *rule.Default()
	bookmarksOnly.Incident.CreateIncident = false
	ungrouped := *rule.Default()
	ungrouped.Incident.Grouping.Enabled = false
	for _, test := range []struct {
		name  string
		rule  *rule.Rule
		later time.Duration // after the last, when its incident is closed
		want  []int         // comments of each incident
	}{
		{"as shipped", rule.Default(), time.Hour, []int{40, 3, 1}},
		{"reopened", &reopening, time.Hour, []int{41, 3}},
		{"too late to be reopened", &reopening, 6 * time.Hour, []int{40, 3, 1}},
		{"ungrouped", &ungrouped, time.Hour, []int{40, 3, 1}},
		{"no incidents", &bookmarksOnly, time.Hour, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.rule)
			d := w.start()
			for n := range 40 {
				if n == 20 {
					d = w.start()
				}
				w.notify(d, rejection("alice@contoso.example", noon.Add(time.Duration(n)*7*time.Minute)))
				if n < 3 {
					w.notify(d, rejection("bob@contoso.example", noon.Add(time.Duration(n)*time.Hour)))
				}
			}
			for _, i := range w.arm.Incidents() {
				w.arm.Edit(i.ID, map[string]any{"status": "Closed", "classification": "TruePositive"})
			}
			last := rejection("alice@contoso.example", noon.Add(39*7*time.Minute).Add(test.later))
			w.notify(d, last)
			w.notify(w.start(), last) // again, as after a crash
			var got []int
			for _, i := range w.arm.Incidents() {
				got = append(got, len(i.Comments))
				if len(i.Relations) != min(len(i.Comments), 20) { // which is all that an incident holds
					t.Errorf("%d comments on %d bookmarks", len(i.Comments), len(i.Relations))
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("comments by incident (-want +got):\n%s", diff)
			}
			if n := len(w.arm.Bookmarks()); n != 44 {
				t.Errorf("%d bookmarks, want 44", n)
			}
			if test.name == "reopened" {
				if i := w.arm.Incidents()[0]; i.Text("status") != "New" || i.Properties["classification"] != nil || i.Text("lastActivityTimeUtc") != last.Span.End.Format(time.RFC3339) {
					t.Errorf("after reopening: %v", i.Properties)
				}
			}
			if url := d.IncidentURL(t.Context(), last); (url == "") != (test.want == nil) {
				t.Errorf("the incident's address is %q", url)
			}
		})
	}
}

func TestGrouping(t *testing.T) {
	t.Parallel()
	base := rejection("alice@contoso.example", noon)
	other := rejection("alice@contoso.example", noon.Add(time.Hour))
	other.Entities[1].Fields[0].Value = "198.51.100.1"
	other.Severity = alert.High
	other.CustomDetails = []alert.Detail{{Name: "Apps", Values: []string{"Teams"}}}
	for _, test := range []struct {
		name string
		g    rule.IncidentGrouping
		same bool
	}{
		{"not enabled, one identity", rule.IncidentGrouping{}, true},
		{"any alert", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.AnyAlert}, true},
		{"all entities", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.AllEntities}, false},
		{"the account", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}}, true},
		{"the address", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"IP"}}, false},
		{"the severity", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}, GroupByAlertDetails: []string{"Severity"}}, false},
		{"the title", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByAlertDetails: []string{"DisplayName"}}, true},
		{"a custom detail", rule.IncidentGrouping{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}, GroupByCustomDetails: []string{"Apps"}}, false},
	} {
		r := &rule.Rule{ID: base.RuleID, Incident: rule.IncidentConfiguration{Grouping: test.g}}
		if same := storyOf(base, r).id == storyOf(other, r).id; same != test.same {
			t.Errorf("%s: the same story is %t, want %t", test.name, same, test.same)
		}
	}
	bob := rejection("bob@contoso.example", noon)
	if storyOf(base, nil).id == storyOf(bob, nil).id || uuid.Validate(storyOf(base, nil).id) != nil {
		t.Error("the stories of two users are one, or have no GUID")
	}
}

// What an analyst changed stays; what rose, rises.
func TestAnalystWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	d := w.start()
	user := "alice@contoso.example"
	w.notify(d, rejection(user, noon))
	i := w.arm.Incidents()[0]
	worse := rejection(user, noon.Add(time.Hour))
	worse.Severity, worse.Title = alert.High, "Another title"
	w.notify(d, worse)
	if i.Text("severity") != "High" || i.Text("title") != "MFA rejected by "+user {
		t.Fatalf("severity %s, title %q", i.Text("severity"), i.Text("title"))
	}
	w.arm.Edit(i.ID, map[string]any{"severity": "Low", "status": "Active", "title": "Alice again", "owner": map[string]any{"assignedTo": "Carol"}})
	again := rejection(user, noon.Add(2*time.Hour))
	w.notify(d, again) // with an ETag that is not right any more
	want := map[string]any{"severity": "Low", "status": "Active", "title": "Alice again", "owner": map[string]any{"assignedTo": "Carol"},
		"firstActivityTimeUtc": "2026-03-17T12:00:00Z", "lastActivityTimeUtc": "2026-03-17T14:01:00Z"}
	for k, v := range want {
		if diff := cmp.Diff(v, i.Properties[k]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", k, diff)
		}
	}
	if len(i.Relations) != 3 || len(w.arm.Incidents()) != 1 {
		t.Errorf("%d bookmarks in %d incidents", len(i.Relations), len(w.arm.Incidents()))
	}
	// A severity that an analyst set once is theirs for good, also if it is what
	// we said once. So is a label that they removed.
	before := rejection(user, noon.Add(-time.Hour))
	w.arm.Edit(i.ID, map[string]any{"severity": "High"})
	w.arm.Edit(i.ID, map[string]any{"severity": "Low", "labels": slices.DeleteFunc(i.Properties["labels"].([]any), func(l any) bool {
		return l.(map[string]any)["labelName"] == "NoSuchTactic"
	})})
	w.notify(w.start(), before)
	if i.Text("severity") != "Low" || i.Text("firstActivityTimeUtc") != "2026-03-17T11:00:00Z" {
		t.Errorf("severity %s, first activity %s", i.Text("severity"), i.Text("firstActivityTimeUtc"))
	}
	b := w.arm.Bookmarks()[again.ID]
	if b["query"] != rule.Default().Query.Text || b["queryResult"] != `{"User":"`+user+`","N":9007199254740993}` ||
		cmp.Diff([]any{"CredentialAccess"}, b["tactics"]) != "" || len(b["entityMappings"].([]any)) != 2 {
		t.Errorf("the bookmark is %v", b)
	}
	var labels []string
	for _, l := range i.Properties["labels"].([]any) {
		labels = append(labels, l.(map[string]any)["labelName"].(string))
	}
	if diff := cmp.Diff([]string{rule.Default().ID, "CredentialAccess", "T1621", "pushback-severity:analyst"}, labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

// Four calls write a new incident and a follow-up, also in a process that knows
// nothing of it. One that others change is read before.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	writes := []string{"PUT incident", "PUT bookmark", "PUT relation", "PUT comment"}
	edit := func(change map[string]any) func() {
		return func() {
			all := w.arm.Incidents()
			w.arm.Edit(all[len(all)-1].ID, change)
		}
	}
	d := w.start()
	for n, step := range []struct {
		name   string
		before func()
		want   []string
	}{
		{"new", nil, writes},
		{"again", nil, writes},
		{"after a restart", func() { d = w.start() }, writes},
		{"assigned by an analyst", edit(map[string]any{"owner": map[string]any{"assignedTo": "Carol"}}), append([]string{"PUT incident", "GET incident"}, writes...)},
		{"from then on", nil, append([]string{"GET incident"}, writes...)},
		{"closed", edit(map[string]any{"status": "Closed"}), append([]string{"GET incident"}, writes...)},
		{"in the next one", nil, writes},
		{"closed at once", edit(map[string]any{"status": "Closed"}), append([]string{"PUT incident", "GET incident"}, writes...)},
	} {
		if step.before != nil {
			step.before()
		}
		before := len(w.arm.Calls())
		w.notify(d, rejection("alice@contoso.example", noon.Add(time.Duration(n)*time.Hour)))
		if diff := cmp.Diff(step.want, w.arm.Calls()[before:]); diff != "" {
			t.Errorf("%s: calls (-want +got):\n%s", step.name, diff)
		}
	}
	var got []int
	for _, i := range w.arm.Incidents() {
		got = append(got, len(i.Relations))
	}
	if diff := cmp.Diff([]int{5, 2, 1}, got); diff != "" {
		t.Errorf("bookmarks by incident (-want +got):\n%s", diff)
	}
}

// An incident that holds no more bookmarks gets comments that say where those
// are. One that holds no more of these either is followed by another.
func TestFullIncident(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	var last alert.Alert
	for n := range 105 {
		last = rejection("alice@contoso.example", noon.Add(time.Duration(n)*time.Minute))
		w.notify(w.start(), last)
	}
	w.notify(w.start(), last) // again
	var got [][2]int
	remarks := 0
	for _, i := range w.arm.Incidents() {
		got = append(got, [2]int{len(i.Relations), len(i.Comments)})
		for id, comment := range i.Comments {
			if strings.Contains(comment, "holds no more bookmarks") != (i.Relations[id] == "") {
				t.Errorf("the comment on %s: %s", id, comment)
			}
			if i.Relations[id] == "" {
				remarks++
			}
		}
	}
	if diff := cmp.Diff([][2]int{{20, 100}, {5, 5}}, got); diff != "" || remarks != 80 || len(w.arm.Bookmarks()) != 105 {
		t.Errorf("%d remarks, %d bookmarks; bookmarks and comments by incident (-want +got):\n%s", remarks, len(w.arm.Bookmarks()), diff)
	}
}

// An alert that a full incident has in a comment alone is in it. It is so too
// when that was closed, or followed by another, before its delivery was noted.
func TestFullIncidentAgain(t *testing.T) {
	t.Parallel()
	alertAt := func(n int) alert.Alert {
		return rejection("alice@contoso.example", noon.Add(time.Duration(n)*time.Minute))
	}
	count := func(w *world) (list []int) {
		for _, i := range w.arm.Incidents() {
			list = append(list, len(i.Comments))
		}
		return list
	}
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, rule.Default())
		for n := range 25 {
			w.notify(w.start(), alertAt(n))
		}
		w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"status": "Closed"})
		w.notify(w.start(), alertAt(24))
		if diff := cmp.Diff([]int{25}, count(w)); diff != "" {
			t.Errorf("comments by incident (-want +got):\n%s", diff)
		}
	})
	t.Run("the last comment, whose answer is lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, rule.Default())
		comments := 0
		w.arm.Fault = func(call string) armtest.Fault {
			if call == "PUT comment" {
				if comments++; comments == 100 {
					return armtest.Fault{After: http.StatusInternalServerError}
				}
			}
			return armtest.Fault{}
		}
		for n := range 100 {
			if err := w.start().Notify(t.Context(), alertAt(n)); (err != nil) != (n == 99) {
				t.Fatal(err)
			}
		}
		w.notify(w.start(), alertAt(100))
		w.notify(w.start(), alertAt(99))
		if diff := cmp.Diff([]int{100, 1}, count(w)); diff != "" {
			t.Errorf("comments by incident (-want +got):\n%s", diff)
		}
	})
	t.Run("cut off after it was found full", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, rule.Default())
		for n := range 100 {
			w.notify(w.start(), alertAt(n))
		}
		full := w.arm.Incidents()[0].ID
		if err := w.start().fill(t.Context(), alertAt(0), rule.Default(), full); err != nil {
			t.Fatal(err)
		}
		w.notify(w.start(), alertAt(50))
		w.notify(w.start(), alertAt(101))
		if diff := cmp.Diff([]int{100, 1}, count(w)); diff != "" {
			t.Errorf("comments by incident (-want +got):\n%s", diff)
		}
	})
	t.Run("that was begun for an alert which it lacks", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, rule.Default())
		refused := true
		w.arm.Fault = func(call string) armtest.Fault {
			if call == "PUT bookmark" && refused {
				return armtest.Fault{Before: http.StatusForbidden}
			}
			return armtest.Fault{}
		}
		if err := w.start().Notify(t.Context(), alertAt(0)); err == nil {
			t.Fatal("the bookmark was made")
		}
		refused = false
		for n := range 105 {
			w.notify(w.start(), alertAt(n+1))
		}
		for range 2 {
			w.notify(w.start(), alertAt(0))
		}
		got := count(w)
		if len(got) < 2 || got[0] != 100 || got[0]+got[1]+len(got)-2 != 106 {
			t.Errorf("comments by incident %v", got)
		}
	})
}

// What an incident covers goes into it no more once it is closed, whatever we
// remember of it.
func TestClosedUnnoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	long := rejection("alice@contoso.example", noon)
	long.Span.End = noon.Add(2 * time.Hour)
	w.notify(w.start(), long)
	w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"status": "Closed"})
	w.notify(w.start(), rejection("alice@contoso.example", noon.Add(time.Hour)))
	if n := len(w.arm.Incidents()); n != 2 {
		t.Errorf("%d incidents", n)
	}
}

// A note that somebody damaged stops nothing, and overwrites nothing.
func TestDamagedNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	a := rejection("alice@contoso.example", noon)
	w.notify(w.start(), a)
	w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"owner": map[string]any{"assignedTo": "Carol"}})
	story := storyOf(a, rule.Default()).id
	_, tag, err := w.notes.Note(t.Context(), a.RuleID, story)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := w.notes.SetNote(t.Context(), a.RuleID, story, "{", tag); err != nil || !ok {
		t.Fatal(ok, err)
	}
	w.notify(w.start(), a)
	w.notify(w.start(), rejection("alice@contoso.example", noon.Add(time.Hour)))
	if all := w.arm.Incidents(); len(all) != 1 || len(all[0].Relations) != 2 || all[0].Properties["owner"] == nil {
		t.Errorf("%d incidents", len(all))
	}
}

// News of an alert goes where the alert went, whatever the rule groups by.
func TestUpdatesStory(t *testing.T) {
	t.Parallel()
	for _, g := range []rule.IncidentGrouping{
		{}, {Enabled: true, MatchingMethod: rule.AllEntities}, {Enabled: true, MatchingMethod: rule.AnyAlert},
		{Enabled: true, MatchingMethod: rule.Selected, GroupByAlertDetails: []string{"Severity"}},
		{Enabled: true, MatchingMethod: rule.Selected, GroupByEntities: []string{"Account"}},
	} {
		r := *rule.Default()
		r.Incident.Grouping = g
		w := newWorld(t, &r)
		a := rejection("alice@contoso.example", noon)
		w.notify(w.start(), a)
		u := a
		u.ID, u.Updates = alert.UpdateID(a.ID, alert.FoundSuccessSameIP), &alert.Reference{ID: a.ID, Title: a.Title, Created: a.Created, Severity: a.Severity, Identity: alert.Identity(a.Activities)}
		u.Activities, u.Severity, u.Created = nil, alert.High, a.Created.Add(time.Hour)
		w.notify(w.start(), u)
		if all := w.arm.Incidents(); len(all) != 1 || len(all[0].Relations) != 2 || all[0].Text("severity") != "High" {
			t.Errorf("%+v: %d incidents", g, len(all))
		}
	}
}

// A conflict is settled within a delivery, whoever made it.
func TestConflicts(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusConflict, http.StatusPreconditionFailed} {
		for _, call := range []string{"PUT incident", "PUT bookmark", "PUT relation", "PUT comment"} {
			for _, after := range []bool{false, true} {
				w := newWorld(t, rule.Default())
				done := false
				w.arm.Fault = func(c string) armtest.Fault {
					if c != call || done {
						return armtest.Fault{}
					}
					done = true
					if after {
						return armtest.Fault{After: status}
					}
					return armtest.Fault{Before: status}
				}
				err := w.start().Notify(t.Context(), rejection("alice@contoso.example", noon))
				// Where nothing is there the conflict is what is said.
				lost := !after && call != "PUT incident"
				if (err != nil) != lost || lost && !strings.Contains(err.Error(), fmt.Sprint(status)) {
					t.Errorf("%d at %s, after its effect: %t: %v", status, call, after, err)
				}
			}
		}
	}
}

// flakyNotes fail before or after they did what was asked, or say that somebody
// else did, as a request that was tried twice does.
type flakyNotes struct {
	Notes
	rng *rand.Rand
}

func (n flakyNotes) Note(ctx context.Context, ruleID, name string) (text, tag string, err error) {
	if n.rng.IntN(8) == 0 {
		return "", "", errors.New("the ledger does not answer")
	}
	return n.Notes.Note(ctx, ruleID, name)
}

func (n flakyNotes) SetNote(ctx context.Context, ruleID, name, text, tag string) (newTag string, ok bool, err error) {
	fault := n.rng.IntN(12)
	if fault == 0 {
		return "", false, errors.New("the ledger does not answer")
	}
	newTag, ok, err = n.Notes.SetNote(ctx, ruleID, name, text, tag)
	switch fault {
	case 1:
		return "", false, errors.New("the answer was lost")
	case 2:
		return "", false, err
	}
	return newTag, ok, err
}

// Whatever fails, whoever closes incidents meanwhile and in whatever order the
// alerts come again, nothing is lost. In the end each has one bookmark in one
// incident, and one comment.
func TestInterruptedAndClosed(t *testing.T) {
	t.Parallel()
	const runs, alerts = 200, 6
	faults, deliveries, incidents := 0, 0, 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 9))
		r := *rule.Default()
		r.Incident.Grouping.ReopenClosedIncident = seed%2 == 0
		w := newWorld(t, &r)
		w.notes = flakyNotes{w.notes, rng}
		w.arm.Restless = seed%3 == 0
		w.arm.Fault = func(string) armtest.Fault {
			if rng.IntN(4) > 0 {
				return armtest.Fault{}
			}
			faults++
			kinds := []int{armtest.Cut, 409, 412, 429, 500, 503}
			if rng.IntN(2) == 0 {
				return armtest.Fault{Before: kinds[rng.IntN(len(kinds))]}
			}
			return armtest.Fault{After: kinds[rng.IntN(len(kinds))]}
		}
		d := w.start()
		var owed []alert.Alert
		for n := range alerts {
			owed = append(owed, rejection("alice@contoso.example", noon.Add(time.Duration(n)*30*time.Minute)))
		}
		var ids []string
		for _, a := range owed {
			ids = append(ids, a.ID)
		}
		slices.Sort(ids)
		due := 0 // so many alerts were made by now
		for attempt := 0; len(owed) > 0; attempt++ {
			if attempt == 2000 {
				t.Fatalf("seed %d: no end of attempts", seed)
			}
			if rng.IntN(3) == 0 {
				d = w.start()
			}
			if all := w.arm.Incidents(); len(all) > 0 && rng.IntN(6) == 0 {
				w.arm.Edit(all[rng.IntN(len(all))].ID, map[string]any{"status": "Closed"})
			}
			due = min(due+rng.IntN(2), alerts)
			if len(owed) <= alerts-due {
				continue
			}
			n := rng.IntN(len(owed) - (alerts - due)) // any of those, in any order
			deliveries++
			if d.Notify(t.Context(), owed[n]) == nil {
				owed = slices.Delete(owed, n, n+1)
			}
		}
		var got []string
		for _, i := range w.arm.Incidents() {
			incidents++
			for name, bookmark := range i.Relations {
				got = append(got, bookmark)
				if name != bookmark || i.Comments[name] == "" {
					t.Errorf("seed %d: bookmark %s has no comment", seed, bookmark)
				}
			}
			if len(i.Comments) != len(i.Relations) || len(i.Relations) == 0 {
				t.Errorf("seed %d: %d comments on %d bookmarks of an incident", seed, len(i.Comments), len(i.Relations))
			}
		}
		slices.Sort(got)
		if diff := cmp.Diff(ids, got); diff != "" || len(w.arm.Bookmarks()) != alerts {
			t.Errorf("seed %d: %d bookmarks (-want +got):\n%s", seed, len(w.arm.Bookmarks()), diff)
		}
		w.server.Close()
	}
	t.Logf("%d runs, %d faults, %d attempts, %d incidents: 0 bookmarks or comments too many", runs, faults, deliveries, incidents)
	if faults < runs || incidents < runs+runs/4 {
		t.Error("too little happened")
	}
}

// Whatever call fails in whatever way, before or after it had its effect, the
// attempts that follow complete the delivery. They do also in a process that
// knows nothing of it, and nothing is there twice.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	const runs = 200
	faults, deliveries := 0, 0
	for seed := range uint64(runs) {
		rng := rand.New(rand.NewPCG(seed, 8))
		w := newWorld(t, rule.Default())
		w.arm.Fault = func(string) armtest.Fault {
			if rng.IntN(3) > 0 {
				return armtest.Fault{}
			}
			faults++
			kinds := []int{armtest.Cut, 409, 412, 429, 500, 503, 403}
			if rng.IntN(2) == 0 {
				return armtest.Fault{Before: kinds[rng.IntN(len(kinds))]}
			}
			return armtest.Fault{After: kinds[rng.IntN(len(kinds))]}
		}
		d := w.start()
		want := map[string]string{}
		for n := range 6 {
			user := []string{"alice@contoso.example", "bob@contoso.example"}[n%2]
			a := rejection(user, noon.Add(time.Duration(n)*time.Hour))
			want[a.ID] = user
			for attempt := 0; ; attempt++ {
				if rng.IntN(2) == 0 {
					d = w.start()
				}
				deliveries++
				if d.Notify(t.Context(), a) == nil {
					break
				}
				if attempt == 300 {
					t.Fatalf("seed %d: no end of attempts", seed)
				}
			}
		}
		if n := len(w.arm.Incidents()); n != 2 {
			t.Errorf("seed %d: %d incidents, want 2", seed, n)
		}
		got := map[string]string{}
		for _, i := range w.arm.Incidents() {
			for name, bookmark := range i.Relations {
				if name != bookmark || got[bookmark] != "" || i.Comments[name] == "" {
					t.Errorf("seed %d: bookmark %s is in two incidents or has no comment", seed, bookmark)
				}
				got[bookmark] = strings.TrimPrefix(i.Text("title"), "MFA rejected by ")
			}
			if len(i.Comments) != 3 {
				t.Errorf("seed %d: %d comments, want 3", seed, len(i.Comments))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(w.arm.Bookmarks()) != 6 {
			t.Errorf("seed %d: %d bookmarks (-want +got):\n%s", seed, len(w.arm.Bookmarks()), diff)
		}
		w.server.Close()
	}
	t.Logf("%d runs, %d faults, %d attempts: 0 incidents, bookmarks or comments too many", runs, faults, deliveries)
	if faults < runs {
		t.Errorf("only %d faults", faults)
	}
}

// An alert whose delivery was cut off goes on in its incident, even when that
// was closed meanwhile.
func TestClosedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	broken := true
	w.arm.Fault = func(call string) armtest.Fault {
		if broken && call == "PUT comment" {
			return armtest.Fault{Before: 500}
		}
		return armtest.Fault{}
	}
	a := rejection("alice@contoso.example", noon)
	if err := w.start().Notify(t.Context(), a); err == nil {
		t.Fatal("the fault was not noticed")
	}
	w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"status": "Closed"})
	broken = false
	w.notify(w.start(), a)
	if all := w.arm.Incidents(); len(all) != 1 || len(all[0].Comments) != 1 || all[0].Text("status") != "Closed" {
		t.Errorf("%d incidents", len(all))
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		call   string
		status int
		want   []string
		says   notify.Error
	}{
		{"PUT bookmark", 403, []string{"making the bookmark", "403 AuthorizationFailed", "Microsoft Sentinel Contributor on /subscriptions/", "Responder is not enough"}, notify.Error{Shut: true}},
		{"GET incident", 429, []string{"reading incident", "429 TooManyRequests"}, notify.Error{Shut: true, RetryAfter: 17 * time.Second}},
		{"PUT incident", 400, []string{"making incident", "400"}, notify.Error{Message: true}},
		{"PUT relation", 503, []string{"relating the bookmark", "503"}, notify.Error{}},
		{"PUT comment", armtest.Cut, []string{"commenting on incident"}, notify.Error{Repeatable: true}},
	} {
		t.Run(test.call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, rule.Default())
			if test.call == "GET incident" { // that of an alert before, which others changed
				w.notify(w.start(), rejection("alice@contoso.example", noon.Add(-time.Hour)))
				w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"owner": map[string]any{"assignedTo": "Carol"}})
			}
			w.arm.Fault = func(call string) armtest.Fault {
				if call == test.call {
					return armtest.Fault{Before: test.status}
				}
				return armtest.Fault{}
			}
			err := w.start().Notify(t.Context(), rejection("alice@contoso.example", noon))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			for _, part := range test.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error lacks %q: %v", part, err)
				}
			}
			got := notify.Judge(err)
			if got.Err = nil; strings.Contains(err.Error(), "\n") || got != test.says {
				t.Errorf("it says %+v: %v", got, err)
			}
		})
	}
	w := newWorld(t)
	w.arm.Workspace += "2"
	if err := w.start().Notify(t.Context(), rejection("a@contoso.example", noon)); err == nil || !strings.Contains(err.Error(), "exists and has Microsoft Sentinel") {
		t.Errorf("a workspace that is not there: %v", err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		actions []string
		not     []string
		want    string
	}{
		{"contributor", []string{"Microsoft.SecurityInsights/*"}, nil, ""},
		{"owner", []string{"*"}, nil, ""},
		{"responder", []string{"Microsoft.SecurityInsights/*/read", "Microsoft.SecurityInsights/incidents/*"}, nil, "may not Microsoft.SecurityInsights/bookmarks/write: give it the role Microsoft Sentinel Contributor"},
		{"nobody", []string{}, nil, "incidents/read, "},
		{"somebody who may do less", []string{"*"}, []string{"microsoft.securityinsights/incidents/comments/WRITE"}, "may not Microsoft.SecurityInsights/incidents/comments/write: give"},
	} {
		w := newWorld(t)
		w.arm.Actions, w.arm.NotActions = test.actions, test.not
		err := w.start().Check(t.Context())
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		for _, call := range w.arm.Calls() {
			if !strings.HasPrefix(call, "GET ") {
				t.Errorf("%s: the check did %s", test.name, call)
			}
		}
	}
}

// The SDK's own fakes take what we send.
func TestSDKFakes(t *testing.T) {
	t.Parallel()
	var made []string
	factory := sdkfake.ServerFactory{
		IncidentsServer: sdkfake.IncidentsServer{
			Get: func(_ context.Context, _, _, _ string, _ *armsecurityinsights.IncidentsClientGetOptions) (resp fake.Responder[armsecurityinsights.IncidentsClientGetResponse], errResp fake.ErrorResponder) {
				errResp.SetResponseError(http.StatusNotFound, "NotFound")
				return resp, errResp
			},
			CreateOrUpdate: func(_ context.Context, group, name, id string, i armsecurityinsights.Incident, _ *armsecurityinsights.IncidentsClientCreateOrUpdateOptions) (resp fake.Responder[armsecurityinsights.IncidentsClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
				made = append(made, "incident in "+group+"/"+name+": "+*i.Properties.Title)
				resp.SetResponse(http.StatusCreated, armsecurityinsights.IncidentsClientCreateOrUpdateResponse{Incident: i}, nil)
				return resp, errResp
			},
		},
		BookmarksServer: sdkfake.BookmarksServer{
			CreateOrUpdate: func(_ context.Context, _, _, _ string, b armsecurityinsights.Bookmark, _ *armsecurityinsights.BookmarksClientCreateOrUpdateOptions) (resp fake.Responder[armsecurityinsights.BookmarksClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
				made = append(made, "bookmark "+*b.Properties.DisplayName)
				resp.SetResponse(http.StatusCreated, armsecurityinsights.BookmarksClientCreateOrUpdateResponse{Bookmark: b}, nil)
				return resp, errResp
			},
		},
		IncidentRelationsServer: sdkfake.IncidentRelationsServer{
			CreateOrUpdate: func(_ context.Context, _, _, _, name string, r armsecurityinsights.Relation, _ *armsecurityinsights.IncidentRelationsClientCreateOrUpdateOptions) (resp fake.Responder[armsecurityinsights.IncidentRelationsClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
				made = append(made, "relation")
				resp.SetResponse(http.StatusCreated, armsecurityinsights.IncidentRelationsClientCreateOrUpdateResponse{Relation: r}, nil)
				return resp, errResp
			},
		},
		IncidentCommentsServer: sdkfake.IncidentCommentsServer{
			CreateOrUpdate: func(_ context.Context, _, _, _, _ string, c armsecurityinsights.IncidentComment, _ *armsecurityinsights.IncidentCommentsClientCreateOrUpdateOptions) (resp fake.Responder[armsecurityinsights.IncidentCommentsClientCreateOrUpdateResponse], errResp fake.ErrorResponder) {
				made = append(made, "comment")
				resp.SetResponse(http.StatusCreated, armsecurityinsights.IncidentCommentsClientCreateOrUpdateResponse{IncidentComment: c}, nil)
				return resp, errResp
			},
		},
	}
	d, err := New(workspace(t), ledger.NewMemory(), credential{}, Options{ClientOptions: azcore.ClientOptions{Transport: sdkfake.NewServerFactoryTransport(&factory)}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Notify(t.Context(), rejection("alice@contoso.example", noon)); err != nil {
		t.Fatal(err)
	}
	want := []string{"incident in soc_eu/logs: MFA rejected by alice@contoso.example", "bookmark MFA rejected by alice@contoso.example", "relation", "comment"}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestComment(t *testing.T) {
	t.Parallel()
	a := rejection("<img src=x onerror=alert(1)>", noon)
	a.Title = "</b><script>x</script>\n[a](https://evil.example)"
	a.Context.Findings = append(a.Context.Findings, alert.Finding{Text: `"><a href="https://evil.example">`})
	a.Context.New = []string{"203.0.113.9"}
	a.CustomDetails = []alert.Detail{{Name: "UserAgents", Values: []string{"&lt;\u202e\x1b[31m", "**b** `c` ~~d~~ | ![x](//evil.example/pixel.png) www.evil.example"}}}
	got := Comment(a, portal.Links{})
	for _, bad := range []string{"[", "](", "!", "*", "`", "~", "|", "<img", "<script", "<a", "\n", "\u202e", "\x1b", "://evil"} {
		if strings.Contains(got, bad) {
			t.Errorf("the comment has %q:\n%s", bad, got)
		}
	}
	for _, want := range []string{"&#60;img", "5 prompts", "203.0.113.9 (new for this account)", "&#38;lt;", "&#91;www.&#93;evil.example"} {
		if !strings.Contains(got, want) {
			t.Errorf("the comment lacks %q:\n%s", want, got)
		}
	}
	for range 1000 {
		a.Context.Timeline = append(a.Context.Timeline, alert.Moment{Time: noon, Text: strings.Repeat("<", 300)})
	}
	if got := Comment(a, portal.Links{}); len(got) > 30_000 || !strings.Contains(got, "Left out, as a comment holds no more: ") || !strings.Contains(got, a.ID) {
		t.Errorf("a long comment has %d bytes", len(got))
	}
}

// What has no width counts all the same. A name that is made of it does not
// keep an incident from being made, nor hide the findings.
func TestWidthless(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	a := rejection("a"+strings.Repeat("\u0301", 40_000), noon)
	a.Description, a.RuleName = a.Title, a.Title
	a.Tactics = append(a.Tactics, a.Title)
	w.notify(w.start(), a)
	for _, i := range w.arm.Incidents() {
		if comment := i.Comments[a.ID]; !strings.Contains(comment, "5 prompts") || !strings.Contains(comment, a.ID) {
			t.Errorf("the comment is %.200s", comment)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"17": 17 * time.Second, "": time.Minute, "x": time.Minute, "1000000000000000000000000000000": time.Hour} {
		d := newWorld(t).start()
		r := &http.Response{Body: http.NoBody, Header: http.Header{"Retry-After": {text}}}
		err := d.failed("x", &azcore.ResponseError{StatusCode: http.StatusTooManyRequests, RawResponse: r})
		if v := notify.Judge(err); v.RetryAfter != want || !v.Shut {
			t.Errorf("Retry-After: %q is %s, want %s", text, v.RetryAfter, want)
		}
	}
}

func FuzzComment(f *testing.F) {
	f.Add("<b>", "https://x")
	f.Fuzz(func(t *testing.T, title, value string) {
		a := rejection(value, noon)
		a.Title = title
		got := Comment(a, portal.Links{NoPortal: true})
		for _, known := range []string{"<br>", "<b>", "</b>"} {
			got = strings.ReplaceAll(got, known, "")
		}
		if strings.ContainsAny(got, "<>\"'`*_[](){}!|~\\^\n\r") || len(got) > mostComment {
			t.Errorf("not inert: %q", got)
		}
	})
}

func TestResult(t *testing.T) {
	t.Parallel()
	a := rejection("alice", noon)
	a.Rows[0] = append(a.Rows[0], alert.Cell{Column: "Big", Value: json.RawMessage(`"` + strings.Repeat("x", mostResult) + `"`)}, alert.Cell{Column: "End", Value: json.RawMessage("1")})
	if got, want := result(a), `{"User":"alice","N":9007199254740993,"End":1,"_leftOut":["Big"]}`; got != want {
		t.Errorf("result %s, want %s", got, want)
	}
	a.Rows = []alert.Row{{{Column: "N", Value: json.RawMessage("1")}}, {{Column: "N", Value: json.RawMessage("2")}}, {{Column: "N", Value: json.RawMessage(`"` + strings.Repeat("x", mostResult) + `"`)}}}
	if got, want := result(a), `{"N":1,"_moreRows":[{"N":2}],"_rowsLeftOut":1}`; got != want {
		t.Errorf("result %s, want %s", got, want)
	}
	a.Rows = nil
	if result(a) != "{}" {
		t.Error("an alert without rows has a result")
	}
}

func TestParseWorkspace(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", testWorkspace, workspace(t).String() + "/", strings.Replace(workspace(t).String(), "0001", "001", 1),
		strings.Replace(workspace(t).String(), "logs", "a/../b", 1)} {
		if w, err := ParseWorkspace(bad); err == nil || !strings.Contains(err.Error(), WorkspaceForm) {
			t.Errorf("%q is %v: %v", bad, w, err)
		}
	}
	if w := workspace(t); !slices.Equal([]string{w.Subscription, w.Group, w.Name}, []string{"00000000-0000-0000-0000-000000000001", "soc_eu", "logs"}) {
		t.Errorf("%v", fmt.Sprint(w))
	}
}

// Times that nobody knows are left out of what is said and of what is sent. The
// service would take them for the year 1, and show every alert of the incident
// as two thousand years long.
func TestNoTimes(t *testing.T) {
	t.Parallel()
	a := rejection("ana@fabrikam.example", noon)
	a.Window, a.Span, a.Created = alert.Span{}, alert.Span{}, time.Time{}
	a.Activities[0].Previously = []alert.Span{{}}
	a.Entities = append(a.Entities, alert.Entity{Type: "Host"})
	a.Updates = &alert.Reference{Title: "the first"}
	a.Context.Timeline = []alert.Moment{{Text: "no time"}}
	comment := Comment(a, portal.Links{})
	for _, bad := range []string{"0001", "unknown time", "Host"} {
		if strings.Contains(comment, bad) {
			t.Errorf("the comment has %q:\n%s", bad, comment)
		}
	}
	if !strings.Contains(comment, "&bull; no time") {
		t.Errorf("the comment lacks the moment:\n%s", comment)
	}
	incident := newIncident(a)
	later, changed := update(incident, rejection("ana@fabrikam.example", noon), nil, false)
	for name, sent := range map[string]any{"the incident": incident, "the bookmark": bookmarkOf(a, nil)} {
		text, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "0001-01-01") {
			t.Errorf("%s is of the year 1: %s", name, text)
		}
	}
	if first := later.Properties.FirstActivityTimeUTC; !changed || first == nil || !first.Equal(noon) {
		t.Errorf("an alert with times, %t, leaves the incident begin at %v", changed, first)
	}
	if again, changed := update(later, a, nil, false); changed || !again.Properties.FirstActivityTimeUTC.Equal(noon) {
		t.Errorf("an alert without times moves it to %v", again.Properties.FirstActivityTimeUTC)
	}
}
