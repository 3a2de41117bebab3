package silence

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"pushback/detect/alert"
)

// testWords knows two types of entities and three rules.
var testWords = Words{
	EntityType: func(name string) (string, []string, bool) {
		types := map[string][]string{"Account": {"FullName", "AadUserId"}, "IP": {"Address"}}
		for canonical, identifiers := range types {
			if strings.EqualFold(name, canonical) {
				return canonical, identifiers, true
			}
		}
		return "", nil, false
	},
	Rules: []Rule{
		{ID: "d99cf5c3-d660-436c-895b-8a8f8448da23", Name: "MFA Rejected by User", Shipped: "mfa-rejected-by-user", Runs: true},
		{ID: "11111111-d660-436c-895b-8a8f8448da23", Name: "Spray", Runs: true},
	},
}

const example = `silences:
  - id: pentest-december
    rules: [mfa-rejected-by-user]          # ids, names, names of shipped rules; left out: all
    match:                                 # all must hold
      - {entity: IP, identifier: Address, cidr: 203.0.113.0/24}
      - {entity: Account, identifier: FullName, value: "pentest-*@contoso.example"}
      - {detail: Applications, value: Azure Portal}
    maxSeverity: Medium
    until: 2026-12-31T18:00:00Z
    reason: pen test, ticket 4711
    by: amy
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, problems := Parse("silences.yaml", []byte(example), testWords)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []Silence{{
		ID: "pentest-december", Rules: []string{"mfa-rejected-by-user"}, MaxSeverity: alert.Medium,
		Match: []Matcher{
			{Entity: "IP", Identifier: "Address", CIDR: []string{"203.0.113.0/24"}},
			{Entity: "Account", Identifier: "FullName", Values: []string{"pentest-*@contoso.example"}},
			{Detail: "Applications", Values: []string{"Azure Portal"}},
		},
		Until: time.Date(2026, 12, 31, 18, 0, 0, 0, time.UTC), Reason: "pen test, ticket 4711", By: "amy", Place: "silences.yaml:2",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("silences (-want +got):\n%s", diff)
	}
	// What is left out.
	got, problems = Parse("s.yaml", []byte("silences:\n- id: x\n  match: [{entity: account, identifier: fullname, exactly: [a, b]}]\n  review: 2027-01-01\n  hours: Tue 08:00-12:00 Europe/Berlin\n  reason: r\n  by: b\n"), testWords)
	if len(problems) > 0 || len(got) != 1 || got[0].MaxSeverity != alert.Medium || len(got[0].Hours) != 1 || len(got[0].Rules) != 0 || !got[0].Review.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", got, problems)
	}
	if list, problems := Parse("s.yaml", []byte("silences: []\n"), testWords); len(list)+len(problems) > 0 {
		t.Errorf("no silences are %v, %v", list, problems)
	}
}

// TestParseRefuses pins the place and the reason of what is wrong with a file.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	edit := func(old, new string) string { return strings.Replace(example, old, new, 1) }
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "s.yaml: the file is empty"},
		{"no YAML", "silences: [", "s.yaml:1:1: it is not valid YAML: "},
		{"no YAML in a line", "silences:\n  - id: x\n    reason: a: b\n    by: amy\n", "s.yaml:3:5: it is not valid YAML: mapping values are not allowed"},
		{"no YAML of the first", "silences:\n  - id: x\n   bad: [", "s.yaml:3:4: it is not valid YAML: "},
		{"a tab", "silences:\n\t- id: x\n", "s.yaml:2:2: it is not valid YAML: found character that cannot start any token (indent with spaces"},
		{"no UTF-8", "silences:\n  - id: \u00e9\xff\n", "s.yaml:2:10: the file is not UTF-8 text"},
		{"a control character", "silences:\n  - id: \x01\n", "s.yaml:2:3: it is not valid YAML: control characters"},
		{"a list", "- id: x\n", "s.yaml:1:1: the file is a list"},
		{"another key", "silence:\n- id: x\n", `s.yaml:1:1: the file has no key "silence": did you mean "silences"?`},
		{"a second document", example + "---\nsilences: []\n", "s.yaml:12:1: there is a second document"},
		{"no YAML behind", example + "---\n[\n", "it is not valid YAML"},
		{"no list", "silences: {id: x}\n", "s.yaml:1:11: silences is a mapping: expected a list"},
		{"a key of another name", edit("reason:", "raeson:"), `s.yaml:10:5: a silence has no key "raeson": did you mean "reason"?`},
		{"a key twice", edit("    by: amy", "    by: amy\n    by: bob"), "s.yaml:12:5: the key by is there twice"},
		{"no id", edit("id: pentest-december", "id: "), "s.yaml:2:5: the silence has no id"},
		{"a bad id", edit("id: pentest-december", "id: pen test"), `s.yaml:2:9: the id "pen test" is none`},
		{"no reason", edit("    reason: pen test, ticket 4711\n", ""), "s.yaml:2:5: the silence has no reason"},
		{"nobody", edit("    by: amy\n", ""), "s.yaml:2:5: the silence has no by"},
		{"no end", edit("    until: 2026-12-31T18:00:00Z\n", ""), "s.yaml:2:5: the silence has no end"},
		{"an end that is none", edit("2026-12-31T18:00:00Z", "tomorrow"), `s.yaml:9:12: until: "tomorrow" is no time`},
		{"a huge year", edit("2026-12-31T18:00:00Z", "99999-12-31"), "s.yaml:9:12: until: "},
		{"the last year", edit("2026-12-31T18:00:00Z", "9999-12-31"), "s.yaml:9:12: until: "},
		{"an early year", edit("2026-12-31T18:00:00Z", "0001-01-01"), "s.yaml:9:12: until: "},
		{"an end before it begins", edit("    until:", "    from: 2027-01-01\n    until:"), "s.yaml:10:12: until is not after from"},
		{"a severity that is none", edit("maxSeverity: Medium", "maxSeverity: Loud"), `s.yaml:8:18: maxSeverity: unknown severity "Loud"`},
		{"no matcher", edit("value: Azure Portal}", "value: Azure Portal}\n  - id: all\n    rules: [Spray]\n    until: 2027-01-01\n    reason: r\n    by: b\n    match: []"), "the silence has no matcher"},
		{"nothing to compare with", edit(", cidr: 203.0.113.0/24", ""), "s.yaml:5:9: the matcher of IP.Address has nothing to compare with"},
		{"a range that is none", edit("203.0.113.0/24", "203.0.113.0/33"), `s.yaml:5:9: "203.0.113.0/33" is no range`},
		{"a range as a value", edit("cidr: 203.0.113.0/24", "value: 203.0.113.0/24"), "s.yaml:5:9: 203.0.113.0/24 is a range of addresses, which value takes for a text: write it as cidr"},
		{"a type that is none", edit("entity: IP", "entity: IPs"), `there is no entity type "IPs"`},
		{"an identifier that is none", edit("identifier: Address", "identifier: Adress"), `s.yaml:5:9: an entity of the type IP has no identifier "Adress": did you mean "Address"?`},
		{"no identifier", edit("identifier: Address, ", ""), "a matcher of an entity has both"},
		{"two in one", edit("{detail:", "{finding: repeated, detail:"), "make it two"},
		{"a finding that is none", edit("{detail: Applications, value: Azure Portal}", "{finding: knowndevice}"), `did you mean "known-device"?`},
		{"a finding that says that somebody got in", edit("{detail: Applications, value: Azure Portal}", "{finding: success-same-ip}"), "no silence holds back such a one"},
		{"hours that are none", edit("    by: amy", "    by: amy\n    hours: [Tue 08:00-12:00, Tue]"), "s.yaml:12:30: hours: "},
		{"an alias", "silences:\n- &a {id: x}\n- *a\n", "s.yaml:3:3: a silence is an alias"},
		{"an id twice", example + strings.TrimPrefix(strings.Replace(example, "pentest-december", "Pentest-December", 1), "silences:\n"), "is also that of the silence in line 2"},
		{"too wide", edit("    rules: [mfa-rejected-by-user]", "    rules: [all]\n    # too wide\n    match: [{entity: Account, identifier: FullName, value: \"*\"}]\n    until: 2027-01-01\n    reason: r\n    by: b\n  - id: other"), "so wide that it would hold back everything of every rule"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := Parse("s.yaml", []byte(tt.text), testWords)
			var said []string
			for _, p := range problems {
				if !p.Warning {
					said = append(said, p.String())
				}
			}
			if got := strings.Join(said, "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("got\n%s\nwant %s", got, tt.want)
			}
		})
	}
	_, problems := Parse("s.yaml", []byte(edit("[mfa-rejected-by-user]", "[mfa-rejected-by-users]")), testWords)
	if len(problems) != 1 || !problems[0].Warning || !strings.Contains(problems[0].String(), `did you mean "mfa-rejected-by-user"?`) {
		t.Errorf("a rule that is not there: %v", problems)
	}
}

// TestTooWide pins which silences would hold back everything of every rule.
func TestTooWide(t *testing.T) {
	t.Parallel()
	name := func(v string) Matcher {
		return Matcher{Entity: "Account", Identifier: "FullName", Values: []string{v}}
	}
	address := func(list ...string) Matcher { return Matcher{Entity: "IP", Identifier: "Address", CIDR: list} }
	both := []string{"Spray", "mfa-rejected-by-user"}
	var every []string
	for i := range 256 {
		every = append(every, fmt.Sprintf("%d.0.0.0/8", i))
	}
	for _, tt := range []struct {
		name  string
		rules []string
		match []Matcher
		want  bool
	}{
		{"every name", nil, []Matcher{name("*")}, true},
		{"every name, by the rules' names", both, []Matcher{name("*")}, true},
		{"every name of one rule", []string{"Spray"}, []Matcher{name("*")}, false},
		{"stars", nil, []Matcher{name("***")}, true},
		{"any name with an @", nil, []Matcher{name("*@*")}, true},
		{"one letter", nil, []Matcher{name("*a*")}, true},
		{"a domain", nil, []Matcher{name("*@contoso.example")}, false},
		{"every address", nil, []Matcher{address("0.0.0.0/0")}, true},
		{"every IPv6 address", nil, []Matcher{address("::/0")}, true},
		{"both halves", nil, []Matcher{address("0.0.0.0/1", "128.0.0.0/1")}, true},
		{"every part", nil, []Matcher{address(every...)}, true},
		{"every address beside one", nil, []Matcher{address("203.0.113.7", "0.0.0.0/0")}, true},
		{"every address mapped", nil, []Matcher{address("::ffff:0.0.0.0/96")}, true},
		{"a network", nil, []Matcher{address("10.0.0.0/8")}, false},
		{"every name from a network", nil, []Matcher{name("*"), address("203.0.113.0/24")}, false},
		{"every name from everywhere", nil, []Matcher{name("*"), address("0.0.0.0/0")}, true},
		{"every name with a finding", nil, []Matcher{name("*"), {Finding: alert.FoundKnownDevice}}, false},
		{"all", []string{"ALL"}, []Matcher{{Detail: "Applications", Values: []string{"*"}}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Silence{ID: "x", Rules: tt.rules, Match: tt.match, MaxSeverity: alert.Medium, Reason: "r", By: "b"}
			wide := false
			for _, f := range Check(s, testWords) {
				if f.Warning {
					continue
				}
				if wide = strings.Contains(f.Message, "so wide"); !wide {
					t.Error(f.Message)
				}
			}
			if wide != tt.want {
				t.Errorf("too wide: %v, want %v", wide, tt.want)
			}
		})
	}
}

// TestAdHocEnds pins how long one of the ledger lasts.
func TestAdHocEnds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		until time.Time
		want  string
	}{
		{"soon", noon.Add(time.Minute), ""},
		{"30 days", noon.Add(30 * 24 * time.Hour), ""},
		{"longer", noon.Add(30*24*time.Hour + time.Second), "within 30 days"},
		{"never", time.Time{}, "has no end"},
		{"before", noon, "would have ended"},
		{"before it begins", noon.Add(-time.Hour), "would have ended"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Silence{ID: "x", Match: []Matcher{{Entity: "IP", Identifier: "Address", CIDR: []string{"203.0.113.7"}}}, From: noon, Until: tt.until, Reason: "r", By: "b"}
			var said []string
			for _, f := range CheckAdHoc(s, noon, testWords) {
				said = append(said, f.Message)
			}
			if got := strings.Join(said, "\n"); tt.want == "" && got != "" || !strings.Contains(got, tt.want) || len(said) > 1 {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestHostileFiles reads files that are made to take memory or time. Each is read or
// refused.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	entry := "- {id: x%d, match: [{entity: Account, identifier: FullName, value: \"*a*b*%d\"}], until: 2027-01-01, reason: r, by: b}\n"
	many := func(n int) string {
		var b strings.Builder
		b.WriteString("silences:\n")
		for i := range n {
			fmt.Fprintf(&b, entry, i, i)
		}
		return b.String()
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		text string
		want int // silences, or -1 for a problem
	}{
		"a thousand":       {many(1000), 1000},
		"too many":         {many(MostSilences + 1), -1},
		"100,000":          {many(100_000), -1},
		"aliases":          {bomb + "silences: *j\n", -1},
		"deep":             {"silences: " + strings.Repeat("[", 20_000), -1},
		"binary":           {"\x00\x01\xff\xfe", -1},
		"a value too long": {fmt.Sprintf("silences:\n- {id: x, match: [{entity: Account, identifier: FullName, value: %q}], until: 2027-01-01, reason: r, by: b}\n", strings.Repeat("*a", 1<<20)), -1},
		"values":           {"silences:\n- {id: x, match: [{entity: Account, identifier: FullName, value: [" + strings.Repeat("a,", 100_000) + "b]}], until: 2027-01-01, reason: r, by: b}\n", -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-")+".yaml")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			list, problems := Load(path, testWords)
			switch {
			case tt.want < 0 && Errors(problems) == nil:
				t.Errorf("%d silences, want a problem", len(list))
			case tt.want >= 0 && (Errors(problems) != nil || len(list) != tt.want):
				t.Errorf("%d silences, %v, want %d", len(list), problems, tt.want)
			}
			for _, p := range problems {
				if len(p.Message) > 1000 {
					t.Errorf("a message of %d bytes: %.200s", len(p.Message), p.Message)
				}
			}
		})
	}
	if _, problems := Load(filepath.Join(dir, "none.yaml"), testWords); Errors(problems) == nil {
		t.Error("a file that is not there is read")
	}
	if _, problems := Load(dir, testWords); Errors(problems) == nil {
		t.Error("a folder is read")
	}
}

// TestReadme reads the examples of the README.
func TestReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, block := range strings.Split(string(text), "```") {
		yaml, ok := strings.CutPrefix(block, "yaml\n")
		if i%2 == 0 || !ok {
			continue
		}
		n++
		words := testWords
		words.Rules = append(words.Rules[:len(words.Rules):len(words.Rules)], Rule{ID: "22222222-d660-436c-895b-8a8f8448da23", Name: "Password Spray", Runs: true})
		if list, problems := Parse("README.md", []byte(yaml), words); len(list) != 1 || len(problems) > 0 {
			t.Errorf("%d silences, %v in\n%s", len(list), problems, yaml)
		}
	}
	if n != 6 {
		t.Errorf("the README has %d examples, want 6", n)
	}
}
