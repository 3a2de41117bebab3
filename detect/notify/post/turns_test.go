package post

import (
	"slices"
	"sync"
	"testing"
	"time"
)

func TestTurnsAreTakenByOne(t *testing.T) {
	t.Parallel()
	var turns Turns
	now := time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC)
	waits := make([]time.Duration, 40)
	var wg sync.WaitGroup
	for i := range waits {
		wg.Go(func() { waits[i] = turns.Next(now) })
	}
	wg.Wait()
	slices.Sort(waits)
	for i, wait := range waits {
		if wait != time.Duration(i)*time.Second/PerSecond {
			t.Errorf("turn %d is after %s", i, wait)
		}
	}
	if wait := turns.Next(now.Add(time.Hour)); wait != 0 {
		t.Errorf("an hour later the wait is %s", wait)
	}
}
