package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/kelseyhightower/envconfig"

	"pushback/detect"
)

// settings are the environment variables that start with PUSHBACK_. The tags
// are their one source: what is read, what --help says and the README's table.
type settings struct {
	Rules    string   `desc:"A rule file, or a folder of them, that replay runs instead of the shipped rule."`
	Delay    duration `default:"5m" desc:"How long after a window's end it is first queried: logs take that long to arrive as a rule."`
	Lateness duration `default:"2h" desc:"How long after a window's end a record may arrive and still be found; until then the window is queried again."`
}

const settingsPrefix = "PUSHBACK"

// duration is a setting that keeps what is wrong with it: envconfig stops at
// the first error, and whoever sets up a deployment wants to see them all.
type duration struct {
	time.Duration
	problem string
	empty   bool
}

// mostDuration bounds what a window waits for: every further hour is another
// query of every window.
const mostDuration = 48 * time.Hour

// Decode reads the setting's text.
func (d *duration) Decode(text string) error {
	if d.empty = strings.TrimSpace(text) == ""; d.empty {
		return nil
	}
	parsed, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || parsed < 0 || parsed > mostDuration {
		d.problem = fmt.Sprintf("is %q: expected a duration from 0s to %s, such as 5m or 2h", text, mostDuration)
	}
	d.Duration = parsed
	return nil
}

// readSettings reads and checks the settings. Its error names every one that
// is wrong.
func readSettings() (settings, error) {
	var s settings
	if err := envconfig.Process(settingsPrefix, &s); err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	var problems []error
	defaults := detect.DefaultConfig()
	for _, d := range []struct {
		name string
		def  time.Duration
		*duration
	}{{"DELAY", defaults.Delay, &s.Delay}, {"LATENESS", defaults.Lateness, &s.Lateness}} {
		if d.empty { // as if it were not set
			d.Duration = d.def
		}
		if d.problem != "" {
			problems = append(problems, fmt.Errorf("the setting %s_%s %s", settingsPrefix, d.name, d.problem))
		}
	}
	return s, errors.Join(problems...)
}

// settingsHelp lists the settings with their defaults.
func settingsHelp() string {
	var sb strings.Builder
	w := tabwriter.NewWriter(&sb, 0, 4, 2, ' ', 0)
	err := envconfig.Usagef(settingsPrefix, &settings{}, w,
		"{{range .}}  {{usage_key .}}\t{{usage_description .}}{{with usage_default .}} Default: {{.}}.{{end}}\n{{end}}")
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		panic(err) // the tags are part of the program
	}
	return sb.String()
}
