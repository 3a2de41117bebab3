package page

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the renderer and its licence anew, from the package at its pinned version")

const (
	ci       = "../../.ci"
	renderer = "adaptivecards/adaptivecards.min.js.gz"
)

// TestRenderer compares the renderer in the binary, and its licence, with the package
// that the lock file pins.
func TestRenderer(t *testing.T) {
	t.Parallel()
	installed := filepath.Join(ci, "node_modules", "adaptivecards")
	manifest, err := os.ReadFile(filepath.Join(installed, "package.json"))
	if err != nil {
		t.Skip("the official renderer is not installed: run npm ci --prefix .ci at the top of the project (needs Node.js)")
	}
	var is struct{ Version, License string }
	if err := json.Unmarshal(manifest, &is); err != nil {
		t.Fatal(err)
	}
	if is.Version != rendererVersion || is.License != "MIT" {
		t.Errorf("the package is %s, of licence %s: the page says %s and MIT", is.Version, is.License, rendererVersion)
	}
	licence, err := os.ReadFile(filepath.Join(installed, "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join(ci, "cards", "renderer.js"))
	cmd.Stderr = &stderr
	want, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, stderr.String())
	}
	if *update {
		var packed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if _, err := z.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{renderer: packed.Bytes(), "adaptivecards/LICENSE": licence} {
			if err := os.WriteFile(name, content, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	packed, err := files.ReadFile(renderer)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unpacked(packed); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what .ci/cards/renderer.js makes of the package (%v): write it with go test ./handler/page -run TestRenderer -update", renderer, err)
	}
	if got, err := files.ReadFile("adaptivecards/LICENSE"); err != nil || !bytes.Equal(got, licence) {
		t.Errorf("the licence is not the package's (%v)", err)
	}
}
