package sample

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The quiet days have every kind of mistake and of ordinary life, and yet nobody
// refuses, and nobody approves after many prompts that went wrong.
func TestQuietDays(t *testing.T) {
	t.Parallel()
	const days = 30
	d := QuietDays(Options{Seed: 2, Day: testDay, Users: 100}, days)
	if len(d.Records) < 10_000 || len(d.Records) > 30_000 {
		t.Errorf("%d records", len(d.Records))
	}
	prompts := map[string][]row{} // by user
	seen, countries, addresses := map[string]int{}, map[string]map[string]bool{}, map[string]map[string]bool{}
	ids := map[string]int{}
	for _, r := range d.Records {
		if r.Table == IdentityInfo {
			continue
		}
		if r.Table == AuditLogs {
			seen["a method registered"]++
			continue
		}
		x := parse(t, r)
		if x.rejected(t) || strings.Contains(x.Steps, "declined the") {
			t.Errorf("a refusal: %s", r.JSON)
		}
		if at := r.Generated; at.Before(testDay.Add(-24*time.Hour)) || at.After(testDay.AddDate(0, 0, days+1)) {
			t.Errorf("generated at %s", at)
		}
		ids[x.ID]++
		if ids[x.ID] == 2 {
			seen["logged twice"]++
			continue
		}
		seen[x.ResultType+" "+x.details(t)]++
		for _, m := range []struct {
			of    map[string]map[string]bool
			k, in string
		}{{countries, x.UserID, detail(t, x.Location, "countryOrRegion")}, {addresses, x.IP, x.UserID}} {
			if m.of[m.k] == nil {
				m.of[m.k] = map[string]bool{}
			}
			m.of[m.k][m.in] = true
		}
		if x.Interactive && (x.ResultType == "500121" || x.details(t) == approved.details) {
			prompts[x.UserID] = append(prompts[x.UserID], x)
		}
	}
	for what, least := range map[string]int{
		"500121 MFA denied; user did not respond to mobile app notification": 125,
		"500121 MFA denied; duplicate authentication attempt":                50,
		"500121 MFA denied; user did not select the correct number":          50,
		"500121 MFA denied; invalid verification code":                       50,
		"500121 MFA denied; authentication in progress":                      50,
		"0 MFA completed in Azure AD":                                        750,
		"0 MFA requirement satisfied by claim in the token":                  750,
		"50126 " + badPassword.details:                                       125,
		"65004 ":                                                             12,
		"a method registered":                                                12,
		"logged twice":                                                       125,
	} {
		if seen[what] < least {
			t.Errorf("%d of %q, want %d", seen[what], what, least)
		}
	}
	travellers, shared := 0, 0
	for _, of := range countries {
		if len(of) > 1 {
			travellers++
		}
	}
	for _, of := range addresses {
		shared = max(shared, len(of))
	}
	if travellers < 15 || shared < 8 {
		t.Errorf("%d people were in two countries, %d shared an address", travellers, shared)
	}
	stale, retries := 0, 0
	for _, of := range prompts {
		slices.SortFunc(of, func(a, b row) int { return a.Time.Compare(b.Time) })
		var wrong []row
		for _, x := range of {
			if x.ResultType == "500121" {
				wrong = append(wrong, x)
				continue
			}
			wrong = slices.DeleteFunc(wrong, func(w row) bool { return x.Time.Sub(w.Time) > 2*time.Hour })
			if len(wrong) > mostTries {
				t.Errorf("%s approved at %s after %d prompts", x.User, x.Time, len(wrong))
			}
			if len(wrong) > 1 {
				retries++
			}
			wrong = nil
		}
		for i := range of {
			if i+4 < len(of) && of[i+4].ResultType == "500121" && of[i+4].Time.Sub(of[i].Time) < time.Hour {
				stale++
				break
			}
		}
	}
	if stale < 10 || retries < 80 {
		t.Errorf("%d people have a client that prompts again and again, %d approved after several prompts", stale, retries)
	}
}

func TestQuietDaysAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 9, Day: testDay, Users: minUsers}
	a, b := QuietDays(o, 3), QuietDays(o, 3)
	if !slices.EqualFunc(a.Records, b.Records, func(x, y Record) bool { return string(x.JSON) == string(y.JSON) }) {
		t.Error("the days differ")
	}
	if !slices.IsSortedFunc(a.Records, func(x, y Record) int { return cmp.Compare(x.Received.UnixNano(), y.Received.UnixNano()) }) {
		t.Error("records are not in the order of Received")
	}
	if c := QuietDays(Options{Seed: 10, Day: testDay, Users: minUsers}, 3); slices.EqualFunc(a.Records, c.Records, func(x, y Record) bool { return string(x.JSON) == string(y.JSON) }) {
		t.Error("another seed gives the same days")
	}
}
