package ledger

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"pushback/detect/alert"
)

// The most units that texts have of an alert whose rest is large. All of these
// are a fraction of the room where that is small.
const (
	mostTitle = 1000
	mostText  = 4000
)

// trimmed returns an alert that has about so much room, in UTF-16 units of JSON.
// It gives room to what matters most first, to no part more than half of what is
// left, so that none can be used to push out all others; a note says what is left
// out. Rows come last, and titles are kept whatever there is.
func trimmed(a alert.Alert, room int) alert.Alert {
	t := trimmer{text: min(mostText, room/16), room: room}
	title := min(mostTitle, room/16)
	a.Title, a.RuleName, a.RuleVersion = t.cut(a.Title, title), t.cut(a.RuleName, title), t.cut(a.RuleVersion, title/4)
	a.Guidance, a.IncidentURL = t.whole(a.Guidance), t.whole(a.IncidentURL) // half of an address is none
	if a.Updates != nil {
		r := *a.Updates
		r.Title, r.Identity = t.cut(r.Title, title), t.whole(r.Identity)
		a.Updates = &r
	}
	full := a
	a.Description, a.Tactics, a.Techniques, a.Entities, a.CustomDetails, a.Properties, a.Activities, a.Rows, a.Notes, a.Context, a.Card = "", nil, nil, nil, nil, nil, nil, nil, nil, nil, nil
	if c := full.Context; c != nil {
		a.Context = &alert.Context{RuleSeverity: c.RuleSeverity, RiskScore: c.RiskScore, Asked: c.Asked}
	}
	if len(full.Activities) > 0 { // whom it is about
		first, _ := t.activity(full.Activities[0], room/16)
		a.Activities, full.Activities = []alert.Activity{first}, full.Activities[1:]
	}
	t.room -= sizeOf(a) + noteSize + keysSize

	c := &alert.Context{}
	if full.Context != nil {
		c = full.Context
	}
	steps := fit(&t, "changes of the severity", c.Steps, func(s alert.Step, room int) (alert.Step, bool) {
		s.Text = t.cut(s.Text, min(t.text, room))
		return s, true
	})
	findings := fit(&t, "findings", c.Findings, func(f alert.Finding, room int) (alert.Finding, bool) {
		f.Text, f.Brief, f.Reason = t.cut(f.Text, min(t.text, room/2)), t.cut(f.Brief, min(t.text, room/4)), t.cut(f.Reason, min(t.text, room/4))
		f.Address = t.whole(f.Address)
		return f, true
	})
	a.Entities = fit(&t, "entities", full.Entities, t.entity)
	a.Card = t.card(full.Card)
	a.Description = t.cut(full.Description, t.room/2)
	t.room -= sizeOf(a.Description)
	a.Notes = fit(&t, "notes", full.Notes, t.line)
	a.Tactics = fit(&t, "tactics", full.Tactics, t.line)
	a.Techniques = fit(&t, "techniques", full.Techniques, t.line)
	unavailable := fit(&t, "lines about what was not available", c.Unavailable, t.line)
	a.CustomDetails = fit(&t, "details", full.CustomDetails, t.detail)
	isNew := fit(&t, "new values", c.New, t.line)
	a.Properties = fit(&t, "properties", full.Properties, func(p alert.Property, room int) (alert.Property, bool) {
		p.Name = t.cut(p.Name, min(t.text, room/2))
		p.Value = t.cut(p.Value, min(t.text, room/2))
		return p, true
	})
	sections := fit(&t, "sections", c.Sections, t.section)
	timeline := fit(&t, "moments of the timeline", c.Timeline, func(m alert.Moment, room int) (alert.Moment, bool) {
		m.Text, m.Brief, m.From = t.cut(m.Text, min(t.text, room*2/3)), t.cut(m.Brief, min(t.text, room/3)), t.whole(m.From)
		return m, true
	})
	usual := fit(&t, "accounts' habits", c.Usual, unshortened[alert.Usual])
	regulars := fit(&t, "addresses' accounts", c.Regulars, unshortened[alert.Regulars])
	a.Activities = append(a.Activities, fit(&t, "activities", full.Activities, t.activity)...)
	if a.Context != nil {
		a.Context.Steps, a.Context.Findings, a.Context.Unavailable = steps, findings, unavailable
		a.Context.New, a.Context.Sections, a.Context.Timeline = isNew, sections, timeline
		a.Context.Usual, a.Context.Regulars = usual, regulars
	}
	t.room *= 2 // nothing comes after the rows
	a.Rows = fit(&t, "rows", full.Rows, unshortened[alert.Row])
	if note := t.note(); note != "" {
		a.Notes = append(a.Notes, note)
	}
	return a
}

const (
	// noteSize is what the note takes that says what is left out.
	noteSize = 800
	// keysSize is what the names of the parts take.
	keysSize = 300
)

// trimmer knows how much room there is, and what was left out.
type trimmer struct {
	room int
	text int // the most of one text
	left []string
	// ends says that texts and lists inside the parts were cut.
	ends bool
}

// fit returns the beginning of a list that has room: half of what there is.
// shrink returns the item in less room, or false if that is no use.
func fit[T any](t *trimmer, what string, list []T, shrink func(item T, room int) (T, bool)) []T {
	room := t.room / 2
	var kept []T
	for _, item := range list {
		size := sizeOf(item)
		if size > room && len(kept) > 0 && size <= t.text {
			break
		}
		if size > t.text || size > room { // a long item is short of its ends, also where there is room
			before := t.ends
			smaller, ok := shrink(item, min(room-overhead, max(room/4, t.text)))
			if now := sizeOf(smaller); ok && now <= room {
				item, size = smaller, now
			} else if t.ends = before; size > room {
				break
			}
		}
		kept = append(kept, item)
		room -= size
		t.room -= size
	}
	if n := len(list) - len(kept); n > 0 {
		t.left = append(t.left, fmt.Sprintf("%d of %d %s", n, len(list), what))
	}
	return kept
}

// overhead is what an item takes beside its texts.
const overhead = 200

// sizeOf returns the units that a value takes as JSON, with a comma.
func sizeOf(value any) int {
	text, err := encodeJSON(value)
	if err != nil {
		return 1 << 30 // it has no room anywhere, and what is written says why
	}
	return units(text) + 1
}

func (t *trimmer) note() string {
	left := slices.Clone(t.left)
	if t.ends {
		left = append(left, "the ends of long texts and lists")
	}
	if len(left) == 0 {
		return ""
	}
	return "This alert is too large to keep whole. Left out: " + strings.Join(left, ", ") + "."
}

// line shortens a text.
func (t *trimmer) line(text string, room int) (string, bool) {
	return t.cut(text, min(t.text, room)), true
}

// card shortens what the rule says of its cards. A button leads to the whole of its
// address, or is not there.
func (t *trimmer) card(c *alert.Card) *alert.Card {
	if c == nil {
		return nil
	}
	short := &alert.Card{Headline: t.cut(c.Headline, min(t.text, t.room/8)), Guidance: t.cut(c.Guidance, min(t.text, t.room/8))}
	t.room -= sizeOf(short)
	short.Facts = fit(t, "facts", c.Facts, func(f alert.CardFact, room int) (alert.CardFact, bool) {
		all := len(f.Values)
		f.Label = t.cut(f.Label, min(t.text/8, room/2))
		f.Values = t.values(f.Values, room-sizeOf(f.Label)-40)
		f.More += all - len(f.Values)
		return f, len(f.Values) > 0
	})
	short.Buttons = fit(t, "buttons", c.Buttons, unshortened[alert.CardButton])
	return short
}

// values shortens a list of texts.
func (t *trimmer) values(list []string, room int) []string {
	var kept []string
	for _, v := range list {
		v = t.cut(v, min(t.text/2, room))
		if room -= sizeOf(v); room < 0 {
			break
		}
		kept = append(kept, v)
	}
	t.ends = t.ends || len(kept) < len(list)
	return kept
}

func (t *trimmer) detail(d alert.Detail, room int) (alert.Detail, bool) {
	d.Name = t.cut(d.Name, min(t.text/8, room/2))
	d.Values = t.values(d.Values, room-sizeOf(d.Name)-20)
	return d, len(d.Values) > 0
}

func (t *trimmer) section(s alert.Section, room int) (alert.Section, bool) {
	s.Title, s.Subject = t.cut(s.Title, min(t.text/8, room/4)), t.cut(s.Subject, min(t.text/8, room/4))
	room -= sizeOf(s.Title) + sizeOf(s.Subject) + 40
	var kept []alert.Detail
	for _, f := range s.Facts {
		if size := sizeOf(f); size > t.text || size > room {
			smaller, ok := t.detail(f, min(room, t.text))
			if !ok || sizeOf(smaller) > room {
				break
			}
			f = smaller
		}
		kept = append(kept, f)
		room -= sizeOf(f)
	}
	t.ends = t.ends || len(kept) < len(s.Facts)
	s.Facts = kept
	return s, len(kept) > 0
}

// unshortened says that an item is not to be shortened: who is missing from a list of
// those that are usual would count as a stranger.
func unshortened[T any](item T, _ int) (T, bool) { return item, false }

func (t *trimmer) entity(e alert.Entity, room int) (alert.Entity, bool) {
	e.Type = t.cut(e.Type, min(t.text/8, room/4))
	var kept []alert.Field
	room -= sizeOf(e.Type) + 20
	for _, f := range e.Fields {
		f.Identifier = t.cut(f.Identifier, min(t.text/8, room/3))
		f.Value = t.cut(f.Value, min(t.text, room-sizeOf(f.Identifier)-40))
		if room -= sizeOf(f); room < 0 {
			break
		}
		kept = append(kept, f)
	}
	t.ends = t.ends || len(kept) < len(e.Fields)
	e.Fields = kept
	return e, len(kept) > 0
}

// activity leaves out what the seen row has. The ends of what was reported before
// matter more than how many pieces it was in.
func (t *trimmer) activity(a alert.Activity, room int) (alert.Activity, bool) {
	t.ends = t.ends || len(a.Events) > 0
	a.Events = nil
	const size = 80 // of a span
	a.Previously = a.Previously[:min(len(a.Previously), max(0, room/size))]
	return a, true
}

// whole returns a text, or nothing if it is long.
func (t *trimmer) whole(text string) string {
	if sizeOf(text) > t.text {
		t.ends = true
		return ""
	}
	return text
}

// cut shortens a text to a number of units of JSON, and ends it with an ellipsis
// where it does.
func (t *trimmer) cut(text string, most int) string {
	n, end := len(`""`), 0
	for i, r := range text {
		size := jsonSize(r, text[i:])
		if n += size; n > most {
			t.ends = true
			return text[:end] + "…"
		}
		if n+1 <= most {
			end = i + utf8.RuneLen(r)
			if r == utf8.RuneError {
				_, width := utf8.DecodeRuneInString(text[i:])
				end = i + width
			}
		}
	}
	return text
}

// jsonSize returns the units that the first character of a text takes.
func jsonSize(r rune, text string) int {
	switch {
	case r == '"' || r == '\\' || r == '\b' || r == '\f' || r == '\n' || r == '\r' || r == '\t':
		return 2
	case r < ' ' || r == '\u2028' || r == '\u2029':
		return 6
	case r == utf8.RuneError:
		if _, width := utf8.DecodeRuneInString(text); width == 1 {
			return 6
		}
	}
	return max(1, utf16.RuneLen(r))
}
