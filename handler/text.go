package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"pushback/detect/notify/text"
)

// count writes a number with its noun, in groups of three digits.
func count(n int64, noun string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "s"):
		noun += "es"
	default:
		noun += "s"
	}
	return digits + " " + noun
}

// short writes a duration without the units that are zero: 1h, not 1h0m0s.
func short(d time.Duration) string {
	if d%(24*time.Hour) == 0 && d > 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return shortHours(d)
}

// shortHours does so without days, which a setting does not take.
func shortHours(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if !strings.HasSuffix(text, "h0m") || d == 0 {
		if text == "" {
			return "0s"
		}
		return text
	}
	return strings.TrimSuffix(text, "0m")
}

// escaped writes the characters of a JSON text that a terminal would obey or
// hide as the escapes that JSON has for them. It stays the same JSON: such
// characters stand in strings only.
func escaped(written []byte) []byte {
	out := make([]byte, 0, len(written))
	for _, r := range string(written) {
		switch {
		case text.Harmless(r):
			out = utf8.AppendRune(out, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// failures takes errors apart that were joined. Nil joins nothing.
func failures(err error) []string {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []string
		for _, e := range joined.Unwrap() {
			list = append(list, failures(e)...)
		}
		return list
	}
	return []string{err.Error()}
}

// withoutPath is an error of a file without its path, which is said before it.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	return err
}
