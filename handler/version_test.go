package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestDescribeBuild(t *testing.T) {
	t.Parallel()
	vcs := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.time", Value: "2026-03-17T08:00:00Z"}, {Key: "vcs.modified", Value: "true"}}}
	for _, tc := range []struct {
		name, version, commit, date string
		info                        *debug.BuildInfo
		want                        string
	}{
		{"a release", "v1.2.3", "0123abc", "2026-03-17T08:00:00Z", vcs, "v1.2.3, commit 0123abc, 2026-03-17T08:00:00Z"},
		{"a version that was given, and no clone", "v1.2.3", "", "", nil, "v1.2.3"},
		{"a version that was given", "v1.2.3", "", "", vcs, "v1.2.3"},
		{"go build in a clone", "", "", "", vcs, "development, commit 0123abc-dirty, 2026-03-17T08:00:00Z"},
		{"go run", "", "", "", &debug.BuildInfo{}, "development"},
		{"nothing is known", "", "", "", nil, "development"},
	} {
		if got := describeBuild(tc.version, tc.commit, tc.date, tc.info); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
	if got := buildText(); !strings.HasPrefix(got, "development") || !strings.Contains(got, runtime.GOOS+"/"+runtime.GOARCH) {
		t.Errorf("%q", got)
	}
}
