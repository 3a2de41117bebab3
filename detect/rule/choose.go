package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Choose reads the rules that a text names: names of shipped rules and paths as
// of [Load], with commas between them; nothing names all that ship. A name of a
// shipped rule stands for that rule, whatever the working directory has: a file or
// folder called like it is named as ./NAME. A text that is a path as a whole is one
// path, commas and all. Problems are reported as by Load, and an id that two rules
// share is one. A rule that is named twice is read once, and a warning.
func Choose(text string) ([]*Rule, []Problem) {
	if strings.TrimSpace(text) == "" {
		return Shipped(), nil
	}
	var rules []*Rule
	var problems []Problem
	byID, from := map[string]*Rule{}, map[*Rule]string{}
	for _, item := range chosen(text) {
		found, wrong := choose(item)
		for _, p := range wrong {
			if !slices.Contains(problems, p) { // of a file that is named twice
				problems = append(problems, p)
			}
		}
		var again []*Rule
		for _, r := range found {
			from[r] = originOf(item, r)
			switch first := byID[strings.ToLower(r.ID)]; {
			case first == nil:
				byID[strings.ToLower(r.ID)] = r
				rules = append(rules, r)
			case from[first] == from[r]:
				again = append(again, r)
			default:
				problems = append(problems, r.sameID(first))
			}
		}
		if len(again) > 0 {
			problems = append(problems, namedTwice(item, again))
		}
	}
	problems = append(problems, checkStories(rules)...)
	sortProblems(problems)
	return rules, problems
}

// originOf says where a rule is from that an item names: what two items name is one rule
// if it is the same.
func originOf(item string, r *Rule) string {
	if slices.Contains(shippedNames, item) {
		return item
	}
	path, err := filepath.EvalSymlinks(r.File)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		path = r.File
	}
	at := r.at["id"] // a file can have several
	return fmt.Sprintf("%s:%d:%d", path, at.line, at.column)
}

// namedTwice is the warning that an item names rules which were named before it.
func namedTwice(item string, again []*Rule) Problem {
	p := Problem{File: item, Warning: true, Message: fmt.Sprintf("the rule %q is named twice: it runs once", again[0].Name)}
	if n := len(again); n > 1 {
		p.Message = fmt.Sprintf("%d of its rules are named twice: each runs once", n)
	}
	return p
}

// Absent returns the items of what a text names, as [Choose] reads it, that are neither
// there nor the names of shipped rules.
func Absent(text string) (items []string) {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	for _, item := range chosen(text) {
		if _, err := os.Stat(item); item != "" && !slices.Contains(shippedNames, item) && errors.Is(err, fs.ErrNotExist) {
			items = append(items, item)
		}
	}
	return items
}

// checkStories warns of rules that share a story and group by different things:
// what they find of one attack is in several incidents.
func checkStories(rules []*Rule) (problems []Problem) {
	first := map[string]*Rule{}
	for _, r := range rules {
		other := first[r.Story]
		if r.Story == "" || other == nil {
			first[r.Story] = r
			continue
		}
		a, b := r.Incident.Grouping, other.Incident.Grouping
		if a.Enabled == b.Enabled && a.MatchingMethod == b.MatchingMethod && slices.Equal(a.GroupByEntities, b.GroupByEntities) &&
			slices.Equal(a.GroupByAlertDetails, b.GroupByAlertDetails) && slices.Equal(a.GroupByCustomDetails, b.GroupByCustomDetails) {
			continue
		}
		at := r.at["story"]
		problems = append(problems, Problem{File: r.File, Line: at.line, Column: at.column, Warning: true,
			Message: fmt.Sprintf("the story %s is also that of %q in %s, which groups incidents by something else: give both the same groupingConfiguration, or what they find of one attack is in several incidents", r.Story, other.Name, other.File)})
	}
	return problems
}

// chosen splits what a text names.
func chosen(text string) []string {
	text = strings.TrimSpace(text)
	if _, err := os.Stat(text); err == nil && !slices.Contains(shippedNames, text) {
		return []string{text}
	}
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		items = append(items, strings.TrimSpace(item))
	}
	return items
}

// choose reads what one item names.
func choose(item string) ([]*Rule, []Problem) {
	if item == "" {
		return nil, []Problem{{Message: "there is nothing between two commas, or before or behind one: name a shipped rule, " + orList(shippedNames) + ", or a path"}}
	}
	if slices.Contains(shippedNames, item) {
		var problems []Problem
		if _, err := os.Lstat(item); err == nil {
			problems = append(problems, Problem{File: item, Warning: true,
				Message: "this is the name of a shipped rule, which runs, and of a file or folder here, which is not read: name that ." + string(filepath.Separator) + item})
		}
		return []*Rule{shippedRule(item)}, problems
	}
	if _, err := os.Stat(item); errors.Is(err, fs.ErrNotExist) && isName(item) {
		return nil, []Problem{{File: item, Message: fmt.Sprintf("there is no such file or folder, and no shipped rule of that name%s", oneOfShipped(item))}}
	}
	return Load(item)
}

// isName reports whether an item looks like a name rather than a path.
func isName(item string) bool {
	return !strings.ContainsAny(item, `/\`) && !strings.Contains(item, ".")
}

// oneOfShipped lists the shipped rules, with the one that was meant first if that
// is clear.
func oneOfShipped(item string) string {
	return suggestion(item, shippedNames) + " (they are " + strings.Join(shippedNames, ", ") + ")"
}
