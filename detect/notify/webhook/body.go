package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify"
	"pushback/detect/notify/portal"
	"pushback/detect/notify/text"
)

// Version is that of the form of a body. It goes up when something in it is taken
// away or means something else, and not when something is added.
const Version = 1

// kind is what a message is about.
type kind string

// The kinds of messages.
const (
	kindAlert     kind = "alert"
	kindUpdate    kind = "alert.update" // news of an alert
	kindHealth    kind = "health"       // of Pushback itself
	kindHeartbeat kind = "heartbeat"
	kindTest      kind = "test"
)

// kindOf returns what the message of an alert is about.
func (w *Webhook) kindOf(a alert.Alert) kind {
	switch {
	case w.options.HealthRule != "" && strings.EqualFold(a.RuleID, w.options.HealthRule):
		return kindHealth
	case a.Updates != nil:
		return kindUpdate
	}
	return kindAlert
}

// message is what is posted.
type message interface {
	id() string
	// encode writes it within [mostBody].
	encode() ([]byte, error)
}

// head is what every message begins with. Type, timestamp and the rest beside them
// are as the specification has it.
type head struct {
	Version   int       `json:"version"`
	Type      kind      `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	ID        string    `json:"id"`
	Headline  string    `json:"headline"`
	Build     string    `json:"build,omitempty"`
}

// alertBody is the body of an alert.
type alertBody struct {
	head
	Title         string                       `json:"title"`
	Description   string                       `json:"description,omitempty"`
	Guidance      string                       `json:"guidance,omitempty"` // of the rule's card, as are the facts
	Facts         []factBody                   `json:"facts,omitempty"`
	Rule          ruleBody                     `json:"rule"`
	Severity      string                       `json:"severity"`
	SeverityWas   string                       `json:"severityOfRule"`
	SeverityWhy   string                       `json:"severityReason"`
	SeveritySteps []stepBody                   `json:"severitySteps"`
	Tactics       []string                     `json:"tactics"`
	Techniques    []string                     `json:"techniques"`
	Updates       *referenceBody               `json:"updates,omitempty"`
	Window        *spanBody                    `json:"window,omitempty"`
	Activity      *spanBody                    `json:"activity,omitempty"`
	Previously    []spanBody                   `json:"previously,omitempty"`
	SentAt        *time.Time                   `json:"sentAt,omitempty"` // only if that is late
	Entities      []entityBody                 `json:"entities"`
	Findings      []findingBody                `json:"findings"`
	Context       *contextBody                 `json:"context,omitempty"`
	CustomDetails map[string][]string          `json:"customDetails"`
	Properties    map[string]string            `json:"properties,omitempty"`
	Storm         *stormBody                   `json:"storm,omitempty"`
	Rows          []map[string]json.RawMessage `json:"rows"`
	RowCount      int                          `json:"rowCount"`
	Links         []linkBody                   `json:"links"`
	Notes         []string                     `json:"notes,omitempty"`
	Shortened     []string                     `json:"shortened,omitempty"`
}

type ruleBody struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

type stepBody struct {
	Severity string `json:"severity"`
	Finding  string `json:"finding"`
	Text     string `json:"text"`
}

type referenceBody struct {
	ID      string     `json:"id"`
	Title   string     `json:"title"`
	Created *time.Time `json:"created,omitempty"`
	News    string     `json:"news,omitempty"`
}

type spanBody struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

type entityBody struct {
	Type   string            `json:"type"`
	Fields map[string]string `json:"fields"`
}

type findingBody struct {
	Kind    string     `json:"kind"`
	Text    string     `json:"text"`
	Time    *time.Time `json:"time,omitempty"`
	Address string     `json:"address,omitempty"`
	Weak    bool       `json:"weak,omitempty"`
}

type contextBody struct {
	RiskScore   *int64        `json:"riskScore,omitempty"`
	Prompts     *alert.Asked  `json:"prompts,omitempty"`
	New         []string      `json:"new,omitempty"`
	Sections    []sectionBody `json:"sections,omitempty"`
	Timeline    []momentBody  `json:"timeline,omitempty"`
	Unavailable []string      `json:"unavailable,omitempty"`
}

type sectionBody struct {
	Title   string     `json:"title"`
	Subject string     `json:"subject"`
	Facts   []factBody `json:"facts"`
}

type factBody struct {
	Name   string   `json:"name"`
	Values []string `json:"values"`
}

type momentBody struct {
	Time  *time.Time `json:"time,omitempty"`
	Kind  string     `json:"kind"`
	Text  string     `json:"text"`
	Count int        `json:"count,omitempty"`
}

type stormBody struct {
	Alerts     int `json:"alerts"`
	Identities int `json:"identities"`
	Rows       int `json:"rows"`
	Limit      int `json:"limit"`
}

type linkBody struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// idPattern is what a header can hold and what nothing of the signed text can be
// taken for: a GUID, as the ids of alerts are.
var idPattern = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)

// idOf returns the id of an alert, by which receivers drop repeats. An update has
// one of its own.
func idOf(a alert.Alert) string {
	if idPattern.MatchString(a.ID) {
		return a.ID
	}
	return alert.NewGUID(Name, a.ID)
}

// alertMessage is an alert that is to be posted.
type alertMessage struct {
	a       alert.Alert
	kind    kind
	options Options
}

func bodyOf(a alert.Alert, k kind, options Options) message { return alertMessage{a, k, options} }

func (m alertMessage) id() string { return idOf(m.a) }

// mostBody is how many bytes a body has at most. The specification recommends a few
// ten thousand.
const mostBody = 64 << 10

// encode writes the body with as much of the alert as there is room for.
func (m alertMessage) encode() ([]byte, error) {
	return within(func(c *cutter) any { return m.body(c) })
}

// within writes what is made by the first limits by which it is small enough.
func within(body func(c *cutter) any) ([]byte, error) {
	for _, l := range levels {
		c := newCutter(l)
		b := body(c)
		if c.full() {
			continue
		}
		if text, err := encode(b); err != nil || len(text) <= mostBody {
			return text, err
		}
	}
	return nil, errors.New("it is too large, however much is left out")
}

// encode writes JSON that is safe in a page too: it escapes what HTML could take
// for more.
func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	if err := json.NewEncoder(&buf).Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), nil
}

// body returns the body within the limits of a cutter. Texts that are made of what logs say are
// made safe to show. The values of entities, custom details and rows are as they
// were logged.
func (m alertMessage) body(c *cutter) alertBody {
	a := m.a
	b := alertBody{
		head: head{Version: Version, Type: m.kind, Timestamp: timestamp(a, m.options.Now), ID: m.id(),
			Headline: c.shown("headline", text.HeadlineOf(a).String()), Build: m.options.Links.Build},
		Title:       c.shown("title", a.Title),
		Description: c.lines("description", a.Description), Guidance: c.lines("guidance", a.FirstSteps()),
		Rule:     ruleBody{ID: c.value("rule", a.RuleID), Name: c.shown("rule", a.RuleName), Version: c.value("rule", a.RuleVersion)},
		Severity: a.Severity.String(), SeverityWas: a.Severity.String(),
		SeverityWhy:   "set by the rule",
		SeveritySteps: []stepBody{},
		Tactics:       list(c, "tactics", a.Tactics, c.value),
		Techniques:    list(c, "techniques", a.Techniques, c.value),
		Window:        span(a.Window), Activity: span(a.Span),
		Previously: list(c, "previously", knownOf(a.Previously()), func(_ string, s alert.Span) spanBody { return *span(s) }),
		SentAt:     moment(a.SentAt),
		Entities:   list(c, "entities", a.Entities, c.entity),
		Findings:   []findingBody{},
		Rows:       c.rows(a.Rows), RowCount: len(a.Rows),
		CustomDetails: c.details(a.CustomDetails),
		Properties:    c.properties(a.Properties),
		Links:         c.links(portal.Of(a, m.options.Links)),
		Notes:         list(c, "notes", a.Notes, c.shown),
	}
	if len(b.Previously) == 0 {
		b.Previously = nil
	}
	if facts := a.CardFacts(); len(facts) > 0 {
		b.Facts = list(c, "facts", facts, func(at string, f alert.CardFact) factBody {
			c.cut[at] = c.cut[at] || f.More > 0
			return factBody{c.shown(at, f.Label), list(c, at, f.Values, c.value)}
		})
	}
	if r := a.Updates; r != nil {
		b.Updates = &referenceBody{ID: c.value("updates", r.ID), Title: c.shown("updates", r.Title), Created: moment(r.Created), News: c.value("updates", string(r.News))}
	}
	if s := a.Storm; s != nil {
		b.Storm = &stormBody{s.Alerts, s.Identities, s.Rows, s.Limit}
	}
	if of := a.Context; of != nil {
		b.SeverityWas = of.RuleSeverity.String()
		if why := text.Steps(of, text.Safe); why != "" {
			b.SeverityWhy = c.shown("severityReason", why)
		}
		b.SeveritySteps = list(c, "severitySteps", of.Steps, func(at string, s alert.Step) stepBody {
			return stepBody{s.Severity.String(), c.value(at, string(s.Kind)), c.shown(at, s.Text)}
		})
		b.Findings = list(c, "findings", of.Findings, func(at string, f alert.Finding) findingBody {
			return findingBody{c.value(at, string(f.Kind)), c.shown(at, f.Text), moment(f.Time), c.value(at, f.Address), f.Weak}
		})
		b.Context = c.context(of)
	}
	b.Shortened = c.names()
	return b
}

// timestamp returns when an alert was made. One of a version that did not say is
// as old as what it is about.
func timestamp(a alert.Alert, now func() time.Time) time.Time {
	for _, t := range []time.Time{a.Created, a.Window.End, a.Span.End} {
		if alert.Known(t) {
			return t.UTC()
		}
	}
	return now().UTC()
}

// span returns a span, or nil if nobody knows it.
func span(s alert.Span) *spanBody {
	if !s.Known() {
		return nil
	}
	return &spanBody{s.Start.UTC(), s.End.UTC()}
}

// knownOf returns the spans that somebody knows.
func knownOf(spans []alert.Span) (list []alert.Span) {
	for _, s := range spans {
		if s.Known() {
			list = append(list, s)
		}
	}
	return list
}

// moment returns a time in UTC, or nil if nobody knows it.
func moment(t time.Time) *time.Time {
	if !alert.Known(t) {
		return nil
	}
	t = t.UTC()
	return &t
}

// heartbeatBody is the body of a heartbeat.
type heartbeatBody struct {
	head
	Heartbeat stateBody `json:"heartbeat"`
	Shortened []string  `json:"shortened,omitempty"`
}

type stateBody struct {
	Since    time.Time  `json:"since"`
	Rules    []string   `json:"rules"`
	LastRun  *time.Time `json:"lastRun,omitempty"`
	Reported int        `json:"reported"`
	HeldBack int        `json:"heldBack"`
	// AtLeast says that there were more than were counted, and Uncounted that they
	// could not be counted.
	AtLeast   bool     `json:"atLeast,omitempty"`
	Uncounted bool     `json:"uncounted,omitempty"`
	Wrong     []string `json:"wrong"`
}

// heartbeatMessage is a heartbeat that is to be posted.
type heartbeatMessage struct {
	h       notify.Heartbeat
	options Options
}

func heartbeatOf(h notify.Heartbeat, options Options) message { return heartbeatMessage{h, options} }

// id is of the time that the heartbeat is about: a repeat, if there is one, has it
// too.
func (m heartbeatMessage) id() string {
	return alert.NewGUID(Name, "heartbeat", m.h.Since.UTC().Format(time.RFC3339Nano), m.h.Now.UTC().Format(time.RFC3339Nano))
}

func (m heartbeatMessage) encode() ([]byte, error) {
	return within(func(c *cutter) any { return m.body(c) })
}

func (m heartbeatMessage) body(c *cutter) heartbeatBody {
	h := m.h
	b := heartbeatBody{
		head: head{Version: Version, Type: kindHeartbeat, Timestamp: h.Now.UTC(), ID: m.id(), Headline: "Pushback runs, and all is well", Build: m.options.Links.Build},
		Heartbeat: stateBody{Since: h.Since.UTC(), Rules: list(c, "rules", h.Rules, c.shown), LastRun: moment(h.LastRun), Reported: h.Reported, HeldBack: h.HeldBack,
			AtLeast: h.More, Uncounted: h.Uncounted, Wrong: list(c, "wrong", h.Wrong, c.shown)},
	}
	if n := len(h.Wrong); n > 0 {
		b.Headline = fmt.Sprintf("Pushback runs, and %s wrong", text.Count(n, "thing is", "things are"))
	} else if b.Heartbeat.LastRun == nil {
		b.Headline = "Pushback has not run a rule yet"
	}
	b.Shortened = c.names()
	return b
}
