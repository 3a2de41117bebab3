package sample

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStream(t *testing.T) {
	t.Parallel()
	const n = 10_000
	o := Options{Seed: 5, Day: testDay}
	records := slices.Collect(Stream(o, n))
	if len(records) != n {
		t.Fatalf("%d records, want %d", len(records), n)
	}
	if diff := cmp.Diff(records, slices.Collect(Stream(o, n)), wholeBytes); diff != "" {
		t.Errorf("the stream differs the second time (-first +second):\n%.2000s", diff)
	}
	if !slices.IsSortedFunc(records, func(a, b Record) int { return a.Generated.Compare(b.Generated) }) {
		t.Error("not in the order of Generated")
	}
	size, rejected := 0, 0
	for _, r := range records {
		size += len(r.JSON)
		x := parse(t, r)
		if x.rejected(t) {
			rejected++
		}
		if x.rejected(t) != (r.Story == PlainRejection) {
			t.Errorf("story %s: %s", r.Story, r.JSON)
		}
		if r.Table != SigninLogs || r.Generated.Before(testDay) || !r.Generated.Before(testDay.Add(24*time.Hour)) || r.Received.Before(r.Generated) {
			t.Errorf("%s at %s, received %s", r.Table, r.Generated, r.Received)
		}
	}
	if size /= n; size < 850 || size > 950 {
		t.Errorf("%d bytes a record, want about 900", size)
	}
	if rejected != n*RejectionsPerMillion/1_000_000 {
		t.Errorf("%d rejections", rejected)
	}
}

func TestStreamStops(t *testing.T) {
	t.Parallel()
	n := 0
	for range Stream(Options{}, math.MaxInt) { // far more than could be held
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d records", n)
	}
	for range Stream(Options{}, 0) {
		t.Error("a record of none")
	}
}

func TestShare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		i, n int
		want time.Duration
	}{
		{0, 7, 0},
		{1, 2, 12 * time.Hour},
		{6, 7, 74057142857100 * time.Nanosecond},
		{999_999_999, 1_000_000_000, 24*time.Hour - 86400*time.Nanosecond},
	} {
		if got := share(c.i, c.n); got != c.want {
			t.Errorf("share(%d, %d) = %d, want %d", c.i, c.n, got, c.want)
		}
	}
}
