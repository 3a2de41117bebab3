package main

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/sample"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// took is the one part of the output that differs from run to run.
var took = regexp.MustCompile(`in \d+(\.\d+)?m?s\n`)

func TestDemoGolden(t *testing.T) {
	t.Parallel()
	r := handler(t, "demo")
	if r.code != exitDone || r.stderr != "" {
		t.Fatalf("code %d, stderr: %s", r.code, r.stderr)
	}
	got := took.ReplaceAllString(r.stdout, "in no time\n")
	const golden = "testdata/demo.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the demo's output changed (-want +got); go test ./handler -update accepts it:\n%s", diff)
	}
	for _, c := range got {
		if c < ' ' && c != '\n' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e {
			t.Fatalf("the output holds the control character %U", c)
		}
	}
}

// authentications lists the rejected authentications that an alert is about.
func authentications(a alert.Alert) []string {
	for _, d := range a.CustomDetails {
		if d.Name == "CorrelationIds" {
			return d.Values
		}
	}
	return nil
}

// told says how many alerts tell a rejection as news: alerts about the same
// user and address that name its authentication, which none before them did.
func told(alerts []alert.Alert, r sample.Rejection) (by []alert.Alert) {
	known := map[string]bool{}
	for _, a := range alerts {
		if identifier(a, "Account", "FullName") != r.User || identifier(a, "IP", "Address") != r.IP {
			continue
		}
		ids := authentications(a)
		if slices.Contains(ids, r.CorrelationID) && !known[r.CorrelationID] {
			by = append(by, a)
		}
		for _, id := range ids {
			known[id] = true
		}
	}
	return by
}

func identifier(a alert.Alert, entity, id string) string {
	for _, e := range a.Entities {
		for _, f := range e.Fields {
			if e.Type == entity && f.Identifier == id {
				return f.Value
			}
		}
	}
	return ""
}

// TestEachStory checks, for each kind of sign-in of the day, that it fires or
// does not, and why.
func TestEachStory(t *testing.T) {
	t.Parallel()
	alerts := handler(t, "demo", "--json").alerts(t)
	day := sample.Generate(sample.Options{})

	rejections := map[sample.Story][]sample.Rejection{}
	for _, r := range day.Rejections {
		rejections[r.Story] = append(rejections[r.Story], r)
	}
	records := map[sample.Story][]sample.Record{}
	for _, r := range day.Records {
		records[r.Story] = append(records[r.Story], r)
	}
	useful := map[string]bool{}
	for _, story := range slices.Sorted(maps.Keys(records)) {
		t.Run(string(story), func(t *testing.T) {
			for _, r := range rejections[story] {
				by := slices.DeleteFunc(told(alerts, r), func(a alert.Alert) bool { return a.Updates != nil })
				if len(by) != 1 {
					t.Errorf("%s from %s at %s is reported %d times, and should be once", r.User, r.IP, r.Time, len(by))
				}
				for _, a := range by {
					useful[a.ID] = true
				}
			}
		})
	}
	for _, a := range alerts {
		if !useful[a.ID] && a.Updates == nil {
			t.Errorf("an alert tells no rejection of the day: %s, %v", a.Title, a.Span)
		}
	}
}

// TestStoryDetails looks at what the alerts of some stories say.
func TestStoryDetails(t *testing.T) {
	t.Parallel()
	alerts := handler(t, "demo", "--json").alerts(t)
	byUser := map[string][]alert.Alert{}
	for _, a := range alerts {
		user := identifier(a, "Account", "FullName")
		byUser[user] = append(byUser[user], a)
	}
	detail := func(a alert.Alert, name string) string {
		for _, d := range a.CustomDetails {
			if d.Name == name {
				return strings.Join(d.Values, "|")
			}
		}
		return ""
	}
	for _, tc := range []struct {
		why, user, detail string
		want              []string // one per alert
	}{
		{"rows that share a CorrelationId are one authentication", "lukasz.zak@fabrikam.example", "Rejections", []string{"1"}},
		{"so are the rows of both tables", "noam.levi@fabrikam.example", "SignInTypes", []string{"Interactive|Non-interactive"}},
		{"and their count", "noam.levi@fabrikam.example", "Rejections", []string{"1"}},
		{"four rejections within an hour are one activity", "gaelle.cote@fabrikam.example", "Rejections", []string{"4"}},
		{"the same user and address again is news", "priya.deshmukh@fabrikam.example", "Rejections", []string{"1", "1"}},
		{"on both sides of a window's end too", "eleni.nikolaou@fabrikam.example", "Rejections", []string{"1", "1"}},
		{"a fraud report is counted as one", "ahmad.alzoubi@fabrikam.example", "FraudReports", []string{"1"}},
		{"the second table alone is enough", "minjun.kim@fabrikam.example", "SignInTypes", []string{"Non-interactive"}},
		{"prompts without an answer are no rejections", "yael.cohen@fabrikam.example", "Rejections", []string{"2"}},
		{"a guest is told as one", "bob_partner.example#ext#@fabrikam.onmicrosoft.example", "UserType", []string{"Guest"}},
	} {
		t.Run(tc.why, func(t *testing.T) {
			var got []string
			for _, a := range byUser[tc.user] {
				got = append(got, detail(a, tc.detail))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", tc.detail, tc.user, diff)
			}
		})
	}
	for _, a := range alerts {
		for _, id := range []string{"FullName", "AadUserId", "AadTenantId"} {
			if identifier(a, "Account", id) == "" {
				t.Errorf("%s: the account has no %s", a.Title, id)
			}
		}
	}
}

// TestDemoIsTheSameEachTime compares two runs and a replay of the day's files.
func TestDemoIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := handler(t, "demo", "--json", "--write", dir)
	if second := handler(t, "demo", "--json"); first != second {
		t.Error("two runs differ")
	}
	replayed := handler(t, "replay", "--logs", dir, "--json", "--from", "2026-03-17", "--to", "2026-03-18")
	if diff := cmp.Diff(first.stdout, replayed.stdout); diff != "" {
		t.Errorf("a replay of the demo's files tells something else (-demo +replay):\n%s", diff)
	}
	for line := range strings.Lines(first.stdout) {
		if !json.Valid([]byte(line)) {
			t.Errorf("not a JSON object a line: %s", line)
		}
	}
}

// TestSeeds checks other days of the generator against their ground truth.
func TestSeeds(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{"1", "2", "18446744073709551615"} {
		t.Run(seed, func(t *testing.T) {
			t.Parallel()
			var n uint64
			if err := json.Unmarshal([]byte(seed), &n); err != nil {
				t.Fatal(err)
			}
			alerts := handler(t, "demo", "--json", "--seed", seed).alerts(t)
			toldOnce(t, alerts, sample.Generate(sample.Options{Seed: n}).Rejections)
		})
	}
}

// toldOnce checks that the alerts tell each rejection once, that each alert has
// something new, and that nothing else is told.
func toldOnce(t *testing.T, alerts []alert.Alert, rejections []sample.Rejection) {
	t.Helper()
	// An update says what came after, not another rejection.
	alerts = slices.DeleteFunc(slices.Clone(alerts), func(a alert.Alert) bool { return a.Updates != nil })
	useful := map[string]bool{}
	expected := map[string]bool{}
	for _, r := range rejections {
		expected[r.CorrelationID] = true
		by := told(alerts, r)
		if len(by) != 1 {
			t.Errorf("%s from %s at %s (%s) is told %d times", r.User, r.IP, r.Time.Format(time.RFC3339), r.Story, len(by))
		}
		for _, a := range by {
			useful[a.ID] = true
		}
	}
	for _, a := range alerts {
		if !useful[a.ID] {
			t.Errorf("%s, %v, tells nothing new", a.Title, a.Span)
		}
		for _, id := range authentications(a) {
			if !expected[id] {
				t.Errorf("%s, %v, tells %s, which nobody rejected", a.Title, a.Span, id)
			}
		}
	}
}
