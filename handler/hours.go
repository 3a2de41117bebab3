package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"time"

	"pushback/detect/alert"
	"pushback/detect/kql"
	"pushback/detect/rule"
)

// rejectionsQuery counts the sign-ins of each hour that a user rejected.
//
//go:embed hours.kql
var rejectionsQuery string

// signInTables are those of which each record is a sign-in of a user.
var signInTables = map[string]bool{
	"SigninLogs": true, "AADNonInteractiveUserSignInLogs": true, "ADFSSignInLogs": true,
	"EntraIdSignInEvents": true, "AADSignInEventsBeta": true,
}

// rejectionTables are those that rejectionsQuery reads.
var rejectionTables = []string{"SigninLogs", "AADNonInteractiveUserSignInLogs"}

// hours say what a run saw hour by hour. Only hours in which something happened
// take room, so that records of years apart cost nothing.
type hours struct {
	// signIns says that the records are sign-ins. They are the records of what
	// else the rules read if those read no sign-ins.
	signIns     bool
	first, last int64 // the run's hours, both included
	counts      map[int64]*hour
}

// hour is what a run saw in one hour, or in several that stand for one.
type hour struct {
	Start      time.Time `json:"start"`
	Records    int       `json:"records"`
	Rejections int       `json:"rejections"`
	Alerts     int       `json:"alerts"`
}

// newHours returns the hours of a run from first to last, which is not part of it.
func newHours(first, last time.Time) *hours {
	return &hours{first: hourOf(first), last: max(hourOf(first), hourOf(last.Add(-alert.Resolution))), counts: make(map[int64]*hour)}
}

// hourOf numbers the hour that a time is in, from 1970 on.
func hourOf(t time.Time) int64 {
	seconds := t.Unix()
	return (seconds - (seconds%3600+3600)%3600) / 3600
}

// at returns the counts of the hour that a time is in, or nil if it is none of the run.
func (h *hours) at(t time.Time) *hour {
	n := hourOf(t)
	if n < h.first || n > h.last {
		return nil
	}
	if h.counts[n] == nil {
		h.counts[n] = new(hour)
	}
	return h.counts[n]
}

// add counts an alert in the hour in which its activities began.
func (h *hours) add(a alert.Alert) {
	if c := h.at(alertTime(a)); c != nil {
		c.Alerts++
	}
}

// alertTime is when what an alert brings began, or if nobody knows when it was made.
func alertTime(a alert.Alert) time.Time {
	if at := a.Happened().Start; alert.Known(at) {
		return at
	}
	return a.Created
}

// hourSteps are the numbers of hours that can stand for one; more are multiples of
// the last.
var hourSteps = []int64{1, 2, 3, 6, 12, 24, 7 * 24, 28 * 24}

// atMost returns the counts of the run in no more than so many steps of the same
// length, those without a record too, and the length in hours.
func (h *hours) atMost(most int) (list []hour, step int64) {
	n := h.last - h.first + 1
	for i := 0; step == 0 || (n+step-1)/step > int64(max(most, 1)); i++ {
		if i < len(hourSteps) {
			step = hourSteps[i]
		} else {
			step *= 2
		}
	}
	list = make([]hour, (n+step-1)/step)
	for i := range list {
		list[i].Start = time.Unix((h.first+int64(i)*step)*3600, 0).UTC()
	}
	for at, c := range h.counts {
		sum := &list[(at-h.first)/step]
		sum.Records += c.Records
		sum.Rejections += c.Rejections
		sum.Alerts += c.Alerts
	}
	return list, step
}

// noun is what one record is called, and what many of them are.
func (h *hours) noun() (one, many string) {
	if h.signIns {
		return "sign-in", "sign-ins"
	}
	return "record", "records"
}

// countsRejections says that rules read sign-ins of which rejectionsQuery counts the
// rejected ones. The logs are to be read for it, too.
func (o *offline) countsRejections(rules []*rule.Rule) bool {
	return slices.ContainsFunc(rules, func(r *rule.Rule) bool {
		tables, err := o.lists.tables(r.Query.Text)
		return err == nil && slices.ContainsFunc(tables, func(t string) bool { return slices.Contains(rejectionTables, t) })
	})
}

// hours counts the records and the rejections of each hour of a run over prepared
// logs. The alerts come as they are found: see add. With an error the rejections
// are not counted.
func (o *offline) hours(ctx context.Context, ready *prepared) (*hours, error) {
	h := newHours(ready.first, ready.last)
	tables := slices.DeleteFunc(slices.Clone(ready.read), func(t *kql.Table) bool { return !signInTables[t.Name()] })
	if h.signIns = len(tables) > 0; !h.signIns {
		tables = ready.read
	}
	rejecting := false
	for _, t := range tables {
		rejecting = rejecting || slices.Contains(rejectionTables, t.Name())
		for at, rows := range t.RowsPerHour() {
			if c := h.at(at); c != nil {
				c.Records += rows
			}
		}
	}
	if !rejecting {
		return h, nil
	}
	found, err := kql.Run(ctx, rejectionsQuery, o.lists.database(tables...), kql.Options{Now: ready.last, Limits: o.lists.limits})
	if err != nil {
		return h, fmt.Errorf("the rejections of each hour are not counted: %w", err)
	}
	at, rejections := found.Schema().Index("Hour"), found.Schema().Index("Rejections")
	for row := range found.Rows() {
		start, ok := found.Value(row, at).Time()
		n, err := strconv.Atoi(found.Value(row, rejections).String())
		if c := h.at(start); ok && err == nil && c != nil {
			c.Rejections += n
		}
	}
	return h, nil
}
