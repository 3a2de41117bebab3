package kql

import "testing"

func TestWantedTexts(t *testing.T) {
	t.Parallel()
	catalog := Catalog{Tables: map[string]Schema{"Events": {{"TimeGenerated", DateTime}, {"n", Long}, {"s", String}, {"id", String}, {"d", Dynamic}, {"b", Bool}}}}
	for _, tc := range []struct{ where, want string }{
		{`s == "abc"`, `s for "abc"`},
		{`"abc" == s and n > 3`, `s for "abc"`},
		{`s =~ "ABC"`, `s for "abc" in any case`},
		{`s has "Fraud" and id startswith_cs "X1"`, `s for "fraud" in any case and id for "X1"`},
		{`s == 500121`, `s for "500121"`},
		{`s in ("b", "a")`, `s for "a" or s for "b"`},
		{`s in~ ("B", "a")`, `s for "a" in any case or s for "b" in any case`},
		{`s has_any ("b", "a") and id == "x"`, `(s for "b" in any case or s for "a" in any case) and id for "x"`},
		{`s has_all ("b", "a")`, `s for "b" in any case and s for "a" in any case`},
		{`s == "a" or (id == "b" and s == "c")`, `s for "a" or id for "b"`},
		{`d.k == "v x"`, `d for "v x"`},
		{`d has "declined"`, `d for "declined" in any case`},
		{`d.list[0]["p-q"] contains_cs "Ab"`, `d for "Ab"`},
		{`parse_json(s).k in ("v", "w")`, `s for "v" or s for "w"`},
		{`tolower(s) == "abc" and isnotempty(id)`, `s for "abc" in any case`},
		{`tostring(d) contains "ab" or s == "ü"`, `d for "ab" in any case or s for "ü"`},
		// What a text cannot tell.
		{`s != "abc"`, ""},
		{`not(s == "abc")`, ""},
		{`s !in ("a")`, ""},
		{`s !has "a"`, ""},
		{`s == ""`, ""},
		{`s in ("a", "")`, ""},
		{`s has_any ("a", "")`, ""},
		{`s startswith ""`, ""},
		{`isempty(s)`, ""},
		{`s == "a" or n == 1`, ""},
		{`s == "a" or isempty(id)`, ""},
		{`s =~ "groß"`, ""},
		{`s contains "\u212a"`, ""},
		{`s == 0`, ""},
		{`s == -5`, ""},
		{`n == 5`, ""},
		{`b`, ""},
		{`s matches regex "abc"`, ""},
		{`d.k == 500121`, ""},
		{`d.k == "500121"`, ""},         // it may be 5.00121e5
		{`d.k == "1e5"`, ""},            // or 100000
		{`d.k contains "infinity"`, ""}, // or 1e999
		{`d has "a/b"`, ""},             // or a\/b, which the next are alike
		{`d has "a:b"`, ""},
		{`d.k == "é"`, ""},
		{`strcat(s, "x") == "ax"`, ""},
		{`substring(s, 1) == "b"`, ""},
		{`trim("a", s) == "b"`, ""},
		{`base64_decode_tostring(s) == "b"`, ""},
		{`url_decode(s) == "a b"`, ""},
		{`replace_string(s, "a", "b") == "b"`, ""},
		{`iff(n > 1, "a", s) == "a"`, ""},
		{`coalesce(s, "a") == "a"`, ""},
		{`s == tostring(now())`, ""},
		{`s in (Events | project id)`, ""},
		{`s in (id, "a")`, ""},
	} {
		f := catalog.RowFilters("Events | where " + tc.where + " | count")["Events"]
		if f == nil {
			f = new(RowFilter)
		}
		if got := f.searched(); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.where, got, tc.want)
		}
	}
	both := catalog.RowFilters(`Events | where s == "a" and id == "x" | count`, `Events | where s has "b" | count`)["Events"]
	if got, want := both.searched(), `(s for "a" and id for "x") or s for "b" in any case`; got != want {
		t.Errorf("two queries: %s, want %s", got, want)
	}
	if some := catalog.RowFilters(`Events | where s == "a" | count`, `Events | where n == 1 | count`)["Events"]; some.searched() != "" {
		t.Errorf("one of two queries: %s", some.searched())
	}
}
