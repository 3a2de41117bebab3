package ledger

import (
	"strings"
	"testing"
	"time"
)

func TestNotes(t *testing.T) {
	t.Parallel()
	eachLedger(t, func(t *testing.T, open func() *Ledger, c *testClock) {
		l, ctx := open(), t.Context()
		set := func(name, text, tag string, want bool) string {
			t.Helper()
			got, ok, err := l.SetNote(ctx, "rule", name, text, tag)
			if err != nil || ok != want || ok != (got != "") {
				t.Fatalf("SetNote(%q) = %q, %t, %v; want %t", name, got, ok, err, want)
			}
			return got
		}
		expect := func(rule, name, want string) string {
			t.Helper()
			text, tag, err := open().Note(ctx, rule, name)
			if err != nil || text != want || (tag == "") != (want == "") {
				t.Errorf("Note(%q, %q) = %.60q, %q, %v; want %.60q", rule, name, text, tag, err, want)
			}
			return tag
		}
		expect("rule", "a", "")
		first := set("a", "one", "", true)
		set("a", "another", "", false)
		if tag := expect("rule", "a", "one"); tag != first {
			t.Errorf("the tag is %q, and was %q", tag, first)
		}
		second := set("a", "two", first, true)
		set("a", "late", first, false)
		expect("rule", "a", "two")
		expect("other", "a", "")
		// A name cannot break a key or reach another row, and a text may be long.
		hostile := "../run?#\\\x00' or RowKey ne '" + strings.Repeat("x", 2000)
		long := "é😀\u0000" + strings.Repeat("x", 120_000)
		set(hostile, long, "", true)
		expect("rule", hostile, long)
		if _, _, err := l.SetNote(ctx, "rule", "b", strings.Repeat("x", maxNote+1), ""); err == nil {
			t.Error("a note that is too long is taken")
		}
		// It goes when it was not set for a year, and nothing else does.
		record(t, l, "rule", State{First: noon, Watermark: noon}, nil)
		purge := func(want int) {
			t.Helper()
			if n, err := l.Purge(ctx, c.now()); err != nil || n != want {
				t.Errorf("Purge at %s = %d, %v; want %d", c.now(), n, err, want)
			}
		}
		c.t = noon.Add(300 * 24 * time.Hour)
		purge(0)
		set("a", "three", second, true)
		c.t = noon.Add(370 * 24 * time.Hour)
		purge(1)
		expect("rule", hostile, "")
		expect("rule", "a", "three")
	})
}
