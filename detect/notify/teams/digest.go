package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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

// Digest returns several alerts of a rule as one Adaptive Card: how many, how
// bad, the findings they share, and the worst of them in a table. What holds for
// [Card] holds for it.
func Digest(alerts []alert.Alert) (json.RawMessage, error) {
	if len(alerts) == 0 {
		return nil, fmt.Errorf("teams: a digest of no alert")
	}
	worst := slices.Clone(alerts)
	slices.SortStableFunc(worst, func(a, b alert.Alert) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(takesPlace(b), takesPlace(a)), cmp.Compare(found(b), found(a)), a.Span.Start.Compare(b.Span.Start), cmp.Compare(a.ID, b.ID))
	})
	var span alert.Span
	severities := map[alert.Severity]int{}
	stormed := 0
	findings := map[string]int{}
	entities := map[string]map[string]bool{}
	for _, a := range worst {
		switch { // a time that is not known would stretch it to the year 1
		case !a.Span.Known():
		case !span.Known():
			span = a.Span
		default:
			span = span.Hull(a.Span)
		}
		severities[a.Severity]++
		stormed += takesPlace(a)
		if a.Context != nil {
			for _, f := range a.Context.Findings {
				findings[f.Kind]++
			}
		}
		for _, e := range a.Entities {
			if len(e.Fields) > 0 {
				if entities[e.Type] == nil {
					entities[e.Type] = map[string]bool{}
				}
				entities[e.Type][e.Fields[0].Value] = true
			}
		}
	}
	head := worst[0]
	head.Title = fmt.Sprintf("%d alerts at once", len(worst))
	var about []string
	for _, t := range []struct{ entity, one, many string }{{"Account", "1 account", "%d accounts"}, {"IP", "1 address", "%d addresses"}, {"Host", "1 host", "%d hosts"}} {
		switch n := len(entities[t.entity]); {
		case n == 1:
			about = append(about, t.one)
		case n > 1:
			about = append(about, fmt.Sprintf(t.many, n))
		}
	}
	if len(about) > 0 {
		head.Title += ", about " + strings.Join(about, " and ")
	}
	var totals []string
	for s := alert.High; s >= alert.Informational; s-- {
		if n := severities[s]; n > 0 {
			totals = append(totals, fmt.Sprintf("%d %s", n, s))
		}
	}
	c := newCard(head.Severity.String() + ": " + text.Markdown(inert(text.Line(head.RuleName), mostName)) + ": " + head.Title)
	c.Body = []any{header(head)}
	if text := when(span); text != "" {
		c.Body = append(c.Body, small(text))
	}
	c.Body = append(c.Body, fact("Severity", strings.Join(totals, ", ")))
	if stormed > 0 {
		c.Body = append(c.Body, fact("Storms", fmt.Sprintf("stand for %d alerts", stormed)))
	}
	kinds := make([]string, 0, len(findings))
	for k := range findings {
		kinds = append(kinds, k)
	}
	slices.SortFunc(kinds, func(a, b string) int { return cmp.Or(cmp.Compare(findings[b], findings[a]), cmp.Compare(a, b)) })
	for i, k := range kinds {
		kinds[i] = fmt.Sprintf("%s (%d)", k, findings[k])
	}
	if len(kinds) > 0 {
		c.Body = append(c.Body, fact("Findings", values(kinds, nil)))
	}
	c.Body = append(c.Body, rich("Medium", textRun{Text: "The worst of them", Weight: "Bolder"}))
	for n := min(len(worst), mostDigested); ; n-- {
		whole := c
		whole.Body = slices.Clone(c.Body)
		for _, a := range worst[:n] {
			lines := []string{inert(text.Line(a.Title), mostValue)}
			if late := text.Late(a); late != "" {
				lines = append(lines, text.Range(a.Span)+" UTC. "+late)
			}
			if a.Context != nil && len(a.Context.Findings) > 0 {
				lines = append(lines, inert(text.Line(a.Context.Findings[0].Text), mostValue))
			}
			whole.Body = append(whole.Body, fact(a.Severity.String(), lines...))
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
