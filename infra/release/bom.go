package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"pushback/infra/binary"
)

// bomTool makes a bill of materials in the format of CycloneDX. Its version is fixed, so
// that a release made again is the same.
const bomTool = "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0"

// fetchTool builds the tool for this machine, whatever a binary is built for.
func fetchTool(dir string) (string, error) {
	cmd := exec.Command("go", "install", bomTool)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOOS=", "GOARCH=", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("fetching %s: %w", bomTool, err)
	}
	name := "cyclonedx-gomod"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(dir, name), nil
}

// writeBOM writes which modules a binary is made of, with their licences.
func writeBOM(tool, root, out string, version binary.Version, target binary.Target) error {
	env, err := target.Env(root)
	if err != nil {
		return err
	}
	cmd := exec.Command(tool, "app", "-json", "-licenses", "-std", "-noserial", "-main", "handler", ".")
	cmd.Dir = root
	cmd.Env = env
	var said bytes.Buffer
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the bill of materials for %s: %w: %s", target, err, strings.TrimSpace(said.String()))
	}
	settled, err := settle(text, version)
	if err != nil {
		return fmt.Errorf("the bill of materials for %s: %w", target, err)
	}
	return os.WriteFile(out, settled, 0o644)
}

// settle gives a bill the version and the time of the commit, in place of what the tool
// makes of the clone and its clock.
func settle(text []byte, version binary.Version) ([]byte, error) {
	var bom map[string]any
	if err := json.Unmarshal(text, &bom); err != nil {
		return nil, err
	}
	metadata, _ := bom["metadata"].(map[string]any)
	component, _ := metadata["component"].(map[string]any)
	old, _ := component["version"].(string)
	if old == "" {
		return nil, fmt.Errorf("it has no version of %q", component["name"])
	}
	component["version"] = version.Name
	metadata["timestamp"] = version.Date.UTC().Format(time.RFC3339)
	// The tool's own hash is that of this build of it, and its version is there.
	tools, _ := metadata["tools"].([]any)
	for _, t := range tools {
		if tool, ok := t.(map[string]any); ok {
			delete(tool, "hashes")
		}
	}
	name, _ := component["name"].(string)
	settled, err := json.MarshalIndent(renamed(bom, name+"@"+old, name+"@"+version.Name), "", "  ")
	return append(settled, '\n'), err
}

// renamed replaces the main module's version in all references to it.
func renamed(value any, old, name string) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = renamed(v[key], old, name)
		}
	case []any:
		for i := range v {
			v[i] = renamed(v[i], old, name)
		}
	case string:
		return strings.ReplaceAll(v, old, name)
	}
	return value
}
