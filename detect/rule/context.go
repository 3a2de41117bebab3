package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
	"pushback/detect/input"
)

// Context is a kind of context that a rule brings: a query about the entities of its
// alerts, and what the rows of the answer say of them. It is Pushback's own
// addition to the format: `pushback: {context: [...]}`.
type Context struct {
	Name string
	// Query is run once for all alerts of a window. What it can name says package
	// enrich.
	Query Query
	// File is the file that the query was read from, or nothing of one in the rule.
	File string
	// Period is how far before the first alert the query looks. Zero is as far as the
	// context of the alerts reaches; see SinceWindow.
	Period time.Duration
	// SinceWindow says that the query looks at what came since the window began.
	SinceWindow bool
	// Key is the column that says which entity a row is about.
	Key      ContextKey
	Facts    []ContextFact
	Findings []ContextFinding

	// Ends is how long before the first alert the query stops looking. Zero is not at
	// all. It and what follows are of the contexts that Pushback brings itself.
	Ends time.Duration
	// Apart says that the query's lists have nothing to do with each other.
	Apart bool
	// Tables are those of a query over several, any of which may be missing, with what
	// each tells of.
	Tables []ContextTable

	at map[string]position
}

// ContextTable is a table with what it tells of.
type ContextTable struct{ Name, Table string }

// ContextKey is a column that holds entities of a type.
type ContextKey struct {
	Entity string // one of ContextEntities
	Column string
}

// ContextFact shows a column under a label.
type ContextFact struct{ Label, Column string }

// ContextFinding is a finding that a row makes where a column of it is true.
type ContextFinding struct {
	Kind alert.FindingKind
	When string // the column
	// Text says it where it is known whom it is about, with the values of columns.
	Text Format
	// Severity is what it does to the severity. The zero value is nothing.
	Severity SeverityChange
}

// SeverityChange is what a finding does to the severity of its alert.
type SeverityChange struct {
	// To is the severity that the alert has at least. It is set if By is zero.
	To alert.Severity
	By int
}

// ContextEntities are the types of the entities that contexts can be about.
var ContextEntities = []string{"Account", "IP", "Host", "URL", "FileHash"}

const (
	maxContexts        = 10 // each is a query of every window that finds something
	maxContextFacts    = 20
	maxContextFindings = 20
	maxContextLabel    = 40
	maxContextText     = 300
	maxContextPeriod   = 90 * day
	mostSteps          = 3
	sinceWindow        = "window"
)

var (
	contextName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\pL\pN][\pL\pN ._-]*$`) })
	kindForm    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

// isContextName reports whether a name means nothing but itself wherever it is shown. It
// counts what an expression would take most of a megabyte to count.
func isContextName(text string) bool {
	return utf8.RuneCountInString(text) <= maxContextLabel && contextName().MatchString(text)
}

// ownContexts are the titles under which alerts show what Pushback looks up itself.
var ownContexts = []string{
	"Identity", "UEBA", "Address", "Sign-in history", "Sign-ins before", "Aftermath", "Changes", "Prevalence", "Timeline", "Severity", "Findings", "Services", "Mailbox",
}

// contexts reads the kinds of context that the rule brings.
func (p *parser) contexts(n *yaml.Node) {
	names := map[string]position{}
	kinds := map[alert.FindingKind]position{}
	p.list(n, "context", func(i int, item *yaml.Node) {
		if i == maxContexts {
			p.errorf(item, "there are %d contexts: %d are the most, since each is a query whenever the rule finds something", len(n.Content), maxContexts)
		}
		if i >= maxContexts {
			return
		}
		p.context(item, names, kinds)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		p.errorf(n, "context is empty: give a list of name, query and key, or remove it")
	}
}

// context reads one kind of context. names and kinds are where those were given
// before.
func (p *parser) context(n *yaml.Node, names map[string]position, kinds map[alert.FindingKind]position) {
	if !p.is(n, yaml.MappingNode) {
		p.errorf(n, "an item of context is %s: it must have name, query and key", describe(n))
		return
	}
	c := Context{at: map[string]position{"": p.place(n)}}
	before := len(p.problems)
	fields := map[string]field{
		"name": func(n *yaml.Node) {
			p.like(n, `^\s*[^\s._-].{0,39}\s*$`)
			text, ok := p.text(n, "name")
			if !ok {
				return
			}
			at := p.place(n)
			first, twice := names[strings.ToLower(text)]
			switch {
			case !isContextName(text):
				p.errorf(n, "the context's name is %.60q: use at most %d letters, digits, spaces, dots, dashes and underscores, and begin with a letter or digit", text, maxContextLabel)
				return
			case twice:
				p.errorf(n, "the name %q is already that of the context on line %d: give each a name of its own", text, first.line)
				return
			}
			if own, ok := canonical(text, ownContexts); ok && !p.own {
				p.errorf(n, "the name %q is that of what alerts have already: give the context a name of its own", own)
				return
			}
			names[strings.ToLower(text)] = at
			c.Name = text
		},
		"query":     func(n *yaml.Node) { p.contextQuery(n, &c) },
		"queryFile": func(n *yaml.Node) { p.like(n, `\S`) }, // read below, if it is the one
		"queryPeriod": func(n *yaml.Node) {
			if p.drawing() {
				p.like(n, anyCase(sinceWindow)+"|"+durationPattern)
				return
			}
			if text, ok := p.text(n, "queryPeriod"); ok && strings.EqualFold(text, sinceWindow) {
				c.SinceWindow = true
				return
			}
			d, ok := p.duration(n, "queryPeriod")
			if ok && d > maxContextPeriod {
				p.errorf(n, "queryPeriod is %s: use a time of at most %s, or %s for what came since the window began", formatDuration(d), formatDuration(maxContextPeriod), sinceWindow)
			}
			c.Period = d
		},
		"key":   func(n *yaml.Node) { p.contextKey(n, &c) },
		"facts": func(n *yaml.Node) { p.contextFacts(n, &c) },
		"findings": func(n *yaml.Node) {
			p.list(n, "findings", func(i int, item *yaml.Node) {
				if i == maxContextFindings {
					p.errorf(item, "there are %d findings: %d are the most", len(n.Content), maxContextFindings)
				}
				if i < maxContextFindings {
					p.contextFinding(item, &c, kinds)
				}
			})
		},
	}
	if p.own {
		fields["ends"] = func(n *yaml.Node) { c.Ends, _ = p.duration(n, "ends") }
		fields["apart"] = func(n *yaml.Node) { c.Apart, _ = p.truth(n, "apart") }
		fields["tables"] = func(n *yaml.Node) {
			p.pairs(n, "tables", func(name string, _, value *yaml.Node) {
				table, _ := p.text(value, "the table of "+name)
				c.Tables = append(c.Tables, ContextTable{name, table})
			})
		}
	}
	set := p.mapping(n, "context", fields)
	p.required(n, set, "name", "say in a word or two what the context is")
	p.required(n, set, "key", "say which column holds the entities, such as {entity: Account, column: User}")
	if p.oneQuery(n, set); !isNull(set["queryFile"]) && isNull(set["query"]) {
		p.contextFile(set["queryFile"], &c)
	}
	if !p.drawing() && !p.own && len(c.Facts)+len(c.Findings) == 0 && !hasError(p.problems[before:]) {
		p.errorf(n, "the context %q says nothing: give it facts, findings or both", c.Name)
	}
	p.rule.Context = append(p.rule.Context, c)
}

// ParseContexts reads the contexts that Pushback brings itself from the text of a file
// in the form of a rule's: a mapping with the list under context. readFile reads the
// files of the queries.
func ParseContexts(file string, data []byte, readFile func(name string) ([]byte, error)) ([]Context, []Problem) {
	root, src, problem := readDocument(file, data)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	p := &parser{reader: reader{file: file, source: src, at: map[string]position{}, closed: true}, rule: &Rule{File: file}, own: true, readOwn: readFile}
	set := p.mapping(root, "", map[string]field{"context": p.contexts})
	p.required(root, set, "context", "it is the list of contexts")
	sortProblems(p.problems)
	return p.rule.Context, p.problems
}

// oneQuery reports a context that has no query, or two.
func (p *parser) oneQuery(n *yaml.Node, set map[string]*yaml.Node) {
	if p.drawing() {
		p.draw.oneOf(n, "query", "queryFile")
		return
	}
	query, file := set["query"], set["queryFile"]
	switch {
	case !isNull(query) && !isNull(file):
		p.errorf(file, "query and queryFile are both set: remove one")
	case isNull(query) && isNull(file):
		p.errorf(n, "query is missing: write the KQL there, or name a file beside the rule under queryFile")
	}
}

func (p *parser) contextQuery(n *yaml.Node, c *Context) {
	p.like(n, `\S`)
	if n.Kind != yaml.ScalarNode {
		p.errorf(n, "the context's query is %s: it must be the text of a KQL query, most simply as a block behind `query: |`", describe(n))
		return
	}
	if strings.TrimSpace(n.Value) == "" {
		p.errorf(n, "the context's query is empty: write the KQL that it runs")
		return
	}
	if !p.drawing() {
		c.Query = Query{Text: n.Value, places: p.source.characters(n)}
	}
}

// contextFile reads a query from a file beside the rule's.
func (p *parser) contextFile(n *yaml.Node, c *Context) {
	name, ok := p.text(n, "queryFile")
	if !ok {
		return
	}
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) || strings.Contains(name, `\`) {
		p.errorf(n, "queryFile is %.100q: name a file in the folder of the rule or below it, such as vip.kql", name)
		return
	}
	if p.file == "" {
		p.errorf(n, "queryFile names a file beside the rule, and the rule is in no folder: write the query itself under query")
		return
	}
	path := filepath.Join(filepath.Dir(p.file), local)
	read := readRule
	if p.own {
		read, path = p.readOwn, name
	}
	data, err := read(path)
	var text string
	if err == nil {
		text, err = input.Text(data)
	}
	if err == nil && len(data) > maxFileSize {
		err = errors.New("it is longer than 1 MiB")
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.errorf(n, "there is no file %.100q in the folder of the rule: put the query there, or write it under query", name)
	case err != nil:
		p.errorf(n, "the query of the context cannot be read: %s", input.Reason(err))
	case strings.TrimSpace(text) == "":
		p.errorf(n, "%s is empty: write the KQL that the context runs", name)
	default:
		c.File, c.Query = path, Query{Text: text}
	}
}

func (p *parser) contextKey(n *yaml.Node, c *Context) {
	set := p.mapping(n, "key", map[string]field{
		"entity": func(n *yaml.Node) {
			if i, ok := p.choice(n, "entity", ContextEntities); ok {
				c.Key.Entity = ContextEntities[i]
				c.at["entity"] = p.place(n)
			}
		},
		"column": func(n *yaml.Node) { c.Key.Column = p.contextColumn(n, c, "key", "column") },
	})
	if p.is(n, yaml.MappingNode) {
		p.required(n, set, "entity", "use "+orList(ContextEntities))
		p.required(n, set, "column", "name the column of the query's result that holds the entity")
	}
}

// contextColumn reads the name of a column, and notes where it is.
func (p *parser) contextColumn(n *yaml.Node, c *Context, path, what string) string {
	column, ok := p.text(n, what)
	if ok {
		c.at[path] = p.place(n)
	}
	return column
}

func (p *parser) contextFacts(n *yaml.Node, c *Context) {
	p.pairs(n, "facts", func(label string, keyNode, value *yaml.Node) {
		if p.drawing() {
			p.draw.text(value)
			return
		}
		switch {
		case isNull(value):
			p.errorf(keyNode, "the fact %q has no column: write %s: Column", clip(label), clip(label))
		case !isContextName(label):
			p.errorf(keyNode, "the label of a fact is %.60q: use at most %d letters, digits, spaces, dots, dashes and underscores, and begin with a letter or digit", label, maxContextLabel)
		case len(c.Facts) == maxContextFacts:
			p.errorf(keyNode, "there are more than %d facts: leave out what nobody decides by", maxContextFacts)
		default:
			column := p.contextColumn(value, c, factPath(len(c.Facts)), "the column of the fact "+label)
			if column != "" {
				c.Facts = append(c.Facts, ContextFact{Label: label, Column: column})
			}
		}
	})
}

func factPath(i int) string              { return fmt.Sprintf("facts %d", i) }
func findingPath(i int, k string) string { return fmt.Sprintf("findings %d %s", i, k) }

func (p *parser) contextFinding(n *yaml.Node, c *Context, kinds map[alert.FindingKind]position) {
	if !p.is(n, yaml.MappingNode) {
		p.errorf(n, "an item of findings is %s: it must have kind, when and text", describe(n))
		return
	}
	var f ContextFinding
	i := len(c.Findings)
	set := p.mapping(n, "findings of a context", map[string]field{
		"kind": func(n *yaml.Node) {
			p.like(n, `^\s*[a-z0-9]+(-[a-z0-9]+)*\s*$`)
			text, ok := p.text(n, "kind")
			if !ok {
				return
			}
			kind := alert.FindingKind(text)
			first, twice := kinds[kind]
			switch {
			case !kindForm.MatchString(text) || len(text) > maxContextLabel:
				p.errorf(n, "the kind of a finding is %.60q: use at most %d small letters, digits and dashes between them, such as seen-often", text, maxContextLabel)
			case slices.Contains(alert.FindingKinds(), kind):
				p.errorf(n, "%s is a kind of finding that Pushback has itself: give yours another name", text)
			case twice:
				p.errorf(n, "the kind %s is already that of the finding on line %d: give each a kind of its own", text, first.line)
			default:
				kinds[kind] = p.place(n)
				f.Kind = kind
			}
		},
		"when": func(n *yaml.Node) { f.When = p.contextColumn(n, c, findingPath(i, "when"), "when") },
		"text": func(n *yaml.Node) {
			text, ok := p.text(n, "text")
			if !ok {
				return
			}
			format, err := ParseFormat(text)
			switch {
			case err != nil:
				p.errorf(n, "text: %v", err)
				return
			case strings.ContainsAny(text, "\r\n"):
				p.errorf(n, "the text of a finding is one line: write it without line breaks")
				return
			case len([]rune(text)) > maxContextText:
				p.errorf(n, "the text of a finding has %d characters: %d are the most", len([]rune(text)), maxContextText)
				return
			}
			f.Text = format
			c.at[findingPath(i, "text")] = p.place(n)
		},
		"severity": func(n *yaml.Node) { f.Severity = p.severityChange(n) },
	})
	p.required(n, set, "kind", "name what is found in a word or two with dashes, such as seen-often")
	p.required(n, set, "when", "name the column that is true where it is found")
	p.required(n, set, "text", "say what is found, with {{Column}} for values")
	c.Findings = append(c.Findings, f)
}

// severityChange reads a severity, or by how many steps it changes.
func (p *parser) severityChange(n *yaml.Node) (change SeverityChange) {
	if p.drawing() {
		p.among(n, severityNames)
		p.draw.shapes[n].alternatives = []*shape{{types: []string{"string"}, pattern: `^\s*[+-]?[1-3]\s*$`},
			{types: []string{"number"}, rules: []map[string]any{{"enum": []int{-3, -2, -1, 1, 2, 3}}}}}
		return change
	}
	text, ok := p.text(n, "severity")
	if !ok {
		return change
	}
	if by, err := strconv.Atoi(text); err == nil && by != 0 && by >= -mostSteps && by <= mostSteps {
		return SeverityChange{By: by}
	}
	if to, err := alert.ParseSeverity(text); err == nil {
		return SeverityChange{To: to}
	}
	p.errorf(n, "severity is %q: use the least severity that the alert is to have, High, Medium or Low, or +1 to +%d or -1 to -%d steps", clip(text), mostSteps, mostSteps)
	return change
}

// text returns the change as a file has it.
func (c SeverityChange) text() string {
	switch {
	case c.By != 0:
		return fmt.Sprintf("%+d", c.By)
	case c.To != alert.Informational:
		return c.To.String()
	}
	return ""
}

// ContextColumn is one place where a context names a column of its query's result.
type ContextColumn struct {
	ColumnUse
	Bool bool // it has to be true or false
}

// Columns returns every place where the context names a column.
func (c Context) Columns() []ContextColumn {
	var uses []ContextColumn
	add := func(column, use, path string, isBool bool) {
		if column != "" {
			at := c.at[path]
			uses = append(uses, ContextColumn{ColumnUse{Column: column, Use: "context " + c.Name + ": " + use, Line: at.line, Col: at.column}, isBool})
		}
	}
	add(c.Key.Column, "key", "key", false)
	for i, f := range c.Facts {
		add(f.Column, "the fact "+f.Label, factPath(i), false)
	}
	for i, f := range c.Findings {
		add(f.When, "the finding "+string(f.Kind), findingPath(i, "when"), true)
		for _, column := range f.Text.Columns() {
			add(column, "the text of the finding "+string(f.Kind), findingPath(i, "text"), false)
		}
	}
	return uses
}

// Place returns where in the rule's file the context is.
func (c Context) Place() (line, column int) { return c.at[""].line, c.at[""].column }

// FindingKinds returns the kinds of findings that the rule's alerts can have beside
// Pushback's own, in the rule's order.
func (r *Rule) FindingKinds() []alert.FindingKind {
	var kinds []alert.FindingKind
	for _, c := range r.Context {
		for _, f := range c.Findings {
			if f.Kind != "" {
				kinds = append(kinds, f.Kind)
			}
		}
	}
	return kinds
}

// checkContext warns of contexts about entities that the rule's alerts never have.
func (p *parser) checkContext() {
	if p.drawing() || len(p.rule.EntityColumns) > 0 {
		return
	}
	for _, c := range p.rule.Context {
		if c.Key.Entity == "" || slices.ContainsFunc(p.rule.EntityMappings, func(m EntityMapping) bool {
			return m.EntityType == c.Key.Entity || m.EntityType == sentinelEntities
		}) {
			continue
		}
		p.report(c.at["entity"], true, "the context %q is about %s entities, and entityMappings has none: it looks up nothing", c.Name, c.Key.Entity)
	}
}

// writeContext writes the kinds of context that the rule brings, each with its query
// in it: a file beside the rule is not beside what is written.
func (r *Rule) writeContext(w *writer) {
	if len(r.Context) == 0 {
		return
	}
	n := 0
	w.add("context", list(r.Context, func(c Context) *yaml.Node {
		n++
		one, key, facts := &writer{}, &writer{}, &writer{}
		one.text("name", c.Name)
		one.text("query", markOf(n))
		if c.SinceWindow {
			one.text("queryPeriod", sinceWindow)
		}
		one.duration("queryPeriod", c.Period)
		key.text("entity", c.Key.Entity)
		key.text("column", c.Key.Column)
		one.part("key", key)
		for _, f := range c.Facts {
			facts.text(f.Label, f.Column)
		}
		one.part("facts", facts)
		if len(c.Findings) > 0 {
			one.add("findings", list(c.Findings, func(f ContextFinding) *yaml.Node {
				finding := &writer{}
				finding.text("kind", string(f.Kind))
				finding.text("when", f.When)
				finding.text("text", f.Text.Text)
				finding.text("severity", f.Severity.text())
				return finding.node()
			}))
		}
		return one.node()
	}))
}
