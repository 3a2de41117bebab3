package kql

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	slashpath "path"
	"slices"
	"strings"
)

// ExternalFile is a file that externaldata reads.
type ExternalFile interface {
	io.Reader
	io.ReaderAt
	io.Closer
}

// MissingExternal is the error of a file that is not there. Its message says what to do.
type MissingExternal struct{ Message string }

func (e *MissingExternal) Error() string { return e.Message }

// ExternalName is what messages call a file: its address without what may be a secret,
// such as a token or a password.
func ExternalName(uri string) string {
	uri, _, _ = strings.Cut(uri, ";") // a key may follow
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return "an address that is none"
	}
	return u.Scheme + "://" + u.Host + u.EscapedPath()
}

// externalNode is externaldata (name:type, ...) [uri, ...] with (property = value, ...).
type externalNode struct {
	span
	schema     Schema
	uris       []node
	properties map[string]node
}

func parseExternal(p *parser) node {
	n := &externalNode{properties: make(map[string]node)}
	word := p.advance()
	at := word.span
	n.schema = p.declaredColumns(word.text)
	if t := p.cur(); t.kind == tokQuoted { // ["one"] looks like a quoted name
		p.advance()
		n.uris = []node{&literal{span: t.span, typ: String, val: stringValue(t.text)}}
	} else {
		p.expect("[", "before the addresses")
		for !p.cur().is("]") {
			n.uris = append(n.uris, p.expr())
			if !p.accept(",") {
				break
			}
		}
		p.expect("]", "after the addresses")
	}
	if p.acceptWord("with") {
		p.expect("(", "after with")
		for !p.cur().is(")") {
			property := p.name("of a property")
			p.expect("=", "after the property's name")
			key := strings.ToLower(property.text)
			if n.properties[key] != nil {
				panic(syntaxError(property.span, "%s is given twice", property.text))
			}
			n.properties[key] = p.optionValue()
			if !p.accept(",") {
				break
			}
		}
		p.expect(")", "after the properties")
	}
	n.span = at.to(p.last())
	return n
}

// bindSource finds the files. Where there are none to find, as in the service, the
// columns are all that is known.
func (n *externalNode) bindSource(b *binder) relation {
	e := &external{at: n.span, reading: externalReading{schema: n.schema}}
	for _, c := range n.schema {
		e.cols = append(e.cols, &column{c.Name, c.Type})
	}
	for _, uri := range n.uris {
		c, ok := b.expr(uri, nil).(*constExpr)
		if !ok || c.t != String {
			panic(semanticError(uri.pos(), "SEM0220", "an address of externaldata must be a string that does not depend on the row"))
		}
		e.files = append(e.files, externalPlace{c.val.s, uri.pos()})
	}
	n.bindProperties(b, &e.reading)
	if b.dry {
		b.externals = append(b.externals, e.uris()...)
		return e
	}
	if e.open = b.db.External; e.open == nil {
		e.open = func(uri string) (ExternalFile, error) {
			return nil, &MissingExternal{"externaldata reads " + ExternalName(uri) + ", and running a query fetches nothing: no folder of such files is given"}
		}
	}
	if b.trying > 0 {
		return e // it may never be read
	}
	for _, f := range e.files { // that all are there is known before anything is read
		file, err := e.open(f.uri)
		var missing *MissingExternal
		if errors.As(err, &missing) && b.fuzzy > 0 {
			b.warnings = append(b.warnings, "a fuzzy union goes without the records of an externaldata: "+err.Error())
			return &computed{e.cols, emptyRows(e.cols)}
		}
		if err != nil {
			panic(f.problem(err))
		}
		_ = file.Close() // it was only opened to read
	}
	return e
}

// problem is why a file can not be read.
func (f externalPlace) problem(err error) *problem {
	return semanticError(f.at, "SEM0139", "%s", err)
}

func emptyRows(cols []*column) *rows {
	r := &rows{cols: make([]*vector, len(cols))}
	for i, c := range cols {
		r.cols[i] = newVector(c.typ, 0)
	}
	return r
}

// externalFormats are the formats that are read, and what begins each record.
var externalFormats = map[string]rune{
	"csv": ',', "tsv": '\t', "psv": '|', "scsv": ';', "sohsv": '\x01', "tsve": '\t',
	"txt": 0, "raw": 0, "json": 0, "multijson": 0, "singlejson": 0,
}

func (n *externalNode) bindProperties(b *binder, r *externalReading) {
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for key := range n.properties {
			if !yield(key) {
				return
			}
		}
	}) {
		of := n.properties[key]
		text := ""
		var val Value
		if word, ok := of.(*name); ok {
			text = word.text
		} else if c, ok := b.expr(of, nil).(*constExpr); ok {
			text, val = c.val.String(), c.val
		} else {
			panic(semanticError(of.pos(), "SEM0220", "a property of externaldata must be a constant"))
		}
		switch key {
		case "format":
			r.format = strings.ToLower(text)
			if _, ok := externalFormats[r.format]; !ok {
				panic(unsupportedError(of.pos(), "the format '%s' of externaldata is not supported; csv, tsv, tsve, psv, scsv, sohsv, txt, raw, json, singlejson and multijson are", text))
			}
		case "ignorefirstrecord":
			r.skipFirst = val.isTrue() || strings.EqualFold(text, "true")
		case "ingestionmapping":
			m, err := externalMapping(text, r.schema)
			if err != nil {
				panic(semanticError(of.pos(), "SEM0220", "the ingestionMapping of externaldata %s", err))
			}
			r.mapping = m
		case "ingestionmappingreference":
			panic(unsupportedError(of.pos(), "ingestionMappingReference names a mapping that is in the service: write it as ingestionMapping"))
		}
	}
}

// formatOf is the format that a file's name says, csv where it says none.
func formatOf(uri string) string {
	uri, _, _ = strings.Cut(uri, ";")
	if u, err := url.Parse(uri); err == nil {
		uri = u.Path
	}
	name := strings.ToLower(slashpath.Base(uri))
	for _, packed := range []string{".gz", ".zip"} {
		name = strings.TrimSuffix(name, packed)
	}
	ext := strings.TrimPrefix(slashpath.Ext(name), ".")
	if _, ok := externalFormats[ext]; ok {
		return ext
	}
	return "csv"
}

// externalPlace is an address, and where the query has it.
type externalPlace struct {
	uri string
	at  span
}

// external gives the records of files.
type external struct {
	at      span
	cols    []*column
	files   []externalPlace
	reading externalReading
	open    func(uri string) (ExternalFile, error)
	need    []bool
}

func (e *external) uris() (list []string) {
	for _, f := range e.files {
		list = append(list, f.uri)
	}
	return list
}

func (e *external) columns() []*column { return e.cols }

func (e *external) prepare(need map[*column]bool) {
	e.need = make([]bool, len(e.cols))
	for i, c := range e.cols {
		e.need[i] = need[c]
	}
}

func (e *external) explain(*explainer) explained {
	names := make([]string, len(e.files))
	for i, f := range e.files {
		names[i] = ExternalName(f.uri)
	}
	return explained{text: "externaldata " + strings.Join(names, ", "), gives: chosen(e.cols, e.need)}
}

func (e *external) run(x *execution, emit func(*batch) error) error {
	held := memory{x: x}
	defer held.free()
	out := &externalRows{x: x, need: e.need, cols: e.cols, emit: emit, held: &held}
	out.start()
	for _, f := range e.files {
		r := e.reading
		if r.format == "" {
			r.format = formatOf(f.uri)
		}
		file, err := e.open(f.uri)
		if err != nil {
			return f.problem(err)
		}
		err = errors.Join(r.read(file, out), file.Close())
		var limit *LimitError
		switch {
		case err == nil:
		case errors.As(err, &limit) || x.stopped() != nil || errors.Is(err, errStopped) || out.failed != nil:
			return err
		default:
			return f.problem(fmt.Errorf("%s: %w", ExternalName(f.uri), err))
		}
	}
	return out.flush()
}

// externalRows gathers records, and emits them in batches.
type externalRows struct {
	x      *execution
	need   []bool
	cols   []*column
	emit   func(*batch) error
	held   *memory
	b      *batch
	size   int64
	failed error // of what takes the batches
}

func (o *externalRows) start() {
	o.b = &batch{cols: make([]*vector, len(o.cols))}
	for i, c := range o.cols {
		if o.need[i] {
			o.b.cols[i] = newVector(c.typ, 0)
		}
	}
	o.size = 0
}

// add takes a record: what it has for each column.
func (o *externalRows) add(of func(column int) Value) error {
	for i, v := range o.b.cols {
		if v != nil {
			val := of(i)
			v.appendValue(val)
			o.size += checkSize(val)
		}
	}
	o.b.n++
	if o.b.n%rowsBetweenLooks == 0 {
		if err := o.x.stopped(); err != nil {
			return err
		}
		if err := o.held.set(o.size); err != nil {
			return err
		}
	}
	if o.b.n < chunkRows && o.size < fullBatch {
		return nil
	}
	return o.flush()
}

func (o *externalRows) flush() error {
	if o.b.n == 0 {
		return nil
	}
	full := o.b
	if err := o.x.makes(full.n); err != nil {
		return err
	}
	o.start()
	if err := o.emit(full); err != nil {
		o.failed = err
		return err
	}
	return o.held.set(0)
}
