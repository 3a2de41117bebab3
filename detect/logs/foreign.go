package logs

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// foreignError says that a file holds no logs, but something else.
type foreignError struct{ what string }

func (e *foreignError) Error() string { return e.what }

// foreignBytes are the beginnings of files that are no text.
var foreignBytes = []struct{ magic, what string }{
	{"PARE", "an encrypted Parquet file, which is not read: write it again without encryption"},
	{"Obj\x01", "an Avro file, such as Event Hubs Capture writes, which is not read: convert it to JSON lines"},
	{"ORC", "an ORC file, which is not read: convert it to JSON lines or CSV"},
	{"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind, or another document of Office: save it as CSV"},
	{"%PDF", "a PDF document, which holds no records: export them as CSV or JSON"},
	{"ElfFile\x00", "a Windows event log (EVTX), which is not read: convert it to JSON lines"},
	{"SQLite format 3", "an SQLite database, which is not read: export its table as CSV"},
	{"BZh", "compressed with bzip2, which is not read: unpack it, or compress it with gzip or zstd"},
	{"\xfd7zXZ", "compressed with xz, which is not read: unpack it, or compress it with gzip or zstd"},
	{"7z\xbc\xaf", "a 7-Zip archive, which is not read: unpack it, or make it a zip archive"},
	{"Rar!", "a RAR archive, which is not read: unpack it, or make it a zip archive"},
	{"\x89PNG", "a picture, which holds no records: export them as CSV or JSON"},
	{"\xff\xd8\xff", "a picture, which holds no records: export them as CSV or JSON"},
	{"\x7fELF", "a program"},
	{"MZ\x90", "a program"},
	{"\xd4\xc3\xb2\xa1", "a capture of network packets, which holds no log records"},
	{"\x0a\x0d\x0d\x0a", "a capture of network packets, which holds no log records"},
}

// foreignBinary says what a file is by its first bytes, or "".
func foreignBinary(head []byte) string {
	for _, f := range foreignBytes {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.what
		}
	}
	const tar = 257
	if len(head) > tar+5 && string(head[tar:tar+5]) == "ustar" {
		return "a tar archive, which is not read: unpack it, or make it a zip archive"
	}
	return ""
}

// isBinary says whether what a file begins with is no text. Zeros do not count: a log
// that is cut off while it is written begins with them.
func isBinary(head []byte) bool {
	controls := 0
	for _, c := range head {
		if c > 0 && c < ' ' && strings.IndexByte("\t\n\f\r\x1b\x1e", c) < 0 {
			controls++
		}
	}
	return controls > len(head)/20+4 && !bytes.Contains(head, []byte(`{"`))
}

// foreignText says what a text is that has neither a record nor a header, or "".
func foreignText(head []byte) string {
	line := strings.ToLower(string(bytes.TrimSpace(firstLine(head))))
	switch {
	case strings.HasPrefix(line, "<!doctype html"), strings.HasPrefix(line, "<html"):
		return "a web page: the download was most likely the page to sign in, not the file"
	case len(line) > 1 && line[0] == '<' && (line[1] < '0' || line[1] > '9'): // syslog has a number there
		return "XML, which is not read: export the records as CSV or JSON"
	case strings.HasPrefix(line, "version https://git-lfs"):
		return "a pointer of Git LFS, not the file itself: fetch it with git lfs pull"
	case strings.HasPrefix(line, "[{'"), strings.HasPrefix(line, "{'"):
		return "what Python shows of records, which is no JSON: write them with json.dumps"
	case consoleList.Match(head), consoleTable.Match(head):
		return "what a console shows of records, which is neither JSON nor CSV: in PowerShell export them with ConvertTo-Json -Depth 10"
	case markdownTable.Match(head):
		return "a table in Markdown, which is not read: export the records as CSV or JSON"
	case strings.HasPrefix(line, "\x1b["):
		return "JSON in the colours of a terminal, as -o jsonc has it: export it with -o json"
	case strings.HasPrefix(line, "/*") && bytes.Contains(head, []byte("Power Query")):
		return "a query of Power BI and not its result: export the records as CSV"
	case securityFormat().Match(head):
		return "events in CEF or LEEF, which are not read: export the records of the workspace, such as those of CommonSecurityLog"
	case kqlQuery.Match(head):
		return "a query and not its result; run it with query --file, and give the logs with --logs"
	case yamlList.Match(head):
		return "YAML, which is not read: export the records as JSON, as az does with -o json"
	case strings.HasPrefix(line, "-----begin "):
		return "a key or a certificate in PEM, which holds no records"
	case strings.HasPrefix(line, "id: "), line == "---", strings.HasPrefix(line, "--- "):
		return "YAML, such as a rule is in, which holds no records; give a rule with --rules"
	}
	return ""
}

// What consoles show of records, a member a line or a record a line, the same in
// YAML and in Markdown, and a query for them.
var (
	consoleList    = regexp.MustCompile(`^\s*[A-Za-z@][\w.@]* +: .*\r?\n[ \t]*[A-Za-z@][\w.@]* +:`)
	consoleTable   = regexp.MustCompile(`^\s*[A-Za-z]\w*( +[A-Za-z]\w*)+[ \t]*\r?\n-{2,}( +-{2,})+`)
	securityFormat = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[^\n{]{0,200}(CEF:\d|LEEF:\d)`) })
	yamlList       = regexp.MustCompile(`^\s*- \w+: [^\n]*\n  \w+:`)
	kqlQuery       = regexp.MustCompile(`^(//[^\n]*\n|\s)*[A-Za-z]\w*\s*(//[^\n]*)?\n\s*\|\s*[a-z-]+ `)
	markdownTable  = regexp.MustCompile(`^\s*\|[^\n]*\|[ \t]*\r?\n\|[ :|-]+\|`)
)

// foreignCSV says what CSV is that has no records of a log, by its header, or "".
func foreignCSV(head []byte) string {
	header := strings.ToLower(string(firstLine(head)))
	for _, column := range []string{"request id", "authentication method detail", "succeeded"} {
		if !strings.Contains(header, column) {
			return ""
		}
	}
	return "the steps of sign-ins that another download has (AuthDetails): download the sign-ins as JSON, which has both"
}

// graphLists are the lists of Microsoft Graph that are read.
const graphLists = "the lists that are read are auditLogs/signIns, auditLogs/directoryAudits, identityProtection/riskDetections and identityProtection/riskyUsers"

// foreignJSON says what an object is that is neither a record nor an envelope of
// any, or "".
func foreignJSON(head []byte, envelope bool) string {
	dec := jsontext.NewDecoder(bytes.NewReader(head), jsonOptions...)
	if tok, err := dec.ReadToken(); err != nil || tok.Kind() != '{' {
		return ""
	}
	names := make(map[string]bool)
	context := ""
	for {
		tok, err := dec.ReadToken()
		if err != nil || tok.Kind() != '"' {
			break
		}
		name := tok.String()
		names[name] = true
		if isTimeMember(name) {
			return ""
		}
		v, err := dec.ReadValue()
		if err != nil {
			break
		}
		switch name {
		case "$schema":
			schema := strings.ToLower(string(v))
			switch {
			case strings.Contains(schema, "deploymenttemplate"):
				return "an ARM template, which holds no records"
			case strings.Contains(schema, "deploymentparameters"):
				return "the parameters of an ARM template, which hold no records"
			case strings.Contains(schema, "workbook"):
				return "an Azure workbook, which holds no records"
			}
			return "a JSON document with a schema of its own (" + excerpt(v) + "), which holds no records"
		case "error":
			if v.Kind() == '{' && len(names) == 1 && !envelope && isAlone(head) {
				return "an error that the API answered in place of records: " + apiError(v)
			}
		case "@odata.context":
			context = strings.Trim(string(v), `"`)
		}
	}
	_, list, found := strings.Cut(context, "$metadata#")
	switch {
	case names["log"] && len(names) == 1 && bytes.Contains(head, []byte(`"creator"`)) && bytes.Contains(head, []byte(`"entries"`)):
		return "an HTTP archive (HAR) of a browser, which holds no records: save the answers in it as files of their own"
	case envelope:
		return ""
	case found && (names["value"] || names["id"]) && isAlone(head):
		list, _, _ = strings.Cut(list, "(")
		return fmt.Sprintf("an answer of Microsoft Graph of %s; %s", excerpt([]byte(list)), graphLists)
	case (names["access_token"] || names["accessToken"]) && isAlone(head):
		return "an answer to a sign-in, with an access token, and no records: ask the API for them with that token, and keep the token to yourself"
	case names["nbformat"]:
		return "a Jupyter notebook, which holds no records"
	case names["openapi"], names["swagger"]:
		return "a description of an API, which holds no records"
	}
	return ""
}

// isAlone says whether nothing follows the object that a text begins with.
func isAlone(head []byte) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(head), jsonOptions...)
	if dec.SkipValue() != nil {
		return true // what follows is not seen
	}
	return len(bytes.TrimSpace(head[dec.InputOffset():])) == 0
}

// apiError gives the code and the message of an error.
func apiError(v jsontext.Value) string {
	var p parser
	members, err := p.object(v)
	if err != nil {
		return excerpt(v)
	}
	var parts []string
	for _, name := range []string{"code", "message"} {
		if m := findMember(members, name); m != nil {
			parts = append(parts, excerpt(p.text(m.value)))
		}
	}
	if len(parts) == 0 {
		return excerpt(v)
	}
	return strings.Join(parts, ": ")
}

// armType matches the type of a resource, such as Microsoft.SecurityInsights/Incidents.
var armType = regexp.MustCompile(`(?i)^microsoft\.[a-z]+/[a-z/]+$`)

// armResource says of an object that it is a resource of Azure Resource Manager, or "".
func (f *file) armResource(members []member) string {
	if typ := findMember(members, "type"); typ != nil {
		if text := f.parser.text(typ.value); armType.Match(text) {
			return "a resource of Azure's management (" + excerpt(text) + "), and no record of a log"
		}
	}
	return ""
}

// timeless says what an object without a time is, or what is in it, if that is no
// record of a log, or "".
func (f *file) timeless(members []member) string {
	if what := f.armResource(members); what != "" {
		return what
	}
	for _, m := range members {
		if m.inner || m.value.kind != '[' || !contentMembers[strings.ToLower(string(m.name))] {
			continue
		}
		first, err := jsontext.NewDecoder(bytes.NewReader(bytes.TrimLeft(m.value.raw, "[ \t\r\n")), jsonOptions...).ReadValue()
		if err != nil || first.Kind() != '{' {
			continue
		}
		if inside, err := f.inside.object(first); err == nil {
			if what := f.armResource(inside); what != "" {
				return "the first of " + excerpt(m.name) + " is " + what
			}
		}
		return "what is in " + excerpt(m.name) + " has no time of a log record, such as TimeGenerated, time or createdDateTime"
	}
	return ""
}
