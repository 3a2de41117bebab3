package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/text"
)

// mostDigested is how many alerts a digest names.
const mostDigested = 12

// Most is how many alerts of a rule are posted one by one: more are a digest.
func (t *Teams) Most() int { return t.options.MaxCards }

// NotifyAll posts one card about several alerts of a rule: see [Digest]. Where
// they have different addresses it goes where the worst of them would. Its errors
// are like those of Notify.
func (t *Teams) NotifyAll(ctx context.Context, alerts []alert.Alert) error {
	card, err := Digest(alerts)
	if err != nil {
		return &notify.Error{Err: err, Message: true}
	}
	worst := alerts[0]
	for _, a := range alerts {
		if a.Severity > worst.Severity {
			worst = a
		}
	}
	return t.send(ctx, t.route(worst), card)
}

// Digest returns several alerts of a rule as one Adaptive Card. It says how
// many, how bad, the findings they share, and the worst of them in a table.
// What holds for [Card] holds for it.
func Digest(alerts []alert.Alert) (json.RawMessage, error) {
	if len(alerts) == 0 {
		return nil, fmt.Errorf("teams: a digest of no alert")
	}
	worst := slices.Clone(alerts)
	slices.SortStableFunc(worst, func(a, b alert.Alert) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(takesPlace(b), takesPlace(a)), cmp.Compare(found(b), found(a)), a.Span.Start.Compare(b.Span.Start), cmp.Compare(a.ID, b.ID))
	})
	t := totalsOf(worst)
	head := worst[0]
	head.Title = fmt.Sprintf("%d alerts at once", len(worst))
	if about := t.about(); about != "" {
		head.Title += ", about " + about
	}
	c := newCard(head.Severity.String() + ": " + text.Markdown(inert(text.Line(head.RuleName), mostName)) + ": " + head.Title)
	c.Body = []any{header(head)}
	if at := when(t.span); at != "" {
		c.Body = append(c.Body, small(at))
	}
	c.Body = append(c.Body, fact("Severity", t.bySeverity()))
	if t.stormed > 0 {
		c.Body = append(c.Body, fact("Storms", fmt.Sprintf("stand for %d alerts", t.stormed)))
	}
	if kinds := t.byFinding(); len(kinds) > 0 {
		c.Body = append(c.Body, fact("Findings", values(kinds, nil)))
	}
	c.Body = append(c.Body, rich("Medium", textRun{Text: "The worst of them", Weight: "Bolder"}))
	return withRoom(c, worst)
}

// withRoom returns a digest's card with as many of the worst alerts as it has
// room for.
func withRoom(c card, worst []alert.Alert) (json.RawMessage, error) {
	for n := min(len(worst), mostDigested); ; n-- {
		whole := c
		whole.Body = slices.Clone(c.Body)
		for _, a := range worst[:n] {
			whole.Body = append(whole.Body, digested(a))
		}
		if more := len(worst) - n; more > 0 {
			whole.Body = append(whole.Body, rich("Small", textRun{Text: fmt.Sprintf("And %d more: each is in the log of the function, with its id", more), IsSubtle: true}))
		}
		card, err := encode(whole)
		if err != nil || Size(card) <= mostSize {
			return card, err
		}
		if n == 0 {
			return nil, fmt.Errorf("teams: a digest of nothing but totals has no room in %d bytes", mostSize)
		}
	}
}

// digested is what a digest says of one alert.
func digested(a alert.Alert) columnSet {
	lines := []string{inert(text.Line(a.Title), mostValue)}
	if late := text.Late(a); late != "" {
		lines = append(lines, text.Range(a.Span)+" UTC. "+late)
	}
	if a.Context != nil && len(a.Context.Findings) > 0 {
		lines = append(lines, inert(text.Line(a.Context.Findings[0].Text), mostValue))
	}
	return fact(a.Severity.String(), lines...)
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
		kinds[i] = fmt.Sprintf("%s (%d)", k, t.findings[k])
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

// found is how many findings an alert has.
func found(a alert.Alert) int {
	if a.Context == nil {
		return 0
	}
	return len(a.Context.Findings)
}
