// Command signins writes generated sign-ins, one JSON record a line, for
// benchmarks of reading: go run ./.ci/signins 1000000 > SigninLogs.ndjson
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"pushback/detect/sample"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: signins ROWS > SigninLogs.ndjson")
		os.Exit(2)
	}
	rows, err := strconv.Atoi(os.Args[1])
	if err != nil || rows < 1 {
		fmt.Fprintf(os.Stderr, "signins: %q is not a number of rows\n", os.Args[1])
		os.Exit(2)
	}
	if err := write(os.Stdout, rows); err != nil {
		fmt.Fprintln(os.Stderr, "signins:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, rows int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	for r := range sample.Stream(sample.Options{Seed: 1, Day: time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)}, rows) {
		if _, err := out.Write(append(r.JSON, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}
