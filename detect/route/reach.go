package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/silence"
)

// reach says which routes no alert can reach: it is a mistake, and nobody would see it.
//
// What a route takes is divided into cells: a rule, a severity and a part of the week. A
// route before it that does not go on takes a cell away from it if it takes all of that,
// whoever an alert is about. One is never reached if nothing is left.
func (r *reader) reach(list []Route) {
	all := make([]taken, len(list))
	for i := range list {
		all[i] = r.taken(&list[i])
	}
	for i := range all {
		later := &all[i]
		if why := later.never(r.words.Rules); why != "" {
			r.Fail(r.nodes[i], "no alert can reach the route: %s", why)
			continue
		}
		var before []*taken
		for k := range all[:i] {
			if !all[k].Continue {
				before = append(before, &all[k])
			}
		}
		if by := later.shadows(before); len(by) > 0 {
			what := "that in line " + by[0] + " takes"
			if len(by) > 1 {
				what = "those in lines " + strings.Join(by[:len(by)-1], ", ") + " and " + by[len(by)-1] + " take"
			}
			r.Fail(r.nodes[i], "no alert can reach the route: %s all that it matches, and ends there. Move it up, let it match more, or give the earlier one continue: true", what)
		}
	}
}

// taken is a route with what it takes.
type taken struct {
	*Route
	// rules are the indexes of the rules that run of which it takes alerts, nil if none
	// is known.
	rules map[int]bool
	most  map[int]alert.Severity // of the alerts of each
	// sure are those whose alerts all have a tactic of the route.
	sure map[int]bool
}

func (r *reader) taken(of *Route) taken {
	t := taken{Route: of}
	if r.words.Rules == nil {
		return t
	}
	t.rules, t.most, t.sure = map[int]bool{}, map[int]alert.Severity{}, map[int]bool{}
	named := patterns(of.Match.Rules)
	for i, one := range r.words.Rules {
		called := len(named) == 0 || slices.ContainsFunc(named, func(p silence.Pattern) bool { return slices.ContainsFunc(one.names(), p.Matches) })
		has := len(of.Match.Tactics) == 0 || shareOne(of.Match.Tactics, one.Tactics)
		if !one.Runs || !called || !has && !one.AnyTactic {
			continue
		}
		t.rules[i], t.most[i] = true, one.Most
		t.sure[i] = len(of.Match.Tactics) == 0 || has && !one.AnyTactic
	}
	return t
}

// never says why no alert matches, whatever the other routes are.
func (t *taken) never(rules []Rule) string {
	if t.rules == nil {
		return ""
	}
	if len(t.rules) == 0 {
		if len(t.Match.Tactics) > 0 {
			return fmt.Sprintf("no rule that runs, and that it matches, has the tactic %s", strings.Join(t.Match.Tactics, " or "))
		}
		return "no rule runs that it matches"
	}
	highest, name := alert.Informational, ""
	for i := range t.rules {
		if t.most[i] >= t.Match.Severity {
			return ""
		}
		if name == "" || t.most[i] > highest {
			highest, name = t.most[i], rules[i].Name
		}
	}
	return fmt.Sprintf("an alert of its rules, such as %s, is %s at most, and the route asks for %s", name, highest, t.Match.Severity)
}

// shadows returns the lines of the routes that take all that a route takes, or nothing if
// something is left. Where one alone takes all it is that one.
func (t *taken) shadows(before []*taken) (lines []string) {
	var wide []*taken // which take whoever it is about
	for _, e := range before {
		if coversEntities(e.Match.Entities, t.Match.Entities) && coversAll(e.Match.Workspaces, t.Match.Workspaces) {
			wide = append(wide, e)
		}
	}
	for _, e := range wide {
		if t.within(e) {
			return []string{fmt.Sprint(e.line)}
		}
	}
	if t.within(wide...) {
		for _, e := range wide {
			lines = append(lines, fmt.Sprint(e.line))
		}
	}
	return lines
}

// within reports whether some routes together take all cells of a route.
func (t *taken) within(wide ...*taken) bool {
	if len(wide) == 0 {
		return false
	}
	rules := []int{-1} // which stands for whatever there is
	if t.rules != nil {
		rules = rules[:0]
		for i := range t.rules {
			rules = append(rules, i)
		}
	}
	week := newWeek(t.Match.Hours, wide)
	whole := map[string]bool{} // what is known of those that take the same
	for _, rule := range rules {
		most := alert.High
		if rule >= 0 {
			most = t.most[rule]
		}
		for s := t.Match.Severity; s <= most; s++ {
			var take []*taken
			key := ""
			for i, e := range wide {
				if s >= e.Match.Severity && e.takesRule(t, rule) {
					take = append(take, e)
					key += fmt.Sprint(i, " ")
				}
			}
			all, known := whole[key]
			if !known {
				all = week.within(take)
				whole[key] = all
			}
			if !all {
				return false
			}
		}
	}
	return true
}

// takesRule reports whether an earlier route takes all alerts of a rule that a later one
// takes, as far as the rule and tactics say.
func (t *taken) takesRule(later *taken, rule int) bool {
	if rule >= 0 {
		return t.rules[rule] && (t.sure[rule] || coversAll(t.Match.Tactics, later.Match.Tactics))
	}
	return coversTexts(t.Match.Rules, later.Match.Rules) && coversAll(t.Match.Tactics, later.Match.Tactics)
}

// coversAll reports whether all values of a later route are among those of an earlier
// one. None is any value.
func coversAll(earlier, later []string) bool {
	if len(earlier) == 0 {
		return true
	}
	return len(later) > 0 && !slices.ContainsFunc(later, func(l string) bool {
		return !slices.ContainsFunc(earlier, func(e string) bool { return strings.EqualFold(e, l) })
	})
}

// coversTexts is coversAll for patterns. One with a star covers the texts that are like it,
// and itself.
func coversTexts(earlier, later []string) bool {
	if len(earlier) == 0 {
		return true
	}
	return len(later) > 0 && !slices.ContainsFunc(later, func(l string) bool {
		isText := silence.NewPattern(l).IsText()
		return !slices.ContainsFunc(earlier, func(e string) bool {
			return strings.EqualFold(e, l) || strings.Trim(e, "*") == "" || isText && silence.NewPattern(e).Matches(l)
		})
	})
}

// coversEntities reports whether an alert that has the entities of a later route has
// those of an earlier one.
func coversEntities(earlier, later []Entity) bool {
	return !slices.ContainsFunc(earlier, func(e Entity) bool {
		return !slices.ContainsFunc(later, func(l Entity) bool { return coversEntity(e, l) })
	})
}

func coversEntity(e, l Entity) bool {
	kind := l.Type
	switch {
	case l.CIDR != nil:
		kind = "IP"
	case l.Tags != nil:
		kind = account
	}
	return (e.Type == "" || strings.EqualFold(e.Type, kind)) && coversTexts(e.Names, l.Names) && coversTexts(e.Tags, l.Tags) &&
		coversSuffixes(e.Suffixes, l) && coversRanges(e.CIDR, l.CIDR)
}

func coversSuffixes(earlier []string, l Entity) bool {
	ends := func(text string) bool {
		return slices.ContainsFunc(earlier, func(suffix string) bool { return endsIn(text, suffix) })
	}
	if len(earlier) == 0 {
		return true
	}
	if len(l.Suffixes) > 0 && !slices.ContainsFunc(l.Suffixes, func(s string) bool { return !ends(s) }) {
		return true
	}
	return len(l.Names) > 0 && !slices.ContainsFunc(l.Names, func(n string) bool { return !silence.NewPattern(n).IsText() || !ends(n) })
}

func coversRanges(earlier, later []string) bool {
	if len(earlier) == 0 {
		return true
	}
	var ranges []netip.Prefix
	for _, text := range earlier {
		if p, ok := silence.ParseCIDR(text); ok {
			ranges = append(ranges, p)
		}
	}
	return len(later) > 0 && !slices.ContainsFunc(later, func(text string) bool {
		l, ok := silence.ParseCIDR(text)
		return !ok || !slices.ContainsFunc(ranges, func(e netip.Prefix) bool { return e.Bits() <= l.Bits() && e.Contains(l.Addr()) })
	})
}

// week is the part of the week that a route takes, on the clock of one zone.
type week struct {
	hours []silence.Hours
	zone  string
	parts [][2]int
}

// newWeek returns the part of some hours. Without hours it is all of the week, on the
// clock of the first routes that have some.
func newWeek(hours []silence.Hours, others []*taken) week {
	w := week{hours: hours, parts: [][2]int{{0, silence.WeekMinutes}}}
	from := hours
	for _, o := range others {
		if len(from) == 0 {
			from = o.Match.Hours
		}
	}
	if len(from) > 0 {
		_, zone := from[0].Week()
		w.zone = zone.String()
	}
	if len(hours) > 0 {
		w.parts = nil
		for _, h := range hours {
			parts, zone := h.Week()
			if zone.String() != w.zone { // which is not worked out: take it for all
				parts = [][2]int{{0, silence.WeekMinutes}}
			}
			w.parts = append(w.parts, parts...)
		}
	}
	return w
}

// within reports whether some routes together take all of it. What is on another clock
// counts only if it is the whole week or the very same hours.
func (w week) within(routes []*taken) bool {
	var have [][2]int
	for _, t := range routes {
		if len(t.Match.Hours) == 0 || w.same(t.Match.Hours) {
			return true
		}
		for _, h := range t.Match.Hours {
			if parts, zone := h.Week(); zone.String() == w.zone || covered([2]int{0, silence.WeekMinutes}, parts) {
				have = append(have, parts...)
			}
		}
	}
	return !slices.ContainsFunc(w.parts, func(p [2]int) bool { return !covered(p, have) })
}

// same reports whether all of the hours are among others.
func (w week) same(others []silence.Hours) bool {
	return len(w.hours) > 0 && !slices.ContainsFunc(w.hours, func(h silence.Hours) bool {
		return !slices.ContainsFunc(others, func(o silence.Hours) bool { return strings.EqualFold(o.String(), h.String()) })
	})
}

// covered reports whether a part of the week lies in others.
func covered(part [2]int, others [][2]int) bool {
	others = slices.Clone(others)
	slices.SortStableFunc(others, func(a, b [2]int) int { return a[0] - b[0] })
	at := part[0]
	for _, o := range others {
		if o[0] > at {
			break
		}
		at = max(at, o[1])
	}
	return at >= part[1]
}
