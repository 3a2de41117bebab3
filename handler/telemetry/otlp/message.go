package otlp

import (
	"errors"
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"
)

// message is one of protobuf, as its fields are written one after the other. Of a field
// that is empty nothing is written, as proto3 has it. The numbers of the fields are those
// of https://github.com/open-telemetry/opentelemetry-proto.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	if s != "" {
		*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
	}
}

func (m *message) bytes(field protowire.Number, b []byte) {
	if len(b) > 0 {
		*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
	}
}

func (m *message) number(field protowire.Number, n uint64) {
	if n != 0 {
		*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), n)
	}
}

func (m *message) fixed32(field protowire.Number, n uint32) {
	if n != 0 {
		*m = protowire.AppendFixed32(protowire.AppendTag(*m, field, protowire.Fixed32Type), n)
	}
}

func (m *message) fixed64(field protowire.Number, n uint64) {
	if n != 0 {
		m.given64(field, n)
	}
}

// given64 writes a field that says by being there that it was given, also with zero.
func (m *message) given64(field protowire.Number, n uint64) {
	*m = protowire.AppendFixed64(protowire.AppendTag(*m, field, protowire.Fixed64Type), n)
}

func (m *message) givenDouble(field protowire.Number, f float64) {
	m.given64(field, math.Float64bits(f))
}

// time writes a time in nanoseconds since 1970, and none of before.
func (m *message) time(field protowire.Number, t time.Time) {
	m.fixed64(field, uint64(max(0, t.UnixNano())))
}

// count writes how many there are, and zero for less.
func (m *message) count(field protowire.Number, n int) {
	m.number(field, uint64(min(max(0, n), math.MaxUint32)))
}

// message writes a message within this one, also an empty one.
func (m *message) message(field protowire.Number, inner message) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), inner)
}

// attributes writes a field for each attribute.
func (m *message) attributes(field protowire.Number, attributes []attribute.KeyValue) {
	for _, a := range attributes {
		var pair message
		pair.text(1, string(a.Key))
		pair.message(2, value(a.Value))
		m.message(field, pair)
	}
}

// value is an AnyValue.
func value(v attribute.Value) message {
	var m message
	given := func(field protowire.Number, n uint64) {
		m = protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), n)
	}
	switch v.Type() {
	case attribute.BOOL:
		given(2, protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		given(3, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		m.givenDouble(4, v.AsFloat64())
	case attribute.BOOLSLICE:
		m.message(5, array(v.AsBoolSlice(), attribute.BoolValue))
	case attribute.INT64SLICE:
		m.message(5, array(v.AsInt64Slice(), attribute.Int64Value))
	case attribute.FLOAT64SLICE:
		m.message(5, array(v.AsFloat64Slice(), attribute.Float64Value))
	case attribute.STRINGSLICE:
		m.message(5, array(v.AsStringSlice(), attribute.StringValue))
	case attribute.SLICE:
		m.message(5, array(v.AsSlice(), func(v attribute.Value) attribute.Value { return v }))
	case attribute.MAP:
		var pairs message
		pairs.attributes(1, v.AsMap())
		m.message(6, pairs)
	case attribute.BYTESLICE:
		m.message(7, v.AsByteSlice())
	case attribute.EMPTY:
	case attribute.STRING:
		m.message(1, message(v.AsString()))
	default:
		m.message(1, message(v.String()))
	}
	return m
}

func array[T any](values []T, of func(T) attribute.Value) message {
	var m message
	for _, v := range values {
		m.message(1, value(of(v)))
	}
	return m
}

// about is a Resource.
func about(r *resource.Resource) message {
	var m message
	m.attributes(1, r.Attributes())
	return m
}

// scope is an InstrumentationScope.
func scope(s instrumentation.Scope) message {
	var m message
	m.text(1, s.Name)
	m.text(2, s.Version)
	m.attributes(3, s.Attributes.ToSlice())
	return m
}

// rejected reads the answer of a collector, of which it may say that it took a part only.
func rejected(answer []byte) error {
	var partial, why []byte
	var count int64
	err := errors.Join(
		fields(answer, func(number protowire.Number, _ uint64, text []byte) {
			if number == 1 {
				partial = append(partial, text...) // of one that comes twice the parts are one message
			}
		}),
		fields(partial, func(number protowire.Number, n uint64, text []byte) {
			switch {
			case number == 1 && text == nil:
				count = int64(n)
			case number == 2 && text != nil:
				why = text
			}
		}))
	if err != nil || count == 0 && len(why) == 0 {
		return err
	}
	return fmt.Errorf("the collector rejected %d of what it was sent: %s", count, why)
}

// fields calls a function with each field of a message that is a varint or, with text
// that is not nil, bytes.
func fields(b []byte, each func(number protowire.Number, n uint64, text []byte)) error {
	for len(b) > 0 {
		number, kind, size := protowire.ConsumeTag(b)
		if size < 0 || !number.IsValid() {
			return errAnswer
		}
		b = b[size:]
		switch kind {
		case protowire.VarintType:
			var n uint64
			if n, size = protowire.ConsumeVarint(b); size >= 0 {
				each(number, n, nil)
			}
		case protowire.BytesType:
			var text []byte
			if text, size = protowire.ConsumeBytes(b); size >= 0 {
				each(number, 0, text)
			}
		default:
			size = protowire.ConsumeFieldValue(number, kind, b)
		}
		if size < 0 {
			return errAnswer
		}
		b = b[size:]
	}
	return nil
}
