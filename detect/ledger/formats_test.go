package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// rowsOf are the rows of a table as its text has them. Each file of testdata/formats
// is a whole table that the version before the next format wrote into Azurite, or for
// the newest the first version of it: five ticks in which one destination takes all
// and one refuses an alert until it is parked, one more in which a third destination
// takes nothing, and a note. A format without a file fails the tests that read these.
func rowsOf(t *testing.T, format int) (rows []json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "formats", fmt.Sprintf("%d.json", format)))
	if err == nil {
		err = json.Unmarshal(text, &rows)
	}
	if err != nil {
		t.Fatalf("a table of format %d: %v", format, err)
	}
	return rows
}

// contents returns all rows that a store holds, with their ETags.
func contents(t *testing.T, s store) map[string]string {
	t.Helper()
	rows := map[string]string{}
	switch s := s.(type) {
	case *mapStore:
		s.mu.Lock()
		defer s.mu.Unlock()
		for k, r := range s.ranges {
			for key, i := range r.items {
				rows[k.partition+" "+key] = i.etag
			}
		}
	case *tableStore:
		for pager := s.client.NewListEntitiesPager(nil); pager.More(); {
			page, err := pager.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range page.Entities {
				var keys struct{ PartitionKey, RowKey string }
				if err := json.Unmarshal(text, &keys); err != nil {
					t.Fatal(err)
				}
				rows[keys.PartitionKey+" "+keys.RowKey] = string(text)
			}
		}
	default:
		t.Fatalf("rows of a %T", s)
	}
	return rows
}

// waiting is what is still to be sent, in words.
func waiting(t *testing.T, l *Ledger) (list []string) {
	t.Helper()
	owed, err := l.Outbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range owed {
		who, _, _ := strings.Cut(strings.TrimPrefix(o.Alert.Title, "MFA rejected by "), "@")
		text := fmt.Sprintf("%s to %s, counted %d", who, o.Destination, o.Counted)
		if o.Parked {
			text += ", parked"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	return list
}

// This version goes on with what each version that had a format of its own wrote. A
// second start has nothing left to do.
func TestFormats(t *testing.T) {
	t.Parallel()
	const who = shippedRule
	owedThen := []string{"alice to picky, counted 5, parked", "carol to closed, counted 0", "dave to closed, counted 0", "dave to picky, counted 1"}
	watermark := time.Date(2026, 3, 17, 11, 5, 0, 0, time.UTC)
	for format := firstFormat; format <= Format; format++ {
		t.Run(fmt.Sprint("from format ", format), func(t *testing.T) {
			t.Parallel()
			bothStores(t, func(t *testing.T, l *Ledger) {
				ctx := t.Context()
				rows := rowsOf(t, format)
				load(t, l, format, rows)
				c := formerClock()
				start := func() *Ledger {
					t.Helper()
					process := memoryAt(l.store, c)
					if err := process.Begin(ctx); err != nil {
						t.Fatal(err)
					}
					return process
				}
				if got, err := memoryAt(l.store, c).Format(ctx); got != format || err != nil {
					t.Fatalf("Format before the upgrade = %d, %v", got, err)
				}
				if diff := cmp.Diff(owedThen, waiting(t, memoryAt(l.store, c))); diff != "" {
					t.Errorf("owed before the upgrade (-want +got):\n%s", diff)
				}
				written := contents(t, l.store)
				start()
				first := contents(t, l.store)
				if same := maps.Equal(first, written); same != (format == Format) {
					t.Errorf("the first start left everything as it was: %v", same)
				}
				process := start()
				if diff := cmp.Diff(first, contents(t, l.store)); diff != "" {
					t.Errorf("the second start changed something (-first +second):\n%s", diff)
				}
				if got, err := process.Format(ctx); got != Format || err != nil {
					t.Errorf("Format after the upgrade = %d, %v", got, err)
				}
				if s, err := process.State(ctx, who); err != nil || !s.Watermark.Equal(watermark) {
					t.Errorf("State = %+v, %v", s, err)
				}
				if diff := cmp.Diff(owedThen, waiting(t, process)); diff != "" {
					t.Errorf("owed after the upgrade (-want +got):\n%s", diff)
				}
				if text, _, err := process.Note(ctx, who, "desk"); text != `{"case":"42"}` || err != nil {
					t.Errorf("the note of the rule is %q, %v", text, err)
				}
				if text, _, err := process.Note(ctx, OwnID, "addresses"); !strings.Contains(text, "it is closed") || err != nil {
					t.Errorf("what is noted of the addresses is %q, %v", text, err)
				}

				// What was reported is known, and only that.
				var asked []alert.Activity
				var alerts int
				for _, row := range rows {
					i, err := decodeItem(row, false)
					if err != nil {
						t.Fatal(err)
					}
					if r, ok := i.row.(*seenRow); ok {
						asked = append(asked, r.activities...)
						alerts++
					}
				}
				if len(asked) < 4 {
					t.Fatalf("%d activities were recorded", len(asked))
				}
				for i := range asked { // an event has a mark of its group, too
					asked[i].Events = slices.DeleteFunc(slices.Clone(asked[i].Events), func(id alert.EventID) bool { return strings.Contains(string(id), "@") })
				}
				q := Question{RuleID: who, Activities: slices.Clone(asked)}
				if format == firstFormat { // its fingerprints are of other spellings; the span decides
					for i := range q.Activities {
						q.Activities[i].Fingerprint, q.Activities[i].Events = alert.Fingerprint(fmt.Sprint("new ", i)), nil
					}
					q.Former = func(i int) []alert.Fingerprint {
						if i < len(asked) {
							return []alert.Fingerprint{asked[i].Fingerprint}
						}
						return nil
					}
				}
				other := asked[0]
				other.Fingerprint, other.Previously = "of somebody else", nil
				q.Activities = append(q.Activities, other)
				answer, err := process.Unseen(ctx, q)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]alert.Activity{other}, answer.News); diff != "" {
					t.Errorf("news (-want +got):\n%s", diff)
				}
				var kept int
				for k, err := range process.Kept(ctx, who, time.Time{}) {
					if err != nil {
						t.Fatal(err)
					}
					kept++
					if taken := !slices.ContainsFunc(k.Deliveries, func(d Delivery) bool { return d.Destination == "open" && d.Owed() }); !taken {
						t.Errorf("%s is owed to a destination that took it", k.Alert.Title)
					}
				}
				if kept != alerts {
					t.Errorf("%d alerts are kept, want %d", kept, alerts)
				}

				// What waited is taken, once, and what is parked stays so.
				owed, err := process.Outbox(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, o := range owed {
					if o.Parked {
						continue
					}
					whole, claimed, err := process.Claim(ctx, o, c.now(), c.now().Add(time.Minute))
					if err != nil || !claimed || len(whole.Rows) == 0 || len(whole.Activities) == 0 {
						t.Errorf("claiming %s for %s: %v, %v, %d rows", o.Alert.Title, o.Destination, claimed, err, len(whole.Rows))
					}
					if err := process.Sent(ctx, o); err != nil {
						t.Error(err)
					}
				}
				if diff := cmp.Diff(owedThen[:1], waiting(t, start())); diff != "" {
					t.Errorf("owed at the end (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Whatever format above ours a ledger is of, we do nothing with it and say what to do.
func TestNewerFormats(t *testing.T) {
	t.Parallel()
	for _, number := range []int{Format + 1, 10 * Format, math.MaxInt32} {
		t.Run(fmt.Sprint(number), func(t *testing.T) {
			t.Parallel()
			bothStores(t, func(t *testing.T, l *Ledger) {
				load(t, l, Format, rowsOf(t, Format))
				put(t, l, directory, item{key: formatKey, row: &formatRow{number: number}})
				before := contents(t, l.store)
				ctx := t.Context()
				a := newAlert("never ran", activity("f", 0, 10))
				for name, call := range map[string]func(l *Ledger) error{
					"Begin":  func(l *Ledger) error { return l.Begin(ctx) },
					"Format": func(l *Ledger) error { _, err := l.Format(ctx); return err },
					"Outbox": func(l *Ledger) error { _, err := l.Outbox(ctx); return err },
					"Rules":  func(l *Ledger) error { _, err := l.Rules(ctx); return err },
					"Purge":  func(l *Ledger) error { _, err := l.Purge(ctx, at(0)); return err },
					"Lease":  func(l *Ledger) error { _, err := l.Lease(ctx, "never ran", time.Minute); return err },
					"Record": func(l *Ledger) error {
						return l.Record(ctx, Entry{RuleID: "never ran", State: State{Watermark: at(0)}, Alerts: []alert.Alert{a}, Destinations: []string{"teams"}})
					},
				} {
					err := call(newLedger(l.store))
					var refused *FormatError
					if !errors.As(err, &refused) || refused.Found != number {
						t.Errorf("%s: %v", name, err)
						continue
					}
					for _, says := range []string{fmt.Sprintf("its format is %d", number), fmt.Sprintf("knows none above %d", Format),
						"deploy the version that wrote it or a later one", "PUSHBACK_TABLE_NAME"} {
						if !strings.Contains(err.Error(), says) {
							t.Errorf("%s does not say %q: %v", name, says, err)
						}
					}
				}
				if diff := cmp.Diff(before, contents(t, l.store)); diff != "" {
					t.Errorf("it changed something (-before +after):\n%s", diff)
				}
			})
		})
	}
}
