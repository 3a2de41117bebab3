package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/kql"
	"pushback/detect/rule"
)

// ruleSet is what the setting PUSHBACK_RULES comes to.
type ruleSet struct {
	running, disabled []*rule.Rule
	problems          []rule.Problem
}

// readRules reads the rules at a path, or the shipped one if it is empty. Those
// that are wrong do not keep the others from running. Whether a query is one is
// left to the service, which knows more KQL than the local engine.
func readRules(path string) ruleSet {
	rules, problems := []*rule.Rule{rule.Default()}, []rule.Problem(nil)
	if path != "" {
		rules, problems = rule.Load(path)
	}
	set := ruleSet{problems: problems}
	for _, r := range rules {
		if r.Disabled {
			set.disabled = append(set.disabled, r)
		} else {
			set.running = append(set.running, r)
		}
	}
	return set
}

// err returns the problems that are no warnings, joined.
func (s ruleSet) err() error {
	var errs []error
	for _, p := range s.problems {
		if !p.Warning {
			errs = append(errs, p)
		}
	}
	return errors.Join(errs...)
}

// loadRules loads rules from a path, or the shipped one if it is empty. Any
// error in any of them is an error: to run the others would look like all is
// well. Warnings are returned beside the rules.
func loadRules(path string) ([]*rule.Rule, []string, error) {
	if path == "" {
		return []*rule.Rule{rule.Default()}, nil, nil
	}
	rules, problems := rule.Load(path)
	var errs, warnings []string
	for _, p := range problems {
		if p.Warning {
			warnings = append(warnings, p.String())
		} else {
			errs = append(errs, p.String())
		}
	}
	for _, r := range rules {
		_, err := kql.Check(r.Query.Text, kql.KnownTables())
		var e *kql.Error
		// These stand whatever tables and columns the logs have.
		if errors.As(err, &e) && (e.Kind == kql.SyntaxError || e.Kind == kql.UnsupportedError) {
			errs = append(errs, queryProblem(r, e))
		}
	}
	if len(errs) > 0 {
		return nil, nil, errors.New(strings.Join(append(errs, warnings...), "\n"))
	}
	return rules, warnings, nil
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// ruleTables lists the tables that the queries of rules read. Of a query that
// cannot be read here they are those that the rule declares, which may be spelt
// otherwise than the table is, and those of the known ones that it names.
func ruleTables(rules []*rule.Rule) []string {
	var names []string
	known := kql.KnownTables()
	for _, r := range rules {
		if tables, err := kql.Tables(r.Query.Text); err == nil && len(tables) > 0 {
			names = append(names, tables...)
			continue
		}
		for _, connector := range r.RequiredDataConnectors {
			names = append(names, connector.DataTypes...)
		}
		for word := range strings.FieldsFuncSeq(r.Query.Text, func(c rune) bool { return !plainName.MatchString("a" + string(c)) }) {
			if known[word] != nil {
				names = append(names, word)
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !plainName.MatchString(name) })
	slices.Sort(names)
	return slices.Compact(names)
}
