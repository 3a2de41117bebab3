package kql

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A builder gives what was set, whatever the order and the form in which the
// segments keep it. The model is a slice of values per column.
func TestTableBuilderKeepsWhatIsSet(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	types := []Type{String, String, Dynamic, Dynamic, Long, Real, DateTime, Bool, TimeSpan, GUID}
	b := NewTableBuilder("T", nil)
	var model [][]Value
	rows := 0
	addColumn := func(typ Type) {
		b.AddColumn(ColumnSchema{fmt.Sprintf("c%d", len(model)), typ})
		col := make([]Value, rows)
		for i := range col {
			col[i] = convert(Value{}, typ)
		}
		model = append(model, col)
	}
	set := func(col int) Value {
		n := r.IntN(10)
		switch typ := b.Schema()[col].Type; typ {
		case String:
			text := fmt.Sprintf("repeated %d", n)
			if col%2 == 1 {
				text = fmt.Sprintf("its own %d", r.Uint64())
			}
			if n == 0 {
				text = ""
			}
			b.SetString(col, []byte(text))
			return stringValue(text)
		case Dynamic:
			if n == 1 && rows > 2*chunkRows {
				b.SetText(col, []byte(`{"set":"as text"}`))
				return parsedJSON(stringValue(`{"set":"as text"}`))
			}
			text := fmt.Sprintf(`{"n":%d}`, n)
			if col%2 == 1 {
				text = fmt.Sprintf(`[%d]`, r.Uint64())
			}
			b.SetJSON(col, []byte(text))
			return parsedJSON(stringValue(text))
		case Long:
			b.SetLong(col, int64(n))
			return longValue(int64(n))
		case Real:
			b.SetReal(col, float64(n)/3)
			return realValue(float64(n) / 3)
		case DateTime:
			if n == 0 {
				b.SetTime(col, time.Time{}.AddDate(20000, 0, 0)) // past what can be
				return Value{}
			}
			at := testNow.Add(time.Duration(rows) * time.Second)
			b.SetTime(col, at)
			return datetimeValue(timeToTicks(at))
		case Bool:
			b.SetBool(col, n > 5)
			return boolValue(n > 5)
		case TimeSpan:
			b.SetTimeSpan(col, time.Duration(n)*time.Microsecond)
			return timespanValue(int64(n) * 10)
		default:
			text := fmt.Sprintf("00000000-0000-0000-0000-%012d", n)
			if b.SetText(col, []byte("no guid")) {
				t.Fatal("a text is taken for a guid")
			}
			b.SetText(col, []byte(text))
			return guidValue(text)
		}
	}
	for _, typ := range types {
		addColumn(typ)
	}
	for rows < 3*chunkRows+100 {
		switch {
		case rows == chunkRows+7 && len(model) == len(types):
			addColumn(String) // null before, and often after
			addColumn(Long)
			addColumn(Dynamic)
		case rows == 2*chunkRows+9 && b.Schema()[4].Type == Long:
			b.Retype(4, String)
			b.Retype(5, Long)
			for i := range rows {
				model[4][i] = convert(model[4][i], String)
				model[5][i] = convert(model[5][i], Long)
			}
		}
		row := make([]Value, len(model))
		for col := range model {
			row[col] = convert(Value{}, b.Schema()[col].Type)
			for range r.IntN(3) { // not at all, once, or once more
				row[col] = set(col)
			}
		}
		if r.IntN(20) == 0 {
			b.Discard()
			continue
		}
		b.Commit()
		for col, v := range row {
			model[col] = append(model[col], v)
		}
		rows++
	}
	check := func(what string, cell func(row, col int) Value) {
		t.Helper()
		for col := range model {
			for row, want := range model[col] {
				if got := cell(row, col); got.kind != want.kind || !equal(got, want) {
					t.Fatalf("%s: column %d, row %d: got %s %s, want %s %s", what, col, row, got.kind, got, want.kind, want)
				}
			}
		}
	}
	check("while building", b.Cell)
	table := b.Build()
	if table.Rows() != rows {
		t.Fatalf("%d rows, want %d", table.Rows(), rows)
	}
	check("built", table.Value)
	var flat []*vector
	for col := range model {
		v := &vector{typ: table.Schema()[col].Type}
		for _, s := range table.segments {
			v.appendVector(s.cols[col])
		}
		flat = append(flat, v)
	}
	check("flat", func(row, col int) Value { return flat[col].value(row) })
	// A gathered row is the row, and a negative one null.
	sel := []int32{chunkRows - 1, 5, -1, 5, 0, -1}
	for col := range model {
		got := table.segments[1].cols[col].gather(sel)
		for to, from := range sel {
			want := convert(Value{}, table.Schema()[col].Type)
			if from >= 0 {
				want = model[col][chunkRows+int(from)]
			}
			if v := got.value(to); v.kind != want.kind || !equal(v, want) {
				t.Fatalf("gathered: column %d, row %d: got %s, want %s", col, from, v, want)
			}
		}
	}
}

// Forms are chosen by what a segment holds.
func TestSegmentsTakeTheLeastForm(t *testing.T) {
	t.Parallel()
	b := NewTableBuilder("T", Schema{{"same", String}, {"few", String}, {"each", String}, {"none", Dynamic}, {"n", Long}})
	for i := range 2 * chunkRows {
		b.SetString(0, []byte("always"))
		b.SetString(1, fmt.Appendf(nil, "%d", i%100))
		b.SetString(2, fmt.Appendf(nil, "%d", i))
		b.SetLong(4, 7)
		b.Commit()
	}
	for i, s := range b.Build().segments {
		forms := ""
		for _, v := range s.cols {
			switch {
			case v.constant:
				forms += " constant"
			case v.codes != nil:
				forms += fmt.Sprintf(" %d", v.distinct())
			default:
				forms += " flat"
			}
		}
		if want := " constant 100 flat constant constant"; forms != want {
			t.Errorf("segment %d:%s, want%s", i, forms, want)
		}
	}
}

// A Dynamic column whose segments turn out to hold what is no JSON text forgets the texts
// of each.
func TestTableBuilderBoxesEachSegment(t *testing.T) {
	t.Parallel()
	const segments = 20
	b := NewTableBuilder("T", Schema{{"d", Dynamic}})
	want := func(i int) string {
		if i%chunkRows == chunkRows-1 {
			return "text"
		}
		return fmt.Sprintf(`{"i":%d}`, i)
	}
	for i := range segments * chunkRows {
		if text := want(i); text == "text" {
			b.SetText(0, []byte(text))
		} else {
			b.SetJSON(0, []byte(text))
		}
		b.Commit()
	}
	table := b.Build()
	for i := range table.Rows() {
		if got := table.Value(i, 0).String(); got != want(i) {
			t.Fatalf("row %d: %s, want %s", i, got, want(i))
		}
	}
}
