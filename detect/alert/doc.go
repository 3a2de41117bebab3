// Package alert holds what a tick finds and reports: plain values without I/O,
// which any destination can show and any ledger can keep.
//
// An [Alert] says what happened; each of its [Activity] values says who did it
// (a [Fingerprint] of the row's identity) and when (a [Span]). Alerts are
// shared between goroutines and stores: treat one as read-only once it is
// built.
package alert
