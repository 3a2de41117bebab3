package silence

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pushback/detect/alert"
	"pushback/detect/suggest"
)

// Words are the names that a silence can use. What is nil is not checked.
type Words struct {
	// EntityType returns the name and the identifiers of an entity type.
	EntityType func(name string) (canonical string, identifiers []string, ok bool)
	// Rules are those that run, and those that ship.
	Rules []Rule
	// Findings are the kinds of findings that rules bring.
	Findings []alert.FindingKind
}

// Fault is something that is wrong with a silence.
type Fault struct {
	// Key is where: a key of the file, or that of a matcher. It is empty for all of it.
	Key     string
	Message string
	Warning bool
}

// Limits of one silence.
const (
	mostMatchers = 20
	mostValues   = 1000 // of a matcher
	mostRules    = 200
	mostLength   = 1000 // of a value, in bytes
	mostReason   = 500
	mostBy       = 100
	mostHours    = 50
)

var idForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`) })

func matchKey(i int) string { return "match " + strconv.Itoa(i) }

// Check returns what is wrong with a silence, wherever it is kept.
func Check(s Silence, words Words) []Fault {
	c := &checker{words: words}
	switch {
	case s.ID == "":
		c.fail("id", "the silence has no id: give it a short name of its own, such as pentest-december")
	case !idForm().MatchString(s.ID):
		c.fail("id", "the id %.80q is none: use up to 64 letters, digits, dots, hyphens and underscores, a letter or a digit first", s.ID)
	}
	c.text("reason", s.Reason, mostReason, "say why, with the ticket if there is one")
	c.text("by", s.By, mostBy, "say who answers for it")
	c.rules(s)
	if !s.From.IsZero() && !s.Until.IsZero() && !s.From.Before(s.Until) {
		c.fail("until", "until is not after from")
	}
	if len(s.Hours) > mostHours {
		c.fail("hours", "there are %d hours of the week, and at most %d can be", len(s.Hours), mostHours)
	}
	if len(s.Match) > mostMatchers {
		c.fail("match", "there are more than %d matchers", mostMatchers)
		return c.faults
	}
	if len(s.Match) == 0 {
		c.fail("match", "the silence has no matcher, so that it would hold back all of its rules: say whose, from where or what with match; all of one rule with an account is {entity: Account, identifier: FullName, value: \"*\"}")
		return c.faults
	}
	for i, m := range s.Match {
		c.matcher(matchKey(i), m)
	}
	if isError := func(f Fault) bool { return !f.Warning }; !slices.ContainsFunc(c.faults, isError) && c.isOfAll(s) && !slices.ContainsFunc(s.Match, narrows) {
		c.fail("match", "the silence is so wide that it would hold back everything of every rule: name rules, or a narrower value, range or detail")
	}
	return c.faults
}

type checker struct {
	words  Words
	faults []Fault
}

func (c *checker) fail(key, format string, args ...any) {
	c.faults = append(c.faults, Fault{Key: key, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) warn(key, format string, args ...any) {
	c.faults = append(c.faults, Fault{Key: key, Message: fmt.Sprintf(format, args...), Warning: true})
}

func (c *checker) text(key, text string, most int, why string) {
	switch {
	case strings.TrimSpace(text) == "":
		c.fail(key, "the silence has no %s: %s", key, why)
	case len(text) > most:
		c.fail(key, "%s is longer than %d bytes", key, most)
	}
}

func (c *checker) rules(s Silence) {
	if len(s.Rules) > mostRules {
		c.fail("rules", "there are %d rules, and at most %d can be", len(s.Rules), mostRules)
		return
	}
	var names []string
	for _, r := range c.words.Rules {
		names = append(names, r.ID, r.Name)
		if r.Shipped != "" {
			names = append(names, r.Shipped)
		}
	}
	for _, name := range s.Rules {
		switch {
		case strings.TrimSpace(name) == "" || len(name) > mostLength:
			c.fail("rules", "%.60q is no rule: use ids, names or names of shipped rules, or leave rules out for all", name)
		case fold(name) == AllRules && len(s.Rules) > 1:
			c.fail("rules", "%s stands for every rule, and beside it there are others", AllRules)
		case fold(name) == AllRules, len(names) == 0:
		case !slices.ContainsFunc(names, func(n string) bool { return fold(n) == fold(name) }):
			hint := ""
			if best := suggest.Nearest(name, names); best != "" {
				hint = fmt.Sprintf(": did you mean %q?", best)
			}
			c.warn("rules", "no rule that runs or ships is called %.80q%s", name, hint)
		}
	}
}

// isOfAll reports whether a silence is about every rule that runs.
func (c *checker) isOfAll(s Silence) bool {
	if s.ofAll() {
		return true
	}
	running, named := 0, 0
	for _, r := range c.words.Rules {
		if !r.Runs {
			continue
		}
		running++
		if slices.ContainsFunc(s.Rules, r.isCalled) {
			named++
		}
	}
	return running > 1 && named == running // who names the only rule means it
}

func (c *checker) matcher(key string, m Matcher) {
	kinds := 0
	for _, is := range []bool{m.Entity != "" || m.Identifier != "", m.Detail != "", m.Finding != ""} {
		if is {
			kinds++
		}
	}
	values := len(m.Values) + len(m.Exactly) + len(m.CIDR)
	switch {
	case kinds == 0:
		c.fail(key, "a matcher says what it is about: entity and identifier, detail, or finding")
		return
	case kinds > 1:
		c.fail(key, "a matcher is about one of an entity's identifier, a detail and a finding: make it two")
		return
	case m.Finding != "":
		c.finding(key, m, values)
		return
	case m.Detail == "" && (m.Entity == "" || m.Identifier == ""):
		c.fail(key, "a matcher of an entity has both, entity and identifier, such as {entity: IP, identifier: Address, cidr: 203.0.113.0/24}")
		return
	case values == 0:
		c.fail(key, "the matcher of %s has nothing to compare with: give it value, exactly or cidr", m.name())
		return
	case values > mostValues:
		c.fail(key, "the matcher of %s has %d values, and at most %d can be", m.name(), values, mostValues)
		return
	}
	if m.Entity != "" {
		c.identifier(key, m)
	}
	for _, v := range slices.Concat(m.Values, m.Exactly, m.CIDR) {
		switch {
		case strings.TrimSpace(v) == "":
			c.fail(key, "the matcher of %s has an empty value, which no alert has", m.name())
		case len(v) > mostLength:
			c.fail(key, "the matcher of %s has a value of more than %d bytes", m.name(), mostLength)
		}
	}
	for _, v := range m.Values {
		if _, err := netip.ParsePrefix(strings.TrimSpace(v)); err == nil {
			c.fail(key, "%s is a range of addresses, which value takes for a text: write it as cidr", v)
		}
	}
	for _, v := range m.CIDR {
		if _, ok := parseCIDR(v); !ok {
			c.fail(key, "%.60q is no range of addresses: write it like 203.0.113.0/24 or 2001:db8::/32", v)
		}
	}
}

func (c *checker) finding(key string, m Matcher, values int) {
	kinds := append(alert.FindingKinds(), c.words.Findings...)
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k)
	}
	switch {
	case values > 0:
		c.fail(key, "a matcher of a finding has no value: the alert has a finding of the kind, or not")
	case !slices.Contains(kinds, m.Finding) && c.words.EntityType != nil: // else nobody says which kinds rules bring
		hint := ": they are " + strings.Join(names, ", ")
		if best := suggest.Nearest(string(m.Finding), names); best != "" {
			hint = fmt.Sprintf(": did you mean %q?", best)
		}
		c.fail(key, "there is no finding of the kind %.60q%s", string(m.Finding), hint)
	case m.Finding.Compromises():
		c.fail(key, "an alert with the finding %s says that somebody may have got in, and no silence holds back such a one", m.Finding)
	}
}

func (c *checker) identifier(key string, m Matcher) {
	if c.words.EntityType == nil {
		return
	}
	name, identifiers, ok := c.words.EntityType(m.Entity)
	if !ok {
		c.fail(key, "there is no entity type %.60q: use Account, IP, Host or another of Sentinel's", m.Entity)
		return
	}
	if !slices.ContainsFunc(identifiers, func(i string) bool { return strings.EqualFold(i, m.Identifier) }) {
		hint := ": it has " + strings.Join(identifiers, ", ")
		if best := suggest.Nearest(m.Identifier, identifiers); best != "" {
			hint = fmt.Sprintf(": did you mean %q?", best)
		}
		c.fail(key, "an entity of the type %s has no identifier %.60q%s", name, m.Identifier, hint)
	}
}

// The fewest letters and digits of a value with a star that say anything of who is
// meant, and the largest part of all addresses.
const (
	leastLetters = 3
	mostShare4   = 1.0 / 32
	mostShare6   = 1.0 / 8192
)

// narrows reports whether a matcher leaves something out that every rule may find: it
// is of values that are not all there are.
func narrows(m Matcher) bool {
	for _, v := range m.Values {
		if p := newPattern(v); len(p.parts) > 1 && p.letters() < leastLetters {
			return false
		}
	}
	share4, share6 := 0.0, 0.0
	for _, text := range m.CIDR {
		if p, ok := parseCIDR(text); ok && p.Addr().Is4() {
			share4 += math.Ldexp(1, -p.Bits())
		} else if ok {
			share6 += math.Ldexp(1, -p.Bits())
		}
	}
	return share4 <= mostShare4 && share6 <= mostShare6
}

// CheckAdHoc returns what is wrong with a silence of the ledger that is added now.
func CheckAdHoc(s Silence, now time.Time, words Words) []Fault {
	c := &checker{words: words, faults: Check(s, words)}
	if !s.Until.IsZero() && !s.Until.After(now) { // which says more than that it is before from
		c.faults = slices.DeleteFunc(c.faults, func(f Fault) bool { return f.Key == "until" })
	}
	switch {
	case !s.Review.IsZero():
		c.fail("review", "review is for silences of the file: this one ends by itself")
	case s.Until.IsZero():
		c.fail("until", "the silence has no end: say until when it lasts, or for how long")
	case !s.Until.After(now):
		c.fail("until", "the silence would have ended at %s already", s.Until.UTC().Format(time.RFC3339))
	case s.Until.Sub(now) > LongestAdHoc:
		c.fail("until", "the silence would end at %s, and one that is added by hand ends within %d days: what is to last goes into the file, where somebody reviews it",
			s.Until.UTC().Format(time.RFC3339), int(LongestAdHoc.Hours()/24))
	}
	return c.faults
}
