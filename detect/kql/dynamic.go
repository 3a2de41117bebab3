package kql

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cockroachdb/apd/v3"
	"github.com/go-json-experiment/json/jsontext"
)

// parseJSON reads one JSON value. It reports false if the text is not exactly
// one. Of a key that is given twice the last value counts, as in the service.
func parseJSON(text string) (Value, bool) {
	if v, ok := scanJSON(text); ok {
		return v, true
	}
	return decodeAnyJSON(text)
}

func decodeAnyJSON(text string) (Value, bool) {
	dec := jsontext.NewDecoder(strings.NewReader(text),
		jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	v, err := decodeJSON(dec)
	if err != nil {
		return Value{}, false
	}
	if _, err := dec.ReadToken(); err == nil {
		return Value{}, false
	} else if dec.InputOffset() < int64(len(strings.TrimRight(text, " \t\r\n"))) {
		return Value{}, false
	}
	return v, true
}

// decodeJSON reads the next value of the decoder. Of a key that is given twice the last
// value counts.
func decodeJSON(dec *jsontext.Decoder) (Value, error) {
	tok, err := dec.ReadToken()
	if err != nil {
		return Value{}, err
	}
	switch tok.Kind() {
	case 't', 'f':
		return boolValue(tok.Bool()), nil
	case '"':
		return stringValue(tok.String()), nil
	case '0':
		return jsonNumber(tok.String()), nil
	case '[':
		items := []Value{}
		for dec.PeekKind() != ']' {
			item, err := decodeJSON(dec)
			if err != nil {
				return Value{}, err
			}
			items = append(items, item)
		}
		_, err := dec.ReadToken()
		return arrayValue(items), err
	case '{':
		b := newBag(4)
		for dec.PeekKind() != '}' {
			key, err := dec.ReadToken()
			if err != nil {
				return Value{}, err
			}
			name := key.String()
			item, err := decodeJSON(dec)
			if err != nil {
				return Value{}, err
			}
			b.set(name, item)
		}
		_, err := dec.ReadToken()
		return bagValue(b), err
	}
	return Value{}, nil // null
}

// jsonNumber is a long when it is written as an integer that fits one, else a
// real.
func jsonNumber(text string) Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return longValue(n)
	}
	f, _ := strconv.ParseFloat(text, 64) // out of range gives an infinity
	return realValue(f)
}

// parsedJSON looks into JSON text. Text that was checked when it was stored
// always parses; anything else would be a string.
func parsedJSON(v Value) Value {
	if p, ok := parseJSON(v.s); ok {
		return p
	}
	return stringValue(v.s)
}

// textOfReal writes a real as tostring() does. It is the shortest text that
// reads back as the same number, with an exponent from 1E+15 and below 0.0001.
func textOfReal(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a != 0 && (a >= 1e15 || a < 1e-4) {
		return strconv.FormatFloat(f, 'E', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// appendText writes the value as tostring() does: scalars bare, arrays and
// bags as JSON.
func (v Value) appendText(sb *strings.Builder) {
	switch v.kind {
	case kindNull:
	case Bool:
		sb.WriteString(strconv.FormatBool(v.n != 0))
	case Int, Long:
		sb.WriteString(strconv.FormatInt(v.n, 10))
	case Real:
		sb.WriteString(textOfReal(v.real()))
	case Decimal:
		sb.WriteString(v.decimal().Text('f'))
	case DateTime:
		sb.WriteString(formatDateTime(v.n))
	case TimeSpan:
		sb.WriteString(formatTimeSpan(v.n))
	case String, GUID:
		sb.WriteString(v.s)
	default:
		v.appendJSON(sb)
	}
}

// appendJSON writes the value as it stands inside a dynamic. It is JSON without
// spaces, and whole reals have a decimal point.
func (v Value) appendJSON(sb *strings.Builder) {
	switch v.kind {
	case kindNull:
		sb.WriteString("null")
	case kindJSON:
		parsedJSON(v).appendJSON(sb)
	case Real:
		f := v.real()
		switch {
		case math.IsNaN(f) || math.IsInf(f, 0):
			sb.WriteString(`"` + textOfReal(f) + `"`)
		case f == math.Trunc(f) && math.Abs(f) < 1e15:
			sb.WriteString(strconv.FormatFloat(f, 'f', 1, 64))
		default:
			sb.WriteString(textOfReal(f))
		}
	case Bool, Int, Long:
		v.appendText(sb)
	case kindArray:
		sb.WriteByte('[')
		for i, item := range v.array() {
			if i > 0 {
				sb.WriteByte(',')
			}
			item.appendJSON(sb)
		}
		sb.WriteByte(']')
	case kindBag:
		b := v.bag()
		sb.WriteByte('{')
		for i, key := range b.keys {
			if i > 0 {
				sb.WriteByte(',')
			}
			appendJSONString(sb, key)
			sb.WriteByte(':')
			b.vals[i].appendJSON(sb)
		}
		sb.WriteByte('}')
	case Decimal:
		appendJSONString(sb, v.decimal().Text('f'))
	default:
		appendJSONString(sb, v.String())
	}
}

const hexDigits = "0123456789abcdef"

// appendJSONString writes a string as JSON. What is not UTF-8 becomes U+FFFD.
func appendJSONString(sb *strings.Builder, s string) {
	sb.WriteByte('"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			sb.WriteString(s[from:i])
			sb.WriteString(`\ufffd`)
			i++
			from = i
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		sb.WriteString(s[from:i])
		switch c {
		case '"', '\\':
			sb.WriteByte('\\')
			sb.WriteByte(c)
		case '\n':
			sb.WriteString(`\n`)
		case '\r':
			sb.WriteString(`\r`)
		case '\t':
			sb.WriteString(`\t`)
		default:
			sb.WriteString(`\u00`)
			sb.WriteByte(hexDigits[c>>4])
			sb.WriteByte(hexDigits[c&15])
		}
		i++
		from = i
	}
	sb.WriteString(s[from:])
	sb.WriteByte('"')
}

// decimalContext is KQL's decimal: 34 digits.
var decimalContext = apd.BaseContext.WithPrecision(34)

func decimalValue(d *apd.Decimal) Value {
	if d.Form != apd.Finite {
		return Value{}
	}
	return Value{kind: Decimal, ref: d}
}

func (v Value) decimal() *apd.Decimal { return v.ref.(*apd.Decimal) }
