package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/rule"
)

// usageError is a mistake in the command line.
type usageError struct{ error }

// absentRules is the mistake in a command line that names rules which are not there.
func absentRules(names string) error {
	var lines []string
	for _, item := range rule.Absent(names) {
		_, problems := rule.Choose(item)
		for _, p := range problems {
			lines = append(lines, p.String())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return usageError{errors.New(strings.Join(lines, "\n"))}
}

// isAbsent reports whether nothing has a path.
func isAbsent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument, and got %q: see %s --help", cmd.Name(), args[0], cmd.CommandPath())}
	}
	return nil
}

// flagMoment reads a time given on the command line, or how long ago it was.
func flagMoment(flag, text string, now time.Time) (time.Time, error) {
	const longest = 100 * 366 * 24 * time.Hour
	ago, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 15)
		ago = time.Duration(n) * 24 * time.Hour
	}
	switch {
	case err == nil && (ago < 0 || ago > longest):
		return time.Time{}, usageError{fmt.Errorf("--%s is %q: expected how long ago, such as 36h or 7d", flag, text)}
	case err == nil:
		return now.Add(-ago), nil
	}
	t, err := flagTime(flag, text)
	if err != nil {
		return t, usageError{fmt.Errorf("%w, or how long ago, such as 36h or 7d", err)}
	}
	return t, nil
}

var startsWithYear = regexp.MustCompile(`^\d{4}(-|$)`)

// flagTime reads a time given on the command line; empty is the zero time.
func flagTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, ok := kql.ParseTime(text)
	// The engine takes 04/03/2026 to be 3 April, but whoever types it may mean March.
	if !ok || !startsWithYear.MatchString(text) {
		return time.Time{}, usageError{fmt.Errorf("--%s is %q: expected a date or a time in ISO 8601, such as 2026-03-17 or 2026-03-17T09:00:00Z", flag, text)}
	}
	if t.Year() < 1970 || t.Year() >= 2200 {
		return time.Time{}, usageError{fmt.Errorf("--%s is %q: expected a time between 1970 and 2200", flag, text)}
	}
	return t, nil
}
