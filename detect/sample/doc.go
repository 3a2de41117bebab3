// Package sample writes an invented day of an invented tenant's sign-ins, in the
// shapes of the Log Analytics tables, for the demo, the tests and the
// benchmarks.
//
// The day holds what a company of a few hundred people leaves behind, and in
// it a set of stories: pushed-back MFA prompts of every kind that
// matters, and the failures that look like them and are not. Every record says
// which story it belongs to, and the day lists the rejections that are in it,
// so that a detection can be held against what really happened.
//
// The same Options give the same bytes, on every machine and in every run.
// Nothing in it is real: names are invented, domains end in .example, and
// addresses and AS numbers come from the ranges set aside for documentation
// and for carriers' private use. Only the application ids and the texts of
// the service are those that tenants see.
package sample
