package main

import (
	"context"
	"errors"
	"time"

	"pushback/detect"
	"pushback/detect/kql"
	"pushback/detect/look"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// looks says of which rules no look can tell whether records came in late.
func (c *checker) looks(rules []*rule.Rule, q detect.Querier, one func(func(context.Context))) {
	within := lateLook(c.settings, rules)
	if within == 0 || len(rules) == 0 {
		return
	}
	known := looksOf(rules, kql.Catalog{Tables: kql.KnownTables()})
	var asked []*rule.Rule
	var asks []look.Ask
	now := c.now().UTC()
	for _, r := range rules {
		if why := known.without[r.ID]; why != nil {
			c.noLook(r, why)
			continue
		}
		asked = append(asked, r)
		asks = append(asks, look.Ask{
			Beginnings: known.beginnings[r.ID], Since: now.Add(-detect.DefaultConfig().LookMargin),
			From: now.Add(-within - r.QueryPeriod), To: now, Width: max(r.QueryFrequency, time.Minute),
		})
	}
	if q == nil {
		return
	}
	found := 0
	for _, batch := range look.Batches(asks) {
		first, last := batch[0], batch[len(batch)-1]+1
		one(func(ctx context.Context) { found += c.look(ctx, q, asked[first:last], asks[first:last]) })
	}
	if found > 0 {
		c.note("late", checkOK, "looks say which records of %s came in late, up to %s", count(int64(found), "rule"), shortHours(within))
	}
}

// look asks for rules in one query, as serve does, and counts those that it says
// something of.
func (c *checker) look(ctx context.Context, q detect.Querier, rules []*rule.Rule, asks []look.Ask) (found int) {
	table, err := q.Query(ctx, look.Query(asks))
	if refused := new(*workspace.QueryError); errors.As(err, refused) && len(asks) > 1 {
		half := len(asks) / 2
		return c.look(ctx, q, rules[:half], asks[:half]) + c.look(ctx, q, rules[half:], asks[half:])
	}
	if err == nil && table.NoData {
		return 0 // as was said of the workspace
	}
	var answers []look.Answer
	if err == nil {
		answers, _, err = look.Read(asks, table)
	}
	for i, r := range rules {
		why := err
		if why == nil {
			why = answers[i].Err
		}
		if why != nil {
			c.noLook(r, why)
		} else {
			found++
		}
	}
	return found
}

func (c *checker) noLook(r *rule.Rule, why error) {
	c.note("late", checkWarning, "%s: %q: no look can tell whether records came in late, so each window is queried again at every frequency for %s: %v",
		r.File, r.Name, shortHours(c.settings.Lateness), why)
}
