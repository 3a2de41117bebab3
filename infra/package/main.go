// Command package builds the zip that a function app is deployed from: the
// binary, host.json, the function and the rules, and nothing else. The same
// sources give the same bytes.
package main

import (
	"archive/zip"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	root := flag.String("root", ".", "the folder of host.json")
	out := flag.String("o", "pushback.zip", "the file to write")
	rules := flag.String("rules", "", "a folder of rules of your own to package beside the shipped one")
	version := flag.String("version", "", "the version to stamp (default: what git describe says)")
	arch := flag.String("arch", "amd64", "the architecture of the app: Flex Consumption has amd64")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "package: unknown argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	if err := build(*root, *out, *rules, *version, *arch); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// shippedRule goes into the package for whoever sets PUSHBACK_RULES=rules.
const shippedRule = "detect/rule/mfa-rejected-by-user.yaml"

var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

func build(root, out, rules, version, arch string) error {
	if version == "" {
		described, err := exec.Command("git", "-C", root, "describe", "--tags", "--always", "--dirty").Output()
		if err != nil {
			return fmt.Errorf("git describe does not say the version, so give one by -version: %w", err)
		}
		version = strings.TrimSpace(string(described))
	}
	if !plain.MatchString(version) {
		return fmt.Errorf("the version %q is no word of letters, digits and ._+-", version)
	}
	dir, err := os.MkdirTemp("", "package")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "handler")
	compile := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid= -X main.version="+version, "-o", binary, "./handler")
	compile.Dir = root
	compile.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	compile.Stderr = os.Stderr
	if err := compile.Run(); err != nil {
		return fmt.Errorf("building the binary: %w", err)
	}
	files := []file{
		{"bin/handler", binary, 0o755},
		{"function-app/function.json", filepath.Join(root, "function-app/function.json"), 0o644},
		{"host.json", filepath.Join(root, "host.json"), 0o644},
	}
	own, err := rulesOf(rules)
	if err != nil {
		return err
	}
	files = append(files, file{"rules/" + path.Base(shippedRule), filepath.Join(root, shippedRule), 0o644})
	for _, f := range own {
		if f.name == "rules/"+path.Base(shippedRule) {
			return fmt.Errorf("%s has the name of the shipped rule: give it another, or one of them would be lost", f.from)
		}
		files = append(files, f)
	}
	return write(out, files)
}

type file struct {
	name, from string
	mode       fs.FileMode
}

// rulesOf lists the rule files of a folder, in the order of their names.
func rulesOf(dir string) ([]file, error) {
	if dir == "" {
		return nil, nil
	}
	var files []file
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ext := strings.ToLower(filepath.Ext(p)); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		name, err := filepath.Rel(dir, p)
		files = append(files, file{"rules/" + filepath.ToSlash(name), p, 0o644})
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s has no .yaml file", dir)
	}
	return files, err
}

// long ago, since a zip has times and ours must not differ.
var stamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// write makes the zip, whole or not at all.
func write(out string, files []file) (err error) {
	dir := cmp.Or(filepath.Dir(out), ".")
	temp, err := os.CreateTemp(dir, ".package-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	w := zip.NewWriter(temp)
	for _, f := range files {
		if err := add(w, f); err != nil {
			return errors.Join(fmt.Errorf("packing %s: %w", f.name, err), temp.Close())
		}
	}
	if err := errors.Join(w.Close(), temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), out)
}

func add(w *zip.Writer, f file) error {
	header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: stamp}
	header.SetMode(f.mode)
	to, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	from, err := os.Open(f.from)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}
