package teams

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// What a card is made of: https://adaptivecards.io/explorer/, version 1.5.
// Properties that have their default are left out.
type (
	card struct {
		Type         string   `json:"type"`
		Schema       string   `json:"$schema"`
		Version      string   `json:"version"`
		FallbackText string   `json:"fallbackText"`
		MSTeams      width    `json:"msteams"`
		Body         []any    `json:"body"`
		Actions      []action `json:"actions,omitempty"`
	}
	width struct {
		Width string `json:"width"`
	}
	action struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		URL   string `json:"url"`
	}
	container struct {
		Type  string `json:"type"`
		Style string `json:"style"`
		Bleed bool   `json:"bleed"`
		Items []any  `json:"items"`
	}
	columnSet struct {
		Type    string   `json:"type"`
		Spacing string   `json:"spacing"`
		Columns []column `json:"columns"`
	}
	column struct {
		Type  string `json:"type"`
		Width string `json:"width"`
		Items []any  `json:"items"`
	}
	// textBlock is for text of our own only: Markdown and functions are read.
	textBlock struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Spacing  string `json:"spacing,omitempty"`
		Size     string `json:"size,omitempty"`
		IsSubtle bool   `json:"isSubtle,omitempty"`
		Wrap     bool   `json:"wrap"`
	}
	// richTextBlock is for text from logs: its runs are shown as they are.
	richTextBlock struct {
		Type    string    `json:"type"`
		Spacing string    `json:"spacing,omitempty"`
		Inlines []textRun `json:"inlines"`
	}
	textRun struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Size     string `json:"size,omitempty"`
		Weight   string `json:"weight,omitempty"`
		IsSubtle bool   `json:"isSubtle,omitempty"`
	}
)

// The most characters of what a card shows, and the most of each kind. What is
// cut ends in an ellipsis, what is left out of a list is counted.
const (
	mostTitle       = 250
	mostDescription = 1500
	mostFinding     = 400
	mostName        = 60
	mostValue       = 200
	mostValues      = 10
	mostLines       = 40
)

// Card returns an alert as an Adaptive Card of version 1.5. It says what
// happened and how bad it is, when, in the reader's time and in UTC, who and
// what else is part of it, and where to look.
//
// Nothing from a log can make a link, an image, a mention, bold text or a
// second line. It stands where no Markdown is read, with control characters as
// escapes and addresses defanged.
//
// A card that would be too large loses parts, and says so. It loses, in this
// order and each from its last, the command that silences it, its properties, notes, what is not
// known of the context, the timeline, what is known of the entities, custom
// details, MITRE, the entities, the description and the findings.
func Card(a alert.Alert, links Links) (json.RawMessage, error) {
	c := newCard(a.Severity.String() + ": " + text.Markdown(inert(text.Line(a.Title), mostTitle)))
	c.Body, c.Actions = []any{header(a)}, actions(a, links)
	if span := when(a.Span); span != "" {
		c.Body = append(c.Body, small(span))
	}
	if late := text.Late(a); late != "" {
		c.Body = append(c.Body, rich("Small", textRun{Text: late, Weight: "Bolder"}))
	}
	if continues := text.Continues(a); continues != "" {
		c.Body = append(c.Body, small(continues))
	}
	if a.Updates != nil {
		update := text.UpdateOf(*a.Updates, func(title string) string { return inert(text.Line(title), mostTitle) })
		c.Body = append(c.Body, rich("Small", textRun{Text: update, Weight: "Bolder"}))
	}
	parts, err := partsOf(a)
	if err != nil {
		return nil, err
	}
	// The last line has its place before all that can be left out.
	var footer []any
	if links.Build != "" {
		footer = append(footer, small("Pushback "+inert(text.Line(links.Build), mostName)))
	}
	c.Body = append(c.Body, footer...)
	whole, err := encode(c)
	c.Body = c.Body[:len(c.Body)-len(footer)]
	if err != nil {
		return nil, err
	}
	parts, left, err := fit(parts, mostSize-Size(whole))
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		c.Body = append(c.Body, p.element)
	}
	if left != "" {
		c.Body = append(c.Body, small(left))
	}
	c.Body = append(c.Body, footer...)
	return encode(c)
}

// newCard returns an empty card. The text is shown instead of it by what can not
// draw it, with Markdown.
func newCard(fallback string) card {
	return card{
		Type: "AdaptiveCard", Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Version: "1.5",
		FallbackText: fallback, MSTeams: width{"Full"},
	}
}

// header is a band in the severity's colour with the severity's word.
func header(a alert.Alert) container {
	style := map[alert.Severity]string{alert.High: "attention", alert.Medium: "warning", alert.Low: "accent"}[a.Severity]
	if style == "" {
		style = "emphasis"
	}
	rule := inert(text.Line(strings.TrimSpace(a.RuleName+" "+a.RuleVersion)), 2*mostName)
	return container{Type: "Container", Style: style, Bleed: true, Items: []any{
		rich("", textRun{Text: strings.ToUpper(a.Severity.String()), Weight: "Bolder"}, textRun{Text: " · " + rule}),
		rich("Small", textRun{Text: inert(text.Line(a.Title), mostTitle), Size: "Large", Weight: "Bolder"}),
	}}
}

func rich(spacing string, runs ...textRun) richTextBlock {
	for i := range runs {
		runs[i].Type = "TextRun"
	}
	return richTextBlock{Type: "RichTextBlock", Spacing: spacing, Inlines: runs}
}

// small is a line of our own words.
func small(text string) textBlock {
	return textBlock{Type: "TextBlock", Text: text, Spacing: "Small", Size: "Small", IsSubtle: true, Wrap: true}
}

// when says when it took place, in the reader's zone and in UTC.
func when(s alert.Span) string {
	if !s.Known() {
		return ""
	}
	// The functions take no fraction of a second.
	start, end := s.Start.UTC().Format(time.RFC3339), s.End.UTC().Format(time.RFC3339)
	here := fmt.Sprintf("{{DATE(%s,SHORT)}} {{TIME(%s)}}", start, start)
	if s.End.Sub(s.Start) >= 12*time.Hour { // the reader's midnight may lie between
		here += fmt.Sprintf(" – {{DATE(%s,SHORT)}} {{TIME(%s)}}", end, end)
	} else if start[:len("2006-01-02T15:04")] != end[:len("2006-01-02T15:04")] {
		here += fmt.Sprintf(" – {{TIME(%s)}}", end)
	}
	return here + " your time · " + text.Range(s) + " UTC"
}

// kind is what a part of a card is, by how much it matters, least first.
type kind int

const (
	aCommand kind = iota // that silences it
	aProperty
	aNote
	aGap // context that could not be had
	aMoment
	aSection
	aDetail
	aTechnique
	anEntity
	aDescription
	aFinding
)

// kinds has the noun of each kind, for one and for many. What has no noun for
// many is not counted.
var kinds = [...]struct{ one, many string }{
	aCommand:     {"the command that silences it", ""},
	aProperty:    {"property", "properties"},
	aNote:        {"note", "notes"},
	aGap:         {"what is not known", ""},
	aMoment:      {"line of the timeline", "lines of the timeline"},
	aSection:     {"part of the context", "parts of the context"},
	aDetail:      {"detail", "details"},
	aTechnique:   {"MITRE", ""},
	anEntity:     {"entity", "entities"},
	aDescription: {"the description", ""},
	aFinding:     {"finding", "findings"},
}

// part is an element of a card that it can do without.
type part struct {
	kind    kind
	element any
	stands  int // for so many of its kind
	size    int // see escapedLen
}

// partsOf returns the parts in the order of reading.
func partsOf(a alert.Alert) ([]part, error) {
	var parts []part
	add := func(k kind, element any) { parts = append(parts, part{kind: k, element: element, stands: 1}) }
	// more is the line behind a list that has more than a card shows.
	more := func(k kind, noun string) func(int) {
		return func(n int) {
			parts = append(parts, part{kind: k, element: fact("", fmt.Sprintf("and %d more %s", n, noun)), stands: n})
		}
	}
	contextFirst(a, add)
	if description := inert(text.Line(a.Description), mostDescription); description != "" {
		add(aDescription, rich("", textRun{Text: description}))
	}
	list(a.Entities, func(e alert.Entity) {
		if len(e.Fields) > 0 {
			add(anEntity, fact(e.Type, identifiers(e, a.Context)...))
		}
	}, more(anEntity, "entities"))
	contextRest(a.Context, add, more)
	label := text.LabelOf(a)
	list(a.Shown(), func(d alert.Detail) {
		write := text.ValueOf(d)
		said := text.List(d.Values, mostValues, func(v string) string {
			if v == "" {
				return ""
			}
			return inert(write(v), mostValue) + text.NewMark(a.Context, v)
		})
		if len(said) > 0 {
			add(aDetail, fact(label(d.Name), strings.Join(said, ", ")))
		}
	}, more(aDetail, "details"))
	if mitre := append(append([]string(nil), a.Tactics...), a.Techniques...); len(mitre) > 0 {
		add(aTechnique, fact("MITRE ATT&CK", values(mitre)))
	}
	list(a.Properties, func(p alert.Property) { add(aProperty, fact(p.Name, inert(p.Value, mostValue))) }, more(aProperty, "properties"))
	if lines := silenceLines(a); len(lines) > 0 {
		add(aCommand, silenceFact(lines))
	}
	list(a.Notes, func(n string) { add(aNote, fact("Note", inert(n, mostValue))) }, more(aNote, "notes"))
	for i := range parts {
		text, err := encode(parts[i].element)
		if err != nil {
			return nil, err
		}
		parts[i].size = escapedLen(text) + len(",")
	}
	return parts, nil
}

// list calls one for each item as far as a card has lines, and rest with how
// many are left.
func list[T any](items []T, one func(T), rest func(int)) {
	shown := min(len(items), mostLines)
	for _, item := range items[:shown] {
		one(item)
	}
	if more := len(items) - shown; more > 0 {
		rest(more)
	}
}

// fact is a name with what stands behind it, in lines. Both may hold anything,
// and the lines are inert.
func fact(name string, lines ...string) columnSet {
	items := make([]any, len(lines))
	for i, text := range lines {
		spacing := ""
		if i > 0 {
			spacing = "None"
		}
		items[i] = rich(spacing, textRun{Text: text})
	}
	return columnSet{Type: "ColumnSet", Spacing: "Small", Columns: []column{
		{Type: "Column", Width: "110px", Items: []any{rich("", textRun{Text: inert(name, mostName), IsSubtle: true})}},
		{Type: "Column", Width: "stretch", Items: items},
	}}
}

// identifiers names an entity by its first identifier, which it has, and adds the
// others in a line each.
func identifiers(e alert.Entity, c *alert.Context) []string {
	fields := text.Identifiers(e)
	others := text.List(fields[1:], mostValues-1, func(f alert.Field) string {
		return inert(f.Identifier, mostName) + " " + marked(f.Value, c)
	})
	return append([]string{marked(fields[0].Value, c)}, others...)
}

// marked writes a value of the alert, and says so if it is new for its accounts.
func marked(value string, c *alert.Context) string {
	if value == "" {
		return ""
	}
	return inert(text.Value(value), mostValue) + text.NewMark(c, value)
}

// values writes a list of texts of ours in one line.
func values(list []string) string {
	return strings.Join(text.List(list, mostValues, func(v string) string { return inert(v, mostValue) }), ", ")
}

// fit leaves out the least important parts until the others, and a line that
// says what is missing, are within a size.
func fit(parts []part, limit int) (kept []part, left string, err error) {
	size := 0
	for _, p := range parts {
		size += p.size
	}
	if size <= limit {
		return parts, "", nil
	}
	var lost [len(kinds)]int
	gone := make([]bool, len(parts))
	for k := range kind(len(kinds)) {
		for i := len(parts) - 1; i >= 0; i-- {
			if parts[i].kind != k {
				continue
			}
			gone[i] = true
			lost[k] += parts[i].stands
			size -= parts[i].size
			left = leftOut(lost)
			notice, err := encode(small(left))
			if err != nil {
				return nil, "", err
			}
			if size+escapedLen(notice)+len(",") <= limit {
				for i, p := range parts {
					if !gone[i] {
						kept = append(kept, p)
					}
				}
				return kept, left, nil
			}
		}
	}
	return nil, "", fmt.Errorf("teams: a card of nothing but its title has no room in %d bytes", mostSize)
}

func leftOut(lost [len(kinds)]int) string {
	var texts []string
	for k, n := range lost {
		switch noun := kinds[k]; {
		case n == 0:
		case noun.many == "":
			texts = append(texts, noun.one)
		default:
			texts = append(texts, text.Count(n, noun.one, noun.many))
		}
	}
	return "Left out, as Teams takes no larger card: " + strings.Join(texts, ", ")
}
