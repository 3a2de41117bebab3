package teams

// What a card is made of: https://adaptivecards.io/explorer/, version 1.5.
// Properties that have their default are left out.
type (
	card struct {
		Type         string   `json:"type"`
		Schema       string   `json:"$schema"`
		Version      string   `json:"version"`
		FallbackText string   `json:"fallbackText"`
		MSTeams      forTeams `json:"msteams"`
		Body         []any    `json:"body"`
	}
	// forTeams is what only Teams reads.
	forTeams struct {
		Width    string    `json:"width"`
		Entities []mention `json:"entities,omitempty"`
	}
	// action opens an address or shows and hides elements.
	action struct {
		Type    string   `json:"type"`
		Title   string   `json:"title"`
		URL     string   `json:"url,omitempty"`
		Targets []string `json:"targetElements,omitempty"`
	}
	// actionSet has its buttons where it stands. Those of the card itself stand at
	// its end.
	actionSet struct {
		Type    string   `json:"type"`
		Actions []action `json:"actions"`
	}
	container struct {
		Type      string `json:"type"`
		ID        string `json:"id,omitempty"`
		IsVisible *bool  `json:"isVisible,omitempty"`
		Style     string `json:"style,omitempty"`
		Bleed     bool   `json:"bleed,omitempty"`
		Items     []any  `json:"items"`
	}
	columnSet struct {
		Type    string   `json:"type"`
		Spacing string   `json:"spacing,omitempty"`
		Columns []column `json:"columns"`
	}
	column struct {
		Type  string `json:"type"`
		Width string `json:"width"`
		Items []any  `json:"items"`
	}
	// textBlock is for text of our own, and for what no Markdown can be in: Markdown
	// and functions are read.
	textBlock struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Style    string `json:"style,omitempty"`
		Spacing  string `json:"spacing,omitempty"`
		Size     string `json:"size,omitempty"`
		Weight   string `json:"weight,omitempty"`
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

// newCard returns an empty card. The text is shown instead of it by what can not
// draw it, with Markdown.
func newCard(fallback string) card {
	return card{
		Type: "AdaptiveCard", Schema: "http://adaptivecards.io/schemas/adaptive-card.json", Version: "1.5",
		FallbackText: fallback, MSTeams: forTeams{Width: "Full"},
	}
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

// heading is a line of our own words that screen readers find as a heading.
func heading(text, spacing, size string) textBlock {
	return textBlock{Type: "TextBlock", Text: text, Style: "heading", Spacing: spacing, Size: size, Weight: "Bolder", Wrap: true}
}

// label is a small quiet line above what it names.
func label(text, spacing string) richTextBlock {
	return rich(spacing, textRun{Text: text, Size: "Small", IsSubtle: true})
}

func columns(spacing string, columns ...column) columnSet {
	return columnSet{Type: "ColumnSet", Spacing: spacing, Columns: columns}
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
	return columns("Small",
		column{"Column", "110px", []any{rich("", textRun{Text: inert(name, mostName), IsSubtle: true})}},
		column{"Column", "stretch", items})
}
