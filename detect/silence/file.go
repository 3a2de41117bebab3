package silence

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
	"pushback/detect/suggest"
)

// What a file may hold: more is a mistake, and takes a tick's time.
const (
	mostFile     = 8 << 20 // bytes
	MostSilences = 10_000
)

// Problem is something that is wrong with a silence, or a warning about it.
type Problem struct {
	File         string
	Line, Column int // of the file, from 1 on; 0 if there is none
	Message      string
	Warning      bool
}

// String is the problem on one line, as editors read it.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	if p.Warning {
		return at + ": warning: " + p.Message
	}
	return at + ": " + p.Message
}

// Errors joins the problems that are no warnings, or is nil.
func Errors(problems []Problem) error {
	var errs []error
	for _, p := range problems {
		if !p.Warning {
			errs = append(errs, errors.New(p.String()))
		}
	}
	return errors.Join(errs...)
}

// Load reads a file of silences. If there are problems that are no warnings, none of
// its silences is to be used.
func Load(path string, words Words) ([]Silence, []Problem) {
	fail := func(format string, args ...any) ([]Silence, []Problem) {
		return nil, []Problem{{File: path, Message: fmt.Sprintf(format, args...)}}
	}
	f, err := os.Open(path)
	if err != nil {
		if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return fail("the file of silences cannot be read: %v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fail("this is a folder: name a file of silences, such as silences.yaml in it")
	}
	data, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	switch {
	case err != nil:
		return fail("the file of silences cannot be read: %v", err)
	case len(data) > mostFile:
		return fail("it is larger than %d MiB, the limit of a file of silences", mostFile>>20)
	}
	return Parse(path, data, words)
}

// Parse reads the text of a file of silences.
func Parse(file string, data []byte, words Words) ([]Silence, []Problem) {
	r := &reader{file: file, words: words}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		r.fail(nil, "the file is empty: expected silences: and a list")
		return nil, r.problems
	}
	if err != nil {
		return nil, []Problem{syntaxProblem(file, data, err)}
	}
	var more yaml.Node
	switch err := decoder.Decode(&more); {
	case err == nil:
		r.fail(&more, "there is a second document behind the first: expected one, without ---")
		return nil, r.problems
	case !errors.Is(err, io.EOF):
		return nil, []Problem{syntaxProblem(file, data, err)}
	}
	list := r.root(doc.Content[0])
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
	return list, r.problems
}

// reader reads nodes and notes what is wrong with them.
type reader struct {
	file     string
	words    Words
	problems []Problem
}

// mostProblems is how many problems are listed.
const mostProblems = 100

func (r *reader) note(n *yaml.Node, warning bool, format string, args ...any) {
	if len(r.problems) >= mostProblems {
		return
	}
	p := Problem{File: r.file, Message: fmt.Sprintf(format, args...), Warning: warning}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

func (r *reader) fail(n *yaml.Node, format string, args ...any) { r.note(n, false, format, args...) }

// mapping returns the values of a mapping by their keys, which must be among those
// that are known.
func (r *reader) mapping(n *yaml.Node, what string, keys []string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.fail(n, "%s is %s: expected keys with their values, such as %s", what, kindOf(n), strings.Join(keys[:min(3, len(keys))], ", "))
		return nil
	}
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch name := key.Value; {
		case key.Kind != yaml.ScalarNode || !slices.Contains(keys, name):
			r.fail(key, "%s has no key %.60q%s", what, name, nearest(name, keys))
		case values[name] != nil:
			r.fail(key, "the key %s is there twice", name)
		default:
			values[name] = value
		}
	}
	for name, value := range values {
		if value.Kind == yaml.ScalarNode && value.Tag == "!!null" {
			delete(values, name)
		}
	}
	return values
}

func nearest(given string, names []string) string {
	if best := suggest.Nearest(given, names); best != "" {
		return fmt.Sprintf(": did you mean %q?", best)
	}
	return ": it has " + strings.Join(names, ", ")
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.AliasNode:
		return "an alias"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Tag == "!!null":
		return "empty"
	}
	return fmt.Sprintf("%.60q", n.Value)
}

// items returns the elements of a list.
func (r *reader) items(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "%s is %s: expected a list", what, kindOf(n))
		return nil
	}
	return n.Content
}

// text returns a single value. An alias is none: whoever reviews the file sees what
// stands there.
func (r *reader) text(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		r.fail(n, "%s is %s: expected a text", what, kindOf(n))
		return ""
	}
	return n.Value
}

// texts returns a single value, or those of a list.
func (r *reader) texts(n *yaml.Node, what string) (list []string) {
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			list = append(list, r.text(item, "an item of "+what))
		}
		if len(list) == 0 {
			r.fail(n, "%s is an empty list", what)
		}
	default:
		list = append(list, r.text(n, what))
	}
	return list
}

// The keys of the file.
var (
	rootKeys    = []string{"silences"}
	silenceKeys = []string{"id", "rules", "match", "maxSeverity", "from", "until", "review", "hours", "reason", "by"}
	matcherKeys = []string{"entity", "identifier", "detail", "finding", "value", "exactly", "cidr"}
)

func (r *reader) root(n *yaml.Node) []Silence {
	values := r.mapping(n, "the file", rootKeys)
	if values == nil {
		return nil
	}
	node := values["silences"]
	if node == nil {
		if len(r.problems) == 0 && len(n.Content) == 0 {
			r.fail(n, "the file has no silences: expected silences: and a list")
		}
		return nil
	}
	items := r.items(node, "silences")
	if len(items) > MostSilences {
		r.fail(node, "there are %d silences, and at most %d can be: what so many are for is better said in the rule's query", len(items), MostSilences)
		return nil
	}
	var list []Silence
	lines := map[string]int{}
	for _, item := range items {
		s, ok := r.silence(item)
		if !ok {
			continue
		}
		if line := lines[fold(s.ID)]; line > 0 && s.ID != "" {
			r.fail(item, "the id %s is also that of the silence in line %d", s.ID, line)
		}
		lines[fold(s.ID)] = item.Line
		list = append(list, s)
	}
	return list
}

func (r *reader) silence(n *yaml.Node) (Silence, bool) {
	values := r.mapping(n, "a silence", silenceKeys)
	if values == nil {
		return Silence{}, false
	}
	s := Silence{
		ID: r.text(values["id"], "id"), Rules: r.texts(values["rules"], "rules"), MaxSeverity: DefaultMaxSeverity,
		Reason: strings.TrimSpace(r.text(values["reason"], "reason")), By: strings.TrimSpace(r.text(values["by"], "by")),
		Place: fmt.Sprintf("%s:%d", r.file, n.Line),
	}
	at := map[string]*yaml.Node{} // of what is checked, by its key
	for key, value := range values {
		at[key] = value
	}
	if node := values["maxSeverity"]; node != nil {
		var err error
		if s.MaxSeverity, err = alert.ParseSeverity(strings.TrimSpace(r.text(node, "maxSeverity"))); err != nil {
			r.fail(node, "maxSeverity: %v", err)
		}
	}
	moment := func(key string) time.Time {
		node := values[key]
		if node == nil {
			return time.Time{}
		}
		t, err := ParseTime(r.text(node, key))
		if err != nil {
			r.fail(node, "%s: %v", key, err)
		}
		return t
	}
	s.From, s.Until, s.Review = moment("from"), moment("until"), moment("review")
	hours := values["hours"]
	for i, text := range r.texts(hours, "hours") {
		h, err := ParseHours(text)
		if err != nil {
			node := hours
			if hours.Kind == yaml.SequenceNode {
				node = hours.Content[i]
			}
			r.fail(node, "hours: %v", err)
			continue
		}
		s.Hours = append(s.Hours, h)
	}
	for i, item := range r.items(values["match"], "match") {
		if i > mostMatchers {
			break // Check says that there are more
		}
		s.Match = append(s.Match, r.matcher(item))
		at[matchKey(i)] = item
	}
	before := len(r.problems)
	for _, p := range Check(s, r.words) {
		node := at[p.Key]
		if node == nil {
			node = n
		}
		if p.Key != "" && values[p.Key] != nil && r.hasProblemAt(before, node) {
			continue // it is said why it is not read
		}
		r.note(node, p.Warning, "%s", p.Message)
	}
	if s.Until.IsZero() && s.Review.IsZero() && values["until"] == nil && values["review"] == nil {
		r.fail(n, "the silence has no end: give it until: TIME, or review: DATE on which somebody looks at it again")
	}
	return s, true
}

// hasProblemAt reports whether something is known to be wrong at a node.
func (r *reader) hasProblemAt(before int, n *yaml.Node) bool {
	return slices.ContainsFunc(r.problems[:before], func(p Problem) bool { return p.Line == n.Line && p.Column == n.Column })
}

func (r *reader) matcher(n *yaml.Node) Matcher {
	values := r.mapping(n, "a matcher", matcherKeys)
	return Matcher{
		Entity: strings.TrimSpace(r.text(values["entity"], "entity")), Identifier: strings.TrimSpace(r.text(values["identifier"], "identifier")),
		Detail: strings.TrimSpace(r.text(values["detail"], "detail")), Finding: alert.FindingKind(strings.TrimSpace(r.text(values["finding"], "finding"))),
		Values: r.texts(values["value"], "value"), Exactly: r.texts(values["exactly"], "exactly"), CIDR: r.texts(values["cidr"], "cidr"),
	}
}

// timeForms are the ways in which a time can be written: without one of the day it is
// midnight UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00", time.DateOnly}

// ParseTime reads a time of a silence.
func ParseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, form := range timeForms {
		t, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		if !alert.Known(t) {
			break
		}
		return t.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%.60q is no time: write it like 2026-12-31T18:00:00Z, or 2026-12-31 for that midnight UTC", text)
}
