package coverage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// The matrices that a layer can be of.
const (
	Enterprise = "enterprise-attack"
	Mobile     = "mobile-attack"
	ICS        = "ics-attack"
)

// The versions of the format and of the Navigator that reads it. The version of ATT&CK
// is left out, which means the present one.
// https://github.com/mitre-attack/attack-navigator/blob/master/layers/spec/v4.5/layerformat.md
const (
	layerVersion     = "4.5"
	navigatorVersion = "5.2.0"
)

// layer is a layer of the ATT&CK Navigator.
type layer struct {
	Name        string           `json:"name"`
	Versions    versions         `json:"versions"`
	Domain      string           `json:"domain"`
	Description string           `json:"description"`
	Sorting     int              `json:"sorting"`
	Layout      layout           `json:"layout"`
	HideOff     bool             `json:"hideDisabled"`
	Techniques  []layerTechnique `json:"techniques"`
	Gradient    gradient         `json:"gradient"`
	Legend      []legendItem     `json:"legendItems"`
}

type versions struct {
	Navigator string `json:"navigator"`
	Layer     string `json:"layer"`
}

type layout struct {
	Layout   string `json:"layout"`
	ShowID   bool   `json:"showID"`
	ShowName bool   `json:"showName"`
	Expanded string `json:"expandedSubtechniques"`
}

type layerTechnique struct {
	ID       string     `json:"techniqueID"`
	Score    int        `json:"score"`
	Comment  string     `json:"comment"`
	Enabled  bool       `json:"enabled"`
	Metadata []metadata `json:"metadata,omitempty"`
}

type metadata struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type gradient struct {
	Colors []string `json:"colors"`
	Min    int      `json:"minValue"`
	Max    int      `json:"maxValue"`
}

type legendItem struct {
	Label string `json:"label"`
	Color string `json:"color"`
}

// The colours from one rule to many, both readable on white.
var colours = []string{"#c7e9c0", "#238b45"}

// mostNamed is how many rules the comment of a technique names.
const mostNamed = 20

// Layer returns the report as a layer of the ATT&CK Navigator. A technique's score is
// the number of its rules that are not dimmed. Where all are, it is disabled, which the
// Navigator shows greyed out. A technique is shown under every tactic that it has. Left is how
// many techniques are of another matrix.
func (r Report) Layer(name, description, domain string) (written []byte, left int, err error) {
	l := layer{
		Name: name, Versions: versions{navigatorVersion, layerVersion}, Domain: domain, Description: description, Sorting: 3,
		Layout:     layout{Layout: "side", ShowName: true, ShowID: true, Expanded: "annotated"},
		Techniques: []layerTechnique{},
		Gradient:   gradient{Colors: colours, Min: 0, Max: 1},
		Legend:     []legendItem{{"covered by a rule", colours[0]}, {"covered by the most rules", colours[1]}},
	}
	for _, t := range r.Techniques {
		// The ids of the matrix for industrial control systems begin with T0; those of
		// the other two look alike.
		if strings.HasPrefix(t.ID, "T0") != (domain == ICS) {
			left++
			continue
		}
		seeing := Seeing(t.Rules)
		one := layerTechnique{ID: t.ID, Score: seeing, Enabled: seeing > 0, Comment: comment(t.Rules)}
		if why := Lacks(t.Rules); len(why) > 0 {
			one.Metadata = []metadata{{"dimmed", strings.Join(why, "; ")}}
		}
		l.Gradient.Max = max(l.Gradient.Max, seeing)
		l.Techniques = append(l.Techniques, one)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(l); err != nil {
		return nil, 0, err
	}
	return out.Bytes(), left, nil
}

// comment names the rules of a technique, those that are not dimmed first.
func comment(rules []Rule) string {
	var names, dimmed []string
	for _, r := range rules {
		name := strings.Join(strings.Fields(r.Name), " ") // which is a line
		if len(r.Lacks) > 0 {
			name += " (" + strings.Join(r.Lacks, "; ") + ")"
		}
		if r.Dimmed {
			dimmed = append(dimmed, name)
			continue
		}
		names = append(names, name)
	}
	names = append(names, dimmed...)
	if more := len(names) - mostNamed; more > 0 {
		names = append(names[:mostNamed], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, "\n")
}
