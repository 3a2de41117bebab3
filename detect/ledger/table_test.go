package ledger

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

func TestMain(m *testing.M) { os.Exit(azurite.Run(m)) }

// tables counts the tables of the tests.
var tables atomic.Int64

// tableOptions returns the options for a table of the test's own at an address.
func tableOptions(addr string) Options {
	return Options{
		ConnectionString: azurite.Connection(addr),
		Table:            "test" + strconv.FormatInt(tables.Add(1), 10),
		ClientOptions: policy.ClientOptions{
			Retry: policy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: 20 * time.Millisecond},
		},
	}
}

func open(t testing.TB, o Options) *Table {
	t.Helper()
	table, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// makeTable makes the table of options, past whatever stands between it and the
// test.
func makeTable(t testing.TB, o Options, addr string) Options {
	t.Helper()
	direct := o
	direct.ConnectionString = azurite.Connection(addr)
	direct.ClientOptions = policy.ClientOptions{}
	if made, err := open(t, direct).Make(context.Background()); err != nil || !made {
		t.Fatalf("making table %s: %v, %v", o.Table, made, err)
	}
	return o
}

// newTable returns a ledger in a table of the test's own.
func newTable(t testing.TB) *Table {
	t.Helper()
	return open(t, makeTable(t, tableOptions(azurite.Addr(t)), azurite.Addr(t)))
}

func TestTable(t *testing.T) {
	t.Parallel()
	testLedger(t, func(t *testing.T) *Ledger { return newTable(t).Ledger })
}

// TestTableIsGone asks everything of a ledger without a table: nothing is taken
// for an answer, and nothing makes the table but Make.
func TestTableIsGone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	a := newAlert("rule", activity("a", 0, 10))
	state := State{First: at(0), Watermark: at(60)}
	l := newTable(t)
	record(t, l.Ledger, "rule", state, []string{"teams"}, a)
	lease, err := l.Lease(ctx, "rule", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	client := l.store.(*tableStore).client
	if _, err := client.Delete(ctx, nil); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"Begin":  func() error { return l.Begin(ctx) },
		"Check":  func() error { return l.Check(ctx) },
		"Format": func() error { _, err := l.Format(ctx); return err },
		"State":  func() error { _, err := l.State(ctx, "another"); return err },
		"Unseen": func() error { _, err := unseen(ctx, l.Ledger, "rule", a.Activities); return err },
		"Record": func() error {
			return l.Record(ctx, Entry{RuleID: "rule", State: state, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}})
		},
		"state":   func() error { return l.Record(ctx, Entry{RuleID: "rule", State: state}) },
		"Lease":   func() error { _, err := l.Lease(ctx, "other", time.Minute); return err },
		"Renew":   func() error { return lease.Renew(ctx) },
		"Release": func() error { return lease.Release(ctx) },
		"Rules":   func() error { _, err := l.Rules(ctx); return err },
		"Waiting": func() (err error) {
			for _, e := range l.Waiting(ctx, "rule", FirstPlace) {
				err = errors.Join(err, e)
			}
			return err
		},
		"OwedOf":  func() error { _, err := l.OwedOf(ctx, a.ID, ""); return err },
		"Outbox":  func() error { _, err := l.Outbox(ctx); return err },
		"Claim":   func() error { _, _, err := l.Claim(ctx, owed("teams", a), noon, at(1)); return err },
		"Sent":    func() error { return l.Sent(ctx, owed("teams", a)) },
		"Failed":  func() error { return l.Failed(ctx, owed("teams", a), Failure{Err: "x"}) },
		"Retry":   func() error { return l.Retry(ctx, owed("teams", a)) },
		"Drop":    func() error { return l.Drop(ctx, owed("teams", a)) },
		"Note":    func() error { _, _, err := l.Note(ctx, "rule", "n"); return err },
		"SetNote": func() error { _, _, err := l.SetNote(ctx, "rule", "n", "text", ""); return err },
		"Recent":  func() error { _, _, err := l.Recent(ctx, "rule", noon); return err },
		"Tally":   func() error { _, err := l.Tally(ctx, []string{"rule"}, noon); return err },
		"Purge":   func() error { _, err := l.Purge(ctx, noon); return err },
	} {
		if err := ask(); !errors.Is(err, ErrNoTable) || !strings.Contains(err.Error(), "handler outbox init") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if made, err := l.Make(ctx); err != nil || !made {
		t.Fatalf("Make: %v, %v: something else made the table", made, err)
	}
	if made, err := l.Make(ctx); err != nil || made {
		t.Errorf("Make where there is a table: %v, %v", made, err)
	}
	if s, err := l.State(ctx, "rule"); err != nil || !s.IsZero() {
		t.Errorf("State of a new table = %v, %v", s, err)
	}
	record(t, newTable(t).Ledger, "rule", state, []string{"teams"}, a)
}
