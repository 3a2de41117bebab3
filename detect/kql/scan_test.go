package kql

import (
	"fmt"
	"testing"
	"time"
)

// timed makes a table of some segments of an hour each, with what a window and a
// comparison of times can stumble over: rows without a time, and late ones.
func timed(received, nulls bool) *Table {
	schema := Schema{{"TimeGenerated", DateTime}, {"n", Long}}
	if received {
		schema = append(schema, ColumnSchema{receivedColumn, DateTime})
	}
	b := NewTableBuilder("T", schema)
	start := time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)
	const rows = 3*chunkRows + 100
	for i := range rows {
		at := start.Add(time.Duration(i) * time.Hour / chunkRows)
		if !nulls || i%1000 != 7 || i/chunkRows == 1 {
			b.SetTime(0, at)
		}
		b.SetLong(1, int64(i))
		if received && (!nulls || i%1000 != 8 || i/chunkRows == 2) {
			b.SetTime(2, at.Add(time.Duration(i%90)*time.Minute))
		}
		b.Commit()
	}
	return b.Build()
}

// TestRangesOfSegments expects the same rows of a table whose segments know their times
// as of one whose segments do not.
func TestRangesOfSegments(t *testing.T) {
	t.Parallel()
	at := func(hours float64) time.Time {
		return time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC).Add(time.Duration(hours * float64(time.Hour)))
	}
	conditions := []string{"true", "isnull(TimeGenerated)"}
	for _, op := range []string{"<", "<=", ">", ">=", "==", "!="} {
		for _, hour := range []string{"00:00", "01:00", "01:30", "02:00", "03:00", "09:00"} {
			conditions = append(conditions, fmt.Sprintf("TimeGenerated %s datetime(2026-03-17 %s)", op, hour), fmt.Sprintf("not(datetime(2026-03-17 %s) %s TimeGenerated) or n %% 7 == 0", hour, op))
		}
	}
	scopes := []Scope{{}, {From: at(1), To: at(2)}, {From: at(0.5), ReceivedBy: at(2)}, {To: at(3), ReceivedBy: at(1.2)}, {ReceivedBy: at(0)}, {ReceivedBy: at(9)}}
	for _, received := range []bool{false, true} {
		for _, nulls := range []bool{false, true} {
			table := timed(received, nulls)
			if s := table.segments[1]; s.cols[0].within == nil || s.times.min != timeToTicks(at(1)) {
				t.Fatal("a segment does not know its times")
			}
			blind := apart(table)
			for i := range blind.segments {
				s := &blind.segments[i]
				for _, c := range s.cols {
					c.within = nil
				}
				s.times = timeRange{min: 0, max: maxTicks, hasNull: true}
				s.received = s.times
			}
			for _, scope := range scopes {
				for _, c := range conditions {
					q := "T | where " + c + " | extend late = TimeGenerated > datetime(2026-03-17 01:10) | summarize count(), sum(n), countif(late)"
					var got [2]string
					for i, of := range []*Table{table, blind} {
						out, err := Run(t.Context(), q, NewDatabase(of), Options{Scope: scope, Workers: 1})
						if err != nil {
							t.Fatal(err)
						}
						got[i] = fmt.Sprint(out.Value(0, 0), " ", out.Value(0, 1), " ", out.Value(0, 2))
					}
					if got[0] != got[1] {
						t.Errorf("%s, scope %+v, received %t, nulls %t: %s, row by row %s", c, scope, received, nulls, got[0], got[1])
					}
				}
			}
		}
	}
}

// A vector that is changed does not say any more where its elements are.
func TestRangeOfChangedVector(t *testing.T) {
	t.Parallel()
	of := timed(false, false).segments[0].cols[0]
	changes := map[string]func() *vector{
		"a missing row": func() *vector { return of.gather([]int32{1, -1, 2}) },
		"a row set":     func() *vector { v := of.gather([]int32{1, 2}); v.set(0, datetimeValue(maxTicks)); return v },
		"rows appended": func() *vector { v := of.gather([]int32{1, 2}); v.appendVector(of); return v },
		"one appended":  func() *vector { v := of.gather([]int32{1, 2}); v.appendValue(Value{}); return v },
	}
	for what, change := range changes {
		if change().within != nil {
			t.Errorf("%s: the range is kept", what)
		}
	}
	if of.gather([]int32{1, 2}).within == nil || of.slice(0, 9).within == nil {
		t.Error("some of the rows are outside of the range")
	}
}
