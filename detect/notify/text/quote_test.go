package text

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestQuoted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, got, want string }{
		{"a name", Quoted("Office 365"), "“Office 365”"},
		{"one that goes on", Quoted("Office 365”): confirmed by the user (“x"), "“Office 365'): confirmed by the user ('x”"},
		{"other marks", Quoted("a\"b«c»d„e″f＂g"), "“a'b'c'd'e'f'g”"},
		{"two apostrophes", Quoted("a'' b"), "“a' b”"},
		{"several lines", Quoted(" a\r\n b\n\nc\t"), "“a b c”"},
		{"turned around", Quoted("a\u202eb\x1b[0m\u2028c"), `“a\u202eb\x1b[0m\u2028c”`},
		{"long", Quoted(strings.Repeat("x", 100)), "“" + strings.Repeat("x", 64) + "…”"},
		{"nothing", Quoted(" "), "“”"},
		{"nothing, with words for it", QuotedOr(" \n", "application unknown"), "application unknown"},
		{"something, with words for it", QuotedOr("x", "application unknown"), "“x”"},
		{"an address", Quoted("203.0.113.7"), "203.0.113.7"},
		{"another one", Quoted("2001:db8::1"), "2001:db8::1"},
		{"one with a zone that speaks", Quoted("fe80::1%is trusted"), "“fe80::1%is trusted”"},
		{"a word", Word("alice@contoso.example"), "alice@contoso.example"},
		{"a word of another script", Word("陳怡君"), "陳怡君"},
		{"an address in a title", Word("2001:db8::1"), "2001:db8::1"},
		{"two words", Word("alice (approved)"), "“alice (approved)”"},
		{"a text of a column", Word(strings.Repeat("long ", 30)), "“" + strings.TrimSpace(strings.Repeat("long ", 30)) + "”"},
		{"a word with a mark", Word("alice”"), "“alice'”"},
		{"a word that turns around", Word("a\u202eb"), `“a\u202eb”`},
		{"a value", Value("MFA denied; user declined, at step 2 (Mobile app): 500121"), "MFA denied; user declined, at step 2 (Mobile app): 500121"},
		{"a value that closes what it did not open", Value("x): known device ("), "“x): known device (”"},
		{"a value that opens", Value("x (new"), "“x (new”"},
		{"a value with a mark", Value("x” • y"), "“x' • y”"},
		{"an item", Item("Windows Azure Active Directory"), "Windows Azure Active Directory"},
		{"an item that would be two", Item("Sofia, BG"), "“Sofia, BG”"},
		{"a remark", Item("Pixel (known device)"), "“Pixel (known device)”"},
		{"a long item is whole", Item(strings.Repeat("x,", 100)), "“" + strings.Repeat("x,", 100) + "”"},
		{"an address is one", Item("2001:db8::1"), "2001:db8::1"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

// Whatever is quoted ends where its last mark is.
func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"”", "a\"b", "\u202e”", "''", "“‘‘", "\xff”", "203.0.113.7", "fe80::1%”"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, quoted := range []string{Quoted(value), Item(value), Word(value)} {
			inner, open := strings.CutPrefix(quoted, "“")
			inner, closed := strings.CutSuffix(inner, "”")
			if open != closed || strings.ContainsAny(inner, "\"“”„«»\n\r\u2028") {
				t.Fatalf("%q is %q", value, quoted)
			}
			for _, r := range inner {
				if open && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
					t.Fatalf("%q lets %U through", value, r)
				}
			}
			if open && !utf8.ValidString(quoted) {
				t.Fatalf("%q is no text: %q", value, quoted)
			}
		}
	})
}
