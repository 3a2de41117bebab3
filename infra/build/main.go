// Command build builds the handler where the Functions host looks for it, on any
// system and without make.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"pushback/infra/binary"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", ".", "the folder of go.mod")
	out := flags.String("o", "", "the file to write (default: handler in the folder bin, handler.exe for Windows)")
	system := flags.String("os", "", "the system to build for, as Go names it (default: this one)")
	arch := flags.String("arch", "", "the architecture to build for, as Go names it (default: this one)")
	version := flags.String("version", "", "the version to stamp (default: what git describe says)")
	debug := flags.Bool("debug", false, "keep what a debugger needs")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "build: unknown argument %q\n", flags.Arg(0))
		return 2
	}
	target := binary.Target{OS: *system, Arch: *arch, Debug: *debug}
	described, err := binary.Describe(*root)
	if err != nil { // a download that is no clone is built all the same
		fmt.Fprintln(stderr, "build: the binary will not say its commit:", err)
	}
	if *version != "" {
		described.Name = *version
	}
	if *out == "" {
		*out = filepath.Join(*root, "bin", target.Name())
	}
	if err := binary.Compile(*root, *out, described, target); err != nil {
		fmt.Fprintln(stderr, "build:", err)
		return 1
	}
	if *system == "" && runtime.GOOS == "windows" {
		fmt.Fprintf(stderr, "build: %s is there; func start looks for what AzureFunctionsJobHost__customHandler__description__defaultExecutablePath names, see handler/README.md\n", *out)
	}
	return 0
}
