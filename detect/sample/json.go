package sample

import (
	"strconv"
	"time"
)

// datetime is how the service writes a datetime: seven decimals, UTC.
const datetime = "2006-01-02T15:04:05.0000000Z"

// jsonWriter appends JSON to a buffer that is used again for each record.
// Columns keep the order they are written in, which encoding/json does only
// for structs, and a day is some 20,000 records of 60 columns.
type jsonWriter struct{ buf []byte }

func (w *jsonWriter) reset() { w.buf = w.buf[:0] }

// separate writes a comma unless something was just opened.
func (w *jsonWriter) separate() {
	if n := len(w.buf); n > 0 && w.buf[n-1] != '{' && w.buf[n-1] != '[' {
		w.buf = append(w.buf, ',')
	}
}

// key starts a member of an object. Keys are plain ASCII.
func (w *jsonWriter) key(name string) {
	w.separate()
	w.buf = append(w.buf, '"')
	w.buf = append(w.buf, name...)
	w.buf = append(w.buf, '"', ':')
}

func (w *jsonWriter) open(bracket byte)  { w.buf = append(w.buf, bracket) }
func (w *jsonWriter) close(bracket byte) { w.buf = append(w.buf, bracket) }

// element opens an object that is an element of an array.
func (w *jsonWriter) element() {
	w.separate()
	w.open('{')
}

// text writes a string member, or nothing if the value is empty: an export
// leaves out what a record does not fill.
func (w *jsonWriter) text(name, value string) {
	if value == "" {
		return
	}
	w.key(name)
	w.buf = appendQuoted(w.buf, value)
}

// texts writes a member that is an array of strings.
func (w *jsonWriter) texts(name string, values []string) {
	w.key(name)
	w.open('[')
	for _, v := range values {
		w.separate()
		w.buf = appendQuoted(w.buf, v)
	}
	w.close(']')
}

func (w *jsonWriter) integer(name string, value int64) {
	w.key(name)
	w.buf = strconv.AppendInt(w.buf, value, 10)
}

func (w *jsonWriter) real(name string, value float64) {
	w.key(name)
	w.buf = strconv.AppendFloat(w.buf, value, 'f', -1, 64)
}

func (w *jsonWriter) boolean(name string, value bool) {
	w.key(name)
	w.buf = strconv.AppendBool(w.buf, value)
}

func (w *jsonWriter) instant(name string, t time.Time) {
	w.key(name)
	w.buf = append(w.buf, '"')
	w.buf = t.UTC().AppendFormat(w.buf, datetime)
	w.buf = append(w.buf, '"')
}

// value writes a member that is already JSON.
func (w *jsonWriter) value(name string, json []byte) {
	w.key(name)
	w.buf = append(w.buf, json...)
}

// valueAsText writes JSON as a string member, as the tables do where a
// column with structure has the type string.
func (w *jsonWriter) valueAsText(name string, json []byte) {
	w.key(name)
	w.buf = appendQuoted(w.buf, json)
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string. s must be valid UTF-8.
func appendQuoted[S string | []byte](buf []byte, s S) []byte {
	buf = append(buf, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		buf = append(buf, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			buf = append(buf, '\\', c)
		case '\n':
			buf = append(buf, '\\', 'n')
		default:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
	}
	buf = append(buf, s[start:]...)
	return append(buf, '"')
}
