package rule

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxExpression is how long a text may get that expressions make, and
	// maxExpressionDepth how deep they may be inside of each other, through
	// variables too.
	maxExpression      = 1 << 20
	maxExpressionDepth = 20
	// maxExpressions is how many expressions of a template are worked out, with the
	// values that they copy.
	maxExpressions = 200_000
)

// template is an ARM template, of which the rules are read. What its parameters have
// for a default and its variables for a value stands for them; what else depends on
// the deployment is left as it is written.
type template struct {
	parameters, variables *yaml.Node // mappings, or nil
	unknown               map[*yaml.Node]bool
	left                  *int // expressions that may still be worked out
}

// template takes the resources of a template.
func (c *collector) template(root *yaml.Node) {
	left := maxExpressions
	c.resources(root, &template{unknown: map[*yaml.Node]bool{}, left: &left}, 0)
}

// resources takes the resources of a template, or of one inside of another.
func (c *collector) resources(root *yaml.Node, outer *template, depth int) {
	if depth > maxCollectDepth {
		return
	}
	t := outer.inside(root)
	for _, item := range resourcesOf(root) {
		properties := get(item, "properties")
		switch {
		case properties == nil:
		case get(properties, "mainTemplate") != nil: // content of a solution
			c.resources(get(properties, "mainTemplate"), t, depth+1)
		case get(properties, "template") != nil: // a deployment
			c.resources(get(properties, "template"), t, depth+1)
		default:
			c.resource(item, t)
		}
		c.resources(item, t, depth+1) // the resources inside of it
	}
}

// inside returns the template that a mapping is, with the parameters and the variables
// of the one around it where it has none.
func (t *template) inside(root *yaml.Node) *template {
	inner := *t
	if own := get(root, "parameters"); own != nil && len(own.Content) > 0 {
		inner.parameters = own
	}
	if own := get(root, "variables"); own != nil && len(own.Content) > 0 {
		inner.variables = own
	}
	return &inner
}

// resourcesOf returns the resources of a template, in a list or by symbolic names.
func resourcesOf(root *yaml.Node) (resources []*yaml.Node) {
	n := get(root, "resources")
	if n == nil {
		return nil
	}
	for i, item := range n.Content {
		if item = resolve(item); item.Kind == yaml.MappingNode && (n.Kind == yaml.SequenceNode || i%2 == 1) {
			resources = append(resources, item)
		}
	}
	return resources
}

// isExpression reports whether a value is a template's expression.
func isExpression(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && strings.HasPrefix(n.Value, "[") && strings.HasSuffix(n.Value, "]") && !strings.HasPrefix(n.Value, "[[")
}

// resolve returns a value with its expressions worked out.
func (t *template) resolve(n *yaml.Node) *yaml.Node { return t.resolved(resolve(n), 0) }

func (t *template) resolved(n *yaml.Node, depth int) *yaml.Node {
	n = resolve(n)
	if depth > 0 {
		*t.left-- // a variable may be named any number of times
	}
	switch {
	case *t.left < 0 && depth > 0:
		return n
	case n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode:
		out := *n
		out.Content = make([]*yaml.Node, len(n.Content))
		for i, child := range n.Content {
			if n.Kind == yaml.MappingNode && i%2 == 0 {
				out.Content[i] = child
				continue
			}
			out.Content[i] = t.resolved(child, depth)
		}
		return &out
	case isExpression(n):
		e := expression{template: t, at: n, text: n.Value[1 : len(n.Value)-1], depth: depth}
		if value := e.all(); value != nil {
			return value
		}
		t.unknown[n] = true
		return n
	case n.Kind == yaml.ScalarNode && strings.HasPrefix(n.Value, "[["):
		out := *n
		out.Value = n.Value[1:] // so a text is written that begins with a bracket
		return &out
	}
	return n
}

// open returns an expression in a resolved value that was not worked out, or nil.
func (t *template) open(n *yaml.Node) *yaml.Node {
	if t.unknown[n] {
		return n
	}
	for _, child := range n.Content {
		if open := t.open(child); open != nil {
			return open
		}
	}
	return nil
}

// expression works out a template's expression, such as
// concat(parameters('workspace'), '/name').
type expression struct {
	*template
	at    *yaml.Node // where it is written
	text  string
	depth int
	pos   int
}

// all returns the value of the whole expression, or nil if only a deployment knows it.
func (e *expression) all() *yaml.Node {
	if *e.left--; *e.left < 0 || e.depth > maxExpressionDepth {
		return nil
	}
	value := e.value(0)
	if e.space(); value == nil || e.pos != len(e.text) {
		return nil
	}
	return value
}

func (e *expression) space() {
	for e.pos < len(e.text) && strings.IndexByte(" \t\r\n", e.text[e.pos]) >= 0 {
		e.pos++
	}
}

// accept moves behind a character, if it is the next.
func (e *expression) accept(c byte) bool {
	if e.space(); e.pos < len(e.text) && e.text[e.pos] == c {
		e.pos++
		return true
	}
	return false
}

// word reads a name.
func (e *expression) word() string {
	e.space()
	start := e.pos
	for e.pos < len(e.text) && (e.text[e.pos] == '_' || e.text[e.pos] >= '0' && e.text[e.pos] <= '9' || e.text[e.pos]|0x20 >= 'a' && e.text[e.pos]|0x20 <= 'z') {
		e.pos++
	}
	return e.text[start:e.pos]
}

// value reads a text, a number, or a call with what is taken of its answer.
func (e *expression) value(depth int) *yaml.Node {
	if depth > maxExpressionDepth {
		return nil
	}
	if e.accept('\'') {
		return e.literal()
	}
	name := e.word()
	if name == "" {
		return nil
	}
	if _, err := strconv.Atoi(name); err == nil {
		n := textNode(e.at, name)
		n.Tag = "!!int"
		return n
	}
	if !e.accept('(') {
		return nil
	}
	var args []*yaml.Node
	for !e.accept(')') {
		if len(args) > 0 && !e.accept(',') {
			return nil
		}
		arg := e.value(depth + 1)
		if arg == nil {
			return nil
		}
		args = append(args, arg)
	}
	value := e.call(strings.ToLower(name), args)
	for value != nil {
		switch {
		case e.accept('.'):
			value = get(value, e.word())
		case e.accept('['):
			index := e.value(depth + 1)
			if index == nil || !e.accept(']') {
				return nil
			}
			value = element(value, index)
		default:
			return value
		}
		if value != nil {
			value = e.known(value)
		}
	}
	return nil
}

// literal reads a text in apostrophes, of which two are one.
func (e *expression) literal() *yaml.Node {
	var text strings.Builder
	for e.pos < len(e.text) {
		c := e.text[e.pos]
		e.pos++
		if c == '\'' && (e.pos == len(e.text) || e.text[e.pos] != '\'') {
			return e.made(text.String())
		}
		if c == '\'' {
			e.pos++
		}
		text.WriteByte(c)
	}
	return nil
}

// element returns an element of a list or a member of an object.
func element(of, index *yaml.Node) *yaml.Node {
	if i, err := strconv.Atoi(index.Value); err == nil && of.Kind == yaml.SequenceNode {
		if i >= 0 && i < len(of.Content) {
			return resolve(of.Content[i])
		}
		return nil
	}
	return get(of, index.Value)
}

// known works out the expressions in a value that an expression names. It is nil if
// one of them is not known.
func (e *expression) known(n *yaml.Node) *yaml.Node {
	if e.depth >= maxExpressionDepth || *e.left <= 0 {
		return nil
	}
	value := e.resolved(n, e.depth+1)
	if isExpression(value) {
		return nil
	}
	return value
}

// call works out a function, or returns nil.
func (e *expression) call(name string, args []*yaml.Node) *yaml.Node {
	switch {
	case name == "parameters" && len(args) == 1:
		if value := get(e.member(e.parameters, args[0].Value), "defaultValue"); value != nil {
			return e.known(value)
		}
	case name == "variables" && len(args) == 1:
		if value := e.member(e.variables, args[0].Value); value.Kind != 0 {
			return e.known(value)
		}
	case name == "true" || name == "false":
		n := textNode(e.at, name)
		n.Tag = "!!bool"
		return n
	case name == "tolower" && len(args) == 1 && args[0].Kind == yaml.ScalarNode:
		return textNode(e.at, strings.ToLower(args[0].Value))
	case name == "toupper" && len(args) == 1 && args[0].Kind == yaml.ScalarNode:
		return textNode(e.at, strings.ToUpper(args[0].Value))
	case name == "string" && len(args) == 1 && args[0].Kind == yaml.ScalarNode:
		return textNode(e.at, args[0].Value)
	case name == "concat" && len(args) > 0:
		return e.concat(args)
	case name == "format" && len(args) > 0 && args[0].Kind == yaml.ScalarNode:
		text := args[0].Value
		for i, arg := range args[1:] {
			place := "{" + strconv.Itoa(i) + "}"
			if arg.Kind != yaml.ScalarNode || len(text)+strings.Count(text, place)*len(arg.Value) > maxExpression {
				return nil
			}
			text = strings.ReplaceAll(text, place, arg.Value)
		}
		return e.made(text)
	}
	return nil
}

// made returns a text that an expression makes.
func (e *expression) made(text string) *yaml.Node {
	*e.left -= len(text) / 1024
	return textNode(e.at, text)
}

// member returns the member of a mapping whose name is the given one but for case, as
// those of parameters and variables may be written, or a node without a kind.
func (e *expression) member(of *yaml.Node, name string) *yaml.Node {
	if of != nil && of.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(of.Content); i += 2 {
			if strings.EqualFold(resolve(of.Content[i]).Value, name) {
				return resolve(of.Content[i+1])
			}
		}
	}
	return &yaml.Node{}
}

// concat joins texts, or lists.
func (e *expression) concat(args []*yaml.Node) *yaml.Node {
	if args[0].Kind == yaml.SequenceNode {
		out := *args[0]
		out.Content = nil
		for _, arg := range args {
			if arg.Kind != yaml.SequenceNode || len(out.Content)+len(arg.Content) > maxNodes {
				return nil
			}
			out.Content = append(out.Content, arg.Content...)
		}
		return &out
	}
	var text strings.Builder
	for _, arg := range args {
		if arg.Kind != yaml.ScalarNode || text.Len()+len(arg.Value) > maxExpression {
			return nil
		}
		text.WriteString(arg.Value)
	}
	return e.made(text.String())
}
