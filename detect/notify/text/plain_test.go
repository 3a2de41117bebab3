package text

import "testing"

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"Office 365", "Office 365"},
		{"", ""},
		{"[", "["},
		{"[1, 2", "[1, 2"},
		{"[1] [2]", "[1] [2]"},
		{`["Office 365","Teams"]`, "Office 365, Teams"},
		{` [1, 2.50, true, null, "x"] `, "1, 2.50, true, x"},
		{`["a, b", "c; (new)"]`, "“a, b”, “c; (new)”"}, // which could be taken for more
		{`{"b": 1, "a": ["x", "y"]}`, "b: 1, a: x, y"},
		{`{"a: b": "c"}`, "“a: b”: c"},
		{`[[[[["deep"]]]]]`, `[[[[["deep"]]]]]`},
		{"[]", ""},
		{"2026-03-17T01:55:46.3847385Z", "2026-03-17 01:55:46 UTC"},
		{"2026-03-17T01:55:46+01:00", "2026-03-17 00:55:46 UTC"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"9007199254740993", "9007199254740993"},
		{`[9007199254740993]`, "9007199254740993"},
	} {
		if got := Plain(test.in); got != test.want {
			t.Errorf("Plain(%q) = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestSaysNothing(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"": true, " ": true, "0": true, "0.0": true, "00:00:00": true, "None": true, "NULL": true, "[]": true, "{}": true, `[""]`: true, "N/A": true, "-": true,
		"10": false, "0.1": false, "none of them": false, "::": false, "0.0.0.0": false, "false": false, "a": false, ".": false, "0x0": false,
	} {
		if got := SaysNothing(value); got != want {
			t.Errorf("SaysNothing(%q) = %v", value, got)
		}
	}
}
