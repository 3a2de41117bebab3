package parquet

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// write keeps a record within its limit: what goes beyond is dropped, as is the
// record then.
func (f *File) write(text string) {
	if f.fits(len(text)) {
		f.out = append(f.out, text...)
	}
}

// fits says whether so many bytes more are within the limit of a record.
func (f *File) fits(n int) bool {
	f.over = f.over || n > f.most-len(f.out)
	return !f.over
}

// field writes a field of a record, or of a group in it.
func (f *File) field(n *node) {
	first := f.readers[n.first]
	switch _, def := first.peek(); {
	case n.repetition == repeated:
		f.elements(n, func() { f.content(n) })
	case n.repetition == optional && def < n.def:
		f.absent(n)
		f.write("null")
	default:
		f.content(n)
	}
}

// absent passes over a field that is not there.
func (f *File) absent(n *node) {
	for _, l := range f.readers[n.first:n.last] {
		l.peek()
		l.filled = false
	}
}

// elements writes a field that is repeated, as an array.
func (f *File) elements(n *node, element func()) {
	f.write("[")
	f.each(n, func(i int) {
		if i > 0 {
			f.write(",")
		}
		element()
	})
	f.write("]")
}

// each goes through the occurrences of a field that is repeated.
func (f *File) each(n *node, element func(i int)) {
	first := f.readers[n.first]
	if _, def := first.peek(); def < n.def {
		f.absent(n)
		return
	}
	for i := 0; f.err == nil; i++ {
		element(i)
		if rep, _ := first.peek(); rep != n.rep {
			return
		}
	}
}

// content writes a field that is there.
func (f *File) content(n *node) {
	switch {
	case n.isLeaf():
		f.leaf(n)
	case n.meaning == list:
		inner := n.children[0]
		f.elements(inner, func() {
			if inner.wrapped(n.name) {
				f.field(inner.children[0])
			} else {
				f.content(inner)
			}
		})
	case n.meaning == mapping:
		f.write("{")
		f.each(n.children[0], func(i int) {
			if i > 0 {
				f.write(",")
			}
			f.key(n.children[0].children[0])
			f.write(":")
			f.field(n.children[0].children[1])
		})
		f.write("}")
	default:
		f.write("{")
		for i, child := range n.children {
			if i > 0 {
				f.write(",")
			}
			if f.fits(len(child.name)) {
				f.quote([]byte(child.name))
			}
			f.write(":")
			f.field(child)
		}
		f.write("}")
	}
}

// key writes a key of a map, as a string whatever it is.
func (f *File) key(n *node) {
	from := len(f.out)
	f.field(n)
	if len(f.out) > from && f.out[from] != '"' && !f.over {
		key := string(f.out[from:])
		f.out = f.out[:from]
		f.quote([]byte(key))
	}
}

// leaf writes a value.
func (f *File) leaf(n *node) {
	l := f.readers[n.first]
	_, def := l.peek()
	there := l.filled
	l.filled = false
	if !there || def < n.def {
		if !there && f.err == nil {
			l.damaged("it has fewer values than the columns beside it")
		}
		f.write("null")
		return
	}
	c, ok := l.values.next()
	if !ok {
		l.damaged("a page has fewer values than it is said to have")
		return
	}
	if f.fits(len(c.b)) {
		f.value(n, c)
	}
}

// value writes a value as JSON.
func (f *File) value(n *node, c cell) {
	switch n.meaning {
	case decimalNumber:
		f.out = appendDecimal(f.out, n, c)
		return
	case date:
		if n.physical == physInt32 {
			f.time(time.Unix(int64(int32(c.n))*24*60*60, 0), int64(int32(c.n)))
			return
		}
	case timeOfDay:
		if n.physical == physInt32 || n.physical == physInt64 {
			f.timeSpan(signed(n, c), n.unit)
			return
		}
	case timestamp:
		if n.physical == physInt64 {
			perSecond := int64(time.Second) / n.unit
			at := int64(c.n)
			f.time(time.Unix(at/perSecond, at%perSecond*n.unit), at)
			return
		}
	case guid:
		if len(c.b) == 16 {
			h := hex.EncodeToString(c.b)
			f.quote([]byte(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]))
			return
		}
	case half:
		if len(c.b) == 2 {
			f.real(float64(halfFloat(binary.LittleEndian.Uint16(c.b))), 32)
			return
		}
	case jsonText:
		if v := jsontext.Value(c.b); v.IsValid(jsontext.AllowDuplicateNames(true)) {
			f.out = append(f.out, v...)
			return
		}
	}
	switch n.physical {
	case physBool:
		f.out = strconv.AppendBool(f.out, c.n&1 != 0)
	case physInt32, physInt64:
		if n.meaning == unsigned {
			if n.physical == physInt32 {
				c.n = uint64(uint32(c.n))
			}
			f.out = strconv.AppendUint(f.out, c.n, 10)
			return
		}
		f.out = strconv.AppendInt(f.out, signed(n, c), 10)
	case physInt96:
		const julianOf1970 = 2_440_588
		nanos, day := int64(binary.LittleEndian.Uint64(c.b)), int64(binary.LittleEndian.Uint32(c.b[8:]))-julianOf1970
		f.time(time.Unix(day*24*60*60, 0).Add(time.Duration(nanos)), day)
	case physFloat:
		f.real(float64(math.Float32frombits(uint32(c.n))), 32)
	case physDouble:
		f.real(math.Float64frombits(c.n), 64)
	default:
		if !utf8.Valid(c.b) && n.meaning == plain {
			f.quote(base64.StdEncoding.AppendEncode(nil, c.b))
			return
		}
		f.quote(c.b)
	}
}

// signed gives a number with its sign.
func signed(n *node, c cell) int64 {
	if n.physical == physInt32 {
		return int64(int32(c.n))
	}
	return int64(c.n)
}

// quote writes a text. What in it is no UTF-8 is replaced.
func (f *File) quote(text []byte) {
	quoted, err := jsontext.AppendQuote(f.out, text)
	if err != nil {
		quoted, _ = jsontext.AppendQuote(f.out, []byte(strings.ToValidUTF8(string(text), "\ufffd")))
	}
	f.out = quoted
}

// time writes a point in time, to 100 ns. One of no year that can be written stays
// the number that it is.
func (f *File) time(at time.Time, number int64) {
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		f.quote(strconv.AppendInt(nil, number, 10))
		return
	}
	f.out = at.AppendFormat(append(f.out, '"'), "2006-01-02T15:04:05.9999999Z")
	f.out = append(f.out, '"')
}

// timeSpan writes a time of day.
func (f *File) timeSpan(n, unit int64) {
	if n < 0 || n >= int64(24*time.Hour)/unit {
		f.quote(strconv.AppendInt(nil, n, 10))
		return
	}
	f.out = time.Unix(0, n*unit).UTC().AppendFormat(append(f.out, '"'), "15:04:05.9999999")
	f.out = append(f.out, '"')
}

// real writes a number, or the name of what is none.
func (f *File) real(n float64, bits int) {
	switch {
	case math.IsNaN(n):
		f.write(`"NaN"`)
	case math.IsInf(n, 0):
		f.quote(strconv.AppendFloat(nil, n, 'g', -1, bits))
	default:
		f.out = strconv.AppendFloat(f.out, n, 'g', -1, bits)
	}
}

// maxDecimal is how many bytes a decimal may have: 76 digits.
const maxDecimal = 32

// appendDecimal writes a decimal with all its digits.
func appendDecimal(out []byte, n *node, c cell) []byte {
	number := new(big.Int)
	switch n.physical {
	case physInt32, physInt64:
		number.SetInt64(signed(n, c))
	default:
		if len(c.b) > maxDecimal || len(c.b) == 0 {
			return append(out, "null"...)
		}
		number.SetBytes(c.b)
		if c.b[0]&0x80 != 0 {
			number.Sub(number, new(big.Int).Lsh(big.NewInt(1), uint(8*len(c.b))))
		}
	}
	digits := new(big.Int).Abs(number).String()
	if number.Sign() < 0 {
		out = append(out, '-')
	}
	scale := min(max(n.scale, 0), 100)
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	out = append(out, digits[:len(digits)-scale]...)
	if scale > 0 {
		out = append(out, '.')
		out = append(out, digits[len(digits)-scale:]...)
	}
	return out
}

// halfFloat makes a number of 16 bits one of 32.
func halfFloat(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, int(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	case 0:
		f := float32(math.Ldexp(float64(fraction), -24))
		return math.Float32frombits(sign | math.Float32bits(f))
	}
	return math.Float32frombits(sign | uint32(exponent+112)<<23 | fraction<<13)
}
