package main

import (
	"cmp"
	"runtime"
	"runtime/debug"
	"strings"
)

// version, commit and date are the build's, which infra/binary sets.
var version, commit, date string

// versionText is the version as logs and telemetry have it.
func versionText() string { return cmp.Or(version, "development") }

// buildText is what --version says: the version, and which sources and Go it was built from.
func buildText() string {
	info, _ := debug.ReadBuildInfo()
	return describeBuild(version, commit, date, info) + " (" + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + ")"
}

// describeBuild says what the build was given. One by go build alone was given nothing,
// and Go says the commit.
func describeBuild(version, commit, date string, info *debug.BuildInfo) string {
	if commit == "" && version == "" && info != nil {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.time":
				date = s.Value
			case s.Key == "vcs.modified" && s.Value == "true" && commit != "":
				commit += "-dirty"
			}
		}
	}
	parts := []string{cmp.Or(version, "development")}
	if commit != "" {
		parts = append(parts, "commit "+commit)
	}
	if date != "" {
		parts = append(parts, date)
	}
	return strings.Join(parts, ", ")
}
