package kql

import (
	"slices"
	"strings"
)

// Rendering is what a query's render operator asks of whoever shows the
// result. The engine only passes it on.
type Rendering struct {
	Visualization string // timechart, table and so on
	// Properties are those that the query gives; one that names several
	// columns has them separated by commas.
	Properties map[string]string
}

var visualizations = []string{
	"anomalychart", "areachart", "barchart", "card", "columnchart", "graph", "ladderchart", "linechart", "list",
	"piechart", "pivotchart", "plotly", "sankey", "scatterchart", "stackedareachart", "table", "timechart", "timeline", "timepivot", "treemap",
}

var renderProperties = []string{
	"accumulate", "anomalycolumns", "kind", "legend", "series", "title", "xaxis", "xcolumn", "xmax", "xmin", "xtitle",
	"yaxis", "ycolumns", "ymax", "ymin", "ysplit", "ytitle",
}

// renderNode is render visualization with (properties), the last operator.
type renderNode struct {
	span
	rendering *Rendering
	columns   []pattern // that properties name
}

// columnProperties are the properties whose values are columns of the result.
var columnProperties = wordSet("anomalycolumns", "series", "xcolumn", "ycolumns")

func parseRender(p *parser, at span) operatorNode {
	text := p.cur().text
	if p.cur().kind != tokName || !slices.Contains(visualizations, text) {
		panic(p.unexpected("expected a visualization: %s", strings.Join(visualizations, ", ")))
	}
	p.advance()
	n := &renderNode{rendering: &Rendering{Visualization: text, Properties: make(map[string]string)}}
	if p.acceptWord("with") {
		p.expect("(", "after with")
		for !p.cur().is(")") {
			n.property(p)
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "after the properties")
	} else {
		for p.cur().kind == tokName && p.peek().is("=") { // the old way to write them
			n.property(p)
		}
	}
	n.span = at.to(p.last())
	if p.cur().is("|") {
		panic(semanticError(n.span, "SEM0001", "render must be the last operator of the query"))
	}
	return n
}

// property reads name=value, of the properties that render has.
func (n *renderNode) property(p *parser) {
	t := p.cur()
	if t.kind != tokName || !slices.Contains(renderProperties, t.text) {
		panic(p.unexpected("expected a property of render: %s", strings.Join(renderProperties, ", ")))
	}
	p.advance()
	p.expect("=", "after the property")
	var values []string
	for {
		switch v := p.cur(); {
		case v.kind == tokName || v.kind == tokQuoted:
			values = append(values, v.text)
			if columnProperties[t.text] {
				n.columns = append(n.columns, pattern{v.span, v.text})
			}
			p.advance()
		default:
			e := p.unary()
			values = append(values, p.text[e.pos().start:e.pos().end])
			of := e
			if s, ok := e.(*signed); ok {
				of = s.of
			}
			lit, ok := of.(*literal)
			if !ok {
				panic(syntaxError(e.pos(), "expected a literal or the name of a column"))
			}
			if lit.typ == String {
				values[len(values)-1] = lit.val.s
			}
		}
		// ycolumns = a, b, title = "c": a name follows that has no value.
		if !p.cur().is(",") || p.peek().kind != tokName && p.peek().kind != tokQuoted || p.tokens[min(p.at+2, len(p.tokens)-1)].is("=") {
			break
		}
		p.advance()
	}
	if _, twice := n.rendering.Properties[t.text]; twice {
		panic(syntaxError(t.span, "%s is given twice", t.text))
	}
	n.rendering.Properties[t.text] = strings.Join(values, ",")
}

// bind is for a render that is not the last operator of the query. That one is
// taken off before the query is bound.
func (n *renderNode) bind(*binder, relation) relation {
	panic(semanticError(n.span, "SEM0001", "render must be the last operator of the query"))
}

// check finds the columns that the properties name.
func (n *renderNode) check(b *binder, columns []*column) *Rendering {
	if n == nil {
		return nil
	}
	for _, c := range n.columns {
		b.columnNamed(c, columns)
	}
	return n.rendering
}

// withoutRender takes a render off the end of the query.
func withoutRender(query node) (node, *renderNode) {
	pl, ok := query.(*pipeline)
	if !ok {
		return query, nil
	}
	last := len(pl.ops) - 1
	r, ok := pl.ops[last].(*renderNode)
	if !ok {
		return query, nil
	}
	if last == 0 {
		return pl.source, r
	}
	return &pipeline{pl.span, pl.source, pl.ops[:last]}, r
}
