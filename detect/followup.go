package detect

import (
	"context"
	"fmt"
	"time"

	"pushback/detect/alert"
)

// follow looks whether there is news of what a rule reported lately, and records
// updates. Each alert is updated once. It is done with the rule's windows, so
// that a tick without any asks nothing.
func (r *runner) follow(ctx context.Context, p *progress, now time.Time) {
	if p.lease == nil || len(p.run.Windows) == 0 || hopeless(p.run.Windows[len(p.run.Windows)-1].Err) || ctx.Err() != nil {
		return
	}
	err := guarded(func() error {
		recent, err := r.history.Recent(ctx, p.rule.ID, now.Add(-alert.AftermathLasts))
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
			if a.Updates == nil && !updated[a.ID] && !a.Context.GotIn() {
				open = append(open, a)
			}
		}
		if len(open) == 0 {
			return nil
		}
		updates, warnings := r.config.Enricher.Aftermath(ctx, open, now)
		for _, w := range warnings {
			p.run.warn(fmt.Sprintf("rule %q: warning: %s", p.rule.Name, w))
		}
		if len(updates) == 0 || !p.keepLease(ctx, now) {
			return nil
		}
		e := r.entry(p, p.state, updates)
		if err := record(ctx, r.history, e); err != nil {
			return err
		}
		p.touched = false // the state went with it
		p.run.Updates, p.run.UpdatesHeldBack = updates, len(e.HeldBack)
		return nil
	})
	if err != nil && ctx.Err() == nil {
		p.fail("following up what it reported", err)
	}
}
