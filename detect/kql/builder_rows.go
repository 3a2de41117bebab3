package kql

import (
	byteorder "encoding/binary"
	"math"
	"time"
)

// Cells are those of one column in rows that were taken apart elsewhere: either
// Ints or Texts, an element for each row.
type Cells struct {
	Column int     // its position in the builder
	Ints   []int64 // of a Bool, 0 or 1; of an Int or a Long; of a DateTime its Ticks; NullInt for null
	Texts  []Span  // of a String, or the JSON of a Dynamic; an empty one is that of no cell
}

// NullInt stands for null among Cells.Ints.
const NullInt = math.MinInt64

// Span is where a text begins and ends in another.
type Span struct{ From, To uint32 }

// Append adds some of the rows at once. The spans are places in the text, which is
// copied as far as it is needed.
func (b *TableBuilder) Append(text []byte, cells []Cells, from, to int) {
	for from < to {
		at := b.row()
		n := min(chunkRows-at, to-from)
		for i := range cells {
			c := &cells[i]
			col := b.cols[c.Column]
			col.room(at)
			if c.Ints != nil {
				col.addInts(c.Ints[from : from+n])
			} else {
				col.addTexts(text, c.Texts[from:from+n])
			}
			col.n += n
		}
		b.rows += n
		from += n
		b.filled()
	}
}

// LeaveOut counts rows that pass no filter: see Keep. Of each it gets the time, in
// ticks.
func (b *TableBuilder) LeaveOut(ticks []int64) {
	k := b.keeping
	k.leftOut.rows += len(ticks)
	if k.generated < 0 {
		return
	}
	hour, n := int64(0), 0 // rows come in order of time, mostly
	for _, tick := range ticks {
		k.leftOut.times.min, k.leftOut.times.max = min(k.leftOut.times.min, tick), max(k.leftOut.times.max, tick)
		if h := tick / ticksPerHour; h != hour {
			if n > 0 {
				k.leftOut.hours[hour] += n
			}
			hour, n = h, 0
		}
		n++
	}
	if n > 0 {
		k.leftOut.hours[hour] += n
	}
}

func (c *columnBuilder) addInts(ints []int64) {
	from := len(c.ints)
	c.ints = append(c.ints, ints...)
	for i, n := range ints {
		if n == NullInt && c.nulls == nil {
			c.nulls = make([]bool, from+i, chunkRows)
		}
		if c.nulls != nil {
			c.nulls = append(c.nulls, n == NullInt)
		}
		if n == NullInt {
			c.ints[from+i] = 0
		}
	}
}

func (c *columnBuilder) addTexts(text []byte, spans []Span) {
	if !c.isText() {
		for _, s := range spans {
			val := Value{}
			if s.From != s.To {
				val = parsedJSON(Value{kind: kindJSON, s: string(text[s.From:s.To])})
			}
			c.vals = append(c.vals, val)
		}
		return
	}
	for _, s := range spans {
		c.text.add(text[s.From:s.To])
	}
}

// Ticks gives an instant in units of 100 ns since the year 1, as a DateTime is
// kept, and TickTime the instant of so many.
func Ticks(t time.Time) int64 { return timeToTicks(t) }

// TickTime is the inverse of Ticks.
func TickTime(ticks int64) time.Time { return ticksToTime(ticks) }

// ISOTicks reads a time that is written as logs mostly do: 2026-03-17T09:58:03Z,
// with up to seven digits of a fraction. Of any other it reports false, and says
// nothing of whether it is one.
func ISOTicks(s []byte) (ticks int64, ok bool) {
	const seconds = len("2006-01-02T15:04:05")
	if len(s) <= seconds || len(s) > seconds+len(".0000000Z") || s[len(s)-1] != 'Z' {
		return 0, false
	}
	date, bad1 := dateForm.digits(s[0:8])
	hours, bad2 := hoursForm.digits(s[8:16])
	clock, bad3 := clockForm.digits(s[11:19])
	if bad1|bad2|bad3 != 0 {
		return 0, false
	}
	// Each byte is that of two digits from there on now.
	date, hours, clock = date*10+date>>8, hours*10+hours>>8, clock*10+clock>>8
	year, month, day := int(byte(date))*100+int(byte(date>>16)), int(byte(date>>40)), int(byte(hours))
	hour, minute, second := int(byte(clock)), int(byte(clock>>24)), int(byte(clock>>48))
	if year < 1 || month < 1 || month > 12 || day < 1 || day > 31 || day > 28 && day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	ticks = int64(daysBefore(year, month, day))*ticksPerDay + int64(hour)*ticksPerHour + int64(minute)*ticksPerMinute + int64(second)*ticksPerSecond
	fraction := s[seconds : len(s)-1]
	if len(fraction) == 0 {
		return ticks, true
	}
	if fraction[0] != '.' || len(fraction) == 1 {
		return 0, false
	}
	n := int64(0)
	for _, c := range fraction[1:] {
		if c -= '0'; c > 9 {
			return 0, false
		}
		n = n*10 + int64(c)
	}
	return ticks + n*fractionUnits[len(fraction)-1], true
}

// fractionUnits[n] is how many ticks one unit of the n-th decimal of a second is.
var fractionUnits = [...]int64{ticksPerSecond, 1_000_000, 100_000, 10_000, 1000, 100, 10, 1}

// form is eight characters, of which some are to be digits.
type form struct{ zeros, most uint64 }

var dateForm, hoursForm, clockForm = newForm("0000-00-"), newForm("00T00:00"), newForm("00:00:00")

func newForm(text string) (f form) {
	for i := range 8 {
		most := uint64(0x7f) // more in a byte sets its highest bit
		if text[i] == '0' {
			most -= 9
		}
		f.zeros |= uint64(text[i]) << (8 * i)
		f.most |= most << (8 * i)
	}
	return f
}

// digits gives the digits of eight bytes, each in a byte from the lowest on, and 0 for
// other characters. Bits of bad are set if the text is not in the form.
func (f form) digits(text []byte) (values, bad uint64) {
	values = byteorder.LittleEndian.Uint64(text) ^ f.zeros
	return values, (values&^highs + f.most | values) & highs
}

const highs = 0x8080808080808080

// Filter gives the filter that leaves rows out, or nil.
func (b *TableBuilder) Filter() *RowFilter {
	if b.keeping == nil {
		return nil
	}
	return b.keeping.filter
}
