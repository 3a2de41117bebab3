package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocalSettings(t *testing.T) {
	t.Parallel()
	const secret = "sig-of-a-webhook"
	for _, tc := range []struct {
		name, text string
		want       map[string]string
		fails      string
	}{
		{name: "values", text: `{"IsEncrypted": false, "Values": {"A": "1", "// A": "what A is", "B": ""}}`, want: map[string]string{"A": "1", "B": ""}},
		{name: "numbers and booleans are texts", text: `{"Values": {"N": 12.50, "T": true, "Z": null}}`, want: map[string]string{"N": "12.50", "T": "true"}},
		{name: "byte order mark", text: "\ufeff" + `{"values": {"A": "1"}}`, want: map[string]string{"A": "1"}},
		{name: "UTF-16", text: "\xff\xfe{\x00\"\x00V\x00a\x00l\x00u\x00e\x00s\x00\"\x00:\x00{\x00}\x00}\x00", want: map[string]string{}},
		{name: "comments and commas", text: "// of mine\n{\"Values\": {\n\"A\": \"http://x/*y*/\", // a comment, \"B\": 1\n/* \"C\": \"2\", */\n\"D\": \"\\\"//\",\n},}\n",
			want: map[string]string{"A": "http://x/*y*/", "D": `"//`}},
		{name: "other parts of the file", text: `{"Values": {"A": "1"}, "Host": {"LocalHttpPort": 7071}, "ConnectionStrings": {"X": "y"}}`, want: map[string]string{"A": "1"}},
		{name: "no values", text: `{"IsEncrypted": false}`, fails: `no "Values"`},
		{name: "encrypted", text: `{"IsEncrypted": true, "Values": {"A": "` + secret + `"}}`, fails: "func settings decrypt"},
		{name: "no JSON", text: "{\"Values\": {\n\"A\": \"" + secret + "\"\n\"B\": \"2\"}}", fails: ":3: this is not JSON"},
		{name: "cut off", text: `{"Values": {"A": "` + secret, fails: ":1: this is not JSON"},
		{name: "a comment without end", text: "{} /* ", fails: `no "Values"`},
		{name: "empty", text: "", fails: "not JSON"},
		{name: "an array", text: `["` + secret + `"]`, fails: "a JSON array"},
		{name: "values that are a text", text: "{\n\"Values\": \"" + secret + "\"}", fails: ":2: a JSON string"},
		{name: "an object as a value", text: `{"Values": {"A": {"B": "` + secret + `"}}}`, fails: `the value of "A" is a JSON object`},
		{name: "a name that is none", text: `{"Values": {"A=B": "` + secret + `"}}`, fails: "cannot be the name"},
		{name: "NUL in a value", text: `{"Values": {"A": "` + secret + `\u0000"}}`, fails: "NUL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "local.settings.json")
			if err := os.WriteFile(path, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := localSettings(path)
			if tc.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tc.fails) || !strings.HasPrefix(err.Error(), path) || strings.Contains(err.Error(), secret) {
					t.Errorf("error %v, want one with %q and no value", err, tc.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("values (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLocalSettingsOfTheExample reads the file that people copy.
func TestLocalSettingsOfTheExample(t *testing.T) {
	t.Parallel()
	values, err := localSettings("../local.settings.json.example")
	if err != nil {
		t.Fatal(err)
	}
	if values["FUNCTIONS_WORKER_RUNTIME"] != "custom" || values["PUSHBACK_DELAY"] != "5m" {
		t.Errorf("%v", values)
	}
	for name := range values {
		if strings.HasPrefix(name, "/") {
			t.Errorf("the comment %q is taken for a setting", name)
		}
	}
}

// TestSettingsFile applies a file: what the environment has wins, also when it is
// empty.
func TestSettingsFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if path, names, err := (&settingsFile{}).apply(); err != nil || path != "" || names != nil {
		t.Errorf("without a file: %q %v %v", path, names, err)
	}
	if _, _, err := (&settingsFile{path: "other.json"}).apply(); err == nil || !strings.HasPrefix(err.Error(), "--settings: other.json: ") {
		t.Errorf("a file that is not there: %v", err)
	}
	for name, text := range map[string]string{
		localSettingsFile: `{"Values": {"DESK_A": "file", "DESK_B": "file", "DESK_C": "file"}}`,
		"other.json":      `{"Values": {"DESK_C": "other", "DESK_D": "other"}}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"DESK_C", "DESK_D"} { // so that the test puts them back
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("DESK_A", "environment")
	t.Setenv("DESK_B", "")
	path, names, err := (&settingsFile{}).apply()
	if err != nil || path != localSettingsFile {
		t.Errorf("%q %v", path, err)
	}
	if diff := cmp.Diff([]string{"DESK_C"}, names); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	if _, names, err = (&settingsFile{path: "other.json"}).apply(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"DESK_D"}, names); diff != "" {
		t.Errorf("set (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"DESK_A": "environment", "DESK_B": "", "DESK_C": "file", "DESK_D": "other"} {
		if got := os.Getenv(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
