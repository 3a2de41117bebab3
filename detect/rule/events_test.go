package rule

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	r, problems := Parse("r.yaml", []byte(scheduled+"pushback:\n  events:\n    - CorrelationIds\n"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff([]string{"CorrelationIds"}, r.Events); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	found := false
	for _, use := range r.Columns() {
		if use.Column == "CorrelationIds" && use.Use == "pushback events" && use.Line > 0 && use.Col == 7 {
			found = true
		}
	}
	if !found {
		t.Errorf("the column is not among those that the rule names: %v", r.Columns())
	}
	if _, problems := Parse("r.yaml", []byte(scheduled+"pushback:\n  events: []\n")); len(problems) != 1 || problems[0].Warning {
		t.Errorf("an empty list: %v", problems)
	}
}
