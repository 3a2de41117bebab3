package alert

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Erased stands where something that was known of a person was.
const Erased = "[erased]"

// Person is somebody by all names that they are known under: a user principal name,
// an id, a SID. Names are compared without case, as whole words.
type Person struct {
	names   []string
	pattern *regexp.Regexp
}

// longestName is how long the name of a person may be, in bytes.
const longestName = 500

// NewPerson returns the person of some names. Those that are empty or very long are
// none.
func NewPerson(names ...string) *Person {
	p := &Person{}
	for _, name := range names {
		// No name is longer, and what is might make a pattern too large.
		if name = strings.TrimSpace(strings.ToValidUTF8(name, "")); name != "" && len(name) <= longestName && !p.is(name) {
			p.names = append(p.names, name)
		}
	}
	quoted := make([]string, len(p.names))
	for i, name := range p.names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	slices.SortStableFunc(quoted, func(a, b string) int { return len(b) - len(a) }) // the longest that matches
	p.pattern = regexp.MustCompile("(?i)" + strings.Join(quoted, "|"))
	return p
}

// Names returns the names.
func (p *Person) Names() []string { return p.names }

// is reports whether a value is one of the names.
func (p *Person) is(value string) bool {
	return value != "" && slices.ContainsFunc(p.names, func(name string) bool { return strings.EqualFold(name, strings.TrimSpace(value)) })
}

// places returns where a text has a name, as a word of its own: what is longer is
// somebody else's.
func (p *Person) places(text string) (found [][]int) {
	inName := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_", r) }
	if len(p.names) == 0 {
		return nil
	}
	for from := 0; from < len(text); {
		at := p.pattern.FindStringIndex(text[from:])
		if at == nil {
			return found
		}
		start, end := from+at[0], from+at[1]
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, size := utf8.DecodeRuneInString(text[end:])
		if after == '.' { // that of a sentence ends a name
			after, _ = utf8.DecodeRuneInString(text[end+size:])
		}
		if (start == 0 || !inName(before) && !strings.ContainsRune(".+%", before)) && (end == len(text) || !inName(after)) {
			found = append(found, []int{start, end})
			from = end
			continue
		}
		_, size = utf8.DecodeRuneInString(text[start:])
		from = start + size
	}
	return found
}

// Named reports whether a text names the person.
func (p *Person) Named(text string) bool { return len(p.places(text)) > 0 }

// Redact returns a text with [Erased] in the place of the person's names.
func (p *Person) Redact(text string) string {
	places := p.places(text)
	if places == nil {
		return text
	}
	var b strings.Builder
	last := 0
	for _, at := range places {
		b.WriteString(text[last:at[0]] + Erased)
		last = at[1]
	}
	return b.String() + text[last:]
}

// RedactJSON is Redact for all texts in a value of JSON, the names of members among
// them. What is not JSON is redacted as a text.
func (p *Person) RedactJSON(value []byte) []byte {
	if !p.NamedJSON(value) {
		return value
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil || decoder.More() {
		return []byte(p.Redact(string(value)))
	}
	out, err := json.Marshal(p.redactTree(tree))
	if err != nil {
		return []byte(`"` + Erased + `"`)
	}
	return out
}

// NamedJSON is Named for all texts in a value of JSON.
func (p *Person) NamedJSON(value []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return p.Named(string(value))
	}
	return p.namedTree(tree)
}

func (p *Person) namedTree(tree any) bool {
	switch v := tree.(type) {
	case string:
		return p.Named(v)
	case json.Number:
		return p.is(v.String())
	case []any:
		return slices.ContainsFunc(v, p.namedTree)
	case map[string]any:
		for name, member := range v {
			if p.Named(name) || p.namedTree(member) {
				return true
			}
		}
	}
	return false
}

func (p *Person) redactTree(tree any) any {
	switch v := tree.(type) {
	case string:
		return p.Redact(v)
	case json.Number:
		if p.is(v.String()) {
			return Erased
		}
	case []any:
		for i := range v {
			v[i] = p.redactTree(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[p.Redact(name)] = p.redactTree(member)
		}
		return out
	}
	return tree
}

// kept are the fields of an alert that are Pushback's or the rule's own, and stay.
var kept = []string{"ID", "RuleID", "RuleName", "RuleVersion", "Tactics", "Techniques", "Guidance", "Address", "Mentions", "IncidentURL", "IncidentNumber", "Identity", "Identifier", "Type", "Column", "Silence"}

// eachText calls with for each text of a value that may come from a log, and sets it
// to what that returns. Values are copied before they are set, so that what they are
// shared with stays.
func eachText(v reflect.Value, with func(string) string, raw func(json.RawMessage) json.RawMessage) {
	switch {
	case v.Type() == reflect.TypeFor[string]():
		v.SetString(with(v.String()))
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes(raw(v.Bytes()))
	case v.Kind() == reflect.Pointer && !v.IsNil():
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(v.Elem())
		v.Set(copied)
		eachText(v.Elem(), with, raw)
	case v.Kind() == reflect.Slice && !v.IsNil():
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(copied, v)
		v.Set(copied)
		for i := range v.Len() {
			eachText(v.Index(i), with, raw)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !slices.Contains(kept, f.Name) {
				eachText(v.Field(i), with, raw)
			}
		}
	}
}

// In reports whether an alert says something of the person.
func (p *Person) In(a Alert) (in bool) {
	eachText(reflect.ValueOf(&a).Elem(), func(text string) string {
		in = in || p.Named(text)
		return text
	}, func(raw json.RawMessage) json.RawMessage {
		in = in || p.NamedJSON(raw)
		return raw
	})
	return in || slices.ContainsFunc(a.CardButtons(), p.leadsTo)
}

// accountNames are the identifiers of an account that are nobody else's.
var accountNames = []string{"FullName", "AadUserId", "Sid", "ObjectGuid", "PUID", "Upn", "MailboxPrimaryAddress", "ExternalDirectoryObjectId"}

// NamesOf returns what is known of who an entity is, or nothing if it is nobody.
func NamesOf(e Entity) (names []string) {
	if e.Type != "Account" && e.Type != "Mailbox" {
		return nil
	}
	for _, f := range e.Fields {
		if value := strings.TrimSpace(f.Value); value != "" && slices.Contains(accountNames, f.Identifier) {
			names = append(names, value)
		}
	}
	if _, name := e.Account(); name != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
		names = append(names, name)
	}
	return names
}

// isAbout reports whether an entity is the person.
func (p *Person) isAbout(e Entity) bool { return slices.ContainsFunc(NamesOf(e), p.is) }

// Others returns more names of the person that an alert knows, which are long enough
// to be nobody else's.
func (p *Person) Others(a Alert) (names []string) {
	const least = 8
	for _, e := range a.Entities {
		if !p.isAbout(e) {
			continue
		}
		for _, name := range NamesOf(e) {
			if !p.is(name) && len(name) >= least {
				names = append(names, name)
			}
		}
	}
	return names
}

// Erase returns an alert without what it says of the person. Where it is about no
// other account, nothing is left of what was logged. Its id, its rule, its times and
// its fingerprints stay, so that nothing is reported again.
func (p *Person) Erase(a Alert) Alert {
	about, others := false, false
	for _, e := range a.Entities {
		switch {
		case p.isAbout(e):
			about = true
		case len(NamesOf(e)) > 0:
			others = true
		}
	}
	if about && !others {
		return p.eraseAll(a)
	}
	a.Entities = slices.DeleteFunc(slices.Clone(a.Entities), p.isAbout)
	a.Rows = slices.DeleteFunc(slices.Clone(a.Rows), func(r Row) bool {
		return slices.ContainsFunc(r, func(c Cell) bool { return p.NamedJSON(c.Value) })
	})
	if c := a.Context; c != nil {
		rest := *c
		rest.Sections = slices.DeleteFunc(slices.Clone(c.Sections), func(s Section) bool { return p.Named(s.Subject) })
		rest.Timeline = slices.DeleteFunc(slices.Clone(c.Timeline), func(m Moment) bool { return p.Named(m.Text) })
		rest.Usual = slices.DeleteFunc(slices.Clone(c.Usual), func(u Usual) bool { return p.Named(u.Account) })
		a.Context = &rest
	}
	a.Card = p.eraseButtons(a.Card)
	eachText(reflect.ValueOf(&a).Elem(), p.Redact, func(raw json.RawMessage) json.RawMessage { return p.RedactJSON(raw) })
	return a
}

// eraseAll leaves nothing of what was logged.
func (p *Person) eraseAll(a Alert) Alert {
	a.Title, a.Description = Erased, ""
	a.Entities, a.CustomDetails, a.Properties, a.Rows = nil, nil, nil, nil
	a.Notes = []string{"What was known of the person was erased."}
	if steps := a.FirstSteps(); a.Card != nil {
		a.Card = &Card{Guidance: steps}
	}
	if c := a.Context; c != nil {
		rest := &Context{RuleSeverity: c.RuleSeverity}
		for _, f := range c.Findings {
			f.Text, f.Brief, f.Reason, f.Address = Erased, "", "", ""
			rest.Findings = append(rest.Findings, f)
		}
		for _, s := range c.Steps {
			s.Text = Erased
			rest.Steps = append(rest.Steps, s)
		}
		a.Context = rest
	}
	if a.Updates != nil {
		of := *a.Updates
		of.Title = Erased
		a.Updates = &of
	}
	if a.HeldBack != nil {
		held := *a.HeldBack
		held.Reason = p.Redact(held.Reason)
		a.HeldBack = &held
	}
	return a
}
