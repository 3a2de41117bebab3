package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"pushback/detect"
	"pushback/detect/ledger/azurite"
	"pushback/detect/sample"
)

// exists reports whether the table is there.
func (l *ledgerTable) exists() bool {
	l.t.Helper()
	service, err := aztables.NewServiceClientFromConnectionString(azurite.Connection(azurite.Addr(l.t)), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	page, err := service.NewListTablesPager(&aztables.ListTablesOptions{Filter: to.Ptr(fmt.Sprintf("TableName eq '%s'", l.name))}).NextPage(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return len(page.Tables) > 0
}

// TestProcessTableDeleted deletes the table under a process that runs. Every
// tick fails and says what to do, nothing but outbox init makes the table, and
// then all that happened meanwhile is reported, and that the ledger was gone. A
// process that was started without a table reports that there was none.
func TestProcessTableDeleted(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			t.Parallel()
			c, table := newCloud(t), newLedgerTable(t)
			settings := table.settings(azurite.Addr(t))
			h := startHost(t, c, settings)
			for hour := range 6 {
				h.tick(c, at(hour, 5), http.StatusOK)
			}
			if _, err := table.client.Delete(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			for hour := 6; hour < 10; hour++ {
				if restart && hour == 8 {
					h.stop()
					h.start()
				}
				h.tick(c, at(hour, 5), http.StatusInternalServerError)
			}
			if table.exists() {
				t.Fatal("the process made the table")
			}
			out := h.stdout.String() + h.stderr.String()
			if !strings.Contains(out, "TableNotFound") || !strings.Contains(out, "make it with handler outbox init, or deploy the Bicep template") {
				t.Error("the log does not say what to do")
			}
			for _, args := range [][]string{{"check"}, {"outbox", "list"}, {"outbox", "drop", "--parked"}} {
				if r := command(t, settings, args...); r.code == exitDone || !strings.Contains(r.stdout+r.stderr, "make it with handler outbox init") {
					t.Errorf("%q: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
				}
			}
			if table.exists() {
				t.Fatal("a command made the table")
			}
			for _, want := range []string{"table " + table.name + " is made, and can be written\n", "table " + table.name + " is there already, and can be written\n"} {
				if r := command(t, settings, "outbox", "init"); r.code != exitDone || r.stdout != want {
					t.Errorf("outbox init: exit %d\n%s%s", r.code, r.stdout, r.stderr)
				}
			}
			for hour := 10; hour <= 26; hour++ {
				h.tick(c, at(hour, 5), http.StatusOK)
			}
			h.stop()
			reported := map[string]bool{}
			var health []string
			for _, a := range h.logged("alert") {
				if a.Rule == detect.HealthRuleID {
					health = append(health, a.Title)
					continue
				}
				for _, id := range a.Details["CorrelationIds"] {
					reported[id] = true
				}
			}
			// A process that started without a table knows of no window before its first
			// tick.
			for _, r := range sample.Generate(sample.Options{}).Rejections {
				unknown := restart && r.Time.Before(at(7, 0))
				if r.Time.Before(at(24, 0)) && r.Received.Before(at(26, 0)) && !reported[r.CorrelationID] && !unknown {
					t.Errorf("%s (%s) at %s is not reported", r.User, r.Story, r.Time.Format(time.TimeOnly))
				}
			}
			want := []string{"The ledger was gone", "Over: The ledger was gone"}
			if restart {
				want = []string{"There was no ledger", "Over: There was no ledger"}
			}
			if !slices.Equal(health, want) {
				t.Errorf("health: %q", health)
			}
		})
	}
}
