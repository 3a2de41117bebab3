package kql

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// scalarFunction is an entry of the tables in the func_*.go files. Most are a
// signature, a line of description and a value from values.
type scalarFunction struct {
	// sig is the signature: name(parameter:kind, ...) result. A kind is a type
	// or one of paramKinds; ? after it makes the parameter optional, * says it
	// may stand any number of times, or not at all, and ! that the argument
	// must be a constant. The result is a type, or: first, the type of the
	// first argument; common, the type that all arguments of kind common share;
	// widest, the widest of the numbers.
	sig string
	doc string
	// examples are expressions and what they give: documentation and tests.
	examples examples
	// rows computes the value. Arguments have been converted to their
	// parameters' types. With strict, it is not called, and the value is null,
	// where an argument is null.
	rows   func(args []Value) Value
	strict bool
	// batch computes a whole vector, for those that earn it.
	batch func(args []*vector, n int) *vector
	// chooses says that rows gives one argument, as iff does.
	chooses bool
	// coalesces says that rows gives the first argument that is not empty.
	coalesces bool
	// bind takes over where a signature does not say enough. special does where
	// not even the arguments are plain expressions.
	bind    func(b *binder, c *call, args []expr) expr
	special func(b *binder, c *call, in []*column) expr
	naming  resultName
	// strictCommon refuses a dynamic among arguments of kind common that are of
	// another type. Otherwise what it holds is converted.
	strictCommon bool

	name   string
	params []param
	result string
}

// examples are pairs of an expression and its value, as tostring() writes it;
// null is written null.
type examples []string

// param is one parameter of a signature.
type param struct {
	name               string
	kind               string
	optional, repeated bool
	constant           bool
}

// paramKinds say which types a parameter takes. A parameter whose kind is a
// type takes that type, an integer where it is a number, and a dynamic where
// it is a string.
var paramKinds = map[string]func(Type) bool{
	"scalar":     func(Type) bool { return true },
	"common":     func(Type) bool { return true },
	"notdynamic": func(t Type) bool { return t != Dynamic },
	"text":       func(t Type) bool { return t == String || t == Dynamic },
	"regex":      func(t Type) bool { return t == String },
	"part":       func(t Type) bool { return t == String },
	"datepart":   func(t Type) bool { return t == String },
	"type":       func(Type) bool { return true },
	"table":      func(Type) bool { return true },
	"percentile": func(t Type) bool { return t.isNumber() || t == Dynamic },
	"integers":   func(t Type) bool { return t == Int || t == Long || t == Dynamic },
	"integer":    func(t Type) bool { return t == Int || t == Long },
	"number":     func(t Type) bool { return t.isNumber() },
	"summable":   func(t Type) bool { return t.isNumber() || t == TimeSpan || t == DateTime },
	"orderable":  func(t Type) bool { return t != Dynamic && t != GUID },
	"array":      func(t Type) bool { return t == Dynamic },
	"series":     func(t Type) bool { return t == Dynamic || t.isNumber() },
	"bag":        func(t Type) bool { return t == Dynamic },
}

// scalarFunctions is the table of all, by name.
func scalarFunctions() map[string]*scalarFunction { return theScalarFunctions }

var theScalarFunctions map[string]*scalarFunction

// The tables refer to functions that refer to the tables, hence init.
func init() { theScalarFunctions = buildScalarFunctions() }

// functionGroup is the table of a file, and what it is about.
type functionGroup struct {
	title     string
	functions []*scalarFunction
}

func functionGroups() []functionGroup {
	return []functionGroup{
		{"Conditions", conditionFunctions()},
		{"Conversions", conversionFunctions()},
		{"Text", stringFunctions()},
		{"Regular expressions", regexFunctions()},
		{"Arrays", arrayFunctions()},
		{"Series", seriesFunctions()},
		{"Series: statistics and fits", seriesFitFunctions()},
		{"Series: seasons, outliers and filters", seriesDecomposeFunctions()},
		{"Sets", setFunctions()},
		{"Property bags", bagFunctions()},
		{"Dates and times", datetimeFunctions()},
		{"Formats", formatFunctions()},
		{"URLs, paths, CSV, JSON", parseFunctions()},
		{"IPv4 addresses", ipv4Functions()},
		{"IPv6 addresses", ipv6Functions()},
		{"Places of IP addresses", geoIPFunctions()},
		{"Encodings", encodingFunctions()},
		{"XML, command lines, user agents", deviceFunctions()},
		{"Hashes", hashFunctions()},
		{"Mathematics", mathFunctions()},
		{"Statistics", statisticFunctions()},
		{"Units", unitFunctions()},
		{"Bits", bitFunctions()},
		{"Rows before and after, behind sort or serialize", windowFunctions()},
		{"The query itself", specialFunctions()},
	}
}

func buildScalarFunctions() map[string]*scalarFunction {
	all := make(map[string]*scalarFunction)
	for _, group := range functionGroups() {
		for _, f := range group.functions {
			f.name, f.params, f.result = parseSignature(f.sig)
			if all[f.name] != nil {
				panic("kql: function " + f.name + " is defined twice")
			}
			all[f.name] = f
		}
	}
	return all
}

// parseSignature reads the text that a table entry gives.
func parseSignature(sig string) (name string, params []param, result string) {
	open, closing := strings.IndexByte(sig, '('), strings.LastIndexByte(sig, ')')
	if open < 0 || closing < open {
		panic("kql: bad signature " + sig)
	}
	name, result = sig[:open], strings.TrimSpace(sig[closing+1:])
	for part := range strings.SplitSeq(sig[open+1:closing], ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		n, kind, ok := strings.Cut(part, ":")
		p := param{name: n}
		p.kind = strings.TrimRight(kind, "?*!")
		p.optional, p.repeated, p.constant = strings.Contains(kind, "?"), strings.Contains(kind, "*"), strings.Contains(kind, "!")
		if _, isType := ParseType(p.kind); !ok || !isType && paramKinds[p.kind] == nil {
			panic("kql: bad parameter " + part + " in " + sig)
		}
		params = append(params, p)
	}
	return name, params, result
}

// arity gives the least and the greatest number of arguments; -1 is no limit.
func arity(params []param) (least, most int) {
	for _, p := range params {
		if !p.optional && !p.repeated {
			least++
		}
		if most >= 0 {
			most++
		}
		if p.repeated {
			most = -1
		}
	}
	return least, most
}

// paramFor is the parameter that argument i of n goes to. A repeated one takes
// all that those after it do not need.
func paramFor(params []param, i, n int) param {
	for at, p := range params {
		if p.repeated {
			after := len(params) - at - 1
			switch {
			case i < at:
				return params[i]
			case n-i <= after:
				return params[len(params)-(n-i)]
			}
			return p
		}
	}
	return params[i]
}

// callExpr binds the call of a function.
func (b *binder) callExpr(n *call, in []*column) expr {
	b.count(n.span)
	if d := b.find(n.fn.text); d != nil && d.fn != nil {
		if b.isTabular(n) {
			panic(semanticError(n.span, "SEM0001", "%s() gives a table, and a scalar is expected here: toscalar() gives its first value", n.fn.text))
		}
		var e expr
		b.invoke(n, d, in, func(body node) {
			e = b.expr(body, nil)
			b.noteLasting(e, d)
		})
		return e
	}
	if a := aggregates()[n.fn.text]; a != nil && b.agg != nil {
		return b.aggregateExpr(n, a) // names of its arguments name its columns at most
	}
	f := scalarFunctions()[n.fn.text]
	if f == nil {
		p := b.unknownFunction(n) // whatever it is given
		p.function = ""           // no table can do without it
		panic(p)
	}
	// Names of its arguments are comments, as for an aggregate: the places count.
	if f.special != nil {
		return f.special(b, n, in)
	}
	args := make([]expr, len(n.args))
	for i, a := range n.args {
		if t, ok := a.(*typeOf); ok {
			args[i] = &typeLiteral{t.typ}
			continue
		}
		args[i] = b.expr(a, in)
		if tuple, ok := args[i].(*tupleExpr); ok && tuple.types != nil && i < len(f.params) && f.params[i].kind != "array" {
			args[i] = tuple.value(0) // one value is expected: it is the first
		}
	}
	b.checkArguments(n, f.params, args)
	if f.bind != nil {
		return f.bind(b, n, args)
	}
	t, ok := ParseType(f.result)
	switch {
	case ok:
	case f.result == "first":
		t = args[0].typ()
	case f.result == "common":
		t = b.unify(n, f.params, args, f.strictCommon)
	case f.result == "widest":
		t = widest(args[0].typ(), args[1].typ())
	default:
		panic("kql: bad result in " + f.sig)
	}
	e := &applyExpr{t: t, args: args, rows: f.rows, batch: f.batch, chooses: f.chooses && choosable(args), coalesces: f.coalesces && replaceable(args[1:])}
	if f.strict {
		e.rows = func(a []Value) Value {
			for _, v := range a {
				if v.IsNull() {
					return convert(Value{}, t)
				}
			}
			return f.rows(a)
		}
	}
	if len(args) == 0 {
		return &constExpr{t: t, val: f.rows(nil)}
	}
	return fold(e)
}

// unknownFunction says what is known of the name of a function that is not here.
func (b *binder) unknownFunction(n *call) *problem {
	name := n.fn.text
	if p := unsupportedFunction(n.fn); p != nil {
		return p
	}
	if aggregates()[name] != nil {
		return semanticError(n.fn.span, "SEM0260", "%s() is an aggregate; it stands in summarize only", name)
	}
	if tabularFunctions()[name] != nil {
		return semanticError(n.fn.span, "SEM0260", "%s() gives a table, and a scalar is expected here", name)
	}
	if d := b.find(name); d != nil && d.pattern != nil {
		return semanticError(n.fn.span, "SEM0260", "the pattern '%s' gives a table, and a scalar is expected here", name)
	}
	p := &problem{kind: SemanticError, code: "SEM0260", at: n.fn.span, function: name, msg: supply(name)}
	if p.msg != "" {
		return p
	}
	names := slices.Concat(functionNames(), b.scope.all(), b.db.Functions.Names())
	similar := suggestion(name, names)
	if similar == "" {
		similar = "; if it is saved in the workspace, give its text by --functions DIR"
	}
	p.msg = fmt.Sprintf("Unknown function: '%s'%s", name, similar)
	return p
}

func isScalarFunction(name string) bool { return scalarFunctions()[name] != nil }

func functionNames() []string {
	return slices.Sorted(maps.Keys(scalarFunctions()))
}

// checkArguments checks number and types, and converts each argument to its
// parameter's type in place.
func (b *binder) checkArguments(n *call, params []param, args []expr) {
	least, most := arity(params)
	if len(args) < least || most >= 0 && len(args) > most {
		panic(semanticError(n.span, "SEM0219", "%s() takes %s and got %d", n.fn.text, countOf(least, most), len(args)))
	}
	for i, a := range args {
		p := paramFor(params, i, len(args))
		at := n.args[i].pos()
		if _, ok := a.(*typeLiteral); ok != (p.kind == "type") {
			panic(semanticError(at, "SEM0220", "the argument '%s' of %s() must be %s", p.name, n.fn.text, map[bool]string{true: "a value, and not a type", false: "a type, such as typeof(long)"}[ok]))
		}
		if _, ok := a.(*tupleExpr); ok && p.kind == "array" {
			panic(semanticError(at, "SEM0220", "the argument '%s' of %s() must be an array, and these are several values: choose one with [0], [1] and so on", p.name, n.fn.text))
		}
		if t, ok := ParseType(p.kind); ok {
			if a.typ() == Dynamic && t != String && t != Dynamic || t == Dynamic && a.typ() != Dynamic || !coercible(a.typ(), t) {
				panic(semanticError(at, "SEM0220", "the argument '%s' of %s() must be a %s, and this is a %s%s", p.name, n.fn.text, t, a.typ(), conversionHint(t)))
			}
			args[i] = b.coerce(a, t, at)
		} else if !paramKinds[p.kind](a.typ()) {
			panic(semanticError(at, "SEM0220", "the argument '%s' of %s() must be %s, and this is a %s", p.name, n.fn.text, kindNoun[p.kind], a.typ()))
		}
		if p.constant || p.kind == "regex" || p.kind == "part" || p.kind == "datepart" {
			args[i] = b.checkConstant(n.fn.text, p, args[i], at)
		}
	}
}

// checkConstant checks an argument that must not depend on the row, and gives
// its value. Where that is read from a table and there is no data, the argument
// stays as it is.
func (b *binder) checkConstant(fn string, p param, a expr, at span) expr {
	c, ok := b.constantOf(a)
	if !ok || c == nil && (p.kind == "part" || p.kind == "datepart") {
		panic(semanticError(at, "SEM0220", "the argument '%s' of %s() must be a constant", p.name, fn))
	}
	if c == nil {
		return a
	}
	switch p.kind {
	case "regex":
		if _, err := constantRegexp(c.val.s); err != nil {
			panic(semanticError(at, "SEM0420", "the regular expression is not valid: %s", regexpReason(err)))
		}
	case "part", "datepart":
		parts := dateParts
		if p.kind == "datepart" {
			parts = readableParts
		}
		if !slices.Contains(parts, strings.ToLower(c.val.s)) {
			panic(semanticError(at, "SEM0220", "the argument '%s' of %s() must be one of %s", p.name, fn, strings.Join(parts, ", ")))
		}
	}
	return c
}

var kindNoun = map[string]string{
	"notdynamic": "a scalar that is not dynamic", "text": "a string or a dynamic",
	"regex": "a string", "part": "a string", "datepart": "a string", "integer": "an integer", "number": "a number",
	"integers": "an integer or a dynamic array", "type": "a type",
	"percentile": "a number or an array of numbers",
	"summable":   "a number, a timespan or a datetime", "orderable": "a scalar that has an order",
	"array": "a dynamic array", "series": "a dynamic array or a number", "bag": "a dynamic property bag",
}

func countOf(least, most int) string {
	plural := func(n int) string {
		if n == 1 {
			return "1 argument"
		}
		return fmt.Sprintf("%d arguments", n)
	}
	switch {
	case most < 0:
		return "at least " + plural(least)
	case least == most:
		return plural(least)
	}
	return fmt.Sprintf("%d to %s", least, plural(most))
}

// unify gives all arguments of kind common one type: the widest number, or
// what is not dynamic.
func (b *binder) unify(n *call, params []param, args []expr, strict bool) Type {
	t := kindNull
	for i, a := range args {
		if paramFor(params, i, len(args)).kind == "common" {
			if strict && t != kindNull && (t == Dynamic) != (a.typ() == Dynamic) {
				panic(semanticError(n.args[i].pos(), "SEM0220", "the arguments of %s() must be of one type, and this is a %s beside a %s: tostring() and its like convert a dynamic", n.fn.text, a.typ(), t))
			}
			t = b.commonType(n.args[i].pos(), n.fn.text, t, a)
		}
	}
	for i, a := range args {
		if paramFor(params, i, len(args)).kind == "common" {
			args[i] = converted(a, t)
		}
	}
	return t
}

func (b *binder) commonType(at span, fn string, t Type, a expr) Type {
	at2 := a.typ()
	switch {
	case t == kindNull || t == at2:
		return at2
	case t == Dynamic:
		return at2
	case at2 == Dynamic:
		return t
	case t.isNumber() && at2.isNumber():
		return widest(t, at2)
	}
	panic(semanticError(at, "SEM0220", "the arguments of %s() must be of one type, and this is a %s beside a %s", fn, at2, t))
}

// typeLiteral is typeof(type), which only some functions take.
type typeLiteral struct{ t Type }

func (e *typeLiteral) typ() Type                       { return e.t }
func (e *typeLiteral) children() []expr                { return nil }
func (e *typeLiteral) eval(*execution, *batch) *vector { panic("kql: a type has no value") } // checkArguments lets none through

// tupleExpr is a function that gives several values. They are an array where
// one is chosen by its index, and columns where columns are made.
type tupleExpr struct {
	expr
	names func(in []*column) []string // what the columns are called
	types []Type                      // of the values; nil if each is dynamic
}

// value is the value at a position, alone.
func (e *tupleExpr) value(at int) expr {
	t := Dynamic
	if e.types != nil {
		t = e.types[at]
	}
	return fold(&applyExpr{
		t: t, args: []expr{e.expr},
		show: func(_ *explainer, args []string) string { return fmt.Sprintf("%s[%d]", args[0], at) },
		rows: func(a []Value) Value { return convertItem(elementOf(a[0], longValue(int64(at))), t) },
	})
}
