package ledger

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// addHistory fills a rule's partition with alerts that were told days before.
func addHistory(tb testing.TB, l *Ledger, rows int) {
	tb.Helper()
	const each = 10_000
	for done := 0; done < rows; done += each {
		then := at(-(10 + done/each) * 24 * 60)
		var alerts []alert.Alert
		for i := range min(each, rows-done) {
			alerts = append(alerts, scaleAlert(fmt.Sprint("old", done+i), then))
		}
		if err := l.Record(context.Background(), "rule", State{First: then, Watermark: then}, alerts, nil); err != nil {
			tb.Fatal(err)
		}
	}
}

func scaleAlert(who string, end time.Time) alert.Alert {
	a := alert.Activity{
		Fingerprint: alert.NewFingerprint("rule", []alert.Field{{Identifier: "Name", Value: who}}),
		Span:        alert.Span{Start: end.Add(-30 * time.Minute), End: end.Add(-20 * time.Minute)},
		Events:      []alert.EventID{alert.NewEventID(who + "1"), alert.NewEventID(who + "2")},
	}
	b := newAlert("rule", a)
	b.RuleName, b.Title, b.Description = "A rule", "Something happened to "+who, "What this means and what to do about it."
	b.Rows = []alert.Row{{{Column: "Name", Value: fmt.Appendf(nil, "%q", who)}, {Column: "Count", Value: []byte("2")}}}
	return b
}

// tellHalf asks about rows of which the first half was told, and records the
// other.
func tellHalf(tb testing.TB, l *Ledger, rows int) {
	tb.Helper()
	var activities []alert.Activity
	for i := range rows {
		activities = append(activities, scaleAlert(fmt.Sprint("new", i), noon).Activities[0])
	}
	news, err := l.Unseen(context.Background(), "rule", activities)
	if err != nil || len(news) != rows-rows/2 {
		tb.Fatalf("%d of %d rows are news, %v", len(news), rows, err)
	}
	var alerts []alert.Alert
	for i := rows / 2; i < rows; i++ {
		alerts = append(alerts, scaleAlert(fmt.Sprint("new", i), noon))
	}
	if err := l.Record(context.Background(), "rule", State{First: noon, Watermark: noon}, alerts, []string{"teams"}); err != nil {
		tb.Fatal(err)
	}
}

func tellFirstHalf(tb testing.TB, l *Ledger, rows int) {
	tb.Helper()
	var alerts []alert.Alert
	for i := range rows / 2 {
		alerts = append(alerts, scaleAlert(fmt.Sprint("new", i), noon))
	}
	if err := l.Record(context.Background(), "rule", State{First: noon, Watermark: noon}, alerts, nil); err != nil {
		tb.Fatal(err)
	}
}

// TestRequests counts the requests of Unseen and Record. Older rows in the
// table cost none.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, older := range []int{0, 5_000} {
		for _, rows := range []int{100, 1_000, 3_000} {
			t.Run(fmt.Sprintf("%d rows over %d older", rows, older), func(t *testing.T) {
				t.Parallel()
				var requests counter
				o := tableOptions(azurite.Addr(t))
				o.ClientOptions.Transport = &requests
				l := open(t, o).Ledger
				addHistory(t, l, older)
				tellFirstHalf(t, l, rows)
				before := requests.n.Load()
				tellHalf(t, l, rows)
				got, want := int(requests.n.Load()-before), rows/2/50+rows/2/1000+20
				t.Logf("%d requests, at most %d", got, want)
				if got > want {
					t.Errorf("%d requests for %d rows, half of them new; want at most %d", got, rows, want)
				}
			})
		}
	}
}

// BenchmarkMemory times Unseen and Record of rows of which half were told, with
// and without older rows.
func BenchmarkMemory(b *testing.B) {
	for _, older := range []int{0, 200_000} {
		for _, rows := range []int{100, 1_000, 10_000} {
			b.Run(fmt.Sprintf("older=%d/rows=%d", older, rows), func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					l := NewMemory().Ledger
					l.selfPurge = false
					addHistory(b, l, older)
					tellFirstHalf(b, l, rows)
					b.StartTimer()
					tellHalf(b, l, rows)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			})
		}
	}
}

var olderRows = flag.Int("older", 20_000, "how many older rows BenchmarkTable has; the emulator takes long to write many")

// BenchmarkTable does the same against the emulator. That looks at every row of
// the table for every query, which the service does not: so the number of
// requests says more than the time.
func BenchmarkTable(b *testing.B) {
	for _, older := range []int{0, *olderRows} {
		b.Run(fmt.Sprintf("older=%d", older), func(b *testing.B) {
			o := tableOptions(azurite.Addr(b))
			o.ClientOptions.Retry.TryTimeout = 2 * time.Minute
			addHistory(b, open(b, o).Ledger, older)
			for _, rows := range []int{100, 1_000, 10_000} {
				b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
					var requests counter
					o.ClientOptions.Transport = &requests
					l := open(b, o).Ledger
					var n int64
					for range b.N {
						b.StopTimer()
						clearLately(b, l)
						tellFirstHalf(b, l, rows)
						before := requests.n.Load()
						b.StartTimer()
						tellHalf(b, l, rows)
						n += requests.n.Load() - before
					}
					b.ReportMetric(float64(n)/float64(b.N), "requests/op")
					b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*rows), "µs/row")
				})
			}
		})
	}
}

// clearLately removes what an earlier run of the benchmark told.
func clearLately(b *testing.B, l *Ledger) {
	b.Helper()
	for _, keys := range [][2]string{
		{seenPrefix + hour(noon.Add(-time.Hour)), prefixEnd(seenPrefix)},
		{outPrefix, prefixEnd(outPrefix)},
	} {
		if _, err := l.removeBetween(context.Background(), partitionOf("rule"), keys[0], keys[1]); err != nil {
			b.Fatal(err)
		}
	}
}
