package rule

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"pushback/detect/input"
)

// ParseAll reads the rules in the text of a file: one in YAML, or any number in JSON
// as the portal and the APIs export them. These are resources of an ARM template or of
// the API, the values of a list, and the custom detection rules of Defender as Graph
// returns them. What else is published beside rules, such as a hunting query or a
// watchlist, is skipped with a warning. The rules without an error are returned even
// if others have one.
func ParseAll(file string, data []byte) ([]*Rule, []Problem) {
	rules, problems := parseAll(file, data)
	return rules, withoutSecrets(problems, data)
}

func parseAll(file string, data []byte) ([]*Rule, []Problem) {
	var root *yaml.Node
	var src *source
	var problem *Problem
	asJSON := isJSON(file, data)
	if asJSON {
		if src, problem = readText(file, data, maxJSONSize); problem == nil {
			root, problem = readJSON(file, string(src.text), src)
		}
	} else {
		if root, src, problem = readRoot(file, data, aRule); problem == nil && root.Kind == yaml.ScalarNode {
			_, _, problem = readDocument(file, data) // which says what it should be
		}
	}
	if problem != nil {
		return nil, []Problem{*problem}
	}

	c := &collector{reader: reader{file: file, source: src, at: map[string]position{}}}
	switch {
	case !asJSON && isPlain(root) && (get(root, "query") != nil || contentNoun(root) == ""):
		if !isHunting(root) {
			r, problems := parseRule(file, data, src, found{node: root})
			if hasError(problems) {
				return nil, problems
			}
			return []*Rule{r}, problems
		}
		if get(root, "query") != nil {
			c.other = []string{"hunting query"}
		}
	default:
		c.document(root)
	}
	problems := c.problems
	var rules []*Rule
	for _, f := range c.rules {
		r, wrong := parseRule(file, data, src, f)
		problems = append(problems, wrong...)
		if !hasError(wrong) {
			rules = append(rules, r)
		}
	}
	switch what := c.skipped(); {
	case len(c.rules) > 0 && what != "":
		problems = append(problems, Problem{File: file, Warning: true, Message: "beside rules it holds " + what + ": skipped"})
	case what != "":
		none := "no rule"
		if strings.Contains(what, " rule") {
			none = "no scheduled rule" // but one of another kind
		}
		problems = append(problems, Problem{File: file, Warning: true, Message: "it holds " + what + " and " + none + ": skipped"})
	case len(c.rules) == 0 && !hasError(problems):
		problems = append(problems, Problem{File: file, Warning: true, Message: "it holds no rule: skipped"})
	}
	sortProblems(problems)
	return rules, problems
}

// isPlain reports whether a document is a mapping with the keys of a rule beside each
// other: not all, for that some are missing is to be said.
func isPlain(root *yaml.Node) bool {
	if get(root, "resources") != nil || get(root, "queryCondition") != nil || isResource(root) {
		return false
	}
	for _, key := range []string{"query", "severity", "queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold", "entityMappings"} {
		if get(root, key) != nil {
			return true
		}
	}
	return contentNoun(root) == "" && (get(root, "id") != nil || get(root, "name") != nil && get(root, "kind") != nil)
}

// isJSON reports whether a file is to be read as JSON: it is called so, or it is no
// YAML that anybody would write.
func isJSON(file string, data []byte) bool {
	if strings.EqualFold(filepath.Ext(file), ".json") {
		return true
	}
	text, err := input.Text(data[:min(len(data), maxJSONSize)])
	if err != nil {
		return false
	}
	trimmed := bytes.TrimSpace([]byte(text))
	return len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed)
}

// mentionsQuery reports whether a JSON file may hold a rule, or something that is
// published beside rules. Much else that is JSON lies in folders.
func mentionsQuery(data []byte) bool {
	for _, word := range []string{`"query`, `alertRules`, `watchlist`, `automationRules`} {
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	text, err := input.Text(data) // UTF-16
	return err == nil && len(text) != len(data) && strings.Contains(text, `"query`)
}
