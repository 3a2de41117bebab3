package ledger

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"pushback/detect/alert"
)

// A row as an entity. All is text that a person can read in a storage browser:
// times as RFC 3339, which keeps every digit, and lists and alerts as JSON.

// maxProperty is how long a property may be, in UTF-16 units. The service takes
// 32 Ki.
const maxProperty = 32_000

// maxAlert is how long an alert's JSON may be, in UTF-16 units. An entity is 1
// MiB at most, two bytes to a unit.
const maxAlert = 400_000

// encodeRow returns the properties of a row.
func encodeRow(r row) (map[string]any, error) {
	e := map[string]any{}
	switch r := r.(type) {
	case *runRow:
		e["RuleID"], e["Format"], e["Owes"] = r.ruleID, r.format, r.owes
		if err := putState(e, r.state); err != nil {
			return nil, err
		}
		putLong(e, "Epoch", r.epoch)
		putTime(e, "Began", r.began)
		putTime(e, "Recorded", r.recorded)
		putTime(e, "Purged", r.purged)
		if len(r.tally) > 0 {
			if err := putJSON(e, "Tally", r.tally); err != nil {
				return nil, err
			}
		}
		if r.holder != "" {
			e["Holder"] = r.holder
			putTime(e, "Until", r.until)
		}
	case *fenceRow:
		e["RuleID"], e["Format"], e["Holder"] = r.ruleID, r.format, r.holder
		putLong(e, "Epoch", r.epoch)
		if r.former != nil {
			if err := putFormer(e, r.former); err != nil {
				return nil, err
			}
		}
	case *ruleRow:
		e["RuleID"] = r.ruleID
	case *formatRow:
		e["Format"] = r.number
	case *purgeRow:
		putTime(e, "At", r.at)
	case *seenRow:
		e["AlertID"] = r.alertID
		putTime(e, "At", r.at)
		putTime(e, "Window", r.window)
		e["Part"], e["Parts"] = r.part, r.parts
		e["Count"] = len(r.activities)
		e["Suppressed"] = r.suppressed
		if r.silenced { // else it is as a version before writes it
			e["Silenced"] = true
		}
		if err := putJSON(e, "Activities", r.activities); err != nil {
			return nil, err
		}
	case *outRow:
		putLong(e, "Seq", r.seq)
		putTime(e, "Recorded", r.recorded)
		if err := putJSON(e, "To", r.to); err != nil {
			return nil, err
		}
		text, err := alertText(r.alert, maxAlert)
		if err != nil {
			return nil, err
		}
		e["AlertID"], e["RuleID"] = r.alert.ID, r.alert.RuleID
		e["RuleName"], e["Title"] = cut(printable(r.alert.RuleName), 200), cut(printable(r.alert.Title), 200)
		e["Severity"] = r.alert.Severity.String()
		if r.alert.Address != "" {
			e["Address"] = r.alert.Address
		}
		putTime(e, "Created", r.alert.Created)
		putText(e, "Alert", text)
	case *noteRow:
		putTime(e, "At", r.at)
		if err := putJSON(e, "Text", r.text); err != nil { // as JSON, for a property cannot hold every character
			return nil, err
		}
	default:
		return nil, fmt.Errorf("a %T cannot be kept", r)
	}
	return e, nil
}

// printable leaves out what no person can read, some of which no property can
// hold. In JSON it is escaped.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}

func putTime(e map[string]any, name string, t time.Time) {
	if !t.IsZero() {
		e[name] = t.UTC().Format(time.RFC3339Nano)
	}
}

// putLong puts a number that may have more than 32 bits.
func putLong(e map[string]any, name string, n int64) {
	e[name], e[name+"@odata.type"] = strconv.FormatInt(n, 10), "Edm.Int64"
}

func putJSON(e map[string]any, name string, value any) error {
	text, err := encodeJSON(value)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	putText(e, name, text)
	return nil
}

// putText divides a text over as many properties as it needs: name, name_2 and
// so on.
func putText(e map[string]any, name, text string) {
	for i := 1; ; i++ {
		head, rest := splitUnits(text, maxProperty)
		e[partName(name, i)] = head
		if text = rest; text == "" {
			return
		}
	}
}

func partName(name string, i int) string {
	if i == 1 {
		return name
	}
	return name + "_" + strconv.Itoa(i)
}

// splitUnits cuts a text after the last character that ends within a number of
// UTF-16 units.
func splitUnits(text string, limit int) (head, rest string) {
	units := 0
	for i, r := range text {
		units += max(1, utf16.RuneLen(r))
		if units > limit {
			return text[:i], text[i:]
		}
	}
	return text, ""
}

// decodeItem reads an entity as a row. Whoever may write to the table can have
// put anything there. A brief read has some of the properties only.
func decodeItem(text []byte, brief bool) (item, error) {
	e := entity{}
	if err := json.Unmarshal(text, &e.properties); err != nil {
		return item{}, fmt.Errorf("an entity of the table is not an object: %w", err)
	}
	partition, key := e.text("PartitionKey"), e.text("RowKey")
	i := item{partition: partition, key: key, etag: e.text("odata.etag")}
	e.err = checkSums(e.properties, brief)
	switch {
	case partition == directory && key == formatKey:
		r := &formatRow{number: e.number("Format")}
		if r.number < firstFormat {
			e.fail("Format", "a number")
		}
		i.row = r
	case partition == directory && strings.HasPrefix(key, runPrefix):
		r := &runRow{
			ruleID: e.text("RuleID"), format: max(firstFormat, e.number("Format")), state: e.state(),
			epoch: e.long("Epoch"), holder: e.text("Holder"), until: e.time("Until"), owes: e.properties["Owes"] == true,
			began: e.time("Began"), recorded: e.time("Recorded"), purged: e.time("Purged"),
		}
		e.json("Tally", &r.tally)
		if runKeyOf(r.ruleID) != key {
			e.fail("RuleID", "that of the key")
		}
		i.row = r
	case partition == directory && strings.HasPrefix(key, rulePrefix):
		i.row = &ruleRow{ruleID: e.text("RuleID")}
	case key == fenceKey:
		r := &fenceRow{ruleID: e.text("RuleID"), format: max(firstFormat, e.number("Format")), holder: e.text("Holder")}
		if r.format >= sharedFormat {
			r.epoch = e.long("Epoch")
		}
		r.former = e.former(r)
		i.row = r
	case key == purgeKey:
		i.row = &purgeRow{at: e.time("At")}
	case strings.HasPrefix(key, notePrefix):
		r := &noteRow{at: e.time("At")}
		e.json("Text", &r.text)
		i.row = r
	case strings.HasPrefix(key, seenPrefix):
		r := &seenRow{
			alertID: e.text("AlertID"), at: e.time("At"), window: e.time("Window"), suppressed: e.properties["Suppressed"] == true, silenced: e.properties["Silenced"] == true,
			part: e.number("Part"), parts: e.number("Parts"), unsummed: e.text(sumAll) == "",
		}
		e.json("Activities", &r.activities)
		i.row = r
	case strings.HasPrefix(key, outPrefix), strings.HasPrefix(key, sentPrefix):
		r := &outRow{recorded: e.time("Recorded"), seq: e.long("Seq")}
		var err error
		e.json("To", &r.to)
		r.alert = alert.Alert{
			ID: e.text("AlertID"), RuleID: e.text("RuleID"), RuleName: e.text("RuleName"),
			Title: e.text("Title"), Created: e.time("Created"), Address: e.text("Address"),
		}
		if r.alert.Severity, err = alert.ParseSeverity(e.text("Severity")); err != nil {
			e.fail("Severity", "a severity")
		}
		if e.text("Alert") != "" {
			r.alert = alert.Alert{}
			e.json("Alert", &r.alert)
		}
		i.row = r
	}
	if e.err != nil {
		return item{partition: partition, key: key}, fmt.Errorf("the row %q of partition %q was damaged: %w", key, partition, e.err)
	}
	return i, nil
}

// entity reads properties and keeps the first error.
type entity struct {
	properties map[string]any
	err        error
}

func (e *entity) fail(name, want string) {
	if e.err == nil {
		e.err = fmt.Errorf("%s is not %s", name, want)
	}
}

func (e *entity) text(name string) string {
	text, _ := e.properties[name].(string)
	return text
}

func (e *entity) number(name string) int {
	n, _ := e.properties[name].(float64)
	return int(n)
}

func (e *entity) long(name string) int64 {
	n, err := strconv.ParseInt(e.text(name), 10, 64)
	if err != nil {
		e.fail(name, "a number")
	}
	return n
}

func (e *entity) time(name string) time.Time {
	text := e.text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		e.fail(name, "a time")
	}
	return t
}

// json reads what putJSON wrote. Without the property it leaves the value.
func (e *entity) json(name string, value any) {
	var b strings.Builder
	for i := 1; ; i++ {
		part, ok := e.properties[partName(name, i)].(string)
		if !ok {
			break
		}
		b.WriteString(part)
	}
	if b.Len() == 0 {
		return
	}
	if err := json.Unmarshal([]byte(b.String()), value); err != nil {
		e.fail(name, "the JSON that was written")
	}
}
