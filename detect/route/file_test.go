package route

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
	"pushback/detect/silence"
)

const (
	mfaID    = "d99cf5c3-d660-436c-895b-8a8f8448da23"
	ownSpace = "11111111-2222-3333-4444-555555555555"
	otherID  = "99999999-2222-3333-4444-555555555555"
)

// testWords knows four rules, of which one does not run, and two addresses.
func testWords() Words {
	return Words{
		EntityType: func(name string) (string, []string, bool) {
			for _, t := range []string{"Account", "IP", "Host"} {
				if strings.EqualFold(t, name) {
					return t, nil, true
				}
			}
			return "", nil, false
		},
		Tactics: []string{"CredentialAccess", "InitialAccess", "Impact"},
		Rules: []Rule{
			{ID: mfaID, Name: "MFA Rejected by User", Shipped: "mfa-rejected-by-user", Runs: true, Most: alert.High, Tactics: []string{"CredentialAccess"}},
			{ID: "spray", Name: "Spray", Runs: true, Most: alert.Medium, Tactics: []string{"InitialAccess"}},
			{ID: "wide", Name: "Wide", Runs: true, Most: alert.High, AnyTactic: true},
			{ID: "off", Name: "Switched off", Most: alert.High},
		},
		Workspaces: []string{ownSpace},
		Setting: func(name string) (destination, wrong string) {
			switch name {
			case "PUSHBACK_TEAMS_WEBHOOK_URL", "PUSHBACK_TEAMS_WEBHOOK_URL_VIP":
				return "teams", ""
			case "PUSHBACK_TEAMS_WEBHOOK_URL_UNSET":
				return "teams", "the setting PUSHBACK_TEAMS_WEBHOOK_URL_UNSET is not set"
			}
			return "", ""
		},
		Settings: "PUSHBACK_TEAMS_WEBHOOK_URL",
	}
}

const example = `routes:
  - name: vip
    match:
      rule: [mfa-*, spray]
      severity: high
      tactic: CredentialAccess
      entity:
        - {type: account, suffix: "@contoso.example", tag: VIP}
        - {cidr: 203.0.113.0/24}
      workspace: 11111111-2222-3333-4444-555555555555
      hours: Mon-Fri 08:00-18:00 Europe/Berlin
    to: PUSHBACK_TEAMS_WEBHOOK_URL_VIP
    mention: [amy@contoso.example, {id: 87d349ed-44d7-43e1-9a83-5f2406dee5bd, name: Bob}]
    continue: true
  - to: [PUSHBACK_TEAMS_WEBHOOK_URL]
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, problems := Parse("routes.yaml", []byte(example), testWords())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	hours, err := silence.ParseHours("Mon-Fri 08:00-18:00 Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	want := []Route{{
		Name: "vip", Place: "routes.yaml:2", Continue: true, To: []string{"PUSHBACK_TEAMS_WEBHOOK_URL_VIP"},
		Mention: []alert.Mention{{ID: "amy@contoso.example", Name: "amy"}, {ID: "87d349ed-44d7-43e1-9a83-5f2406dee5bd", Name: "Bob"}},
		Match: Match{
			Rules: []string{"mfa-*", "spray"}, Severity: alert.High, Tactics: []string{"CredentialAccess"}, Workspaces: []string{ownSpace}, Hours: []silence.Hours{hours},
			Entities: []Entity{{Type: "Account", Suffixes: []string{"@contoso.example"}, Tags: []string{"VIP"}}, {CIDR: []string{"203.0.113.0/24"}}},
		},
	}, {Place: "routes.yaml:15", To: []string{"PUSHBACK_TEAMS_WEBHOOK_URL"}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Route{}), cmp.Comparer(func(a, b silence.Hours) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestParseProblems pins what is said of a wrong file, and where.
func TestParseProblems(t *testing.T) {
	t.Parallel()
	const to = ", to: PUSHBACK_TEAMS_WEBHOOK_URL}"
	for _, tt := range []struct{ name, routes, want string }{
		{"an unknown key", "{when: x" + to, `f.yaml:2:6: a route has no key "when"`},
		{"an unknown key of match", "{match: {rules: x}" + to, `f.yaml:2:14: match has no key "rules": did you mean "rule"?`},
		{"an unknown key of an entity", "{match: {entity: {upn: x}}" + to, `f.yaml:2:23: entity has no key "upn"`},
		{"no address", "{name: a}", "f.yaml:2:5: the route has no to: name the setting"},
		{"nowhere", "{to: []}", "f.yaml:2:10: to is an empty list"},
		{"a secret", "{to: 'https://a.webhook.example/x?sig=c2VjcmV0LXNpZ25hdHVyZQ'}", "f.yaml:2:10: to names the settings that hold the addresses"},
		{"another setting", "{to: PUSHBACK_TABLE_NAME}", "f.yaml:2:10: PUSHBACK_TABLE_NAME is no setting that holds an address: use PUSHBACK_TEAMS_WEBHOOK_URL"},
		{"not set", "{to: PUSHBACK_TEAMS_WEBHOOK_URL_UNSET}", "f.yaml:2:10: the setting PUSHBACK_TEAMS_WEBHOOK_URL_UNSET is not set"},
		{"an address twice", "{to: [PUSHBACK_TEAMS_WEBHOOK_URL, PUSHBACK_TEAMS_WEBHOOK_URL]}", "f.yaml:2:39: PUSHBACK_TEAMS_WEBHOOK_URL is there twice"},
		{"a bad range", "{match: {entity: {cidr: 203.0.113.0/33}}" + to, `f.yaml:2:29: "203.0.113.0/33" is no range of addresses`},
		{"a bad zone", "{match: {hours: daily 08:00-18:00 Europe/Nowhere}" + to, `f.yaml:2:21: hours: "daily 08:00-18:00 Europe/Nowhere" are no hours of the week: "Europe/Nowhere" is no time zone that is known`},
		{"empty hours", "{match: {hours: []}" + to, "f.yaml:2:21: hours is an empty list"},
		{"an unknown rule", "{match: {rule: spry}" + to, `f.yaml:2:20: no rule is called "spry", so that the route is never taken: did you mean "Spray"?`},
		{"a pattern of no rule", "{match: {rule: zzz-*}" + to, `f.yaml:2:20: no rule is called "zzz-*"`},
		{"a rule that is off", "{match: {rule: off}" + to, `f.yaml:2:20: no rule that runs is called "off"`},
		{"no severity", "{match: {severity: critical}" + to, "f.yaml:2:24: severity: "},
		{"an impossible severity", "{match: {rule: spray, severity: High}" + to, "f.yaml:2:5: no alert can reach the route: an alert of its rules, such as Spray, is Medium at most, and the route asks for High"},
		{"an unknown tactic", "{match: {tactic: CredentialAcces}" + to, `f.yaml:2:22: there is no tactic "CredentialAcces": did you mean "CredentialAccess"?`},
		{"a tactic of no such rule", "{match: {rule: spray, tactic: Impact}" + to, "f.yaml:2:5: no alert can reach the route: no rule that runs, and that it matches, has the tactic Impact"},
		{"no workspace", "{match: {workspace: contoso}" + to, `f.yaml:2:25: "contoso" is no workspace`},
		{"another workspace", "{match: {workspace: " + otherID + "}" + to, "f.yaml:2:25: no alert is of the workspace " + otherID},
		{"an unknown type", "{match: {entity: {type: Person}}" + to, `f.yaml:2:29: there is no entity type "Person"`},
		{"an empty entity", "{match: {entity: {}}" + to, "f.yaml:2:22: the entity says nothing"},
		{"no entities", "{match: {entity: []}" + to, "f.yaml:2:22: entity is an empty list"},
		{"a range of accounts", "{match: {entity: {type: Account, cidr: 10.0.0.0/8}}" + to, "f.yaml:2:44: no Account has an address of a range"},
		{"a tag of an address", "{match: {entity: {tag: VIP, cidr: 10.0.0.0/8}}" + to, "f.yaml:2:22: no entity has both, an address and a tag"},
		{"a star in a suffix", `{match: {entity: {suffix: "*.example"}}` + to, "f.yaml:2:31: in a suffix a * stands for itself"},
		{"an empty value", `{match: {entity: {name: ""}}` + to, "f.yaml:2:29: name has an empty value"},
		{"nobody", "{mention: amy" + to, `f.yaml:2:15: "amy" is nobody to mention`},
		{"no name", "{mention: 87d349ed-44d7-43e1-9a83-5f2406dee5bd" + to, "f.yaml:2:15: the user 87d349ed-44d7-43e1-9a83-5f2406dee5bd has no name to be shown"},
		{"a tag in a name", "{mention: {id: a@b.example, name: '<at>x'}" + to, `f.yaml:2:15: the name "<at>x" cannot be shown`},
		{"continue", "{continue: maybe" + to, "f.yaml:2:16: continue is true or false"},
		{"two names", "{name: a, match: {rule: spray}" + to + "\n  - {name: A" + to, "f.yaml:3:5: the name A is also that of the route in line 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, problems := Parse("f.yaml", []byte("routes:\n  - "+tt.routes+"\n"), testWords())
			if len(problems) == 0 || !strings.HasPrefix(problems[0].String(), tt.want) {
				t.Fatalf("got %v", problems)
			}
			if strings.Contains(Errors(problems).Error(), "c2VjcmV0") {
				t.Errorf("an address is quoted: %v", problems)
			}
		})
	}
	words := testWords()
	words.Elsewhere = true
	if _, problems := Parse("f.yaml", []byte("routes:\n  - {to: PUSHBACK_TEAMS_WEBHOOK_URL_UNSET}\n"), words); len(problems) != 1 || !problems[0].Warning {
		t.Errorf("where the settings are elsewhere: %v", problems)
	}
}

// TestReach pins which routes no alert can reach, and which can: each case is the
// matches of routes in their order, of which the last is judged.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		matches []string // one that begins with + goes on
		want    string   // the lines that take all, or nothing
	}{
		{"the same", []string{"{rule: spray}", "{rule: spray}"}, "that in line 2 takes"},
		{"behind all", []string{"{}", "{rule: spray}"}, "that in line 2 takes"},
		{"behind all that goes on", []string{"+{}", "{rule: spray}"}, ""},
		{"all behind some", []string{"{rule: spray}", "{}"}, ""},
		{"each rule by itself", []string{"{rule: spray}", "{rule: mfa-*}", "{rule: wide}", "{}"}, "those in lines 2, 3 and 4 take"},
		{"by another name", []string{"{rule: Spray}", "{rule: sp*}"}, "that in line 2 takes"},
		{"lower severity", []string{"{severity: Medium}", "{severity: High}"}, "that in line 2 takes"},
		{"higher severity", []string{"{severity: High}", "{severity: Medium}"}, ""},
		{"a severity that the rule never has", []string{"{severity: High}", "{rule: mfa-*, severity: High}"}, "that in line 2 takes"},
		{"day and night", []string{"{hours: daily 08:00-20:00 Europe/Berlin}", "{hours: daily 20:00-08:00 Europe/Berlin}", "{}"}, "those in lines 2 and 3 take"},
		{"day and night of two zones", []string{"{hours: daily 08:00-20:00 Europe/Berlin}", "{hours: daily 20:00-08:00 Asia/Tokyo}", "{}"}, ""},
		{"a minute is left", []string{"{hours: daily 08:00-20:00}", "{hours: daily 20:01-08:00}", "{}"}, ""},
		{"hours in others", []string{"{hours: Mon-Fri 08:00-18:00}", "{hours: Tue 09:00-10:00}"}, "that in line 2 takes"},
		{"hours of another zone", []string{"{hours: Mon-Fri 08:00-18:00}", "{hours: Tue 09:00-10:00 Europe/Berlin}"}, ""},
		{"the same hours of another zone", []string{"{hours: daily 08:00-18:00 Asia/Tokyo}", "{rule: spray, hours: daily 08:00-18:00 Asia/Tokyo}"}, "that in line 2 takes"},
		{"the whole week in another zone", []string{"{hours: daily 00:00-24:00 Asia/Tokyo}", "{hours: daily 08:00-18:00 Europe/Berlin}"}, "that in line 2 takes"},
		{"somebody else", []string{"{entity: {name: amy}}", "{entity: {name: bob}}"}, ""},
		{"whoever it is", []string{"{entity: {name: amy}}", "{}"}, ""},
		{"a name in a pattern", []string{`{entity: {name: "a*"}}`, "{entity: {name: [amy, anna]}}"}, "that in line 2 takes"},
		{"a pattern in a name", []string{"{entity: {name: amy}}", `{entity: {name: "a*"}}`}, ""},
		{"a suffix in another", []string{"{entity: {suffix: contoso.example}}", `{entity: {suffix: "@it.contoso.example"}}`}, "that in line 2 takes"},
		{"no suffix of another", []string{"{entity: {suffix: contoso.example}}", `{entity: {suffix: "evilcontoso.example"}}`}, ""},
		{"a range in another", []string{"{entity: {cidr: 10.0.0.0/8}}", "{entity: {cidr: [10.1.0.0/16, 10.2.3.4]}}"}, "that in line 2 takes"},
		{"a wider range", []string{"{entity: {cidr: 10.1.0.0/16}}", "{entity: {cidr: 10.0.0.0/8}}"}, ""},
		{"one of two entities", []string{"{entity: {tag: VIP}}", "{entity: [{tag: VIP}, {cidr: 10.0.0.0/8}]}"}, "that in line 2 takes"},
		{"two entities before one", []string{"{entity: [{tag: VIP}, {cidr: 10.0.0.0/8}]}", "{entity: {tag: VIP}}"}, ""},
		{"an address is an IP", []string{"{entity: {type: IP}}", "{entity: {cidr: 10.0.0.0/8}}"}, "that in line 2 takes"},
		{"a tactic of the rule", []string{"{tactic: InitialAccess}", "{rule: spray}"}, "that in line 2 takes"},
		{"a tactic that a row may name", []string{"{tactic: InitialAccess}", "{rule: wide}"}, ""},
		{"a tactic that a row names", []string{"{tactic: [InitialAccess, Impact]}", "{rule: wide, tactic: Impact}"}, "that in line 2 takes"},
		{"a workspace", []string{"{workspace: " + ownSpace + "}", "{}"}, ""},
		{"in a workspace", []string{"{}", "{workspace: " + ownSpace + "}"}, "that in line 2 takes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text := "routes:\n"
			for _, m := range tt.matches {
				goes, m := strings.HasPrefix(m, "+"), strings.TrimPrefix(m, "+")
				text += "  - {to: PUSHBACK_TEAMS_WEBHOOK_URL, match: " + m
				if goes {
					text += ", continue: true"
				}
				text += "}\n"
			}
			_, problems := Parse("f.yaml", []byte(text), testWords())
			switch {
			case tt.want == "" && len(problems) > 0:
				t.Errorf("got %v", problems)
			case tt.want != "" && (len(problems) != 1 || problems[0].Line != 1+len(tt.matches) || !strings.Contains(problems[0].Message, tt.want+" all that it matches")):
				t.Errorf("got %v", problems)
			}
		})
	}
}

// FuzzParse pins that no file stops a start: it is read in time or refused, and each
// route that is taken can be asked.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("routes:\n  - &a {to: *a}\n")
	f.Add("routes: [{match: {entity: {name: '***', suffix: '', cidr: '::/0', tag: [x]}}, to: [A]}, {to: A, continue: yes}]")
	f.Add("routes: [{to: PUSHBACK_TEAMS_WEBHOOK_URL, match: {hours: 'Sun 23:00-01:00 Asia/Tokyo'}}]")
	words := testWords()
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		list, problems := Parse("f.yaml", []byte(text), words)
		for _, p := range problems {
			if p.Message == "" || strings.ContainsAny(p.Message, "\n") && !strings.Contains(p.Message, "YAML") {
				t.Errorf("%q", p)
			}
		}
		if Errors(problems) != nil {
			return
		}
		a := testAlert()
		d := New(list, testNames()).Decide(a)
		if len(d.Steps) > len(list) {
			t.Errorf("%d steps of %d routes", len(d.Steps), len(list))
		}
		// What can be reached, and matches, is not behind a route that ends.
		for i, s := range d.Steps {
			if s.WhyNot == "" && !s.Route.Continue && i != len(d.Steps)-1 {
				t.Errorf("%d routes are asked behind one that ends", len(d.Steps)-1-i)
			}
		}
	})
}

func testNames() Names {
	words := testWords()
	return Names{
		Rules: words.Rules, Workspace: ownSpace,
		Destination: func(s string) string { d, _ := words.Setting(s); return d },
		Same:        func(s string) string { return s },
	}
}

// testAlert is about two accounts and an address, of Monday at noon.
func testAlert() alert.Alert {
	return alert.Alert{
		ID: "1", RuleID: mfaID, RuleName: "MFA Rejected by User", Severity: alert.Medium, Tactics: []string{"CredentialAccess"}, Created: time.Date(2026, 3, 16, 12, 0, 0, 0, time.UTC),
		Entities: []alert.Entity{
			{Type: "Account", Fields: []alert.Field{{Identifier: "Name", Value: "Amy"}, {Identifier: "UPNSuffix", Value: "contoso.example"}, {Identifier: "DisplayName", Value: "ceo@fabrikam.example"}}},
			{Type: "Account", Fields: []alert.Field{{Identifier: "FullName", Value: "bob@evilcontoso.example"}}},
			{Type: "IP", Fields: []alert.Field{{Identifier: "Address", Value: "::ffff:203.0.113.7"}}},
			{Type: "Host", Fields: []alert.Field{{Identifier: "HostName", Value: "srv1"}, {Identifier: "DnsDomain", Value: "corp.example"}}},
		},
		Context: &alert.Context{Sections: []alert.Section{
			{Title: "Identity", Subject: "amy@contoso.example", Facts: []alert.Detail{{Name: "Tags", Values: []string{"VIP"}}, {Name: "Roles", Values: []string{"Global Administrator"}}, {Name: "Department", Values: []string{"Board"}}}},
			{Title: "Watchlist", Subject: "bob@evilcontoso.example", Facts: []alert.Detail{{Name: "Groups", Values: []string{"Contractors"}}}},
		}},
	}
}
