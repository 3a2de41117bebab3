package alert

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestKindsThatCompromise has every kind, so that a new one is decided on.
func TestKindsThatCompromise(t *testing.T) {
	t.Parallel()
	quiet := []FindingKind{FoundBombing, FoundPrivilegedRole, FoundHighBlastRadius, FoundRiskyUser, FoundSharedAddress, FoundDisabledAccount, FoundNewCountry, FoundNewAddress, FoundRepeated, FoundUnusual, FoundKnownDevice, FoundRiskDetection}
	for _, k := range append(FindingKinds(), "other-account-success", "inbox-rule-added", "app-consent", "password-reset", "device-registered", "mfa-method-deleted") {
		if got, want := k.Compromises(), !slices.Contains(quiet, k); got != want {
			t.Errorf("%s: %v, want %v", k, got, want)
		}
	}
}

func TestCompromised(t *testing.T) {
	t.Parallel()
	with := func(kind FindingKind, steps ...Step) Alert {
		return Alert{Context: &Context{RuleSeverity: Medium, Findings: []Finding{{Kind: FoundNewCountry}, {Kind: kind}}, Steps: steps}}
	}
	fraud := func(name string, values ...string) Alert {
		return Alert{CustomDetails: []Detail{{Name: name, Values: values}}}
	}
	for _, test := range []struct {
		name  string
		alert Alert
		want  bool
	}{
		{"nothing is known", Alert{}, false},
		{"nothing was found", Alert{Context: &Context{}}, false},
		{"the same address", with(FoundSuccessSameIP), true},
		{"the same network", with(FoundSuccessSameNetwork), true},
		{"a method", with(FoundMethodChanged), true},
		{"bombing", with(FoundBombing, Step{Severity: High, Kind: FoundBombing}), false},
		{"elsewhere", with(FoundSuccessElsewhere), true},
		{"somebody else", with(FoundOtherSuccess), true},
		{"reported as fraud", fraud(FraudReports, "0", "2"), true},
		{"reported by nobody", fraud(FraudReports, "0"), false},
		{"not a number", fraud(FraudReports, "1; true"), false},
		{"another detail", fraud("Rejections", "7"), false},
	} {
		if got := test.alert.Compromised(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// TestCompareByWeight has alerts in order, and expects it however they are mixed.
func TestCompareByWeight(t *testing.T) {
	t.Parallel()
	kinds := func(kinds ...FindingKind) *Context {
		c := &Context{RuleSeverity: Medium}
		for _, k := range kinds {
			c.Findings = append(c.Findings, Finding{Kind: k})
		}
		return c
	}
	refused := func(n string) []Detail { return []Detail{{Name: Rejections, Values: []string{n}}} }
	at := func(minute int) Span {
		moment := time.Date(2026, 3, 17, 10, minute, 0, 0, time.UTC)
		return Between(moment, moment)
	}
	want := []Alert{
		{ID: "a storm of all", Severity: High, Storm: &Storm{Alerts: 5000}},
		{ID: "got in", Severity: High, Context: kinds(FoundSuccessSameSignIn)},
		{ID: "got in, less surely", Severity: High, Context: kinds(FoundSuccessSameNetwork, FoundBombing, FoundPrivilegedRole)},
		{ID: "only loud", Severity: High, Context: kinds(FoundBombing, FoundPrivilegedRole, FoundNewCountry), CustomDetails: refused("40")},
		{ID: "got in, of medium severity", Severity: Medium, Context: kinds(FoundMethodChanged)},
		{ID: "loud", Severity: Medium, Context: kinds(FoundBombing)},
		{ID: "an administrator's", Severity: Medium, Context: kinds(FoundNewCountry, FoundHighBlastRadius)},
		{ID: "somebody's", Severity: Medium, Context: kinds(FoundNewCountry, FoundUnusual), CustomDetails: refused("3")},
		{ID: "somebody's, of fewer", Severity: Medium, Context: kinds(FoundNewCountry, FoundRepeated, FoundUnusual), CustomDetails: refused("2")},
		{ID: "z, earlier", Severity: Medium, Span: at(1)},
		{ID: "a, later", Severity: Medium, Span: at(2)},
		{ID: "low", Severity: Low, Context: kinds(FoundBombing)},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		got := slices.Clone(want)
		r.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		SortByWeight(got)
		for i := range want {
			if got[i].ID != want[i].ID {
				t.Fatalf("%q is where %q should be", got[i].ID, want[i].ID)
			}
		}
	}
}

// An account is the same from whatever address, and in whatever case.
func TestAccount(t *testing.T) {
	t.Parallel()
	account := func(fields ...string) Alert {
		e := Entity{Type: "Account"}
		for i := 0; i < len(fields); i += 2 {
			e.Fields = append(e.Fields, Field{fields[i], fields[i+1]})
		}
		return Alert{Entities: []Entity{{Type: "IP", Fields: []Field{{"Address", "203.0.113.1"}}}, e}}
	}
	id := account("FullName", "alice@contoso.example", "AadUserId", "4711").Account()
	if other := account("AadUserId", "4711", "FullName", "Alice@renamed.example").Account(); other != id || id == "" {
		t.Errorf("%q and %q", id, other)
	}
	if a, b := account("FullName", "Bob@contoso.example").Account(), account("FullName", "bob@contoso.example ").Account(); a != b || a == id {
		t.Errorf("%q and %q", a, b)
	}
	if a := account("FullName", " ").Account(); a != "" {
		t.Errorf("nobody is %q", a)
	}
	one := Alert{Activities: []Activity{{Fingerprint: "aa"}}}
	if other := (Alert{Activities: []Activity{{Fingerprint: "bb"}}}); one.Account() == other.Account() {
		t.Error("two identities without an account are one")
	}
}
