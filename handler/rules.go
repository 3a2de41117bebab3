package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pushback/detect/kql"
	"pushback/detect/rule"
)

// ruleSet is what the setting PUSHBACK_RULES comes to.
type ruleSet struct {
	rules    []*rule.Rule // those that are valid
	problems []rule.Problem
}

// readRules reads the rules that a text names, or those that ship if it is empty:
// see [rule.Choose]. Those that are wrong do not keep the others from running.
// Whether a query is one is left to the service, which knows more KQL than the
// local engine.
func readRules(names string) ruleSet {
	rules, problems := rule.Choose(names)
	return ruleSet{rules, problems}
}

// allRead reports whether no rule is wrong.
func (s ruleSet) allRead() bool { return len(s.warnings()) == len(s.problems) }

// warnings returns the problems that keep no rule from running.
func (s ruleSet) warnings() []string {
	var warnings []string
	for _, p := range s.problems {
		if p.Warning {
			warnings = append(warnings, p.String())
		}
	}
	return warnings
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

// divide returns the rules that run and those that are disabled.
func divide(rules []*rule.Rule) (running, disabled []*rule.Rule) {
	for _, r := range rules {
		if r.Disabled {
			disabled = append(disabled, r)
		} else {
			running = append(running, r)
		}
	}
	return running, disabled
}

// loadedRules are rules that can run, and what is wrong with the others.
type loadedRules struct {
	rules    []*rule.Rule
	warnings []string
	broken   []string // errors, each with its file, line and column
}

// loadRules reads rules as [readRules] does and checks their queries. A rule that is
// wrong does not keep the others from running, unless it is to be strict or none is
// right.
func loadRules(names string, strict bool) (loadedRules, error) {
	set := readRules(names)
	loaded := loadedRules{warnings: set.warnings(), broken: failures(set.err())}
	for _, r := range set.rules {
		_, invalid := kql.Check(r.Query.Text, kql.KnownTables())
		// These stand whatever tables and columns the logs have.
		if e, ok := errors.AsType[*kql.Error](invalid); ok && (e.Kind == kql.SyntaxError || e.Kind == kql.UnsupportedError) {
			loaded.broken = append(loaded.broken, queryProblem(r, e))
			continue
		}
		loaded.rules = append(loaded.rules, r)
	}
	if len(loaded.broken) > 0 && (strict || len(loaded.rules) == 0) {
		return loadedRules{}, errors.New(strings.Join(append(loaded.broken, loaded.warnings...), "\n"))
	}
	return loaded, nil
}

// strictFlag is the flag of commands that run the rules that are right.
func strictFlag(cmd *cobra.Command, strict *bool) {
	cmd.Flags().BoolVar(strict, "strict", false, "stop at once where a file is wrong (default: run what is right, report the rest at the end and exit 1)")
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
