package pull

import (
	"strings"

	"pushback/detect/rule"
)

// Repeat is a rule that is switched on here and in the workspace.
type Repeat struct {
	Pair
	// Why says what makes them the same.
	Why string
}

// Twice returns the rules that are switched on in both places. They are the same by
// their ids, by the template that one was made from, by their queries or by their names.
func Twice(here []*rule.Rule, there []Rule) []Repeat {
	ways := []struct {
		why   string
		here  func(*rule.Rule) string
		there func(Rule) string
	}{
		{"the same id", func(r *rule.Rule) string { return strings.ToLower(r.ID) }, func(r Rule) string { return strings.ToLower(r.ID) }},
		{"made from the template with this id", func(r *rule.Rule) string { return strings.ToLower(r.ID) }, func(r Rule) string { return strings.ToLower(r.Template) }},
		{"the same query", func(r *rule.Rule) string { return plainText(r.Query.Text) }, func(r Rule) string { return plainText(r.Query.Text) }},
		{"the same name", func(r *rule.Rule) string { return plainName(r.Name) }, func(r Rule) string { return plainName(r.Name) }},
	}
	by := make([]map[string][]int, len(ways))
	for w, way := range ways {
		by[w] = map[string][]int{}
		for i, r := range there {
			if key := way.there(r); key != "" && !r.Disabled {
				by[w][key] = append(by[w][key], i)
			}
		}
	}
	var found []Repeat
	for _, r := range here {
		if r.Disabled {
			continue
		}
		met := map[int]bool{}
		for w, way := range ways {
			for _, i := range by[w][way.here(r)] {
				if !met[i] {
					met[i] = true
					found = append(found, Repeat{Pair{r, there[i]}, way.why})
				}
			}
		}
	}
	return found
}

// plainName is a name without what nobody sees in it.
func plainName(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }
