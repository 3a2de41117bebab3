package enrich

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// thing is an entity that Pushback itself looks up nothing about: a host, a URL or
// the hash of a file.
type thing struct{ label string }

// brought is a kind of context that a rule brings, with what was found.
type brought struct {
	kind
	file    string        // of the rule
	rows    map[any][]row // by the entity
	missing string        // why it could not be had
	absent  bool          // since the workspace does not have it
}

// broughtBy returns the kinds of context that a rule brings.
func broughtBy(r Brought) []*brought {
	list := make([]*brought, len(r.Contexts))
	for i, c := range r.Contexts {
		k := &brought{kind: *newKind(c, c.Name), file: r.File, rows: map[any][]row{}}
		k.row = k.take
		list[i] = k
	}
	return list
}

// Brought is what a rule brings, with the file that it is in.
type Brought struct {
	File     string
	Contexts []rule.Context
}

// BroughtBy returns what rules bring, by their ids.
func BroughtBy(rules []*rule.Rule) map[string]Brought {
	all := map[string]Brought{}
	for _, r := range rules {
		if len(r.Context) > 0 {
			all[r.ID] = Brought{r.File, r.Context}
		}
	}
	return all
}

// ExampleOf returns the query of a context as it runs, for entities of no alert, and
// a function that says where a place in it is: in which file, or in the rule's if it
// says none.
func ExampleOf(c rule.Context) (bound string, locate func(line, column int) (file string, fileLine, fileColumn int)) {
	q := parseQuery(c.Query.Text)
	values := map[string]string{}
	for _, p := range parameters {
		values[p.name] = p.example
	}
	bound, err := q.bind(values)
	if err != nil {
		panic(err) // every parameter has an example
	}
	return bound, func(line, column int) (string, int, int) {
		if line -= len(q.parameters); line < 1 {
			line, column = 1, 1
		}
		line, column = c.Query.Locate(line+q.head, column)
		return c.File, line, column
	}
}

// Located turns a position in the query of a context as it was sent into one in its
// file, or in the rule's.
func Located(c rule.Context, ruleFile string, err error) error {
	refused, ok := errors.AsType[*workspace.QueryError](err)
	if !ok || refused.Line == 0 || refused.Table != "" {
		return err
	}
	_, locate := ExampleOf(c) // it has the same lines in front
	file, line, column := locate(refused.Line, refused.Column)
	if file == "" {
		file = ruleFile
	}
	return fmt.Errorf("%s:%d:%d: %s (%s)", filepath.Base(file), line, column, refused.Message, refused.Code)
}

// CheckAnswer says what is wrong with the columns of an answer to the query of a
// context.
func CheckAnswer(c rule.Context, ruleFile string, table *workspace.Table) error {
	if table.NoData {
		return nil // there are none then
	}
	for _, use := range c.Columns() {
		i := slices.IndexFunc(table.Columns, func(column workspace.Column) bool { return column.Name == use.Column })
		switch {
		case i < 0:
			return fmt.Errorf("%s:%d:%d: its result has no column %.60q", filepath.Base(ruleFile), use.Line, use.Col, use.Column)
		case use.Bool && table.Columns[i].Type != "bool":
			return fmt.Errorf("%s:%d:%d: the column %.60q is of type %s, and has to be a bool", filepath.Base(ruleFile), use.Line, use.Col, use.Column, table.Columns[i].Type)
		}
	}
	return nil
}

// take keeps a row if it is about an entity of the alerts.
func (k *brought) take(b *batch, r row) {
	if of := b.entity(k.Key.Entity, r.text(k.Key.Column)); of != nil {
		k.rows[of] = append(k.rows[of], r)
	}
}

// entity returns what the batch knows of an entity that a row names, or nil.
func (b *batch) entity(typ, name string) any {
	name = strings.ToLower(strings.TrimSpace(name))
	switch {
	case name == "":
		return nil
	case typ == "Account":
		id := ""
		if _, err := uuid.Parse(name); err == nil {
			id, name = name, ""
		}
		if a := b.find(id, name); a != nil {
			return a
		}
		if a := b.accounts[name]; a != nil { // by an id of another form
			return a
		}
	case typ == "IP":
		if a := b.addresses[canonical(name)]; a != nil {
			return a
		}
	default:
		if t := b.things[typ][name]; t != nil {
			return t
		}
	}
	return nil
}

// namesOf are the keys under which a batch has an entity of an alert, none if it is of
// no type that contexts are about, and what it is called.
func namesOf(e alert.Entity) (names []string, label string) {
	switch e.Type {
	case "Account":
		id, name := byID(e.Account())
		if name == "" {
			name = id
		}
		if name != "" {
			return []string{name}, name
		}
	case "IP":
		if ip := e.Address(); ip != "" {
			return []string{ip}, ip
		}
	case "Host", "URL", "FileHash":
		for _, name := range e.Spelled() {
			if lower := strings.ToLower(name); !slices.Contains(names, lower) {
				names = append(names, lower)
			}
			if label == "" {
				label = name
			}
		}
	}
	return names, label
}

// learnThings takes up the entities of an alert that only rules' contexts are about.
func (b *batch) learnThings(e alert.Entity) {
	switch e.Type {
	case "Host", "URL", "FileHash":
	default:
		return
	}
	names, label := namesOf(e)
	of := &thing{label}
	for _, name := range names {
		if known := b.things[e.Type][name]; known != nil {
			of = known
		}
	}
	for _, name := range names {
		if b.things[e.Type] == nil {
			b.things[e.Type] = map[string]*thing{}
		}
		b.things[e.Type][name] = of
	}
}

// listed says which entities a parameter lists.
var listed = map[string]string{
	"Accounts": "Account", "AccountIds": "Account", "Addresses": "IP", "Spellings": "IP", "Parts": "IP", "HasParts": "IP", "Hosts": "Host", "Urls": "URL", "Hashes": "FileHash",
}

// lists are the values of the lists of a kind's query, a map for each query that it
// takes: with the entities that it is about, and the others that stand in the same
// alerts. More than one is needed past the limits alone.
func (b *batch) lists(k *kind, alerts []alert.Alert) (lists []map[string]string) {
	var others []string
	named := false
	about := k.Key.Entity
	for _, p := range k.query.parameters {
		switch typ := listed[p]; {
		case typ == about:
			named = true
		case typ != "" && !slices.Contains(others, typ):
			others = append(others, typ)
		}
	}
	keys := b.keysWith(about, about, nil, alerts)
	if len(keys) == 0 {
		return nil
	}
	parts := [][]string{keys}
	if named {
		parts = slices.Collect(b.parts(keys))
	}
	if k.Apart {
		return b.apart(about, parts, others, alerts)
	}
	for _, part := range parts {
		combined := []map[string]string{b.literals(about, part)}
		for _, other := range others {
			pieces := slices.Collect(b.parts(b.keysWith(other, about, part, alerts)))
			if len(pieces) == 0 {
				pieces = [][]string{nil}
			}
			var next []map[string]string
			for _, values := range combined {
				for _, piece := range pieces {
					all := b.literals(other, piece)
					for name, value := range values {
						all[name] = value
					}
					next = append(next, all)
				}
			}
			combined = next
		}
		lists = append(lists, combined...)
	}
	return lists
}

// apart are the values of lists that have nothing to do with each other: each is cut
// by itself, and the parts share the queries.
func (b *batch) apart(about string, parts [][]string, others []string, alerts []alert.Alert) (lists []map[string]string) {
	for _, part := range parts {
		lists = append(lists, b.literals(about, part))
	}
	for _, other := range others {
		n := 0
		for part := range b.parts(b.keysWith(other, other, nil, alerts)) {
			if n == len(lists) {
				lists = append(lists, b.literals(about, nil))
			}
			maps.Copy(lists[n], b.literals(other, part))
			n++
		}
		for ; n < len(lists); n++ {
			maps.Copy(lists[n], b.literals(other, nil))
		}
	}
	return lists
}

// keysWith are the keys of the entities of a type in the alerts that have one of the
// keys of another type, or any of that type if there are no keys, in order.
func (b *batch) keysWith(typ, about string, part []string, alerts []alert.Alert) []string {
	wanted := map[string]bool{}
	for _, key := range part {
		wanted[key] = true
	}
	found := map[string]bool{}
	for _, a := range alerts {
		if len(part) > 0 && !slices.ContainsFunc(a.Entities, func(e alert.Entity) bool {
			return e.Type == about && slices.ContainsFunc(b.keys(e), func(key string) bool { return wanted[key] })
		}) {
			continue
		}
		for _, e := range a.Entities {
			if e.Type == typ {
				for _, key := range b.keys(e) {
					found[key] = true
				}
			}
		}
	}
	return sortedKeys(found)
}

// keys are those under which the batch lists an entity.
func (b *batch) keys(e alert.Entity) []string {
	if e.Type == "Account" {
		if a := b.find(byID(e.Account())); a != nil {
			return []string{a.key()}
		}
		return nil
	}
	names, _ := namesOf(e)
	return names
}

// literals are the values of the parameters that list entities of a type.
func (b *batch) literals(typ string, keys []string) map[string]string {
	switch typ {
	case "Account":
		var ids, names []string
		for _, key := range keys {
			a := b.accounts[key]
			if a.id != "" {
				ids = append(ids, a.id)
			}
			if a.name != "" {
				names = append(names, a.name)
			}
		}
		return map[string]string{"AccountIds": listLiteral(ids), "Accounts": listLiteral(names)}
	case "IP":
		parts := b.partsOf(keys)
		return map[string]string{"Addresses": listLiteral(keys), "Spellings": listLiteral(append(slices.Clone(keys), mapped(keys)...)),
			"Parts": listLiteral(parts), "HasParts": fmt.Sprint(len(parts) > 0)}
	case "Host":
		return map[string]string{"Hosts": listLiteral(keys)}
	case "URL":
		return map[string]string{"Urls": listLiteral(keys)}
	}
	return map[string]string{"Hashes": listLiteral(keys)}
}

// bringsAbout reports whether a context of the rule is about an entity of an alert.
func (b *batch) bringsAbout(a alert.Alert) bool {
	return slices.ContainsFunc(b.brought, func(k *brought) bool { return k.isAbout(b, a) })
}

func (k *brought) isAbout(b *batch, a alert.Alert) bool {
	return slices.ContainsFunc(a.Entities, func(e alert.Entity) bool { return e.Type == k.Key.Entity && len(b.keys(e)) > 0 })
}

// assessBrought adds what the rule's own contexts say of the entities of an alert.
func (b *batch) assessBrought(f findings, c *alert.Context, a alert.Alert) {
	for _, k := range b.brought {
		seen := map[any]bool{}
		for _, e := range a.Entities {
			if e.Type != k.Key.Entity {
				continue
			}
			_, label := namesOf(e)
			var of any
			if keys := b.keys(e); len(keys) > 0 {
				of = b.entity(k.Key.Entity, keys[0])
			}
			if of == nil || seen[of] {
				continue
			}
			seen[of] = true
			k.facts(c, label, k.rows[of])
			k.find(f, label, k.rows[of])
		}
	}
}

// bringsNot adds a line for each of the rule's own contexts that an alert would have
// and that could not be had.
func (b *batch) bringsNot(c *alert.Context, a alert.Alert) {
	for _, k := range b.brought {
		if k.missing != "" && k.isAbout(b, a) {
			c.Unavailable = append(c.Unavailable, fmt.Sprintf("%s: not available, %s", k.Name, k.missing))
			c.Failed = c.Failed || !k.absent
		}
	}
}

// facts adds a section of what the rows of an entity say, each value once.
func (k *brought) facts(c *alert.Context, label string, rows []row) {
	var facts []alert.Detail
	for _, f := range k.Facts {
		var values []string
		seen := map[string]bool{}
		for _, r := range rows {
			for _, v := range r.values(f.Column) {
				if v = text.CutSafe(v, mostFactValue, func(_, _ byte) string { return "" }); !seen[v] {
					seen[v] = true
					values = append(values, v)
				}
			}
		}
		facts = append(facts, fact(f.Label, values...)...)
	}
	if len(facts) > 0 {
		c.Sections = append(c.Sections, alert.Section{Title: k.Name, Subject: label, Facts: facts, Brought: true})
	}
}

// mostFactValue is how many characters of a value a fact has room for.
const mostFactValue = 500

// find adds the findings that rows of an entity make: in the words of the first row
// that does, with how many more there are.
func (k *brought) find(f findings, label string, rows []row) {
	for _, finding := range k.Findings {
		var first *row
		n := 0
		for i := range rows {
			if rows[i].value(finding.When) == true {
				if n++; first == nil {
					first = &rows[i]
				}
			}
		}
		if first == nil {
			continue
		}
		said, ok := finding.Text.Render(func(column string) (string, bool) { return first.said(column), true })
		if !ok {
			continue // none is without a text
		}
		if n > 1 {
			said += fmt.Sprintf(", and %d more", n-1)
		}
		f.add(finding.Kind, sayingOf(said), "%s: %s", text.Quoted(label), said)
		if found := f[finding.Kind]; found.change == nil {
			found.change = &finding.Severity
			f[finding.Kind] = found
		}
	}
}

func sayingOf(text string) said { return said{reason: text} }

// values are what a column of a row says, written for a list.
func (r row) values(column string) []string {
	switch v := r.value(column).(type) {
	case time.Time:
		return []string{v.UTC().Format(time.DateTime)}
	default:
		return all(r.list(column), text.Item)
	}
}

// said is what a column of a row says in a sentence: numbers and times as they are,
// and whatever a log may have chosen in quotation marks.
func (r row) said(column string) string {
	switch v := r.value(column).(type) {
	case time.Time:
		return v.UTC().Format(time.DateTime) + " UTC"
	case int64, int32, int, float64, bool, time.Duration:
		return workspace.Text(v)
	}
	words := head(all(r.list(column), text.Quoted), 3)
	if len(words) == 0 {
		return "unknown"
	}
	return strings.Join(words, ", ")
}
