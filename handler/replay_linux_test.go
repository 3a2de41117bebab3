package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// largeReplay is how many sign-ins the largest replay of BenchmarkReplay has.
var largeReplay = flag.Int("replay.rows", 100_000, "sign-ins of the largest replay that is measured")

// BenchmarkReplay replays the shipped rules with their context over a day of ever more
// sign-ins, of 300 people and of 20,000. It reports the peak of the process, and how
// many times as long it takes as a query that reads one column.
func BenchmarkReplay(b *testing.B) {
	bin, err := built()
	if err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, args ...string) (took time.Duration, megabytes float64) {
		cmd := exec.CommandContext(b.Context(), bin, args...)
		begun := time.Now()
		if err := cmd.Run(); err != nil {
			b.Fatalf("%v: %v", args, err)
		}
		return time.Since(begun), float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) / 1024
	}
	for _, people := range []int{300, 20_000} {
		for rows := 10_000; rows <= *largeReplay; rows *= 10 {
			b.Run(fmt.Sprintf("people=%d/rows=%d", people, rows), func(b *testing.B) {
				dir := b.TempDir()
				writeSignIns(b, filepath.Join(dir, "SigninLogs.ndjson"), rows, people)
				var reading, replaying time.Duration
				peak := 0.0
				for b.Loop() {
					took, _ := run(b, "query", "--logs", dir, "SigninLogs | summarize count() by ResultType")
					reading += took
					took, megabytes := run(b, "replay", "--logs", dir, "--json")
					replaying += took
					peak = max(peak, megabytes)
				}
				b.ReportMetric(peak, "MB-peak")
				b.ReportMetric(replaying.Seconds()/float64(b.N), "s/replay")
				b.ReportMetric(float64(replaying)/float64(reading), "readings")
			})
		}
	}
}

// writeSignIns writes a file of a day of sign-ins.
func writeSignIns(b *testing.B, name string, rows, people int) {
	b.Helper()
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), "go", "run", "./.ci/signins", strconv.Itoa(rows), strconv.Itoa(people))
	cmd.Dir, cmd.Stdout, cmd.Stderr = "..", f, os.Stderr
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}
