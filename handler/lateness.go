package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect"
	"pushback/detect/rule"
	"pushback/handler/settings"
)

// lateRecords are the records that the workspace received late. A window of
// theirs may have had its last pass by then.
type lateRecords struct {
	delay  time.Duration // sooner after it was generated, a first pass finds every record
	after  time.Duration // and sooner than that, a late one
	tables map[string][]lateRecord
	// arrivals are when the records came that no first pass may have found, oldest
	// first, and longest is how long after it was generated one did.
	arrivals map[string][]time.Time
	longest  time.Duration
}

type lateRecord struct{ generated, received time.Time }

// add takes a record of a table if it is one of them.
func (l *lateRecords) add(table string, generated, received time.Time) {
	if received.Sub(generated) <= l.delay {
		return
	}
	if l.arrivals == nil {
		l.arrivals = make(map[string][]time.Time)
	}
	if list := l.arrivals[table]; len(list) == 0 || !list[len(list)-1].Equal(received) {
		l.arrivals[table] = append(list, received)
	}
	l.longest = max(l.longest, received.Sub(generated))
	if received.Sub(generated) <= l.after {
		return
	}
	if l.tables == nil {
		l.tables = make(map[string][]lateRecord)
	}
	l.tables[table] = append(l.tables[table], lateRecord{generated, received})
}

// sort readies the records for next.
func (l *lateRecords) sort() {
	for table, list := range l.arrivals {
		slices.SortFunc(list, time.Time.Compare)
		l.arrivals[table] = slices.CompactFunc(list, time.Time.Equal)
	}
}

// next returns when the first record of a table after a time came in late, or the
// zero time.
func (l *lateRecords) next(table string, after time.Time) time.Time {
	list := l.arrivals[table]
	at, _ := slices.BinarySearchFunc(list, after.Add(1), time.Time.Compare)
	if at == len(list) {
		return time.Time{}
	}
	return list[at]
}

// lost says how many records of a table no pass of a rule found, and what would
// have.
type lost struct {
	records  int
	latest   time.Duration   // after it was generated
	lateness []time.Duration // that each of them takes
	looks    bool            // it is that of looks
}

// of counts the records that a rule lost in a run, which may have had several
// parts. One that was in none of its windows is not lost.
func (l *lateRecords) of(table string, r *rule.Rule, detectors []*detect.Detector) lost {
	var sum lost
	for _, record := range l.tables[table] {
		var last time.Time
		var by time.Duration
		for _, d := range detectors {
			if at, ok := d.LastPass(r.ID, record.generated); ok && at.After(last) {
				last = at
				by, sum.looks = d.LateBy(r.ID, record.generated, record.received)
			}
		}
		if last.IsZero() || !record.received.After(last) {
			continue
		}
		sum.records++
		sum.latest = max(sum.latest, record.received.Sub(record.generated))
		sum.lateness = append(sum.lateness, by)
	}
	return sum
}

// warnings says what was lost, by table. Rules that lost the same are named
// together, and not at all if there is no other.
func (l *lateRecords) warnings(reads map[*rule.Rule][]string, s settings.Settings, detectors []*detect.Detector) []string {
	var texts []string
	for _, table := range slices.Sorted(maps.Keys(l.tables)) {
		rules := make(map[string][]string) // what was lost -> the rules' names
		readers := 0
		for r, tables := range reads {
			if !slices.Contains(tables, table) {
				continue
			}
			readers++
			if sum := l.of(table, r, detectors); sum.records > 0 {
				text := sum.text(table, s)
				rules[text] = append(rules[text], fmt.Sprintf("%q", r.Name))
			}
		}
		for _, text := range slices.Sorted(maps.Keys(rules)) {
			names := rules[text]
			of := ""
			if len(names) < readers {
				slices.Sort(names)
				of = " of the rule " + strings.Join(names, ", ")
			}
			texts = append(texts, strings.Replace(text, "\x00", of, 1))
		}
	}
	return texts
}

// text leaves a NUL where the rules go.
func (l *lost) text(table string, s settings.Settings) string {
	setting, lateness, most := settings.Prefix+"_LATENESS", s.Lateness, settings.MostLateness
	if l.looks {
		setting, lateness, most = settings.Prefix+"_LATE_LOOK", s.LateLook, settings.MostLateLook
	}
	text := fmt.Sprintf("%s: %s came too late for any pass of any window\x00, up to %s after %s generated: ",
		table, count(int64(l.records), "record"), short(roundUp(l.latest, time.Second)), were(l.records))
	need := roundUp(slices.Max(l.lateness), time.Minute)
	if need <= most {
		return text + fmt.Sprintf("%s=%s would have caught %s (it is %s)", setting, shortHours(need), them(l.records), shortHours(lateness))
	}
	within := 0
	for _, d := range l.lateness {
		if d <= most {
			within++
		}
	}
	return text + fmt.Sprintf("it takes %s of %s, and at most %s are allowed, which would have caught %d (it is %s)",
		shortHours(need), setting, shortHours(most), within, shortHours(lateness))
}

func were(n int) string {
	if n == 1 {
		return "it was"
	}
	return "they were"
}

func them(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// roundUp rounds a duration up to a multiple of a unit.
func roundUp(d, unit time.Duration) time.Duration {
	return (d + unit - 1).Truncate(unit)
}
