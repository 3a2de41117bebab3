package rule

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
)

// guidIn finds GUIDs in names and paths of resources.
var guidIn = regexp.MustCompile(`[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`)

// collector finds the rules in a document, in the forms in which they are exported:
// a rule by itself, a resource of the API or of a template with its properties, a
// custom detection rule of Defender, and lists of all those.
type collector struct {
	reader
	rules []found
	other []string // what else there is, in the order in which it was found
}

// found is a mapping with the keys of a rule in YAML. Its values are the nodes of the
// document, so that they have their places.
type found struct {
	node     *yaml.Node
	defender bool // Sentinel's limits are not its
	retimed  bool // its query names the column of time as Defender does
}

// maxCollectDepth is how deep a document is searched for lists of rules.
const maxCollectDepth = 8

// document looks through a document.
func (c *collector) document(root *yaml.Node) {
	if get(root, "resources") != nil {
		c.template(root)
		return
	}
	c.search(root, "", 0)
}

// search looks for rules in a value that a key has.
func (c *collector) search(n *yaml.Node, under string, depth int) {
	n = resolve(n)
	if depth > maxCollectDepth {
		return
	}
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			if item = resolve(item); item.Kind == yaml.MappingNode {
				c.search(item, under, depth+1)
			}
		}
	case n.Kind != yaml.MappingNode:
	case get(n, "queryCondition") != nil:
		c.detection(n)
	case isResource(n):
		c.resource(n, nil)
	case contentNoun(n) != "":
		c.other = append(c.other, contentNoun(n))
	case get(n, "query") != nil && (!isHunting(n) || get(n, "name") != nil || get(n, "displayName") != nil):
		c.plain(n, under)
	default:
		for i := 0; i+1 < len(n.Content); i += 2 {
			c.search(n.Content[i+1], resolve(n.Content[i]).Value, depth+1)
		}
	}
}

// plain takes a mapping that has its keys beside each other, as the rules in YAML do.
func (c *collector) plain(n *yaml.Node, under string) {
	if isHunting(n) || strings.EqualFold(under, "hunting") {
		c.other = append(c.other, "hunting query")
		return
	}
	if isPowerShell(n) {
		n = fromPowerShell(n, 0)
	}
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	var id *yaml.Node
	display := get(n, "displayName")
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		switch {
		case key.Value == "id":
			id = value
			continue
		case key.Value == "name" && display != nil && guidIn.MatchString(value.Value):
			continue // that of the resource, which the id has too
		case resourceKeys[key.Value] && display != nil:
			continue
		}
		m.Content = append(m.Content, n.Content[i], n.Content[i+1])
	}
	if get(n, "kind") == nil && strings.EqualFold(under, kindNames[NRT]) {
		set(m, "kind", textNode(n, kindNames[NRT]))
	}
	switch {
	case isNull(id) && display != nil:
		c.setID(m, n, get(n, "name"), display)
	case id != nil && id.Kind == yaml.ScalarNode && strings.Contains(id.Value, "/"):
		c.setID(m, id, id)
	case id != nil:
		set(m, "id", id)
	}
	c.rules = append(c.rules, found{node: m})
}

// resourceKeys are those of a resource that say nothing of the rule in it.
var resourceKeys = map[string]bool{"apiVersion": true, "resourceGroup": true, "systemData": true, "location": true, "dependsOn": true, "scope": true}

// setID gives a rule the GUID that is in one of some names, the first that has one.
// Without any, its id is made of the expression that a name is, or is the last part
// of the last name that is there.
func (c *collector) setID(m, at *yaml.Node, names ...*yaml.Node) {
	last, expression := "", ""
	for _, n := range names {
		if isNull(n) || n.Kind != yaml.ScalarNode {
			continue
		}
		if guids := guidIn.FindAllString(n.Value, -1); len(guids) > 0 {
			set(m, "id", scalarAt(n, guids[len(guids)-1]))
			return
		}
		if parts := strings.Split(strings.TrimRight(n.Value, "/"), "/"); !isExpression(n) {
			at, last = n, parts[len(parts)-1]
		} else if expression == "" {
			expression = n.Value
		}
	}
	switch {
	case expression != "": // such as guid(...), which a deployment works out
		set(m, "id", scalarAt(at, alert.NewGUID("template", expression)))
	case last != "":
		set(m, "id", scalarAt(at, last))
	}
}

// isResource reports whether a mapping is a resource with its properties.
func isResource(n *yaml.Node) bool {
	properties := get(n, "properties")
	return properties != nil && properties.Kind == yaml.MappingNode && (get(n, "type") != nil || get(n, "kind") != nil || get(properties, "query") != nil)
}

// resource takes a resource of the API or, with its expressions, of a template.
func (c *collector) resource(n *yaml.Node, t *template) {
	properties := get(n, "properties")
	typ := ""
	if value := get(n, "type"); value != nil {
		typ = strings.ToLower(value.Value)
	}
	isRule := strings.HasSuffix(typ, "/alertrules") || strings.HasSuffix(typ, "/alertruletemplates")
	if typ == "" {
		isRule = get(properties, "query") != nil && !isHunting(properties)
	}
	if !isRule {
		if noun := resourceNoun(typ, properties); noun != "" {
			c.other = append(c.other, noun)
		}
		return
	}
	kind := get(n, "kind")
	if kind == nil {
		kind = get(properties, "kind")
	}
	if t != nil && kind != nil {
		kind = t.resolve(kind)
	}
	if kind != nil {
		if other, ok := canonical(kind.Value, otherKinds); ok {
			c.other = append(c.other, other+" rule")
			return
		}
	}

	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: n.Line, Column: n.Column}
	ok := true
	for i := 0; i+1 < len(properties.Content); i += 2 {
		key, value := properties.Content[i], resolve(properties.Content[i+1])
		name := resolve(key).Value
		if name == "kind" || name == "id" {
			continue
		}
		if t != nil {
			value = t.resolve(value)
			if open := t.open(value); open != nil {
				switch {
				case mattering[name]:
					c.errorf(open, "%s holds the expression %q, which only a deployment can work out: write the value, or give the parameter a defaultValue", name, clip(open.Value))
					ok = false
					continue
				case leftAlone[name]:
				default:
					c.warnf(open, "%s holds the expression %q, which only a deployment can work out, and is ignored", name, clip(open.Value))
					continue
				}
			}
		}
		if name == "templateVersion" && get(properties, "version") == nil {
			key = scalarAt(key, "version")
		}
		m.Content = append(m.Content, key, value)
	}
	if kind != nil {
		set(m, "kind", kind)
	}
	names := []*yaml.Node{get(n, "name"), get(n, "id"), get(properties, "displayName")}
	if t != nil {
		for i, name := range names {
			if name != nil {
				names[i] = t.resolve(name)
			}
		}
	}
	c.setID(m, n, names...)
	if ok {
		c.rules = append(c.rules, found{node: m})
	}
}

// mattering are the keys that a rule does not run rightly without, and leftAlone those
// whose value may be anything.
var (
	mattering = map[string]bool{
		"kind": true, "severity": true, "query": true, "queryFrequency": true, "queryPeriod": true, "triggerOperator": true, "triggerThreshold": true,
		"suppressionEnabled": true, "suppressionDuration": true, "entityMappings": true, "sentinelEntitiesMappings": true, "customDetails": true,
		"alertDetailsOverride": true, "eventGroupingSettings": true, "incidentConfiguration": true,
	}
	leftAlone = map[string]bool{"displayName": true, "description": true, "alertRuleTemplateName": true, "version": true}
)

// isHunting reports whether a mapping with a query is a hunting query: it has none
// of what schedules a rule.
func isHunting(n *yaml.Node) bool {
	for _, key := range []string{"severity", "queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold"} {
		if get(n, key) != nil {
			return false
		}
	}
	if kind := get(n, "kind"); kind != nil {
		_, ok := canonical(kind.Value, kindNames)
		return !ok
	}
	return true
}

// resourceNoun says what a resource is that is no rule, or nothing if that says
// nothing to whoever looks for rules.
func resourceNoun(typ string, properties *yaml.Node) string {
	last := typ[strings.LastIndexByte(typ, '/')+1:]
	switch last {
	case "savedsearches":
		if get(properties, "functionAlias") != nil {
			return "saved function"
		}
		return "hunting query"
	case "watchlists":
		return "watchlist"
	case "automationrules":
		return "automation rule"
	case "workflows":
		return "playbook"
	case "workbooks":
		return "workbook"
	case "dataconnectors", "dataconnectordefinitions":
		return "data connector"
	}
	if typ == "" && get(properties, "watchlistAlias") != nil {
		return "watchlist"
	}
	return ""
}

// contentNoun says what a mapping is that is published beside rules, or nothing.
func contentNoun(n *yaml.Node) string {
	switch {
	case get(n, "ParserQuery") != nil, get(n, "FunctionQuery") != nil, get(n, "FunctionName") != nil:
		return "saved function"
	case get(n, "watchlistAlias") != nil, get(n, "rawContent") != nil:
		return "watchlist"
	case get(n, "triggeringLogic") != nil:
		return "automation rule"
	case get(n, "detection") != nil && get(n, "logsource") != nil:
		return "Sigma rule"
	case get(n, "AnalysisType") != nil:
		return "Panther rule"
	case get(n, "search") != nil && (get(n, "how_to_implement") != nil || get(n, "known_false_positives") != nil):
		return "Splunk detection"
	case get(n, "graphQueries") != nil, get(n, "connectivityCriterias") != nil, get(n, "connectivityCriteria") != nil:
		return "data connector"
	case get(n, "version") != nil && strings.HasPrefix(get(n, "version").Value, "Notebook/"):
		return "workbook"
	}
	return ""
}

// skipped says what a document holds that is no rule, in words, or nothing.
func (c *collector) skipped() string {
	var nouns []string
	count := map[string]int{}
	for _, noun := range c.other {
		if count[noun]++; count[noun] == 1 {
			nouns = append(nouns, noun)
		}
	}
	parts := make([]string, len(nouns))
	for i, noun := range nouns {
		switch n := count[noun]; {
		case n > 1 && strings.HasSuffix(noun, "y"):
			parts[i] = fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
		case n > 1:
			parts[i] = fmt.Sprintf("%d %ss", n, noun)
		case strings.ContainsRune("aeiouAEIOU", rune(noun[0])):
			parts[i] = "an " + noun
		default:
			parts[i] = "a " + noun
		}
	}
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// get returns the value of a key of a mapping, which may have it by a merge key, or nil.
// The case of keys does not matter, as it does not to Azure.
func get(n *yaml.Node, key string) *yaml.Node { return getMerged(n, key, 0) }

func getMerged(n *yaml.Node, key string, depth int) *yaml.Node {
	n = resolve(n)
	if depth > maxCollectDepth {
		return nil
	}
	var merged []*yaml.Node
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			switch {
			case strings.EqualFold(resolve(n.Content[i]).Value, key):
				return resolve(n.Content[i+1])
			case isMerge(n.Content[i]):
				merged = append(merged, n.Content[i+1])
			}
		}
	case yaml.SequenceNode: // of a merge key
		if depth > 0 {
			merged = n.Content
		}
	}
	for _, m := range merged {
		if value := getMerged(m, key, depth+1); value != nil {
			return value
		}
	}
	return nil
}

// set adds a key to a mapping, placed where its value is.
func set(m *yaml.Node, key string, value *yaml.Node) {
	m.Content = append(m.Content, scalarAt(value, key), value)
}

// scalarAt returns a text in the place of a node.
func scalarAt(n *yaml.Node, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: n.Style & (yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle), Line: n.Line, Column: n.Column}
}

// textNode is scalarAt for a node that is no scalar.
func textNode(n *yaml.Node, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: n.Line, Column: n.Column}
}

// setList adds a key with a list to a mapping, if the list is not empty.
func setList(m *yaml.Node, key string, items []*yaml.Node) {
	if len(items) > 0 {
		m.Content = append(m.Content, scalarAt(items[0], key), &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: slices.Clone(items), Line: items[0].Line, Column: items[0].Column})
	}
}

// mapOf returns a mapping in the place of a node.
func mapOf(at *yaml.Node, keysAndValues ...any) *yaml.Node {
	m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: at.Line, Column: at.Column}
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		m.Content = append(m.Content, scalarAt(at, keysAndValues[i].(string)), keysAndValues[i+1].(*yaml.Node))
	}
	return m
}
