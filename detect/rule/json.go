package rule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

const (
	// maxJSONSize is how long a JSON file may be. A template of a whole solution
	// is much longer than a rule.
	maxJSONSize = 16 << 20
	// maxJSONNodes is how many values it may have, and maxJSONDepth how deep they
	// may be inside of each other.
	maxJSONNodes = 1_000_000
	maxJSONDepth = 200
)

// readJSON reads a JSON text as the nodes that the same YAML would be, each with its
// place. Comments are skipped, as by those who deploy templates.
//
// The YAML library reads most of JSON, but neither tabs before a line nor a pair of
// surrogates.
func readJSON(file, text string, src *source) (*yaml.Node, *Problem) {
	r := &jsonReader{source: src, text: withoutComments(text)}
	r.decoder = json.NewDecoder(strings.NewReader(r.text))
	r.decoder.UseNumber()
	root, err := r.value(0)
	if err == nil {
		if _, err = r.decoder.Token(); errors.Is(err, io.EOF) {
			return root, nil
		}
		if err == nil {
			err = errors.New("something follows the end of its first value")
		}
	}
	var syntax *json.SyntaxError
	offset := r.decoder.InputOffset()
	message := strings.TrimPrefix(err.Error(), "json: ")
	switch {
	case errors.As(err, &syntax):
		// The offset is that of the character that is wrong, or behind it.
		if offset = syntax.Offset; offset >= int64(len(r.text)) || !strings.HasPrefix(message, "invalid character '"+r.text[offset:offset+1]+"'") {
			offset = max(offset-1, 0)
		}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		offset, message = int64(len(r.text)), "it ends too early"
	}
	at := src.position(utf8.RuneCountInString(r.text[:min(int(offset), len(r.text))]))
	return nil, &Problem{File: file, Line: at.line, Column: at.column, Message: "not valid JSON: " + message}
}

// jsonReader makes nodes of tokens.
type jsonReader struct {
	*source
	text    string
	decoder *json.Decoder
	nodes   int

	bytes, runes int // the same place in the text, which only moves on
}

// place returns where the next token is, as the YAML library counts.
func (r *jsonReader) place() (line, column int) {
	start := int(r.decoder.InputOffset())
	for start < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[start]) >= 0 {
		start++
	}
	r.runes += utf8.RuneCountInString(r.text[r.bytes:start])
	r.bytes = start
	i, found := slices.BinarySearch(r.yamlLines, r.runes)
	if !found {
		i--
	}
	return i + 1, r.runes - r.yamlLines[i] + 1
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	if r.nodes++; r.nodes > maxJSONNodes {
		return nil, fmt.Errorf("it has more than %d values: that is not a rule", maxJSONNodes)
	}
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("it is nested more than %d levels deep", maxJSONDepth)
	}
	n := &yaml.Node{Kind: yaml.ScalarNode}
	n.Line, n.Column = r.place()
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		n.Kind, n.Tag, n.Style = yaml.SequenceNode, "!!seq", yaml.FlowStyle
		if t == '{' {
			n.Kind, n.Tag = yaml.MappingNode, "!!map"
		}
		for r.decoder.More() {
			child, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, child)
		}
		_, err := r.decoder.Token() // the closing bracket
		return n, err
	case string:
		n.Tag, n.Value, n.Style = "!!str", t, yaml.DoubleQuotedStyle
	case json.Number:
		n.Tag, n.Value = "!!int", t.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Tag, n.Value = "!!bool", fmt.Sprint(t)
	default:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}

// withoutComments puts spaces in the place of comments, so that all else stays where
// it is.
func withoutComments(text string) string {
	if !strings.Contains(text, "//") && !strings.Contains(text, "/*") {
		return text
	}
	out := []rune(text)
	starts := func(i int, mark string) bool {
		return i+1 < len(out) && out[i] == rune(mark[0]) && out[i+1] == rune(mark[1])
	}
	// blank puts spaces up to the end of a comment, and returns the place before it.
	blank := func(i int, ended func(i int) bool, mark int) int {
		for ; i < len(out) && !ended(i); i++ {
			if out[i] != '\n' && out[i] != '\r' {
				out[i] = ' '
			}
		}
		for range mark {
			if i < len(out) {
				out[i] = ' '
				i++
			}
		}
		return i - 1
	}
	for i := 0; i < len(out); i++ {
		switch {
		case out[i] == '"':
			for i++; i < len(out) && out[i] != '"'; i++ {
				if out[i] == '\\' {
					i++
				}
			}
		case starts(i, "//"):
			i = blank(i, func(i int) bool { return out[i] == '\n' || out[i] == '\r' }, 0)
		case starts(i, "/*"):
			out[i], out[i+1] = ' ', ' '
			i = blank(i+2, func(i int) bool { return starts(i, "*/") }, 2)
		}
	}
	return string(out)
}
