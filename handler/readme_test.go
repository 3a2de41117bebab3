package main

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kelseyhightower/envconfig"

	"pushback/detect"
)

// TestReadmeListsTheSettings keeps the README's table and the help to the one
// source, the tags of settings.
func TestReadmeListsTheSettings(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var keys bytes.Buffer
	if err := envconfig.Usagef(settingsPrefix, &settings{}, &keys, "{{range .}}{{usage_key .}}\n{{end}}"); err != nil {
		t.Fatal(err)
	}
	fields := reflect.TypeFor[settings]()
	for i, key := range strings.Fields(keys.String()) {
		tag := fields.Field(i).Tag
		def := tag.Get("default")
		if def != "" {
			def = "`" + def + "` "
		}
		row := "| `" + key + "` | " + def + "| " + tag.Get("desc") + " |"
		if !strings.Contains(string(readme), row+"\n") {
			t.Errorf("README.md lacks the line\n%s", row)
		}
		if !strings.Contains(settingsHelp(), key) || !strings.Contains(settingsHelp(), tag.Get("desc")) {
			t.Errorf("--help lacks %s", key)
		}
	}
}

// TestSettingsDefaults keeps the defaults to those of the detector.
func TestSettingsDefaults(t *testing.T) {
	t.Parallel()
	s, err := readSettings()
	if err != nil {
		t.Fatal(err)
	}
	want := detect.DefaultConfig()
	if s.Delay.Duration != want.Delay || s.Lateness.Duration != want.Lateness || s.Rules != "" {
		t.Errorf("%+v", s)
	}
}
