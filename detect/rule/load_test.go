package rule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	withID := func(id, name string) string {
		return strings.NewReplacer("6b8f3a52-0c1d-4e7a-9f42-1d2c3b4a5968", id, "name: R", "name: "+name).Replace(scheduled)
	}
	const (
		id1 = "11111111-1111-4111-8111-11111111111a"
		id2 = "22222222-2222-4222-8222-222222222222"
	)
	tests := []struct {
		name  string
		files map[string]string
		path  string   // below the folder
		rules []string // their names
		want  []string // their problems, with DIR for the folder
	}{
		{
			name:  "nested and sorted",
			files: map[string]string{"b.yml": withID(id1, "B"), "a/z.YAML": withID(id2, "Z"), "a/readme.md": "# no", ".git/x.yaml": "no", "a/.b.yaml": "no"},
			rules: []string{"Z", "B"},
		},
		{
			name:  "one file",
			files: map[string]string{"b.txt": withID(id1, "B"), "c.yaml": "no"},
			path:  "b.txt",
			rules: []string{"B"},
		},
		{
			name:  "problems of every file",
			files: map[string]string{"a.yaml": "id: [", "b.yaml": withID(id1, "B") + "foo: 1\n", "c.yaml": withID("x", "C")},
			rules: []string{"B", "C"},
			want: []string{
				"DIR/a.yaml:1: not valid YAML: did not find expected node content",
				`DIR/b.yaml:9:1: warning: unknown key "foo" is ignored`,
				`DIR/c.yaml:1:5: warning: id "x" is not a GUID: the rule is known by ` + madeID("x") + `, which is made of it`,
			},
		},
		{
			name:  "duplicate id",
			files: map[string]string{"a.yaml": withID(id1, "A"), "b.yaml": "# b\n" + withID(strings.ToUpper(id1), "B")},
			rules: []string{"A"},
			want: []string{
				`DIR/b.yaml:2:5: id 11111111-1111-4111-8111-11111111111A is already that of "A" at DIR/a.yaml:1:5: give each rule an id of its own`,
			},
		},
		{
			name:  "empty folder",
			files: map[string]string{"readme.md": "# no"},
			want:  []string{"DIR: there is no rule in this folder: rules are files that end in .yaml, .yml or .json"},
		},
		{
			name: "missing",
			path: "nowhere",
			want: []string{"DIR/nowhere: there is no such file or folder: give the path of a rule file, or of a folder with rule files"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := writeFiles(t, test.files)
			rules, problems := Load(filepath.Join(dir, test.path))
			var names, got []string
			for _, r := range rules {
				names = append(names, r.Name)
			}
			for _, p := range problems {
				got = append(got, filepath.ToSlash(strings.ReplaceAll(p.String(), dir, "DIR")))
			}
			if diff := cmp.Diff(test.rules, names); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadUnreadable(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"a.yaml": scheduled})
	link := filepath.Join(dir, "b.yaml")
	if err := os.Symlink(filepath.Join(dir, "gone"), link); err != nil {
		t.Fatal(err)
	}
	rules, problems := Load(dir)
	if len(rules) != 1 || len(problems) != 1 || problems[0].File != link || problems[0].Warning {
		t.Errorf("got %d rules, problems %v", len(rules), problems)
	}
}
