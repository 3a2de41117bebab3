// Package biceptest runs the Bicep compiler for tests.
package biceptest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pushback/detect/checkout"
)

// Compiler is a running Bicep compiler. It runs once for all tests of a package: a
// start and the first file take it some seconds, and a further file a fraction of one.
type Compiler struct {
	Root string // the project's folder
	peer *peer

	mu    sync.Mutex
	built map[string]func() (*compiled, error) // by path
}

var shared = sync.OnceValues(start)

// errNone says that there is no compiler here. Its first words are those that .ci/run knows.
var errNone = errors.New("no Bicep compiler: neither beside the project, as ../shared/tools/bicep/bicep, nor on the PATH, nor where az bicep install puts it")

// Need returns the compiler, or skips a test where there is none.
func Need(t testing.TB) *Compiler {
	t.Helper()
	c, err := shared()
	if errors.Is(err, errNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start() (*Compiler, error) {
	root, err := checkout.Root()
	if err != nil {
		return nil, err
	}
	path, err := find(root, exec.LookPath, os.Getenv)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "jsonrpc", "--stdio")
	cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1") // it needs no ICU library then
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	// It ends with its standard input, which ends with the tests.
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &Compiler{Root: root, peer: newPeer(out, in), built: map[string]func() (*compiled, error){}}, nil
}

// find returns the compiler's path: the one beside the project, which all of its
// developers have, that of the PATH, or that of the Azure CLI.
func find(root string, look func(string) (string, error), env func(string) string) (string, error) {
	name := "bicep"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	beside := filepath.Join(root, "..", "shared", "tools", "bicep", name)
	if _, err := os.Stat(beside); err == nil {
		return beside, nil
	}
	if installed, err := look(name); err == nil {
		return installed, nil
	}
	config := env("AZURE_CONFIG_DIR")
	if config == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errNone
		}
		config = filepath.Join(home, ".azure")
	}
	if az := filepath.Join(config, "bin", name); exists(az) {
		return az, nil
	}
	return "", errNone
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// compiled is what the compiler answers about a file.
type compiled struct {
	Contents    string
	Parameters  string
	Diagnostics []Diagnostic
}

// Diagnostic is an error or a warning of the compiler or its linter.
type Diagnostic struct {
	Source, Level, Code, Message string
	Range                        struct{ Start struct{ Line, Char int } }
}

// Build compiles a Bicep file to a template, once for all tests that ask for it.
func (c *Compiler) Build(path string) ([]byte, []Diagnostic, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	build, ok := c.built[absolute]
	if !ok {
		build = sync.OnceValues(func() (*compiled, error) {
			answer := &compiled{}
			return answer, c.call("bicep/compile", absolute, nil, answer)
		})
		c.built[absolute] = build
	}
	c.mu.Unlock()
	answer, err := build()
	return []byte(answer.Contents), answer.Diagnostics, err
}

// BuildParams compiles a file of parameters, and returns it.
func (c *Compiler) BuildParams(path string) ([]byte, []Diagnostic, error) {
	var answer compiled
	err := c.call("bicep/compileParams", path, map[string]any{"parameterOverrides": map[string]any{}}, &answer)
	return []byte(answer.Parameters), answer.Diagnostics, err
}

// Format returns a file as the formatter has it.
func (c *Compiler) Format(path string) ([]byte, error) {
	var answer compiled
	err := c.call("bicep/format", path, nil, &answer)
	return []byte(answer.Contents), err
}

// Snapshot predicts, as JSON, what a file of parameters deploys into a resource group.
func (c *Compiler) Snapshot(path, subscription, group, location string) ([]byte, error) {
	var answer struct{ Snapshot string }
	err := c.call("bicep/getSnapshot", path, map[string]any{"metadata": map[string]any{
		"tenantId": nil, "subscriptionId": subscription, "resourceGroup": group, "location": location, "deploymentName": "main",
	}}, &answer)
	return []byte(answer.Snapshot), err
}

func (c *Compiler) call(method, path string, parameters map[string]any, answer any) error {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	all := map[string]any{"path": absolute}
	for name, value := range parameters {
		all[name] = value
	}
	if err := c.peer.call(method, all, answer); err != nil {
		return errors.New(strings.TrimPrefix(method, "bicep/") + " " + path + ": " + err.Error())
	}
	return nil
}
