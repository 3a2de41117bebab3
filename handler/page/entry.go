package page

import (
	"cmp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// entry is one alert in the list. Its texts are for reading and harmless.
type entry struct {
	N        int       `json:"n"`
	ID       string    `json:"id"`
	Severity string    `json:"severity"`
	Time     time.Time `json:"time,omitzero"`
	// User is whom the alert is about, or what if it is about nobody, and Users
	// how many more. What says which of them it is. Address is where from.
	User      string `json:"user"`
	What      string `json:"what"`
	Users     int    `json:"users,omitempty"`
	Address   string `json:"address"`
	Addresses int    `json:"addresses,omitempty"`
	// Finding is the verdict that the card has as its headline, or else the weightiest
	// finding, and Whole that finding where it is another text.
	Finding  string   `json:"finding"`
	Whole    string   `json:"whole,omitempty"`
	Findings []string `json:"findings"`
	Rule     string   `json:"rule"`
	Title    string   `json:"title"`
	// Updates is the id of the alert that this one brings news of.
	Updates string `json:"updates,omitempty"`
	// Storm is how many alerts it takes the place of.
	Storm int `json:"storm,omitempty"`
	// Search is what else a search looks through.
	Search string `json:"search"`
}

// mostShown is how many characters of a text the list has.
const mostShown = 300

func entryOf(n int, a alert.Alert) entry {
	e := entry{N: n, ID: shown(a.ID), Severity: a.Severity.String(), Rule: shown(a.RuleName), Title: shown(a.Title), Findings: []string{}}
	switch {
	case alert.Known(a.Happened().Start):
		e.Time = a.Happened().Start.UTC()
	case alert.Known(a.Created):
		e.Time = a.Created.UTC()
	}
	users, addresses, what := named(a)
	e.What = what
	if len(users) > 0 {
		e.User, e.Users = users[0], len(users)-1
	}
	if len(addresses) > 0 {
		e.Address, e.Addresses = addresses[0], len(addresses)-1
	}
	if a.Context != nil {
		for _, f := range a.Context.Findings {
			e.Findings = append(e.Findings, shown(text.Capital(text.Finding(f.Kind))))
		}
		if news, ok := a.News(); ok {
			e.Whole = shown(without(text.Brief(news), users))
		} else if len(a.Context.Findings) > 0 {
			e.Whole = shown(without(text.Brief(a.Context.Findings[0]), users))
		}
	}
	if a.FraudReported() {
		e.Findings = append(e.Findings, "Reported by the user")
		e.Whole = cmp.Or(e.Whole, "Reported by the user")
	}
	e.Finding = cmp.Or(shown(text.HeadlineOf(a).Bare()), shown(a.Headline()), e.Whole, e.Title)
	if e.Whole == e.Finding {
		e.Whole = ""
	}
	if a.Updates != nil {
		e.Updates = shown(a.Updates.ID)
	}
	if a.Storm != nil {
		e.Storm = a.Storm.Alerts
	}
	e.Search = searched(a)
	return e
}

// without is a finding's text for a list that names the users beside it: it does not
// begin or end with one of them.
func without(finding string, users []string) string {
	for _, user := range users {
		for _, name := range []string{text.Quoted(user), user} {
			if rest, ok := strings.CutPrefix(finding, name+" "); ok {
				first, size := utf8.DecodeRuneInString(rest)
				return string(unicode.ToUpper(first)) + rest[size:]
			}
			if rest, ok := strings.CutSuffix(finding, " at "+name); ok {
				return rest
			}
		}
	}
	return finding
}

// named lists whom an alert is about, or what if it is about nobody, what that is, and
// from which addresses. What names nothing at all is about the first values of its
// rows that are no times.
func named(a alert.Alert) (users, addresses []string, what string) {
	var others, values []string
	for _, e := range a.Entities {
		if len(e.Fields) == 0 {
			continue
		}
		_, name := e.Account()
		switch {
		case e.Type == "IP":
			addresses = append(addresses, shown(e.Fields[0].Value))
		case e.Type == "Account":
			users = append(users, shown(cmp.Or(name, e.Fields[0].Value)))
		case len(others) == 0 || what == e.Type:
			others, what = append(others, shown(e.Fields[0].Value)), e.Type
		}
	}
	switch {
	case len(users) > 0:
		return users, addresses, "User"
	case len(others) > 0:
		return others, addresses, shown(text.Label(what))
	case len(addresses) > 0:
		return nil, addresses, ""
	}
	for _, d := range a.Shown() {
		if len(d.Values) == 0 || d.Values[0] == "" || len(values) == mostNaming {
			continue
		}
		if _, err := time.Parse(time.RFC3339, d.Values[0]); err != nil {
			values = append(values, d.Values[0])
		}
	}
	if len(values) == 0 {
		return nil, nil, ""
	}
	return []string{shown(strings.Join(values, ", "))}, nil, "Values"
}

// mostNaming is how many values of its rows stand for what an alert is about.
const mostNaming = 3

// mostSearched is how many characters of an alert a search looks through, beside
// what the list shows.
const mostSearched = 2000

// searched is what a search looks through beside what the list shows: all findings,
// entities and details.
func searched(a alert.Alert) string {
	var all []string
	if a.Context != nil {
		for _, f := range a.Context.Findings {
			all = append(all, f.Text)
		}
	}
	for _, e := range a.Entities {
		for _, f := range e.Fields {
			all = append(all, f.Value)
		}
	}
	for _, d := range a.Shown() {
		all = append(all, d.Values...)
	}
	for _, f := range a.CardFacts() {
		all = append(all, f.Values...)
	}
	all = append(all, a.Techniques...)
	return cut(text.Safe(text.Line(strings.Join(all, " "))), mostSearched)
}

// shown puts a text on one line for the list.
func shown(s string) string { return cut(text.Safe(text.Line(s)), mostShown) }

// cut cuts a text after so many characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for i := range s {
		if most--; most < 0 {
			return s[:i] + "…"
		}
	}
	return s
}
