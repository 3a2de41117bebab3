package sample

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "plain", hostileDisplay, hostileDevice, hostileAgent, hostileApp, "\x7f\u0085", "東京"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) {
			t.Skip("callers give valid UTF-8 only")
		}
		quoted := appendQuoted(nil, s)
		var back string
		if err := json.Unmarshal(quoted, &back); err != nil || back != s {
			t.Errorf("%q is written as %s and read as %q (%v)", s, quoted, back, err)
		}
	})
}
