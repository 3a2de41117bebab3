package detect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pushback/detect/ledger"
	"pushback/detect/look"
	"pushback/detect/schedule"
	"pushback/detect/workspace"
)

const (
	// lookTimeout is how long one query of a look may take.
	lookTimeout = time.Minute
	// looksTimeout is how long all looks of a tick may take.
	looksTimeout = 2 * time.Minute
	// looksAtOnce is how many queries of looks run at a time, and mostAlone how many
	// rules a tick asks for alone.
	looksAtOnce = 5
	mostAlone   = 20
	// lookAgain is after how long a rule is looked for again whose look failed when
	// it was asked for alone.
	lookAgain = time.Hour
	// beyondEvery is how often what came in too late is counted, and mostBeyond how
	// long after it was generated.
	beyondEvery = 24 * time.Hour
	mostBeyond  = 14 * 24 * time.Hour
)

// lateLook is a look for one rule.
type lateLook struct {
	p           *progress
	ask         look.Ask
	first, last time.Time // the ends of the windows that it is about
	// open says that it is to be asked for, alone that in a query of its own, and
	// beyond is the look for what came in too late, or nil.
	open, alone bool
	beyond      *lateLook
	answer      look.Answer
	asked       time.Time // by the service
}

// lookTrouble is a look that failed. The rule's next one is asked for alone, so
// that it keeps no other rule from its answer, and not before a time.
type lookTrouble struct {
	err   error
	until time.Time
}

// lookForLate has those windows run again that late records are in, of the rules
// whose look is due. Where a look says nothing of a rule its late passes run, as
// they do without looks. It calls ready with each rule of which all that is due is
// known.
func (r *runner) lookForLate(ctx context.Context, all []*progress, now time.Time, ready func(*progress)) {
	var looks []*lateLook
	alone := 0
	for _, p := range all {
		state := p.rule.state(p.found)
		if p.lease == nil || p.run.Err != nil || !p.rule.schedule.LookDue(state, now) {
			ready(p)
			continue
		}
		first, last, any := p.rule.schedule.Finished(state, now)
		l := &lateLook{p: p, first: first, last: last, ask: look.Ask{
			Beginnings: p.rule.beginnings, Since: p.state.Looks.Mark.Add(-r.config.LookMargin),
			From: first.Add(-p.rule.schedule.Period()), To: last, Width: p.rule.schedule.Frequency(),
		}}
		trouble, troubled := r.troubles[p.rule.ID]
		if any {
			l.beyond = r.beyond(l, now)
		}
		switch {
		case !any: // what comes in is seen by the first passes
			p.runLate(nil, now)
		case r.config.nothingLate(p.rule, p.state.Looks.Mark, now):
			l.asked = now
			l.settle(now)
		case troubled && (now.Before(trouble.until) || alone == mostAlone):
			l.answer.Err = trouble.err
			l.settle(now)
		default:
			l.alone, l.open = troubled, true
			if troubled {
				alone++
			}
		}
		if l.open || l.beyond != nil {
			looks = append(looks, l)
		} else {
			ready(p)
		}
	}
	bounded, cancel := context.WithTimeout(ctx, looksTimeout)
	defer cancel()
	var mu sync.Mutex
	r.ask(bounded, looks, func(batch []*lateLook) {
		mu.Lock()
		defer mu.Unlock()
		late := bounded.Err() != nil
		for _, l := range batch {
			if l.open && (l.answer.Err == nil || ctx.Err() == nil) { // else the next tick looks
				if l.answer.Err == nil || !late {
					r.note(l, now)
				}
				l.settle(now)
			}
			if l.beyond != nil && l.beyond.answer.Err == nil {
				l.p.tooLate(l.beyond, now)
			}
			ready(l.p)
		}
	})
}

// nothingLate reports whether it is known that no record came in late of the tables
// that a rule reads.
func (c Config) nothingLate(rule scheduledRule, after, now time.Time) bool {
	next, known := c.nextLate(rule, after)
	return known && (next.IsZero() || next.After(now))
}

// nextLate returns when the first record after a time came in late of the tables
// that a rule reads, zero if none did, and whether that is known.
func (c Config) nextLate(rule scheduledRule, after time.Time) (next time.Time, known bool) {
	if c.LateRecords == nil {
		return next, len(rule.beginnings) == 0
	}
	for _, b := range rule.beginnings {
		if at := c.LateRecords(b.Table, after); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next, true
}

// nextLook returns when the next look after a time is due that may find anything,
// or the zero time.
func (c Config) nextLook(rule scheduledRule, after time.Time) time.Time {
	at := after.Add(1)
	switch next, known := c.nextLate(rule, rule.schedule.LastLook(after)); {
	case !known:
	case next.IsZero():
		return next
	case next.After(at):
		at = next
	}
	return rule.schedule.NextLook(at)
}

// beyond returns the look for what came in too late for the rule of another look, or
// nil if it is not due.
func (r *runner) beyond(l *lateLook, now time.Time) *lateLook {
	since, s := l.p.state.Looks.Beyond, l.p.rule.schedule
	after := r.config.Delay + s.Within()
	if r.config.Health == nil || now.Sub(since) < beyondEvery || after >= mostBeyond || len(l.ask.Beginnings) == 0 || l.alone {
		return nil
	}
	b := *l
	b.ask.Since, b.ask.From = since.Add(-r.config.LookMargin), now.Add(-mostBeyond)
	b.ask.Beyond = &look.Beyond{Frequency: s.Frequency(), Period: s.Period(), After: after}
	b.answer, b.asked = look.Answer{}, time.Time{}
	return &b
}

// ask asks the workspace for looks, many in a query, and calls answered with those of
// which the answers are there.
func (r *runner) ask(ctx context.Context, looks []*lateLook, answered func([]*lateLook)) {
	var batches [][]*lateLook
	var together []*lateLook
	var asks []look.Ask
	for _, l := range looks {
		if l.alone {
			batches = append(batches, []*lateLook{l})
		} else {
			together, asks = append(together, l), append(asks, l.ask)
		}
	}
	for _, indexes := range look.Batches(asks) {
		batches = append(batches, together[indexes[0]:indexes[len(indexes)-1]+1])
	}
	var running sync.WaitGroup
	free := make(chan struct{}, looksAtOnce)
	for _, batch := range batches {
		free <- struct{}{}
		running.Go(func() {
			defer func() { <-free }()
			var open, beyond []*lateLook
			for _, l := range batch {
				if l.open {
					open = append(open, l)
				}
				if l.beyond != nil {
					beyond = append(beyond, l.beyond)
				}
			}
			for _, list := range [][]*lateLook{open, beyond} {
				if len(list) > 0 {
					r.askBatch(ctx, list)
				}
			}
			answered(batch)
		})
	}
	running.Wait()
}

// askBatch asks for looks in one query. Where the service refuses it one of them
// is to blame, and the others are asked for without it.
func (r *runner) askBatch(ctx context.Context, batch []*lateLook) {
	asks := make([]look.Ask, len(batch))
	for i, l := range batch {
		asks[i] = l.ask
	}
	var answers []look.Answer
	var asked time.Time
	err := ctx.Err()
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, lookTimeout)
		defer cancel()
		err = guarded(func() error {
			table, err := r.querier.Query(bounded, look.Query(asks))
			if err == nil {
				answers, asked, err = look.Read(asks, table)
			}
			return err
		})
	}
	if refused := new(*workspace.QueryError); errors.As(err, refused) && len(batch) > 1 {
		r.askBatch(ctx, batch[:len(batch)/2])
		r.askBatch(ctx, batch[len(batch)/2:])
		return
	}
	for i, l := range batch {
		l.asked, l.alone = asked, len(batch) == 1
		if l.answer.Err = err; err == nil {
			l.answer = answers[i]
		}
	}
}

// waited reports whether a look had no time left after it waited for its turn, of
// which its rules are not to blame.
func waited(err error) bool {
	_, late := errors.AsType[*workspace.TimeoutError](err)
	return !late && errors.Is(err, context.DeadlineExceeded)
}

// note notes whether a look failed, for the next one.
func (r *runner) note(l *lateLook, now time.Time) {
	id, err := l.p.rule.ID, l.answer.Err
	var unresolved *look.UnresolvedError
	var unknown *look.UnknownTimeError
	switch {
	case err == nil, errors.As(err, &unresolved), errors.As(err, &unknown), workspace.Unavailable(err), waited(err):
		delete(r.troubles, id)
		return
	case r.troubles == nil:
		r.troubles = map[string]lookTrouble{}
	}
	trouble := lookTrouble{err: err}
	if l.alone {
		trouble.until = now.Add(lookAgain)
	}
	r.troubles[id] = trouble
}

// settle has the windows run that a look found or, if it failed, those of which a
// late pass is due.
func (l *lateLook) settle(now time.Time) {
	p, s := l.p, l.p.rule.schedule
	if l.answer.Err != nil {
		p.run.NoLook = l.answer.Err
		p.run.warn(fmt.Sprintf("rule %q: warning: a look does not say whether records came in late, so late passes run: %v", p.rule.Name, l.answer.Err))
		p.runPasses(now)
		return
	}
	p.state.Looks.Mark = l.mark(now)
	p.runLate(s.Covering(l.answer.Stretches, l.answer.Width, l.first, l.last), now)
}

// mark is the time of the look, unless the service's clock is far ahead of ours:
// what it says then would have later looks overlook what comes in until it is.
func (l *lateLook) mark(now time.Time) time.Time {
	if l.asked.After(now.Add(farAhead)) {
		return now
	}
	return l.asked
}

// farAhead is longer than a tick and what two clocks may differ by.
const farAhead = 30 * time.Minute

// runLate has windows run again that a look found.
func (p *progress) runLate(late []time.Time, now time.Time) {
	p.plan = p.rule.schedule.AddLate(p.plan, late, now)
	p.lookedAt(now, p.found.Pending)
}

// runPasses has the windows run of which a late pass is due.
func (p *progress) runPasses(now time.Time) {
	s := p.rule.schedule
	late := s.LatePasses(p.rule.state(p.found), now)
	p.plan = s.AddPasses(p.plan, late, now)
	p.state.Pending = p.plan.State.Pending
	late = append(late, p.found.Pending...)
	slices.SortFunc(late, time.Time.Compare)
	p.lookedAt(now, slices.CompactFunc(late, time.Time.Equal))
}

// lookedAt notes that late records were looked for. If the tick does not get to the
// rule, those windows are pending.
func (p *progress) lookedAt(now time.Time, pending []time.Time) {
	p.due = p.plan.Windows
	p.state.Looks.Late = stretches(p.rule.schedule, p.plan.State.Late)
	p.state.Looks.Looked, p.looked = now, true
	p.found.Pending = pending
}

// keepLook has what a look found saved where the tick did not get further with the
// rule.
func (p *progress) keepLook() {
	if p.looked && !p.touched {
		looks := p.state.Looks
		p.state = p.found
		p.state.Looks, p.touched = looks, true
	}
}

// beginLooks takes over what a plan says of late records. What was never looked for
// is looked for from now on.
func (p *progress) beginLooks(plan schedule.Plan) {
	looks := &p.state.Looks
	looks.Looked, looks.Late = plan.State.Looked, stretches(p.rule.schedule, plan.State.Late)
	switch {
	case !p.rule.schedule.Looks():
		looks.Mark, looks.Beyond = time.Time{}, time.Time{}
	case looks.Mark.IsZero():
		looks.Mark = looks.Looked
	}
	if looks.Beyond.IsZero() {
		looks.Beyond = looks.Mark
	}
}

// withoutLate returns the looks of a state after a window was run again.
func (r scheduledRule) withoutLate(s ledger.State, end time.Time) ledger.Looks {
	looks := s.Looks
	if len(looks.Late) > 0 {
		looks.Late = stretches(r.schedule, slices.DeleteFunc(r.state(s).Late, end.Equal))
	}
	return looks
}

// state returns what the rule's schedule has to know of its state.
func (r scheduledRule) state(s ledger.State) schedule.State {
	late := make([]schedule.Stretch, len(s.Looks.Late))
	for i, stretch := range s.Looks.Late {
		late[i] = schedule.Stretch(stretch)
	}
	return schedule.State{First: s.First, Watermark: s.Watermark, Pending: s.Pending, Looked: s.Looks.Looked, Late: r.schedule.Ends(late), Rerun: r.rerun(s)}
}

func stretches(s schedule.Schedule, ends []time.Time) (list []ledger.Stretch) {
	for _, stretch := range s.Stretches(ends) {
		list = append(list, ledger.Stretch(stretch))
	}
	return list
}

// TooLate are the records of a table that came in too late for any pass over a
// window of the rule.
type TooLate struct {
	Table   string
	Records int64
	// Latest is the longest time from when one was generated until it came in, and
	// Needed what Config.LateLook must be for all of them.
	Latest, Needed time.Duration
}

// tooLate notes what a look found that came in too late.
func (p *progress) tooLate(l *lateLook, now time.Time) {
	p.run.TooLateKnown, p.run.LateLook = true, p.rule.schedule.Within()
	p.state.Looks.Beyond = l.mark(now)
	after := l.ask.Beyond.After
	for _, table := range l.answer.Beyond {
		// A look that finds the last of them is up to a frequency later.
		needed := table.Excess - after + p.rule.schedule.Within() + p.rule.schedule.Frequency()
		p.run.TooLate = append(p.run.TooLate, TooLate{table.Table, table.Records, table.Latest, (needed + time.Hour - 1).Truncate(time.Hour)})
	}
}

// tooLateCondition says that records came in too late for a rule.
func tooLateCondition(r RuleRun, now time.Time) condition {
	var texts []string
	for _, t := range r.TooLate {
		text := fmt.Sprintf("%s: %s came in up to %s after %s generated, when no window with %s was looked at any more.",
			t.Table, counted(int(t.Records), "record", "records"), t.Latest.Round(time.Second), wasOrWere(t.Records), itOrThem(t.Records))
		if t.Needed <= mostBeyond {
			text += fmt.Sprintf(" PUSHBACK_LATE_LOOK=%s would have caught %s (it is %s).", hours(t.Needed), itOrThem(t.Records), hours(r.LateLook))
		} else {
			text += fmt.Sprintf(" PUSHBACK_LATE_LOOK is %s, and %s at most.", hours(r.LateLook), hours(mostBeyond))
		}
		texts = append(texts, text)
	}
	return condition{
		key: conditionKey{kind: recordsTooLate, name: r.RuleID}, title: fmt.Sprintf("Records came too late for the rule %q", r.RuleName),
		text: strings.Join(texts, " "), since: now,
	}
}

func wasOrWere(n int64) string {
	if n == 1 {
		return "it was"
	}
	return "they were"
}

func itOrThem(n int64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// hours writes a length of time as a setting takes it.
func hours(d time.Duration) string {
	if d%time.Hour == 0 {
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return d.String()
}
