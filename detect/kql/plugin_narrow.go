package kql

// bindNarrow is narrow(): a row for each cell, with the number of its row, the
// name of its column and its value as text.
func bindNarrow(_ *binder, n *evaluateNode, in relation) relation {
	n.arguments(0, 0, false)
	return &narrowing{in: in, cols: []*column{{"Row", Long}, {"Column", String}, {"Value", String}}}
}

type narrowing struct {
	in   relation
	cols []*column
}

func (n *narrowing) columns() []*column            { return n.cols }
func (n *narrowing) prepare(need map[*column]bool) { prepareAll(n.in) }

func (n *narrowing) explain(*explainer) explained {
	return explained{text: "evaluate narrow()", gives: n.cols, inputs: []relation{n.in}}
}

func (n *narrowing) run(x *execution, emit func(*batch) error) error {
	row := int64(0)
	in := n.in.columns()
	out := newSink(n.cols, emit)
	held := memory{x: x}
	defer held.free()
	return closing(out, n.in.run(x, func(b *batch) error {
		for i := range b.n {
			if err := x.makes(len(in)); err != nil {
				return err
			}
			cells := &batch{n: len(in), cols: []*vector{constantVector(Long, longValue(row), len(in)), newVector(String, len(in)), newVector(String, len(in))}}
			for at, c := range in {
				cells.cols[1].set(at, stringValue(c.name))
				cells.cols[2].set(at, convert(b.cols[at].value(i), String))
			}
			if err := out.take(cells); err != nil {
				return err
			}
			if err := held.set(out.size); err != nil {
				return err
			}
			row++
		}
		return nil
	}))
}

// closing passes on what a sink still has, unless there was an error.
func closing(out *sink, err error) error {
	if err != nil {
		return err
	}
	return out.flush()
}
