package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"unicode/utf8"

	"golang.org/x/term"
)

// newLogger returns a logger that writes errors to stderr and all else to
// stdout, since the Functions host takes what comes on stderr for errors. It
// writes text to a terminal and JSON to anything else, which on Azure it always
// is.
//
// Values may come from a log that an attacker wrote: neither form lets one end
// its line or move a terminal's cursor. Secrets are hidden in both.
func newLogger(stdout, stderr io.Writer, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	handler := func(w io.Writer) slog.Handler { return slog.NewJSONHandler(harmlessJSON{w}, options) }
	if f, ok := stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		handler = func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	}
	return slog.New(hiding{byLevel{low: handler(stdout), high: handler(stderr)}})
}

// byLevel hands errors to one handler and all else to another.
type byLevel struct{ low, high slog.Handler }

func (h byLevel) of(level slog.Level) slog.Handler {
	if level >= slog.LevelError {
		return h.high
	}
	return h.low
}

// Enabled asks the handler of the level.
func (h byLevel) Enabled(ctx context.Context, level slog.Level) bool {
	return h.of(level).Enabled(ctx, level)
}

// Handle hands the record to the handler of its level.
func (h byLevel) Handle(ctx context.Context, r slog.Record) error {
	return h.of(r.Level).Handle(ctx, r)
}

// WithAttrs gives the attributes to both handlers.
func (h byLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byLevel{h.low.WithAttrs(attrs), h.high.WithAttrs(attrs)}
}

// WithGroup opens the group in both handlers.
func (h byLevel) WithGroup(name string) slog.Handler {
	return byLevel{h.low.WithGroup(name), h.high.WithGroup(name)}
}

// harmlessJSON takes lines of JSON, one a call. It escapes what JSON may hold
// as it is and a terminal would obey. slog's text needs no such thing: it
// quotes.
type harmlessJSON struct{ w io.Writer }

func (h harmlessJSON) Write(line []byte) (int, error) {
	out := line
	if body := bytes.TrimSuffix(line, []byte("\n")); !plainASCII(body) {
		out = append(escaped(body), '\n')
	}
	if _, err := h.w.Write(out); err != nil {
		return 0, err
	}
	return len(line), nil
}

func plainASCII(text []byte) bool {
	for _, b := range text {
		if b < ' ' || b >= utf8.RuneSelf || b == 0x7f {
			return false
		}
	}
	return true
}
