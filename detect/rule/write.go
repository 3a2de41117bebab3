package rule

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAML returns the rule as a file in the format that Parse reads, in the order in
// which published rules have their keys. What Parse did not keep of the file that the
// rule is from, such as its comments, is not in it.
func (r *Rule) YAML() ([]byte, error) {
	w := &writer{}
	w.text("id", r.ID)
	w.text("name", r.Name)
	w.text("version", r.Version)
	w.text("kind", r.Kind.String())
	w.text("description", quotedAgain(r.Description))
	w.text("severity", r.Severity.String())
	w.text("status", r.Status)
	if r.Disabled {
		w.plain("enabled", "false")
	}
	if len(r.RequiredDataConnectors) > 0 {
		w.add("requiredDataConnectors", list(r.RequiredDataConnectors, func(c Connector) *yaml.Node {
			one := &writer{}
			one.text("connectorId", c.ConnectorID)
			one.texts("dataTypes", c.DataTypes)
			return one.node()
		}))
	}
	w.duration("queryFrequency", r.QueryFrequency)
	w.duration("queryPeriod", r.QueryPeriod)
	if r.Kind == Scheduled || r.Trigger != (Trigger{}) {
		w.text("triggerOperator", operatorCodes[r.Trigger.Operator])
		w.plain("triggerThreshold", fmt.Sprint(r.Trigger.Threshold))
	}
	w.texts("tactics", r.Tactics)
	w.texts("relevantTechniques", r.Techniques)
	w.texts("tags", r.Tags)
	w.text("query", queryMark)
	r.writeAlert(w)
	r.writeIncident(w)
	queries := []string{r.Query.Text}
	for _, c := range r.Context {
		queries = append(queries, c.Query.Text)
	}
	r.writeExtension(w)

	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(w.node()); err != nil {
		return nil, fmt.Errorf("writing the rule %q: %w", r.Name, err)
	}
	text := out.String()
	for i, query := range slices.Backward(queries) { // none can hold the mark of one that is still to come
		indent := "  "
		if i > 0 { // of a context, in a list under context under pushback
			indent = strings.Repeat(" ", 8)
		}
		text = strings.Replace(text, "query: "+markOf(i)+"\n", "query: "+writtenQuery(query, indent), 1)
	}
	return []byte(text), nil
}

// queryMark stands for the query until all else is written: the YAML library writes a
// text with a space at the end of a line as one long line.
const queryMark = "PUSHBACK-QUERY"

// markOf is the mark of the rule's query, or of that of one of its contexts.
func markOf(i int) string {
	if i == 0 {
		return queryMark
	}
	return fmt.Sprintf("%s-%d", queryMark, i)
}

// writtenQuery returns a query as a block, or if no block can hold it in quotation
// marks.
func writtenQuery(text, indent string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text) // a line break is one to KQL
	header, body := "|", strings.TrimSuffix(text, "\n")
	if body == text {
		header = "|-"
	}
	if strings.HasPrefix(body, " ") || strings.HasPrefix(body, "\n") {
		header = "|2" + header[1:]
	}
	var block strings.Builder
	block.WriteString(header + "\n")
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			block.WriteString(indent + line)
		}
		block.WriteString("\n")
	}
	var read struct{ Query string }
	if err := yaml.Unmarshal([]byte(indent[2:]+"query: "+block.String()), &read); err == nil && read.Query == text {
		return block.String()
	}
	quoted, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Value: text, Style: yaml.DoubleQuotedStyle})
	if err != nil {
		return block.String() // Parse says what is wrong with it
	}
	return string(quoted)
}

func (r *Rule) writeAlert(w *writer) {
	if len(r.EntityMappings) > 0 {
		w.add("entityMappings", list(r.EntityMappings, func(m EntityMapping) *yaml.Node {
			one := &writer{}
			one.text("entityType", m.EntityType)
			one.add("fieldMappings", list(m.FieldMappings, func(f FieldMapping) *yaml.Node {
				field := &writer{}
				field.text("identifier", f.Identifier)
				field.text("columnName", f.Column)
				return field.node()
			}))
			return one.node()
		}))
	}
	if len(r.EntityColumns) > 0 {
		w.add("sentinelEntitiesMappings", list(r.EntityColumns, func(column string) *yaml.Node {
			one := &writer{}
			one.text("columnName", column)
			return one.node()
		}))
	}
	details := &writer{}
	for _, d := range r.CustomDetails {
		details.text(d.Name, d.Column)
	}
	w.part("customDetails", details)

	override := &writer{}
	override.text(displayNameKey, r.AlertDetails.DisplayNameFormat.Text)
	override.text(descriptionKey, r.AlertDetails.DescriptionFormat.Text)
	override.text(tacticsColumnKey, r.AlertDetails.TacticsColumn)
	override.text(severityColumnKey, r.AlertDetails.SeverityColumn)
	if properties := r.AlertDetails.DynamicProperties; len(properties) > 0 {
		override.add("alertDynamicProperties", list(properties, func(p DynamicProperty) *yaml.Node {
			one := &writer{}
			one.text("alertProperty", p.Property)
			one.text("value", p.Column)
			return one.node()
		}))
	}
	w.part("alertDetailsOverride", override)
	grouping := &writer{}
	if r.Grouping != SingleAlert {
		grouping.text("aggregationKind", r.Grouping.String())
	}
	w.part("eventGroupingSettings", grouping)
	if r.SuppressionEnabled {
		w.plain("suppressionEnabled", "true")
	}
	w.duration("suppressionDuration", r.SuppressionDuration)
}

func (r *Rule) writeIncident(w *writer) {
	incident, grouping, g := &writer{}, &writer{}, r.Incident.Grouping
	if !r.Incident.CreateIncident {
		incident.plain("createIncident", "false")
	}
	if g.Enabled {
		grouping.plain("enabled", "true")
	}
	if g.ReopenClosedIncident {
		grouping.plain("reopenClosedIncident", "true")
	}
	if g.LookbackDuration != defaultLookback {
		grouping.duration("lookbackDuration", g.LookbackDuration)
	}
	if g.Enabled || g.MatchingMethod != AllEntities {
		grouping.text("matchingMethod", g.MatchingMethod.String())
	}
	grouping.texts("groupByEntities", g.GroupByEntities)
	grouping.texts("groupByAlertDetails", g.GroupByAlertDetails)
	grouping.texts("groupByCustomDetails", g.GroupByCustomDetails)
	incident.part("groupingConfiguration", grouping)
	w.part("incidentConfiguration", incident)
}

func (r *Rule) writeExtension(w *writer) {
	own := &writer{}
	own.texts("identity", r.Identity)
	own.texts("events", r.Events)
	own.text("guidance", r.Guidance)
	own.text("remediation", r.Remediation)
	own.text("story", r.Story)
	r.Card.write(own)
	if r.NoFollowUp {
		own.plain("followUp", "false")
	}
	r.writeContext(own)
	w.part("pushback", own)
}

// quotedAgain puts quotation marks around a description that has its own: Parse takes
// one pair away.
func quotedAgain(text string) string {
	for _, quote := range []string{"'", `"`} {
		if len(text) > 1 && strings.HasPrefix(text, quote) && strings.HasSuffix(text, quote) {
			return quote + text + quote
		}
	}
	return text
}

// writer collects the keys of a mapping. What has no value is left out.
type writer struct{ content []*yaml.Node }

func (w *writer) node() *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: w.content}
}

func (w *writer) add(key string, value *yaml.Node) {
	w.content = append(w.content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// part adds a mapping that has keys.
func (w *writer) part(key string, part *writer) {
	if len(part.content) > 0 {
		w.add(key, part.node())
	}
}

func (w *writer) text(key, value string) {
	if value == "" {
		return
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if strings.Contains(value, "\n") {
		n.Style = yaml.LiteralStyle
	}
	w.add(key, n)
}

// plain adds a value that is not a text.
func (w *writer) plain(key, value string) {
	w.add(key, &yaml.Node{Kind: yaml.ScalarNode, Value: value})
}

func (w *writer) texts(key string, values []string) {
	if len(values) > 0 {
		w.add(key, list(values, func(value string) *yaml.Node {
			return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
		}))
	}
}

func (w *writer) duration(key string, d time.Duration) {
	switch {
	case d == 0:
	case d%time.Minute == 0:
		w.text(key, formatDuration(d))
	default:
		w.text(key, fmt.Sprintf("PT%dS", d/time.Second))
	}
}

// list returns a list of what is made of values.
func list[T any](values []T, of func(T) *yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for v := range slices.Values(values) {
		n.Content = append(n.Content, of(v))
	}
	return n
}
