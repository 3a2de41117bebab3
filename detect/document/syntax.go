package document

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var yamlErrorLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntaxProblem says where a file is not YAML, and why.
func syntaxProblem(file string, data []byte, err error) Problem {
	p := Problem{File: file, Line: 1, Column: 1}
	if !utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 { // else it may be UTF-16
		valid := data[:len(data)-len(afterValid(data))]
		p.Line = 1 + bytes.Count(valid, []byte("\n"))
		p.Column = 1 + utf8.RuneCount(valid[bytes.LastIndexByte(valid, '\n')+1:])
		p.Message = "the file is not UTF-8 text: save it as UTF-8"
		return p
	}
	message := err.Error()
	if m := yamlErrorLine.FindStringSubmatch(message); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	if found := brokenLine(data, lines); found > 0 {
		p.Line = found
	}
	if p.Line <= len(lines) {
		line := lines[p.Line-1]
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		p.Column = 1 + len(indent)
		if bytes.IndexByte(indent, '\t') >= 0 {
			message += " (indent with spaces: YAML does not accept tabs)"
		}
	}
	p.Message = "it is not valid YAML: " + strings.TrimPrefix(message, "yaml: ")
	return p
}

// afterValid returns what follows the UTF-8 that data begins with.
func afterValid(data []byte) []byte {
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		data = data[size:]
	}
	return data
}

// Up to which size of a file brokenLine looks for the line: it reads the file once per
// line.
const (
	mostBisected      = 64 << 10
	mostBisectedLines = 2000
)

// brokenLine returns the line, from 1 on, without which the lines before it would be
// YAML, or 0 if it does not know. The library names the line where the broken construct
// began, which is often the first of the file.
func brokenLine(data []byte, lines [][]byte) int {
	if len(data) > mostBisected || len(lines) > mostBisectedLines {
		return 0
	}
	end := len(data)
	for i := len(lines) - 1; i >= 0; i-- {
		end -= len(lines[i])
		var n yaml.Node
		if len(lines[i]) > 0 && yaml.Unmarshal(data[:end], &n) == nil {
			return i + 1
		}
	}
	return 0
}
