package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"pushback/detect/secret"
)

// hiding hands on records without the secrets in them. Errors hold none as a
// rule: this is for those of libraries, and for what they repeat.
type hiding struct{ slog.Handler }

// Handle hides the secrets of a record.
func (h hiding) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, secret.Hide(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(hiddenAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs hides the secrets of attributes.
func (h hiding) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = hiddenAttr(a)
	}
	return hiding{h.Handler.WithAttrs(out)}
}

// WithGroup opens a group.
func (h hiding) WithGroup(name string) slog.Handler { return hiding{h.Handler.WithGroup(name)} }

func hiddenAttr(a slog.Attr) slog.Attr {
	a.Key = secret.Hide(a.Key)
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(secret.Hide(v.String()))
	case slog.KindGroup:
		group := make([]slog.Attr, len(v.Group()))
		for i, member := range v.Group() {
			group[i] = hiddenAttr(member)
		}
		v = slog.GroupValue(group...)
	case slog.KindAny:
		switch value := v.Any().(type) {
		case error:
			v = slog.StringValue(secret.Hide(value.Error()))
		case []string:
			list := make([]string, len(value))
			for i, text := range value {
				list[i] = secret.Hide(text)
			}
			v = slog.AnyValue(list)
		default:
			if text := fmt.Sprint(value); secret.In(text) {
				v = slog.StringValue(secret.Hide(text))
			}
		}
	}
	a.Value = v
	return a
}

// withSecrets returns the handler below the one that hides. An alert is shown
// as it is, since what an attacker sent is what it is about.
func withSecrets(h slog.Handler) slog.Handler {
	if hides, ok := h.(hiding); ok {
		return hides.Handler
	}
	return h
}

// hiddenJSON hides the secrets in the texts of a JSON value. Without any it
// returns the value as it is.
func hiddenJSON(text []byte) []byte {
	if !secret.In(string(text)) {
		return text
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return []byte(`{"error":"not shown, since it holds a secret"}`)
	}
	out, err := json.Marshal(hiddenValue(value))
	if err != nil {
		return []byte(`{"error":"not shown, since it holds a secret"}`)
	}
	return out
}

func hiddenValue(value any) any {
	switch v := value.(type) {
	case string:
		return secret.Hide(v)
	case []any:
		for i := range v {
			v[i] = hiddenValue(v[i])
		}
	case map[string]any:
		for name, member := range v {
			delete(v, name)
			v[secret.Hide(name)] = hiddenValue(member)
		}
	}
	return value
}
