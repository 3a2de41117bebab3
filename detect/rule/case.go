package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
)

// Case is one test of a rule: logs, and what the rule reports of them.
type Case struct {
	Name string
	// File is where the case is written, and Line and Column at which place.
	File         string
	Line, Column int

	Logs []CaseLogs
	// At is the time of the one run that the case is about, or From and To are
	// the time that the rule runs over, window by window. All are zero for the
	// time of the logs.
	At, From, To time.Time

	Expect Expectation
}

// CaseLogs are logs of a case: a file or a folder, or records.
type CaseLogs struct {
	Table        string // "" if the records say theirs
	Path         string // relative to the folder of the case's file; "" for records
	Records      []CaseRecord
	Line, Column int
}

// CaseRecord is a record as JSON, with the line of its case's file.
type CaseRecord struct {
	JSON []byte
	Line int
}

// testExtensions are the ends of the names of files of cases.
var testExtensions = []string{".test.yaml", ".test.yml"}

// IsTestFile reports whether a file holds the cases of the rule beside it.
func IsTestFile(path string) bool {
	name := strings.ToLower(filepath.Base(path))
	return slices.ContainsFunc(testExtensions, func(ext string) bool { return strings.HasSuffix(name, ext) })
}

// withoutExtension cuts the end off the name of a rule's file or of a file of cases.
func withoutExtension(path string) string {
	for _, ext := range testExtensions {
		if strings.HasSuffix(strings.ToLower(path), ext) {
			return path[:len(path)-len(ext)]
		}
	}
	return strings.TrimSuffix(path, filepath.Ext(path))
}

// TestFile returns the path of the file of cases beside a rule's file, and whether
// it is there.
func TestFile(path string) (string, bool) {
	stem := withoutExtension(path)
	for _, ext := range testExtensions {
		if _, err := os.Stat(stem + ext); !errors.Is(err, fs.ErrNotExist) {
			return stem + ext, true
		}
	}
	return stem + testExtensions[0], false
}

// Cases returns the cases of a rule: those under pushback in its own file, then those
// of the file NAME.test.yaml beside it. Problems are mistakes in cases, and warnings; the
// cases without a mistake are returned all the same.
func (r *Rule) Cases() ([]Case, []Problem) {
	cases, problems := slices.Clone(r.cases), slices.Clone(r.caseProblems)
	var data []byte
	var err error
	file := ""
	if r.shipped {
		file = withoutExtension(r.File) + testExtensions[0]
		data, err = shippedFiles.ReadFile(file)
	} else if path, found := TestFile(r.File); found && r.File != "" {
		file = path
		data, err = readRule(path)
	}
	if err != nil {
		return cases, append(problems, readProblem(file, err))
	}
	if file != "" {
		more, wrong := parseCases(file, data, r.FindingKinds())
		cases, problems = append(cases, more...), append(problems, wrong...)
	}
	names := map[string]Case{}
	for i := range cases {
		c := cases[i]
		if first, found := names[c.Name]; found {
			problems = append(problems, Problem{File: c.File, Line: c.Line, Column: c.Column,
				Message: fmt.Sprintf("the name %q is already that of the case at %s:%d: give each case a name of its own", clip(c.Name), first.File, first.Line)})
		}
		names[c.Name] = c
	}
	return cases, problems
}

// ParseCases reads a file of cases: a list of them, or a mapping with the list under
// the key tests. It reports everything that is wrong at once. What may change what a
// case tests is never a warning, since a case with a slip of the pen would pass and
// test nothing.
func ParseCases(file string, data []byte) ([]Case, []Problem) { return parseCases(file, data, nil) }

// parseCases reads the cases of a rule whose context has findings of its own kinds.
func parseCases(file string, data []byte, kinds []alert.FindingKind) ([]Case, []Problem) {
	if len(data) > maxFileSize {
		return nil, []Problem{{File: file, Message: "the file is longer than 1 MiB: put the records into files of logs, and their paths into the cases"}}
	}
	root, src, problem := readRoot(file, data, "cases are a list, or a mapping with the list under tests")
	if problem != nil {
		return nil, withoutSecrets([]Problem{*problem}, data)
	}
	c := newCaseReader(file, src, kinds...)
	c.file(root)
	sortProblems(c.problems)
	return c.cases, withoutSecrets(c.problems, data)
}

// caseReader reads cases.
type caseReader struct {
	reader
	cases []Case
	kinds []string // of findings
}

// newCaseReader returns a reader of the cases of a rule that brings kinds of findings.
func newCaseReader(file string, src *source, own ...alert.FindingKind) *caseReader {
	c := &caseReader{reader: reader{file: file, source: src, at: map[string]position{}, closed: true}}
	for _, kind := range append(alert.FindingKinds(), own...) {
		c.kinds = append(c.kinds, string(kind))
	}
	return c
}

// file reads the root of a file of cases.
func (c *caseReader) file(root *yaml.Node) {
	c.anyOf(root, "the file",
		alternative{yaml.SequenceNode, c.tests},
		alternative{yaml.MappingNode, func(n *yaml.Node) {
			set := c.mapping(n, "", map[string]field{"tests": c.tests})
			c.required(n, set, "tests", "it is the list of the rule's cases")
		}},
	)
}

// tests reads a list of cases.
func (c *caseReader) tests(n *yaml.Node) {
	c.list(n, "tests", func(_ int, item *yaml.Node) { c.testCase(item) })
}

// testCase reads one case.
func (c *caseReader) testCase(n *yaml.Node) {
	if !c.is(n, yaml.MappingNode) {
		c.errorf(n, "a case is %s: it must have name, logs and expect", describe(n))
		return
	}
	at := c.place(n)
	one := Case{File: c.reader.file, Line: at.line, Column: at.column}
	before := len(c.problems)
	set := c.mapping(n, "the case", map[string]field{
		"name":   func(n *yaml.Node) { one.Name, _ = c.text(n, "name") },
		"logs":   func(n *yaml.Node) { one.Logs = c.logs(n) },
		"at":     func(n *yaml.Node) { one.At = c.time(n, "at") },
		"from":   func(n *yaml.Node) { one.From = c.time(n, "from") },
		"to":     func(n *yaml.Node) { one.To = c.time(n, "to") },
		"expect": func(n *yaml.Node) { one.Expect = c.expect(n) },
	})
	c.required(n, set, "name", "say in a few words what the case is about")
	c.required(n, set, "logs", "give records per table, or the path of a file")
	c.required(n, set, "expect", "write nothing, a number of alerts, or a list of what must hold of each")
	switch {
	case !one.At.IsZero() && (!one.From.IsZero() || !one.To.IsZero()):
		c.errorf(set["at"], "at is one run, and from and to are a time to run over: remove the one or the others")
	case !one.From.IsZero() && !one.To.IsZero() && !one.From.Before(one.To):
		c.errorf(set["to"], "to is not after from: there is no time to run over")
	}
	if !hasError(c.problems[before:]) {
		c.cases = append(c.cases, one)
	}
}

// timeForms are how a time may be written. One without a zone is UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

func parseTime(text string) (time.Time, bool) {
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// timePattern is that of a time as parseTime reads it.
const timePattern = `^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$`

// time reads a time.
func (c *caseReader) time(n *yaml.Node, what string) time.Time {
	c.like(n, timePattern)
	text, ok := c.text(n, what)
	if !ok {
		return time.Time{}
	}
	t, ok := parseTime(text)
	if !ok || t.Year() < 1970 || t.Year() >= 2200 {
		c.errorf(n, "%s is %q: write a time in ISO 8601 between 1970 and 2200, such as 2026-03-17T10:00:00Z", what, clip(text))
		return time.Time{}
	}
	return t
}

// logs reads the logs of a case: a path, paths, or for each table its records or the
// path of a file.
func (c *caseReader) logs(n *yaml.Node) (all []CaseLogs) {
	var records []CaseRecord
	if n.Kind != yaml.ScalarNode && len(n.Content) == 0 && !c.drawing() {
		c.errorf(n, "logs is empty: name a table with its records, such as SigninLogs: [], or the path of a file")
		return nil
	}
	c.anyOf(n, "logs",
		alternative{yaml.ScalarNode, func(n *yaml.Node) {
			if path, ok := c.path(n); ok {
				all = append(all, c.logsAt(n, CaseLogs{Path: path}))
			}
		}},
		alternative{yaml.SequenceNode, func(n *yaml.Node) {
			c.list(n, "logs", func(_ int, item *yaml.Node) {
				c.anyOf(item, "an item of logs",
					alternative{yaml.ScalarNode, func(n *yaml.Node) {
						if path, ok := c.path(n); ok {
							all = append(all, c.logsAt(n, CaseLogs{Path: path}))
						}
					}},
					alternative{yaml.MappingNode, func(n *yaml.Node) { records = append(records, c.record(n)) }},
				)
			})
			if len(records) > 0 {
				all = append(all, c.logsAt(n, CaseLogs{Records: records}))
			}
		}},
		alternative{yaml.MappingNode, func(n *yaml.Node) { all = c.tables(n) }},
	)
	return all
}

func (c *caseReader) logsAt(n *yaml.Node, l CaseLogs) CaseLogs {
	at := c.place(n)
	l.Line, l.Column = at.line, at.column
	return l
}

// path reads the path of a file, which stands in the folder of the case's file unless
// it is absolute.
func (c *caseReader) path(n *yaml.Node) (string, bool) {
	path, ok := c.text(n, "the path of logs")
	if !ok {
		return "", false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(c.reader.file), filepath.FromSlash(path))
	}
	return path, true
}

// tables reads the records, or the file, of each table.
func (c *caseReader) tables(n *yaml.Node) (all []CaseLogs) {
	c.pairs(n, "logs", func(table string, keyNode, value *yaml.Node) {
		if isNull(value) && !c.drawing() {
			c.errorf(keyNode, "%s has no records: write [] for a table without any, or remove it", clip(table))
			return
		}
		c.anyOf(value, "the logs of a table",
			alternative{yaml.ScalarNode, func(n *yaml.Node) {
				if path, ok := c.path(n); ok {
					if table == "file" {
						table = ""
					}
					all = append(all, c.logsAt(n, CaseLogs{Table: table, Path: path}))
				}
			}},
			alternative{yaml.SequenceNode, func(n *yaml.Node) {
				l := c.logsAt(keyNode, CaseLogs{Table: table})
				c.list(n, clip(table), func(_ int, item *yaml.Node) {
					if !c.is(item, yaml.MappingNode) {
						c.errorf(item, "a record of %s is %s: it must be a mapping of columns to values", clip(table), describe(item))
						return
					}
					l.Records = append(l.Records, c.record(item))
				})
				all = append(all, l)
			}},
			alternative{yaml.MappingNode, func(n *yaml.Node) { // the one record
				all = append(all, c.logsAt(keyNode, CaseLogs{Table: table, Records: []CaseRecord{c.record(n)}}))
			}},
		)
	})
	return all
}

// record reads a record.
func (c *caseReader) record(n *yaml.Node) CaseRecord {
	if c.anything(n, "object") {
		return CaseRecord{}
	}
	return CaseRecord{JSON: c.json(n), Line: c.place(n).line}
}

// json writes a value as JSON, its keys in the order of the file.
func (c *caseReader) json(n *yaml.Node) []byte {
	n = resolve(n)
	switch n.Kind {
	case yaml.MappingNode:
		out := []byte{'{'}
		c.pairs(n, "a record", func(key string, _, value *yaml.Node) {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(append(out, jsonText(key)...), ':')
			out = append(out, c.json(value)...)
		})
		return append(out, '}')
	case yaml.SequenceNode:
		out := []byte{'['}
		for i, item := range n.Content {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, c.json(item)...)
		}
		return append(out, ']')
	}
	switch n.ShortTag() {
	case "!!null":
		return []byte("null")
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return strconv.AppendBool(nil, b)
		}
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) { // as it is written, with all its digits
			return []byte(n.Value)
		}
		var f float64
		if n.Decode(&f) == nil {
			if out, err := json.Marshal(f); err == nil { // none of NaN and infinity
				return out
			}
		}
	}
	return jsonText(n.Value)
}

func jsonText(s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return []byte(`""`) // never of a string
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// expect reads what a case expects.
func (c *caseReader) expect(n *yaml.Node) (e Expectation) {
	at := c.place(n)
	e.Line, e.Column = at.line, at.column
	c.anyOf(n, "expect",
		alternative{yaml.ScalarNode, func(n *yaml.Node) {
			c.like(n, `^(nothing|\d+)$`)
			text, ok := c.text(n, "expect")
			if !ok || text == "nothing" {
				return
			}
			count, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				c.errorf(n, "expect is %q: write nothing, a number of alerts, or a list of what must hold of each", clip(text))
			}
			e.Count = int(count)
		}},
		alternative{yaml.SequenceNode, func(n *yaml.Node) {
			c.list(n, "expect", func(_ int, item *yaml.Node) { e.Alerts = append(e.Alerts, c.expectedAlert(item)) })
			e.Count = len(e.Alerts)
		}},
		alternative{yaml.MappingNode, func(n *yaml.Node) { // the one alert
			e.Alerts, e.Count = []ExpectedAlert{c.expectedAlert(n)}, 1
		}},
	)
	return e
}

// expectedAlert reads what must hold of an alert.
func (c *caseReader) expectedAlert(n *yaml.Node) (e ExpectedAlert) {
	if !c.is(n, yaml.MappingNode) {
		c.errorf(n, "an item of expect is %s: it must say what holds of an alert, such as title and severity", describe(n))
		return e
	}
	before := len(c.problems)
	at := c.place(n)
	e.Line, e.Column = at.line, at.column
	e.at = map[string]position{}
	row := func(n *yaml.Node) {
		if len(e.Rows) == 0 {
			e.at["row"] = c.place(n)
		}
		e.Rows = append(e.Rows, c.row(n))
	}
	set := c.mapping(n, "expect", map[string]field{
		"title":       func(n *yaml.Node) { e.Title = c.match(n, "title") },
		"description": func(n *yaml.Node) { e.Description = c.match(n, "description") },
		"severity": func(n *yaml.Node) {
			if i, ok := c.choice(n, "severity", severityNames); ok {
				s := alert.High - alert.Severity(i)
				e.Severity = &s
			}
		},
		"tactics":    func(n *yaml.Node) { e.Tactics = append([]string{}, c.texts(n, "tactics")...) },
		"techniques": func(n *yaml.Node) { e.Techniques = append([]string{}, c.texts(n, "techniques")...) },
		"entities":   func(n *yaml.Node) { e.Entities = append([]ExpectedEntity{}, c.entities(n)...) },
		"details":    func(n *yaml.Node) { e.Details = append([]ExpectedDetail{}, c.details(n)...) },
		"row":        row,
		"columns":    row,
		"rows": func(n *yaml.Node) {
			c.anyOf(n, "rows",
				alternative{yaml.ScalarNode, func(n *yaml.Node) {
					c.like(n, `^\d+$`)
					text, ok := c.text(n, "rows")
					if !ok {
						return
					}
					count, err := strconv.ParseUint(text, 10, 31)
					if err != nil {
						c.errorf(n, "rows is %q: write a number of rows, or a list of what the columns of some hold", clip(text))
						return
					}
					e.RowCount = new(int)
					*e.RowCount = int(count)
				}},
				alternative{yaml.SequenceNode, func(n *yaml.Node) {
					c.list(n, "rows", func(_ int, item *yaml.Node) { row(item) })
				}},
			)
		},
		"findings": func(n *yaml.Node) { e.Findings = append([]ExpectedFinding{}, c.findings(n)...) },
	})
	for key, value := range set {
		if key != "row" && key != "columns" {
			e.at[key] = c.place(value)
		}
	}
	if len(set) == 0 && len(c.problems) == before && !c.drawing() {
		c.errorf(n, "an item of expect says nothing: name what must hold, such as title or severity, or write the number of alerts instead of the list")
	}
	return e
}

// severityNames are the severities, the most urgent first.
var severityNames = []string{alert.High.String(), alert.Medium.String(), alert.Low.String(), alert.Informational.String()}

// match reads a text that must be the same, or that another must contain.
func (c *caseReader) match(n *yaml.Node, what string) *Match {
	var m Match
	c.anyOf(n, what,
		alternative{yaml.ScalarNode, func(n *yaml.Node) { m.Text, _ = c.text(n, what) }},
		alternative{yaml.MappingNode, func(n *yaml.Node) {
			set := c.mapping(n, what, map[string]field{
				"contains": func(n *yaml.Node) { m.Text, _ = c.text(n, "contains"); m.Contains = true },
			})
			c.required(n, set, "contains", "a part of the text, or write the whole text")
		}},
	)
	return &m
}

// entities reads entities that the alert must have, each as a mapping of its type to an
// identifier's value or to several identifiers with theirs, or with its type under the
// key type.
func (c *caseReader) entities(n *yaml.Node) (list []ExpectedEntity) {
	one := func(n *yaml.Node) {
		var e ExpectedEntity
		typeNode := (*yaml.Node)(nil)
		if !c.drawing() {
			for i := 0; i+1 < len(n.Content); i += 2 {
				if key := n.Content[i].Value; key == "type" || key == "entityType" {
					typeNode = n.Content[i+1]
				}
			}
		}
		if typeNode == nil {
			list = append(list, c.entitiesByType(n)...)
			return
		}
		typ, ok := c.entityType(typeNode)
		if !ok {
			return
		}
		e.Type = typ.name
		c.pairs(n, "entities", func(key string, keyNode, value *yaml.Node) {
			if value != typeNode && key != "type" && key != "entityType" {
				c.identifier(&e, typ, key, keyNode, value)
			}
		})
		list = append(list, e)
	}
	c.anyOf(n, "entities",
		alternative{yaml.SequenceNode, func(n *yaml.Node) {
			c.list(n, "entities", func(_ int, item *yaml.Node) {
				if !c.is(item, yaml.MappingNode) {
					c.errorf(item, "an item of entities is %s: write a type with its identifiers, such as Account: {FullName: ana@contoso.example}", describe(item))
					return
				}
				one(item)
			})
		}},
		alternative{yaml.MappingNode, one},
	)
	return list
}

// entityType reads the type of an entity.
func (c *caseReader) entityType(n *yaml.Node) (entityType, bool) {
	i, ok := c.choice(n, "entity type", entityTypeNames)
	if !ok {
		return entityType{}, false
	}
	return entityTypes[i], true
}

// entitiesByType reads entities that are each under their type.
func (c *caseReader) entitiesByType(n *yaml.Node) (list []ExpectedEntity) {
	c.pairs(n, "entities", func(name string, keyNode, value *yaml.Node) {
		typ, ok := entityTypeNamed(name)
		if !ok && !c.drawing() {
			c.errorf(keyNode, "entity type %q is unknown%s", clip(name), oneOf(name, entityTypeNames))
			return
		}
		one := func(n *yaml.Node) {
			e := ExpectedEntity{Type: typ.name}
			c.anyOf(n, "an entity",
				alternative{yaml.ScalarNode, func(n *yaml.Node) {
					if value, ok := c.text(n, "the entity"); ok {
						e.Fields = append(e.Fields, alert.Field{Value: value})
					}
				}},
				alternative{yaml.MappingNode, func(n *yaml.Node) {
					c.pairs(n, typ.name, func(key string, keyNode, value *yaml.Node) { c.identifier(&e, typ, key, keyNode, value) })
				}},
			)
			list = append(list, e)
		}
		c.anyOf(value, "an entity",
			alternative{yaml.SequenceNode, func(n *yaml.Node) { c.list(n, "entities", func(_ int, item *yaml.Node) { one(item) }) }},
			alternative{yaml.ScalarNode, one},
			alternative{yaml.MappingNode, one},
		)
	})
	return list
}

// identifier reads an identifier of an entity.
func (c *caseReader) identifier(e *ExpectedEntity, typ entityType, key string, keyNode, value *yaml.Node) {
	name, ok := canonical(key, typ.identifiers)
	if !ok && !c.drawing() {
		c.errorf(keyNode, "%s has no identifier %q%s", typ.name, clip(key), oneOf(key, typ.identifiers))
		return
	}
	if text, ok := c.text(value, typ.name+"."+name); ok {
		e.Fields = append(e.Fields, alert.Field{Identifier: name, Value: text})
	}
}

// details reads the custom details that an alert must have.
func (c *caseReader) details(n *yaml.Node) (list []ExpectedDetail) {
	c.pairs(n, "details", func(name string, keyNode, value *yaml.Node) {
		d := ExpectedDetail{Name: name}
		switch {
		case c.drawing():
			c.anything(value, "string", "number", "boolean", "array", "null")
		case isNull(value):
		case value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				d.Values = append(d.Values, c.json(item))
			}
		default:
			d.Values = []json.RawMessage{c.json(value)}
		}
		list = append(list, d)
	})
	return list
}

// row reads what columns of a row hold.
func (c *caseReader) row(n *yaml.Node) (cells alert.Row) {
	c.pairs(n, "row", func(column string, _, value *yaml.Node) {
		if !c.anything(value) {
			cells = append(cells, alert.Cell{Column: column, Value: c.json(value)})
		}
	})
	return cells
}

// findings reads the findings that an alert must have: a kind, or a part of the text.
func (c *caseReader) findings(n *yaml.Node) (list []ExpectedFinding) {
	kind := func(n *yaml.Node) alert.FindingKind {
		if c.drawing() { // which kinds a rule brings is its own
			c.like(n, `^\s*[A-Za-z0-9]+(-[A-Za-z0-9]+)*\s*$`)
			return ""
		}
		i, ok := c.choice(n, "the kind of a finding", c.kinds)
		if !ok {
			return ""
		}
		return alert.FindingKind(c.kinds[i])
	}
	one := func(n *yaml.Node) {
		var f ExpectedFinding
		c.anyOf(n, "findings",
			alternative{yaml.ScalarNode, func(n *yaml.Node) {
				if text := strings.TrimSpace(n.Value); slices.Contains(c.kinds, text) || text != "" && !strings.ContainsAny(text, " \t\n") {
					f.Kind = kind(n)
					return
				}
				f.Text, _ = c.text(n, "a finding")
			}},
			alternative{yaml.MappingNode, func(n *yaml.Node) {
				before := len(c.problems)
				c.mapping(n, "findings", map[string]field{
					"kind": func(n *yaml.Node) { f.Kind = kind(n) },
					"text": func(n *yaml.Node) { f.Text, _ = c.text(n, "text") },
				})
				if f.Kind == "" && f.Text == "" && len(c.problems) == before && !c.drawing() {
					c.errorf(n, "an item of findings says nothing: give its kind or a part of its text")
				}
			}},
		)
		list = append(list, f)
	}
	c.anyOf(n, "findings",
		alternative{yaml.SequenceNode, func(n *yaml.Node) { c.list(n, "findings", func(_ int, item *yaml.Node) { one(item) }) }},
		alternative{yaml.ScalarNode, func(n *yaml.Node) {
			if !c.drawing() && strings.TrimSpace(n.Value) == "nothing" {
				return
			}
			one(n)
		}},
	)
	return list
}

// FileOfCases returns the file of the rule that a file of cases is about, and whether
// it is there.
func FileOfCases(path string) (string, bool) {
	stem := withoutExtension(path)
	for _, ext := range []string{".yaml", ".yml", ".json"} {
		if _, err := os.Stat(stem + ext); err == nil {
			return stem + ext, true
		}
	}
	return "", false
}

// OrphanedCases returns a problem for each file of cases in folders that no rule
// stands beside.
func OrphanedCases(paths []string) (problems []Problem, err error) {
	for _, root := range paths {
		if info, err := os.Stat(root); err != nil || !info.IsDir() {
			continue
		}
		err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return nil // reading the rules says so
			case path != root && strings.HasPrefix(entry.Name(), "."):
				if entry.IsDir() {
					return fs.SkipDir
				}
			case !entry.IsDir() && IsTestFile(path):
				if _, found := FileOfCases(path); !found {
					problems = append(problems, Problem{File: path, Message: "these are cases of no rule: there is none of the same name, without .test, beside it"})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return problems, nil
}
