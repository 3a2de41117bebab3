package detect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/kql"
	"pushback/detect/kql/service"
	"pushback/detect/ledger"
	"pushback/detect/look"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// tenant is a workspace with tables, at a time, behind the production client.
type tenant struct {
	t       *testing.T
	tables  map[string]*kql.TableBuilder
	now     time.Time
	client  *workspace.Client
	mu      sync.Mutex
	queries []workspace.Query
	// fail, if set, decides about a query before it is answered.
	fail func(q workspace.Query) error
}

type tenantRecord struct {
	table               string
	generated, received time.Time // received is zero if it is not known
	user, kind          string
}

var tenantSchema = kql.Schema{
	{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "_TimeReceived", Type: kql.DateTime}, {Name: "User", Type: kql.String}, {Name: "Kind", Type: kql.String},
}

type tenantCredential struct{}

func (tenantCredential) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "t", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

func newTenant(t *testing.T, records ...tenantRecord) *tenant {
	t.Helper()
	w := &tenant{t: t, tables: map[string]*kql.TableBuilder{}}
	for _, name := range []string{"Events", "Signals"} {
		w.tables[name] = kql.NewTableBuilder(name, tenantSchema)
	}
	for _, r := range records {
		b := w.tables[r.table]
		b.SetTime(0, r.generated)
		if !r.received.IsZero() {
			b.SetTime(1, r.received)
		}
		b.SetString(2, []byte(r.user))
		b.SetString(3, []byte(r.kind))
		b.Commit()
	}
	var tables []*kql.Table
	for _, b := range w.tables {
		tables = append(tables, b.Build())
	}
	var err error
	w.client, err = workspace.New("local", tenantCredential{}, workspace.Options{ClientOptions: azcore.ClientOptions{
		Transport: &service.Service{DB: kql.NewDatabase(tables...), Now: func() time.Time { return w.now }},
		Retry:     policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *tenant) Query(ctx context.Context, q workspace.Query) (*workspace.Table, error) {
	w.mu.Lock()
	w.queries = append(w.queries, q)
	w.mu.Unlock()
	if w.fail != nil {
		if err := w.fail(q); err != nil {
			return nil, err
		}
	}
	return w.client.Query(ctx, q)
}

// looks counts the queries that were looks, and the others.
func (w *tenant) looks() (looks, windows int) {
	for _, q := range w.queries {
		if q.RuleID == "look" {
			looks++
		} else {
			windows++
		}
	}
	return looks, windows
}

func tenantRule(id, query string, frequency, period time.Duration) *rule.Rule {
	r := counting(frequency, period)
	r.ID, r.Name, r.Query.Text = id, id, query
	return r
}

// beginningsOf returns what looks ask for rules.
func beginningsOf(t *testing.T, rules []*rule.Rule) map[string][]look.Beginning {
	t.Helper()
	catalog := kql.Catalog{Tables: map[string]kql.Schema{"Events": tenantSchema, "Signals": tenantSchema}}
	all := map[string][]look.Beginning{}
	for _, r := range rules {
		found, err := catalog.Beginnings(r.Query.Text)
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		all[r.ID] = []look.Beginning{}
		for _, b := range found {
			all[r.ID] = append(all[r.ID], look.Beginning(b))
		}
	}
	return all
}

// lookDay runs rules over a tenant, with a tick whenever something is due.
type lookDay struct {
	tenant   *tenant
	detector *Detector
	ledger   Ledger
	inbox    *inbox
	reports  []Report
}

func newLookDay(t *testing.T, c Config, w *tenant, rules ...*rule.Rule) *lookDay {
	t.Helper()
	d := &lookDay{tenant: w, ledger: ledger.NewMemory(), inbox: &inbox{name: "inbox"}}
	var err error
	if d.detector, err = New(c, rules, w, d.ledger, d.inbox); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *lookDay) tick(t *testing.T, now time.Time) Report {
	t.Helper()
	d.tenant.now = now
	report, err := d.detector.Tick(t.Context(), now)
	if err != nil {
		t.Fatalf("tick at %s: %v", hhmm(now), err)
	}
	d.reports = append(d.reports, report)
	return report
}

func (d *lookDay) run(t *testing.T, from, to time.Time, every time.Duration) {
	t.Helper()
	for now := from; !now.After(to); now = now.Add(every) {
		d.tick(t, now)
	}
}

// found lists the activities that were reported, in an order of their own.
func (d *lookDay) found() []string {
	var list []string
	for _, a := range d.inbox.alerts {
		for _, activity := range a.Activities {
			list = append(list, fmt.Sprintf("%s %s %s-%s", a.RuleID, activity.Fingerprint, hhmm(activity.Span.Start), hhmm(activity.Span.End)))
		}
	}
	slices.Sort(list)
	return list
}

const summary = ` | summarize StartTime = min(TimeGenerated), EndTime = max(TimeGenerated), Count = count() by User`

// lookRules are rules of which late records change what they find, each in a way of
// its own.
func lookRules(random *rand.Rand) []*rule.Rule {
	texts := []string{
		`Events | where Kind == "a"` + summary,
		`Events | where Kind in ("a", "b")` + summary + ` | where Count > 2`,
		`Events | where Kind == "a" | join kind=inner (Signals | where Kind has "x" | summarize Signal = min(TimeGenerated) by User) on User | where Signal <= TimeGenerated` + summary,
		`Events | where Kind == "b" | join kind=leftanti (Signals | where Kind == "y") on User` + summary,
		`union Events, (Signals | where Kind == "x") | where User in ((Signals | where Kind == "z" | project User))` + summary,
		`let Busy = toscalar(Signals | where Kind == "x" | count); Events | extend K = toupper(Kind) | where K == "C" and Busy > 1 | project-rename Who = User | project TimeGenerated, User = Who`,
		`Events | where TimeGenerated > ago(30m) and ingestion_time() > ago(3h) and Kind != "c"` + summary,
		`Events | where Kind == "a" | sort by TimeGenerated asc | extend Before = prev(User) | where Before == User | project TimeGenerated, User`,
	}
	frequencies := []time.Duration{10 * time.Minute, 15 * time.Minute, 30 * time.Minute, 45 * time.Minute, time.Hour, 2 * time.Hour}
	var rules []*rule.Rule
	for _, i := range random.Perm(len(texts))[:1+random.IntN(2)] {
		frequency := frequencies[random.IntN(len(frequencies))]
		period := frequency * time.Duration(1+random.IntN(2)*random.IntN(8))
		if random.IntN(4) == 0 {
			period += 7 * time.Minute
		}
		rules = append(rules, tenantRule(fmt.Sprint("rule", i), texts[i], frequency, period))
	}
	return rules
}

// Over days with any delays within two hours a rule with looks finds the very same
// activities as one whose late passes all run, none twice, with fewer queries.
func TestLooksFindWhatLatePassesFind(t *testing.T) {
	t.Parallel()
	days := daysOfLooks
	if testing.Short() {
		days = min(days, 100)
	}
	const parts = 8
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			some, passes, windows := 0, 0, 0
			for day := range days / parts {
				seed := uint64(part*1_000_000 + day)
				random := rand.New(rand.NewPCG(seed, 24))
				rules := lookRules(random)
				var records []tenantRecord
				for range 5 + random.IntN(40) {
					at := clock("01:00").Add(time.Duration(random.IntN(4*3600)) * time.Second)
					delay := time.Duration(random.IntN(300)) * time.Second
					if random.IntN(3) == 0 {
						delay = time.Duration(random.IntN(7201)) * time.Second
					}
					records = append(records, tenantRecord{
						[]string{"Events", "Events", "Signals"}[random.IntN(3)], at, at.Add(delay),
						[]string{"ann", "bob", "eve"}[random.IntN(3)], []string{"a", "b", "c", "x", "y", "z"}[random.IntN(6)],
					})
				}
				c := config()
				c.LookMargin = time.Duration(random.IntN(2)) * 15 * time.Minute
				old := newLookDay(t, c, newTenant(t, records...), rules...)
				c.Beginnings = beginningsOf(t, rules)
				looking := newLookDay(t, c, newTenant(t, records...), rules...)
				for _, d := range []*lookDay{old, looking} {
					d.run(t, clock("00:05"), clock("09:05"), 5*time.Minute)
				}
				if diff := cmp.Diff(old.found(), looking.found()); diff != "" {
					var texts []string
					for _, r := range rules {
						texts = append(texts, fmt.Sprintf("%s every %s over %s: %s", r.ID, r.QueryFrequency, r.QueryPeriod, r.Query.Text))
					}
					t.Fatalf("seed %d (-late passes +looks):\n%s\n%s", seed, diff, strings.Join(texts, "\n"))
				}
				if list := looking.found(); len(slices.Compact(list)) != len(looking.found()) {
					t.Fatalf("seed %d: something is reported twice: %v", seed, looking.found())
				}
				some += len(old.found())
				_, before := old.tenant.looks()
				_, with := looking.tenant.looks()
				passes, windows = passes+before, windows+with
			}
			if windows >= passes {
				t.Errorf("%d windows were run with looks, and %d without", windows, passes)
			}
			if some < days/parts {
				t.Errorf("%d activities in %d days say little", some, days/parts)
			}
		})
	}
}

const hourlyText = `Events | where Kind == "a"` + summary

// arrived is an event of kind a that came in at some time.
func arrived(user, generated, received string) tenantRecord {
	return tenantRecord{"Events", clock(generated), clock(received), user, "a"}
}

// ran lists the windows that ticks ran, by their ends.
func ran(reports ...Report) (list []string) {
	for _, r := range reports {
		for _, run := range r.Rules {
			for _, w := range run.Windows {
				list = append(list, fmt.Sprintf("at %s %s to %s", hhmm(r.Time), run.RuleID, hhmm(w.Window.End)))
			}
		}
	}
	return list
}

// A window runs again only where a record came in late that the rule can see, up to
// three days later and whatever the catch-up is.
func TestLookRunsOnlyWhatIsLate(t *testing.T) {
	t.Parallel()
	c := config()
	c.CatchUp = time.Hour
	rules := []*rule.Rule{tenantRule("hourly", hourlyText, time.Hour, time.Hour), tenantRule("wide", hourlyText, time.Hour, 3*time.Hour)}
	c.Beginnings = beginningsOf(t, rules)
	w := newTenant(t,
		arrived("ann", "01:10", "01:11"),
		tenantRecord{"Events", clock("01:20"), clock("04:20"), "bob", "b"}, // late, and not seen
		arrived("eve", "01:30", "05:20"),
		arrived("joe", "02:10", "74:00"),  // its windows end at 03:00, and for the other rule at 05:00 at the latest
		arrived("sue", "02:20", "75:06"),  // the look at 03:05 three days later was the last for the first rule
		arrived("max", "00:20", "100:00"), // before the first window
	)
	d := newLookDay(t, c, w, rules...)
	d.run(t, clock("01:05"), clock("102:05"), time.Hour)
	first := map[string]int{}
	var again []string
	for _, line := range ran(d.reports...) {
		_, window, _ := strings.Cut(line, " hourly")
		if _, other, ok := strings.Cut(line, " wide"); ok {
			window = "wide" + other
		}
		if first[window]++; first[window] > 1 {
			again = append(again, line)
		}
	}
	want := []string{
		"at 06:05 hourly to 02:00",
		"at 06:05 wide to 02:00", "at 06:05 wide to 03:00", "at 06:05 wide to 04:00",
		"at 74:05 hourly to 03:00",
		"at 74:05 wide to 03:00", "at 74:05 wide to 04:00", "at 74:05 wide to 05:00",
		"at 76:05 wide to 04:00", "at 76:05 wide to 05:00",
	}
	slices.Sort(want)
	// What came in up to 15 minutes before a look is seen by the next one, too.
	again = slices.DeleteFunc(again, func(line string) bool {
		return strings.HasPrefix(line, "at 03:05") || strings.HasPrefix(line, "at 75:05")
	})
	slices.Sort(again)
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("run again (-want +got):\n%s", diff)
	}
	if looks, windows := w.looks(); looks > 101 || windows > 2*102+len(again)+8 {
		t.Errorf("%d looks and %d windows", looks, windows)
	}
	if list := d.found(); len(slices.Compact(slices.Clone(list))) != len(list) {
		t.Errorf("reported twice: %v", list)
	}
}

// A look that says nothing of a rule has its late passes run, and no other rule's.
func TestLookThatSaysNothing(t *testing.T) {
	t.Parallel()
	blind := tenantRule("blind", hourlyText, time.Hour, time.Hour)
	seeing := tenantRule("seeing", hourlyText, time.Hour, time.Hour)
	var all []string
	for hour := 4; hour <= 7; hour++ {
		for _, end := range []int{hour - 2, hour - 1, hour} {
			all = append(all, fmt.Sprintf("at %02d:05 blind to %02d:00", hour, end))
		}
	}
	about := func(q workspace.Query) bool { return strings.Contains(q.Text, "Elsewhere") }
	for name, tt := range map[string]struct {
		beginnings []look.Beginning
		records    []tenantRecord
		fail       func(q workspace.Query) error
		why        string
		queries    int // of looks, at most
	}{
		"no such table":     {beginnings: []look.Beginning{{Table: "Events"}, {Table: "Elsewhere"}}, why: "does not resolve its table Elsewhere", queries: 4},
		"no ingestion time": {beginnings: []look.Beginning{{Table: "Signals"}}, records: []tenantRecord{{"Signals", clock("02:10"), time.Time{}, "ann", "a"}}, why: "ingestion_time()", queries: 4},
		"a refused query":   {beginnings: []look.Beginning{{Table: "Events", Condition: `Nothing == "x"`}}, why: "Nothing", queries: 11},
		"a query too many": {beginnings: []look.Beginning{{Table: "Elsewhere"}}, why: "it takes too much", fail: func(q workspace.Query) error {
			if about(q) {
				return &workspace.QueryError{Message: "it takes too much", Code: "E"}
			}
			return nil
		}, queries: 11},
		"a part of an answer": {beginnings: []look.Beginning{{Table: "Elsewhere"}}, why: "incomplete", fail: func(q workspace.Query) error {
			if about(q) {
				return &workspace.PartialError{Message: "some", Code: "E"}
			}
			return nil
		}, queries: 9},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := config()
			c.Beginnings = beginningsOf(t, []*rule.Rule{seeing})
			c.Beginnings["blind"] = tt.beginnings
			w := newTenant(t, append(tt.records, arrived("ann", "03:20", "03:21"))...)
			w.fail = tt.fail
			d := newLookDay(t, c, w, blind, seeing)
			d.run(t, clock("01:05"), clock("07:05"), time.Hour)
			var got, others []string
			for _, line := range ran(d.reports[3:]...) {
				if strings.Contains(line, "blind") {
					got = append(got, line)
				} else {
					others = append(others, line)
				}
			}
			if diff := cmp.Diff(all, got); diff != "" {
				t.Errorf("late passes (-want +got):\n%s", diff)
			}
			if len(others) != 4 && tt.why != "incomplete" {
				t.Errorf("of the other rule ran %v", others)
			}
			for _, r := range d.reports[3:] {
				if why := r.Rules[0].NoLook; why == nil || !strings.Contains(why.Error(), tt.why) {
					t.Errorf("at %s: %v", hhmm(r.Time), why)
				}
			}
			if r := d.reports[len(d.reports)-1]; r.Rules[1].NoLook != nil {
				t.Errorf("of the other rule: %v", r.Rules[1].NoLook)
			}
			if looks, _ := w.looks(); looks > tt.queries+2 {
				t.Errorf("%d looks", looks)
			}
		})
	}
}

// What a look found is saved with its mark: a tick that could not run it, a restart
// and a limit of windows lose none of it.
func TestLateWindowsArePending(t *testing.T) {
	t.Parallel()
	c := config()
	c.LookMargin = 0
	r := tenantRule("often", hourlyText, 10*time.Minute, 10*time.Minute)
	c.Beginnings = beginningsOf(t, []*rule.Rule{r})
	var records []tenantRecord
	for i := range 120 { // twenty hours, which all come in at once
		at := clock("01:05").Add(time.Duration(i) * 10 * time.Minute)
		records = append(records, tenantRecord{"Events", at, clock("22:00"), fmt.Sprint("user", i), "a"})
	}
	w := newTenant(t, records...)
	d := newLookDay(t, c, w, r)
	d.run(t, clock("01:05"), clock("21:55"), 10*time.Minute)
	if len(d.inbox.alerts) > 0 {
		t.Fatal("found before it came in")
	}
	count := func() int { return len(d.found()) }
	// The look is done, and then the workspace is gone.
	w.fail = func(q workspace.Query) error {
		if q.RuleID != "look" {
			return errDown
		}
		return nil
	}
	w.now = clock("22:05")
	if _, err := d.detector.Tick(t.Context(), w.now); err == nil {
		t.Error("the tick did not fail")
	}
	w.fail = nil
	before, _ := w.looks()
	for i, want := range []int{50, 100, 120} {
		var err error // after a restart, between two looks
		if d.detector, err = New(c, []*rule.Rule{r}, w, d.ledger, d.inbox); err != nil {
			t.Fatal(err)
		}
		report := d.tick(t, clock("22:06").Add(time.Duration(i)*time.Minute))
		if count() != want {
			t.Errorf("%d are found, want %d: %v", count(), want, ran(report))
		}
		for j := 1; j < len(report.Rules[0].Windows); j++ {
			if report.Rules[0].Windows[j].Window.End.Before(report.Rules[0].Windows[j-1].Window.End) {
				t.Errorf("windows run out of order: %v", ran(report))
			}
		}
		if waiting := report.Rules[0].Waiting; waiting != 120-want {
			t.Errorf("%d windows wait, want %d", waiting, 120-want)
		}
	}
	if after, _ := w.looks(); after != before {
		t.Errorf("%d looks between two", after-before)
	}
}

// A tick whose time is up after the look saves what it found, and not more.
func TestLookIsSavedAlone(t *testing.T) {
	t.Parallel()
	c := config()
	c.LookMargin = 0
	rules := []*rule.Rule{tenantRule("one", hourlyText, time.Hour, time.Hour), tenantRule("two", hourlyText, time.Hour, time.Hour)}
	c.Beginnings = beginningsOf(t, rules)
	w := newTenant(t, arrived("ann", "01:30", "02:30"))
	d := newLookDay(t, c, w, rules...)
	d.run(t, clock("02:05"), clock("02:05"), time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	w.now = clock("03:05")
	w.fail = func(q workspace.Query) error {
		if q.RuleID != "look" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if report, err := d.detector.Tick(ctx, w.now); err == nil || len(ran(report)) > 0 {
		t.Errorf("%v ran, %v", ran(report), err)
	}
	for _, r := range rules {
		s, err := d.ledger.State(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		late := []ledger.Stretch{{First: clock("02:00"), Last: clock("02:00")}}
		if diff := cmp.Diff(late, s.Looks.Late); diff != "" || !s.Looks.Mark.Equal(w.now) {
			t.Errorf("%s: looked up to %s, late (-want +got):\n%s", r.ID, hhmm(s.Looks.Mark), diff)
		}
		if r.ID == "two" && !s.Watermark.Equal(clock("02:05")) {
			t.Errorf("the tick did not get to %s, and it has run up to %s", r.ID, hhmm(s.Watermark))
		}
	}
	w.fail = nil
	report := d.tick(t, clock("03:10"))
	want := []string{"at 03:10 one to 02:00", "at 03:10 one to 03:00", "at 03:10 two to 02:00", "at 03:10 two to 03:00"}
	if diff := cmp.Diff(want, ran(report)); diff != "" {
		t.Errorf("ran (-want +got):\n%s", diff)
	}
}

// What an earlier version left is looked for from where it stopped.
func TestLooksAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	c := config()
	r := tenantRule("hourly", hourlyText, time.Hour, time.Hour)
	w := newTenant(t, arrived("ann", "01:30", "02:10"), arrived("bob", "01:40", "03:20"))
	d := newLookDay(t, c, w, r)
	d.run(t, clock("02:05"), clock("02:05"), time.Hour)
	c.Beginnings = beginningsOf(t, []*rule.Rule{r})
	var err error
	if d.detector, err = New(c, []*rule.Rule{r}, w, d.ledger, d.inbox); err != nil {
		t.Fatal(err)
	}
	d.run(t, clock("03:05"), clock("05:05"), time.Hour)
	if found := d.found(); len(found) != 2 {
		t.Errorf("found %v", found)
	}
	// And back: what is late runs, and the passes do.
	c.Beginnings = nil
	if d.detector, err = New(c, []*rule.Rule{r}, w, d.ledger, d.inbox); err != nil {
		t.Fatal(err)
	}
	report := d.tick(t, clock("06:05"))
	if len(report.Rules[0].Windows) != 3 {
		t.Errorf("ran %v", ran(report))
	}
	if s, err := d.ledger.State(t.Context(), r.ID); err != nil || !s.Looks.IsZero() {
		t.Errorf("%+v, %v", s.Looks, err)
	}
}

// A day's records that came in too late are reported once, with what would have
// caught them, and that they are over.
func TestTooLateIsReported(t *testing.T) {
	t.Parallel()
	c := config()
	c.Health = DefaultHealth()
	r := tenantRule("hourly", hourlyText, time.Hour, time.Hour)
	c.Beginnings = beginningsOf(t, []*rule.Rule{r})
	w := newTenant(t,
		arrived("ann", "02:10", "75:00"),                                   // found by the last look at its window
		arrived("bob", "02:10", "78:30"),                                   // too late
		arrived("eve", "02:20", "80:10"),                                   // too late
		tenantRecord{"Events", clock("02:20"), clock("82:10"), "max", "b"}, // nothing to the rule
		arrived("joe", "20:20", "500:00"))                                  // more than 14 days late
	d := newLookDay(t, c, w, r)
	d.run(t, clock("01:05"), clock("520:05"), time.Hour)
	var health []string
	for _, report := range d.reports {
		for _, a := range report.Health {
			health = append(health, a.Title+": "+a.Description)
		}
	}
	want := []string{
		`Records came too late for the rule "hourly": Events: 2 records came in up to 77h50m0s after they were generated, when no window with them was looked at any more. PUSHBACK_LATE_LOOK=79h would have caught them (it is 72h).`,
		`Over: Records came too late for the rule "hourly": What was reported is over.`,
	}
	if diff := cmp.Diff(want, health); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	// And so it does.
	c.LateLook = 79 * time.Hour
	again := newLookDay(t, c, w, r)
	again.run(t, clock("01:05"), clock("150:05"), time.Hour)
	found := 0
	for _, line := range again.found() {
		if strings.HasPrefix(line, "hourly") {
			found++
		}
	}
	if found != 3 {
		t.Errorf("%d activities are found: %v", found, again.found())
	}
}

// cutLedger cancels a tick once its states are saved.
type cutLedger struct {
	Ledger
	cancel func() // nil for none
}

func (l *cutLedger) Save(ctx context.Context, list []ledger.Saving) []error {
	errs := l.Ledger.Save(ctx, list)
	if l.cancel != nil {
		l.cancel()
	}
	return errs
}

// What came too late is reported although the tick that found it ends right after
// it saved that it looked.
func TestTooLateOutlivesItsTick(t *testing.T) {
	t.Parallel()
	var found time.Time
	for _, cut := range []bool{false, true} {
		c := config()
		c.Health = DefaultHealth()
		r := tenantRule("hourly", hourlyText, time.Hour, time.Hour)
		c.Beginnings = beginningsOf(t, []*rule.Rule{r})
		w := newTenant(t, arrived("bob", "02:10", "78:30"), arrived("eve", "02:20", "80:10"))
		l := &cutLedger{Ledger: ledger.NewMemory()}
		d, err := New(c, []*rule.Rule{r}, w, l, &inbox{name: "inbox"})
		if err != nil {
			t.Fatal(err)
		}
		reported := 0
		for now := clock("01:05"); !now.After(clock("150:05")); now = now.Add(time.Hour) {
			w.now = now
			ctx, cancel := context.WithCancel(t.Context())
			if l.cancel = nil; cut && now.Equal(found) {
				l.cancel = cancel
			}
			report, _ := d.Tick(ctx, now)
			cancel()
			reported += len(report.Health)
			if !cut && len(report.Rules[0].TooLate) > 0 {
				found = now
			}
		}
		if found.IsZero() || reported != 2 { // and that it is over
			t.Errorf("cut %t: %d health alerts, want two", cut, reported)
		}
	}
}
