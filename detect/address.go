package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pushback/detect/notify"
)

// address is what is known of one address of a destination.
type address struct {
	// Since is when it was first known, and Changed when something else changed.
	Since   time.Time `json:"since"`
	Changed time.Time `json:"changed,omitzero"`
	// Taken is when it took something last, and Count how many deliveries it
	// took. An alert that failed counts its failures by it.
	Taken time.Time `json:"taken,omitzero"`
	Count int       `json:"count,omitempty"`
	// Refused is since when it takes nothing. It is zero while it takes what it
	// is sent.
	Refused time.Time `json:"refused,omitzero"`
	// Tries counts the attempts in vain since then, Next is when the next is due,
	// and Error is why the last was in vain.
	Tries int       `json:"tries,omitempty"`
	Next  time.Time `json:"next,omitzero"`
	Error string    `json:"error,omitempty"`
	// Only is the id of the alert that it did not take, while it was tried with no
	// other: then that may be to blame.
	Only string `json:"only,omitempty"`
	// Beat is when a heartbeat for it was claimed last.
	Beat time.Time `json:"beat,omitzero"`
}

// accepted notes that the address took something.
func (a *address) accepted(now time.Time) {
	a.Count++
	a.Taken = now
	a.reopen(now)
}

// reopen notes that the address does not refuse whatever it is sent.
func (a *address) reopen(now time.Time) {
	a.Changed = now
	a.Refused, a.Tries, a.Next, a.Error, a.Only = time.Time{}, 0, time.Time{}, "", ""
}

// refused notes that the address takes nothing. A refused address is tried
// again a minute after the tick, then two, four and so on up to an hour, and not
// before it wants to be.
func (a *address) refused(tick, now time.Time, retryAfter time.Duration, why string) {
	if a.Refused.IsZero() {
		a.Refused = tick
	}
	wait := longestWait
	if a.Tries < 6 {
		wait = time.Minute << a.Tries
	}
	a.Tries++
	a.Changed, a.Next = now, later(tick.Add(wait), now.Add(min(retryAfter, longestWait)))
	a.Error = shorten(why)
}

// longestWait is how long a refused address waits for its next try at most.
const longestWait = time.Hour

// due reports whether a refused address is to be tried.
func (a *address) due(now time.Time) bool { return !a.Refused.IsZero() && !a.Next.After(now) }

// addressBook is what a tick knows of the addresses of all destinations. It is a
// note in the ledger, so that another process, or this one after a restart,
// leaves alone what refused.
type addressBook struct {
	// Addresses are by destination and name: see addressKey.
	Addresses map[string]*address `json:"addresses,omitempty"`
	// Parked is when a tick failed last because alerts for a destination are
	// parked.
	Parked map[string]time.Time `json:"parked,omitempty"`

	text, tag string // of the note
}

const addressNote = "addresses"

// addressKey is where the state of an address is kept.
func addressKey(destination, name string) string {
	if name == "" {
		return destination
	}
	return destination + " " + name
}

// of returns the state of an address.
func (b *addressBook) of(key string, now time.Time) *address {
	if b.Addresses[key] == nil {
		b.Addresses[key] = &address{Since: now}
	}
	return b.Addresses[key]
}

// clone returns a copy that shares nothing with b.
func (b *addressBook) clone() *addressBook {
	c := &addressBook{Addresses: map[string]*address{}, Parked: maps.Clone(b.Parked), text: b.text, tag: b.tag}
	if c.Parked == nil {
		c.Parked = map[string]time.Time{}
	}
	for key, a := range b.Addresses {
		copied := *a
		c.Addresses[key] = &copied
	}
	return c
}

// Notes keep short texts by name, each with a tag that changes with it.
// [*ledger.Ledger] is one, and says what each method does.
type Notes interface {
	Note(ctx context.Context, ruleID, name string) (text, tag string, err error)
	SetNote(ctx context.Context, ruleID, name, text, tag string) (newTag string, ok bool, err error)
}

// readAddresses reads what is known of the addresses. A note that is damaged is
// begun anew: then each address is tried once more than it had to be.
func readAddresses(ctx context.Context, n Notes) (b *addressBook, damaged error, err error) {
	ctx, cancel := finishing(ctx, readTimeout)
	defer cancel()
	b = &addressBook{}
	err = guarded(func() (err error) {
		b.text, b.tag, err = n.Note(ctx, HealthRuleID, addressNote)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading which addresses refuse: %w", err)
	}
	if b.text != "" {
		if damaged = json.Unmarshal([]byte(b.text), b); damaged != nil {
			b = &addressBook{text: b.text, tag: b.tag}
		}
	}
	for key, a := range b.Addresses {
		if a == nil {
			delete(b.Addresses, key)
		}
	}
	return b.clone(), damaged, nil
}

// settle takes back what lies in the future, where the clock of some tick was
// wrong: else nothing would be tried, or said, until then.
func (b *addressBook) settle(now time.Time) {
	past := func(t *time.Time) {
		if t.After(now) {
			*t = now
		}
	}
	for _, a := range b.Addresses {
		for _, t := range []*time.Time{&a.Since, &a.Changed, &a.Taken, &a.Refused, &a.Beat} {
			past(t)
		}
		if a.Next.Sub(now) > 2*longestWait {
			a.Next = now
		}
	}
	for name, at := range b.Parked {
		past(&at)
		b.Parked[name] = at
	}
}

// saveAddresses notes what has become of the addresses since they were read. If
// another process noted something meanwhile, that counts too.
func saveAddresses(ctx context.Context, n Notes, read, now *addressBook) (*addressBook, error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	for range 5 {
		saved, ok, err := now.save(ctx, n)
		if err != nil {
			return now, err
		}
		if ok {
			return saved, nil
		}
		theirs, _, err := readAddresses(ctx, n)
		if err != nil {
			return now, err
		}
		now, read = mergeAddresses(read, now, theirs), theirs
	}
	return now, errors.New("noting which addresses refuse: other processes note something all the time")
}

// save notes the book unless another process noted something since it was read:
// then it is false.
func (b *addressBook) save(ctx context.Context, n Notes) (*addressBook, bool, error) {
	text, err := json.Marshal(b)
	if err != nil || string(text) == b.text {
		return b, err == nil, err
	}
	saved := b.clone()
	ok := false
	err = guarded(func() (err error) {
		saved.tag, ok, err = n.SetNote(ctx, HealthRuleID, addressNote, string(text), b.tag)
		return err
	})
	if err != nil {
		return b, false, fmt.Errorf("noting which addresses refuse: %w", err)
	}
	saved.text = string(text)
	return saved, ok, nil
}

// mergeAddresses returns what holds when this process and another changed what
// both had read.
func mergeAddresses(read, ours, theirs *addressBook) *addressBook {
	merged := theirs.clone()
	for key, a := range ours.Addresses {
		var before address
		if read.Addresses[key] != nil {
			before = *read.Addresses[key]
		}
		if *a == before {
			continue
		}
		t := merged.Addresses[key]
		if t == nil {
			copied := *a
			merged.Addresses[key] = &copied
			continue
		}
		count, beat, taken := t.Count+a.Count-before.Count, later(t.Beat, a.Beat), later(t.Taken, a.Taken)
		if *t == before || !a.Changed.Before(t.Changed) { // who changed it last knows best
			since := t.Since
			*t = *a
			t.Since = since
		}
		t.Count, t.Beat, t.Taken = count, beat, taken
	}
	for name, at := range ours.Parked {
		merged.Parked[name] = later(merged.Parked[name], at)
	}
	for name := range read.Parked {
		if _, still := ours.Parked[name]; !still {
			delete(merged.Parked, name)
		}
	}
	return merged
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// forgetAfter is how long the state of an address is kept that nobody uses.
const forgetAfter = 90 * 24 * time.Hour

// forget drops the addresses that there are no more, such as a webhook that was
// replaced. Those that refused go at once, since nothing is sent there that
// could show that it is over.
func (b *addressBook) forget(notifiers []notify.Notifier, now time.Time) (changed bool) {
	known := map[string]bool{}
	for _, n := range notifiers {
		for _, name := range addressesOf(n) {
			known[addressKey(n.Name(), name)] = true
		}
	}
	for key, a := range b.Addresses {
		if !known[key] && (!a.Refused.IsZero() || now.Sub(later(a.Since, a.Changed)) > forgetAfter) {
			delete(b.Addresses, key)
			changed = true
		}
	}
	return changed
}

// addressesOf lists the addresses of a destination. One without addresses of its
// own has a nameless one.
func addressesOf(n notify.Notifier) []string {
	if r, ok := n.(notify.Router); ok {
		return slices.Sorted(slices.Values(r.Addresses()))
	}
	return []string{""}
}

// Refusal is an address that takes nothing.
type Refusal struct {
	Destination string // and the name of the address, if it has several
	// Since is since when it refuses, Next when it is tried again, and Error why
	// it refused.
	Since, Next time.Time
	Error       string
}

// Refusals lists the addresses that take nothing, as the last tick found them.
func Refusals(ctx context.Context, n Notes) ([]Refusal, error) {
	b, damaged, err := readAddresses(ctx, n)
	if err = errors.Join(err, damaged); err != nil {
		return nil, err
	}
	var list []Refusal
	for _, key := range slices.Sorted(maps.Keys(b.Addresses)) {
		if a := b.Addresses[key]; !a.Refused.IsZero() {
			list = append(list, Refusal{key, a.Refused, a.Next, a.Error})
		}
	}
	return list, nil
}

// TryRefused has every address that takes nothing be tried in the next tick.
func TryRefused(ctx context.Context, n Notes, at time.Time) error {
	read, _, err := readAddresses(ctx, n)
	if err != nil {
		return err
	}
	now := read.clone()
	for _, a := range now.Addresses {
		if !a.Refused.IsZero() {
			a.Next, a.Tries, a.Changed = a.Refused, 0, at
		}
	}
	_, err = saveAddresses(ctx, n, read, now)
	return err
}

// mostText is how long a text is that a note keeps, in characters.
const mostText = 500

func shorten(text string) string {
	if r := []rune(text); len(r) > mostText {
		return string(r[:mostText]) + "…"
	}
	return text
}
