package logs

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// A batch of requests is answered by {"responses": [{"id", "status", "body"}]}. One
// of them may have failed, of which its body tells in the place of records.
//
// See https://learn.microsoft.com/graph/json-batching.

// batchResponses is the member, in lower case, that holds the answers of a batch.
const batchResponses = "responses"

// isBatch says whether the text begins with an array of answers to a batch.
func isBatch(text []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte{'['})
	if !ok {
		return false
	}
	dec := jsontext.NewDecoder(bytes.NewReader(rest), jsonOptions...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	for {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return false
		}
		if name.String() == "status" {
			return dec.PeekKind() == '0'
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
}

// batchElement reads an answer of a batch that is no envelope of records: it failed,
// or it is a record.
func (f *file) batchElement() error {
	p := f.w.nextValue()
	if f.badPiece(p) {
		return nil
	}
	if reason, failed := f.failedResponse(p.text); failed {
		f.bad(nil, p.line, p.column, reason)
		return nil
	}
	return f.value(p.text, p.line, p.column)
}

// failedResponse says why an answer of a batch is none, by its status and by the error
// that its body may have. It reports false if the request did not fail.
func (f *file) failedResponse(text []byte) (string, bool) {
	members, err := f.parser.object(text)
	if err != nil {
		return "", false
	}
	status := findMember(members, "status")
	if status == nil || status.value.kind != '0' {
		return "", false
	}
	if code, err := strconv.Atoi(string(status.value.raw)); err != nil || code < 300 {
		return "", false
	}
	reason := "a request of the batch failed with status " + string(status.value.raw)
	if body := findMember(members, "body"); body != nil && body.value.kind == '{' {
		if failed := findMember(f.insides(body.value), "error"); failed != nil && failed.value.kind == '{' {
			reason += ": " + apiError(failed.value.raw)
		}
	}
	return reason + "; send it again", true
}
