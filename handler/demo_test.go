package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/sample"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// took is the one part of the output that differs from run to run.
var took = regexp.MustCompile(`in (\d+m)?\d+(\.\d+)?m?s\n`)

var (
	// ruled is the line above each alert of the text.
	ruled = regexp.MustCompile(`(?m)^─+\n`)
	// droppedRows are the lines that list what a tick dropped.
	droppedRows = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d  dropped, already reported: .*\n(?:  .*\n)*`)
	// droppedTotal is how many were dropped in all, in a text without space.
	droppedTotal = regexp.MustCompile(`Dropped(\d+)rows`)
)

// TestDemoGolden keeps the form of the text: of the table, and with --details of
// the heading, an alert, one that updates it and the totals. TestDemoText looks at
// what the others say.
func TestDemoGolden(t *testing.T) {
	t.Parallel()
	table := handler(t, "demo")
	if table.code != exitDone || table.stderr != "" {
		t.Fatalf("code %d, stderr: %s", table.code, table.stderr)
	}
	golden(t, "testdata/demo.golden", took.ReplaceAllString(table.stdout, "in no time\n"))

	printed := took.ReplaceAllString(handler(t, "demo", "--details").stdout, "in no time\n")
	parts := ruled.Split(printed, -1)
	got := parts[0]
	for _, part := range parts[1:] {
		if title, _, _ := strings.Cut(part, "\n"); strings.Contains(title, "dimitris.papadakis@") {
			got += strings.Repeat("─", 100) + "\n" + part
		}
	}
	totals := strings.Index(printed, "\nTotals\n")
	if totals < 0 {
		t.Fatal("there are no totals")
	}
	golden(t, "testdata/demo-details.golden", got+printed[totals:])
}

// golden compares an output with a file, or with -update rewrites it.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the demo's output changed (-want +got); go test ./handler -run TestDemoGolden -update accepts it:\n%s", diff)
	}
}

// TestDemoText compares the text with the same run as JSON. Each alert is
// there, in order and with all that is known of it, each row that was dropped
// is listed, and the totals count them.
func TestDemoText(t *testing.T) {
	t.Parallel()
	printed := handler(t, "demo", "--details", "--verbose").stdout
	alerts := demoJSON().alerts(t)
	for line := range strings.Lines(printed) {
		if w := text.Width(strings.TrimSuffix(line, "\n")); w > 100 {
			t.Errorf("a line of %d cells: %s", w, line)
		}
		for _, c := range strings.TrimSuffix(line, "\n") {
			if !text.Harmless(c) {
				t.Fatalf("the output holds the character %U", c)
			}
		}
	}
	blocks := ruled.Split(printed, -1)[1:]
	if len(blocks) != len(alerts) {
		t.Fatalf("%d alerts in the text, %d as JSON", len(blocks), len(alerts))
	}
	bare := func(s string) string { return strings.Join(strings.Fields(s), "") } // lines are wrapped
	severities, accounts, addresses, updates := map[alert.Severity]int{}, map[string]bool{}, map[string]bool{}, 0
	for i, a := range alerts {
		block := bare(blocks[i])
		if begin := bare(strings.ToUpper(a.Severity.String()) + a.Title); !strings.HasPrefix(block, begin) {
			t.Errorf("alert %d is %.80s, want %s", i, block, begin)
		}
		want := []string{"reported " + a.Created.Format("15:04"), a.Description}
		for _, e := range a.Entities {
			want = append(want, e.Type+" "+e.Fields[0].Value)
		}
		for _, d := range a.CustomDetails {
			if len(d.Values) > 0 {
				want = append(want, strings.Join(d.Values, ", "))
			}
		}
		for _, f := range a.Context.Findings {
			want = append(want, f.Text)
		}
		for _, section := range a.Context.Sections {
			want = append(want, section.Title, section.Subject)
			for _, f := range section.Facts {
				want = append(want, f.Name+": "+f.Values[0])
			}
		}
		for _, m := range a.Context.Timeline {
			want = append(want, m.Time.Format("2006-01-02 15:04"), m.Text)
		}
		want = append(want, strings.Join(append(a.Tactics, a.Techniques...), ", "))
		if a.Updates != nil {
			updates++
			want = append(want, a.Updates.Title)
		}
		severities[a.Severity]++
		for _, w := range want {
			if !strings.Contains(block, bare(text.Safe(w))) {
				t.Errorf("%s lacks %q:\n%s", a.Title, w, blocks[i])
			}
		}
		accounts[identifier(a, "Account", "FullName")], addresses[identifier(a, "IP", "Address")] = true, true
	}
	dropped := 0
	for _, listed := range droppedRows.FindAllString(printed, -1) {
		dropped += strings.Count(listed, ";") + 1
	}
	totals := bare(printed[strings.Index(printed, "\nTotals\n"):])
	// What several windows of a tick drop is listed once.
	total := droppedTotal.FindStringSubmatch(totals)
	if total == nil {
		t.Fatalf("the totals do not say how many rows were dropped: %s", totals)
	}
	if n, err := strconv.Atoi(total[1]); err != nil || n < dropped {
		t.Errorf("%d dropped rows are listed, and the totals say %d: %v", dropped, n, err)
	}
	for _, want := range []string{
		fmt.Sprintf("Reported %d alerts, %d of them updates of earlier ones (%d High, %d Medium, %d Low), about %d accounts, %d addresses", len(alerts), updates,
			severities[alert.High], severities[alert.Medium], severities[alert.Low], len(accounts), len(addresses)),
		"Ran 48 windows, 52 passes of which 4 late",
	} {
		if !strings.Contains(totals, bare(want)) {
			t.Errorf("the totals lack %q: %s", want, totals)
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

// reporting lists the alerts that report a rejection as news. They are the
// alerts about the same user and address that name its authentication, which
// none before them did.
func reporting(alerts []alert.Alert, r sample.Rejection) (by []alert.Alert) {
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
	alerts := byRule(demoJSON().alerts(t), sample.RejectionRule)
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
				by := slices.DeleteFunc(reporting(alerts, r), func(a alert.Alert) bool { return a.Updates != nil })
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
			t.Errorf("an alert reports no rejection of the day: %s, %v", a.Title, a.Span)
		}
	}
}

// TestStoryDetails looks at what the alerts of some stories say.
func TestStoryDetails(t *testing.T) {
	t.Parallel()
	alerts := demoJSON().alerts(t)
	byUser := map[string][]alert.Alert{}
	for _, a := range byRule(alerts, sample.RejectionRule) {
		if user := identifier(a, "Account", "FullName"); a.Updates == nil {
			byUser[user] = append(byUser[user], a)
		}
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
		{"a guest is shown as one", "bob_partner.example#ext#@fabrikam.onmicrosoft.example", "UserType", []string{"Guest"}},
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
		t.Errorf("a replay of the demo's files reports something else (-demo +replay):\n%s", diff)
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
			day := sample.Generate(sample.Options{Seed: n})
			reportedOnce(t, byRule(alerts, sample.RejectionRule), day.Rejections)
			found(t, alerts, day.Plants)
		})
	}
}

// reportedOnce checks that the alerts report each rejection once, that each alert
// has something new, and that nothing else is reported.
func reportedOnce(t *testing.T, alerts []alert.Alert, rejections []sample.Rejection) {
	t.Helper()
	// An update says what came after, not another rejection.
	alerts = slices.DeleteFunc(slices.Clone(alerts), func(a alert.Alert) bool { return a.Updates != nil })
	useful := map[string]bool{}
	expected := map[string]bool{}
	for _, r := range rejections {
		expected[r.CorrelationID] = true
		by := reporting(alerts, r)
		if len(by) != 1 {
			t.Errorf("%s from %s at %s (%s) is reported %d times", r.User, r.IP, r.Time.Format(time.RFC3339), r.Story, len(by))
		}
		for _, a := range by {
			useful[a.ID] = true
		}
	}
	for _, a := range alerts {
		if !useful[a.ID] {
			t.Errorf("%s, %v, reports nothing new", a.Title, a.Span)
		}
		for _, id := range authentications(a) {
			if !expected[id] {
				t.Errorf("%s, %v, reports %s, which nobody rejected", a.Title, a.Span, id)
			}
		}
	}
}

// TestReadmeCountsTheDemo keeps what the README says of the demo true.
func TestReadmeCountsTheDemo(t *testing.T) {
	t.Parallel()
	alerts, updates := 0, 0
	for _, a := range demoJSON().alerts(t) {
		if a.Updates != nil {
			updates++
		} else {
			alerts++
		}
	}
	want := fmt.Sprintf("It reports %d alerts with their context, %d of them updates of earlier ones.", alerts+updates, updates)
	if said := strings.Join(strings.Fields(documented(t)), " "); !strings.Contains(said, want) {
		t.Errorf("no README has %q", want)
	}
}
