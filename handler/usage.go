package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/detect/suggest"
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
	return checkPlace("--"+flag+" "+path, path, wanted)
}

// checkPath is checkFile for an argument.
func checkPath(path, wanted string) error { return checkPlace(path, path, wanted) }

func checkPlace(given, path, wanted string) error {
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return usageError{fmt.Errorf("%s: there is no such file: give %s", given, wanted)}
	case err == nil && info.IsDir():
		return usageError{fmt.Errorf("%s: this is a folder: give %s", given, wanted)}
	}
	return nil
}

func noArguments(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) > 0 && cmd.HasAvailableSubCommands():
		return unknownCommand(cmd, args)
	case len(args) > 0:
		return usageError{fmt.Errorf("%s takes no argument, and got %q: %s", cmd.Name(), args[0], seeHelp(cmd))}
	}
	return nil
}

// unknownCommand is the mistake of a command that is not one of a command's.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usageError{fmt.Errorf("unknown command: %s", seeHelp(cmd))}
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() || c.Name() == "help" {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	meant := suggest.Nearest(args[0], names)
	if meant == "" { // the beginning of one is no typo
		for _, name := range names {
			if len(args[0]) > 1 && strings.HasPrefix(name, strings.ToLower(args[0])) {
				meant = name
				break
			}
		}
	}
	if meant != "" {
		return usageError{fmt.Errorf("unknown command %q: did you mean %q? %s", args[0], meant, "See "+shownCommand(cmd)+" --help")}
	}
	return usageError{fmt.Errorf("unknown command %q: %s", args[0], seeHelp(cmd))}
}

// flagError says in our own words what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var without *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	var syntax *pflag.InvalidSyntaxError
	switch {
	case errors.As(err, &unknown):
		name, said := unknown.GetSpecifiedName(), "unknown flag: --"+unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			name, said = short, "unknown flag: -"+short
		}
		if meant := nearestFlag(cmd, name); meant != "" {
			return usageError{fmt.Errorf("%s: did you mean --%s? See %s --help", said, meant, shownCommand(cmd))}
		}
		return usageError{fmt.Errorf("%s: %s", said, seeHelp(cmd))}
	case errors.As(err, &without):
		return usageError{fmt.Errorf("--%s needs a value: %s", without.GetFlag().Name, seeHelp(cmd))}
	case errors.As(err, &invalid):
		return usageError{fmt.Errorf("invalid argument %q for \"--%s\": expected %s: %s", invalid.GetValue(), invalid.GetFlag().Name, expectedOf(invalid), seeHelp(cmd))}
	case errors.As(err, &syntax):
		return usageError{fmt.Errorf("%q is no flag: %s", syntax.GetSpecifiedFlag(), seeHelp(cmd))}
	}
	return usageError{fmt.Errorf("%w: %s", err, seeHelp(cmd))}
}

// expectedOf says what values a flag takes. Flags of our own types say so themselves.
func expectedOf(invalid *pflag.InvalidValueError) string {
	switch kind := invalid.GetFlag().Value.Type(); {
	case strings.HasPrefix(kind, "uint"):
		return "a whole number from 0 on"
	case strings.HasPrefix(kind, "int"), kind == "count":
		return "a whole number"
	case strings.HasPrefix(kind, "float"):
		return "a number"
	case kind == "bool":
		return "true or false, or nothing"
	case kind == "duration":
		return "a duration such as 90s, 5m or 2h"
	}
	err := errors.Unwrap(invalid)
	if err == nil {
		return "another value"
	}
	return strings.TrimPrefix(err.Error(), "expected ")
}

// nearestFlag is the flag that was meant, or "".
func nearestFlag(cmd *cobra.Command, given string) string {
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	given = strings.TrimLeft(given, "-")
	given, _, _ = strings.Cut(given, "=")
	if slices.Contains(names, given) {
		return given
	}
	return suggest.Nearest(given, names)
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
