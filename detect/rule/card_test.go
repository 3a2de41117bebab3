package rule

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// withCard returns a rule's file whose card has these lines. The first is line 11.
func withCard(lines string) string {
	return scheduledHead + "pushback:\n  card:\n    " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n    ") + "\n"
}

const scheduledHead = `id: 2b701288-b428-4fb8-805e-e4372c574788
name: Events
severity: Low
queryFrequency: 1h
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
query: SigninLogs
`

const wholeCard = `
headline: "{{Failures}} failures of {{User}}"
facts:
  Failures: Failures
  "Last: application": App
buttons:
  Ticket: https://tickets.contoso.example/new?user={{User}}&n={{Failures}}#{{App}}
  Runbook of ours: https://wiki.contoso.example:8443/a%20b
guidance: Call the user first.
`

func TestCard(t *testing.T) {
	t.Parallel()
	r, problems := Parse("r.yaml", []byte(withCard(wholeCard)))
	if r == nil || len(problems) > 0 {
		t.Fatal(problems)
	}
	c := r.Card
	if c.Headline.Text != "{{Failures}} failures of {{User}}" || c.Guidance != "Call the user first." {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]CardFact{{"Failures", "Failures"}, {"Last: application", "App"}}, c.Facts); diff != "" {
		t.Error(diff)
	}
	if len(c.Buttons) != 2 || c.Buttons[0].Title != "Ticket" || c.Buttons[1].URL.Text != "https://wiki.contoso.example:8443/a%20b" {
		t.Errorf("%+v", c.Buttons)
	}
	// Each column is where the file names it.
	want := []ColumnUse{
		{"Failures", "card headline", 11, 18}, {"User", "card headline", 11, 43},
		{"Failures", `card fact "Failures"`, 13, 17}, {"App", `card fact "Last: application"`, 14, 28},
		{"User", `card button "Ticket"`, 16, 58}, {"Failures", `card button "Ticket"`, 16, 69}, {"App", `card button "Ticket"`, 16, 82},
	}
	if diff := cmp.Diff(want, r.Columns()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// It is written as it was read.
	text, err := r.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, problems := Parse("r.yaml", text)
	if again == nil {
		t.Fatalf("%v\n%s", problems, text)
	}
	if diff := cmp.Diff(r.Card, again.Card); diff != "" {
		t.Errorf("written and read (-want +got):\n%s\n%s", diff, text)
	}
}

func TestCardIsRefused(t *testing.T) {
	t.Parallel()
	nine := "facts:"
	for _, label := range strings.Split("abcdefghi", "") {
		nine += "\n  " + label + ": Column"
	}
	button := func(address string) string { return "buttons:\n  Ticket: " + address }
	for _, tt := range []struct{ name, card, want string }{
		{"no mapping", "headline", "r.yaml:11:5: card is the single value \"headline\": it must be a mapping of keys to values"},
		{"an open headline", `headline: "of {{User"`, `r.yaml:11:15: headline: the {{ before "User" has no }}: write {{Column}}`},
		{"an empty headline", `headline: ""`, "r.yaml:11:15: headline is empty: give it a value or remove it"},
		{"a long headline", "headline: " + strings.Repeat("a", 251), "r.yaml:11:15: headline has 251 characters: write at most 250"},
		{"nine facts", nine, "r.yaml:20:7: there are more than 8 facts: a card has room for 8"},
		{"a list of facts", "facts: [A, B]", "r.yaml:11:12: facts is a list: it must be a mapping of keys to values"},
		{"the same label", "facts:\n  A b: C\n  \"a  B\": D", `r.yaml:13:7: fact "a  B" is there twice: remove one`},
		{"the same key", "facts:\n  A: C\n  A: D", `r.yaml:13:7: "A" is set twice, first on line 12: remove one`},
		{"a long label", "facts:\n  " + strings.Repeat("a", 41) + ": C", `r.yaml:12:7: the label of fact "` + strings.Repeat("a", 40) + `..." has 41 characters: write at most 40`},
		{"no label", "facts:\n  \" \": C", "r.yaml:12:7: a fact has no label: give it one"},
		{"a column in a label", "facts:\n  \"{{A}}\": C", `r.yaml:12:7: the label of fact "{{A}}" has a column in it: it is the same on every card`},
		{"a fact of two columns", "facts:\n  A: \"{{B}} {{C}}\"", `r.yaml:12:10: fact "A" names "{{B}} {{C}}": write the name of one column, without {{ and }}`},
		{"a fact without a column", "facts:\n  A:", "r.yaml:12:9: fact A has no value: name a column of the query's result"},
		{"a list for a column", "facts:\n  A: [B]", "r.yaml:12:10: fact A is a list: it must be text"},
		{"four buttons", "buttons: {a: https://h.example/, b: https://h.example/, c: https://h.example/, d: https://h.example/}", "r.yaml:11:84: there are more than 3 buttons: a card has room for 3"},
		{"two buttons of a name", "buttons: {a: https://h.example/, A: https://h.example/}", `r.yaml:11:38: button "A" is there twice: remove one`},
		{"a long title", "buttons:\n  " + strings.Repeat("a", 31) + ": https://h.example/", `r.yaml:12:7: the label of button "` + strings.Repeat("a", 31) + `" has 31 characters: write at most 30`},
		{"http", button("http://h.example/"), `r.yaml:12:15: button "Ticket": "http://h.example/": http is read by whoever is on the way: write https://`},
		{"a script", button("javascript:alert(1)"), `r.yaml:12:15: button "Ticket": "javascript:alert(1)": write it as https://host/path with the host written out: a column may stand behind the host alone, as in https://host/users/{{Column}}`},
		{"a host from a column", button(`"https://{{Host}}/x"`), `button "Ticket": "https://{{Host}}/x": write it as https://host/path with the host written out`},
		{"a part of a host", button(`"https://h.example{{Host}}/x"`), "write it as https://host/path with the host written out"},
		{"a subdomain", button(`"https://{{Host}}.h.example/x"`), "write it as https://host/path with the host written out"},
		{"a port", button(`"https://h.example:{{Port}}/x"`), "write it as https://host/path with the host written out"},
		{"a user", button(`"https://{{User}}@h.example/x"`), "write it as https://host/path with the host written out"},
		{"a user written out", button(`https://me@h.example/x`), "write it as https://host/path with the host written out"},
		{"an address from a column", button(`"{{Link}}"`), "write it as https://host/path with the host written out"},
		{"a backslash", button(`https://h.example\@evil.example/`), "write it as https://host/path with the host written out"},
		{"another alphabet", button(`https://hä.example/`), "write it as https://host/path with the host written out"},
		{"a space", button(`https://h.example/a b`), "it is no address: escape what is special in it, such as a space as %20"},
		{"half an escape", button(`"https://h.example/%4{{A}}"`), "it is no address: escape what is special in it, such as a space as %20"},
		{"a mark", button(`https://h.example/"x"`), "it is no address: escape what is special in it, such as a space as %20"},
		{"a step up", button(`https://h.example/a/../b`), "its path has . or .. in it: write the path that is meant"},
		{"an open column", button(`"https://h.example/{{A"`), `the {{ before "A" has no }}: write {{Column}}`},
		{"a long address", button("https://h.example/" + strings.Repeat("a", 2000)), "it has 2018 bytes: write at most 2000"},
		{"a button without an address", "buttons:\n  Ticket:", "button Ticket has no value: write the address of the page as https://host/path"},
		{"long guidance", "guidance: " + strings.Repeat("a", 251), "r.yaml:11:15: guidance has 251 characters: write at most 250, and the rest under remediation or on the page that pushback: guidance names"},
		{"a column in guidance", `guidance: "Call {{User}}"`, "r.yaml:11:15: guidance has a column in it: it is the same on every card, so that no log has a say in it; show the column under facts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, problems := Parse("r.yaml", []byte(withCard(tt.card)))
			if r != nil || len(problems) == 0 {
				t.Fatalf("it is taken: %+v", r.Card)
			}
			if got := problems[0].String(); len(problems) != 1 || !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", problems, tt.want)
			}
		})
	}
	// What is only odd is a warning.
	for card, want := range map[string]string{
		"facts: {}":                    "r.yaml:11:12: warning: facts is empty and ignored: name what to show or remove it",
		"headlines: x\nguidance: Call": `r.yaml:11:5: warning: unknown key "headlines" in card is ignored: did you mean "headline"?`,
		button("https://h.example/x?a={{A}}&sig=mL2xQ0tq3dWk7bYp5cVrTn9uEzGhJs4aFo6iKwB8NQc"): `r.yaml:12:15: warning: button "Ticket": its address holds what looks like a secret, which everybody who sees a card would see`,
	} {
		if r, problems := Parse("r.yaml", []byte(withCard(card))); r == nil || len(problems) != 1 || problems[0].String() != want {
			t.Errorf("%s: %q, want %q", card, problems, want)
		}
	}
}

// The schema refuses of a card what an editor can say while it is written.
func TestSchemaOfCard(t *testing.T) {
	t.Parallel()
	schema := schemaOf(t, Schema)
	if err := valid(t, schema, withCard(wholeCard)); err != nil {
		t.Errorf("a card: %v", err)
	}
	for name, card := range map[string]string{
		"four buttons":  "buttons: {a: https://h.example/, b: https://h.example/, c: https://h.example/, d: https://h.example/}",
		"nine facts":    "facts: {a: A, b: A, c: A, d: A, e: A, f: A, g: A, h: A, i: A}",
		"http":          "buttons: {a: http://h.example/}",
		"a host":        `buttons: {a: "https://{{H}}/"}`,
		"long guidance": "guidance: " + strings.Repeat("a", 251),
		"a list":        "facts: [a]",
		"no column":     "facts: {a: }",
	} {
		if err := valid(t, schema, withCard(card)); err == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
	if err := valid(t, schema, withCard("guidance: |\n  "+strings.Repeat("a", 250))); err != nil {
		t.Errorf("250 characters and a line break: %v", err)
	}
}

func TestButtonAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ template, value, want string }{
		{"https://h.example/u/{{X}}", "ana@contoso.example", "https://h.example/u/ana%40contoso.example"},
		{"https://h.example/u?q={{X}}", "a b&c=d#e+f%20", "https://h.example/u?q=a%20b%26c%3Dd%23e%2Bf%2520"},
		{"https://h.example/{{X}}/e", "//evil.example", "https://h.example/%2F%2Fevil.example/e"},
		{"https://h.example/?q={{X}}", "javascript:alert('x')\r\n\u202e\u200b", "https://h.example/?q=javascript%3Aalert%28%27x%27%29%0D%0A%E2%80%AE%E2%80%8B"},
		{"https://h.example/#{{X}}", `"><script>`, "https://h.example/#%22%3E%3Cscript%3E"},
		{"https://h.example/?q={{X}}", "../..", "https://h.example/?q=..%2F.."},
		{"https://h.example/?q={{X}}", "a\xff", "https://h.example/?q=a%FF"},
		{"https://h.example/fixed", "", "https://h.example/fixed"},
		{"https://h.example/v{{X}}.html", "1.2", "https://h.example/v1.2.html"},
		{"https://h.example/{{X}}", "", ""},
		{"https://h.example/{{X}}", " \t", ""},
		{"https://h.example/{{X}}/e", "..", ""},
		{"https://h.example/{{X}}/e", ".", ""},
		{"https://h.example/.{{X}}/e", ".", ""},
		{"https://h.example/u/{{X}}", "a/../../admin", ""},
		{"https://h.example/u/{{X}}", `a\..\..\admin`, ""},
		{"https://h.example/u/{{X}}", strings.Repeat("ä", 400), ""},
	} {
		f, err := parseAddress(tt.template)
		if err != nil {
			t.Fatal(err)
		}
		got, err := CardButton{"b", f}.Address(func(string) (string, bool) { return tt.value, true })
		if got != tt.want || (err == nil) != (tt.want != "") || errors.Is(err, ErrNoValue) != (strings.TrimSpace(tt.value) == "" && tt.want == "") {
			t.Errorf("%s with %q: %q, %v, want %q", tt.template, tt.value, got, err, tt.want)
		}
		if err != nil && tt.value != "" && len(tt.value) > 2 && strings.Contains(err.Error(), tt.value) {
			t.Errorf("the error names the value: %v", err)
		}
	}
}

// FuzzButtonAddress checks that no address of a rule and no value of a log lead anywhere
// but to the host that the rule has, and to no other path.
func FuzzButtonAddress(f *testing.F) {
	f.Add("https://h.example/u/{{X}}?q={{X}}#{{X}}", "ana@contoso.example")
	f.Add("https://h.example:8443/{{X}}", "../x")
	f.Add("https://h.example?{{X}}", "//evil.example\\@")
	f.Add("https://{{X}}.example/", "evil")
	f.Add("https://h.example/a%20b/{{ X }}.html", "%2e%2e")
	f.Fuzz(func(t *testing.T, template, value string) {
		format, err := parseAddress(template)
		if err != nil {
			return
		}
		button := CardButton{"b", format}
		harmless, err := button.Address(func(string) (string, bool) { return "x", true })
		if err != nil {
			return // too long
		}
		want, err := url.Parse(harmless)
		if err != nil || want.Scheme != "https" || want.Host == "" || want.User != nil {
			t.Fatalf("%q: %v", harmless, err)
		}
		got, err := button.Address(func(string) (string, bool) { return value, true })
		if err != nil {
			return
		}
		u, err := url.Parse(got)
		if err != nil || u.Scheme != "https" || u.Host != want.Host || u.User != nil || u.String() != got {
			t.Fatalf("%q with %q leads to %q: %v", template, value, got, err)
		}
		if strings.Count(u.EscapedPath(), "/") != strings.Count(want.EscapedPath(), "/") || strings.Count(got, "#") != strings.Count(harmless, "#") ||
			strings.Count(u.RawQuery, "&") != strings.Count(want.RawQuery, "&") || strings.Count(u.RawQuery, "=") != strings.Count(want.RawQuery, "=") {
			t.Fatalf("%q with %q has other parts: %q", template, value, got)
		}
		if slices.Contains(strings.Split(u.Path, "/"), "..") {
			t.Fatalf("%q with %q goes up: %q", template, value, got)
		}
	})
}
