package text

import (
	"testing"

	"pushback/detect/alert"
)

// story is an alert about prompts at one account from one place.
func story(change func(a *alert.Alert)) alert.Alert {
	a := alert.Alert{
		Title: "MFA rejected by yoko.tanaka@contoso.example from 203.0.113.7", RuleName: "MFA Rejected by User", Severity: alert.High,
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "yoko.tanaka@contoso.example"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "203.0.113.7"}}},
		},
		CustomDetails: []alert.Detail{{Name: alert.Rejections, Values: []string{"2"}}, {Name: "Locations", Values: []string{"Bucharest, RO"}}},
		Context:       &alert.Context{},
	}
	change(&a)
	return a
}

func TestHeadline(t *testing.T) {
	t.Parallel()
	found := func(kinds ...alert.FindingKind) func(*alert.Alert) {
		return func(a *alert.Alert) {
			for _, k := range kinds {
				a.Context.Findings = append(a.Context.Findings, alert.Finding{Kind: k, Reason: "the reason of " + string(k)})
			}
		}
	}
	also := func(changes ...func(*alert.Alert)) func(*alert.Alert) {
		return func(a *alert.Alert) {
			for _, c := range changes {
				c(a)
			}
		}
	}
	ofAnotherRule := func(a *alert.Alert) {
		a.Title, a.RuleName, a.CustomDetails = "Rare process on 3 servers", "Rare process", nil
	}
	fraud := func(a *alert.Alert) {
		a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: alert.FraudReports, Values: []string{"1"}})
	}
	detail := func(name string, values ...string) func(*alert.Alert) {
		return func(a *alert.Alert) {
			a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: name, Values: values})
		}
	}
	entities := func(list ...alert.Entity) func(*alert.Alert) { return func(a *alert.Alert) { a.Entities = list } }
	account := func(name string) alert.Entity {
		return alert.Entity{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: name}}}
	}
	ip := func(address string) alert.Entity {
		return alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: address}}}
	}
	from := func(address string) func(*alert.Alert) {
		return func(a *alert.Alert) { a.Context.Findings[0].Address = address }
	}
	for _, test := range []struct {
		name   string
		change func(*alert.Alert)
		want   string
	}{
		{"nothing found", func(*alert.Alert) {}, "2 MFA prompts rejected: yoko.tanaka from Bucharest, RO"},
		{"no context", func(a *alert.Alert) { a.Context = nil }, "2 MFA prompts rejected: yoko.tanaka from Bucharest, RO"},
		{"one prompt", func(a *alert.Alert) { a.CustomDetails[0].Values[0] = "1" }, "MFA prompt rejected: yoko.tanaka from Bucharest, RO"},
		{"fatigue that succeeded", found(alert.FoundSuccessSameSignIn, alert.FoundBombing), "MFA fatigue succeeded: yoko.tanaka from Bucharest, RO"},
		{"fatigue, and then somewhere else", also(found(alert.FoundSuccessElsewhere, alert.FoundBombing), from("198.51.100.9")), "MFA fatigue, then signed in from another network: yoko.tanaka from 198.51.100.9"},
		{"fatigue", found(alert.FoundBombing, alert.FoundNewCountry), "MFA fatigue attempt: yoko.tanaka from Bucharest, RO"},
		{"a sign-in", also(found(alert.FoundSuccessSameIP), from("203.0.113.7")), "Signed in from the address of a rejected MFA prompt: yoko.tanaka from Bucharest, RO"},
		{"a sign-in after prompts that nobody rejected", also(found(alert.FoundSuccessSameIP), func(a *alert.Alert) { a.CustomDetails = a.CustomDetails[1:] }), "Signed in from the address of an unapproved MFA prompt: yoko.tanaka from Bucharest, RO"},
		{"a role", found(alert.FoundPrivilegedRole), "2 MFA prompts rejected by a privileged account: yoko.tanaka from Bucharest, RO"},
		{"a country", found(alert.FoundNewCountry), "2 MFA prompts rejected in a new country: yoko.tanaka from Bucharest, RO"},
		{"what there is nothing to judge by", func(a *alert.Alert) {
			a.Context.Findings = []alert.Finding{{Kind: alert.FoundSuccessElsewhere, Weak: true}, {Kind: alert.FoundKnownDevice}}
		}, "2 MFA prompts rejected on a known device: yoko.tanaka from Bucharest, RO"},
		{"fraud", also(fraud, found(alert.FoundMethodChanged)), "MFA prompt reported as fraud: yoko.tanaka from Bucharest, RO"},
		{"fraud and a sign-in", also(fraud, found(alert.FoundSuccessSameSignIn)), "Signed in after a rejected MFA prompt: yoko.tanaka from Bucharest, RO"},
		{"an approval", func(a *alert.Alert) {
			a.CustomDetails = []alert.Detail{{Name: alert.Prompts, Values: []string{"12"}}, {Name: alert.ApprovedTime, Values: []string{"x"}}}
		}, "MFA fatigue approved: yoko.tanaka from 203.0.113.7"},
		{"prompts of something else", func(a *alert.Alert) {
			a.Title, a.CustomDetails = "Many prompts to an assistant", []alert.Detail{{Name: alert.Prompts, Values: []string{"12"}}}
		}, "Many prompts to an assistant"},
		{"another rule", also(ofAnotherRule, found(alert.FoundNewCountry)), "Rare process on 3 servers"},
		{"another rule without a title", also(ofAnotherRule, func(a *alert.Alert) { a.Title = "" }), "Rare process: yoko.tanaka from 203.0.113.7"},
		{"another rule, and somebody got in", also(ofAnotherRule, found(alert.FoundInboxRule)), "Inbox rule or forwarding after an unapproved MFA prompt: yoko.tanaka from 203.0.113.7"},
		{"a storm", func(a *alert.Alert) { a.Title, a.Storm = "1000 alerts", &alert.Storm{} }, "1000 alerts"},
		{"an update", also(found(alert.FoundSuccessSameIP), func(a *alert.Alert) { a.Updates = &alert.Reference{News: alert.FoundSuccessSameIP} }), "Update: the reason of success-same-ip: yoko.tanaka from Bucharest, RO"},
		{"an update of a version before", also(found(alert.FoundInboxRule), func(a *alert.Alert) { a.Context.Findings[0].Reason, a.Updates = "", &alert.Reference{} }), "Update: inbox rule or forwarding: yoko.tanaka from Bucharest, RO"},
		{"an update with activities of its own", also(found(alert.FoundSuccessSameSignIn, alert.FoundBombing), func(a *alert.Alert) { a.Updates, a.Activities = &alert.Reference{}, []alert.Activity{{}} }), "Update: MFA fatigue succeeded: yoko.tanaka from Bucharest, RO"},
		{"an update of another rule", also(ofAnotherRule, func(a *alert.Alert) { a.Updates = &alert.Reference{} }), "Update: Rare process on 3 servers"},
		{"nobody", entities(), "2 MFA prompts rejected"},
		{"several accounts and addresses", entities(account("a@x.example"), account("b@x.example"), account("a@x.example"), ip("203.0.113.7"), ip("203.0.113.8")), "2 MFA prompts rejected: a and 1 other from 203.0.113.7 and 1 other address"},
		{"two ends", also(detail("ApprovedAddress", "203.0.113.8"), detail("ApprovedLocation", "Sofia, BG"), entities(account("a"), ip("203.0.113.8"), ip("203.0.113.7"))), "2 MFA prompts rejected: a from Sofia, BG and 1 other address"},
		{"a name that means more", entities(account("ana from Sofia; [x](https://evil.example)@x")), "2 MFA prompts rejected: “ana from Sofia; [x](https://evil.example)”"},
		{"a place that means more", func(a *alert.Alert) { a.CustomDetails[1].Values[0] = "Sofia (usual)" }, "2 MFA prompts rejected: yoko.tanaka from “Sofia (usual)”"},
		{"several places", func(a *alert.Alert) { a.CustomDetails[1].Values = []string{"Sofia, BG", "Rome, IT"} }, "2 MFA prompts rejected: yoko.tanaka from 203.0.113.7"},
	} {
		if got := HeadlineOf(story(test.change)).String(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Every kind of finding has words, and those that say what happened make a verdict.
func TestWords(t *testing.T) {
	t.Parallel()
	for _, k := range alert.FindingKinds() {
		if Finding(k) == string(k) {
			t.Errorf("%s has no words", k)
		}
		_, decides := decisive[k]
		_, qualifies := qualifying[k]
		if decides == qualifies && k != alert.FoundBombing {
			t.Errorf("%s makes a verdict: %v, and says more of one: %v", k, decides, qualifies)
		}
	}
	if got := Finding("a kind of later"); got != "a kind of later" {
		t.Errorf("a kind that is not known is called %q", got)
	}
	for _, test := range []struct{ got, want string }{
		{Brief(alert.Finding{Text: "“ana” signed in", Brief: "signed in"}), "Signed in"},
		{Brief(alert.Finding{Text: "élan"}), "Élan"},
		{Brief(alert.Finding{}), ""},
		{Prompted(alert.MomentRejected, 1), "1 MFA prompt rejected"},
		{Prompted(alert.MomentRejected, 2), "2 MFA prompts rejected"},
		{Prompted(alert.MomentPrompt, 3), "3 MFA prompts unanswered or failed"},
		{Prompted(alert.MomentSuccess, 3), ""},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// A finding of a rule's own has no verdict, and hides none of ours behind it.
func TestHeadlineOfOwnFindings(t *testing.T) {
	t.Parallel()
	own := alert.Finding{Kind: "seen-often", Text: "“ana”: seen 42 times"}
	if h := HeadlineOf(alert.Alert{Title: "Failed sign-ins", Context: &alert.Context{Findings: []alert.Finding{own}}}); h != (Headline{About: "Failed sign-ins"}) {
		t.Errorf("of its own alone: %+v", h)
	}
	both := []alert.Finding{own, {Kind: alert.FoundBombing, Text: "MFA fatigue"}}
	if h := HeadlineOf(alert.Alert{Title: "x", Context: &alert.Context{Findings: both}}); h.Verdict != "MFA fatigue attempt" {
		t.Errorf("with one of ours behind it: %+v", h)
	}
	if got := Finding("seen-often"); got != "seen often" {
		t.Errorf("it is called %q", got)
	}
}
