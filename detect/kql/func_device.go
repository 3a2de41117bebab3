package kql

import (
	"strings"
	"sync"

	"github.com/ua-parser/uap-go/uaparser"
)

// deviceFunctions take apart what devices and their users send: XML, command lines
// and user agents.
func deviceFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "parse_xml(text:text) dynamic", doc: "An XML document as a property bag: attributes are @name, text beside them #text, and elements of one name an array. Null for what is no XML or longer than 128 KiB.", naming: nameOfFirst,
			examples: examples{`parse_xml('<e a="1"><b>x</b><b>y</b></e>')`, `{"e":{"@a":"1","b":["x","y"]}}`, `parse_xml('<e>x<b/></e>')`, `{"e":{"#text":"x","b":null}}`, "parse_xml('<e>')", "null"},
			rows:     func(a []Value) Value { return parsedXML(a[0].String()) }},
		{sig: "parse_command_line(command:scalar, parser:string) dynamic", doc: "The arguments of a command line, as an array; the parser is 'windows', which splits as Windows does.",
			examples: examples{`parse_command_line('app.exe "a b" c\\"d', 'windows')`, `["app.exe","a b","c\"d"]`, `parse_command_line('a', 'unix')`, "null", `parse_command_line('', 'windows')`, "null"},
			rows: func(a []Value) Value {
				if !strings.EqualFold(a[1].s, "windows") || a[0].IsNull() || a[0].String() == "" {
					return Value{}
				}
				return windowsArguments(a[0].String())
			}},
		{sig: "parse_user_agent(user_agent:string, look_for:text?) dynamic", doc: "What a user agent says of the browser, the os and the device; the second argument names one of them, or several in an array. By the expressions of ua-parser, as in the service.", bind: bindUserAgent,
			examples: examples{`parse_user_agent('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36', 'browser')`,
				`{"Browser":{"Family":"Chrome","MajorVersion":"120","MinorVersion":"0","Patch":"0"}}`}},
	}
}

// windowsArguments splits a command line as CommandLineToArgvW does. See
// https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw.
func windowsArguments(line string) Value {
	items := []Value{}
	var arg strings.Builder
	i := 0
	// The program's name knows no escapes: it ends at its quote or at a space.
	if strings.HasPrefix(line, `"`) {
		name, rest, _ := strings.Cut(line[1:], `"`)
		items, i = append(items, stringValue(name)), len(line)-len(rest)
	} else {
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		items, i = append(items, stringValue(line[:end])), end
	}
	for {
		for i < len(line) && (line[i] == ' ' || line[i] == '\t') {
			i++
		}
		if i >= len(line) {
			return arrayValue(items)
		}
		arg.Reset()
		quoted := false
	argument:
		for i < len(line) {
			switch c := line[i]; {
			case c == '\\':
				n := len(line[i:]) - len(strings.TrimLeft(line[i:], `\`))
				i += n
				if i >= len(line) || line[i] != '"' {
					arg.WriteString(strings.Repeat(`\`, n))
					continue
				}
				arg.WriteString(strings.Repeat(`\`, n/2))
				if n%2 == 1 {
					arg.WriteByte('"')
					i++
				}
			case c == '"':
				i++
				if quoted && i < len(line) && line[i] == '"' { // "" within quotes is one, and ends them
					arg.WriteByte('"')
					i++
				}
				quoted = !quoted
			case (c == ' ' || c == '\t') && !quoted:
				break argument
			default:
				arg.WriteByte(c)
				i++
			}
		}
		items = append(items, stringValue(arg.String()))
	}
}

// userAgents compiles the expressions when they are first needed. They are many.
var userAgents = sync.OnceValue(func() *uaparser.Parser {
	p, err := uaparser.New()
	if err != nil {
		panic("kql: " + err.Error()) // they are part of the package
	}
	return p
})

// mostUserAgent is how much of a user agent is looked at.
const mostUserAgent = 4 << 10

var agentTargets = []string{"browser", "os", "device"}

func bindUserAgent(_ *binder, n *call, args []expr) expr {
	return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value {
		text := a[0].s
		if text == "" {
			return Value{}
		}
		text = text[:min(len(text), mostUserAgent)]
		wanted := make(map[string]bool)
		if len(a) == 1 {
			for _, t := range agentTargets {
				wanted[t] = true
			}
		}
		for _, v := range flattened(a[1:]) {
			wanted[strings.ToLower(v.String())] = true
		}
		out := newBag(3)
		set := func(name string, pairs ...string) {
			part := newBag(len(pairs) / 2)
			for i := 0; i < len(pairs); i += 2 {
				part.set(pairs[i], stringValue(pairs[i+1]))
			}
			out.set(name, bagValue(part))
		}
		p := userAgents()
		if wanted["browser"] {
			b := p.ParseUserAgent(text)
			set("Browser", "Family", b.Family, "MajorVersion", b.Major, "MinorVersion", b.Minor, "Patch", b.Patch)
		}
		if wanted["os"] {
			o := p.ParseOs(text)
			set("OperatingSystem", "Family", o.Family, "MajorVersion", o.Major, "MinorVersion", o.Minor, "Patch", o.Patch, "PatchMinor", o.PatchMinor)
		}
		if wanted["device"] {
			d := p.ParseDevice(text)
			set("Device", "Family", d.Family, "Brand", d.Brand, "Model", d.Model)
		}
		if len(out.keys) == 0 {
			return Value{}
		}
		return bagValue(out)
	}})
}
