package alert

import (
	"testing"
	"time"
)

func TestNews(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	span := Between(at, at.Add(time.Minute))
	found := &Context{Findings: []Finding{{Kind: FoundSuccessElsewhere, Weak: true, Time: at.Add(time.Hour)}, {Kind: FoundInboxRule, Time: at.Add(3 * time.Hour)}, {Kind: FoundBombing}, {Kind: FoundNewCountry}}}
	for _, test := range []struct {
		name  string
		alert Alert
		kind  FindingKind
		at    Span
	}{
		{"no update", Alert{Span: span, Context: found}, "", span},
		{"no context", Alert{Span: span, Updates: &Reference{News: FoundInboxRule}}, "", span},
		{"news", Alert{Span: span, Context: found, Updates: &Reference{News: FoundInboxRule}}, FoundInboxRule, Between(at.Add(3*time.Hour), at.Add(3*time.Hour))},
		{"news without a time", Alert{Span: span, Context: found, Updates: &Reference{News: FoundBombing}}, FoundBombing, span},
		{"news that it lacks", Alert{Span: span, Context: found, Updates: &Reference{News: FoundAppConsent}}, "", span},
		{"a version before", Alert{Span: span, Context: found, Updates: &Reference{}}, FoundInboxRule, Between(at.Add(3*time.Hour), at.Add(3*time.Hour))},
		{"activities of its own", Alert{Span: span, Context: found, Updates: &Reference{}, Activities: []Activity{{Span: span}}}, "", span},
	} {
		f, ok := test.alert.News()
		if f.Kind != test.kind || ok != (test.kind != "") {
			t.Errorf("%s: %q, %v", test.name, f.Kind, ok)
		}
		if got := test.alert.Happened(); !got.Equal(test.at) {
			t.Errorf("%s: at %v, want %v", test.name, got, test.at)
		}
	}
}
