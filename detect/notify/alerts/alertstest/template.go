package alertstest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pushback/detect/notify/alerts"
	"pushback/detect/rule"
	"pushback/infra/biceptest"
)

// Template is what the Bicep of the alerts compiles to.
type Template struct {
	Text      []byte
	variables map[string]any
	resources map[string]map[string]any
}

// ReadTemplate returns the template, or skips the test without the compiler.
func ReadTemplate(t testing.TB) *Template {
	t.Helper()
	c := biceptest.Need(t)
	text, _, err := c.Build(filepath.Join(c.Root, "infra", "modules", "sentinel-alerts.bicep"))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Variables map[string]any
		Resources map[string]map[string]any // by symbolic names
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return &Template{Text: text, variables: read.Variables, resources: read.Resources}
}

var variable = regexp.MustCompile(`^\[variables\('([^']+)'\)\]$`)
var formatted = regexp.MustCompile(`^\[format\('([^']*)', variables\('([^']+)'\)\)\]$`)

// Resolved returns a value with the references to variables replaced.
func (t *Template) Resolved(value any) any {
	switch value := value.(type) {
	case string:
		if m := variable.FindStringSubmatch(value); m != nil {
			return t.Resolved(t.variables[m[1]])
		}
		if m := formatted.FindStringSubmatch(value); m != nil {
			return strings.ReplaceAll(m[1], "{0}", fmt.Sprint(t.Resolved(t.variables[m[2]])))
		}
	case []any:
		list := make([]any, len(value))
		for i := range value {
			list[i] = t.Resolved(value[i])
		}
		return list
	case map[string]any:
		members := map[string]any{}
		for name, v := range value {
			members[fmt.Sprint(t.Resolved(name))] = t.Resolved(v)
		}
		return members
	}
	return value
}

// Properties returns the properties of the resources of a type.
func (t *Template) Properties(kind string) (list []map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		if r := t.resources[name]; r["type"] == kind {
			p, _ := t.Resolved(r["properties"]).(map[string]any)
			list = append(list, p)
		}
	}
	return list
}

// EntitiesColumn returns the column from which the analytics rules take all
// entities.
func (t *Template) EntitiesColumn(tb testing.TB) string {
	tb.Helper()
	column := ""
	for _, p := range t.Properties("Microsoft.SecurityInsights/alertRules") {
		var mappings []struct {
			EntityType    string
			FieldMappings []struct{ Identifier, ColumnName string }
		}
		text, err := json.Marshal(p["entityMappings"])
		if err == nil {
			err = json.Unmarshal(text, &mappings)
		}
		if err != nil || len(mappings) != 1 || mappings[0].EntityType != "SentinelEntities" || len(mappings[0].FieldMappings) != 1 || mappings[0].FieldMappings[0].Identifier != "Entities" {
			tb.Fatalf("the entity mappings are %v: %v", p["entityMappings"], err)
		}
		column = mappings[0].FieldMappings[0].ColumnName
	}
	return column
}

// Streams returns the streams of the data collection rule with their columns.
func (t *Template) Streams() map[string][]alerts.Column {
	streams := map[string][]alerts.Column{}
	for _, p := range t.Properties("Microsoft.Insights/dataCollectionRules") {
		declared, _ := p["streamDeclarations"].(map[string]any)
		for name, stream := range declared {
			s, _ := stream.(map[string]any)
			streams[name] = columnsOf(s["columns"])
		}
	}
	return streams
}

// Table returns the name and the columns of the table.
func (t *Template) Table() (name string, columns []alerts.Column) {
	for _, p := range t.Properties("Microsoft.OperationalInsights/workspaces/tables") {
		schema, _ := p["schema"].(map[string]any)
		name, _ = schema["name"].(string)
		columns = columnsOf(schema["columns"])
	}
	return name, columns
}

func columnsOf(value any) (columns []alerts.Column) {
	text, err := json.Marshal(value)
	if err == nil {
		err = json.Unmarshal(text, &columns)
	}
	if err != nil {
		panic(err)
	}
	return columns
}

// Rules returns the analytics rules.
func (t *Template) Rules(tb testing.TB) []*rule.Rule {
	tb.Helper()
	rules, problems := rule.ParseAll("sentinel-alerts.json", t.Text)
	for _, p := range problems {
		if !p.Warning { // an id that is made in the deployment
			tb.Errorf("%s", p)
		}
	}
	if len(rules) != 2 {
		tb.Fatalf("%d rules in the template", len(rules))
	}
	return rules
}
