package workspace

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestHeldBytes compares what values are said to take with the heap. It runs by
// itself, since the heap is everybody's.
func TestHeldBytes(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for name, cell := range map[string]func(i int) (kind, text string){
		"long": func(i int) (string, string) { return "long", fmt.Sprint(1000 + i) },
		"real": func(i int) (string, string) { return "real", fmt.Sprint(i, ".5") },
		"text": func(i int) (string, string) { return "string", fmt.Sprintf(`"a text of the usual length %d"`, i) },
		"time": func(i int) (string, string) {
			return "datetime", fmt.Sprintf(`"2026-03-17T10:%02d:%02d.%dZ"`, i/60%60, i%60, i)
		},
		"object": func(i int) (string, string) {
			return "dynamic", fmt.Sprintf(`"{\"code\":%d,\"reason\":\"other\",\"more\":{\"a\":true}}"`, i)
		},
		"large object":  func(i int) (string, string) { return "dynamic", fmt.Sprintf(`"{\"a\":%d%s}"`, i, keys(40)) },
		"empty arrays":  func(i int) (string, string) { return "dynamic", fmt.Sprintf(`"[%d%s]"`, i, strings.Repeat(",[]", 100)) },
		"empty objects": func(i int) (string, string) { return "dynamic", fmt.Sprintf(`"[%d%s]"`, i, strings.Repeat(",{}", 100)) },
		"numbers":       func(i int) (string, string) { return "dynamic", fmt.Sprintf(`"[%d%s]"`, i, strings.Repeat(",1", 100)) },
		"nested arrays": func(i int) (string, string) {
			return "dynamic", fmt.Sprintf(`"%s%d%s"`, strings.Repeat("[", 50), i, strings.Repeat("]", 50))
		},
		"a dynamic text": func(i int) (string, string) { return "dynamic", fmt.Sprintf(`"text %d"`, i) },
	} {
		held, rows := int64(0), make([]any, 0, 5000)
		before := heap()
		kind, _ := cell(0)
		parse := remembering(parsers[kind], &held)
		for i := range cap(rows) {
			_, text := cell(i)
			v, err := parse(json.RawMessage(text))
			if err != nil {
				t.Fatalf("%s: %s: %v", name, text, err)
			}
			rows = append(rows, v)
		}
		runtime.KeepAlive(parse)
		taken := heap() - before - int64(100<<10) // what remembers takes some too
		if share := float64(held) / float64(taken); taken > 200<<10 && (share < 0.8 || share > 2) {
			t.Errorf("%s: of %d KiB on the heap %.0f %% are counted", name, taken>>10, share*100)
		}
		runtime.KeepAlive(rows)
	}
}

func keys(n int) string {
	var sb strings.Builder
	for i := range n {
		fmt.Fprintf(&sb, `,\"key %d\":null`, i)
	}
	return sb.String()
}
