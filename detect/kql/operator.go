package kql

import (
	"slices"
)

// operators is the table of tabular operators: what reads the rest of each
// after its name. It is a function, as are the tables below, because what it
// holds refers back to it.
func operators() map[string]func(p *parser, at span) operatorNode { return theOperators }

var theOperators map[string]func(p *parser, at span) operatorNode

// The tables refer to functions that refer to the tables, hence init.
func init() { theOperators = buildOperators() }

func buildOperators() map[string]func(p *parser, at span) operatorNode {
	return map[string]func(p *parser, at span) operatorNode{
		"where":            parseWhere,
		"filter":           parseWhere,
		"extend":           parseExtend,
		"project":          parseProject,
		"project-away":     parseProjectAway,
		"project-keep":     parseProjectKeep,
		"project-rename":   parseProjectRename,
		"project-reorder":  parseProjectReorder,
		"summarize":        parseSummarize,
		"distinct":         parseDistinct,
		"count":            parseCount,
		"consume":          parseConsume,
		"join":             parseJoin,
		"lookup":           parseLookup,
		"union":            parseUnion,
		"make-series":      parseMakeSeries,
		"mv-expand":        parseMvExpand,
		"mvexpand":         parseMvExpand,
		"sort":             parseSort,
		"order":            parseSort,
		"top":              parseTop,
		"take":             parseTake,
		"limit":            parseTake,
		"parse":            parseParse,
		"parse-where":      parseParseWhere,
		"parse-kv":         parseParseKV,
		"mv-apply":         parseMvApply,
		"mvapply":          parseMvApply,
		"as":               parseAs,
		"invoke":           parseInvoke,
		"serialize":        parseSerialize,
		"evaluate":         parseEvaluate,
		"search":           parseSearch,
		"scan":             parseScan,
		"partition":        parsePartition,
		"fork":             parseFork,
		"facet":            parseFacet,
		"top-nested":       parseTopNested,
		"top-hitters":      parseTopHitters,
		"sample":           parseSample,
		"sample-distinct":  parseSampleDistinct,
		"project-by-names": parseProjectByNames,
		"getschema":        parseGetSchema,
		"render":           parseRender,
	}
}

func operatorNames() []string {
	var names []string
	for n := range operators() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// sources is the table of what a pipeline can start with besides a table.
func sources() map[string]func(p *parser) node { return theSources }

var theSources map[string]func(p *parser) node

// The tables refer to functions that refer to the tables, hence init.
func init() { theSources = buildSources() }

func buildSources() map[string]func(p *parser) node {
	return map[string]func(p *parser) node{
		"print":     parsePrint,
		"range":     parseRange,
		"datatable": parseDatatable,
		"union":     parseUnionSource,
		"search":    parseSearchSource,
		"find":      parseFind,

		"externaldata":  parseExternal,
		"external_data": parseExternal,
	}
}

// tabularFunctions is the table of functions that give a table.
func tabularFunctions() map[string]func(b *binder, n *call) relation { return theTabularFunctions }

var theTabularFunctions map[string]func(b *binder, n *call) relation

// The tables refer to functions that refer to the tables, hence init.
func init() { theTabularFunctions = buildTabularFunctions() }

func buildTabularFunctions() map[string]func(b *binder, n *call) relation {
	return map[string]func(b *binder, n *call) relation{
		"materialize": bindMaterialize,
		"table":       bindTableFunction,

		"_GetWatchlist": bindWatchlist,
	}
}

// refusedOperators are operators of the language that are not here. Each has
// the nearest that is.
var refusedOperators = map[string]string{
	"find":         "it can only start a query; search looks in a table",
	"graph-match":  "join relates tables",
	"make-graph":   "join relates tables",
	"print":        "it can only start a query",
	"range":        "it can only start a query",
	"datatable":    "it can only start a query",
	"reduce":       "summarize groups by a value",
	"macro-expand": "there is one database here: write the query by itself",
	"execute":      "let keeps an intermediate table",
}

var refusedSources = map[string]string{
	"evaluate":     "it stands behind a table",
	"macro-expand": "there is one database here: write the query by itself",
}
