package sample

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Day is what Generate wrote.
type Day struct {
	// Records are in the order the workspace received them. The identity
	// records and the history of sign-ins reach back up to 15 days before the
	// day; every other record was generated within it, though the last may be
	// received after it.
	Records []Record
	// Rejections are the authentications that users pushed back, in the
	// order of Time: all of the day's, each once.
	Rejections []Rejection
	// Plants are what a detection must find, and what it must not.
	Plants []Plant
}

// Generate writes a day. The same options give the same day, byte for byte.
func Generate(o Options) *Day {
	g := newGenerator(o)
	g.directory()
	g.history()
	g.ordinary()
	g.noise()
	g.singleRejections()
	g.repeatedRejections()
	g.aftermath()
	g.mistake()
	g.fatigue()
	g.bombings()
	g.analytics()

	slices.SortStableFunc(g.records, func(a, b Record) int {
		return cmp.Or(a.Received.Compare(b.Received), a.Generated.Compare(b.Generated))
	})
	slices.SortStableFunc(g.rejections, func(a, b Rejection) int {
		return cmp.Or(a.Time.Compare(b.Time), strings.Compare(a.User, b.User))
	})
	return &Day{Records: g.records, Rejections: g.rejections, Plants: g.plants()}
}

// generator collects the day's records.
type generator struct {
	*tenant
	seed       uint64
	encoder    encoder
	records    []Record
	rejections []Rejection
	known      map[rejectionKey]int // the index in rejections
}

// rejectionKey is what makes rejection rows one authentication.
type rejectionKey struct{ user, ip, correlation string }

func newGenerator(o Options) *generator {
	t := newTenant(o)
	return &generator{
		tenant:  t,
		seed:    o.Seed,
		encoder: encoder{tenant: t},
		known:   map[rejectionKey]int{},
		records: make([]Record, 0, 90*len(t.people)),
	}
}

// keep adds the record that was written to the encoder's row.
func (g *generator) keep(table string, generated, received time.Time, s Story) {
	g.records = append(g.records, Record{
		Table: table, Generated: generated, Received: received, Story: s,
		JSON: append([]byte(nil), g.encoder.row.buf...),
	})
}

// begin returns the source of choices for one part of the day, and gives its
// records one of their own for identifiers and delays.
func (g *generator) begin(part string) random {
	g.encoder.r = newRandom(g.seed, "records of "+part)
	return newRandom(g.seed, part)
}

// clock returns an instant of the day.
func (g *generator) clock(hour, minute, second int) time.Time {
	return g.day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second)
}

// when returns an instant of a person's story, by its time on the documented day.
func (g *generator) when(p *person, hour, minute, second int) time.Time {
	return g.clock(hour, minute, second).Add(g.shifts[p])
}

// within reports whether t is in the day.
func (g *generator) within(t time.Time) bool {
	return !t.Before(g.day) && t.Before(g.day.Add(24*time.Hour))
}

// emit adds the record of a sign-in, and to the ground truth if the user
// rejected it.
func (g *generator) emit(s signIn) {
	rec := g.encoder.signIn(&s)
	g.records = append(g.records, rec)
	if !s.outcome.rejects() {
		return
	}
	user := strings.ToLower(s.who.upn)
	key := rejectionKey{user, s.from.ip, s.correlation}
	i, ok := g.known[key]
	if !ok {
		i = len(g.rejections)
		g.known[key] = i
		g.rejections = append(g.rejections, Rejection{
			Time: s.at, Received: s.received,
			User: user, UserID: s.who.id, TenantID: g.id, IP: s.from.ip,
			CorrelationID: s.correlation, Story: s.story,
		})
	}
	r := &g.rejections[i]
	if s.at.Before(r.Time) {
		r.Time = s.at
	}
	if s.received.Before(r.Received) {
		r.Received = s.received
	}
	r.Fraud = r.Fraud || s.outcome == fraud
	r.Interactive = r.Interactive || !s.silent
}
