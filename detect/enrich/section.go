package enrich

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/notify/text"
)

// sections are what is known of an account.
func (b *batch) sections(s subject, missing map[string]string) []alert.Section {
	var list []alert.Section
	add := func(title string, facts []alert.Detail) {
		if len(facts) > 0 {
			list = append(list, alert.Section{Title: title, Subject: s.label, Facts: facts})
		}
	}
	add("Identity", s.facts)
	if s.records > 0 {
		facts := fact("Investigation priority", priority(s.priority, s.records))
		if len(s.unusual()) > 0 {
			facts = append(facts, fact("Unusual", head(s.unusual(), most)...)...)
		}
		add("UEBA", facts)
	}
	var countries, addresses, devices counts
	for _, p := range s.places {
		addresses.add(p.address, p.successes)
		if p.country != "" {
			countries.add(p.country, p.successes)
		}
		if p.deviceName != "" {
			devices.add(p.deviceName, p.successes)
		}
	}
	var facts []alert.Detail
	if s.signIns > 0 {
		facts = slices.Concat(fact("Successes", fmt.Sprint(s.signIns)), fact("Countries", ranked(countries, 3)...),
			fact("Addresses", ranked(addresses, 3)...), fact("Devices", ranked(devices, 3)...))
	}
	if _, unknown := missing[signInsBefore]; !unknown && s.isNone() {
		if b.none == nil { // many accounts may share it
			b.none = fact("Usual", fmt.Sprintf("nothing to compare with: no sign-ins with a second factor on two days in %.0f days", b.config.History.Hours()/24))
		}
		facts = append(facts, b.none...)
	}
	add(fmt.Sprintf("Sign-in history (%.0f days)", b.config.History.Hours()/24), facts)
	return list
}

// priority says how high UEBA's investigation priority is, which is at most ten.
func priority(highest, records int64) string {
	switch {
	case highest == 0:
		return ""
	case records == 1:
		return fmt.Sprintf("%d of 10", highest)
	}
	return fmt.Sprintf("%d of 10 at most, in %s", highest, count(records, "record"))
}

// fact is a line of a section, with the values that it has room for, or none
// without a value.
func fact(name string, values ...string) []alert.Detail {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return strings.TrimSpace(v) == "" })
	if len(values) == 0 {
		return nil
	}
	if n := len(values) - most; n > 0 {
		values = append(values[:most:most], "and "+count(int64(n), "other"))
	}
	return []alert.Detail{{Name: name, Values: values}}
}

// most is how many values of a kind, such as groups, a fact has.
const most = 10

// ranked lists the most frequent values with their numbers.
func ranked(counts map[string]int64, n int) []string {
	var list []string
	for _, name := range byCount(counts) {
		list = append(list, fmt.Sprintf("%s (%d)", text.Quoted(name), counts[name]))
	}
	return head(list, n)
}

func byCount(counts map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y))
	})
}

// head is the beginning of a list, with the number of those left out.
func head(list []string, n int) []string {
	if more := len(list) - n; more > 0 {
		return append(slices.Clone(list[:n]), fmt.Sprintf("and %d more", more))
	}
	return list
}

func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ago writes how long something took: 40 s, 3 min, 2 h 5 min.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// all writes each of the values.
func all[T any](values []T, write func(T) string) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = write(v)
	}
	return list
}
