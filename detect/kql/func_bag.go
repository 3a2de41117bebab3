package kql

import (
	"slices"
	"strconv"
	"strings"
)

// bagFunctions work on property bags and make them. bag_pack_columns and
// pack_all, which need the names of columns, are in func_special.go.
func bagFunctions() []*scalarFunction {
	return []*scalarFunction{
		{sig: "bag_pack(key:string, value:scalar, more:scalar*) dynamic", doc: "A property bag of pairs of a key and a value.", bind: bindPack,
			examples: examples{"bag_pack('a', 1, 'b', 'x')", `{"a":1,"b":"x"}`}},
		{sig: "pack(key:string, value:scalar, more:scalar*) dynamic", doc: "The same as bag_pack().", bind: bindPack,
			examples: examples{"pack('a', dynamic(null))", `{"a":null}`}},
		{sig: "pack_dictionary(key:string, value:scalar, more:scalar*) dynamic", doc: "The same as bag_pack().", bind: bindPack,
			examples: examples{"pack_dictionary('a', 1)", `{"a":1}`}},
		{sig: "treepath(object:bag) dynamic", doc: "The paths to what is in a property bag, as an array; of the elements of an array those are one.", naming: prefixed("tree"),
			examples: examples{`treepath(dynamic({'a':'b','c':123}))`, `["['a']","['c']"]`, `treepath(dynamic({'p':[1,{'x':2}]}))`, `["['p']","['p'][0]","['p'][0]['x']"]`},
			rows: func(a []Value) Value {
				if a[0].kind != kindBag {
					return Value{}
				}
				paths := []Value{}
				treePaths(a[0], "", make(map[string]bool), func(path string) { paths = append(paths, stringValue(path)) })
				return arrayValue(paths)
			}},
		{sig: "bag_keys(bag:bag) dynamic", doc: "The keys of a property bag, as an array.",
			examples: examples{"bag_keys(dynamic({'a':1,'b':{'c':2}}))", `["a","b"]`, "bag_keys(parse_json('[]'))", "null"},
			rows: onBag(func(b *bag, _ []Value) Value {
				items := []Value{}
				for _, k := range b.keys {
					items = append(items, stringValue(k))
				}
				return arrayValue(items)
			})},
		{sig: "bag_has_key(bag:bag, key:string) bool", doc: "Whether a property bag has the key, or what a path such as $.a.b leads to.",
			examples: examples{"bag_has_key(dynamic({'a':1}), 'a')", "true", "bag_has_key(dynamic({'a':{'b':1}}), '$.a.c')", "false"},
			rows: onBag(func(b *bag, a []Value) Value {
				if path, ok := jsonPath(a[1].s); ok && len(path) > 0 {
					_, found := follow(a[0], path)
					return boolValue(found)
				}
				return boolValue(b.find(a[1].s) >= 0)
			})},
		{sig: "bag_merge(bag:bag, next:bag, more:bag*) dynamic", doc: "One property bag of several; of equal keys the leftmost counts.", rows: mergeBags,
			examples: examples{"bag_merge(dynamic({'a':1}), dynamic({'b':2,'a':3}))", `{"a":1,"b":2}`}},
		{sig: "bag_remove_keys(bag:bag, keys:array) dynamic", doc: "The property bag without the keys, or without what paths such as $.a.b lead to.",
			examples: examples{"bag_remove_keys(dynamic({'a':1,'b':2}), dynamic(['b','c']))", `{"a":1}`,
				"bag_remove_keys(dynamic({'a':1,'b':{'c':2,'d':3}}), dynamic(['$.b.c']))", `{"a":1,"b":{"d":3}}`},
			rows: onBag(removeKeys)},
		{sig: "bag_set_key(bag:bag, key:string, value:scalar) dynamic", doc: "The property bag with a key, or what a path such as $.a.b leads to, set to a value.",
			examples: examples{"bag_set_key(dynamic({'a':1}), 'b', 2)", `{"a":1,"b":2}`, "bag_set_key(dynamic({'a':1}), '$.b.c', 'x')", `{"a":1,"b":{"c":"x"}}`},
			rows: onBag(func(_ *bag, a []Value) Value {
				path, ok := jsonPath(a[1].s)
				if !ok {
					path = []pathStep{{key: a[1].s}}
				}
				return withKey(a[0], path, a[2])
			})},
		{sig: "bag_zip(keys:array, values:array) dynamic", doc: "A property bag of an array of keys and an array of values; null where there is no value.",
			examples: examples{"bag_zip(dynamic(['a','b']), dynamic([1]))", `{"a":1,"b":null}`, "bag_zip(dynamic(['a',8,'b']), dynamic([1,'2',2.5]))", `{"a":1,"b":2.5}`},
			rows: onArray(func(keys, a []Value) Value {
				out := newBag(len(keys))
				for i, k := range keys {
					if k.kind != String {
						continue
					}
					var v Value
					if a[1].kind == kindArray && i < len(a[1].array()) {
						v = a[1].array()[i]
					}
					out.set(k.s, v)
				}
				return bagValue(out)
			})},
		{sig: "dynamic_to_json(value:scalar) string", doc: "The value as JSON with the keys of every bag in order, so that equal bags have equal texts.",
			examples: examples{"dynamic_to_json(dynamic({'b':{'d':1,'c':2},'a':[3]}))", `{"a":[3],"b":{"c":2,"d":1}}`},
			rows: func(a []Value) Value {
				var sb strings.Builder
				sortedKeys(a[0]).appendJSON(&sb)
				return stringValue(sb.String())
			}},
	}
}

// onBag is for functions that are null when their first argument is no bag.
func onBag(f func(b *bag, a []Value) Value) func([]Value) Value {
	return func(a []Value) Value {
		if a[0].kind != kindBag {
			return Value{}
		}
		return f(a[0].bag(), a)
	}
}

func bindPack(b *binder, n *call, args []expr) expr {
	if len(args)%2 != 0 {
		panic(semanticError(n.span, "SEM0219", "%s() takes pairs of a key and a value, and got %d arguments", n.fn.text, len(args)))
	}
	for i := 0; i < len(args); i += 2 {
		if t := args[i].typ(); t != String && t != Dynamic {
			panic(semanticError(n.args[i].pos(), "SEM0220", "a key of %s() must be a string, and this is a %s", n.fn.text, t))
		}
		args[i] = converted(args[i], String)
	}
	return fold(&applyExpr{t: Dynamic, args: args, rows: func(a []Value) Value {
		bag := newBag(len(a) / 2)
		for i := 0; i < len(a); i += 2 {
			bag.set(a[i].s, a[i+1])
		}
		return bagValue(bag)
	}})
}

func mergeBags(a []Value) Value {
	out := newBag(8)
	for _, v := range a {
		if v.kind != kindBag {
			continue
		}
		for i, k := range v.bag().keys {
			if out.find(k) < 0 {
				out.set(k, v.bag().vals[i])
			}
		}
	}
	return bagValue(out)
}

func removeKeys(_ *bag, a []Value) Value {
	if a[1].kind != kindArray {
		return Value{}
	}
	out := a[0]
	for _, k := range a[1].array() {
		if k.kind != String {
			continue
		}
		path, ok := jsonPath(k.s)
		if !ok {
			path = []pathStep{{key: k.s}}
		}
		out = withoutKey(out, path)
	}
	return out
}

// pathStep is a key of a bag or, with isIndex, a position in an array.
type pathStep struct {
	key     string
	index   int
	isIndex bool
}

// jsonPath reads $.a.b, $['a'] and $[0], the part of JSONPath that KQL has.
func jsonPath(text string) ([]pathStep, bool) {
	if text != "$" && !strings.HasPrefix(text, "$.") && !strings.HasPrefix(text, "$[") {
		return nil, false
	}
	var path []pathStep
	for rest := text[1:]; rest != ""; {
		if rest[0] == '.' {
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			if end == 0 && !strings.HasPrefix(rest, "[") || strings.ContainsAny(rest[:end], "*?") {
				return nil, false
			}
			if end > 0 {
				path = append(path, pathStep{key: rest[:end]})
			}
			rest = rest[end:]
			continue
		}
		if rest[0] != '[' || len(rest) < 3 {
			return nil, false
		}
		if q := rest[1]; q == '\'' || q == '"' {
			end := strings.Index(rest[2:], string(q)+"]")
			if end < 0 {
				return nil, false
			}
			path = append(path, pathStep{key: rest[2 : 2+end]})
			rest = rest[end+4:]
			continue
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			return nil, false
		}
		i, err := strconv.Atoi(rest[1:end])
		if err != nil || i < 0 {
			return nil, false
		}
		path = append(path, pathStep{index: i, isIndex: true})
		rest = rest[end+1:]
	}
	return path, true
}

// follow gives what a path leads to, and whether it is there.
func follow(v Value, path []pathStep) (Value, bool) {
	for _, s := range path {
		switch {
		case s.isIndex && v.kind == kindArray && s.index < len(v.array()):
			v = v.array()[s.index]
		case !s.isIndex && v.kind == kindBag && v.bag().find(s.key) >= 0:
			v, _ = v.bag().get(s.key)
		default:
			return Value{}, false
		}
	}
	return v, true
}

// withKey copies the bags along a path and sets its end. Positions in arrays
// make it null: the language has no setting of those.
func withKey(v Value, path []pathStep, to Value) Value {
	if len(path) == 0 || path[0].isIndex {
		return Value{}
	}
	out := newBag(4)
	var inner Value
	if v.kind == kindBag {
		for i, k := range v.bag().keys {
			out.set(k, v.bag().vals[i])
		}
		inner, _ = v.bag().get(path[0].key)
	}
	if len(path) > 1 {
		if to = withKey(inner, path[1:], to); to.IsNull() {
			return Value{}
		}
	}
	out.set(path[0].key, to)
	return bagValue(out)
}

// withoutKey copies what lies along a path and leaves its end out.
func withoutKey(v Value, path []pathStep) Value {
	if len(path) == 0 {
		return v
	}
	s := path[0]
	switch {
	case s.isIndex && v.kind == kindArray && s.index < len(v.array()) && len(path) > 1:
		items := slices.Clone(v.array())
		items[s.index] = withoutKey(items[s.index], path[1:])
		return arrayValue(items)
	case !s.isIndex && v.kind == kindBag && v.bag().find(s.key) >= 0:
		out := newBag(len(v.bag().keys))
		for i, k := range v.bag().keys {
			if k != s.key {
				out.set(k, v.bag().vals[i])
			} else if len(path) > 1 {
				out.set(k, withoutKey(v.bag().vals[i], path[1:]))
			}
		}
		return bagValue(out)
	}
	return v
}

// sortedKeys orders the keys of a value's bags, all the way down.
func sortedKeys(v Value) Value {
	switch v.kind {
	case kindArray:
		items := make([]Value, len(v.array()))
		for i, item := range v.array() {
			items[i] = sortedKeys(item)
		}
		return arrayValue(items)
	case kindBag:
		keys := slices.Sorted(slices.Values(v.bag().keys))
		out := newBag(len(keys))
		for _, k := range keys {
			item, _ := v.bag().get(k)
			out.set(k, sortedKeys(item))
		}
		return bagValue(out)
	}
	return v
}

// treePaths lists the paths below a value, each once.
func treePaths(v Value, path string, seen map[string]bool, add func(path string)) {
	step := func(to string, next Value) {
		if !seen[to] {
			seen[to] = true
			add(to)
		}
		treePaths(next, to, seen, add)
	}
	switch v.kind {
	case kindBag:
		for i, key := range v.bag().keys {
			step(path+"['"+key+"']", v.bag().vals[i])
		}
	case kindArray:
		for _, item := range v.array() {
			step(path+"[0]", item)
		}
	}
}
