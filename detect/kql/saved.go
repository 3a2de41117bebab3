package kql

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Function is a function that is saved in a workspace, such as an ASIM parser.
type Function struct {
	// Names are what it is called by. The built-in form of a parser has a name of
	// its own, and the same text.
	Names []string
	// Parameters are its parameters as the service keeps them, such as
	// "starttime:datetime=datetime(null), T:(*)". A function without any is called
	// by its name alone, too.
	Parameters string
	// Body is the text of its query.
	Body string
	// Place says where a place in Body is, such as file:line:column. Lines and
	// columns are counted from 1; line 0 is the function itself.
	Place func(line, column int) string
}

// Functions are the saved functions of a workspace. They do not change: any
// number of queries may use them at once.
type Functions struct{ byName map[string]*Function }

// NewFunctions collects functions. Of several with the same name the first counts, and
// the second result says of which that are not the same.
func NewFunctions(list ...Function) (f *Functions, twins []string) {
	f = &Functions{byName: make(map[string]*Function)}
	for i := range list {
		for _, name := range list[i].Names {
			first := f.byName[name]
			if first == nil {
				f.byName[name] = &list[i]
				continue
			}
			if strings.Join(strings.Fields(first.Body), " ") != strings.Join(strings.Fields(list[i].Body), " ") {
				twins = append(twins, fmt.Sprintf("%s: the function %s is already at %s, which counts: give each a name of its own", list[i].Place(0, 0), name, first.Place(0, 0)))
			}
		}
	}
	return f, twins
}

// Names lists the functions' names, sorted. Nil has none.
func (f *Functions) Names() []string {
	if f == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(f.byName))
}

// savedFunction is a function as a binder has it, once it is asked for.
type savedFunction struct {
	*Function
	name   string
	text   string // of the lambda that the function is
	broken *problem
}

// savedHeader is what stands between the parameters and the body. So the body's
// first line is the second of the lambda.
const savedHeader = ") {\n"

// find returns what a name stands for: what the query defines, else a saved
// function, else nil.
func (b *binder) find(name string) *definition {
	if d := b.scope.find(name); d != nil {
		return d
	}
	if b.db.Functions == nil {
		return nil
	}
	if d := b.saved[name]; d != nil {
		return d
	}
	f := b.db.Functions.byName[name]
	if f == nil {
		return nil
	}
	if b.saved == nil {
		b.saved = make(map[string]*definition)
	}
	b.saved[name] = parseSaved(name, f)
	return b.saved[name]
}

// parseSaved reads a function. What is wrong with it is said where it is called.
func parseSaved(name string, f *Function) *definition {
	s := &savedFunction{Function: f, name: name, text: "(" + f.Parameters + savedHeader + f.Body + "\n}"}
	d := &definition{saved: s, scope: &scope{body: true}, fn: &lambda{body: &literal{}}}
	func() {
		defer func() {
			switch p := recover().(type) {
			case nil:
			case *problem:
				s.broken = p
			default:
				panic(p)
			}
		}()
		p := newParser(s.text)
		fn := p.lambda()
		if fn == nil || p.cur().kind != tokEnd {
			panic(p.unexpected("expected one query, with its parentheses and braces closed"))
		}
		d.fn = fn
	}()
	return d
}

// inSaved binds something of a function's text. A problem of it is one of the call,
// and says where in the function it is.
func (b *binder) inSaved(at span, s *savedFunction, bind func()) {
	if s == nil {
		bind()
		return
	}
	if slices.Contains(b.calls, s.Function) {
		panic(semanticError(at, "SEM0001", "the saved function %s calls itself: a function cannot", s.name))
	}
	b.calls = append(b.calls, s.Function)
	errs := b.errs
	b.errs = nil // those of the function are one of the call
	defer func() { b.calls, b.errs = b.calls[:len(b.calls)-1], errs }()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case *problem:
			panic(s.problem(at, p))
		case *unknownColumns:
			panic(&unknownColumns{at, p.what})
		default:
			panic(p)
		}
	}()
	if s.broken != nil {
		panic(s.broken)
	}
	bind()
}

// problem makes one of a function's text one of its call.
func (s *savedFunction) problem(at span, p *problem) *problem {
	place := s.Place(0, 0)
	if e := p.locate(s.text); e.Line > 1 {
		place = s.Place(e.Line-1, e.Column)
	}
	out := *p
	out.at = at
	out.msg = fmt.Sprintf("in the saved function %s, %s: %s", s.name, place, p.msg)
	return &out
}

// asimName is what the parsers of the Advanced Security Information Model are called.
var asimName = regexp.MustCompile(`^(_Im_|_ASim_|_ASIM_|ASim[A-Z]|im[A-Z]|vim[A-Z])\w*$`)

// supply says what a name that is not known may be, and how to supply it.
func supply(name string) string {
	if asimName.MatchString(name) {
		return fmt.Sprintf("'%s' is an ASIM parser, a function that is saved in the workspace: give its text by --functions DIR", name)
	}
	return ""
}

// mentioned lists what a query names as tables and calls, through the functions that
// it names.
func (f *Functions) mentioned(query string, seen map[*Function]bool) (tables []string, err error) {
	if tables, err = mentionsOf(query, f); err != nil || f == nil {
		return tables, err
	}
	tables = slices.DeleteFunc(tables, func(table string) bool { return f.byName[table] != nil })
	for _, t := range lex(query) {
		fn := f.byName[t.text]
		if fn == nil || t.kind != tokName && t.kind != tokQuoted || seen[fn] {
			continue
		}
		seen[fn] = true
		more, err := f.mentioned("let f = ("+fn.Parameters+savedHeader+fn.Body+"\n}; f", seen)
		if err == nil { // what is wrong with it is said where it is called
			tables = append(tables, more...)
		}
	}
	return tables, nil
}
