package logs

import (
	"bytes"
	"fmt"
)

// Tools spoil values that were JSON. What was encoded twice is read; the rest is
// kept as the text that it is, in which a query finds nothing. So it is counted
// by column, and said once for each file.

// spoiled counts the cells of a column that are spoiled in one way.
type spoiled struct {
	column  *column
	how     spoiling
	count   int64
	line    int
	example string
}

// spoiling is a way in which values are spoiled.
type spoiling uint8

const (
	psText     spoiling = iota // PowerShell wrote an object as a text
	cutText                    // a spreadsheet cut it off
	otherText                  // no JSON where an object is expected
	pascalCase                 // the names of members are in Pascal case
	decimal                    // a code has become a decimal number
)

// reason says what is wrong with so many values, and what to do.
func (s *spoiled) reason() string {
	what := "values are"
	if s.count == 1 {
		what = "value is"
	}
	text := fmt.Sprintf("%s: %d %s ", s.column.name, s.count, what)
	switch s.how {
	case psText:
		text += "what PowerShell shows of an object, and not the object; export the records once more with ConvertTo-Json -Depth 10"
	case cutText:
		text += "JSON that is cut off, as a spreadsheet does after 32,767 characters; download the file again and do not save it with a spreadsheet"
	case pascalCase:
		text += "objects whose members are in Pascal case, which a query does not find; export the records as Microsoft Graph or the portal has them"
	case decimal:
		text += "codes with a decimal point, as a spreadsheet or pandas makes of integers; export the column as text"
	default:
		text += "text where an object or an array is expected, in which a query finds nothing; export the column as JSON, in PowerShell with ConvertTo-Json -Depth 10"
	}
	return text + ": " + s.example
}

// spoil counts a value of a column that is spoiled.
func (w *writer) spoil(c *column, how spoiling, text []byte) {
	f := w.file
	for i := range f.spoiled {
		if s := &f.spoiled[i]; s.column == c && s.how == how {
			s.count++
			return
		}
	}
	if len(f.spoiled) < problemsPerFile {
		f.spoiled = append(f.spoiled, spoiled{column: c, how: how, count: 1, line: w.line, example: excerpt(text)})
	}
}

// warnOfSpoiled says which values of the file were spoiled.
func (f *file) warnOfSpoiled() {
	for i := range f.spoiled {
		f.warn(f.spoiled[i].line, f.spoiled[i].reason())
	}
}

// decoded gives a text of a column as it is meant, if it was encoded twice, and
// counts one that PowerShell made of an object.
func (w *writer) decoded(c *column, text []byte) []byte {
	const most = 5 // times that it was encoded
	if text[0] != '"' {
		if isPowerShellText(text) {
			w.spoil(c, psText, text)
		}
		return text
	}
	inner := text
	for range most {
		once, ok := quotedWhole(inner)
		if !ok {
			return text
		}
		if isContainer(once) {
			return once
		}
		inner = once
	}
	return text
}

// mayBeSpoiled says at a glance whether a text can be one that decoded knows.
func mayBeSpoiled(text []byte) bool {
	switch text[0] {
	case '"', '@':
		return true
	case 'S':
		return len(text) > len("Sy") && text[1] == 'y'
	case 'M':
		return len(text) > len("Microsoft.") && text[len("Microsoft")] == '.'
	}
	return false
}

// checkText counts a text of a column of text that is spoiled.
func (w *writer) checkText(c *column, text []byte) {
	switch {
	case c.code:
		w.checkCode(c, text)
	case isCut(text):
		w.spoil(c, cutText, text)
	case c.camel && len(text) > 0 && text[0] == '{' && inPascalCase(text):
		w.spoil(c, pascalCase, text)
	}
}

// quotedWhole gives what is in a text that is one string of JSON.
func quotedWhole(text []byte) ([]byte, bool) {
	text = bytes.TrimSpace(text)
	if len(text) < 2 || text[0] != '"' || text[len(text)-1] != '"' || !isJSONText(text) {
		return nil, false
	}
	inner, err := unquoted(text)
	return bytes.TrimSpace(inner), err == nil
}

// isPowerShellText says whether a text is what PowerShell shows of an object: its
// members, or the name of its type.
func isPowerShellText(text []byte) bool {
	if bytes.HasPrefix(text, []byte("@{")) {
		return bytes.HasSuffix(text, []byte("}"))
	}
	for _, typ := range []string{"System.Object[]", "System.Collections.", "System.Management.Automation.", "Microsoft.Graph.PowerShell.Models."} {
		if bytes.HasPrefix(text, []byte(typ)) {
			return true
		}
	}
	return false
}

// maxCell is how many characters a spreadsheet keeps of a cell.
const maxCell = 32_767

// isCut says whether a text is JSON that a spreadsheet cut off. In UTF-8 it has at
// least as many bytes as characters.
func isCut(text []byte) bool {
	return len(text) >= maxCell && (text[0] == '{' || text[0] == '[') && !isJSONText(text)
}

// inPascalCase says whether an object's first member is in Pascal case.
func inPascalCase(object []byte) bool {
	rest := object[1:]
	if len(rest) > 0 && rest[0] <= ' ' {
		rest = bytes.TrimLeft(rest, " \t\r\n")
	}
	return len(rest) > 1 && rest[0] == '"' && rest[1] >= 'A' && rest[1] <= 'Z'
}

// camelColumns are the columns of sign-ins whose objects have members in camel
// case.
var camelColumns = map[string]bool{"Status": true, "DeviceDetail": true, "LocationDetails": true, "MfaDetail": true}
