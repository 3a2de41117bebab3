package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
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

// checkFile returns the mistake in a command line whose flag names no file: there is
// none, or it is a folder. Wanted is what to give instead.
func checkFile(flag, path, wanted string) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return usageError{fmt.Errorf("--%s %s: there is no such file: give %s", flag, path, wanted)}
	case err == nil && info.IsDir():
		return usageError{fmt.Errorf("--%s %s: this is a folder: give %s", flag, path, wanted)}
	}
	return nil
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no argument, and got %q: see %s --help", cmd.Name(), args[0], cmd.CommandPath())}
	}
	return nil
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
