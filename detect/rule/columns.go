package rule

import "fmt"

// ColumnUse is one place where a rule names a column of its query's result.
type ColumnUse struct {
	Column string
	Use    string // what for, such as "entityMappings Account.FullName"
	Line   int    // in the rule's file, from 1; 0 in a rule that was not read from a file
	Col    int    // from 1, in characters
}

// Columns returns every place where the rule names a column, in the order of
// Rule's fields. A column that is named twice is returned twice.
func (r *Rule) Columns() []ColumnUse {
	var uses []ColumnUse
	add := func(column, use, path string) {
		if column == "" {
			return
		}
		at := r.at[path]
		uses = append(uses, ColumnUse{Column: column, Use: use, Line: at.line, Col: at.column})
	}

	for i, m := range r.EntityMappings {
		for j, f := range m.FieldMappings {
			add(f.Column, "entityMappings "+m.EntityType+"."+f.Identifier, entityPath(i, j))
		}
	}
	for i, c := range r.EntityColumns {
		add(c, "sentinelEntitiesMappings", fmt.Sprintf(entityColumnPath, i))
	}
	for i, d := range r.CustomDetails {
		add(d.Column, "customDetails "+d.Name, customDetailPath(i))
	}

	const override = "alertDetailsOverride "
	d := r.AlertDetails
	for i, c := range d.DisplayNameFormat.Columns() {
		add(c, override+displayNameKey, formatPath(displayNameKey, i))
	}
	for i, c := range d.DescriptionFormat.Columns() {
		add(c, override+descriptionKey, formatPath(descriptionKey, i))
	}
	add(d.TacticsColumn, override+tacticsColumnKey, tacticsColumnKey)
	add(d.SeverityColumn, override+severityColumnKey, severityColumnKey)
	for i, p := range d.DynamicProperties {
		add(p.Column, override+p.Property, dynamicPropertyPath(i))
	}

	for i, c := range r.Identity {
		add(c, "pushback identity", fmt.Sprintf(identityPath, i))
	}
	for i, c := range r.Events {
		add(c, "pushback events", fmt.Sprintf(eventsPath, i))
	}
	r.Card.columns(add)
	return uses
}

// The keys that columns are found under, and the paths of what has no key of
// its own.
const (
	displayNameKey    = "alertDisplayNameFormat"
	descriptionKey    = "alertDescriptionFormat"
	tacticsColumnKey  = "alertTacticsColumnName"
	severityColumnKey = "alertSeverityColumnName"
	entityColumnPath  = "sentinelEntitiesMappings %d"
	identityPath      = "identity %d"
	eventsPath        = "events %d"
)

func entityPath(i, j int) string          { return fmt.Sprintf("entityMappings %d %d", i, j) }
func customDetailPath(i int) string       { return fmt.Sprintf("customDetails %d", i) }
func formatPath(key string, i int) string { return fmt.Sprintf("%s %d", key, i) }
func dynamicPropertyPath(i int) string    { return fmt.Sprintf("alertDynamicProperties %d", i) }
