package coverage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/rule"
)

// noneLacks is a workspace whose tables all have records.
func noneLacks(*rule.Rule) ([]string, bool) { return nil, false }

func TestOf(t *testing.T) {
	t.Parallel()
	rules := []*rule.Rule{
		{ID: "1", Name: "b", Tactics: []string{"Impact", "InitialAccess", "Impact"}, Techniques: []string{"T2000", "T1000", "T2000"}},
		{ID: "2", Name: "A", Tactics: []string{"InitialAccess"}, Techniques: []string{"T1000"}},
		{ID: "3", Name: "c", Tactics: []string{"PreAttack"}}, {ID: "4", Name: "d"},
	}
	r := Of(rules, func(r *rule.Rule) ([]string, bool) { return []string{"T is silent"}, r.ID == "2" })
	var got []string
	for _, tactic := range r.Tactics {
		if len(tactic.Rules) > 0 {
			got = append(got, fmt.Sprint(tactic.Name, tactic.Techniques, len(tactic.Rules), Seeing(tactic.Rules), Lacks(tactic.Rules)))
		}
	}
	for _, technique := range r.Techniques {
		got = append(got, fmt.Sprint(technique.ID, technique.Tactics, technique.Rules[0].Name, len(technique.Rules)))
	}
	want := []string{"InitialAccess[T1000 T2000] 2 1 []", "Impact[T1000 T2000] 1 1 []", "PreAttack[] 1 1 []", "T1000[InitialAccess Impact]A2", "T2000[InitialAccess Impact]b1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.Tactics) != 15 || r.NoTechnique != 1 || len(r.Unplaced) != 1 {
		t.Errorf("%d tactics, %d without a technique, %d without both", len(r.Tactics), r.NoTechnique, len(r.Unplaced))
	}
}

// A comment is a line for each rule, of a bounded number, and the gradient ends where the
// highest score is.
func TestLayer(t *testing.T) {
	t.Parallel()
	var rules []*rule.Rule
	for i := range 30 {
		rules = append(rules, &rule.Rule{ID: fmt.Sprintf("%02d", i), Name: fmt.Sprintf("Rule %02d\nand <b>", i), Techniques: []string{"T1000"}})
	}
	written, left, err := Of(rules, noneLacks).Layer("n", "d", Enterprise)
	if err != nil || left != 0 {
		t.Fatal(left, err)
	}
	var l layer
	if err := json.Unmarshal(written, &l); err != nil {
		t.Fatal(err)
	}
	comment := l.Techniques[0].Comment
	if l.Gradient.Max != 30 || strings.Count(comment, "\n") != mostNamed || !strings.HasPrefix(comment, "Rule 00 and <b>\nRule 01") || !strings.HasSuffix(comment, "\nand 10 more") {
		t.Errorf("%+v", l)
	}
	written, _, err = Of(nil, noneLacks).Layer("n", "d", Enterprise)
	if err != nil || !strings.Contains(string(written), `"techniques": []`) || !strings.Contains(string(written), `"maxValue": 1`) {
		t.Errorf("%v: %s", err, written)
	}
}
