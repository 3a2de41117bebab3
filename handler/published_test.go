package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// published restates what three published rules report, over records that have a
// user each per attack. It is their meaning and not their text:
//   - MFA Rejected by User (d99cf5c3-d660-436c-895b-8a8f8448da23): an interactive
//     sign-in that ended with 500121, declined or reported as fraud;
//   - Explicit MFA Deny (a22740ec-fc1e-4c91-8de6-c29c6450ad00): the same in both tables;
//   - MFA Spamming followed by Successful login (a8cc6d5c-4e7e-4b48-b4ac-d8a116c62a8b):
//     more than ten steps of a user at an address that were declined or not answered,
//     and one that succeeded, all within five minutes.
type published struct {
	rejected, denied, spammed map[string]time.Time // when, by user and address
}

func publishedOf(rows []loggedRow) published {
	p := published{map[string]time.Time{}, map[string]time.Time{}, map[string]time.Time{}}
	type tally struct {
		failed      int
		first, last time.Time
		succeeded   time.Time
	}
	tallies := map[string]*tally{}
	for _, r := range rows {
		at, _ := time.Parse(time.RFC3339, r["TimeGenerated"].(string))
		key := strings.ToLower(r["UserPrincipalName"].(string)) + " " + r["IPAddress"].(string)
		said := fmt.Sprint(r["Status"])
		refused := r["ResultType"] == "500121" && (strings.Contains(strings.ToLower(said), "mfa denied; user declined the authentication") || strings.Contains(strings.ToLower(said), "fraud"))
		if refused {
			p.denied[key] = at
			if r["Type"] == "SigninLogs" {
				p.rejected[key] = at
			}
		}
		if r["Type"] != "SigninLogs" {
			continue
		}
		t := tallies[key]
		if t == nil {
			t = &tally{first: at}
			tallies[key] = t
		}
		t.last = at
		steps, _ := r["AuthenticationDetails"].([]map[string]any)
		for _, s := range steps {
			switch s["authenticationStepResultDetail"] {
			case declinedDetail, ignoredDetail:
				t.failed++
			case approvedDetail:
				t.succeeded = at
			}
		}
	}
	for key, t := range tallies {
		// It asks for no order; a success before the prompts is no attack.
		if t.failed > 10 && t.last.Sub(t.first) <= 5*time.Minute && t.succeeded.Equal(t.last) {
			p.spammed[key] = t.succeeded
		}
	}
	return p
}

// attacksOf is a day of refusals and of many prompts with an approval, of a user
// each, and of what is neither.
func attacksOf(t *testing.T, r *rand.Rand) (rows []loggedRow) {
	for user := range 60 {
		start := time.Duration(r.IntN(20*3600)) * time.Second
		address := fmt.Sprintf("203.0.113.%d", user)
		attack := []loggedRow{}
		switch user % 6 {
		case 0: // more than ten prompts in a few minutes, and an approval
			n := 11 + r.IntN(6)
			apart := time.Duration(8+r.IntN(10)) * time.Second
			for i := range n {
				attack = append(attack, rung(1, start+time.Duration(i)*apart, 0, []string{ignoredDetail, declinedDetail}[r.IntN(2)])...)
			}
			attack = append(attack, approvedAt(start+time.Duration(n)*apart))
		case 1: // the same within one sign-in
			var steps []map[string]any
			for i := range 12 {
				steps = append(steps, step(daytime(start+time.Duration(i)*20*time.Second), pushMethod, ignoredDetail, false))
			}
			attack = append(attack, signInOf(daytime(start), "0", "MFA completed in Azure AD", append(steps, step(daytime(start+5*minute), pushMethod, approvedDetail, true))...))
		case 2: // refusals
			attack = rung(1+r.IntN(4), start, time.Duration(1+r.IntN(50))*minute, []string{declinedDetail, "MFA denied; Phone App Reported Fraud"}[r.IntN(2)])
		case 3: // and in the other table
			attack = rung(1+r.IntN(3), start, 7*minute, declinedDetail)
			attack = each(attack, func(_ int, row loggedRow) loggedRow { return row.nonInteractive(t) })
		case 4: // refused, and then signed in
			attack = append(rung(2, start, minute, declinedDetail), approvedAt(start+4*minute))
		case 5: // mistakes
			attack = append(rung(2, start, 30*time.Second, ignoredDetail), approvedAt(start+2*minute))
		}
		for i, row := range attack {
			rows = append(rows, row.with("UserPrincipalName", fmt.Sprintf("User%d@contoso.example", user)).with("UserId", fmt.Sprint("u", user)).with("IPAddress", address).
				with("Id", fmt.Sprintf("r%d-%d", user, i)).with("CorrelationId", fmt.Sprintf("c%d-%d", user, i)))
		}
	}
	slices.SortStableFunc(rows, func(a, b loggedRow) int {
		return strings.Compare(a["TimeGenerated"].(string), b["TimeGenerated"].(string))
	})
	return rows
}

// What a published rule reports and is a refusal or an attack of many prompts the
// shipped rules report, each once.
func TestPublishedRules(t *testing.T) {
	t.Parallel()
	ids := map[string]string{}
	for i, r := range rule.Shipped() {
		ids[rule.ShippedNames()[i]] = r.ID
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			rows := attacksOf(t, rand.New(rand.NewPCG(seed, 7)))
			want := publishedOf(rows)
			if len(want.rejected) < 10 || len(want.denied) <= len(want.rejected) || len(want.spammed) < 15 {
				t.Fatalf("the day has %d, %d and %d of each kind", len(want.rejected), len(want.denied), len(want.spammed))
			}
			alerts := replayed(t, rows...)
			reports := func(name, key string, at time.Time) (n int) {
				for _, a := range alerts {
					upn, _ := a.Rows[0].Get("UserPrincipalName")
					address := map[string]string{"mfa-rejected-by-user": "IPAddress", "mfa-fatigue": "ApprovedAddress"}[name]
					ip, _ := a.Rows[0].Get(address)
					inside := !at.Before(a.Span.Start) && !at.After(a.Span.End)
					if a.RuleID == ids[name] && upn.Text()+" "+ip.Text() == key && inside && len(a.Activities) > 0 { // a follow-up has none
						n++
					}
				}
				return n
			}
			for what, list := range map[string]map[string]time.Time{"rejected": want.rejected, "denied": want.denied} {
				for key, at := range list {
					if n := reports("mfa-rejected-by-user", key, at); n != 1 {
						t.Errorf("%s at %s is %s, and is reported %d times", key, at.Format(time.TimeOnly), what, n)
					}
				}
			}
			for key, at := range want.spammed {
				if n := reports("mfa-fatigue", key, at); n != 1 {
					t.Errorf("%s at %s had many prompts and an approval, and is reported %d times", key, at.Format(time.TimeOnly), n)
				}
			}
			for _, a := range alerts {
				upn, _ := a.Rows[0].Get("UserPrincipalName")
				var user int
				if _, err := fmt.Sscanf(upn.Text(), "user%d@", &user); err != nil {
					t.Fatal(err)
				}
				if fatigue := a.RuleID == ids["mfa-fatigue"]; user%6 == 5 || fatigue && user%6 > 1 {
					t.Errorf("reported, and is none: %s", a.Title)
				}
			}
			// What both rules see is one alert and an update.
			both := 0
			for _, a := range alerts {
				for _, b := range alerts {
					if a.RuleID == ids["mfa-fatigue"] && b.RuleID == ids["mfa-rejected-by-user"] && len(b.Activities) > 0 && who(a) == who(b) && a.Span.Start.Before(b.Span.End) && b.Span.Start.Before(a.Span.End) {
						both++
						if (a.Updates == nil) == (b.Updates == nil) {
							t.Errorf("of %s and %s one is an update of the other: %v, %v", a.Title, b.Title, a.Updates, b.Updates)
						}
					}
				}
			}
			if both < 5 {
				t.Errorf("both rules see %d attacks", both)
			}
			if seen := seenTwice(alerts); seen != "" {
				t.Errorf("reported twice: %s", seen)
			}
		})
	}
}

// who returns the id of the account that an alert is about.
func who(a alert.Alert) string { return identifier(a, "Account", "AadUserId") }

// seenTwice returns the title of an alert that another has the id of.
func seenTwice(alerts []alert.Alert) string {
	ids := map[string]bool{}
	for _, a := range alerts {
		if ids[a.ID] {
			return a.Title
		}
		ids[a.ID] = true
	}
	return ""
}
