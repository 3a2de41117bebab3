package detect

import (
	"encoding/json"
	"fmt"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// mostListedEntities is how many entities a row's list gives: as many as Sentinel
// keeps of an alert.
const mostListedEntities = 500

// listed returns the entities in a row's columns of entities. Each holds a list as
// SecurityAlert has it: objects with a Type, of which one may stand for another
// by $ref. What is no such list becomes a note.
func (b builder) listed(row []any, note func(string)) []alert.Entity {
	var entities []alert.Entity
	for _, column := range b.rule.EntityColumns {
		value := b.value(row, column)
		if isEmpty(value) {
			continue
		}
		items, ok := entityList(value)
		if !ok {
			note(fmt.Sprintf("The entities of column %s are left out: it holds no list of entities.", column))
			continue
		}
		for _, item := range items {
			e, ok := listedEntity(item)
			switch {
			case !ok:
			case len(entities) == mostListedEntities:
				note(fmt.Sprintf("The entities of column %s are the first %d of a row.", column, mostListedEntities))
				return entities
			default:
				entities = append(entities, e)
			}
		}
	}
	return entities
}

// entityList returns the elements of a value that is a JSON array, or a text of one.
func entityList(value any) ([]any, bool) {
	if text, ok := value.(string); ok {
		value = workspace.NewDynamic(text)
	}
	d, ok := value.(workspace.Dynamic)
	if !ok {
		return nil, false
	}
	if text, ok := d.Value().(string); ok { // a dynamic that holds the text
		d = workspace.NewDynamic(text)
	}
	items, ok := d.Value().([]any)
	return items, ok
}

// listedEntity returns the entity that an object of a list is, with the identifiers
// that its type has.
func listedEntity(item any) (alert.Entity, bool) {
	object, ok := item.(map[string]any)
	if !ok {
		return alert.Entity{}, false
	}
	members := make(map[string]any, len(object))
	for name, value := range object {
		members[strings.ToLower(name)] = value
	}
	typ, _ := members["type"].(string)
	entityType, identifiers, ok := rule.EntityType(typ)
	if !ok {
		return alert.Entity{}, false
	}
	e := alert.Entity{Type: entityType}
	for _, name := range identifiers {
		var text string
		switch v := members[strings.ToLower(name)].(type) {
		case string:
			text = v
		case json.Number, bool:
			text = fmt.Sprint(v)
		}
		if strings.TrimSpace(text) != "" {
			e.Fields = append(e.Fields, alert.Field{Identifier: name, Value: identifier(entityType, name, text)})
		}
	}
	return e, len(e.Fields) > 0
}
