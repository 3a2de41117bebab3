package logs

import (
	"bytes"
	"strings"
	"testing"
)

// A string ends where a strict parser says, wherever it begins in a word of eight
// bytes, and whatever bytes are in it.
func TestStringEnd(t *testing.T) {
	t.Parallel()
	check := func(inner string) {
		t.Helper()
		for shift := range 9 {
			text := strings.Repeat(" ", shift) + `"` + inner + `"` + "\n" + strings.Repeat("\x00", padding)
			end, escaped := stringEnd([]byte(text), mark(nil, []byte(text), len(text)-padding), shift+1)
			quoted := []byte(`"` + inner + `"`)
			if valid := isJSONText(quoted); valid != (end == shift+len(quoted)-1) && !(valid && end < 0 && strings.Contains(inner, `\u`)) {
				t.Fatalf("%q, shifted by %d: it ends at %d; valid: %t", quoted, shift, end, valid)
			}
			if end >= 0 && escaped != strings.Contains(inner[:end-shift-1], `\`) {
				t.Fatalf("%q: escaped: %t", quoted, escaped)
			}
		}
	}
	for c := range 256 {
		for _, before := range []int{0, 1, 6, 7, 8, 15} {
			check(strings.Repeat("a", before) + string([]byte{byte(c)}) + "b")
		}
	}
	for _, inner := range []string{"", "é", "日本", "\xff", "a\xe9", "\xed\xa0\x80", `\"`, `\\`, `\x`, `\u00e9`, `\u12`, `\ud83d\ude00`, `\ud83d`, `\`, "\u2028", strings.Repeat("ab", 50) + `\n`, "#\"", "!! #"} {
		check(inner)
	}
}

// What is passed over is JSON, and ends where it does.
func FuzzSkip(f *testing.F) {
	for _, seed := range append(append([]string{`[1,-2.5e+3,0.1,"a"]`, `{"a":[true,false,null,{}],"b":[]}`, `[01]`, `[1.]`, `[-]`, `{"a" : 1 , "b":2}`, `[1,]`, `{,}`, `tru`}, laneLines...), laneOddities...) {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.IndexByte(data, '\n') >= 0 || len(data) == 0 {
			return
		}
		text := append(append(bytes.Clone(data), '\n'), make([]byte, padding)...)
		if end := valueEnd(text, mark(nil, text, len(text)-padding), 0, 0); end >= 0 && !isJSONText(text[:end]) {
			t.Errorf("%q is passed over up to %d, and is not JSON", data, end)
		}
	})
}

func TestShortInt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "-1": -1, "123456789012345678": 123456789012345678} {
		if n, ok := shortInt([]byte(text)); !ok || n != want {
			t.Errorf("%s: %d, %t", text, n, ok)
		}
	}
	for _, text := range []string{"", "-", "1.0", "1e3", "1234567890123456789", "+1", "true"} {
		if n, ok := shortInt([]byte(text)); ok {
			t.Errorf("%s is %d", text, n)
		}
	}
}
