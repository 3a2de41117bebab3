package rule

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (p *parser) entityMappings(n *yaml.Node) {
	p.list(n, "entityMappings", func(i int, item *yaml.Node) {
		if i == maxEntityMappings {
			p.warnf(item, "there are %d entity mappings: Sentinel accepts %d", len(n.Content), maxEntityMappings)
		}
		p.entityMapping(item)
	})
}

// sentinelEntities reads the columns that hold lists of entities.
func (p *parser) sentinelEntities(n *yaml.Node) {
	p.list(n, "sentinelEntitiesMappings", func(i int, item *yaml.Node) {
		if !p.is(item, yaml.MappingNode) {
			p.errorf(item, "an item of sentinelEntitiesMappings is %s: it must have columnName", describe(item))
			return
		}
		if i == maxEntityColumns {
			p.warnf(item, "there are %d columns of entities: Sentinel accepts %d", len(n.Content), maxEntityColumns)
		}
		set := p.mapping(item, "sentinelEntitiesMappings", map[string]field{
			"columnName": func(n *yaml.Node) {
				if column, ok := p.text(n, "columnName"); ok {
					p.entityColumn(n, column)
				}
			},
		})
		if p.drawing() {
			p.draw.required(item, "columnName")
		}
		if isNull(set["columnName"]) {
			p.errorf(item, "columnName is missing: name the column of the query's result that holds the entities, such as Entities of SecurityAlert")
		}
	})
}

// entityColumn adds a column that holds a list of entities, once.
func (p *parser) entityColumn(n *yaml.Node, column string) {
	if slices.Contains(p.rule.EntityColumns, column) {
		return
	}
	p.note(fmt.Sprintf(entityColumnPath, len(p.rule.EntityColumns)), n)
	p.rule.EntityColumns = append(p.rule.EntityColumns, column)
}

// entityMapping reads one entity with the identifiers that columns give it.
func (p *parser) entityMapping(n *yaml.Node) {
	if !p.is(n, yaml.MappingNode) {
		p.errorf(n, "an item of entityMappings is %s: it must have entityType and fieldMappings", describe(n))
		return
	}
	// The identifiers can be checked only against the type, which may be
	// written behind them.
	var entity entityType
	var known, whole bool
	var fields *yaml.Node
	set := p.mapping(n, "entityMappings", map[string]field{
		"entityType": func(n *yaml.Node) {
			p.among(n, append(slices.Clone(entityTypeNames), sentinelEntities))
			value, ok := p.text(n, "entityType")
			if !ok {
				return
			}
			if strings.EqualFold(value, sentinelEntities) {
				whole = true
				return
			}
			if entity, known = entityTypeNamed(value); !known {
				p.errorf(n, "entity type %q is unknown%s", clip(value), oneOf(value, entityTypeNames))
			}
		},
		"fieldMappings": func(n *yaml.Node) { fields = n },
	})
	if p.drawing() {
		p.draw.required(n, "entityType")
		p.draw.required(n, "fieldMappings")
		p.draw.identifiers(n)
	}
	if isNull(set["entityType"]) {
		p.errorf(n, "entityType is missing: use a type such as Account or IP")
	}
	if isNull(set["fieldMappings"]) {
		p.errorf(n, "fieldMappings is missing: give at least one identifier and its columnName")
		return
	}

	if whole {
		// The whole list of an alert's entities, in one column.
		p.list(fields, "fieldMappings", func(_ int, item *yaml.Node) {
			if f, identifier, column := p.fieldMapping(item); identifier != nil && column != nil {
				if !strings.EqualFold(f.Identifier, entitiesIdentifier) {
					p.errorf(identifier, "%s has no identifier %q: use %s", sentinelEntities, clip(f.Identifier), entitiesIdentifier)
					return
				}
				p.entityColumn(column, f.Column)
			}
		})
		return
	}

	index := len(p.rule.EntityMappings)
	mapping := EntityMapping{EntityType: entity.name}
	mapped := map[string]bool{}
	before := len(p.problems)
	p.list(fields, "fieldMappings", func(_ int, item *yaml.Node) {
		f, identifierNode, columnNode := p.fieldMapping(item)
		if known && identifierNode != nil {
			name, ok := canonical(f.Identifier, entity.identifiers)
			switch {
			case !ok:
				p.errorf(identifierNode, "%s has no identifier %q%s", entity.name, clip(f.Identifier), oneOf(f.Identifier, entity.identifiers))
			case mapped[name]:
				p.errorf(identifierNode, "%s.%s is mapped twice in one entity: remove one", entity.name, name)
			}
			f.Identifier = name
			mapped[name] = true
		}
		if columnNode != nil {
			p.note(entityPath(index, len(mapping.FieldMappings)), columnNode)
		}
		mapping.FieldMappings = append(mapping.FieldMappings, f)
	})
	switch {
	case len(mapping.FieldMappings) == 0 && len(p.problems) == before:
		p.errorf(fields, "fieldMappings is empty: give at least one identifier and its columnName")
	case known && len(p.problems) == before && !entity.identifiedBy(mapped) && !p.defender:
		p.warnf(fields, "these identifiers do not identify %s: map %s as well", entity.name, entity.sufficientList())
	}
	p.rule.EntityMappings = append(p.rule.EntityMappings, mapping)
}

func (p *parser) fieldMapping(n *yaml.Node) (f FieldMapping, identifier, column *yaml.Node) {
	if !p.is(n, yaml.MappingNode) {
		p.errorf(n, "an item of fieldMappings is %s: it must have identifier and columnName", describe(n))
		return f, nil, nil
	}
	set := p.mapping(n, "fieldMappings", map[string]field{
		"identifier": func(n *yaml.Node) {
			p.among(n, identifierNames())
			if value, ok := p.text(n, "identifier"); ok {
				f.Identifier, identifier = value, n
			}
		},
		"columnName": func(n *yaml.Node) {
			if value, ok := p.text(n, "columnName"); ok {
				f.Column, column = value, n
			}
		},
	})
	if p.drawing() {
		p.draw.required(n, "identifier")
		p.draw.required(n, "columnName")
	}
	if isNull(set["identifier"]) {
		p.errorf(n, "identifier is missing: say which identifier of the entity the column holds")
	}
	if isNull(set["columnName"]) {
		p.errorf(n, "columnName is missing: name a column of the query's result")
	}
	return f, identifier, column
}

func (p *parser) customDetails(n *yaml.Node) {
	p.pairs(n, "customDetails", func(name string, keyNode, value *yaml.Node) {
		column, ok := p.optionalText(value, "customDetails "+clip(name))
		if !ok {
			return
		}
		i := len(p.rule.CustomDetails)
		p.note(customDetailPath(i), value)
		p.rule.CustomDetails = append(p.rule.CustomDetails, CustomDetail{Name: name, Column: column})
		if i == maxCustomDetails {
			p.warnf(keyNode, "there are more than %d custom details: Sentinel accepts %d", maxCustomDetails, maxCustomDetails)
		}
		if !detailNameForm.MatchString(name) {
			p.warnf(keyNode, "custom detail %q is not a name that Sentinel accepts: begin with a letter and use only letters, digits and _", clip(name))
		}
		p.limit(keyNode, "the name of custom detail "+clip(name), name, maxDetailName)
	})
}

func (p *parser) alertDetails(n *yaml.Node) {
	d := &p.rule.AlertDetails
	column := func(key string, to *string) field {
		return func(n *yaml.Node) {
			var ok bool
			if *to, ok = p.optionalText(n, key); ok {
				p.note(key, n)
			}
		}
	}
	p.mapping(n, "alertDetailsOverride", map[string]field{
		displayNameKey:           func(n *yaml.Node) { d.DisplayNameFormat = p.format(n, displayNameKey, maxNameLength) },
		descriptionKey:           func(n *yaml.Node) { d.DescriptionFormat = p.format(n, descriptionKey, maxDescription) },
		tacticsColumnKey:         column(tacticsColumnKey, &d.TacticsColumn),
		severityColumnKey:        column(severityColumnKey, &d.SeverityColumn),
		"alertDynamicProperties": p.dynamicProperties,
	})
}

// format reads a text with {{Column}} in it and keeps where each column is.
func (p *parser) format(n *yaml.Node, what string, longest int) Format {
	if _, ok := p.optionalText(n, what); !ok {
		return Format{}
	}
	f, err := ParseFormat(n.Value)
	if err != nil {
		p.errorf(n, "%s: %v", what, err)
		return Format{}
	}
	p.limit(n, what, n.Value, longest)

	if columns := f.Columns(); len(columns) > maxFormatColumns {
		p.warnf(n, "%s names %d columns: Sentinel accepts %d", what, len(columns), maxFormatColumns)
	}
	p.notePlaces(n, f, what)
	return f
}

// notePlaces keeps where each column of a format is, under the paths that begin with what.
func (p *parser) notePlaces(n *yaml.Node, f Format, what string) {
	columns, places := f.Columns(), p.source.characters(n)
	for _, part := range f.parts {
		if !part.isColumn {
			continue
		}
		path := formatPath(what, slices.Index(columns, part.text))
		if _, noted := p.at[path]; !noted {
			p.at[path] = places[len([]rune(f.Text[:part.at]))]
		}
	}
}

// dynamicProperties reads which properties of an alert columns override.
func (p *parser) dynamicProperties(n *yaml.Node) {
	seen := map[string]bool{}
	p.list(n, "alertDynamicProperties", func(_ int, item *yaml.Node) {
		if !p.is(item, yaml.MappingNode) {
			p.errorf(item, "an item of alertDynamicProperties is %s: it must have alertProperty and value", describe(item))
			return
		}
		var d DynamicProperty
		var column *yaml.Node
		set := p.mapping(item, "alertDynamicProperties", map[string]field{
			"alertProperty": func(n *yaml.Node) {
				i, ok := p.choice(n, "alertProperty", alertProperties)
				if !ok {
					return
				}
				d.Property = alertProperties[i]
				if seen[d.Property] {
					p.errorf(n, "alertProperty %s is set twice: remove one", d.Property)
				}
				seen[d.Property] = true
			},
			"value": func(n *yaml.Node) {
				var ok bool
				if d.Column, ok = p.text(n, "value"); ok {
					column = n
				}
			},
		})
		if p.drawing() {
			p.draw.required(item, "alertProperty")
			p.draw.required(item, "value")
		}
		if isNull(set["alertProperty"]) {
			p.errorf(item, "alertProperty is missing: use %s", orList(alertProperties))
		}
		if isNull(set["value"]) {
			p.errorf(item, "value is missing: name a column of the query's result")
		}
		properties := &p.rule.AlertDetails.DynamicProperties
		if column != nil {
			p.note(dynamicPropertyPath(len(*properties)), column)
		}
		*properties = append(*properties, d)
	})
}
