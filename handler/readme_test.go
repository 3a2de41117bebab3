package main

import (
	"os"
	"reflect"
	"strings"
	"testing"

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
	fields := reflect.TypeFor[settings]()
	for i, key := range settingKeys() {
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
	if s.Delay.Duration != want.Delay || s.Lateness.Duration != want.Lateness || s.CatchUp.Duration != want.CatchUp || s.Rules != "" || *s.MaxAlerts.value != int64(want.MaxAlerts) {
		t.Errorf("%+v", s)
	}
}
