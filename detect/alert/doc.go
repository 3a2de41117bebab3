// Package alert holds what a tick finds and tells: plain values without I/O,
// that any destination can render and any ledger can keep.
//
// An [Alert] says what happened; each of its [Activity] values says who did it
// (a [Fingerprint] of the row's identity) and when (a [Span]). Alerts are
// shared between goroutines and stores: treat one as read-only once it is
// built.
package alert
