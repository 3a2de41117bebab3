package secret

import (
	"strings"
	"testing"
)

// Errors quote parts of what they are about. A part of a secret is hidden although
// it does not look like one.
func TestHideEcho(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, source, text, want string }{
		{"a token of a query", "SharedAccessSignature S3cr3tS", `1:23: unexpected "S3cr3tS"; expected |`, `1:23: unexpected "…"; expected |`},
		{"an address without its beginning", "https://h.example/api?code=S3cr3t==", "listen tcp: lookup tcp/S3cr3t==: unknown port", "listen tcp: lookup tcp/…==: unknown port"},
		{"in another case and encoded", "https://h.example/api?code=S3cr3t%2Bmore", "got s3Cr3T%2bMORE", "got …%2b…"},
		{"a part of a word", "AccountKey=abcS3cr3t", `"S3cr3t" is no number`, `"…" is no number`},
		{"several parameters", "?sv=2024-08-04&sig=S3cr3tS1gn4ture", "in 2024 S3cr3tS1gn4ture", "in 2024 …"},
		{"the name of a parameter", "https://h.example/?code=S3cr3t", "the code is wrong", "the code is wrong"},
		{"no secret", "handler query x", `unknown command "query"`, `unknown command "query"`},
		{"a secret that the source does not hold", "x", "?sig=S3cr3t", "?sig=…"},
		{"nothing", "", "", ""},
	}
	for _, tt := range tests {
		if got := HideEcho(tt.text, "other", tt.source); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzHideEcho(f *testing.F) {
	f.Add("SharedAccessSignature S3cr3tS", "unexpected S3cr3tS")
	f.Add("https://h/?a=b%3Dlong", "B=LONG")
	f.Fuzz(func(t *testing.T, source, text string) {
		got := HideEcho(text, source)
		for _, value := range values(source) {
			if w := words(value); len(w) == 1 && len(value) >= 8 && w[0] == (span{0, len(value)}) && !number(value) {
				for _, word := range strings.FieldsFunc(lowered(fold(got).text), func(r rune) bool { return r < 0x80 && !isWord(byte(r)) }) {
					if word == value {
						t.Fatalf("%q shows %q of %q", got, value, source)
					}
				}
			}
		}
	})
}
