// Command package builds the zip that a function app is deployed from: the
// binary, host.json, the function and the rules, and nothing else. The same
// sources give the same bytes, whatever Go's variables are.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"pushback/infra/binary"
	"pushback/infra/bundle"
)

func main() {
	root := flag.String("root", ".", "the folder of host.json")
	out := flag.String("o", "pushback.zip", "the file to write")
	rules := flag.String("rules", "", "a folder of rules of your own to package beside the shipped ones, or, with the id of one, in its place")
	version := flag.String("version", "", "the version to stamp (default: what git describe says)")
	arch := flag.String("arch", "amd64", "the architecture of the app: Flex Consumption has amd64")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "package: unknown argument %q\n", flag.Arg(0))
		os.Exit(2)
	}
	stamp, err := stampOf(*root, *version)
	if err == nil {
		err = build(*root, *out, *rules, stamp, *arch)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

// stampOf returns what the binary is to say of its sources: what is given, and what git says.
func stampOf(root, version string) (binary.Version, error) {
	stamp, err := binary.Describe(root)
	if err != nil && version == "" {
		return stamp, fmt.Errorf("git does not say the version, so give one by -version: %w", err)
	}
	stamp.Name = cmp.Or(version, stamp.Name)
	return stamp, stamp.Check()
}

func build(root, out, rules string, stamp binary.Version, arch string) error {
	dir, err := os.MkdirTemp("", "package")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "handler")
	files, err := bundle.App(root, built, rules) // before the build, which takes long
	if err != nil {
		return err
	}
	if err := binary.Compile(root, built, stamp, binary.Target{OS: "linux", Arch: arch, Pinned: true}); err != nil {
		return fmt.Errorf("building the binary: %w", err)
	}
	return bundle.Write(out, files)
}
