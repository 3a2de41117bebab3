package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"

	"pushback/detect"
	"pushback/detect/ledger"
	"pushback/detect/ledger/azurite"
	"pushback/detect/rule"
	"pushback/detect/sample"
)

// loadFormer puts the rows into a table that a version of a former format of
// the ledger wrote of refusalsBefore. It returns the ids of the alerts that it
// had not delivered yet.
func loadFormer(t *testing.T, table *ledgerTable, format int) (owed []string) {
	t.Helper()
	for _, key := range loadRows(t, table, fmt.Sprintf("format%d.json", format)) {
		if strings.HasPrefix(key, "out:") {
			owed = append(owed, key[strings.LastIndexByte(key, ':')+1:])
		}
	}
	slices.Sort(owed)
	return owed
}

// loadRows puts the rows of one of the ledger's files into a table, and returns
// their keys.
func loadRows(t *testing.T, table *ledgerTable, file string) (keys []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "detect", "ledger", "testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		entity, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := table.client.AddEntity(t.Context(), entity, nil); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, row["RowKey"].(string))
	}
	return keys
}

// An upgrade reports nothing again that the version before reported, by
// whatever spelling and whatever id. It delivers what that still owed, and
// misses nothing that is new: neither what arrives late, nor what carries a
// CorrelationId of before.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for format, owed := range map[int]int{1: 9, 2: 7, 3: 7} {
		t.Run(fmt.Sprint("from format ", format), func(t *testing.T) {
			t.Parallel()
			upgradeFrom(t, format, owed)
		})
	}
}

func upgradeFrom(t *testing.T, format, alerts int) {
	table := newLedgerTable(t)
	owed := loadFormer(t, table, format)
	if len(owed) != alerts {
		t.Fatalf("%d alerts were owed, want %d", len(owed), alerts)
	}
	news := func(r detect.Report) (found []string) {
		for _, run := range r.Rules {
			for _, w := range run.Windows {
				for _, a := range w.Alerts {
					found = append(found, a.Title)
				}
			}
		}
		slices.Sort(found)
		return found
	}
	if f, err := table.ledger.Format(t.Context()); f != format || err != nil {
		t.Errorf("the format is %d, %v before the upgrade", f, err)
	}
	to := &box{}
	r := tickOnce(t, table.ledger, to, sample.DefaultDay.Add(11*time.Hour+5*time.Minute), refusalsBefore()...)
	passes := 0
	for _, run := range r.Rules {
		for _, w := range run.Windows {
			if w.Rows > 0 {
				passes++
			}
		}
	}
	if passes != 3 {
		t.Errorf("%d passes over the window of before, want one of each rule", passes)
	}
	if found := news(r); len(found) > 0 {
		t.Errorf("reported again: %q", found)
	}
	var delivered []string
	for _, a := range to.alerts {
		delivered = append(delivered, a.ID)
	}
	slices.Sort(delivered)
	if !slices.Equal(delivered, owed) {
		t.Errorf("delivered %q, want those that were owed: %q", delivered, owed)
	}
	if f, err := table.ledger.Format(t.Context()); f != ledger.Format || err != nil {
		t.Errorf("the format is %d, %v after the upgrade", f, err)
	}

	at := func(hour, minute int) time.Time {
		return sample.DefaultDay.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	later := append(refusalsBefore(),
		refusedPrompt{at: at(9, 20), received: at(11, 30), user: "alice", address: "::ffff:203.0.113.7", id: "a3", correlation: "c7", session: "s7"},
		refusedPrompt{at: at(11, 20), user: "bob", address: "2600::0:1", id: "b3", correlation: "c2", session: "s2"},
		refusedPrompt{at: at(11, 40), user: "bob", address: "2600::0:1", id: "b4", correlation: "c2", session: "s2"})
	to.alerts = nil
	shipped := func() (titles []string) {
		for _, a := range to.alerts {
			if a.RuleID == rule.Default().ID {
				titles = append(titles, a.Title)
			}
		}
		slices.Sort(titles)
		return titles
	}
	for _, now := range []time.Time{at(12, 5), at(12, 10), at(13, 5)} {
		tickOnce(t, table.ledger, to, now, later...)
	}
	want := []string{"MFA rejected by alice@contoso.example from 203.0.113.7", "MFA rejected by bob@contoso.example from 2600::1"}
	if got := shipped(); !slices.Equal(got, want) {
		t.Errorf("reported %q, want %q once", got, want)
	}
}

// setFormat has the table say that it is of a format.
func (l *ledgerTable) setFormat(format int) {
	l.t.Helper()
	entity, err := json.Marshal(map[string]any{"PartitionKey": "rules", "RowKey": "format", "Format": format})
	if err == nil {
		_, err = l.client.UpsertEntity(l.t.Context(), entity, &aztables.UpsertEntityOptions{UpdateMode: aztables.UpdateModeReplace})
	}
	if err != nil {
		l.t.Fatal(err)
	}
}

// A version that does not know the ledger's format runs nothing, sends nothing
// and says what to do; so do check and the outbox commands.
func TestNewerLedger(t *testing.T) {
	t.Parallel()
	table := newLedgerTable(t)
	table.setFormat(ledger.Format + 1)
	to := &box{}
	now := sample.DefaultDay.Add(10*time.Hour + 5*time.Minute)
	d, err := detect.New(detect.Config{Delay: 5 * time.Minute}, upgradeRules(t), workspaceOf(t, &now, refusalsBefore()...), table.ledger, to)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Tick(t.Context(), now)
	var refused *ledger.FormatError
	if !errors.As(err, &refused) || refused.Found != ledger.Format+1 || len(r.Rules) > 0 || len(to.alerts) > 0 {
		t.Errorf("the tick ran %d rules, sent %d alerts and said %v", len(r.Rules), len(to.alerts), err)
	}
	const says = "its format is 5, and this version of Pushback knows none above 4: deploy the version that wrote it"
	settings := table.settings(azurite.Addr(t))
	for _, args := range [][]string{{"outbox", "list"}, {"outbox", "retry", "some"}, {"outbox", "drop", "--parked"}} {
		if res := command(t, settings, args...); res.code == 0 || !strings.Contains(res.stderr, says) {
			t.Errorf("%q: exit %d, %s", args, res.code, res.stderr)
		}
	}
}
