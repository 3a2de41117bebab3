package enrich

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"pushback/detect/alert"
)

// batch is what is known of the entities of the alerts of one window.
type batch struct {
	none   []alert.Detail // of an account that there is nothing to compare with
	config Config
	now    time.Time
	window alert.Span
	// onlyWhether says that queries need not tell everything, as long as what they leave
	// out is no other than what they tell.
	onlyWhether bool
	// since is when the first of the alerts began.
	since     time.Time
	accounts  map[string]*account
	byName    map[string]*account
	addresses map[string]*address
	// visitors are the sign-ins that succeeded from the alerts' addresses, by place,
	// whoever they are of.
	visitors map[string][]prompt
	// tables are those that a query over several found.
	tables map[string]bool
	// failed are the kinds that could not be had though the workspace has them.
	failed map[string]bool
	// historyMissing says that what was usual could not be looked up.
	historyMissing bool
	// things are the hosts, URLs and hashes of the alerts, by type and name, and brought
	// are the kinds of context that their rule brings.
	things  map[string]map[string]*thing
	brought []*brought
	// answered has the rows that more than one part of the lists can give.
	answered map[string]bool
}

// account is what is known of an account.
type account struct {
	id, name string // lower case; either may be empty

	known      bool // IdentityInfo has it
	knownAt    time.Time
	facts      []alert.Detail
	roles      []string
	blast      string
	risk       string
	disabled   bool
	signIns    int64       // that succeeded before
	rejections int64       // before
	rejectedAt []time.Time // those of the last day before
	places     []place     // of the successful sign-ins before
	usual                  // what of them is known
	prompts    []prompt
	recalled   usual // by an alert of before
	changes    []change
	detections []detection
	priority   int64  // of UEBA, the most
	insights   counts // how often each was set, also never
	records    int64
}

// counts counts by name. It has no map until there is something to count: of
// most accounts of a large batch little is known.
type counts map[string]int64

func (c *counts) add(name string, n int64) {
	if *c == nil {
		*c = counts{}
	}
	(*c)[name] += n
}

func newBatch(config Config, alerts []alert.Alert, now time.Time) *batch {
	b := &batch{config: config, now: now.UTC(), since: now.UTC(), accounts: map[string]*account{}, byName: map[string]*account{}, addresses: map[string]*address{},
		visitors: map[string][]prompt{}, tables: map[string]bool{}, failed: map[string]bool{}, things: map[string]map[string]*thing{}}
	for i, a := range alerts {
		if !a.Span.Start.IsZero() && a.Span.Start.Before(b.since) {
			b.since = a.Span.Start.UTC()
		}
		if i == 0 || a.Window.Start.Before(b.window.Start) {
			b.window.Start = a.Window.Start
		}
		for _, e := range a.Entities {
			if id, name := byID(e.Account()); id != "" || name != "" {
				acc := b.find(id, name)
				if acc == nil {
					acc = &account{}
				}
				b.learn(acc, id, name)
			}
			b.learnThings(e)
			if ip := e.Address(); ip != "" {
				b.addresses[ip] = cmp.Or(b.addresses[ip], &address{})
				if place := b.place(ip); b.visitors[place] == nil {
					b.visitors[place] = []prompt{}
				}
			}
		}
	}
	return b
}

// byID returns an id and a name, without a name that is an id: so the name is
// logged of a sign-in without a password.
func byID(id, name string) (string, string) {
	if _, err := uuid.Parse(name); err == nil {
		return cmp.Or(id, name), ""
	}
	return id, name
}

// find returns the account with an id, or else with a name. A name with another
// id is another account's: names can be given again.
func (b *batch) find(id, name string) *account {
	id, name = byID(strings.ToLower(id), strings.ToLower(name))
	if a := b.accounts[id]; a != nil && id != "" {
		return a
	}
	a := b.byName[name]
	if a == nil || id != "" && a.id != "" && a.id != id {
		return nil
	}
	return a
}

// learn takes the id and the name of an account of which either was not known.
func (b *batch) learn(a *account, id, name string) {
	id, name = byID(strings.ToLower(id), strings.ToLower(name))
	if a.id == "" && id != "" {
		if a.name != "" {
			delete(b.accounts, a.name)
		}
		a.id = id
	}
	if a.name == "" && name != "" {
		a.name = name
	}
	if key := cmp.Or(a.id, a.name); key != "" {
		b.accounts[key] = a
	}
	if b.byName[a.name] == nil && a.name != "" {
		b.byName[a.name] = a
	}
}

// key is what an account is called where it is kept.
func (a *account) key() string { return cmp.Or(a.id, a.name) }

// settle puts what came in any order into the order of time, once for all alerts.
func (b *batch) settle() {
	for _, a := range b.accounts {
		slices.SortStableFunc(a.prompts, func(x, y prompt) int {
			return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.kind, y.kind), cmp.Compare(x.session, y.session), cmp.Compare(x.address, y.address))
		})
		a.usual = a.usualBefore(b.since)
		for i := range a.prompts {
			p := &a.prompts[i]
			p.usual, p.strange = a.isUsual(p), a.strangeness(p)
		}
		slices.SortStableFunc(a.changes, func(x, y change) int {
			return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.kind, y.kind), cmp.Compare(x.text(), y.text()))
		})
		slices.SortStableFunc(a.detections, func(x, y detection) int {
			return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.event, y.event), cmp.Compare(x.address, y.address))
		})
	}
	for _, list := range b.visitors {
		slices.SortStableFunc(list, func(x, y prompt) int {
			return cmp.Or(x.time.Compare(y.time), cmp.Compare(x.account, y.account), cmp.Compare(x.session, y.session))
		})
	}
}

func sortedKeys[T any](of map[string]T) []string { return slices.Sorted(maps.Keys(of)) }

// parts cuts a list where a query's limits are.
func (b *batch) parts(keys []string) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for len(keys) > 0 {
			n, size := 0, 0
			for n < len(keys) && n < b.config.MostEntities {
				size += textSize(keys[n])
				if a := b.accounts[keys[n]]; a != nil {
					size += textSize(a.name)
				}
				if n > 0 && size > b.config.MostBytes {
					break
				}
				n++
			}
			if !yield(keys[:n]) {
				return
			}
			keys = keys[n:]
		}
	}
}
