package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"pushback/detect"
	"pushback/detect/ledger/azurite"
)

// mostMegabytes is the most that the process may take for a large result: the
// smallest instance has 512, and the host lives there too.
const mostMegabytes = 100

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakMegabytes returns the most memory that a process has had.
func peakMegabytes(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := peakLine.FindSubmatch(text)
	if m == nil {
		t.Fatalf("no peak in\n%s", text)
	}
	kilobytes, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return float64(kilobytes) / 1024
}

// largeTick has the process tell as many alerts as the large result has rows,
// and returns the most memory that it took.
func largeTick(t testing.TB, settings map[string]string) float64 {
	t.Helper()
	c := newCloud(t)
	answer := cannedAnswer(t, manyRows)
	c.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
		return true
	}
	h := startHost(t, c, settings)
	got := h.tick(c, at(11, 5), http.StatusOK)
	peak := peakMegabytes(t, h.cmd.Process.Pid)
	h.stop()
	if n := bytes.Count([]byte(h.stdout.String()), []byte(`"msg":"alert"`)); n != detect.DefaultConfig().SendLimit || got.answer.ReturnValue.Rules[0].Windows[0].New != manyRows {
		t.Errorf("%d alerts", n)
	}
	return peak
}

// tableOfItsOwn returns the settings for a ledger in an Azurite that nobody else
// uses and that is fit for many rows: the one that all tests share takes longer to
// record so many than a tick gives it.
func tableOfItsOwn(t testing.TB) map[string]string {
	t.Helper()
	addr, _ := azurite.On(t, t.TempDir())
	return map[string]string{"PUSHBACK_TABLE_CONNECTION": azurite.Connection(addr)}
}

func TestProcessMemory(t *testing.T) {
	// Not beside others: recording so much must not take longer than a tick gives it.
	// With the ledger in a table, as in production: what it writes takes memory too.
	if peak := largeTick(t, tableOfItsOwn(t)); peak >= mostMegabytes {
		t.Errorf("a result of %d rows took %.0f MB, and should take less than %d", manyRows, peak, mostMegabytes)
	}
}

// BenchmarkProcessMemory reports the peak of the process for the large result.
func BenchmarkProcessMemory(b *testing.B) {
	for _, place := range []struct {
		name     string
		settings func() map[string]string
	}{
		{"memory", func() map[string]string { return nil }},
		{"table", func() map[string]string { return tableOfItsOwn(b) }},
	} {
		b.Run(place.name, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(largeTick(b, place.settings()), "MB-peak")
			}
		})
	}
}

// BenchmarkProcessStart is the time from the start of the process until it
// answers.
func BenchmarkProcessStart(b *testing.B) {
	c := newCloud(b)
	h := startHost(b, c, nil)
	h.stop()
	var total time.Duration
	n := 0
	for b.Loop() {
		begin := time.Now()
		h.start()
		total += time.Since(begin)
		n++
		h.stop()
	}
	b.ReportMetric(float64(total.Microseconds())/1000/float64(n), "ms-to-answer")
}
