package kql

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// Two goroutines sort as one does, and rows that are equal stay in their order.
func TestSortedInHalves(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(9, 10))
	for _, n := range []int{0, 1, 2, 3, 1000, 4097} {
		for _, kinds := range []int{1, 3, n + 1} {
			keys, rows := make([]int, n), make([]int32, n)
			for i := range keys {
				keys[i], rows[i] = r.IntN(kinds), int32(i)
			}
			order := func(x, y int32) int { return cmp.Or(cmp.Compare(keys[x], keys[y]), cmp.Compare(x, y)) }
			want := slices.Clone(rows)
			slices.SortFunc(want, order)
			if got := sortedInHalves(rows, order); !slices.Equal(got, want) {
				t.Errorf("%d rows of %d kinds are not in order", n, kinds)
			}
		}
	}
}

func TestSortOnSeveralGoroutines(t *testing.T) {
	t.Parallel()
	table := repeating(sortedAtOnce + 3000)
	for _, query := range []string{
		"T | sort by User asc, Few desc, n asc | project n, User",
		"T | sort by Few asc | project n",
		"T | sort by Each asc | take 1000 | project Each",
		"T | sort by todouble(n % 7) / 2 desc, TimeGenerated desc | project n",
		"T | sort by toint(Few) asc nulls last, iff(n % 3 == 0, long(null), n) asc nulls first | project n",
		"T | sort by User asc | extend P = prev(n), R = row_number() | project P, R",
		"T | sort by tostring(Bag) asc, toguid(strcat('00000000-0000-0000-0000-00000000000', n % 7)) desc, todecimal(n) / 3 asc | project n",
	} {
		want := answerWith(t, query, table, Options{Workers: 1})
		if len(want) < 1000 {
			t.Fatalf("%s: %s", query, want)
		}
		if diff := gocmp.Diff(want, answerWith(t, query, table, Options{Workers: 3})); diff != "" {
			t.Errorf("%s: -one goroutine +several:\n%.2000s", query, diff)
		}
	}
}
