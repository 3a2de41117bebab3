package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pushback/detect/kql"
	"pushback/detect/rule"
	"pushback/detect/suggest"
)

// nearestColumn says which column of a table was meant, if that is clear.
func nearestColumn(name string, schema kql.Schema) string {
	names := make([]string, len(schema))
	for i, c := range schema {
		names[i] = c.Name
	}
	if best := suggest.Nearest(name, names); best != "" {
		return fmt.Sprintf(": did you mean %s?", best)
	}
	return ""
}

// initCases writes a first case for the rule of a file into the file of cases beside
// it.
func initCases(path string, more []string, out io.Writer) error {
	if path == "" || len(more) > 0 {
		return usageError{errors.New("--init takes one rule file: handler test --init RULE")}
	}
	if slices.Contains(rule.ShippedNames(), path) {
		return usageError{fmt.Errorf("--init %s: the shipped rules have their cases: give the file of a rule", path)}
	}
	if isAbsent(path) {
		return usageError{fmt.Errorf("--init %s: there is no such file: give the file of a rule", path)}
	}
	loaded, err := loadRules(path, true)
	if err != nil {
		return err
	}
	if len(loaded.rules) != 1 || loaded.rules[0].File != path {
		return usageError{fmt.Errorf("--init %s: give the file of one rule, and no folder", path)}
	}
	r := loaded.rules[0]
	to, found := rule.TestFile(path)
	if found {
		return fmt.Errorf("--init %s: there is %s already: add to that", path, to)
	}
	text, err := firstCase(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("--init %s: %s: %w", path, to, withoutPath(err))
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("--init %s: %s: %w", path, to, withoutPath(err))
	}
	_, err = fmt.Fprintf(out, "%s has a first case: fill in what says TODO, and run handler test %s\n", to, path)
	return err
}

// firstCase writes a case of a rule: for each table a record with the columns that the
// query reads, and an alert with what the rule says of it.
func firstCase(r *rule.Rule) (string, error) {
	tables := ruleTables([]*rule.Rule{r})
	reads := map[string][]string{}
	if s, err := kql.Check(r.Query.Text, kql.KnownTables()); err == nil && !s.Open {
		reads = s.Reads
		tables = slices.Sorted(maps.Keys(reads))
	}
	if len(tables) == 0 {
		tables = []string{"TODO_CL"}
	}
	logs := yamlMapping()
	for _, table := range tables {
		record := yamlMapping("TimeGenerated", "2026-01-15T09:10:00Z")
		for _, column := range reads[table] {
			if column != "TimeGenerated" && !strings.HasPrefix(column, "_") {
				yamlAdd(record, column, todo(kql.KnownTables()[table], column))
			}
		}
		if len(reads[table]) == 0 {
			yamlAdd(record, "TODO", yamlText("TODO"))
		}
		yamlAdd(logs, table, yamlList(record))
	}
	expected := yamlMapping("title", "TODO")
	if format := r.AlertDetails.DisplayNameFormat; format.IsZero() {
		expected = yamlMapping("title", r.Name)
	} else if columns := format.Columns(); len(columns) > 0 {
		text := format.Text
		for _, c := range columns {
			text = strings.ReplaceAll(text, c, "TODO")
		}
		expected = yamlMapping("title", strings.NewReplacer("{{", "", "}}", "").Replace(text))
	}
	yamlAdd(expected, "severity", yamlText(r.Severity.String()))
	entities := &yaml.Node{Kind: yaml.SequenceNode}
	for _, m := range r.EntityMappings {
		fields := yamlMapping()
		for _, f := range m.FieldMappings {
			yamlAdd(fields, f.Identifier, yamlText("TODO"))
		}
		fields.Style = yaml.FlowStyle
		entity := yamlMapping()
		yamlAdd(entity, m.EntityType, fields)
		entities.Content = append(entities.Content, entity)
	}
	if len(entities.Content) > 0 {
		yamlAdd(expected, "entities", entities)
	}
	if len(r.CustomDetails) > 0 {
		details := yamlMapping()
		for _, d := range r.CustomDetails {
			yamlAdd(details, d.Name, yamlText("TODO"))
		}
		yamlAdd(expected, "details", details)
	}
	fires := yamlMapping("name", "TODO: what makes the rule fire")
	yamlAdd(fires, "logs", logs)
	yamlAdd(fires, "expect", yamlList(expected))
	root := yamlMapping()
	yamlAdd(root, "tests", yamlList(fires))
	var sb strings.Builder
	encoder := yaml.NewEncoder(&sb)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return "", err
	}
	return fmt.Sprintf("# Cases of %s. Fill in what says TODO, and leave out what does not matter; a case with expect: nothing says what the rule lets pass.\n",
		strings.ReplaceAll(r.Name, "\n", " ")) + sb.String(), encoder.Close()
}

// todo is a value of a column's type for somebody to fill in.
func todo(schema kql.Schema, column string) *yaml.Node {
	for _, c := range schema {
		if c.Name != column {
			continue
		}
		value := &yaml.Node{Kind: yaml.ScalarNode, LineComment: "TODO"}
		switch c.Type {
		case kql.Bool:
			value.Tag, value.Value = "!!bool", "false"
		case kql.Int, kql.Long, kql.Real, kql.Decimal:
			value.Tag, value.Value = "!!int", "0"
		case kql.DateTime:
			value.Value = "2026-01-15T09:10:00Z"
		case kql.TimeSpan:
			value.Tag, value.Value = "!!str", "00:00:00"
		case kql.GUID:
			value.Value = "00000000-0000-0000-0000-000000000000"
		case kql.Dynamic:
			value = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, LineComment: "TODO"}
		default:
			return yamlText("TODO")
		}
		return value
	}
	return yamlText("TODO")
}

func yamlText(text string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(text)
	return n
}

func yamlList(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// mapping returns a mapping of keys to texts, in pairs.
func yamlMapping(pairs ...string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for i := 0; i+1 < len(pairs); i += 2 {
		yamlAdd(n, pairs[i], yamlText(pairs[i+1]))
	}
	return n
}

func yamlAdd(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, yamlText(key), value)
}
