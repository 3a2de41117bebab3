package sample

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// Each person of a story has a frame to move it in and a verdict.
func TestCastHasFramesAndVerdicts(t *testing.T) {
	t.Parallel()
	g := newGenerator(Options{Users: minUsers})
	for s, people := range g.cast {
		if len(frames[s]) != len(people) || len(verdicts[s]) != len(people) {
			t.Errorf("%s has %d people, %d frames and %d verdicts", s, len(people), len(frames[s]), len(verdicts[s]))
		}
	}
	for _, p := range theDay().Plants {
		if p.Story == OtherAccount && len(p.Rules) == 0 {
			continue // whose account it is
		}
		if reported := slices.Contains(p.Rules, RejectionRule); reported != p.Story.fires() {
			t.Errorf("%s fires: %v, its plant: %v", p.Story, p.Story.fires(), p.Rules)
		}
		if p.Compromised && p.Least != "High" {
			t.Errorf("%s is compromised and may be reported as %s", p.Story, p.Least)
		}
	}
}

// step is an element of AuthenticationDetails.
type step struct {
	Method    string `json:"authenticationMethod"`
	Result    string `json:"authenticationStepResultDetail"`
	Succeeded bool   `json:"succeeded"`
}

func (x row) steps(t testing.TB) []step {
	t.Helper()
	var list []step
	if err := json.Unmarshal([]byte(x.Steps), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// storyOf returns the sign-ins of a story of a seed's small day, in the order of
// their time.
func storyOf(t *testing.T, seed uint64, s Story) (*Day, []row) {
	t.Helper()
	d := Generate(Options{Seed: seed, Day: testDay, Users: minUsers})
	var rows []row
	for _, r := range d.Records {
		if r.Story == s && (r.Table == SigninLogs || r.Table == AADNonInteractiveUserSignInLogs) {
			rows = append(rows, parse(t, r))
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.Time.Compare(b.Time) })
	return d, rows
}

// The sign-in that ends well after a refusal ends with either code, and the
// refusal is in its steps only.
func TestRefusedThenSignedIn(t *testing.T) {
	t.Parallel()
	for seed, code := range []string{"0", "50140"} {
		_, rows := storyOf(t, uint64(seed), RefusedThenSignedIn)
		if len(rows) != 2 || rows[0].ResultType != code || rows[1].SessionID != rows[0].SessionID {
			t.Fatalf("seed %d: %+v", seed, rows)
		}
		want := []step{
			{"Password", "Correct password", true},
			{"Mobile app notification", "MFA denied; user declined the authentication", false},
			{"Mobile app notification", "MFA successfully completed", true},
		}
		if got := rows[0].steps(t); !slices.Equal(got, want) {
			t.Errorf("seed %d: steps %+v", seed, got)
		}
	}
}

// Who declined by mistake did so at home, on their own laptop, where they
// satisfied MFA on several days before, and approved there a minute later.
func TestMistake(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		d, rows := storyOf(t, seed, MistakenRejection)
		if len(rows) != 2 || !rows[0].rejected(t) || rows[1].details(t) != approved.details || rows[1].ResultType != "0" {
			t.Fatalf("seed %d: %+v", seed, rows)
		}
		if gap := rows[1].Time.Sub(rows[0].Time); gap < 30*time.Second || gap > 90*time.Second {
			t.Errorf("seed %d: approved %s after declining", seed, gap)
		}
		device := detail(t, rows[0].Device, "deviceId")
		if rows[0].IP != rows[1].IP || device == "" || detail(t, rows[1].Device, "deviceId") != device {
			t.Errorf("seed %d: declined from %s, approved from %s", seed, rows[0].IP, rows[1].IP)
		}
		days := map[string]bool{}
		for _, r := range d.Records {
			if r.Table != SigninLogs || !r.Generated.Before(rows[0].Time.AddDate(0, 0, -1)) {
				continue
			}
			if x := parse(t, r); x.UserID == rows[0].UserID && x.IP == rows[0].IP && detail(t, x.Device, "deviceId") == device &&
				x.ResultType == "0" && slices.Contains([]string{claimed.details, approved.details}, x.details(t)) {
				days[r.Generated.Format(time.DateOnly)] = true
			}
		}
		if len(days) < 5 {
			t.Errorf("seed %d: MFA satisfied on %d days before", seed, len(days))
		}
	}
}

func TestFatigue(t *testing.T) {
	t.Parallel()
	elsewhere := 0
	for seed := range uint64(12) {
		d, rows := storyOf(t, seed, FatigueApproved)
		n := slices.IndexFunc(rows, func(x row) bool { return x.ResultType == "0" })
		if n < 6 || n > 25 || rows[n].details(t) != approved.details || !rows[n].Interactive {
			t.Errorf("seed %d: %d prompts before an approval: %+v", seed, n, rows)
			continue
		}
		if over := rows[n].Time.Sub(rows[0].Time); over > 25*time.Minute {
			t.Errorf("seed %d: approved after %s", seed, over)
		}
		if rows[n].IP != rows[0].IP {
			elsewhere++
		}
		for _, x := range rows[n+1:] {
			if x.SessionID != rows[n].SessionID || x.details(t) != claimed.details {
				t.Errorf("seed %d: used by %+v", seed, x)
			}
		}
		_, unanswered := storyOf(t, seed, FatigueUnanswered)
		if len(unanswered) < 14 {
			t.Errorf("seed %d: %d prompts unanswered", seed, len(unanswered))
		}
		for _, x := range append(unanswered, rows[:n]...) {
			if x.ResultType != "500121" || x.rejected(t) {
				t.Errorf("seed %d: a prompt ended as %+v", seed, x)
			}
		}
		// They sleep on: nothing but the attack is in the hours around it.
		user, start := unanswered[0].UserID, unanswered[0].Time
		for _, r := range d.Records {
			if r.Table == SigninLogs && r.Story != FatigueUnanswered && r.Generated.After(start.Add(-2*time.Hour)) && r.Generated.Before(start.Add(4*time.Hour)) {
				if x := parse(t, r); x.UserID == user {
					t.Errorf("seed %d: %s signs in at %s", seed, x.User, x.Time)
				}
			}
		}
	}
	if elsewhere == 0 || elsewhere == 12 {
		t.Errorf("%d of 12 approvals are from another address", elsewhere)
	}
}

// Everybody satisfied MFA at each of their places on two days or more, all of
// them more than a day before.
func TestHistory(t *testing.T) {
	t.Parallel()
	g := newGenerator(Options{Seed: 3, Day: testDay, Users: minUsers})
	g.history()
	days := map[string]map[string]bool{}
	for _, r := range g.records {
		if r.Generated.Before(testDay.AddDate(0, 0, -1)) {
			x := parse(t, r)
			k := x.UserID + " " + x.IP
			if days[k] == nil {
				days[k] = map[string]bool{}
			}
			days[k][r.Generated.Format(time.DateOnly)] = true
		}
	}
	for _, p := range append(slices.Clone(g.people), g.guests...) {
		places := []string{p.home.ip}
		if !p.homeWorker {
			places = append(places, p.office.ip, p.office.mobile)
		}
		for _, ip := range places {
			if n := len(days[p.id+" "+ip]); n < 2 {
				t.Errorf("%s signed in from %s on %d days", p.upn, ip, n)
			}
		}
	}
}
