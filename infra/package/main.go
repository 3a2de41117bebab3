// Command package builds the zip that a function app is deployed from: the
// binary, host.json, the function and the rules, and nothing else. The same
// sources give the same bytes, whatever Go's variables are.
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
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pushback/detect/document"
	"pushback/detect/route"
	"pushback/detect/rule"
	"pushback/detect/silence"
	"pushback/infra/binary"
)

func main() {
	root := flag.String("root", ".", "the folder of host.json")
	out := flag.String("o", "pushback.zip", "the file to write")
	rules := flag.String("rules", "", "a folder of rules of your own to package beside the shipped ones, or, with the id of one, in its place")
	version := flag.String("version", "", "the version to stamp (default: what git describe says)")
	commit := flag.String("commit", "", "the commit to stamp (default: what git says)")
	date := flag.String("date", "", "the time of the commit to stamp, as 2026-03-17T08:00:00Z (default: what git says)")
	arch := flag.String("arch", "amd64", "the architecture of the app: Flex Consumption has amd64")
	built := flag.String("binary", "", "the handler for Linux, built by infra/binary, to package instead of building one")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "package: unknown argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	stamp, err := stampOf(*root, *version, *commit, *date)
	if err == nil {
		err = build(*root, *out, *rules, *built, stamp, *arch)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// shippedRules is the folder of the rules that go into the package for whoever
// sets PUSHBACK_RULES=rules.
const shippedRules = "detect/rule"

// stampOf returns what the binary is to say of its sources: what is given, and what git says.
func stampOf(root, version, commit, date string) (binary.Version, error) {
	stamp, err := binary.Describe(root)
	if err != nil && version == "" {
		return stamp, fmt.Errorf("git does not say the version, so give one by -version: %w", err)
	}
	stamp.Name, stamp.Commit = cmp.Or(version, stamp.Name), cmp.Or(commit, stamp.Commit)
	if date != "" {
		if stamp.Date, err = time.Parse(time.RFC3339, date); err != nil {
			return stamp, fmt.Errorf("the date of the commit: %w", err)
		}
	}
	return stamp, stamp.Check()
}

func build(root, out, rules, built string, stamp binary.Version, arch string) error {
	packaged, err := rulesOf(root, rules)
	if err != nil {
		return err
	}
	if built == "" {
		dir, err := os.MkdirTemp("", "package")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		built = filepath.Join(dir, "handler")
		if err := binary.Compile(root, built, stamp, binary.Target{OS: "linux", Arch: arch, Pinned: true}); err != nil {
			return fmt.Errorf("building the binary: %w", err)
		}
	}
	return write(out, append([]file{
		{"bin/handler", built, 0o755},
		{"function-app/function.json", filepath.Join(root, "function-app/function.json"), 0o644},
		{"host.json", filepath.Join(root, "host.json"), 0o644},
	}, packaged...))
}

type file struct {
	name, from string
	mode       fs.FileMode
}

// rulesOf lists the rules to package: those of a folder, if there is one, and
// the shipped ones but for those whose ids are among them. All are right as serve
// will read them, or it is an error.
func rulesOf(root, dir string) ([]file, error) {
	var files []file
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
		if name = "rules/" + filepath.ToSlash(name); !slices.ContainsFunc(files, func(f file) bool { return f.name == name }) {
			files = append(files, file{name, r.File, 0o644})
		}
	}
	beside, err := besideRules(dir)
	if err != nil {
		return nil, err
	}
	files = append(files, beside...)
	var shipped []file
	for _, name := range rule.ShippedNames() {
		f := file{"rules/" + name + ".yaml", filepath.Join(root, shippedRules, name+".yaml"), 0o644}
		original, err := load(f.from)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(own, func(r *rule.Rule) bool { return strings.EqualFold(r.ID, original[0].ID) }); i >= 0 {
			fmt.Fprintf(os.Stderr, "package: %s has the id of the shipped rule %s and takes its place\n", own[i].File, name)
			continue
		}
		if i := slices.IndexFunc(files, func(o file) bool { return o.name == f.name }); i >= 0 {
			return nil, fmt.Errorf("%s has the name of a shipped rule and another id: give it another name, or one of them would be lost", files[i].from)
		}
		shipped = append(shipped, f)
	}
	return append(shipped, files...), nil
}

// besideRules lists the silences and the routes that stand in a folder of rules, for
// PUSHBACK_SILENCES and PUSHBACK_ROUTES. What they name the app knows: here they have to
// be readable.
func besideRules(dir string) (files []file, err error) {
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
			files = append(files, file{"rules/" + filepath.ToSlash(name), path, 0o644})
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
	header := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: zipTime}
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
