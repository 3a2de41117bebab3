package ledger

import (
	"context"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

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

// newTable returns a ledger in a table of the test's own.
func newTable(t testing.TB) *Table {
	t.Helper()
	return open(t, tableOptions(azurite.Addr(t)))
}

func TestTable(t *testing.T) {
	t.Parallel()
	testLedger(t, func(t *testing.T) verbs { return newTable(t) })
}

func TestTableIsCreated(t *testing.T) {
	t.Parallel()
	o := tableOptions(azurite.Addr(t))
	created := 0
	o.Created = func() { created++ }
	l := open(t, o)
	ctx := t.Context()
	checkPending(t, l, "teams")
	if err := l.Check(ctx); err != nil {
		t.Fatal(err)
	}
	a := newAlert("rule", activity("a", 0, 10))
	record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
	checkPending(t, l, "teams", a)
	if _, err := l.store.(*tableStore).client.Delete(context.WithoutCancel(ctx), nil); err != nil {
		t.Fatal(err)
	}
	// Deleted meanwhile: it is as empty as a new one.
	checkPending(t, l, "teams")
	if s, err := l.State(ctx, "rule"); err != nil || !s.IsZero() {
		t.Errorf("State without a table = %v, %v", s, err)
	}
	if created != 1 {
		t.Errorf("the table was created %d times", created)
	}
	record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, a)
	checkPending(t, l, "teams", a)
	if created != 2 {
		t.Errorf("the table was created %d times", created)
	}
}
