package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pushback/detect/alert"
)

// bothStores runs a test on either store.
func bothStores(t *testing.T, test func(t *testing.T, l *Ledger)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, NewMemory().Ledger)
	})
	t.Run("table", func(t *testing.T) {
		t.Parallel()
		test(t, newTable(t).Ledger)
	})
}

func put(t *testing.T, l *Ledger, partition string, i item) {
	t.Helper()
	c, err := l.store.prepare(partition, change{verb: replace, key: i.key, row: i.row})
	if err == nil {
		_, err = l.store.commit(t.Context(), partition, c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// loadFirstFormat puts the rows into a ledger that the version before formats
// had a number wrote. Its run rows say nothing of a format.
func loadFirstFormat(t *testing.T, l *Ledger) { loadFormat(t, l, firstFormat) }

// loadFormat puts the rows into a ledger that a version of a former format wrote.
func loadFormat(t *testing.T, l *Ledger, format int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("format%d.json", format)))
	if err != nil {
		t.Fatal(err)
	}
	var rows []json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	load(t, l, format, rows)
}

// load puts rows of a format into a ledger, as their text has them.
func load(t *testing.T, l *Ledger, format int, rows []json.RawMessage) {
	t.Helper()
	for _, row := range rows {
		i, err := decodeItem(row, false)
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := i.row.(*fenceRow); ok && f.format != format {
			t.Fatalf("the run row is of format %d", f.format)
		}
		var keys struct{ PartitionKey string }
		if err := json.Unmarshal(row, &keys); err != nil {
			t.Fatal(err)
		}
		if table, ok := l.store.(*tableStore); ok { // as it is: with a checksum it would be of a later format
			if _, err := table.client.AddEntity(t.Context(), row, nil); err != nil {
				t.Fatal(err)
			}
			continue
		}
		put(t, l, keys.PartitionKey, i)
	}
}

const shippedRule = "d99cf5c3-d660-436c-895b-8a8f8448da23"

// A row of the format before has an activity's events by their shorter ids, and
// its identity by the spelling that it had.
func TestFirstFormat(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		loadFirstFormat(t, l)
		day := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
		moment := func(minute int) time.Time { return day.Add(9*time.Hour + time.Duration(minute)*time.Minute) }
		identity := func(address string) []alert.Field {
			return []alert.Field{{Identifier: "UserPrincipalName", Value: "bob@contoso.example"}, {Identifier: "Name", Value: "bob"},
				{Identifier: "UPNSuffix", Value: "contoso.example"}, {Identifier: "UserId", Value: "bob"}, {Identifier: "AADTenantId", Value: "tenant"}, {Identifier: "IPAddress", Value: address}}
		}
		a := alert.Activity{Fingerprint: "new", Span: alert.Between(moment(15), moment(25)), Events: []alert.EventID{alert.NewEventID("b1"), alert.NewEventID("b2")}}
		events := []Event{
			{ID: alert.NewEventID("b1"), Former: []alert.EventID{alert.FormerEventID("c2")}, Time: moment(15)},
			{ID: alert.NewEventID("b2"), Former: []alert.EventID{alert.FormerEventID("c3")}, Time: moment(25)},
		}
		long, short := alert.FormerFingerprint(shippedRule, identity("2600:0:0:0:0:0:0:1")), alert.FormerFingerprint(shippedRule, identity("2600::1"))
		for _, test := range []struct {
			name   string
			former []alert.Fingerprint
			events []Event
			news   bool
		}{
			{"both spellings", []alert.Fingerprint{long, short}, events, false},
			{"one spelling", []alert.Fingerprint{long}, events, true},
			{"neither", nil, events, true},
			{"another event", []alert.Fingerprint{long, short}, append([]Event{{ID: "x", Former: []alert.EventID{alert.FormerEventID("x")}, Time: moment(20)}}, events...), true},
			{"the id of one outside of what was reported", []alert.Fingerprint{long, short}, append([]Event{{ID: "x", Former: []alert.EventID{alert.FormerEventID("c2")}, Time: moment(55)}}, events...), true},
		} {
			answer, err := l.Unseen(t.Context(), Question{RuleID: shippedRule, Activities: []alert.Activity{a}, Events: func(int) []Event { return test.events }, Former: func(int) []alert.Fingerprint { return test.former },
				Window: alert.Between(day.Add(9*time.Hour), day.Add(10*time.Hour)), Now: day.Add(11 * time.Hour)})
			if err != nil {
				t.Fatal(err)
			}
			if news := len(answer.News) > 0; news != test.news {
				t.Errorf("%s: news is %v, want %v", test.name, news, test.news)
			}
		}
		// Without events the span decides.
		a.Events, a.Span = nil, alert.Between(moment(15), moment(15))
		for _, test := range []struct {
			former []alert.Fingerprint
			news   bool
		}{{[]alert.Fingerprint{long, short}, false}, {[]alert.Fingerprint{short}, true}, {nil, true}} {
			answer, err := l.Unseen(t.Context(), Question{RuleID: shippedRule, Activities: []alert.Activity{a}, Former: func(int) []alert.Fingerprint { return test.former }})
			if err != nil {
				t.Fatal(err)
			}
			if news := len(answer.News) > 0; news != test.news {
				t.Errorf("former fingerprints %v: news is %v, want %v", test.former, news, test.news)
			}
		}
		// And suppression counts what was reported then.
		a.Span = alert.Between(moment(50), moment(50))
		answer, err := l.Unseen(t.Context(), Question{RuleID: shippedRule, Activities: []alert.Activity{a}, Former: func(int) []alert.Fingerprint { return []alert.Fingerprint{short} },
			Suppression: 5 * time.Hour, Now: day.Add(11 * time.Hour)})
		if err != nil || len(answer.Suppressed) != 1 {
			t.Errorf("suppressed %v, %v", answer.Suppressed, err)
		}
	})
}

// Events of one group that are close are one, however the ledger came to know them.
func TestGroups(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		event := func(id string, minute float64) Event {
			moment := noon.Add(time.Duration(minute * float64(time.Minute)))
			return Event{ID: alert.NewEventID(id), Group: alert.NewGroupMark("g", moment), Time: moment}
		}
		first := event("a", 0)
		a := activity("f", 0, 0)
		a.Events = []alert.EventID{first.ID, first.Group}
		record(t, l, "rule", State{First: at(0), Watermark: at(60)}, []string{"teams"}, newAlert("rule", a))
		for _, test := range []struct {
			event Event
			news  bool
		}{
			{event("a", 90), false}, {event("b", 0), false}, {event("b", 2), false}, {event("b", -2), false}, {event("b", 2.1), true}, {event("b", -2.1), true},
			{Event{ID: "b", Group: alert.NewGroupMark("h", noon)}, true}, {Event{ID: "b"}, true},
		} {
			b := activity("f", 0, 90)
			b.Events = []alert.EventID{test.event.ID}
			answer, err := l.Unseen(t.Context(), Question{RuleID: "rule", Activities: []alert.Activity{b}, Events: func(int) []Event { return []Event{test.event} }})
			if err != nil {
				t.Fatal(err)
			}
			if news := len(answer.News) > 0; news != test.news {
				t.Errorf("%v: news is %v, want %v", test.event, news, test.news)
			}
		}
	})
}

// The table says that it is of our format before anything of it is written, and
// one of a newer format is left alone.
func TestFormat(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		ctx := t.Context()
		expect := func(want int) {
			t.Helper()
			if got, err := l.Format(ctx); got != want || err != nil {
				t.Errorf("Format = %d, %v, want %d", got, err, want)
			}
		}
		expect(0)
		if err := l.Begin(ctx); err != nil {
			t.Fatal(err)
		}
		loadFirstFormat(t, l)
		l.tick = nil // a process that begins no tick
		expect(firstFormat)
		if s, err := l.State(ctx, shippedRule); err != nil || s.IsZero() {
			t.Fatalf("State = %v, %v", s, err)
		}
		expect(firstFormat) // reading raises nothing
		lease, err := l.Lease(ctx, shippedRule, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		expect(Format)
		if r := l.readOne(ctx, shippedRule); r.err != nil || r.run.format != Format || r.run.unmoved {
			t.Errorf("the shared row is of format %d, %v", r.run.format, r.err)
		}
		if f, _, err := l.readFence(ctx, shippedRule); err != nil || f.format != Format {
			t.Errorf("the fence is of format %d, %v", f.format, err)
		}
		// A rule that nobody ran since is still of the format before.
		if r := l.readOne(ctx, "11111111-1111-4111-8111-111111111111"); r.err != nil || r.run.format != firstFormat || !r.run.unmoved {
			t.Errorf("the run row is of format %d, %v", r.run.format, r.err)
		}

		a := newAlert(shippedRule, activity("f", 0, 10))
		for _, newer := range []struct {
			name string
			row  item
			to   string
		}{
			{"the table", item{key: formatKey, row: &formatRow{number: Format + 1}}, directory},
			{"the rule", item{key: runKeyOf(shippedRule), row: &runRow{ruleID: shippedRule, format: Format + 1}}, directory},
		} {
			put(t, l, newer.to, newer.row)
			calls := map[string]func() error{
				"Lease": func() error { _, err := l.Lease(ctx, shippedRule, time.Minute); return err },
				"Record of a new rule": func() error {
					return l.Record(ctx, Entry{RuleID: "never ran", State: State{Watermark: at(0)}, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}})
				},
			}
			if newer.row.key == formatKey {
				delete(calls, "Lease") // the rule itself is of ours
				calls["Begin"] = func() error { return l.Begin(ctx) }
				calls["Outbox"] = func() error { _, err := l.Outbox(ctx); return err }
				calls["Rules"] = func() error { _, err := l.Rules(ctx); return err }
				calls["OwedOf"] = func() error { _, err := l.OwedOf(ctx, "a", ""); return err }
				calls["Purge"] = func() error { _, err := l.Purge(ctx, at(0)); return err }
				calls["Format"] = func() error { _, err := l.Format(ctx); return err }
				if table, ok := l.store.(*tableStore); ok {
					calls["Check"] = func() error { return (&Table{&Ledger{store: table}}).Check(ctx) }
				}
			} else {
				calls["State"] = func() error { _, err := newLedger(l.store).State(ctx, shippedRule); return err }
				lease.wrote(readRow{run: lease.row().run})
				calls["Renew"] = func() error { return lease.Renew(ctx) }
			}
			if begin := calls["Begin"]; begin != nil {
				_ = begin() // what an earlier one read is of no use any more
			}
			for name, call := range calls {
				err := call()
				var refused *FormatError
				if !errors.As(err, &refused) || refused.Found != Format+1 || !strings.Contains(err.Error(), "deploy the version that wrote it or a later one") {
					t.Errorf("%s, newer by %s: %v", name, newer.name, err)
				}
			}
		}
	})
}

// The rules that Begin read serve the tick that it begins, and those that were
// run since are among them.
func TestBegin(t *testing.T) {
	t.Parallel()
	bothStores(t, func(t *testing.T, l *Ledger) {
		record(t, l, "one", State{First: at(0), Watermark: at(60)}, []string{"teams"}, newAlert("one", activity("a", 0, 10)))
		if err := l.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		record(t, l, "two", State{First: at(0), Watermark: at(60)}, []string{"teams"}, newAlert("two", activity("b", 0, 10)))
		for range 2 {
			if owed, err := l.Outbox(t.Context()); err != nil || len(owed) != 2 {
				t.Errorf("%d alerts are owed, %v", len(owed), err)
			}
		}
	})
}
