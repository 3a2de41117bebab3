package kql

import (
	"math/big"
	"strings"

	"github.com/cockroachdb/apd/v3"
)

// parseFunctions take texts of known forms apart: URLs, paths, CSV, versions
// and JSON.
func parseFunctions() []*scalarFunction {
	parseURL := func(a []Value) Value { return parsedURL(a[0].s) }
	parseQuery := func(a []Value) Value {
		out := newBag(1)
		out.set("Query Parameters", urlQuery(strings.TrimPrefix(a[0].s, "?")))
		return bagValue(out)
	}
	return []*scalarFunction{
		{sig: "parse_url(url:string) dynamic", doc: "The Scheme, Host, Port, Path, Username, Password, Query Parameters and Fragment of a URL.", rows: parseURL,
			examples: examples{"parse_url('scheme://user:pw@host:1234/a/b?k1=v1&k2=v2#top')",
				`{"Scheme":"scheme","Host":"host","Port":"1234","Path":"a/b","Username":"user","Password":"pw","Query Parameters":{"k1":"v1","k2":"v2"},"Fragment":"top"}`}},
		{sig: "parseurl(url:string) dynamic", doc: "The same as parse_url().", rows: parseURL,
			examples: examples{"parseurl('https://bing.com').Host", "bing.com"}},
		{sig: "parse_urlquery(query:string) dynamic", doc: "The Query Parameters of a URL's query.", rows: parseQuery,
			examples: examples{"parse_urlquery('k1=v1&k2=a%20b')", `{"Query Parameters":{"k1":"v1","k2":"a b"}}`}},
		{sig: "parseurlquery(query:string) dynamic", doc: "The same as parse_urlquery().", rows: parseQuery,
			examples: examples{"parseurlquery('?a=')", `{"Query Parameters":{"a":""}}`}},
		{sig: "parse_path(path:string) dynamic", doc: "The Scheme, RootPath, DirectoryPath, DirectoryName, Filename, Extension and AlternateDataStreamName of a path.",
			examples: examples{`parse_path(@'C:\temp\file.txt')`,
				`{"Scheme":"","RootPath":"C:","DirectoryPath":"C:\\temp","DirectoryName":"temp","Filename":"file.txt","Extension":"txt","AlternateDataStreamName":""}`},
			rows: func(a []Value) Value { return parsedPath(a[0].s) }},
		{sig: "parse_csv(text:text) dynamic", doc: "The fields of the first record of a text in CSV, as an array.", naming: nameOfFirst,
			examples: examples{`parse_csv('aa,"b,b",say ""hi""')`, `["aa","b,b","say \"\"hi\"\""]`, `parse_csv('"a ""b""",c\nd,e')`, `["a \"b\"","c"]`},
			rows:     func(a []Value) Value { return csvRecord(a[0].String()) }},
		{sig: "parse_version(version:string) decimal", doc: "A number that orders versions of one to four parts; null if the text is none.",
			examples: examples{"parse_version('0.1.2.0')", "10000000200000000", "parse_version('1.2.3.4') > parse_version('1.2.3')", "true", "parse_version('1.x')", "null"},
			rows:     func(a []Value) Value { return parsedVersion(a[0].s) }},
		{sig: "extract_json(path:string, json:string, type:type?) string", doc: "What a path such as $.a[0].b leads to in a text of JSON, as text or as a type.", bind: bindExtractJSON,
			examples: examples{`extract_json('$.a[1]', '{"a":[1,"x"]}')`, "x", `extract_json('$.a', '{"a":"7"}', typeof(long)) + 1`, "8"}},
		{sig: "extractjson(path:string, json:string, type:type?) string", doc: "The same as extract_json().", bind: bindExtractJSON,
			examples: examples{`extractjson('$.b', '{"a":1}')`, ""}},
	}
}

// parsedURL takes the text apart at its delimiters. The path has no slash before it,
// as the reference's example has it:
// https://learn.microsoft.com/kusto/query/parse-url-function. What is no absolute URL
// has none of the parts but what may follow a path.
func parsedURL(s string) Value {
	var scheme, host, port, user, password string
	s, fragment, _ := strings.Cut(s, "#")
	s, query, _ := strings.Cut(s, "?")
	path := ""
	if before, rest, ok := strings.Cut(s, "://"); ok {
		scheme = before
		var authority string
		authority, path, _ = strings.Cut(rest, "/")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			user, password, _ = strings.Cut(authority[:at], ":")
			authority = authority[at+1:]
		}
		host = authority
		if at := strings.LastIndexByte(authority, ':'); at > strings.LastIndexByte(authority, ']') {
			host, port = authority[:at], authority[at+1:]
		}
	}
	out := newBag(8)
	for _, part := range []struct{ key, text string }{
		{"Scheme", scheme}, {"Host", host}, {"Port", port}, {"Path", path}, {"Username", user}, {"Password", password},
	} {
		out.set(part.key, stringValue(part.text))
	}
	out.set("Query Parameters", urlQuery(query))
	out.set("Fragment", stringValue(fragment))
	return bagValue(out)
}

func urlQuery(s string) Value {
	out := newBag(4)
	for pair := range strings.SplitSeq(s, "&") {
		if pair != "" {
			k, v, _ := strings.Cut(pair, "=")
			out.set(urlDecoded(k), stringValue(urlDecoded(v)))
		}
	}
	return bagValue(out)
}

func parsedPath(s string) Value {
	var scheme, root, stream string
	if before, rest, ok := strings.Cut(s, "://"); ok {
		scheme, s = before, rest
	}
	if len(s) > 1 && isLetter(s[0]) && s[1] == ':' {
		root = s[:2]
	}
	at := strings.LastIndexAny(s, `/\`)
	directory, file := "", s
	if at >= 0 {
		directory, file = s[:at], s[at+1:]
	} else if root != "" {
		directory, file = root, s[2:]
	}
	file, stream, _ = strings.Cut(file, ":")
	name := directory[strings.LastIndexAny(directory, `/\`)+1:]
	if name == root {
		name = ""
	}
	extension := ""
	if dot := strings.LastIndexByte(file, '.'); dot >= 0 {
		extension = file[dot+1:]
	}
	out := newBag(7)
	for _, part := range []struct{ key, text string }{
		{"Scheme", scheme}, {"RootPath", root}, {"DirectoryPath", directory}, {"DirectoryName", name},
		{"Filename", file}, {"Extension", extension}, {"AlternateDataStreamName", stream},
	} {
		out.set(part.key, stringValue(part.text))
	}
	return bagValue(out)
}

// csvRecord reads up to the first line break outside quotes.
func csvRecord(s string) Value {
	fields := []Value{}
	for {
		var field strings.Builder
		if strings.HasPrefix(s, `"`) {
			s = s[1:]
			for s != "" {
				end := strings.IndexByte(s, '"')
				if end < 0 {
					end = len(s)
				}
				field.WriteString(s[:end])
				s = s[min(end+1, len(s)):]
				if !strings.HasPrefix(s, `"`) {
					break
				}
				field.WriteByte('"')
				s = s[1:]
			}
		}
		end := strings.IndexAny(s, ",\r\n")
		if end < 0 {
			field.WriteString(s)
			return arrayValue(append(fields, stringValue(field.String())))
		}
		field.WriteString(s[:end])
		fields = append(fields, stringValue(field.String()))
		if s[end] != ',' {
			return arrayValue(fields)
		}
		s = s[end+1:]
	}
}

func parsedVersion(s string) Value {
	parts := strings.Split(s, ".")
	if len(parts) > 4 {
		return Value{}
	}
	digits := ""
	for i := range 4 {
		part := "0"
		if i < len(parts) {
			part = parts[i]
		}
		if part == "" || len(part) > 8 {
			return Value{}
		}
		for _, c := range []byte(part) {
			if !isDigit(c) {
				return Value{}
			}
		}
		digits += "00000000"[len(part):] + part
	}
	n, _ := new(big.Int).SetString(digits, 10)
	return decimalValue(apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(n), 0))
}

func bindExtractJSON(_ *binder, n *call, args []expr) expr {
	t := String
	if len(args) > 2 {
		t, args = args[2].typ(), args[:2]
	}
	if c, ok := args[0].(*constExpr); ok {
		if _, ok := jsonPath(c.val.s); !ok {
			panic(semanticError(n.args[0].pos(), "SEM0220", "'%s' is not a path that %s() understands: $ and then .key, ['key'] or [0]", c.val.s, n.fn.text))
		}
	}
	return fold(&applyExpr{t: t, args: args, rows: func(a []Value) Value {
		var found Value
		if path, ok := jsonPath(a[0].s); ok {
			if v, ok := parseJSON(a[1].s); ok {
				found, _ = follow(v, path)
			}
		}
		if t == Dynamic {
			return found
		}
		return convert(found, t)
	}})
}
