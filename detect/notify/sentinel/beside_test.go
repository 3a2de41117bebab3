package sentinel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/notify/sentinel/armtest"
	"pushback/detect/rule"
)

// TestOpenIncidents has what comes after the first alert of a story while its
// incident is open, and in which of the incidents each is.
func TestOpenIncidents(t *testing.T) {
	t.Parallel()
	const user = "alice@contoso.example"
	type step struct {
		after    time.Duration
		severity alert.Severity
		kind     alert.FindingKind
		edit     string // the severity that an analyst gives the newest incident before it
		status   string
		in       int
		beside   int // the incident that it says it stands beside, -1 if none
	}
	const none = -1
	lookback := *rule.Default()
	lookback.Incident.Grouping.LookbackDuration = 48 * time.Hour
	ungrouped := *rule.Default()
	ungrouped.Incident.Grouping.Enabled = false
	reopening := *rule.Default()
	reopening.Incident.Grouping.ReopenClosedIncident = true
	day := 24 * time.Hour
	for _, test := range []struct {
		name  string
		rule  *rule.Rule
		steps []step
	}{
		{"within the lookback", rule.Default(), []step{{4 * time.Hour, alert.High, "", "", "", 0, none}, {8 * time.Hour, alert.Low, "", "", "", 0, none}}},
		{"beyond it", rule.Default(), []step{{6 * time.Hour, alert.Low, "", "", "", 1, none}, {7 * time.Hour, alert.Medium, "", "", "", 1, none}}},
		{"a longer one", &lookback, []step{{40 * time.Hour, alert.Low, "", "", "", 0, none}, {89 * time.Hour, alert.Low, "", "", "", 1, none}}},
		{"a rule that does not group", &ungrouped, []step{{10 * day, alert.High, "", "", "", 0, none}}},
		{"earlier, which came late", rule.Default(), []step{{-10 * time.Hour, alert.Medium, "", "", "", 0, none}}},
		{"days after it was made informational", rule.Default(), []step{{10 * day, alert.High, "", "Informational", "", 1, 0}, {11 * day, alert.High, "", "", "", 2, none}, {11*day + time.Hour, alert.High, "", "", "", 2, none}}},
		{"an hour after", rule.Default(), []step{{time.Hour, alert.High, "", "Informational", "", 1, 0}, {2 * time.Hour, alert.Medium, "", "", "", 1, none}, {3 * time.Hour, alert.High, "", "", "", 1, none}}},
		{"lowered twice", rule.Default(), []step{{time.Hour, alert.High, "", "Low", "", 1, 0}, {2 * time.Hour, alert.High, "", "Medium", "", 2, 1}}},
		{"what is not High", rule.Default(), []step{{time.Hour, alert.Medium, "", "Informational", "", 0, none}, {2 * time.Hour, alert.High, "", "", "", 1, 0}}},
		{"a compromise that is not", rule.Default(), []step{{time.Hour, alert.Medium, alert.FoundMethodChanged, "Informational", "", 1, 0}}},
		{"raised", rule.Default(), []step{{time.Hour, alert.High, "", "High", "", 0, none}}},
		{"to where it was", rule.Default(), []step{{time.Hour, alert.High, "", "", "Active", 0, none}}},
		{"closed as well", rule.Default(), []step{{time.Hour, alert.High, "", "Low", "Closed", 1, none}}},
		{"closed, and the rule reopens", &reopening, []step{{time.Hour, alert.High, "", "", "Closed", 0, none}, {2 * time.Hour, alert.High, "", "Low", "Closed", 1, none}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.rule)
			w.notify(w.start(), rejection(user, noon))
			for n, s := range test.steps {
				all := w.arm.Incidents()
				edit := map[string]any{}
				for name, to := range map[string]string{"severity": s.edit, "status": s.status} {
					if to != "" {
						edit[name] = to
					}
				}
				if len(edit) > 0 {
					w.arm.Edit(all[len(all)-1].ID, edit)
				}
				a := rejection(user, noon.Add(s.after))
				a.Severity = s.severity
				if s.kind != "" {
					a.Context.Findings = []alert.Finding{{Kind: s.kind, Text: "found"}}
				}
				w.notify(w.start(), a)
				w.notify(w.start(), a) // again, as after a crash
				all = w.arm.Incidents()
				for i, incident := range all {
					if (incident.Relations[a.ID] != "") != (i == s.in) {
						t.Errorf("step %d: it is in incident %d of %d", n, i, len(all))
					}
					said := incident.Comments[a.ID]
					if stands := strings.Contains(said, "an incident of its own"); stands != (i == s.in && s.beside != none) {
						t.Errorf("step %d: incident %d says %s", n, i, said)
					}
					said, announced := incident.Comments[alert.NewGUID(besideKind, incident.ID, a.ID)]
					if announced != (i == s.beside) || announced && (!strings.Contains(said, a.Title) || !strings.Contains(said, all[s.in].ID)) {
						t.Errorf("step %d: incident %d says of another: %q", n, i, said)
					}
				}
				if s.beside != none && (all[s.in].Text("severity") != a.Severity.String() || !strings.Contains(all[s.in].Comments[a.ID], all[s.beside].ID)) {
					t.Errorf("step %d: the new one is %s and says %s", n, all[s.in].Text("severity"), all[s.in].Comments[a.ID])
				}
			}
		})
	}
}

// The lowered incident says once that there is another, whatever call fails.
func TestLoweredAndInterrupted(t *testing.T) {
	t.Parallel()
	const user = "alice@contoso.example"
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 3))
		w := newWorld(t, rule.Default())
		w.notify(w.start(), rejection(user, noon))
		w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"severity": "Informational"})
		w.arm.Fault = func(string) armtest.Fault {
			kinds := []int{armtest.Cut, 409, 412, 429, 500, 503}
			switch rng.IntN(6) {
			case 0:
				return armtest.Fault{Before: kinds[rng.IntN(len(kinds))]}
			case 1:
				return armtest.Fault{After: kinds[rng.IntN(len(kinds))]}
			}
			return armtest.Fault{}
		}
		a := rejection(user, noon.Add(time.Hour))
		a.Severity = alert.High
		for attempt := 0; w.start().Notify(t.Context(), a) != nil; attempt++ {
			if attempt == 300 {
				t.Fatalf("seed %d: no end of attempts", seed)
			}
		}
		var got []string
		for _, i := range w.arm.Incidents() {
			got = append(got, fmt.Sprint(i.Text("severity"), " ", len(i.Relations), " ", len(i.Comments)))
		}
		if diff := cmp.Diff([]string{"Informational 1 2", "High 1 1"}, got); diff != "" {
			t.Errorf("seed %d: incidents (-want +got):\n%s", seed, diff)
		}
		w.server.Close()
	}
}

// A title cannot end the sentence that it is in, nor lead anywhere.
func TestLoweredByHostileTitles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, rule.Default())
	w.notify(w.start(), rejection("alice@contoso.example", noon))
	w.arm.Edit(w.arm.Incidents()[0].ID, map[string]any{"severity": "Low"})
	a := rejection("alice@contoso.example", noon.Add(time.Hour))
	a.Severity, a.Title = alert.High, `</b><a href="https://evil.example">x</a> [y](https://evil.example)`
	w.notify(w.start(), a)
	old := w.arm.Incidents()[0]
	said := slices.Collect(func(yield func(string) bool) {
		for id, comment := range old.Comments {
			if id != a.ID && strings.Contains(comment, "is not in this incident") && !yield(comment) {
				return
			}
		}
	})
	if len(said) != 1 || strings.Contains(said[0], "https://evil") || strings.Contains(said[0], "</b><a href=\"https://evil") || strings.Contains(said[0], "[y](") {
		t.Errorf("%q", said)
	}
}
