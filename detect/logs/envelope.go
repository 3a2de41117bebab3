package logs

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Tools put records into other JSON: event hubs deliver {"records": [...]},
// Microsoft Graph and PowerShell {"value": [...]}, the query API {"tables": [...]},
// Invoke-AzOperationalInsightsQuery and advanced hunting {"Results": [...]}, a batch
// {"responses": [{"body": ...}]}, and shippers put a key of their own around each
// record. An object that has no time of a record, but something inside that has,
// is such an envelope, whatever its members are called. Those that may be large are
// read as they come, from the stream; the others, such as one around a record in a
// line, in memory.

// maxEnvelopes is how many envelopes may be around a record.
const maxEnvelopes = 10

// The members that say of an object that it is a record: all records have one.
var timeMembers = []string{timeGenerated, "time", createdDateTime, activityDateTime, detectedDateTime, riskUpdatedDateTime, timestamp}

// The names that envelopes have for what is in them, in lower case.
var contentMembers = map[string]bool{
	"records": true, "value": true, "results": true, "tables": true, "responses": true, "body": true, "data": true,
	"items": true, "events": true, "logs": true,
}

func isTimeMember(name string) bool {
	for _, known := range timeMembers {
		if strings.EqualFold(name, known) {
			return true
		}
	}
	return false
}

// seen is what the names of an object's members say of it.
type seen struct{ time, audit, creation, operation bool }

func (s *seen) add(name string) {
	s.time = s.time || isTimeMember(name)
	s.audit = s.audit || strings.EqualFold(name, auditData)
	s.creation = s.creation || name == creationTime
	s.operation = s.operation || name == "Operation"
}

// isRecord says whether it is a record: it has a time, or is one of the unified
// audit log.
func (s *seen) isRecord() bool { return s.time || s.audit || s.creation && s.operation }

// isEnvelope says whether the text begins with an object that holds records and
// is none. It is called with the beginning of a stream, so the text may be cut.
func isEnvelope(head []byte) bool { return envelopeIn(head, 0) }

func envelopeIn(head []byte, depth int) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(head), jsonOptions...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' || depth > maxEnvelopes {
		return false
	}
	var names seen
	var members []member
	for found := false; ; {
		tok, err := dec.ReadToken()
		if err != nil || tok.Kind() != '"' {
			return found && !isKnown(members)
		}
		name := tok.String()
		members = append(members, member{name: []byte(name)})
		if names.add(name); names.isRecord() {
			return false // whatever is in it
		}
		if kind := dec.PeekKind(); !found && (kind == '[' || kind == '{' || kind == '"') {
			rest := afterColon(head[dec.InputOffset():])
			key := strings.ToLower(name)
			switch {
			case key == "records" && kind == '[', key == "tables" && kind == '[', key == batchResponses && isBatch(rest):
				return true
			case contentMembers[key] && isEmptyArray(rest), holdsRecords(rest, depth+1):
				found = true
			}
		}
		if err := dec.SkipValue(); err != nil {
			return found && !isKnown(members)
		}
	}
}

// afterColon cuts what stands between a member's name and its value.
func afterColon(text []byte) []byte { return bytes.TrimLeft(text, ": \t\r\n") }

// isEmptyArray says whether a text begins with an array of nothing.
func isEmptyArray(text []byte) bool {
	return len(text) > 0 && text[0] == '[' && bytes.HasPrefix(bytes.TrimLeft(text[1:], " \t\r\n"), []byte{']'})
}

// holdsRecords says whether the text begins with a record, an envelope of
// records, or an array or a string of one.
func holdsRecords(text []byte, depth int) bool {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) == 0 || depth > maxEnvelopes {
		return false
	}
	switch text[0] {
	case '[':
		return holdsRecords(text[1:], depth+1) || holdsRecords(afterTime(text), depth+1)
	case '"':
		inner, ok := quotedJSON(text)
		return ok && holdsRecords(inner, depth+1)
	case '{':
		return isRecord(text) || envelopeIn(text, depth)
	}
	return false
}

// lokiPair matches the beginning of a pair of a time in nanoseconds and what was logged
// then, of which Grafana Loki makes its streams.
var lokiPair = regexp.MustCompile(`^\[\s*"\d{16,19}"\s*,\s*`)

// afterTime gives the rest of such a pair, or nothing if the text begins with none.
func afterTime(text []byte) []byte {
	if at := len(lokiPair.Find(text)); at > 0 {
		return text[at:]
	}
	return nil
}

// isRecord says whether the text begins with an object that is a record by its
// members.
func isRecord(text []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsonOptions...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return false
	}
	var names seen
	for {
		name, err := dec.ReadToken()
		if err != nil || name.Kind() != '"' {
			return false
		}
		if names.add(name.String()); names.isRecord() {
			return true
		}
		if dec.SkipValue() != nil {
			return false
		}
	}
}

// quotedJSON gives what a string of JSON holds, if that is an object or an array.
func quotedJSON(text []byte) ([]byte, bool) {
	dec := jsontext.NewDecoder(bytes.NewReader(text), jsonOptions...)
	v, err := dec.ReadValue()
	if err != nil || v.Kind() != '"' {
		return nil, false
	}
	inner, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return nil, false
	}
	inner = bytes.TrimSpace(inner)
	return embedded(inner)
}

// embedded gives the object or the array that a text is, as it is or in base64, as
// event hubs give the bodies of messages. It reports false if it is neither.
func embedded(text []byte) ([]byte, bool) {
	if len(text) == 0 {
		return nil, false
	}
	if text[0] == '{' || text[0] == '[' {
		return text, true
	}
	// What begins as {" or [{ or a brace and a line break does.
	if !bytes.HasPrefix(text, []byte("ey")) && !bytes.HasPrefix(text, []byte("W3")) && !bytes.HasPrefix(text, []byte("ew")) {
		return nil, false
	}
	plain, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil || !utf8.Valid(plain) {
		return nil, false
	}
	plain = bytes.TrimSpace(plain)
	return plain, len(plain) > 0 && (plain[0] == '{' || plain[0] == '[')
}

// envelope reads the object around records, from the stream. Its other members
// say nothing about them.
func (f *file) envelope() error {
	if f.depth >= maxEnvelopes {
		f.nestedTooDeep(f.w.line, f.w.column())
		f.badPiece(f.w.nextValue())
		return nil
	}
	f.depth++
	defer func() { f.depth-- }()
	return f.members(func(name string, c byte) error {
		defer f.enter(name)()
		key := strings.ToLower(name)
		switch {
		case key == "tables" && c == '[':
			return f.array(f.answerTable)
		case key == "error" && c == '{':
			p := f.w.nextValue()
			if !f.badPiece(p) {
				f.warn(p.line, "the answer is partial, it carries an error: "+excerpt(p.text))
			}
			return nil
		case c == '[' && (contentMembers[key] || holdsRecords(f.w.prefix(sniffed), 0)):
			return f.records(key == batchResponses)
		case c == '{' && isEnvelope(f.w.prefix(sniffed)):
			return f.envelope()
		}
		p := f.w.nextValue()
		if f.badPiece(p) || !holdsRecords(p.text, 0) || c == '"' && f.seenBefore(p.text) {
			return nil
		}
		return f.value(p.text, p.line, p.column)
	})
}

// fluentPair matches the time before a record in a pair of both, which Fluent Bit
// writes.
var fluentPair = regexp.MustCompile(`^\d{9,10}(\.\d+)?[ \t]*,[ \t]*\{`)

// records reads an array of records, or of envelopes if the first of them is
// one or it is that of a batch.
func (f *file) records(batch bool) error {
	first, frames, any := true, false, batch
	return f.array(func() error {
		f.texts = f.texts[:0]
		if first {
			first = false
			if fluentPair.Match(f.w.prefix(40)) {
				f.badPiece(f.w.nextValue())
				return nil
			}
			frames = isFrames(f.w.prefix(sniffed)) || isTable(f.w.prefix(sniffed))
			any = any || isEnvelope(f.w.prefix(sniffed))
		}
		if frames {
			return f.answerTable()
		}
		if any {
			if c, _ := f.w.skipSpace(); c == '{' && isEnvelope(f.w.prefix(sniffed)) {
				return f.envelope()
			}
		}
		if batch {
			return f.batchElement()
		}
		return f.element()
	})
}

// unwrap reads the records inside one that has no time, and reports false if
// there are none.
func (f *file) unwrap(members []member, line, column int) (bool, error) {
	var contents []member
	for _, m := range members {
		switch {
		case m.inner:
			continue
		case m.value.kind == plainText:
			text, ok := embedded(bytes.TrimSpace(m.value.raw))
			if !ok || !holdsRecords(text, 0) {
				continue
			}
			m.value = value{kind: text[0], raw: text}
			contents = append(contents, m)
			continue
		case m.value.kind != '{' && m.value.kind != '[' && m.value.kind != '"':
			continue
		case isEmptyArray(m.value.raw) && (contentMembers[strings.ToLower(string(m.name))]), holdsRecords(m.value.raw, 0):
			// The parser is needed for what is inside, and its members with it.
			contents = append(contents, m)
		}
	}
	if len(contents) == 0 {
		return false, nil
	}
	if f.depth >= maxEnvelopes {
		f.nestedTooDeep(line, column)
		return true, nil
	}
	f.depth++
	defer func() { f.depth-- }()
	for i, m := range contents {
		if i < maxEnvelopes && standsIn(contents[:i], m.value.raw) {
			continue
		}
		leave := f.enter(string(m.name))
		err := f.value(m.value.raw, line, column)
		if leave(); err != nil {
			return true, err
		}
	}
	return true, nil
}

// enter notes that what follows is in a member of that name: if it is that of a known
// table, records that do not say theirs are of it. One of a single word, such as
// Event, may be anything. The function that it returns ends that.
func (f *file) enter(name string) func() {
	outer := f.within
	if f.names[strings.ToLower(name)] == name && compound.MatchString(name) && !f.chosen() {
		f.within = name
	}
	return func() { f.within = outer }
}

// compound matches names of more than one word.
var compound = regexp.MustCompile(`[A-Z].*[a-z].*[A-Z]`)

// seenBefore says whether the same text was read as records in this object already.
func (f *file) seenBefore(text []byte) bool {
	sum := sha256.Sum256(text)
	if slices.Contains(f.texts, sum) {
		return true
	}
	if len(f.texts) < maxEnvelopes {
		f.texts = append(f.texts, sum)
	}
	return false
}

// standsIn says whether a text stands in another: shippers keep what they were sent
// in message and in event.original, say.
func standsIn(others []member, text []byte) bool {
	return slices.ContainsFunc(others, func(m member) bool { return bytes.Contains(m.value.raw, text) })
}

func (f *file) nestedTooDeep(line, column int) {
	f.bad(nil, line, column, fmt.Sprintf("the record is inside more than %d others", maxEnvelopes))
}
