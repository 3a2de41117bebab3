package input

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	for _, size := range []int{0, 1, 9, 10, 11, 1 << 20} {
		if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, read := range map[string]func() ([]byte, error){
			"ReadFile":  func() ([]byte, error) { return ReadFile(t.Context(), path, 10) },
			"ReadNamed": func() ([]byte, error) { return ReadNamed(t.Context(), path, 10) },
		} {
			text, err := read()
			var large *TooLargeError
			if fits := size <= 10; fits && (err != nil || len(text) != size) || !fits && !errors.As(err, &large) {
				t.Errorf("%s: of %d bytes %d are read, error = %v", name, size, len(text), err)
			}
		}
	}
	if _, err := Open(path + "-none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error = %v", err)
	}
}

// TestGrowingFile reads what a file held when it was opened, however much is
// written to it after that.
func TestGrowingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := os.WriteFile(path, []byte("before and after"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadAll(t.Context(), f, "it", 100); err != nil || string(text) != "before" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	encoded := func(unit int, big, marked bool) string {
		var sb strings.Builder
		for _, r := range "\ufeffprint 1" {
			if r == 0xfeff && !marked {
				continue
			}
			for i := range unit {
				if big {
					i = unit - 1 - i
				}
				sb.WriteByte(byte(r >> (8 * i)))
			}
		}
		return sb.String()
	}
	for name, tt := range map[string]struct{ data, want, err string }{
		"UTF-8":                  {"print 1", "print 1", ""},
		"UTF-8 with a mark":      {"\ufeffprint 1", "print 1", ""},
		"UTF-16 of Windows":      {encoded(2, false, true), "print 1", ""},
		"UTF-16, big":            {encoded(2, true, true), "print 1", ""},
		"UTF-16 without a mark":  {encoded(2, false, false), "", "the file is in UTF-16"},
		"the same, big":          {encoded(2, true, false), "", "the file is in UTF-16"},
		"UTF-32":                 {encoded(4, false, true), "", "the file is in UTF-32: save it as UTF-8"},
		"UTF-32, big":            {encoded(4, true, true), "", "the file is in UTF-32"},
		"UTF-32 without a mark":  {encoded(4, false, false), "", "the file is in UTF-32"},
		"the same, big, no mark": {encoded(4, true, false), "", "the file is in UTF-32"},
		"nothing":                {"", "", ""},
		"a character":            {"x", "x", ""},
		"zeros":                  {"\x00\x00\x00\x00", "\x00\x00\x00\x00", ""},
		"one zero":               {"a\x00bc", "a\x00bc", ""},
	} {
		got, err := Text([]byte(tt.data))
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestShortPath(t *testing.T) {
	t.Parallel()
	long := "/begin/" + strings.Repeat("ä/", 3000) + "end.json"
	got := ShortPath(long)
	if !utf8.ValidString(got) || len([]rune(got)) > longestPath+1 || !strings.HasPrefix(got, "/begin/") || !strings.HasSuffix(got, "/end.json") {
		t.Errorf("%s", got)
	}
	if got := ShortPath("/a/b"); got != "/a/b" {
		t.Errorf("%s", got)
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"print 1", "\xff\xfep\x00", "\xff\xfe\x00\x00", "\xfe\xff\x00p", "\x00\x00\x00p", "\ufeffx"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		text, err := Text(data)
		if name, marked := Encoding(data); err == nil && name != "" && !(name == "UTF-16" && marked) {
			t.Fatalf("%q is read as %q", data, text)
		}
		if err == nil && utf8.Valid(data) && !utf8.ValidString(text) {
			t.Fatalf("%q becomes %q", data, text)
		}
	})
}

// A file can be read once more from a place, no further than it was long.
func TestReadAt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	more, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := more.WriteString("and more"); err != nil {
		t.Fatal(err)
	}
	if err := more.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		text, err := io.ReadAll(io.NewSectionReader(f, 4, 1<<30))
		if err != nil || string(text) != "456789" {
			t.Errorf("read %q, %v", text, err)
		}
	}
}
