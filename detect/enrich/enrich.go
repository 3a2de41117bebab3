// Package enrich looks up what an analyst would look up first about alerts,
// and says what it means for them.
//
// It is entity-driven: whatever rule an alert is of, it gets what is known of
// its Account and IP entities. The queries are the files in queries/, one for
// each kind of context. Their number does not depend on that of the alerts: the
// entities of all go in front of each, as dynamic literals, in lists that are
// split only past the limits of [Config].
//
// Context never stands in an alert's way. What can not be had, because the
// table does not exist, the time is up or the service fails, becomes a line of
// each alert that it would have been about, and a warning.
package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"pushback/detect/alert"
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
}

// New returns an Enricher that asks querier.
func New(config Config, querier Querier) *Enricher { return &Enricher{config, querier} }

// kind is a kind of context: what it is called, its query and how far back
// that looks, and what is done with each row of the answer.
type kind struct {
	name  string
	table string
	query query
	// accounts says that the query is about accounts, else it is about addresses.
	accounts bool
	// others are the tables of a query over several, any of which may be missing,
	// with what each tells of.
	others []source
	// visitors says that the query is about both: the accounts, and who else used
	// the addresses.
	visitors bool
	from     func(b *batch) time.Time
	to       func(b *batch) time.Time
	row      func(b *batch, r row)
}

// source is a table of a query over several.
type source struct{ name, table string }

// names are what can be missing of a kind.
func (k kind) names() []string {
	names := []string{k.name}
	for _, s := range k.others {
		names = append(names, s.name)
	}
	return names
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

func history(b *batch) time.Time { return b.since.Add(-b.config.History) }
func window(b *batch) time.Time  { return b.window.Start }
func until(b *batch) time.Time   { return b.now }

func recent(b *batch) time.Time { return b.since.Add(-lookBefore) }

// early is from when on all that an account did is looked at: from an hour before
// its prompts, which may have been logged two hours late.
func early(b *batch) time.Time { return recent(b).Add(-2 * time.Hour) }

// identities is a time of its own: a shorter one can just miss a record.
func identities(b *batch) time.Time { return b.since.Add(-identityLasts) }

// riskTable is where Entra ID Protection writes what it detects.
const riskTable = "AADUserRiskEvents"

var kinds = []kind{
	{name: "Identity", table: "IdentityInfo", query: loadQuery("identity"), accounts: true, from: identities, to: until, row: (*batch).identity},
	{name: "UEBA of the account", table: "BehaviorAnalytics", query: loadQuery("ueba_accounts"), accounts: true, from: history, to: until, row: (*batch).uebaAccount},
	{name: "UEBA of the address", table: "BehaviorAnalytics", query: loadQuery("ueba_addresses"), from: window, to: until, row: (*batch).uebaAddress},
	{name: signInsBefore, table: "SigninLogs", query: loadQuery("history"), accounts: true, from: history, to: recent, row: (*batch).before},
	{name: aftermath, table: "SigninLogs", query: loadQuery("aftermath"), accounts: true, visitors: true, from: early, to: until, row: (*batch).after},
	{name: changes, query: loadQuery("changes"), accounts: true, from: recent, to: until, row: (*batch).changed,
		others: []source{{"Changes of the account", "AuditLogs"}, {"Mailbox", "OfficeActivity"}, {"Risk detections", riskTable}}},
	{name: "Prevalence", table: "SigninLogs", query: loadQuery("prevalence"), from: history, to: until, row: (*batch).prevalence},
}

// Queries returns the texts of the context queries without the filters on
// entities and times: they read the columns, and all of the rows, that a query
// for any alert may need.
func Queries() []string {
	texts := make([]string, len(kinds))
	for i, k := range kinds {
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
	for _, k := range kinds {
		if err := e.ask(limited, b, k); err != nil {
			why := reason(limited, err)
			missing[k.name] = why
			if _, absent := workspace.MissingTable(err); !absent {
				b.failed[k.name] = true
			}
			warnings = append(warnings, unavailable(k.name, why))
		}
	}
	if _, ok := missing[aftermath]; !ok && len(b.accounts) > 0 && !b.tables[nonInteractive] {
		missing[nonInteractiveSignIns] = "table " + nonInteractive + " does not exist"
		warnings = append(warnings, unavailable(nonInteractiveSignIns, missing[nonInteractiveSignIns]))
	}
	for _, k := range kinds {
		_, failed := missing[k.name]
		for _, s := range k.others {
			if !failed && len(b.accounts) > 0 && !b.tables[s.table] {
				missing[s.name] = "table " + s.table + " does not exist"
				warnings = append(warnings, unavailable(s.name, missing[s.name]))
			}
		}
	}
	for _, k := range b.brought {
		if err := e.askBrought(limited, b, k, alerts); err != nil {
			k.missing = reason(limited, err)
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
	limited, cancel := context.WithTimeout(ctx, e.config.Timeout)
	defer cancel()
	for _, k := range kinds {
		if k.name != aftermath && k.name != changes {
			continue
		}
		if err := e.ask(limited, b, k); err != nil {
			warnings = append(warnings, fmt.Sprintf("context: %s of earlier alerts: not available, %s", k.name, reason(limited, err)))
			if k.name == aftermath {
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

// ask runs the query of one kind of context for all entities.
func (e *Enricher) ask(ctx context.Context, b *batch, k kind) error {
	var lists []map[string]string
	if k.accounts {
		for part := range b.parts(b.accountKeys()) {
			var ids, names []string
			for _, p := range part {
				a := b.accounts[p]
				if a.id != "" {
					ids = append(ids, a.id)
				}
				if a.name != "" {
					names = append(names, a.name)
				}
			}
			lists = append(lists, map[string]string{"AccountIds": listLiteral(ids), "Accounts": listLiteral(names)})
		}
	}
	if !k.accounts || k.visitors && len(lists) > 0 {
		n := 0
		for part := range b.parts(b.addressKeys()) {
			if n == len(lists) {
				lists = append(lists, map[string]string{"AccountIds": listLiteral(nil), "Accounts": listLiteral(nil)})
			}
			parts := b.partsOf(part)
			if k.visitors {
				part = append(slices.Clip(part), mapped(part)...)
			}
			lists[n]["Addresses"], lists[n]["Parts"], lists[n]["HasParts"] = listLiteral(part), listLiteral(parts), strconv.FormatBool(len(parts) > 0)
			n++
		}
		for ; k.visitors && n < len(lists); n++ {
			lists[n]["Addresses"], lists[n]["Parts"], lists[n]["HasParts"] = listLiteral(nil), listLiteral(nil), "false"
		}
	}
	b.answered = nil
	if k.visitors && len(lists) > 1 {
		b.answered = map[string]bool{}
	}
	from, to := k.from(b), k.to(b)
	for _, values := range lists {
		table, err := e.query(ctx, b, k.query, values, from, to)
		if err != nil {
			return err
		}
		for r := range rowsOf(table) {
			k.row(b, r)
		}
	}
	return nil
}

// askBrought runs the query of one kind of context that the rule brings for all
// entities.
func (e *Enricher) askBrought(ctx context.Context, b *batch, k *brought, alerts []alert.Alert) error {
	lists := b.lists(k.query, k.Key.Entity, alerts)
	seen := map[string]bool{}
	for _, values := range lists {
		table, err := e.query(ctx, b, k.query, values, k.from(b), b.now)
		if err != nil {
			return Located(k.Context, k.file, err)
		}
		if err := CheckAnswer(k.Context, k.file, table); err != nil {
			return err
		}
		for r := range rowsOf(table) {
			if len(lists) > 1 { // a row can be of more than one part of the lists
				key := fmt.Sprintf("%q", all(r.cells, workspace.Text))
				if seen[key] {
					continue
				}
				seen[key] = true
			}
			k.take(b, r)
		}
	}
	return nil
}

// query runs a query with values for its lists.
func (e *Enricher) query(ctx context.Context, b *batch, q query, values map[string]string, from, to time.Time) (*workspace.Table, error) {
	values["From"], values["To"], values["Since"] = timeLiteral(from), timeLiteral(to), timeLiteral(b.window.Start)
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
