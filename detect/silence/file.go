package silence

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"pushback/detect/alert"
	"pushback/detect/document"
)

// MostSilences is how many a file may hold: more takes a tick's time.
const MostSilences = 10_000

// ofSilences is what the file holds.
const ofSilences document.Kind = "silences"

// Problem is something that is wrong with a silence, or a warning about it.
type Problem = document.Problem

// Errors joins the problems that are no warnings, or is nil.
func Errors(problems []Problem) error { return document.Errors(problems) }

// Load reads a file of silences. If there are problems that are no warnings, none of
// its silences is to be used.
func Load(path string, words Words) ([]Silence, []Problem) {
	data, problem := ofSilences.Load(path)
	if problem != nil {
		return nil, []Problem{*problem}
	}
	return Parse(path, data, words)
}

// Parse reads the text of a file of silences.
func Parse(file string, data []byte, words Words) ([]Silence, []Problem) {
	d, items := ofSilences.Parse(file, data, MostSilences, "what so many are for is better said in the rule's query")
	r := &reader{Reader: d, words: words}
	list := r.all(items)
	return list, r.Problems()
}

// reader reads silences.
type reader struct {
	*document.Reader
	words Words
}

// The keys of the file.
var (
	silenceKeys = []string{"id", "rules", "match", "maxSeverity", "from", "until", "review", "hours", "reason", "by"}
	matcherKeys = []string{"entity", "identifier", "detail", "finding", "value", "exactly", "cidr"}
)

func (r *reader) all(items []*yaml.Node) []Silence {
	var list []Silence
	lines := map[string]int{}
	for _, item := range items {
		s, ok := r.silence(item)
		if !ok {
			continue
		}
		if line := lines[fold(s.ID)]; line > 0 && s.ID != "" {
			r.Fail(item, "the id %s is also that of the silence in line %d", s.ID, line)
		}
		lines[fold(s.ID)] = item.Line
		list = append(list, s)
	}
	return list
}

func (r *reader) silence(n *yaml.Node) (Silence, bool) {
	values := r.Mapping(n, "a silence", silenceKeys)
	if values == nil {
		return Silence{}, false
	}
	s := Silence{
		ID: r.Text(values["id"], "id"), Rules: r.Texts(values["rules"], "rules"), MaxSeverity: DefaultMaxSeverity,
		Reason: strings.TrimSpace(r.Text(values["reason"], "reason")), By: strings.TrimSpace(r.Text(values["by"], "by")),
		Place: fmt.Sprintf("%s:%d", r.File(), n.Line),
	}
	at := map[string]*yaml.Node{} // of what is checked, by its key
	for key, value := range values {
		at[key] = value
	}
	if node := values["maxSeverity"]; node != nil {
		var err error
		if s.MaxSeverity, err = alert.ParseSeverity(strings.TrimSpace(r.Text(node, "maxSeverity"))); err != nil {
			r.Fail(node, "maxSeverity: %v", err)
		}
	}
	moment := func(key string) time.Time {
		node := values[key]
		if node == nil {
			return time.Time{}
		}
		t, err := ParseTime(r.Text(node, key))
		if err != nil {
			r.Fail(node, "%s: %v", key, err)
		}
		return t
	}
	s.From, s.Until, s.Review = moment("from"), moment("until"), moment("review")
	hours := values["hours"]
	for i, text := range r.Texts(hours, "hours") {
		h, err := ParseHours(text)
		if err != nil {
			r.Fail(document.Item(hours, i), "hours: %v", err)
			continue
		}
		s.Hours = append(s.Hours, h)
	}
	for i, item := range r.Items(values["match"], "match") {
		if i > mostMatchers {
			break // Check says that there are more
		}
		s.Match = append(s.Match, r.matcher(item))
		at[matchKey(i)] = item
	}
	before := r.Count()
	for _, p := range Check(s, r.words) {
		node := at[p.Key]
		if node == nil {
			node = n
		}
		if p.Key != "" && values[p.Key] != nil && r.HasProblemAt(before, node) {
			continue // it is said why it is not read
		}
		r.Note(node, p.Warning, "%s", p.Message)
	}
	if s.Until.IsZero() && s.Review.IsZero() && values["until"] == nil && values["review"] == nil {
		r.Fail(n, "the silence has no end: give it until: TIME, or review: DATE on which somebody looks at it again")
	}
	return s, true
}

func (r *reader) matcher(n *yaml.Node) Matcher {
	values := r.Mapping(n, "a matcher", matcherKeys)
	return Matcher{
		Entity: strings.TrimSpace(r.Text(values["entity"], "entity")), Identifier: strings.TrimSpace(r.Text(values["identifier"], "identifier")),
		Detail: strings.TrimSpace(r.Text(values["detail"], "detail")), Finding: alert.FindingKind(strings.TrimSpace(r.Text(values["finding"], "finding"))),
		Values: r.Texts(values["value"], "value"), Exactly: r.Texts(values["exactly"], "exactly"), CIDR: r.Texts(values["cidr"], "cidr"),
	}
}

// timeForms are the ways in which a time can be written: without one of the day it is
// midnight UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04Z07:00", time.DateOnly}

// ParseTime reads a time of a silence.
func ParseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, form := range timeForms {
		t, err := time.Parse(form, text)
		if err != nil {
			continue
		}
		if !alert.Known(t) {
			break
		}
		return t.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("%.60q is no time: write it like 2026-12-31T18:00:00Z, or 2026-12-31 for that midnight UTC", text)
}
