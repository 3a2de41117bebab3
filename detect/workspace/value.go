package workspace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// parser reads a cell, which it must not keep: it is a piece of a buffer.
type parser func(cell json.RawMessage) (any, error)

// parsers holds, by the name of a column's type, how a cell is read.
var parsers = map[string]parser{
	"bool":     parseBool,
	"datetime": parseDatetime,
	"decimal":  parseText,
	"dynamic":  parseDynamic,
	"guid":     parseText,
	"int":      parseLong,
	"long":     parseLong,
	"real":     parseReal,
	"string":   parseString,
	"timespan": parseTimespan,
}

// literal returns the text of a JSON string or of another JSON value as it is
// written, and whether the cell is not null.
func literal(cell json.RawMessage) (text string, ok bool, err error) {
	switch {
	case len(cell) == 0 || string(cell) == "null":
		return "", false, nil
	case cell[0] == '"' && !bytes.ContainsRune(cell, '\\') && utf8.Valid(cell):
		return string(cell[1 : len(cell)-1]), true, nil
	case cell[0] == '"':
		var room [1024]byte // of which an answer's cells seldom need more
		if plain, err := jsontext.AppendUnquote(room[:0], cell); err == nil {
			return string(plain), true, nil
		}
		err = json.Unmarshal(cell, &text) // which takes text that is not UTF-8
		return text, err == nil, err
	default:
		return string(cell), true, nil
	}
}

// scalar makes a parser out of one for the text of a cell that is not null.
func scalar[T any](kind string, parse func(string) (T, error)) parser {
	return func(cell json.RawMessage) (any, error) {
		text, ok, err := literal(cell)
		if err != nil || !ok || text == "" {
			return nil, err
		}
		v, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%.60q is not a %s", text, kind)
		}
		return v, nil
	}
}

var (
	parseBool     = scalar("bool", strconv.ParseBool) // which also takes the 0 and 1 of older answers
	parseLong     = scalar("whole number", func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	parseReal     = scalar("number", func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }) // which knows NaN and Infinity
	parseText     = scalar("text", func(s string) (string, error) { return s, nil })
	parseTimespan = scalar("timespan", timespan)
	parseDatetime = scalar("datetime", func(s string) (time.Time, error) {
		t, err := time.Parse(time.RFC3339Nano, s)
		return t.UTC(), err
	})
)

func parseString(cell json.RawMessage) (any, error) {
	text, _, err := literal(cell)
	return text, err
}

func parseDynamic(cell json.RawMessage) (any, error) {
	text, ok, err := literal(cell)
	if err != nil || !ok || text == "" {
		return nil, err
	}
	d := newDynamic([]byte(text))
	if string(d.raw) == "null" {
		return nil, nil // dynamic(null) is null
	}
	return d, nil
}

var timespanForm = regexp.MustCompile(`^(-)?(?:(\d{1,8})\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?$`)

// timespan reads [-][d.]hh:mm:ss[.fffffff] into a time.Duration, or into the
// same string if a Duration is too small for it.
func timespan(s string) (any, error) {
	m := timespanForm.FindStringSubmatch(s)
	if m == nil {
		return nil, errors.New("no timespan")
	}
	number := func(digits string) int64 {
		n, _ := strconv.ParseInt(digits, 10, 64) // the expression has left digits, or nothing for 0
		return n
	}
	seconds := ((number(m[2])*24+number(m[3]))*60+number(m[4]))*60 + number(m[5])
	ticks := number((m[6] + "0000000")[:7])
	if seconds >= math.MaxInt64/int64(time.Second) {
		return s, nil
	}
	d := time.Duration(seconds)*time.Second + time.Duration(ticks)*100
	if m[1] != "" {
		d = -d
	}
	return d, nil
}
