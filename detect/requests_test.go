package detect

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/ledger/azurite"
	"pushback/detect/rule"
)

func TestMain(m *testing.M) { os.Exit(azurite.Run(m)) }

// countingTransport counts the requests of the table.
type countingTransport struct{ requests atomic.Int64 }

func (c *countingTransport) Do(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return http.DefaultClient.Do(r)
}

// tableDay returns a day over a table of its own, whose requests are counted.
func tableDay(t *testing.T, c Config, events []event, rules ...*rule.Rule) (*day, *countingTransport) {
	t.Helper()
	d := newDay(t, c, events, rules...)
	counter := &countingTransport{}
	table, err := ledger.Open(ledger.Options{
		ConnectionString: azurite.Connection(azurite.Addr(t)), Table: fmt.Sprintf("requests%d", requestTables.Add(1)),
		// The emulator may be slow: no request is tried again.
		ClientOptions: policy.ClientOptions{Transport: counter, Retry: policy.RetryOptions{TryTimeout: 2 * time.Minute}},
		Clock:         func() time.Time { return d.world.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := table.Make(t.Context()); err != nil || !made {
		t.Fatal(made, err)
	}
	d.ledger = table.Ledger
	d.restart()
	return d, counter
}

var requestTables atomic.Int64

// manyRules returns hourly rules.
func manyRules(n int) (rules []*rule.Rule) {
	for i := range n {
		r := counting(time.Hour, time.Hour)
		r.ID, r.Name = fmt.Sprintf("rule-%03d", i), fmt.Sprint("Rule ", i)
		rules = append(rules, r)
	}
	return rules
}

// quietEnricher is an enricher of rules that report nothing: it is asked nothing.
type quietEnricher struct{ t *testing.T }

func (q quietEnricher) Enrich(context.Context, []alert.Alert, time.Time) []string { return nil }

func (q quietEnricher) Aftermath(context.Context, []alert.Alert, time.Time) ([]alert.Alert, []string) {
	q.t.Error("alerts are followed up, and there is none")
	return nil, nil
}

// TestTableRequests counts the requests of a tick of as many rules as Sentinel
// allows: what they cost depends on what happens, and not on how many they are.
func TestTableRequests(t *testing.T) {
	t.Parallel()
	const rules = 512
	c := config()
	c.Health, c.Enricher, c.Heartbeat = DefaultHealth(), quietEnricher{t}, 24*time.Hour
	d, counter := tableDay(t, c, nil, manyRules(rules)...)
	tick := func(at string, windows, most int) {
		t.Helper()
		before := counter.requests.Load()
		report, err := d.tick(clock(at))
		if err != nil {
			t.Fatal(err)
		}
		ran := 0
		for _, r := range report.Rules {
			ran += len(r.Windows)
		}
		n := int(counter.requests.Load() - before)
		t.Logf("at %s: %d windows, %d requests", at, ran, n)
		if ran != windows || n > most {
			t.Errorf("at %s: %d windows with %d requests, want %d with at most %d", at, ran, n, windows, most)
		}
	}
	tick("09:05", rules, 40) // the first of a new table
	tick("09:10", 0, 5)
	tick("10:05", 2*rules, 40) // the second pass of the one before too
	d.restart()                // a process that knows nothing yet
	tick("10:10", 0, 5)
	tick("11:05", 3*rules, 40)
	tick("11:10", 0, 5)
}

// TestTableRequestsOfRows counts the requests of a tick in which one of many rules
// has a hundred new rows. With a rule alone that took 21 up to format 3, when each
// rule cost some, and with 512 it took 4620.
func TestTableRequestsOfRows(t *testing.T) {
	t.Parallel()
	const rows = 100
	for _, test := range []struct{ rules, most int }{{1, 21}, {512, 35}} {
		t.Run(fmt.Sprint(test.rules, " rules"), func(t *testing.T) {
			t.Parallel()
			c := config()
			c.Lateness, c.MaxAlerts, c.SendLimit = 0, 0, 1
			d, counter := tableDay(t, c, nil, manyRules(test.rules)...)
			d.world.only = "rule-000"
			if _, err := d.tick(clock("09:05")); err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				d.world.events = append(d.world.events, happened(fmt.Sprint(i), fmt.Sprintf("user%03d", i), "09:30"))
			}
			d.inbox.fail = failing(errRefused) // so that little is sent
			before := counter.requests.Load()
			report, _ := d.tick(clock("10:05"))
			n := int(counter.requests.Load() - before)
			t.Logf("%d alerts, %d requests", reported(report), n)
			if reported(report) != rows || n > test.most {
				t.Errorf("%d alerts with %d requests, want %d with at most %d", reported(report), n, rows, test.most)
			}
		})
	}
}
