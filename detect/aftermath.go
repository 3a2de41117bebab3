package detect

import (
	"context"
	"fmt"
	"slices"
	"time"

	"pushback/detect/alert"
	"pushback/detect/ledger"
)

// aftermathLasts is how long after an alert was made its aftermath is looked
// for.
const aftermathLasts = 24 * time.Hour

// follow looks whether there is news of what a rule told lately, and records
// updates. Each alert is updated once. It is done with the rule's windows, so
// that a tick without any asks nothing.
func (d *Detector) follow(ctx context.Context, p *progress, now time.Time) {
	if p.lease == nil || len(p.run.Windows) == 0 || hopeless(p.run.Windows[len(p.run.Windows)-1].Err) || ctx.Err() != nil {
		return
	}
	err := guarded(func() error {
		recent, err := d.ledger.Recent(ctx, p.rule.ID, now.Add(-aftermathLasts))
		if err != nil {
			return err
		}
		updated := map[string]bool{}
		for _, a := range recent {
			if a.Updates != nil {
				updated[a.Updates.ID] = true
			}
		}
		var open []alert.Alert
		for _, a := range recent {
			if a.Updates == nil && !updated[a.ID] && !a.Context.Has(successSameIP) {
				open = append(open, a)
			}
		}
		if len(open) == 0 {
			return nil
		}
		updates, warnings := d.config.Enricher.Aftermath(ctx, open, now)
		for _, w := range warnings {
			p.run.warn(fmt.Sprintf("rule %q: warning: %s", p.rule.Name, w))
		}
		if len(updates) == 0 || !d.keepLease(ctx, p, now) {
			return nil
		}
		e := d.entry(p, p.state, updates)
		if err := d.record(ctx, e); err != nil {
			return err
		}
		p.touched = false // the state went with it
		p.run.Updates, p.run.UpdatesHeldBack = updates, len(e.HeldBack)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		p.fail("following up what it told", err)
	}
}

// successSameIP is the finding that an update is about.
const successSameIP = "success-same-ip"

// entry is what the ledger is to keep: alerts that are owed to the destinations,
// and those that are held back.
func (d *Detector) entry(p *progress, state ledger.State, alerts []alert.Alert) ledger.Entry {
	e := ledger.Entry{RuleID: p.rule.ID, State: state, Destinations: d.destinations()}
	if !slices.ContainsFunc(alerts, d.holdsBack) { // as a rule, and there may be very many
		e.Alerts = alerts
		return e
	}
	for _, a := range alerts {
		if d.holdsBack(a) {
			e.HeldBack = append(e.HeldBack, a)
		} else {
			e.Alerts = append(e.Alerts, a)
		}
	}
	return e
}
