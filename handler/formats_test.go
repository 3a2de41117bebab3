package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect"
	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/ledger/azurite"
	"pushback/detect/notify"
	"pushback/detect/rule"
	"pushback/detect/sample"
)

// picky is a destination that refuses some messages for good.
type picky struct {
	name   string
	refuse string
	asked  []string
	taken  []string
}

func (p *picky) Name() string { return p.name }

func (p *picky) Notify(_ context.Context, a alert.Alert) error {
	p.asked = append(p.asked, a.Title)
	if p.refuse != "" && strings.Contains(a.Title, p.refuse) {
		return &notify.Error{Message: true, Err: errors.New("it does not take this")}
	}
	p.taken = append(p.taken, a.Title)
	slices.Sort(p.taken)
	return nil
}

// rows returns the table's rows as they are in the service, by their keys.
func (l *ledgerTable) rows() map[string]string {
	l.t.Helper()
	rows := map[string]string{}
	for pager := l.client.NewListEntitiesPager(nil); pager.More(); {
		page, err := pager.NextPage(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		for _, text := range page.Entities {
			var keys struct{ PartitionKey, RowKey string }
			if err := json.Unmarshal(text, &keys); err != nil {
				l.t.Fatal(err)
			}
			rows[keys.PartitionKey+" "+keys.RowKey] = string(text)
		}
	}
	return rows
}

// TestFormats goes on with the whole tables that each version with a format of its
// own wrote: what it reported is found again by the rule itself, from the same logs,
// and no destination that took an alert gets it again.
func TestFormats(t *testing.T) {
	t.Parallel()
	at := func(hour, minute int) time.Time {
		return sample.DefaultDay.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	before := []refusedPrompt{ // those of the logs when the tables were written
		{at: at(9, 10), user: "alice", address: "203.0.113.7", id: "a1", correlation: "c1", session: "s1", application: "Portal"},
		{at: at(9, 15), user: "bob", address: "2600:0:0:0:0:0:0:1", id: "b1", correlation: "c2", session: "s2", application: "Portal"},
		{at: at(9, 25), user: "bob", address: "2600::1", id: "b2", correlation: "c3", session: "s3", application: "Portal"},
		{at: at(10, 20), user: "carol", address: "203.0.113.9", id: "k1", correlation: "c4", session: "s4", application: "Portal"},
		{at: at(10, 30), user: "dave", address: "203.0.113.8:5000", id: "d1", correlation: "c5", session: "s5", application: "Portal"},
	}
	late := refusedPrompt{at: at(9, 50), received: at(11, 30), user: "erin", address: "203.0.113.10", id: "e1", correlation: "c6", session: "s6", application: "Portal"}
	const carol, erin = "MFA rejected by carol@contoso.example from 203.0.113.9", "MFA rejected by erin@contoso.example from 203.0.113.10"
	for format := 1; format <= ledger.Format; format++ {
		t.Run(fmt.Sprint("from format ", format), func(t *testing.T) {
			t.Parallel()
			table := newLedgerTable(t)
			loadRows(t, table, filepath.Join("formats", fmt.Sprintf("%d.json", format)))
			dave := "MFA rejected by dave@contoso.example from 203.0.113.8"
			if format == 1 { // a title stays as it was recorded
				dave += ":5000"
			}
			open, some, closed := &picky{name: "open"}, &picky{name: "picky", refuse: "alice"}, &picky{name: "closed"}
			tick := func(now time.Time) (windows int) {
				t.Helper()
				d, err := detect.New(detect.Config{Delay: 5 * time.Minute, Lateness: 3 * time.Hour, ParkAfter: 5}, []*rule.Rule{rule.Default()},
					workspaceOf(t, &now, append(slices.Clone(before), late)...), table.ledger, open, some, closed)
				if err != nil {
					t.Fatal(err)
				}
				report, err := d.Tick(t.Context(), now)
				if err != nil && !strings.Contains(err.Error(), "parked") { // which fails one tick a day
					t.Fatal(err)
				}
				for _, run := range report.Rules {
					for _, w := range run.Windows {
						if w.Rows > 0 {
							windows++
						}
					}
				}
				return windows
			}
			if windows := tick(at(12, 5)); windows != 2 {
				t.Errorf("%d windows of before ran once more, want 2", windows)
			}
			for _, test := range []struct {
				to   *picky
				want []string
			}{{open, []string{erin}}, {some, []string{dave, erin}}, {closed, []string{carol, dave, erin}}} {
				if diff := cmp.Diff(test.want, test.to.taken); diff != "" {
					t.Errorf("%s took (-want +got):\n%s", test.to.name, diff)
				}
			}
			if f, err := table.ledger.Format(t.Context()); f != ledger.Format || err != nil {
				t.Errorf("the format is %d, %v", f, err)
			}
			var parked []string
			owed, err := table.ledger.Outbox(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range owed {
				parked = append(parked, fmt.Sprintf("%s %s %v", o.Destination, o.Alert.Title, o.Parked))
			}
			if diff := cmp.Diff([]string{"picky MFA rejected by alice@contoso.example from 203.0.113.7 true"}, parked); diff != "" {
				t.Errorf("owed after the upgrade (-want +got):\n%s", diff)
			}
			if text, _, err := table.ledger.Note(t.Context(), rule.Default().ID, "desk"); text != `{"case":"42"}` || err != nil {
				t.Errorf("the note is %q, %v", text, err)
			}

			// A process that starts now has nothing to do, and changes nothing.
			asked := len(open.asked) + len(some.asked) + len(closed.asked)
			was := table.rows()
			l, err := ledger.Open(ledger.Options{ConnectionString: azurite.Connection(azurite.Addr(t)), Table: table.name})
			if err != nil {
				t.Fatal(err)
			}
			table.ledger = l.Ledger
			tick(at(12, 6))
			if n := len(open.asked) + len(some.asked) + len(closed.asked); n != asked {
				t.Errorf("%d alerts were sent again", n-asked)
			}
			if is := table.rows(); !maps.Equal(was, is) {
				t.Errorf("the second start changed rows (-before +after):\n%s", cmp.Diff(was, is))
			}
		})
	}
}
