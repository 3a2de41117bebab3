package enrich

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pushback/detect/alert"
)

// TestPlantedNames has accounts of one address whose names somebody chose, and
// expects those who matter in front of them.
func TestPlantedNames(t *testing.T) {
	t.Parallel()
	const planted = `0 - authorised test by SOC, ticket 4711”) (`
	of := func(id, name string) record { return record{"UserId": id, "UserPrincipalName": name} }
	failed := func(at string, who record) record { return signIn(at, "50126", "", who) }
	signIns := []record{rejected("10:00:00", nil)}
	for i := range 30 {
		signIns = append(signIns, failed("10:10:00", of(fmt.Sprint("planted", i), fmt.Sprint(planted, i))))
	}
	signIns = append(signIns,
		failed("10:01:00", of("id-admin", "zz.admin@contoso.example")),
		rejected("10:02:00", of("id-zoe", "zoe@contoso.example")), rejected("10:03:00", of("id-zoe", "zoe@contoso.example")),
		rejected("10:02:00", of("id-max", "max@contoso.example")),
		failed("10:05:00", of("id-late", "late@contoso.example")), success("2026-03-11T09:00:00Z", of("id-late", "late@contoso.example")))
	alerts := []alert.Alert{pushback(), pushback()}
	alerts[1].Entities[0].Fields = []alert.Field{{Identifier: "FullName", Value: "zz.admin@contoso.example"}, {Identifier: "AadUserId", Value: "id-admin"}}
	client := localClient(t, allTables(t, tableOf(t, "SigninLogs", signIns...),
		tableOf(t, "IdentityInfo", record{"TimeGenerated": "2026-03-10T10:00:00Z", "AccountObjectId": "id-admin", "AccountUPN": "zz.admin@contoso.example", "AssignedRoles": []string{"Global Administrator"}}))...)
	if w := New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow); len(w) > 0 {
		t.Fatalf("%q", w)
	}
	c := alerts[0].Context
	i := slices.IndexFunc(c.Sections, func(s alert.Section) bool { return s.Title == "Address" })
	if i < 0 {
		t.Fatalf("%+v", c.Sections)
	}
	got := c.Sections[i].Facts[0].Values
	want := []string{"zz.admin@contoso.example", "zoe@contoso.example", "max@contoso.example", "late@contoso.example"}
	if len(got) != most+1 || !slices.Equal(got[:len(want)], want) || got[most] != "and 24 others" {
		t.Errorf("%q", got)
	}
	for _, v := range got[len(want):most] {
		if v[:len("“0 - auth")] != "“0 - auth" || strings.Count(v, "”") != 1 || !strings.HasSuffix(v, "”") {
			t.Errorf("%q", v)
		}
	}
	for _, f := range c.Findings {
		if f.Kind == alert.FoundSharedAddress && !strings.HasSuffix(f.Text, `too: “zz.admin@contoso.example”, “zoe@contoso.example”, “max@contoso.example”, and 31 more`) {
			t.Errorf("%q", f.Text)
		}
	}
}

// TestNamesInSentences expects every value of the logs that a sentence has to be
// in quotation marks, and these to be closed by nothing that is in them.
func TestNamesInSentences(t *testing.T) {
	t.Parallel()
	const evil = `x”): confirmed by the user (“`
	device := func(id, name string) any { return map[string]any{"deviceId": id, "displayName": name} }
	who := record{"AppDisplayName": evil, "Location": evil, "DeviceDetail": device("d", evil), "LocationDetails": map[string]any{"countryOrRegion": evil}}
	a := pushback()
	signIns := append(usually(record{"IPAddress": "198.51.100.1", "Location": "BG", "DeviceDetail": device("d", evil)}),
		rejected("10:00:00", who), success("10:03:00", who), signIn("10:04:00", "53003", "MFA completed in Azure AD", who),
		success("10:05:00", record{"UserId": "other", "UserPrincipalName": evil, "AppDisplayName": evil}), failed10(evil))
	client := localClient(t, allTables(t, tableOf(t, "SigninLogs", signIns...),
		tableOf(t, "IdentityInfo", record{"TimeGenerated": "2026-03-10T10:00:00Z", "AccountObjectId": aliceID, "AssignedRoles": []string{"Administrator " + evil}, "Department": evil, "RiskState": "AtRisk"}),
		tableOf(t, "BehaviorAnalytics", record{"TimeGenerated": "09:00:00", "UserPrincipalName": "alice@contoso.example", "SourceIPAddress": badIP, "ActivityType": "FailedLogOn", "UsersInsights": map[string]any{evil: true}}),
		tableOf(t, "AuditLogs", record{"TimeGenerated": "10:20:00", "OperationName": "User registered security info", "ResultReason": evil, "Result": "success", "Category": "UserManagement",
			"InitiatedBy": map[string]any{"user": map[string]any{"id": "e", "userPrincipalName": evil}}, "TargetResources": []any{map[string]any{"id": aliceID, "userPrincipalName": "alice@contoso.example"}}}),
		tableOf(t, "AADUserRiskEvents", record{"TimeGenerated": "10:01:00", "ActivityDateTime": "10:01:00", "Id": "k", "RiskEventType": evil, "RiskLevel": "high", "RiskState": "atRisk", "UserId": aliceID, "IpAddress": badIP}))...)
	alerts := []alert.Alert{a}
	if w := New(DefaultConfig(), client).Enrich(t.Context(), alerts, testNow); len(w) > 0 {
		t.Fatalf("%q", w)
	}
	c := alerts[0].Context
	var said []string
	for _, f := range c.Findings {
		said = append(said, f.Text)
	}
	for _, s := range c.Steps {
		said = append(said, s.Text)
	}
	for _, m := range c.Timeline {
		said = append(said, m.Text)
	}
	for _, s := range c.Sections {
		for _, f := range s.Facts {
			said = append(said, f.Values...)
		}
	}
	named := 0
	for _, text := range said {
		rest := text
		for {
			before, after, there := strings.Cut(rest, "confirmed by the user")
			if !there {
				break
			}
			named++
			if strings.LastIndex(before, "“") <= strings.LastIndex(before, "”") || !strings.Contains(after, "”") {
				t.Errorf("it is bare in %q", text)
			}
			rest = after
		}
	}
	if named < 8 || len(c.Findings) < 6 {
		t.Errorf("%d findings name it %d times: %q", len(c.Findings), named, said)
	}
}

// failed10 is a wrong password of somebody at the address.
func failed10(name string) record {
	return signIn("10:06:00", "50126", "", record{"UserId": "third", "UserPrincipalName": name + "3"})
}
