package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/data/aztables"
	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// reads are what is asked of a ledger, each with its answer as text.
type read struct {
	name string
	// whole says that an answer which lacks entities is known to.
	whole bool
	ask   func(ctx context.Context, l *Ledger) (any, error)
}

var sumActivities = []alert.Activity{activity("a", 0, 10), activity("b", 0, 10), activity("c", 0, 10), activity("d", 0, 10)}

var reads = []read{
	{"State", true, func(ctx context.Context, l *Ledger) (any, error) {
		return newLedger(l.store).State(ctx, "rule") // as one that has no lease
	}},
	{"Ask", true, func(ctx context.Context, l *Ledger) (any, error) {
		return l.Unseen(ctx, Question{RuleID: "rule", Activities: sumActivities, Now: at(65)})
	}},
	{"Note", true, func(ctx context.Context, l *Ledger) (any, error) {
		text, _, err := l.Note(ctx, "rule", "n")
		return text, err
	}},
	{"Format", false, func(ctx context.Context, l *Ledger) (any, error) { return l.Format(ctx) }},
	{"Pending", false, func(ctx context.Context, l *Ledger) (any, error) { return owedTo(ctx, l, "teams") }},
	{"Outbox", false, func(ctx context.Context, l *Ledger) (any, error) { return l.Outbox(ctx) }},
	{"Recent", false, func(ctx context.Context, l *Ledger) (any, error) {
		recent, left, err := l.Recent(ctx, "rule", at(-60))
		return []any{recent, left}, err
	}},
	{"Tally", false, func(ctx context.Context, l *Ledger) (any, error) { return l.Tally(ctx, []string{"rule"}, at(-60)) }},
}

// manyEvents are more than one seen row has room for.
func manyEvents(n int) []alert.EventID {
	var events []alert.EventID
	for i := range n {
		events = append(events, alert.EventID(fmt.Sprintf("%032d", i)))
	}
	return events
}

// fillForReads records rows of every kind: an alert of several parts among them.
func fillForReads(t *testing.T, l *Ledger) {
	t.Helper()
	lease, err := l.Lease(t.Context(), "rule", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	long := activity("b", 0, 10)
	long.Events = manyEvents(2*maxPartEvents + 10)
	record(t, l, "rule", State{First: at(0), Watermark: at(60), Pending: []time.Time{at(30)}, Failures: 1}, []string{"teams"},
		newAlert("rule", activity("a", 0, 10)), newAlert("rule", long))
	record(t, l, "rule", State{First: at(0), Watermark: at(61), LastSuccess: at(61)}, []string{"teams"}, newAlert("rule", activity("c", 0, 10)))
	if _, ok, err := l.SetNote(t.Context(), "rule", "n", "a note", ""); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := lease.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// damages returns what can become of an answer that can still be read: each
// property of each entity is another or missing, entities are missing, doubled or
// exchanged. cut is what only lacks entities.
func damages(t *testing.T, body []byte) (changed, cut map[string][]byte) {
	t.Helper()
	changed, cut = map[string][]byte{}, map[string][]byte{}
	parse := func() (whole map[string]any, entities []map[string]any, list bool) {
		if err := json.Unmarshal(body, &whole); err != nil {
			t.Fatal(err)
		}
		values, list := whole["value"].([]any)
		if !list {
			return whole, []map[string]any{whole}, false
		}
		for _, v := range values {
			entities = append(entities, v.(map[string]any))
		}
		return whole, entities, true
	}
	text := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	_, entities, list := parse()
	for i, e := range entities {
		for _, name := range slices.Sorted(maps.Keys(e)) {
			if strings.Contains(name, "odata.") || name == "Timestamp" {
				continue
			}
			whole, others, _ := parse()
			switch v := others[i][name].(type) {
			case string:
				if v == "" {
					continue
				}
				b := []byte(v)
				b[len(b)/2] ^= 1
				others[i][name] = string(b)
			case float64:
				others[i][name] = v + 1
			case bool:
				others[i][name] = !v
			}
			changed[fmt.Sprintf("entity %d has another %s", i, name)] = text(whole)
			whole, others, _ = parse()
			delete(others[i], name)
			changed[fmt.Sprintf("entity %d lacks %s", i, name)] = text(whole)
		}
	}
	changed["nothing"] = []byte("{}")
	if !list {
		return changed, cut
	}
	withEntities := func(v []map[string]any) []byte {
		whole, _, _ := parse()
		whole["value"] = v
		return text(whole)
	}
	for i := range entities {
		cut[fmt.Sprintf("entity %d is missing", i)] = withEntities(slices.Delete(slices.Clone(entities), i, i+1))
		changed[fmt.Sprintf("entity %d is there twice", i)] = withEntities(slices.Insert(slices.Clone(entities), i, entities[i]))
		if i > 0 {
			exchanged := slices.Clone(entities)
			exchanged[i-1], exchanged[i] = exchanged[i], exchanged[i-1]
			changed[fmt.Sprintf("entities %d and %d are exchanged", i-1, i)] = withEntities(exchanged)
		}
		cut[fmt.Sprintf("the first %d entities alone", i)] = withEntities(entities[:i])
	}
	return changed, cut
}

// TestDamagedAnswers gives every read every answer that was damaged on its way:
// it is known to be, or the answer is the same.
func TestDamagedAnswers(t *testing.T) {
	t.Parallel()
	p := azurite.NewProxy(t, nil)
	l := open(t, faulty(t, p, &testClock{t: noon})).Ledger
	fillForReads(t, l)
	for _, r := range reads {
		want, err := r.ask(t.Context(), l)
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		// Every answer of the read in turn, the others as they are.
		tried, found := 0, 0
		for nth := 0; ; nth++ {
			var answer []byte
			n := 0
			p.Set(func(*http.Request) *azurite.Fault {
				if n++; n == nth+1 {
					return &azurite.Fault{Name: "seen", Damage: func(body []byte) []byte { answer = body; return body }}
				}
				return nil
			})
			if _, err := r.ask(t.Context(), l); err != nil {
				t.Fatal(err)
			}
			if answer == nil {
				break
			}
			if strings.Contains(string(answer), "odata.error") {
				continue // that there is no such row
			}
			changed, cut := damages(t, answer)
			if r.whole {
				maps.Copy(changed, cut)
			}
			for _, name := range slices.Sorted(maps.Keys(changed)) {
				n := 0
				p.Set(func(*http.Request) *azurite.Fault {
					if n++; n == nth+1 {
						return &azurite.Fault{Name: "damaged", Damage: func([]byte) []byte { return changed[name] }}
					}
					return nil
				})
				tried++
				if got, err := r.ask(t.Context(), l); err != nil {
					found++
				} else if diff := cmp.Diff(want, got, cmp.AllowUnexported(Owed{})); diff != "" {
					t.Errorf("%s, answer %d: %s: taken for\n%s", r.name, nth, name, diff)
				}
			}
		}
		p.Set(nil)
		t.Logf("%s: %d of %d damages are found, the others do no harm", r.name, found, tried)
		if found == 0 {
			t.Errorf("%s: no damage is found", r.name)
		}
	}
}

// TestRowsWithoutSums reads rows of every kind as the version before wrote them:
// without checksums and tally.
func TestRowsWithoutSums(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	l := table.Ledger
	fillForReads(t, l)
	want := map[string]any{}
	for _, r := range reads {
		var err error
		if want[r.name], err = r.ask(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	client := l.store.(*tableStore).client
	rows := 0
	for pager := client.NewListEntitiesPager(nil); pager.More(); {
		page, err := pager.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range page.Entities {
			var e map[string]any
			if err := json.Unmarshal(text, &e); err != nil {
				t.Fatal(err)
			}
			if e[sumAll] == nil || e[sumBrief] == nil {
				t.Errorf("row %v has no checksum", e["RowKey"])
			}
			for name := range e {
				if name == sumAll || name == sumBrief || name == "Tally" || strings.HasPrefix(name, "odata.") || strings.HasPrefix(name, "Timestamp") {
					delete(e, name)
				}
			}
			old, err := json.Marshal(e)
			if err == nil {
				_, err = client.UpdateEntity(t.Context(), old, &aztables.UpdateEntityOptions{UpdateMode: aztables.UpdateModeReplace, IfMatch: to.Ptr(azcore.ETagAny)})
			}
			if err != nil {
				t.Fatal(err)
			}
			rows++
		}
	}
	if rows < 10 {
		t.Errorf("%d rows", rows)
	}
	for _, r := range reads {
		got, err := r.ask(t.Context(), l)
		if err != nil {
			t.Errorf("%s: %v", r.name, err)
		} else if diff := cmp.Diff(want[r.name], got); diff != "" {
			t.Errorf("%s (-with +without):\n%s", r.name, diff)
		}
	}
	// They go on from there.
	lease := l.leaseOf("rule")
	lease.wrote(readRow{run: lease.row().run})
	record(t, l, "rule", State{First: at(0), Watermark: at(62)}, []string{"teams"}, newAlert("rule", activity("d", 0, 10)))
	if run := lease.row().run; len(run.tally) != 1 {
		t.Errorf("tally %v", run.tally)
	}
}

// TestTally counts what is recorded, and no more than that where answers get
// lost: else a ledger would be taken for one that lacks rows.
func TestTally(t *testing.T) {
	t.Parallel()
	p := azurite.NewProxy(t, nil)
	for _, f := range azurite.Faults() {
		for nth := range 6 {
			l := open(t, faulty(t, p, &testClock{t: noon})).Ledger
			if _, err := l.Lease(t.Context(), "rule", time.Hour); err != nil {
				t.Fatal(err)
			}
			var alerts []alert.Alert
			var activities []alert.Activity
			for i := range 70 { // two transactions
				a := activity(fmt.Sprint(i), 0, 10)
				activities, alerts = append(activities, a), append(alerts, newAlert("rule", a))
			}
			n := 0
			p.Set(func(*http.Request) *azurite.Fault {
				if n++; n == nth+1 {
					return &f
				}
				return nil
			})
			for i := range 3 {
				err := l.Record(t.Context(), Entry{RuleID: "rule", State: State{First: at(0), Watermark: at(60 + i)}, Alerts: alerts, Destinations: []string{"teams"}})
				if err == nil && i > 0 {
					break
				}
			}
			p.Set(nil)
			answer, err := l.Unseen(t.Context(), Question{RuleID: "rule", Activities: activities, Now: at(65)})
			if err != nil || len(answer.News) > 0 {
				t.Errorf("%s at request %d: %d are news, %v", f.Name, nth, len(answer.News), err)
			}
		}
	}
}

// TestRemovedRows expects a rule whose seen rows somebody removed to fail, for as
// long as they matter.
func TestRemovedRows(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		fillForReads(t, l)
		ask := func(now time.Time) error {
			_, err := l.Unseen(t.Context(), Question{RuleID: "rule", Activities: sumActivities, Now: now})
			return err
		}
		if err := ask(at(65)); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for i, err := range l.store.list(t.Context(), partitionOf("rule"), seenPrefix, prefixEnd(seenPrefix), false) {
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, i.key)
		}
		c, err := l.store.prepare(partitionOf("rule"), change{verb: remove, key: parts[0]})
		if err == nil {
			_, err = l.store.commit(t.Context(), partitionOf("rule"), c)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := ask(at(65)); err == nil || !strings.Contains(err.Error(), "at least 3 were recorded") {
			t.Errorf("a row is missing: %v", err)
		}
		if err := ask(at(65).Add(24 * time.Hour)); err != nil {
			t.Errorf("a day later: %v", err)
		}
	})
}
