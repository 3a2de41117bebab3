package rule

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One slip of the pen in what is expected is one mistake.
func TestOneSlipInExpectIsOneMistake(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"- {name: a, logs: x, expect: [{titel: x}]}":                          `unknown key "titel" in expect: did you mean "title"?`,
		"- {name: a, logs: x, expect: {color: x}}":                            `unknown key "color" in expect: use `,
		"- {name: a, logs: x, expect: [{severity: Hihg}]}":                    `severity is "Hihg": did you mean "High"?`,
		"- {name: a, logs: x, expect: [{[x]: y}]}":                            "a key is a list: it must be a name",
		"- {name: a, logs: x, expect: [{}]}":                                  "an item of expect says nothing",
		"- {name: a, logs: x, expect: [{findings: [{knd: bombing}]}]}":        `unknown key "knd" in findings: did you mean "kind"?`,
		"- {name: a, logs: x, expect: [{findings: [{kind: bombin}]}]}":        `the kind of a finding is "bombin": did you mean "bombing"?`,
		"- {name: a, logs: x, expect: [{findings: [{}]}]}":                    "an item of findings says nothing",
		"- {name: a, logs: x, expcet: 1, expect: 1}":                          `unknown key "expcet" in the case: did you mean "expect"?`,
		"- {name: a, logs: x, at: 2026-03-17, form: 2026-03-16, expect: [1]}": `unknown key "form" in the case: did you mean "from"?; an item of expect is the single value "1"`,
	} {
		_, problems := ParseCases("x.test.yaml", []byte(text))
		var got []string
		for _, p := range problems {
			got = append(got, p.Message)
		}
		wants := strings.Split(want, "?; ")
		for i := range got {
			if i < len(wants) && strings.HasPrefix(got[i], wants[i]) {
				got[i] = wants[i]
			}
		}
		if diff := cmp.Diff(wants, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", text, diff)
		}
	}
}

// Logs that name nothing are a mistake at their place.
func TestEmptyLogsOfCase(t *testing.T) {
	t.Parallel()
	for _, logs := range []string{"{}", "[]"} {
		_, problems := ParseCases("x.test.yaml", []byte("- name: a\n  logs: "+logs+"\n  expect: nothing\n"))
		const want = "x.test.yaml:2:9: logs is empty: name a table with its records, such as SigninLogs: [], or the path of a file"
		if len(problems) != 1 || problems[0].String() != want {
			t.Errorf("%s: problems %v, want %s", logs, problems, want)
		}
	}
}
