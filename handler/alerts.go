package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pushback/detect/alert"
	"pushback/detect/ledger"
	"pushback/detect/notify/alerts"
	"pushback/detect/notify/console"
	"pushback/detect/notify/sentinel"
	"pushback/detect/notify/text"
	"pushback/detect/rule"
	"pushback/detect/secret"
	"pushback/handler/settings"
)

// newAlerts is the command about what was reported.
func newAlerts() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "List, show, count, export and erase what was reported, held back and sent; the schema of webhooks",
		Long: "Reads what the ledger keeps: alerts that wait to be sent, those that were sent or dropped, and those that are held\n" +
			"back, with what holds them back. The ledger is the one that serve uses, as the PUSHBACK_TABLE_ settings say in the\n" +
			"environment or in ./" + localSettingsFile + ". Alerts are kept for PUSHBACK_SENT_RETENTION after they were sent.",
		Example: "  handler alerts list --since 24h\n" +
			"  handler alerts export --since 30d --output alerts.ndjson",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAlertsList(), newAlertsShow(), newAlertsStats(), newAlertsExport(), newAlertsErase())
	withSettings(cmd.Commands()...)
	cmd.AddCommand(newAlertsSchema()) // which needs no settings
	return cmd
}

// archive reads the alerts of the ledger.
type archive struct {
	filter alertFilter

	ledger *ledger.Ledger
	notes  *ledger.NoteReader
	rules  map[string]*rule.Rule // that are set up, by id
}

// open opens the ledger, which has to be there.
func (a *archive) open(ctx context.Context) error {
	t, _, err := openTable()
	if err != nil {
		return err
	}
	if err := t.Readable(ctx); err != nil {
		return err
	}
	a.ledger, a.notes, a.rules = t.Ledger, t.NoteReader(), map[string]*rule.Rule{}
	if s, err := settings.ReadFor("alerts"); err == nil {
		for _, r := range readRules(s.Rules).rules { // what is wrong with others, serve says
			a.rules[r.ID] = r
		}
	}
	return nil
}

// reportedAlert is an alert as --json prints it.
type reportedAlert struct {
	ID       string         `json:"id"`
	Created  time.Time      `json:"created"`
	Rule     string         `json:"rule"`
	RuleName string         `json:"ruleName"`
	Severity alert.Severity `json:"severity"`
	Title    string         `json:"title"`
	// HeldBack says what holds it back, if anything does.
	HeldBack *alert.HeldBack `json:"heldBack,omitempty"`
	// Deliveries are what each destination has of it, in the order of the
	// destinations.
	Deliveries []reportedDelivery `json:"deliveries"`
	// Incident is the one that came of it, if it is known.
	Incident *reportedIncident `json:"incident,omitempty"`
	// Alert is all of it.
	Alert alert.Alert `json:"alert"`
}

type reportedDelivery struct {
	Destination string `json:"destination"`
	// Address is the setting that holds the address that a route named, if one did.
	Address string `json:"address,omitempty"`
	// State is sent, waiting, parked or dropped, and At when it was sent or
	// dropped.
	State     string     `json:"state"`
	At        *time.Time `json:"at,omitempty"`
	Attempts  int        `json:"attempts,omitempty"`
	Next      *time.Time `json:"next,omitempty"`
	LastError string     `json:"lastError,omitempty"`
}

type reportedIncident struct {
	Number string `json:"number,omitempty"`
	URL    string `json:"url,omitempty"`
}

// describe returns an alert as it is printed.
func (a *archive) describe(ctx context.Context, k ledger.Kept) (reportedAlert, error) {
	of := k.Alert
	r := reportedAlert{
		ID: of.ID, Created: of.Created, Rule: of.RuleID, RuleName: of.RuleName, Severity: of.Severity, Title: of.Title,
		HeldBack: of.HeldBack, Deliveries: []reportedDelivery{}, Alert: of,
	}
	if r.HeldBack == nil && len(k.Deliveries) == 0 {
		// A version before did not say why.
		r.HeldBack = &alert.HeldBack{Reason: "a limit that was set when it was recorded"}
	}
	for _, d := range k.Deliveries {
		out := reportedDelivery{Destination: d.Destination, Address: d.Address, State: "waiting", Attempts: d.Attempts, LastError: secret.Hide(d.LastError)}
		switch {
		case !d.Sent.IsZero():
			out.State, out.At = "sent", &d.Sent
		case !d.Dropped.IsZero():
			out.State, out.At = "dropped", &d.Dropped
		case d.Parked:
			out.State = "parked"
		case !d.Next.IsZero():
			out.Next = &d.Next
		}
		r.Deliveries = append(r.Deliveries, out)
	}
	incident, err := a.incident(ctx, k)
	r.Incident = incident
	return r, err
}

// incident returns the incident that came of an alert, or nil if none is known.
func (a *archive) incident(ctx context.Context, k ledger.Kept) (*reportedIncident, error) {
	if k.Alert.IncidentURL != "" {
		return &reportedIncident{k.Alert.IncidentNumber, k.Alert.IncidentURL}, nil
	}
	to := func(name string) bool {
		return slices.ContainsFunc(k.Deliveries, func(d ledger.Delivery) bool { return d.Destination == name && !d.Sent.IsZero() })
	}
	i, known, err := alerts.IncidentOf(ctx, a.notes, k.Alert.RuleID, k.Alert.ID)
	if err != nil || known {
		return &reportedIncident{i.Number, i.URL}, err
	}
	if to(sentinel.Name) { // the story may have one that does not have the alert yet
		_, url, err := sentinel.IncidentOf(ctx, a.notes, k.Alert, a.rules[k.Alert.RuleID])
		if err != nil || url != "" {
			return &reportedIncident{URL: url}, err
		}
	}
	return nil, nil
}

// each calls with each alert that the filter wants, rule by rule. What cannot be read
// is joined in the error, and the rest comes all the same.
func (a *archive) each(ctx context.Context, with func(ledger.Kept) error) error {
	ids, err := a.ledger.RuleIDs(ctx)
	if ids == nil && err != nil {
		return err
	}
	errs := []error{err}
	for _, id := range ids {
		for k, err := range a.ledger.Kept(ctx, id, a.filter.since) {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil:
				errs = append(errs, err)
			case a.filter.wants(k.Alert):
				if err := with(k); err != nil {
					return err
				}
			}
		}
	}
	return errors.Join(errs...)
}

// alertFilter says which alerts are wanted.
type alertFilter struct {
	sinceText, rule, user, address, severity string

	since      time.Time
	ruleIDs    []string
	prefix     netip.Prefix
	severities []alert.Severity
}

func (f *alertFilter) flags(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&f.sinceText, "since", since, "only alerts that were made since then: so long ago, such as 7d or 36h, or a time, such as 2026-03-17 (empty: all that are kept)")
	cmd.Flags().StringVar(&f.rule, "rule", "", "only those of this rule: its id, its name, or the name of one that ships")
	cmd.Flags().StringVar(&f.user, "user", "", "only those about this account: its name or its id; with * at the end, all that begin so")
	cmd.Flags().StringVar(&f.address, "address", "", "only those about this IP address or an address in this range, such as 203.0.113.0/24")
	cmd.Flags().StringVar(&f.severity, "severity", "", "only those of this severity, or of these with commas between them")
}

// parse reads what the flags say.
func (f *alertFilter) parse(now time.Time) (err error) {
	if f.sinceText != "" {
		if f.since, err = flagMoment("since", f.sinceText, now); err != nil {
			return err
		}
	}
	if f.rule != "" {
		f.ruleIDs = []string{f.rule}
		if slices.Contains(rule.ShippedNames(), f.rule) {
			rules, _ := rule.Choose(f.rule)
			for _, r := range rules {
				f.ruleIDs = append(f.ruleIDs, r.ID)
			}
		}
	}
	if f.address != "" {
		text := strings.TrimSpace(f.address)
		if f.prefix, err = netip.ParsePrefix(text); err == nil {
			if addr, bits := f.prefix.Addr(), f.prefix.Bits(); addr.Is4In6() && bits >= 96 {
				f.prefix = netip.PrefixFrom(addr.Unmap(), bits-96)
			}
		} else {
			var one netip.Addr
			if one, err = netip.ParseAddr(alert.CanonicalAddress(text)); err == nil {
				f.prefix, err = one.Prefix(one.BitLen())
			}
		}
		if err != nil {
			return usageError{fmt.Errorf("--address is %q: expected an IP address or a range such as 203.0.113.0/24", f.address)}
		}
	}
	if f.severity != "" {
		for name := range strings.SplitSeq(f.severity, ",") {
			s, err := alert.ParseSeverity(strings.TrimSpace(name))
			if err != nil {
				return usageError{fmt.Errorf("--severity is %q: expected High, Medium, Low or Informational, or several with commas between them", f.severity)}
			}
			f.severities = append(f.severities, s)
		}
	}
	return nil
}

// wants reports whether an alert is wanted.
func (f *alertFilter) wants(a alert.Alert) bool {
	if f.rule != "" && !slices.ContainsFunc(f.ruleIDs, func(id string) bool { return strings.EqualFold(id, a.RuleID) || strings.EqualFold(id, a.RuleName) }) {
		return false
	}
	if f.severities != nil && !slices.Contains(f.severities, a.Severity) {
		return false
	}
	if f.user != "" && !slices.ContainsFunc(namesIn(a), f.isUser) {
		return false
	}
	return f.address == "" || slices.ContainsFunc(addressesIn(a), f.isAddress)
}

func (f *alertFilter) isUser(name string) bool {
	name, wanted := strings.ToLower(strings.TrimSpace(name)), strings.ToLower(strings.TrimSpace(f.user))
	if start, ok := strings.CutSuffix(wanted, "*"); ok {
		return strings.HasPrefix(name, start)
	}
	return name == wanted
}

func (f *alertFilter) isAddress(value string) bool {
	addr, err := netip.ParseAddr(alert.CanonicalAddress(strings.TrimSpace(value)))
	return err == nil && f.prefix.Contains(addr)
}

// namesIn lists what an alert says of who it is about.
func namesIn(a alert.Alert) (names []string) {
	for _, e := range a.Entities {
		if e.Type == "IP" {
			continue
		}
		if _, name := e.Account(); name != "" {
			names = append(names, name)
		}
		for _, f := range e.Fields {
			names = append(names, f.Value)
		}
	}
	return append(names, valuesIn(a)...)
}

// addressesIn lists the values of an alert that may be addresses.
func addressesIn(a alert.Alert) (addresses []string) {
	for _, e := range a.Entities {
		for _, f := range e.Fields {
			addresses = append(addresses, f.Value)
		}
	}
	return append(addresses, valuesIn(a)...)
}

func valuesIn(a alert.Alert) (values []string) {
	for _, d := range a.CustomDetails {
		values = append(values, d.Values...)
	}
	return values
}

// newAlertsList is the command that lists alerts.
func newAlertsList() *cobra.Command {
	var a archive
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the alerts of the last days, the newest first, with where each went and when",
		Example: "  handler alerts list --since 24h --severity High\n" +
			"  handler alerts list --user alice@contoso.example --since 90d --json",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := a.filter.parse(time.Now()); err != nil {
				return err
			}
			if err := a.open(cmd.Context()); err != nil {
				return err
			}
			var list []reportedAlert
			failed := a.each(cmd.Context(), func(k ledger.Kept) error {
				r, err := a.describe(cmd.Context(), k)
				if !asJSON {
					r.Alert = alert.Alert{} // there may be very many
				}
				list = append(list, r)
				return err
			})
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
			slices.SortStableFunc(list, func(a, b reportedAlert) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
			write := writeAlerts
			if asJSON {
				write = writeAlertsJSON
			} else if len(list) == 0 && failed != nil {
				return failed
			}
			return errors.Join(failed, write(cmd.OutOrStdout(), list))
		},
	}
	a.filter.flags(cmd, "7d")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per alert, with all of it")
	return cmd
}

func writeAlertsJSON(w io.Writer, list []reportedAlert) error {
	for _, r := range list {
		line, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("alert %s: %w", r.ID, err)
		}
		if _, err := fmt.Fprintf(w, "%s\n", escaped(line)); err != nil {
			return err
		}
	}
	return nil
}

// writeAlerts writes a table.
func writeAlerts(w io.Writer, list []reportedAlert) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no alerts")
		return err
	}
	known := slices.ContainsFunc(list, func(r reportedAlert) bool { return r.Incident != nil })
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	head := "CREATED\tSEVERITY\tALERT\tRULE\tTITLE\tSENT"
	if known {
		head += "\tINCIDENT"
	}
	fmt.Fprintln(t, head)
	for _, r := range list {
		line := fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s", r.Created.UTC().Format("2006-01-02 15:04:05Z"), r.Severity, text.Safe(r.ID),
			text.Cut(text.Safe(r.RuleName), 30), text.Cut(text.Safe(r.Title), 60), text.Safe(r.sent()))
		if known {
			line += "\t"
			if r.Incident != nil {
				line += strings.TrimSpace(text.Safe(r.Incident.Number) + " " + text.Safe(r.Incident.URL))
			}
		}
		fmt.Fprintln(t, line)
	}
	return t.Flush()
}

// sent says where an alert went and when, on a line.
func (r reportedAlert) sent() string {
	if r.HeldBack != nil {
		return heldBackWords(r.HeldBack)
	}
	parts := make([]string, len(r.Deliveries))
	for i, d := range r.Deliveries {
		parts[i] = d.words()
	}
	return strings.Join(parts, ", ")
}

// words says what a destination has of an alert.
func (d reportedDelivery) words() string {
	to := d.Destination
	if d.Address != "" {
		to += " at " + d.Address
	}
	switch {
	case d.State == "sent":
		return to + " " + d.At.UTC().Format("2006-01-02 15:04:05Z")
	case d.At != nil:
		return fmt.Sprintf("%s %s %s", to, d.State, d.At.UTC().Format("2006-01-02 15:04:05Z"))
	case d.Next != nil:
		return fmt.Sprintf("%s %s until %s", to, d.State, d.Next.UTC().Format("2006-01-02 15:04:05Z"))
	}
	return to + " " + d.State
}

// newAlertsShow is the command that shows one alert.
func newAlertsShow() *cobra.Command {
	var a archive
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ALERT",
		Short: "Show all of one alert, with where it went and when",
		Example: "  handler alerts show b0b19a53-0325-8ac2-6e93-0873c00515b8\n" +
			"  handler alerts show b0b19a53-0325-8ac2-6e93-0873c00515b8 --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("alerts show takes the id of one alert, which alerts list shows")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if err := a.open(ctx); err != nil {
				return err
			}
			k, err := a.ledger.KeptOf(ctx, strings.ToLower(strings.TrimSpace(args[0])))
			if err != nil {
				if errors.Is(err, ledger.ErrNotKept) {
					return fmt.Errorf("%w: see handler alerts list --since 90d", err)
				}
				return err
			}
			r, err := a.describe(ctx, k)
			if err != nil {
				return err
			}
			if asJSON {
				return writeAlertsJSON(cmd.OutOrStdout(), []reportedAlert{r})
			}
			return writeAlert(cmd.OutOrStdout(), r)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as a JSON object, as alerts list does")
	return cmd
}

// writeAlert writes all of an alert.
func writeAlert(w io.Writer, r reportedAlert) error {
	var b strings.Builder
	style := styleOf(w)
	if err := console.New(&b, style).Notify(context.Background(), r.Alert); err != nil {
		return err
	}
	line := func(name, value string) {
		fmt.Fprintf(&b, "  %-12s  %s\n", name, text.Safe(value))
	}
	line("Alert", r.ID)
	line("Rule", strings.TrimSpace(fmt.Sprintf("%s %s (%s)", r.RuleName, r.Alert.RuleVersion, r.Rule)))
	if h := r.HeldBack; h != nil {
		line("Held back", strings.TrimPrefix(heldBackWords(h), "held back ")+": "+h.Reason)
	}
	for _, d := range r.Deliveries {
		said := d.words()
		if d.Attempts > 0 {
			said += fmt.Sprintf(", tried %s in vain", times(d.Attempts))
		}
		if d.LastError != "" {
			said += ": " + text.Cut(text.Safe(d.LastError), 300)
		}
		line("Sent", said)
	}
	if i := r.Incident; i != nil {
		line("Incident", strings.TrimSpace(i.Number+" "+i.URL))
	}
	if n := len(r.Alert.Rows); n > 0 {
		line("Rows", fmt.Sprintf("%d (--json shows them)", n))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
