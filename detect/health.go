package detect

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify"
	"pushback/detect/workspace"
)

// HealthRuleID is the id of what Pushback tells about itself: alerts like those
// of a rule, recorded and delivered as they are.
const HealthRuleID = "3f0c7a52-51d6-4c0e-9d43-6b1f6b6f0c11"

const (
	healthRuleName = "Pushback health"
	healthSeverity = alert.Medium
)

// Health says when something is wrong with Pushback itself. Each thing that is
// wrong is told once, and once more when it is over. What is known of it is
// noted in the ledger before it is told, so that a restart, a crash or another
// process repeats nothing and forgets nothing.
type Health struct {
	// FailingTicks is how many ticks in a row something of a rule must fail. A
	// tick that follows a failed one within two minutes is another try of it.
	FailingTicks int
	// Stuck is how long an alert must wait for a destination that takes none, and
	// Late how long for one that takes others.
	Stuck, Late time.Duration
	// Tables are watched for silence, each by its own rhythm: see rhythm.go.
	// RhythmEvery is how often they are asked.
	Tables      []string
	RhythmEvery time.Duration
	// Broken lists what is wrong with the rules' files: rules that are not run.
	Broken []string
}

// DefaultHealth returns three ticks, 20 minutes and two hours, and a look at the
// tables every hour.
func DefaultHealth() *Health {
	return &Health{FailingTicks: 3, Stuck: 20 * time.Minute, Late: 2 * time.Hour, RhythmEvery: time.Hour}
}

// condition is something that is wrong.
type condition struct {
	key, title, text string
	since            time.Time
	// not is the destination that it is about, and that is not told of it.
	not string
	// via is a destination of which only these addresses are sent it, by their
	// names.
	via    string
	others []string
}

// healthState is what is noted in the ledger.
type healthState struct {
	// Open is what is wrong, by the conditions' keys.
	Open map[string]*openCondition `json:"open,omitempty"`
	// Failing counts the ticks in a row that failed, by rule.
	Failing map[string]failedTicks `json:"failing,omitempty"`
	Tables  map[string]*rhythm     `json:"tables,omitempty"`
}

// openCondition is a condition from when it was found until its end was told.
type openCondition struct {
	Title string    `json:"title"`
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
	Not   string    `json:"not,omitempty"`
	// Via is a destination of which Others, too, are sent it.
	Via    string   `json:"via,omitempty"`
	Others []string `json:"others,omitempty"`
	// Found and Over are the ticks that saw it begin and end. Told says that its
	// alert was recorded.
	Found time.Time `json:"found"`
	Told  bool      `json:"told"`
	Over  time.Time `json:"over,omitzero"`
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

const (
	healthNote   = "health"
	healthDetail = "Condition"
)

// health tells what went wrong and what is over. The alerts are delivered by the
// next tick.
func (d *Detector) health(ctx context.Context, report *Report) {
	if d.config.Health == nil || ctx.Err() != nil {
		return
	}
	err := guarded(func() error { return d.tellHealth(ctx, report) })
	if err != nil && ctx.Err() == nil {
		report.HealthErr = fmt.Errorf("telling what is wrong with Pushback itself: %w", err)
	}
}

func (d *Detector) tellHealth(ctx context.Context, report *Report) error {
	text, tag, err := d.ledger.Note(ctx, HealthRuleID, healthNote)
	if err != nil {
		return err
	}
	s, err := readHealth(text)
	if err != nil { // who wrote it is not known, and the watch goes on
		report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("the note %q of rule %q was damaged and is begun anew, so that something may be told again: %v", healthNote, HealthRuleID, err))
	}
	now := report.Time
	s.count(report)
	d.rhythms(ctx, &s, report)
	found, judged := d.conditions(&s, report)
	for _, c := range found {
		s.open(c, now)
	}
	for key, open := range s.Open {
		if !open.Over.IsZero() || slices.ContainsFunc(found, func(c condition) bool { return c.key == key }) {
			continue
		}
		if over, why := judged(key, open); over {
			open.Over, open.Ending = now, why
			if table, ok := strings.CutPrefix(key, "table "); ok && s.Tables[table] != nil {
				s.Tables[table].heal(hourOf(open.Since))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.Open)) {
		if s.Open[key].Over.IsZero() {
			report.Wrong = append(report.Wrong, s.Open[key].Title)
		}
	}
	if tag, err = d.noteHealth(ctx, s, text, tag); err != nil || tag == "" {
		return err // without a tag another process told it
	}
	return d.recordHealth(ctx, s, tag, report)
}

// readHealth returns the state that a note holds, an empty one for none and for
// one that is damaged.
func readHealth(text string) (s healthState, err error) {
	if text != "" {
		if err = json.Unmarshal([]byte(text), &s); err != nil {
			s = healthState{}
		}
	}
	s.Open, s.Failing, s.Tables = orEmpty(s.Open), orEmpty(s.Failing), orEmpty(s.Tables)
	return s, err
}

// mostOpen is how many things are told to be wrong at a time, and mostText how
// long their texts are: what else there is is told when others are over.
const (
	mostOpen = 100
	mostText = 500
)

// open notes a condition that is not known to hold.
func (s *healthState) open(c condition, now time.Time) {
	if s.Open[c.key] == nil && len(s.Open) < mostOpen {
		s.Open[c.key] = &openCondition{Title: shorten(c.title), Text: shorten(c.text), Since: c.since, Not: c.not, Via: c.via, Others: c.others, Found: now}
	}
}

func shorten(text string) string {
	if r := []rune(text); len(r) > mostText {
		return string(r[:mostText]) + "…"
	}
	return text
}

// noteOnce notes what no later tick would see: the windows that rules did not
// look at, before the ledger forgets that they were due, and that the ledger was
// gone, since when it returns. What cannot be noted is kept for the next tick of
// this process.
func (d *Detector) noteOnce(ctx context.Context, runs []RuleRun, now time.Time) (ledgerGone time.Time) {
	if ledgerGone = d.recall.since; !ledgerGone.IsZero() {
		d.unnoted = append(d.unnoted, d.recall.goneCondition())
		if !slices.ContainsFunc(runs, func(r RuleRun) bool { return r.Err != nil }) { // else one may still have to begin there
			d.recall.since = time.Time{}
		}
	}
	if d.config.Health == nil {
		d.unnoted = nil
		return ledgerGone
	}
	for _, r := range runs {
		if r.Skipped.Windows > 0 {
			d.unnoted = append(d.unnoted, skippedCondition(r))
		}
	}
	if len(d.unnoted) == 0 {
		return ledgerGone
	}
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	err := guarded(func() error {
		for range 5 {
			text, tag, err := d.ledger.Note(ctx, HealthRuleID, healthNote)
			if err != nil {
				return err
			}
			s, err := readHealth(text)
			if err != nil {
				return err // tellHealth mends it
			}
			for _, c := range d.unnoted {
				s.open(c, now)
			}
			if next, err := d.noteHealth(ctx, s, text, tag); err != nil || next != "" {
				return err
			}
		}
		return errors.New("other processes note something all the time")
	})
	if err == nil {
		d.unnoted = nil
	}
	return ledgerGone
}

func skippedCondition(r RuleRun) condition {
	return condition{
		key: "skipped " + r.RuleID, title: fmt.Sprintf("The rule %q did not look at some windows", r.RuleName),
		text: "These " + r.Skipped.String() + ".", since: r.Skipped.From,
	}
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}

// noteHealth notes the state in the place of the text that was read with a tag.
// It returns the new tag, or nothing if another process noted something
// meanwhile.
func (d *Detector) noteHealth(ctx context.Context, s healthState, before, tag string) (string, error) {
	ctx, cancel := finishing(ctx, saveTimeout)
	defer cancel()
	text, err := json.Marshal(s)
	if err != nil || string(text) == before {
		return tag, err
	}
	if before == "" && len(s.Open)+len(s.Failing)+len(s.Tables) == 0 {
		return "", nil
	}
	next, ok, err := d.ledger.SetNote(ctx, HealthRuleID, healthNote, string(text), tag)
	if err != nil || !ok {
		return "", err
	}
	return next, nil
}

// recordHealth records the alerts of what was noted and not told. They are made
// of the note alone: done again after a crash they are the same alerts.
func (d *Detector) recordHealth(ctx context.Context, s healthState, tag string, report *Report) error {
	before, err := json.Marshal(s)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(s.Open)) {
		open := s.Open[key]
		first := healthAlert(key, open)
		if !open.Told {
			if err := d.recordHealthAlerts(ctx, key, open, first, open.Not, report); err != nil {
				return err
			}
			open.Told = true
		}
		if !open.Over.IsZero() {
			// Whom it is about is told, since it works again.
			if err := d.recordHealthAlerts(ctx, key, open, healthOver(first, open), "", report); err != nil {
				return err
			}
			delete(s.Open, key)
		}
	}
	_, err = d.noteHealth(ctx, s, string(before), tag)
	return err
}

// recordHealthAlerts records an alert for all destinations but one, and a copy of
// it for each other address of that which a condition is about.
func (d *Detector) recordHealthAlerts(ctx context.Context, key string, open *openCondition, a alert.Alert, not string, report *Report) error {
	to := slices.DeleteFunc(d.destinations(), func(name string) bool { return name == not })
	if err := d.recordHealthAlert(ctx, a, to, report); err != nil {
		return err
	}
	if !slices.Contains(d.destinations(), open.Via) {
		return nil
	}
	for _, name := range open.Others {
		copied := healthMoment(a, key+" for "+name, a.Created, a.Span.Start)
		copied.Address = name
		if err := d.recordHealthAlert(ctx, copied, []string{open.Via}, report); err != nil {
			return err
		}
	}
	return nil
}

func (d *Detector) recordHealthAlert(ctx context.Context, a alert.Alert, to []string, report *Report) error {
	e := ledger.Entry{RuleID: HealthRuleID, State: ledger.State{First: a.Created, Watermark: a.Created}, Alerts: []alert.Alert{a}, Destinations: to}
	if err := d.record(ctx, e); err != nil {
		return err
	}
	report.Health = append(report.Health, a)
	return nil
}

// healthAlert returns the alert of a condition.
func healthAlert(key string, open *openCondition) alert.Alert {
	a := alert.Alert{
		RuleID: HealthRuleID, RuleName: healthRuleName, Title: open.Title, Description: open.Text, Severity: healthSeverity,
		CustomDetails: []alert.Detail{{Name: healthDetail, Values: []string{key}}},
	}
	return healthMoment(a, key, open.Found, open.Since)
}

// healthOver returns the alert that says that a condition is over. It is as
// severe as the one that it updates, so that it takes the same way.
func healthOver(first alert.Alert, open *openCondition) alert.Alert {
	a := first
	a.Title, a.Description = "Over: "+first.Title, cmp.Or(open.Ending, "What was told is over.")
	a.Updates = &alert.Reference{ID: first.ID, Title: first.Title, Created: first.Created, Severity: first.Severity, Identity: alert.Identity(first.Activities)}
	key := ""
	if d := first.CustomDetails; len(d) > 0 && len(d[0].Values) > 0 {
		key = d[0].Values[0]
	}
	return healthMoment(a, key, open.Over, open.Over)
}

// healthMoment gives an alert its time and an id of its own.
func healthMoment(a alert.Alert, key string, created, at time.Time) alert.Alert {
	span := alert.Span{Start: at, End: at}
	// Nobody else chooses what these ids are made of. They stay as they ever were,
	// so that what is noted is recorded once, whatever version goes on with it.
	fingerprint := alert.FormerFingerprint(HealthRuleID, []alert.Field{{Identifier: healthDetail, Value: key}})
	a.Window, a.Span, a.Created = span, span, created
	// The tick is part of what it is: the same may happen again since the same
	// time.
	a.Activities = []alert.Activity{{Fingerprint: fingerprint, Span: span, Events: []alert.EventID{alert.FormerEventID(created.Format(time.RFC3339Nano))}}}
	a.ID = alert.FormerID(HealthRuleID, a.Activities)
	return a
}

// failed reports whether something of the rule failed, or nothing of it could be
// done because its query took too long.
func (r RuleRun) failed() bool { return r.Failure() != nil || r.Cut != nil && len(r.Windows) == 0 }

// count counts the ticks that failed.
func (s *healthState) count(report *Report) {
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
		if !slices.ContainsFunc(report.Rules, func(r RuleRun) bool { return r.RuleID == id }) {
			delete(s.Failing, id)
		}
	}
}

// conditions returns what is wrong after a tick. judged says of a condition that
// was not found whether this tick could tell that it is over, and why if it is
// not for the better.
func (d *Detector) conditions(s *healthState, report *Report) (found []condition, judged func(key string, open *openCondition) (bool, string)) {
	h, now := d.config.Health, report.Time
	const gone = "It is not set up any more."
	known := map[string]bool{"rules": true, ledgerKey: report.LedgerGone.IsZero()} // by the key
	names := map[string]bool{ledgerKey: true}                                      // of what there is
	taking := map[string]AddressRun{}                                              // the addresses, by the key
	for _, r := range report.Rules {
		fails, skipped := "rule "+r.RuleID, "skipped "+r.RuleID
		names[fails], names[skipped] = true, true
		known[fails] = len(r.Windows) > 0
		// While it fails, windows grow too old one by one: that is one story.
		known[skipped] = len(r.Windows) > 0 && !r.failed() && r.Skipped.Windows == 0
		if f := s.Failing[r.RuleID]; f.Ticks >= h.FailingTicks {
			text := fmt.Sprintf("Something of the rule failed in %d ticks in a row.", f.Ticks)
			if !f.Success.IsZero() {
				text += " A window of it was last run at " + f.Success.UTC().Format(time.RFC3339) + "."
			}
			text += firstLine(cmp.Or(r.Failure(), r.Cut))
			found = append(found, condition{key: fails, title: fmt.Sprintf("The rule %q fails", r.RuleName), text: text, since: cmp.Or(f.Success, now)})
		}
		if r.Skipped.Windows > 0 {
			found = append(found, skippedCondition(r))
		}
	}
	found = append(found, d.unnoted...)
	if len(h.Broken) > 0 {
		found = append(found, condition{
			key: "rules", title: "Rules are not run, since their files are wrong",
			text: strings.Join(h.Broken[:min(len(h.Broken), 5)], "; "), since: now,
		})
	}
	unread := slices.ContainsFunc(report.Deliveries, func(out Delivery) bool { return out.Unread || out.Incomplete })
	for _, out := range report.Deliveries {
		stuck, late, parked := "destination "+out.Destination, "late "+out.Destination, "parked "+out.Destination
		names[stuck], names[late], names[parked] = true, true, true
		if out.Unread {
			keepOpen(s, stuck, names)
			continue // what is owed is not known
		}
		refused, stuckLong := false, false
		for _, a := range out.Addresses {
			key := "destination " + addressKey(out.Destination, a.Name)
			if open := s.Open[stuck]; open != nil && len(out.Addresses) == 1 && key != stuck {
				s.Open[key] = open // a version before knew no names
				delete(s.Open, stuck)
			}
			names[key], taking[key] = true, a
			if refused = refused || !a.Refused.IsZero(); !a.Refused.IsZero() && now.Sub(a.Refused) >= h.Stuck {
				found, stuckLong = append(found, d.refusedCondition(key, out, a)), true
			}
		}
		known[stuck] = !refused && (len(out.Addresses) > 0 || out.Pending+out.Parked == 0)
		if len(out.Addresses) == 0 {
			keepOpen(s, stuck, names)
		}
		known[late] = out.Behind == 0
		known[parked] = true
		waits := now.Sub(out.Oldest)
		since := fmt.Sprintf("%d alerts wait for it, the oldest since %s.", out.Pending, out.Oldest.UTC().Format(time.RFC3339)) + firstLine(out.Err)
		switch {
		case out.Pending == 0:
		case out.Orphaned && waits >= h.Stuck:
			found = append(found, condition{key: stuck, title: "Alerts wait for " + out.Destination + ", which is not set up any more",
				text: since + " Set it up again, or give them up with handler outbox drop.", since: out.Oldest, not: out.Destination})
		case out.Behind > 0 && !stuckLong && waits >= h.Late:
			found = append(found, condition{key: late, title: "Alerts for " + out.Destination + " come late", text: "There are more than it takes. " + since, since: out.Oldest, not: out.Destination})
		}
		if out.Parked > 0 {
			found = append(found, condition{
				key: parked, title: "Alerts for " + out.Destination + " are parked",
				text: fmt.Sprintf("It refused %d alerts so often that they are sent no more: see handler outbox list --parked.", out.Parked), since: now,
			})
		}
	}
	for _, name := range h.Tables {
		key := "table " + name
		names[key] = true
		r := s.Tables[name]
		if r == nil {
			continue
		}
		v := r.judge(now, d.config.Lateness)
		if v.silent {
			text := fmt.Sprintf("Its newest record is of the hour of %s. In the four weeks before, the longest time without one was %s. The rules see nothing of what is missing: see whether its connector works.",
				v.newest.Format(time.RFC3339), v.longest)
			if r.Missing {
				text += " The workspace has no such table any more."
			}
			found = append(found, condition{key: key, title: "The table " + name + " is silent", text: text, since: v.newest})
		}
	}
	return found, func(key string, open *openCondition) (bool, string) {
		kind, _, _ := strings.Cut(key, " ")
		if unread && slices.Contains([]string{"destination", "late", "parked"}, kind) {
			return false, "" // there may be more that is owed
		}
		if key != "rules" && !names[key] {
			return true, gone
		}
		if table, ok := strings.CutPrefix(key, "table "); ok {
			// Only a new record ends it.
			r := s.Tables[table]
			return r != nil && len(r.Hours) > 0 && timeOfHour(r.newest()+1).After(open.Found), ""
		}
		if a, ok := taking[key]; ok { // that it was not tried lately shows nothing
			return a.Refused.IsZero() && (a.Waiting == 0 || a.LastTaken.After(open.Found)), ""
		}
		return known[key], ""
	}
}

// keepOpen keeps the conditions of a destination whose addresses are not known.
func keepOpen(s *healthState, stuck string, names map[string]bool) {
	for key := range s.Open {
		if strings.HasPrefix(key, stuck+" ") {
			names[key] = true
		}
	}
}

// refusedCondition says that an address takes nothing. It is reported to all
// other addresses, those of the same destination among them.
func (d *Detector) refusedCondition(key string, out Delivery, a AddressRun) condition {
	c := condition{
		key: key, title: "The destination " + out.Destination + " does not take alerts", since: a.Refused, not: out.Destination,
		text: fmt.Sprintf("It takes nothing since %s, and is tried again at %s.", a.Refused.UTC().Format(time.RFC3339), a.Next.UTC().Format(time.RFC3339)),
	}
	if len(out.Addresses) > 1 {
		c.title = "The destination " + addressKey(out.Destination, a.Name) + " does not take alerts"
	}
	if a.Waiting > 0 {
		c.text += fmt.Sprintf(" %d alerts wait for it, the oldest since %s. They are sent when it takes them.", a.Waiting, a.Oldest.UTC().Format(time.RFC3339))
	}
	c.text += " " + a.Error
	for _, n := range d.notifiers {
		r, ok := n.(notify.Router)
		if !ok || n.Name() != out.Destination {
			continue
		}
		usual := r.Address(alert.Alert{RuleID: HealthRuleID, Severity: healthSeverity})
		if usual != a.Name {
			c.not = ""
		}
		c.via = out.Destination
		c.others = slices.DeleteFunc(addressesOf(r), func(name string) bool { return name == a.Name || name == usual })
	}
	return c
}

// firstLine returns what an error says in its first line, behind a space.
func firstLine(err error) string {
	if err == nil {
		return ""
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return " " + line
}

// rhythms asks how the tables' records arrive, if it is time to.
func (d *Detector) rhythms(ctx context.Context, s *healthState, report *Report) {
	h, now := d.config.Health, report.Time
	for name := range s.Tables {
		if !slices.Contains(h.Tables, name) {
			delete(s.Tables, name)
		}
	}
	for _, name := range h.Tables {
		if ctx.Err() != nil {
			return
		}
		r := s.Tables[name]
		if r != nil && now.Sub(r.Tried) < h.RhythmEvery {
			continue
		}
		if r == nil {
			r = &rhythm{}
		}
		err := r.ask(ctx, d.querier, name, now, d.config.Lateness)
		if ctx.Err() != nil || hopeless(err) && !errors.As(err, new(*workspace.QueryError)) {
			return // the next tick asks; the rules' own failures say what is wrong
		}
		r.Tried = now
		s.Tables[name] = r
		if err != nil {
			report.HealthWarnings = append(report.HealthWarnings, fmt.Sprintf("the table %s is not watched for silence: %v", name, err))
		}
	}
}
