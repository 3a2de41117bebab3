package rule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// reader turns nodes into values and notes what is wrong with them. Its
// methods return ok == false once they have reported why there is no value.
type reader struct {
	file     string
	source   *source
	problems []Problem
	at       map[string]position

	// closed says that a key which is not known is an error and no warning, and so is
	// a value that is empty.
	closed bool
	// draw is set while the reader draws a schema of what it would read.
	draw *drawing
}

func (r *reader) errorf(n *yaml.Node, format string, args ...any) {
	r.report(r.place(n), false, format, args...)
}

func (r *reader) warnf(n *yaml.Node, format string, args ...any) {
	r.report(r.place(n), true, format, args...)
}

func (r *reader) report(at position, warning bool, format string, args ...any) {
	if r.drawing() {
		return
	}
	r.problems = append(r.problems, Problem{
		File: r.file, Line: at.line, Column: at.column, Warning: warning, Message: fmt.Sprintf(format, args...),
	})
}

// place returns where a node is.
func (r *reader) place(n *yaml.Node) position {
	if r.drawing() {
		return position{}
	}
	return r.source.position(r.source.offset(n))
}

// note keeps where a value is, under a path.
func (r *reader) note(path string, n *yaml.Node) { r.at[path] = r.place(n) }

// field reads the value of one key. A nil field is a key that may be there and
// says nothing to Pushback.
type field func(value *yaml.Node)

// mapping reads a mapping, key by key, in the file's order. Keys that the table
// does not have get a warning. It returns the keys that are set, including
// those whose value is null; field is not called for these.
func (r *reader) mapping(n *yaml.Node, what string, fields map[string]field) map[string]*yaml.Node {
	if r.drawing() {
		return r.draw.mapping(n, what, fields, r.closed)
	}
	set := map[string]*yaml.Node{}
	r.pairs(n, what, func(key string, keyNode, value *yaml.Node) {
		read, known := fields[key]
		if !known {
			names := make([]string, 0, len(fields))
			for name := range fields {
				names = append(names, name)
			}
			slices.Sort(names)
			in := ""
			if what != "" {
				in = " in " + what
			}
			if r.closed {
				r.errorf(keyNode, "unknown key %q%s%s", clip(key), in, oneOf(key, names))
				return
			}
			r.warnf(keyNode, "unknown key %q%s is ignored%s", clip(key), in, suggestion(key, names))
			return
		}
		set[key] = value
		if read != nil && !isNull(value) {
			read(value)
		}
	})
	return set
}

// pairs calls each for every key of a mapping, in the file's order, and reports
// keys that are set twice.
func (r *reader) pairs(n *yaml.Node, what string, each func(key string, keyNode, value *yaml.Node)) {
	if r.drawing() {
		r.draw.pairs(n, each)
		return
	}
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.errorf(n, "%s is %s: it must be a mapping of keys to values", what, describe(n))
		return
	}
	first := map[string]*yaml.Node{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, value := resolve(n.Content[i]), resolve(n.Content[i+1])
		if keyNode.Kind != yaml.ScalarNode {
			r.errorf(keyNode, "a key is %s: it must be a name", describe(keyNode))
			continue
		}
		key := keyNode.Value
		if before := first[key]; before != nil {
			r.errorf(n.Content[i], "%s is set twice, first on line %d: remove one", strconv.Quote(clip(key)), r.place(before).line)
			continue
		}
		first[key] = n.Content[i]
		if isMerge(n.Content[i]) {
			merged = append(merged, value)
			continue
		}
		each(key, n.Content[i], value)
	}
	for _, value := range merged {
		r.merge(value, first, each)
	}
}

// isMerge reports whether a key is YAML's <<, which brings in the keys of other mappings.
func isMerge(key *yaml.Node) bool { return key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" }

// merge calls each for the keys that a merge key brings in. A key that the mapping
// has itself counts, and so does the first of several mappings that has it.
func (r *reader) merge(value *yaml.Node, first map[string]*yaml.Node, each func(key string, keyNode, value *yaml.Node)) {
	switch value = resolve(value); value.Kind {
	case yaml.SequenceNode:
		for _, item := range value.Content {
			r.merge(item, first, each)
		}
	case yaml.MappingNode:
		var nested []*yaml.Node
		for i := 0; i+1 < len(value.Content); i += 2 {
			keyNode := resolve(value.Content[i])
			switch {
			case isMerge(value.Content[i]):
				nested = append(nested, value.Content[i+1])
			case keyNode.Kind == yaml.ScalarNode && first[keyNode.Value] == nil:
				first[keyNode.Value] = keyNode
				each(keyNode.Value, keyNode, resolve(value.Content[i+1]))
			}
		}
		for _, n := range nested {
			r.merge(n, first, each)
		}
	default:
		r.errorf(value, "the merge key << is %s: it must be an alias of a mapping, such as *defaults, or a list of them", describe(value))
	}
}

// list calls each for every item of a list.
func (r *reader) list(n *yaml.Node, what string, each func(i int, item *yaml.Node)) {
	if r.drawing() {
		r.draw.list(n, each)
		return
	}
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.errorf(n, "%s is %s: it must be a list, such as [a, b]", what, describe(n))
		return
	}
	for i, item := range n.Content {
		item = resolve(item)
		if isNull(item) {
			if r.closed {
				r.errorf(item, "an item of %s is empty: remove it or give it a value", what)
				continue
			}
			r.warnf(item, "an item of %s is empty and ignored: remove it or give it a value", what)
			continue
		}
		each(i, item)
	}
}

// words calls each for every word of a list of words. One text in its place, with
// commas between the words, is read as such a list, with a warning.
func (r *reader) words(n *yaml.Node, what string, each func(item *yaml.Node, word string)) {
	if r.drawing() {
		r.draw.anyOf(n, []alternative{
			{yaml.SequenceNode, func(n *yaml.Node) {
				r.draw.list(n, func(_ int, item *yaml.Node) {
					each(item, "")
					r.draw.optionalText(item)
				})
			}},
			{yaml.ScalarNode, r.draw.optionalText},
		})
		return
	}
	if s := resolve(n); s.Kind == yaml.ScalarNode {
		text, ok := r.optionalText(n, what)
		if !ok {
			return
		}
		r.warnf(n, "%s is %s and is read as a list: write it as [a, b]", what, describe(s))
		for word := range strings.SplitSeq(text, ",") {
			if word = strings.TrimSpace(word); word != "" {
				each(n, word)
			}
		}
		return
	}
	r.list(n, what, func(_ int, item *yaml.Node) {
		if word, ok := r.optionalText(item, "an item of "+what); ok {
			each(item, word)
		}
	})
}

// text reads a single value as text, whatever YAML takes it for: a version of
// 1.10 must not become the number 1.1.
func (r *reader) text(n *yaml.Node, what string) (value string, ok bool) {
	if r.drawing() {
		r.draw.text(n)
		return "", false
	}
	n = resolve(n)
	if n.Kind != yaml.ScalarNode {
		r.errorf(n, "%s is %s: it must be text", what, describe(n))
		return "", false
	}
	value = strings.TrimSpace(n.Value)
	if value == "" {
		r.errorf(n, "%s is empty: give it a value or remove it", what)
		return "", false
	}
	return value, true
}

// optionalText reads a text that may be empty, as a portal writes what was not
// filled in: that is as if the key were not there, and a warning.
func (r *reader) optionalText(n *yaml.Node, what string) (value string, ok bool) {
	if r.drawing() {
		r.draw.optionalText(n)
		return "", false
	}
	if s := resolve(n); !r.closed && s.Kind == yaml.ScalarNode && strings.TrimSpace(s.Value) == "" {
		r.warnf(n, "%s is empty and ignored: give it a value or remove it", what)
		return "", false
	}
	return r.text(n, what)
}

// texts reads a list of texts.
func (r *reader) texts(n *yaml.Node, what string) (values []string) {
	r.words(n, what, func(_ *yaml.Node, value string) { values = append(values, value) })
	return values
}

// truth reads a boolean.
func (r *reader) truth(n *yaml.Node, what string) (value, ok bool) {
	if r.drawing() {
		r.draw.truth(n)
		return false, false
	}
	if n = resolve(n); n.Kind == yaml.ScalarNode {
		switch strings.ToLower(strings.TrimSpace(n.Value)) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
	}
	r.errorf(n, "%s is %s: it must be true or false", what, describe(n))
	return false, false
}

// duration reads a length of time.
func (r *reader) duration(n *yaml.Node, what string) (time.Duration, bool) {
	r.like(n, durationPattern)
	value, ok := r.text(n, what)
	if !ok {
		return 0, false
	}
	d, err := parseDuration(value)
	if errors.Is(err, errDurationForm) {
		var written string
		if d, written, err = readLoosely(value); err == nil {
			r.warnf(n, "%s is %q: it is read as %s, and should be written so", what, clip(value), written)
		}
	}
	if err != nil {
		r.errorf(n, "%s is %q: %v", what, clip(value), err)
		return 0, false
	}
	return d, true
}

// choice reads one of the names, without regard to case, and returns its index.
func (r *reader) choice(n *yaml.Node, what string, names []string) (int, bool) {
	r.among(n, names)
	value, ok := r.text(n, what)
	if !ok {
		return 0, false
	}
	name, ok := canonical(value, names)
	if !ok {
		r.errorf(n, "%s is %q%s", what, clip(value), oneOf(value, names))
		return 0, false
	}
	return slices.Index(names, name), true
}

// required reports a key of a mapping that is missing or has no value. The mapping's
// set is what [reader.mapping] returned.
func (r *reader) required(n *yaml.Node, set map[string]*yaml.Node, key, right string) {
	if r.drawing() {
		r.draw.required(n, key)
		return
	}
	switch value, found := set[key]; {
	case !found:
		r.errorf(n, "%s is missing: %s", key, right)
	case isNull(value):
		r.errorf(value, "%s has no value: %s", key, right)
	}
}

// alternative is a kind of value that may stand at a place, with what reads it.
type alternative struct {
	kind yaml.Kind
	read func(n *yaml.Node)
}

// anyOf reads a value that may be of several kinds.
func (r *reader) anyOf(n *yaml.Node, what string, alternatives ...alternative) {
	if r.drawing() {
		r.draw.anyOf(n, alternatives)
		return
	}
	n = resolve(n)
	words := make([]string, 0, len(alternatives))
	for _, a := range alternatives {
		if a.kind == n.Kind {
			a.read(n)
			return
		}
		words = append(words, map[yaml.Kind]string{yaml.ScalarNode: "a single value", yaml.SequenceNode: "a list", yaml.MappingNode: "a mapping"}[a.kind])
	}
	r.errorf(n, "%s is %s: it must be %s", what, describe(n), orList(words))
}

// is reports whether a value is of a kind.
func (r *reader) is(n *yaml.Node, kind yaml.Kind) bool { return r.drawing() || resolve(n).Kind == kind }
