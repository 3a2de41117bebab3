package logs

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Lines are taken apart by several goroutines, block by block; what becomes of
// them must not show it.
func TestManyBlocksKeepTheirOrderAndLines(t *testing.T) {
	const lines = 6000
	var text strings.Builder
	var want []string
	var bad []string
	filler := strings.Repeat("x", 800)
	for i := 1; i <= lines; i++ {
		record := func(n string) string {
			want = append(want, n)
			return fmt.Sprintf(`{"TimeGenerated":"2026-03-17T00:00:00Z","Number":"%s","Filler":"%s"}`, n, filler)
		}
		switch {
		case i%311 == 0:
			fmt.Fprintf(&text, "  {\"TimeGenerated\":\"2026-03-17T00:00:00Z\",\"Number\":%q,}\n", filler)
			bad = append(bad, fmt.Sprintf("Some.json:%d:%d", i, 2+len(`{"TimeGenerated":"2026-03-17T00:00:00Z","Number":"",`)+len(filler)))
		case i%7 == 0:
			text.WriteString(" \r\n")
		case i%5 == 0:
			fmt.Fprintf(&text, "[%s, %s]\n", record(fmt.Sprint(i, "a")), record(fmt.Sprint(i, "b")))
		case i%3 == 0:
			fmt.Fprintf(&text, "\t%s \r\n", record(fmt.Sprint(i)))
		default:
			fmt.Fprintf(&text, "%s\n", record(fmt.Sprint(i)))
		}
	}
	text.WriteString(`{"TimeGenerated":"2026-03-17T00:00:00Z","Number":"last"}`)
	want = append(want, "last")
	if text.Len() < 8*blockSize {
		t.Fatalf("the file has only %d bytes", text.Len())
	}
	l := mustRead(t, Options{}, "Some.json", text.String())
	_, got := columnOf(t, l.Table("Some"), "Number")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	var places []string
	for _, p := range l.Report.Problems {
		place, _, _ := strings.Cut(p.String(), ": ")
		places = append(places, place)
	}
	if diff := cmp.Diff(bad, places); diff != "" {
		t.Errorf("places of bad lines (-want +got):\n%s", diff)
	}
}

// What ends the reading early also ends the work that goes on ahead of it.
func TestManyBlocksEndAtTheLimit(t *testing.T) {
	line := fmt.Sprintf(`{"TimeGenerated":"2026-03-17T00:00:00Z","Filler":"%s"}`+"\n", strings.Repeat("x", 1000))
	_, err := read(Options{MaxRows: 700}, "Some.json", strings.Repeat(line, 5000))
	if err == nil || !strings.Contains(err.Error(), "Some.json:701: more than 700 records") {
		t.Errorf("got %v, want the limit at line 701", err)
	}
}
