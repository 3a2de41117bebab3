package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"pushback/detect/rule"
)

// readLive reads the rules that are live, if there are any to compare with. What is
// wrong with them does not matter, but that there are none.
func (l *linter) readLive() error {
	if l.live == "" {
		return nil
	}
	if err := absentRules(l.live); err != nil {
		return err
	}
	rules, problems := rule.Choose(l.live)
	if l.liveRules = rules; len(rules) > 0 {
		return nil
	}
	for _, p := range problems {
		if !p.Warning {
			return fmt.Errorf("--live: %w", p)
		}
	}
	return usageError{fmt.Errorf("--live %s: there is no rule", l.live)}
}

// repeats says what is reported again once a rule takes the place of the live one: the
// one with its id, else the one of its name or its file's.
func (l *linter) repeats(r *rule.Rule) []rule.Problem {
	for _, is := range []func(live *rule.Rule) bool{
		func(live *rule.Rule) bool { return strings.EqualFold(live.ID, r.ID) },
		func(live *rule.Rule) bool { return live.Name != "" && strings.EqualFold(live.Name, r.Name) },
		func(live *rule.Rule) bool { return filepath.Base(live.File) == filepath.Base(r.File) },
	} {
		for _, live := range l.liveRules {
			if is(live) {
				return r.Repeats(live)
			}
		}
	}
	return nil
}
