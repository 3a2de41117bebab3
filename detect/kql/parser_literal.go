package kql

import (
	"strconv"
	"strings"
)

func isBoolLiteral(text string) bool {
	switch text {
	case "true", "True", "TRUE", "false", "False", "FALSE":
		return true
	}
	return false
}

// literalValue reads a number, a timespan or long(...) and its like.
func literalValue(t token) (Type, Value) {
	switch t.kind {
	case tokTimeSpan:
		ticks, ok := parseTimeSpan(t.text)
		if !ok {
			panic(syntaxError(t.span, "the timespan %s is out of range", t.text))
		}
		return TimeSpan, timespanValue(ticks)
	case tokNumber:
		if strings.ContainsAny(t.text, ".eE") && !strings.HasPrefix(strings.ToLower(t.text), "0x") {
			f, err := strconv.ParseFloat(t.text, 64)
			if err != nil {
				panic(syntaxError(t.span, "the number %s is out of range", t.text))
			}
			return Real, realValue(f)
		}
		return Long, integerLiteral(t.span, t.text)
	}
	typ := typedLiterals[t.name]
	if t.text == "null" || t.text == "" {
		return typ, Value{}
	}
	text := strings.Trim(t.text, `"'`)
	var val Value
	switch typ {
	case Bool, DateTime, GUID, Real:
		val = convert(stringValue(text), typ)
		if special, ok := realLiterals[strings.ToLower(text)]; ok && typ == Real {
			val = special
		}
	case Int, Long:
		n := integerLiteral(t.span, t.text)
		if typ == Long || n.n == int64(int32(n.n)) {
			val = Value{kind: typ, n: n.n}
		}
	case TimeSpan:
		val = convert(stringValue(text), typ)
	case Decimal:
		if d, _, err := decimalContext.NewFromString(text); err == nil {
			val = decimalValue(d)
		}
	}
	if val.IsNull() {
		panic(syntaxError(t.span, "%q is not a %s", t.text, typ))
	}
	return typ, val
}

var realLiterals = map[string]Value{
	"nan": realValue(nan), "+inf": realValue(inf), "inf": realValue(inf), "-inf": realValue(-inf),
}

func integerLiteral(at span, text string) Value {
	if hex, ok := cutHexPrefix(text); ok {
		if n, err := strconv.ParseUint(hex, 16, 64); err == nil {
			return longValue(int64(n))
		}
	} else if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return longValue(n)
	}
	panic(syntaxError(at, "%q is not an integer of 64 bits", text))
}

// dynamicLiteral reads dynamic(...): JSON whose scalars may also be KQL
// literals such as datetime(...).
func (p *parser) dynamicLiteral() node {
	start := p.advance().span
	p.advance()
	val := p.dynamicValue()
	return &literal{span: start.to(p.expect(")", "after the dynamic literal")), typ: Dynamic, val: val}
}

// dynamicValue reads the JSON of dynamic(...), which may hold literals of KQL too.
func (p *parser) dynamicValue() Value {
	p.enter()
	defer p.leave()
	t := p.advance()
	switch {
	case t.kind == tokString:
		text := t.text
		for p.cur().kind == tokString { // "a" "b" is "ab"
			text += p.advance().text
		}
		return stringValue(text)
	case t.kind == tokNumber || t.kind == tokTimeSpan || t.kind == tokTyped:
		_, val := literalValue(t)
		return val
	case t.kind == tokName && isBoolLiteral(t.text):
		return boolValue(t.text[0]|0x20 == 't')
	case t.word("null"):
		return Value{}
	case t.word("dynamic") && p.cur().is("("):
		p.advance()
		val := p.dynamicValue()
		p.expect(")", "after the dynamic literal")
		return val
	case t.is("-") && p.cur().kind == tokNumber:
		number := p.advance()
		if n, err := strconv.ParseInt("-"+number.text, 10, 64); err == nil {
			return longValue(n) // the least of them has no counterpart to be negated
		}
		_, val := literalValue(number)
		return negated(val)
	case t.kind == tokQuoted: // an array of one string looks like a quoted name
		return arrayValue([]Value{stringValue(t.text)})
	case t.is("["):
		items := []Value{}
		for !p.cur().is("]") || len(items) > 0 {
			items = append(items, p.dynamicValue())
			if !p.accept(",") {
				break
			}
		}
		p.expect("]", "after the array")
		return arrayValue(items)
	case t.is("{"):
		b := newBag(4)
		for !p.cur().is("}") || len(b.keys) > 0 {
			key := p.cur()
			if key.kind != tokString {
				panic(p.unexpected("expected a key in quotes"))
			}
			p.advance()
			p.expect(":", "after the key")
			b.set(key.text, p.dynamicValue())
			if !p.accept(",") {
				break
			}
		}
		p.expect("}", "after the property bag")
		return bagValue(b)
	}
	p.at--
	panic(p.unexpected("expected a JSON value"))
}
