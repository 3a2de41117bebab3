package kql

import (
	"regexp"
	"strings"
	"testing"
)

func TestRegexpDialect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ pattern, text, want string }{
		{`\w+`, "café_1 x", "café_1"},
		{`\w+`, "привет, мир", "привет"},
		{`\W+`, "é -é", " -"},
		{`[\w.-]+`, "jörg.b-c@x", "jörg.b-c"},
		{`[^\w]+`, "é -é", " -"},
		{`[\W_]+`, "é_-é", "_-"},
		{`[\w-\.]+`, "ö-.!", "ö-."},
		{`\d+`, "x٣٤", "٣٤"},
		{`\D+`, "1x٣", "x"},
		{`[\D]+`, "1x٣", "x"},
		{`\s`, "a\u00a0b", "\u00a0"},
		{`[\s]`, "a\vb", "\v"},
		{`\S+`, "\u2003ab\u2003", "ab"},
		{`[\S]+`, "\u2003ab\u2003", "ab"},
		{`(?i)\W\w+`, "x É", " É"},
		{`(?-u)\w+`, "café", "caf"},
		{`(?-u:\w+)\w`, "café", "café"},
		{`((?-u)\w+)\w`, "café", "café"},
		{`(?u)\w+`, "café", "café"},
		{`(?iu)CAF\w`, "café", "café"},
		{`[[:alpha:]]+\\w`, `aé\w ab\w`, `ab\w`},
		{`[]\w]+`, "-]é", "]é"},
		{`[^]\d]+`, "1]é٣", "é"},
		{`\Q\w\E\w`, `\w\wé`, `\wé`},
		{`\u0041\U00000042\u{43}\U{44}`, "ABCD", "ABCD"},
		{`\p{Greek}\x{3b2}\x41`, "αβA", "αβA"},
		{`a\`, "", "trailing backslash at end of expression: ``"},
		{`(\w`, "", "missing closing ): `(\\w`"},
		{`\u12`, "", "invalid escape sequence: `\\u`"},
		{"(?x)a b # c\n [d e]\\ \\#\\x20", "abe # ", "abe # "},
		{`(?x:a b) (?-x)c`, "ab c", "ab c"},
		{`(?x-i) a`, "a", "a"},
		{`[a-z&&[^x]]+`, "xyz", "yz"},
		{`[a-y&&xyz]+`, "wxyz", "xy"},
		{`[^a-z&&[^x]]+`, "ax1", "x1"},
		{`[0-9--4]+`, "43", "3"},
		{`[a-g~~b-h]+`, "bhag", "ha"},
		{`[[:alpha:]--[a]]+`, "abé", "b"},
		{`[x[^xyz]]+`, "yxa", "xa"},
		{`[\[\]]+`, "a[]", "[]"},
		{`x[a&&b]?`, "xa", "x"},
		{`[\p{Greek}&&\pL]+`, "aβ", "β"},
		{`[\pL--\p{Greek}&&\p{Lu}]+`, "βaBΓ", "B"},
		{`[\w&&[^\d]]+`, "1é2", "é"},
		{`(?-u)[\w&&[^\d]]+`, "1éa2", "a"},
		{`(?i)[a-z--[k]]+`, "K\u212aAb", "Ab"},
		{`[--a]+`, "a-", "a-"},
		{`[^a[]+`, "a[b", "b"}, // which is none of Rust's
		{`\<ad\w+\>`, "bad ado", "ado"},
		{`\b{start}a\b{end}`, "ba a", "a"},
		{`\b{start-half}ad`, "bad ad", "ad"},
		{`ad\b{start-half}`, "", "\\<, \\> and \\b{...} are supported beside a letter or a digit of ASCII, \\w and \\d only: write \\b"},
		{`\<-`, "", "\\<, \\> and \\b{...} are supported beside a letter or a digit of ASCII, \\w and \\d only: write \\b"},
		{`a*\>`, "", "\\<, \\> and \\b{...} are supported beside a letter or a digit of ASCII, \\w and \\d only: write \\b"},
	} {
		re, err := compileRegexp(tt.pattern)
		got := ""
		if err != nil {
			got = regexpReason(err)
		} else {
			got = re.on(tt.text).FindString(tt.text)
		}
		if got != tt.want {
			t.Errorf("%s finds %q in %q, want %q", tt.pattern, got, tt.text, tt.want)
		}
	}
}

// FuzzRegexpDialect asks that a rewritten expression is valid where the text is.
func FuzzRegexpDialect(f *testing.F) {
	for _, seed := range []string{`\w[\W\]]\Q[\E(?i-u:[^]\s])`, `(?u)(a)\u{41}[[:alpha:]-\d]`, `[a-\w`, `\`, `(?-u`, `(?x)a # b`, `[a-z&&[^x]--\d~~[:alpha:]]`, `\<a\b{end}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return
		}
		plain, err := regexp.Compile(text)
		if err != nil {
			_, _ = compileRegexp(text)
			return
		}
		// What Rust alone has, Go takes for other things.
		differs := classInClass(text)
		for _, rusts := range []string{"&&", "--", "~~", `\<`, `\>`, `\b{`} {
			differs = differs || strings.Contains(text, rusts)
		}
		p, err := compileRegexp(text)
		if differs {
			return
		}
		if err != nil {
			t.Fatalf("%q is valid, and rewritten as %q it is not: %v", text, rewritten(text, inASCII()), err)
		}
		whole := p.on("é")
		if p.text != "" && len(text) < 50 && whole == p.ascii {
			t.Errorf("%q is valid, and rewritten as %q it is not", text, p.text)
		}
		// Over ASCII all are the same, but for the vertical tab.
		for _, s := range []string{text, "ab_1 2\t(x)-[.]", "\\Q-w"} {
			if isASCII(s) && !strings.ContainsRune(s, '\v') && (whole.MatchString(s) != p.ascii.MatchString(s) || plain.MatchString(s) != p.ascii.MatchString(s)) {
				t.Errorf("%q finds other things in %q than %q and %q", text, s, p.ascii, whole)
			}
		}
	})
}

// classInClass says whether a class has a [ within that begins none of Go's named ones.
func classInClass(text string) bool {
	within, first := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			if !within && strings.HasPrefix(text[i:], `\Q`) {
				return strings.Contains(text, "[") // the rest is no syntax until \E
			}
			i++
			first = false
		case within && c == '[':
			end := strings.Index(text[i:], ":]")
			if !strings.HasPrefix(text[i:], "[:") || end < 0 {
				return true
			}
			i += end + 1
			first = false
		case c == '[':
			within, first = true, true
			if strings.HasPrefix(text[i+1:], "^") {
				i++
			}
		case within && c == ']' && !first:
			within = false
		default:
			first = false
		}
	}
	return false
}
