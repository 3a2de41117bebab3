package alert

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

// span returns the span between two numbers of minutes past noon.
func span(start, end int) Span {
	return Span{noon.Add(time.Duration(start) * time.Minute), noon.Add(time.Duration(end) * time.Minute)}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	east := time.FixedZone("east", 3600)
	got := Between(noon.Add(time.Hour).In(east), noon)
	if got != span(0, 60) { // by ==, so that the zone counts
		t.Errorf("Between of swapped ends = %v, want %v", got, span(0, 60))
	}
}

func TestSpanRelations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		a, b               Span
		contains, touching bool
	}{
		{"the same", span(0, 10), span(0, 10), true, true},
		{"a moment inside", span(0, 10), span(5, 5), true, true},
		{"the last moment", span(0, 10), span(10, 10), true, true},
		{"overlap", span(0, 10), span(5, 15), false, true},
		{"shared end", span(0, 10), span(10, 15), false, true},
		{"larger", span(5, 6), span(0, 10), false, true},
		{"apart", span(0, 10), span(11, 12), false, false},
		{"next tick of the clock", span(0, 10), Span{noon.Add(10*time.Minute + Resolution), noon.Add(time.Hour)}, false, true},
		{"one tick between", span(0, 10), Span{noon.Add(10*time.Minute + 2*Resolution), noon.Add(time.Hour)}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.a.Contains(tt.b); got != tt.contains {
				t.Errorf("Contains = %v, want %v", got, tt.contains)
			}
			if got := tt.a.Touches(tt.b); got != tt.touching {
				t.Errorf("Touches = %v, want %v", got, tt.touching)
			}
			if got := tt.b.Touches(tt.a); got != tt.touching {
				t.Errorf("Touches the other way = %v, want %v", got, tt.touching)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		in, want []Span
	}{
		{"none", nil, nil},
		{"one", []Span{span(0, 1)}, []Span{span(0, 1)}},
		{"apart, out of order", []Span{span(5, 6), span(0, 1)}, []Span{span(0, 1), span(5, 6)}},
		{"touching", []Span{span(0, 1), span(1, 2)}, []Span{span(0, 2)}},
		{"one inside another", []Span{span(0, 10), span(2, 3), span(9, 12)}, []Span{span(0, 12)}},
		{"a bridge", []Span{span(0, 1), span(5, 6), span(1, 5)}, []Span{span(0, 6)}},
		{"the same moment", []Span{span(3, 3), span(3, 3)}, []Span{span(3, 3)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, Merge(tt.in)); diff != "" {
				t.Errorf("Merge (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMergeModel compares Merge with a row of marked minutes.
func TestMergeModel(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var spans []Span
		var inside [40]bool // half minutes: an odd one is the gap between two minutes
		for range rng.IntN(6) {
			start := rng.IntN(18)
			end := min(start+rng.IntN(5), 19)
			spans = append(spans, span(start, end))
			for i := 2 * start; i <= 2*end; i++ {
				inside[i] = true
			}
		}
		merged := Merge(spans)
		probe := span(rng.IntN(10), 10+rng.IntN(10))
		if rng.IntN(2) == 0 {
			probe.End = probe.Start
		}
		want := true
		for i := 2 * int(probe.Start.Sub(noon).Minutes()); i <= 2*int(probe.End.Sub(noon).Minutes()); i++ {
			want = want && inside[i]
		}
		if got := probe.Covered(merged); got != want {
			t.Fatalf("%v covered by %v = %v, want %v", probe, spans, got, want)
		}
	}
}
