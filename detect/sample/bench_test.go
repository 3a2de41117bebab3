package sample

import "testing"

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		records, size := 0, int64(0)
		for _, r := range Generate(Options{Seed: 1, Day: testDay}).Records {
			records++
			size += int64(len(r.JSON))
		}
		b.SetBytes(size)
		b.ReportMetric(float64(records), "records/op")
	}
}

func BenchmarkStream(b *testing.B) {
	b.ReportAllocs()
	const n = 10_000
	for b.Loop() {
		size := int64(0)
		for r := range Stream(Options{Seed: 1, Day: testDay}, n) {
			size += int64(len(r.JSON))
		}
		b.SetBytes(size)
	}
}
