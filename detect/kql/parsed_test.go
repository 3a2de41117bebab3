package kql

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A query that was parsed before gives the same answer, also to several at once.
func TestParsedAgain(t *testing.T) {
	t.Parallel()
	db := testTables()
	for _, query := range seedQueries(t)[:len(seedQueries(t))-len(runAwayQueries())] {
		answer := func() string {
			out, err := Run(context.Background(), query, db, Options{Now: testNow})
			if err != nil {
				return err.Error()
			}
			return textOf(out)
		}
		if strings.Contains(query, "rand(") || strings.Contains(query, "new_guid(") {
			continue
		}
		first := answer()
		var again [3]string
		var running sync.WaitGroup
		for i := range again {
			running.Go(func() { again[i] = answer() })
		}
		running.Wait()
		for _, text := range again {
			if diff := cmp.Diff(first, text); diff != "" {
				t.Errorf("%s (-first +again):\n%s", query, diff)
			}
		}
	}
}

// What is kept is bounded.
func TestRecent(t *testing.T) {
	t.Parallel()
	r := &recent[int]{most: 10, bytes: 5}
	for i := range 95 {
		r.put(fmt.Sprint(i), i)
	}
	if got, ok := r.get("94"); !ok || got != 94 || len(r.values) > 10 {
		t.Errorf("%d, %t of %d", got, ok, len(r.values))
	}
	if r.put("123456", 1); len(r.values) > 10 {
		t.Errorf("%d are kept", len(r.values))
	}
	if _, ok := r.get("123456"); ok {
		t.Error("a long text is kept")
	}
}
