package main

import (
	"fmt"
	"io"

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

// write writes a warning that is new.
func (w *warnings) write(problem string) {
	if w.first(problem) {
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
