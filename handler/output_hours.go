package main

import (
	"fmt"
	"strings"
	"time"

	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
)

// mostHourColumns is how many columns of the terminal an hour is drawn in.
const mostHourColumns = 4

// perHourChart draws what happened hour by hour: the records, and of sign-ins those
// that a user rejected.
func (p *textPrinter) perHourChart() error {
	if p.hours == nil {
		return nil
	}
	const margin, gap = 2, 2
	_, many := p.hours.noun()
	width := max(p.style.Width, 40)
	rows := []struct {
		name   string
		values func(hour) int
	}{{many, func(h hour) int { return h.Records }}}
	if p.hours.signIns {
		rows = append(rows, struct {
			name   string
			values func(hour) int
		}{"rejections", func(h hour) int { return h.Rejections }})
	}
	// The totals stand before the chart, so that it ends where the run does.
	label := len("per 24 hours")
	totals := make([]string, len(rows))
	all, _ := p.hours.atMost(1 << 20)
	for i, r := range rows {
		sum := 0
		for _, h := range all {
			sum += r.values(h)
		}
		totals[i], _, _ = strings.Cut(count(int64(sum), "x"), " ")
		label = max(label, text.Width(r.name)+1+len(totals[i]))
	}
	room := width - margin - label - gap
	list, step := p.hours.atMost(room)
	if len(list) < 2 {
		return nil
	}
	each := min(max(room/len(list), 1), mostHourColumns)
	var sb strings.Builder
	sb.WriteString("\n")
	for i, r := range rows {
		values := make([]int, len(list))
		for j, h := range list {
			values[j] = r.values(h)
		}
		fill := strings.Repeat(" ", label-text.Width(r.name)-len(totals[i]))
		fmt.Fprintf(&sb, "%s%s%s%s%s%s\n", strings.Repeat(" ", margin), r.name, fill, totals[i], strings.Repeat(" ", gap), console.Sparkline(values, each))
	}
	name := "per hour"
	if step > 1 {
		name = "per " + short(time.Duration(step)*time.Hour)
	}
	line := strings.Repeat(" ", margin) + name + strings.Repeat(" ", label-len(name)+gap) + hourAxis(list, step, each)
	sb.WriteString(p.style.Dim(strings.TrimRight(line, " ")) + "\n")
	return p.Text(sb.String())
}

// hourAxis marks times below a chart, as many as there is room for: hours of a day
// or two, and else days.
func hourAxis(list []hour, step int64, each int) string {
	layout, every := "15:04", time.Duration(6)*time.Hour
	if time.Duration(len(list))*time.Duration(step)*time.Hour > 49*time.Hour {
		layout, every = "01-02", 24*time.Hour
	}
	if list[len(list)-1].Start.Year() != list[0].Start.Year() {
		layout = time.DateOnly
	}
	axis := []byte(strings.Repeat(" ", len(list)*each))
	free := 0
	for i, h := range list {
		mark := h.Start.Format(layout)
		at := i * each
		begins := h.Start.Truncate(every).Equal(h.Start) || h.Start.Sub(h.Start.Truncate(every)) < time.Duration(step)*time.Hour
		if i > 0 && !begins || at < free || at+len(mark) > len(axis) {
			continue
		}
		copy(axis[at:], mark)
		free = at + len(mark) + 1
	}
	return string(axis)
}
