package post

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ text, want string }{
		{"https://host.example", ""},
		{"https://host.example/s3cr3t?x=1#s3cr3t", ""},
		{"https://10.0.0.7:8443/s3cr3t", ""},
		{"https://[fd00::7]/s3cr3t", ""},
		{"", "https://"},
		{"host.example/s3cr3t", "https://"},
		{"http://127.0.0.1/s3cr3t", "https://"},
		{"file:///s3cr3t", "https://"},
		{"https:///s3cr3t", "no host"},
		{"https://:443/s3cr3t", "no host"},
		{"https://s3cr3t@host.example/path", "user"},
		{"https://host.example/s3cr3t\x7f", "not a URL"},
		{"https://host.example/%zzs3cr3t", "not a URL"},
		{"https://host.example/s3cr3t\r\nX: y", "not a URL"},
	} {
		u, err := ParseURL(tc.text)
		if tc.want == "" {
			if err != nil || u.IsZero() || u.Reveal().Fragment != "" || strings.Contains(u.String(), "s3cr3t") {
				t.Errorf("%s: %v, %s", tc.text, err, u)
			}
			continue
		}
		if err == nil || !u.IsZero() || u.Reveal() != nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v, want %s", tc.text, err, tc.want)
		}
	}
}

// Whatever an address is, it is printed as its host and four digits, and the error
// of one that is none does not quote it.
func FuzzParseURL(f *testing.F) {
	f.Add("https://host.example/s3cr3t-0123456789?code=another-s3cr3t")
	f.Add("https://user:pw@host")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text)
		if err != nil {
			if len(text) > 24 && strings.Contains(err.Error(), text) {
				t.Errorf("the error quotes it: %v", err)
			}
			return
		}
		want := u.Host() + "/…"
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if got := fmt.Sprintf(verb, u); !strings.HasPrefix(got, want) || len(got) != len(want)+4 {
				t.Errorf("%s prints %s", verb, got)
			}
		}
		if path := u.Reveal().EscapedPath(); len(path) > 20 && strings.Trim(path, "/") != "" && strings.Contains(u.Redact("before "+u.Reveal().String()), path) {
			t.Errorf("%s is left", path)
		}
	})
}
