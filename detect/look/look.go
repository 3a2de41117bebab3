// Package look asks a workspace whether records came in late that rules can see,
// for many rules in one query.
//
// The query is a union of legs, one for each table that a rule reads. A leg
// applies the beginning of the rule's query to what came in since a time, and
// returns one row, also when it counts nothing: which stretches of time have such
// records. A leg without a row has a table that the workspace does not resolve.
package look

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"pushback/detect/workspace"
)

// Beginning is what a rule does with the records of a table before it looks at
// several of them. Condition is KQL over the table's columns that says which
// records the rule can see; it lets through more rather than fewer. Empty is all
// of them.
type Beginning struct{ Table, Condition string }

// Ask is what is asked for one rule.
type Ask struct {
	Beginnings []Beginning
	// Since is the time by the service's clock since when records came in.
	Since time.Time
	// From and To bound TimeGenerated. The first is included and the second not.
	From, To time.Time
	// Width is the width of the stretches of time that are told apart, of which
	// one begins at From.
	Width time.Duration
	// Beyond, if set, asks for records that came in too late, in the place of
	// stretches of time.
	Beyond *Beyond
}

// Beyond are the records that came in longer than After the end of the last
// window that has them.
type Beyond struct{ Frequency, Period, After time.Duration }

// The limits of a query. One leg is asked in any case.
const (
	mostLegs      = 20
	mostText      = 64 << 10
	mostCondition = 16 << 10
	// mostStretches is how many a leg tells apart at most.
	mostStretches = 1000
)

// leg is one of a query.
type leg struct{ table, condition string }

// legs returns a leg for each table. Conditions that are too long to be asked for
// are left out: then all records of the table count.
func (a Ask) legs() []leg {
	var legs []leg
	at := map[string]int{}
	whole := map[string]bool{}
	for _, b := range a.Beginnings {
		i, there := at[b.Table]
		if !there {
			i = len(legs)
			at[b.Table] = i
			legs = append(legs, leg{table: b.Table})
		}
		condition := "(" + b.Condition + ")"
		if there {
			condition = legs[i].condition + " or " + condition
		}
		if whole[b.Table] = whole[b.Table] || b.Condition == "" || len(condition) > mostCondition; whole[b.Table] {
			condition = ""
		}
		legs[i].condition = condition
	}
	return legs
}

// size is how many legs an ask has, and about how long their text is.
func (a Ask) size() (legs, text int) {
	list := a.legs()
	for _, l := range list {
		text += len(l.table) + len(l.condition) + 600
	}
	return len(list), text
}

// Batches divides asks into those that are asked in one query each, in order, by
// their indexes.
func Batches(asks []Ask) [][]int {
	var batches [][]int
	legs, text := 0, 0
	for i, a := range asks {
		n, size := a.size()
		if last := len(batches) - 1; last >= 0 && legs+n <= mostLegs && text+size <= mostText {
			batches[last] = append(batches[last], i)
			legs, text = legs+n, text+size
			continue
		}
		batches = append(batches, []int{i})
		legs, text = n, size
	}
	return batches
}

// Query returns the query for asks. Its now() is the service's own time.
func Query(asks []Ask) workspace.Query {
	var b strings.Builder
	// The first leg has no table, so that one is always there. It shows that the
	// others were looked for.
	b.WriteString("union isfuzzy=true\n(print Leg = -1, Stretches = dynamic(null), Records = 0, Unknown = 0, Latest = timespan(null), Excess = timespan(null))")
	q := workspace.Query{RuleID: "look"}
	n := 0
	for _, a := range asks {
		if q.Start.IsZero() || a.From.Before(q.Start) {
			q.Start = a.From
		}
		if a.To.After(q.End) {
			q.End = a.To
		}
		for _, l := range a.legs() {
			b.WriteString(",\n(")
			a.writeLeg(&b, l, n)
			b.WriteString(")")
			n++
		}
	}
	b.WriteString("\n| project Leg, Asked = now(), Stretches, Records, Unknown, Latest, Excess")
	q.Text = b.String()
	return q
}

func (a Ask) writeLeg(b *strings.Builder, l leg, n int) {
	const unknown = "isnull(ingestion_time())"
	fmt.Fprintf(b, "[%s] | where TimeGenerated >= %s and TimeGenerated < %s | where ingestion_time() > %s or %s",
		quoted(l.table), datetime(a.From), datetime(a.To), datetime(a.Since), unknown)
	if l.condition != "" {
		b.WriteString(" | where " + l.condition)
	}
	if a.Beyond != nil {
		last := fmt.Sprintf("bin_at(TimeGenerated + %s, %s, datetime(1970-01-01))", timespan(a.Beyond.Period), timespan(a.Beyond.Frequency))
		fmt.Fprintf(b, " | where ingestion_time() > %s + %s or %s", last, timespan(a.Beyond.After), unknown)
		fmt.Fprintf(b, " | summarize Records = count(), Unknown = countif(%s), Latest = max(ingestion_time() - TimeGenerated), Excess = max(ingestion_time() - %s)", unknown, last)
		fmt.Fprintf(b, " | project Leg = %d, Stretches = dynamic(null), Records, Unknown, Latest, Excess", n)
		return
	}
	fmt.Fprintf(b, " | summarize Records = count(), Unknown = countif(%s) by Stretch = bin_at(TimeGenerated, %s, %s)", unknown, timespan(a.width()), datetime(a.From))
	b.WriteString(" | summarize Stretches = make_list(Stretch), Records = sum(Records), Unknown = sum(Unknown)")
	fmt.Fprintf(b, " | project Leg = %d, Stretches, Records, Unknown, Latest = timespan(null), Excess = timespan(null)", n)
}

// width is that of the stretches: wider ones where there would be too many.
func (a Ask) width() time.Duration {
	times := max(1, (a.To.Sub(a.From)/a.Width+mostStretches-1)/mostStretches)
	return times * a.Width
}

// quoted writes a text as KQL takes it, whatever is in it: an escape for all that
// is not plain.
func quoted(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f || r > 0xffff:
			fmt.Fprintf(&b, `\u%04x`, min(r, 0xfffd)) // no table is named like that
		case r > 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func datetime(t time.Time) string {
	return "datetime(" + t.UTC().Format("2006-01-02T15:04:05.0000000Z") + ")"
}

// timespan writes a length of time in milliseconds or, if it is not of whole ones,
// in ticks of 100 ns.
func timespan(d time.Duration) string {
	if d%time.Millisecond == 0 {
		return strconv.FormatInt(int64(d/time.Millisecond), 10) + "ms"
	}
	return strconv.FormatInt(int64(d/100), 10) + "tick"
}

// Answer is what a look found for a rule.
type Answer struct {
	// Stretches of time have records that came in, each Width long.
	Stretches []time.Time
	Width     time.Duration
	// Beyond has what came in too late, by table, if that was asked for.
	Beyond []TooLate
	// Err says why the look says nothing of the rule, or is nil.
	Err error
}

// TooLate are the records of a table that came in too late.
type TooLate struct {
	Table   string
	Records int64
	// Latest is the longest time from when one was generated until it came in, and
	// Excess from the end of its last window.
	Latest, Excess time.Duration
}

// UnresolvedError says that a look had no answer for a table.
type UnresolvedError struct{ Table string }

func (e *UnresolvedError) Error() string {
	return "the workspace does not resolve its table " + e.Table
}

// UnknownTimeError says that the workspace does not know of records when they came
// in.
type UnknownTimeError struct{ Table string }

func (e *UnknownTimeError) Error() string {
	return "the workspace does not say of records of " + e.Table + " when they came in (ingestion_time())"
}

// Read reads the answer to a query for asks. Asked is the service's own time of
// the query. The error is about all of it.
func Read(asks []Ask, t *workspace.Table) (answers []Answer, asked time.Time, err error) {
	if t.NoData {
		return nil, asked, errors.New("the workspace holds no data")
	}
	rows, asked, err := byLeg(t)
	if err != nil {
		return nil, asked, err
	}
	answers = make([]Answer, len(asks))
	n := 0
	for i, a := range asks {
		answers[i].Width = a.width()
		for _, l := range a.legs() {
			row, there := rows[n]
			n++
			switch {
			case answers[i].Err != nil:
			case !there:
				answers[i].Err = &UnresolvedError{l.table}
			case row.unknown > 0:
				answers[i].Err = &UnknownTimeError{l.table}
			case a.Beyond != nil:
				if row.records > 0 {
					answers[i].Beyond = append(answers[i].Beyond, TooLate{l.table, row.records, row.latest, row.excess})
				}
			case row.records > 0 && len(row.stretches) == 0:
				answers[i].Err = fmt.Errorf("the answer to a look counts %d records of %s and does not say when they are from", row.records, l.table)
			default:
				answers[i].Stretches = append(answers[i].Stretches, row.stretches...)
			}
		}
	}
	return answers, asked, nil
}

// answerRow is what a leg returned.
type answerRow struct {
	stretches        []time.Time
	records, unknown int64
	latest, excess   time.Duration
}

// byLeg reads the rows of an answer.
func byLeg(t *workspace.Table) (rows map[int]answerRow, asked time.Time, err error) {
	var at [7]int
	for i, name := range []string{"Leg", "Asked", "Stretches", "Records", "Unknown", "Latest", "Excess"} {
		if at[i] = t.Column(name); at[i] < 0 {
			return nil, asked, fmt.Errorf("the answer to a look has no column %s", name)
		}
	}
	rows = make(map[int]answerRow)
	for _, cells := range t.Rows {
		leg, ok := cells[at[0]].(int64)
		if _, twice := rows[int(leg)]; !ok || twice {
			return nil, asked, fmt.Errorf("the answer to a look has a leg %.40q twice or by no number", workspace.Text(cells[at[0]]))
		}
		var row answerRow
		row.records, _ = cells[at[3]].(int64)
		row.unknown, _ = cells[at[4]].(int64)
		row.latest, _ = cells[at[5]].(time.Duration)
		row.excess, _ = cells[at[6]].(time.Duration)
		if list, ok := cells[at[2]].(workspace.Dynamic); ok {
			if err := json.Unmarshal(list.JSON(), &row.stretches); err != nil {
				return nil, asked, errors.New("the answer to a look has something that is no list of times")
			}
		}
		rows[int(leg)] = row
		if leg == -1 {
			asked, _ = cells[at[1]].(time.Time)
		}
	}
	if asked.IsZero() {
		return nil, asked, errors.New("the answer to a look does not say when it was asked")
	}
	return rows, asked, nil
}
