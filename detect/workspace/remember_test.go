package workspace

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRemembering(t *testing.T) {
	t.Parallel()
	parsed := 0
	parse := remembering(func(cell json.RawMessage) (any, error) {
		parsed++
		if string(cell) == "bad" {
			return nil, errors.New("bad")
		}
		return string(cell), nil
	}, new(int64))
	long := strings.Repeat("x", longestRemembered+1)
	buffer := []byte("first")
	for _, cell := range []json.RawMessage{buffer, json.RawMessage("null"), json.RawMessage("null"), json.RawMessage(long), json.RawMessage(long)} {
		if v, err := parse(cell); err != nil || v != string(cell) {
			t.Errorf("%.20s: %v, %v", cell, v, err)
		}
	}
	copy(buffer, "other") // a cell is a piece of a buffer
	for _, text := range []string{"first", "other"} {
		if v, err := parse(json.RawMessage(text)); err != nil || v != text {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
	if parsed != 5 {
		t.Errorf("parsed %d times", parsed)
	}
	for range 2 {
		if _, err := parse(json.RawMessage("bad")); err == nil {
			t.Error("an error was forgotten")
		}
	}
	for i := range 2 * mostRemembered {
		text := fmt.Sprint(i)
		if v, err := parse(json.RawMessage(text)); err != nil || v != text {
			t.Errorf("%s: %v, %v", text, v, err)
		}
	}
}
