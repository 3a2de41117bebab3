package detect

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/silence"
)

// silenced returns a silence of a user of the rule counting, whenever it is.
func silenced(id, user string) silence.Silence {
	return silence.Silence{ID: id, MaxSeverity: alert.Medium, Reason: "pen test, ticket 4711", By: "amy",
		Match: []silence.Matcher{{Entity: "Account", Identifier: "Name", Values: []string{user}}}}
}

func until(s silence.Silence, at string) silence.Silence {
	s.Until = clock(at)
	return s
}

func upTo(s silence.Silence, most alert.Severity) silence.Silence {
	s.MaxSeverity = most
	return s
}

// partial is an Enricher of whose context something failed.
type partial struct{ oracle }

func (f *partial) Enrich(ctx context.Context, alerts []alert.Alert, now time.Time) []string {
	defer func() {
		for i := range alerts {
			alerts[i].Context.Failed = true
		}
	}()
	return f.oracle.Enrich(ctx, alerts, now)
}

// TestSilences pins what is held back and what goes out, and that one says why.
func TestSilences(t *testing.T) {
	t.Parallel()
	single := func(r *rule.Rule) { r.Grouping = rule.SingleAlert }
	morning := []event{happened("a", "alice", "09:10"), happened("b", "bob", "09:20")}
	for _, tt := range []struct {
		name     string
		silence  silence.Silence
		events   []event
		enricher Enricher
		edit     func(*rule.Rule)
		sent     []string
		held     int
		note     string // of the first alert that is sent
	}{
		{"one user", silenced("pt", "alice"), morning, &oracle{}, nil, []string{"at 10:05: 09:20-09:20 bob"}, 1, ""},
		{"nobody of these", silenced("pt", "carol"), morning, &oracle{}, nil, []string{"at 10:05: 09:10-09:10 alice", "at 10:05: 09:20-09:20 bob"}, 0, ""},
		{"without context", silenced("pt", "*"), morning, nil, nil, nil, 2, ""},
		{"more severe", silenced("pt", "alice"), morning[:1], &oracle{severity: map[string]alert.Severity{"alice": alert.High}}, nil,
			[]string{"at 10:05: 09:10-09:10 alice"}, 0, "not held back by silence pt (up to Medium)"},
		{"less severe by its context", upTo(silenced("pt", "alice"), alert.Low), morning[:1], &oracle{severity: map[string]alert.Severity{"alice": alert.Low}}, nil, nil, 1, ""},
		{"somebody got in", upTo(silenced("pt", "alice"), alert.High), morning[:1], &oracle{found: map[string]alert.FindingKind{"alice": alert.FoundSuccessSameIP}}, nil,
			[]string{"at 10:05: 09:10-09:10 alice"}, 0, "somebody may have got in"},
		{"its context failed", silenced("pt", "alice"), morning[:1], &partial{}, nil, []string{"at 10:05: 09:10-09:10 alice"}, 0, "not all of its context could be looked up"},
		{"all of its context failed", silenced("pt", "alice"), morning[:1], &oracle{panics: true}, nil, []string{"at 10:05: 09:10-09:10 alice"}, 0, "not all of its context could be looked up"},
		{"one of two rows", silenced("pt", "alice"), morning, nil, single, []string{"at 10:05: 09:10-09:20 alice bob"}, 0, ""},
		{"both rows", silenced("pt", "*"), morning, nil, single, nil, 1, ""},
		{"both rows, by a list", silence.Silence{ID: "pt", MaxSeverity: alert.Medium, Reason: "r", By: "b",
			Match: []silence.Matcher{{Entity: "account", Identifier: "NAME", Exactly: []string{"BOB", "alice"}}}}, morning, nil, single, nil, 1, ""},
		{"a late record of its time", until(silenced("pt", "alice"), "10:00"), []event{happened("a", "alice", "09:10").arriving("11:30")}, &oracle{}, nil, nil, 1, ""},
		{"after its end", until(silenced("pt", "alice"), "09:10"), morning[:1], &oracle{}, nil, []string{"at 10:05: 09:10-09:10 alice"}, 0, ""},
		{"over its end", until(silenced("pt", "alice"), "09:30"), []event{happened("1", "alice", "09:10"), happened("2", "alice", "09:30")}, &oracle{}, nil, []string{"at 10:05: 09:10-09:30 alice"}, 0, ""},
		{"it grows after its end", until(silenced("pt", "alice"), "10:00"), []event{happened("1", "alice", "09:50"), happened("2", "alice", "10:10")}, &oracle{},
			func(r *rule.Rule) { r.QueryPeriod = 2 * time.Hour }, []string{"at 11:05: 09:50-10:10 alice"}, 1, ""},
		{"it starts no suppression", until(silenced("pt", "alice"), "10:00"), []event{happened("1", "alice", "09:10"), happened("2", "alice", "11:10"), happened("3", "alice", "12:10")}, &oracle{},
			func(r *rule.Rule) { r.SuppressionEnabled, r.SuppressionDuration = true, 5*time.Hour }, []string{"at 12:05: 11:10-11:10 alice"}, 1, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := counting(time.Hour, time.Hour)
			if tt.edit != nil {
				tt.edit(r)
			}
			c := config()
			c.Enricher, c.Silences = tt.enricher, silence.New([]silence.Silence{tt.silence}, nil)
			d := newDay(t, c, tt.events, r)
			d.run("09:30", "15:00")
			if len(tt.sent)+len(d.inbox.alerts) > 0 {
				d.checkSent(tt.sent...)
			}
			if len(tt.sent) > 0 && len(d.inbox.alerts) > 0 {
				notes := strings.Join(d.inbox.alerts[0].Notes, "\n")
				if !strings.Contains(notes, tt.note) || (tt.note == "") != !strings.Contains(notes, "silence pt") {
					t.Errorf("the notes are %q, want %q", notes, tt.note)
				}
			}
			held, total := 0, 0
			for _, report := range d.reports {
				for _, s := range report.Silenced() {
					held += len(s.Alerts)
					if s.ID != "pt" {
						t.Errorf("held back by %q", s.ID)
					}
				}
				total += report.Totals().HeldBack
			}
			kept, err := d.ledger.Related(t.Context(), r.ID, midnight, func(a alert.Alert) bool { return a.Silenced() && a.HeldBack.Silence == "pt" && a.HeldBack.Reason != "" })
			if err != nil || held != tt.held || total != tt.held || len(kept) != tt.held {
				t.Errorf("the reports have %d and %d held back, the ledger %d, %v: want %d", held, total, len(kept), err, tt.held)
			}
		})
	}
}

// TestSilencedUpdate expects news of an alert that a silence held back to go out whole,
// once, and what comes after to be an update of that.
func TestSilencedUpdate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		silenced bool
	}{{"held back", true}, {"reported", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := config()
			c.Enricher = &oracle{late: map[string]time.Time{"alice": clock("12:00")}}
			if tt.silenced {
				c.Silences = silence.New([]silence.Silence{silenced("pt", "alice")}, nil)
			}
			d := newDay(t, c, []event{happened("1", "alice", "09:10"), happened("2", "bob", "12:10"), happened("3", "bob", "13:10"), happened("4", "bob", "14:10")}, counting(time.Hour, time.Hour))
			d.run("09:30", "15:30")
			var about []alert.Alert
			for _, a := range d.inbox.alerts {
				if who(a) == "alice" {
					about = append(about, a)
				}
			}
			want := 2
			if tt.silenced {
				want = 1
			}
			if len(about) != want {
				t.Fatalf("%d alerts of alice, want %d: %+v", len(about), want, about)
			}
			switch last := about[want-1]; {
			case !tt.silenced:
				if last.Updates == nil || last.Resumes != "" {
					t.Errorf("updates %v, resumes %q", last.Updates, last.Resumes)
				}
			case last.Updates != nil, last.Resumes == "", len(last.Rows) != 1, len(last.Activities) != 1, !slices.ContainsFunc(last.Notes, func(n string) bool { return strings.Contains(n, "Silence pt held back an earlier alert") }):
				t.Errorf("it is not whole: %+v", last)
			}
		})
	}
}

// TestSilencedStory expects an alert that a silence held back to be part of no story:
// what another rule finds of it stands for itself.
func TestSilencedStory(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		silenced bool
	}{{"held back", true}, {"reported", false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			first, second := counting(time.Hour, time.Hour), counting(time.Hour, time.Hour)
			first.Story, second.Story = "s", "s"
			second.ID, second.Name, second.QueryPeriod = "other", "Other", 2*time.Hour
			first.Events, second.Events = []string{"Events"}, []string{"Events"}
			c := config()
			if tt.silenced {
				s := silenced("pt", "alice")
				s.Rules = []string{"counting"}
				c.Silences = silence.New([]silence.Silence{s}, nil)
			}
			d := newDay(t, c, []event{happened("1", "alice", "09:10")}, first, second)
			d.run("09:30", "11:30")
			var updates []bool
			for _, a := range d.inbox.alerts {
				updates = append(updates, a.Updates != nil)
			}
			want := []bool{false, true}
			if tt.silenced {
				want = []bool{false}
			}
			if diff := cmp.Diff(want, updates); diff != "" {
				t.Errorf("updates (-want +got):\n%s", diff)
			}
		})
	}
}

// aboutSilences returns the health alerts about silences that were sent.
func aboutSilences(in *inbox) (texts []string) {
	for _, a := range in.alerts {
		if a.RuleID == HealthRuleID && strings.Contains(a.Title, "ilence") {
			texts = append(texts, fmt.Sprintf("%s %s: %s: %s", hhmm(a.Created), a.Severity, a.Title, a.Description))
		}
	}
	return texts
}

// TestSilenceEnds expects a silence that ends to say so once, with what it held back,
// whatever processes there are and whatever their clock does.
func TestSilenceEnds(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	c.Silences = silence.New([]silence.Silence{until(silenced("pt", "alice"), "11:00"), until(silenced("old", "bob"), "08:00"), until(silenced("idle", "carol"), "12:00")}, nil)
	d := newDay(t, c, []event{happened("1", "alice", "09:10"), happened("2", "alice", "10:10")}, counting(time.Hour, time.Hour))
	for hour := 9; hour < 20; hour++ {
		d.restart()
		if _, err := d.tick(clock(fmt.Sprintf("%02d:05", hour))); err != nil {
			t.Fatal(err)
		}
		if hour == 14 { // the clock jumps back, and on again
			if _, err := d.tick(clock("13:59")); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := aboutSilences(d.inbox)
	if len(got) != 2 || !strings.HasPrefix(got[0], "11:05 Informational: Silence pt ended: It ended at 2026-03-14T11:00:00Z. It held back 2 alerts. The last is ") ||
		!strings.Contains(got[0], "pen test, ticket 4711 (amy)") || !strings.HasPrefix(got[1], "12:05 Informational: Silence idle ended: ") || !strings.Contains(got[1], "It held back nothing.") {
		t.Errorf("reported\n%s", strings.Join(got, "\n"))
	}
}

// TestSilencesNeedALook expects a weekly alert about silences that match nothing, and
// those past their review, and none of the others.
func TestSilencesNeedALook(t *testing.T) {
	t.Parallel()
	review := silenced("reviewed", "carol")
	review.Review = midnight.Add(20 * 24 * time.Hour)
	c := config()
	c.Health = DefaultHealth()
	c.Silences = silence.New([]silence.Silence{silenced("unused", "bob"), silenced("used", "alice"), review, until(silenced("over", "dave"), "10:00")}, nil)
	var events []event
	for day := range 60 {
		at := midnight.Add(time.Duration(day)*24*time.Hour + 9*time.Hour)
		events = append(events, event{fmt.Sprint(day), "alice", at, at})
	}
	c.CatchUp = 0
	d := newDay(t, c, events, counting(time.Hour, time.Hour))
	for day := range 60 {
		d.restart()
		if _, err := d.tick(midnight.Add(time.Duration(day)*24*time.Hour + 10*time.Hour + 5*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	var days []string
	for _, a := range d.inbox.alerts {
		if a.Title != "Silences need a look" {
			continue
		}
		said := fmt.Sprint(int(a.Created.Sub(midnight)/(24*time.Hour)), " ", a.Severity)
		for _, id := range []string{"unused (", "used (", "reviewed (", "over ("} {
			if strings.Contains(" "+a.Description, " "+id) {
				said += " " + strings.TrimSuffix(id, " (")
			}
		}
		days = append(days, said)
	}
	want := []string{"20 Low reviewed", "27 Low reviewed", "34 Low unused reviewed", "41 Low unused reviewed", "48 Low unused reviewed", "55 Low unused reviewed"}
	if diff := cmp.Diff(want, days); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
}

// TestSilencesAskNothing expects a tick to ask the ledger for nothing on account of
// silences if there are none.
func TestSilencesAskNothing(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	counted := &countingNotes{Ledger: ledger.NewMemory()}
	d := newDay(t, c, []event{happened("1", "alice", "09:10")}, counting(time.Hour, time.Hour))
	d.ledger = counted
	d.restart()
	d.run("09:30", "12:30")
	if counted.set[ledger.SilencesNote]+counted.set[ledger.SilenceCountNote]+counted.read[ledger.SilenceCountNote] != 0 {
		t.Errorf("read %v, set %v", counted.read, counted.set)
	}
}

type countingNotes struct {
	Ledger
	mu        sync.Mutex
	read, set map[string]int
}

func (n *countingNotes) count(m *map[string]int, name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[name]++
}

func (n *countingNotes) Note(ctx context.Context, id, name string) (string, string, error) {
	n.count(&n.read, name)
	return n.Ledger.Note(ctx, id, name)
}

func (n *countingNotes) SetNote(ctx context.Context, id, name, text, tag string) (string, bool, error) {
	n.count(&n.set, name)
	return n.Ledger.SetNote(ctx, id, name, text, tag)
}

// TestDamagedSilences expects silences of the ledger that cannot be read to hold
// nothing back, and the tick to say so.
func TestDamagedSilences(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no JSON":    "{",
		"no matcher": `{"silences":[{"id":"x","match":[],"maxSeverity":"High","until":"2030-01-01T00:00:00Z","reason":"r","by":"b"}]}`,
		"no end":     `{"silences":[{"id":"x","match":[{"entity":"Account","identifier":"Name","value":["alice"]}],"maxSeverity":"High","reason":"r","by":"b"}]}`,
		"too wide":   `{"silences":[{"id":"x","match":[{"entity":"Account","identifier":"Name","value":["*"]}],"maxSeverity":"High","until":"2030-01-01T00:00:00Z","reason":"r","by":"b"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDay(t, config(), []event{happened("1", "alice", "09:10"), happened("2", "bob", "09:10")}, counting(time.Hour, time.Hour))
			if _, ok, err := d.ledger.SetNote(t.Context(), HealthRuleID, SilencesNote, text, ""); !ok || err != nil {
				t.Fatal(ok, err)
			}
			d.config.Silences = silence.New([]silence.Silence{silenced("file", "bob")}, nil)
			d.restart()
			report, err := d.tick(clock("10:05"))
			if err != nil || len(report.HealthWarnings) != 1 || !strings.Contains(report.HealthWarnings[0], "silences of the ledger") {
				t.Errorf("%v, warnings %q", err, report.HealthWarnings)
			}
			d.checkSent("at 10:05: 09:10-09:10 alice") // the file's hold back all the same
		})
	}
}

// faulty is a ledger that fails now and then, before or after it did what it was asked.
type faulty struct {
	Ledger
	mu   *sync.Mutex
	rand *rand.Rand
}

var errFaulty = errors.New("the table service is busy")

func (f *faulty) fails() (before, after bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.rand.IntN(12)
	return n == 0, n == 1
}

func (f *faulty) Record(ctx context.Context, e ledger.Entry) error {
	before, after := f.fails()
	if before {
		return errFaulty
	}
	err := f.Ledger.Record(ctx, e)
	if after {
		return errFaulty
	}
	return err
}

func (f *faulty) SetNote(ctx context.Context, id, name, text, tag string) (string, bool, error) {
	before, after := f.fails()
	if before {
		return "", false, errFaulty
	}
	next, ok, err := f.Ledger.SetNote(ctx, id, name, text, tag)
	if after {
		return "", false, errFaulty
	}
	return next, ok, err
}

// TestSilencesChange adds and ends silences while ticks run, fail, are cut short and
// run twice at a time. No alert is lost, none that was held back goes out, and none is
// held back of an activity outside its silence's time.
func TestSilencesChange(t *testing.T) {
	t.Parallel()
	heldBack := 0
	for seed := range uint64(silenceRuns) {
		r := rand.New(rand.NewPCG(seed, 7))
		mu := &sync.Mutex{}
		memory := ledger.NewMemory()
		users := []string{"alice", "bob", "carol"}
		var events []event
		for i := range 40 {
			at := clock("09:00").Add(time.Duration(r.IntN(8*60)) * time.Minute)
			events = append(events, event{fmt.Sprint(i), users[i%len(users)], at, at.Add(time.Duration(r.IntN(90)) * time.Minute)})
		}
		c := config()
		c.Health = DefaultHealth()
		c.Health.FailingTicks = 1000
		inbox := &inbox{name: "inbox"}
		var detectors []*Detector
		for range 2 {
			w := &world{events: events}
			of := counting(10*time.Minute, 10*time.Minute)
			of.Events = []string{"Events"}
			d, err := New(c, []*rule.Rule{of}, w, &faulty{memory, mu, r}, notify.Notifier(&lockedInbox{inbox: inbox}))
			if err != nil {
				t.Fatal(err)
			}
			detectors = append(detectors, d)
		}
		ever := map[string]silence.Silence{} // as each was last
		change := func(now time.Time) {
			mu.Lock()
			add, user, length := r.IntN(2) == 0, users[r.IntN(len(users))], time.Duration(10+r.IntN(120))*time.Minute
			pick := r.IntN(1 << 20)
			mu.Unlock()
			// A tick writes too, to forget what ended: as the command does, what changed
			// meanwhile is read again.
			for range 10 {
				list, tag, err := ReadSilences(t.Context(), memory)
				if err != nil {
					t.Error(err)
					return
				}
				var changed silence.Silence
				if add || len(list) == 0 {
					changed = silenced(fmt.Sprintf("s%d-%d", seed, len(ever)), user)
					changed.From, changed.Until = now.Add(-30*time.Minute), now.Add(length)
					list, err = list.Add(changed)
				} else {
					list, changed, err = list.End(list[pick%len(list)].ID, now, "amy")
				}
				if err != nil {
					return // It ended already.
				}
				ok, err := WriteSilences(t.Context(), memory, list, tag, now)
				if err != nil {
					t.Errorf("write silences: %v", err)
					return
				}
				if ok {
					ever[changed.ID] = changed
					return
				}
			}
			t.Error("write silences: they changed each time")
		}
		tick := func(now time.Time, both, changing, cut bool) {
			var wg sync.WaitGroup
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for i, d := range detectors {
				if i > 0 && !both {
					break
				}
				d.runner.querier.(*world).now = now
				wg.Go(func() { _, _ = d.Tick(ctx, now) })
			}
			if changing {
				change(now)
			}
			if cut {
				cancel()
			}
			wg.Wait()
		}
		now := clock("09:05")
		for ; now.Before(clock("20:00")); now = now.Add(5 * time.Minute) {
			mu.Lock()
			both, changing, cut := r.IntN(3) == 0, r.IntN(6) == 0, r.IntN(10) == 0
			mu.Unlock()
			tick(now, both, changing, cut)
		}
		// At last nothing fails.
		for _, d := range detectors {
			d.ledger, d.runner.history = memory, memory
			d.courier.outbox, d.courier.notes = memory, memory
			d.silencer.ledger = memory
		}
		for range 20 {
			now = now.Add(30 * time.Minute)
			for _, d := range detectors {
				d.runner.querier.(*world).now = now
				if _, err := d.Tick(t.Context(), now); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
		}
		sent, held := map[string]int{}, map[string]int{}
		idsOf := func(a alert.Alert) (ids []string) {
			for _, row := range a.Rows {
				cell, _ := row.Get("Events")
				ids = append(ids, strings.FieldsFunc(cell.Text(), func(r rune) bool { return strings.ContainsRune(`[]", `, r) })...)
			}
			return ids
		}
		for _, a := range inbox.alerts {
			for _, id := range idsOf(a) {
				sent[id]++
			}
		}
		kept, err := memory.Whole(t.Context(), "counting", midnight, func(a alert.Alert) bool { return a.HeldBack != nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range kept {
			s, ok := ever[a.HeldBack.Silence]
			if !ok || a.Span.Start.Before(s.From) || !a.Span.End.Before(s.Until) {
				t.Errorf("seed %d: %s held back an alert of %s to %s, and lasts from %s to %s", seed, a.HeldBack.Silence, hhmm(a.Span.Start), hhmm(a.Span.End), hhmm(s.From), hhmm(s.Until))
			}
			for _, id := range idsOf(a) {
				held[id]++
			}
			if slices.ContainsFunc(inbox.alerts, func(b alert.Alert) bool { return b.ID == a.ID }) {
				t.Errorf("seed %d: alert %s was held back and sent", seed, a.ID)
			}
			heldBack++
		}
		for _, e := range events {
			if sent[e.id]+held[e.id] == 0 {
				t.Errorf("seed %d: event %s of %s at %s is neither sent nor held back", seed, e.id, e.user, hhmm(e.at))
			}
		}
	}
	if heldBack < 100*silenceRuns/40 {
		t.Errorf("only %d alerts were held back: the test says little", heldBack)
	}
}

// lockedInbox is an inbox for several detectors at once.
type lockedInbox struct {
	inbox *inbox
}

var inboxes sync.Mutex

func (l *lockedInbox) Name() string { return l.inbox.name }

func (l *lockedInbox) Notify(ctx context.Context, a alert.Alert) error {
	inboxes.Lock()
	defer inboxes.Unlock()
	return l.inbox.Notify(ctx, a)
}
