package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushback/detect/kql"
	"pushback/detect/notify/console"
	"pushback/detect/notify/text"
)

// chart is what a query's render operator asks to draw: values of series, at places
// that they have in common.
type chart struct {
	title  string
	labels []string    // of the places, in the order in which they are drawn
	times  []time.Time // of the places, if they are times
	series []chartSeries
}

// chartSeries has a value for each place, or none, which is NaN.
type chartSeries struct {
	name   string
	values []float64
}

// drawings are the visualizations that a terminal can show.
var drawings = map[string]func(d *drawing, c *chart){
	"timechart":   (*drawing).columns,
	"linechart":   (*drawing).columns,
	"areachart":   (*drawing).columns,
	"columnchart": (*drawing).columns,
	"barchart":    (*drawing).bars,
	"piechart":    (*drawing).shares,
}

// undrawnError is why a table cannot be drawn as its query asks.
type undrawnError struct{ why string }

func (e *undrawnError) Error() string { return e.why }

// writeChart draws a table as its query's render operator asks. If that cannot be
// done nothing is written, and the error is an undrawnError.
func writeChart(w io.Writer, t *kql.Table) error {
	r := t.Rendering()
	draw := drawings[r.Visualization]
	if draw == nil {
		return &undrawnError{"a terminal does not show such a chart"}
	}
	c, err := newChart(t, r)
	if err != nil {
		return err
	}
	d := &drawing{style: styleOf(w)}
	d.width = max(d.style.Width, 24)
	if c.title != "" {
		d.sb.WriteString(d.style.Bold(text.Cut(c.title, d.width)) + "\n")
	}
	draw(d, c)
	d.sb.WriteString(d.style.Dim(count(int64(t.Rows()), "row")) + "\n")
	_, err = io.WriteString(w, d.sb.String())
	return err
}

// isNumber reports whether values of a type can be drawn.
func isNumber(t kql.Type) bool {
	return t == kql.Int || t == kql.Long || t == kql.Real || t == kql.Decimal
}

// chartColumns are the columns of a table as a chart uses them.
type chartColumns struct {
	x         int // -1: the rows are numbered
	y, series []int
}

// chartColumnsOf chooses columns as the service's clients do: as the query says, else
// the place is the first column, of a chart over time the first of times; the values
// are the other numbers, and what is left tells series apart.
func chartColumnsOf(t *kql.Table, r *kql.Rendering) (chartColumns, error) {
	schema := t.Schema()
	named := func(property string) []int {
		var columns []int
		for name := range strings.SplitSeq(r.Properties[property], ",") {
			if i := schema.Index(strings.TrimSpace(name)); name != "" && i >= 0 {
				columns = append(columns, i)
			}
		}
		return columns
	}
	first := func(is func(kql.Type) bool) int {
		return slices.IndexFunc(schema, func(c kql.ColumnSchema) bool { return is(c.Type) })
	}
	c := chartColumns{x: -1, y: named("ycolumns"), series: named("series")}
	c.y = slices.DeleteFunc(c.y, func(i int) bool { return !isNumber(schema[i].Type) })
	numbers := 0
	for _, column := range schema {
		if isNumber(column.Type) {
			numbers++
		}
	}
	isTime := func(t kql.Type) bool { return t == kql.DateTime }
	switch x := named("xcolumn"); {
	case len(x) > 0:
		c.x = x[0]
	case r.Visualization == "timechart":
		if c.x = first(isTime); c.x < 0 {
			return c, &undrawnError{"no column of theirs has times"}
		}
	case len(schema) > 1 && (!isNumber(schema[0].Type) || numbers > 1):
		c.x = 0
	default:
		c.x = first(func(t kql.Type) bool { return !isNumber(t) })
	}
	if len(c.y) == 0 {
		for i, column := range schema {
			if i != c.x && isNumber(column.Type) {
				c.y = append(c.y, i)
			}
		}
	}
	if len(c.y) == 0 {
		return c, &undrawnError{"no column of theirs has numbers to draw"}
	}
	if r.Visualization == "piechart" {
		c.y, c.series = c.y[:1], nil
		return c, nil
	}
	if len(c.series) == 0 {
		for i, column := range schema {
			if i != c.x && !isNumber(column.Type) && column.Type != kql.Dynamic && column.Type != kql.DateTime && column.Type != kql.TimeSpan {
				c.series = append(c.series, i)
			}
		}
	}
	return c, nil
}

// newChart takes the values out of a table.
func newChart(t *kql.Table, r *kql.Rendering) (*chart, error) {
	if t.Rows() == 0 {
		return nil, &undrawnError{"there are none"}
	}
	columns, err := chartColumnsOf(t, r)
	if err != nil {
		return nil, err
	}
	c := &chart{title: text.Safe(r.Properties["title"])}
	places, series := map[string]int{}, map[string]int{}
	isTime := columns.x >= 0 && t.Schema()[columns.x].Type == kql.DateTime
	drawn := false
	for row := range t.Rows() {
		label := strconv.Itoa(row + 1)
		var at time.Time
		if columns.x >= 0 {
			v := t.Value(row, columns.x)
			label = v.String()
			if isTime {
				var ok bool
				if at, ok = v.Time(); !ok {
					continue // a time that is not known has no place
				}
			}
		}
		place, known := places[label]
		if !known {
			place, places[label] = len(c.labels), len(c.labels)
			c.labels = append(c.labels, text.Safe(text.Line(label)))
			if isTime {
				c.times = append(c.times, at)
			}
		}
		var key []string
		for _, i := range columns.series {
			key = append(key, text.Safe(text.Line(t.Value(row, i).String())))
		}
		for _, y := range columns.y {
			name := strings.Join(key, ", ")
			if len(columns.y) > 1 || name == "" {
				name = strings.TrimPrefix(name+": "+text.Safe(t.Schema()[y].Name), ": ")
			}
			i, known := series[name]
			if !known {
				i, series[name] = len(c.series), len(c.series)
				c.series = append(c.series, chartSeries{name: name})
			}
			s := &c.series[i]
			for len(s.values) <= place {
				s.values = append(s.values, math.NaN())
			}
			value, err := strconv.ParseFloat(t.Value(row, y).String(), 64)
			if t.Value(row, y).IsNull() || err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
				continue
			}
			drawn = true
			if math.IsNaN(s.values[place]) {
				s.values[place] = 0
			}
			s.values[place] += value // as the portal stacks what is at one place
		}
	}
	if !drawn {
		return nil, &undrawnError{"they have no number to draw"}
	}
	for i := range c.series {
		for len(c.series[i].values) < len(c.labels) {
			c.series[i].values = append(c.series[i].values, math.NaN())
		}
	}
	if isTime {
		c.sortByTime()
		layout := wholeLayout(c.times)
		for i, t := range c.times {
			c.labels[i] = t.UTC().Format(layout)
		}
	}
	return c, nil
}

// wholeLayout is how times are written beside a chart: as exactly as they are, and no
// more so.
func wholeLayout(times []time.Time) string {
	for _, l := range []struct {
		step   time.Duration
		layout string
	}{{24 * time.Hour, time.DateOnly}, {time.Minute, "2006-01-02 15:04"}, {time.Second, time.DateTime}} {
		if !slices.ContainsFunc(times, func(t time.Time) bool { return !t.Truncate(l.step).Equal(t) }) {
			return l.layout
		}
	}
	return "2006-01-02 15:04:05.0000000"
}

func (c *chart) sortByTime() {
	order := make([]int, len(c.times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return c.times[a].Compare(c.times[b]) })
	labels, times := make([]string, len(order)), make([]time.Time, len(order))
	for i, from := range order {
		labels[i], times[i] = c.labels[from], c.times[from]
	}
	c.labels, c.times = labels, times
	for i, s := range c.series {
		values := make([]float64, len(order))
		for j, from := range order {
			values[j] = s.values[from]
		}
		c.series[i].values = values
	}
}

// bounds are the least and the greatest value, and zero.
func (c *chart) bounds() (low, high float64) {
	for _, s := range c.series {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	return low, high
}

// mostSeries is how many series are drawn, those with the most in all first.
const mostSeries = 12

// largest returns the series to draw and how many are left out.
func (c *chart) largest() ([]chartSeries, int) {
	if len(c.series) <= mostSeries {
		return c.series, 0
	}
	totals := map[string]float64{}
	for _, s := range c.series {
		for _, v := range s.values {
			if !math.IsNaN(v) {
				totals[s.name] += math.Abs(v)
			}
		}
	}
	names := slices.Collect(maps.Keys(totals))
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case totals[a] != totals[b]:
			return map[bool]int{true: -1, false: 1}[totals[a] > totals[b]]
		default:
			return strings.Compare(a, b)
		}
	})
	kept := slices.DeleteFunc(slices.Clone(c.series), func(s chartSeries) bool { return !slices.Contains(names[:min(len(names), mostSeries)], s.name) })
	return kept, len(c.series) - len(kept)
}

// drawing is a chart as it is drawn.
type drawing struct {
	sb    strings.Builder
	style console.Style
	width int
}

// number writes a value in a few characters.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		digits, sign := strconv.FormatFloat(math.Abs(v), 'f', 0, 64), ""
		if v < 0 {
			sign = "-"
		}
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		return sign + digits
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

var (
	eighthsAcross = []rune(" ▏▎▍▌▋▊▉█")
	eighthsUp     = []rune(" ▁▂▃▄▅▆▇█")
)

// bar draws a part of a length, to an eighth of a column. What is not zero is seen.
func bar(part float64, length int) string {
	eighths := int(math.Round(part * float64(length) * 8))
	if part > 0 {
		eighths = max(eighths, 1)
	}
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string(eighthsAcross[rest])
	}
	return s
}

// bars draws a line for each value, under the place that it is at if there are
// several series.
func (d *drawing) bars(c *chart) {
	series, more := c.largest()
	low, high := c.bounds()
	most := max(high, -low)
	label, values := 0, 0
	for i, l := range c.labels {
		label = max(label, text.Width(l))
		for _, s := range series {
			if !math.IsNaN(s.values[i]) {
				values = max(values, len(number(s.values[i])))
			}
		}
	}
	if len(series) > 1 {
		label = 2
		for _, s := range series {
			label = max(label, 2+text.Width(s.name))
		}
	}
	label = min(label, d.width*2/5)
	room := max(d.width-label-2-values-2, 4)
	line := func(name string, v float64) {
		if math.IsNaN(v) {
			return
		}
		part := 0.0
		if most > 0 {
			part = math.Abs(v) / most
		}
		drawn := bar(part, room)
		fmt.Fprintf(&d.sb, "%s  %s  %s\n", padded(text.Cut(name, label), label), drawn, number(v))
	}
	for i, l := range c.labels {
		if len(series) == 1 {
			line(l, series[0].values[i])
			continue
		}
		d.sb.WriteString(d.style.Bold(text.Cut(l, d.width)) + "\n")
		for _, s := range series {
			line("  "+s.name, s.values[i])
		}
	}
	d.left(more)
}

// shares draws what each place has of all.
func (d *drawing) shares(c *chart) {
	values := c.series[0].values
	total, label, figures := 0.0, 0, 0
	for i, v := range values {
		if !math.IsNaN(v) {
			total += math.Abs(v)
			label, figures = max(label, text.Width(c.labels[i])), max(figures, len(number(v)))
		}
	}
	label = min(label, d.width*2/5)
	room := max(d.width-label-2-figures-2-8, 4)
	for i, v := range values {
		if math.IsNaN(v) {
			continue
		}
		part := 0.0
		if total > 0 {
			part = math.Abs(v) / total
		}
		fmt.Fprintf(&d.sb, "%s  %5.1f%%  %s  %s\n", padded(text.Cut(c.labels[i], label), label), 100*part, bar(part, room), number(v))
	}
}

// columns draws values from left to right, each series above the next.
func (d *drawing) columns(c *chart) {
	series, more := c.largest()
	low, high := c.bounds()
	height := 8
	switch n := len(series); {
	case n > 3:
		height = 2
	case n > 1:
		height = 4
	}
	margin := max(len(number(low)), len(number(high))) + 2
	room := max(d.width-margin, 8)
	slots, labels := c.slots(room)
	each := max(room/slots.n, 1)
	if c.times != nil {
		each = min(each, 6)
	}
	each = min(each, 24)
	if c.times != nil {
		labels = slots.timeLabels(c, timeLayout(c.times), each)
	}
	gap := 0
	if each >= 3 && c.times == nil {
		gap = 1
	}
	for _, s := range series {
		values := slots.values(s)
		if len(series) > 1 {
			d.sb.WriteString(text.Cut(s.name, d.width) + "\n")
		}
		for level := height - 1; level >= 0; level-- {
			var row strings.Builder
			for _, v := range values {
				mark := ' '
				if !math.IsNaN(v) && high > low {
					eighths := int(math.Round((v - low) / (high - low) * float64(height) * 8))
					if v != 0 || low < 0 {
						eighths = max(eighths, 1)
					}
					mark = eighthsUp[min(max(eighths-level*8, 0), 8)]
				}
				row.WriteString(strings.Repeat(string(mark), each-gap) + strings.Repeat(" ", gap))
			}
			scale := ""
			switch level {
			case height - 1:
				scale = number(high)
			case 0:
				scale = number(low)
			}
			d.sb.WriteString(strings.TrimRight(d.style.Dim(fmt.Sprintf("%*s ", margin-2, scale)+"│")+row.String(), " ") + "\n")
		}
	}
	d.sb.WriteString(d.style.Dim(strings.Repeat(" ", margin-1)+"└"+strings.Repeat("─", slots.n*each)) + "\n")
	d.sb.WriteString(d.style.Dim(strings.TrimRight(strings.Repeat(" ", margin)+axis(labels, each, gap, room), " ")) + "\n")
	if slots.most > 1 {
		d.sb.WriteString(d.style.Dim(text.Cut(fmt.Sprintf("each column shows the most of up to %d values", slots.most), d.width)) + "\n")
	}
	d.left(more)
}

func (d *drawing) left(more int) {
	if more > 0 {
		d.sb.WriteString(d.style.Dim(text.Cut(fmt.Sprintf("and %d more series: --output csv has all", more), d.width)) + "\n")
	}
}

// slots are the columns of a chart.
type slots struct {
	n, most int   // how many there are, and how many places one stands for at most
	of      []int // the slot of each place
}

// slots puts the places into columns: those of times where their times are.
func (c *chart) slots(room int) (*slots, []string) {
	s := &slots{n: len(c.labels), of: make([]int, len(c.labels))}
	if c.times != nil {
		first, last := c.times[0], c.times[len(c.times)-1]
		step := last.Sub(first)
		for i := 1; i < len(c.times); i++ {
			step = min(step, c.times[i].Sub(c.times[i-1]))
		}
		s.n = 1
		if step > 0 {
			s.n = int(min(last.Sub(first)/step, 1<<30)) + 1
		}
		s.n = min(s.n, room)
		for i, t := range c.times {
			if span := last.Sub(first); span > 0 {
				s.of[i] = int(math.Round(float64(t.Sub(first)) / float64(span) * float64(s.n-1)))
			}
		}
	} else {
		s.n = min(s.n, room)
		for i := range s.of {
			s.of[i] = i * s.n / len(s.of)
		}
	}
	counts := make([]int, s.n)
	labels := make([]string, s.n)
	for i := len(s.of) - 1; i >= 0; i-- {
		counts[s.of[i]]++
		labels[s.of[i]] = c.labels[i]
	}
	s.most = slices.Max(counts)
	return s, labels
}

// timeLayout is how times of a stretch of time are written, which are in order.
func timeLayout(times []time.Time) string {
	switch first, last := times[0], times[len(times)-1]; {
	case first.Year() != last.Year():
		return time.DateOnly
	case last.Sub(first) > 49*time.Hour:
		return "01-02"
	}
	return "15:04"
}

// timeSteps are how far apart times below a chart may be.
var timeSteps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 28 * 24 * time.Hour, 364 * 24 * time.Hour}

// timeLabels are those of round times, as many as there is room for, at the slots
// that the times are in whether or not there is a value.
func (s *slots) timeLabels(c *chart, layout string, each int) []string {
	labels := make([]string, s.n)
	first, last := c.times[0].UTC(), c.times[len(c.times)-1].UTC()
	labels[0] = first.Format(layout)
	if s.n < 2 {
		return labels
	}
	span := last.Sub(first)
	perSlot := max(span/time.Duration(s.n-1), 1)
	for _, step := range timeSteps {
		if step < perSlot || int(min(step/perSlot, 1<<20))*each < len(layout)+2 {
			continue
		}
		at := first.Truncate(step)
		if at.Before(first) {
			at = at.Add(step)
		}
		if at.After(last) {
			break // no round time at all: the first stays
		}
		labels[0] = ""
		for ; !at.After(last); at = at.Add(step) {
			labels[int(math.Round(float64(at.Sub(first))/float64(span)*float64(s.n-1)))] = at.Format(layout)
		}
		break
	}
	return labels
}

// values are those of the slots: the greatest of its places.
func (s *slots) values(of chartSeries) []float64 {
	values := make([]float64, s.n)
	for i := range values {
		values[i] = math.NaN()
	}
	for i, v := range of.values {
		if at := s.of[i]; !math.IsNaN(v) && (math.IsNaN(values[at]) || v > values[at]) {
			values[at] = v
		}
	}
	return values
}

// axis writes labels below columns, those that there is room for.
func axis(labels []string, each, gap, room int) string {
	var sb strings.Builder
	at, last := 0, ""
	for i, label := range labels {
		if label == "" || i*each < at || label == last {
			continue
		}
		width := each - gap
		if each < 6 { // labels take turns
			width = min(text.Width(label), 12)
		}
		label = text.Cut(label, max(width, 1))
		if i*each+text.Width(label) > room {
			break
		}
		sb.WriteString(strings.Repeat(" ", i*each-at) + label)
		at = i*each + text.Width(label)
		if each < 6 {
			sb.WriteString("  ")
			at += 2
		}
		last = label
	}
	return sb.String()
}

// padded adds spaces up to a width.
func padded(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-text.Width(s)))
}
