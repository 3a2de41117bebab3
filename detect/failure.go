package detect

import (
	"errors"
	"fmt"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// hopeless reports whether the rule's next window would fail like this one:
// the service refuses its query's text or is not to be had, or the ledger is
// down. Other failures, such as a result that is too large or a query that
// takes too long, are those of one window.
func hopeless(err error) bool {
	var refused *workspace.QueryError
	var ledger *ledgerError
	return errors.As(err, &refused) || errors.As(err, &ledger) || workspace.Unavailable(err)
}

func (r scheduledRule) windowError(window alert.Span, err error) error {
	return fmt.Errorf("rule %q, window %s to %s: %w", r.Name,
		window.Start.Format(time.RFC3339), window.End.Format(time.RFC3339), err)
}

// locatedError is the service's refusal of a query, placed in the rule's file.
type locatedError struct {
	problem rule.Problem
	err     error
}

func (e *locatedError) Error() string { return e.problem.String() }

func (e *locatedError) Unwrap() error { return e.err }

// locate turns a position in the query into one in the rule's file.
func (r scheduledRule) locate(err error) error {
	var refused *workspace.QueryError
	if !errors.As(err, &refused) {
		return err
	}
	problem := rule.Problem{File: r.File, Message: fmt.Sprintf("%s (%s)", refused.Message, refused.Code)}
	if refused.Line > 0 {
		problem.Line, problem.Column = r.Query.Locate(refused.Line, refused.Column)
	}
	return &locatedError{problem: problem, err: err}
}

// missingColumns returns a warning for every place where the rule names a
// column that its result lacks.
func missingColumns(r *rule.Rule, table *workspace.Table) []string {
	if table.NoData {
		return nil // the workspace did not look at the query
	}
	var warnings []string
	for _, use := range r.Columns() {
		if table.Column(use.Column) < 0 {
			warnings = append(warnings, rule.Problem{
				File: r.File, Line: use.Line, Column: use.Col, Warning: true,
				Message: fmt.Sprintf("%s: the query's result has no column %q", use.Use, use.Column),
			}.String())
		}
	}
	return warnings
}
