package rule

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"pushback/detect/input"
)

// maxFileSize is far beyond any rule; what is longer was meant as something
// else.
const maxFileSize = 1 << 20

// maxNodes is how many values a file may have once its aliases are written out.
const maxNodes = 100_000

// aRule says what the file of a rule holds.
const aRule = "a rule is a YAML mapping with id, name, severity and query"

// readDocument reads a file's one YAML document. It returns nil and a problem
// if the file is not a mapping of keys.
func readDocument(file string, data []byte) (*yaml.Node, *source, *Problem) {
	root, src, problem := readRoot(file, data, aRule)
	if problem == nil && root.Kind != yaml.MappingNode {
		at := src.position(src.offset(root))
		return nil, nil, &Problem{File: file, Line: at.line, Column: at.column, Message: fmt.Sprintf("the file is %s: %s", describe(root), aRule)}
	}
	return root, src, problem
}

// readRoot reads a file's one YAML document, whatever value it is. It returns nil and
// a problem if the file holds none; right says what it should hold.
func readRoot(file string, data []byte, right string) (*yaml.Node, *source, *Problem) {
	fail := func(line, column int, format string, args ...any) (*yaml.Node, *source, *Problem) {
		return nil, nil, &Problem{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
	}

	src, problem := readText(file, data, maxFileSize)
	if problem != nil {
		return nil, nil, problem
	}
	data = []byte(string(src.text))

	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return fail(0, 0, "the file is empty: %s", right)
	} else if err != nil {
		line, message := syntaxError(data, src, err)
		return fail(line, 0, "not valid YAML: %s", message)
	}
	root := &document
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	at := src.position(src.offset(root))
	if isNull(root) {
		return fail(0, 0, "the file is empty: %s", right)
	}

	var second yaml.Node
	if err := decoder.Decode(&second); err == nil {
		at := src.position(src.offset(&second))
		return fail(at.line, at.column, "the file has a second YAML document: put each rule into a file of its own")
	} else if !errors.Is(err, io.EOF) {
		line, message := syntaxError(data, src, err)
		return fail(line, 0, "not valid YAML: %s", message)
	}

	if n := (&expansion{sizes: map[*yaml.Node]int{}}).size(root); n < 0 {
		return fail(at.line, at.column, "an anchor contains an alias to itself: write the value out")
	} else if n > maxNodes {
		return fail(at.line, at.column, "the file has more than %d values once its aliases are written out: that is not a rule", maxNodes)
	}
	return root, src, nil
}

// readText reads a file as text, of at most so many bytes.
func readText(file string, data []byte, most int) (*source, *Problem) {
	if len(data) > most {
		return nil, &Problem{File: file, Message: fmt.Sprintf("the file is longer than %d MiB: that is not a rule", most>>20)}
	}
	text, err := input.Text(data)
	if err != nil {
		return nil, &Problem{File: file, Message: err.Error()}
	}
	if !utf8.ValidString(text) {
		line, column := invalidUTF8([]byte(text))
		return nil, &Problem{File: file, Line: line, Column: column, Message: "the file is not UTF-8 text: save it as UTF-8"}
	}
	return newSource(text), nil
}

// expansion counts the values of a document with its aliases written out,
// without writing them out: a few nested aliases can stand for billions.
type expansion struct{ sizes map[*yaml.Node]int }

// size returns the number of values, at most maxNodes+1, or -1 for a value that
// contains itself.
func (e *expansion) size(n *yaml.Node) int {
	const open = -1
	if known, ok := e.sizes[n]; ok {
		return known // open: n is being counted, so it contains itself
	}
	e.sizes[n] = open
	total := 1
	children := n.Content
	if n.Alias != nil {
		children = []*yaml.Node{n.Alias}
	}
	for _, child := range children {
		size := e.size(child)
		if size < 0 {
			return open
		}
		total = min(total+size, maxNodes+1)
	}
	e.sizes[n] = total
	return total
}

var yamlErrorLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// syntaxError says what the YAML library found, and on which line.
func syntaxError(data []byte, src *source, err error) (line int, message string) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlErrorLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = m[2]
	}
	if found := brokenLine(data, src); found > 0 {
		line = found
	}
	if line < 1 || line > len(src.lines) {
		return line, message
	}
	end := len(src.text)
	if line < len(src.lines) {
		end = src.lines[line]
	}
	text := string(src.text[src.lines[line-1]:end])
	switch {
	case strings.HasPrefix(strings.TrimLeft(text, " "), "\t"):
		message += " (indent with spaces: YAML does not accept tabs)"
	case strings.ContainsAny(text, "\u0085\u2028\u2029"):
		message += " (the line holds a Unicode line separator, which ends a line in YAML: remove it)"
	}
	return line, message
}

// maxBisected is up to which size of a file brokenLine looks for the line: it
// reads the file once per line.
const maxBisected = 64 << 10

// brokenLine returns the line without which the lines before it would be good
// YAML, or 0 if it does not know. The library names the line where the broken
// construct began, which is often the file's first.
func brokenLine(data []byte, src *source) int {
	if len(data) > maxBisected || len(src.lines) > 2000 {
		return 0
	}
	text := string(src.text)
	starts := make([]int, 0, len(src.lines)) // in bytes
	offset, i := 0, 0
	for at := range text {
		if i < len(src.lines) && offset == src.lines[i] {
			starts = append(starts, at)
			i++
		}
		offset++
	}
	for line := len(starts); line > 0; line-- {
		var n yaml.Node
		if yaml.Unmarshal([]byte(text[:starts[line-1]]), &n) == nil {
			return line
		}
	}
	return 0
}

func invalidUTF8(data []byte) (line, column int) {
	line, column = 1, 1
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == utf8.RuneError && size == 1:
			return line, column
		case r == '\n':
			line, column = line+1, 1
		default:
			column++
		}
		data = data[size:]
	}
	return line, column
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == 0 || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// describe says in words what kind of value a node is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "the single value " + strconv.Quote(clip(n.Value))
	}
}

// resolve follows an alias to its value. readDocument made sure that it ends.
func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	return n
}
