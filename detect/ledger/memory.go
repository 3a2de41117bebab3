package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memoryRetention is how long Memory keeps what it recorded, counted from
// the rule's watermark then. It must exceed the longest query period (14 days),
// the lateness and the catch-up together: so long can a query return the same
// row.
const memoryRetention = 30 * 24 * time.Hour

// memorySent is how long Memory keeps what was sent: longer than an alert is
// followed up. See Recent.
const memorySent = 73 * time.Hour

// Memory is a ledger that lives as long as the process: for replay, and for
// tests. It keeps what a rule reported for 30 days of the rule's watermark, and
// an alert for a day after it is sent.
type Memory struct{ *Ledger }

// NewMemory returns an empty ledger.
func NewMemory() *Memory {
	l := newLedger(&mapStore{ranges: map[rangeKey]*mapRange{}})
	l.seenFor, l.sentFor, l.selfPurge = memoryRetention, memorySent, true
	return &Memory{l}
}

// mapStore is a store in memory.
type mapStore struct {
	mu sync.Mutex
	// ranges has the rows of one prefix of a partition, so that what is owed
	// does not have to be sorted in before all that was recorded.
	ranges  map[rangeKey]*mapRange
	changes int // makes ETags
}

type rangeKey struct{ partition, prefix string }

type mapRange struct {
	keys  []string // in order
	items map[string]item
}

// rangeOf returns the rows with the prefix of a key, or nil.
func (s *mapStore) rangeOf(partition, key string) (rangeKey, *mapRange) {
	prefix, _, _ := strings.Cut(key, ":")
	k := rangeKey{partition, prefix}
	return k, s.ranges[k]
}

func (s *mapStore) get(_ context.Context, partition, key string) (item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, r := s.rangeOf(partition, key); r != nil {
		if i, ok := r.items[key]; ok {
			return i, nil
		}
	}
	return item{}, errMissing
}

func (s *mapStore) list(_ context.Context, partition, from, to string, _ bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for _, i := range s.between(partition, from, to) {
			if !yield(i, nil) {
				return
			}
		}
	}
}

func (s *mapStore) between(partition, from, to string) []item {
	s.mu.Lock()
	defer s.mu.Unlock()
	prefixes := []string{from}
	if partition == directory { // what is read of it has several, in this order
		prefixes = []string{formatKey, notePrefix, rulePrefix, runPrefix}
	}
	var items []item
	for _, prefix := range prefixes {
		_, r := s.rangeOf(partition, prefix)
		if r == nil {
			continue
		}
		first, _ := slices.BinarySearch(r.keys, from)
		end, _ := slices.BinarySearch(r.keys, to)
		items = slices.Grow(items, max(0, end-first))
		for _, key := range r.keys[first:max(first, end)] {
			items = append(items, r.items[key])
		}
	}
	return items
}

func (s *mapStore) prepare(_ string, c change) (change, error) { return c, nil }

// commit checks all changes before it makes the first.
func (s *mapStore) commit(_ context.Context, partition string, changes ...change) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		var old item
		there := false
		if _, r := s.rangeOf(partition, c.key); r != nil {
			old, there = r.items[c.key]
		}
		switch {
		case c.verb == insert && there:
			return nil, fmt.Errorf("%s: %w", c.key, errExists)
		case c.verb == insert, c.verb == replace && c.etag == "":
		case !there:
			return nil, fmt.Errorf("%s: %w", c.key, errMissing)
		case c.etag != "" && c.etag != old.etag:
			return nil, fmt.Errorf("%s: %w", c.key, errChanged)
		}
	}
	etags := make([]string, len(changes))
	for i, c := range changes {
		k, r := s.rangeOf(partition, c.key)
		if r == nil {
			r = &mapRange{items: map[string]item{}}
			s.ranges[k] = r
		}
		at, there := slices.BinarySearch(r.keys, c.key)
		if c.verb == remove {
			r.keys = slices.Delete(r.keys, at, at+1)
			delete(r.items, c.key)
			continue
		}
		if !there {
			r.keys = slices.Insert(r.keys, at, c.key)
		}
		s.changes++
		etags[i] = strconv.Itoa(s.changes)
		r.items[c.key] = item{key: c.key, etag: etags[i], row: c.row}
	}
	return etags, nil
}
