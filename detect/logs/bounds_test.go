package logs

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pushback/detect/input"
)

// endless is a stream without an end that counts what is read of it.
type endless struct {
	begin io.Reader
	read  int64
}

func (e *endless) Read(p []byte) (int, error) {
	n, err := e.begin.Read(p)
	if err != nil {
		n = len(p)
		clear(p)
	}
	e.read += int64(n)
	return n, nil
}

// A record that does not end is not looked for the end of: the rest of the file is
// not read. What was read before it stays.
func TestEndlessRecord(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	good := `{"TimeGenerated":"2026-03-17T10:00:00Z"}`
	for _, tt := range []struct {
		name, file, text string
		records          int64
		line             int
	}{
		{"nothing", "SigninLogs.json", "", 0, 1},
		{"a line", "SigninLogs.json", good + "\n", 1, 2},
		{"a string", "SigninLogs.json", good + "\n" + `{"a":"`, 1, 2},
		{"an array", "SigninLogs.json", "[" + good + ",\n", 1, 2},
		{"a string in an array", "SigninLogs.json", "[" + good + `,{"a":"`, 1, 1},
		{"a record over several lines", "SigninLogs.json", "{\n\"a\": [\n", 0, 1},
		{"an envelope", "SigninLogs.json", `{"records":[` + good + ",", 1, 1},
		{"a CSV header", "SigninLogs.csv", "TimeGenerated,", 0, 1},
		{"a CSV record", "SigninLogs.csv", "TimeGenerated\n2026-03-17T10:00:00Z\n", 1, 3},
		{"UTF-16", "SigninLogs.json", "\xff\xfe{\x00", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := &endless{begin: strings.NewReader(tt.text)}
			r := NewReader(Options{MaxLine: limit})
			err := r.File(context.Background(), tt.file, src)
			if most := int64(2*mostSkipped + 8*limit); src.read > most {
				t.Errorf("%d bytes are read, more than %d", src.read, most)
			}
			want := fmt.Sprintf("%s:%d: a record goes on for more than %d bytes, where at most %d are read: the rest of the file is not read", tt.file, tt.line, mostSkipped, limit)
			if tt.records == 0 {
				if unusable, ok := errors.AsType[*FileError](err); !ok || !strings.Contains(unusable.Error(), want) {
					t.Errorf("error = %v, want %s", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			l, err := r.Finish()
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(l.Report.Problems); l.Report.Records != tt.records || l.Report.Bad != 1 || got != "["+want+"]" {
				t.Errorf("%d records, %d bad: %s, want %s", l.Report.Records, l.Report.Bad, got, want)
			}
		})
	}
}

// A watchlist that is too large is refused before it takes memory, also one that
// is small on the disk.
func TestLargeWatchlist(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text io.Reader, size int64, compressed bool) {
		t.Helper()
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		to := io.Writer(f)
		if compressed {
			z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
			if err != nil {
				t.Fatal(err)
			}
			defer z.Close()
			to = z
		}
		if _, err := io.Copy(to, text); err != nil {
			t.Fatal(err)
		}
		if size > 0 {
			if err := f.Truncate(size); err != nil {
				t.Fatal(err)
			}
		}
	}
	const header = "User\n"
	write("sparse.csv", strings.NewReader(header), maxWatchlist+1, false)
	write("zipped.csv", io.LimitReader(&endless{begin: strings.NewReader(header)}, maxWatchlist+1), 0, true)
	write("item.csv", strings.NewReader(header), 200<<20, false)
	for alias, want := range map[string]string{
		"sparse": "sparse.csv: the file is larger than 500 MiB, the limit",
		"zipped": "zipped.csv: the file is larger than 500 MiB, the limit",
		"item":   "item.csv: the item that begins at byte 6 is of more than 16777216 bytes, the limit",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Watchlists(dir, 0)(alias)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error = %v", alias, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 192<<20 {
			t.Errorf("%s: it took %d MiB", alias, took>>20)
		}
		var large *input.TooLargeError
		if alias != "item" && !errors.As(err, &large) {
			t.Errorf("%s: error = %v", alias, err)
		}
	}
}
