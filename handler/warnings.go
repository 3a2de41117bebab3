package main

import (
	"fmt"
	"io"

	"pushback/detect/notify/text"

	"pushback/detect"
	"pushback/detect/logs"
	"pushback/detect/secret"
)

// warnings writes each warning once.
type warnings struct {
	w    io.Writer
	seen map[string]bool
}

func (w *warnings) tell(problem string) {
	if w.seen == nil {
		w.seen = make(map[string]bool)
	}
	if !w.seen[problem] {
		w.seen[problem] = true
		fmt.Fprintln(w.w, "warning: "+text.Safe(secret.Hide(problem)))
	}
}

// reading tells what was wrong with the logs.
func (w *warnings) reading(r logs.Report) {
	for _, p := range r.Problems {
		w.tell(p.String())
	}
	if more := r.Bad - int64(len(r.Problems)); more > 0 {
		w.tell(fmt.Sprintf("and %s more", count(more, "bad record")))
	}
	for _, c := range r.Conversions {
		w.tell(fmt.Sprintf("%s: %s in %s.%s not of type %s and read as null, this one first", c.First, count(c.Count, "value"), c.Table, c.Column, c.Type))
	}
	for _, p := range r.Warnings {
		w.tell(p.String())
	}
	for _, s := range r.Skipped {
		w.tell(s.Path + ": not read: " + s.Reason)
	}
}

func (w *warnings) ticking(r detect.Report) {
	for _, run := range r.Rules {
		for _, text := range run.Warnings {
			w.tell(text)
		}
	}
}
