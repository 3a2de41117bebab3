package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/infra/binary"
)

// editorTask is all that may stand in a task of VS Code here.
type editorTask struct {
	Label, Detail, Type, Command string
	Args                         []string
	Group                        struct {
		Kind      string
		IsDefault bool
	}
	Windows struct {
		Options struct{ Env map[string]string }
	}
	IsBackground bool
	DependsOn    any // a label or a list of them
	DependsOrder string
	// One that comes with VS Code, a list of none, or an object.
	ProblemMatcher json.RawMessage
}

func (e editorTask) needs(t *testing.T) []string {
	t.Helper()
	switch d := e.DependsOn.(type) {
	case nil:
		return nil
	case string:
		return []string{d}
	case []any:
		var labels []string
		for _, l := range d {
			label, ok := l.(string)
			if !ok {
				t.Fatalf("%s depends on %v", e.Label, l)
			}
			labels = append(labels, label)
		}
		return labels
	}
	t.Fatalf("%s depends on %v", e.Label, e.DependsOn)
	return nil
}

// ends returns what a task in the background prints when it is ready.
func (e editorTask) ends(t *testing.T) *regexp.Regexp {
	t.Helper()
	var matcher struct {
		Owner      string
		Pattern    struct{ Regexp string }
		Background struct {
			ActiveOnStart              bool
			BeginsPattern, EndsPattern string
		}
	}
	if err := json.Unmarshal(e.ProblemMatcher, &matcher); err != nil || matcher.Background.EndsPattern == "" || !matcher.Background.ActiveOnStart {
		t.Fatalf("%s runs on, and nobody sees when it is ready: %v", e.Label, err)
	}
	return regexp.MustCompile(matcher.Background.EndsPattern)
}

func editorTasks(t *testing.T) map[string]editorTask {
	t.Helper()
	var file struct {
		Version string
		Tasks   []editorTask
	}
	readJSON(t, ".vscode/tasks.json", &file)
	if file.Version != "2.0.0" {
		t.Errorf("version %q", file.Version)
	}
	tasks := map[string]editorTask{}
	for _, task := range file.Tasks {
		if _, twice := tasks[task.Label]; twice || task.Label == "" {
			t.Errorf("two tasks are %q", task.Label)
		}
		tasks[task.Label] = task
	}
	return tasks
}

// Each label that a task or F5 names is there, no task waits for itself, and what they
// name of this project is there.
func TestEditorFiles(t *testing.T) {
	t.Parallel()
	tasks := editorTasks(t)
	var waits func(label string, path []string)
	waits = func(label string, path []string) {
		task, ok := tasks[label]
		if !ok {
			t.Errorf("%v: there is no task %q", path, label)
			return
		}
		if slices.Contains(path, label) {
			t.Errorf("%v: waits for itself", append(path, label))
			return
		}
		for _, next := range task.needs(t) {
			waits(next, append(slices.Clone(path), label))
		}
	}
	inProject := func(where, text string) {
		for _, m := range regexp.MustCompile(`(?:^|\s|\$\{workspaceFolder\}/)(\.ci/[\w./-]+|\./[\w./-]+|handler)(?:\s|$)`).FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil && !strings.Contains(m[1], "node_modules") {
				t.Errorf("%s names %s: %v", where, m[1], err)
			}
		}
	}
	for label, task := range tasks {
		waits(label, nil)
		inProject(label, strings.Join(append([]string{task.Command}, task.Args...), " "))
		if task.Command == "" && len(task.needs(t)) == 0 {
			t.Errorf("%s does nothing", label)
		}
		if task.IsBackground {
			task.ends(t)
		}
	}
	if env := tasks["func start"].Windows.Options.Env; env[executableVariable] != "bin/"+(binary.Target{OS: "windows"}).Name() {
		t.Errorf("on Windows the host looks for %v", env)
	}
	if b := tasks["build"]; b.Group.Kind != "build" || !b.Group.IsDefault {
		t.Errorf("the default build is not %+v", b)
	}

	type launch struct {
		Name, Type, Request, Mode, Program, Cwd, ProcessID, PreLaunchTask string
		Args                                                              []string
		Windows                                                           struct{ ProcessID string }
	}
	var file struct {
		Version        string
		Configurations []launch
	}
	readJSON(t, ".vscode/launch.json", &file)
	readme := readFile(t, "README.md")
	for _, c := range file.Configurations {
		if c.PreLaunchTask != "" {
			waits(c.PreLaunchTask, []string{c.Name})
		}
		if c.Type != "go" || !strings.Contains(readme, "| "+c.Name+" |") {
			t.Errorf("%q is of type %q, and README.md says nothing of it", c.Name, c.Type)
		}
		switch c.Request {
		case "launch":
			inProject(c.Name, c.Program)
			root := newRoot(os.Stdout, os.Stderr)
			cmd, flags, err := root.Find(c.Args)
			if err != nil || cmd == root || cmd.ParseFlags(flags) != nil {
				t.Errorf("%s: handler %q: %v", c.Name, c.Args, err)
			}
		case "attach":
			if c.ProcessID != (binary.Target{OS: "linux"}).Name() || c.Windows.ProcessID != (binary.Target{OS: "windows"}).Name() || c.Mode != "local" {
				t.Errorf("%s: %+v", c.Name, c)
			}
		default:
			t.Errorf("%s: request %q", c.Name, c.Request)
		}
	}
	if len(file.Configurations) != 3 {
		t.Errorf("%d configurations", len(file.Configurations))
	}

	var settings map[string]any
	readJSON(t, ".vscode/settings.json", &settings)
	if settings["azureFunctions.projectLanguage"] != "Custom" {
		t.Errorf("%v", settings)
	}
	var extensions struct{ Recommendations []string }
	readJSON(t, ".vscode/extensions.json", &extensions)
	var container struct {
		Name, Image, PostCreateCommand string
		Features                       map[string]map[string]any
		ForwardPorts                   []int
		Customizations                 struct {
			VSCode struct{ Extensions []string }
		}
	}
	readJSON(t, ".devcontainer/devcontainer.json", &container)
	if diff := cmp.Diff(extensions.Recommendations, container.Customizations.VSCode.Extensions); diff != "" {
		t.Errorf("the container has other extensions (-recommended +container):\n%s", diff)
	}
	gomod := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(readFile(t, "../go.mod"))
	workflow := readFile(t, "../.github/workflows/test.yml")
	for feature, version := range map[string]string{
		"ghcr.io/devcontainers/features/go:1":     gomod[1],
		"ghcr.io/devcontainers/features/node:1":   regexp.MustCompile(`node-version: (\d+)`).FindStringSubmatch(workflow)[1],
		"ghcr.io/devcontainers/features/python:1": regexp.MustCompile(`python-version: '([\d.]+)'`).FindStringSubmatch(workflow)[1],
	} {
		if got := container.Features[feature]["version"]; got != version {
			t.Errorf("the container has %s %v, and the tests are with %s", feature, got, version)
		}
	}
	for _, want := range []string{"ghcr.io/devcontainers/features/azure-cli:1", "ghcr.io/azure/azure-dev/azd:latest"} {
		if _, ok := container.Features[want]; !ok {
			t.Errorf("the container has no %s", want)
		}
	}
	if !strings.Contains(container.PostCreateCommand, "azure-functions-core-tools@4") {
		t.Errorf("the container has no Core Tools: %s", container.PostCreateCommand)
	}
}

// The commands of the tasks work.
func TestEditorTasks(t *testing.T) {
	t.Parallel()
	tasks := editorTasks(t)
	command := func(ctx context.Context, label string, replace func(string) string, more ...string) *exec.Cmd {
		task := tasks[label]
		var args []string
		for _, a := range task.Args {
			args = append(args, replace(a))
		}
		return exec.CommandContext(ctx, task.Command, append(args, more...)...)
	}
	same := func(s string) string { return s }

	t.Run("build", func(t *testing.T) {
		t.Parallel()
		// Without -debug, which would compile everything once more.
		if !slices.Contains(tasks["build"].Args, "-debug") {
			t.Error("a debugger could not read what is built")
		}
		out := filepath.Join(t.TempDir(), "handler")
		cmd := command(t.Context(), "build", func(s string) string { return strings.Replace(s, "-debug", "-debug=false", 1) }, "-o", out)
		cmd.Dir = ".."
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if text, err := exec.Command(out, "--version").CombinedOutput(); err != nil || !strings.Contains(string(text), runtime.GOOS) {
			t.Errorf("%v: %s", err, text)
		}
	})
	t.Run("settings", func(t *testing.T) {
		t.Parallel()
		dir := folder(t, map[string]string{"local.settings.json.example": "new"})
		for _, want := range []string{"new", "mine"} { // what is there stays
			cmd := command(t.Context(), "settings", same)
			cmd.Dir = dir
			if text, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			if got := readFile(t, filepath.Join(dir, "local.settings.json")); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if err := os.WriteFile(filepath.Join(dir, "local.settings.json"), []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := command(t.Context(), "settings", same)
		cmd.Dir = t.TempDir()
		if err := cmd.Run(); err == nil {
			t.Error("no example is no error")
		}
	})
	t.Run("tick", func(t *testing.T) {
		t.Parallel()
		for _, status := range []int{http.StatusAccepted, http.StatusUnsupportedMediaType} {
			var asked []string
			host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type"))
				w.WriteHeader(status)
			}))
			err := command(t.Context(), "tick", func(s string) string { return strings.Replace(s, "http://127.0.0.1:7071", host.URL, 1) }).Run()
			host.Close()
			if !slices.Equal(asked, []string{"POST /admin/functions" + functionPath + " application/json"}) || (err == nil) != (status == http.StatusAccepted) {
				t.Errorf("%d: %q, %v", status, asked, err)
			}
		}
	})
	t.Run("azurite", func(t *testing.T) {
		t.Parallel()
		if _, err := os.Stat("../.ci/node_modules/azurite"); err != nil && os.Getenv("CI") == "" {
			t.Skip("Azurite is not installed: run make test")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		free := []string{"--blobPort", "0", "--queuePort", "0", "--tablePort", "0"} // the usual ones may be taken
		cmd := command(ctx, "azurite", func(s string) string {
			return strings.Replace(s, ".ci/", filepath.ToSlash(absolute(t, "../.ci"))+"/", 1)
		}, free...)
		cmd.Dir = t.TempDir()
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ends, ready := tasks["azurite"].ends(t), ""
		var said strings.Builder
		for lines := bufio.NewScanner(out); ready == "" && lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if ends.MatchString(lines.Text()) {
				ready = lines.Text()
			}
		}
		address := regexp.MustCompile(`[\d.]+:\d+`).FindString(ready)
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Errorf("it is not ready by %q: %v\n%s", ready, err, said.String())
		} else {
			c.Close()
		}
		cancel()
		_ = cmd.Wait() // it was killed
	})
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
