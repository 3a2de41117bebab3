package silence

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

func hoursOf(t *testing.T, text string) Hours {
	t.Helper()
	h, err := ParseHours(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What is written is read as the same, all of it, and looks as one would write it.
func TestFormat(t *testing.T) {
	t.Parallel()
	list := []Silence{
		{
			ID: "benign-1", Rules: []string{"e4aa3e4c-7f43-4f57-9a2f-0d4d3a8a1b11", "Password spray"},
			Match: []Matcher{
				{Entity: "Account", Identifier: "FullName", Exactly: []string{"svc@contoso.example"}},
				{Entity: "IP", Identifier: "Address", Values: []string{"203.0.113.9", "2001:db8::*"}, CIDR: []string{"198.51.100.0/24"}},
			},
			MaxSeverity: alert.Low, Until: time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC), Reason: `the "nightly" job: it's fine`, By: "amy",
		},
		{
			ID: "null", Match: []Matcher{{Detail: "App", Exactly: []string{"true"}}, {Finding: alert.FoundKnownDevice}}, MaxSeverity: alert.High,
			From: time.Date(2026, 3, 1, 8, 30, 0, 5, time.UTC), Review: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC), Hours: []Hours{hoursOf(t, "Tue 08:00-12:00 Europe/Berlin")}, Reason: "~", By: "1",
		},
	}
	written := Format(list, func(s Silence) string { return "of " + s.ID })
	want := `silences:
  # of benign-1
  - id: benign-1
    rules: [e4aa3e4c-7f43-4f57-9a2f-0d4d3a8a1b11, "Password spray"]
    match:
      - {entity: Account, identifier: FullName, exactly: "svc@contoso.example"}
      - {entity: IP, identifier: Address, value: ["203.0.113.9", "2001:db8::*"], cidr: "198.51.100.0/24"}
    maxSeverity: Low
    until: 2026-04-16
    reason: "the \"nightly\" job: it's fine"
    by: amy
  # of null
  - id: "null"
    match:
      - {detail: App, exactly: "true"}
      - {finding: known-device}
    maxSeverity: High
    from: 2026-03-01T08:30:00.000000005Z
    review: 2026-05-01
    hours: ["Tue 08:00-12:00 Europe/Berlin"]
    reason: "~"
    by: "1"
`
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	read, problems := Parse("silences.yaml", []byte(written), Words{})
	if len(problems) > 0 {
		t.Error(problems)
	}
	if diff := cmp.Diff(list, read, cmpopts.IgnoreFields(Silence{}, "Place"), cmp.Comparer(func(a, b Hours) bool { return a.String() == b.String() })); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	for _, s := range [][]Silence{nil, {}} {
		if read, problems := Parse("silences.yaml", []byte(Format(s, nil)), Words{}); len(read)+len(problems) > 0 {
			t.Errorf("of none: %v, %v", read, problems)
		}
	}
}

// Whatever a name holds, the file has it as it is, shows nothing that a terminal obeys,
// and a comment stays one.
func FuzzFormat(f *testing.F) {
	for _, s := range []string{"svc@contoso.example", "a\n  - id: x", "\u202eevil\u200b", "\x1b[31m", `"}, reason: "x`, "{{x}}", "# x", "é\U0001f600\u0085\u2028\ufeff\x7f\x00", "a*b", "\xff", "- x", "&a *a !!str", "null"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, value, comment string) {
		s := Silence{ID: "a", Match: []Matcher{{Entity: "Account", Identifier: "FullName", Exactly: []string{value}}}, Until: time.Date(2026, 4, 16, 0, 0, 0, 0, time.UTC), Reason: value, By: value}
		if !s.IsText() {
			if utf8.ValidString(value) {
				t.Fatalf("%q is no text", value)
			}
			return
		}
		if len(value) > mostBy || strings.TrimSpace(value) == "" {
			return
		}
		written := Format([]Silence{s}, func(Silence) string { return comment })
		for line := range strings.Lines(written) {
			if line = strings.TrimSuffix(line, "\n"); text.Safe(line) != line {
				t.Errorf("%q is not safe", line)
			}
		}
		read, problems := Parse("silences.yaml", []byte(written), Words{})
		if len(read) != 1 || len(problems) > 0 {
			t.Fatalf("%v\n%s", problems, written)
		}
		if got := read[0]; got.Match[0].Exactly[0] != value || got.Reason != strings.TrimSpace(value) || got.By != strings.TrimSpace(value) {
			t.Errorf("%q is read as %+v", value, got)
		}
	})
}

// Two matchers that match the same are one, however they are spelled, and what tells an
// entity apart is enough of it.
func TestMatchersOf(t *testing.T) {
	t.Parallel()
	entity := func(kind string, fields ...string) (e alert.Entity) {
		e.Type = kind
		for i := 0; i < len(fields); i += 2 {
			e.Fields = append(e.Fields, alert.Field{Identifier: fields[i], Value: fields[i+1]})
		}
		return e
	}
	keys := func(e alert.Entity) string {
		var keys []string
		for _, m := range MatchersOf(e) {
			keys = append(keys, m.Key())
		}
		return strings.Join(keys, "; ")
	}
	for _, test := range []struct {
		of   alert.Entity
		want string
	}{
		{entity("Account", "FullName", " Amy@Contoso.example ", "AadUserId", "1"), `account.fullname ="amy@contoso.example"`},
		{entity("Account", "Name", "amy", "UPNSuffix", "contoso.example"), `account.name ="amy"; account.upnsuffix ="contoso.example"`},
		{entity("IP", "Address", "::ffff:203.0.113.9"), `ip.address ="203.0.113.9"`},
		{entity("Host", "HostName", "PC1", "DnsDomain", ""), `host.hostname ="pc1"`},
		{entity("IP", "Address", "  "), ""},
	} {
		if got := keys(test.of); got != test.want {
			t.Errorf("%v: %s, want %s", test.of, got, test.want)
		}
	}
	if a, b := (Matcher{Detail: "A", Values: []string{"x", "y"}}), (Matcher{Detail: "a", Values: []string{"Y", "X"}}); a.Key() != b.Key() || a.Key() == (Matcher{Detail: "a", Exactly: []string{"x", "y"}}).Key() {
		t.Errorf("%q, %q", a.Key(), b.Key())
	}
}
