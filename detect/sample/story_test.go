package sample

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

func TestEveryStoryHappensAndFiresAsItSays(t *testing.T) {
	t.Parallel()
	d := theDay()
	for _, known := range stories {
		s := known.story
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			rows := rowsOf(t, s)
			if len(rows) == 0 {
				t.Fatal("no records")
			}
			if s.because() == "" {
				t.Error("no reason")
			}
			if got := len(rejectionsOf(d, s)) > 0; got != s.fires() {
				t.Errorf("has rejections: %v, fires: %v", got, s.fires())
			}
		})
	}
	if Story("no such story").fires() || Story("no such story").because() != "" {
		t.Error("an unknown story fires or has a reason")
	}
}

// Who is in a story that fires is in no other, so that every alert for a
// user is due to one story, and its address is nobody else's.
func TestStoriesShareNoUserAndNoAddress(t *testing.T) {
	t.Parallel()
	users, ips := map[string]Story{}, map[string]Story{}
	for _, r := range theDay().Rejections {
		if s, ok := users[r.User]; ok && s != r.Story {
			t.Errorf("%s is in %s and in %s", r.User, s, r.Story)
		}
		if s, ok := ips[r.IP]; ok && s != r.Story {
			t.Errorf("%s is in %s and in %s", r.IP, s, r.Story)
		}
		users[r.User], ips[r.IP] = r.Story, r.Story
	}
}

// The number of rejections, authentications counted once, and of users and
// addresses, of each story that fires.
func TestRejectionsOfEachStory(t *testing.T) {
	t.Parallel()
	type tally struct{ Rejections, Users, Addresses int }
	one := tally{1, 1, 1}
	want := map[Story]tally{
		PlainRejection: {3, 3, 3}, OtherCaseRejection: one, IPv6Rejection: one, ScriptRejection: one, GuestRejection: one,
		AdminRejection: one, KnownPlaceRejection: one, FraudReport: one, PushBombingRejected: {2, 1, 1},
		PushBombingAccepted: {4, 1, 1}, NonInteractiveRejection: one, SharedCorrelation: one, BothTables: one,
		RejectedTwice: {2, 1, 1}, LateRejection: {2, 2, 2}, HourBoundary: {2, 1, 1}, QuarterBoundary: {4, 1, 1},
		WindowStart: one, Hostile: one, MistakenRejection: one, RejectedThenElsewhere: one, OtherAccount: one, RefusedThenSignedIn: one,
	}
	got := map[Story]tally{}
	for _, known := range stories {
		s := known.story
		users, ips := map[string]bool{}, map[string]bool{}
		rs := rejectionsOf(theDay(), s)
		for _, r := range rs {
			users[r.User], ips[r.IP] = true, true
		}
		if len(rs) > 0 {
			got[s] = tally{len(rs), len(users), len(ips)}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rejections (-want +got):\n%s", diff)
	}
}

// sole returns the only rejection of a story and its sign-in rows.
func sole(t *testing.T, s Story) (Rejection, []row) {
	t.Helper()
	rs := rejectionsOf(theDay(), s)
	if len(rs) != 1 {
		t.Fatalf("%d rejections, want 1", len(rs))
	}
	return rs[0], signIns(rowsOf(t, s))
}

func TestFailuresThatAreNoRejection(t *testing.T) {
	t.Parallel()
	for story, want := range map[Story]string{
		Timeout:          "MFA denied; user did not respond to mobile app notification",
		DuplicateAttempt: "MFA denied; duplicate authentication attempt",
		WrongNumber:      "MFA denied; user did not select the correct number",
		WrongCode:        "MFA denied; invalid verification code",
	} {
		for _, x := range rowsOf(t, story) {
			if x.ResultType != "500121" || x.details(t) != want || !strings.Contains(x.Steps, want) {
				t.Errorf("%s: result %s, %q, steps %s", story, x.ResultType, x.details(t), x.Steps)
			}
		}
	}
	unexplained := 0
	for _, x := range rowsOf(t, ServiceAccount) {
		if x.ResultType == "500121" {
			unexplained++
			if x.details(t) != "" {
				t.Errorf("service account's error has details %q", x.details(t))
			}
		}
	}
	if unexplained == 0 {
		t.Error("no service account fails with error 500121")
	}
}

func TestLetterCase(t *testing.T) {
	t.Parallel()
	_, rows := sole(t, OtherCaseRejection)
	if d := rows[0].details(t); d == declinedText || !strings.EqualFold(d, declinedText) {
		t.Errorf("details %q, want %q in other case", d, declinedText)
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	if r, _ := sole(t, IPv6Rejection); !strings.Contains(r.IP, ":") {
		t.Errorf("address %s", r.IP)
	}
}

func TestScript(t *testing.T) {
	t.Parallel()
	_, rows := sole(t, ScriptRejection)
	if !strings.ContainsFunc(rows[0].Display, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
		t.Errorf("display name %s", rows[0].Display)
	}
	scripts := map[string]*unicode.RangeTable{
		"Latin": unicode.Latin, "Greek": unicode.Greek, "Cyrillic": unicode.Cyrillic, "Arabic": unicode.Arabic, "Hebrew": unicode.Hebrew,
		"Devanagari": unicode.Devanagari, "Han": unicode.Han, "Katakana": unicode.Katakana, "Hangul": unicode.Hangul,
	}
	for _, x := range rowsOf(t, Ordinary) {
		for name, s := range scripts {
			if strings.ContainsFunc(x.Display, func(c rune) bool { return unicode.Is(s, c) }) {
				delete(scripts, name)
			}
		}
		if strings.ContainsFunc(x.User, func(c rune) bool { return c > unicode.MaxASCII }) {
			t.Fatalf("user principal name %s is not ASCII", x.User)
		}
	}
	delete(scripts, "Katakana") // Japanese names here are in kanji and hiragana
	for name := range scripts {
		t.Errorf("nobody's name is in %s", name)
	}
}

func TestGuest(t *testing.T) {
	t.Parallel()
	r, rows := sole(t, GuestRejection)
	x := rows[0]
	if r.User != "bob_partner.example#ext#@fabrikam.onmicrosoft.example" || x.UserType != "Guest" || x.HomeTenantID == x.AADTenantID {
		t.Errorf("user %s, type %s, home tenant %s, tenant %s", r.User, x.UserType, x.HomeTenantID, x.AADTenantID)
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	r, _ := sole(t, AdminRejection)
	var latest row
	n := 0
	for _, x := range rowsOf(t, Directory) {
		if strings.EqualFold(x.AccountUPN, r.User) {
			n++
			if x.Time.After(latest.Time) {
				latest = x
			}
		}
	}
	if n < 2 {
		t.Errorf("%d identity records, want one before the roles were given too", n)
	}
	if !slices.Contains(latest.Roles, "Global Administrator") || latest.BlastRadius != "High" {
		t.Errorf("latest identity: roles %q, blast radius %s", latest.Roles, latest.BlastRadius)
	}
	u, _ := sole(t, IPv6Rejection)
	for _, x := range rowsOf(t, Directory) {
		if strings.EqualFold(x.AccountUPN, u.User) {
			t.Errorf("the directory knows %s", u.User)
		}
	}
}

// The rejection from a known place has nothing before it that failed and
// nothing after it at all.
func TestKnownPlace(t *testing.T) {
	t.Parallel()
	r, _ := sole(t, KnownPlaceRejection)
	before := 0
	for _, x := range allRows(t) {
		if x.UserID != r.UserID {
			continue
		}
		if x.Time.After(r.Time) {
			t.Errorf("%s signs in at %s, after the rejection", x.User, x.Time)
		}
		if x.Time.Before(r.Time) && x.ResultType == "0" && x.IP == r.IP && x.Type == SigninLogs {
			before++
		}
	}
	if before == 0 {
		t.Error("no success from the same address before")
	}
}

func TestFraud(t *testing.T) {
	t.Parallel()
	r, rows := sole(t, FraudReport)
	if d := rows[0].details(t); !r.Fraud || d != "MFA denied; Phone App Reported Fraud" {
		t.Errorf("fraud %v, details %q", r.Fraud, d)
	}
}

func TestPushBombing(t *testing.T) {
	t.Parallel()
	for _, story := range []Story{PushBombingRejected, PushBombingAccepted} {
		rs := rejectionsOf(theDay(), story)
		var prompts, successes, tokens []row
		for _, x := range allRows(t) {
			if x.IP != rs[0].IP || x.story == PasswordSpray {
				continue
			}
			if x.UserID != rs[0].UserID {
				t.Errorf("%s: %s signs in from %s too", story, x.User, x.IP)
			}
			switch {
			case x.ResultType == "500121":
				prompts = append(prompts, x)
			case x.ResultType == "0" && x.Interactive:
				successes = append(successes, x)
			case x.ResultType == "0":
				tokens = append(tokens, x)
			}
		}
		byTime := func(a, b row) int { return a.Time.Compare(b.Time) }
		slices.SortFunc(prompts, byTime)
		slices.SortFunc(successes, byTime)
		first, end := prompts[0].Time, prompts[len(prompts)-1]
		if len(prompts) < 20 || end.Time.Sub(first) > 30*time.Minute {
			t.Errorf("%s: %d prompts in %s", story, len(prompts), end.Time.Sub(first))
		}
		if !end.rejected(t) {
			t.Errorf("%s: the last prompt is not rejected", story)
		}
		if end.Time.Truncate(time.Hour) != first.Truncate(time.Hour) {
			t.Errorf("%s: from %s to %s, in two hours", story, first, end.Time)
		}
		if story == PushBombingRejected {
			if len(successes)+len(tokens) != 0 {
				t.Errorf("%s: %d successes", story, len(successes)+len(tokens))
			}
			continue
		}
		if after := successes[0].Time.Sub(end.Time); after <= 0 || after > 10*time.Minute || successes[0].details(t) != approved.details {
			t.Errorf("%s: approved %s after the last rejection, %q", story, after, successes[0].details(t))
		}
		apps := map[string]bool{}
		for _, x := range tokens {
			apps[x.App] = true
			if x.Time.Before(successes[0].Time) {
				t.Errorf("%s: a token at %s, before the success", story, x.Time)
			}
		}
		if len(apps) < 3 {
			t.Errorf("%s: tokens for %d applications", story, len(apps))
		}
	}
}

// Others fail from the address of the bombing that ends in a rejection.
func TestPasswordSpray(t *testing.T) {
	t.Parallel()
	bombed := rejectionsOf(theDay(), PushBombingRejected)[0]
	users := map[string]bool{}
	for _, x := range rowsOf(t, PasswordSpray) {
		users[x.UserID] = true
		if x.IP != bombed.IP || x.ResultType != "50126" || x.UserID == bombed.UserID {
			t.Errorf("%s fails with %s from %s", x.User, x.ResultType, x.IP)
		}
	}
	if len(users) < 5 {
		t.Errorf("%d users", len(users))
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	t.Run("non-interactive only", func(t *testing.T) {
		t.Parallel()
		r, rows := sole(t, NonInteractiveRejection)
		if r.Interactive || len(rows) != 2 || !rows[0].rejected(t) || rows[1].ResultType != "0" || rows[0].Type != AADNonInteractiveUserSignInLogs || rows[1].Type != rows[0].Type {
			t.Errorf("interactive %v, rows %+v", r.Interactive, rows)
		}
	})
	t.Run("shared correlation", func(t *testing.T) {
		t.Parallel()
		r, rows := sole(t, SharedCorrelation)
		for _, x := range rows {
			if x.Type != SigninLogs || x.CorrelationID != r.CorrelationID || !x.rejected(t) {
				t.Errorf("row %+v", x)
			}
		}
		if len(rows) < 2 {
			t.Errorf("%d rows", len(rows))
		}
	})
	t.Run("both tables", func(t *testing.T) {
		t.Parallel()
		_, rows := sole(t, BothTables)
		if len(rows) != 2 || rows[0].Type == rows[1].Type {
			t.Fatalf("rows %+v", rows)
		}
		if rows[0].User == rows[1].User || !strings.EqualFold(rows[0].User, rows[1].User) {
			t.Errorf("users %s and %s, want them to differ in case", rows[0].User, rows[1].User)
		}
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := func(s Story, i int) time.Time { return rejectionsOf(theDay(), s)[i].Time }
	hour := func(s Story, i int) int { return at(s, i).Hour() }

	if d := at(RejectedTwice, 1).Sub(at(RejectedTwice, 0)); d < 6*time.Hour {
		t.Errorf("rejected twice within %s", d)
	}
	if hour(HourBoundary, 0)+1 != hour(HourBoundary, 1) || at(HourBoundary, 1).Sub(at(HourBoundary, 0)) > 10*time.Minute {
		t.Errorf("hour boundary: %s and %s", at(HourBoundary, 0), at(HourBoundary, 1))
	}
	first, end := at(QuarterBoundary, 0), at(QuarterBoundary, 3)
	if first.Truncate(time.Hour) != end.Truncate(time.Hour) || first.Truncate(15*time.Minute) == end.Truncate(15*time.Minute) {
		t.Errorf("quarter boundary: %s to %s", first, end)
	}
	if s := at(WindowStart, 0); s != s.Truncate(time.Hour) {
		t.Errorf("window start: %s", s)
	}
	for _, r := range theDay().Rejections {
		if r.Story != WindowStart && r.Time == r.Time.Truncate(time.Second) {
			t.Errorf("%s: %s is on a full second", r.Story, r.Time)
		}
	}
}

// A late rejection misses the first look at its hour, five minutes past the
// hour's end, and makes the second, an hour later.
func TestLate(t *testing.T) {
	t.Parallel()
	var delays []time.Duration
	for _, r := range rejectionsOf(theDay(), LateRejection) {
		delays = append(delays, r.Received.Sub(r.Time))
		looked := r.Time.Truncate(time.Hour).Add(time.Hour + 5*time.Minute)
		if !r.Received.After(looked) || r.Received.After(looked.Add(time.Hour)) {
			t.Errorf("%s: received %s, first looked for %s", r.User, r.Received, looked)
		}
	}
	slices.Sort(delays) // whichever came first
	if diff := cmp.Diff([]time.Duration{50 * time.Minute, 100 * time.Minute}, delays); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	_, rows := sole(t, Hostile)
	x := rows[0]
	got := []string{x.Display, detail(t, x.Device, "displayName"), x.Agent, x.App}
	if diff := cmp.Diff([]string{hostileDisplay, hostileDevice, hostileAgent, hostileApp}, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	all := strings.Join(got, "")
	for _, part := range []string{"\x00", "\x1b[", "\n", "\r", "\t", `"`, "'", `\`, "](", "\u202e", "\u2028", "<at>", "{{"} {
		if !strings.Contains(all, part) {
			t.Errorf("no %q in any name", part)
		}
	}
}

// UEBA knows of some stories and of others it does not.
func TestAnalytics(t *testing.T) {
	t.Parallel()
	highest := map[Story]int{}
	for _, x := range allRows(t) {
		if x.Type != BehaviorAnalytics {
			continue
		}
		if x.Activity != "LogOn" && x.Activity != "FailedLogOn" || x.SourceIP == "" || x.Priority < 0 || x.Priority > 10 {
			t.Errorf("activity %s from %q, priority %d", x.Activity, x.SourceIP, x.Priority)
		}
		highest[x.story] = max(highest[x.story], x.Priority)
	}
	want := map[Story]int{
		Ordinary: 2, PushBombingAccepted: 9, PushBombingRejected: 8, AdminRejection: 7, FraudReport: 5,
		RejectedTwice: 4, GuestRejection: 3, Hostile: 3, KnownPlaceRejection: 0,
	}
	if diff := cmp.Diff(want, highest); diff != "" {
		t.Errorf("highest priorities (-want +got):\n%s", diff)
	}
}
