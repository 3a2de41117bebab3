package kql

import (
	"strings"
	"testing"
)

// What the scanner reads, the decoder reads as the same value, and what the
// decoder refuses the scanner does not read.
func FuzzScanJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,-2.5,1e300,"x",null,true,false]}`, `[1.0,1e15,123456789012345678901,-0.0,-0]`, `{"a":1,"a":2}`, ` [ ] `, `[,1]`, `[1,]`,
		`{,}`, `{"a":1,}`, `[1 2]`, `01`, `-`, `1.`, `1e`, `+1`, `"a`, `{"a" : {} , "b":[ [ ] ]}`, `1 2`, `nul`, ``, `]`, `{"a"}`, "\"\x7f\"", strings.Repeat("[", 70) + strings.Repeat("]", 70)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := scanJSON(text)
		if !ok {
			return
		}
		want, valid := decodeAnyJSON(text)
		if !valid {
			t.Fatalf("%q is read as %s, and is no JSON", text, got)
		}
		var a, b strings.Builder
		got.appendJSON(&a)
		want.appendJSON(&b)
		if a.String() != b.String() || got.kind != want.kind || got.size() != want.size() {
			t.Fatalf("%q is read as %s %s, want %s %s", text, got.kind, a.String(), want.kind, b.String())
		}
	})
}
