package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"
)

// Draft returns a ledger that knows all that l does, and keeps what is written to it
// to itself: the table stays as it is. It is for a tick that only says what it would
// do. Leases that others have do not stand in its way, since it takes none of theirs.
func (l *Ledger) Draft() *Ledger {
	d := newLedger(&draftStore{base: l.store, rows: map[string]map[string]*item{}})
	d.clock, d.seenFor, d.sentFor = l.clock, l.seenFor, l.sentFor
	return d
}

// draftStore is a store over another that is only read.
type draftStore struct {
	base store

	mu sync.Mutex
	// rows are those written, by partition and key; nil is one that was removed.
	rows    map[string]map[string]*item
	changes int // makes ETags
}

// read returns a row of the store below as a draft knows it.
func (s *draftStore) read(i item) item {
	if run, ok := i.row.(*runRow); ok && run.holder != "" {
		free := *run
		free.holder = ""
		i.row = &free
	}
	return i
}

func (s *draftStore) get(ctx context.Context, partition, key string) (item, error) {
	s.mu.Lock()
	i, written := s.rows[partition][key]
	s.mu.Unlock()
	switch {
	case written && i == nil:
		return item{}, errMissing
	case written:
		return *i, nil
	}
	below, err := s.base.get(ctx, partition, key)
	return s.read(below), err
}

func (s *draftStore) list(ctx context.Context, partition, from, to string, brief bool) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		s.mu.Lock()
		written := maps.Clone(s.rows[partition])
		s.mu.Unlock()
		maps.DeleteFunc(written, func(key string, _ *item) bool { return key < from || key >= to })
		keys := slices.Sorted(maps.Keys(written))
		upTo := func(key string) bool { // yields what was written before a key
			for ; len(keys) > 0 && keys[0] < key; keys = keys[1:] {
				if i := written[keys[0]]; i != nil && !yield(*i, nil) {
					return false
				}
			}
			return true
		}
		for i, err := range s.base.list(ctx, partition, from, to, brief) {
			if i.key != "" && !upTo(i.key) {
				return
			}
			if _, replaced := written[i.key]; replaced {
				continue
			}
			if !yield(s.read(i), err) {
				return
			}
		}
		upTo(to)
	}
}

func (s *draftStore) prepare(partition string, c change) (change, error) {
	return s.base.prepare(partition, c)
}

// commit checks all changes before it makes the first.
func (s *draftStore) commit(ctx context.Context, partition string, changes ...change) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if c.verb == replace && c.etag == "" {
			continue
		}
		old, there := s.rows[partition][c.key]
		if !there {
			below, err := s.base.get(ctx, partition, c.key)
			switch {
			case err == nil:
				old = &below
			case !errors.Is(err, errMissing):
				return nil, err
			}
		}
		switch {
		case c.verb == insert && old != nil:
			return nil, fmt.Errorf("%s: %w", c.key, errExists)
		case c.verb == insert:
		case old == nil:
			return nil, fmt.Errorf("%s: %w", c.key, errMissing)
		case c.etag != "" && c.etag != old.etag:
			return nil, fmt.Errorf("%s: %w", c.key, errChanged)
		}
	}
	if s.rows[partition] == nil {
		s.rows[partition] = map[string]*item{}
	}
	etags := make([]string, len(changes))
	for i, c := range changes {
		if c.verb == remove {
			s.rows[partition][c.key] = nil
			continue
		}
		s.changes++
		etags[i] = "draft " + strconv.Itoa(s.changes)
		s.rows[partition][c.key] = &item{partition: partition, key: c.key, etag: etags[i], row: c.row}
	}
	return etags, nil
}
