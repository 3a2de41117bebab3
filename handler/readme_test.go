package main

import (
	"os"
	"strings"
	"testing"

	"pushback/detect"
	"pushback/handler/settings"
)

// TestReadmeListsTheSettings keeps the README's table and the help to the one
// source, the tags of settings.
func TestReadmeListsTheSettings(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings.All() {
		def := s.Default
		if def != "" {
			def = "`" + def + "` "
		}
		row := "| `" + s.Key + "` | " + def + "| " + s.Description + " |"
		if !strings.Contains(string(readme), row+"\n") {
			t.Errorf("README.md lacks the line\n%s", row)
		}
		if !strings.Contains(settings.Help(), s.Key) || !strings.Contains(settings.Help(), s.Description) {
			t.Errorf("--help lacks %s", s.Key)
		}
	}
}

// TestSettingsDefaults keeps the defaults to those of the detector.
func TestSettingsDefaults(t *testing.T) {
	t.Parallel()
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	want := detect.DefaultConfig()
	if s.Delay != want.Delay || s.Lateness != want.Lateness || s.CatchUp != want.CatchUp || s.Rules != "" || s.MaxAlerts != want.MaxAlerts {
		t.Errorf("%+v", s)
	}
}
