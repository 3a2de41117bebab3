package detect

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/silence"
	"pushback/detect/workspace"
)

// builder makes alerts of what a rule found in a window.
type builder struct {
	rule    *rule.Rule
	table   *workspace.Table
	columns map[string]int // the index of every column that the rule names, or -1
	window  alert.Span
	now     time.Time
	texts   map[string]json.RawMessage // as JSON
	// silences are asked which of them cover an alert, if that matters, and covered has
	// the answers by the alert's id.
	silences *silence.Set
	covered  map[string]silence.Covering
	// left has, by the ids of alerts, the indexes of the rows that they are made whole of.
	left map[string][]int
	// weights are details that weigh, by what they say: many alerts share them.
	weights map[string][]alert.Detail
}

func newBuilder(r *rule.Rule, table *workspace.Table, window alert.Span, now time.Time) builder {
	table = &workspace.Table{Columns: table.Columns, Rows: slices.Clone(table.Rows)} // it lets go of some
	b := builder{rule: r, table: table, columns: map[string]int{}, window: window, now: now, texts: map[string]json.RawMessage{}, left: map[string][]int{}, weights: map[string][]alert.Detail{}}
	for _, use := range r.Columns() {
		b.columns[use.Column] = table.Column(use.Column)
	}
	return b
}

// alerts returns one alert per activity or one for all, as the rule groups
// them. Of those of one activity only the outline is there, and whole has the rest.
func (b builder) alerts(news found) []alert.Alert {
	n := len(news.activities)
	if n == 0 {
		return nil
	}
	if b.rule.Grouping == rule.SingleAlert {
		all := make([]foundActivity, n)
		for i := range all {
			all[i] = news.at(i)
		}
		a := b.alert(all)
		for _, rows := range news.rows { // the alert has what it shows of them
			for _, row := range rows {
				b.table.Rows[row] = nil
			}
		}
		return []alert.Alert{a}
	}
	alerts := make([]alert.Alert, n)
	for i := range alerts {
		alerts[i], _ = b.outline([]foundActivity{news.at(i)})
		b.left[alerts[i].ID] = news.rows[i]
	}
	return alerts
}

// whole returns an alert with what its outline lacks. Rows and texts of very many
// alerts take several times what the result does: so each has them only while it is
// recorded.
func (b builder) whole(a alert.Alert) alert.Alert {
	if indexes, ok := b.left[a.ID]; ok {
		rows := make([][]any, len(indexes))
		for i, row := range indexes {
			rows[i] = b.table.Rows[row]
		}
		b.fill(&a, rows)
	}
	return a
}

// fill gives an alert what its outline lacks.
func (b builder) fill(a *alert.Alert, rows [][]any) {
	shown := rows[:min(len(rows), mostAlertRows)]
	a.Rows, a.CustomDetails = b.rows(shown), b.customDetails(shown)
	a.Description, _ = b.description(rows)
}

// remediationProperty is the property of an alert that says what to do about it.
const remediationProperty = "RemediationSteps"

// mostAlertRows is how many rows an alert shows, and has the entities and details
// of. An analyst reads no more, and 100,000 do not fit a small instance.
const mostAlertRows = 1000

// alert returns the alert about activities. Where it is about several rows, its
// entities and details are those of the first mostAlertRows, its tactics those of
// all, its severity is the highest, and its texts and other properties are of the
// first row that has them.
func (b builder) alert(found []foundActivity) alert.Alert {
	a, rows := b.outline(found)
	b.fill(&a, rows)
	return a
}

// outline returns an alert without its description, its rows and the details that do
// not weigh, together with the rows that it is about.
func (b builder) outline(found []foundActivity) (a alert.Alert, rows [][]any) {
	r := b.rule
	a = alert.Alert{
		RuleID:      r.ID,
		RuleName:    r.Name,
		RuleVersion: r.Version,
		Title:       r.Name,
		Severity:    r.Severity,
		Tactics:     slices.Clip(r.Tactics),
		Techniques:  slices.Clip(r.Techniques),
		Guidance:    r.Guidance,
		Window:      b.window,
		Span:        found[0].Span,
		Created:     b.now,
	}
	n := 0
	for _, f := range found {
		n += len(f.rows)
	}
	rows = make([][]any, 0, n)
	a.Activities = make([]alert.Activity, 0, len(found))
	for _, f := range found {
		a.Activities = append(a.Activities, f.Activity)
		a.Span = a.Span.Hull(f.Span)
		for _, i := range f.rows {
			rows = append(rows, b.table.Rows[i])
		}
	}
	a.ID = alert.NewID(r.ID, a.Activities)
	b.cover(a, rows)
	shown := rows[:min(n, mostAlertRows)]
	a.Entities = b.entities(shown, func(text string) {
		if !slices.Contains(a.Notes, text) {
			a.Notes = append(a.Notes, text)
		}
	})
	a.CustomDetails = b.weighing(shown)
	b.override(&a, rows)
	remediation := r.Remediation
	if slices.ContainsFunc(a.Properties, func(p alert.Property) bool { return p.Name == remediationProperty }) {
		remediation = "" // that of the row counts
	}
	if remediation != "" {
		a.Properties = append(a.Properties, alert.Property{Name: remediationProperty, Value: remediation})
	}
	b.card(&a, shown, remediation)
	if len(shown) < n {
		a.Notes = append(a.Notes, fmt.Sprintf("The rows, the entities and the details are those of the first %s of %s rows. All activities are recorded.", grouped(len(shown)), grouped(n)))
	}
	return a, rows
}

func (b builder) rows(rows [][]any) []alert.Row {
	var out []alert.Row
	for _, row := range rows {
		cells := make(alert.Row, len(row))
		for i, value := range row {
			cells[i] = alert.Cell{Column: b.table.Columns[i].Name, Value: b.json(value)}
		}
		out = append(out, cells)
	}
	return out
}

// mostTexts is how many texts a builder keeps the JSON of, and how many lists of details.
const mostTexts = 4096

// json returns a value as JSON. Of a text that comes again it is the same
// slice: thousands of alerts may say the same of many things.
func (b builder) json(value any) json.RawMessage {
	text, ok := value.(string)
	if !ok {
		return workspace.JSON(value)
	}
	raw, ok := b.texts[text]
	if !ok {
		raw = workspace.JSON(text)
		if len(b.texts) < mostTexts {
			b.texts[text] = raw
		}
	}
	return raw
}

// value returns a row's value of a column that the rule names, or nil if the
// result lacks it.
func (b builder) value(row []any, column string) any {
	if i, ok := b.columns[column]; ok && i >= 0 {
		return row[i]
	}
	return nil
}

// text returns a row's value of a column without the space around it.
func (b builder) text(row []any, column string) string {
	return strings.TrimSpace(workspace.Text(b.value(row, column)))
}

// values returns the texts of a row's value of a column that are not empty:
// those of the elements if it is an array.
func (b builder) values(row []any, column string) []string {
	value := b.value(row, column)
	texts := []string{workspace.Text(value)}
	if d, ok := value.(workspace.Dynamic); ok {
		if elements, ok := d.Elements(); ok {
			texts = elements
		}
	}
	return slices.DeleteFunc(texts, func(s string) bool { return strings.TrimSpace(s) == "" })
}

// entities returns the distinct entities of the rows. Identifiers without a
// value are left out, and so is an entity without any. What the alert should say
// about them it notes.
func (b builder) entities(rows [][]any, note func(string)) []alert.Entity {
	entities := make([]alert.Entity, 0, len(b.rule.EntityMappings))
	seen := map[string]bool{}
	add := func(found []alert.Entity) {
		for _, e := range found {
			key, err := json.Marshal(e)
			if err != nil || seen[string(key)] {
				continue
			}
			seen[string(key)] = true
			entities = append(entities, e)
		}
	}
	for _, row := range rows {
		for _, mapping := range b.rule.EntityMappings {
			add(b.mapped(row, mapping))
		}
		add(b.listed(row, note))
	}
	if len(entities) == 0 {
		return nil
	}
	return slices.Clone(entities) // without the room of those that are not there
}

// mapped returns the entities that a mapping finds in a row: one, or if its
// only column holds an array, one for each element.
func (b builder) mapped(row []any, mapping rule.EntityMapping) []alert.Entity {
	var entities []alert.Entity
	if fields := mapping.FieldMappings; len(fields) == 1 {
		for _, value := range b.values(row, fields[0].Column) {
			entities = append(entities, alert.Entity{
				Type:   mapping.EntityType,
				Fields: []alert.Field{{Identifier: fields[0].Identifier, Value: identifier(mapping.EntityType, fields[0].Identifier, value)}},
			})
		}
		return entities
	}
	e := alert.Entity{Type: mapping.EntityType, Fields: make([]alert.Field, 0, len(mapping.FieldMappings))}
	for _, f := range mapping.FieldMappings {
		if text := workspace.Text(b.value(row, f.Column)); strings.TrimSpace(text) != "" {
			e.Fields = append(e.Fields, alert.Field{Identifier: f.Identifier, Value: identifier(mapping.EntityType, f.Identifier, text)})
		}
	}
	if len(e.Fields) > 0 {
		entities = append(entities, e)
	}
	return entities
}

// identifier returns the value of an entity's identifier: of an address its one
// spelling, so that it is the same entity however a log spells it.
func identifier(entityType, name, value string) string {
	if rule.IsAddress(entityType, name) {
		return alert.CanonicalAddress(value)
	}
	return value
}

// logged returns the spellings of addresses that the entities do not have.
func (b builder) logged(rows [][]any) []string {
	var texts []string
	for _, column := range b.rule.AddressColumns() {
		for _, text := range b.distinct(rows, column) {
			if text != alert.CanonicalAddress(text) && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// customDetails returns the custom details that have a value, with the distinct
// values of all rows, and the addresses as the log spells them.
func (b builder) customDetails(rows [][]any) []alert.Detail {
	details := b.details(rows, func(string) bool { return true })
	own := slices.ContainsFunc(b.rule.CustomDetails, func(c rule.CustomDetail) bool { return c.Name == alert.LoggedAddresses })
	if texts := b.logged(rows); len(texts) > 0 && !own {
		details = append(details, alert.Detail{Name: alert.LoggedAddresses, Values: texts})
	}
	return slices.Clone(details) // without the room that appending made
}

// weighing returns the details that weigh. Of those that come again it is the same list.
func (b builder) weighing(rows [][]any) []alert.Detail {
	details := b.details(rows, alert.Weighs)
	key := fmt.Sprintf("%q", details)
	if same, ok := b.weights[key]; ok {
		return same
	}
	if len(b.weights) < mostTexts {
		b.weights[key] = details
	}
	return details
}

// details returns those of the rule's custom details that are wanted and have a value.
func (b builder) details(rows [][]any, wanted func(name string) bool) []alert.Detail {
	var details []alert.Detail
	for _, c := range b.rule.CustomDetails {
		if !wanted(c.Name) {
			continue
		}
		if values := b.distinct(rows, c.Column); len(values) > 0 {
			details = append(details, alert.Detail{Name: c.Name, Values: values})
		}
	}
	return details
}

// distinct returns the distinct values of a column in the order of the rows.
func (b builder) distinct(rows [][]any, column string) []string {
	var values []string
	seen := map[string]bool{}
	for _, row := range rows {
		for _, v := range b.values(row, column) {
			if !seen[v] {
				seen[v] = true
				values = append(values, v)
			}
		}
	}
	return values
}

// override applies the rule's alertDetailsOverride. As in Sentinel, what a row
// has no proper value for stays what the rule says; a note says so.
func (b builder) override(a *alert.Alert, rows [][]any) {
	o := b.rule.AlertDetails
	if len(rows) == 0 {
		return
	}
	if text, ok := b.render(o.DisplayNameFormat, rows); ok {
		a.Title = text
	} else if !o.DisplayNameFormat.IsZero() {
		a.Notes = append(a.Notes, "The title is the rule's name: a column in the rule's title format has no value.")
	}
	if _, ok := b.description(rows); !ok {
		a.Notes = append(a.Notes, "The description is the rule's: a column in the rule's description format has no value.")
	}
	if o.SeverityColumn != "" {
		b.overrideSeverity(a, rows)
	}
	if o.TacticsColumn != "" {
		if tactics := b.tactics(rows); len(tactics) > 0 {
			a.Tactics = tactics
		}
	}
	for _, p := range o.DynamicProperties {
		for _, row := range rows {
			if text := workspace.Text(b.value(row, p.Column)); strings.TrimSpace(text) != "" {
				a.Properties = append(a.Properties, alert.Property{Name: p.Property, Value: text})
				break
			}
		}
	}
}

// description returns what the alert says of itself, and false if a column in the rule's
// format has no value, so that it is what the rule says.
func (b builder) description(rows [][]any) (text string, ok bool) {
	format := b.rule.AlertDetails.DescriptionFormat
	if text, ok = b.render(format, rows); ok {
		return text, true
	}
	return b.rule.Description, format.IsZero()
}

// render writes a format with the values of the first row that has them all.
// Beside words of the rule a value that is more than one word is in quotation
// marks: it could be taken for some of them.
func (b builder) render(format rule.Format, rows [][]any) (string, bool) {
	hasWords := format.HasWords()
	for _, row := range rows {
		written, ok := format.Render(func(column string) (string, bool) {
			value := workspace.Text(b.value(row, column))
			if hasWords && strings.TrimSpace(value) != "" {
				value = text.Word(value)
			}
			return value, true
		})
		if ok {
			return written, true
		}
	}
	return "", false
}

// overrideSeverity gives the alert the highest severity that the rows name.
func (b builder) overrideSeverity(a *alert.Alert, rows [][]any) {
	column := b.rule.AlertDetails.SeverityColumn
	var highest *alert.Severity
	var bad string
	for _, row := range rows {
		text := b.text(row, column)
		s, err := alert.ParseSeverity(text)
		switch {
		case err != nil:
			bad = text
		case highest == nil || s > *highest:
			highest = &s
		}
	}
	switch {
	case highest != nil:
		a.Severity = *highest
	case bad == "":
		a.Notes = append(a.Notes, fmt.Sprintf("The severity is the rule's: column %s has no value.", column))
	default:
		a.Notes = append(a.Notes, fmt.Sprintf("The severity is the rule's: column %s holds %.40q, which is none.", column, bad))
	}
}

// tactics returns the distinct tactics that the rows name, in an array or with
// commas between them.
func (b builder) tactics(rows [][]any) []string {
	var tactics []string
	for _, value := range b.distinct(rows, b.rule.AlertDetails.TacticsColumn) {
		names, isArray := workspace.NewDynamic(value).Elements()
		if !isArray {
			names = strings.Split(value, ",")
		}
		for _, name := range names {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(tactics, name) {
				tactics = append(tactics, name)
			}
		}
	}
	return tactics
}
