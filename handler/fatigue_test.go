package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
)

const (
	ignoredDetail = "MFA denied; user did not respond to mobile app notification"
	numberDetail  = "MFA denied; user did not select the correct number"
)

// loggedIn writes the records as a folder of logs.
func loggedIn(t *testing.T, rows ...loggedRow) string {
	t.Helper()
	dir := t.TempDir()
	byTable := map[string][]byte{}
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		table := r["Type"].(string)
		byTable[table] = append(append(byTable[table], line...), '\n')
	}
	for table, text := range byTable {
		if err := os.WriteFile(filepath.Join(dir, table+".ndjson"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// fatigues runs the rule over the records.
func fatigues(t *testing.T, rows ...loggedRow) []alert.Alert {
	t.Helper()
	return handler(t, "replay", "--logs", loggedIn(t, rows...), "--rules", "mfa-fatigue", "--json").alerts(t)
}

// daytime is a moment of the day as the records have it.
func daytime(d time.Duration) string { return time.Time{}.Add(d).Format(time.TimeOnly) }

const minute = time.Minute

func oclock(h, m int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(m)*minute }

// rung is so many sign-ins of ana from a time on, so far apart, of each of which the
// prompt ended with a detail.
func rung(n int, from, apart time.Duration, detail string) (rows []loggedRow) {
	for i := range n {
		at := daytime(from + time.Duration(i)*apart)
		rows = append(rows, signInOf(at, "500121", detail, step(at, pushMethod, detail, false)))
	}
	return rows
}

// approvedAt is a sign-in of ana that is approved.
func approvedAt(at time.Duration) loggedRow {
	return signInOf(daytime(at), "0", "MFA completed in Azure AD", step(daytime(at), pushMethod, approvedDetail, true))
}

func each(rows []loggedRow, change func(i int, r loggedRow) loggedRow) []loggedRow {
	changed := make([]loggedRow, len(rows))
	for i, r := range rows {
		changed[i] = change(i, r)
	}
	return changed
}

func withAll(rows []loggedRow, name string, value any) []loggedRow {
	return each(rows, func(_ int, r loggedRow) loggedRow { return r.with(name, value) })
}

func without(r loggedRow, names ...string) loggedRow {
	r = maps.Clone(r)
	for _, name := range names {
		delete(r, name)
	}
	return r
}

// TestFatigue has logs of attacks, each with neighbours that are none.
func TestFatigue(t *testing.T) {
	t.Parallel()
	const same, other = "the address of the prompts", "another address"
	found := func(prompts int, results, from string) []string {
		return []string{fmt.Sprintf("ana@contoso.example [%d] [%s] [%s] [Portal] [signed in: 0] High", prompts, results, from)}
	}
	join := func(lists ...[]loggedRow) []loggedRow { return slices.Concat(lists...) }
	one := func(r loggedRow) []loggedRow { return []loggedRow{r} }
	nine := oclock(9, 0)
	elsewhere := func(r loggedRow) loggedRow { return r.with("IPAddress", "198.51.100.4") }
	spread := rung(5, oclock(9, 2), 12*minute, ignoredDetail) // until 9:50
	mail := func(r loggedRow) loggedRow {
		return r.with("AppDisplayName", "Outlook Mobile").with("UserAgent", "Outlook-iOS/2.0")
	}
	inSteps := func(details ...string) loggedRow {
		var steps []map[string]any
		for i, d := range details {
			steps = append(steps, step(daytime(nine+time.Duration(i)*20*time.Second), pushMethod, d, d == approvedDetail))
		}
		return signInOf(daytime(nine), "0", "MFA completed in Azure AD", steps...)
	}
	for _, test := range []struct {
		name string
		rows []loggedRow
		want []string
	}{
		{"five not answered, and approved", append(rung(5, nine, minute, ignoredDetail), approvedAt(nine+6*minute)), found(5, "not answered: 5", same)},
		{"four", append(rung(4, nine, minute, ignoredDetail), approvedAt(nine+6*minute)), nil},
		{"nobody approves", rung(40, nine, minute, ignoredDetail), nil},
		{"approved before", append(rung(9, nine, minute, ignoredDetail), approvedAt(nine-minute)), nil},
		{"all declined", append(rung(6, nine, minute, declinedDetail), approvedAt(nine+9*minute)), found(6, "declined: 6", same)},
		{"of each kind", append(join(rung(2, nine, minute, declinedDetail), rung(2, nine+3*minute, minute, ignoredDetail), rung(2, nine+6*minute, minute, numberDetail),
			rung(1, nine+9*minute, minute, "MFA denied; Phone App Reported Fraud")), approvedAt(nine+12*minute)), found(7, "declined: 2 not answered: 2 reported: 1 wrong number: 2", same)},
		{"from a new address", append(rung(6, nine, minute, ignoredDetail), elsewhere(approvedAt(nine+9*minute))), found(6, "not answered: 6", other)},
		{"by another user", append(rung(6, nine, minute, ignoredDetail), approvedAt(nine+9*minute).with("UserId", "u2").with("UserPrincipalName", "bob@contoso.example")), nil},
		{"from many addresses", append(each(rung(6, nine, minute, ignoredDetail), func(i int, r loggedRow) loggedRow { return r.with("IPAddress", fmt.Sprint("203.0.113.", i)) }), approvedAt(nine+9*minute)), found(6, "not answered: 6", other)},
		{"over the hour", append(rung(6, oclock(9, 50), 3*minute, ignoredDetail), approvedAt(oclock(10, 20))), found(6, "not answered: 6", same)},
		{"over the hour, at its very end", append(rung(5, oclock(9, 55), minute, ignoredDetail), approvedAt(oclock(10, 0))), found(5, "not answered: 5", same)},
		{"an hour long, approved an hour later", append(rung(5, oclock(8, 5), 14*minute, ignoredDetail), approvedAt(oclock(9, 59))), found(5, "not answered: 5", same)},
		{"longer than an hour", append(rung(5, oclock(8, 5), 16*minute, ignoredDetail), approvedAt(oclock(9, 20))), nil},
		{"approved much later", append(rung(9, oclock(8, 0), minute, ignoredDetail), approvedAt(oclock(9, 30))), nil},
		{"with one CorrelationId", append(withAll(rung(10, nine, 20*time.Second, ignoredDetail), "CorrelationId", "c"), approvedAt(nine+6*minute).with("CorrelationId", "c")), found(10, "not answered: 10", same)},
		{"without a CorrelationId", append(withAll(rung(5, nine, 6*time.Second, ignoredDetail), "CorrelationId", ""), approvedAt(nine+6*minute)), found(5, "not answered: 5", same)},
		{"one authentication in many rows", append(each(rung(9, nine, 10*time.Second, ignoredDetail), func(i int, r loggedRow) loggedRow {
			return r.with("CorrelationId", "c").with("AuthenticationDetails", []map[string]any{step("09:00:00", pushMethod, ignoredDetail, false)})
		}), approvedAt(nine+6*minute)), nil},
		{"two of three rows each", append(each(rung(6, nine, 7*time.Second, ignoredDetail), func(i int, r loggedRow) loggedRow {
			return without(r, "AuthenticationDetails").with("CorrelationId", fmt.Sprint("c", i/3))
		}), approvedAt(nine+6*minute)), nil},
		{"a request logged many times", append(withAll(rung(9, nine, 10*time.Second, ignoredDetail), "Id", "r"), approvedAt(nine+6*minute)), nil},
		{"a client that repeats itself", append(rung(9, nine, time.Second, ignoredDetail), approvedAt(nine+6*minute)), nil},
		{"duplicates", append(rung(9, nine, minute, "MFA denied; duplicate authentication attempt"), approvedAt(nine+12*minute)), nil},
		{"codes", append(rung(9, nine, minute, "MFA denied; invalid verification code"), approvedAt(nine+12*minute)), nil},
		{"nothing reached the phone", append(rung(9, nine, minute, "MFA denied; unable to send the mobile app notification"), approvedAt(nine+12*minute)), nil},
		{"a user who is blocked", append(rung(9, nine, minute, "MFA denied; user is blocked"), approvedAt(nine+12*minute)), nil},
		{"asked for a factor, and gone", append(each(rung(9, nine, minute, "MFA required in Azure AD"), func(_ int, r loggedRow) loggedRow { return r.with("ResultType", "50074") }), approvedAt(nine+12*minute)), nil},
		{"no reason given", append(each(rung(5, nine, minute, ""), func(_ int, r loggedRow) loggedRow { return without(r, "AuthenticationDetails") }), approvedAt(nine+12*minute)), found(5, "not approved: 5", same)},
		{"the reason in Status alone", append(each(rung(5, nine, minute, ignoredDetail), func(_ int, r loggedRow) loggedRow { return without(r, "AuthenticationDetails") }), approvedAt(nine+12*minute)), found(5, "not answered: 5", same)},
		{"the steps alone, under another code", append(each(rung(5, nine, minute, ignoredDetail), func(_ int, r loggedRow) loggedRow {
			return r.with("ResultType", "50074").with("Status", map[string]any{})
		}), approvedAt(nine+12*minute)), found(5, "not answered: 5", same)},
		{"passwordless", append(each(rung(5, nine, minute, ""), func(_ int, r loggedRow) loggedRow {
			return without(r, "AuthenticationDetails").with("ResultType", "1003033")
		}), approvedAt(nine+12*minute)), found(5, "declined: 5", same)},
		{"within one sign-in", one(inSteps(ignoredDetail, ignoredDetail, declinedDetail, ignoredDetail, ignoredDetail, approvedDetail)), found(5, "declined: 1 not answered: 4", same)},
		{"within one sign-in, without times", one(inSteps(ignoredDetail, ignoredDetail, declinedDetail, ignoredDetail, ignoredDetail, approvedDetail).steps(t, func(text string) any {
			return strings.ReplaceAll(text, "authenticationStepDateTime", "when")
		})), found(5, "declined: 1 not answered: 4", same)},
		{"fewer within one sign-in", one(inSteps(ignoredDetail, ignoredDetail, declinedDetail, ignoredDetail, approvedDetail)), nil},
		{"non-interactive prompts", append(each(rung(5, nine, minute, ignoredDetail), func(_ int, r loggedRow) loggedRow { return r.nonInteractive(t) }), approvedAt(nine+9*minute)), found(5, "not answered: 5", same)},
		{"the steps as text", append(each(rung(5, nine, minute, ignoredDetail), func(_ int, r loggedRow) loggedRow { return r.steps(t, asText) }), approvedAt(nine+9*minute).steps(t, asText)), found(5, "not answered: 5", same)},
		{"another spelling of the address", append(withAll(rung(5, nine, minute, ignoredDetail), "IPAddress", "::ffff:203.0.113.7"), approvedAt(nine+9*minute)), found(5, "not answered: 5", same)},
		{"prompts that are logged late", append(each(rung(5, nine, minute, ignoredDetail), func(_ int, r loggedRow) loggedRow {
			return without(r, "AuthenticationDetails").with("CreatedDateTime", r["TimeGenerated"]).with("TimeGenerated", "2026-03-17T10:30:00Z")
		}), approvedAt(nine+9*minute)), found(5, "not answered: 5", same)},
		{"an approval that is logged again", append(rung(5, nine, minute, ignoredDetail), approvedAt(nine+9*minute), approvedAt(nine+9*minute).with("CreatedDateTime", "2026-03-17T09:09:00Z").with("TimeGenerated", "2026-03-17T11:40:00Z")), found(5, "not answered: 5", same)},
		{"names and ids differ in case, the name is missing", append(withAll(rung(5, nine, minute, ignoredDetail), "UserPrincipalName", ""), approvedAt(nine+9*minute).with("UserId", "U1")), found(5, "not answered: 5", same)},

		{"the token had the claim", append(rung(9, nine, minute, ignoredDetail), signInOf("09:20:00", "0", "MFA requirement satisfied by claim in the token",
			step("09:20:00", "Previously satisfied", "MFA requirement satisfied by claim in the token", true))), nil},
		{"a password alone", append(rung(9, nine, minute, ignoredDetail), signInOf("09:20:00", "0", "", step("09:20:00", "Password", "Correct password", true))), nil},
		{"Status alone says so", append(rung(5, nine, minute, ignoredDetail), without(approvedAt(nine+9*minute), "AuthenticationDetails")), found(5, "not answered: 5", same)},
		{"the step alone says so", append(rung(5, nine, minute, ignoredDetail), approvedAt(nine+9*minute).with("Status", map[string]any{})), found(5, "not answered: 5", same)},
		{"asked whether to stay, and then signed in", append(rung(5, nine, minute, ignoredDetail), approvedAt(nine+9*minute),
			signInOf("09:09:20", "50140", "", step("09:09:00", pushMethod, approvedDetail, true)).with("CorrelationId", "c09:09:00")), found(5, "not answered: 5", same)},
		{"approved, and then blocked", append(rung(5, nine, minute, ignoredDetail), approvedAt(nine+9*minute).with("ResultType", "53003")),
			[]string{"ana@contoso.example [5] [not answered: 5] [" + same + "] [Portal] [approved, then failed: 53003] High"}},
		{"with a key", append(rung(5, nine, minute, ignoredDetail), signInOf("09:09:00", "0", "MFA completed in Azure AD", step("09:09:00", "FIDO2 security key", approvedDetail, true))), nil},

		{"more sign-ins afterwards", append(rung(6, nine, minute, ignoredDetail), approvedAt(nine+9*minute), approvedAt(nine+20*minute), elsewhere(approvedAt(nine+30*minute))), found(6, "not answered: 6", same)},
		{"the user signs in meanwhile", append(rung(6, nine, minute, ignoredDetail), elsewhere(approvedAt(nine+2*minute+30*time.Second)), approvedAt(nine+9*minute)), found(6, "not answered: 6", same)},
		{"the user signs in where they did before", append(rung(6, nine, minute, declinedDetail), elsewhere(signInOf("08:50:00", "0", "MFA requirement satisfied by claim in the token")), elsewhere(approvedAt(nine+9*minute))), nil},
		{"the user signs in where they did before, with a mistake", append(append(rung(6, nine, minute, declinedDetail), elsewhere(rung(1, nine+8*minute, minute, ignoredDetail)[0])),
			elsewhere(signInOf("08:50:00", "0", "MFA requirement satisfied by claim in the token")), elsewhere(approvedAt(nine+9*minute))), nil},
		{"somebody who shares the user's address", append(rung(6, nine, minute, ignoredDetail), signInOf("08:50:00", "0", "MFA requirement satisfied by claim in the token"), approvedAt(nine+9*minute)), found(6, "not answered: 6", same)},
		{"approved after each few", append(join(rung(3, nine, minute, ignoredDetail), rung(3, nine+6*minute, minute, ignoredDetail)), approvedAt(nine+4*minute), approvedAt(nine+10*minute)), nil},
		{"twice", append(join(rung(6, nine, minute, ignoredDetail), rung(6, nine+20*minute, minute, declinedDetail)), approvedAt(nine+9*minute), approvedAt(nine+30*minute)),
			slices.Concat(found(6, "declined: 6", same), found(6, "not answered: 6", same))},

		{"now and then, the same client", append(spread, approvedAt(oclock(9, 58))), found(5, "not answered: 5", same)},
		{"now and then, a mail client, and its owner at a desk", append(each(spread, func(_ int, r loggedRow) loggedRow { return mail(r) }), approvedAt(oclock(9, 58)).with("UserAgent", "Mozilla/5.0")), nil},
		{"often, and then with another client", append(each(rung(5, nine, minute, ignoredDetail), func(_ int, r loggedRow) loggedRow { return mail(r) }), approvedAt(oclock(9, 28)).with("UserAgent", "Mozilla/5.0")), found(5, "not answered: 5", same)},
		{"a managed device elsewhere", append(rung(6, nine, minute, ignoredDetail), elsewhere(approvedAt(nine+9*minute)).with("DeviceDetail", map[string]any{"isManaged": true})), nil},
		{"a mail client all night", append(each(rung(90, oclock(0, 1), 5*minute, ignoredDetail), func(_ int, r loggedRow) loggedRow { return mail(r) }), approvedAt(oclock(7, 50)).with("UserAgent", "Mozilla/5.0")), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, a := range fatigues(t, append(test.rows, signInOf("06:00:00", "0", "").with("UserId", "u9").with("UserPrincipalName", "zoe@contoso.example"))...) {
				name, _ := a.Rows[0].Get("Title")
				got = append(got, fmt.Sprintf("%s %s %s %s %s %s %s", name.Text(), detail(a, "Prompts"), detail(a, "PromptResults"), detail(a, "ApprovedFrom"), detail(a, "ApprovedApplication"), detail(a, "Outcome"), a.Severity))
			}
			slices.Sort(got)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("alerts (-want +got):\n%s", diff)
			}
		})
	}
}

// What the alert says of the approved sign-in is that one's, and both addresses
// are its entities.
func TestFatigueSays(t *testing.T) {
	t.Parallel()
	rows := append(rung(5, oclock(9, 0), minute, ignoredDetail), approvedAt(oclock(9, 9)).with("IPAddress", "198.51.100.4").with("AppDisplayName", "Mail").
		with("LocationDetails", map[string]any{"city": "Sofia", "countryOrRegion": "BG"}))
	alerts := fatigues(t, rows...)
	if len(alerts) != 1 {
		t.Fatalf("%d alerts", len(alerts))
	}
	a := alerts[0]
	got := []string{a.Title, a.Description, detail(a, "ApprovedTime"), detail(a, "ApprovedApplication"), detail(a, "ApprovedLocation"), detail(a, "ApprovedAddress"), detail(a, "PromptAddresses"), detail(a, "PromptApplications"), detail(a, "LastPrompt")}
	want := []string{"MFA fatigue of ana@contoso.example, approved from 198.51.100.4",
		"ana@contoso.example did not approve 5 prompts, and then approved a sign-in to Mail. If the user did not start it, somebody else is signed in.",
		"[2026-03-17T09:09:00Z]", "[Mail]", "[Sofia, BG]", "[198.51.100.4]", "[203.0.113.7]", "[Portal]", "[2026-03-17T09:04:00Z]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var addresses []string
	for _, e := range a.Entities[1:] {
		addresses = append(addresses, e.Fields[0].Value)
	}
	if diff := cmp.Diff([]string{"198.51.100.4", "203.0.113.7"}, addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

// ordinaryMonth is 30 days of what 300 people do: they sign in some times a day, and
// some prompts run out of time, are declined by mistake, or have the wrong number
// selected, before one is approved. Some have a mail client with an old password
// that prompts all night.
func ordinaryMonth(r *rand.Rand) (rows []loggedRow) {
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	n := 0
	add := func(user int, at time.Time, address, app, agent, resultType, detail string, succeeded bool) {
		n++
		status := detail
		if succeeded {
			status = "MFA completed in Azure AD"
		}
		when := at.Format(time.RFC3339)
		rows = append(rows, loggedRow{"Type": "SigninLogs", "TimeGenerated": when, "Id": fmt.Sprint("r", n), "CorrelationId": fmt.Sprint("c", n/2),
			"UserPrincipalName": fmt.Sprintf("user%d@contoso.example", user), "UserId": fmt.Sprint("u", user), "AADTenantId": "t1", "IPAddress": address, "AppDisplayName": app, "UserAgent": agent,
			"ResultType": resultType, "Status": map[string]any{"additionalDetails": status},
			"AuthenticationDetails": []map[string]any{{"authenticationStepDateTime": when, "authenticationMethod": pushMethod, "authenticationStepResultDetail": detail, "succeeded": succeeded}}})
	}
	mistakes := []string{ignoredDetail, ignoredDetail, numberDetail, declinedDetail, "MFA denied; duplicate authentication attempt", "MFA denied; invalid verification code"}
	for day := range 30 {
		for user := range 300 {
			home, desk := fmt.Sprintf("198.51.100.%d", user%250), "203.0.113.20"
			midnight := start.AddDate(0, 0, day)
			if user%50 == 7 { // until somebody notices
				for at := midnight; at.Before(midnight.Add(7 * time.Hour)); at = at.Add(5*minute + time.Duration(r.IntN(240))*time.Second) {
					add(user, at, home, "Outlook Mobile", "Outlook-iOS/2.0", "500121", ignoredDetail, false)
				}
			}
			at := midnight.Add(7*time.Hour + time.Duration(r.IntN(7200))*time.Second)
			for range 1 + r.IntN(3) {
				from := home
				if r.IntN(2) == 0 {
					from = desk
				}
				for range max(0, r.IntN(8)-5) { // one in four has a mistake, or two
					detail := mistakes[r.IntN(len(mistakes))]
					add(user, at, from, "Office 365", "Mozilla/5.0", "500121", detail, false)
					if r.IntN(4) == 0 { // the browser asks again at once
						add(user, at.Add(time.Second), from, "Office 365", "Mozilla/5.0", "500121", "MFA denied; duplicate authentication attempt", false)
					}
					at = at.Add(time.Duration(20+r.IntN(100)) * time.Second)
				}
				add(user, at, from, "Office 365", "Mozilla/5.0", "0", approvedDetail, true)
				at = at.Add(time.Duration(10+r.IntN(180)) * minute)
			}
		}
	}
	return rows
}

func TestFatigueInAnOrdinaryMonth(t *testing.T) {
	t.Parallel()
	rows := ordinaryMonth(rand.New(rand.NewPCG(1, 2)))
	attack := append(rung(5, oclock(3, 0), 9*minute, ignoredDetail), approvedAt(oclock(3, 40)))
	r, err := os.ReadFile(filepath.Join("..", "detect", "rule", "mfa-fatigue.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Query string }
	if err := yaml.Unmarshal(r, &file); err != nil {
		t.Fatal(err)
	}
	// All of it at once is the same as window by window, with the approvals of all
	// of the time: for the rest the query compares times.
	query := strings.Replace(file.Query, "| where max_of(Seen, TimeGenerated) >= now() - 70m\n", "", 1)
	if query == file.Query {
		t.Fatal("the query does not say which approvals are looked for")
	}
	got := handler(t, "query", "--logs", loggedIn(t, append(rows, attack...)...), "--output", "json", query)
	if got.code != exitDone {
		t.Fatal(got.stderr)
	}
	var found []map[string]any
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f["User"] != "u1" {
			t.Errorf("%v: %v, %v of %v to %v", f["StartTime"], f["User"], f["PromptResults"], f["PromptApplications"], f["ApprovedApplication"])
		}
	}
	if len(found) == 0 {
		t.Error("the attack among them is not found")
	}
}

// An approval from another address than the prompts is no sign-in from theirs,
// though the alert has both.
func TestFatigueFromElsewhere(t *testing.T) {
	t.Parallel()
	from := func(ip string) alert.Alert {
		alerts := fatigues(t, append(rung(6, oclock(9, 0), minute, ignoredDetail), approvedAt(oclock(9, 9)).with("IPAddress", ip))...)
		if len(alerts) != 1 {
			t.Fatalf("%d alerts", len(alerts))
		}
		return alerts[0]
	}
	if a := from("203.0.113.7"); !a.Context.Has(alert.FoundSuccessSameIP) {
		t.Errorf("from their address: %v", a.Context.Findings)
	}
	if a := from("198.51.100.4"); a.Context.Has(alert.FoundSuccessSameIP) {
		t.Errorf("from another one: %v", a.Context.Findings)
	}
}
