package ledger

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger/azurite"
)

// addHistory fills a rule's partition with alerts that were reported in the hours
// before the window of newWindow, oldest first. A tenth of them is kept for the
// audit too.
func addHistory(tb testing.TB, l *Ledger, rows int) {
	tb.Helper()
	const each = 400 // in an hour
	for left := rows; left > 0; left -= each {
		then := at(-60 * (1 + (left+each-1)/each))
		var alerts []alert.Alert
		for i := range min(each, left) {
			alerts = append(alerts, scaleAlert(fmt.Sprint("old", left-i), then))
		}
		kept := len(alerts) / 10
		e := Entry{RuleID: "rule", State: State{First: then, Watermark: then}, Alerts: alerts[kept:], HeldBack: alerts[:kept]}
		if err := l.Record(context.Background(), e); err != nil {
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

// window is what a rule found, of which the first half was reported.
type window struct {
	activities []alert.Activity
	news       []alert.Alert // the other half
}

// newWindow returns a window of a number of rows. It replaces the one before.
func newWindow(tb testing.TB, l *Ledger, rows int) window {
	tb.Helper()
	for _, keys := range [][2]string{
		{seenPrefix + hour(noon.Add(-time.Hour)), prefixEnd(seenPrefix)},
		{outPrefix, prefixEnd(outPrefix)},
	} {
		if _, err := l.removeBetween(context.Background(), partitionOf("rule"), keys[0], keys[1]); err != nil {
			tb.Fatal(err)
		}
	}
	var w window
	var sent []alert.Alert
	for i := range rows {
		a := scaleAlert(fmt.Sprint("new", i), noon)
		w.activities = append(w.activities, a.Activities[0])
		if i < rows/2 {
			sent = append(sent, a)
		} else {
			w.news = append(w.news, a)
		}
	}
	if err := l.Record(context.Background(), Entry{RuleID: "rule", State: State{First: noon, Watermark: noon}, Alerts: sent}); err != nil {
		tb.Fatal(err)
	}
	return w
}

// ask finds out which of the rows are news, and records them.
func (w window) ask(tb testing.TB, l *Ledger) {
	tb.Helper()
	news, err := unseen(context.Background(), l, "rule", w.activities)
	if err != nil || len(news) != len(w.news) {
		tb.Fatalf("%d of %d rows are news, want %d; %v", len(news), len(w.activities), len(w.news), err)
	}
	if err := l.Record(context.Background(), Entry{RuleID: "rule", State: State{First: noon, Watermark: noon}, Alerts: w.news, Destinations: []string{"teams"}}); err != nil {
		tb.Fatal(err)
	}
}

// withHistory starts an emulator with a table in which a rule has older rows,
// and returns the options for it.
func withHistory(tb testing.TB, rows int) Options {
	tb.Helper()
	dir := tb.TempDir()
	addr, stop := azurite.On(tb, dir)
	o := makeTable(tb, scaleOptions(addr, "history"), addr)
	// The table, and the rule.
	if err := open(tb, o).Record(context.Background(), Entry{RuleID: "rule", State: State{First: noon, Watermark: noon}}); err != nil {
		tb.Fatal(err)
	}
	stop()
	var d draft
	drafting := newLedger(&d)
	drafting.clock, drafting.sentFor = time.Now, DefaultSentRetention
	addHistory(tb, drafting, rows)
	azurite.Fill(tb, dir, o.Table, d.rows)
	addr, _ = azurite.On(tb, dir)
	o = scaleOptions(addr, o.Table)
	if rows == 0 {
		return o
	}
	last := scaleAlert("old1", at(-120)).Activities
	if news, err := unseen(context.Background(), open(tb, o).Ledger, "rule", last); err != nil || len(news) > 0 {
		tb.Fatalf("the ledger does not know its history: %d rows of it are news; %v", len(news), err)
	}
	return o
}

// scaleOptions is tableOptions for tests that measure: an emulator that is slow
// is waited for, so that no request is tried again.
func scaleOptions(addr, table string) Options {
	o := tableOptions(addr)
	o.Table = table
	o.ClientOptions.Retry.TryTimeout = 2 * time.Minute
	return o
}

// draft is a store that only notes the rows that a ledger adds.
type draft struct {
	tableStore
	rows []azurite.Entity
}

func (*draft) get(context.Context, string, string) (item, error) { return item{}, errMissing }

func (d *draft) commit(_ context.Context, partition string, changes ...change) ([]string, error) {
	for _, c := range changes {
		if partition != directory && c.key != fenceKey {
			d.rows = append(d.rows, azurite.Entity{PartitionKey: partition, RowKey: c.key, Properties: c.wire})
		}
	}
	etags := make([]string, len(changes))
	for i := range etags {
		etags[i] = "drafted"
	}
	return etags, nil
}

// traffic is what went between a client and the service.
type traffic struct {
	requests        int // each try on its own
	entities, bytes int // of the answers
}

// meter is a transport that measures. A ledger makes one request at a time.
type meter struct {
	traffic
	waited time.Duration
}

func (m *meter) Do(r *http.Request) (*http.Response, error) {
	start := time.Now()
	defer func() { m.waited += time.Since(start) }()
	m.requests++
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	m.entities += bytes.Count(text, []byte(`"RowKey":`))
	m.bytes += len(text)
	answer.Body = io.NopCloser(bytes.NewReader(text))
	return answer, nil
}

// TestRequests counts the requests of Unseen and Record. Older rows in the
// table cost none, and none of them is read.
func TestRequests(t *testing.T) {
	t.Parallel()
	history := withHistory(t, olderRows)
	for i, rows := range scaleRows {
		t.Run(fmt.Sprintf("%d rows", rows), func(t *testing.T) {
			fresh := history
			// As long a name as the other's, since answers contain it.
			fresh.Table = fmt.Sprintf("fresh%02d", i)
			if made, err := open(t, fresh).Make(t.Context()); err != nil || !made {
				t.Fatal(made, err)
			}
			measure := func(o Options) traffic {
				t.Helper()
				var m meter
				o.ClientOptions.Transport = &m
				l := open(t, o).Ledger
				w := newWindow(t, l, rows)
				m = meter{}
				w.ask(t, l)
				return m.traffic
			}
			got, want := measure(history), measure(fresh)
			t.Logf("%+v", got)
			// Times are a digit longer or shorter, and a row takes hundreds.
			const slack = 64
			if got.requests != want.requests || got.entities != want.entities || max(got.bytes-want.bytes, want.bytes-got.bytes) > slack {
				t.Errorf("%+v over %d older rows, want %+v as over none", got, olderRows, want)
			}
			if most := rows/2/50 + rows/2/1000 + 20; got.requests > most {
				t.Errorf("%d requests for %d rows, half of them new; want at most %d", got.requests, rows, most)
			}
			if got.entities != rows/2+2 {
				t.Errorf("%d entities were read, want the half that was reported, the rule's row and its fence", got.entities)
			}
		})
	}
}

// BenchmarkMemory times Unseen and Record of rows of which half were reported, with
// and without older rows. These give the garbage collector more to go through:
// with GOGC=off they cost nothing.
func BenchmarkMemory(b *testing.B) {
	for _, older := range []int{0, olderRows} {
		b.Run(fmt.Sprintf("older=%d", older), func(b *testing.B) {
			l := NewMemory().Ledger
			l.selfPurge = false
			addHistory(b, l, older)
			for _, rows := range scaleRows {
				b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
					for range b.N {
						b.StopTimer()
						w := newWindow(b, l, rows)
						b.StartTimer()
						w.ask(b, l)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
				})
			}
		})
	}
}

// BenchmarkTable does the same against the emulator, and measures the time that
// the ledger waited for it apart from its own. What it waits for grows with the
// table, since for a query the emulator looks at every row, and for each row
// that it inserts moves those of an index. The service has one index by key.
func BenchmarkTable(b *testing.B) {
	for _, older := range []int{0, olderRows} {
		b.Run(fmt.Sprintf("older=%d", older), func(b *testing.B) {
			var m meter
			o := withHistory(b, older)
			o.ClientOptions.Transport = &m
			l := open(b, o).Ledger
			for _, rows := range scaleRows {
				b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
					requests, waited := 0, time.Duration(0)
					for range b.N {
						b.StopTimer()
						w := newWindow(b, l, rows)
						m = meter{}
						b.StartTimer()
						w.ask(b, l)
						requests += m.requests
						waited += m.waited
					}
					perRow := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N*rows) }
					b.ReportMetric(float64(requests)/float64(b.N), "requests/op")
					b.ReportMetric(perRow(b.Elapsed()-waited), "own-µs/row")
					b.ReportMetric(perRow(waited), "service-µs/row")
				})
			}
		})
	}
}
