package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/text"
)

// mostDigested is how many accounts a digest names, but for those that somebody
// may have got into: it names all that it has room for.
const mostDigested = 12

// Where room is short, mostFull accounts are in full, and of the title of each
// other one there are mostBrief characters.
const (
	mostFull  = 3
	mostBrief = 100
)

// Most is how many alerts of a rule are posted one by one: more are a digest.
func (t *Teams) Most() int { return t.options.MaxCards }

// NotifyAll posts one card about several alerts of a rule: see [Digest]. Where
// they have different addresses it goes where the worst of them would. Its errors
// are like those of Notify.
func (t *Teams) NotifyAll(ctx context.Context, alerts []alert.Alert) error {
	card, summary, err := digestOf(alerts)
	if err != nil {
		return &notify.Error{Err: err, Message: true}
	}
	return t.send(ctx, t.route(slices.MinFunc(alerts, alert.CompareByWeight)), card, summary)
}

// Digest returns several alerts of a rule as one Adaptive Card. It says how
// many, how bad, the findings they share, and the most severe of them in a table.
// What holds for [Card] holds for it.
func Digest(alerts []alert.Alert) (json.RawMessage, error) {
	card, _, err := digestOf(alerts)
	return card, err
}

// digestOf returns the card of a digest, and what a notification says of it.
func digestOf(alerts []alert.Alert) (json.RawMessage, string, error) {
	if len(alerts) == 0 {
		return nil, "", fmt.Errorf("teams: a digest of no alert")
	}
	worst := slices.Clone(alerts)
	alert.SortByWeight(worst)
	t := totalsOf(worst)
	head := worst[0]
	title := fmt.Sprintf("%d alerts at once", len(worst))
	if about := t.about(); about != "" {
		title += ", about " + about
	}
	named := text.Headline{Verdict: title}
	if rule := text.Line(head.RuleName); rule != "" {
		named = text.Headline{Verdict: rule, About: title}
	}
	c := newCard(fallbackOf(head.Severity, named.String()))
	c.Body = []any{band(head.Severity, headlineOf(head.Severity, head.RuleName, text.Headline{Verdict: title})...)}
	c.Body = append(c.Body, c.mention(mentionsOf(worst...))...)
	if at := when(t.span); at != "" {
		c.Body = append(c.Body, small(at))
	}
	c.Body = append(c.Body, fact("Severity", t.bySeverity()))
	if t.stormed > 0 {
		c.Body = append(c.Body, fact("Storms", fmt.Sprintf("stand for %d alerts", t.stormed)))
	}
	if kinds := t.byFinding(); len(kinds) > 0 {
		c.Body = append(c.Body, fact("Findings", values(kinds)))
	}
	c.Body = append(c.Body, heading("Most severe", "Medium", "Medium"))
	summary := summaryOf(head.Severity, named.String())
	card, err := withRoom(c, worst, mostSize-summarySize(summary))
	return card, summary, err
}

// party is what a digest's alerts say of one account, the worst first.
type party []alert.Alert

// compromised reports whether somebody may have got in. Such an account is not
// left out while there is any room.
func (p party) compromised() bool { return slices.ContainsFunc(p, alert.Alert.Compromised) }

// parties divides alerts by account, and keeps their order. A storm is one of
// itself, and so is an alert that is about nobody known.
func parties(worst []alert.Alert) []party {
	var list []party
	index := map[string]int{}
	for _, a := range worst {
		who := a.Account()
		i, there := index[who]
		if !there || who == "" || a.Storm != nil {
			i = len(list)
			list = append(list, nil)
			if a.Storm == nil {
				index[who] = i
			}
		}
		list[i] = append(list[i], a)
	}
	return list
}

// withRoom returns a digest's card with as many of the accounts as it has room
// for: all that somebody may have got into, in a line each if need be, and of the
// others the worst up to mostDigested.
func withRoom(c card, worst []alert.Alert, limit int) (json.RawMessage, error) {
	all := parties(worst)
	got := 0
	for _, p := range all {
		if p.compromised() {
			got++
		}
	}
	// with returns the card with so many of the accounts, the first few in full.
	with := func(n, full int) (json.RawMessage, bool, error) {
		whole := c
		whole.Body = slices.Clone(c.Body)
		var left []party
		others := n - min(n, got)
		must := min(n, got)
		for _, p := range all {
			room := &others
			if p.compromised() {
				room = &must
			}
			if *room == 0 {
				left = append(left, p)
				continue
			}
			*room--
			whole.Body = append(whole.Body, p.row(full > 0))
			full--
		}
		if len(left) > 0 {
			whole.Body = append(whole.Body, omitted(left))
		}
		card, err := encode(whole)
		return card, err == nil && Size(card) <= limit, err
	}
	for n := min(len(all), max(mostDigested, got)); n >= got; n-- {
		if card, fits, err := with(n, n); fits || err != nil {
			return card, err
		}
	}
	fewer := sort.Search(got, func(fewer int) bool {
		_, fits, err := with(got-fewer, mostFull)
		return fits || err != nil
	})
	card, fits, err := with(got-fewer, mostFull)
	if err == nil && !fits {
		return nil, fmt.Errorf("teams: a digest of nothing but totals has no room in %d bytes", mostSize)
	}
	return card, err
}

// omitted says how many alerts a digest leaves out, and how bad they are.
func omitted(left []party) columnSet {
	n, got, worst := 0, 0, alert.Informational
	for _, p := range left {
		n += len(p)
		worst = max(worst, p[0].Severity)
		if p.compromised() {
			got++
		}
	}
	var lines []string
	if got > 0 {
		lines = append(lines, "Somebody may have got into "+text.Count(got, "account", "accounts")+" more")
	}
	about := ""
	if n != len(left) {
		about = " about " + text.Count(len(left), "account", "accounts")
	}
	return fact(worst.String()+" at most", append(lines, fmt.Sprintf("And %d more%s: each is in the log of the function, with its id", n, about))...)
}

// row is what a digest says of one account: its name, the address and the gravest
// finding of its worst alert, and how many more alerts there are of it. It is in
// full or on one line.
func (p party) row(full bool) columnSet {
	a := p[0]
	if !full {
		return fact(a.Severity.String(), brief(a, mostBrief))
	}
	lines := []string{brief(a, mostValue)}
	if late := text.Late(a); late != "" {
		lines = append(lines, text.Range(a.Span)+" UTC. "+late)
	}
	if got := slices.IndexFunc(p, alert.Alert.Compromised); got > 0 {
		lines = append(lines, brief(p[got], mostValue))
	}
	if n := len(p) - 1; n > 0 {
		lines = append(lines, "and "+text.Count(n, "other alert", "other alerts")+" of this account")
	}
	return fact(a.Severity.String(), lines...)
}

// brief says an alert on one line: who, from where, and what is gravest. Where it is
// not known who, it is the title.
func brief(a alert.Alert, most int) string {
	var parts []string
	for _, e := range a.Entities {
		if name := text.Name(e); name != "" {
			parts = append(parts, inert(text.Value(name), most))
			break
		}
	}
	if addresses := text.Addresses(a); len(addresses) > 0 {
		from := inert(text.Value(addresses[0]), mostName)
		if n := len(addresses) - 1; n > 0 {
			from += " and " + text.Count(n, "other", "others")
		}
		parts = append(parts, from)
	}
	switch own := text.Line(a.Headline()); {
	case a.Storm != nil: // its title says for what it stands
		return inert(text.Line(a.Title), most)
	case own != "": // and who and from where where it does not
		said := strings.ToLower(own)
		parts = slices.DeleteFunc(parts, func(part string) bool {
			name, _, _ := strings.Cut(strings.ToLower(part), "@")
			return strings.Contains(said, name)
		})
		parts = append(parts, inert(own, most))
	case a.Account() == "" || len(parts) == 0:
		parts = []string{inert(text.Line(a.Title), most)}
	}
	return strings.Join(append(parts, gravest(a)...), " · ")
}

// gravest says in a few words what is gravest about an alert: of a compromise, if
// there is one.
func gravest(a alert.Alert) []string {
	var said []string
	if i := gravestOf(a); i >= 0 {
		said = append(said, inert(text.Line(text.Finding(a.Context.Findings[i].Kind)), mostFinding))
	}
	if n := int(a.Count(alert.FraudReports)); n > 0 {
		said = append(said, text.Count(n, "prompt", "prompts")+" reported as fraud")
	}
	if n := int(a.Count(alert.Rejections)); len(said) == 0 && n > 0 {
		said = append(said, text.Rejected(n))
	}
	return said
}

// gravestOf returns the index of the finding that a line has room for, or -1.
func gravestOf(a alert.Alert) int {
	if a.Context == nil || len(a.Context.Findings) == 0 {
		return -1
	}
	return max(0, slices.IndexFunc(a.Context.Findings, func(f alert.Finding) bool { return f.Kind.Compromises() && a.Context.Compromised() }))
}

// totals add up what the alerts of a digest have.
type totals struct {
	span       alert.Span // of those whose time is known
	severities map[alert.Severity]int
	stormed    int // alerts that storms among them take the place of
	findings   map[string]int
	entities   map[string]map[string]bool // by type, each by its first identifier
}

func totalsOf(alerts []alert.Alert) totals {
	t := totals{severities: map[alert.Severity]int{}, findings: map[string]int{}, entities: map[string]map[string]bool{}}
	for _, a := range alerts {
		switch { // a time that is not known would stretch it to the year 1
		case !a.Span.Known():
		case !t.span.Known():
			t.span = a.Span
		default:
			t.span = t.span.Hull(a.Span)
		}
		t.severities[a.Severity]++
		t.stormed += takesPlace(a)
		if a.Context != nil {
			for _, f := range a.Context.Findings {
				t.findings[string(f.Kind)]++
			}
		}
		for _, e := range a.Entities {
			if len(e.Fields) > 0 {
				if t.entities[e.Type] == nil {
					t.entities[e.Type] = map[string]bool{}
				}
				t.entities[e.Type][e.Fields[0].Value] = true
			}
		}
	}
	return t
}

// about says how many accounts, addresses and hosts there are.
func (t totals) about() string {
	var list []string
	for _, noun := range []struct{ entity, one, many string }{{"Account", "account", "accounts"}, {"IP", "address", "addresses"}, {"Host", "host", "hosts"}} {
		if n := len(t.entities[noun.entity]); n > 0 {
			list = append(list, text.Count(n, noun.one, noun.many))
		}
	}
	return strings.Join(list, " and ")
}

// bySeverity says how many there are of each severity, the most urgent first.
func (t totals) bySeverity() string {
	var list []string
	for s := alert.High; s >= alert.Informational; s-- {
		if n := t.severities[s]; n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, s))
		}
	}
	return strings.Join(list, ", ")
}

// byFinding lists the kinds of findings with their numbers, the most frequent
// first.
func (t totals) byFinding() []string {
	kinds := slices.SortedFunc(maps.Keys(t.findings), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.findings[b], t.findings[a]), cmp.Compare(a, b))
	})
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%s (%d)", text.Finding(alert.FindingKind(k)), t.findings[k])
	}
	return kinds
}

// takesPlace is how many alerts a storm takes the place of, 0 if it is none.
func takesPlace(a alert.Alert) int {
	if a.Storm == nil {
		return 0
	}
	return a.Storm.Alerts
}
