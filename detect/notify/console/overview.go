package console

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// Overview is a table of alerts, each in a line or two, the worst first.
type Overview struct {
	alerts []alert.Alert
	// Full keeps what does not fit the width as it is.
	Full bool
	// Most is how many alerts are shown; 0 is all.
	Most int
}

// Add adds an alert.
func (o *Overview) Add(a alert.Alert) { o.alerts = append(o.alerts, a) }

// Alert returns the alert that has a number in the table, from 1.
func (o *Overview) Alert(n int) (alert.Alert, bool) {
	o.sort()
	if n < 1 || n > len(o.alerts) {
		return alert.Alert{}, false
	}
	return o.alerts[n-1], true
}

// Len is the number of alerts.
func (o *Overview) Len() int { return len(o.alerts) }

func (o *Overview) sort() { alert.SortByWeight(o.alerts) }

// overviewRow is one alert of the table.
type overviewRow struct {
	severity                     alert.Severity
	number, time                 string
	user, domain, address, found string
}

// The table's columns are this far apart, and one of text is at least and, unless
// it is the last, at most so wide. What is narrower than narrowTable has two lines
// for an alert.
const (
	columnGap      = 2
	leastUser      = 12
	leastAddress   = 15 // an IPv4 address in full
	mostUser       = 40
	mostAddress    = 39 // an IPv6 address in full
	goodFinding    = 40
	narrowTable    = 80
	leastNarrow    = 24
	badgeWidth     = len(" MEDIUM ")
	severityHeader = "Severity"
)

// Overview writes the table.
func (c *Console) Overview(o *Overview) error {
	if len(o.alerts) == 0 {
		return nil
	}
	o.sort()
	shown := o.alerts
	if o.Most > 0 && len(shown) > o.Most && !o.Full {
		shown = shown[:o.Most]
	}
	rows := overviewRows(shown)
	width := c.style.Width
	if width <= 0 {
		width = defaultWidth
	}
	var sb strings.Builder
	sb.WriteString("\n")
	t := overviewTable{style: c.style, full: o.Full, width: max(width, leastNarrow)}
	t.measure(rows)
	if t.isNarrow() {
		t.narrow(&sb, rows)
	} else {
		t.wide(&sb, rows)
	}
	if more := len(o.alerts) - len(shown); more > 0 {
		sb.WriteString(c.style.Dim(text.Cut("  … and "+text.Count(more, "alert", "alerts")+" more: --full shows all", t.width)) + "\n")
	}
	_, err := io.WriteString(c.w, sb.String())
	return err
}

// overviewRows says what the table says of alerts. Times have the date if they are
// of several days, and the year if they are of several years.
func overviewRows(alerts []alert.Alert) []overviewRow {
	layout := "15:04"
	var days, years []string
	for _, a := range alerts {
		if at := happened(a); alert.Known(at) {
			days, years = append(days, at.Format(time.DateOnly)), append(years, at.Format("2006"))
		}
	}
	slices.Sort(days)
	slices.Sort(years)
	switch {
	case len(slices.Compact(years)) > 1:
		layout = "2006-01-02 15:04"
	case len(slices.Compact(days)) > 1:
		layout = "01-02 15:04"
	}
	rows := make([]overviewRow, len(alerts))
	for i, a := range alerts {
		r := &rows[i]
		r.number, r.severity = strconv.Itoa(i+1), a.Severity
		if at := happened(a); alert.Known(at) {
			r.time = at.Format(layout)
		}
		user, name, more := named(a, "Account")
		if name == "" { // a host, a file, an application
			user, name, more = named(a, otherThanAddress(a))
		}
		r.user = text.Safe(name)
		if at := strings.LastIndexByte(r.user, '@'); at > 0 && more == 0 {
			r.domain = r.user[at:]
		}
		r.user += andMore(more)
		_, address, more := named(a, "IP")
		r.address = text.Safe(address) + andMore(more)
		r.found = finding(a, user, address)
	}
	return rows
}

// happened is when what an alert brings began, in UTC, or if nobody knows when it was
// reported.
func happened(a alert.Alert) time.Time {
	if at := a.Happened().Start; alert.Known(at) {
		return at.UTC()
	}
	return a.Created.UTC()
}

func andMore(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" +%d", n)
}

// named returns the first entity of a type that has a name: all that it is called,
// its first name, and how many more there are.
func named(a alert.Alert, kind string) (all []string, first string, more int) {
	n := 0
	for _, e := range a.Entities {
		if e.Type != kind || len(e.Fields) == 0 || e.Fields[0].Value == "" {
			continue
		}
		if n++; n > 1 {
			continue
		}
		_, account := e.Account()
		first = cmp.Or(account, e.Fields[0].Value)
		all = append(all, first)
		for _, f := range e.Fields {
			if f.Identifier != "UPNSuffix" && f.Value != "" && f.Value != first {
				all = append(all, f.Value)
			}
		}
	}
	return all, first, max(n-1, 0)
}

// otherThanAddress is the first type of entity of an alert that is no address.
func otherThanAddress(a alert.Alert) string {
	for _, e := range a.Entities {
		if e.Type != "IP" && len(e.Fields) > 0 && e.Fields[0].Value != "" {
			return e.Type
		}
	}
	return ""
}

// finding says in a few words what stands out: the verdict that the card has as its
// headline, else the weightiest finding, else what the rule says, without what stands
// in other columns.
func finding(a alert.Alert, user []string, address string) string {
	if h := text.HeadlineOf(a); h.Verdict != "" {
		return text.Safe(h.Verdict)
	}
	var found string
	switch own := text.Line(a.Headline()); {
	case own != "":
		found = text.Safe(own)
	case a.Context != nil && len(a.Context.Findings) > 0:
		found = text.Safe(withoutNames(a.Context.Findings[0].Text, user, address))
	case a.FraudReported():
		found = "Reported by the user"
	case len(a.Entities) == 0:
		found = shownText(a)
	}
	found = cmp.Or(found, text.Safe(text.Line(a.Title)))
	if first, size := utf8.DecodeRuneInString(found); size > 0 && !strings.HasPrefix(found, "“") {
		found = string(unicode.ToUpper(first)) + found[size:]
	}
	if a.Updates != nil {
		found = "Update: " + found
	}
	return found
}

// withoutNames leaves the account and the address of the row out of a finding.
func withoutNames(found string, user []string, address string) string {
	for _, u := range user {
		quoted := text.Quoted(u)
		found = strings.TrimPrefix(found, quoted+" ")
		for _, before := range []string{" at ", " of ", ", "} {
			found = strings.ReplaceAll(found, before+quoted, "")
		}
		found = strings.ReplaceAll(found, quoted, "the user")
	}
	if address != "" {
		found = strings.ReplaceAll(found, " from the same address, "+address+",", " from the same address,")
		found = strings.ReplaceAll(found, ", from "+address+",", ",")
	}
	return found
}

// shownText is what stands for an alert without entities: its title, and what it
// shows of its rows.
func shownText(a alert.Alert) string {
	parts := []string{text.Safe(text.Line(a.Title))}
	label := text.LabelOf(a)
	for _, d := range a.Shown() {
		write := text.ValueOf(d)
		var values []string
		for _, v := range d.Values {
			if v != "" {
				values = append(values, text.Safe(write(v)))
			}
		}
		if len(values) > 0 {
			parts = append(parts, label(text.Safe(d.Name))+" "+strings.Join(values, ", "))
		}
	}
	return strings.Join(parts, " · ")
}

// overviewTable draws rows.
type overviewTable struct {
	style                       Style
	full                        bool
	width                       int
	number, time, user, address int // widths of columns; 0 is a column that nothing is in
	found                       int
	domain                      string // that all users have in common, and that is left out
}

func (t *overviewTable) isNarrow() bool { return t.width < narrowTable }

// measure finds the widths of the columns.
func (t *overviewTable) measure(rows []overviewRow) {
	t.number = len(rows[len(rows)-1].number)
	widest := func(header string, cell func(overviewRow) string) int {
		most := 0
		for _, r := range rows {
			most = max(most, text.Width(cell(r)))
		}
		if most == 0 {
			return 0
		}
		return max(most, text.Width(header))
	}
	t.time = widest("Time", func(r overviewRow) string { return r.time })
	t.user = widest("User", func(r overviewRow) string { return r.user })
	t.address = widest("Address", func(r overviewRow) string { return r.address })
	if t.full || t.isNarrow() {
		return
	}
	t.address = min(t.address, mostAddress)
	finding := min(widest("Finding", func(r overviewRow) string { return r.found }), goodFinding)
	if t.user+t.address+finding > t.room() {
		if t.domain = commonDomain(rows); t.domain != "" {
			for i := range rows {
				rows[i].user = strings.TrimSuffix(rows[i].user, t.domain)
			}
			t.user = widest("User", func(r overviewRow) string { return r.user })
		}
	}
	t.user = min(t.user, mostUser)
	for t.user+t.address+finding > t.room() && (t.user > leastUser || t.address > leastAddress) {
		if t.user-leastUser >= t.address-leastAddress {
			t.user--
		} else {
			t.address--
		}
	}
}

// room is what number, severity and time leave of the width.
func (t *overviewTable) room() int {
	room := t.width - 1 - t.number - columnGap - badgeWidth - columnGap
	if t.time > 0 {
		room -= t.time + columnGap
	}
	if t.user > 0 {
		room -= columnGap
	}
	if t.address > 0 {
		room -= columnGap
	}
	return room
}

// commonDomain is the end of the names that all have in common, if most have one.
func commonDomain(rows []overviewRow) string {
	counts := map[string]int{}
	for _, r := range rows {
		if r.domain != "" {
			counts[r.domain]++
		}
	}
	for domain, n := range counts {
		if n*2 > len(rows) {
			return domain
		}
	}
	return ""
}

// cell is a text in a column.
func (t *overviewTable) cell(s string, width int) string {
	if !t.full {
		s = text.Cut(s, width)
	}
	return pad(s, width)
}

func (t *overviewTable) line(sb *strings.Builder, cells ...string) {
	sb.WriteString(strings.TrimRight(" "+strings.Join(cells, strings.Repeat(" ", columnGap)), " ") + "\n")
}

// head is the table's first line.
func (t *overviewTable) head(sb *strings.Builder, last ...string) {
	bold := func(header string, width int) string { return t.style.Bold(header) + pad("", width-text.Width(header)) }
	cells := []string{pad("", t.number-1) + t.style.Bold("#"), bold(severityHeader, badgeWidth)}
	if t.time > 0 {
		cells = append(cells, bold("Time", t.time))
	}
	if t.user > 0 {
		cells = append(cells, bold("User", t.user))
	}
	t.line(sb, append(cells, last...)...)
}

func (t *overviewTable) wide(sb *strings.Builder, rows []overviewRow) {
	t.found = max(t.room()-t.user-t.address, leastUser)
	var last []string
	if t.address > 0 {
		last = append(last, t.style.Bold("Address")+pad("", t.address-len("Address")))
	}
	t.head(sb, append(last, t.style.Bold("Finding"))...)
	for _, r := range rows {
		cells := t.lead(r)
		if t.address > 0 {
			cells = append(cells, t.cell(r.address, t.address))
		}
		t.line(sb, append(cells, t.last(r.found, t.found))...)
	}
	t.foot(sb)
}

// narrow writes two lines for each alert.
func (t *overviewTable) narrow(sb *strings.Builder, rows []overviewRow) {
	indent := 1 + t.number + columnGap
	rest := t.width - indent - badgeWidth - columnGap
	if t.time > 0 {
		rest -= t.time + columnGap
	}
	if !t.full {
		t.user = min(t.user, max(rest, leastUser))
	}
	t.head(sb)
	below := t.style.Bold("Finding")
	if t.address > 0 {
		below = t.style.Bold("Address") + " · " + below
	}
	sb.WriteString(strings.Repeat(" ", indent) + below + "\n")
	for _, r := range rows {
		t.line(sb, t.lead(r)...)
		second := r.found
		if r.address != "" {
			second = t.last(r.address, mostAddress) + " · " + second
		}
		sb.WriteString(strings.Repeat(" ", indent) + t.last(second, t.width-indent) + "\n")
	}
	t.foot(sb)
}

// lead is what a row begins with.
func (t *overviewTable) lead(r overviewRow) []string {
	cells := []string{pad("", t.number-len(r.number)) + r.number, t.style.severity(r.severity) + pad("", badgeWidth-len(badge(r.severity))-2)}
	if t.time > 0 {
		cells = append(cells, t.cell(r.time, t.time))
	}
	if t.user > 0 {
		cells = append(cells, t.cell(r.user, t.user))
	}
	return cells
}

func (t *overviewTable) last(s string, width int) string {
	if t.full {
		return s
	}
	return text.Cut(s, width)
}

func (t *overviewTable) foot(sb *strings.Builder) {
	if t.domain != "" {
		sb.WriteString(t.style.Dim(" "+t.last("Users without a domain are "+t.domain+". Times are UTC.", t.width-1)) + "\n")
	} else if t.time > 0 {
		sb.WriteString(t.style.Dim(" Times are UTC.") + "\n")
	}
}
