package rule

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestBeside pins which files beside rules are of silences and of routes, and that they
// are no rules that are wrong.
func TestBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rule, err := os.ReadFile("mfa-fatigue.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.yaml": string(rule), "routes.yaml": "# who hears of it\nroutes:\n  - to: X\n", "night/more.YML": "{routes: []}", "silences.yaml": "silences: []\n",
		"b.yaml.off": "routes: []", "routes.json": `{"routes": []}`, ".hidden.yaml": "routes: []",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	for _, tt := range []struct {
		path, of string
		want     []string
	}{
		{dir, "routes", in("night/more.YML", "routes.yaml")},
		{dir, "silences", in("silences.yaml")},
		{filepath.Join(dir, "routes.yaml"), "routes", in("routes.yaml")},
		{filepath.Join(dir, "a.yaml"), "routes", nil},
		{filepath.Join(dir, "none"), "routes", nil},
		{"mfa-fatigue", "routes", nil},
	} {
		if got := Beside(tt.path, tt.of); !slices.Equal(got, tt.want) {
			t.Errorf("%s of %s: %v", tt.of, tt.path, got)
		}
	}
	if rules, problems := Load(dir); len(rules) != 1 || len(problems) > 0 {
		t.Errorf("%d rules, %v", len(rules), problems)
	}
}
