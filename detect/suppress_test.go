package detect

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
)

// TestSuppressionOfCompromises expects what a suppression holds back to be
// assessed, and reported once where it says that somebody got in.
func TestSuppressionOfCompromises(t *testing.T) {
	t.Parallel()
	events := []event{
		happened("a1", "alice", "09:10"), happened("b1", "bob", "09:10"), happened("c1", "carol", "09:10"),
		happened("a2", "alice", "10:10"), happened("b2", "bob", "10:20"),
		happened("a3", "alice", "11:50"), happened("c3", "carol", "11:50"),
	}
	for _, test := range []struct {
		name       string
		found      map[string]alert.FindingKind
		want       []string
		suppressed int
	}{
		{"nothing was found", nil, []string{"at 10:05: 09:10-09:10 alice", "at 10:05: 09:10-09:10 bob", "at 10:05: 09:10-09:10 carol"}, 4},
		{"what is none", map[string]alert.FindingKind{"alice": alert.FoundBombing}, []string{"at 10:05: 09:10-09:10 alice", "at 10:05: 09:10-09:10 bob", "at 10:05: 09:10-09:10 carol"}, 4},
		{"one got in", map[string]alert.FindingKind{"alice": alert.FoundSuccessSameIP},
			[]string{"at 10:05: 09:10-09:10 alice", "at 10:05: 09:10-09:10 bob", "at 10:05: 09:10-09:10 carol", "at 11:05: 10:10-10:10 alice", "at 12:05: 11:50-11:50 alice"}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := counting(time.Hour, time.Hour)
			r.SuppressionEnabled, r.SuppressionDuration = true, 5*time.Hour
			c := config()
			o := &oracle{found: test.found}
			c.Enricher = o
			d := newDay(t, c, events, r)
			d.run("09:30", "18:00")
			d.checkSent(test.want...)
			suppressed, listed, news := 0, 0, 0
			for _, report := range d.reports {
				suppressed += report.Totals().Suppressed
				news += report.Totals().New
				for _, w := range report.Rules[0].Windows {
					listed += len(w.Suppressed)
				}
			}
			if suppressed != test.suppressed || listed != suppressed || news != len(test.want) {
				t.Errorf("%d activities are suppressed and %d listed, want %d; %d are new", suppressed, listed, test.suppressed, news)
			}
			for _, a := range d.inbox.alerts {
				if said := slices.ContainsFunc(a.Notes, func(n string) bool { return strings.Contains(n, "suppression") }); said == strings.HasPrefix(hhmm(a.Span.Start), "09") {
					t.Errorf("the notes of %s at %s are %q", who(a), hhmm(a.Span.Start), a.Notes)
				}
			}
		})
	}
}

// Of very many the heaviest are assessed, and how many were not is said.
func TestSuppressionOfVeryMany(t *testing.T) {
	t.Parallel()
	var events []event
	for i := range 12 { // three in each window, and then all of them
		user := fmt.Sprintf("u%02d", i)
		events = append(events, happened(user, user, fmt.Sprintf("%02d:10", 9+i/3)))
		for j := range 1 + i/11*2 {
			events = append(events, happened(fmt.Sprintf("%s.%d", user, j), user, fmt.Sprintf("13:%02d", 10+j)))
		}
	}
	r := counting(time.Hour, time.Hour)
	r.SuppressionEnabled, r.SuppressionDuration, r.Events = true, 10*time.Hour, []string{"Events"}
	c := config()
	c.MaxAlerts, c.Lateness = 5, 0
	o := &oracle{found: map[string]alert.FindingKind{"u11": alert.FoundSuccessSameIP}}
	c.Enricher = o
	d := newDay(t, c, events, r)
	d.run("09:30", "14:30")
	last := d.reports[len(d.reports)-1]
	if n, totals := len(d.inbox.alerts), last.Totals(); n != 13 || who(d.inbox.alerts[12]) != "u11" || o.most != 5 || totals.Suppressed != 11 || totals.Storm != 0 {
		t.Errorf("%d alerts, %d assessed at once, %+v", n, o.most, totals)
	}
	const want = "the suppression holds back 7 activities that were not assessed, of 12: a window has no more than 5 alerts (PUSHBACK_MAX_ALERTS)"
	if got := strings.Join(last.Rules[0].Warnings, "\n"); !strings.Contains(got, want) {
		t.Errorf("the warnings are %s", got)
	}
}

// A storm beside what a suppression holds back: the window has both.
func TestStormBesideSuppression(t *testing.T) {
	t.Parallel()
	events := []event{happened("a", "quiet", "09:10"), happened("b", "quiet", "10:10")}
	for i := range 8 {
		events = append(events, happened(fmt.Sprint("s", i), fmt.Sprint("user", i), "10:20"))
	}
	r := counting(time.Hour, time.Hour)
	r.SuppressionEnabled, r.SuppressionDuration, r.Events = true, 10*time.Hour, []string{"Events"}
	c := config()
	c.MaxAlerts, c.Lateness = 5, 0
	d := newDay(t, c, events, r)
	d.run("09:30", "11:30")
	last := d.reports[len(d.reports)-1]
	if totals := last.Totals(); last.Rules[0].Failure() != nil || len(d.inbox.alerts) != 2 || totals.Storm != 8 || totals.Suppressed != 1 {
		t.Errorf("%d alerts, %+v, %v", len(d.inbox.alerts), totals, last.Rules[0].Failure())
	}
	w := last.Rules[0].Windows
	if s := w[len(w)-1].Suppressed; len(s) != 1 || len(s[0].Identity) == 0 || s[0].Identity[0].Value != "quiet" {
		t.Errorf("what is suppressed is listed as %+v", s)
	}
}

// One alert of all that is new, beside what a suppression holds back, has its own rows.
func TestSuppressionBesideOneAlert(t *testing.T) {
	t.Parallel()
	r := counting(time.Hour, time.Hour)
	r.SuppressionEnabled, r.SuppressionDuration, r.Grouping = true, 10*time.Hour, rule.SingleAlert
	c := config()
	c.Lateness = 0
	d := newDay(t, c, []event{happened("a", "alice", "09:10"), happened("b", "alice", "10:10"), happened("c", "bob", "10:20")}, r)
	d.run("09:30", "11:30")
	d.checkSent("at 10:05: 09:10-09:10 alice", "at 11:05: 10:20-10:20 bob")
	for _, report := range d.reports {
		if err := report.Err(); err != nil {
			t.Error(err)
		}
	}
	if last := d.inbox.alerts[len(d.inbox.alerts)-1]; len(last.Rows) != 1 || len(last.Rows[0]) == 0 {
		t.Errorf("the rows are %v", last.Rows)
	}
}
