package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestChoose reads lists of names and paths in a folder that has files and folders
// which are called like shipped rules. It changes the working directory.
func TestChoose(t *testing.T) {
	t.Chdir(t.TempDir())
	put := func(name, id string) {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(scheduled, "6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968", id, 1)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const one, two = "11111111-2222-4333-8444-555555555555", "21111111-2222-4333-8444-555555555555"
	put("rules/a.yaml", one)
	put("mfa-fatigue/x.yaml", two)
	put("with,comma.yaml", two)
	put("copy.yaml", strings.ToUpper(Default().ID))
	put("plain", two)
	put("pair/a.yaml", "31111111-2222-4333-8444-555555555555")
	put("pair/b.yaml", two)
	put("mfa-rejected-by-user.yaml", Default().ID)
	put("broken.yaml", two+"\nid: again")

	for _, test := range []struct {
		text string
		want []string // the files of the rules
		says []string // of the problems, in their order
	}{
		{"", []string{"mfa-rejected-by-user.yaml", "mfa-fatigue.yaml"}, nil},
		{" ", []string{"mfa-rejected-by-user.yaml", "mfa-fatigue.yaml"}, nil},
		{"mfa-rejected-by-user", []string{"mfa-rejected-by-user.yaml"}, nil},
		{"mfa-fatigue", []string{"mfa-fatigue.yaml"}, []string{"mfa-fatigue: warning: this is the name of a shipped rule, which runs, and of a file or folder here, which is not read: name that ./mfa-fatigue"}},
		{"./mfa-fatigue", []string{"mfa-fatigue/x.yaml"}, nil},
		{"mfa-rejected-by-user, ./rules", []string{"mfa-rejected-by-user.yaml", "rules/a.yaml"}, nil},
		{"rules,mfa-rejected-by-user", []string{"rules/a.yaml", "mfa-rejected-by-user.yaml"}, nil},
		{"rules", []string{"rules/a.yaml"}, nil},
		{"with,comma.yaml", []string{"with,comma.yaml"}, nil},
		{"plain", []string{"plain"}, nil},
		{"mfa-fatig", nil, []string{`mfa-fatig: there is no such file or folder, and no shipped rule of that name: did you mean "mfa-fatigue"? (they are mfa-rejected-by-user, mfa-fatigue)`}},
		{"MFA-Fatigue", nil, []string{`did you mean "mfa-fatigue"?`}},
		{"nonsense,mfa-rejected-by-user", []string{"mfa-rejected-by-user.yaml"}, []string{"nonsense: there is no such file or folder, and no shipped rule of that name (they are mfa-rejected-by-user, mfa-fatigue)"}},
		{"./nowhere", nil, []string{"nowhere: there is no such file or folder"}},
		{"nowhere.yaml", nil, []string{"nowhere.yaml: there is no such file or folder"}},
		{"mfa-rejected-by-user,,rules", []string{"mfa-rejected-by-user.yaml", "rules/a.yaml"}, []string{"there is nothing between two commas"}},
		{"mfa-rejected-by-user,", []string{"mfa-rejected-by-user.yaml"}, []string{"before or behind one"}},
		{"mfa-rejected-by-user,copy.yaml", []string{"mfa-rejected-by-user.yaml"}, []string{"copy.yaml:1:5: id " + strings.ToUpper(Default().ID) + " is already that of \"MFA Rejected by User\" at mfa-rejected-by-user.yaml:1:5"}},
		{"rules,rules", []string{"rules/a.yaml"}, []string{`rules: warning: the rule "R" is named twice: it runs once`}},
		{"rules/a.yaml,./rules", []string{"rules/a.yaml"}, []string{`rules: warning: the rule "R" is named twice: it runs once`}},
		{"mfa-rejected-by-user,mfa-rejected-by-user", []string{"mfa-rejected-by-user.yaml"}, []string{`mfa-rejected-by-user: warning: the rule "MFA Rejected by User" is named twice: it runs once`}},
		{"pair,rules,pair", []string{"pair/a.yaml", "pair/b.yaml", "rules/a.yaml"}, []string{"pair: warning: 2 of its rules are named twice: each runs once"}},
		{"rules,mfa-rejected-by-user.yaml,mfa-rejected-by-user", []string{"rules/a.yaml", "mfa-rejected-by-user.yaml"}, []string{"is already that of"}},
		{"broken.yaml,rules,broken.yaml", []string{"rules/a.yaml"}, []string{`broken.yaml:2:1: "id" is set twice`}},
	} {
		rules, problems := Choose(test.text)
		var files []string
		for _, r := range rules {
			files = append(files, filepath.ToSlash(r.File))
		}
		if diff := cmp.Diff(test.want, files); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.text, diff)
		}
		if len(problems) != len(test.says) {
			t.Errorf("%q: %v, want %d problems", test.text, problems, len(test.says))
			continue
		}
		for i, p := range problems {
			if !strings.Contains(p.String(), test.says[i]) {
				t.Errorf("%q: %s\nwant %s", test.text, p, test.says[i])
			}
		}
	}
}

// Rules that share a story should group by the same.
func TestChooseStories(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	grouped := scheduled + "incidentConfiguration:\n  groupingConfiguration:\n    enabled: true\n    matchingMethod: AnyAlert\n"
	for name, text := range map[string]string{
		"a.yaml": grouped + "pushback: {story: one}\n",
		"b.yaml": strings.Replace(grouped, "6b8f", "7b8f", 1) + "pushback: {story: one}\n",
		"c.yaml": strings.Replace(scheduled, "6b8f", "8b8f", 1) + "pushback: {story: one}\n",
		"d.yaml": strings.Replace(scheduled, "6b8f", "9b8f", 1) + "pushback: {story: two}\n",
		"e.yaml": strings.Replace(grouped, "6b8f", "ab8f", 1),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, problems := Choose(dir)
	if len(rules) != 5 || len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].String(), "c.yaml:9:19: warning: the story one is also that of \"R\" in ") {
		t.Errorf("%d rules, %v", len(rules), problems)
	}
}
