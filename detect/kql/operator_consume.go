package kql

// consumeNode is consume: everything is computed, and nothing is given.
type consumeNode struct{ span }

func parseConsume(p *parser, at span) operatorNode {
	if p.cur().word("decodeblocks") {
		p.advance()
		p.expect("=", "after decodeblocks")
		// All values are read either way.
		if v := p.expr(); !isTruth(v) {
			panic(syntaxError(v.pos(), "decodeblocks is true or false"))
		}
	}
	return &consumeNode{at.to(p.last())}
}

func isTruth(n node) bool {
	lit, ok := n.(*literal)
	return ok && lit.typ == Bool
}

func (n *consumeNode) bind(_ *binder, in relation) relation { return &consuming{in: in} }

type consuming struct{ in relation }

func (c *consuming) columns() []*column       { return nil }
func (c *consuming) prepare(map[*column]bool) { prepareAll(c.in) }

func (c *consuming) explain(*explainer) explained {
	return explained{text: "consume", inputs: []relation{c.in}}
}

func (c *consuming) run(x *execution, _ func(*batch) error) error {
	return c.in.run(x, func(*batch) error { return x.stopped() })
}
