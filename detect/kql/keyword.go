package kql

// keywords can not be names unless they are written ['word']. They are those of
// the official grammar.
var keywords = wordSet(
	"and", "or", "by", "in", "between", "has", "contains", "startswith", "endswith", "where", "project", "union",
	"asc", "desc", "first", "last", "set", "dynamic", "datetime", "date", "timespan", "time", "long", "int", "real",
	"double", "boolean", "bool", "string", "decimal", "to", "print", "datatable", "materialize", "toscalar", "as",
	"invoke", "search", "find", "has_any", "has_all", "of", "isfuzzy", "like", "notlike", "contains_cs", "hasprefix",
	"containscs", "notcontains", "notcontainscs",
	"title", "external_data", "externaldata", "nooptimization", "decodeblocks", "bagexpansion", "with_itemindex",
	"flags", "simple", "expandoutput", "uniqueid", "uint64", "int64", "int32", "float", "char", "datascope",
	"anomalychart", "earliest", "latest",
)

// declarable are those keywords that can stand before the = of a new column.
var declarable = wordSet(
	"by", "in", "has", "contains", "where", "set", "bool", "to", "print", "datatable", "materialize", "toscalar", "as",
	"invoke", "search", "find", "of", "title", "externaldata", "earliest", "latest",
)

// keywordOperators are those keywords that stay operators before a
// parenthesis.
var keywordOperators = wordSet(
	"and", "or", "by", "in", "between", "has", "contains", "startswith", "endswith", "has_any", "has_all",
	"contains_cs", "containscs", "notcontains", "notcontainscs", "hasprefix", "of", "as", "to",
)

func wordSet(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, w := range words {
		set[w] = true
	}
	return set
}
