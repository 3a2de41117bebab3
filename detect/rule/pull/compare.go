package pull

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"go.yaml.in/yaml/v3"

	"pushback/detect/rule"
)

// Difference is a setting that a rule has otherwise in the folder than in the
// workspace.
type Difference struct {
	// Setting is its key in YAML: incidentConfiguration.createIncident.
	Setting string `json:"setting"`
	// Here is its value in the folder and There that in the workspace: empty where it
	// is not set.
	Here  string `json:"here"`
	There string `json:"there"`
	// Lines shows a value of several lines as changes of its lines.
	Lines string `json:"lines,omitempty"`
}

// Differences returns what a rule of the folder and the same of the workspace differ
// in. What a workspace does not keep of a rule, such as its connectors and Pushback's own
// keys, does not count, nor does what has no effect.
func Differences(here, there *rule.Rule) ([]Difference, error) {
	a, err := settingsOf(here, there)
	if err != nil {
		return nil, err
	}
	b, err := settingsOf(there, here)
	if err != nil {
		return nil, err
	}
	var found []Difference
	keys := slices.Clone(a.keys)
	for _, key := range b.keys {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		if a.values[key] == b.values[key] {
			continue
		}
		d := Difference{Setting: key, Here: a.values[key], There: b.values[key]}
		if strings.Contains(d.Here+d.There, "\n") {
			d.Lines = lineDiff(d.Here, d.There)
		}
		found = append(found, d)
	}
	return found, nil
}

// lineDiff shows two texts as changes of their lines.
func lineDiff(here, there string) string {
	withEnd := func(text string) []byte {
		if text == "" {
			return nil
		}
		return []byte(text + "\n")
	}
	out := diff.Diff("here", withEnd(here), "workspace", withEnd(there))
	if _, rest, ok := bytes.Cut(out, []byte("\n")); ok { // a first line that says diff
		out = rest
	}
	return string(out)
}

// settings are the values of a rule's keys, in their order.
type settings struct {
	keys   []string
	values map[string]string
}

// settingsOf returns the settings of a rule that count in a comparison with another.
func settingsOf(r, other *rule.Rule) (settings, error) {
	c := *r
	c.ID = other.ID // they are the same, perhaps since one is the other's template
	c.Status, c.Tags, c.RequiredDataConnectors = "", nil, nil
	if r.Version == "" || other.Version == "" {
		c.Version = ""
	}
	if c.Kind == rule.NRT { // the service schedules it
		c.QueryFrequency, c.QueryPeriod, c.Trigger = 0, 0, rule.Trigger{}
	}
	c.Tactics, c.Techniques = sorted(c.Tactics), sorted(c.Techniques)
	c.CustomDetails = slices.Clone(c.CustomDetails)
	slices.SortStableFunc(c.CustomDetails, func(a, b rule.CustomDetail) int { return strings.Compare(a.Name, b.Name) })
	if !c.SuppressionEnabled {
		c.SuppressionDuration = 0
	}
	g := &c.Incident.Grouping
	g.GroupByEntities, g.GroupByAlertDetails, g.GroupByCustomDetails = sorted(g.GroupByEntities), sorted(g.GroupByAlertDetails), sorted(g.GroupByCustomDetails)
	if !c.Incident.CreateIncident || !g.Enabled {
		*g = rule.IncidentGrouping{LookbackDuration: defaultLookback}
	}
	c.Description = plainText(c.Description)
	c.Query.Text = plainText(c.Query.Text)

	written, err := c.YAML()
	if err != nil {
		return settings{}, err
	}
	var root yaml.Node
	if err := yaml.Unmarshal(written, &root); err != nil || len(root.Content) != 1 {
		return settings{}, fmt.Errorf("the rule %s: %w", quoted(r.Name), err)
	}
	s := settings{values: map[string]string{}}
	mapping := root.Content[0]
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if key := mapping.Content[i].Value; key != "pushback" && key != "id" {
			if err := s.add(key, mapping.Content[i+1]); err != nil {
				return settings{}, err
			}
		}
	}
	return s, nil
}

// defaultLookback is what a rule has that says nothing of it.
const defaultLookback = 5 * time.Hour

// add adds a value, and of a mapping those in it.
func (s *settings) add(key string, value *yaml.Node) error {
	written := ""
	switch value.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(value.Content); i += 2 {
			if err := s.add(key+"."+value.Content[i].Value, value.Content[i+1]); err != nil {
				return err
			}
		}
		return nil
	case yaml.ScalarNode:
		written = value.Value
	default:
		if !slices.ContainsFunc(value.Content, func(n *yaml.Node) bool { return n.Kind != yaml.ScalarNode }) {
			var names []string
			for _, n := range value.Content {
				names = append(names, n.Value)
			}
			written = strings.Join(names, ", ")
			break
		}
		text, err := yaml.Marshal(value)
		if err != nil {
			return err
		}
		written = strings.TrimSuffix(string(text), "\n")
	}
	s.keys = append(s.keys, key)
	s.values[key] = written
	return nil
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
