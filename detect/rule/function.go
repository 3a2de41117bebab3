package rule

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Function is a function that is saved in a workspace, with the text of its query.
type Function struct {
	// File is the name that the function was read under, for messages.
	File string
	// Names are what it is called by: its name, and of an ASIM parser that of the
	// built-in form.
	Names []string
	// Parameters are its parameters as a workspace keeps them:
	// "since:datetime=datetime(null), T:(*)".
	Parameters string
	// Body is the query.
	Body Query

	at position
}

// Place says where a place in the function's query is: file:line:column. Line 0 is
// the function itself.
func (f *Function) Place(line, column int) string {
	at := f.at
	if line > 0 {
		at.line, at.column = f.Body.Locate(line, column)
	}
	return fmt.Sprintf("%s:%d:%d", f.File, at.line, at.column)
}

// maxFunctionFile is how long a file of functions may be.
const maxFunctionFile = maxJSONSize

// LoadFunctions reads the saved functions in a file, or in every file below a folder
// that ends in .kql, .csl, .yaml, .yml or .json, in the order of their paths. A file of KQL
// holds a query, which the file's name is that of, or a function as `let` or the command
// that creates it writes it; what `let` before it names is part of the function. YAML is that in which ASIM parsers are published, and
// JSON a template with saved searches, or the answer of the API. Every problem of
// every file is reported; the functions without an error are returned even if others
// have one.
func LoadFunctions(path string) ([]Function, []Problem) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, []Problem{readProblem(path, err)}
	}
	files := []string{path}
	var problems []Problem
	if info.IsDir() {
		files, problems = filesBelow(path, func(string) bool { return true }, ".kql", ".csl", ".yaml", ".yml", ".json")
	}
	var functions []Function
	for _, file := range files {
		data, problem := readFile(file, maxFunctionFile)
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		found, wrong := ParseFunctions(file, data)
		functions = append(functions, found...)
		problems = append(problems, wrong...)
	}
	if len(functions) == 0 && !hasError(problems) {
		problems = append(problems, Problem{File: path, Message: "there is no function here: functions are files that end in .kql, .yaml, .yml or .json"})
	}
	sortProblems(problems)
	return functions, problems
}

// ParseFunctions reads the functions in the text of a file: see [LoadFunctions].
func ParseFunctions(file string, data []byte) ([]Function, []Problem) {
	functions, problems := parseFunctions(file, data)
	return functions, withoutSecrets(problems, data)
}

func parseFunctions(file string, data []byte) ([]Function, []Problem) {
	ext := strings.ToLower(filepath.Ext(file))
	if ext == ".kql" || ext == ".csl" {
		src, problem := readText(file, data, maxFileSize)
		if problem != nil {
			return nil, []Problem{*problem}
		}
		f, problem := kqlFunction(file, src)
		if problem != nil {
			return nil, []Problem{*problem}
		}
		return []Function{*f}, nil
	}

	var root *yaml.Node
	var src *source
	var problem *Problem
	if isJSON(file, data) {
		if src, problem = readText(file, data, maxJSONSize); problem == nil {
			root, problem = readJSON(file, string(src.text), src)
		}
	} else {
		root, src, problem = readDocument(file, data)
	}
	if problem != nil {
		return nil, []Problem{*problem}
	}
	c := &functionCollector{collector: collector{reader: reader{file: file, source: src, at: map[string]position{}}}}
	if get(root, "resources") != nil {
		left := maxExpressions
		c.saved(root, &template{unknown: map[*yaml.Node]bool{}, left: &left}, 0)
	} else {
		c.look(root, 0)
	}
	sortProblems(c.problems)
	return c.functions, c.problems
}

// functionCollector finds functions in a document.
type functionCollector struct {
	collector
	functions []Function
}

// look finds functions in YAML, and in answers of the API.
func (c *functionCollector) look(n *yaml.Node, depth int) {
	n = resolve(n)
	if depth > maxCollectDepth {
		return
	}
	switch properties := get(n, "properties"); {
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			c.look(item, depth+1)
		}
	case n.Kind != yaml.MappingNode:
	case get(n, "ParserQuery") != nil, get(n, "FunctionQuery") != nil:
		c.published(n)
	case properties != nil && get(properties, "query") != nil:
		c.search(properties, n, nil)
	case get(n, "functionAlias") != nil && get(n, "query") != nil: // as the Azure CLI lists them
		c.search(n, n, nil)
	default:
		for i := 1; i < len(n.Content); i += 2 {
			c.look(n.Content[i], depth+1)
		}
	}
}

// saved finds the saved searches of a template that are functions.
func (c *functionCollector) saved(root *yaml.Node, outer *template, depth int) {
	if depth > maxCollectDepth {
		return
	}
	t := outer.inside(root)
	for _, item := range resourcesOf(root) {
		properties := get(item, "properties")
		if typ := get(item, "type"); typ != nil && strings.HasSuffix(strings.ToLower(typ.Value), "savedsearches") && properties != nil {
			c.search(properties, item, t)
		}
		if properties != nil {
			for _, key := range []string{"mainTemplate", "template"} {
				if nested := get(properties, key); nested != nil {
					c.saved(nested, t, depth+1)
				}
			}
		}
		c.saved(item, t, depth+1)
	}
}

// search takes a saved search, if it is a function.
func (c *functionCollector) search(properties, at *yaml.Node, t *template) {
	value := func(key string) *yaml.Node {
		n := get(properties, key)
		if n != nil && t != nil {
			n = t.resolve(n)
			if open := t.open(n); open != nil {
				c.errorf(open, "%s is the expression %q, which only a deployment can work out: write the value, or give the parameter a defaultValue", key, clip(open.Value))
				return nil
			}
		}
		if isNull(n) || n.Kind != yaml.ScalarNode {
			return nil
		}
		return n
	}
	alias, query := value("functionAlias"), value("query")
	if alias == nil || query == nil || strings.TrimSpace(alias.Value) == "" {
		return // a query that was saved, and no function
	}
	f := Function{File: c.file, Names: []string{strings.TrimSpace(alias.Value)}, Body: Query{Text: query.Value, places: c.source.characters(query)}, at: c.place(at)}
	if parameters := value("functionParameters"); parameters != nil {
		f.Parameters = parameters.Value
	}
	c.add(at, f)
}

// add adds a function that has a name and a query.
func (c *functionCollector) add(at *yaml.Node, f Function) {
	for _, name := range f.Names {
		if !functionName.MatchString(name) {
			c.errorf(at, "%q is no name of a function: it begins with a letter or _ and has only letters, digits and _", clip(name))
			return
		}
	}
	if strings.TrimSpace(f.Body.Text) == "" {
		c.errorf(at, "the query of %s is empty", f.Names[0])
		return
	}
	c.functions = append(c.functions, f)
}

var functionName = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// published takes a parser or a function as ASIM publishes them.
func (c *functionCollector) published(n *yaml.Node) {
	first := func(keys ...string) *yaml.Node {
		for _, key := range keys {
			if value := get(n, key); !isNull(value) {
				return value
			}
		}
		return nil
	}
	query := first("ParserQuery", "FunctionQuery")
	name := first("FunctionName", "ParserName", "EquivalentBuiltInParser", "EquivalentBuiltInFunction")
	if name == nil || name.Kind != yaml.ScalarNode {
		c.errorf(n, "FunctionName is missing: it is what queries call the function by (ParserName, of a parser)")
		return
	}
	if isNull(query) || query.Kind != yaml.ScalarNode {
		c.errorf(n, "ParserQuery has no text: it is the function's query")
		return
	}
	f := Function{File: c.file, Body: Query{Text: query.Value, places: c.source.characters(query)}, at: c.place(name)}
	for _, key := range []string{"FunctionName", "ParserName", "EquivalentBuiltInParser", "EquivalentBuiltInFunction", "FunctionAlias"} {
		if value := get(n, key); !isNull(value) && value.Kind == yaml.ScalarNode && value.Value != "" && !slices.Contains(f.Names, value.Value) {
			f.Names = append(f.Names, value.Value)
		}
	}
	var parameters []string
	if list := first("ParserParams", "FunctionParams"); list != nil {
		if list.Kind != yaml.SequenceNode {
			c.errorf(list, "ParserParams is %s: it must be a list of Name, Type and Default", describe(list))
			return
		}
		for _, item := range list.Content {
			text, ok := c.parameter(resolve(item))
			if !ok {
				return
			}
			parameters = append(parameters, text)
		}
	}
	f.Parameters = strings.Join(parameters, ", ")
	c.add(name, f)
}

// parameter returns a parameter as a workspace keeps it. What YAML holds of a text's
// default has no quotation marks any more.
func (c *functionCollector) parameter(n *yaml.Node) (string, bool) {
	name, typ, def := get(n, "Name"), get(n, "Type"), get(n, "Default")
	if isNull(name) || isNull(typ) || name.Kind != yaml.ScalarNode || typ.Kind != yaml.ScalarNode {
		c.errorf(n, "a parameter lacks its Name or its Type: write both, such as Name: starttime and Type: datetime")
		return "", false
	}
	kind := strings.TrimSpace(typ.Value)
	if table, ok := strings.CutPrefix(kind, "table"); ok {
		if kind = strings.TrimPrefix(strings.TrimSpace(table), ":"); kind == "" {
			kind = "(*)"
		}
	}
	text := name.Value + ":" + kind
	if def == nil || def.Kind != yaml.ScalarNode || def.ShortTag() == "!!null" {
		return text, true
	}
	value := def.Value
	if kind == "string" && !isQuoted(value) {
		value = strconv.Quote(value)
	}
	return text + "=" + value, true
}

// isQuoted reports whether a text is one of KQL with its quotation marks.
func isQuoted(text string) bool {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "h"), "@")
	return len(text) > 1 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0]
}

// These begin the text of a function in a file of KQL: the command that creates it, and
// let. What is before the parameters is all that they match.
var (
	createsFunction = regexp.MustCompile(`^\.(?:create|create-or-alter|alter)\s+function\s+(?:ifnotexists\s+)?(?:with\s*\([^)]*\)\s*)?(\w+|\['\w+'\])\s*\(`)
	letsFunction    = regexp.MustCompile(`^let\s+(\w+)\s*=\s*(?:view\s*)?\(`)
	letsName        = regexp.MustCompile(`^let\s+(\w+)\s*=`)
)

// letsAt is how much of a text is looked at for the beginning of let.
const letsAt = 1024

// kqlFunction reads a file of KQL.
func kqlFunction(file string, src *source) (*Function, *Problem) {
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	text := src.text
	first := skipBlank(text, 0)
	start := lastLet(text, first)
	rest := string(text[start:])
	f := &Function{File: file, at: src.position(start)}
	open := -1
	if m := createsFunction.FindStringSubmatch(rest); m != nil {
		name, open = strings.Trim(m[1], "[']"), start+len([]rune(m[0]))-1
	} else if m := letsFunction.FindStringSubmatch(rest); m != nil && wholeFunction(text, start+len([]rune(m[0]))-1) {
		name, open = m[1], start+len([]rune(m[0]))-1
	} else if strings.HasPrefix(rest, "(") && wholeFunction(text, start) {
		open = start
	}
	from, to := start, len(text)
	if open >= 0 {
		closing := matching(text, open)
		brace := -1
		if closing > 0 {
			brace = skipBlank(text, closing+1)
		}
		end := -1
		if brace >= 0 && brace < len(text) && text[brace] == '{' {
			end = matching(text, brace)
		}
		if end < 0 {
			return nil, &Problem{File: file, Line: f.at.line, Column: f.at.column, Message: "the function is not (parameters) { query }: close its parentheses and braces"}
		}
		f.Parameters = string(text[open+1 : closing])
		from, to = brace+1, end
	}
	if problem := helperProblem(file, src, first, start, f.Parameters); problem != nil {
		return nil, problem
	}
	if !functionName.MatchString(name) {
		return nil, &Problem{File: file, Message: fmt.Sprintf("%q is no name of a function: call the file NAME.kql, or write let NAME = (parameters) { query }", clip(name))}
	}
	if skipBlank(text, from) >= to {
		return nil, &Problem{File: file, Message: "the query is empty"}
	}
	f.Names = []string{name}
	f.Body = Query{Text: string(text[first:start]) + string(text[from:to])}
	for i := first; i < start; i++ {
		f.Body.places = append(f.Body.places, src.position(i))
	}
	for i := from; i <= to; i++ {
		f.Body.places = append(f.Body.places, src.position(i))
	}
	return f, nil
}

// lastLet returns where the last of several statements begins, if all are let and the last
// is a function: those before it are what it uses. Else it is where the first begins.
func lastLet(text []rune, first int) int {
	last := first
	for i := first; i < len(text); {
		m := letsName.FindString(string(text[i:min(i+letsAt, len(text))]))
		if m == "" {
			return first
		}
		last = i
		i = skipBlank(text, min(statementEnd(text, i)+1, len(text)))
		for i < len(text) && text[i] == ';' { // an empty statement
			i = skipBlank(text, i+1)
		}
	}
	m := letsFunction.FindString(string(text[last:min(last+letsAt, len(text))]))
	if m == "" || !wholeFunction(text, last+len([]rune(m))-1) {
		return first
	}
	return last
}

// helperProblem refuses what let names before a function if the function has a parameter
// of the same name: within it the one would hide the other.
func helperProblem(file string, src *source, first, start int, parameters string) *Problem {
	names := parameterNames([]rune(parameters))
	for i := first; i < start; i = skipBlank(src.text, statementEnd(src.text, i)+1) {
		if m := letsName.FindStringSubmatch(string(src.text[i:min(i+letsAt, start)])); m != nil && names[m[1]] {
			at := src.position(i)
			return &Problem{File: file, Line: at.line, Column: at.column, Message: fmt.Sprintf("%s is also a parameter of the function: rename one of them", m[1])}
		}
	}
	return nil
}

// parameterNames returns the names of parameters that are written name:type=default.
func parameterNames(text []rune) map[string]bool {
	names := map[string]bool{}
	for i := 0; i < len(text); i++ {
		from := i
		for i < len(text) && text[i] != ',' {
			if i = literalEnd(text, i); i < len(text) && strings.ContainsRune("([{", text[i]) {
				if i = matching(text, i); i < 0 {
					return names
				}
			}
			i++
		}
		name, _, _ := strings.Cut(string(text[from:min(i, len(text))]), ":")
		names[strings.TrimSpace(name)] = true
	}
	return names
}

// statementEnd returns where the semicolon is that ends a statement, or the end of the
// text.
func statementEnd(text []rune, from int) int {
	for i := from; i < len(text); i++ {
		switch text[i] {
		case ';':
			return i
		case '(', '{', '[':
			if i = matching(text, i); i < 0 {
				return len(text)
			}
		default:
			i = literalEnd(text, i)
		}
	}
	return len(text)
}

// wholeFunction reports whether what is behind a parenthesis is a function to the end of
// the text.
func wholeFunction(text []rune, open int) bool {
	closing := matching(text, open)
	if closing < 0 {
		return false
	}
	brace := skipBlank(text, closing+1)
	if brace >= len(text) || text[brace] != '{' {
		return false
	}
	end := matching(text, brace)
	if end < 0 {
		return true // said to be open
	}
	for end = skipBlank(text, end+1); end < len(text) && text[end] == ';'; {
		end = skipBlank(text, end+1)
	}
	return end >= len(text)
}

// skipBlank moves over white space and comments.
func skipBlank(text []rune, i int) int {
	for i < len(text) {
		switch {
		case isSpace(text[i]):
			i++
		case text[i] == '/' && i+1 < len(text) && text[i+1] == '/':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		default:
			return i
		}
	}
	return i
}

// matching returns where the bracket that is open at a place is closed, or -1.
// Brackets in texts and comments do not count.
func matching(text []rune, open int) int {
	depth := 0
	for i := open; i < len(text); i++ {
		switch text[i] {
		case '(', '{', '[':
			depth++
		case ')', '}', ']':
			if depth--; depth == 0 {
				return i
			}
		default:
			i = literalEnd(text, i)
		}
	}
	return -1
}

// literalEnd returns where a text or a comment ends that begins at a place, or the place
// itself if none does.
func literalEnd(text []rune, i int) int {
	switch c := text[i]; c {
	case '/':
		if i+1 < len(text) && text[i+1] == '/' {
			for i < len(text) && text[i] != '\n' {
				i++
			}
		}
	case '`', '~':
		if i+2 < len(text) && text[i+1] == c && text[i+2] == c { // a text of several lines
			for i += 3; i+2 < len(text) && (text[i] != c || text[i+1] != c || text[i+2] != c); i++ {
			}
			i += 2
		}
	case '"', '\'':
		verbatim := i > 0 && text[i-1] == '@'
		for i++; i < len(text) && text[i] != c && text[i] != '\n'; i++ {
			if text[i] == '\\' && !verbatim {
				i++
			}
		}
	}
	return i
}
