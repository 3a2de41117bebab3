package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pushback/detect/alert"
	"pushback/detect/notify/teams"
	"pushback/detect/rule"
	"pushback/detect/sample"
)

// TestSeedsFindWhatIsPlanted runs the days of fifty seeds as the demo does. Every
// planted story is found, by its rule and as grave as it is, each refusal is
// reported once, and nobody else is reported.
func TestSeedsFindWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(daysOfSeeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			day := sample.Generate(sample.Options{Seed: seed, Users: 50}) // the fewest, for time
			alerts := alertsOf(t, day, shipped(), 1)
			reportedOnce(t, byRule(alerts, sample.RejectionRule), day.Rejections)
			found(t, alerts, day.Plants)
			onTop(t, alerts, day.Plants)
		})
	}
}

// byRule returns the alerts of the shipped rule of a name.
func byRule(alerts []alert.Alert, name string) []alert.Alert {
	var of []alert.Alert
	for _, a := range alerts {
		if a.RuleID == ruleIDs[name] {
			of = append(of, a)
		}
	}
	return of
}

// ruleIDs are the ids of the shipped rules, by their names.
var ruleIDs = func() map[string]string {
	ids := map[string]string{}
	for i, r := range rule.Shipped() {
		ids[rule.ShippedNames()[i]] = r.ID
	}
	return ids
}()

// found checks the alerts against what was planted.
func found(t *testing.T, alerts []alert.Alert, plants []sample.Plant) {
	t.Helper()
	planted := map[string]sample.Plant{}
	for _, p := range plants {
		planted[p.UserID] = p
	}
	of := map[string][]alert.Alert{}
	for _, a := range alerts {
		id := identifier(a, "Account", "AadUserId")
		if p, ok := planted[id]; !ok || len(p.Rules) == 0 {
			t.Errorf("%s (%s) is reported, and nothing was planted: %s", a.Title, p.Story, kindsOf(a))
		}
		of[id] = append(of[id], a)
	}
	for _, p := range plants {
		if len(p.Rules) == 0 {
			continue
		}
		name := fmt.Sprintf("%s, %s", p.Story, p.User)
		for _, r := range rule.ShippedNames() {
			n := len(byRule(of[p.UserID], r))
			if wanted := slices.Contains(p.Rules, r); wanted != (n > 0) {
				t.Errorf("%s: reported %d times by %s, wanted: %v", name, n, r, wanted)
			}
		}
		grave := alert.Informational
		var kinds []string
		for _, a := range of[p.UserID] {
			grave = max(grave, a.Severity)
			kinds = append(kinds, strings.Fields(kindsOf(a))...)
		}
		least, most := severity(t, p.Least), severity(t, p.Most)
		if len(of[p.UserID]) > 0 && (grave < least || grave > most) {
			t.Errorf("%s: %s, want %s to %s: %v", name, grave, least, most, kinds)
		}
		for _, want := range p.Findings {
			if !slices.Contains(kinds, want) {
				t.Errorf("%s: no %s among %v", name, want, kinds)
			}
		}
	}
}

// onTop checks that the accounts that somebody got into stand before all others in
// a digest: of a tick that found them so, and of the day.
func onTop(t *testing.T, alerts []alert.Alert, plants []sample.Plant) {
	t.Helper()
	compromised := map[string]bool{}
	for _, p := range plants {
		compromised[p.User] = p.Compromised
	}
	digests := map[string][]alert.Alert{}
	for _, a := range alerts {
		digests[a.RuleID] = append(digests[a.RuleID], a)
		tick := a.RuleID + a.Created.String()
		digests[tick] = append(digests[tick], a)
	}
	for _, of := range digests {
		card, err := teams.Digest(of)
		if err != nil {
			t.Fatal(err)
		}
		listed := strings.ToLower(strings.ReplaceAll(string(card), `\\`, "")) // without the marks of Markdown
		_, listed, ok := strings.Cut(listed, `"most severe"`)
		if !ok {
			t.Fatalf("the digest lists nothing: %s", card)
		}
		lastOf, firstOther := -1, len(listed)
		for _, a := range of {
			user := identifier(a, "Account", "FullName")
			switch at := strings.Index(listed, user); {
			case compromised[user] && a.Severity == alert.High:
				if at < 0 {
					t.Errorf("a digest of %d alerts leaves out %s", len(of), user)
				}
				lastOf = max(lastOf, at)
			case !compromised[user] && at >= 0:
				firstOther = min(firstOther, at)
			}
		}
		if lastOf > firstOther {
			t.Errorf("a digest of %d alerts has somebody before an account that was taken over: %.300s", len(of), listed)
		}
	}
}

// kindsOf lists the kinds of an alert's findings.
func kindsOf(a alert.Alert) string {
	var kinds []string
	if a.Context != nil {
		for _, f := range a.Context.Findings {
			kinds = append(kinds, string(f.Kind))
		}
	}
	return strings.Join(kinds, " ")
}

func severity(t *testing.T, text string) alert.Severity {
	t.Helper()
	s, err := alert.ParseSeverity(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
