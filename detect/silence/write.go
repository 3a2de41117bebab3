package silence

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
)

// MatchersOf returns the matchers of what tells an entity apart, one for each of its
// identifiers or, of an account, one that is enough. There are none if nothing does.
func MatchersOf(e alert.Entity) (list []Matcher) {
	for _, f := range identifying(e) {
		list = append(list, Matcher{Entity: e.Type, Identifier: f.Identifier, Exactly: []string{strings.TrimSpace(f.Value)}})
	}
	return list
}

// Key is a text that two matchers have in common which are the same, however they are
// spelled.
func (m Matcher) Key() string {
	parts := []string{fold(m.name())}
	for sign, values := range map[string][]string{"=": m.Exactly, "~": m.Values, "/": m.CIDR} {
		for _, v := range values {
			parts = append(parts, sign+strconv.Quote(Canonical(v)))
		}
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " ")
}

// IsText reports whether all of a silence is text that a file can hold: YAML has no
// bytes that are no UTF-8.
func (s *Silence) IsText() bool {
	texts := slices.Concat([]string{s.ID, s.Reason, s.By}, s.Rules)
	for _, m := range s.Match {
		texts = slices.Concat(texts, []string{m.Entity, m.Identifier, m.Detail, string(m.Finding)}, m.Values, m.Exactly, m.CIDR)
	}
	return !slices.ContainsFunc(texts, func(t string) bool { return !utf8.ValidString(t) })
}

// Format writes silences as a file of them, with a comment above each. Whatever the
// texts hold, what is read from the file is the same, and nothing of it is a character
// that a terminal obeys or an editor hides. See [Silence.IsText].
func Format(list []Silence, comment func(Silence) string) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if len(list) == 0 {
		return "silences: []\n"
	}
	line("silences:")
	for _, s := range list {
		if comment != nil {
			// Quoted, a line break or a hidden character comes out as an escape.
			if text := strconv.Quote(comment(s)); text != `""` {
				line("  # %s", strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`))
			}
		}
		line("  - id: %s", scalar(s.ID))
		if len(s.Rules) > 0 {
			line("    rules: %s", scalars(s.Rules))
		}
		line("    match:")
		for _, m := range s.Match {
			line("      - {%s}", strings.Join(m.pairs(), ", "))
		}
		line("    maxSeverity: %s", s.MaxSeverity)
		for _, t := range []struct {
			key string
			at  time.Time
		}{{"from", s.From}, {"until", s.Until}, {"review", s.Review}} {
			if !t.at.IsZero() {
				line("    %s: %s", t.key, moment(t.at))
			}
		}
		if len(s.Hours) > 0 {
			hours := make([]string, len(s.Hours))
			for i, h := range s.Hours {
				hours[i] = h.String()
			}
			line("    hours: %s", scalars(hours))
		}
		line("    reason: %s", scalar(s.Reason))
		line("    by: %s", scalar(s.By))
	}
	return b.String()
}

// pairs are the keys of a matcher with their values.
func (m Matcher) pairs() (pairs []string) {
	one := func(key, value string) {
		if value != "" {
			pairs = append(pairs, key+": "+scalar(value))
		}
	}
	several := func(key string, values []string) {
		switch len(values) {
		case 0:
		case 1:
			one(key, values[0])
		default:
			pairs = append(pairs, key+": "+scalars(values))
		}
	}
	one("entity", m.Entity)
	one("identifier", m.Identifier)
	one("detail", m.Detail)
	one("finding", string(m.Finding))
	several("value", m.Values)
	several("exactly", m.Exactly)
	several("cidr", m.CIDR)
	return pairs
}

func moment(t time.Time) string {
	t = t.UTC()
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}

var plainScalar = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]*$`)

// scalar writes a text as YAML: bare where that is a plain word, else in double quotes,
// in which the escapes of Go and of YAML are the same for text that is UTF-8.
func scalar(text string) string {
	if plainScalar.MatchString(text) {
		var n yaml.Node
		if yaml.Unmarshal([]byte(text), &n) == nil && len(n.Content) == 1 && n.Content[0].Tag == "!!str" {
			return text
		}
	}
	return strconv.Quote(text)
}

func scalars(texts []string) string {
	written := make([]string, len(texts))
	for i, t := range texts {
		written[i] = scalar(t)
	}
	return "[" + strings.Join(written, ", ") + "]"
}
