// Command signins writes generated sign-ins, one JSON record a line, for
// benchmarks of reading: go run ./.ci/signins 1000000 > SigninLogs.ndjson
//
// A second number is how many people sign in, 300 without it.
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
	if len(os.Args) != 2 && len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: signins ROWS [PEOPLE] > SigninLogs.ndjson")
		os.Exit(2)
	}
	numbers := []int{0, 0}
	for i, text := range os.Args[1:] {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			fmt.Fprintf(os.Stderr, "signins: %q is not a number of %s\n", text, []string{"rows", "people"}[i])
			os.Exit(2)
		}
		numbers[i] = n
	}
	if err := write(os.Stdout, numbers[0], numbers[1]); err != nil {
		fmt.Fprintln(os.Stderr, "signins:", err)
		os.Exit(1)
	}
}

func write(w io.Writer, rows, people int) error {
	out := bufio.NewWriterSize(w, 1<<20)
	for r := range sample.Stream(sample.Options{Seed: 1, Users: people, Day: time.Date(2026, 3, 17, 0, 0, 0, 0, time.UTC)}, rows) {
		if _, err := out.Write(append(r.JSON, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}
