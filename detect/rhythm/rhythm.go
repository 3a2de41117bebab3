// Package rhythm says when a table's records come, and when it has gone silent.
package rhythm

import (
	"encoding/json"
	"slices"
	"time"
)

// Rhythm is when a table has records, by the hour, as far back as four weeks
// before the last of them.
type Rhythm struct {
	// Asked is the time up to which the table was asked, and Tried when it was
	// asked last, in vain or not.
	Asked time.Time
	Tried time.Time
	// Hours are the hours in which it has records, since the Unix epoch and in
	// order.
	Hours []int64
	// Gaps are the silences that were reported, each from when it was longer than any
	// before to the first record after. They are no part of the rhythm.
	Gaps [][2]int64
	// Missing says that the workspace had no such table when it was asked.
	Missing bool
}

// noted is how a rhythm is noted: a bit for each hour, so that the note has
// room for hundreds of tables.
type noted struct {
	Asked   time.Time  `json:"asked"`
	Tried   time.Time  `json:"tried"`
	First   int64      `json:"first,omitempty"`
	Bits    []byte     `json:"bits,omitempty"`
	Gaps    [][2]int64 `json:"gaps,omitempty"`
	Missing bool       `json:"missing,omitempty"`
}

// MarshalJSON writes the rhythm as it is noted.
func (r *Rhythm) MarshalJSON() ([]byte, error) {
	n := noted{Asked: r.Asked, Tried: r.Tried, Gaps: r.Gaps, Missing: r.Missing}
	if len(r.Hours) > 0 {
		n.First = r.Hours[0]
		n.Bits = make([]byte, (r.Newest()-n.First)/8+1)
		for _, h := range r.Hours {
			n.Bits[(h-n.First)/8] |= 1 << ((h - n.First) % 8)
		}
	}
	return json.Marshal(n)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (r *Rhythm) UnmarshalJSON(text []byte) error {
	var n noted
	if err := json.Unmarshal(text, &n); err != nil {
		return err
	}
	*r = Rhythm{Asked: n.Asked, Tried: n.Tried, Gaps: n.Gaps, Missing: n.Missing}
	for i, b := range n.Bits {
		for bit := range 8 {
			if b&(1<<bit) != 0 {
				r.Hours = append(r.Hours, n.First+int64(8*i+bit))
			}
		}
	}
	return nil
}

// history is how much is kept, in hours, and least how much of it
// there must be for a judgement.
const (
	history = 29 * 24
	least   = 8 * 24
	week    = 7 * 24
)

// HourOf returns the hour of a time, since the Unix epoch.
func HourOf(t time.Time) int64 { return t.Unix() / 3600 }

// TimeOf returns when an hour begins, in UTC.
func TimeOf(h int64) time.Time { return time.Unix(h*3600, 0).UTC() }

func hours(h int64) time.Duration { return time.Duration(h) * time.Hour }

// Newest returns the last hour with records. There must be one.
func (r *Rhythm) Newest() int64 { return r.Hours[len(r.Hours)-1] }

func (r *Rhythm) active(h int64) bool { _, ok := slices.BinarySearch(r.Hours, h); return ok }

// Since returns from when on the table is to be asked for hours with records:
// what came late since it was asked last is among them.
func (r *Rhythm) Since(now time.Time, lateness time.Duration) time.Time {
	from := now.Add(-hours(history))
	if since := r.Asked.Add(-lateness - time.Hour).Truncate(time.Hour); since.After(from) {
		from = since
	}
	return from
}

// Add takes in hours with records.
func (r *Rhythm) Add(active []int64) {
	if len(active) == 0 {
		return
	}
	r.Hours = slices.Concat(r.Hours, active)
	slices.Sort(r.Hours)
	r.Hours = slices.Compact(r.Hours)
	oldest := r.Newest() - history
	r.Hours = slices.DeleteFunc(r.Hours, func(h int64) bool { return h < oldest })
	r.Gaps = slices.DeleteFunc(r.Gaps, func(g [2]int64) bool { return g[1] < oldest })
}

// Heal notes that the silence since an hour was reported and is over.
func (r *Rhythm) Heal(since int64) {
	i, _ := slices.BinarySearch(r.Hours, since+1)
	if i == len(r.Hours) {
		return
	}
	if begin := since + r.longest(i); begin < r.Hours[i] {
		r.Gaps = append(r.Gaps, [2]int64{begin, r.Hours[i]})
	}
}

// longest returns the longest time without a record among the first hours, but
// for what was reported.
func (r *Rhythm) longest(first int) int64 {
	longest := int64(0)
	for i := 1; i < first; i++ {
		from, to := r.Hours[i-1], r.Hours[i]
		quiet := to - from - 1
		for _, g := range r.Gaps {
			if g[1] == to {
				quiet = max(0, g[0]-from)
			}
		}
		longest = max(longest, quiet)
	}
	return longest
}

// known reports whether the table had or had no records in an hour because that
// is its rhythm.
func (r *Rhythm) known(h int64) bool {
	return h >= r.Hours[0] && h <= r.Newest() &&
		!slices.ContainsFunc(r.Gaps, func(g [2]int64) bool { return g[0] < h && h < g[1] })
}

// Verdict is what is to be said of a table's silence.
type Verdict struct {
	Newest  time.Time     // the hour of the last record
	Longest time.Duration // the longest silence before, but for those that were reported
	Silent  bool
}

// The silence of a table is unusual if it lasts for half again as long as the
// longest before, and was expected to have records in so many hours. At random
// that would be once in some thousand silences. A table whose weeks are less
// alike needs more of them.
const (
	missedLeast  = 8
	missedRandom = 5
)

// Judge says whether the time since the last record is unusually long, given how
// late records may come.
func (r *Rhythm) Judge(now time.Time, lateness time.Duration) Verdict {
	if len(r.Hours) == 0 {
		return Verdict{} // nothing to compare with
	}
	v := Verdict{Newest: TimeOf(r.Newest()), Longest: hours(r.longest(len(r.Hours)))}
	if r.Newest()-r.Hours[0] < least {
		return v
	}
	quiet := now.Sub(v.Newest) - time.Hour
	v.Silent = quiet > v.Longest*3/2+lateness+time.Hour &&
		r.missed(HourOf(now.Add(-lateness))) >= missedLeast+missedRandom*(1-r.steadiness())
	return v
}

// missed returns in how many hours before one there should have been records
// since the last, going by the same hours of the weeks before. An hour that had
// some in all of them counts up to twice, if the weeks are alike.
func (r *Rhythm) missed(before int64) float64 {
	span := r.Newest() - r.Hours[0] + 1
	usual := float64(len(r.Hours)) / float64(span)
	steady, sum := r.steadiness(), 0.0
	for h := r.Newest() + 1; h < before; h++ {
		n, active := 0.0, 0.0
		for same := h - week; same >= r.Hours[0]; same -= week {
			if r.known(same) {
				n++
				if r.active(same) {
					active++
				}
			}
		}
		switch {
		case n == 0:
			sum += usual
		case n > 1 && active == n:
			sum += 1 + steady
		default:
			sum += active / n
		}
	}
	return sum
}

// steadiness returns how alike the weeks are. That is the share of hours with
// records in both of those that have some in one, or where a silence that was
// reported took away one of the weeks the share of hours with records.
func (r *Rhythm) steadiness() float64 {
	both, either, all := 0.0, 0.0, 0.0
	for h := r.Hours[0]; h <= r.Newest(); h++ {
		if !r.known(h) {
			continue
		}
		all++
		if !r.known(h - week) {
			continue
		}
		switch now, before := r.active(h), r.active(h-week); {
		case now && before:
			both++
			either++
		case now || before:
			either++
		}
	}
	if either == 0 {
		return float64(len(r.Hours)) / all
	}
	return both / either
}
