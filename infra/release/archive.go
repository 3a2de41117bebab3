package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"pushback/infra/binary"
)

type file struct {
	name, from string
	mode       fs.FileMode
}

// long ago, since a zip has times and ours must not differ.
var stamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// pack makes a zip whose bytes depend on the files alone.
func pack(out string, files []file) (err error) {
	to, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	w := zip.NewWriter(to)
	for _, f := range files {
		header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: stamp}
		header.SetMode(f.mode)
		entry, err := w.CreateHeader(header)
		if err != nil {
			return err
		}
		content, err := os.Open(f.from)
		if err != nil {
			return err
		}
		_, err = io.Copy(entry, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("packing %s: %w", f.from, err)
		}
	}
	return w.Close()
}

// packageApp has the package that a function app is deployed from made as ever, of the
// binary that was built for one, if it was.
func packageApp(root, out, built string, version binary.Version) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "run", "./infra/package", "-o", out, "-binary", built, "-version", version.Name, "-commit", version.Commit, "-date", version.Date.UTC().Format(time.RFC3339))
	cmd.Dir = cmp.Or(root, ".")
	// The compiler's results are kept for another folder, too.
	cmd.Env = append(os.Environ(), "GOOS=", "GOARCH=", "GOFLAGS=-mod=readonly -trimpath")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("packaging the app: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}

// sums writes the checksums of all files of a folder, as sha256sum -c reads them.
func sums(dir string) error {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return err
	}
	var list bytes.Buffer
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", sha256.Sum256(content), e.Name())
	}
	return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), list.Bytes(), 0o644)
}
