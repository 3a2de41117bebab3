// Package coverage says which tactics and techniques of ATT&CK rules cover, and what of
// it is dimmed since the tables that the rules read are not known or have no records.
package coverage

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"pushback/detect/rule"
)

// Rule is a rule that covers something.
type Rule struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	File string `json:"file"`
	// Lacks says what is wrong with tables that the rule reads: they are not known, or
	// have no records. Dimmed is a rule that reads no other.
	Lacks  []string `json:"lacks,omitempty"`
	Dimmed bool     `json:"dimmed"`
}

// Technique is a technique or a sub-technique that rules name.
type Technique struct {
	ID string `json:"technique"`
	// Tactics are those that its rules name, in ATT&CK's order.
	Tactics []string `json:"tactics"`
	Rules   []Rule   `json:"rules"`
}

// Tactic is a tactic, with the techniques of the rules that name it.
type Tactic struct {
	Name       string   `json:"tactic"`
	Techniques []string `json:"techniques"`
	Rules      []Rule   `json:"rules"`
}

// Report is what rules cover.
type Report struct {
	// Tactics are all that ATT&CK's matrix for enterprises has, and of the others
	// those that rules name.
	Tactics    []Tactic
	Techniques []Technique // in the order of their ids
	// Unplaced are rules that name neither a tactic nor a technique.
	Unplaced []Rule
	// NoTechnique counts the rules that name a tactic alone: no layer shows them.
	NoTechnique int
}

// Of returns what rules cover. Lacks says what is wrong with tables that a rule reads,
// and whether it reads no other.
func Of(rules []*rule.Rule, lacks func(*rule.Rule) (why []string, dimmed bool)) Report {
	var report Report
	tactics := map[string]*Tactic{}
	techniques := map[string]*Technique{}
	for _, r := range rules {
		one := Rule{ID: r.ID, Name: r.Name, File: r.File}
		one.Lacks, one.Dimmed = lacks(r)
		for _, name := range unique(r.Tactics) {
			t := tactics[name]
			if t == nil {
				t = &Tactic{Name: name, Techniques: []string{}}
				tactics[name] = t
			}
			t.Rules = append(t.Rules, one)
			t.Techniques = append(t.Techniques, r.Techniques...)
		}
		for _, id := range unique(r.Techniques) {
			t := techniques[id]
			if t == nil {
				t = &Technique{ID: id, Tactics: []string{}}
				techniques[id] = t
			}
			t.Rules = append(t.Rules, one)
			t.Tactics = append(t.Tactics, r.Tactics...)
		}
		switch {
		case len(r.Techniques) > 0:
		case len(r.Tactics) > 0:
			report.NoTechnique++
		default:
			report.Unplaced = append(report.Unplaced, one)
		}
	}
	order := rule.Tactics()
	for _, name := range order {
		t := tactics[name]
		if t == nil && beyondEnterprise[name] {
			continue
		}
		if t == nil {
			t = &Tactic{Name: name, Techniques: []string{}, Rules: []Rule{}}
		}
		t.Techniques = unique(t.Techniques)
		slices.Sort(t.Techniques)
		sortRules(t.Rules)
		report.Tactics = append(report.Tactics, *t)
	}
	for _, id := range slices.Sorted(maps.Keys(techniques)) {
		t := techniques[id]
		t.Tactics = unique(t.Tactics)
		slices.SortStableFunc(t.Tactics, func(a, b string) int { return cmp.Compare(slices.Index(order, a), slices.Index(order, b)) })
		sortRules(t.Rules)
		report.Techniques = append(report.Techniques, *t)
	}
	return report
}

// beyondEnterprise are the tactics that the matrix for enterprises does not have.
var beyondEnterprise = map[string]bool{"PreAttack": true, "ImpairProcessControl": true, "InhibitResponseFunction": true}

// Seeing counts the rules that are not dimmed.
func Seeing(rules []Rule) int {
	n := 0
	for _, r := range rules {
		if !r.Dimmed {
			n++
		}
	}
	return n
}

// Lacks returns what is wrong with the tables of rules, if all of them are dimmed.
func Lacks(rules []Rule) []string {
	var why []string
	for _, r := range rules {
		if !r.Dimmed {
			return nil
		}
		why = append(why, r.Lacks...)
	}
	why = unique(why)
	slices.Sort(why)
	return why
}

func sortRules(rules []Rule) {
	slices.SortStableFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
}

// unique returns a list with each of its elements once, in their order.
func unique(list []string) []string {
	out := make([]string, 0, len(list))
	for _, one := range list {
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}
