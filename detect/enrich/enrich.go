// Package enrich looks up what an analyst would look up first about alerts,
// and says what it means for them.
//
// It is entity-driven: whatever rule an alert is of, it gets what is known of
// its Account and IP entities. What is looked up is data, in the form in which rules
// bring their own: contexts.yaml, with the queries in queries/. Their number does
// not depend on that of the alerts: the entities of all go in front of each, as
// dynamic literals, in lists that are split only past the limits of [Config].
//
// Context never stands in an alert's way. What can not be had, because the
// table does not exist, the time is up or the service fails, becomes a line of
// each alert that it would have been about, and a warning.
package enrich

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"pushback/detect/alert"
	"pushback/detect/rule"
	"pushback/detect/workspace"
)

// Querier answers a query. [*workspace.Client] is one.
type Querier interface {
	Query(ctx context.Context, q workspace.Query) (*workspace.Table, error)
}

// Config limits what is asked, and says what counts.
type Config struct {
	// History is how far before an alert its context reaches.
	History time.Duration
	// Timeout limits all queries for the alerts of a window together.
	Timeout time.Duration
	// MostEntities and MostBytes limit a list in a query; what is more goes
	// into another query.
	MostEntities, MostBytes int
	// Bombing is how many prompts within an hour are a bombing.
	Bombing int
	// Repeated is how many rejections within a day raise the severity.
	Repeated int
	// Aftermath is how long what follows a prompt that was not approved counts:
	// from the last of them on.
	Aftermath time.Duration
	// IPv6Prefix is how many leading bits of IPv6 addresses are compared: a host has
	// all addresses of its network to choose from.
	IPv6Prefix int
	// Steps say how findings change the severity.
	Steps Steps
	// Brought are the kinds of context that rules bring, by the rules' ids.
	Brought map[string]Brought
}

// DefaultConfig returns 14 days of history, a minute for the queries, lists of
// 5,000 entities or 400 kB, a bombing from five prompts in an hour on, repeated from
// five rejections in a day on, an aftermath of [alert.AftermathLasts], IPv6
// addresses by /64, and [DefaultSteps].
func DefaultConfig() Config {
	steps, err := ParseSteps(DefaultSteps)
	if err != nil {
		panic(err) // a mistake in the source
	}
	return Config{History: 14 * 24 * time.Hour, Timeout: time.Minute, MostEntities: 5000, MostBytes: 400_000, Bombing: 5, Repeated: 5,
		Aftermath: alert.AftermathLasts, IPv6Prefix: 64, Steps: steps}
}

// Enricher adds context to alerts. It is safe for concurrent use.
type Enricher struct {
	config  Config
	querier Querier
	whole   bool // queries tell everything: what tests compare with
}

// New returns an Enricher that asks querier.
func New(config Config, querier Querier) *Enricher {
	return &Enricher{config: config, querier: querier}
}

// kind is a kind of context: the definition of it as data, its query, and what is done
// with each row of the answer.
type kind struct {
	rule.Context
	query query
	row   func(b *batch, r row)
}

// names are what can be missing of a kind.
func (k *kind) names() []string {
	names := []string{k.Name}
	for _, t := range k.Tables {
		names = append(names, t.Name)
	}
	return names
}

// isOf reports whether the query is about entities of a type.
func (k *kind) isOf(entity string) bool { return k.Key.Entity == entity }

// from is from when on the query looks, and to until when.
func (k *kind) from(b *batch) time.Time {
	switch {
	case k.SinceWindow:
		return b.window.Start
	case k.Period > 0:
		return b.since.Add(-k.Period)
	}
	return b.since.Add(-b.config.History)
}

func (k *kind) to(b *batch) time.Time {
	if k.Ends > 0 {
		return b.since.Add(-k.Ends)
	}
	return b.now
}

// The kinds of context that are referred to by name.
const (
	aftermath     = "Aftermath"
	signInsBefore = "Sign-ins before"
	changes       = "Changes"
)

// nonInteractive is the other table of the aftermath.
const (
	nonInteractive        = "AADNonInteractiveUserSignInLogs"
	nonInteractiveSignIns = "Non-interactive sign-ins"
)

func recent(b *batch) time.Time { return b.since.Add(-lookBefore) }

// riskTable is where Entra ID Protection writes what it detects.
const riskTable = "AADUserRiskEvents"

// consumers take the rows of the contexts that Pushback brings, by their names.
var consumers = map[string]func(k *kind) func(b *batch, r row){
	"Identity":            func(k *kind) func(*batch, row) { return k.identity },
	"UEBA of the account": func(*kind) func(*batch, row) { return (*batch).uebaAccount },
	"UEBA of the address": func(*kind) func(*batch, row) { return (*batch).uebaAddress },
	signInsBefore:         func(*kind) func(*batch, row) { return (*batch).before },
	aftermath:             func(*kind) func(*batch, row) { return (*batch).after },
	changes:               func(*kind) func(*batch, row) { return (*batch).changed },
	"Prevalence":          func(*kind) func(*batch, row) { return (*batch).prevalence },
}

//go:embed contexts.yaml
var contextsFile []byte

// kinds are the contexts that Pushback brings for every rule.
var kinds = sync.OnceValue(loadKinds)

// loadKinds reads the definitions. What is wrong with them is a mistake in the source.
func loadKinds() []*kind {
	contexts, problems := rule.ParseContexts("contexts.yaml", contextsFile, func(name string) ([]byte, error) { return queryFiles.ReadFile("queries/" + name) })
	if len(problems) > 0 || len(contexts) != len(consumers) {
		panic(fmt.Sprintf("enrich: %d contexts and %d that take their rows: %v", len(contexts), len(consumers), problems))
	}
	list := make([]*kind, len(contexts))
	for i, c := range contexts {
		list[i] = newKind(c, strings.TrimSuffix(c.File, ".kql"))
		list[i].row = consumers[c.Name](list[i])
	}
	return list
}

// newKind returns a kind of context whose query is marked with a name.
func newKind(c rule.Context, mark string) *kind {
	k := &kind{Context: c, query: parseQuery(c.Query.Text)}
	k.query.name = mark
	return k
}

// Queries returns the texts of the context queries without the filters on
// entities and times: they read the columns, and all of the rows, that a query
// for any alert may need.
func Queries() []string {
	texts := make([]string, len(kinds()))
	for i, k := range kinds() {
		for line := range strings.Lines(k.query.text) { // each filter is a line
			if !strings.Contains(line, "in~ (") && !strings.HasPrefix(line, "| where TimeGenerated") {
				texts[i] += line
			}
		}
	}
	return texts
}

// Enrich adds context to the alerts of one window, as it is at a time, and sets
// their severity. It returns a warning for each kind of context that could not be
// had. An alert without an entity that something is looked up about stays as it is.
func (e *Enricher) Enrich(ctx context.Context, alerts []alert.Alert, now time.Time) (warnings []string) {
	b := newBatch(e.config, alerts, now)
	if len(alerts) > 0 {
		b.brought = broughtBy(e.config.Brought[alerts[0].RuleID])
	}
	if len(b.accounts) == 0 && len(b.addresses) == 0 && len(b.brought) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, e.config.Timeout)
	defer cancel()
	missing := map[string]string{} // by kind
	for _, k := range kinds() {
		if err := e.ask(limited, b, k, alerts, nil); err != nil {
			why := reason(limited, err)
			missing[k.Name] = why
			if _, absent := workspace.MissingTable(err); !absent {
				b.failed[k.Name] = true
			}
			warnings = append(warnings, unavailable(k.Name, why))
		}
	}
	if _, ok := missing[aftermath]; !ok && len(b.accounts) > 0 && !b.tables[nonInteractive] {
		missing[nonInteractiveSignIns] = "table " + nonInteractive + " does not exist"
		warnings = append(warnings, unavailable(nonInteractiveSignIns, missing[nonInteractiveSignIns]))
	}
	for _, k := range kinds() {
		_, failed := missing[k.Name]
		for _, t := range k.Tables {
			if !failed && len(b.accounts) > 0 && !b.tables[t.Table] {
				missing[t.Name] = "table " + t.Table + " does not exist"
				warnings = append(warnings, unavailable(t.Name, missing[t.Name]))
			}
		}
	}
	for _, k := range b.brought {
		if err := e.ask(limited, b, &k.kind, alerts, func(table *workspace.Table) error { return CheckAnswer(k.Context, k.file, table) }); err != nil {
			k.missing = reason(limited, Located(k.Context, k.file, err))
			_, k.absent = workspace.MissingTable(err)
			warnings = append(warnings, unavailable(k.Name, k.missing))
		}
	}
	_, b.historyMissing = missing[signInsBefore]
	b.settle()
	// What the queries took is no reason to leave out what they found.
	judging, stop := context.WithTimeout(ctx, e.config.Timeout)
	defer stop()
	left := 0
	for i := range alerts {
		if judging.Err() != nil {
			b.giveUp(&alerts[i])
			left++
			continue
		}
		b.assess(&alerts[i], missing)
	}
	if left > 0 {
		warnings = append(warnings, fmt.Sprintf("context: %s of %d not assessed: the time for it was over", count(int64(left), "alert"), len(alerts)))
	}
	return warnings
}

func unavailable(name, why string) string {
	return fmt.Sprintf("context: %s: not available, %s", name, why)
}

// Aftermath follows up alerts that were reported before. For each of which there
// is news, it returns an alert that says so: an update, with the context of now.
// News is a finding of a kind that is followed (see [alert.FindingKind.IsFollowed])
// and that the alert's own context does not have. It takes two queries if there
// is none.
func (e *Enricher) Aftermath(ctx context.Context, alerts []alert.Alert, now time.Time) (updates []alert.Alert, warnings []string) {
	b := newBatch(e.config, alerts, now)
	if len(b.accounts) == 0 {
		return nil, nil
	}
	b.onlyWhether = !e.whole // what looks like news is looked up in full, below
	limited, cancel := context.WithTimeout(ctx, e.config.Timeout)
	defer cancel()
	for _, k := range kinds() {
		if k.Name != aftermath && k.Name != changes {
			continue
		}
		if err := e.ask(limited, b, k, alerts, nil); err != nil {
			warnings = append(warnings, fmt.Sprintf("context: %s of earlier alerts: not available, %s", k.Name, reason(limited, err)))
			if k.Name == aftermath {
				return nil, warnings
			}
		}
	}
	for _, a := range alerts {
		b.recall(a.Context)
	}
	b.settle()
	said := map[string]*alert.Context{} // by alert
	for i, a := range alerts {
		if ctx.Err() != nil {
			return nil, append(warnings, fmt.Sprintf("context: %d of %d earlier alerts not followed up: the time for it was over", len(alerts)-i, len(alerts)))
		}
		update := a
		update.Context = nil
		b.assess(&update, nil)
		_, isNews := news(update.Context, a.Context)
		// An alert that does not know what is usual is judged by its context of now.
		mayBe := (a.Context == nil || a.Context.Usual == nil) && update.Context.Has(alert.FoundSuccessElsewhere) && !a.Context.Says(alert.FoundSuccessElsewhere)
		if !isNews && !mayBe {
			continue
		}
		said[a.ID] = a.Context
		update.Updates = &alert.Reference{ID: a.ID, Title: a.Title, Created: a.Created, Severity: a.Severity, Identity: alert.Identity(a.Activities)}
		update.Created, update.Activities, update.Context = now.UTC(), nil, nil
		if a.Context != nil {
			update.Severity = a.Context.RuleSeverity
		}
		updates = append(updates, update)
	}
	if len(updates) == 0 {
		return nil, warnings
	}
	warnings = append(warnings, e.Enrich(ctx, updates, now)...)
	// What is usual by now can take back what looked like news.
	updates = slices.DeleteFunc(updates, func(u alert.Alert) bool {
		_, ok := news(u.Context, said[u.Updates.ID])
		return !ok
	})
	for i := range updates {
		u := &updates[i]
		kind, _ := news(u.Context, said[u.Updates.ID])
		u.Updates.News = kind
		u.ID = alert.UpdateID(u.Updates.ID, kind)
	}
	return updates, warnings
}

// news returns the gravest finding of a context that is followed and that another
// does not say: it says more than what is said of the account's own sign-ins, or
// it is something else.
func news(c, said *alert.Context) (alert.FindingKind, bool) {
	if c == nil {
		return "", false
	}
	for _, f := range c.Findings { // the weightiest first
		if !f.Kind.IsFollowed() || f.Weak || said.Says(f.Kind) {
			continue
		}
		if f.Kind.IsOwnSuccess() && slices.ContainsFunc(alert.FindingKinds()[:slices.Index(alert.FindingKinds(), f.Kind)], func(graver alert.FindingKind) bool {
			return graver.IsOwnSuccess() && said.Says(graver)
		}) {
			continue
		}
		return f.Kind, true
	}
	return "", false
}

// ask runs the query of one kind of context for all entities. check, if set, says
// what is wrong with the columns of the answer.
func (e *Enricher) ask(ctx context.Context, b *batch, k *kind, alerts []alert.Alert, check func(*workspace.Table) error) error {
	lists := b.lists(k, alerts)
	b.answered = nil
	if k.Apart && len(lists) > 1 {
		b.answered = map[string]bool{}
	}
	seen := map[string]bool{}
	for _, values := range lists {
		table, err := e.query(ctx, b, k.query, values, k.from(b), k.to(b))
		if err != nil {
			return err
		}
		if check != nil {
			if err := check(table); err != nil {
				return err
			}
		}
		for r := range rowsOf(table) {
			if len(lists) > 1 { // a row can be of more than one part of the lists
				key := fmt.Sprintf("%q", all(r.cells, workspace.Text))
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			k.row(b, r)
		}
	}
	return nil
}

// query runs a query with values for its lists.
func (e *Enricher) query(ctx context.Context, b *batch, q query, values map[string]string, from, to time.Time) (*workspace.Table, error) {
	values["From"], values["To"], values["Since"], values["OnlyWhether"] = timeLiteral(from), timeLiteral(to), timeLiteral(b.window.Start), fmt.Sprint(b.onlyWhether)
	text, err := q.bind(values)
	if err != nil {
		return nil, err
	}
	// The end of the service's time span may not be part of it.
	return e.querier.Query(ctx, workspace.Query{Text: text, Start: from, End: to.Add(time.Second), Now: b.now, RuleID: "context", RuleVersion: q.name})
}

// rowsOf are the rows of an answer.
func rowsOf(table *workspace.Table) iter.Seq[row] {
	columns := make(map[string]int, len(table.Columns))
	for i, c := range table.Columns {
		columns[c.Name] = i
	}
	return func(yield func(row) bool) {
		for _, cells := range table.Rows {
			if !yield(row{columns, cells}) {
				return
			}
		}
	}
}

// reason says in a few words why a query has no answer.
func reason(ctx context.Context, err error) string {
	if table, missing := workspace.MissingTable(err); missing {
		return fmt.Sprintf("table %s does not exist", table)
	}
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return "the time for looking it up was over"
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(text); len(r) > 300 {
		text = string(r[:300]) + "…"
	}
	return text
}

// row is a row of an answer.
type row struct {
	columns map[string]int
	cells   []any
}

func (r row) value(column string) any {
	if i, ok := r.columns[column]; ok {
		return r.cells[i]
	}
	return nil
}

// with is the row with another value of a column that it has.
func (r row) with(column string, value any) row {
	if i, ok := r.columns[column]; ok {
		r.cells = slices.Clone(r.cells)
		r.cells[i] = value
	}
	return r
}

func (r row) text(column string) string { return strings.TrimSpace(workspace.Text(r.value(column))) }

func (r row) number(column string) int64 {
	switch n := r.value(column).(type) {
	case int64:
		return n
	case int32:
		return int64(n)
	case int:
		return int64(n)
	case float64:
		return int64(n)
	}
	return 0
}

func (r row) time(column string) time.Time {
	t, _ := r.value(column).(time.Time)
	return t
}

// list returns the elements of an array, or the only value.
func (r row) list(column string) []string {
	if texts, ok := r.value(column).([]string); ok {
		return texts
	}
	if d, ok := r.value(column).(workspace.Dynamic); ok {
		if elements, ok := d.Elements(); ok {
			return slices.DeleteFunc(slices.Clone(elements), func(s string) bool { return strings.TrimSpace(s) == "" })
		}
	}
	text := r.text(column)
	if text == "" {
		return nil
	}
	var elements []string // of a column of text that holds an array
	if strings.HasPrefix(text, "[") && json.Unmarshal([]byte(text), &elements) == nil {
		return slices.DeleteFunc(elements, func(s string) bool { return strings.TrimSpace(s) == "" })
	}
	return []string{text}
}
