package kql

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"pushback/detect/suggest"
)

// ErrorKind says which stage refused a query.
type ErrorKind uint8

const (
	// SyntaxError: the text does not follow the grammar.
	SyntaxError ErrorKind = iota
	// SemanticError: a name, a type or an argument does not fit.
	SemanticError
	// UnsupportedError: the language has it and this engine does not.
	UnsupportedError
)

// Error is why a query was refused: one problem at one place of its text.
type Error struct {
	Kind    ErrorKind
	Code    string // the service's code where it has one, such as SYN0002 or SEM0100
	Message string
	Offset  int    // in bytes, from the start of the query
	Line    int    // from 1
	Column  int    // in characters, from 1
	Token   string // the text at that place, empty at the end of the query
	// UnknownTable is the table's name when that is what could not be found.
	UnknownTable string
	// UnknownFunction is the function's name when that is what could not be
	// found, where it would give a table.
	UnknownFunction string
}

// Error gives line, column and message.
func (e *Error) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Message)
}

// span is a range of bytes in the query's text.
type span struct{ start, end int }

// problem is an Error before its line and column are known.
type problem struct {
	kind  ErrorKind
	code  string
	at    span
	msg   string
	table string
	// function is the name of the function that could not be found, where a table is expected.
	function string
}

func (p *problem) Error() string { return p.msg }

// locate makes the Error of a problem in the text.
func (p *problem) locate(text string) *Error {
	start := min(max(p.at.start, 0), len(text))
	end := min(max(p.at.end, start), len(text))
	line := 1 + strings.Count(text[:start], "\n")
	lineStart := strings.LastIndexByte(text[:start], '\n') + 1
	return &Error{
		Kind: p.kind, Code: p.code, Message: shortened(p.msg), Offset: start,
		Line: line, Column: 1 + utf8.RuneCountInString(text[lineStart:start]),
		Token: text[start:end], UnknownTable: p.table, UnknownFunction: p.function,
	}
}

// longestMessage is how much of a message is kept: it may quote a name of any
// length.
const longestMessage = 400

// shortened cuts the middle out of a long message. What is wrong is at its
// beginning, and what to do about it at its end.
func shortened(msg string) string {
	if len(msg) <= longestMessage {
		return msg
	}
	runes := []rune(msg)
	if len(runes) <= longestMessage {
		return msg
	}
	return string(runes[:longestMessage/2]) + "…" + string(runes[len(runes)-longestMessage/2:])
}

// The front end ends at the first problem. From wherever it is it panics with a
// *problem, which the package's entry points turn into an *Error.

func syntaxError(at span, format string, args ...any) *problem {
	return &problem{kind: SyntaxError, code: "SYN0002", at: at, msg: worded(format, args...)}
}

func semanticError(at span, code, format string, args ...any) *problem {
	return &problem{kind: SemanticError, code: code, at: at, msg: worded(format, args...)}
}

func unsupportedError(at span, format string, args ...any) *problem {
	return &problem{kind: UnsupportedError, at: at, msg: worded(format, args...)}
}

// worded formats a message. The article before a type depends on which it is.
func worded(format string, args ...any) string {
	var out strings.Builder
	for _, arg := range args {
		at := strings.IndexByte(format, '%')
		if at < 0 || strings.Contains(format, "%[") || strings.Contains(format, "%%") {
			break // the verbs are not those of the arguments in their order
		}
		out.WriteString(format[:at])
		if before := out.String(); fmt.Sprint(arg) == Int.String() && (before == "a " || strings.HasSuffix(before, " a ")) {
			out.Reset()
			out.WriteString(strings.TrimSuffix(before, " ") + "n ")
		}
		out.WriteByte('%')
		format = format[at+1:]
	}
	return fmt.Sprintf(out.String()+format, args...)
}

// caught turns the panic with a problem into an error; any other panic goes on.
func caught(text string, err *error) {
	switch p := recover().(type) {
	case nil:
	case *problem:
		*err = p.locate(text)
	case *unknownColumns:
		*err = p
	case abandoned: // whose error is known
		*err = p
	case runFailure:
		*err = p.err
		var place *problem // of the query, that only the data shows
		if errors.As(p.err, &place) {
			*err = place.locate(text)
		}
	default:
		panic(p)
	}
}

// suggestion returns "; did you mean X?" for the closest of the names, or "".
func suggestion(name string, names []string) string {
	if best := suggest.Nearest(name, names); best != "" {
		return fmt.Sprintf("; did you mean '%s'?", best)
	}
	if name != "" && isDigit(name[0]) {
		return "; nor is it a number, or a timespan such as 90m, 1.5h or 100ms"
	}
	return ""
}
