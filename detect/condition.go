package detect

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/rhythm"
)

// conditionKind is what can be wrong.
type conditionKind string

const (
	ruleFails          conditionKind = "rule"
	windowsSkipped     conditionKind = "skipped"
	rulesBroken        conditionKind = "rules"
	destinationRefuses conditionKind = "destination"
	alertsLate         conditionKind = "late"
	alertsParked       conditionKind = "parked"
	tableSilent        conditionKind = "table"
	ledgerGone         conditionKind = "ledger"
	recordsTooLate     conditionKind = "toolate"
	ticksCut           conditionKind = "ticks"
	alertsLost         conditionKind = "lost"
)

// conditionKey is what a condition is about: a rule's id, a destination or one of
// its addresses, a table, or for some kinds nothing.
type conditionKey struct {
	kind    conditionKind
	name    string
	address string // of the destination that name is
}

// String is how the key is noted, and shown in the alert.
func (k conditionKey) String() string {
	text := string(k.kind)
	for _, part := range []string{k.name, k.address} {
		if part != "" {
			text += " " + part
		}
	}
	return text
}

// MarshalText writes the key for a note.
func (k conditionKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the key from a note.
func (k *conditionKey) UnmarshalText(text []byte) error {
	kind, name, _ := strings.Cut(string(text), " ")
	*k = conditionKey{kind: conditionKind(kind), name: name}
	if k.kind == destinationRefuses { // whose names have no space
		k.name, k.address, _ = strings.Cut(name, " ")
	}
	return nil
}

// compareKeys orders keys as they are noted.
func compareKeys(a, b conditionKey) int { return cmp.Compare(a.String(), b.String()) }

// condition is something that is wrong.
type condition struct {
	key         conditionKey
	title, text string
	since       time.Time
	// not is the destination that it is about, and that is not sent it.
	not string
	// via is a destination of which only these addresses are sent it, by their
	// names.
	via    string
	others []string
}

// healthState is what is noted in the ledger.
type healthState struct {
	// Open is what is wrong, by the conditions' keys.
	Open map[conditionKey]*openCondition `json:"open,omitempty"`
	// Failing counts the ticks in a row that failed, by rule.
	Failing map[string]failedTicks    `json:"failing,omitempty"`
	Tables  map[string]*rhythm.Rhythm `json:"tables,omitempty"`
	// Full is how full the ticks are, and Cut counts those in a row that ended before
	// all was run, by share.
	Full map[string]Fullness    `json:"full,omitempty"`
	Cut  map[string]failedTicks `json:"cut,omitempty"`
}

// openCondition is a condition from when it was found until its end was reported.
type openCondition struct {
	Title string    `json:"title"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	Not   string    `json:"not,omitempty"`
	// Via is a destination of which Others, too, are sent it.
	Via    string   `json:"via,omitempty"`
	Others []string `json:"others,omitempty"`
	// Found and Over are the ticks that saw it begin and end. Reported says that its
	// alert was recorded.
	Found    time.Time `json:"found"`
	Reported bool      `json:"told"` // as versions before call it
	Over     time.Time `json:"over,omitzero"`
	// Ending says why it is over.
	Ending string `json:"ending,omitempty"`
}

// failedTicks is how long a rule has failed.
type failedTicks struct {
	Ticks int       `json:"ticks"`
	Last  time.Time `json:"last"` // that was counted
	// Success is when a window of it was run last before.
	Success time.Time `json:"success,omitzero"`
}

// sameTick is how soon after a tick another one is a new try of it.
const sameTick = 2 * time.Minute

// readHealth returns the state that a note holds, an empty one for none and for
// one that is damaged.
func readHealth(text string) (s healthState, err error) {
	if text != "" {
		if err = json.Unmarshal([]byte(text), &s); err != nil {
			s = healthState{}
		}
	}
	s.Open, s.Failing, s.Tables = orEmpty(s.Open), orEmpty(s.Failing), orEmpty(s.Tables)
	s.Full, s.Cut = orEmpty(s.Full), orEmpty(s.Cut)
	return s, err
}

// mostOpen is how many things are reported to be wrong at a time: what else there
// is is reported when others are over.
const mostOpen = 100

// open notes a condition that is not known to hold.
func (s *healthState) open(c condition, now time.Time) {
	if s.Open[c.key] == nil && len(s.Open) < mostOpen {
		s.Open[c.key] = &openCondition{Title: shorten(c.title), Text: shorten(c.text), Since: c.since, Not: c.not, Via: c.via, Others: c.others, Found: now}
	}
}

func skippedCondition(r RuleRun) condition {
	return condition{
		key: conditionKey{kind: windowsSkipped, name: r.RuleID}, title: fmt.Sprintf("The rule %q did not look at some windows", r.RuleName),
		text: "These " + r.Skipped.String() + ".", since: r.Skipped.From,
	}
}

// goneCondition says that the ledger was gone since a time, or that this process
// found none until now.
func (r *recall) goneCondition() condition {
	if r.unseen {
		return condition{
			key: conditionKey{kind: ledgerGone}, title: "There was no ledger", since: r.since,
			text: "The ticks since then failed, as its table did not exist. In a new installation that is all, and the rules begin with what is due since then, as far as PUSHBACK_CATCH_UP reaches. Otherwise somebody removed the table: what was reported before is not known and may be reported again, and what was still to be sent is gone.",
		}
	}
	return condition{
		key: conditionKey{kind: ledgerGone}, title: "The ledger was gone", since: r.since,
		text: "Its table did not exist, or held nothing any more. What was reported before is not known and may be reported again; what was still to be sent, or was parked, is gone. The rules go on from where they stopped, as far as PUSHBACK_CATCH_UP reaches.",
	}
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// count counts the ticks that failed.
func (s *healthState) count(report *Report, rules division) {
	for _, r := range report.Rules {
		f, failed := s.Failing[r.RuleID], r.failed()
		switch {
		case !failed && len(r.Windows) > 0:
			delete(s.Failing, r.RuleID)
		case failed && report.Time.Sub(f.Last) >= sameTick:
			if f.Ticks == 0 {
				f.Success = r.LastSuccess
			}
			f.Ticks, f.Last = f.Ticks+1, report.Time
			s.Failing[r.RuleID] = f
		}
	}
	for id := range s.Failing {
		if !rules.sees(conditionKey{kind: ruleFails, name: id}) {
			continue
		}
		if !slices.ContainsFunc(report.Rules, func(r RuleRun) bool { return r.RuleID == id }) {
			delete(s.Failing, id)
		}
	}
}

// diagnosis is what is wrong after a tick.
type diagnosis struct {
	watch  *watch
	state  *healthState
	report *Report

	conditions []condition
	// known says, by the key of a condition, whether this tick could see that
	// it is over. names has the keys of what there is, and taking the
	// addresses.
	known, names map[conditionKey]bool
	taking       map[conditionKey]AddressRun
	// unread says that not all that is owed is known.
	unread bool
}

// diagnose returns what is wrong after a tick.
func (w *watch) diagnose(s *healthState, report *Report, full Fullness) *diagnosis {
	ledger, broken := conditionKey{kind: ledgerGone}, conditionKey{kind: rulesBroken}
	d := &diagnosis{
		watch: w, state: s, report: report,
		known: map[conditionKey]bool{broken: true, ledger: report.LedgerGone.IsZero()}, names: map[conditionKey]bool{broken: true, ledger: true},
		taking: map[conditionKey]AddressRun{},
	}
	for _, r := range report.Rules {
		d.rule(r)
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.unnoted), compareKeys) {
		d.add(w.unnoted[key])
	}
	if files := w.config.Health.Broken; len(files) > 0 {
		d.add(condition{
			key: broken, title: "Rules are not run, since their files are wrong",
			text: strings.Join(files[:min(len(files), 5)], "; "), since: report.Time,
		})
	}
	for _, out := range report.Deliveries {
		d.unread = d.unread || out.Unread || out.Incomplete
		d.delivery(out)
	}
	for _, name := range w.config.Health.Tables {
		d.table(name)
	}
	d.cut(full)
	return d
}

// add adds a condition, unless it is for another share to see.
func (d *diagnosis) add(c condition) {
	if d.watch.rules.sees(c.key) {
		d.conditions = append(d.conditions, c)
	}
}

// rule says what is wrong with a rule.
func (d *diagnosis) rule(r RuleRun) {
	fails, skipped := conditionKey{kind: ruleFails, name: r.RuleID}, conditionKey{kind: windowsSkipped, name: r.RuleID}
	d.names[fails], d.names[skipped] = true, true
	d.known[fails] = len(r.Windows) > 0
	// While it fails, windows grow too old one by one: that is one story.
	d.known[skipped] = len(r.Windows) > 0 && !r.failed() && r.Skipped.Windows == 0
	if f := d.state.Failing[r.RuleID]; f.Ticks >= d.watch.config.Health.FailingTicks {
		text := fmt.Sprintf("Something of the rule failed in %d ticks in a row.", f.Ticks)
		if !f.Success.IsZero() {
			text += " A window of it was last run at " + f.Success.UTC().Format(time.RFC3339) + "."
		}
		text += firstLine(cmp.Or(r.Failure(), r.Cut))
		d.add(condition{key: fails, title: fmt.Sprintf("The rule %q fails", r.RuleName), text: text, since: cmp.Or(f.Success, d.report.Time)})
	}
	if r.Skipped.Windows > 0 {
		d.add(skippedCondition(r))
	}
	late := conditionKey{kind: recordsTooLate, name: r.RuleID}
	d.names[late], d.known[late] = true, r.TooLateKnown
	if len(r.TooLate) > 0 {
		d.add(tooLateCondition(r, d.report.Time))
	}
}

// delivery says what is wrong with what is owed to a destination.
func (d *diagnosis) delivery(out Delivery) {
	h, now := d.watch.config.Health, d.report.Time
	stuck, late, parked := conditionKey{kind: destinationRefuses, name: out.Destination}, conditionKey{kind: alertsLate, name: out.Destination}, conditionKey{kind: alertsParked, name: out.Destination}
	d.names[stuck], d.names[late], d.names[parked] = true, true, true
	d.followed(out)
	if out.Unread {
		d.keepOpen(out.Destination)
		return // what is owed is not known
	}
	refused, stuckLong := d.addresses(out, stuck)
	d.known[stuck] = !refused && (len(out.Addresses) > 0 || out.Pending+out.Parked == 0)
	if len(out.Addresses) == 0 {
		d.keepOpen(out.Destination)
	}
	d.known[late] = out.Behind == 0
	d.known[parked] = true
	waits := now.Sub(out.Oldest)
	since := fmt.Sprintf("%s for it, the oldest since %s.", out.atLeast(out.Pending, "alert waits", "alerts wait"), out.Oldest.UTC().Format(time.RFC3339)) + firstLine(out.Err)
	switch {
	case out.Pending == 0:
	case out.Orphaned && waits >= h.Stuck:
		d.add(condition{key: stuck, title: "Alerts wait for " + out.Destination + ", which is not set up any more",
			text: since + " Set it up again, or drop them with handler outbox drop.", since: out.Oldest, not: out.Destination})
	case out.Behind > 0 && !stuckLong && waits >= h.Late:
		d.add(condition{key: late, title: "Alerts for " + out.Destination + " come late", text: "There are more than it takes. " + since, since: out.Oldest, not: out.Destination})
	}
	if out.Parked > 0 {
		d.add(condition{
			key: parked, title: "Alerts for " + out.Destination + " are parked",
			text: fmt.Sprintf("It refused %s so often that it is not sent them any more: see handler outbox list --parked.", out.atLeast(out.Parked, "alert", "alerts")), since: now,
		})
	}
}

// followed says whether nothing came of what a destination took.
func (d *diagnosis) followed(out Delivery) {
	lost := conditionKey{kind: alertsLost, name: out.Destination}
	d.names[lost], d.known[lost] = true, out.Followed.Known && out.Followed.Lost == 0
	if out.Followed.Lost > 0 {
		d.add(condition{
			key: lost, title: "Alerts sent to the destination " + out.Destination + " did not arrive", since: out.Followed.Oldest, not: out.Destination,
			text: fmt.Sprintf("Nothing came of %s, the first of them sent at %s. %s", counted(out.Followed.Lost, "alert", "alerts"), out.Followed.Oldest.UTC().Format(time.RFC3339), out.Followed.Text),
		})
	}
}

// addresses says which addresses of a destination refuse: whether any does, and
// whether one has done so for long.
func (d *diagnosis) addresses(out Delivery, stuck conditionKey) (refused, stuckLong bool) {
	for _, a := range out.Addresses {
		key := conditionKey{destinationRefuses, out.Destination, a.Name}
		if open := d.state.Open[stuck]; open != nil && len(out.Addresses) == 1 && key != stuck {
			d.state.Open[key] = open // a version before knew no names
			delete(d.state.Open, stuck)
		}
		d.names[key], d.taking[key] = true, a
		if a.Refused.IsZero() {
			continue
		}
		refused = true
		if d.report.Time.Sub(a.Refused) >= d.watch.config.Health.Stuck {
			d.add(d.watch.refusedCondition(key, out, a, d.report.Time))
			stuckLong = true
		}
	}
	return refused, stuckLong
}

// table says whether a table is silent.
func (d *diagnosis) table(name string) {
	key := conditionKey{kind: tableSilent, name: name}
	d.names[key] = true
	r := d.state.Tables[name]
	if r == nil {
		return
	}
	v := r.Judge(d.report.Time, d.watch.config.Lateness)
	if !v.Silent {
		return
	}
	text := fmt.Sprintf("Its newest record is of the hour of %s. In the four weeks before, the longest time without one was %s. The rules see nothing of what is missing: see whether its connector works.",
		v.Newest.Format(time.RFC3339), v.Longest)
	if r.Missing {
		text += " The workspace has no such table any more."
	}
	d.add(condition{key: key, title: "The table " + name + " is silent", text: text, since: v.Newest})
}

// over reports whether a condition that was not found is over, as far as this
// tick can see, and why if it is not for the better.
func (d *diagnosis) over(key conditionKey, open *openCondition) (bool, string) {
	if !d.watch.rules.sees(key) {
		return false, ""
	}
	if d.unread && slices.Contains([]conditionKind{destinationRefuses, alertsLate, alertsParked}, key.kind) {
		return false, "" // there may be more that is owed
	}
	if !d.names[key] {
		return true, "It is not set up any more."
	}
	if key.kind == tableSilent {
		// Only a new record ends it.
		r := d.state.Tables[key.name]
		return r != nil && len(r.Hours) > 0 && rhythm.TimeOf(r.Newest()+1).After(open.Found), ""
	}
	if a, ok := d.taking[key]; ok { // that it was not tried lately shows nothing
		return a.Refused.IsZero() && (a.Waiting == 0 || a.LastTaken.After(open.Found)), ""
	}
	if key.kind == alertsLost {
		return d.known[key], "Something came of all that was sent within the last day, or nothing was sent."
	}
	return d.known[key], ""
}

// keepOpen keeps the conditions of a destination whose addresses are not known.
func (d *diagnosis) keepOpen(destination string) {
	for key := range d.state.Open {
		if key.kind == destinationRefuses && key.name == destination && key.address != "" {
			d.names[key] = true
		}
	}
}

// refusedCondition says that an address takes nothing. It is reported to all
// other addresses, those of the same destination among them.
func (w *watch) refusedCondition(key conditionKey, out Delivery, a AddressRun, found time.Time) condition {
	c := condition{
		key: key, title: "The destination " + out.Destination + " does not take alerts", since: a.Refused, not: out.Destination,
		text: fmt.Sprintf("It has taken nothing since %s, and is tried again at %s.", a.Refused.UTC().Format(time.RFC3339), a.Next.UTC().Format(time.RFC3339)),
	}
	if len(out.Addresses) > 1 {
		c.title = "The destination " + addressKey(out.Destination, a.Name) + " does not take alerts"
	}
	if a.Waiting > 0 {
		c.text += fmt.Sprintf(" %s for it, the oldest since %s, and will be sent when it takes alerts again.", counted(a.Waiting, "alert waits", "alerts wait"), a.Oldest.UTC().Format(time.RFC3339))
	}
	c.text += " " + a.Error
	for _, n := range w.notifiers {
		r, ok := n.(notify.Router)
		if !ok || n.Name() != out.Destination {
			continue
		}
		usual := w.usual(r, found)
		if !slices.Equal(usual, []string{a.Name}) {
			c.not = ""
		}
		c.via = out.Destination
		c.others = slices.DeleteFunc(addressesOf(r), func(name string) bool { return name == a.Name || slices.Contains(usual, name) })
	}
	return c
}

// usual lists the addresses of a destination that alerts about Pushback itself go to.
func (w *watch) usual(r notify.Router, found time.Time) (names []string) {
	a := alert.Alert{RuleID: HealthRuleID, RuleName: healthRuleName, Severity: healthSeverity, Created: found}
	var at []ledger.Target
	routed := false
	if targets := w.config.targets(); targets != nil {
		at, routed = targets(r.Name(), a)
	}
	if !routed {
		return []string{r.Address(a)}
	}
	for _, t := range at {
		to := a
		to.Address = t.Address
		names = append(names, r.Address(to))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// firstLine returns what an error says in its first line, behind a space.
func firstLine(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return " " + line
}
