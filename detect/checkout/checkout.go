// Package checkout finds the project's folder, for tests that use what is in it
// beside the code.
package checkout

import (
	"errors"
	"os"
	"path/filepath"
)

// Root returns the project's folder: the nearest above the working directory that has
// a go.mod. That of a test is its package's.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above the tests has a go.mod")
		}
		dir = parent
	}
}
