// Command release makes what a tag is released with, in one folder: the handler for
// each platform in a zip, the package that a function app is deployed from, a bill of
// materials of each binary, checksums, and notes from the commits. The same commit gives
// the same bytes, in any folder.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pushback/infra/binary"
	"pushback/infra/bundle"
)

// platforms are those of a release. The first is that of a function app.
var platforms = []binary.Target{
	{OS: "linux", Arch: "amd64"},
	{OS: "linux", Arch: "arm64"},
	{OS: "darwin", Arch: "amd64"},
	{OS: "darwin", Arch: "arm64"},
	{OS: "windows", Arch: "amd64"},
}

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", ".", "the folder of go.mod, a clone")
	out := flags.String("o", "dist", "the folder to write, which must not be there yet")
	tag := flags.String("tag", "", "the tag that is released; without one this is a rehearsal of the sources as they are")
	notes := flags.String("notes", "", "a file to write the notes to; without one there are none")
	only := flags.String("platforms", "", "the platforms, as linux/amd64, with commas between them (default: all)")
	bom := flags.Bool("sbom", true, "make bills of materials, which fetches the tool that does")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	targets, err := choose(*only)
	if err != nil || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "release:", errors.Join(err, unknown(flags.Args())))
		return 2
	}
	if err := release(*root, *out, *tag, *notes, targets, *bom); err != nil {
		fmt.Fprintln(stderr, "release:", err)
		return 1
	}
	return 0
}

func unknown(args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("unknown argument %q", args[0])
}

// choose returns the platforms that a list names.
func choose(list string) ([]binary.Target, error) {
	if list == "" {
		return platforms, nil
	}
	var chosen []binary.Target
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(platforms, func(t binary.Target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("%q is none of the platforms %v", name, platforms)
		}
		chosen = append(chosen, platforms[i])
	}
	return chosen, nil
}

func release(root, out, tag, notesFile string, targets []binary.Target, bom bool) error {
	version, err := binary.Describe(root)
	if err != nil {
		return err
	}
	if tag != "" {
		// Not what git describe says, which of two tags of a commit names one.
		of, err := binary.Git(root, "rev-parse", "--verify", "--quiet", "refs/tags/"+tag+"^{commit}")
		if err != nil || of != version.Commit {
			return fmt.Errorf("the sources are %s, not %s: check out the tag, and commit or delete what git status lists", version.Name, tag)
		}
		version.Name = tag
	}
	text := ""
	if notesFile != "" {
		if text, err = notes(root, version.Name); err != nil {
			return err
		}
	}
	if err := build(root, out, version, targets, bom); err != nil {
		return err
	}
	if notesFile != "" {
		return os.WriteFile(notesFile, []byte(text), 0o644)
	}
	return nil
}

// build writes the folder.
func build(root, out string, version binary.Version, targets []binary.Target, bom bool) (err error) {
	if err := version.Check(); err != nil {
		return err
	}
	if err := os.Mkdir(out, 0o755); err != nil {
		return fmt.Errorf("the folder of the release must be new: %w", err)
	}
	temp, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	var tool string
	if bom {
		if tool, err = fetchTool(temp); err != nil {
			return err
		}
	}
	app := ""
	prefix := filepath.Join(out, "pushback_"+version.Name+"_")
	for _, target := range targets {
		target.Pinned = true
		built := filepath.Join(temp, target.OS+"-"+target.Arch, target.Name())
		if err := binary.Compile(root, built, version, target); err != nil {
			return err
		}
		if target.String() == platforms[0].String() {
			app = built
		}
		name := prefix + target.OS + "_" + target.Arch
		if err := bundle.Write(name+".zip", []bundle.File{
			{Name: target.Name(), From: built, Mode: 0o755},
			{Name: "LICENSE", From: filepath.Join(root, "LICENSE"), Mode: 0o644},
		}); err != nil {
			return err
		}
		if bom {
			if err := writeBOM(tool, root, name+".cdx.json", version, target); err != nil {
				return err
			}
		}
	}
	if app == "" { // it was not chosen
		app = filepath.Join(temp, "handler")
		host := platforms[0]
		host.Pinned = true
		if err := binary.Compile(root, app, version, host); err != nil {
			return err
		}
	}
	files, err := bundle.App(root, app, "")
	if err == nil {
		err = bundle.Write(prefix+"functionapp.zip", files)
	}
	if err != nil {
		return fmt.Errorf("packaging the app: %w", err)
	}
	return sums(out)
}
