// Package bundle makes zips of files: the package that a function app is deployed from,
// and those of a release. The same files give the same bytes.
package bundle

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pushback/detect/document"
	"pushback/detect/route"
	"pushback/detect/rule"
	"pushback/detect/silence"
)

// shippedRules is the folder of the rules that go into the package for whoever
// sets PUSHBACK_RULES=rules.
const shippedRules = "detect/rule"

// File is a file of a zip.
type File struct {
	Name string // in the zip, with slashes
	From string // where it is
	Mode fs.FileMode
}

// App lists what a function app is deployed from: the handler that was built for it,
// host.json, the function and the rules of a folder of sources, and, unless it is empty,
// those of another folder, which have to be right as serve will read them.
func App(root, handler, rules string) ([]File, error) {
	packaged, err := rulesOf(root, rules)
	if err != nil {
		return nil, err
	}
	return append([]File{
		{"bin/handler", handler, 0o755},
		{"function-app/function.json", filepath.Join(root, "function-app/function.json"), 0o644},
		{"host.json", filepath.Join(root, "host.json"), 0o644},
	}, packaged...), nil
}

// rulesOf lists the rules to package: those of a folder, if there is one, and
// the shipped ones but for those whose ids are among them. All are right as serve
// will read them, or it is an error.
func rulesOf(root, dir string) ([]File, error) {
	var files []File
	var own []*rule.Rule
	var err error
	if dir != "" {
		if dir, err = regular(dir); err != nil {
			return nil, err
		}
		if own, err = load(dir); err != nil {
			return nil, err
		}
	}
	for _, r := range own {
		name, err := filepath.Rel(dir, r.File)
		if err != nil {
			return nil, err
		}
		// An export holds several rules.
		if name = "rules/" + filepath.ToSlash(name); !slices.ContainsFunc(files, func(f File) bool { return f.Name == name }) {
			files = append(files, File{name, r.File, 0o644})
		}
	}
	beside, err := besideRules(dir)
	if err != nil {
		return nil, err
	}
	files = append(files, beside...)
	var shipped []File
	for _, name := range rule.ShippedNames() {
		f := File{"rules/" + name + ".yaml", filepath.Join(root, shippedRules, name+".yaml"), 0o644}
		original, err := load(f.From)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(own, func(r *rule.Rule) bool { return strings.EqualFold(r.ID, original[0].ID) }); i >= 0 {
			fmt.Fprintf(os.Stderr, "package: %s has the id of the shipped rule %s and takes its place\n", own[i].File, name)
			continue
		}
		if i := slices.IndexFunc(files, func(o File) bool { return o.Name == f.Name }); i >= 0 {
			return nil, fmt.Errorf("%s has the name of a shipped rule and another id: give it another name, or one of them would be lost", files[i].From)
		}
		shipped = append(shipped, f)
	}
	return append(shipped, files...), nil
}

// besideRules lists the silences and the routes that stand in a folder of rules, for
// PUSHBACK_SILENCES and PUSHBACK_ROUTES. What they name the app knows: here they have to
// be readable.
func besideRules(dir string) (files []File, err error) {
	if dir == "" {
		return nil, nil
	}
	var errs []error
	for _, of := range []struct {
		kind string
		load func(path string) []document.Problem
	}{
		{"silences", func(path string) []document.Problem { _, p := silence.Load(path, silence.Words{}); return p }},
		{"routes", func(path string) []document.Problem { _, p := route.Load(path, route.Words{}); return p }},
	} {
		for _, path := range rule.Beside(dir, of.kind) {
			name, err := filepath.Rel(dir, path)
			if err = errors.Join(err, document.Errors(of.load(path))); err != nil {
				errs = append(errs, err)
				continue
			}
			files = append(files, File{"rules/" + filepath.ToSlash(name), path, 0o644})
		}
	}
	return files, errors.Join(errs...)
}

// load reads rules. Warnings are said, and the rest is an error.
func load(path string) ([]*rule.Rule, error) {
	rules, problems := rule.Load(path)
	var errs []error
	for _, p := range problems {
		if p.Warning {
			fmt.Fprintln(os.Stderr, "package:", p)
		} else {
			errs = append(errs, p)
		}
	}
	return rules, errors.Join(errs...)
}

// regular returns the folder that dir leads to, and an error if there is
// anything in it but files and folders: a link could bring a file of somewhere
// else into the package. Hidden ones are no rules and are left out.
func regular(dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", errors.Join(err, fmt.Errorf("%s is not a folder of rules", dir))
	}
	return dir, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		switch hidden := p != dir && strings.HasPrefix(d.Name(), "."); {
		case err != nil:
			return err
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden || d.IsDir() || d.Type().IsRegular():
			return nil
		}
		return fmt.Errorf("%s is not a regular file, and what it leads to is not packaged: put a copy in its place, or take it away", p)
	})
}

// zipTime is long ago, since a zip has times and ours must not differ.
var zipTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Write makes a zip, whole or not at all. Its bytes depend on the files alone.
func Write(out string, files []File) (err error) {
	dir := cmp.Or(filepath.Dir(out), ".")
	temp, err := os.CreateTemp(dir, ".bundle-*")
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
			return errors.Join(fmt.Errorf("packing %s: %w", f.Name, err), temp.Close())
		}
	}
	if err := errors.Join(w.Close(), temp.Chmod(0o644), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), out)
}

func add(w *zip.Writer, f File) error {
	header := &zip.FileHeader{Name: f.Name, Method: zip.Deflate, Modified: zipTime}
	header.SetMode(f.Mode)
	to, err := w.CreateHeader(header)
	if err != nil {
		return err
	}
	from, err := os.Open(f.From)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}
