package silence

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"pushback/detect/alert"
)

// Rule is a rule by the names that silences may call it.
type Rule struct {
	ID   string
	Name string
	// Shipped is the name of a rule that Pushback ships with, else empty.
	Shipped string
	// Runs says that it is one of those that run.
	Runs bool
}

// isCalled reports whether a name is one of the rule.
func (r Rule) isCalled(name string) bool {
	name = fold(name)
	return name != "" && (name == fold(r.ID) || name == fold(r.Name) || name == fold(r.Shipped))
}

// Set is silences that are ready to be asked. It is safe for concurrent use, and may
// be nil, which is none.
type Set struct {
	all []*compiled // in their order
	// byValue are the silences one of whose matchers is of whole values alone, by
	// these; the others are loose.
	byValue map[valueKey][]int
	loose   []int
}

// valueKey is a canonical value of an identifier, or of a detail.
type valueKey struct{ name, value string }

// compiled is a silence with its matchers as they are compared.
type compiled struct {
	*Silence
	rules    map[string]bool // by id and name, in lower case; nil for all
	tests    []matcherTest
	findings []alert.FindingKind
}

type matcherTest struct {
	name               string // of the identifier or the detail: see nameOf
	entity, identifier string // in lower case; empty of a detail
	test               test
}

// nameOf is how an identifier, or a detail, is called in a [valueKey].
func nameOf(entity, identifier string) string { return entity + " " + identifier }

const aDetail = "detail" // which no entity is called

// New returns silences that are ready to be asked, about rules that are known by their
// names. A silence that would hold back all of every rule, or has no matcher, must not
// be in it: see [Check].
func New(list []Silence, rules []Rule) *Set {
	s := &Set{byValue: map[valueKey][]int{}}
	for i := range list {
		c := &compiled{Silence: &list[i]}
		if !c.ofAll() {
			c.rules = map[string]bool{}
			for _, name := range c.Rules {
				c.rules[fold(name)] = true
				for _, r := range rules {
					if r.isCalled(name) {
						c.rules[fold(r.ID)] = true
					}
				}
			}
		}
		exact := -1
		for _, m := range c.Match {
			if m.Finding != "" {
				c.findings = append(c.findings, m.Finding)
				continue
			}
			t := matcherTest{entity: fold(m.Entity), identifier: fold(m.Identifier), test: newTest(m)}
			if t.name = nameOf(t.entity, t.identifier); m.Detail != "" {
				t.name = nameOf(aDetail, fold(m.Detail))
			}
			if exact < 0 && t.test.isExact() {
				exact = len(c.tests)
			}
			c.tests = append(c.tests, t)
		}
		s.all = append(s.all, c)
		if exact < 0 {
			s.loose = append(s.loose, i)
			continue
		}
		t := c.tests[exact]
		for value := range t.test.exactly {
			key := valueKey{t.name, value}
			s.byValue[key] = append(s.byValue[key], i)
		}
	}
	return s
}

func fold(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// With returns the silences of both sets, the first's first.
func (s *Set) With(other *Set) *Set {
	switch {
	case s.Len() == 0:
		return other
	case other.Len() == 0:
		return s
	}
	n := len(s.all)
	both := &Set{all: slices.Concat(s.all, other.all), byValue: make(map[valueKey][]int, len(s.byValue)+len(other.byValue)), loose: slices.Clone(s.loose)}
	for key, list := range s.byValue {
		both.byValue[key] = slices.Clip(list)
	}
	for key, list := range other.byValue {
		for _, i := range list {
			both.byValue[key] = append(both.byValue[key], n+i)
		}
	}
	for _, i := range other.loose {
		both.loose = append(both.loose, n+i)
	}
	return both
}

// Len returns how many silences there are.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.all)
}

// All returns the silences in their order.
func (s *Set) All() []*Silence {
	list := make([]*Silence, s.Len())
	for i := range list {
		list[i] = s.all[i].Silence
	}
	return list
}

// Find returns the silence of an id, or nil.
func (s *Set) Find(id string) *Silence {
	if s != nil {
		for _, c := range s.all {
			if strings.EqualFold(c.ID, id) {
				return c.Silence
			}
		}
	}
	return nil
}

// About returns the silences that may be about a rule, or nil if none is.
func (s *Set) About(ruleID, ruleName string) *Set {
	if s.Len() == 0 {
		return nil
	}
	id, name := fold(ruleID), fold(ruleName)
	if !slices.ContainsFunc(s.all, func(c *compiled) bool { return c.isOf(id, name) }) {
		return nil
	}
	return s
}

func (c *compiled) isOf(id, name string) bool { return c.rules == nil || c.rules[id] || c.rules[name] }

// Row is what one row of an alert names.
type Row struct {
	// Groups are entities of one mapping each: who did it is one, to whom another.
	Groups []Group
	// Details are the custom details.
	Details []alert.Detail
}

// Group is the entities that one mapping finds in a row.
type Group []alert.Entity

// RowOf returns what is known of an alert's rows where they are not there: all its
// entities of one type as if one mapping found them in one row.
func RowOf(a alert.Alert) Row {
	r := Row{Details: a.CustomDetails}
	index := map[string]int{}
	for _, e := range a.Entities {
		i, ok := index[e.Type]
		if !ok {
			i = len(r.Groups)
			index[e.Type], r.Groups = i, append(r.Groups, nil)
		}
		r.Groups[i] = append(r.Groups[i], e)
	}
	return r
}

// row is a Row in canonical form.
type row struct {
	// values are those of each identifier, and of each detail, by the group.
	values map[string][][]string
}

// canonicalRow returns what a row names, in canonical form. An entity that lacks an
// identifier which others of its group have has an empty one.
func canonicalRow(r Row) row {
	c := row{values: map[string][][]string{}}
	for _, g := range r.Groups {
		values := map[string][]string{}
		for i, e := range g {
			set := func(identifier, value string) {
				name := nameOf(fold(e.Type), fold(identifier))
				for len(values[name]) < i {
					values[name] = append(values[name], "")
				}
				if len(values[name]) == i {
					values[name] = append(values[name], Canonical(value))
				}
			}
			for _, f := range e.Fields {
				set(f.Identifier, f.Value)
			}
			if _, full := e.Account(); full != "" { // also of its name and its suffix
				set("FullName", full)
			}
		}
		for name, list := range values {
			for len(list) < len(g) {
				list = append(list, "")
			}
			c.values[name] = append(c.values[name], list)
		}
	}
	for _, d := range r.Details {
		list := make([]string, len(d.Values))
		for i, v := range d.Values {
			list[i] = Canonical(v)
		}
		name := nameOf(aDetail, fold(d.Name))
		c.values[name] = append(c.values[name], list)
	}
	return c
}

// holds reports whether a matcher holds for a row. All values of a group must pass: a
// spray is not about one of the accounts that it tried. Of several groups one is
// enough, such as who did it or to whom; but all addresses must pass, so that nobody
// elsewhere hides behind one.
func (t *matcherTest) holds(r row) bool {
	groups := r.values[t.name]
	passes := func(group []string) bool {
		return len(group) > 0 && !slices.ContainsFunc(group, func(v string) bool { return v == "" || !t.test.matches(v) })
	}
	if t.entity == "ip" {
		return len(groups) > 0 && !slices.ContainsFunc(groups, func(g []string) bool { return !passes(g) })
	}
	return slices.ContainsFunc(groups, passes)
}

// Covering are silences that cover every row of an alert, as far as rows say. What the
// alert's context says is not decided.
type Covering []*compiled

// Covering returns the silences that cover all of a rule's activities: each all their
// spans and all their rows. It takes no more rows than it has to.
func (s *Set) Covering(ruleID, ruleName string, spans []alert.Span, rows iter.Seq[Row]) (list Covering) {
	if s.Len() == 0 || len(spans) == 0 {
		return nil
	}
	id, name := fold(ruleID), fold(ruleName)
	first := true
	for r := range rows {
		next := canonicalRow(r)
		if first {
			first = false
			for _, i := range s.candidates(next) {
				if c := s.all[i]; c.isOf(id, name) && c.overAll(spans) && c.covers(next) {
					list = append(list, c)
				}
			}
		} else {
			list = slices.DeleteFunc(list, func(c *compiled) bool { return !c.covers(next) })
		}
		if len(list) == 0 {
			return nil
		}
	}
	return list
}

// candidates returns the indexes, in order, of the silences that may cover a row.
func (s *Set) candidates(r row) []int {
	list := slices.Clone(s.loose)
	for name, groups := range r.values {
		for _, g := range groups {
			for _, v := range g {
				list = append(list, s.byValue[valueKey{name, v}]...)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (c *compiled) overAll(spans []alert.Span) bool {
	return !slices.ContainsFunc(spans, func(s alert.Span) bool { return !c.Over(s) })
}

func (c *compiled) covers(r row) bool {
	return !slices.ContainsFunc(c.tests, func(t matcherTest) bool { return !t.holds(r) })
}

// ByID returns the silence of an id as one that covers an alert, whatever it is about.
func (s *Set) ByID(id string) Covering {
	if s != nil {
		for _, c := range s.all {
			if c.ID == id {
				return Covering{c}
			}
		}
	}
	return nil
}

// Decide returns the silence that holds an alert back, given those that cover its rows,
// or nil and why each of these does not. The alert has its context and its severity;
// failed says that it could not be given any.
func (list Covering) Decide(a alert.Alert, failed bool) (by *Silence, whyNot []string) {
	for _, c := range list {
		if slices.ContainsFunc(c.findings, func(kind alert.FindingKind) bool { return !a.Context.Has(kind) }) {
			continue
		}
		if why := c.mayNot(a, failed); why != "" {
			whyNot = append(whyNot, why)
			continue
		}
		return c.Silence, nil
	}
	return nil, whyNot
}

// mayNot returns why the silence does not hold back an alert that it covers, or
// nothing.
func (s *Silence) mayNot(a alert.Alert, failed bool) string {
	but := fmt.Sprintf("not held back by silence %s (up to %s)", s.ID, s.MaxSeverity)
	switch {
	case a.Severity > s.MaxSeverity:
		return fmt.Sprintf("This alert is %s, and %s.", a.Severity, but)
	case a.Compromised():
		return fmt.Sprintf("This alert is %s: somebody may have got in.", but)
	case failed, a.Context != nil && a.Context.Failed:
		return fmt.Sprintf("This alert is %s: not all of its context could be looked up.", but)
	case a.Storm != nil:
		return fmt.Sprintf("This alert is %s: it stands for very many.", but)
	}
	return ""
}
