package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// timerBinding is the name of the timer in function.json.
const timerBinding = "timer"

// invocation is a call of the function by the host.
type invocation struct {
	id      string
	now     time.Time // the tick's; zero if the host did not say
	pastDue bool
	// manual says that somebody asked for it, and not the timer. The host says so
	// only of a run with an input, be it empty.
	manual bool
	// retry is how many times the host tried this invocation before, of
	// maxRetries at most. Its id stays the same.
	retry, maxRetries int
}

// attrs are those of each line of the log about the invocation.
func (inv invocation) attrs() []any {
	attrs := []any{slog.String("invocation", inv.id)}
	if inv.manual {
		attrs = append(attrs, slog.Bool("manual", true))
	}
	if inv.pastDue {
		attrs = append(attrs, slog.Bool("pastDue", true))
	}
	if inv.retry > 0 {
		attrs = append(attrs, slog.Int("retry", inv.retry), slog.Int("maxRetries", inv.maxRetries))
	}
	return attrs
}

// errStopping says that an invocation came too late.
var errStopping = errors.New("the process is stopping and takes no new work")

// errMistake is what the host gets of a panic. What it said is for the log alone.
var errMistake = errors.New("a mistake in the program ended the tick: its stack is in the log, please report it")

// parseInvocation reads the body of an invocation. What it does not say is
// left at zero: a run by hand says less than one by the timer.
func parseInvocation(body []byte) (invocation, error) {
	var inv invocation
	var parts struct{ Data, Metadata json.RawMessage }
	if err := parseObject(body, &parts); err != nil {
		return inv, err
	}
	data, metadata := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	var timer struct{ IsPastDue bool }
	var sys struct{ UTCNow string }
	var retry struct{ RetryCount, MaxRetryCount int }
	if isMissing(parts.Data) {
		return inv, errors.New(`expected an object with "Data" and "Metadata", and there is no "Data"`)
	}
	if err := parseObject(parts.Data, &data); err != nil {
		return inv, fmt.Errorf("in Data: %w", err)
	}
	if err := parseObject(parts.Metadata, &metadata); err != nil {
		return inv, fmt.Errorf("in Metadata: %w", err)
	}
	if err := parseObject(data[timerBinding], &timer); err != nil {
		return inv, fmt.Errorf("in Data.%s: %w", timerBinding, err)
	}
	if err := parseObject(metadata["sys"], &sys); err != nil {
		return inv, fmt.Errorf("in Metadata.sys: %w", err)
	}
	if err := parseObject(metadata["RetryContext"], &retry); err != nil {
		return inv, fmt.Errorf("in Metadata.RetryContext: %w", err)
	}
	var input string
	inv.manual = json.Unmarshal(metadata[timerBinding], &input) == nil && !isMissing(metadata[timerBinding])
	inv.pastDue, inv.retry, inv.maxRetries = timer.IsPastDue, retry.RetryCount, retry.MaxRetryCount
	if sys.UTCNow != "" {
		now, err := parseUTC(sys.UTCNow)
		if err != nil {
			return inv, fmt.Errorf("in Metadata.sys.UtcNow: %w", err)
		}
		inv.now = now
	}
	return inv, nil
}

func isMissing(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// parseObject reads an object, or a string that holds one as JSON: so the host
// sends what it could not turn into an object. Nothing, null and an empty
// string leave the target as it is.
func parseObject(raw json.RawMessage, target any) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		raw = json.RawMessage(text)
	}
	var kind *json.UnmarshalTypeError
	raw = bytes.TrimSpace(raw)
	switch err := json.Unmarshal(raw, target); {
	case isMissing(raw), err == nil && raw[0] == '{':
		return nil
	case errors.As(err, &kind):
		return fmt.Errorf("expected an object in JSON, and this holds a JSON %s in its place", kind.Value)
	case err != nil:
		return fmt.Errorf("expected an object in JSON: %w", err)
	}
	return fmt.Errorf("expected an object in JSON, not %.40q", raw)
}

// parseUTC reads a time as .NET writes it. It has seven decimals, and no zone
// if .NET does not know that the time is in UTC.
func parseUTC(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} { // both take decimals too
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("expected a time in ISO 8601 between 1970 and 2200, not %.40q", text)
}
