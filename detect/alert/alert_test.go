package alert

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFingerprint(t *testing.T) {
	t.Parallel()
	user := Field{"AccountName", "alice"}
	base := NewFingerprint("rule", []Field{user, {"IPAddress", "192.0.2.1"}})
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(string(base)) {
		t.Errorf("fingerprint %q is not 32 hexadecimal digits", base)
	}
	if got := NewFingerprint("rule", []Field{{"IPAddress", "192.0.2.1"}, user}); got != base {
		t.Error("the order of the columns changed the fingerprint")
	}
	// It is kept in storage for months: it must not change by accident.
	if want := Fingerprint("eac46f32242f076760a7d1ebf2667206"); base != want {
		t.Errorf("fingerprint = %s, want %s as ever", base, want)
	}
	if got, want := FormerFingerprint("rule", []Field{{"IPAddress", "192.0.2.1"}, user}), Fingerprint("753c7aabdc11f4bfa77d056355b054d1"); got != want {
		t.Errorf("the former fingerprint = %s, want %s as ever", got, want)
	}

	others := map[string]Fingerprint{
		"another rule":              NewFingerprint("rule2", []Field{user, {"IPAddress", "192.0.2.1"}}),
		"another value":             NewFingerprint("rule", []Field{user, {"IPAddress", "192.0.2.2"}}),
		"another case":              NewFingerprint("rule", []Field{{"AccountName", "Alice"}, {"IPAddress", "192.0.2.1"}}),
		"another column":            NewFingerprint("rule", []Field{user, {"IpAddress", "192.0.2.1"}}),
		"one column":                NewFingerprint("rule", []Field{user}),
		"no columns":                NewFingerprint("rule", nil),
		"a value that holds fields": NewFingerprint("rule", []Field{{"AccountName", "alice\x09IPAddress\x09192.0.2.1"}}),
		"a boundary moved":          NewFingerprint("rule", []Field{{"AccountName", "aliceI"}, {"PAddress", "192.0.2.1"}}),
		"values swapped":            NewFingerprint("rule", []Field{{"AccountName", "192.0.2.1"}, {"IPAddress", "alice"}}),
	}
	seen := map[Fingerprint]string{base: "base"}
	for name, f := range others {
		if other, ok := seen[f]; ok {
			t.Errorf("%s has the fingerprint of %s", name, other)
		}
		seen[f] = name
	}
}

func TestNewID(t *testing.T) {
	t.Parallel()
	a := Activity{Fingerprint: "aa", Span: span(0, 1)}
	b := Activity{Fingerprint: "bb", Span: span(2, 3)}
	id := NewID("rule", []Activity{a, b})
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q is not a GUID", id)
	}
	if want := "b8c49f02-8097-908c-4c38-5a969a942712"; id != want {
		t.Errorf("id = %s, want %s as ever: open incidents carry it", id, want)
	}
	if got, want := FormerID("rule", []Activity{b, a}), "17103f30-7537-547f-ba92-94c132f92a44"; got != want {
		t.Errorf("the former id = %s, want %s as ever", got, want)
	}
	if got := NewID("rule", []Activity{b, a}); got != id {
		t.Error("the order of the activities changed the id")
	}
	continued := a
	continued.Previously = []Span{span(-5, 0)}
	zone := b
	zone.Span.Start = zone.Span.Start.In(time.FixedZone("east", 3600))
	if got := NewID("rule", []Activity{continued, zone}); got != id {
		t.Error("what was reported before, or a time zone, changed the id")
	}
	longer := a
	longer.Span.End = longer.Span.End.Add(Resolution)
	for name, other := range map[string]string{
		"another rule":      NewID("rule2", []Activity{a, b}),
		"one activity":      NewID("rule", []Activity{a}),
		"a longer activity": NewID("rule", []Activity{longer, b}),
		"no activity":       NewID("rule", nil),
	} {
		if other == id {
			t.Errorf("%s has the same id", name)
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	want := Alert{
		ID: "id", RuleID: "rule", RuleName: "Rule", RuleVersion: "1.0.0",
		Title: "A \"title\" <b>", Description: "two\nlines", Severity: High,
		Tactics: []string{"InitialAccess"}, Techniques: []string{"T1078.004"},
		Entities:      []Entity{{"Account", []Field{{"Name", "alice"}, {"UPNSuffix", "contoso.example"}}}},
		CustomDetails: []Detail{{"Apps", []string{"Teams", "Portal"}}},
		Properties:    []Property{{"AlertLink", "https://contoso.example/?a=1&b=2"}},
		Window:        span(0, 60), Span: Span{noon.Add(100), noon.Add(time.Hour)},
		Activities: []Activity{{"aa", span(0, 1), []EventID{NewEventID("e")}, []Span{span(-1, 0)}}},
		Rows: []Row{{
			{"Count", json.RawMessage(`9007199254740993`)},
			{"Name", json.RawMessage(`"\u003cb\u003e"`)},
			{"Empty", json.RawMessage(`null`)},
			{"Bag", json.RawMessage(`{"b":1,"a":[true]}`)},
		}},
		Card:  &Card{Headline: "h", Facts: []CardFact{{"L", []string{"v"}, 2}}, Buttons: []CardButton{{"T", "https://h.example/?a=1&b=%3C"}}, Guidance: "g"},
		Notes: []string{"note"}, Created: noon,
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Alert
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after JSON (-want +got):\n%s", diff)
	}
	for _, part := range []string{`"severity":"High"`, `"start":"2026-03-14T12:00:00.0000001Z"`, `9007199254740993`} {
		if !strings.Contains(string(text), part) {
			t.Errorf("the JSON lacks %s:\n%s", part, text)
		}
	}
}

func TestCellText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"a\nb"`: "a\nb", `12`: "12", `null`: "", `[1,"a"]`: `[1,"a"]`, ``: "", `true`: "true",
	} {
		if got := (Cell{Value: json.RawMessage(raw)}).Text(); got != want {
			t.Errorf("Text of %s = %q, want %q", raw, got, want)
		}
	}
	row := Row{{"A", json.RawMessage(`1`)}, {"B", json.RawMessage(`2`)}}
	if c, ok := row.Get("B"); !ok || c.Text() != "2" {
		t.Errorf("Get(B) = %v, %v", c, ok)
	}
	if _, ok := row.Get("b"); ok {
		t.Error("Get ignored the case of a column")
	}
}

func TestPreviously(t *testing.T) {
	t.Parallel()
	a := Alert{Activities: []Activity{
		{"aa", span(5, 9), nil, []Span{span(6, 7)}},
		{"bb", span(0, 6), nil, []Span{span(0, 1), span(5, 6)}},
	}}
	if diff := cmp.Diff([]Span{span(0, 1), span(5, 7)}, a.Previously()); diff != "" {
		t.Errorf("Previously (-want +got):\n%s", diff)
	}
	if got := (Alert{Activities: []Activity{{"aa", span(0, 1), nil, nil}}}).Previously(); got != nil {
		t.Errorf("Previously of news = %v", got)
	}
}

func TestSeverity(t *testing.T) {
	t.Parallel()
	for _, s := range []Severity{Informational, Low, Medium, High} {
		got, err := ParseSeverity(strings.ToUpper(s.String()))
		if err != nil || got != s {
			t.Errorf("ParseSeverity(%v) = %v, %v", s, got, err)
		}
	}
	if _, err := ParseSeverity("Critical"); err == nil {
		t.Error("ParseSeverity took Critical")
	}
	if Severity(9).String() != "Severity(9)" {
		t.Error("an unknown severity has a name")
	}
}
