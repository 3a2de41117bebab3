package kql

import (
	"fmt"
	"testing"
	"time"
)

// Rows that are appended together are those that were set one by one.
func TestAppend(t *testing.T) {
	t.Parallel()
	schema := Schema{{"TimeGenerated", DateTime}, {"n", Long}, {"s", String}, {"d", Dynamic}, {"b", Bool}, {"never", String}}
	const rows = 2*chunkRows + 100
	var text []byte
	put := func(s string) Span {
		from := len(text)
		text = append(text, s...)
		return Span{uint32(from), uint32(len(text))}
	}
	cells := []Cells{{Column: 0}, {Column: 1}, {Column: 2}, {Column: 3}, {Column: 4}}
	one := NewTableBuilder("T", schema)
	for i := range rows {
		at := testNow.Add(time.Duration(i) * time.Second)
		one.SetTime(0, at)
		cells[0].Ints = append(cells[0].Ints, Ticks(at))
		if i%5 == 0 {
			cells[1].Ints = append(cells[1].Ints, NullInt)
		} else {
			one.SetLong(1, int64(i))
			cells[1].Ints = append(cells[1].Ints, int64(i))
		}
		s := fmt.Sprintf("text%d", i*i%5000)
		one.SetString(2, []byte(s))
		cells[2].Texts = append(cells[2].Texts, put(s))
		if i%3 == 0 {
			cells[3].Texts = append(cells[3].Texts, Span{})
		} else {
			one.SetJSON(3, []byte(`{"k":1}`))
			cells[3].Texts = append(cells[3].Texts, put(`{"k":1}`))
		}
		one.SetBool(4, i%2 == 0)
		cells[4].Ints = append(cells[4].Ints, boolValue(i%2 == 0).n)
		one.Commit()
	}
	want := one.Build()
	for _, steps := range []int{1, 37, chunkRows, rows} {
		b := NewTableBuilder("T", schema)
		for from := 0; from < rows; from += steps {
			b.Append(text, cells, from, min(from+steps, rows))
		}
		got := b.Build()
		if got.Rows() != rows {
			t.Fatalf("%d rows, want %d", got.Rows(), rows)
		}
		for row := range rows {
			for col := range schema {
				if g, w := got.Value(row, col).String(), want.Value(row, col).String(); g != w {
					t.Fatalf("%d at once: row %d has %s of %s, want %s", steps, row, g, schema[col].Name, w)
				}
			}
		}
	}
}

// Of rows that are left out, their number and hours are known.
func TestLeaveOut(t *testing.T) {
	t.Parallel()
	schema := Schema{{"TimeGenerated", DateTime}, {"s", String}}
	filter := Catalog{Tables: map[string]Schema{"T": schema}}.RowFilters(`T | where s == "a" | count`)["T"]
	b := NewTableBuilder("T", schema)
	b.Keep(filter)
	if b.Filter() != filter {
		t.Error("the builder has another filter")
	}
	hour := testNow.Truncate(time.Hour)
	b.LeaveOut([]int64{Ticks(hour), Ticks(hour.Add(time.Minute)), Ticks(hour.Add(5 * time.Hour)), Ticks(hour.Add(time.Second))})
	table := b.Build()
	if first, last, ok := table.TimeRange(); table.LeftOut() != 4 || !ok || !first.Equal(hour) || !last.Equal(hour.Add(5*time.Hour)) {
		t.Errorf("%d left out, from %s to %s", table.LeftOut(), first, last)
	}
	if hours := table.RowsPerHour(); len(hours) != 2 || hours[hour.UTC()] != 3 {
		t.Errorf("hours: %v", hours)
	}
}

// What is read at a glance is what is read in full.
func TestISOTicks(t *testing.T) {
	t.Parallel()
	for text, read := range map[string]bool{
		"2026-03-17T09:58:03Z": true, "2026-03-17T09:58:03.1Z": true, "2026-03-17T09:58:03.1234567Z": true, "2024-02-29T00:00:00Z": true,
		"0001-01-01T00:00:00Z": true, "9999-12-31T23:59:59.9999999Z": true,
		"2026-02-29T00:00:00Z": false, "2026-04-31T00:00:00Z": false, "2026-13-01T00:00:00Z": false, "2026-00-01T00:00:00Z": false, "0000-01-01T00:00:00Z": false,
		"2026-03-17T24:00:00Z": false, "2026-03-17T09:60:00Z": false, "2026-03-17T09:58:60Z": false, "2026-03-17T09:58:03": false,
		"2026-03-17T09:58:03.Z": false, "2026-03-17T09:58:03.12345678Z": false, "2026-03-17T09:58:03,1Z": false, "2026-03-17T09:58:03+00:00": false,
		"2026-03-17 09:58:03Z": false, "2026-03-17T09:58:0xZ": false, "2026-03-17": false, "": false, "Z": false,
	} {
		ticks, ok := ISOTicks([]byte(text))
		if ok != read {
			t.Errorf("%q: read at a glance: %t", text, ok)
		}
		if want, valid := parseDateTime(text); ok && (!valid || ticks != want || !TickTime(ticks).Equal(ticksToTime(want))) {
			t.Errorf("%q: %d, want %d", text, ticks, want)
		}
	}
}

func FuzzISOTicks(f *testing.F) {
	f.Add("2026-03-17T09:58:03.1234567Z")
	f.Fuzz(func(t *testing.T, text string) {
		if ticks, ok := ISOTicks([]byte(text)); ok {
			if want, valid := parseDateTime(text); !valid || ticks != want {
				t.Errorf("%q: %d, want %d (%t)", text, ticks, want, valid)
			}
		}
	})
}
