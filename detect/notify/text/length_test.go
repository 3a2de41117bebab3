package text

import "testing"

func TestCut(t *testing.T) {
	t.Parallel()
	none := func(_, _ byte) string { return "" }
	noA := func(before, b byte) string {
		if before == 'a' && b == 'a' {
			return `\x61`
		}
		return ""
	}
	for _, test := range []struct{ name, got, want string }{
		{"columns: it fits", Cut("日本", 4), "日本"},
		{"columns: a wide one has no half", Cut("日本語", 4), "日…"},
		{"columns: the head has no ellipsis", Head("日本語", 5), "日本"},
		{"columns: what has no width takes none", Cut("e\u0301e\u0301", 2), "e\u0301e\u0301"},
		{"units: it fits", CutUnits("𝄞a", 3), "𝄞a"},
		{"units: two for one past the basic plane", CutUnits("𝄞𝄞", 3), "𝄞…"},
		{"units: what has no width counts", CutUnits("e\u0301e\u0301", 3), "e\u0301…"},
		{"units: not UTF-8", CutUnits("\xff\xff\xff", 2), "\xff…"},
		{"safe: it fits", CutSafe("陳陳", 2, none), "陳陳"},
		{"safe: no half escape", CutSafe("abcd\u202e", 6, none), "abcd…"},
		{"safe: an escape of the caller's", CutSafe("aab", 10, noA), `a\x61b`},
		{"safe: which is not cut either", CutSafe("aab", 4, noA), "a…"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
	if got := Width("a日e\u0301"); got != 4 {
		t.Errorf("the width is %d", got)
	}
}

func TestEscapes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, got, want string }{
		{"lines", Line(" a \r\n\t b\n\nc "), "a b c"},
		{"links", Defang("HTTPS://x www.x mailto:x http:x"), "HTTPS[://]x [www.]x [mailto:]x http:x"},
		{"Markdown", Markdown("**b** [a](u) `c` <d> #e |f| ~g~ \\ & _h_"), "\\*\\*b\\*\\* \\[a\\](u) \\`c\\` \\<d\\> \\#e \\|f\\| \\~g\\~ \\\\ \\& \\_h\\_"},
		{"HTML", Entities(`<b a="c">&'`), "&#60;b a=&#34;c&#34;&#62;&#38;&#39;"},
		{"HTML or Markdown", Entities("*_`[a](u)"), "&#42;&#95;&#96;&#91;a&#93;&#40;u&#41;"},
		{"lines of our own", SafeLines("a\x1b\nb\u202e"), "a\\x1b\nb\\u202e"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}
