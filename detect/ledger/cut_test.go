package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
)

// largeAlert returns an alert with rows of a value.
func largeAlert(rows int, value string) alert.Alert {
	a := newAlert("rule", activity("a", 0, 10))
	a.Title = "Large"
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	for i := range rows {
		a.Rows = append(a.Rows, alert.Row{{Column: "N", Value: fmt.Append(nil, i)}, {Column: "V", Value: text}})
	}
	return a
}

// TestLargeAlerts records alerts around and past what the service keeps.
func TestLargeAlerts(t *testing.T) {
	t.Parallel()
	manyEvents := newAlert("rule", activity("events", 0, 10))
	for i := range 30_000 {
		manyEvents.Activities[0].Events = append(manyEvents.Activities[0].Events, alert.NewEventID(fmt.Sprint(i)))
	}
	manyActivities := newAlert("rule", activity("many", 0, 10))
	for i := range 30_000 {
		manyActivities.Activities = append(manyActivities.Activities, activity(fmt.Sprintf("%032d", i), 0, 10))
	}
	longText := newAlert("rule", activity("text", 0, 10))
	longText.Description = strings.Repeat("<\U0001F600\x00\"", 300_000)
	for range 2_000 {
		longText.Entities = append(longText.Entities, alert.Entity{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: strings.Repeat("x", 1000)}}})
	}
	for _, tt := range []struct {
		name  string
		alert alert.Alert
		whole bool
		rows  int
	}{
		{"past a property", largeAlert(40, strings.Repeat("x", 1000)), true, 40},
		{"several properties", largeAlert(100, strings.Repeat("é\U0001F600<", 300)), true, 100},
		{"many rows", largeAlert(20_000, strings.Repeat("x", 100)), false, 1},
		{"long values", largeAlert(30, strings.Repeat("\"<\u2028", 100_000)), false, 30},
		{"one value", largeAlert(1, strings.Repeat("x", 5_000_000)), false, 1},
		{"many events", manyEvents, false, 0},
		{"many activities", manyActivities, false, 0},
		{"long text", longText, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := newTable(t).Ledger
			record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, tt.alert)
			checkUnseen(t, l, "rule", tt.alert.Activities, nil)
			if more := tt.alert.Activities[0]; len(more.Events) > 0 {
				more.Events = append(more.Events[:3:3], "new")
				if got, err := unseen(t.Context(), l, "rule", []alert.Activity{more}); err != nil || len(got) != 1 {
					t.Errorf("Unseen of one event more = %v, %v", got, err)
				}
			}
			pending, err := owedTo(t.Context(), l, "teams")
			if err != nil || len(pending) != 1 {
				t.Fatalf("%d alerts are pending, %v", len(pending), err)
			}
			got := pending[0]
			if tt.whole {
				if diff := cmp.Diff(tt.alert, got); diff != "" {
					t.Errorf("-want +got:\n%.2000s", diff)
				}
			} else {
				if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "too large to keep whole") {
					t.Errorf("its notes are %q", got.Notes)
				}
				if len(got.Rows) < tt.rows || len(got.Rows) > len(tt.alert.Rows) {
					t.Errorf("it has %d rows, want %d at least", len(got.Rows), tt.rows)
				}
				keep := cmpopts.IgnoreFields(alert.Alert{}, "Rows", "Notes", "Description", "Entities", "Activities")
				if diff := cmp.Diff(tt.alert, got, keep); diff != "" {
					t.Errorf("-want +got:\n%.2000s", diff)
				}
			}
			if err := l.Sent(t.Context(), owed("teams", got)); err != nil {
				t.Fatal(err)
			}
			checkOwed(t, l, "teams")
		})
	}
}

// TestPartsWithoutTheAlert crashes between the transactions of a large alert:
// what is written of it counts for nothing.
func TestPartsWithoutTheAlert(t *testing.T) {
	t.Parallel()
	large := newAlert("rule", activity("many", 0, 10))
	for i := range 40_000 {
		large.Activities = append(large.Activities, activity(fmt.Sprintf("%032d", i), 0, 10))
	}
	state := State{First: at(0), Watermark: at(60)}
	eachLedger(t, func(t *testing.T, open func() *Ledger, _ *testClock) {
		l := open()
		whole := l.store
		if _, err := l.Lease(t.Context(), "rule", time.Hour); err != nil {
			t.Fatal(err)
		}
		for commits := 1; ; commits++ {
			l.store = &downStore{store: whole, commits: commits}
			err := l.Record(t.Context(), Entry{RuleID: "rule", State: state, Alerts: []alert.Alert{large}, Destinations: []string{"teams"}})
			l.store = whole
			if err == nil {
				if commits < 2 {
					t.Errorf("it was written by %d transactions", commits)
				}
				break
			}
			got, err := unseen(t.Context(), l, "rule", large.Activities)
			if err != nil || len(got) != len(large.Activities) {
				t.Fatalf("%d transactions made %d activities seen, %v", commits, len(large.Activities)-len(got), err)
			}
			checkOwed(t, l, "teams")
		}
		checkUnseen(t, l, "rule", large.Activities, nil)
	})
}

// downStore fails after a number of commits.
type downStore struct {
	store
	commits int
}

func (s *downStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	if s.commits--; s.commits < 0 {
		return nil, errors.New("it is down")
	}
	return s.store.commit(ctx, partition, changes...)
}

func TestCutIsBounded(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 15 {
		a := largeAlert(rng.IntN(200), strings.Repeat("é\"<\x01", rng.IntN(3000)))
		a.Description = strings.Repeat("d", rng.IntN(100_000))
		for range rng.IntN(50) {
			a.CustomDetails = append(a.CustomDetails, alert.Detail{Name: "n", Values: []string{strings.Repeat("v", rng.IntN(9000))}})
		}
		limit := 3000 + rng.IntN(200_000)
		text, err := alertText(a, limit)
		if err != nil || units(text) > limit {
			t.Fatalf("%d units, %v; the limit is %d", units(text), err, limit)
		}
		var got alert.Alert
		if err := json.Unmarshal([]byte(text), &got); err != nil || got.ID != a.ID {
			t.Fatalf("the alert %s became %s, %v", a.ID, got.ID, err)
		}
	}
}

// hugeAlert returns an alert that is large in one part, which is a number, or in
// several by chance.
func hugeAlert(rng *rand.Rand, part int) alert.Alert {
	a := newAlert("rule", activity("a", 0, 10))
	pieces := []string{"x", "é", "\"", "<", "\x01", "\u2028", "\U0001F600", "\xff", "\\", "word "}
	text := func(most int) string {
		var sb strings.Builder
		for range 1 + rng.IntN(most) {
			sb.WriteString(pieces[rng.IntN(len(pieces))])
		}
		return sb.String()
	}
	times := func(n int) int {
		if part != n && part >= 0 || part < 0 && rng.IntN(3) > 0 {
			return 1
		}
		return 1 + rng.IntN(4000)
	}
	long := func(n int) string {
		if times(n) == 1 {
			return text(60)
		}
		return text([]int{50, 2000, 300_000}[rng.IntN(3)])
	}
	list := func(n int) (list []string) {
		for range times(n) {
			list = append(list, text(90))
		}
		return list
	}
	details := func(n int) (list []alert.Detail) {
		for range times(n) {
			list = append(list, alert.Detail{Name: text(20), Values: []string{text(90), text(90)}})
		}
		return append(list, alert.Detail{Name: text(20), Values: nil})
	}
	c := &alert.Context{RuleSeverity: alert.Medium, Unavailable: list(0), New: list(1), Sections: []alert.Section{{Title: long(2), Subject: text(30), Facts: details(3)}}}
	for range times(4) {
		c.Findings = append(c.Findings, alert.Finding{Kind: alert.FoundSuccessSameIP, Text: text(90)})
		c.Steps = append(c.Steps, alert.Step{Severity: alert.High, Kind: alert.FoundSuccessSameIP, Text: text(90)})
	}
	for range times(23) {
		c.Usual = append(c.Usual, alert.Usual{Account: text(60), Addresses: []string{text(60)}})
		c.Regulars = append(c.Regulars, alert.Regulars{Address: text(60), Accounts: []string{text(60)}})
	}
	for range times(5) {
		c.Timeline = append(c.Timeline, alert.Moment{Time: noon, Kind: alert.MomentSuccess, Text: text(90)})
	}
	for range times(6) {
		c.Sections = append(c.Sections, alert.Section{Title: text(20), Subject: text(20), Facts: []alert.Detail{{Name: text(20), Values: []string{text(90)}}}})
	}
	a.Context, a.Title, a.Description, a.Notes, a.CustomDetails, a.Tactics = c, long(7), long(8), list(9), details(10), list(11)
	for range times(12) {
		a.Entities = append(a.Entities, alert.Entity{Type: "Account", Fields: []alert.Field{{Identifier: text(20), Value: text(100)}}})
		a.Properties = append(a.Properties, alert.Property{Name: text(20), Value: text(100)})
	}
	a.Entities[0].Fields[0].Value, a.CustomDetails[0].Values, a.Properties[0].Value = long(13), list(14), long(15)
	c.Findings[0].Text, c.Timeline[0].Text = long(16), long(17)
	a.Updates = &alert.Reference{ID: "first", Title: long(18), Identity: text(30)}
	a.RuleName, a.IncidentURL = long(19), "https://portal.azure.com/"+long(20)
	for i := range times(21) {
		a.Activities = append(a.Activities, activity(fmt.Sprintf("%032d", i), i, i+1))
	}
	a.Rows = largeAlert(times(22), text(200)).Rows
	return a
}

// hugeParts is how many parts a huge alert can be large in.
const hugeParts = 24

// TestHugeAlertsAreCut expects an alert that is large anywhere to keep what matters:
// its title, its gravest finding and somebody whom it is about, and to say what it
// is short of. What was chosen by somebody else pushes out nothing of that.
func TestHugeAlertsAreCut(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 7))
	for i := range 120 {
		a := hugeAlert(rng, i%(hugeParts+1)-1)
		limit := []int{6_000, 40_000, maxAlert}[rng.IntN(3)]
		text, err := alertText(a, limit)
		if err != nil || units(text) > limit {
			t.Fatalf("%d: %d units, %v; the limit is %d", i, units(text), err, limit)
		}
		var got alert.Alert
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		whole, err := encodeJSON(a)
		if err != nil {
			t.Fatal(err)
		}
		if units(whole) <= limit {
			if text != whole {
				t.Errorf("%d: it has room and was cut", i)
			}
			continue
		}
		starts := func(got, want string) bool {
			want = string([]rune(want)) // as JSON has it
			got, isCut := strings.CutSuffix(got, "…")
			return got == want || isCut && len(got) >= 20 && strings.HasPrefix(want, got)
		}
		if got.ID != a.ID || got.Severity != a.Severity || !starts(got.Title, a.Title) {
			t.Errorf("%d: the title of %d bytes is %.80q", i, len(a.Title), got.Title)
		}
		if len(got.Context.Findings) == 0 || !starts(got.Context.Findings[0].Text, a.Context.Findings[0].Text) || len(got.Context.Steps) == 0 {
			t.Errorf("%d: the findings are %.200v", i, got.Context.Findings)
		}
		if len(got.Entities) == 0 || !starts(got.Entities[0].Fields[0].Value, a.Entities[0].Fields[0].Value) || len(got.Activities) == 0 {
			t.Errorf("%d: the entities are %.200v, %d activities", i, got.Entities, len(got.Activities))
		}
		if note := got.Notes[len(got.Notes)-1]; !strings.Contains(note, "too large to keep whole") || len(got.Rows) < len(a.Rows) && !strings.Contains(note, "rows") {
			t.Errorf("%d: the notes are %.300q", i, got.Notes)
		}
	}
}

// TestCutFromTheLeastImportantEnd has an alert that is too large for its context,
// and one whose rows alone are.
func TestCutFromTheLeastImportantEnd(t *testing.T) {
	t.Parallel()
	a := largeAlert(5, "x")
	a.Context = &alert.Context{RuleSeverity: alert.Medium}
	for i := range 4_000 {
		a.Context.Timeline = append(a.Context.Timeline, alert.Moment{Time: noon, Kind: alert.MomentSuccess, Text: fmt.Sprint(i, strings.Repeat(" moment", 20))})
	}
	a.Context.Findings = []alert.Finding{{Kind: alert.FoundSuccessSameIP, Text: "a success"}, {Kind: alert.FoundBombing, Text: "many prompts"}}
	a.Context.Sections = []alert.Section{{Title: "Identity", Subject: "alice", Facts: []alert.Detail{{Name: "Roles", Values: []string{"Global Administrator"}}}}}
	a.CustomDetails = []alert.Detail{{Name: "Rejections", Values: []string{"3"}}}
	a.Description = strings.Repeat("d", 10_000)
	text, err := alertText(a, maxAlert)
	if err != nil {
		t.Fatal(err)
	}
	var got alert.Alert
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	n := len(got.Context.Timeline)
	if n < 500 || n >= 4_000 || got.Context.Timeline[0] != a.Context.Timeline[0] {
		t.Errorf("%d moments are kept", n)
	}
	want := a
	want.Notes = []string{fmt.Sprintf("This alert is too large to keep whole. Left out: %d of 4000 moments of the timeline.", 4_000-n)}
	c := *a.Context
	c.Timeline = c.Timeline[:n]
	want.Context = &c
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%.3000s", diff)
	}

	rows := largeAlert(20_000, strings.Repeat("x", 100))
	rows.Context = &alert.Context{Findings: a.Context.Findings, Sections: a.Context.Sections, Timeline: a.Context.Timeline[:100]}
	if text, err = alertText(rows, maxAlert); err != nil {
		t.Fatal(err)
	}
	got = alert.Alert{}
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, got, cmpopts.IgnoreFields(alert.Alert{}, "Rows", "Notes")); diff != "" || len(got.Rows) < 1000 {
		t.Errorf("%d rows are kept; -want +got:\n%.3000s", len(got.Rows), diff)
	}
}

// TestCardIsCut has a card that is too large: a button is whole or gone, and what is left
// of a fact says how much is not.
func TestCardIsCut(t *testing.T) {
	t.Parallel()
	a := largeAlert(1, "x")
	a.Context = &alert.Context{}
	for range 3_000 {
		a.Context.Timeline = append(a.Context.Timeline, alert.Moment{Time: noon, Text: strings.Repeat("m", 400)})
	}
	whole := alert.Card{Headline: "h", Guidance: "g", Facts: []alert.CardFact{{Label: "l", Values: []string{"1", "2"}, More: 3}}, Buttons: []alert.CardButton{{Title: "t", URL: "https://h.example/"}}}
	hostile := alert.Card{Headline: strings.Repeat("h", 900_000), Guidance: "g", Facts: []alert.CardFact{{Label: "l", Values: []string{strings.Repeat("v", 500_000), "2", "3"}}},
		Buttons: []alert.CardButton{{Title: "t", URL: "https://h.example/" + strings.Repeat("x", 500_000)}, {Title: "u", URL: "https://h.example/u"}}}
	for name, c := range map[string]*alert.Card{"whole": &whole, "hostile": &hostile} {
		a.Card = c
		text, err := alertText(a, maxAlert)
		if err != nil || units(text) > maxAlert {
			t.Fatalf("%s: %d units: %v", name, units(text), err)
		}
		var got alert.Alert
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if got.Card == nil || got.Card.Guidance != "g" {
			t.Fatalf("%s: %.500v", name, got.Card)
		}
		for _, b := range got.Card.Buttons {
			if b != whole.Buttons[0] && b.URL != "https://h.example/u" {
				t.Errorf("%s: a button leads to %.100s", name, b.URL)
			}
		}
		if name == "whole" {
			if diff := cmp.Diff(c, got.Card); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		} else if f := got.Card.Facts; len(f) > 0 && len(f[0].Values)+f[0].More != 3 {
			t.Errorf("%d values and %d more are left of 3", len(f[0].Values), f[0].More)
		}
	}
}

// TestStormIsKept expects of a storm that all of its activities are seen and that
// its destinations get its rows, whole.
func TestStormIsKept(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		var activities []alert.Activity
		for i := range 3_000 {
			activities = append(activities, activity(fmt.Sprintf("%032d", i), i%50, i%50+1))
		}
		a := newAlert("rule", activities...)
		a.Storm = &alert.Storm{Alerts: len(activities)}
		a.Rows = largeAlert(20, "x").Rows
		record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
		checkUnseen(t, l, "rule", activities, nil)
		want := a
		want.Activities = activities[:mostOfStorm]
		checkOwed(t, l, "teams", want)
	})
}
