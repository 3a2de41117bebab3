package sample

import (
	"encoding/hex"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// tick is the resolution of the service's datetimes.
const tick = 100 * time.Nanosecond

// random is a source of choices.
type random struct{ *rand.Rand }

// newRandom returns a source for one purpose. Each purpose has its own, so
// that a change to one part of the day leaves the others as they were.
func newRandom(seed uint64, purpose string) random {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return random{rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// chance is true with probability p.
func (r random) chance(p float64) bool { return r.Float64() < p }

// between returns a duration from lo up to but not hi, in whole ticks.
func (r random) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(r.Int64N(int64((hi-lo)/tick)))*tick
}

// fraction returns a part of a second, never zero, so that an instant made
// with it does not fall on a window's edge by chance.
func (r random) fraction() time.Duration { return r.between(tick, time.Second) }

// bytes16 returns the bytes of a random (version 4) UUID.
func (r random) bytes16() (b [16]byte) {
	hi, lo := r.Uint64(), r.Uint64()
	for i := range 8 {
		b[i], b[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return b
}

// guid returns a random UUID in its usual writing.
func (r random) guid() string { return formatGUID(r.bytes16()) }

func formatGUID(b [16]byte) string {
	var text [36]byte
	hex.Encode(text[0:8], b[0:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:36], b[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// pick returns one of the choices.
func pick[T any](r random, choices []T) T { return choices[r.IntN(len(choices))] }
