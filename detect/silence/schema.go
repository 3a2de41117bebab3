package silence

import (
	"encoding/json"
	"strings"
	"unicode"

	"pushback/detect/alert"
)

// Schema returns the JSON schema of files of silences.
func Schema() ([]byte, error) {
	text := func(description string, more ...map[string]any) map[string]any {
		s := map[string]any{"type": "string", "pattern": `\S`, "description": description}
		for _, m := range more {
			for k, v := range m {
				s[k] = v
			}
		}
		return s
	}
	texts := func(description string, more ...map[string]any) map[string]any {
		// YAML reads some texts as numbers and as truth.
		one := map[string]any{"type": []string{"string", "number", "boolean"}, "pattern": `\S`}
		for _, m := range more {
			for k, v := range m {
				one[k] = v
			}
		}
		return map[string]any{"description": description, "anyOf": []any{one, map[string]any{"type": "array", "minItems": 1, "items": one}}}
	}
	moment := func(description string) map[string]any {
		return text(description, map[string]any{"pattern": `^\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?\s*$`})
	}
	var severities, kinds, compromising []string
	for s := alert.Informational; s <= alert.High; s++ {
		severities = append(severities, s.String())
	}
	for _, k := range alert.FindingKinds() {
		if k.Compromises() {
			compromising = append(compromising, string(k))
		} else {
			kinds = append(kinds, string(k))
		}
	}
	severity := map[string]any{
		"description": "The highest severity that it holds back: Medium unless this says otherwise.",
		"anyOf":       []any{map[string]any{"enum": severities}, map[string]any{"type": "string", "pattern": anyCase(severities)}},
	}
	values := []any{
		map[string]any{"required": []string{"value"}}, map[string]any{"required": []string{"exactly"}}, map[string]any{"required": []string{"cidr"}},
	}
	matcher := map[string]any{
		"type": "object", "additionalProperties": false,
		"properties": map[string]any{
			"entity":     text("The type of an entity, such as Account or IP."),
			"identifier": text("The identifier of it, such as FullName or Address."),
			"detail":     text("The name of a custom detail."),
			"finding": map[string]any{"description": "A kind of finding that the alert must have, Pushback's or one that its rule brings.",
				"anyOf": []any{map[string]any{"enum": kinds}, map[string]any{"pattern": `^[a-z0-9]+(-[a-z0-9]+)*$`, "not": map[string]any{"enum": compromising}}}},
			"value":   texts("A value, or several of which each may stand there. A * stands for any text."),
			"exactly": texts("The same, in which a * stands for itself."),
			"cidr":    texts("A range of addresses, such as 203.0.113.0/24.", map[string]any{"type": "string"}),
		},
		"oneOf": []any{
			map[string]any{"required": []string{"entity", "identifier"}, "anyOf": values, "not": map[string]any{"anyOf": []any{map[string]any{"required": []string{"detail"}}, map[string]any{"required": []string{"finding"}}}}},
			map[string]any{"required": []string{"detail"}, "anyOf": values, "not": map[string]any{"anyOf": []any{map[string]any{"required": []string{"entity"}}, map[string]any{"required": []string{"identifier"}}, map[string]any{"required": []string{"finding"}}}}},
			map[string]any{"required": []string{"finding"}, "maxProperties": 1},
		},
	}
	one := map[string]any{
		"type": "object", "additionalProperties": false,
		"required": []string{"id", "match", "reason", "by"},
		"anyOf":    []any{map[string]any{"required": []string{"until"}}, map[string]any{"required": []string{"review"}}},
		"properties": map[string]any{
			"id":          text("A short name of its own.", map[string]any{"pattern": idForm().String()}),
			"rules":       texts("Ids, names or shipped names of rules. Without it all rules.", map[string]any{"maxLength": mostLength}),
			"match":       map[string]any{"type": "array", "minItems": 1, "maxItems": mostMatchers, "items": matcher, "description": "Matchers that must all hold, for every row of an alert."},
			"maxSeverity": severity,
			"from":        moment("When the activity begins that it is about."),
			"until":       moment("When the activity ends that it is about, exclusive."),
			"review":      moment("The day on which somebody looks at it again."),
			"hours":       texts("Hours of the week, such as Tue 08:00-12:00 Europe/Berlin.", map[string]any{"type": "string"}),
			"reason":      text("Why, with the ticket if there is one.", map[string]any{"maxLength": mostReason}),
			"by":          text("Who answers for it.", map[string]any{"maxLength": mostBy}),
		},
	}
	schema := map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", // which editors read best
		"title":   "Pushback silences", "description": "Exceptions that hold alerts back for a reason and a time.",
		"type": "object", "additionalProperties": false,
		"properties": map[string]any{"silences": map[string]any{"type": []string{"array", "null"}, "maxItems": MostSilences, "items": one}},
		"required":   []string{"silences"},
	}
	out, err := json.MarshalIndent(schema, "", "  ")
	return append(out, '\n'), err
}

// anyCase is a pattern of texts that are one of the names in any case.
func anyCase(names []string) string {
	patterns := make([]string, len(names))
	for i, name := range names {
		for _, r := range name {
			patterns[i] += "[" + string(unicode.ToUpper(r)) + string(unicode.ToLower(r)) + "]"
		}
	}
	return `^\s*(` + strings.Join(patterns, "|") + `)\s*$`
}
