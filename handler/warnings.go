package main

import (
	"fmt"
	"io"
	"regexp"

	"pushback/detect"
	"pushback/detect/logs"
	"pushback/detect/notify/text"
	"pushback/detect/secret"
)

// warnings writes each warning once.
type warnings struct {
	w io.Writer
	once
}

// levelled matches the beginning of a warning that says already, after the rule or the
// place in a file that it is about, that it is one.
var levelled = regexp.MustCompile(`^(rule "(?:[^"\\]|\\.)*"|[^:]*|.*?:\d+(?::\d+)?): warning: `)

// write writes a warning that is new, and says once that it is one.
func (w *warnings) write(problem string) {
	if problem = levelled.ReplaceAllString(problem, "$1: "); w.first(problem) {
		fmt.Fprintln(w.w, "warning: "+text.Safe(secret.Hide(problem)))
	}
}

// reading writes what was wrong with the logs.
func (w *warnings) reading(r logs.Report) {
	for _, p := range r.Problems {
		w.write(p.String())
	}
	if more := r.Bad - int64(len(r.Problems)); more > 0 {
		w.write(fmt.Sprintf("and %s more", count(more, "bad record")))
	}
	for _, c := range r.Conversions {
		w.write(fmt.Sprintf("%s: %s in %s.%s not of type %s and read as null, this one first", c.First, count(c.Count, "value"), c.Table, c.Column, c.Type))
	}
	for _, p := range r.Warnings {
		w.write(p.String())
	}
	for _, s := range r.Skipped {
		w.write(s.Path + ": not read: " + s.Reason)
	}
}

func (w *warnings) ticking(r detect.Report) {
	for _, run := range r.Rules {
		for _, text := range run.Warnings {
			w.write(text)
		}
	}
}
