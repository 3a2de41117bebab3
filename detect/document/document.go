// Package document reads the reviewed YAML files that stand beside rules, such as
// silences and routes, and says where in them what is wrong.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"pushback/detect/suggest"
)

// mostFile is how large a file may be, in bytes: more is a mistake, and takes a tick's
// time.
const mostFile = 8 << 20

// mostProblems is how many problems are listed.
const mostProblems = 100

// Problem is something that is wrong with a file, or a warning about it.
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

// Kind says what a file is of: silences, which are the list under the key of that
// name.
type Kind string

// Load reads a file's text. The second value says why it cannot be read.
func (k Kind) Load(path string) ([]byte, *Problem) {
	fail := func(format string, args ...any) ([]byte, *Problem) {
		return nil, &Problem{File: path, Message: fmt.Sprintf(format, args...)}
	}
	f, err := os.Open(path)
	if err != nil {
		if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
			err = pathErr.Err
		}
		return fail("the file of %s cannot be read: %v", k, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return fail("this is a folder: name a file of %s, such as %[1]s.yaml in it", k)
	}
	data, err := io.ReadAll(io.LimitReader(f, mostFile+1))
	switch {
	case err != nil:
		return fail("the file of %s cannot be read: %v", k, err)
	case len(data) > mostFile:
		return fail("it is larger than %d MiB, the limit of a file of %s", mostFile>>20, k)
	}
	return data, nil
}

// Parse returns a reader of the items of the file's one list. It has at most so many
// of them; with more, or with another mistake, it has none, and says so.
func (k Kind) Parse(file string, data []byte, most int, why string) (r *Reader, items []*yaml.Node) {
	r = &Reader{file: file}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		r.Fail(nil, "the file is empty: expected %s: and a list", k)
		return r, nil
	}
	if err != nil {
		r.problems = []Problem{syntaxProblem(file, data, err)}
		return r, nil
	}
	var more yaml.Node
	switch err := decoder.Decode(&more); {
	case err == nil:
		r.Fail(&more, "there is a second document behind the first: expected one, without ---")
		return r, nil
	case !errors.Is(err, io.EOF):
		r.problems = []Problem{syntaxProblem(file, data, err)}
		return r, nil
	}
	root := doc.Content[0]
	values := r.Mapping(root, "the file", []string{string(k)})
	if values == nil {
		return r, nil
	}
	node := values[string(k)]
	if node == nil {
		if len(r.problems) == 0 && len(root.Content) == 0 {
			r.Fail(root, "the file has no %s: expected %[1]s: and a list", k)
		}
		return r, nil
	}
	if items = r.Items(node, string(k)); len(items) > most {
		r.Fail(node, "there are %d %s, and at most %d can be: %s", len(items), k, most, why)
		return r, nil
	}
	return r, items
}

// Reader reads nodes and notes what is wrong with them.
type Reader struct {
	file     string
	problems []Problem
}

// File is the name of what is read.
func (r *Reader) File() string { return r.file }

// Problems lists what was noted, in the order of the lines.
func (r *Reader) Problems() []Problem {
	slices.SortStableFunc(r.problems, func(a, b Problem) int { return a.Line - b.Line })
	return r.problems
}

// Note notes a problem at a node, or of the whole file without one.
func (r *Reader) Note(n *yaml.Node, warning bool, format string, args ...any) {
	if len(r.problems) >= mostProblems {
		return
	}
	p := Problem{File: r.file, Message: fmt.Sprintf(format, args...), Warning: warning}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	r.problems = append(r.problems, p)
}

// Fail notes a problem that is no warning.
func (r *Reader) Fail(n *yaml.Node, format string, args ...any) { r.Note(n, false, format, args...) }

// Count is how many problems there are.
func (r *Reader) Count() int { return len(r.problems) }

// HasProblemAt reports whether one of the first problems is at a node.
func (r *Reader) HasProblemAt(first int, n *yaml.Node) bool {
	return slices.ContainsFunc(r.problems[:first], func(p Problem) bool { return p.Line == n.Line && p.Column == n.Column })
}

// Mapping returns the values of a mapping by their keys, which must be among those
// that are known.
func (r *Reader) Mapping(n *yaml.Node, what string, keys []string) map[string]*yaml.Node {
	if n.Kind != yaml.MappingNode {
		r.Fail(n, "%s is %s: expected keys with their values, such as %s", what, kindOf(n), strings.Join(keys[:min(3, len(keys))], ", "))
		return nil
	}
	values := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch name := key.Value; {
		case key.Kind != yaml.ScalarNode || !slices.Contains(keys, name):
			r.Fail(key, "%s has no key %.60q%s", what, name, nearest(name, keys))
		case values[name] != nil:
			r.Fail(key, "the key %s is there twice", name)
		default:
			values[name] = value
		}
	}
	for name, value := range values {
		if IsNull(value) {
			delete(values, name)
		}
	}
	return values
}

// IsNull reports whether nothing stands there.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

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

// Items returns the elements of a list.
func (r *Reader) Items(n *yaml.Node, what string) []*yaml.Node {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.Fail(n, "%s is %s: expected a list", what, kindOf(n))
		return nil
	}
	return n.Content
}

// Text returns a single value. An alias is none: whoever reviews the file sees what
// stands there.
func (r *Reader) Text(n *yaml.Node, what string) string {
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		r.Fail(n, "%s is %s: expected a text", what, kindOf(n))
		return ""
	}
	return n.Value
}

// Texts returns a single value, or those of a list.
func (r *Reader) Texts(n *yaml.Node, what string) (list []string) {
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			list = append(list, r.Text(item, "an item of "+what))
		}
		if len(list) == 0 {
			r.Fail(n, "%s is an empty list", what)
		}
	default:
		list = append(list, r.Text(n, what))
	}
	return list
}

// Item returns the node of one of the values that Texts returns.
func Item(n *yaml.Node, i int) *yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content[i]
	}
	return n
}
