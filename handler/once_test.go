package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What was said is remembered, and not without end.
func TestOnce(t *testing.T) {
	t.Parallel()
	var o once
	for i := range 10 * mostSeen {
		text := fmt.Sprint(i)
		if !o.first(text) || o.first(text) {
			t.Fatalf("%s is not said once", text)
		}
		if len(o.seen) > mostSeen {
			t.Fatalf("%d texts are remembered", len(o.seen))
		}
	}
}

// Failures are listed once each, and as many as can be read.
func TestFailureList(t *testing.T) {
	t.Parallel()
	var f failureList
	f.add(nil)
	if f.err() != nil {
		t.Error(f.err())
	}
	for i := range mostFailures + 5 {
		f.add(fmt.Errorf("failure %d", i))
		f.add(errors.New("failure 0"))
	}
	lines := strings.Split(f.err().Error(), "\n")
	if len(lines) != mostFailures+1 || lines[0] != "failure 0" || lines[mostFailures] != "and 5 failures more" {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
}
