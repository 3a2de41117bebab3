package teams

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// The most characters of what a card shows, and the most of each kind. What is
// cut ends in an ellipsis, what is left out of a list is counted.
const (
	mostTitle       = 250
	mostDescription = 1500
	mostAbstract    = 250 // of a description that is not hidden
	mostFinding     = 400
	mostGuidance    = 250
	mostBriefly     = 160 // of a finding that is not hidden
	mostWords       = 32  // of all of these together, but for the first
	mostFindings    = 4   // that are not hidden
	mostName        = 60
	mostValue       = 200
	mostValues      = 10
	mostLines       = 40
	mostFactText    = 400 // of a fact of the rule's own, with all of its values
	mostRest        = 4   // custom details that are not hidden
)

// Card returns an alert as an Adaptive Card of version 1.5, in the order in which
// an analyst reads: how bad it is and what happened, when, what was found, where to
// look, who, from where and how, and what happened around it. The rest is hidden
// behind a button that shows it. A client that has no such button shows it all.
//
// Nothing from a log can make a link, an image, a mention, bold text or a
// second line. It stands where no Markdown is read, or has none of its characters,
// with control characters as escapes and addresses defanged.
//
// A card that would be too large loses parts, and says so: what is hidden first. It
// loses, in this order and each from its last, the command that silences it, properties, notes, what
// is not known of the context, the whole timeline, what is known of the entities,
// custom details, MITRE and ids, the entities, the description and further findings;
// then the timeline that is not hidden, the facts, the rule's buttons and guidance, and
// the findings.
func Card(a alert.Alert, links Links) (json.RawMessage, error) {
	card, _, err := cardOf(a, links)
	return card, err
}

// cardOf returns the card of an alert, and what a notification says of it.
func cardOf(a alert.Alert, links Links) (json.RawMessage, string, error) {
	h := text.HeadlineOf(a)
	summary := summaryOf(a.Severity, h.String())
	b := &builder{alert: a, shown: a.Shown(), said: map[string]bool{}}
	b.findings()
	b.guidance()
	b.buttons()
	if a.ShowsColumns() && a.NamesNobody() && len(a.CardFacts()) == 0 { // the columns are who and what the alert is about
		b.rest()
		b.facts()
	} else {
		b.facts()
		b.rest()
	}
	b.timeline()
	b.details()
	if b.err != nil {
		return nil, "", b.err
	}
	frame := frame{card: newCard(fallbackOf(a.Severity, h.String())), top: top(a, h), actions: actions(a, links)}
	frame.top = slices.Insert(frame.top, 1, frame.card.mention(mentionsOf(a))...) // below the band
	if links.Build != "" {
		frame.footer = []any{label("Pushback "+inert(text.Line(links.Build), mostName), "Medium")}
	}
	empty, err := frame.with(nil, "")
	if err != nil {
		return nil, "", err
	}
	parts, left, err := fit(b.parts, mostSize-summarySize(summary)-Size(empty))
	if err != nil {
		return nil, "", err
	}
	card, err := frame.with(parts, left)
	return card, summary, err
}

// top is what stands above the findings: the headline, when it took place and what
// came of it, and what the reader has to know of the card.
func top(a alert.Alert, h text.Headline) []any {
	items := headlineOf(a.Severity, a.RuleName, h)
	switch own := text.Line(a.Headline()); {
	case h.Verdict == "":
	case own != "":
		items = append(items, rich("Small", textRun{Text: inert(own, mostTitle)}))
	case !ours(a): // else it is what the rule's title says
		items = append(items, rich("Small", textRun{Text: inert(text.Line(a.Title), mostTitle)}))
	}
	elements := []any{band(a.Severity, items...)}
	var line []string
	if at := when(a.Happened()); at != "" {
		line = append(line, at)
	}
	if said := cameOf(a); len(said) > 0 {
		line = append(line, strings.Join(said, ", "))
	}
	if len(line) > 0 {
		elements = append(elements, small(strings.Join(line, " · ")))
	}
	if late := text.Late(a); late != "" {
		elements = append(elements, rich("Small", textRun{Text: late, Weight: "Bolder"}))
	}
	if a.Updates != nil && alert.Known(a.Updates.Created) {
		elements = append(elements, small("First reported "+text.Minute(a.Updates.Created)))
	}
	if a.Context != nil && len(a.Context.Unavailable) > 0 {
		elements = append(elements, small("Some context is missing: see the details"))
	}
	return elements
}

// ours reports whether the headline and the line below it say what the title of
// the alert's rule says: it is about prompts.
func ours(a alert.Alert) bool {
	return a.Count(alert.Rejections) > 0 || a.FraudReported() || text.Approved(a)
}

// frame is what every card has, whatever has room in it.
type frame struct {
	card    card
	top     []any
	actions []action
	footer  []any // behind the details
}

// detailsID is that of the container that is hidden.
const detailsID = "details"

// with returns the card with parts in it, and a line that says what is left out.
// Without parts it has the container for those that are hidden all the same.
func (f frame) with(parts []part, left string) (json.RawMessage, error) {
	var findings, buttons, open, hidden []any
	for _, p := range parts {
		switch {
		case p.kind.hidden():
			hidden = append(hidden, p.element)
		case p.kind == aFinding || p.kind == anAbstract || p.kind == someGuidance:
			findings = append(findings, p.element)
		case p.kind == aButton:
			buttons = append(buttons, p.element)
		default:
			open = append(open, p.element)
		}
	}
	c := f.card
	c.Body = append(append(c.Body, f.top...), findings...)
	if len(f.actions) > 0 {
		c.Body = append(c.Body, actionSet{"ActionSet", f.actions})
	}
	c.Body = append(append(c.Body, buttons...), open...)
	if left != "" {
		c.Body = append(c.Body, small(left))
	}
	if parts == nil || len(hidden)+len(f.footer) > 0 {
		no := false
		items := append([]any{heading("Details", "", "Medium")}, append(hidden, f.footer...)...)
		c.Body = append(c.Body,
			actionSet{"ActionSet", []action{{Type: "Action.ToggleVisibility", Title: "Show details", Targets: []string{detailsID}}}},
			container{Type: "Container", ID: detailsID, IsVisible: &no, Items: items})
	}
	return encode(c)
}

// kind is what a part of a card is, by how much it matters, least first.
type kind int

const (
	aCommand kind = iota // that silences it
	aProperty
	aNote
	aGap // context that could not be had
	aFurtherMoment
	aSection
	aDetail
	aTechnique
	anID
	anEntity
	aDescription
	aFurtherFinding

	aMoment // from here on it is not hidden
	anAbstract
	aRest
	aFact
	aButton // of the rule
	someGuidance
	aFinding
)

func (k kind) hidden() bool { return k < aMoment }

// kinds has the noun of each kind, for one and for many. What has no noun for
// many is not counted.
var kinds = [...]struct{ one, many string }{
	aCommand:        {"the command that silences it", ""},
	aProperty:       {"property", "properties"},
	aNote:           {"note", "notes"},
	aGap:            {"what is not known", ""},
	aFurtherMoment:  {"line of the full timeline", "lines of the full timeline"},
	aSection:        {"part of the context", "parts of the context"},
	aDetail:         {"detail", "details"},
	aTechnique:      {"MITRE", ""},
	anID:            {"id", "ids"},
	anEntity:        {"entity", "entities"},
	aDescription:    {"the description", ""},
	aFurtherFinding: {"further finding", "further findings"},
	aMoment:         {"line of the timeline", "lines of the timeline"},
	anAbstract:      {"the beginning of the description", ""},
	aRest:           {"value", "values"},
	aFact:           {"fact", "facts"},
	aButton:         {"button of the rule", "buttons of the rule"},
	someGuidance:    {"what to do first", ""},
	aFinding:        {"finding", "findings"},
}

// part is an element of a card that it can do without.
type part struct {
	kind    kind
	element any
	stands  int // for so many of its kind
	size    int // see escapedLen
}

// builder collects the parts of an alert's card in the order of reading.
type builder struct {
	alert alert.Alert
	shown []alert.Detail // what the alert has of custom details, or columns for them
	parts []part
	// said has the values that the card shows already, in lower case.
	said map[string]bool
	// shownAll says that the timeline that is not hidden is all of it.
	shownAll bool
	// shownDetails are the custom details that are not hidden.
	shownDetails []string
	// facted are the facts of an account's identity that are not hidden.
	facted []string
	err    error
}

func (b *builder) add(k kind, element any) {
	text, err := encode(element)
	if err != nil && b.err == nil {
		b.err = err
	}
	b.parts = append(b.parts, part{kind: k, element: element, stands: 1, size: escapedLen(text) + len(",")})
}

// more returns what adds the line behind a list that has more than a card shows.
func (b *builder) more(k kind, noun string) func(int) {
	return func(n int) {
		b.add(k, fact("", fmt.Sprintf("and %d more %s", n, noun)))
		b.parts[len(b.parts)-1].stands = n
	}
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

// say notes that a value is on the card.
func (b *builder) say(value string) { b.said[strings.ToLower(strings.TrimSpace(value))] = true }

// hasSaid reports whether a value is on the card already. Numbers and short words
// mean something else in each place.
func (b *builder) hasSaid(value string) bool {
	v := strings.ToLower(strings.TrimSpace(value))
	return len(v) > 2 && !number.MatchString(v) && b.said[v]
}

var number = regexp.MustCompile(`^[0-9]+([.,][0-9]+)?$`)

// findings adds the weightiest findings, and without any the beginning of what the
// rule says of its alerts.
func (b *builder) findings() {
	var all []alert.Finding
	if b.alert.Context != nil {
		all = b.alert.Context.Findings
	}
	// What is news comes first.
	if news, ok := b.alert.News(); ok {
		first := []alert.Finding{news}
		for _, f := range all {
			if f.Kind != news.Kind {
				first = append(first, f)
			}
		}
		all = first
	}
	var whole []alert.Finding // of which there is the beginning
	verdict, words := text.HeadlineOf(b.alert).Verdict, 0
	for i, f := range all {
		weight := ""
		if i == 0 {
			weight = "Bolder"
		}
		said := b.withoutApp(text.Brief(f))
		if strings.HasPrefix(verdict, fatigue) && f.Kind == alert.FoundBombing {
			said = strings.TrimPrefix(said, fatigue+": ")
		}
		k, most := aFinding, mostBriefly
		switch {
		case verdict == "Update: "+f.Reason && strings.EqualFold(said, f.Reason): // the headline says it
			continue
		case i >= mostFindings, words > 0 && words+len(strings.Fields(said)) > mostWords:
			words = mostWords // those behind it weigh less
			k, said, most = aFurtherFinding, text.Capital(f.Text), mostFinding
		case len([]rune(said)) > mostBriefly:
			whole = append(whole, f)
		}
		if i == mostFindings+mostValues {
			b.add(k, rich("Small", textRun{Text: fmt.Sprintf("and %d more findings", len(all)-i), IsSubtle: true}))
			b.parts[len(b.parts)-1].stands = len(all) - i
			break
		}
		if k == aFinding {
			words += len(strings.Fields(said))
		}
		b.add(k, rich("Small", textRun{Text: "• " + inert(text.Line(said), most), Weight: weight}))
	}
	for _, f := range whole {
		b.add(aFurtherFinding, rich("Small", textRun{Text: "• " + inert(text.Capital(text.Line(f.Text)), mostFinding)}))
	}
	if abstract := text.Line(b.alert.Description); len(all) == 0 && !ours(b.alert) && abstract != "" {
		b.add(anAbstract, rich("Small", textRun{Text: inert(abstract, mostAbstract)}))
		if len([]rune(abstract)) <= mostAbstract {
			b.say(abstract)
		}
	}
}

// guidance adds what the rule says is to be done first.
func (b *builder) guidance() {
	if steps := text.Line(b.alert.FirstSteps()); steps != "" {
		b.add(someGuidance, rich("Small", textRun{Text: "What to do first: ", Weight: "Bolder"}, textRun{Text: inert(steps, mostGuidance)}))
		b.say(steps)
	}
}

// fatigue is what many prompts are called.
var fatigue = text.Capital(text.Finding(alert.FoundBombing))

// withoutApp leaves out the application of a sentence where it is the alert's only
// one: the facts name it.
func (b *builder) withoutApp(said string) string {
	if apps := b.values(anApp); len(apps) == 1 {
		return strings.Replace(said, " ("+text.Quoted(apps[0])+")", "", 1)
	}
	return said
}

// fit leaves out the least important parts until the others, and a line that
// says what is missing, are within a size.
func fit(parts []part, limit int) (kept []part, left string, err error) {
	size := 0
	for _, p := range parts {
		size += p.size
	}
	if size <= limit {
		return append([]part{}, parts...), "", nil
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
				kept = []part{}
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
