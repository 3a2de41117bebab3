package rule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Repeats says what is reported again once r takes the place of a rule that is live:
// by what it is known in the ledger, and what of it an activity is known by. It is
// nothing where an edit repeats nothing.
func (r *Rule) Repeats(live *Rule) []Problem {
	var list []Problem
	say := func(path, format string, args ...any) {
		at := r.at[path]
		if at == (position{}) {
			line, column := r.Query.Locate(1, 1)
			at = position{line, column}
		}
		list = append(list, Problem{File: r.File, Line: at.line, Column: at.column, Warning: true, Message: fmt.Sprintf(format, args...)})
	}
	if !strings.EqualFold(r.ID, live.ID) {
		say("id", "the id is not that of the live rule, %s, so it begins anew: everything within reach of its first windows (%s each) is reported again, "+
			"and its incidents and suppressions begin anew: keep the id", live.ID, period(r))
		return list // the rest says no more
	}
	was, is := identityOf(live), identityOf(r)
	switch {
	case !slices.Equal(was, is):
		path := fmt.Sprintf(identityPath, 0)
		if len(r.Identity) == 0 {
			path = entityPath(0, 0)
		}
		say(path, "the columns that identify an activity are others than those of the live rule (%s, and were %s): what still lies in a window (%s) is reported again",
			namesOr(is, "all of its row"), namesOr(was, "all of its row"), period(r))
	case len(is) == 0 && r.Query.Text != live.Query.Text:
		say("query", "the query is another than the live rule's, and an activity is identified by all columns of its row: where those differ, what still lies in a window (%s) is reported again: "+
			"name the columns that identify it under pushback: identity", period(r))
	}
	if events := sorted(r.Events); len(events) > 0 && !slices.Equal(sorted(live.Events), events) {
		say(fmt.Sprintf(eventsPath, 0), "the columns of the single events are others than those of the live rule (%s, and were %s): what still lies in a window (%s) is reported again",
			namesOr(events, "none"), namesOr(sorted(live.Events), "none"), period(r))
	}
	return list
}

// identityOf returns the columns that identify an activity, in order.
func identityOf(r *Rule) []string { return sorted(r.IdentityColumns()) }

func sorted(names []string) []string { return slices.Compact(slices.Sorted(slices.Values(names))) }

func namesOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}

// period writes how much a window of a rule covers.
func period(r *Rule) string {
	if r.QueryPeriod == 0 {
		return "the period of near-real-time rules"
	}
	text := r.QueryPeriod.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	if d := r.QueryPeriod / (24 * time.Hour); d > 1 && r.QueryPeriod%(24*time.Hour) == 0 {
		return fmt.Sprintf("%d days", d)
	}
	return text
}
