package text

import (
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
)

func TestLate(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 3, 17, 10, 5, 0, 0, time.UTC)
	for _, test := range []struct {
		after time.Duration
		want  string
	}{
		{0, ""},
		{-time.Hour, ""},
		{20 * time.Second, "Sent 1 min late: Pushback found it at 2026-03-17 10:05 UTC"},
		{11 * time.Minute, "Sent 11 min late: Pushback found it at 2026-03-17 10:05 UTC"},
		{2 * time.Hour, "Sent 2 h late: Pushback found it at 2026-03-17 10:05 UTC"},
		{3*time.Hour + 20*time.Minute, "Sent 3 h 20 min late: Pushback found it at 2026-03-17 10:05 UTC"},
		{50*time.Hour + 20*time.Minute, "Sent 2 d 2 h late: Pushback found it at 2026-03-17 10:05 UTC"},
	} {
		if got := Late(alert.Alert{Created: made, SentAt: made.Add(test.after)}); got != test.want {
			t.Errorf("after %s: %q, want %q", test.after, got, test.want)
		}
	}
	if got := Late(alert.Alert{Created: made}); got != "" {
		t.Errorf("in time: %q", got)
	}
	if got := Late(alert.Alert{SentAt: made}); got != "" {
		t.Errorf("made at no time: %q", got)
	}
}

// What every destination says in the same words.
func TestSentences(t *testing.T) {
	t.Parallel()
	at := func(minute int) time.Time { return time.Date(2026, 3, 17, 10, minute, 0, 0, time.UTC) }
	mark := func(s string) string { return "<" + s + ">" }
	continues := func(spans ...alert.Span) string {
		return Continues(alert.Alert{Activities: []alert.Activity{{Previously: spans}}})
	}
	context := &alert.Context{RuleSeverity: alert.Medium, New: []string{"BG"}, Steps: []alert.Step{{Severity: alert.High, Kind: "bombing", Text: "5 prompts"}, {Severity: alert.Low, Kind: "known-device"}}}
	back := &alert.Context{RuleSeverity: alert.Medium, Steps: []alert.Step{{Severity: alert.High, Text: "a"}, {Severity: alert.Medium, Text: "b"}}}
	up := &alert.Context{RuleSeverity: alert.Low, Steps: []alert.Step{{Severity: alert.Medium, Text: "a"}, {Severity: alert.High, Text: "b"}}}
	entity := func(values ...string) string {
		e := alert.Entity{Type: "Account"}
		for i, identifier := range []string{"FullName", "Name", "UPNSuffix", "AadUserId"}[:len(values)] {
			e.Fields = append(e.Fields, alert.Field{Identifier: identifier, Value: values[i]})
		}
		var names []string
		for _, f := range Identifiers(e) {
			names = append(names, f.Identifier)
		}
		return strings.Join(names, " ")
	}
	items := func(most int, items ...string) string {
		return strings.Join(List(items, most, func(s string) string { return strings.Trim(s, "-") }), ", ")
	}
	for _, test := range []struct{ name, got, want string }{
		{"nothing before", continues(), ""},
		{"at a time that is not known", continues(alert.Span{}), ""},
		{"one time", continues(alert.Span{Start: at(0), End: at(5)}), "Continues what was reported for 2026-03-17 10:00–10:05 UTC"},
		{"two", continues(alert.Span{Start: at(0), End: at(5)}, alert.Span{Start: at(7), End: at(8)}), "Continues what was reported for 2026-03-17 10:00–10:05 and 1 other time UTC"},
		{"three, and one not known", continues(alert.Span{}, alert.Span{Start: at(0), End: at(5)}, alert.Span{Start: at(7), End: at(8)}, alert.Span{Start: at(10), End: at(11)}),
			"Continues what was reported for 2026-03-17 10:00–10:05 and 2 other times UTC"},
		{"an update", UpdateOf(alert.Reference{Title: "x", Created: at(5)}, mark), "Update of what was reported 2026-03-17 10:05 UTC: “<x>”"},
		{"an update of what has no time", UpdateOf(alert.Reference{Title: "x"}, mark), "Update of “<x>”"},
		{"steps", Steps(context, mark), "Medium → Low: <5 prompts>; <known-device>"},
		{"steps up", Steps(up, mark), "Low → High: <a>; <b>"},
		{"steps up and back", Steps(back, mark), "Medium → High → Medium: <a>; <b>"},
		{"no steps", Steps(&alert.Context{RuleSeverity: alert.Medium}, mark), ""},
		{"no context", Steps(nil, mark), ""},
		{"a new place", NewMark(context, "Sofia, BG"), " (new for this account)"},
		{"another place", NewMark(context, "Sofia, IT"), ""},
		{"a full name says the others", entity("ana@x.example", "ana", "x.example", "7"), "FullName AadUserId"},
		{"a full name of something else", entity("Ana", "ana", "x.example", "7"), "FullName Name UPNSuffix AadUserId"},
		{"no field", entity(), ""},
		{"a list", items(2, "a", "b"), "a, b"},
		{"a longer one", items(2, "a", "b", "c", "d"), "a, b, and 2 more"},
		{"with nothing in it", items(2, "a", "-", "c"), "a, and 1 more"},
		{"one", Count(1, "entity", "entities"), "1 entity"},
		{"many", Count(0, "entity", "entities"), "0 entities"},
		{"a time", Minute(at(5).In(time.FixedZone("", 3600))), "2026-03-17 10:05 UTC"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}
