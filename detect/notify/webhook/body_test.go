package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
)

const healthRule = "00000000-aaaa-bbbb-cccc-000000000001"

var sampleLinks = portal.Links{Portal: portal.Defender, Build: "v1.2.3"}

// sampleAlert has one of everything.
func sampleAlert() alert.Alert {
	start := time.Date(2026, 3, 17, 1, 28, 6, 673_638_600, time.FixedZone("east", 3600))
	span := alert.Span{Start: start, End: start.Add(94 * time.Second)}
	score := int64(7)
	cell := func(column, value string) alert.Cell {
		return alert.Cell{Column: column, Value: json.RawMessage(value)}
	}
	return alert.Alert{
		ID: "f02d67a6-2b62-52a6-932d-c872ced20441", RuleID: "d99cf5c3-d660-436c-895b-8a8f8448da23", RuleName: "MFA Rejected by User", RuleVersion: "1.0.0",
		Title: "MFA rejected by yael@fabrikam.example", Description: "Two prompts refused.\n  Ask the user.",
		Card:     &alert.Card{Headline: "MFA rejected by yael@fabrikam.example", Facts: []alert.CardFact{{Label: "Office", Values: []string{"<Cluj>", "Iași"}}}, Guidance: "Call the user."},
		Severity: alert.High,
		Tactics:  []string{"InitialAccess"}, Techniques: []string{"T1078.004"}, Guidance: "https://wiki.fabrikam.example/mfa?a=1&b=2",
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "yael@fabrikam.example"}, {Identifier: "AadUserId", Value: "c99538cd-283f-4c3a-8bce-8b4f8a79b8f9"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.66"}}},
		},
		CustomDetails: []alert.Detail{{Name: "Rejections", Values: []string{"2"}}, {Name: "Apps", Values: []string{"Office <365>", "Teams"}}},
		Properties:    []alert.Property{{Name: "AlertLink", Value: "https://evil.example/"}},
		Window:        alert.Span{Start: start.Truncate(time.Hour), End: start.Truncate(time.Hour).Add(time.Hour)},
		Span:          span,
		Activities:    []alert.Activity{{Span: span, Previously: []alert.Span{{Start: start.Add(-time.Hour), End: start}}}},
		Rows:          []alert.Row{{cell("User", `"yael"`), cell("Big", "9007199254740993"), cell("Tags", `{"a":[1,null]}`), cell("Nothing", "null")}},
		Notes:         []string{"The severity is the rule's."},
		Updates:       &alert.Reference{ID: "1", Title: "MFA rejected", Created: start.Add(-time.Hour), News: "success-same-ip"},
		Storm:         &alert.Storm{Alerts: 3, Identities: 2, Rows: 4, Limit: 1},
		Context: &alert.Context{
			Findings:     []alert.Finding{{Kind: "success-same-ip", Text: "signed in from the same address", Reason: "signed in from the same address 3 min after rejecting", Time: start, Address: "203.0.113.66"}, {Kind: "bombing", Text: "28 prompts", Weak: true}},
			RuleSeverity: alert.Medium, Steps: []alert.Step{{Severity: alert.High, Kind: "success-same-ip", Text: "signed in from the same address"}},
			RiskScore: &score, Asked: &alert.Asked{Prompts: 4, Rejected: 2}, New: []string{"RO"},
			Sections:    []alert.Section{{Title: "Identity", Subject: "yael", Facts: []alert.Detail{{Name: "Job title", Values: []string{"Research Lead"}}}}},
			Timeline:    []alert.Moment{{Time: start, Kind: "rejected", Text: "rejected a prompt", Count: 2}},
			Unavailable: []string{"UEBA: table BehaviorAnalytics does not exist"},
		},
		Created: start.Add(time.Hour), SentAt: start.Add(2 * time.Hour),
	}
}

func sampleHeartbeat() notify.Heartbeat {
	now := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	return notify.Heartbeat{Since: now.Add(-30 * 24 * time.Hour), Now: now, Rules: []string{"MFA Rejected by User"}, LastRun: now.Add(-time.Minute), Reported: 3, HeldBack: 1,
		More: true, Uncounted: true, Wrong: []string{"The rule \"x\" fails"}}
}

// mustBody writes a message and reads it back. Whatever it is, it keeps to the
// schema, which names all that is in it.
func mustBody(t testing.TB, m message) map[string]any {
	t.Helper()
	body, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	return checkBody(t, body)
}

func checkBody(t testing.TB, body []byte) map[string]any {
	t.Helper()
	if len(body) > mostBody {
		t.Errorf("%d bytes", len(body))
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	s, err := compiled()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(value); err != nil {
		t.Errorf("%v\n%.3000s", err, body)
	}
	return value.(map[string]any)
}

// compiled is the schema as it is published, but that it takes nothing that it does
// not name.
var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		return nil, err
	}
	root := document.(map[string]any)
	for _, branch := range []string{"then", "else"} {
		walkSchema(root[branch], func(_ string, s map[string]any) {
			if _, open := s["additionalProperties"]; s["properties"] != nil && !open {
				s["additionalProperties"] = false
			}
		})
		delete(root[branch].(map[string]any), "additionalProperties")
	}
	root["unevaluatedProperties"] = false
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", document); err != nil {
		return nil, err
	}
	return c.Compile("schema.json")
})

// walkSchema calls f with each schema of an object, and with where it is.
func walkSchema(s any, f func(at string, s map[string]any)) { walkFrom("", s, f) }

func walkFrom(at string, s any, f func(string, map[string]any)) {
	object, ok := s.(map[string]any)
	if !ok {
		return
	}
	f(at, object)
	walkFrom(at+"[]", object["items"], f)
	walkFrom(at, object["then"], f)
	walkFrom(at, object["else"], f)
	properties, _ := object["properties"].(map[string]any)
	for name, p := range properties {
		walkFrom(at+"."+name, p, f)
	}
}

func TestAlertBody(t *testing.T) {
	t.Parallel()
	body, err := bodyOf(sampleAlert(), kindUpdate, Options{Links: sampleLinks}).encode()
	if err != nil {
		t.Fatal(err)
	}
	got := checkBody(t, body)
	links := got["links"].([]any)
	if last := links[len(links)-1].(map[string]any); last["title"] != portal.Guidance || last["url"] != "https://wiki.fabrikam.example/mfa?a=1&b=2" {
		t.Errorf("the last link is %v", last)
	}
	delete(got, "links")
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"activity":{"end":"2026-03-17T00:29:40.6736386Z","start":"2026-03-17T00:28:06.6736386Z"},"build":"v1.2.3",` +
		`"context":{"new":["RO"],"prompts":{"prompts":4,"rejected":2},"riskScore":7,` +
		`"sections":[{"facts":[{"name":"Job title","values":["Research Lead"]}],"subject":"yael","title":"Identity"}],` +
		`"timeline":[{"count":2,"kind":"rejected","text":"rejected a prompt","time":"2026-03-17T00:28:06.6736386Z"}],` +
		`"unavailable":["UEBA: table BehaviorAnalytics does not exist"]},` +
		`"customDetails":{"Apps":["Office \u003c365\u003e","Teams"],"Rejections":["2"]},"description":"Two prompts refused.\n  Ask the user.",` +
		`"entities":[{"fields":{"AadUserId":"c99538cd-283f-4c3a-8bce-8b4f8a79b8f9","FullName":"yael@fabrikam.example"},"type":"Account"},{"fields":{"Address":"203.0.113.66"},"type":"IP"}],` +
		`"facts":[{"name":"Office","values":["\u003cCluj\u003e","Iași"]}],` +
		`"findings":[{"address":"203.0.113.66","kind":"success-same-ip","text":"signed in from the same address","time":"2026-03-17T00:28:06.6736386Z"},{"kind":"bombing","text":"28 prompts","weak":true}],"guidance":"Call the user.",` +
		`"headline":"Update: MFA rejected by yael@fabrikam.example","id":"f02d67a6-2b62-52a6-932d-c872ced20441",` +
		`"notes":["The severity is the rule's."],"previously":[{"end":"2026-03-17T00:28:06.6736386Z","start":"2026-03-16T23:28:06.6736386Z"}],` +
		`"properties":{"AlertLink":"https://evil.example/"},"rowCount":1,"rows":[{"Big":9007199254740993,"Nothing":null,"Tags":{"a":[1,null]},"User":"yael"}],` +
		`"rule":{"id":"d99cf5c3-d660-436c-895b-8a8f8448da23","name":"MFA Rejected by User","version":"1.0.0"},"sentAt":"2026-03-17T02:28:06.6736386Z",` +
		`"severity":"High","severityOfRule":"Medium","severityReason":"Medium → High: signed in from the same address",` +
		`"severitySteps":[{"finding":"success-same-ip","severity":"High","text":"signed in from the same address"}],` +
		`"storm":{"alerts":3,"identities":2,"limit":1,"rows":4},"tactics":["InitialAccess"],"techniques":["T1078.004"],` +
		`"timestamp":"2026-03-17T01:28:06.6736386Z","title":"MFA rejected by yael@fabrikam.example","type":"alert.update",` +
		`"updates":{"created":"2026-03-16T23:28:06.6736386Z","id":"1","news":"success-same-ip","title":"MFA rejected"},"version":1,` +
		`"window":{"end":"2026-03-17T01:00:00Z","start":"2026-03-17T00:00:00Z"}}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// A page that has it in a script takes nothing in it for more.
	if bytes.ContainsAny(body, "<>&") {
		t.Errorf("not escaped: %s", body)
	}
}

// What an alert does not have is an empty list, or not there.
func TestEmptyAlert(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	got := mustBody(t, bodyOf(alert.Alert{}, kindAlert, Options{Now: func() time.Time { return now }}))
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"customDetails":{},"entities":[],"findings":[],"headline":"","id":"` + alert.NewGUID(Name, "") + `","links":[],"rowCount":0,"rows":[],"rule":{"id":"","name":""},` +
		`"severity":"Informational","severityOfRule":"Informational","severityReason":"set by the rule","severitySteps":[],"tactics":[],"techniques":[],"timestamp":"2026-03-17T10:00:00Z","title":"","type":"alert","version":1}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeartbeatBody(t *testing.T) {
	t.Parallel()
	h := sampleHeartbeat()
	got := mustBody(t, heartbeatOf(h, Options{Links: sampleLinks}))
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"build":"v1.2.3","headline":"Pushback runs, and 1 thing is wrong","heartbeat":{"atLeast":true,"heldBack":1,"lastRun":"2026-03-17T09:59:00Z","reported":3,"rules":["MFA Rejected by User"],` +
		`"since":"2026-02-15T10:00:00Z","uncounted":true,"wrong":["The rule \"x\" fails"]},"id":"` + heartbeatOf(h, Options{}).id() + `","timestamp":"2026-03-17T10:00:00Z","type":"heartbeat","version":1}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	h.Wrong = nil
	if got := mustBody(t, heartbeatOf(h, Options{})); got["headline"] != "Pushback runs, and all is well" {
		t.Errorf("%v", got)
	}
	h.LastRun, h.Rules = time.Time{}, nil
	if got := mustBody(t, heartbeatOf(h, Options{})); got["headline"] != "Pushback has not run a rule yet" {
		t.Errorf("%v", got)
	}
	later := h
	later.Now = h.Now.Add(time.Hour)
	if heartbeatOf(h, Options{}).id() == heartbeatOf(later, Options{}).id() {
		t.Error("two heartbeats have one id")
	}
	h.Wrong = slices.Repeat([]string{strings.Repeat("\x00", 3000)}, 1000)
	if got := mustBody(t, heartbeatOf(h, Options{})); !slices.Equal(got["shortened"].([]any), []any{"wrong"}) {
		t.Errorf("%v is shortened", got["shortened"])
	}
}

// The type says what a message is about, and its id is the alert's.
func TestTypes(t *testing.T) {
	t.Parallel()
	w := &Webhook{options: Options{HealthRule: healthRule}}
	first, update := sampleAlert(), sampleAlert()
	first.Updates = nil
	update.ID = "a02d67a6-2b62-52a6-932d-c872ced20441"
	health := first
	health.RuleID = healthRule
	over := health
	over.Updates = update.Updates
	odd := first
	odd.ID = "x.1614265330.{}\r\nX: y"
	for _, tc := range []struct {
		a    alert.Alert
		want kind
		id   string
	}{
		{first, kindAlert, first.ID},
		{update, kindUpdate, update.ID},
		{health, kindHealth, health.ID},
		{over, kindHealth, over.ID},
		{odd, kindAlert, alert.NewGUID(Name, odd.ID)},
	} {
		m := bodyOf(tc.a, w.kindOf(tc.a), w.options)
		if got := mustBody(t, m); got["type"] != string(tc.want) || got["id"] != tc.id || m.id() != tc.id {
			t.Errorf("%v: %v, want %s and %s", got["id"], got["type"], tc.want, tc.id)
		}
	}
}

// What is in no body is not in the schema: each property of it is somewhere.
func TestSchemaIsUsed(t *testing.T) {
	t.Parallel()
	var document any
	if err := json.Unmarshal(Schema(), &document); err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	walkSchema(document, func(at string, _ map[string]any) { unused[at] = true })
	if len(unused) < 60 {
		t.Errorf("only %d are looked at", len(unused))
	}
	long := sampleAlert()
	long.Title = strings.Repeat("x", 5000)
	for _, m := range []message{bodyOf(long, kindUpdate, Options{Links: sampleLinks}), heartbeatOf(sampleHeartbeat(), Options{Links: sampleLinks})} {
		seen("", mustBody(t, m), unused)
	}
	if len(unused) > 0 {
		t.Errorf("in the schema and in no body: %q", slices.Sorted(maps.Keys(unused)))
	}
}

// seen takes what is in a value out of the names.
func seen(at string, value any, unused map[string]bool) {
	delete(unused, at)
	switch value := value.(type) {
	case map[string]any:
		for name, v := range value {
			seen(at+"."+name, v, unused)
		}
	case []any:
		for _, v := range value {
			seen(at+"[]", v, unused)
		}
	}
}

// However large an alert is, its body is not, says what is shortened, and has some
// of everything that says whom it is about and why.
func TestLargeAlerts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 60, 5000} {
		for _, of := range []string{"x", "\x00", "陳", "<"} {
			a := sampleAlert()
			huge := strings.Repeat(of, n)
			a.Title, a.Description, a.RuleName, a.RuleVersion = huge, huge, huge, huge
			a.Guidance = "https://wiki.fabrikam.example/" + strings.Repeat("x", 3*n)
			for i := range n {
				name := fmt.Sprint(i) + huge
				a.Entities = append(a.Entities, alert.Entity{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: huge}, {Identifier: "HostName", Value: "2"}}})
				a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: name, Values: []string{huge, "2"}})
				a.Properties = append(a.Properties, alert.Property{Name: name, Value: huge})
				value, err := json.Marshal(map[string]string{"a": huge})
				if err != nil {
					t.Fatal(err)
				}
				a.Rows = append(a.Rows, alert.Row{{Column: name, Value: value}, {Column: "Odd", Value: json.RawMessage(`{"a":`)}, {Column: "None"}})
				a.Notes = append(a.Notes, huge)
				a.Context.Findings = append(a.Context.Findings, alert.Finding{Kind: alert.FindingKind(huge), Text: huge})
				a.Context.Sections = append(a.Context.Sections, alert.Section{Title: huge, Subject: huge, Facts: slices.Repeat([]alert.Detail{{Name: huge, Values: []string{huge}}}, min(n, 20))})
				if len(a.Rows) == 100 { // more is the same
					break
				}
			}
			got := mustBody(t, bodyOf(a, kindAlert, Options{Links: sampleLinks}))
			if !strings.HasPrefix(got["headline"].(string), "Update: ") || len(got["entities"].([]any)) < 2 || len(got["findings"].([]any)) < 2 || fmt.Sprint(got["rowCount"]) != fmt.Sprint(len(a.Rows)) {
				t.Errorf("%d of %q: %q, %d entities", n, of, got["headline"], len(got["entities"].([]any)))
			}
			if shortened := got["shortened"] != nil; !shortened || n > 1 && !slices.Contains(got["shortened"].([]any), any("rows")) {
				t.Errorf("%d of %q: %v is shortened", n, of, got["shortened"])
			}
		}
	}
}

// What a log says is text wherever it is shown, and exact where it is a value.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	const hostile = "\x1b[2J\u202e\n\"}]<script>"
	a := sampleAlert()
	a.Updates, a.Context.Findings, a.Context.Steps = nil, []alert.Finding{{Kind: "bombing", Text: hostile}}, nil
	a.Title = hostile
	a.Entities[0].Fields[0].Value = hostile
	got := mustBody(t, bodyOf(a, kindAlert, Options{}))
	const safe = `\x1b[2J\u202e "}]<script>`
	entity := got["entities"].([]any)[0].(map[string]any)["fields"].(map[string]any)
	finding := got["findings"].([]any)[0].(map[string]any)
	if got["title"] != safe || finding["text"] != safe || entity["FullName"] != hostile || strings.ContainsAny(got["headline"].(string), "\x1b\u202e\n") {
		t.Errorf("%q %q %q %q", got["title"], finding["text"], entity["FullName"], got["headline"])
	}
}

func FuzzBody(f *testing.F) {
	f.Add("a", "b", []byte(`{"c":1}`), int64(0))
	f.Add("\xff", "\u2028", []byte(`{`), int64(1)<<62)
	f.Fuzz(func(t *testing.T, name, value string, cell []byte, at int64) {
		a := sampleAlert()
		a.ID, a.Title, a.Guidance = value, name, value
		a.Entities = append(a.Entities, alert.Entity{Type: name, Fields: []alert.Field{{Identifier: name, Value: value}}})
		a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: name, Values: []string{value}})
		a.Rows = append(a.Rows, alert.Row{{Column: name, Value: cell}})
		a.Span.Start, a.Created, a.Context.Findings[0].Time = time.Unix(at, 0), time.Unix(at, 0), time.Unix(at, 0)
		a.Context.Findings[0].Text, a.Context.Sections[0].Subject = value, name
		if got := mustBody(t, bodyOf(a, kindAlert, Options{Links: sampleLinks})); !idPattern.MatchString(got["id"].(string)) {
			t.Errorf("the id is %q", got["id"])
		}
	})
}
