package alert

// Over is what the title of an update begins with that says that something is over.
const Over = "Over: "

// News returns the finding that an update is about, and false if the alert is no
// update or the finding is not among those that it has. Of an update of a version
// that did not say, it is the weightiest that is followed. An update that has
// activities of its own is about these.
func (a Alert) News() (Finding, bool) {
	if a.Updates == nil || a.Context == nil || a.Updates.News == "" && len(a.Activities) > 0 {
		return Finding{}, false
	}
	for _, f := range a.Context.Findings {
		if f.Kind == a.Updates.News || a.Updates.News == "" && f.Kind.IsFollowed() && !f.Weak {
			return f, true
		}
	}
	return Finding{}, false
}

// Happened is when what the alert brings took place: its span, or of an update the
// time of the news, if that is known.
func (a Alert) Happened() Span {
	if news, ok := a.News(); ok && Known(news.Time) {
		return Between(news.Time, news.Time)
	}
	return a.Span
}
