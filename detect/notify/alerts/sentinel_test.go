package alerts_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/alerts/alertstest"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
)

// hostileTexts are what attackers put into names, and what breaks programs.
var hostileTexts = []string{
	"", " ", "alice@contoso.example", `CORP\alice`, "ADMIN", "O'Brien \"the\" <b>", "{{AlertDescription}}", "{{", "[variables('x')]", `\`, `"`, "'; drop table", "| where false",
	"a\x00b", "\xff\xfe", "\u202egnp.exe", "👨\u200d👩\u200d👧", strings.Repeat("é", 300), strings.Repeat("字", 3000), strings.Repeat("👩", 9000), strings.Repeat("e\u0301", 400), "line\nbreak\r\n- a finding", "a\tb",
	strings.Repeat("x", 70_000), "null", "[]", "{}", "[\"a\"]", "2026-03-17T00:00:00Z", "true", "12345678901234567890", "\u2028", "\ufeff", "=cmd()", "<script>", "#DONT_CORR#", "T1078", "InitialAccess",
}

// hostile is an alert that is made of such.
func hostile(r *rand.Rand, n int, at time.Time) alert.Alert {
	word := func() string {
		text := hostileTexts[r.IntN(len(hostileTexts))]
		if len(text) > 500 && r.IntN(20) > 0 {
			text = "a"
		}
		return text
	}
	some := func(most int, f func()) {
		for range r.IntN(most + 1) {
			f()
		}
	}
	rules := rule.Shipped()
	a := alert.Alert{
		RuleID: rules[n%2].ID, RuleName: word(), RuleVersion: word(), Title: word(), Description: word(), Severity: alert.Severity(r.IntN(4)), Guidance: "https://contoso.example/" + strings.Repeat("a", r.IntN(400)),
		Span: alert.Span{Start: at.Add(-time.Hour), End: at}, Created: at,
	}
	if r.IntN(10) == 0 {
		a.Span, a.Created = alert.Span{}, time.Time{}
	}
	some(4, func() { a.Tactics = append(a.Tactics, []string{"InitialAccess", "Persistence", word()}[r.IntN(3)]) })
	some(4, func() { a.Techniques = append(a.Techniques, []string{"T1078", "T1078.004", word()}[r.IntN(3)]) })
	entities := 6
	if r.IntN(50) == 0 {
		entities = 900
	}
	some(entities, func() {
		kinds := []string{"Account", "IP", "Host", "URL", "File", "Process", "Mailbox", word()}
		e := alert.Entity{Type: kinds[r.IntN(len(kinds))]}
		some(4, func() {
			names := []string{"FullName", "Name", "UPNSuffix", "AadUserId", "Address", "HostName", "Url", "Type", word()}
			e.Fields = append(e.Fields, alert.Field{Identifier: names[r.IntN(len(names))], Value: word()})
		})
		a.Entities = append(a.Entities, e)
	})
	some(25, func() {
		d := alert.Detail{Name: fmt.Sprint("Detail", len(a.CustomDetails))}
		if r.IntN(10) == 0 {
			d.Name = word()
		}
		some(70, func() { d.Values = append(d.Values, word()) })
		a.CustomDetails = append(a.CustomDetails, d)
	})
	if r.IntN(2) == 0 {
		a.Context = &alert.Context{RuleSeverity: alert.Low, Steps: []alert.Step{{Severity: a.Severity, Text: word()}}}
		some(30, func() { a.Context.Findings = append(a.Context.Findings, alert.Finding{Text: word()}) })
	}
	some(3, func() { a.Notes = append(a.Notes, word()) })
	some(3, func() {
		a.Properties = append(a.Properties, alert.Property{Name: []string{"AlertLink", "RemediationSteps", word()}[r.IntN(3)], Value: []string{"https://contoso.example/" + strings.Repeat("b", r.IntN(400)), word()}[r.IntN(2)]})
	})
	if r.IntN(5) == 0 {
		a.Updates = &alert.Reference{ID: word(), Title: word(), Severity: alert.Severity(r.IntN(4)), Created: at}
	}
	a.Activities = []alert.Activity{{Fingerprint: alert.NewFingerprint(a.RuleID, []alert.Field{{Identifier: "n", Value: fmt.Sprint(n)}}), Span: a.Span}}
	a.ID = alert.NewID(a.RuleID, a.Activities)
	return a
}

// sentinelRules has the rules of the template run.
func (w *world) sentinelRules() {
	template := alertstest.ReadTemplate(w.t)
	w.sentinel.Rules, w.sentinel.EntitiesColumn = template.Rules(w.t), template.EntitiesColumn(w.t)
}

// checkAlert compares Sentinel's alert with the one that went in.
func checkAlert(t *testing.T, in alert.Alert, out alertstest.Alert, story string) {
	t.Helper()
	same := func(what, got, want string, most int) {
		t.Helper()
		if got == want && len(got) <= most {
			return
		}
		head, cut := strings.CutSuffix(got, "…")
		if !cut || !strings.HasPrefix(want, head) || len(got) > most || len(want) <= most || !utf8.ValidString(got) {
			t.Errorf("alert %s: %s is %.80q, want %.80q", in.ID, what, got, want)
		}
	}
	title := text.Safe(text.Line(in.Title))
	if strings.TrimSpace(title) == "" {
		title = "Alert " + in.ID
	}
	same("the title", out.Title, title, 256)
	severity := in.Severity
	if in.Updates != nil {
		severity = max(severity, in.Updates.Severity)
	}
	if out.Severity != severity.String() {
		t.Errorf("alert %s is %s, want %s", in.ID, out.Severity, severity)
	}
	var tactics, techniques []string
	for _, tactic := range in.Tactics {
		if rule.IsTactic(tactic) && !slices.Contains(tactics, tactic) {
			tactics = append(tactics, tactic)
		}
	}
	for _, technique := range in.Techniques {
		if parent, _, _ := strings.Cut(technique, "."); rule.IsTechnique(technique) && !slices.Contains(techniques, parent) {
			techniques = append(techniques, parent)
		}
	}
	if !slices.Equal(out.Tactics, tactics) || !slices.Equal(out.Techniques, techniques) {
		t.Errorf("alert %s has %q and %q, want %q and %q", in.ID, out.Tactics, out.Techniques, tactics, techniques)
	}
	if !slices.Equal(out.Details[alerts.DetailAlert], []string{in.ID}) || !slices.Equal(out.Details[alerts.DetailStory], []string{story}) || story == "" {
		t.Errorf("alert %s of story %s has %v", in.ID, story, out.Details)
	}
	left := strings.Join(out.Details[alerts.DetailLeftOut], "; ")
	_, said, _ := strings.Cut(out.Description, "Left out, as an alert holds no more: ")
	for _, d := range in.CustomDetails {
		name := text.CutBytes(text.Safe(text.Line(d.Name)), 60)
		there := slices.ContainsFunc(out.Details[alerts.DetailDetails], func(line string) bool { return strings.HasPrefix(line, name+": ") })
		if !there && (!strings.Contains(left, "custom details ") || !strings.Contains(said, name) && !strings.HasSuffix(said, "…")) {
			t.Errorf("alert %s lacks the detail %q and does not say so: %s: %s", in.ID, name, left, said)
		}
	}
	// Every entity is there with all that identifies it, or it is said how many are not.
	var values []string
	for _, e := range out.Entities {
		for name, value := range e {
			if name != "Type" {
				values = append(values, fmt.Sprint(value))
			}
		}
	}
	if !strings.Contains(left, "entities") {
		for _, e := range in.Entities {
			for _, f := range e.Fields {
				if f.Identifier == "AadUserId" || f.Identifier == "Address" {
					want := strings.ToValidUTF8(f.Value, "\uFFFD")
					if len(want) <= 900 && want != "" && !slices.Contains(values, want) && !duplicated(e, f.Identifier) {
						t.Errorf("alert %s lacks the entity %q", in.ID, want)
					}
				}
			}
		}
	}
	if !strings.Contains(out.Description, text.CutBytes(text.Safe(text.Line(in.Description)), 100)[:min(20, len(text.CutBytes(text.Safe(text.Line(in.Description)), 100)))]) {
		t.Errorf("alert %s says %.80q", in.ID, out.Description)
	}
}

func duplicated(e alert.Entity, identifier string) bool {
	n := 0
	for _, f := range e.Fields {
		if f.Identifier == identifier {
			n++
		}
	}
	return n > 1
}

// storyOf returns the story of a row.
func (w *world) storyOf(id string) string {
	for _, r := range w.ingestion.Records() {
		if r.Text("AlertId") == id {
			return r.Text("Story")
		}
	}
	return ""
}

// Ten thousand hostile alerts come out of Sentinel as they went in, within every
// limit: nothing is dropped without a word.
func TestHostileAlertsComeOut(t *testing.T) {
	t.Parallel()
	const total, parts = hostileAlerts, 4
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.sentinelRules()
			r := rand.New(rand.NewPCG(uint64(part), 7))
			d := w.start()
			w.now = noon
			for n := 0; n < total/parts; n += alerts.MostPer {
				in := map[string]alert.Alert{}
				var list []alert.Alert
				for i := range alerts.MostPer {
					a := hostile(r, n+i+part*total, w.now)
					in[a.ID] = a
					list = append(list, a)
				}
				for i, o := range d.Deliver(t.Context(), list, w.now) {
					if o.Err != nil {
						t.Fatalf("alert %s: %v", list[i].ID, o.Err)
					}
				}
				before := len(w.sentinel.Alerts())
				w.pass(2 * alerts.Every)
				out := w.sentinel.Alerts()[before:]
				if len(out) != len(list) {
					t.Fatalf("%d alerts of %d", len(out), len(list))
				}
				for _, a := range out {
					id := strings.Join(a.Details[alerts.DetailAlert], "")
					checkAlert(t, in[id], a, w.storyOf(id))
				}
				if p := append(w.ingestion.Problems(), w.sentinel.Problems()...); len(p) > 0 {
					t.Fatalf("what the services say to nobody: %q", p)
				}
				w.ingestion.Forget()
				if t.Failed() {
					return
				}
			}
		})
	}
}

// A row is one alert however often it is there, whenever it was ingested, and
// whatever the time of a run is to the service.
func TestARowIsOneAlert(t *testing.T) {
	t.Parallel()
	for _, behind := range []bool{false, true} {
		for _, late := range []time.Duration{0, 5 * time.Minute} {
			t.Run(fmt.Sprint(behind, " ", late), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.sentinelRules()
				w.sentinel.Late, w.sentinel.Behind = late, behind
				r := rand.New(rand.NewPCG(1, uint64(late)))
				w.ingestion.Delay = func() time.Duration { return time.Duration(r.IntN(40)) * time.Minute / 2 }
				s := w.sender()
				var ids []string
				for minute := range 6 * 60 {
					if minute < 4*60 && minute%3 == 0 {
						id := alert.NewGUID("test", fmt.Sprint(minute))
						row := alerts.Row{TimeGenerated: w.now, AlertID: id, Title: id, Description: "d", Severity: "Low", Tactics: []string{}, Techniques: []string{}, Entities: []alerts.Entity{}, Details: []string{}, LeftOut: []string{}, Story: id, CreateIncident: minute%2 == 0}
						ids = append(ids, id)
						for range 1 + r.IntN(3) { // and later again
							if err := s.Send(t.Context(), []alerts.Row{row}); err != nil {
								t.Fatal(err)
							}
						}
					}
					w.advance(time.Minute)
					if w.now.Minute()%5 == 0 {
						if err := w.sentinel.Run(t.Context(), w.now.Add(-late)); err != nil {
							t.Fatal(err)
						}
					}
				}
				got := map[string]int{}
				for _, a := range w.sentinel.Alerts() {
					got[a.Title]++
				}
				for _, id := range ids {
					if got[id] != 1 {
						t.Errorf("alert %s came out %d times", id, got[id])
					}
				}
			})
		}
	}
}

// An alert of more than the services hold is cut, and says what it lacks.
func TestMoreThanFits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sentinelRules()
	a := rejection("alice@contoso.example", noon)
	a.Title, a.Description = strings.Repeat("字", 200), strings.Repeat("é", 4000)
	a.Tactics = append(a.Tactics, "Nonsense")
	a.Guidance = "https://contoso.example/" + strings.Repeat("x", 300)
	for i := range 700 {
		a.Entities = append(a.Entities, alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: fmt.Sprintf("10.0.%d.%d", i/250, i%250)}}})
	}
	for i := range 30 {
		a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: fmt.Sprint("Detail", i), Values: []string{strings.Repeat("v", 280)}})
	}
	if err := w.start().Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Minute)
	out := w.sentinel.Alerts()
	if len(out) != 1 || len(w.sentinel.Problems())+len(w.ingestion.Problems()) > 0 {
		t.Fatalf("%d alerts, %q %q", len(out), w.sentinel.Problems(), w.ingestion.Problems())
	}
	if got := out[0]; len(got.Title) != 255 || len(got.Entities) != 500 || got.Link != "" || got.Steps != "" {
		t.Errorf("the title has %d bytes, there are %d entities, the link is %q", len(got.Title), len(got.Entities), got.Link)
	}
	left := strings.Join(out[0].Details[alerts.DetailLeftOut], "; ")
	for _, want := range []string{"tactic Nonsense", "AlertLink", "202 of 702 entities"} {
		if !strings.Contains(left, want) || !strings.Contains(out[0].Description, want) {
			t.Errorf("it does not say that it lacks %s: %s", want, left)
		}
	}
	var details map[string][]string
	if err := json.Unmarshal(w.ingestion.Records()[0].Row["CustomDetails"], &details); err != nil || len(details) != 32 {
		t.Errorf("the row has %d details: %v", len(details), err)
	}
}

// What an alert looks like when it comes out.
func TestAnAlertComesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sentinelRules()
	a := rejection("alice@contoso.example", noon)
	a.Context = &alert.Context{RuleSeverity: alert.Low, Findings: []alert.Finding{{Text: "14 prompts within an hour"}}, Steps: []alert.Step{{Severity: alert.Medium, Text: "14 prompts"}}}
	if err := w.start().Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	w.pass(10 * time.Minute)
	got := w.sentinel.Alerts()[0]
	got.ID, got.Time = "", time.Time{}
	want := alertstest.Alert{
		Rule: "Pushback alerts", Title: "MFA rejected by alice@contoso.example", Severity: "Medium", Tactics: []string{"InitialAccess"}, Techniques: []string{"T1078"},
		Description: "A user rejected a prompt.\nWhen: 2026-03-17 11:59–12:00 UTC\n- 14 prompts within an hour\nSeverity: Low → Medium: 14 prompts",
		Entities:    []map[string]any{{"Type": "account", "Name": "alice", "UPNSuffix": "contoso.example", "AadUserId": "00000000-0000-0000-0000-000000000001"}, {"Type": "ip", "Address": "203.0.113.9"}},
		Details: map[string][]string{"AlertId": {a.ID}, "Story": {w.storyOf(a.ID)}, "Rule": {"MFA Rejected by User"}, "UpdateOf": {""}, "Build": {"v1"},
			"Details": {"Rejections: 3", "Apps: Office, Azure Portal"}, "LeftOut": {}},
		Link: "https://contoso.example/runbook", Steps: "Follow https://contoso.example/runbook",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the alert (-want +got):\n%s", diff)
	}
}
