package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"pushback/detect"
	"pushback/detect/logs"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
)

// warnings writes each warning once, and those of one cause on one line.
type warnings struct {
	w io.Writer
	once
	held []string // that wait until flush
	more int      // that were not held
}

// levelled matches the beginning of a warning that says already, after the rule or the
// place in a file that it is about, that it is one.
var levelled = regexp.MustCompile(`^(rule "(?:[^"\\]|\\.)*"|[^:]*|.*?:\d+(?::\d+)?): warning: `)

// write writes a warning that is new, and says once that it is one.
func (w *warnings) write(problem string) {
	if w.first(unlevelled(problem)) {
		w.line(problem)
	}
}

// unlevelled is a warning that does not say that it is one.
func unlevelled(problem string) string { return levelled.ReplaceAllString(problem, "$1: ") }

// starting writes what is noted before a run, and what was wrong with the logs.
func (w *warnings) starting(notes []string, r logs.Report) {
	for _, text := range notes {
		w.write(text)
	}
	w.reading(r)
}

// reading writes what was wrong with the logs.
func (w *warnings) reading(r logs.Report) {
	w.problems(r.Problems)
	if more := r.Bad - int64(len(r.Problems)); more > 0 {
		w.write(fmt.Sprintf("and %s more", count(more, "bad record")))
	}
	for _, c := range r.Conversions {
		w.write(fmt.Sprintf("%s: %s in %s.%s not of type %s and read as null, this one first", c.First, count(c.Count, "value"), c.Table, c.Column, c.Type))
	}
	w.problems(r.Warnings)
	for _, group := range byCause(r.Skipped, func(s logs.Skipped) string { return s.Reason }) {
		line := group[0].Path + ": not read: " + group[0].Reason
		if more := len(group) - 1; more > 0 {
			line += fmt.Sprintf("; and %s like it, such as %s", text.Count(more, "other file", "others"), group[1].Path)
		}
		w.write(line)
	}
}

// problems writes problems of files.
func (w *warnings) problems(list []logs.Problem) {
	for _, group := range byCause(list, func(p logs.Problem) string { return p.Reason }) {
		line := group[0].String()
		if more := len(group) - 1; more > 0 {
			files := map[string]bool{}
			for _, p := range group {
				files[p.File] = true
			}
			line += fmt.Sprintf("; and %d more like it", more)
			if len(files) > 1 {
				line += fmt.Sprintf(" in %d files", len(files))
			}
		}
		w.write(line)
	}
}

// mostHeld is how many warnings wait at most.
const mostHeld = 1000

// ticking keeps the warnings of a tick until flush.
func (w *warnings) ticking(r detect.Report) {
	for _, run := range r.Rules {
		for _, text := range run.Warnings {
			switch {
			case !w.first(text):
			case len(w.held) < mostHeld:
				w.held = append(w.held, text)
			default:
				w.more++
			}
		}
	}
}

var (
	ofRule         = regexp.MustCompile(`^rule ("(?:[^"\\]|\\.)*"): (?:warning: )?(.*)$`)
	withoutContext = regexp.MustCompile(`^context: (.*): not available, table (\S+) does not exist$`)
	varies         = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|“[^”]*”|'[^']*'|\d+`)
)

// flush writes what waits: what several rules are warned of once, and context that
// lacks its tables on one line.
func (w *warnings) flush() {
	type cause struct {
		text  string
		rules []string
	}
	var causes []*cause
	var tables, kinds []string
	at := 0 // where the line about context goes
	for _, warning := range w.held {
		rule, said := "", warning
		if m := ofRule.FindStringSubmatch(warning); m != nil {
			rule, said = m[1], m[2]
		}
		if m := withoutContext.FindStringSubmatch(said); m != nil {
			if len(tables) == 0 {
				at = len(causes)
			}
			if !slices.Contains(tables, m[2]) {
				tables = append(tables, m[2])
			}
			if !slices.Contains(kinds, m[1]) {
				kinds = append(kinds, m[1])
			}
			continue
		}
		i := slices.IndexFunc(causes, func(c *cause) bool { return rule != "" && len(c.rules) > 0 && c.text == said })
		if i < 0 {
			i, causes = len(causes), append(causes, &cause{text: said})
		}
		if rule != "" {
			causes[i].rules = append(causes[i].rules, rule)
		}
	}
	context := func() {
		if len(tables) > 0 {
			w.line(fmt.Sprintf("context: not available, since these logs lack %s: %s", strings.Join(tables, ", "), strings.Join(kinds, ", ")))
		}
	}
	for i, c := range causes {
		if i == at {
			context()
		}
		switch n := len(c.rules); {
		case n == 0:
			w.line(c.text)
		case n == 1:
			w.line("rule " + c.rules[0] + ": " + c.text)
		default:
			w.line(fmt.Sprintf("rules %s: %s", someOf(c.rules), c.text))
		}
	}
	if at == len(causes) {
		context()
	}
	if w.more > 0 {
		w.line(fmt.Sprintf("and %s more", count(int64(w.more), "warning")))
	}
	w.held, w.more = nil, 0
}

// line writes a warning, new or not.
func (w *warnings) line(problem string) {
	fmt.Fprintln(w.w, "warning: "+text.Safe(secret.Hide(unlevelled(problem))))
}

// byCause puts together what has the same reason, but for the values that it
// quotes and numbers.
func byCause[T any](list []T, reason func(T) string) [][]T {
	var groups [][]T
	place := map[string]int{}
	for _, item := range list {
		cause := varies.ReplaceAllString(reason(item), "…")
		i, known := place[cause]
		if !known {
			i, place[cause] = len(groups), len(groups)
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], item)
	}
	return groups
}
