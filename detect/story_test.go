package detect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// telling is a rule that shares the story of others.
func telling(id string, frequency, period time.Duration) *rule.Rule {
	r := counting(frequency, period)
	r.ID, r.Name, r.File, r.Query.Text, r.Story = id, id, id+".yaml", id, "prompts"
	r.Identity, r.Events = []string{"User"}, []string{"Events"}
	return r
}

// updates returns one line per alert: its rule, who it is about, and which rule's
// alert it updates.
func updates(in *inbox) (lines []string) {
	for _, a := range in.alerts {
		line := a.RuleID + " " + who(a)
		if a.Updates != nil {
			i := slices.IndexFunc(in.alerts, func(b alert.Alert) bool { return b.ID == a.Updates.ID })
			if i < 0 {
				return append(lines, line+" updates what nobody was sent")
			}
			line += " updates " + in.alerts[i].RuleID
		}
		lines = append(lines, line)
	}
	return lines
}

// What two rules of a story see of the same is one alert and an update of it, in
// whichever order and however far apart they see it.
func TestStoryUpdates(t *testing.T) {
	t.Parallel()
	const hour = time.Hour
	alice, bob := happened("1", "alice", "09:10"), happened("2", "bob", "09:20")
	alone := telling("b", hour, hour)
	alone.Story = ""
	other := telling("b", hour, hour)
	other.Story = "another"
	storm := Config{MaxAlerts: 1}
	for _, test := range []struct {
		name   string
		config Config
		rules  []*rule.Rule
		events []event
		want   []string
	}{
		{"one tick", Config{}, []*rule.Rule{telling("a", hour, hour), telling("b", hour, hour)}, []event{alice}, []string{"a alice", "b alice updates a"}},
		{"one tick, the other way", Config{}, []*rule.Rule{telling("b", hour, hour), telling("a", hour, hour)}, []event{alice}, []string{"a alice updates b", "b alice"}},
		{"two users", Config{}, []*rule.Rule{telling("a", hour, hour), telling("b", hour, hour)}, []event{alice, bob}, []string{"a alice", "a bob", "b alice updates a", "b bob updates a"}},
		{"hours later", Config{}, []*rule.Rule{telling("a", hour, hour), telling("b", 4*hour, 4*hour)}, []event{alice}, []string{"a alice", "b alice updates a"}},
		{"more of it later", Config{}, []*rule.Rule{telling("a", hour, hour), telling("b", 2*hour, 4*hour)}, []event{alice, happened("3", "alice", "09:50")}, []string{"a alice", "b alice updates a"}},
		{"another time", Config{}, []*rule.Rule{telling("a", hour, hour), telling("b", hour, hour)}, []event{alice, happened("3", "alice", "11:50")}, []string{"a alice", "b alice updates a", "a alice", "b alice updates a"}},
		{"three rules", Config{}, []*rule.Rule{telling("a", hour, hour), telling("b", hour, hour), telling("c", hour, hour)}, []event{alice}, []string{"a alice", "b alice updates a", "c alice updates a"}},
		{"no story", Config{}, []*rule.Rule{telling("a", hour, hour), alone}, []event{alice}, []string{"a alice", "b alice"}},
		{"another story", Config{}, []*rule.Rule{telling("a", hour, hour), other}, []event{alice}, []string{"a alice", "b alice"}},
		{"more than one may have", storm, []*rule.Rule{telling("a", hour, hour), telling("b", hour, hour)}, []event{alice, bob}, []string{"a alice", "b alice"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.config.Delay, test.config.Lateness = 5*time.Minute, 2*hour
			d := newDay(t, test.config, test.events, test.rules...)
			d.run("09:00", "16:00")
			got := updates(d.inbox)
			if test.name != "another time" {
				slices.Sort(got)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reported (-want +got):\n%s", diff)
			}
		})
	}
}

// A restart between the two, and a tick in which one rule fails, change nothing.
func TestStoryAfterAFailure(t *testing.T) {
	t.Parallel()
	for _, failing := range []string{"a", "b"} {
		rules := []*rule.Rule{telling("a", time.Hour, time.Hour), telling("b", time.Hour, time.Hour)}
		d := newDay(t, Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour}, []event{happened("1", "alice", "09:10")}, rules...)
		d.world.fail = func(q workspace.Query) error {
			if q.Text == failing {
				return errDown
			}
			return nil
		}
		if _, err := d.tick(clock("10:05")); !errors.Is(err, errDown) {
			t.Fatal(err)
		}
		d.world.fail = nil
		d.restart()
		d.run("10:05", "13:00")
		first := map[string]string{"a": "b", "b": "a"}[failing]
		if diff := cmp.Diff([]string{first + " alice", failing + " alice updates " + first}, updates(d.inbox)); diff != "" {
			t.Errorf("%s fails (-want +got):\n%s", failing, diff)
		}
	}
}

// While another process has one rule of a story this one runs none of it: it would
// not see what that one reports.
func TestStoryIsLeased(t *testing.T) {
	t.Parallel()
	a, b, alone := telling("a", time.Hour, time.Hour), telling("b", time.Hour, time.Hour), counting(time.Hour, time.Hour)
	d := newDay(t, Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour}, []event{happened("1", "alice", "09:10")}, a, b, alone)
	d.run("09:00", "09:30")
	now := clock("10:05")
	led := d.ledger.(*ledger.Memory)
	lease, err := led.Lease(t.Context(), "b", 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	report, err := d.tick(now)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range report.Rules {
		if busy := run.RuleID != alone.ID; busy != (len(run.Windows) == 0) {
			t.Errorf("rule %s ran %d windows", run.RuleID, len(run.Windows))
		}
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.restart()
	d.run("10:05", "13:00")
	want := []string{"counting alice", "a alice", "b alice updates a"}
	if diff := cmp.Diff(want, updates(d.inbox)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An alert that nobody was sent is not updated.
func TestStoryOfWhatWasHeldBack(t *testing.T) {
	t.Parallel()
	low, high := telling("a", time.Hour, time.Hour), telling("b", time.Hour, time.Hour)
	low.Severity = alert.Low
	d := newDay(t, Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour, MinSeverity: alert.Medium}, []event{happened("1", "alice", "09:10")}, low, high)
	d.run("09:00", "13:00")
	if diff := cmp.Diff([]string{"b alice"}, updates(d.inbox)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A sign-in that another rule of the story reported is not followed up as well.
func TestStoryIsFollowedUpOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		story string
		want  []string
	}{
		{"shared", "prompts", []string{"a alice", "b alice updates a"}},
		{"not shared", "", []string{"a alice", "b alice", "a alice updates a"}},
	} {
		a, b := telling("a", time.Hour, time.Hour), telling("b", time.Hour, 4*time.Hour)
		a.Story, b.Story, b.NoFollowUp = test.story, test.story, true
		o := &oracle{late: map[string]time.Time{"alice": clock("11:00"), "carol": clock("11:00")}}
		d := newDay(t, Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour, Enricher: o}, []event{happened("1", "alice", "09:10")}, a, b)
		d.run("09:00", "15:00")
		if diff := cmp.Diff(test.want, updates(d.inbox)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// relatingLedger cannot say what was reported.
type relatingLedger struct {
	Ledger
	err error
}

func (l *relatingLedger) Related(ctx context.Context, ruleID string, since time.Time, wanted func(alert.Alert) bool) ([]alert.Alert, error) {
	if l.err != nil {
		return nil, l.err
	}
	return l.Ledger.Related(ctx, ruleID, since, wanted)
}

// A ledger that does not answer fails the window, which is run again.
func TestStoryWithoutALedger(t *testing.T) {
	t.Parallel()
	d := newDay(t, Config{Delay: 5 * time.Minute, Lateness: 2 * time.Hour}, []event{happened("1", "alice", "09:10")}, telling("a", time.Hour, time.Hour), telling("b", time.Hour, time.Hour))
	broken := &relatingLedger{d.ledger, errors.New("no answer")}
	d.ledger = broken
	d.restart()
	if _, err := d.tick(clock("10:05")); err == nil || !strings.Contains(err.Error(), "asking what rules of the same story reported: no answer") || len(d.inbox.alerts) != 0 {
		t.Errorf("%v, and %d alerts", err, len(d.inbox.alerts))
	}
	broken.err = nil
	d.restart()
	d.run("10:05", "13:00")
	if diff := cmp.Diff([]string{"a alice", "b alice updates a"}, updates(d.inbox)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An update of an update is no less severe than what that updated.
func TestSeverestOf(t *testing.T) {
	t.Parallel()
	low := alert.Alert{Severity: alert.Low}
	if got := severestOf(low); got != alert.Low {
		t.Errorf("%v, want Low", got)
	}
	low.Updates = &alert.Reference{Severity: alert.High}
	if got := severestOf(low); got != alert.High {
		t.Errorf("%v, want High", got)
	}
}
