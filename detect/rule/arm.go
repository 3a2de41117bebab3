package rule

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
)

// mostNested is how deep templates may be in templates.
const mostNested = 8

// ParseTemplate reads the analytics rules in the JSON of an Azure Resource Manager
// template, as Sentinel exports them and Bicep compiles them: the properties of
// its resources. It reads references to the template's own variables and to the
// defaults of its parameters. A rule whose name is an expression has an id made of
// that. The rules without an error are returned even if others have one.
func ParseTemplate(file string, data []byte) ([]*Rule, []Problem) {
	root, src, problem := readDocument(file, data)
	if problem != nil {
		return nil, withoutSecrets([]Problem{*problem}, data)
	}
	t := &template{file: file, source: src}
	t.read(root, 0)
	if t.found == 0 {
		at := src.position(src.offset(root))
		t.problems = append(t.problems, Problem{File: file, Line: at.line, Column: at.column, Message: "there is no analytics rule in the template: its resources have none of type Microsoft.SecurityInsights/alertRules"})
	}
	sortProblems(t.problems)
	return t.rules, withoutSecrets(t.problems, data)
}

// template reads the rules of a template.
type template struct {
	file     string
	source   *source
	rules    []*Rule
	problems []Problem
	found    int
}

// read reads a template, and those that are deployed from it.
func (t *template) read(root *yaml.Node, depth int) {
	names := scope{variables: memberOf(root, "variables"), parameters: memberOf(root, "parameters")}
	resources := memberOf(root, "resources")
	if resources == nil || depth > mostNested {
		return
	}
	for i, r := range resources.Content {
		if resources.Kind == yaml.MappingNode && i%2 == 0 {
			continue // its symbolic name
		}
		r = resolve(r)
		kind := textOf(memberOf(r, "type"))
		switch properties := memberOf(r, "properties"); {
		case properties == nil:
		case strings.EqualFold(kind, "Microsoft.Resources/deployments"):
			if inner := memberOf(properties, "template"); inner != nil {
				t.read(inner, depth+1)
			}
		case strings.HasSuffix(strings.ToLower(kind), "/alertrules"):
			t.found++
			t.rule(r, names.resolved(properties, 0))
		}
	}
}

// rule reads one resource.
func (t *template) rule(resource, properties *yaml.Node) {
	p := &parser{
		reader: reader{file: t.file, source: t.source, at: map[string]position{}},
		rule: &Rule{File: t.file, Incident: IncidentConfiguration{
			CreateIncident: true,
			Grouping:       IncidentGrouping{LookbackDuration: defaultLookback},
		}},
	}
	p.rule.at = p.at
	whole := &yaml.Node{Kind: yaml.MappingNode, Line: properties.Line, Column: properties.Column}
	add := func(key string, value *yaml.Node) {
		if value != nil && memberOf(properties, key) == nil {
			whole.Content = append(whole.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Line: value.Line, Column: value.Column}, value)
		}
	}
	add("kind", memberOf(resource, "kind"))
	if name := memberOf(resource, "name"); name != nil {
		id := *resolve(name)
		id.Value = idOf(id.Value)
		add("id", &id)
	}
	whole.Content = append(whole.Content, properties.Content...)
	p.read(whole)
	t.problems = append(t.problems, p.problems...)
	if !hasError(p.problems) {
		t.rules = append(t.rules, p.rule)
	}
}

// idOf returns the id of a rule by the name of its resource.
func idOf(name string) string {
	last := strings.Trim(name[strings.LastIndexByte(name, '/')+1:], "'\")] ")
	if guidForm.MatchString(last) {
		return last
	}
	if isExpression(name) {
		return alert.NewGUID("template", name)
	}
	return last
}

func isExpression(text string) bool {
	return strings.HasPrefix(text, "[") && !strings.HasPrefix(text, "[[") && strings.HasSuffix(text, "]")
}

// scope is what the names in a template stand for.
type scope struct{ variables, parameters *yaml.Node }

var reference = regexp.MustCompile(`^\[(variables|parameters)\('([^']+)'\)\]$`)

// resolved returns a value with the references in it replaced by what they stand
// for. What cannot be known stays as it is.
func (s scope) resolved(n *yaml.Node, depth int) *yaml.Node {
	n = resolve(n)
	if depth > mostNested*4 {
		return n
	}
	if n.Kind != yaml.ScalarNode {
		copied := *n
		copied.Content = slices.Clone(n.Content)
		for i := range copied.Content {
			if n.Kind != yaml.MappingNode || i%2 == 1 {
				copied.Content[i] = s.resolved(copied.Content[i], depth+1)
			}
		}
		return &copied
	}
	if m := reference.FindStringSubmatch(n.Value); m != nil {
		to := memberOf(s.variables, m[2])
		if m[1] == "parameters" {
			to = memberOf(memberOf(s.parameters, m[2]), "defaultValue")
		}
		if to != nil {
			return s.resolved(to, depth+1)
		}
	}
	if strings.HasPrefix(n.Value, "[[") {
		copied := *n
		copied.Value = n.Value[1:]
		return &copied
	}
	return n
}

// memberOf returns the value of a key of a mapping, without regard to case as the
// manager has none, or nil.
func memberOf(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	if n = resolve(n); n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if strings.EqualFold(n.Content[i].Value, key) {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

func textOf(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
