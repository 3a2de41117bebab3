package ledger

import "time"

// putState puts a rule's state into an entity, as one text of JSON: a field of
// [State] needs nothing but its name there.
func putState(e map[string]any, s State) error { return putJSON(e, "State", s) }

// state reads what putState wrote.
func (e *entity) state() (s State) {
	e.json("State", &s)
	return s
}

// putFormer puts what a version before kept of a rule, as it did.
func putFormer(e map[string]any, r *runRow) error {
	putTime(e, "First", r.state.First)
	putTime(e, "Watermark", r.state.Watermark)
	putTime(e, "LastSuccess", r.state.LastSuccess)
	e["Failures"] = r.state.Failures
	if len(r.state.Pending) > 0 {
		if err := putJSON(e, "Pending", r.state.Pending); err != nil {
			return err
		}
	}
	if len(r.tally) > 0 {
		return putJSON(e, "Tally", r.tally)
	}
	return nil
}

// former reads what a version before kept of a rule in what is its fence now. It is
// nil where there is nothing of it any more.
func (e *entity) former(f *fenceRow) *runRow {
	if _, there := e.properties["Failures"]; !there && f.format >= sharedFormat {
		return nil
	}
	r := &runRow{ruleID: f.ruleID, format: f.format, unmoved: true}
	if f.format < sharedFormat {
		r.holder, r.until = f.holder, e.time("Until")
	}
	r.state = State{First: e.time("First"), Watermark: e.time("Watermark"), LastSuccess: e.time("LastSuccess"), Failures: e.number("Failures")}
	var pending []time.Time
	e.json("Pending", &pending)
	r.state.Pending = pending
	e.json("Tally", &r.tally)
	return r
}
