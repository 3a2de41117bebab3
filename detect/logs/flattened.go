package logs

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Tables have no objects, so pandas and PowerShell make a column of each member of
// one: status.errorCode. A rule looks for the object. So a record of such a file is
// put together again, as the JSON that it was.

// flattenedMembers are members of records that are objects, in lower case.
var flattenedMembers = map[string]bool{
	"status": true, "location": true, "locationdetails": true, "devicedetail": true, "mfadetail": true, "properties": true, "initiatedby": true,
}

// isFlattened says whether the columns of a header are members of objects.
func isFlattened(names []string) bool {
	if len(names) > maxExtra {
		return false // more than any such record has
	}
	for _, name := range names {
		if object, inner, ok := strings.Cut(name, "."); ok && inner != "" && flattenedMembers[strings.ToLower(object)] {
			return true
		}
	}
	return false
}

// branch is an object that is being put together.
type branch struct {
	name     string
	text     []byte // of a member that is none
	branches []*branch
}

func (b *branch) find(name string) *branch {
	for _, inner := range b.branches {
		if inner.name == name {
			return inner
		}
	}
	return nil
}

// put adds a member by its name, in which dots are between an object and its members.
func (b *branch) put(name string, text []byte) {
	for depth := 0; depth < maxEnvelopes; depth++ {
		object, rest, ok := strings.Cut(name, ".")
		if !ok || object == "" || rest == "" {
			break
		}
		inner := b.find(object)
		if inner == nil {
			inner = &branch{name: object}
			b.branches = append(b.branches, inner)
		}
		b, name = inner, rest
	}
	b.branches = append(b.branches, &branch{name: name, text: text})
}

// append writes the object.
func (b *branch) append(out []byte) []byte {
	out = append(out, '{')
	for i, inner := range b.branches {
		if i > 0 {
			out = append(out, ',')
		}
		out, _ = jsontext.AppendQuote(out, inner.name)
		out = append(out, ':')
		if inner.text == nil {
			out = inner.append(out)
			continue
		}
		out = appendFlat(out, inner.name, inner.text)
	}
	return append(out, '}')
}

// appendFlat writes a cell as the JSON that it was: a code as a number, what says
// whether something is so as a boolean, and the rest as text.
func appendFlat(out []byte, name string, text []byte) []byte {
	integer := string(bytes.TrimSuffix(text, []byte(".0")))
	switch lower := strings.ToLower(string(text)); {
	case (strings.HasSuffix(name, "rrorCode") || strings.HasSuffix(name, "tatusCode")) && isDigits(integer):
		return append(out, integer...)
	case (lower == "true" || lower == "false") && (strings.HasPrefix(name, "is") || strings.HasPrefix(name, "Is")):
		return append(out, lower...)
	case isContainer(bytes.TrimSpace(text)):
		return append(out, bytes.TrimSpace(text)...)
	}
	out, _ = jsontext.AppendQuote(out, text) // the text of a file is UTF-8 by now
	return out
}

// together gives the record whose fields were split, as JSON.
func (c *csvFile) together() []byte {
	var record branch
	for i, text := range c.fields {
		if name := string(c.columns[i].name); name != "" && len(text) > 0 {
			record.put(name, bytes.Clone(text))
		}
	}
	return record.append(nil)
}
