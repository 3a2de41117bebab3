package rule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Schema returns the JSON schema of rule files. It is drawn by the parser itself,
// which runs over places instead of values and notes what it would read there: what
// the one refuses as an error the other does too.
func Schema() ([]byte, error) {
	d := newDrawing()
	root := d.node()
	p := &parser{reader: reader{draw: d, at: map[string]position{}}, rule: &Rule{}}
	p.read(root)
	return d.write(root, "Pushback rule", "A scheduled analytics rule in Microsoft Sentinel's YAML, with Pushback's own keys under pushback.")
}

// CaseSchema returns the JSON schema of files of cases, drawn likewise.
func CaseSchema() ([]byte, error) {
	d := newDrawing()
	root := d.node()
	c := newCaseReader("", nil)
	c.draw = d
	c.file(root)
	return d.write(root, "Pushback cases", "Cases of the rule in the file of the same name without .test.")
}

// drawing is a schema that a reader draws. Its nodes stand for values.
type drawing struct{ shapes map[*yaml.Node]*shape }

func newDrawing() *drawing { return &drawing{shapes: map[*yaml.Node]*shape{}} }

// shape is what may stand at a place.
type shape struct {
	types       []string
	enum        []string
	pattern     string
	description string

	properties map[string]*shape
	needed     []string
	closed     bool
	others     *shape // of the keys that have no property
	items      *shape
	mostKeys   int // 0 for any number

	alternatives []*shape
	rules        []map[string]any // that hold beside
}

// node returns a node of its own. It looks like a text to code that asks.
func (d *drawing) node() *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str"}
	d.shapes[n] = &shape{}
	return n
}

func (d *drawing) mapping(n *yaml.Node, what string, fields map[string]field, closed bool) map[string]*yaml.Node {
	s := d.shapes[n]
	s.types, s.properties, s.closed = []string{"object"}, map[string]*shape{}, closed
	set := map[string]*yaml.Node{}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := d.node()
		set[key], s.properties[key] = value, d.shapes[value]
		d.shapes[value].description = descriptions[strings.TrimPrefix(what+"."+key, ".")]
		if fields[key] != nil {
			fields[key](value)
		}
	}
	return set
}

func (d *drawing) pairs(n *yaml.Node, each func(key string, keyNode, value *yaml.Node)) {
	value := d.node()
	d.shapes[n].types, d.shapes[n].others = []string{"object"}, d.shapes[value]
	each("", d.node(), value)
}

func (d *drawing) list(n *yaml.Node, each func(i int, item *yaml.Node)) {
	item := d.node()
	d.shapes[n].types, d.shapes[n].items = []string{"array"}, d.shapes[item]
	each(0, item)
}

func (d *drawing) anyOf(n *yaml.Node, alternatives []alternative) {
	for _, a := range alternatives {
		one := d.node()
		d.shapes[n].alternatives = append(d.shapes[n].alternatives, d.shapes[one])
		a.read(one)
	}
}

// oneOf draws a mapping that has one of some keys.
func (d *drawing) oneOf(n *yaml.Node, keys ...string) {
	var each []any
	for _, key := range keys {
		each = append(each, map[string]any{"required": []string{key}, "not": map[string]any{"properties": map[string]any{key: map[string]any{"type": "null"}}}})
	}
	d.shapes[n].rules = append(d.shapes[n].rules, map[string]any{"oneOf": each})
}

func (d *drawing) required(n *yaml.Node, key string) {
	d.shapes[n].needed = append(d.shapes[n].needed, key)
}

// text is any single value, unless more was said of it before.
func (d *drawing) text(n *yaml.Node) {
	if s := d.shapes[n]; len(s.types) == 0 && len(s.enum) == 0 && s.pattern == "" {
		s.types, s.pattern = []string{"string", "number", "boolean"}, `\S`
	}
}

// optionalText is any single value that may be empty, unless more was said of it before.
func (d *drawing) optionalText(n *yaml.Node) {
	if s := d.shapes[n]; len(s.types) == 0 && len(s.enum) == 0 && s.pattern == "" {
		s.types = []string{"string", "number", "boolean"}
	}
}

func (d *drawing) truth(n *yaml.Node) {
	d.shapes[n].alternatives = []*shape{{types: []string{"boolean"}}, {types: []string{"string"}, pattern: anyCase("true", "false")}}
}

// drawing reports whether the reader draws what it would read.
func (r *reader) drawing() bool { return r.draw != nil }

// like draws a text that matches a pattern; while values are read it does nothing.
func (r *reader) like(n *yaml.Node, pattern string) {
	if !r.drawing() {
		return
	}
	s := r.draw.shapes[n]
	s.types, s.pattern = []string{"string"}, pattern
	if regexp.MustCompile(pattern).MatchString("7") { // YAML reads it as a number
		s.types = append(s.types, "integer")
	}
}

// among draws one of some names in any case; while values are read it does nothing.
func (r *reader) among(n *yaml.Node, names []string) {
	if r.drawing() {
		r.draw.shapes[n].enum = append(r.draw.shapes[n].enum, names...)
	}
}

// noMoreKeys draws a mapping of at most so many keys; while values are read it does
// nothing.
func (r *reader) noMoreKeys(n *yaml.Node, most int) {
	if r.drawing() {
		r.draw.shapes[n].mostKeys = most
	}
}

// shorterThan draws a text of at most so many characters, without the space around it;
// while values are read it does nothing.
func (r *reader) shorterThan(n *yaml.Node, most int) {
	r.like(n, fmt.Sprintf(`^\s*\S([\s\S]{0,%d}\S)?\s*$`, most-2))
}

// anything draws any value, or any of some types, and reports whether it did.
func (r *reader) anything(n *yaml.Node, types ...string) bool {
	if r.drawing() {
		r.draw.shapes[n].types = types
	}
	return r.drawing()
}

// anyCase is a pattern of texts that are one of the names in any case, as JSON
// schema can say it.
func anyCase(names ...string) string {
	patterns := make([]string, len(names))
	for i, name := range names {
		var sb strings.Builder
		for _, r := range name {
			if lower, upper := unicode.ToLower(r), unicode.ToUpper(r); lower != upper {
				sb.WriteString("[" + string(upper) + string(lower) + "]")
			} else {
				sb.WriteString(regexp.QuoteMeta(string(r)))
			}
		}
		patterns[i] = sb.String()
	}
	return `^\s*(` + strings.Join(patterns, "|") + `)\s*$`
}

// write returns the schema of a root.
func (d *drawing) write(root *yaml.Node, title, description string) ([]byte, error) {
	schema := d.shapes[root].schema(false)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#" // which editors read best
	schema["title"], schema["description"] = title, description
	out, err := json.MarshalIndent(schema, "", "  ")
	return append(out, '\n'), err
}

// schema returns a shape as JSON schema. A value that may be missing may be null.
func (s *shape) schema(optional bool) map[string]any {
	out := map[string]any{}
	types := slices.Clone(s.types)
	if optional && len(types) > 0 {
		types = append(types, "null")
	}
	switch len(types) {
	case 0:
	case 1:
		out["type"] = types[0]
	default:
		out["type"] = types
	}
	if s.pattern != "" {
		out["pattern"] = s.pattern
	}
	if slices.Contains(types, "integer") {
		out["minimum"] = 0
	}
	if s.mostKeys > 0 {
		out["maxProperties"] = s.mostKeys
	}
	if s.properties != nil {
		properties := map[string]any{}
		for key, value := range s.properties {
			properties[key] = value.schema(!slices.Contains(s.needed, key))
		}
		out["properties"] = properties
		if s.closed {
			out["additionalProperties"] = false
		}
	}
	if len(s.needed) > 0 {
		out["required"] = slices.Sorted(slices.Values(s.needed))
	}
	if s.others != nil {
		out["additionalProperties"] = s.others.schema(false)
	}
	if s.items != nil {
		out["items"] = s.items.schema(false)
	}
	var anyOf []any
	if len(s.enum) > 0 {
		// The names are for an editor to offer, and the pattern takes any case.
		anyOf = append(anyOf, map[string]any{"enum": s.enum}, map[string]any{"type": "string", "pattern": anyCase(s.enum...)})
	}
	for _, a := range s.alternatives {
		anyOf = append(anyOf, a.schema(false))
	}
	if anyOf != nil {
		if optional {
			anyOf = append(anyOf, map[string]any{"type": "null"})
		}
		out["anyOf"] = anyOf
	}
	if len(s.rules) > 0 {
		out["allOf"] = s.rules
	}
	if s.description != "" {
		out["description"] = s.description
	}
	return out
}

// mustHave draws what [parser.checkRequired] checks of a rule.
func (d *drawing) mustHave(root *yaml.Node, always, scheduled []requirement) {
	s := d.shapes[root]
	for _, r := range always {
		if r.key == "name" {
			s.rules = append(s.rules, map[string]any{"anyOf": []any{
				map[string]any{"required": []string{"name"}}, map[string]any{"required": []string{"displayName"}},
			}})
			continue
		}
		s.needed = append(s.needed, r.key)
	}
	var keys []string
	for _, r := range scheduled {
		keys = append(keys, r.key)
	}
	s.rules = append(s.rules,
		map[string]any{
			"if":   map[string]any{"properties": map[string]any{"kind": map[string]any{"type": "string", "pattern": anyCase(NRT.String())}}, "required": []string{"kind"}},
			"else": map[string]any{"required": keys},
		},
		map[string]any{
			"if":   map[string]any{"properties": map[string]any{"suppressionEnabled": map[string]any{"const": true}}, "required": []string{"suppressionEnabled"}},
			"then": map[string]any{"required": []string{"suppressionDuration"}},
		})
}

// identifiers draws which identifiers each type of entity has.
func (d *drawing) identifiers(n *yaml.Node) {
	for _, e := range entityTypes {
		identifier := map[string]any{"type": "string", "pattern": anyCase(e.identifiers...)}
		d.shapes[n].rules = append(d.shapes[n].rules, map[string]any{
			"if": map[string]any{"properties": map[string]any{"entityType": map[string]any{"type": "string", "pattern": anyCase(e.name)}}, "required": []string{"entityType"}},
			"then": map[string]any{"properties": map[string]any{"fieldMappings": map[string]any{"items": map[string]any{
				"properties": map[string]any{"identifier": identifier},
			}}}},
		})
	}
}

// identifierNames lists every identifier that some type of entity has.
func identifierNames() []string {
	var names []string
	for _, e := range entityTypes {
		names = append(names, e.identifiers...)
	}
	names = append(names, entitiesIdentifier)
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(a, b) })
	return slices.Compact(names)
}

// descriptions are what an editor shows of keys.
var descriptions = map[string]string{
	"id":                       "The rule's GUID. Give each rule one of its own.",
	"name":                     "What the rule finds, in a few words.",
	"displayName":              "What the rule finds, as the API calls it: the same as name.",
	"description":              "What the rule finds and why it matters.",
	"kind":                     "How the rule is scheduled. Scheduled is the default.",
	"severity":                 "The severity of the rule's alerts.",
	"enabled":                  "Whether the rule runs. It does unless this says false.",
	"queryFrequency":           "How often the rule runs, such as 1h or PT1H.",
	"queryPeriod":              "How far back each run looks, such as 1h or P1D; at least the frequency.",
	"triggerOperator":          "How the number of rows is compared with triggerThreshold.",
	"triggerThreshold":         "The number of rows to compare with, such as 0.",
	"tactics":                  "MITRE tactics.",
	"relevantTechniques":       "MITRE techniques, such as T1078 or T1078.004.",
	"query":                    "The KQL that the rule runs.",
	"entityMappings":           "Which columns of a row identify accounts, addresses, hosts and others.",
	"sentinelEntitiesMappings": "Which columns hold whole lists of entities as JSON, as Entities of SecurityAlert does.",
	"customDetails":            "Columns to show on the alert, each under a name.",
	"alertDetailsOverride":     "Texts and properties of the alert that come from its row.",
	"eventGroupingSettings":    "Whether each row is an alert or all rows of a run are one.",
	"suppressionEnabled":       "Whether the rule reports nothing for suppressionDuration after an alert.",
	"suppressionDuration":      "How long the rule reports nothing after an alert, such as 5h.",
	"incidentConfiguration":    "Whether alerts make incidents, and which alerts share one.",
	"pushback":                 "What only Pushback reads.",

	"eventGroupingSettings.aggregationKind": "AlertPerResult makes an alert of each row, SingleAlert one of all.",

	"pushback.identity":    "The columns whose values say whether two rows are the same activity, if those of the entity mappings should not.",
	"pushback.events":      "The columns that hold the ids of the single events of a row: an event is reported once.",
	"pushback.guidance":    "The https address of the page that says what to do about the rule's alerts.",
	"pushback.remediation": "What to do about the rule's alerts, in words.",
	"pushback.card":        "What the cards, the comments and the rows of the rule's alerts say, in the rule's words.",
	"pushback.story":       "The name of the story that the rule shares with others.",
	"pushback.followUp":    "Whether a sign-in afterwards updates the alert.",
	"pushback.tests":       "The rule's cases, which handler test runs.",
	"pushback.context":     "What is looked up about the entities of the rule's alerts, each by a query for all of them.",

	"context.name":        "What the context is called on alerts, in a word or two.",
	"context.query":       "The KQL. It can name Accounts, AccountIds, Addresses, Hosts, Urls, Hashes, From and To.",
	"context.queryFile":   "A file with the KQL, in the rule's folder or below it, instead of query.",
	"context.queryPeriod": "How far before the first alert the query looks, such as 30d, or window for what came since the window began. Without it as far as PUSHBACK_HISTORY says.",
	"context.key":         "The column of the result that says which entity a row is about.",
	"context.facts":       "Columns to show, each under a label.",
	"context.findings":    "What stands out where a column of a row is true.",

	"key.entity": "The type of the entity.",
	"key.column": "The column that holds the entity.",

	"findings of a context.kind":     "A name of its own, in small letters with dashes.",
	"findings of a context.when":     "The column that is true where it is found.",
	"findings of a context.text":     "What is found, with {{Column}} for values.",
	"findings of a context.severity": "The least severity of the alert, or +1 or -1 for a step.",

	"card.headline": "What an alert is called, with {{Column}} for the values of its row. The alert's title stays what alertDisplayNameFormat says.",
	"card.facts":    "Up to eight columns to show, each under a label.",
	"card.buttons":  "Up to three pages to open, each under a label: https addresses with {{Column}} behind the host, of which the values are percent-encoded.",
	"card.guidance": "What to do first, in at most 250 characters.",

	"tests":           "The rule's cases, which handler test runs.",
	"the case.name":   "What the case is about, in a few words.",
	"the case.logs":   "Records per table, or the path of a file, relative to this one.",
	"the case.at":     "The time of the one run that the case is about.",
	"the case.from":   "The start of the time that the rule runs over, window by window.",
	"the case.to":     "The end of the time that the rule runs over, exclusive.",
	"the case.expect": "nothing, a number of alerts, or a list of what must hold of each alert.",

	"expect.title":       "The alert's title, or contains with a part of it.",
	"expect.description": "The alert's description, or contains with a part of it.",
	"expect.severity":    "The alert's severity.",
	"expect.tactics":     "The alert's tactics, in any order.",
	"expect.techniques":  "The alert's techniques, in any order.",
	"expect.entities":    "Entities that the alert has, each under its type.",
	"expect.details":     "Custom details that the alert has, with all their values.",
	"expect.row":         "What columns of one of the alert's rows hold.",
	"expect.columns":     "The same as row.",
	"expect.rows":        "How many rows the alert has, or what columns of several hold.",
	"expect.findings":    "Findings of the alert's context: kinds, or parts of their texts.",
}
