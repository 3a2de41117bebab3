package teams

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// mostMoments is how many lines of the timeline are not hidden.
const mostMoments = 5

// moments picks what of a timeline an analyst reads first: what is no ordinary
// sign-in, with equal prompts as one, and of that what is nearest to a time. It
// reports whether that is all of it.
func moments(timeline []alert.Moment, event time.Time) (list []alert.Moment, all bool) {
	type group struct {
		kind alert.MomentKind
		from string
	}
	last := map[group]int{} // since something else happened
	for _, m := range timeline {
		if m.Ordinary || m.Kind == alert.MomentLeftOut {
			continue
		}
		if text.Prompted(m.Kind, 1) == "" || m.Brief == "" {
			clear(last)
			list = append(list, m)
			continue
		}
		g := group{m.Kind, m.From}
		i, there := last[g]
		if !there {
			last[g] = len(list)
			list = append(list, m)
			continue
		}
		list[i].Count, list[i].Until = max(list[i].Count, 1)+max(m.Count, 1), laterOf(list[i].Until, laterOf(m.Until, m.Time))
		list[i].Brief = text.Prompted(m.Kind, list[i].Count) + " in " + text.Length(list[i].Until.Sub(list[i].Time))
	}
	if len(list) > mostMoments {
		list = nearest(list, event)
	}
	return list, len(list) == len(timeline)
}

// nearest picks the moments that tell what happened: the first sign-in from each
// address, what was rejected and changed, then prompts, then other sign-ins; of each
// those nearest to a time.
func nearest(list []alert.Moment, event time.Time) []alert.Moment {
	type ranked struct {
		alert.Moment
		rank int
	}
	var all []ranked
	seen := map[string]bool{}
	for _, m := range list {
		r := ranked{m, 1}
		switch m.Kind {
		case alert.MomentSuccess:
			if r.rank = 0; seen[m.From] {
				r.rank = 3
			}
			seen[m.From] = true
		case alert.MomentPrompt, alert.MomentRisk:
			r.rank = 2
		}
		all = append(all, r)
	}
	slices.SortStableFunc(all, func(x, y ranked) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(x.Time.Sub(event).Abs(), y.Time.Sub(event).Abs()))
	})
	var kept []alert.Moment
	for _, r := range all[:mostMoments] {
		kept = append(kept, r.Moment)
	}
	slices.SortStableFunc(kept, func(x, y alert.Moment) int { return x.Time.Compare(y.Time) })
	return kept
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// timeline adds the lines that are not hidden.
func (b *builder) timeline() {
	c := b.alert.Context
	if c == nil {
		return
	}
	event := b.alert.Happened().Start
	if _, news := b.alert.News(); !news {
		for _, f := range c.Findings {
			if alert.Known(f.Time) {
				event = f.Time
				break
			}
		}
	}
	timeline := c.Timeline
	if c.Has(alert.FoundRiskDetection) { // which says the same
		timeline = slices.DeleteFunc(slices.Clone(timeline), func(m alert.Moment) bool { return m.Kind == alert.MomentRisk })
	}
	list, all := moments(timeline, event)
	b.shownAll = all && len(timeline) == len(c.Timeline)
	addresses := text.Addresses(b.alert)
	for i, m := range list {
		if i == 0 {
			b.add(aMoment, label("Timeline (UTC)", "Medium"))
			b.parts[len(b.parts)-1].stands = 0
		}
		said := b.withoutApp(cmp.Or(m.Brief, m.Text))
		if m.Brief != "" && m.From != "" && (len(addresses) != 1 || m.From != addresses[0]) {
			said += " from " + text.Quoted(m.From)
		}
		b.add(aMoment, moment(m.Time, event, said))
	}
}

// moment is a line of a timeline. The day is said where it is another than that of
// a time.
func moment(at, day time.Time, said string) richTextBlock {
	runs := []textRun{{Text: text.Capital(inert(text.Line(said), mostValue))}}
	if alert.Known(at) {
		layout := time.TimeOnly
		if at.UTC().Format(time.DateOnly) != day.UTC().Format(time.DateOnly) {
			layout = "02 Jan " + layout
		}
		// The spaces do not break, so that the time is on one line.
		stamp := strings.ReplaceAll(at.UTC().Format(layout), " ", "\u00a0")
		runs = append([]textRun{{Text: stamp + "\u00a0 ", IsSubtle: true}}, runs...)
	}
	return rich("None", runs...)
}

// history adds the whole timeline to the details, unless it is all there already.
func (b *builder) history() {
	c := b.alert.Context
	if c == nil || b.shownAll || len(c.Timeline) == 0 {
		return
	}
	b.add(aFurtherMoment, label("Full timeline (UTC)", "Medium"))
	b.parts[len(b.parts)-1].stands = 0
	list(c.Timeline, func(m alert.Moment) {
		at := m.Time
		if m.Kind == alert.MomentLeftOut {
			at = time.Time{} // it is not of one
		}
		b.add(aFurtherMoment, moment(at, b.alert.Span.Start, m.Text))
	}, b.more(aFurtherMoment, "moments"))
}
