package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCheckHost runs check in a folder of an app that is set up wrongly.
func TestCheckHost(t *testing.T) {
	t.Parallel()
	const hostText = `{"version":"2.0","functionTimeout":"00:10:00","customHandler":{"description":{"defaultExecutablePath":"bin/handler"}}}`
	replaced := func(old, new string) string { return strings.Replace(hostText, old, new, 1) }
	for _, tc := range []struct {
		name     string
		files    map[string]string // instead of those of an app; those with an empty text are missing
		mode     os.FileMode       // of bin/handler
		settings map[string]string
		want     []string // the lines about host and schedule, by their beginnings and a part
		failed   bool
	}{
		{name: "fine", want: []string{"ok host host.json starts bin/handler"}},
		{name: "the checkout of the project", files: map[string]string{"host.json": readFile(t, "../host.json"), "local.settings.json": readFile(t, "../local.settings.json.example"), "go.mod": "module x"},
			settings: map[string]string{runtimeVariable: ""}, want: []string{"ok host"}},
		{name: "no app here", files: map[string]string{"host.json": ""}, want: []string{"ok host host.json is not in this folder"}},
		{name: "no JSON", files: map[string]string{"host.json": "{\x1b[2J"}, want: []string{"failed host host.json cannot be read: invalid character"}, failed: true},
		{name: "a byte order mark", files: map[string]string{"host.json": "\ufeff" + hostText}, want: []string{"ok host"}},

		{name: "a schedule under a minute", settings: map[string]string{"PUSHBACK_SCHEDULE": "*/30 * * * * *"}, want: []string{"ok host", "warning schedule less than a minute passes between two ticks"}},
		{name: "a schedule of two seconds", settings: map[string]string{"PUSHBACK_SCHEDULE": "0,59 0 9 * * *"}, want: []string{"ok host", "warning schedule less than a minute", "warning schedule up to 23h59m1s pass"}},
		{name: "a schedule of a minute", settings: map[string]string{"PUSHBACK_SCHEDULE": "30 * * * * *"}, want: []string{"ok host"}},

		{name: "as long as the tick", settings: map[string]string{"PUSHBACK_TICK_TIMEOUT": "10m"}, want: []string{"warning host functionTimeout in host.json is 10m0s, and a tick may take 10m0s: the host would kill it"}},
		{name: "shorter than the tick", files: map[string]string{"host.json": replaced("00:10:00", "00:09:29")}, want: []string{"warning host functionTimeout in host.json is 9m29s"}},
		{name: "a second longer than the tick", files: map[string]string{"host.json": replaced("00:10:00", "00:09:31")}, want: []string{"ok host"}},
		{name: "no limit", files: map[string]string{"host.json": replaced("00:10:00", "-1")}, settings: map[string]string{"PUSHBACK_TICK_TIMEOUT": "24h"}, want: []string{"ok host"}},
		{name: "a limit of days", files: map[string]string{"host.json": replaced("00:10:00", "1.00:00:01")}, settings: map[string]string{"PUSHBACK_TICK_TIMEOUT": "24h"}, want: []string{"ok host"}},
		{name: "the default limit", files: map[string]string{"host.json": replaced(`"functionTimeout":"00:10:00",`, "")}, settings: map[string]string{"PUSHBACK_TICK_TIMEOUT": "30m"}, want: []string{"warning host host.json sets no functionTimeout, which is 30m0s then"}},
		{name: "a limit that is none", files: map[string]string{"host.json": replaced("00:10:00", "ten minutes")}, want: []string{`warning host functionTimeout in host.json is "ten minutes"`}},

		{name: "no executable", files: map[string]string{"bin/handler": ""}, want: []string{"warning host host.json names the executable bin/handler, which is not there: the host runs on, and each tick hangs. Run go run ./infra/build"}},
		{name: "another name", files: map[string]string{"host.json": replaced("bin/handler", "bin/hadler")}, want: []string{"warning host bin/hadler, which is not there"}},
		{name: "built for Windows", files: map[string]string{"bin/handler": "", "bin/handler.exe": "MZ"}, want: []string{"warning host host.json names the executable bin/handler, and bin/handler.exe is there: the host runs on, and each tick hangs. Set " + executableVariable + " to bin/handler.exe among the Values"}},
		{name: "built for Windows and said so", files: map[string]string{"bin/handler": "", "bin/handler.exe": "MZ", "local.settings.json": `{"Values":{"` + executableVariable + `":"bin/handler.exe"}}`},
			want: []string{"warning host the executable bin/handler.exe has no run bit"}},
		{name: "another name in the settings", files: map[string]string{"local.settings.json": `{"Values":{"` + executableVariable + `":"bin/other"}}`}, want: []string{"warning host local.settings.json names the executable bin/other, which is not there"}},
		{name: "another name in the environment", settings: map[string]string{executableVariable: "bin/handler"}, files: map[string]string{"local.settings.json": `{"Values":{"` + executableVariable + `":"bin/other"}}`},
			want: []string{"ok host " + executableVariable + " starts bin/handler"}},
		{name: "no name", files: map[string]string{"host.json": replaced("bin/handler", "")}, want: []string{"warning host host.json names no executable"}},
		{name: "a folder", files: map[string]string{"host.json": replaced("bin/handler", "bin")}, want: []string{"warning host the executable bin, which is not a file"}},
		{name: "no run bit", mode: 0o644, want: []string{"warning host the executable bin/handler has no run bit: the host runs on, and each tick hangs. Run chmod +x bin/handler"}},
		{name: "a working directory", files: map[string]string{"host.json": replaced(`"bin/handler"`, `"handler","workingDirectory":"bin"`)}, want: []string{"ok host"}},
		{name: "a variable in the name", files: map[string]string{"host.json": replaced("bin/handler", "%WHERE%/handler")}, settings: map[string]string{"WHERE": "bin"}, want: []string{"ok host"}},
		{name: "a program of the system", files: map[string]string{"host.json": replaced("bin/handler", "sh")}, settings: map[string]string{"PATH": os.Getenv("PATH")}, want: []string{"ok host"}},

		{name: "no runtime", settings: map[string]string{runtimeVariable: ""}, want: []string{"warning host FUNCTIONS_WORKER_RUNTIME is not set"}},
		{name: "no runtime in the file", files: map[string]string{"local.settings.json": `{"Values":{"FUNCTIONS_WORKER_RUNTIMES":"custom"}}`}, settings: map[string]string{runtimeVariable: ""}, want: []string{"warning host FUNCTIONS_WORKER_RUNTIME is not set"}},
		{name: "native beside a go.mod", files: map[string]string{"go.mod": "module x"}, settings: map[string]string{runtimeVariable: "native"}, want: []string{"warning host FUNCTIONS_WORKER_RUNTIME is native, and beside this go.mod"}},
		{name: "native in the file", files: map[string]string{"go.mod": "module x", "local.settings.json": `{"Values":{"FUNCTIONS_WORKER_RUNTIME":"Native"}}`}, settings: map[string]string{runtimeVariable: ""}, want: []string{"warning host native"}},
		{name: "another runtime", settings: map[string]string{runtimeVariable: "node"}, want: []string{`warning host FUNCTIONS_WORKER_RUNTIME is "node"`}},
		{name: "settings that are no JSON", files: map[string]string{"local.settings.json": `{"Values":{"PUSHBACK_TEAMS_WEBHOOK_URL":"https://x.example/?sig=c2VjcmV0",}`}, settings: map[string]string{runtimeVariable: ""}, want: []string{"warning host local.settings.json cannot be read"}},

		{name: "all of it", mode: 0o644, settings: map[string]string{runtimeVariable: "", "PUSHBACK_TICK_TIMEOUT": "11m", "PUSHBACK_SCHEDULE": "*/5 * * * * *"}, want: []string{
			"warning host functionTimeout", "warning host no run bit", "warning host is not set", "warning schedule less than a minute"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"host.json": hostText, "bin/handler": "#!/bin/sh"}
			for name, text := range tc.files {
				if files[name] = text; text == "" {
					delete(files, name)
				}
			}
			dir := folder(t, files)
			if _, there := files["bin/handler"]; there {
				mode := tc.mode
				if mode == 0 {
					mode = 0o755
				}
				if err := os.Chmod(filepath.Join(dir, "bin/handler"), mode); err != nil {
					t.Fatal(err)
				}
			}
			settings := map[string]string{runtimeVariable: "custom", "PUSHBACK_SCHEDULE": "0 */5 * * * *", "PUSHBACK_TABLE_CONNECTION": inMemory}
			for k, v := range tc.settings {
				settings[k] = v
			}
			r := commandIn(t, dir, settings, "check", "--json")
			var lines []string
			for line := range strings.Lines(r.stdout) {
				var l checkLine
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Fatal(err)
				}
				if l.Check == "host" || l.Check == "schedule" && l.Status != checkOK {
					lines = append(lines, l.Status+" "+l.Check+" "+l.Text)
				}
			}
			slices.Sort(lines)
			want := slices.Sorted(slices.Values(tc.want))
			if len(lines) != len(want) {
				t.Fatalf("lines (-want +got):\n%s", cmp.Diff(want, lines))
			}
			for _, w := range want {
				words := strings.SplitN(w+" ", " ", 3)
				if !slices.ContainsFunc(lines, func(line string) bool {
					return strings.HasPrefix(line, words[0]+" "+words[1]+" ") && strings.Contains(line, strings.TrimSpace(words[2]))
				}) {
					t.Errorf("no %q in\n%s", w, strings.Join(lines, "\n"))
				}
			}
			if strings.Contains(r.stdout, "c2VjcmV0") {
				t.Error("a secret is shown")
			}
		})
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseTimeSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"00:10:00": 10 * time.Minute, "1.02:03:04": 26*time.Hour + 3*time.Minute + 4*time.Second, "00:00:30.5000000": 30 * time.Second, "0:5:0": 5 * time.Minute,
		"24:00:00": -1, "00:60:00": -1, "10m": -1, "": -1, "00:10": -1, "99999.00:00:00": -1, "-00:10:00": -1,
	} {
		got, ok := parseTimeSpan(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %s, %t", text, got, ok)
		}
	}
}
