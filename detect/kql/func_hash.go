package kql

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	byteorder "encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
)

// hashFunctions give digests. Those with a name of their own digest the
// value's text; hash() digests its bytes.
func hashFunctions() []*scalarFunction {
	digest := func(sum func(text []byte) []byte) func([]Value) Value {
		return func(a []Value) Value { return stringValue(hex.EncodeToString(sum([]byte(a[0].String())))) }
	}
	return []*scalarFunction{
		{sig: "hash_sha256(value:notdynamic) string", doc: "The SHA-256 of the value's text, in hexadecimal.",
			examples: examples{"hash_sha256('World')", "78ae647dc5544d227130a0682a51e30bc7777fbb6d8a8f17007463a3ecd1d524", "hash_sha256(datetime(2020-01-01))", "ba666752dc1a20eb750b0eb64e780cc4c968bc9fb8813461c1d7e750f302d71d"},
			rows:     digest(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] })},
		{sig: "hash_sha1(value:notdynamic) string", doc: "The SHA-1 of the value's text, in hexadecimal.",
			examples: examples{"hash_sha1('World')", "70c07ec18ef89c5309bbb0937f3a6342411e1fdd", "hash_sha1(datetime(2020-01-01))", "e903e533f4d636b4fc0dcf3cf81e7b7f330de776"},
			rows:     digest(func(b []byte) []byte { s := sha1.Sum(b); return s[:] })},
		{sig: "hash_md5(value:notdynamic) string", doc: "The MD5 of the value's text, in hexadecimal.",
			examples: examples{"hash_md5('World')", "f5a7924e621e84c9280a9a27e1bcb7f6"},
			rows:     digest(func(b []byte) []byte { s := md5.Sum(b); return s[:] })},
		{sig: "hash(value:notdynamic, mod:integer?) long", doc: "The xxHash64 of a value: of a text's bytes, and of the eight bytes of a number or a time; with mod, its remainder. For a string and a datetime it is the service's.", bind: bindHash,
			examples: examples{"hash('World')", "1846988464401551951", "hash('World', 100)", "51", "hash(datetime(2015-01-01))", "1380966698541616202", "hash(1) == hash(int(1))", "true", "hash(1.5) == hash(2.5)", "false", "hash(true, 10) < 10", "true"}},
		{sig: "hash_xxhash64(value:notdynamic, mod:integer?) long", doc: "The same as hash().", bind: bindHash,
			examples: examples{"hash_xxhash64('Hello')", "753694413698530628"}},
	}
}

// bindHash digests the bytes of a value. The reference shows those of strings and
// datetimes; of the others it says no more than that equal values have one hash.
func bindHash(_ *binder, _ *call, args []expr) expr {
	return fold(&applyExpr{t: Long, args: args, rows: func(a []Value) Value {
		var h uint64
		switch v := a[0]; v.kind {
		case kindNull:
			return Value{}
		case String, GUID:
			h = xxHash64([]byte(v.s))
		case Real:
			h = xxHash64(byteorder.LittleEndian.AppendUint64(nil, math.Float64bits(v.real())))
		case Decimal:
			h = xxHash64([]byte(v.String()))
		default:
			h = xxHash64(byteorder.LittleEndian.AppendUint64(nil, uint64(v.n)))
		}
		if len(a) > 1 {
			if a[1].IsNull() || a[1].n <= 0 {
				return Value{}
			}
			h %= uint64(a[1].n)
		}
		return longValue(int64(h))
	}})
}

// The primes of xxHash64, https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
const (
	xxPrime1 uint64 = 0x9E3779B185EBCA87
	xxPrime2 uint64 = 0xC2B2AE3D27D4EB4F
	xxPrime3 uint64 = 0x165667B19E3779F9
	xxPrime4 uint64 = 0x85EBCA77C2B2AE63
	xxPrime5 uint64 = 0x27D4EB2F165667C5
)

// xxHash64 is the hash with seed 0.
func xxHash64(b []byte) uint64 {
	round := func(acc, in uint64) uint64 { return bits.RotateLeft64(acc+in*xxPrime2, 31) * xxPrime1 }
	h := xxPrime5
	length := uint64(len(b))
	if len(b) >= 32 {
		seed := xxPrime1
		lanes := [4]uint64{seed + xxPrime2, xxPrime2, 0, -seed}
		for ; len(b) >= 32; b = b[32:] {
			for i := range lanes {
				lanes[i] = round(lanes[i], byteorder.LittleEndian.Uint64(b[8*i:]))
			}
		}
		h = bits.RotateLeft64(lanes[0], 1) + bits.RotateLeft64(lanes[1], 7) + bits.RotateLeft64(lanes[2], 12) + bits.RotateLeft64(lanes[3], 18)
		for _, lane := range lanes {
			h = (h^round(0, lane))*xxPrime1 + xxPrime4
		}
	}
	h += length
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^round(0, byteorder.LittleEndian.Uint64(b)), 27)*xxPrime1 + xxPrime4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(byteorder.LittleEndian.Uint32(b))*xxPrime1, 23)*xxPrime2 + xxPrime3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*xxPrime5, 11) * xxPrime1
	}
	h = (h ^ h>>33) * xxPrime2
	h = (h ^ h>>29) * xxPrime3
	return h ^ h>>32
}
