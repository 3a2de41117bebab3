package otlp

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/encoding/protowire"
)

// Traces exports spans. It implements sdktrace.SpanExporter.
type Traces struct{ to *Collector }

// NewTraces returns what exports spans to a collector.
func NewTraces(to *Collector) *Traces { return &Traces{to} }

// ExportSpans sends spans. Its error is that of [Collector].
func (t *Traces) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if len(spans) == 0 {
		return nil
	}
	return t.to.send(ctx, traces(spans))
}

// Shutdown does nothing: there is nothing to close.
func (t *Traces) Shutdown(context.Context) error { return nil }

// traces is an ExportTraceServiceRequest.
func traces(spans []sdktrace.ReadOnlySpan) message {
	type of struct {
		resource attribute.Distinct
		scope    instrumentation.Scope
	}
	// Those of a scope are together, in the order of the first of each.
	var order []of
	groups := map[of][]sdktrace.ReadOnlySpan{}
	for _, s := range spans {
		k := of{s.Resource().Equivalent(), s.InstrumentationScope()}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], s)
	}
	var request message
	for _, k := range order {
		var ofScope, ofResource message
		ofScope.message(1, scope(k.scope))
		for _, s := range groups[k] {
			ofScope.message(2, span(s))
		}
		ofScope.text(3, k.scope.SchemaURL)
		r := groups[k][0].Resource()
		ofResource.message(1, about(r))
		ofResource.message(2, ofScope)
		ofResource.text(3, r.SchemaURL())
		request.message(1, ofResource)
	}
	return request
}

func span(s sdktrace.ReadOnlySpan) message {
	var m message
	id := s.SpanContext()
	m.id(1, 2, id)
	m.text(3, id.TraceState().String())
	if parent := s.Parent().SpanID(); parent.IsValid() {
		m.bytes(4, parent[:])
	}
	m.text(5, s.Name())
	m.number(6, uint64(s.SpanKind())) // the numbers are the same
	m.time(7, s.StartTime())
	m.time(8, s.EndTime())
	m.attributes(9, s.Attributes())
	m.count(10, s.DroppedAttributes())
	for _, e := range s.Events() {
		var event message
		event.time(1, e.Time)
		event.text(2, e.Name)
		event.attributes(3, e.Attributes)
		event.count(4, e.DroppedAttributeCount)
		m.message(11, event)
	}
	m.count(12, s.DroppedEvents())
	for _, l := range s.Links() {
		var link message
		link.id(1, 2, l.SpanContext)
		link.text(3, l.SpanContext.TraceState().String())
		link.attributes(4, l.Attributes)
		link.count(5, l.DroppedAttributeCount)
		link.fixed32(6, flags(l.SpanContext, l.SpanContext))
		m.message(13, link)
	}
	m.count(14, s.DroppedLinks())
	var status message
	status.text(2, s.Status().Description)
	status.number(3, map[codes.Code]uint64{codes.Ok: 1, codes.Error: 2}[s.Status().Code])
	m.message(15, status)
	m.fixed32(16, flags(id, s.Parent()))
	return m
}

func (m *message) id(traceField, spanField protowire.Number, c trace.SpanContext) {
	t, s := c.TraceID(), c.SpanID()
	m.bytes(traceField, t[:])
	m.bytes(spanField, s[:])
}

// flags are those of the W3C, and whether the parent is in another process, which is
// always known.
func flags(c, parent trace.SpanContext) uint32 {
	const isKnown, isRemote = 0x100, 0x200
	f := uint32(c.TraceFlags()) | isKnown
	if parent.IsRemote() {
		f |= isRemote
	}
	return f
}
