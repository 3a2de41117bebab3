package main

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/handler/settings"
	"pushback/infra/binary"
)

// readJSON reads a file of the repository strictly into a struct that names
// all that may stand in it.
func readJSON(t *testing.T, path string, target any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(target); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// hostJSON is all that may stand in host.json. There is no extension bundle: the
// timer is part of the host, which does not start without internet if it has to
// fetch one.
type hostJSON struct {
	Version         string
	FunctionTimeout string
	Logging         struct {
		ApplicationInsights struct {
			SamplingSettings struct {
				IsEnabled     bool
				ExcludedTypes string
			}
		}
	}
	CustomHandler struct {
		Description struct {
			DefaultExecutablePath string
		}
	}
}

func TestHostJSON(t *testing.T) {
	t.Parallel()
	var h hostJSON
	readJSON(t, "host.json", &h)
	if h.Version != "2.0" {
		t.Errorf("%+v", h)
	}
	// What failed is a request, an exception or an error line, which is a trace.
	if diff := cmp.Diff([]string{"Request", "Exception", "Trace"}, strings.Split(h.Logging.ApplicationInsights.SamplingSettings.ExcludedTypes, ";")); diff != "" {
		t.Errorf("sampling may drop failures: %s", diff)
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	path := h.CustomHandler.Description.DefaultExecutablePath
	if !strings.Contains(string(makefile), "BIN ?= "+path+"\n") || path != "bin/"+(binary.Target{OS: "linux"}).Name() {
		t.Errorf("a build does not write %s", path)
	}
	clock, err := time.Parse(time.TimeOnly, h.FunctionTimeout)
	if err != nil {
		t.Fatal(err)
	}
	timeout := clock.Sub(clock.Truncate(24 * time.Hour))
	s, err := settings.Read()
	if err != nil {
		t.Fatal(err)
	}
	if s.TickTimeout+saveMargin > timeout {
		t.Errorf("a tick may take %s, and the host ends it after %s", s.TickTimeout, timeout)
	}
}

// saveMargin is the least that a tick needs to save and to answer when its
// time is up.
const saveMargin = 30 * time.Second

func TestFunctionJSON(t *testing.T) {
	t.Parallel()
	type binding struct {
		Type, Direction, Name, Schedule string
		UseMonitor                      bool
	}
	type retry struct {
		Strategy      string
		MaxRetryCount int
		DelayInterval string
	}
	var got struct {
		Bindings []binding
		Retry    retry
	}
	readJSON(t, "function-app/function.json", &got)
	if diff := cmp.Diff([]binding{{"timerTrigger", "in", timerBinding, "%PUSHBACK_SCHEDULE%", true}}, got.Bindings); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(retry{"fixedDelay", 2, "00:00:30"}, got.Retry); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat("../" + functionPath + "/function.json"); err != nil {
		t.Errorf("the host posts to the name of the folder: %v", err)
	}
}

// TestLocalSettingsExample keeps the example to the settings: their defaults in
// Values, and what they are outside, where no tool takes it for a setting. With
// -update it is written anew.
func TestLocalSettingsExample(t *testing.T) {
	values := [][2]string{{"AzureWebJobsStorage", "UseDevelopmentStorage=true"}, {"FUNCTIONS_WORKER_RUNTIME", "custom"}}
	var help [][2]string
	for _, s := range settings.All() {
		value := s.Default
		switch s.Key {
		case "PUSHBACK_WORKSPACE_ID":
			value = placeholder
		case "PUSHBACK_SCHEDULE":
			value = "0 */5 * * * *"
		}
		values, help = append(values, [2]string{s.Key, value}), append(help, [2]string{s.Key, s.Description})
	}
	var want strings.Builder
	members := func(name string, list [][2]string) {
		fmt.Fprintf(&want, "  %q: {\n", name)
		for i, m := range list {
			text, err := json.Marshal(m[1])
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&want, "    %q: %s%s\n", m[0], text, map[bool]string{true: ",", false: ""}[i < len(list)-1])
		}
		want.WriteString("  }")
	}
	want.WriteString("{\n  \"IsEncrypted\": false,\n")
	members("Values", values)
	want.WriteString(",\n")
	members("Help", help)
	want.WriteString("\n}\n")
	const file = "../local.settings.json.example"
	if *update {
		if err := os.WriteFile(file, []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want.String(), readFile(t, file)); diff != "" {
		t.Errorf("local.settings.json.example (-want +got); go test ./handler -run TestLocalSettingsExample -update writes it:\n%s", diff)
	}
	var example struct {
		IsEncrypted  bool
		Values, Help map[string]string
	}
	readJSON(t, "local.settings.json.example", &example)
	for key, value := range example.Values {
		if strings.HasPrefix(key, settings.Prefix) {
			t.Setenv(key, value)
		}
	}
	if _, err := settings.ReadFor("serve"); err != nil {
		t.Errorf("copied as it is, it is refused: %v", err)
	}
}

// TestBuild holds the binary for a function app to what the README says of it.
func TestBuild(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil && os.Getenv("CI") == "" {
		t.Skip("there is no make")
	}
	bin := filepath.Join(t.TempDir(), "handler")
	cmd := exec.CommandContext(t.Context(), "make", "-C", "..", "build", "BIN="+bin)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(bin)
	if err != nil {
		t.Fatal(err)
	}
	// What makes it larger at once is often package text/template, for which the linker
	// keeps every method: go build -ldflags=-dumpdep says what calls it.
	if info.Size() >= 25<<20 {
		t.Errorf("the binary has %d bytes", info.Size())
	}
	f, err := elf.Open(bin)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || len(libraries) > 0 {
			t.Errorf("the binary is not static: it needs %v", libraries)
		}
	}
}
