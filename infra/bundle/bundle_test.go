package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	shippedID = "d99cf5c3-d660-436c-895b-8a8f8448da23"
	ownID     = "11111111-2222-4333-8444-555555555555"
)

func TestRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../" + shippedRules + "/mfa-rejected-by-user.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shipped := string(text)
	own := strings.Replace(shipped, shippedID, ownID, 1)
	link := func(from, to string) func(string) error {
		return func(dir string) error { return os.Symlink(from, filepath.Join(dir, to)) }
	}
	for _, tc := range []struct {
		name  string
		files map[string]string
		odd   func(dir string) error
		want  []string
		wrong []string // what the error says
	}{
		{name: "one more", files: map[string]string{"mine.yaml": own}, want: []string{"rules/mfa-rejected-by-user.yaml", "rules/mfa-fatigue.yaml", "rules/mine.yaml"}},
		{name: "in a folder", files: map[string]string{"a/mine.YML": own}, want: []string{"rules/mfa-rejected-by-user.yaml", "rules/mfa-fatigue.yaml", "rules/a/mine.YML"}},
		{name: "an edited copy", files: map[string]string{"mfa-rejected-by-user.yaml": shipped}, want: []string{"rules/mfa-fatigue.yaml", "rules/mfa-rejected-by-user.yaml"}},
		{name: "an edited copy by another name", files: map[string]string{"mine.yaml": shipped}, want: []string{"rules/mfa-fatigue.yaml", "rules/mine.yaml"}},
		{name: "a copy and one more", files: map[string]string{"a.yaml": own, "mine.yaml": strings.Replace(shipped, shippedID, strings.ToUpper(shippedID), 1)}, want: []string{"rules/mfa-fatigue.yaml", "rules/a.yaml", "rules/mine.yaml"}},
		{
			name: "an export of two", files: map[string]string{"all.json": `[{"id": "` + ownID + `", "name": "A", "severity": "Low", "kind": "NRT", "query": "T"},
				{"id": "21111111-2222-4333-8444-555555555555", "name": "B", "severity": "Low", "kind": "NRT", "query": "T"}]`},
			want: []string{"rules/mfa-rejected-by-user.yaml", "rules/mfa-fatigue.yaml", "rules/all.json"},
		},
		{
			name: "silences and routes", files: map[string]string{"mine.yaml": own, "silences.yaml": "silences: []\n", "a/routes.yml": "routes: [{to: PUSHBACK_TEAMS_WEBHOOK_URL}]\n", "notes.yaml.txt": "routes: []"},
			want: []string{"rules/mfa-rejected-by-user.yaml", "rules/mfa-fatigue.yaml", "rules/mine.yaml", "rules/silences.yaml", "rules/a/routes.yml"},
		},
		{name: "wrong routes", files: map[string]string{"mine.yaml": own, "routes.yaml": "routes: [{to: 'https://a.example/x'}]\n"}, wrong: []string{"routes.yaml:1:15: to names the settings"}},
		{name: "the shipped name", files: map[string]string{"mfa-rejected-by-user.yaml": own}, wrong: []string{"mfa-rejected-by-user.yaml", "another name"}},
		{name: "an id twice", files: map[string]string{"a.yaml": own, "b.yaml": own}, wrong: []string{"b.yaml:", "a.yaml:", ownID}},
		{name: "two mistakes", files: map[string]string{"a.yaml": strings.Replace(own, "severity: ", "severity: Very", 1), "b.yaml": "{"}, wrong: []string{"a.yaml:", "severity", "b.yaml:1"}},
		{name: "nothing", files: map[string]string{"notes.txt": "x"}, wrong: []string{"no rule in this folder"}},
		{name: "hidden", files: map[string]string{"mine.yaml": own, ".git/x.yaml": "x", ".secret.yaml": "x"}, want: []string{"rules/mfa-rejected-by-user.yaml", "rules/mfa-fatigue.yaml", "rules/mine.yaml"}},
		{name: "a link to a file", files: map[string]string{"mine.yaml": own}, odd: link("/etc/passwd", "x.yaml"), wrong: []string{"x.yaml", "not a regular file"}},
		{name: "a link to a folder", files: map[string]string{"mine.yaml": own}, odd: link("/etc", "more"), wrong: []string{"more", "not a regular file"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			real := t.TempDir()
			dir := filepath.Join(t.TempDir(), "linked") // the folder itself may be a link
			if err := os.Symlink(real, dir); err != nil {
				t.Fatal(err)
			}
			for name, text := range tc.files {
				to := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if tc.odd != nil {
				if err := tc.odd(dir); err != nil {
					t.Fatal(err)
				}
			}
			files, err := rulesOf("../..", dir)
			if (err != nil) != (tc.wrong != nil) {
				t.Fatalf("%v", err)
			}
			for _, part := range tc.wrong {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
			var names []string
			for _, f := range files {
				names = append(names, f.Name)
			}
			if diff := cmp.Diff(tc.want, names); diff != "" {
				t.Errorf("packaged (-want +got):\n%s", diff)
			}
		})
	}
}
