package ledger

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"
)

// memoryRetention is how long Memory remembers what it was told, counted from
// the rule's watermark then. It must exceed the longest query period (14 days),
// the lateness and the catch-up together: so long can a query return the same
// row.
const memoryRetention = 30 * 24 * time.Hour

// Memory is a ledger that lives as long as the process: for replay, and for
// tests. It remembers what a rule told for 30 days of the rule's watermark, and
// an alert until it is sent.
type Memory struct{ *Ledger }

// NewMemory returns an empty ledger.
func NewMemory() *Memory {
	return &Memory{&Ledger{
		store:     &mapStore{partitions: map[string]*mapPartition{}},
		seenFor:   memoryRetention,
		selfPurge: true,
		leases:    map[string]*Lease{},
	}}
}

// mapStore is a store in memory.
type mapStore struct {
	mu         sync.Mutex
	partitions map[string]*mapPartition
	changes    int // makes ETags
}

type mapPartition struct {
	keys  []string // in order
	items map[string]item
}

func (s *mapStore) get(_ context.Context, partition, key string) (item, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partitions[partition]; p != nil {
		if i, ok := p.items[key]; ok {
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
	p := s.partitions[partition]
	if p == nil {
		return nil
	}
	first, _ := slices.BinarySearch(p.keys, from)
	end, _ := slices.BinarySearch(p.keys, to)
	items := make([]item, 0, max(0, end-first))
	for _, key := range p.keys[first:max(first, end)] {
		items = append(items, p.items[key])
	}
	return items
}

func (s *mapStore) prepare(_ string, c change) (change, error) { return c, nil }

func (s *mapStore) commit(_ context.Context, partition string, changes ...change) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partitions[partition]
	if p == nil {
		p = &mapPartition{items: map[string]item{}}
		s.partitions[partition] = p
	}
	for _, c := range changes {
		old, there := p.items[c.key]
		switch {
		case c.verb == insert && there:
			return "", fmt.Errorf("%s: %w", c.key, errExists)
		case c.verb == insert, c.verb == replace && c.etag == "":
		case !there:
			return "", fmt.Errorf("%s: %w", c.key, errMissing)
		case c.etag != "" && c.etag != old.etag:
			return "", fmt.Errorf("%s: %w", c.key, errChanged)
		}
	}
	etag := ""
	for _, c := range changes {
		at, there := slices.BinarySearch(p.keys, c.key)
		if c.verb == remove {
			p.keys = slices.Delete(p.keys, at, at+1)
			delete(p.items, c.key)
			continue
		}
		if !there {
			p.keys = slices.Insert(p.keys, at, c.key)
		}
		s.changes++
		etag = strconv.Itoa(s.changes)
		p.items[c.key] = item{key: c.key, etag: etag, row: c.row}
	}
	return etag, nil
}
