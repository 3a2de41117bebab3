package detect

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
	w.queries = append(w.queries, q)
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
	days := 1200
	if testing.Short() {
		days = 100
	}
	const parts = 8
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			some := 0
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
			}
			if some < days/parts {
				t.Errorf("%d activities in %d days say little", some, days/parts)
			}
		})
	}
}
