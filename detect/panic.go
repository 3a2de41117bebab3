package detect

import (
	"fmt"
	"runtime/debug"
	"strings"
	"unicode"
)

// PanicError is a panic in the work for one rule or of one destination. It is
// that work's failure and nobody else's.
type PanicError struct {
	Value any    // that it panicked with
	Stack []byte // of the goroutine, over many lines
}

// Error is a line, without the stack.
func (e *PanicError) Error() string {
	text := []rune(strings.Join(strings.FieldsFunc(fmt.Sprint(e.Value), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsGraphic(r)
	}), " "))
	return "panic: " + string(text[:min(len(text), mostPanicText)])
}

// mostPanicText is how many characters of a panic's value its error holds.
const mostPanicText = 300

// Unwrap returns the value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// guarded calls work and returns a panic in it as an error.
func guarded(work func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return work()
}
