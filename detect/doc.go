// Package detect runs detection rules against a workspace, one tick at a time.
//
// A tick does this:
//
//  1. It works out which windows of which rules are due, oldest first
//     (package schedule), and looks for records that came in late (look.go).
//  2. It runs the rule's query over each window ([Querier]).
//  3. It compares the number of rows with the rule's trigger.
//  4. It reads each row as an activity: who, and when (activity.go).
//  5. It asks the ledger which activities were not reported before
//     ([Ledger].Unseen).
//  6. It makes alerts of those, one per row or one for all, as the rule says
//     (build.go), and adds context to them ([Enricher]). What another rule of the
//     same story reported before they update (story.go).
//  7. It records the alerts and their activities in the ledger, all or nothing
//     ([Ledger].Record). Only then does the window count as done.
//  8. It follows up what was reported before (followup.go).
//  9. It sends each destination what is owed to it, including what earlier
//     ticks could not send (courier.go).
//  10. It purges the ledger, and reports what is wrong with Pushback itself
//     (watch.go).
//  11. It returns all of that ([Report]).
//
// A Detector (tick.go) makes a runner, which does 1 to 8, a courier and a watch,
// and calls them in that order. Each sees the ledger through an interface of its
// own:
//
//   - The runner (runner.go) keeps how far it is with a rule in progress.go and
//     records in record.go. What it knows of a ledger that is gone is in gone.go,
//     an alert that stands for very many in storm.go, what format 1 of the ledger
//     made of an activity in former.go, and what its errors mean in failure.go.
//   - The courier (courier.go) takes what it can send from the outbox (page.go),
//     goes to one destination at a time (trip.go), sends many alerts as one
//     (digest.go) and remembers the addresses (address.go). It sends heartbeats
//     (heartbeat.go).
//   - The watch (watch.go) works out what is wrong in condition.go.
//
// A failure, also a panic, stays where it is: a rule that fails does not stop
// the others, a window that fails is run again by the next tick, and an alert
// that could not be sent is sent by a later one.
//
// # Time
//
// The rules take turns: the oldest window of each is run, then the next of each.
// A context with a deadline is kept: some time before it no query is run any
// more, and somewhat later nothing sent any more ([Config].DeliveryTime and
// Margin). What is being recorded or sent is always finished, also if the context
// is cancelled. What a tick did not get to is left for the next, with the
// watermark where it was, and the rules that it did not get to come first there.
// That is reported but is no failure, unless nothing at all was done
// ([Report].Err).
//
// # Windows
//
// Window k of a rule ends at e = k * queryFrequency since the Unix epoch in
// UTC and covers queryPeriod before e, without e itself. It is run at e + delay,
// and again in a late pass when records of it came in since that the rule can see.
// The window stays the same in late passes, so a trigger threshold keeps its
// meaning; the ledger drops what an earlier pass reported.
//
// Which windows those are a look finds, at every queryFrequency and, if that is
// longer, when the lateness is over. It asks the workspace for what came in since
// the last complete look, by the workspace's own clock, and that passes the
// beginnings of the rule's query ([Config].Beginnings, package look). The windows
// of up to [Config].LateLook ago are kept in the rule's state, with the time of the
// look, until they were run.
//
// Where a look says nothing of a rule, and of a rule without looks, a window is run
// again after every further queryFrequency up to e + delay + lateness, when there is
// a last run: so whatever arrives until e + lateness counts, whether or not the
// frequency divides the lateness. One pass catches up all that were missed of a
// window.
//
// The very first tick of a rule begins at the last window that is complete,
// unless [Config].Start says where.
//
// # What is the same activity
//
// Two rows are the same identity if the rule is the same and the values of its
// identity columns are: those that its entity mappings name, or those that the
// rule names for the purpose; if it names none, or if they are all empty in a
// row, all columns but the times. Values are compared with their case, as the
// query returned them; in an array the order does not matter, since make_set
// promises none.
//
// An activity's span is from the row's StartTime (or StartTimeUtc) to its
// EndTime (or EndTimeUtc), else it is the moment TimeGenerated or timestamp, else the
// window; names are compared without case. A row is news if its span is not
// inside of what was reported of its identity. A rule can name columns that hold the
// ids of the single events; then a row is news if one of them was not reported,
// so that a late event between others that were is not lost. If what is news
// touches what was reported, its alert says so: it continues an earlier one.
package detect
